"""How to reach a Jenkins server, and as whom: environment, file, keyring; never a repository."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from pushtrain.errors import SettingsError

SERVICE = "pushtrain-jenkins"
"""The keyring's service; its user names are `USER@HOST` of the Jenkins address."""


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one server.

    Attributes:
        url: address, context path included, without a slash at its end.
        user: login; None for anonymous.
        token: the user's API token (a password works too).
        ca_file: certificates to trust instead of the usual ones.
        notify_token: the git plugin's own token for notifyCommit.
        seconds: how long to wait for a connection or an answer.
    """

    url: str
    user: str | None = None
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    notify_token: str | None = field(default=None, repr=False)
    seconds: float = 30.0


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    user: str | None = None
    token: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    notify_token: str | None = None
    notify_token_file: str | None = None


_VARIABLES = {
    "url": ("JENKINS_URL",),
    "user": ("JENKINS_USER_ID", "JENKINS_USER"),
    "token": ("JENKINS_API_TOKEN", "JENKINS_TOKEN", "JENKINS_PASSWORD"),
    "token_file": ("JENKINS_API_TOKEN_FILE",),
    "ca_file": ("JENKINS_CA_FILE",),
    "notify_token": ("JENKINS_NOTIFY_TOKEN",),
    "notify_token_file": ("JENKINS_NOTIFY_TOKEN_FILE",),
}
"""The first name of each is what Jenkins' own tools use; the others are common too."""


def find_access(
    environment: Mapping[str, str], home: Path, url: str | None = None, user: str | None = None
) -> Access:
    """The way to the server: what is given, else the environment, else `home/jenkins.toml`.

    The token is looked for in the same places, and then in the keyring.

    Raises:
        SettingsError: there is no address, the address is none, or a file cannot be used.
    """
    given = _from_environment(environment)
    stored = _from_file(home / "jenkins.toml")
    given_url = (url or given.url or stored.url or "").rstrip("/")
    if urlsplit(given_url).scheme not in {"http", "https"} or not urlsplit(given_url).hostname:
        raise SettingsError(
            f"{given_url!r} is no address of a Jenkins server"
            if given_url
            else "no Jenkins server is set",
            hint=f"set JENKINS_URL, or url in {home / 'jenkins.toml'}",
        )
    login = user or given.user or stored.user
    token = _secret(given.token, given.token_file) or _secret(stored.token, stored.token_file)
    if login and not token:
        token = _from_keyring(login, given_url)
    return Access(
        url=given_url,
        user=login,
        token=token,
        ca_file=given.ca_file or stored.ca_file,
        notify_token=_secret(given.notify_token, given.notify_token_file)
        or _secret(stored.notify_token, stored.notify_token_file),
    )


def _from_environment(environment: Mapping[str, str]) -> _File:
    found = {
        name: next((environment[one] for one in variables if environment.get(one)), None)
        for name, variables in _VARIABLES.items()
    }
    return _File(**found)


def _from_file(path: Path) -> _File:
    try:
        mode = path.stat().st_mode
        stored = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return _File()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", hint="make it valid TOML") from None
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors(include_input=False))
        raise SettingsError(
            f"{path}: {names} cannot be used", hint=f"it knows {', '.join(_File.model_fields)}"
        ) from None
    if (stored.token or stored.notify_token) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"{path} holds a token and others can read it", hint=f"chmod 600 {path}"
        )
    return stored


def _secret(value: str | None, file: str | None) -> str | None:
    if value or not file:
        return value or None
    try:
        return Path(file).expanduser().read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the token file {file} cannot be read: {error}", hint="make it readable to this user"
        ) from None


def _from_keyring(user: str, url: str) -> str | None:
    import keyring  # noqa: PLC0415  (slow, and rarely needed)
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return keyring.get_password(SERVICE, f"{user}@{urlsplit(url).hostname}")
    except KeyringError:
        return None  # no keyring on this machine: anonymous, or the server will ask for a login

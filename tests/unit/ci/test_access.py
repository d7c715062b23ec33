"""Where address and token come from, and where they never come from."""

from __future__ import annotations

from pathlib import Path

import keyring
import keyring.backend
import pytest

from pushtrain.ci.access import SERVICE, find_access
from pushtrain.errors import SettingsError

URL = "https://ci.example.org/jenkins"


class _Ring(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def __init__(self, known: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self.known = known

    def get_password(self, service: str, username: str) -> str | None:
        return self.known.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.known[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.known[service, username]


def _file(home: Path, text: str, mode: int = 0o600) -> None:
    path = home / "jenkins.toml"
    path.write_text(text)
    path.chmod(mode)


def test_from_the_environment(tmp_path: Path) -> None:
    variables = {"JENKINS_URL": f"{URL}/", "JENKINS_USER_ID": "ann", "JENKINS_API_TOKEN": "t"}
    access = find_access(variables, tmp_path)
    assert (access.url, access.user, access.token) == (URL, "ann", "t")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    _file(tmp_path, f'url = "{URL}"\nuser = "bob"\ntoken = "stored"\n')
    access = find_access({"JENKINS_USER_ID": "ann"}, tmp_path)
    assert (access.url, access.user, access.token) == (URL, "ann", "stored")
    assert find_access({}, tmp_path, url="http://else", user="eve").url == "http://else"


def test_a_token_from_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    variables = {
        "JENKINS_URL": URL,
        "JENKINS_USER_ID": "ann",
        "JENKINS_API_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert find_access(variables, tmp_path).token == "t"
    with pytest.raises(SettingsError, match="token file"):
        find_access({**variables, "JENKINS_API_TOKEN_FILE": str(tmp_path / "no")}, tmp_path)


def test_a_token_from_the_keyring(tmp_path: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(_Ring({(SERVICE, "ann@ci.example.org"): "ringing"}))
    try:
        access = find_access({"JENKINS_URL": URL, "JENKINS_USER_ID": "ann"}, tmp_path)
    finally:
        keyring.set_keyring(before)
    assert access.token == "ringing"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _file(tmp_path, f'url = "{URL}"\ntoken = "stored"\n', mode=0o644)
    with pytest.raises(SettingsError, match="others can read it"):
        find_access({}, tmp_path)


@pytest.mark.parametrize("text", ["url =", "uri = 'x'", "user = 3"])
def test_a_file_that_is_none(text: str, tmp_path: Path) -> None:
    _file(tmp_path, text)
    with pytest.raises(SettingsError, match=r"jenkins\.toml"):
        find_access({}, tmp_path)


@pytest.mark.parametrize("url", ["", "ci.example.org", "ftp://ci", "https://"])
def test_an_address_that_is_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Jenkins server"):
        find_access({"JENKINS_URL": url}, tmp_path)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    variables = {"JENKINS_URL": URL, "JENKINS_API_TOKEN": "t0p", "JENKINS_NOTIFY_TOKEN": "n0t"}
    shown = repr(find_access(variables, tmp_path))
    assert "t0p" not in shown and "n0t" not in shown

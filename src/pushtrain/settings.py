"""What can be set, where, and by whom.

Three places, later ones win: the repository's `pushtrain.toml` (the author's wishes), the
operator's `config.toml` in PUSHTRAIN_HOME (what this machine allows, whom it notifies), and the
command line. A pushed repository can ask for more than the defaults (network, host directories,
memory); only the operator, or someone who runs pushtrain in an own working directory, grants it.
Secrets come from the environment or from files, never from a repository.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pushtrain.entities import Direction, KnobValue
from pushtrain.errors import SettingsError

MIB = 1024**2
GIB = 1024**3
_UNITS = {"": 1, "k": 1024, "m": MIB, "g": GIB, "t": 1024 * GIB}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> object:
    """Bytes from `"2GiB"`, `"512m"` or a number; anything else is left for pydantic to refuse."""
    if not isinstance(value, str):
        return value
    number = value.strip().lower().removesuffix("b").removesuffix("i")
    unit = number[-1:] if number[-1:].isalpha() else ""
    try:
        return int(float(number.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        return value


def parse_duration(value: object) -> object:
    """Seconds from `"90s"`, `"10m"`, `"2h"` or a number; anything else is left for pydantic."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        return float(digits) * _SECONDS[text[len(digits) :].strip()]
    except (ValueError, KeyError):
        return value


Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainSettings(_Section):
    """`[train]`: what to run, where detection should not decide."""

    entry: str | None = None
    args: tuple[str, ...] = ()
    workdir: str = "."
    framework: str | None = None
    family: str | None = None
    backend: Literal["tensorflow", "jax", "torch"] | None = None
    env: dict[str, str] = {}


class ObjectiveSettings(_Section):
    """`[objective]`: the target."""

    metric: str | None = None
    target: float | None = Field(default=None, allow_inf_nan=False)
    direction: Direction | None = None
    confirm: int = Field(default=0, ge=0, le=20)


class BudgetSettings(_Section):
    """`[budget]`: what a run may spend."""

    trials: int = Field(default=20, ge=1, le=100_000)
    time: Duration = 3600.0
    trial_time: Duration = 1800.0


class KnobRange(_Section):
    """One entry of `[knobs.ranges]`, written out."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: tuple[KnobValue, ...] | None = None


def _range(value: object) -> object:
    if isinstance(value, list):
        if len(value) == 2 and not any(isinstance(v, bool | str) for v in value):
            return {"low": value[0], "high": value[1]}
        return {"choices": value}
    return value


class KnobSettings(_Section):
    """`[knobs]`: which knobs to turn (shell patterns over their names), and how far."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    ranges: dict[str, Annotated[KnobRange, BeforeValidator(_range)]] = {}


class DataSettings(_Section):
    """`[data]`: directories on the engine's host, mounted read-only: path inside -> host path."""

    directories: dict[str, str] = {}


class ImageSettings(_Section):
    """`[image]`: what detection should not decide about the image."""

    requirements: str | None = None
    packages: tuple[str, ...] = ()


class LimitSettings(_Section):
    """`[limits]`: what one training container may use; above the operator's maximum is refused."""

    memory: Size = 8 * GIB
    cpus: float | None = Field(default=None, gt=0)
    pids: int = Field(default=512, ge=16)
    disk: Size = 4 * GIB
    shm: Size = 1 * GIB
    log: Size = 8 * MIB
    network: bool = False


class RepositorySettings(_Section):
    """The repository's `pushtrain.toml`, whole."""

    train: TrainSettings = TrainSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    budget: BudgetSettings = BudgetSettings()
    knobs: KnobSettings = KnobSettings()
    data: DataSettings = DataSettings()
    image: ImageSettings = ImageSettings()
    limits: LimitSettings = LimitSettings()


class AllowSettings(_Section):
    """`[allow]`: what pushed repositories may ask for on this machine."""

    data: tuple[str, ...] = ()
    """Host directories below which `[data]` may point."""
    network: tuple[str, ...] = ()
    """Repositories (shell patterns over their URLs) whose training may use the network."""
    memory: Size | None = None
    """The most `limits.memory` that is granted (default: the engine's own)."""
    disk: Size = 64 * GIB
    log: Size = 64 * MIB
    pids: int = Field(default=4096, ge=16)


class MailSettings(_Section):
    """`[mail]`: where verdicts are mailed; the password comes from `password_file` or the
    environment variable PUSHTRAIN_SMTP_PASSWORD."""

    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: str | None = None
    sender: str = "pushtrain@localhost"
    to: tuple[str, ...] = ()
    ca_file: str | None = None


class NotifySettings(_Section):
    """`[notify]`: when people are told, and by which chat services."""

    on: tuple[Literal["met", "not-met", "failed", "always"], ...] = ("always",)
    apprise_file: str | None = None
    """A file of Apprise URLs, one a line (or the environment variable PUSHTRAIN_APPRISE_URLS)."""


class KeepSettings(_Section):
    """`[keep]`: what `pushtrain clean` leaves alone."""

    runs: int = Field(default=20, ge=0)
    """Newest finished runs of each repository."""
    days: float = Field(default=30, ge=0)
    """Runs and images used within so many days."""


class RelaunchRule(_Section):
    """What follows an attempt that failed: how many attempts one trial has in all, and the pause
    before the second one, which doubles with each further one."""

    attempts: int = Field(ge=1, le=1000)
    pause: float = Field(default=0.2, ge=0, le=3600)


class RelaunchSettings(_Section):
    """`[relaunch]`: which failed attempts are followed by another one; every other cause ends its
    trial at once."""

    out_of_memory: RelaunchRule = RelaunchRule(attempts=8)
    shared_memory: RelaunchRule = RelaunchRule(attempts=4)
    crash: RelaunchRule = RelaunchRule(attempts=2)
    killed: RelaunchRule = RelaunchRule(attempts=20)
    stalled: RelaunchRule = RelaunchRule(attempts=3)
    disk_full: RelaunchRule = RelaunchRule(attempts=4, pause=15)
    engine_gone: RelaunchRule = RelaunchRule(attempts=15, pause=2)
    image_missing: RelaunchRule = RelaunchRule(attempts=3)
    missing_module: RelaunchRule = RelaunchRule(attempts=2)
    longest_pause: float = Field(default=60.0, ge=0, le=3600)
    """Seconds; pauses are drawn from the upper half of what they may be."""
    breaker: int = Field(default=5, ge=1)
    """Attempts in a row, over all trials of a run, that may end by a crash, a kill or a stall
    before any epoch is finished: then the run is given up."""


class OperatorSettings(_Section):
    """The operator's `config.toml`, whole."""

    allow: AllowSettings = AllowSettings()
    mail: MailSettings = MailSettings()
    notify: NotifySettings = NotifySettings()
    keep: KeepSettings = KeepSettings()
    relaunch: RelaunchSettings = RelaunchSettings()


def home() -> Path:
    """Where state lives: PUSHTRAIN_HOME, else the user's data directory."""
    given = os.environ.get("PUSHTRAIN_HOME")
    return (
        Path(given).expanduser().absolute() if given else platformdirs.user_data_path("pushtrain")
    )


def load_repository(root: Path) -> RepositorySettings:
    """Reads `root/pushtrain.toml`; a missing file gives the defaults.

    Raises:
        SettingsError: the file is not valid, with each wrong key and what it should be.
    """
    return RepositorySettings.model_validate(_read(root / "pushtrain.toml", RepositorySettings))


def load_operator(directory: Path) -> OperatorSettings:
    """Reads `directory/config.toml`; a missing file gives the defaults.

    PUSHTRAIN_SMTP_HOST, _PORT, _SECURITY, _USERNAME, _PASSWORD_FILE, _SENDER, _TO (comma
    separated) and _CA_FILE override `[mail]`.

    Raises:
        SettingsError: the file or a variable is not valid.
    """
    raw = _read(directory / "config.toml", OperatorSettings)
    mail = dict(raw.get("mail", {}))
    for name in MailSettings.model_fields:
        given = os.environ.get(f"PUSHTRAIN_SMTP_{name.upper()}")
        if given:
            mail[name] = [part.strip() for part in given.split(",")] if name == "to" else given
    try:
        return OperatorSettings.model_validate({**raw, "mail": mail})
    except ValidationError as error:
        raise _invalid("the PUSHTRAIN_SMTP_* variables", error) from None


def _read(path: Path, model: type[BaseModel]) -> dict[str, Any]:
    try:
        if path.stat().st_size > MIB:
            raise SettingsError(f"{path.name} is larger than 1 MiB", hint="is it a settings file?")
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path.name} cannot be read: {error}", hint="make it UTF-8 text"
        ) from None
    try:
        raw = tomllib.loads(text)
        model.model_validate(raw)
    except ValidationError as error:
        raise _invalid(path.name, error) from None
    except RecursionError:
        raise SettingsError(f"{path} is nested too deeply", hint="is it a settings file?") from None
    except ValueError as error:  # TOMLDecodeError, and numbers that Python refuses to read
        raise SettingsError(
            f"{path.name} is not valid TOML: {error}", hint="mend that line"
        ) from None
    return raw


def _invalid(where: str, error: ValidationError) -> SettingsError:
    problems = [
        f"[{'.'.join(map(_shown, problem['loc']))}] {problem['msg'].lower()}"
        for problem in error.errors(include_url=False)
    ]
    return SettingsError(
        f"{where}: {'; '.join(problems)}",
        hint="docs/08-settings.md lists every setting",
        problems=problems,
    )


def _shown(name: object) -> str:
    """A key as it may reach terminals: whoever pushed chose it."""
    text = str(name)[:100]
    return text if text.isprintable() else ascii(text)

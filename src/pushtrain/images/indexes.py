"""Where the machine's pip and uv find packages, read from their own configuration."""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_SYSTEM_PIP = Path("/etc/pip.conf")
_SYSTEM_UV = Path("/etc/uv/uv.toml")


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Indexes and wheel directories; URLs may hold passwords and must not be printed.

    Attributes:
        index: the index that is asked first, or None for the tools' own default.
        extra: further indexes.
        trusted: hosts whose certificate is not checked.
        wheelhouses: directories of this machine that hold wheels.
    """

    index: str | None = None
    extra: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    wheelhouses: tuple[Path, ...] = ()

    @property
    def has_cpu_index(self) -> bool:
        """Whether an index of PyTorch's builds for CPUs is configured (its path ends with cpu)."""
        urls = (self.index, *self.extra)
        return any(url and urlsplit(url).path.rstrip("/").endswith("/cpu") for url in urls)

    def wheel_files(self) -> tuple[Path, ...]:
        """The wheels of all wheelhouses, sorted by name."""
        found = [path for place in self.wheelhouses for path in place.glob("*.whl")]
        return tuple(sorted(found, key=lambda path: path.name))

    def as_shell(self) -> str:
        """The variables that make pip and uv use these indexes, as a shell script."""
        variables: dict[str, str] = {}
        if self.index:
            variables |= {"PIP_INDEX_URL": self.index, "UV_DEFAULT_INDEX": self.index}
        if self.extra:
            extra = " ".join(self.extra)
            # pip takes the best version of all indexes; uv stops at the first that has the name.
            variables |= {
                "PIP_EXTRA_INDEX_URL": extra,
                "UV_INDEX": extra,
                "UV_INDEX_STRATEGY": "unsafe-best-match",
            }
        if self.trusted:
            hosts = " ".join(self.trusted)
            variables |= {"PIP_TRUSTED_HOST": hosts, "UV_INSECURE_HOST": hosts}
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def read_package_source(environment: Mapping[str, str]) -> PackageSource:
    """Reads variables and configuration files of pip and uv; a variable wins over a file.

    PUSHTRAIN_WHEELHOUSE names a directory of wheels; without it `find-links` does.
    """
    pip, uv = _pip(environment), _uv(environment)
    index = (
        _variable(environment, "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
        or uv.get("index-url", [])
        or pip.get("index-url", [])
    )
    extra = (
        _variable(environment, "UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
        or uv.get("extra-index-url", [])
        or pip.get("extra-index-url", [])
    )
    trusted = _variable(environment, "UV_INSECURE_HOST", "PIP_TRUSTED_HOST") or pip.get(
        "trusted-host", []
    )
    links = (
        _variable(environment, "PUSHTRAIN_WHEELHOUSE")
        or _variable(environment, "UV_FIND_LINKS", "PIP_FIND_LINKS")
        or uv.get("find-links", [])
        or pip.get("find-links", [])
    )
    return PackageSource(
        index=next((url for url in index if _is_remote(url)), None),
        extra=tuple(url for url in extra if _is_remote(url)),
        trusted=tuple(trusted),
        wheelhouses=tuple(path for link in links if (path := _directory(link)).is_dir()),
    )


def _variable(environment: Mapping[str, str], *names: str) -> list[str]:
    for name in names:
        if environment.get(name):
            return [_unnamed(word) for word in environment[name].split()]
    return []


def _unnamed(index: str) -> str:
    """A URL without the name that uv allows before it (`name=https://...`)."""
    name, separator, url = index.partition("=")
    return url if separator and name.replace("-", "").replace("_", "").isalnum() else index


def _is_remote(url: str) -> bool:
    """Whether a build can reach it; a directory of this machine it cannot."""
    return url.startswith(("http://", "https://"))


def _directory(link: str) -> Path:
    return Path(link.removeprefix("file://")).expanduser()


def _pip(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """pip's options as its own files give them, in pip's order: global, user, PIP_CONFIG_FILE."""
    home = Path(environment.get("HOME", "/nonexistent"))
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    system = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    places = [
        *(Path(place) / "pip/pip.conf" for place in system),
        _SYSTEM_PIP,
        home / ".pip/pip.conf",
        user / "pip/pip.conf",
    ]
    if environment.get("PIP_CONFIG_FILE"):
        places.append(Path(environment["PIP_CONFIG_FILE"]))
    options: dict[str, list[str]] = {}
    for place in places:
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                options |= {name: text.split() for name, text in parser.items(section)}
    return options


def _uv(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """uv's options from its user's and system's uv.toml, spelled as pip spells them."""
    home = Path(environment.get("HOME", "/nonexistent"))
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    for place in (user / "uv/uv.toml", _SYSTEM_UV):
        try:
            raw = tomllib.loads(place.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        options = {**raw, **raw.get("pip", {})}
        found = {
            name: [value] if isinstance(value, str) else list(value)
            for name in ("index-url", "extra-index-url", "find-links")
            if (value := options.get(name))
        }
        for index in raw.get("index", []):
            kind = "index-url" if index.get("default") else "extra-index-url"
            found.setdefault(kind, []).append(index.get("url", ""))
        return found
    return {}

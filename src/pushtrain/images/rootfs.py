"""A root file system from the machine's own Debian mirror, for a base image without a registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pushtrain.errors import ImageError

_APT = Path("/etc/apt")
_LEFT_OUT = ("doc", "info", "locale", "man")
"""What the image goes without, below /usr/share."""
_CLEANED = (
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list*",
    "var/cache/debconf/*",
    "var/log/*",
)
"""What would tell where the packages came from, or is of no use."""
_TAIL = 15


@contextmanager
def made(
    suite: str, packages: Sequence[str], on_line: Callable[[str], None], apt: Path = _APT
) -> Iterator[BinaryIO]:
    """Makes a root file system with mmdebstrap; gives it whole, as a tar.

    Args:
        suite: the release's codename, whose sources the machine's apt has.
        packages: what is in it beside the essential packages.
        on_line: gets what mmdebstrap says.
        apt: where the machine's sources are configured.

    Raises:
        ImageError: mmdebstrap is missing or fails.
    """
    program = _mmdebstrap(on_line)
    with tempfile.TemporaryDirectory(prefix="pushtrain-rootfs-") as place:
        sources, archive = Path(place, "debian.sources"), Path(place, "rootfs.tar")
        sources.write_text(_sources(suite, apt), "utf-8")
        command = [
            *(program, "--variant=essential", "--format=tar", "--include=" + ",".join(packages)),
            *('--aptopt=Apt::Install-Recommends "false"', *_acquisition()),
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
            '--customize-hook=cd "$1" && rm -rf ' + " ".join(_CLEANED),
            *(suite, str(archive), str(sources)),
        ]
        _run(command, on_line)
        with archive.open("rb") as stream:
            yield stream


def _run(command: Sequence[str], on_line: Callable[[str], None]) -> None:
    tail: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                tail.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise ImageError(
            f"{Path(command[0]).name} ended with {process.returncode}: {_last_error(tail)}",
            hint="check that `apt-get update` works here, or set BASE_IMAGE",
            tail=list(tail),
        )


def _last_error(tail: Iterable[str]) -> str:
    lines = [line for line in tail if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["it said nothing"])[-1]


def _mmdebstrap(on_line: Callable[[str], None]) -> str:
    """The program, installed if need be and allowed."""
    found = shutil.which("mmdebstrap")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        on_line("installing mmdebstrap, which makes the base image")
        _run(["apt-get", "update", "-qq"], on_line)
        _run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"],
            lambda _: None,
        )
        found = shutil.which("mmdebstrap")
    if found is None:
        raise ImageError(
            "the base image cannot be made: mmdebstrap is not installed",
            hint="`apt-get install mmdebstrap`, or set BASE_IMAGE to an image with Python",
        )
    return found


def _acquisition() -> Iterator[str]:
    """The machine's own way to its mirror (proxies, certificates), as apt knows it."""
    if shutil.which("apt-config") is None:
        return
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    for line in dump.stdout.splitlines():
        if re.match(r'Acquire::(https?::.+|Retries|Check-\S+) "', line):
            yield f"--aptopt={line.rstrip(';')}"


def _sources(suite: str, apt: Path) -> str:
    """The machine's sources of one release, as apt has them (one-line entries and stanzas)."""
    wanted = {suite, f"{suite}-updates", f"{suite}-security"}
    lines = [
        line
        for path in (apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list")))
        for line in _read(path).splitlines()
        if _is_one_line(line, wanted)
    ]
    stanzas = [
        stanza
        for path in sorted(apt.glob("sources.list.d/*.sources"))
        for stanza in re.split(r"\n\s*\n", _read(path))
        if _is_stanza(stanza, wanted)
    ]
    found = "\n".join(lines) if lines else "\n\n".join(stanzas)
    if not found:
        raise ImageError(
            f"the base image cannot be made: apt has no source of {suite} in {apt}",
            hint="add the release's own mirror to /etc/apt, or set BASE_IMAGE",
        )
    return found + "\n"


def _is_one_line(line: str, suites: set[str]) -> bool:
    entry = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)\s+(.*)", line.strip())
    return entry is not None and entry[1] in suites and "main" in entry[2].split()


def _is_stanza(stanza: str, suites: set[str]) -> bool:
    fields = {
        name.lower(): value.split()
        for name, value in re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE)
    }
    return (
        "deb" in fields.get("types", ())
        and "main" in fields.get("components", ())
        and bool(suites.intersection(fields.get("suites", ())))
        and fields.get("enabled", ["yes"]) != ["no"]
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""

"""A root file system is made by mmdebstrap, here a stand-in that says what it was asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pushtrain.errors import ImageError
from pushtrain.images import rootfs

STANZA = """Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
FOREIGN = "Types: deb\nURIs: https://apt.vendor.example\nSuites: bookworm\nComponents: stable\n"
STAND_IN = """#!/bin/sh
for word in "$@"; do
  case $word in *rootfs.tar) archive=$word;; *debian.sources) sources=$word;; esac
done
echo "I: made for $*"
cat "$sources" > "{seen}"
{more}
printf archive > "$archive"
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    folder = tmp_path / "apt"
    (folder / "sources.list.d").mkdir(parents=True)
    (folder / "sources.list.d/debian.sources").write_text(f"{STANZA}\n{FOREIGN}")
    return folder


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in was given as sources."""
    install(tmp_path, monkeypatch)
    return tmp_path / "seen"


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir(exist_ok=True)
    program.write_text(STAND_IN.format(seen=tmp_path / "seen", more=more))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_it_is_made_of_the_releases_own_sources_and_told_about(apt: Path, seen: Path) -> None:
    said: list[str] = []
    with rootfs.made("bookworm", ("python3", "tzdata"), said.append, apt) as archive:
        assert archive.read() == b"archive"
    assert seen.read_text().strip() == STANZA.strip()
    assert "--include=python3,tzdata" in said[0]
    assert " bookworm " in said[0]


def test_one_line_sources_do_as_well(apt: Path, seen: Path) -> None:
    line = "deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main"
    (apt / "sources.list").write_text(f"# {line}\n{line}\ndeb http://other.example sid main\n")
    with rootfs.made("bookworm", ("python3",), lambda line: None, apt):
        assert seen.read_text() == f"{line}\n"


def test_a_source_that_is_switched_off_does_not_count(apt: Path, seen: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(STANZA + "Enabled: no\n")
    with (
        pytest.raises(ImageError, match="no source of bookworm"),
        rootfs.made("bookworm", ("python3",), lambda line: None, apt),
    ):
        pass


def test_a_failure_gives_what_was_said_last(
    tmp_path: Path, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "echo 'E: no mirror' >&2; echo 'I: cleaning up'; exit 25")
    with (
        pytest.raises(ImageError, match="mmdebstrap ended with 25: E: no mirror") as failure,
        rootfs.made("bookworm", ("python3",), lambda line: None, apt),
    ):
        pass
    assert failure.value.facts["tail"][-1] == "I: cleaning up"  # type: ignore[index]


def test_who_listens_can_end_it(tmp_path: Path, apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "exec sleep 60")

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        rootfs.made("bookworm", ("python3",), stop, apt),
    ):
        pass


def test_a_missing_program_is_named_with_the_way_to_get_it(
    apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with (
        pytest.raises(ImageError, match="apt-get install mmdebstrap"),
        rootfs.made("bookworm", ("python3",), lambda line: None, apt),
    ):
        pass

"""A Jenkinsfile as a real Groovy reads it: every call in it, and the tree that they make."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_SYNTAX = Path(__file__).parent / "groovy_syntax.groovy"


@dataclass(frozen=True)
class Call:
    """A call, an assignment ("=") or a condition ("if").

    Attributes:
        around: the blocks that it stands in, outermost first; a stage with its name.
        name: what is called.
        arguments: its texts; named ones as `name=text`.
        inner: what stands in its own blocks.
    """

    around: tuple[str, ...]
    name: str
    arguments: tuple[str, ...]
    inner: list[Call] = field(default_factory=list, compare=False, repr=False)

    @property
    def path(self) -> tuple[str, ...]:
        """What its inner calls have around them."""
        label = f"{self.name}:{self.arguments[0]}" if self.name == "stage" else self.name
        return (*self.around, label)

    def named(self, name: str) -> str:
        """The text of a named argument."""
        found = (one.partition("=") for one in self.arguments)
        return next(text for key, _, text in found if key == name)

    def blocks(self, name: str) -> Iterator[Call]:
        """Its inner calls of a name."""
        return (one for one in self.inner if one.name == name)


def check_groovy(file: Path) -> str:
    """What the syntax tool says of a Groovy program; fails where it is none."""
    groovy = shutil.which("groovy")
    if groovy is None:
        pytest.fail("this test needs Groovy: apt-get install groovy", pytrace=False)
    java = Path(os.path.realpath(shutil.which("java") or "/usr/bin/java"))
    done = subprocess.run(
        [groovy, str(_SYNTAX), str(file)],
        env={**os.environ, "JAVA_HOME": str(java.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_calls(text: str, place: Path) -> list[Call]:
    """All calls of a Jenkinsfile in their order; what stands in another one is in its tree, too.

    Args:
        text: the Jenkinsfile.
        place: a directory of the test's own.
    """
    file = place / "Jenkinsfile"
    file.write_text(text, "utf-8")
    calls: list[Call] = []
    open_blocks: list[Call] = []
    for line in check_groovy(file).splitlines():
        path, name, *arguments = line.split("\t")
        around = tuple(path.split("/")) if path else ()
        call = Call(around, name, tuple(arguments))
        while open_blocks and open_blocks[-1].path != around:
            open_blocks.pop()
        if open_blocks:
            open_blocks[-1].inner.append(call)
        open_blocks.append(call)
        calls.append(call)
    return calls

"""The command line in this process, with a workshop that needs no engine behind it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.workshop import FakeWorkshop
from pushtrain import cli, training
from pushtrain.assembly import Assembly


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its only line, as JSON."""
        (line,) = self.out.splitlines()
        return json.loads(line, parse_constant=_refused)

    @property
    def lines(self) -> list[Any]:
        """Each of its lines, as JSON."""
        return [json.loads(line, parse_constant=_refused) for line in self.out.splitlines()]


def _refused(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


Pushtrain = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PUSHTRAIN_HOME."""
    place = tmp_path / "home"
    monkeypatch.setenv("PUSHTRAIN_HOME", str(place))
    return place


@pytest.fixture
def workshop(home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorkshop:
    """What every command is given instead of the real assembly."""
    made = FakeWorkshop(home)
    monkeypatch.setattr(Assembly, "from_environment", lambda: made)
    monkeypatch.setattr(training, "_POLL", 0.005)
    return made


@pytest.fixture
def pushtrain(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pushtrain:
    """Calls a command as the shell does, and gives what it answered."""
    monkeypatch.setattr(cli, "_catch_signals", lambda: None)

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["pushtrain", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        return Said(
            code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr()
        )

    return call

"""What all commands promise: help, JSON, one message for an error, and an exit code."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from fakes.trainer import FakeTrainer
from fakes.workshop import FakeWorkshop
from pushtrain.cli import COMMANDS, main
from pushtrain.errors import EngineUnreachable
from pushtrain.events import Warned
from pushtrain.store import LiveRun, Store
from support.repositories import FOREST

Pushtrain = Callable[..., Any]


def command_of(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"pushtrain.cli.{name}").command
    return command


def leaves(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = [command.get_command(context, name) for name in command.list_commands(context)]
        return [leaf for each in found if each is not None for leaf in leaves(each)]
    return [command]


# --- help --------------------------------------------------------------------------------------


def test_the_help_names_every_command(pushtrain: Pushtrain) -> None:
    said = pushtrain("--help")
    assert said.code == 0
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name}\s+{re.escape(summary[:30])}", said.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(pushtrain: Pushtrain, name: str) -> None:
    said = pushtrain(name, "-h")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: pushtrain {name}")
    assert len(said.out.splitlines()) > 5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json(name: str) -> None:
    for leaf in leaves(command_of(name)):
        options = {option for param in leaf.params for option in param.opts}
        assert "--json" in options, leaf.name


def test_the_version(pushtrain: Pushtrain) -> None:
    assert re.fullmatch(r"pushtrain, version \S+\n", pushtrain("--version").out)


# --- errors ------------------------------------------------------------------------------------

OF_A_RUN = ["show", "logs", "stop", "report", "patch", "resume", "reproduce"]


@pytest.mark.parametrize("name", OF_A_RUN)
def test_an_unknown_run(pushtrain: Pushtrain, workshop: FakeWorkshop, name: str) -> None:
    said = pushtrain(name, "7f3c")
    assert (said.code, said.out) == (2, "")
    assert said.err.count("there is no run 7f3c") == 1
    assert "next: `pushtrain runs` lists what there is" in said.err
    said = pushtrain(name, "7f3c", "--json")
    assert (said.code, said.err) == (2, "")
    assert said.json["error"] == "UsageError"
    assert said.json["exit_code"] == 2
    assert said.json["run"] == "7f3c"


@pytest.mark.parametrize("name", OF_A_RUN)
def test_an_ambiguous_run(pushtrain: Pushtrain, workshop: FakeWorkshop, name: str) -> None:
    for run in ("7f3c0000", "7faa0000"):
        made = workshop.store.create("x")
        made.path.rename(made.path.with_name(run))
        (workshop.store.home / "runs" / run / "journal").write_text("something\n")
    said = pushtrain(name, "7f")
    assert said.code == 2
    assert "7f could be any of 7faa0000, 7f3c0000" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["show", "--nonsense"],
        ["run"],
        ["run", "x", "--trials", "0"],
        ["run", "x", "--trials", "many"],
        ["run", "x", "--time", "soon"],
        ["run", "x", "--time", "0s"],
        ["run", "x", "--time", "inf"],
        ["run", "x", "--trial-time", "-5m"],
        ["run", "x", "--parallel", "0"],
        ["run", "x", "--parallel", "65"],
        ["run", "x", "--confirm", "21"],
        ["run", "x", "--direction", "up"],
        ["run", "x", "--target", "high"],
        ["run", "x", "--seed", "-1"],
        ["logs", "last", "-1"],
        ["runs", "-n", "0"],
    ],
)
def test_wrong_usage(pushtrain: Pushtrain, workshop: FakeWorkshop, arguments: list[str]) -> None:
    said = pushtrain(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Usage: pushtrain" in said.err
    said = pushtrain(*arguments, "--json")
    assert said.code == 2
    assert said.json["error"] == "UsageError"
    assert said.json["message"]
    assert not (workshop.store.home / "runs").exists()


def test_an_unexpected_error_is_called_a_defect(
    pushtrain: Pushtrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Store) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Store, "folders", broken)
    said = pushtrain("runs")
    assert said.code == 1
    assert "unexpected ZeroDivisionError: oh" in said.err
    assert "defect of pushtrain" in said.err


def test_an_interrupt(pushtrain: Pushtrain, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Store) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "folders", interrupted)
    assert pushtrain("runs").code == 130


def test_wrong_settings_of_the_operator(pushtrain: Pushtrain, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[keep]\nrunz = 1\n")
    said = pushtrain("run", home)
    assert said.code == 2
    assert "[keep.runz]" in said.err


@pytest.mark.parametrize("arguments", [["clean"], ["doctor"]])
def test_without_an_engine_the_exit_code_is_4(
    pushtrain: Pushtrain, workshop: FakeWorkshop, arguments: list[str]
) -> None:
    def unreachable(*_: object) -> None:
        raise EngineUnreachable("Docker does not answer at unix:///x", hint="start it")

    workshop.engine.facts = unreachable  # type: ignore[method-assign,assignment]
    workshop.engine.find = unreachable  # type: ignore[method-assign,assignment]
    said = pushtrain(*arguments)
    assert said.code == 4
    assert "Docker does not answer at unix:///x" in said.out + said.err
    assert "start it" in said.out + said.err
    assert pushtrain(*arguments, "--json").code == 4


def test_a_damaged_run_is_one_clear_error(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = workshop.store.create("x")
    LiveRun(folder).append(Warned("x"))
    folder.journal.write_bytes(b"damaged\n")
    for name in ("show", "logs", "stop", "patch", "report", "resume"):
        said = pushtrain(name, folder.id)
        assert (said.code, said.out) == (1, ""), name
        assert "is damaged" in said.err
    assert "damaged" in pushtrain("runs").out
    assert pushtrain("runs", "--json").json[0]["state"] == "damaged"


# --- as a process ------------------------------------------------------------------------------


def in_a_child(work: Callable[[], None], out: Path) -> int:
    """Runs `work` in a copy of this process, printing to a file; gives its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        sys.stdout = sys.stderr = out.open("w")
        work()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_cleanly(
    tmp_path: Path,
    home: Path,
    workshop: FakeWorkshop,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    (tmp_path / "train.py").write_text(FOREST)
    arguments = ["run", str(tmp_path), "--target", "0.999", "--json"]
    monkeypatch.setattr(sys, "argv", ["pushtrain", *arguments])
    mine, its = os.pipe()

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            os.write(its, b"!")
            assert trainer.stopping.wait(60)

    workshop.before_epoch = before_epoch
    child = in_a_child(main, tmp_path / "out")
    os.close(its)
    assert os.read(mine, 1) == b"!"
    os.kill(child, number)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    last = json.loads((tmp_path / "out").read_text().splitlines()[-1])
    assert (last["state"], last["exit_code"], last["best"]) == ("stopped", 130, 0)
    (folder,) = Store(home).folders()
    assert folder.record().verdict is not None
    assert not folder.is_driven


def test_a_real_process_ends_with_the_commands_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pushtrain", "show", "7f", "--json"],
        env={**os.environ, "PUSHTRAIN_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert '"error": "UsageError"' in done.stdout

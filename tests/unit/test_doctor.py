"""Findings about this machine: each with its remedy, and the exit code of the error behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.engine import FakeEngine
from fakes.image_store import FakeImageStore
from pushtrain import doctor as module
from pushtrain.doctor import Doctor
from pushtrain.entities import RunState
from pushtrain.errors import EngineUnreachable, ImageError, PushtrainError, SettingsError
from pushtrain.events import Published
from pushtrain.findings import Finding, Health
from pushtrain.interfaces import LABEL_RUN, EngineFacts, Limits, SandboxSpec
from pushtrain.settings import GIB, OperatorSettings
from pushtrain.store import LiveRun, RunFolder, Store
from support import records

GOOD = EngineFacts("unix:///x", "24.0.7", "1.43", "overlay2", 8, 16 * GIB, "host", "/", time.time())


class Usage:
    free = 500 * GIB


@pytest.fixture(autouse=True)
def a_good_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    bundle.write_bytes(system.read_bytes() if system.exists() else b"")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: Usage())


class Machine:
    """A machine in which nothing is wrong, until a test bends something."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)
        self.facts = replace(GOOD, time=time.time())
        self.engine: Any = FakeEngine()
        self.engine.facts = lambda: self.facts
        self.images: Any = FakeImageStore("pushtrain/base:1")
        self.operator = OperatorSettings.model_validate({"mail": {"host": "h", "to": ["a@b"]}})
        self.base_tag: Callable[[], str] = lambda: "pushtrain/base:1"
        self.get_engine: Callable[[], Any] = lambda: self.engine

    def findings(self) -> dict[str, Finding]:
        doctor = Doctor(
            self.store, self.operator, self.get_engine, lambda: self.images, self.base_tag
        )
        found = list(doctor.findings())
        for finding in found:
            assert bool(finding.remedy) is (finding.health is not Health.OK), finding
        assert len({finding.subject for finding in found}) == len(found)
        return {finding.subject: finding for finding in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "home")


def test_a_good_machine(machine: Machine) -> None:
    found = machine.findings()
    assert {finding.health for finding in found.values()} == {Health.OK}, found
    assert list(found) == [
        "git", "home", "certificates", "mail", "engine", "storage", "clock", "engine's disk",
        "base image", "leftovers",
    ]  # fmt: skip
    assert "24.0.7 at unix:///x, 8 CPUs, 16.0 GiB" in found["engine"].message


@pytest.mark.parametrize(
    "error",
    [
        EngineUnreachable("no answer", hint="start it"),
        SettingsError("DOCKER_HOST makes no sense", hint="mend it"),
    ],
)
@pytest.mark.parametrize("where", ["engine", "facts"])
def test_an_engine_that_does_not_answer_is_a_problem_and_the_last_finding(
    machine: Machine, error: PushtrainError, where: str
) -> None:
    def raising() -> None:
        raise error

    if where == "engine":
        machine.get_engine = raising
    else:
        machine.engine.facts = raising
    found = machine.findings()
    assert list(found)[-1] == "engine"
    finding = found["engine"]
    assert (finding.health, finding.exit_code) == (Health.PROBLEM, error.exit_code)
    assert (finding.message, finding.remedy) == (error.message, error.hint)


@pytest.mark.parametrize(
    ("changes", "subject", "message"),
    [
        ({"version": "19.03.15"}, "engine", "19.03.15"),
        ({"version": "dev"}, "engine", "dev"),
        ({"storage_driver": "vfs"}, "storage", "vfs"),
    ],
)
def test_what_may_go_wrong_is_a_warning(
    machine: Machine, changes: dict[str, Any], subject: str, message: str
) -> None:
    machine.facts = replace(machine.facts, **changes)
    finding = machine.findings()[subject]
    assert finding.health is Health.WARNING
    assert message in finding.message


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_differs_is_a_warning(machine: Machine, seconds: float) -> None:
    machine.facts = replace(machine.facts, time=time.time() + seconds)
    finding = machine.findings()["clock"]
    assert finding.health is Health.WARNING
    assert "differs from ours by 3" in finding.message


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "20.10.0-rc1", "28.1.1", "100.0"])
def test_versions_that_will_do(machine: Machine, version: str) -> None:
    machine.facts = replace(machine.facts, version=version)
    assert machine.findings()["engine"].health is Health.OK


def test_an_engine_elsewhere_has_a_disk_that_is_not_seen(machine: Machine) -> None:
    machine.facts = replace(machine.facts, address="ssh://far", root="/")
    assert "another host" in machine.findings()["engine's disk"].message


def test_little_room(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Usage, "free", 2 * GIB)
    found = machine.findings()
    assert found["home"].health is found["engine's disk"].health is Health.WARNING
    assert "2.0 GiB free" in found["home"].message


def test_a_home_that_cannot_be_made(machine: Machine) -> None:
    machine.store.home.parent.mkdir(exist_ok=True)
    machine.store.home.write_text("a file")
    finding = machine.findings()["home"]
    assert finding.health is Health.PROBLEM
    assert "PUSHTRAIN_HOME" in finding.remedy


def test_no_git(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    finding = machine.findings()["git"]
    assert (finding.health, finding.exit_code) == (Health.PROBLEM, 1)


@pytest.mark.parametrize("content", [None, "no certificates"])
def test_certificates_that_are_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "other.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    finding = machine.findings()["certificates"]
    assert finding.health is Health.WARNING
    assert str(path) in finding.message


@pytest.mark.parametrize(
    ("mail", "missing"), [({}, "set host under"), ({"host": "h"}, "set to under")]
)
def test_mail_that_nobody_gets(machine: Machine, mail: dict[str, Any], missing: str) -> None:
    machine.operator = OperatorSettings.model_validate({"mail": mail})
    finding = machine.findings()["mail"]
    assert finding.health is Health.WARNING
    assert missing in finding.remedy


def test_a_base_image_that_is_not_there_yet(machine: Machine) -> None:
    machine.base_tag = lambda: "pushtrain/base:2"
    assert machine.findings()["base image"].health is Health.WARNING


def test_a_base_image_that_cannot_be_made(machine: Machine) -> None:
    def raising() -> str:
        raise ImageError("there is no mirror", hint="set BASE_IMAGE")

    machine.base_tag = raising
    finding = machine.findings()["base image"]
    assert (finding.health, finding.exit_code) == (Health.PROBLEM, 1)


def stored(store: Store, state: RunState) -> RunFolder:
    folder = store.create("x")
    for event in (*records.events(state=state), *([Published()] if state.is_finished else [])):
        LiveRun(folder).append(event)
    return folder


def left_behind(machine: Machine, run: str) -> None:
    limits = Limits(1, 1.0, 16, 1, 1, 1)
    machine.engine.launch(SandboxSpec("left", "i", ("x",), {LABEL_RUN: run}, limits))


def test_what_dead_runs_left(machine: Machine) -> None:
    stored(machine.store, RunState.MET)
    assert machine.findings()["leftovers"].health is Health.OK
    dead = stored(machine.store, RunState.TRAINING)
    finding = machine.findings()["leftovers"]
    assert finding.health is Health.WARNING
    assert dead.id in finding.message
    assert "pushtrain resume" in finding.remedy
    left_behind(machine, dead.id)
    finding = machine.findings()["leftovers"]
    assert "left" in finding.message
    assert "pushtrain clean" in finding.remedy


def test_what_is_worked_on_or_belongs_to_others_is_no_leftover(machine: Machine) -> None:
    busy = stored(machine.store, RunState.TRAINING)
    left_behind(machine, busy.id)
    machine.engine.launch(
        SandboxSpec("far", "i", ("x",), {LABEL_RUN: "unknown"}, Limits(1, 1.0, 16, 1, 1, 1))
    )
    with busy.driving():
        assert machine.findings()["leftovers"].health is Health.OK


def test_chats_count_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHTRAIN_APPRISE_URLS", "json://127.0.0.1:9/secret")
    machine.operator = OperatorSettings()
    finding = machine.findings()["mail"]
    assert finding.health is Health.OK
    assert "json 1" in finding.message
    assert "secret" not in finding.message

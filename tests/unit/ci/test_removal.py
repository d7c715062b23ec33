"""What is removed, in which order: runs end before their jobs are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.jenkins import FakeJenkins, a_build
from pushtrain.ci.apply import carry_out, look, wanted
from pushtrain.ci.definitions import Training
from pushtrain.ci.removal import Removal
from pushtrain.ci.server import Result
from pushtrain.errors import JenkinsError, UsageError

DIGITS = "pushtrain/digits"


class Ending(FakeJenkins):
    """A server whose builds end some looks after they are stopped."""

    looks_left: int = 3

    def builds(self, job: str):  # type: ignore[no-untyped-def]
        if any(verb == "stop" for verb, _ in self.calls):
            self.looks_left -= 1
            if self.looks_left <= 0:
                self.end(job)
        return super().builds(job)

    def end(self, job: str) -> None:
        self.calls.append(("ended", job))
        self.all_builds[job] = [a_build(job, 2, result=Result.ABORTED)]


class Time:
    """Goes on when somebody waits."""

    now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


def served(server: FakeJenkins, keep: Path, *names: str) -> FakeJenkins:
    for name in names:
        training = Training(f"https://git.example.org/{name}.git")
        carry_out(server, look(server, wanted(training)), keep)
    server.calls.clear()
    return server


def removal(server: FakeJenkins, said: list[str] | None = None) -> Removal:
    clock = Time()
    say = said.append if said is not None else print
    return Removal(server, say, clock.wait, lambda: clock.now)


def test_the_last_job_takes_folder_and_monitor_with_it(tmp_path: Path) -> None:
    server = served(FakeJenkins(), tmp_path, "digits", "wine")
    assert removal(server).remove("digits") == (DIGITS,)
    assert "pushtrain/monitor" in server.items
    assert removal(server).remove("pushtrain/wine") == ("pushtrain/wine", "pushtrain")
    assert server.items == {}
    assert removal(server).remove_all() == ()


@pytest.mark.parametrize("name", ["nope", "monitor"])
def test_what_is_no_repositorys_job_is_not_removed(name: str, tmp_path: Path) -> None:
    server = served(FakeJenkins(), tmp_path, "digits")
    with pytest.raises(UsageError):
        removal(server).remove(name)
    assert len(server.items) == 4


@pytest.mark.parametrize("everything", [False, True], ids=["job", "all"])
def test_a_build_that_trains_has_ended_before_its_job_goes(
    everything: bool, tmp_path: Path
) -> None:
    server, said = served(Ending(), tmp_path, "digits"), list[str]()
    server.all_builds[DIGITS] = [
        a_build(DIGITS, 2, result=None),
        a_build(DIGITS, 1, result=Result.SUCCESS),
    ]
    one = removal(server, said)
    assert "pushtrain" in (one.remove_all() if everything else one.remove("digits"))
    verbs = [verb for verb, _ in server.calls]
    assert server.calls[0] == ("stop", f"{DIGITS} 2")
    assert verbs.count("stop") == 1
    assert verbs.index("ended") < verbs.index("remove")
    assert said == [f"{DIGITS} #2 is stopped, and its run ends"]


def test_a_build_that_does_not_end_keeps_its_job(tmp_path: Path) -> None:
    server = served(FakeJenkins(), tmp_path, "digits")
    server.all_builds[DIGITS] = [a_build(DIGITS, 2, result=None)]
    with pytest.raises(JenkinsError, match="digits #2 does not end: nothing is removed"):
        removal(server).remove_all()
    assert DIGITS in server.items

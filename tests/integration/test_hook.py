"""The Git hook and this machine's Docker: a push starts a run of each branch, and never waits."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.repositories import Repository

HOOK = Path(__file__).parents[2] / "scripts" / "post-receive"

RECORDER = """\
#!/usr/bin/env bash
# A pushtrain that writes down how it was called, and runs until the test lets it end.
here=$(dirname "$0")
call=$here/calls/$BASHPID
printf '%s\\0' "$@" >"$call.arguments"
env -0 >"$call.environment"
pwd >"$call.directory"
echo "what a run says"
echo "what it complains of" >&2
pid=$BASHPID
(echo "$pid" >"$here/started") # in a process of its own: this one's files stay what they are
read -r _ <"$here/finish"
echo "$BASHPID" >"$here/finished"
"""


@dataclass(frozen=True)
class Call:
    """How the hook called pushtrain."""

    pid: int
    arguments: list[str]
    environment: dict[str, str]
    directory: str

    @property
    def branch(self) -> str:
        return self.arguments[self.arguments.index("--branch") + 1]


class Recorder:
    """The recording pushtrain, and the pipes by which the test waits for it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.command = place / "pushtrain"
        (place / "calls").mkdir(parents=True)
        self.command.write_text(RECORDER)
        self.command.chmod(0o755)
        self._pipes = {}
        for name in ("started", "finish", "finished"):
            os.mkfifo(place / name)
            self._pipes[name] = os.open(place / name, os.O_RDWR)
        self._running = 0

    def calls(self, count: int) -> dict[str, Call]:
        """The next calls by their branches; waits for them."""
        pids = [int(line) for line in self._lines("started", count)]
        self._running += count
        calls = [self._call(pid) for pid in pids]
        return {call.branch: call for call in calls}

    def close(self) -> None:
        """Lets all end, and waits for it."""
        os.write(self._pipes["finish"], b"\n" * self._running)
        self._lines("finished", self._running)
        for pipe in self._pipes.values():
            os.close(pipe)

    @property
    def count(self) -> int:
        """How often it was called so far."""
        return len(list((self.place / "calls").glob("*.arguments")))

    def _lines(self, pipe: str, count: int) -> list[str]:
        text = ""
        while text.count("\n") < count:
            text += os.read(self._pipes[pipe], 1).decode()
        return text.split()

    def _call(self, pid: int) -> Call:
        def words(kind: str) -> list[str]:
            content = (self.place / "calls" / f"{pid}.{kind}").read_bytes()
            return [os.fsdecode(part) for part in content.split(b"\0")[:-1]]

        pairs = (pair.partition("=") for pair in words("environment"))
        directory = (self.place / "calls" / f"{pid}.directory").read_text().strip()
        return Call(pid, words("arguments"), {k: v for k, _, v in pairs}, directory)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path / "recorder with spaces")
    yield made
    made.close()


@pytest.fixture
def repository(tmp_path: Path, recorder: Recorder) -> Repository:
    """A repository with the hook, in a place whose name needs care."""
    place = tmp_path / "it's a place"
    place.mkdir()
    made = Repository(place)
    shutil.copy(HOOK, made.path / "hooks" / "post-receive")
    made.git("config", "pushtrain.command", str(recorder.command), cwd=made.path)
    made.commit({"train.py": "x\n"})
    return made


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_hook_can_be_executed() -> None:
    assert HOOK.stat().st_mode & stat.S_IXUSR


def test_a_push_returns_while_its_run_goes_on(repository: Repository, recorder: Recorder) -> None:
    said = repository.push()
    call = recorder.calls(1)["main"]
    assert is_alive(call.pid)
    assert call.arguments == ["run", str(repository.path), "--branch", "main"]
    assert call.directory == "/"
    assert os.getsid(call.pid) != os.getsid(0)
    assert "a run of main begins" in said


def test_what_a_run_says_goes_to_a_file_of_the_repository(
    repository: Repository, recorder: Recorder
) -> None:
    repository.push()
    recorder.calls(1)
    log = (repository.path / "pushtrain.log").read_text()
    assert log == "what a run says\nwhat it complains of\n"
    repository.commit({"train.py": "y\n"})
    repository.push()
    recorder.calls(1)
    assert (repository.path / "pushtrain.log").read_text() == log * 2


def test_each_branch_of_a_push_gets_a_run_of_its_own(
    repository: Repository, recorder: Recorder
) -> None:
    said = repository.push("HEAD:main", "HEAD:refs/heads/dev", "HEAD:refs/heads/team/deep/er")
    calls = recorder.calls(3)
    assert set(calls) == {"main", "dev", "team/deep/er"}
    assert said.count("begins") == 3


def test_tags_deletions_and_our_own_branches_start_nothing(
    repository: Repository, recorder: Recorder
) -> None:
    repository.push("HEAD:refs/heads/old")
    recorder.calls(1)
    said = repository.push(
        ":refs/heads/old",
        "HEAD:refs/tags/v1",
        "HEAD:refs/notes/x",
        "HEAD:refs/heads/pushtrain/tuned/1a2b",
        "HEAD:main",
    )
    assert set(recorder.calls(1)) == {"main"}
    assert said.count("begins") == 1
    assert recorder.count == 2


@pytest.mark.parametrize(
    "branch",
    [
        "it's",
        'say"so"',
        "-dash",
        "--trials",
        "a;b",
        "$(touch${IFS}x)",
        "`x`",
        "a&b|c>d",
        "ünï",
        "heads/main",
        "percent%s",
        "{x,y}",
        "!bang",
    ],
)
def test_a_branch_may_be_called_anything_that_git_allows(
    repository: Repository, recorder: Recorder, branch: str
) -> None:
    repository.push(f"HEAD:refs/heads/{branch}")
    call = recorder.calls(1)[branch]
    assert call.arguments == ["run", str(repository.path), "--branch", branch]


def test_options_and_home_come_from_the_repositorys_settings(
    repository: Repository, recorder: Recorder
) -> None:
    options = ("--target", "0.97", "--trials", "5")
    repository.git("config", "pushtrain.options", " ".join(options), cwd=repository.path)
    repository.git("config", "pushtrain.home", "/srv/push train", cwd=repository.path)
    repository.push()
    call = recorder.calls(1)["main"]
    assert tuple(call.arguments[4:]) == options
    assert call.environment["PUSHTRAIN_HOME"] == "/srv/push train"


def test_what_git_told_the_hook_does_not_reach_the_run(
    repository: Repository, recorder: Recorder
) -> None:
    repository.push()
    call = recorder.calls(1)["main"]
    names = set(call.environment) - set(os.environ)
    ours = {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL"}
    ours |= {f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    assert {name for name in names if name.startswith("GIT_")} <= ours


def test_a_run_reads_nothing_from_the_push(repository: Repository, recorder: Recorder) -> None:
    repository.push()
    pid = recorder.calls(1)["main"].pid
    files = {n: Path(f"/proc/{pid}/fd/{n}").resolve() for n in (1, 2)}
    assert set(files.values()) == {repository.path / "pushtrain.log"}


def test_without_pushtrain_the_push_is_fine_and_told(repository: Repository) -> None:
    repository.git("config", "pushtrain.command", "/nowhere/pushtrain", cwd=repository.path)
    said = repository.push()
    assert "/nowhere/pushtrain is not installed here, nothing is trained" in said
    assert "git config pushtrain.command PATH" in said
    assert repository.git("rev-parse", "main", cwd=repository.path)


def test_a_repository_inside_a_work_tree_is_found_too(
    repository: Repository, recorder: Recorder, tmp_path: Path
) -> None:
    """Some servers push into a repository that is not bare."""
    shutil.copy(HOOK, repository.clone / ".git" / "hooks" / "post-receive")
    repository.git("config", "pushtrain.command", str(recorder.command))
    other = tmp_path / "other"
    repository.git("clone", "-q", str(repository.clone), str(other), cwd=tmp_path)
    repository.git("push", "-q", "origin", "HEAD:refs/heads/topic", cwd=other)
    call = recorder.calls(1)["topic"]
    assert call.arguments[1] == str(repository.clone / ".git")

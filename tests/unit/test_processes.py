"""Whether a process is the one it was, and still there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pushtrain import processes
from pushtrain.processes import Process
from support.paused import other, until


def told(pipe: Any) -> None:
    pipe.send(Process.this())
    pipe.recv()


def test_this_process_is_there() -> None:
    me = Process.this()
    assert me.pid == os.getpid()
    assert me.boot and me.namespace.startswith("pid:[") and me.started and me.host
    assert not me.is_gone()


def test_a_child_is_another_process() -> None:
    with other(told) as child:
        its = child.hear()
        assert its.pid == child.pid
        assert (its.boot, its.namespace) == (Process.this().boot, Process.this().namespace)


def test_a_killed_process_is_gone_even_if_nobody_has_asked_for_its_end() -> None:
    with other(told) as child:
        its = child.hear()
        assert not its.is_gone()
        assert its.kill()  # it is a zombie now, since its parent, this one, has not waited for it
        assert its.is_gone()
        assert Path(f"/proc/{its.pid}").exists()
    assert its.is_gone()
    assert its.kill()


def test_a_paused_process_is_not_gone_and_can_be_ended() -> None:
    with other(told) as child:
        its = child.hear()
        child.pause()
        assert not its.is_gone()
        assert its.kill()
        assert child.end() == -signal.SIGKILL


def test_a_later_process_of_the_same_number_is_another_one_and_lives_on() -> None:
    with other(told) as child:
        its = child.hear()
        earlier = replace(its, started=its.started - 1)
        assert earlier.is_gone()
        assert earlier.kill()
        assert not its.is_gone()


@pytest.mark.parametrize("change", [{"boot": "another"}, {"namespace": "pid:[1]"}, {"boot": ""}])
def test_what_is_elsewhere_cannot_be_known_nor_ended(change: dict[str, str]) -> None:
    with other(told) as child:
        its = child.hear()
        elsewhere = replace(its, **change)
        assert not elsewhere.kill()
        child.kill()
        assert not elsewhere.is_gone()


def test_nobody_ends_itself() -> None:
    assert not Process.this().kill()


def test_somebody_elses_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_owner", lambda pid: os.geteuid() + 1)
    with other(told) as child:
        its = child.hear()
        assert not its.kill()
        assert not its.is_gone()


@pytest.mark.parametrize(
    ("name", "answer"), [("_stat", lambda pid: None), ("_own_number", lambda: "1")]
)
def test_where_proc_is_missing_or_of_another_namespace_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, name: str, answer: Callable[..., object]
) -> None:
    monkeypatch.setattr(processes, name, answer)
    processes._this.cache_clear()
    try:
        me = Process.this()
        assert (me.boot, me.namespace, me.pid) == ("", "", os.getpid())
        assert not me.is_gone()
    finally:
        processes._this.cache_clear()


def test_a_process_acts_as_long_as_one_of_its_threads_does() -> None:
    """Its first thread ends, and another goes on: that looks like a zombie."""
    program = (
        "import ctypes, sys, threading\n"
        "t = threading.Thread(target=sys.stdin.read); t.start()\n"
        "print('there', flush=True)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"there\n"
        stat = processes._stat(child.pid)
        assert stat is not None
        its = replace(Process.this(), pid=child.pid, started=stat.started)
        until(lambda: "Z (zombie)" in Path(f"/proc/{child.pid}/status").read_text())
        assert not its.is_gone()
        assert its.kill()
        assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize("text", ["", "12 (x", "1 (a) b) S 1", "1 (x) S " + "1 " * 16 + "no no no"])
def test_what_proc_says_may_be_anything(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(processes, "_read", lambda name: text)
    assert processes._stat(1) is None

"""Everybody hears of a verdict exactly once, wherever the process that tells them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pushtrain.errors import LeaseLost
from pushtrain.interfaces import Message
from pushtrain.lease import Lookout, Standing
from pushtrain.notify import smtp_channel
from pushtrain.store import LiveRun, Store
from support import teller
from support.mailservers import Inbox, mail_server
from support.paused import hurry, is_paused, other, out_of_reach, pause_myself, until
from support.runs import finished

TELLER = Path(teller.__file__)
RECIPIENTS = ["ada@example.org", "bob@example.org"]


def start(live: LiveRun, home: Path, port: int, point: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(TELLER), str(home), live.id, str(port), point]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ends(process: subprocess.Popen[bytes]) -> int:
    return process.wait(timeout=60)


def drive_on(live: LiveRun, home: Path, port: int) -> None:
    """What the next driver does, twice over: the second time there is nothing left to do."""
    for _ in range(2):
        teller.tell_people(LiveRun(Store(home).open(live.id)), port)


def letters(inbox: Inbox) -> Counter[str]:
    return Counter(address for address, _ in inbox.taken)


@pytest.mark.parametrize(
    "point",
    ["before message_queued", "after message_queued", "after message_sent"],
)
def test_a_kill_at_the_journal_costs_nothing_and_repeats_nothing(
    point: str, tmp_path: Path
) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port:
        assert ends(start(live, tmp_path, port, point)) == -signal.SIGKILL
        drive_on(live, tmp_path, port)
    assert letters(inbox) == Counter(RECIPIENTS)
    assert not Store(tmp_path).open(live.id).record().waiting


def test_a_kill_between_acceptance_and_journal_can_only_repeat_the_same_mail(
    tmp_path: Path,
) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port:
        assert ends(start(live, tmp_path, port, "before message_sent")) == -signal.SIGKILL
        assert letters(inbox) == Counter(["ada@example.org"])
        drive_on(live, tmp_path, port)
    assert letters(inbox) == Counter(["ada@example.org", *RECIPIENTS])
    (first, _, _), contents = inbox.mails(), {content for _, content in inbox.taken}
    assert len(contents) == 1  # the same to the last byte, its Message-ID too
    assert first["Message-ID"].startswith(f"<{live.id}.verdict.")


def test_a_kill_while_the_mail_is_on_its_way(tmp_path: Path) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    victims: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        while victims:
            os.kill(victims.pop().pid, signal.SIGKILL)

    inbox.on_data = kill
    inbox.replies["DATA"] = ["451 4.3.0 nobody is there any more"]
    with mail_server(inbox) as port:
        process = start(live, tmp_path, port, "never")
        victims.append(process)  # it still imports for a long while
        assert ends(process) == -signal.SIGKILL
        drive_on(live, tmp_path, port)
    assert letters(inbox) == Counter(RECIPIENTS)


def test_a_changed_run_after_the_kill_does_not_change_the_mail(tmp_path: Path) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port:
        assert ends(start(live, tmp_path, port, "before message_sent")) == -signal.SIGKILL
        live.folder.patch.write_bytes(b"")  # whatever becomes of the run's files meanwhile
        drive_on(live, tmp_path, port)
    assert len({content for _, content in inbox.taken}) == 1


def test_several_at_once_tell_once(tmp_path: Path) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port, ThreadPoolExecutor(3) as pool:
        done = [pool.submit(lambda: ends(start(live, tmp_path, port, "never"))) for _ in range(3)]
        assert [one.result() for one in done] == [0, 0, 0]
    assert letters(inbox) == Counter(RECIPIENTS)


# --- a process that is paused --------------------------------------------------------------------


def _telling(live: LiveRun, home: Path, port: int) -> Callable[[Any], None]:
    """A driver that tells people, and says what came of it."""

    def work(pipe: Any) -> None:
        folder = Store(home).open(live.id)
        with folder.driving() as lease:
            mine = LiveRun(folder, lease=lease)
            pipe.send("driving")
            try:
                teller.tell_people(mine, port)
                mine.refresh()
                pipe.send("told")
            except LeaseLost:
                pipe.send("overtaken")

    return work


def _taken_over(live: LiveRun, home: Path, port: int, *, first: Callable[[], object]) -> None:
    """What the next driver does, as soon as the lease of the one before has run out."""
    folder, lookout = Store(home).open(live.id), Lookout()
    until(lambda: lookout.look(folder.lease) is Standing.SILENT)
    with folder.driving() as lease:
        assert lease is not None
        first()
        teller.tell_people(LiveRun(folder, lease=lease), port)


def test_a_teller_that_is_paused_before_it_sends_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the outbox when it is paused; it is ended, and its successor tells."""
    hurry(monkeypatch)
    inbox, live = Inbox(), finished(tmp_path)
    monkeypatch.setattr(smtp_channel.SmtpNotifier, "deliver", _pausing_once())
    with mail_server(inbox) as port, other(_telling(live, tmp_path, port)) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        monkeypatch.undo()
        hurry(monkeypatch)
        _taken_over(live, tmp_path, port, first=lambda: None)
        assert first.end() == -signal.SIGKILL
    assert letters(inbox) == Counter(RECIPIENTS)


def _pausing_once() -> Callable[..., None]:
    deliver = smtp_channel.SmtpNotifier.deliver

    def pausing(self: smtp_channel.SmtpNotifier, message: Message) -> None:
        smtp_channel.SmtpNotifier.deliver = deliver  # type: ignore[method-assign]
        pause_myself()
        deliver(self, message)

    return pausing


@pytest.mark.parametrize("wakes", ["before", "after"])
def test_a_teller_out_of_reach_that_is_paused_while_it_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wakes: str
) -> None:
    """The server has the mail already when it is paused. If it wakes up before its successor
    sends, that knows; if not, the same mail comes once more, and never again."""
    hurry(monkeypatch)
    out_of_reach(monkeypatch)
    inbox, live = Inbox(), finished(tmp_path)
    pids: list[int] = []

    def pause() -> None:
        if pids:
            os.kill(pids.pop(), signal.SIGSTOP)

    inbox.on_data = pause
    with mail_server(inbox) as port, other(_telling(live, tmp_path, port)) as first:
        pids.append(first.pid)
        assert first.hear() == "driving"
        until(lambda: is_paused(first.pid) and inbox.taken)

        def wake() -> None:
            first.go_on()
            assert first.hear() == "overtaken"

        _taken_over(live, tmp_path, port, first=wake if wakes == "before" else lambda: None)
        if wakes == "after":
            wake()
        drive_on(live, tmp_path, port)
    twice = [] if wakes == "before" else ["ada@example.org"]
    assert letters(inbox) == Counter([*RECIPIENTS, *twice])
    assert len({content for _, content in inbox.taken}) == 1
    assert not Store(tmp_path).open(live.id).record().waiting

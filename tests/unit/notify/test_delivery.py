"""When people are told, how often it is tried, when it is given up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pushtrain.entities import RunState
from pushtrain.errors import DeliveryError, LeaseLost
from pushtrain.events import MessageFailed, MessageQueued, MessageSent, Reopened, RunStarted
from pushtrain.interfaces import Message
from pushtrain.journal import Journal
from pushtrain.lease import Lease
from pushtrain.notify import channels as channels_module
from pushtrain.notify import deliver_all_waiting, deliver_waiting, tell
from pushtrain.notify import delivery as delivery_module
from pushtrain.notify import outbox as outbox_module
from pushtrain.notify.delivery import Clock, Schedule, is_wanted
from pushtrain.notify.outbox import Letter, Outbox, may_wait
from pushtrain.settings import NotifySettings, OperatorSettings
from pushtrain.store import LiveRun, Store
from support import records
from support.runs import finished

SETTINGS = OperatorSettings()
DAY = 86_400.0


@dataclass
class Room:
    """A channel that says what it is told to say, one word a try; then it accepts."""

    name: str = "room"
    words: list[Exception] = field(default_factory=list)
    got: list[Message] = field(default_factory=list)
    tries: int = 0

    def deliver(self, message: Message) -> None:
        self.tries += 1
        if self.words:
            raise self.words.pop(0)
        self.got.append(message)


def later(text: str = "busy") -> DeliveryError:
    return DeliveryError(text, hint="wait")


def events(live: LiveRun) -> list[object]:
    messages = (MessageQueued, MessageSent, MessageFailed)
    return [e.event for e in Journal(live.folder.journal).read() if isinstance(e.event, messages)]


def clock(now: float = 0.0, pause: Callable[[float], None] = lambda _: None) -> Clock:
    return Clock(lambda: now, pause)


def journal_time(live: LiveRun) -> float:
    return live.record.updated


def test_queued_before_the_first_try_and_noted_at_once(tmp_path: Path) -> None:
    live, seen = finished(tmp_path), []

    class Looking(Room):
        def deliver(self, message: Message) -> None:
            seen.append([type(event) for event in events(live)])

    tell(live, SETTINGS, channels=[Looking("a"), Looking("b")], clock=clock())
    assert seen == [
        [MessageQueued, MessageQueued],
        [MessageQueued, MessageQueued, MessageSent],
    ]
    assert not live.record.waiting and not may_wait(live.folder)


def test_telling_twice_tells_once(tmp_path: Path) -> None:
    live, room = finished(tmp_path), Room()
    for _ in range(3):
        tell(live, SETTINGS, channels=[room])
    assert len(room.got) == 1


def test_the_message_is_kept_as_it_was_composed(tmp_path: Path) -> None:
    live, room = finished(tmp_path), Room(words=[later()])
    tell(live, SETTINGS, channels=[room], schedule=Schedule(pauses=()))
    (letter,) = Outbox(live).waiting()
    kept = Outbox(live).message(letter.key)
    live.folder.patch.write_bytes(b"another one")
    deliver_waiting(live, SETTINGS, channels=[room])
    assert room.got == [kept]
    assert kept.attachments == {f"{live.id}.patch": records.PATCH}


def test_one_channel_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    broken, room = Room("broken", [later()] * 9), Room()
    first, second = tell(finished(tmp_path), SETTINGS, channels=[broken, room], clock=clock())
    assert not first.is_delivered and second.is_delivered
    assert (broken.tries, room.tries) == (3, 1)


def test_quick_tries_wait_longer_each_time_and_then_leave_it(tmp_path: Path) -> None:
    pauses: list[float] = []
    live, room = finished(tmp_path), Room(words=[later()] * 9)
    tell(live, SETTINGS, channels=[room], clock=clock(pause=pauses.append))
    assert pauses == [1.0, 4.0]
    assert may_wait(live.folder) and len(live.record.waiting) == 1


def test_no_further_try_begins_when_patience_is_over(tmp_path: Path) -> None:
    now = [0.0]

    class Slow(Room):
        def deliver(self, message: Message) -> None:
            now[0] += 100.0
            super().deliver(message)

    rooms = [Slow(str(n), [later()] * 9) for n in range(3)]
    live = finished(tmp_path)
    tell(live, SETTINGS, channels=rooms, clock=Clock(lambda: now[0], lambda _: None))
    assert [room.tries for room in rooms] == [1, 0, 0]
    assert len(live.record.waiting) == 3


@pytest.mark.parametrize(
    ("facts", "tries"), [({"permanent": True}, 1), ({"soon": False}, 1), ({}, 3)]
)
def test_what_no_retry_can_help_is_not_repeated(
    facts: dict[str, bool], tries: int, tmp_path: Path
) -> None:
    live, room = finished(tmp_path), Room(words=[DeliveryError("no", **facts) for _ in range(9)])
    tell(live, SETTINGS, channels=[room], clock=clock())
    assert room.tries == tries
    assert bool(live.record.waiting) != facts.get("permanent", False)


def test_strange_errors_wait_too_and_their_words_go_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live, room = finished(tmp_path), Room(words=[RuntimeError("token s3cret")] * 9)
    (receipt,) = tell(live, SETTINGS, channels=[room], clock=clock())
    assert receipt.error == "room: unexpected RuntimeError"
    assert "s3cret" not in caplog.text + str(events(live))
    assert live.record.waiting


def test_a_message_is_due_ever_later_and_given_up_in_the_end(tmp_path: Path) -> None:
    letter = Letter("k", "room", queued=0.0, failures=1, tried=1000.0)
    schedule = Schedule()
    assert not schedule.is_due(letter, 1029.0) and schedule.is_due(letter, 1031.0)
    old = Letter("k", "room", queued=0.0, failures=60, tried=1000.0)
    assert not schedule.is_due(old, 1000.0 + 3 * 3600 - 1) and schedule.is_due(old, 1e6)
    assert schedule.is_due(letter, 0.0)  # a clock that was set back keeps nobody waiting

    live, room = finished(tmp_path), Room(words=[later()] * 9)
    once = Schedule(pauses=())
    tell(live, SETTINGS, channels=[room], schedule=once)
    queued = journal_time(live)
    (receipt,) = deliver_waiting(
        live, SETTINGS, channels=[room], schedule=once, clock=clock(queued + 3.9 * DAY)
    )
    assert not receipt.permanent
    (receipt,) = deliver_waiting(
        live, SETTINGS, channels=[room], schedule=once, clock=clock(queued + 4.1 * DAY)
    )
    assert receipt.permanent and not live.record.waiting and not may_wait(live.folder)


def test_a_channel_that_is_gone_waits_for_its_return(tmp_path: Path) -> None:
    live, room = finished(tmp_path), Room(words=[later()] * 9)
    tell(live, SETTINGS, channels=[room], clock=clock())
    (receipt,) = deliver_waiting(live, SETTINGS, channels=[])
    assert "room is no longer in the settings" in receipt.error and not receipt.permanent
    room.words.clear()
    (receipt,) = deliver_waiting(live, SETTINGS, channels=[room])
    assert receipt.is_delivered


def test_a_lost_message_is_said_to_be_lost(tmp_path: Path) -> None:
    live, room = finished(tmp_path), Room(words=[later()])
    tell(live, SETTINGS, channels=[room], schedule=Schedule(pauses=()))
    for file in (live.folder.path / "outbox").glob("*.json"):
        file.write_bytes(b"{")
    (receipt,) = deliver_waiting(live, SETTINGS, channels=[room])
    assert receipt.permanent and "cannot be read" in receipt.error


@pytest.mark.parametrize(
    ("on", "states"),
    [
        (("always",), {RunState.MET, RunState.SPENT, RunState.FAILED, RunState.STOPPED}),
        (("met",), {RunState.MET}),
        (("not-met",), {RunState.SPENT}),
        (("failed", "not-met"), {RunState.FAILED, RunState.SPENT}),
        ((), set()),
    ],
)
def test_people_hear_of_what_they_asked_for(on: tuple[str, ...], states: set[RunState]) -> None:
    settings = OperatorSettings(notify=NotifySettings(on=on))  # type: ignore[arg-type]
    wanted = {
        state
        for state in (RunState.MET, RunState.SPENT, RunState.FAILED, RunState.STOPPED)
        if is_wanted(records.run(state=state), settings)
    }
    assert wanted == states


def test_nothing_is_told_before_the_verdict(tmp_path: Path) -> None:
    live, room = finished(tmp_path, state=RunState.TRAINING), Room()
    assert tell(live, SETTINGS, channels=[room]) == ()
    assert not events(live)


def test_channels_that_cannot_be_read_are_an_error_and_stop_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, room = finished(tmp_path), Room()
    chats = tmp_path / "chats"
    settings = OperatorSettings(notify=NotifySettings(apprise_file=str(chats)))
    for module in (channels_module, delivery_module):
        monkeypatch.setattr(module, "mail_notifiers", lambda settings: (room,))
    for _ in range(2):
        with pytest.raises(DeliveryError, match="chats"):
            tell(live, settings)
    assert len(room.got) == 1
    chats.write_text("")
    chats.chmod(0o600)
    assert tell(live, settings) == ()
    assert len(room.got) == 1


def test_what_cannot_be_made_to_wait_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the run would be published, and nobody would ever hear of it."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    live, room = finished(tmp_path), Room()
    with monkeypatch.context() as patched:
        patched.setattr(outbox_module, "write_whole", full)
        with pytest.raises(OSError, match="No space left"):
            tell(live, SETTINGS, channels=[room])
    assert not events(live)
    tell(live, SETTINGS, channels=[room])
    assert len(room.got) == 1


def test_a_second_verdict_is_told_too_and_each_once(tmp_path: Path) -> None:
    live, room = finished(tmp_path, state=RunState.STOPPED), Room()
    for _ in range(2):
        tell(live, SETTINGS, channels=[room])
    live.append(Reopened())
    tell(live, SETTINGS, channels=[room])
    live.append(records.events()[-1])
    for _ in range(2):
        tell(live, SETTINGS, channels=[room])
    assert [message.subject.split(":")[0] for message in room.got] == ["stopped", "met"]
    assert len({message.key for message in room.got}) == 2


def test_nobody_is_told_of_a_reproduction(tmp_path: Path) -> None:
    begun, *rest = records.events()
    assert isinstance(begun, RunStarted)
    live, room = finished(tmp_path, (replace(begun, reproduces="7f"), *rest)), Room()
    assert tell(live, SETTINGS, channels=[room]) == ()
    assert room.tries == 0


def test_what_was_queued_twice_is_sent_once(tmp_path: Path) -> None:
    """A driver that was paused between its look and its line had queued it already."""
    live, room = finished(tmp_path), Room()
    tell(live, SETTINGS, channels=[room])
    (letter,) = Outbox(live).letters()
    live.append(MessageQueued(letter.key, letter.channel))
    tell(live, SETTINGS, channels=[room])
    assert len(room.got) == 1


def test_a_message_that_was_settled_meanwhile_is_not_sent_again(tmp_path: Path) -> None:
    """Whoever had sent it was paused before it could say so, and has woken up."""

    class Waking(Room):
        def deliver(self, message: Message) -> None:
            LiveRun(live.folder).append(MessageSent(message.key, "b"))
            super().deliver(message)

    live, first, second = finished(tmp_path), Waking("a"), Room("b")
    tell(live, SETTINGS, channels=[first, second])
    assert (len(first.got), second.tries) == (1, 0)


def test_a_driver_that_was_overtaken_tells_nobody(tmp_path: Path) -> None:
    live, room = finished(tmp_path), Room()
    with live.folder.driving() as lease:
        assert lease is not None
        mine = LiveRun(live.folder, lease=lease)
        Lease(live.folder.lease, lease.token + 1, "run").release()
        with pytest.raises(LeaseLost):
            tell(mine, SETTINGS, channels=[room])
    assert room.tries == 0
    assert events(live) == []


def test_a_driver_that_is_overtaken_while_it_sends_says_what_it_sent(tmp_path: Path) -> None:
    """So its successor does not send that again; the rest is the successor's."""

    class Overtaken(Room):
        def deliver(self, message: Message) -> None:
            Lease(mine.folder.lease, token + 1, "run").release()
            super().deliver(message)

    live, first, second = finished(tmp_path), Overtaken("a"), Room("b")
    with live.folder.driving() as lease:
        assert lease is not None
        mine, token = LiveRun(live.folder, lease=lease), lease.token
        with pytest.raises(LeaseLost):
            tell(mine, SETTINGS, channels=[first, second])
    assert (len(first.got), second.tries) == (1, 0)
    with live.folder.driving() as lease:
        tell(LiveRun(live.folder, lease=lease), SETTINGS, channels=[first, second])
    assert (len(first.got), len(second.got)) == (1, 1)


def test_a_run_is_told_of_although_another_process_delivers_by_now(tmp_path: Path) -> None:
    """The outbox's lease is lost, and the run's is not: its driver goes on without a word."""

    class Slow(Room):
        def deliver(self, message: Message) -> None:
            Lease(live.folder.path / "outbox" / "lease", 2, "outbox").release()
            raise later()

    live, room = finished(tmp_path), Slow()
    with live.folder.driving() as lease:
        mine = LiveRun(live.folder, lease=lease)
        assert tell(mine, SETTINGS, channels=[room, Room("b")], clock=clock()) == ()
    assert [letter.channel for letter in Outbox(live).waiting()] == ["room", "b"]
    assert may_wait(live.folder)


def test_in_passing_only_what_is_due_is_tried_and_nothing_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    room = Room(words=[later()] * 2)
    monkeypatch.setattr(delivery_module, "notifiers", lambda _: (room,))
    waiting, told = finished(tmp_path), finished(tmp_path)
    tell(waiting, SETTINGS, schedule=Schedule(pauses=()))
    tell(told, SETTINGS, schedule=Schedule(pauses=()), channels=[Room()])
    deliver_all_waiting(Store(tmp_path), SETTINGS)
    assert room.tries == 1  # it failed a moment ago

    damaged = finished(tmp_path)
    tell(damaged, SETTINGS, schedule=Schedule(pauses=()))
    damaged.folder.journal.write_bytes(b"00000000 {}\n" * 2)
    deliver_all_waiting(Store(tmp_path), SETTINGS)
    assert "is damaged" in caplog.text


def test_in_passing_a_folder_that_nobody_may_look_into_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(words=[later()])
    monkeypatch.setattr(delivery_module, "notifiers", lambda _: (room,))
    forbidden, waiting = finished(tmp_path), finished(tmp_path)
    tell(waiting, SETTINGS, schedule=Schedule(pauses=()))
    exists = Path.exists

    def refused(self: Path) -> bool:
        if forbidden.folder.path in self.parents:
            raise PermissionError(13, "Permission denied")
        return exists(self)

    monkeypatch.setattr(Path, "exists", refused)
    deliver_all_waiting(Store(tmp_path), SETTINGS, clock=Clock(lambda: 1e10))
    assert room.tries == 2


def test_in_passing_nobody_waits_for_another_process_or_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1e10]  # everything is due

    class Slow(Room):
        def deliver(self, message: Message) -> None:
            now[0] += 61.0
            super().deliver(message)

    room = Slow(words=[later() for _ in range(9)])
    monkeypatch.setattr(delivery_module, "notifiers", lambda _: (room,))
    runs = [finished(tmp_path) for _ in range(3)]
    for live in runs:
        tell(live, SETTINGS, schedule=Schedule(pauses=()))
    assert room.tries == 3
    with Outbox(runs[-1]).delivering():  # the newest one, so the first to be looked at
        deliver_all_waiting(Store(tmp_path), SETTINGS, clock=Clock(lambda: now[0]))
    assert room.tries == 4

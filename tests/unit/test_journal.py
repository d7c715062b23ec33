"""What a journal promises: what is read is always the beginning of what was written."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import resource
import signal
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushtrain import journal as module
from pushtrain.entities import Budget, Epoch, KnobValue, Push
from pushtrain.errors import JournalError
from pushtrain.events import (
    EVENT,
    Entry,
    EpochEnded,
    Event,
    Judged,
    Planned,
    RunStarted,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.journal import MIGRATIONS, VERSION, Journal
from pushtrain.record import fold
from support import records

_fork = multiprocessing.get_context("fork")
_in_tmp_path = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)

TOLD: tuple[Event, ...] = (
    *records.events(warnings=("näïve – ¶\n\r\x00\u2028",)),
    EpochEnded(3, Epoch(1, {"loss": math.inf, "val_loss": -math.inf}, 0.1), 9),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def written(path: Path, events: tuple[Event, ...] = TOLD) -> bytes:
    """A journal of `events`; gives its bytes."""
    writer = Journal(path, clock=lambda: 12.5)
    for event in events:
        writer.append(event)
    return path.read_bytes()


def line(raw: object) -> bytes:
    """A line with a right checksum, whatever it says."""
    body = json.dumps(raw).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


# --- reading back ------------------------------------------------------------------------------


def test_what_was_written_is_read_in_its_order(path: Path) -> None:
    written(path)
    entries = Journal(path).read()
    assert [entry.event for entry in entries] == list(TOLD)
    assert [entry.seq for entry in entries] == list(range(1, len(TOLD) + 1))
    assert {entry.time for entry in entries} == {12.5}


def test_a_journal_that_does_not_exist_is_empty(path: Path) -> None:
    assert Journal(path).read() == ()
    assert not path.exists()


def test_reading_goes_on_where_it_stopped(path: Path) -> None:
    writer, reader = Journal(path), Journal(path)
    writer.append(Warned("a"))
    assert [entry.event for entry in reader.read()] == [Warned("a")]
    assert reader.read() == ()
    writer.append(Warned("b"))
    assert [(entry.seq, entry.event) for entry in reader.read()] == [(2, Warned("b"))]


def test_appending_tells_what_others_wrote_meanwhile(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    one.append(Warned("a"))
    other.append(Warned("b"))
    told = one.append(Warned("c"))
    assert [(entry.seq, entry.event) for entry in told] == [(2, Warned("b")), (3, Warned("c"))]


def test_a_value_that_is_not_a_number_stays_one(path: Path) -> None:
    written(path, (TrialEnded(records.trial(1, math.nan)),))
    (entry,) = Journal(path).read()
    assert isinstance(entry.event, TrialEnded)
    assert entry.event.result.value is not None
    assert math.isnan(entry.event.result.value)


@pytest.mark.parametrize("name", ["caf\udce9", "\ud800", "\U0001f600", "\x85"])
def test_names_that_are_not_utf_8_are_kept(path: Path, name: str) -> None:
    event = RunStarted(Push(name, "c" * 40), "sha256:0", "1")
    written(path, (event,))
    assert Journal(path).read()[0].event == event


_values = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**64), st.floats(allow_nan=False), st.text()
)


@_in_tmp_path
@given(st.lists(st.dictionaries(st.text(), _values), min_size=1, max_size=5))
def test_knob_values_come_back_as_what_they_were(
    tmp_path: Path, several: list[dict[str, KnobValue]]
) -> None:
    path = tmp_path / "values"
    path.unlink(missing_ok=True)
    events: list[Event] = [TrialStarted(i, values, 0, "x") for i, values in enumerate(several)]
    written(path, tuple(events))
    read = [entry.event for entry in Journal(path).read()]
    assert read == events
    assert repr(read) == repr(events)  # 1, 1.0 and True are equal, and not the same


# --- crashes -----------------------------------------------------------------------------------


def test_a_journal_cut_anywhere_reads_as_a_beginning_and_takes_more(path: Path) -> None:
    events = (Warned("one"), Warned("zwei – 2"), EpochEnded(1, Epoch(2, {}, 0.5)))
    whole = written(path, events)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = sum(end <= length for end in ends)
        assert [entry.event for entry in Journal(path).read()] == list(events[:complete])
        if length % 5 == 0 or length in ends:
            Journal(path).append(Warned("after the crash"))
            read = Journal(path).read()
            assert [entry.event for entry in read[:-1]] == list(events[:complete])
            assert (read[-1].seq, read[-1].event) == (complete + 1, Warned("after the crash"))


@_in_tmp_path
@given(st.data())
def test_a_changed_byte_is_noticed_or_tears_the_last_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "flipped"
    path.unlink(missing_ok=True)
    events = TOLD[:4]
    content = bytearray(written(path, events))
    last = content.rindex(b"\n", 0, -1)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read = [entry.event for entry in Journal(path).read()]
    except JournalError:
        return
    # At the end it cannot be told from what a power failure leaves of a line that never counted;
    # the newline before belongs to the end, since without it there is one line.
    assert read == list(events[: -1 if place > last else -2])
    assert place >= last


def test_damage_in_the_middle_is_an_error_that_names_the_line(path: Path) -> None:
    lines = written(path).splitlines(keepends=True)
    lines[2] = lines[2].replace(b":", b";", 1)
    path.write_bytes(b"".join(lines))
    before = path.read_bytes()
    for use in (lambda: Journal(path).read(), lambda: Journal(path).append(Warned("x"))):
        with pytest.raises(JournalError, match=r"journal is damaged: line 3\b"):
            use()
    assert path.read_bytes() == before


# What a power failure leaves where the last page of a line reached the disk, and others did not.
@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: bytes(len(whole) - 1) + b"\n",
        lambda whole: whole[:20] + bytes(len(whole) - 40) + whole[-20:],
        lambda whole: b"\n" * len(whole),
        lambda whole: b"\xff" * 9 + b"\n" + whole[10:],
        lambda whole: whole[:-2] + b"\0\n",
    ],
)
def test_a_last_line_of_which_only_pages_reached_the_disk_never_counted(
    path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    *before, whole = written(path, TOLD[:5]).splitlines(keepends=True)
    path.write_bytes(b"".join(before) + spoil(whole))
    assert [entry.event for entry in Journal(path).read()] == list(TOLD[:4])
    assert [entry.seq for entry in Journal(path).append(Warned("after"))] == [1, 2, 3, 4, 5]
    assert [entry.event for entry in Journal(path).read()] == [*TOLD[:4], Warned("after")]


EPOCHS = tuple(EpochEnded(1, Epoch(number, {"loss": 0.5}, 0.1)) for number in range(1, 5))


@pytest.mark.parametrize("torn", range(4))
def test_epochs_at_the_end_never_counted_from_a_spoilt_one_on(path: Path, torn: int) -> None:
    """Nobody waits for the disk when an epoch ends, so that several may miss a page."""
    lines = written(path, (Warned("it begins"), *EPOCHS)).splitlines(keepends=True)
    lines[1 + torn] = bytes(len(lines[1 + torn]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    kept = [Warned("it begins"), *EPOCHS[:torn]]
    assert [entry.event for entry in Journal(path).read()] == kept
    Journal(path).append(Warned("after"))
    assert [entry.event for entry in Journal(path).read()] == [*kept, Warned("after")]


def test_a_spoilt_epoch_before_something_that_counted_is_an_error(path: Path) -> None:
    lines = written(path, (*EPOCHS, Warned("x"), EPOCHS[0])).splitlines(keepends=True)
    lines[2] = bytes(len(lines[2]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=r"damaged: line 3\b"):
        Journal(path).read()


def test_epochs_are_on_disk_before_another_kind_of_line_is_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a line that counts could stand behind one that is spoilt."""
    on_disk: list[int] = []
    monkeypatch.setattr(module.os, "fsync", lambda file: on_disk.append(os.fstat(file).st_size))
    one, other = Journal(path), Journal(path)
    one.append(EPOCHS[0])
    one.append(EPOCHS[1])
    epochs = path.stat().st_size
    assert on_disk == []
    other.append(Warned("x"))
    assert on_disk == [epochs, path.stat().st_size]
    one.append(Warned("y"))
    assert len(on_disk) == 3


def test_a_line_that_is_missing_is_an_error(path: Path) -> None:
    lines = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(JournalError, match="line 3 is numbered 4"):
        Journal(path).read()


@pytest.mark.parametrize(
    "raw",
    [
        {},
        [],
        "text",
        {"v": 1},
        {"v": 1, "seq": 1, "time": "noon", "data": {"event": "warned", "message": "x"}},
        {"v": 1, "seq": 1, "time": 1, "data": {"event": "warned", "message": 3}},
        {"v": 1, "seq": 1, "time": 1, "data": {"event": "warned", "message": "x", "new": 1}},
        {"v": 1, "seq": 1, "time": 1, "data": {"event": "from the future"}},
        {"v": 1, "seq": 1, "time": -1, "data": {"event": "warned", "message": "x"}},
        {"v": 1, "seq": 1, "time": 1e300, "data": {"event": "warned", "message": "x"}},
        {"v": 1, "seq": 1, "time": math.nan, "data": {"event": "warned", "message": "x"}},
        {"v": 1, "seq": 1, "time": 1, "data": ["judged"]},
        {"v": 1, "seq": 1, "time": 1, "data": "judged"},
        {"v": 1, "seq": 1, "time": 1, "data": None},
    ],
)
def test_a_line_that_says_nothing_known_is_an_error(path: Path, raw: object) -> None:
    path.write_bytes(line(raw))
    with pytest.raises(JournalError, match="line 1"):
        Journal(path).read()


@pytest.mark.parametrize("content", [b"\n", b" \n", b"zz\n", b"\xff\xfe\n"])
def test_a_line_without_a_checksum_is_an_error_but_at_the_end(path: Path, content: bytes) -> None:
    whole = written(path, (Warned("x"),))
    for behind in (b"", whole):
        path.write_bytes(content + behind)
        with pytest.raises(JournalError, match="line 1"):
            Journal(path).read()
    path.write_bytes(whole + content)
    assert [entry.event for entry in Journal(path).read()] == [Warned("x")]


def test_a_right_checksum_of_nothing_is_an_error(path: Path) -> None:
    path.write_bytes(b"00000000 \n")
    with pytest.raises(JournalError, match="line 1"):
        Journal(path).read()


def test_a_newer_format_is_named(path: Path) -> None:
    newer = VERSION + 1
    path.write_bytes(line({"v": newer, "seq": 1, "time": 1, "data": {}}))
    named = f"format {newer}, this is format {VERSION}"
    for use in (lambda: Journal(path).read(), lambda: Journal(path).append(Warned("x"))):
        with pytest.raises(JournalError, match=named) as caught:
            use()
        assert "version of pushtrain" in caught.value.hint


def test_every_older_format_has_its_way_to_the_next() -> None:
    assert sorted(MIGRATIONS) == list(range(1, VERSION))


def test_a_journal_of_format_1_is_read_and_goes_on(path: Path) -> None:
    """As pushtrain wrote it: without any field that is newer, and a verdict stood for all."""
    planned = Planned(records.DETECTION, records.ACCURACY, Budget(3, 60.0, 30.0), records.PLAN,
                      records.KNOBS)  # fmt: skip
    older = [
        {"event": "run_started", "push": {"repository": "/r", "commit": "c" * 40, "branch": None,
         "is_own_directory": False}, "data_fingerprint": "sha256:0", "version": "0.1.0",
         "wishes": {"trials": 3}},
        EVENT.dump_python(planned, mode="json"),
        {"event": "trial_started", "trial": 0, "values": {"units": 8}, "seed": 0,
         "origin": "as pushed", "attempt": 1},
        {"event": "driver_lost", "times": 1},
        {"event": "judged", "verdict": {"run": "r", "state": "stopped", "objective": None,
         "best": None, "value": None, "source": None, "trials": 1, "image": None, "seconds": 1.5,
         "reason": "by hand", "exit_code": 130, "confirmed": [], "error": {}}},
    ]  # fmt: skip
    lines = (
        {"v": 1, "seq": seq, "time": 10.0 + seq, "data": data} for seq, data in enumerate(older, 1)
    )
    path.write_bytes(b"".join(map(line, lines)))
    Journal(path).append(Warned("of now"))
    *_, judged, warned = (entry.event for entry in Journal(path).read())
    assert isinstance(judged, Judged) and judged.is_published
    assert warned == Warned("of now")
    record = fold("r", Journal(path).read())
    assert record.is_published
    assert record.knobs == records.KNOBS
    assert json.loads(path.read_bytes().splitlines()[-1][9:])["v"] == VERSION


@pytest.mark.parametrize("version", [0, -1, -(10**9), 1.5, "1", None, [], {}, False])
def test_a_format_that_never_was_is_damage(path: Path, version: object) -> None:
    path.write_bytes(line({"v": version, "seq": 1, "time": 1, "data": {"event": "warned"}}))
    with pytest.raises(JournalError, match="damaged: line 1"):
        Journal(path).read()


def test_a_journal_that_became_shorter_is_an_error_and_is_not_filled_up(path: Path) -> None:
    content = written(path)
    reader = Journal(path)
    reader.read()
    path.write_bytes(content[:100])
    with pytest.raises(JournalError, match="ends after 100 bytes"):
        reader.append(Warned("x"))
    assert path.read_bytes() == content[:100]


# --- whatever lies there -----------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_sound = [{"v": 2, "seq": 1, "time": 1, "data": {"event": "warned", "message": "x"}}]
_lines = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda body: b"%08x %s" % (zlib.crc32(body), body)),
    _json.map(line),
    st.fixed_dictionaries(
        {"v": _json, "seq": st.just(1) | _json, "time": st.just(1) | _json, "data": _json}
    ).map(line),
    st.sampled_from(_sound).map(line),
)


@_in_tmp_path
@given(st.lists(_lines, max_size=4).map(b"\n".join))
def test_whatever_a_journal_holds_it_is_read_or_refused_and_never_changed_by_that(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(content)
    try:
        known = Journal(path).read()
    except JournalError:
        known = None
    assert path.read_bytes() == content
    try:
        told = Journal(path).append(Warned("x"))
    except JournalError:
        assert known is None
        assert path.read_bytes() == content
    else:
        assert known is not None
        assert told[:-1] == known
        assert Journal(path).read() == told


def test_a_line_that_comes_twice_is_an_error(path: Path) -> None:
    lines = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))
    with pytest.raises(JournalError, match="line 3 is numbered 2"):
        Journal(path).read()


def test_a_deep_line_is_damage(path: Path) -> None:
    body = b"[" * 100_000
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))
    with pytest.raises(JournalError, match="damaged: line 1"):
        Journal(path).read()


def test_a_number_without_end_is_damage(path: Path) -> None:
    body = b'{"v": 1, "seq": 1' + b"0" * 100_000 + b"}"
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))
    with pytest.raises(JournalError, match="damaged: line 1"):
        Journal(path).read()


def test_a_journal_larger_than_any_memory_is_refused_at_once(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole
    with pytest.raises(JournalError, match="too long"):
        Journal(path).read()
    with pytest.raises(JournalError, match="too long"):
        Journal(path).append(Warned("x"))


def _link(path: Path) -> None:
    written(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _link, _device])
def test_what_is_no_file_is_refused_at_once(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    for use in (lambda: Journal(path).read(), lambda: Journal(path).append(Warned("x"))):
        with pytest.raises(JournalError, match="cannot be opened") as caught:
            use()
        assert "PUSHTRAIN_HOME" in caught.value.hint


# --- lines without end -------------------------------------------------------------------------


def test_an_event_that_could_not_be_read_back_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LINE", 400)
    writer = Journal(path)
    writer.append(Warned("first"))
    before = path.read_bytes()
    with pytest.raises(JournalError, match="more than one line may hold"):
        writer.append(Warned("x" * 400))
    assert path.read_bytes() == before
    writer.append(Warned("x" * 200))
    assert [entry.seq for entry in Journal(path).read()] == [1, 2]


def test_the_longest_line_is_read_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(written(path, (Warned("x" * 300),)))
    monkeypatch.setattr(module, "MOST_LINE", length)
    path.unlink()
    written(path, (Warned("x" * 300), Warned("y" * 300)))
    assert len(Journal(path).read()) == 2


def test_a_line_without_end_is_an_error_and_not_a_torn_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LINE", 400)
    path.write_bytes(b"x" * 401)
    with pytest.raises(JournalError, match="too long"):
        Journal(path).read()
    path.write_bytes(b"x" * 400)
    assert Journal(path).read() == ()


# --- a disk that refuses -----------------------------------------------------------------------


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    one.append(Warned("first"))
    other.append(Warned("from the other"))
    with (
        files_of_at_most(4_000_000),
        pytest.raises(JournalError, match="cannot be written") as caught,
    ):
        one.append(Warned("x" * 5_000_000))
    assert "make room" in caught.value.hint
    assert len(Journal(path).read()) == 2
    told = one.append(Warned("second"))
    assert [entry.event for entry in told] == [Warned("from the other"), Warned("second")]
    assert [entry.seq for entry in Journal(path).read()] == [1, 2, 3]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "missing" / "journal").append(Warned("x"))


# --- several processes -------------------------------------------------------------------------


def started(work: Callable[..., None], *arguments: Any) -> Any:
    process = _fork.Process(target=work, args=arguments)
    process.start()
    return process


def test_processes_that_append_at_once_lose_nothing(path: Path) -> None:
    def work(name: str) -> None:
        writer = Journal(path)
        for number in range(40):
            writer.append(Warned(f"{name} {number}"))

    processes = [started(work, name) for name in "abc"]
    reader, seen = Journal(path), list[Entry]()
    while any(process.is_alive() for process in processes):
        seen += reader.read()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    seen += reader.read()
    assert [entry.seq for entry in seen] == list(range(1, 121))
    for name in "abc":
        said = [e.event.message for e in seen if isinstance(e.event, Warned)]
        assert [text for text in said if text.startswith(name)] == [
            f"{name} {i}" for i in range(40)
        ]


def test_a_process_killed_while_it_appends_leaves_a_beginning(path: Path) -> None:
    """Killed at another moment each time; what it knew to be written is there."""
    known = 0
    for attempt in range(25):
        mine, its = os.pipe()

        def work(out: int = its) -> None:
            writer = Journal(path)
            while True:
                told = writer.append(Warned(f"{'x' * 100_000} {os.getpid()}"))
                os.write(out, told[-1].seq.to_bytes(4, "big"))

        process = started(work)
        os.close(its)
        first = os.read(mine, 4)
        for _ in range(attempt * 997):  # lets it come to different places
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        rest = first
        while chunk := os.read(mine, 65536):
            rest += chunk
        os.close(mine)
        acknowledged = int.from_bytes(rest[: len(rest) // 4 * 4][-4:], "big")
        entries = Journal(path).read()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert known < acknowledged <= len(entries) <= acknowledged + 1
        known = len(entries)
        if known > 200:
            path.unlink()
            known = 0


def test_every_event_survives_its_own_serialisation() -> None:
    for event in TOLD:
        again = EVENT.validate_python(json.loads(json.dumps(EVENT.dump_python(event, mode="json"))))
        assert again == event


def test_an_entry_is_a_record(path: Path) -> None:
    (entry,) = Journal(path, clock=lambda: 3.0).append(Warned("x"))
    assert replace(entry, seq=2) == Entry(2, 3.0, Warned("x"))

"""Who works on something: leases with a heartbeat, fenced by their numbers, without any lock.

A lease is a file `<place>/<token>`; the highest token is the lease, so that of two processes that
create the next file one wins, and whoever held an earlier one can see at any time that it is over.
The file names its holder and holds a count that the holder's thread rewrites about once a second,
in its own file and in nobody else's.

A lease ends when it is released, when its holder is a process of this machine that has ended, or
when its count stands still: its file's time is too long ago, or in the future since clocks are
set, and the count is not seen to move for a while by the clock that nobody sets.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from stat import S_ISREG
from typing import Self

from pydantic import TypeAdapter, ValidationError

from pushtrain.errors import JournalError, LeaseLost
from pushtrain.processes import Process

_log = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between two heartbeats."""
TTL = 15.0
"""Seconds without a heartbeat after which a lease is in doubt."""
WATCH = 3.0
"""Seconds for which the heartbeat of a lease in doubt is watched."""
_LOOK = 0.1
_MOST = 4096
"""Bytes of a lease's file that are read."""
_MOST_PID = 2**31
_COUNT = b"%016d\n"
_RELEASED = b"released"
_NAME = re.compile("0|[1-9][0-9]{0,14}")
_HOLDER = TypeAdapter(Process)


class Standing(StrEnum):
    """How it stands with a lease."""

    NEVER = "never"
    """Nobody ever had one."""
    RELEASED = "released"
    """Its holder gave it back."""
    GONE = "gone"
    """Its holder is a process of this machine that has ended."""
    SILENT = "silent"
    """Its heartbeat has stopped."""
    DOUBTFUL = "doubtful"
    """It is to be watched for some seconds before anything can be said."""
    HELD = "held"
    """Its holder lives."""

    @property
    def is_live(self) -> bool:
        """Whether it may still be held; in doubt it is."""
        return self in (Standing.HELD, Standing.DOUBTFUL)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a lease's file says.

    Attributes:
        token: its number.
        holder: the process that wrote it, where that is known.
        count: how often, or that it was given back.
        written: when, as Unix time.
        owner: the user whose file it is.
    """

    token: int
    holder: Process | None
    count: bytes
    written: float
    owner: int

    @property
    def is_released(self) -> bool:
        """Whether its holder gave it back."""
        return self.count.startswith(_RELEASED)

    @property
    def is_over(self) -> bool:
        """Whether its holder will certainly not act any more."""
        return self.is_released or (self.holder is not None and self.holder.is_gone())


def judge(age: float, still: float, *, has_moved: bool) -> Standing:
    """How it stands with a lease that is neither released nor of an ended process.

    Args:
        age: seconds since its file was written, by the wall clock; negative after a jump.
        still: seconds for which its count was seen to stand still, by a steady clock.
        has_moved: whether it was seen to move before.
    """
    is_vouched_for = has_moved or 0 <= age <= TTL
    if still >= (TTL if is_vouched_for else WATCH):
        return Standing.SILENT
    return Standing.HELD if is_vouched_for else Standing.DOUBTFUL


class Lookout:
    """Tells live leases from dead ones, by what it saw of them before. Not thread-safe."""

    def __init__(self) -> None:
        self._watched: dict[Path, _Watched] = {}

    def look(self, place: Path) -> Standing:
        """How it stands with a lease at this moment; raises JournalError."""
        return self._look(place)[1]

    def settle(self, places: Iterable[Path]) -> Mapping[Path, Standing]:
        """How it stands with each; those in doubt are watched, together, until they are not.

        Takes some seconds when any lease is in doubt, and no time otherwise. Raises JournalError.
        """
        found = {place: self.look(place) for place in places}
        while doubtful := [p for p, standing in found.items() if standing is Standing.DOUBTFUL]:
            time.sleep(_LOOK)
            found |= {place: self.look(place) for place in doubtful}
        return found

    def sight(self, place: Path) -> tuple[int, Standing]:
        """The token of a lease that is not in doubt (0 where there is none), and its standing."""
        self.settle((place,))
        seen, standing = self._look(place)
        return (seen.token if seen else 0), standing

    def _look(self, place: Path) -> tuple[Sighting | None, Standing]:
        seen = _newest(place)
        if seen is None:
            self._watched.pop(place, None)
            return None, Standing.NEVER
        if seen.is_over:
            return seen, Standing.RELEASED if seen.is_released else Standing.GONE
        watched = self._watched.get(place)
        if watched is None or watched.token != seen.token:
            watched = _Watched(seen.token, seen.count, time.monotonic(), has_moved=False)
        elif watched.count != seen.count:
            watched = _Watched(seen.token, seen.count, time.monotonic(), has_moved=True)
        self._watched[place] = watched
        still = time.monotonic() - watched.since
        return seen, judge(time.time() - seen.written, still, has_moved=watched.has_moved)


@dataclass(frozen=True, slots=True)
class _Watched:
    token: int
    count: bytes
    since: float
    has_moved: bool


class Lease:
    """A lease that this process holds, with a thread for its heartbeat; made by `take`.

    Attributes:
        token: its number: higher than that of every holder before.
        heir_of: the process that held it before and did not give it back, where that is known.
        is_contested: whether a process that held it before may still be there, paused, and wake
            up at any time; see `Journal.supplant`.
    """

    def __init__(self, place: Path, token: int, what: str) -> None:
        self.token = token
        self.heir_of: Process | None = None
        self.is_contested = False
        self._place = place
        self._what = what
        self._done = threading.Event()
        me = json.dumps(asdict(Process.this())).encode() + b"\n"
        self._at = len(me)
        self._thread = threading.Thread(target=self._beat, name=f"lease-{token}", daemon=True)
        self._file = os.open(place / str(token), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(self._file, me + _COUNT % 0)
            self._thread.start()
        except BaseException:
            self._give_back()
            raise

    def check(self) -> None:
        """Nothing, while this is the lease.

        Raises:
            LeaseLost: another process has taken it over, or nothing tells that none has.
        """
        try:
            tokens = _tokens(self._place)
        except JournalError as error:
            raise self._lost(error.message) from error
        if not tokens:
            raise self._lost("its folder was removed")
        if max(tokens) != self.token:
            raise self._lost("another process took over while this one was paused")

    def evict(self) -> None:
        """Ends the paused processes that held it before, where they are within reach."""
        for token in _tokens(self._place):
            before = _sighting(self._place, token)
            if token < self.token and before is not None and not before.is_over:
                # In a file of another user's anything may stand: it has nobody ended by this one.
                holder = before.holder if before.owner == os.geteuid() else None
                is_ended = holder is not None and holder.kill()
                self.is_contested = self.is_contested or not is_ended

    def forget(self) -> None:
        """Drops what is known of earlier holders, when nothing of theirs can do harm any more.

        Raises:
            LeaseLost: as `check`.
        """
        self.check()
        for token in _tokens(self._place):
            if token < self.token:
                (self._place / str(token)).unlink(missing_ok=True)

    def release(self) -> None:
        """Gives it back; idempotent."""
        if self._done.is_set():
            return
        self._done.set()
        self._thread.join()
        self._give_back()

    def _give_back(self) -> None:
        try:
            os.pwrite(self._file, _RELEASED.ljust(len(_COUNT % 0) - 1) + b"\n", self._at)
        except OSError as error:  # it ends with this process
            _log.warning("the lease of %s is not given back: %s", self._what, error)
        finally:
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _beat(self) -> None:
        count = 0
        while not self._done.wait(BEAT):
            count += 1
            try:
                os.pwrite(self._file, _COUNT % count, self._at)
            except OSError as error:
                _log.warning("the lease of %s is not renewed: %s", self._what, error)

    def _lost(self, why: str) -> LeaseLost:
        return LeaseLost(
            f"{self._what} is no longer this process's to work on: {why}",
            hint="nothing is to be done; `pushtrain runs` shows who goes on",
            token=self.token,
        )


def take(place: Path, what: str) -> Lease | None:
    """Takes a lease; None when somebody live has it, or was faster.

    May take some seconds (see `Lookout.settle`). Processes that held it before and are paused are
    ended, where they are of this user on this machine.

    Args:
        place: its directory, in one that exists.
        what: what it is about, for messages: "run 7f3c12ab".

    Raises:
        FileNotFoundError: the directory that it is to be in does not exist.
        JournalError: it cannot be written.
    """
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        token, standing = Lookout().sight(place)
        if standing.is_live:
            return None
        before = _sighting(place, token)
        lease = Lease(place, token + 1, what)
    except FileExistsError:
        return None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise JournalError(
            f"the lease of {what} cannot be taken: {error}",
            hint="check that PUSHTRAIN_HOME belongs to you, and that its disk has room",
        ) from error
    if before is not None and not before.is_released:
        lease.heir_of = before.holder
    try:
        lease.evict()
        lease.check()  # a number below a higher one that was there meanwhile is no lease
    except LeaseLost:
        lease.release()
        return None
    except BaseException:
        lease.release()
        raise
    return lease


def _tokens(place: Path) -> list[int]:
    """The numbers of all that held a lease and are not forgotten; raises JournalError."""
    try:
        names = [path.name for path in place.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(
            f"{place} cannot be read: {error}",
            hint="check that PUSHTRAIN_HOME belongs to you",
        ) from error
    return [int(name) for name in names if _NAME.fullmatch(name)]


def _newest(place: Path) -> Sighting | None:
    """The lease; None where there never was one."""
    while tokens := _tokens(place):
        seen = _sighting(place, max(tokens))
        if seen is not None:
            return seen
    return None


def _sighting(place: Path, token: int) -> Sighting | None:
    """What a file says, whatever it is; None where it is gone. Raises JournalError."""
    path = place / str(token)
    try:
        # Neither waits for the other end of a pipe nor follows a link.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(
            f"{path} cannot be read: {error}", hint="check that PUSHTRAIN_HOME belongs to you"
        ) from error
    try:
        facts = os.fstat(file)
        said = os.read(file, _MOST) if S_ISREG(facts.st_mode) else b""
    finally:
        os.close(file)
    me, _, count = said.partition(b"\n")
    return Sighting(token, _holder(me), count, facts.st_mtime, facts.st_uid)


def _holder(said: bytes) -> Process | None:
    with suppress(ValidationError):
        holder = _HOLDER.validate_json(said, strict=True)
        return holder if 0 < holder.pid < _MOST_PID else None
    return None

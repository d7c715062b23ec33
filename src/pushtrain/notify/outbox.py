"""The outbox of one run: its messages on disk, what became of them in the journal.

A message is written before `MessageQueued`, which is journalled before the first try;
`MessageSent` is journalled the moment a channel has accepted. So whatever crashes, whoever comes
next knows what still waits. Who delivers has the outbox's lease, so that a process that is paused
holds nobody up. One gap remains that nobody can close from this side: accepted, but died or paused
before the journal's line. That message is sent once more, the same to the last byte, with the same
Message-ID, by which readers and servers know it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pushtrain.errors import DeliveryError
from pushtrain.events import MessageFailed, MessageQueued, MessageSent
from pushtrain.interfaces import Message
from pushtrain.journal import Journal
from pushtrain.lease import Lease, take
from pushtrain.store import LiveRun, RunFolder
from pushtrain.whole_file import write_whole

_LOOK = 0.2
"""Seconds between two looks whether another process still delivers."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message for one channel.

    Attributes:
        key, channel: which.
        queued: when it was queued, Unix time.
        failures: how many tries failed.
        tried: when the last of them did.
        is_settled: sent, or given up.
    """

    key: str
    channel: str
    queued: float
    failures: int = 0
    tried: float = 0.0
    is_settled: bool = False


class Outbox:
    """What a run has to tell, and to whom it still has to. Several processes may hold one.

    Args:
        live: the run.
    """

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._place = live.folder.path / "outbox"
        self._lease: Lease | None = None

    def queue(self, message: Message, channels: list[str]) -> None:
        """Makes a message wait for each channel that it was never queued for."""
        known = {(letter.key, letter.channel) for letter in self.letters()}
        new = [channel for channel in channels if (message.key, channel) not in known]
        if not new:
            return
        if not self._file(message.key).exists():
            write_whole(self._file(message.key), _Stored.of(message), is_durable=True)
        self._marker.touch()
        for channel in new:
            self._live.append(MessageQueued(message.key, channel))

    def letters(self) -> tuple[Letter, ...]:
        """Everything ever queued, as the journal tells it now."""
        found: dict[tuple[str, str], Letter] = {}
        for entry in Journal(self._live.folder.journal).read():
            match entry.event:
                case MessageQueued(key=key, channel=channel):
                    found.setdefault((key, channel), Letter(key, channel, entry.time))
                case MessageSent(key=key, channel=channel) if (key, channel) in found:
                    found[key, channel] = replace(found[key, channel], is_settled=True)
                case MessageFailed(key=key, channel=channel) if (key, channel) in found:
                    before = found[key, channel]
                    found[key, channel] = replace(
                        before,
                        failures=before.failures + 1,
                        tried=entry.time,
                        is_settled=entry.event.permanent,
                    )
        return tuple(found.values())

    def waiting(self) -> tuple[Letter, ...]:
        """What is neither sent nor given up."""
        return tuple(letter for letter in self.letters() if not letter.is_settled)

    def message(self, key: str) -> Message:
        """A message as it was composed; raises DeliveryError when it is lost."""
        try:
            return _Stored.model_validate_json(self._file(key).read_bytes()).message()
        except (OSError, ValidationError) as error:
            what = "is not there" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise DeliveryError(
                f"run {self._live.id}: {self._file(key).name} in its outbox {what}",
                hint=f"`pushtrain show {self._live.id}` tells what it said",
                permanent=True,
            ) from None

    def sent(self, letter: Letter) -> None:
        """Notes that a channel has accepted a message, whoever drives the run by now."""
        self._live.append(MessageSent(letter.key, letter.channel), is_fenced=False)

    def failed(self, letter: Letter, error: str, *, permanent: bool) -> None:
        """Notes a try that failed, whoever drives the run by now."""
        event = MessageFailed(letter.key, letter.channel, error, permanent)
        self._live.append(event, is_fenced=False)
        self._marker.touch()

    @contextmanager
    def delivering(self, *, wait: bool = True) -> Iterator[bool]:
        """Keeps other processes from delivering the same.

        Args:
            wait: waits for a process that does already; otherwise gives False.
        """
        self._place.mkdir(mode=0o700, exist_ok=True)
        place, what = self._place / "lease", f"the outbox of run {self._live.id}"
        while (lease := take(place, what)) is None and wait:
            time.sleep(_LOOK)
        if lease is None:
            yield False
            return
        with lease:
            lease.forget()
            self._lease = lease
            yield True
            if not self.waiting():
                self._marker.unlink(missing_ok=True)

    def check(self) -> None:
        """Nothing, while this process is the one that delivers; raises LeaseLost."""
        if self._lease is not None:
            self._lease.check()

    def _file(self, key: str) -> Path:
        return self._place / f"{key}.json"

    @property
    def _marker(self) -> Path:
        return self._place / "waiting"


def may_wait(folder: RunFolder) -> bool:
    """Whether a run's outbox may hold something, without reading its journal."""
    return _is_there(folder.path / "outbox" / "waiting")


def was_told(folder: RunFolder) -> bool:
    """Whether somebody has begun to tell of a run, without reading its journal."""
    return _is_there(folder.path / "outbox")


def _is_there(path: Path) -> bool:
    """Whether something is there, as far as one may look."""
    try:
        return path.exists()
    except OSError:
        return False


class _Stored(BaseModel):
    """A message as a file."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    version: int = 1
    key: str
    time: float
    subject: str
    text: str
    html: str
    images: Mapping[str, bytes]
    attachments: Mapping[str, bytes]

    @classmethod
    def of(cls, message: Message) -> bytes:
        """The file's content for a message."""
        made = cls(
            key=message.key,
            time=message.time,
            subject=message.subject,
            text=message.text,
            html=message.html,
            images=message.images,
            attachments=message.attachments,
        )
        return made.model_dump_json(indent=1).encode()

    def message(self) -> Message:
        """The message again."""
        return Message(
            key=self.key,
            subject=self.subject,
            text=self.text,
            html=self.html,
            images=dict(self.images),
            attachments=dict(self.attachments),
            time=self.time,
        )

"""A process that tells people of a run and is killed at a chosen point; see test_told_once.py.

    python teller.py HOME RUN PORT POINT

POINT is "before" or "after", and the event whose line in the journal it means.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pushtrain.events import Event
from pushtrain.notify import tell
from pushtrain.record import RunRecord
from pushtrain.settings import MailSettings, OperatorSettings
from pushtrain.store import LiveRun, Store


class Mortal(LiveRun):
    """A run whose driver dies at one of its events."""

    point = ""

    def append(self, event: Event, *, is_fenced: bool = True) -> RunRecord:
        self._die_at(f"before {event.event}")
        record = super().append(event, is_fenced=is_fenced)
        self._die_at(f"after {event.event}")
        return record

    def _die_at(self, point: str) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


def tell_people(live: LiveRun, port: int) -> None:
    """Tells two recipients by the mail server at `port`."""
    mail = MailSettings(
        host="localhost",
        port=port,
        security="none",
        sender="pushtrain@example.org",
        to=("ada@example.org", "bob@example.org"),
    )
    tell(live, OperatorSettings(mail=mail))


if __name__ == "__main__":
    home, run, given_port, Mortal.point = sys.argv[1:]
    tell_people(Mortal(Store(Path(home)).open(run)), int(given_port))

"""Process 1: imports the frameworks once, then trains one order after another."""

from __future__ import annotations

import gc
import importlib
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from pushtrain.stack import roomy
from pushtrain.worker import environment, fingerprint, orders, processes, warmth
from pushtrain.worker.adaptation import Adaptation
from pushtrain.worker.events import Events
from pushtrain.worker.leftovers import Meddled
from pushtrain.worker.orders import Configuration, Inbox, Places
from pushtrain.worker.trial import Trial
from pushtrain.worker.values import text

_IN_A_CONTAINER = "/pushtrain", "/tmp"  # noqa: S108
_SHARED = Path("/dev/shm"), Path("/dev/mqueue")  # noqa: S108
_POLL = 0.02
"""Seconds between two looks into the inbox."""
_IMPORT_FAILED, _MEDDLED = 70, 71
_MOST_VERSIONS = 1000


@roomy
def main(arguments: Sequence[str]) -> int:
    """Runs a worker to its end; gives its exit code.

    Args:
        arguments: nothing in a container; elsewhere its root, and what stands for /tmp.
    """
    root, tmp = map(Path, arguments or _IN_A_CONTAINER)
    places = Places(root, tmp, () if arguments else _SHARED)
    events = Events(_take_output())
    processes.take_charge()
    configuration = orders.configuration(places)
    environment.set_up(places, configuration)
    began = time.monotonic()
    adaptation = _imported(places, configuration, events)
    if adaptation is None:
        return _IMPORT_FAILED
    _calm()
    events.say(
        "ready",
        seconds=round(time.monotonic() - began, 3),
        python=platform.python_version(),
        versions=_versions(),
        data={name: fingerprint.of(Path(name)) for name in configuration.data},
    )
    return _serve(places, configuration, events, adaptation)


def _serve(
    places: Places, configuration: Configuration, events: Events, adaptation: Adaptation
) -> int:
    inbox = Inbox(places)
    while True:
        if processes.request(_POLL) == processes.END:
            return 0
        for _ in processes.reap():
            pass  # nothing is waited for: whatever ended here has no trial any more
        found = inbox.next()
        if found is not None:
            order, changed = found
            trial = Trial(places, configuration, events, adaptation, order, changed=changed)
            try:
                if trial.run():
                    return 0
            except Meddled as error:
                print(error, file=sys.stderr)
                return _MEDDLED


def _take_output() -> int:
    """Takes standard output for the events alone; what else is printed goes to standard error."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return descriptor


def _imported(places: Places, configuration: Configuration, events: Events) -> Adaptation | None:
    """The adapters, once all frameworks are imported; None when one cannot be."""
    # An import makes many objects and hardly any garbage, in which a collector finds nothing.
    gc.disable()
    for module in configuration.preload:
        try:
            importlib.import_module(module)
        except BaseException as error:
            events.say(
                "import_failed",
                module=module,
                type=type(error).__name__,
                message=text(error)[:8000],
                traceback=traceback.format_exc()[-16000:],
            )
            return None
    warmth.warm(places.source)
    adaptation = Adaptation(configuration.adapters)
    adaptation.prepare()
    return adaptation


def _calm() -> None:
    """Takes back what imports may have set: a trial must not reach the worker by a signal."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # the children's collectors leave what they share with the worker alone
    gc.enable()
    sys.stderr.flush()


def _versions() -> dict[str, str]:
    known: dict[str, str] = {}
    for distribution in metadata.distributions():
        facts = distribution.metadata  # parsed anew at each look
        name, version = facts["Name"], facts["Version"]
        if name and version and len(known) < _MOST_VERSIONS:
            known[name[:200]] = version[:200]
    return dict(sorted(known.items()))

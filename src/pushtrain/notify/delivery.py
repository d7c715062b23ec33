"""When people are told, how often it is tried, and when it is given up; a run never fails by it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pushtrain.errors import DeliveryError, LeaseLost, PushtrainError
from pushtrain.interfaces import Notifier
from pushtrain.notify.channels import mail_notifiers, notifiers
from pushtrain.notify.compose import compose
from pushtrain.notify.outbox import Letter, Outbox, may_wait
from pushtrain.record import RunRecord
from pushtrain.settings import OperatorSettings
from pushtrain.store import LiveRun, Store
from pushtrain.telling.summary import Outcome, summarise

_log = logging.getLogger(__name__)

_WISHES = {Outcome.MET: "met", Outcome.NOT_MET: "not-met", Outcome.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a message is tried.

    Attributes:
        pauses: seconds between the tries that are made at once.
        patience: seconds after which no further one of them begins.
        later: seconds until the next command tries again, doubled with each failure ...
        longest: ... up to this.
        most_age: seconds after which a message is given up (RFC 5321, 4.5.4.1: 4 to 5 days).
    """

    pauses: tuple[float, ...] = (1.0, 4.0)
    patience: float = 60.0
    later: float = 30.0
    longest: float = 3 * 3600.0
    most_age: float = 4 * 86400.0

    def is_due(self, letter: Letter, now: float) -> bool:
        """Whether enough time has passed since the last failure."""
        if not letter.failures:
            return True
        pause = min(self.later * 2.0 ** min(letter.failures - 1, 30), self.longest)
        return not 0 <= now - letter.tried < pause


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one message on one channel; `error` is empty when it was accepted."""

    run: str
    channel: str
    error: str = ""
    hint: str = ""
    permanent: bool = False

    @property
    def is_delivered(self) -> bool:
        """Whether the channel accepted it."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, and waiting for it; tests bring their own."""

    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep


def tell(
    live: LiveRun,
    settings: OperatorSettings,
    *,
    channels: Sequence[Notifier] | None = None,
    schedule: Schedule = Schedule(),
    clock: Clock = Clock(),
) -> tuple[Receipt, ...]:
    """Tells people of a run's verdict, as the settings say; nothing happens without a verdict.

    May be called again, after a crash at any point: every channel hears of the verdict once.
    What cannot be delivered now waits in the run's outbox, and is no error.

    Args:
        live: the run; its report and patch are written already.
        settings: this machine's: who is told, and when.
        channels: in place of those of the settings.
        schedule: how often it is tried.
        clock: for tests.

    Raises:
        LeaseLost: another process drives the run now.
        DeliveryError: channels of the settings cannot be read; the others were served.
        JournalError, OSError: the message could not be made to wait.
    """
    problem: DeliveryError | None = None
    try:
        outbox = Outbox(live)
        with outbox.delivering():
            if not is_wanted(live.record, settings):
                return ()
            found = tuple(channels or ())
            if channels is None:
                found, problem = _reachable(settings)
            if found:
                message = compose(live.record, live.folder)
                outbox.queue(message, [channel.name for channel in found])
            receipts = _deliver(live, outbox, found, schedule, clock, only_due=False)
    except LeaseLost:
        live.refresh()  # raises where it is the run's lease; else whoever has the outbox's tells
        return ()
    if problem is not None:
        raise problem
    return receipts


def deliver_waiting(
    live: LiveRun,
    settings: OperatorSettings,
    *,
    only_due: bool = False,
    channels: Sequence[Notifier] | None = None,
    schedule: Schedule = Schedule(),
    clock: Clock = Clock(),
) -> tuple[Receipt, ...]:
    """Delivers what waits in a run's outbox.

    Args:
        live: the run.
        settings: this machine's.
        only_due: leaves alone what failed a short while ago, and what another process delivers.
        channels: in place of those of the settings.
        schedule: how often it is tried.
        clock: for tests.

    Raises:
        DeliveryError: the settings' channels cannot be read.
        LeaseLost: another process delivers it now.
        JournalError: the run's journal cannot be read or written.
    """
    outbox = Outbox(live)
    found = _found(settings, channels)
    with outbox.delivering(wait=not only_due) as is_ours:
        if not is_ours:
            return ()
        return _deliver(live, outbox, found, schedule, clock, only_due=only_due)


def deliver_all_waiting(
    store: Store, settings: OperatorSettings, *, clock: Clock = Clock()
) -> tuple[Receipt, ...]:
    """Tries once what waits on this machine and is due: for a command or monitor in passing.

    Costs one look per run when nothing waits, and about a minute at most when servers hang.
    Gives what came of each message that was tried. Never raises: a failure is logged.
    """
    receipts = list[Receipt]()
    once = Schedule(pauses=())
    end = clock.now() + once.patience
    for folder in filter(may_wait, store.folders()):
        if clock.now() > end:
            break
        try:
            live = LiveRun(folder)
            receipts += deliver_waiting(live, settings, only_due=True, schedule=once, clock=clock)
        except (PushtrainError, OSError, ValueError) as error:
            _log.warning("run %s: its outbox cannot be emptied: %s", folder.id, error)
            receipts.append(Receipt(folder.id, "outbox", str(error)))
    return tuple(receipts)


def is_wanted(record: RunRecord, settings: OperatorSettings) -> bool:
    """Whether people want to hear of how this run ended."""
    if record.verdict is None or record.reproduces is not None:
        return False
    on = settings.notify.on
    return "always" in on or _WISHES.get(summarise(record).outcome) in on


def _reachable(
    settings: OperatorSettings,
) -> tuple[tuple[Notifier, ...], DeliveryError | None]:
    """The channels that can be had, and why others cannot: a chat's settings stop no mail."""
    try:
        return notifiers(settings), None
    except DeliveryError as error:
        return mail_notifiers(settings), error


def _found(settings: OperatorSettings, channels: Sequence[Notifier] | None) -> tuple[Notifier, ...]:
    return notifiers(settings) if channels is None else tuple(channels)


def _deliver(
    live: LiveRun,
    outbox: Outbox,
    channels: Sequence[Notifier],
    schedule: Schedule,
    clock: Clock,
    *,
    only_due: bool,
) -> tuple[Receipt, ...]:
    """Tries everything, then after a pause what may pass now, and so on."""
    by_name = {channel.name: channel for channel in channels}
    end = clock.now() + schedule.patience
    receipts: dict[tuple[str, str], Receipt] = {}
    open_letters = [
        letter
        for letter in outbox.waiting()
        if not only_due or schedule.is_due(letter, clock.now())
    ]
    for pause in (0.0, *schedule.pauses):
        if pause:
            clock.pause(pause)
        again = []
        for letter in open_letters:
            if receipts and clock.now() > end:
                break
            outbox.check()
            if (letter.key, letter.channel) not in live.refresh().waiting:
                continue  # whoever was paused while it was delivered has woken up
            channel = by_name.get(letter.channel)
            is_last = clock.now() - letter.queued > schedule.most_age
            receipt, soon = _try(live, outbox, letter, channel, is_last=is_last)
            receipts[letter.key, letter.channel] = receipt
            if soon:
                again.append(letter)
        open_letters = again
        if not open_letters:
            break
    return tuple(receipts.values())


def _try(
    live: LiveRun, outbox: Outbox, letter: Letter, channel: Notifier | None, *, is_last: bool
) -> tuple[Receipt, bool]:
    """One try; gives what came of it, and whether another one soon may help."""
    try:
        if channel is None:
            raise DeliveryError(
                f"{letter.channel} is no longer in the settings",
                hint="put it back, or wait until the message is given up",
                soon=False,
            )
        channel.deliver(outbox.message(letter.key))
    except DeliveryError as error:
        failure = error
    except Exception as error:
        # What a stranger's code says in its errors may hold the secrets that it was given.
        failure = DeliveryError(f"{letter.channel}: unexpected {type(error).__name__}")
    else:
        outbox.sent(letter)
        return Receipt(live.id, letter.channel), False
    permanent = bool(failure.facts.get("permanent")) or is_last
    outbox.failed(letter, failure.message, permanent=permanent)
    _log.log(
        logging.ERROR if permanent else logging.WARNING,
        "run %s: %s%s",
        live.id,
        failure,
        " (given up)" if permanent else " (it waits in the outbox)",
    )
    soon = not permanent and bool(failure.facts.get("soon", True))
    return Receipt(live.id, letter.channel, failure.message, failure.hint, permanent), soon

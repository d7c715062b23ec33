"""One trial from outside: what its process prints and says, its limits, and its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pushtrain.worker import cgroup, processes
from pushtrain.worker.disk import Disk
from pushtrain.worker.events import Events
from pushtrain.worker.log import Log
from pushtrain.worker.orders import Configuration, Order
from pushtrain.worker.outcome import Ending, Outcome
from pushtrain.worker.session import MESSAGE

_F_SETPIPE_SZ = 1031
_PIPE = 1024 * 1024
_TICK = 0.05
_ROUND = 64
"""Reads before limits and signals are looked at again, however much there is to read."""


class Pipes:
    """The ways out of a child: what it prints (a pipe), and what it says (whole messages)."""

    def __init__(self) -> None:
        self.output, self.child_output = os.pipe()
        with contextlib.suppress(OSError):  # beyond the quota the default size serves as well
            fcntl.fcntl(self.output, _F_SETPIPE_SZ, _PIPE)
        os.set_blocking(self.output, False)
        self.messages, self.child_messages = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.messages.setblocking(False)

    def keep_ours(self) -> None:
        """In the worker, after the fork."""
        os.close(self.child_output)
        self.child_messages.close()

    def keep_childs(self) -> None:
        """In the child, after the fork."""
        os.close(self.output)
        self.messages.close()

    def close(self) -> None:
        """In the worker, at the end of the trial."""
        os.close(self.output)
        self.messages.close()


@dataclass
class Supervision:
    """Watches over the child of one trial until nothing of it is left.

    Attributes:
        process: the child.
        disk: what it uses of it.
    """

    process: int
    pipes: Pipes
    order: Order
    configuration: Configuration
    events: Events
    outcome: Outcome
    log: Log
    disk: Disk

    def __post_init__(self) -> None:
        self.ending = Ending()
        self.ends_worker = False
        self._started = time.monotonic()
        self._kill_at: float | None = None
        self._next_look = self._started
        self._signs: tuple[int, int] = (0, 0)
        self._lived = self._started
        self._heard = 0
        self._before = cgroup.hits()
        self._status: int | None = None

    def run(self) -> Ending:
        """Returns when the script has ended, with all that it started."""
        with selectors.DefaultSelector() as selector, self._handle() as handle:
            selector.register(self.pipes.output, selectors.EVENT_READ)
            selector.register(self.pipes.messages, selectors.EVENT_READ)
            if handle is not None:
                selector.register(handle, selectors.EVENT_READ)
            while self._status is None:
                selector.select(_TICK)
                if not self._drain_output():
                    self._forget(selector, self.pipes.output)
                if not self._drain_messages():
                    self._forget(selector, self.pipes.messages)
                self._status = dict(processes.reap()).get(self.process)
                if self._status is None:
                    self._check()
        processes.end_all()
        self._drain_to_the_end()
        self.log.close()
        self._judge()
        return self.ending

    def _check(self) -> None:
        now = time.monotonic()
        request = processes.request()
        if request is not None:
            self.ending.stopped = True
            self.ends_worker = request == processes.END
            self._end(now)
        lasted = now - self._started + self.outcome.carried
        if lasted > self.order.time_limit and self._kill_at is None:
            self.ending.timed_out = True
            self._end(now)
        if self._kill_at is not None and now >= self._kill_at:
            processes.signal_all(signal.SIGKILL)
        if now >= self._next_look:
            self._look(now)

    def _end(self, now: float) -> None:
        if self._kill_at is None:
            self._kill_at = now + self.configuration.grace
            processes.signal_all(signal.SIGTERM)
            processes.signal_all(signal.SIGCONT)

    def _look(self, now: float) -> None:
        """Says that the trial is alive, and measures its disk without spending much on it."""
        self.log.settle()
        self.disk.measure()
        took = time.monotonic() - now
        self._next_look = now + max(1.0, 20 * took)
        if self.disk.is_exceeded and not self.ending.disk_exceeded:
            self.ending.disk_exceeded = True
            self._kill_at = now
        self._look_for_life(now)
        self.events.say(
            "alive", trial=self.order.trial, memory=cgroup.memory(), disk=min(self.disk.used, 2**62)
        )

    def _look_for_life(self, now: float) -> None:
        """Ends a trial whose processes live and do nothing: they wait for what never comes."""
        signs = processes.processor_time(), self._heard
        if signs != self._signs:
            self._signs, self._lived = signs, now
        elif now - self._lived > self.configuration.stall and self._kill_at is None:
            self.ending.stalled = True
            self._end(now)

    def _drain_output(self) -> bool:
        for _ in range(_ROUND):
            try:
                data = os.read(self.pipes.output, _PIPE)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._heard += len(data)
            self.log.feed(data)
        return True

    def _drain_messages(self) -> bool:
        for _ in range(_ROUND):
            try:
                message = self.pipes.messages.recv(MESSAGE)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not message:
                return False
            self._heard += len(message)
            told = self.outcome.take(message)
            if told:
                self.events.say(told.event, trial=self.order.trial, **told.fields)
        return True

    def _drain_to_the_end(self) -> None:
        """What is still in the pipes; nobody is left who could write more."""
        for fd_is_open in (self._drain_output, self._drain_messages):
            for _ in range(_ROUND):
                if not fd_is_open():
                    break

    def _judge(self) -> None:
        status = self._status or 0
        if os.WIFSIGNALED(status):
            self.ending.signal = os.WTERMSIG(status)
        else:
            self.ending.code = os.WEXITSTATUS(status)
        # Once more at the end, so that it is no matter of luck when a look came.
        self.disk.measure()
        self.ending.disk_exceeded = self.disk.is_exceeded
        self.ending.shm_full = self.disk.memory_is_full
        hits = cgroup.hits().since(self._before)
        if not self.ending.is_clean:
            self.ending.oom_killed = hits.oom_kills > 0
            self.ending.pids_exceeded = hits.pids > 0
        elif hits.oom_kills:
            self.outcome.note("the kernel ended a process of the script: memory limit")
        elif hits.pids:
            self.outcome.note("the limit of processes was hit")

    @contextlib.contextmanager
    def _handle(self) -> Iterator[int | None]:
        """What becomes readable at once when the child ends, where the kernel can (5.3)."""
        try:
            handle = os.pidfd_open(self.process)
        except (OSError, AttributeError):
            yield None
            return
        try:
            yield handle
        finally:
            os.close(handle)

    @staticmethod
    def _forget(selector: selectors.BaseSelector, what: int | socket.socket) -> None:
        with contextlib.suppress(KeyError):
            selector.unregister(what)

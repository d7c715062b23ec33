"""A relay in front of an engine's socket, for dropping connections on purpose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Listens on a socket of its own and passes everything on to another.

    Attributes:
        is_away: whether new connections are dropped at once.
        dropped: how many were; `was_dropped` is notified of each.
    """

    def __init__(self, listener: socket.socket, target: str) -> None:
        self.is_away = False
        self.dropped = 0
        self.was_dropped = threading.Condition()
        self._listener = listener
        self._target = target
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def cut(self) -> None:
        """Drops every connection there is; new ones are welcome."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def close(self) -> None:
        """Drops every connection and refuses new ones."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def serve(self) -> None:
        """Accepts connections until it is closed."""
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_away:
                client.close()
                with self.was_dropped:
                    self.dropped += 1
                    self.was_dropped.notify_all()
                continue
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._target)
            with self._lock:
                self._open += [client, engine]
            for source, sink in ((client, engine), (engine, client)):
                threading.Thread(target=_pass, args=(source, sink), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(where: Path, target: str) -> Iterator[Relay]:
    """A relay from the socket `where` to the socket `target`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(where))
    listener.listen()
    made = Relay(listener, target)
    threading.Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()

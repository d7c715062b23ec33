"""Connections that a script tries, whether it handles their failure or not."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import sys
from collections.abc import Callable

from pushtrain.worker.session import Session
from pushtrain.worker.values import number

_ADDRESS = re.compile(r"\b(?:https?|ftp|s3|gs|git)://([^\s/'\":@]+@)?([^\s/'\":]+)(?::(\d+))?")
_DOWNLOADERS = ("wget", "curl", "git", "aria2c", "gsutil", "aws", "kaggle", "pip", "uv")
_MOST = 1000


def watch(session: Session) -> None:
    """Tells the session of every name and address outside the container from now on."""
    sys.addaudithook(_Watch(session))


class _Watch:
    """An audit hook: it sees the attempt itself, before anything comes of it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._at_home = {"", "localhost", "localhost.localdomain", socket.gethostname()}
        self._told: set[object] = set()
        self._named: set[object] = set()
        self._events: dict[str, Callable[..., None]] = {
            "socket.getaddrinfo": self._on_name,
            "socket.gethostbyname": self._on_name,
            "socket.connect": self._on_address,
            "socket.sendto": self._on_address,
            "os.system": self._on_command,
            "subprocess.Popen": self._on_program,
        }

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        listener = self._events.get(event)
        if listener:
            with contextlib.suppress(Exception):  # it would end the attempt, here of all places
                listener(*arguments)

    def _on_name(self, host: object, port: object = None, *rest: object) -> None:
        self._tell(host, port)

    def _on_address(self, source: socket.socket, address: object) -> None:
        if source.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            self._tell(address[0], address[1])

    def _on_program(self, program: object, command: object, *rest: object) -> None:
        self._on_command(command)

    def _on_command(self, command: object) -> None:
        """A program that downloads, and the address it is given."""
        words = command if isinstance(command, (list, tuple)) else [command]
        line = " ".join(_decoded(word) for word in words)
        if any(re.search(rf"(^|[\s/;&|]){program}\s", line) for program in _DOWNLOADERS):
            for _, host, port in _ADDRESS.findall(line):
                self._tell(host, port or None)

    def _tell(self, host: object, port: object) -> None:
        name = _decoded(host).lower() if host is not None else ""
        if name in self._at_home or _is_loopback(name) or len(self._told) >= _MOST:
            return
        place = self._session.frames.caller()
        wanted = number(port)
        is_number = _is_address(name)
        if is_number and (place, wanted) in self._named:
            return  # the address of a name that was resolved in the same line
        if not is_number:
            self._named.add((place, wanted))
        if (name, wanted, place) not in self._told:
            self._told.add((name, wanted, place))
            self._session.network(name, None if wanted is None else int(wanted), place)


def _decoded(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    if not _is_address(name):
        return False
    address = ipaddress.ip_address(name.partition("%")[0])
    return address.is_loopback or address.is_unspecified

"""Mail servers on loopback: a real one that can be told to refuse, and ones that misbehave."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Inbox:
    """What a server took: (recipient, bytes) each; and what it says before it takes anything.

    Attributes:
        taken: accepted mails.
        replies: for "MAIL", "RCPT" and "DATA" the replies that are given before the usual ones.
        on_data: called when a whole mail has arrived and before it is accepted.
        sessions: whether each accepted mail came encrypted, and as whom.
    """

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    replies: dict[str, list[str]] = field(default_factory=dict)
    on_data: Callable[[], None] = lambda: None
    sessions: list[tuple[bool, str | None]] = field(default_factory=list)

    def mails(self) -> list[EmailMessage]:
        """The accepted mails, parsed."""
        return [
            email.message_from_bytes(content, policy=email.policy.default)  # type: ignore[misc]
            for _, content in self.taken
        ]

    def _reply(self, verb: str) -> str | None:
        waiting = self.replies.get(verb)
        return waiting.pop(0) if waiting else None

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self._reply("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self._reply("RCPT"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.on_data()
        if reply := self._reply("DATA"):
            return reply
        assert isinstance(envelope.content, bytes)
        user = session.auth_data.login.decode() if session.auth_data else None
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        self.sessions.append((encrypted, user))
        self.taken += [(address, envelope.content) for address in envelope.rcpt_tos]
        return "250 OK"


class _Controller(Controller):
    """A controller on a port that the system chose."""

    def __init__(self, inbox: Inbox, **options: object) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        super().__init__(inbox, hostname="127.0.0.1", port=port, **options)  # type: ignore[arg-type]

    def _create_server(self) -> Awaitable[object]:  # type: ignore[override]
        return self.loop.create_server(
            self._factory_invoker, sock=self._listening, ssl=self.ssl_context
        )


@contextmanager
def mail_server(
    inbox: Inbox,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    users: dict[str, str] | None = None,
    refusal: str = "535 5.7.8 no",
) -> Iterator[int]:
    """A real SMTP server; gives its port. With `users` nobody else may send."""

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        if (users or {}).get(name) == password:
            return AuthResult(success=True, auth_data=data)
        said = refusal.format(name=name, password=password)
        return AuthResult(success=False, handled=False, message=said)

    controller = _Controller(
        inbox,
        tls_context=starttls,
        ssl_context=tls,
        require_starttls=starttls is not None,
        authenticator=authenticate if users is not None else None,
        auth_required=users is not None and starttls is not None,
        auth_require_tls=starttls is not None,
        server_hostname="localhost" if tls else None,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def misbehaving(talk: Callable[[Talk], None]) -> Iterator[int]:
    """A server that does what `talk` says with each connection, then closes it; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_connections: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            open_connections.append(connection)
            with contextlib.suppress(OSError), connection:
                talk(Talk(connection))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


class Talk:
    """One conversation, line by line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lines = connection.makefile("rb")

    def say(self, line: str) -> None:
        self.connection.sendall(f"{line}\r\n".encode())

    def hear(self) -> str:
        return self._lines.readline().decode("utf-8", "replace").strip()

    def until_data(self) -> None:
        """Agrees to everything up to the mail itself."""
        self.say("220 here")
        while (heard := self.hear()) and not heard.upper().startswith("DATA"):
            self.say("250 go on")
        self.say("354 send it")

    def mail(self) -> bytes:
        """The mail, up to its final dot."""
        lines = []
        while (line := self._lines.readline()) and line != b".\r\n":
            lines.append(line)
        return b"".join(lines)

    def wait_for_the_end(self) -> None:
        """Says nothing until the other side closes."""
        while self._lines.read(4096):
            pass

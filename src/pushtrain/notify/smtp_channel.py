"""Mail by SMTP: STARTTLS, TLS or neither, with or without a login."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pushtrain.errors import DeliveryError
from pushtrain.interfaces import Message
from pushtrain.notify.mime import address, mail
from pushtrain.notify.secrets import Secret
from pushtrain.settings import MailSettings
from pushtrain.telling.text import visible

_log = logging.getLogger(__name__)

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SILENT = "it does not answer in time"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a server may take: for one answer, and for the whole conversation."""

    answer: float = 20.0
    conversation: float = 60.0


class SmtpNotifier:
    """Mails to one recipient, so that each of them gets a message exactly once.

    Args:
        settings: the server, and the sender.
        recipient: one of `settings.to`.
        password: what to log in with, where `settings.username` is set.
        patience: how long the server may take.
    """

    def __init__(
        self,
        settings: MailSettings,
        recipient: str,
        password: Secret,
        patience: Patience = Patience(),
    ) -> None:
        self.name = f"mail to {_bare(recipient)}"
        self._settings = settings
        self._recipient = recipient
        self._password = password
        self._patience = patience

    def deliver(self, message: Message) -> None:
        """Hands the mail over; returns when the server has taken responsibility for it.

        Raises:
            DeliveryError: it did not. A connection that breaks after the last byte and before
                the server's answer leaves open whether it did: the next try carries the same
                Message-ID.
        """
        settings = self._settings
        made = mail(message, settings.sender, settings.to)
        to = address(self._recipient).addr_spec
        password = self._password.read() if settings.username else ""
        try:
            with self._conversation() as server:
                self._log_in(server, password)
                server.send_message(made, address(settings.sender).addr_spec, [to])
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._told(error, password) from None

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """A greeted and, where asked for, encrypted connection that cannot go on for ever."""
        server = self._connected()
        # A server that sends a byte now and then never runs into the socket's own timeout.
        end = threading.Timer(self._patience.conversation, _cut, [server])
        end.daemon = True
        end.start()
        try:
            if self._settings.security == "starttls":
                server.starttls(context=self._tls())
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # the message is accepted, whatever comes of this
        finally:
            end.cancel()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        host, port = settings.host or "", settings.port or _PORTS[settings.security]
        # Not the machine's name, which may be private, and whose look-up may take long.
        name = "[127.0.0.1]" if host in _LOOPBACK else address(settings.sender).domain
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                host, port, name, timeout=self._patience.answer, context=self._tls()
            )
        return smtplib.SMTP(host, port, name, timeout=self._patience.answer)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _log_in(self, server: smtplib.SMTP, password: str) -> None:
        if not self._settings.username:
            return
        if self._settings.security == "none" and self._settings.host not in _LOOPBACK:
            raise DeliveryError(
                f"{self._settings.host}: a password is not sent without encryption",
                hint="set [mail] security to starttls or tls",
                soon=False,
            )
        server.login(self._settings.username, password)

    def _told(self, error: Exception, password: str) -> DeliveryError:
        where = f"{self._settings.host}:{self._settings.port or _PORTS[self._settings.security]}"
        reason = self._password.hide(_reason(error), password, self._settings.username or "")
        refused = _code(error) >= 500 and isinstance(
            error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError
        )
        return DeliveryError(
            f"{where} did not take the mail to {self._recipient}: {reason}",
            hint=_hint(error),
            permanent=refused,
            soon=not refused and _is_passing(error),
        )


def _bare(recipient: str) -> str:
    """The address alone, so that another spelling of the name is the same channel."""
    try:
        return address(recipient).addr_spec
    except DeliveryError:
        return visible(recipient, 100)


def _cut(server: smtplib.SMTP) -> None:
    connection = server.sock
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _code(error: Exception) -> int:
    """The server's reply code, 0 where there is none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), 0)
    code = getattr(error, "smtp_code", 0)
    return code if isinstance(code, int) else 0


def _is_passing(error: Exception) -> bool:
    """Whether trying again in a moment may help: not where somebody must mend a setting."""
    if isinstance(
        error, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError | FileNotFoundError
    ):
        return False
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return not isinstance(error, ValueError) and _code(error) < 500


def _reason(error: Exception) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            replies = (f"{code} {_text(text)}" for code, text in error.recipients.values())
            return ", ".join(replies)
        case smtplib.SMTPResponseException():
            return f"{error.smtp_code} {_text(error.smtp_error)}"
        case TimeoutError():
            return _SILENT
        case smtplib.SMTPServerDisconnected() if "timed out" in str(error):
            return _SILENT
        case _:
            return str(error) or type(error).__name__


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _hint(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return "check [mail] username and password_file or PUSHTRAIN_SMTP_PASSWORD"
        case ssl.SSLCertVerificationError():
            return "name the authority's certificate in [mail] ca_file"
        case smtplib.SMTPNotSupportedError():
            return "check [mail] security and username against what the server offers"
        case socket.gaierror() | ConnectionRefusedError():
            return "check [mail] host and port"
        case smtplib.SMTPRecipientsRefused() if _code(error) >= 500:
            return "check [mail] to"
        case _:
            return "`pushtrain notify` tries again; `pushtrain notify --test` tries the settings"

"""Mail to real SMTP servers on loopback: friendly, encrypted, refusing, hanging, breaking off."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from pushtrain.events import MessageFailed
from pushtrain.interfaces import Notifier
from pushtrain.journal import Journal
from pushtrain.notify import Receipt, deliver_waiting, tell
from pushtrain.notify.delivery import Clock, Schedule
from pushtrain.notify.secrets import Secret
from pushtrain.notify.smtp_channel import Patience, SmtpNotifier
from pushtrain.settings import MailSettings, OperatorSettings
from pushtrain.store import LiveRun
from support.mailservers import Inbox, Talk, mail_server, misbehaving
from support.records import PATCH
from support.runs import finished

PASSWORD = "correct horse battery staple"
SETTINGS = OperatorSettings()


@dataclass
class Waits:
    """A clock that only notes how long it was asked to wait."""

    time: float = 1_760_000_100.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.pause)


def channel(port: int, recipient: str = "ada@example.org", **changes: object) -> SmtpNotifier:
    patience = changes.pop("patience", Patience(answer=10.0, conversation=30.0))
    assert isinstance(patience, Patience)
    given = {
        "host": "localhost",
        "port": port,
        "security": "none",
        "sender": "Pushtrain <pushtrain@example.org>",
        "to": ("Ada <ada@example.org>", "bob@example.org"),
        **changes,
    }
    secret = Secret("SMTP", None, "[mail] password_file", {"SMTP": PASSWORD}.get)
    return SmtpNotifier(MailSettings.model_validate(given), recipient, secret, patience)


def told(live: LiveRun, *channels: Notifier, waits: Waits | None = None) -> tuple[Receipt, ...]:
    return tell(live, SETTINGS, channels=channels, clock=(waits or Waits()).clock)


def failures(live: LiveRun) -> list[MessageFailed]:
    events = [entry.event for entry in Journal(live.folder.journal).read()]
    return [event for event in events if isinstance(event, MessageFailed)]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA) -> Iterator[str]:
    with authority.cert_pem.tempfile() as path:
        yield path


@pytest.fixture
def live(tmp_path: Path) -> LiveRun:
    return finished(tmp_path)


def test_a_verdict_arrives_with_text_html_plots_and_patch(live: LiveRun) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        assert [r.error for r in told(live, channel(port))] == [""]
    (mail,) = inbox.mails()
    assert mail["Subject"] == "met: digits-cnn@1a2b3c4 accuracy 0.9822 (target ≥ 0.97)"
    assert mail["To"] == "Ada <ada@example.org>, bob@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.timestamp() == pytest.approx(live.record.started + 41.7, abs=1)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and "accuracy 0.9822, target ≥ 0.97" in text.get_content()
    assert html is not None and "Target met" in html.get_content()
    (patch,) = mail.iter_attachments()
    assert patch.get_content().encode() == PATCH
    shown = {part["Content-ID"].strip("<>") for part in mail.walk() if part["Content-ID"]}
    assert len(shown) == 2
    assert all(f'src="cid:{content_id}"' in html.get_content() for content_id in shown)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_and_logged_in(
    security: str, live: LiveRun, certificate: ssl.SSLContext, ca_file: str
) -> None:
    inbox = Inbox()
    contexts = {security: certificate}
    with mail_server(inbox, users={"ada": PASSWORD}, **contexts) as port:
        made = channel(port, security=security, ca_file=ca_file, username="ada")
        assert [r.error for r in told(live, made)] == [""]
    assert inbox.sessions == [(True, "ada")]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_unknown_certificate_is_refused_and_nothing_is_said(
    security: str, live: LiveRun, certificate: ssl.SSLContext
) -> None:
    inbox, waits = Inbox(), Waits()
    contexts = {security: certificate}
    with mail_server(inbox, users={"ada": PASSWORD}, **contexts) as port:
        made = channel(port, security=security, username="ada")
        (receipt,) = told(live, made, waits=waits)
    assert "certificate" in receipt.error and "ca_file" in receipt.hint
    assert not receipt.permanent and not waits.pauses  # somebody has to mend a setting first
    assert inbox.taken == []


def test_a_certificate_of_another_host_is_refused(live: LiveRun, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with authority.cert_pem.tempfile() as path, mail_server(Inbox(), starttls=context) as port:
        (receipt,) = told(live, channel(port, security="starttls", ca_file=path))
    assert "elsewhere.example" in receipt.error or "Hostname mismatch" in receipt.error


def test_a_server_without_starttls_gets_nothing_in_the_clear(live: LiveRun) -> None:
    heard: list[str] = []

    def talk(talk: Talk) -> None:
        talk.say("220 here")
        heard.append(talk.hear())
        talk.say("250 plain.example")
        while line := talk.hear():
            heard.append(line)
            talk.say("250 fine")

    with misbehaving(talk) as port:
        (receipt,) = told(live, channel(port, security="starttls", username="ada"))
    assert "STARTTLS" in receipt.error
    assert not any(line.startswith(("AUTH", "MAIL")) for line in heard)


def test_a_password_is_not_sent_in_the_clear_to_another_host(live: LiveRun) -> None:
    inbox = Inbox()
    with mail_server(inbox, users={"ada": PASSWORD}) as port:
        (receipt,) = told(live, channel(port, host="127.1", security="none", username="ada"))
    assert "not sent without encryption" in receipt.error
    assert inbox.taken == []


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "MAIL"])
def test_a_busy_server_is_tried_again_after_a_pause(verb: str, live: LiveRun) -> None:
    inbox, waits = Inbox(replies={verb: ["450 4.2.0 later", "451 4.3.0 later"]}), Waits()
    with mail_server(inbox) as port:
        (receipt,) = told(live, channel(port), waits=waits)
    assert receipt.is_delivered
    assert waits.pauses == [1.0, 4.0]
    assert len(inbox.taken) == 1
    assert [event.permanent for event in failures(live)] == [False, False]


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_a_refusal_for_good_is_not_repeated(verb: str, live: LiveRun) -> None:
    inbox, waits = Inbox(replies={verb: ["550 5.1.1 no such user"]}), Waits()
    with mail_server(inbox) as port:
        (receipt,) = told(live, channel(port), waits=waits)
        assert receipt.permanent and "550 5.1.1 no such user" in receipt.error
        assert deliver_waiting(live, SETTINGS, channels=[channel(port)]) == ()
    assert inbox.taken == [] and not waits.pauses
    assert not live.record.waiting


def test_one_refused_recipient_does_not_cost_the_other_one(live: LiveRun) -> None:
    inbox = Inbox(replies={"RCPT": ["550 5.1.1 no such user"]})
    with mail_server(inbox) as port:
        first, second = told(live, channel(port), channel(port, "bob@example.org"))
    assert first.permanent and second.is_delivered
    assert [address for address, _ in inbox.taken] == ["bob@example.org"]


def test_a_wrong_password_waits_for_somebody_to_mend_it(
    live: LiveRun, certificate: ssl.SSLContext, ca_file: str
) -> None:
    inbox, waits = Inbox(), Waits()
    given = {"security": "starttls", "ca_file": ca_file, "username": "ada"}
    with mail_server(inbox, starttls=certificate, users={"ada": "another one"}) as port:
        (receipt,) = told(live, channel(port, **given), waits=waits)
    assert not receipt.permanent and "PUSHTRAIN_SMTP_PASSWORD" in receipt.hint
    assert not waits.pauses
    with mail_server(inbox, starttls=certificate, users={"ada": PASSWORD}) as port:
        (receipt,) = deliver_waiting(live, SETTINGS, channels=[channel(port, **given)])
    assert receipt.is_delivered and len(inbox.taken) == 1


def test_a_server_that_repeats_the_password_does_not_spread_it(
    live: LiveRun, certificate: ssl.SSLContext, ca_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoded = base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode()
    refusal = f"535 5.7.8 no {{name}}: {{password}} {encoded}"
    with mail_server(Inbox(), starttls=certificate, users={}, refusal=refusal) as port:
        made = channel(port, security="starttls", ca_file=ca_file, username="ada")
        (receipt,) = told(live, made)
    assert "535" in receipt.error
    ours = [r.getMessage() for r in caplog.records if r.name != "mail.log"]  # that is the server
    everything = [receipt.error, receipt.hint, repr(made), *ours]
    everything += [
        p.read_text(errors="replace") for p in live.folder.path.rglob("*") if p.is_file()
    ]
    for text in everything:
        assert PASSWORD not in text
        assert encoded not in text


def test_nobody_listens(live: LiveRun) -> None:
    waits = Waits()
    with mail_server(Inbox()) as port:
        pass
    (receipt,) = told(live, channel(port), waits=waits)
    assert not receipt.permanent and "[mail] host and port" in receipt.hint
    assert live.record.waiting


def test_a_server_that_never_answers(live: LiveRun) -> None:
    patience = Patience(answer=0.1, conversation=30.0)
    with misbehaving(Talk.wait_for_the_end) as port:
        (receipt,) = told(live, channel(port, patience=patience))
    assert "does not answer in time" in receipt.error
    assert len(failures(live)) == 3 and live.record.waiting


def test_a_server_that_keeps_the_conversation_going_for_ever(live: LiveRun) -> None:
    def talk(talk: Talk) -> None:
        talk.say("220 here")
        while talk.hear():
            while True:  # a reply that never ends
                talk.say("250-more")

    patience = Patience(answer=10.0, conversation=0.2)
    with misbehaving(talk) as port:
        (receipt,) = tell(
            live,
            SETTINGS,
            channels=[channel(port, patience=patience)],
            schedule=Schedule(pauses=()),
        )
    assert not receipt.is_delivered and live.record.waiting


def test_a_connection_that_breaks_half_way_through_the_mail(live: LiveRun) -> None:
    def talk(talk: Talk) -> None:
        talk.until_data()
        talk.connection.recv(1_000)

    inbox = Inbox()
    with misbehaving(talk) as port:
        (receipt,) = told(live, channel(port))
    assert not receipt.is_delivered and not receipt.permanent
    with mail_server(inbox) as port:
        (receipt,) = deliver_waiting(live, SETTINGS, channels=[channel(port)])
    assert receipt.is_delivered and len(inbox.taken) == 1


def test_taken_without_an_answer_comes_again_as_the_same_mail(live: LiveRun) -> None:
    taken: list[bytes] = []

    def talk(talk: Talk) -> None:
        talk.until_data()
        taken.append(talk.mail())

    inbox = Inbox()
    with misbehaving(talk) as port:
        told(live, channel(port))
    with mail_server(inbox) as port:
        deliver_waiting(live, SETTINGS, channels=[channel(port)])
    assert len(taken) == 3
    assert {mail.replace(b"\r\n..", b"\r\n.") for mail in taken} == {inbox.taken[0][1]}


def test_a_dying_server_after_acceptance_is_no_failure(live: LiveRun) -> None:
    def talk(talk: Talk) -> None:
        talk.until_data()
        talk.mail()
        talk.say("250 taken")

    with misbehaving(talk) as port:
        (receipt,) = told(live, channel(port))
    assert receipt.is_delivered


@pytest.mark.parametrize("to", ["nobody", "a b@example.org", "ada@example.org\nBcc: x@y.example"])
def test_an_address_that_is_none_names_the_setting(to: str, live: LiveRun) -> None:
    (receipt,) = told(live, channel(1, to, to=(to,)))
    assert "no mail address" in receipt.error and "[mail]" in receipt.hint

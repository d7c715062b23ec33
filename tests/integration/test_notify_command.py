"""`pushtrain notify`, as somebody calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.errors import DeliveryError
from pushtrain.events import RunStarted
from pushtrain.interfaces import Message
from pushtrain.notify import tell
from pushtrain.notify.delivery import Schedule
from pushtrain.notify.mime import address
from pushtrain.settings import MailSettings, OperatorSettings
from pushtrain.store import LiveRun
from support import records
from support.mailservers import Inbox, mail_server
from support.runs import finished

RECIPIENT = "ada@example.org"


class Away:
    """A mail server that is not there."""

    name = f"mail to {RECIPIENT}"

    def deliver(self, message: Message) -> None:
        raise DeliveryError("away")


def call(home: Path, *arguments: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PUSHTRAIN_")}
    environment["PUSHTRAIN_HOME"] = str(home)
    if port is not None:
        environment |= {
            "PUSHTRAIN_SMTP_HOST": "localhost",
            "PUSHTRAIN_SMTP_PORT": str(port),
            "PUSHTRAIN_SMTP_SECURITY": "none",
            "PUSHTRAIN_SMTP_TO": RECIPIENT,
        }
    return subprocess.run(
        [sys.executable, "-m", "pushtrain", "notify", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def waiting(tmp_path: Path) -> LiveRun:
    """A run whose mail server was away."""
    live = finished(tmp_path)
    settings = OperatorSettings(mail=MailSettings(host="localhost", to=(RECIPIENT,)))
    tell(live, settings, channels=[Away()], schedule=Schedule(pauses=()))
    return live


def test_what_waits_is_delivered_once(waiting: LiveRun, tmp_path: Path) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        done = call(tmp_path, "--json", port=port)
        again = call(tmp_path, waiting.id[:4], port=port)
    assert done.returncode == 0, done.stderr
    (receipt,) = map(json.loads, done.stdout.splitlines())
    assert (receipt["delivered"], receipt["run"]) == (True, waiting.id)
    assert (again.returncode, again.stdout) == (0, "no message waits\n")
    (mail,) = inbox.mails()
    assert mail["Subject"].startswith("met: digits-cnn@1a2b3c4")


def test_what_still_cannot_be_delivered_is_told(waiting: LiveRun, tmp_path: Path) -> None:
    with mail_server(Inbox(replies={"RCPT": ["550 5.1.1 no such user"]})) as port:
        done = call(tmp_path, port=port)
    assert done.returncode == 1
    assert "550 5.1.1 no such user" in done.stdout and "next: check [mail] to" in done.stdout


def test_a_verdict_whose_driver_died_before_it_told_anybody_is_told(tmp_path: Path) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port:
        first = call(tmp_path, port=port)
        second = call(tmp_path, port=port)
    assert (first.returncode, second.stdout) == (0, "no message waits\n")
    (mail,) = inbox.mails()
    assert live.id in mail["Message-ID"]


def test_a_run_that_is_still_driven_is_left_to_its_driver(tmp_path: Path) -> None:
    inbox, live = Inbox(), finished(tmp_path)
    with mail_server(inbox) as port, live.folder.driving():
        call(tmp_path, port=port)
    assert inbox.taken == []


def test_nobody_is_told_of_a_reproduction(tmp_path: Path) -> None:
    inbox = Inbox()
    begun, *rest = records.events()
    assert isinstance(begun, RunStarted)
    finished(tmp_path, (replace(begun, reproduces="7f3c"), *rest))
    with mail_server(inbox) as port:
        assert call(tmp_path, port=port).stdout == "no message waits\n"
    assert inbox.taken == []


def test_a_test_message_goes_through_every_channel(tmp_path: Path) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        done = call(tmp_path, "--test", port=port)
    assert (done.returncode, done.stdout) == (0, f"accepted mail to {RECIPIENT}\n")
    (mail,) = inbox.mails()
    assert mail["Subject"] == "test: pushtrain can reach you"
    assert mail["To"] == str(address(RECIPIENT))


def test_without_a_channel_the_settings_are_named(tmp_path: Path) -> None:
    done = call(tmp_path, "--test")
    assert done.returncode == 2
    assert "[mail]" in done.stderr and "apprise_file" in done.stderr

"""The message about a verdict, and the mail it becomes."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Objective, Push, RunState
from pushtrain.errors import DeliveryError
from pushtrain.interfaces import Message
from pushtrain.notify.compose import compose, event_key, subject
from pushtrain.notify.mime import address, mail
from pushtrain.record import RunRecord
from pushtrain.store import RunFolder
from pushtrain.telling.summary import summarise
from support import records
from support.runs import finished

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)
ROOM = ("ada@example.org", "Bob <bob@example.org>")


def parsed(message: Message) -> EmailMessage:
    content = mail(message, "Pushtrain <pushtrain@example.org>", ROOM).as_bytes()
    made = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    return made


def composed(record: RunRecord, folder: Path = Path("/nonexistent")) -> Message:
    return compose(record, RunFolder(record.id, folder))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (records.run(), "met: digits-cnn@1a2b3c4 accuracy 0.9822 (target ≥ 0.97)"),
        (
            records.run([records.trial(0, 0.7)], state=RunState.SPENT),
            "not met: digits-cnn@1a2b3c4 accuracy 0.7 (target ≥ 0.97)",
        ),
        (
            records.run([records.failed(0)], state=RunState.SPENT),
            "not met: digits-cnn@1a2b3c4 accuracy not measured (target ≥ 0.97)",
        ),
        (
            records.run([], state=RunState.FAILED, error={"message": "no Docker Engine"}),
            "failed: digits-cnn@1a2b3c4 no Docker Engine",
        ),
        (
            records.run([], state=RunState.SUPERSEDED),
            "superseded: digits-cnn@1a2b3c4 accuracy not measured (target ≥ 0.97)",
        ),
    ],
)
def test_the_subject_is_the_verdict(record: RunRecord, line: str) -> None:
    assert subject(summarise(record)) == line


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_no_name_adds_a_header_or_a_part(
    repository: str, branch: str, commit: str, metric: str
) -> None:
    record = replace(
        records.run([records.trial(0, 0.9)], state=RunState.SPENT),
        push=Push(f"https://h.example/{repository}", commit, branch),
        objective=Objective(metric, 0.97),
    )
    made = parsed(composed(record))
    usual = "Subject From To Date Message-ID Auto-Submitted MIME-Version Content-Type"
    assert sorted(made.keys()) == sorted(usual.split())
    assert made["To"] == "ada@example.org, Bob <bob@example.org>"
    kinds = [part.get_content_type() for part in made.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0", "\x85", "\u2028", "\v", "\f"])
def test_line_breaks_of_every_kind_stay_inside_the_subject(break_: str) -> None:
    push = Push(f"https://h.example/x{break_}y.git", break_, break_)
    objective = Objective(f"x{break_}Bcc: all@h.example", 0.97)
    made = parsed(composed(replace(records.run(), push=push, objective=objective)))
    assert made["Bcc"] is None
    assert "Bcc: all@h.example" in made["Subject"]


def test_strangers_cannot_write_into_the_html() -> None:
    evil = "<script>alert(1)</script><img src=x>"
    record = records.run([records.failed(0, message=evil)], state=RunState.FAILED, warnings=(evil,))
    html = composed(record).html
    assert "<script" not in html and "<img src=x" not in html
    assert evil in composed(record).text


def test_the_text_alone_tells_everything(tmp_path: Path) -> None:
    live = finished(tmp_path)
    text = compose(live.record, live.folder).text
    for part in (
        "accuracy 0.9822, target ≥ 0.97",
        "LEARNING_RATE: 0.0008 -> 0.0042  (train.py:10)",
        f"pushtrain patch {live.id} | git apply",
        str(live.folder.report),
        "https://git.example.org/team/digits-cnn.git",
    ):
        assert part in text
    assert "\n\n\n" not in text and not text.startswith("\n")


def test_credentials_in_an_address_do_not_leave() -> None:
    push = Push("https://ada:s3cret@git.example.org/a.git", "ab" * 20)
    warning = "git fetch https://ada:s3cret@git.example.org/a.git failed"
    message = composed(replace(records.run(warnings=(warning,)), push=push))
    assert "s3cret" not in message.text + message.html + message.subject


def test_the_same_run_gives_the_same_mail_to_the_last_byte(tmp_path: Path) -> None:
    live = finished(tmp_path)
    made = [
        mail(compose(live.record, live.folder), "p@example.org", ROOM).as_bytes() for _ in range(2)
    ]
    assert made[0] == made[1]


def test_a_message_id_is_a_function_of_run_and_event() -> None:
    record = records.run()
    assert event_key(record) == event_key(records.run())
    others = (
        replace(record, id="0f0f0f0f"),
        replace(record, started=record.started + 1),
        replace(record, push=Push("/elsewhere", records.PUSH.commit)),
    )
    keys = {event_key(other) for other in (record, *others)} | {event_key(record, "deployed")}
    assert len(keys) == 5


def test_a_patch_is_attached_byte_for_byte(tmp_path: Path) -> None:
    live = finished(tmp_path)
    patch = b"--- a/x.py\r\n+++ b/x.py\n-a\xff\n+b\n.\n\nFrom here\n" + b"x" * 2_000
    live.folder.patch.write_bytes(patch)
    (part,) = parsed(compose(live.record, live.folder)).iter_attachments()
    assert part.get_payload(decode=True) == patch
    assert (part.get_content_type(), part.get_filename()) == ("text/x-patch", f"{live.id}.patch")


def test_a_patch_that_no_mailbox_would_take_is_named_instead(tmp_path: Path) -> None:
    live = finished(tmp_path)
    live.folder.patch.write_bytes(b"x" * 3_000_000)
    message = compose(live.record, live.folder)
    assert not message.attachments
    assert "(attached)" not in message.text and "pushtrain patch" in message.text


def test_every_picture_is_shown_and_every_shown_one_is_there(tmp_path: Path) -> None:
    live = finished(tmp_path)
    message = compose(live.record, live.folder)
    assert len(message.images) == 2
    assert message.html.count("src=") == message.html.count('src="cid:') == 2
    for content_id in message.images:
        assert f'src="cid:{content_id}" width="380" height="320"' in message.html


@pytest.mark.parametrize("state", [state for state in RunState if state.is_finished])
def test_every_verdict_can_be_told(state: RunState) -> None:
    message = composed(records.run([], state=state))
    assert message.subject and message.text and not message.images


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("ada@example.org", "ada@example.org"),
        ('"Lovelace, Ada" <ada@example.org>', '"Lovelace, Ada" <ada@example.org>'),
        ("Ada <ada@exämple.org>", "Ada <ada@xn--exmple-cua.org>"),
    ],
)
def test_addresses(text: str, spelled: str) -> None:
    assert str(address(text)) == spelled


@given(ANYTHING)
def test_what_is_no_address_is_said_to_be_none(text: str) -> None:
    try:
        made = address(text)
    except DeliveryError:
        return
    assert "\n" not in str(made) and "\r" not in str(made)

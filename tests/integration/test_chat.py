"""A chat service behind an Apprise URL: a real HTTP server on loopback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pushtrain.notify import notifiers, tell
from pushtrain.notify.apprise_channel import AppriseNotifier
from pushtrain.notify.delivery import Schedule
from pushtrain.settings import NotifySettings, OperatorSettings
from support.runs import finished

TOKEN = "xoxb-s3cret-t0ken"
ONCE = Schedule(pauses=())


@dataclass
class Chat:
    """What a chat service got, and what it answers."""

    answer: int = 200
    got: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    silent: threading.Event | None = None
    """Set when it may answer at last."""


@contextmanager
def served(chat: Chat) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if chat.silent is not None:
                chat.silent.wait(60)
            chat.got.append((self.path, json.loads(content)))
            self.send_response(chat.answer)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        if chat.silent is not None:
            chat.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_verdict_arrives_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSHTRAIN_APPRISE_URLS", raising=False)
    chat, urls = Chat(), tmp_path / "urls"
    with served(chat) as port:
        urls.write_text(f"# the team's room\njson://ada:{TOKEN}@127.0.0.1:{port}/room\n")
        settings = OperatorSettings(notify=NotifySettings(apprise_file=str(urls)))
        (receipt,) = tell(finished(tmp_path / "home"), settings)
    assert receipt.is_delivered and receipt.channel == "json 1"
    ((path, body),) = chat.got
    assert path == "/room"
    assert body["title"].startswith("met: digits-cnn@1a2b3c4 accuracy 0.9822")
    assert "LEARNING_RATE: 0.0008 -> 0.0042" in body["message"]


def test_a_url_is_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chat, live = Chat(answer=403), finished(tmp_path)
    with served(chat) as port:
        url = f"json://ada:{TOKEN}@127.0.0.1:{port}/services/{TOKEN}"
        channel = AppriseNotifier("json 1", url)
        (receipt,) = tell(live, OperatorSettings(), channels=[channel], schedule=ONCE)
    assert chat.got and receipt.error == "json 1: it did not accept the message (HTTP 403)"
    texts = [caplog.text, receipt.error, receipt.hint, repr(channel)]
    texts += [p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(TOKEN in text for text in texts)


def test_a_service_that_never_answers_is_left(tmp_path: Path) -> None:
    chat, live = Chat(silent=threading.Event()), finished(tmp_path)
    with served(chat) as port:
        channel = AppriseNotifier("json 1", f"json://127.0.0.1:{port}/?rto=600", timeout=5)
        (receipt,) = tell(live, OperatorSettings(), channels=[channel], schedule=ONCE)
    assert "does not answer in time" in receipt.error
    assert live.record.waiting == {(next(iter(live.record.waiting))[0], "json 1")}


def test_a_url_that_apprise_does_not_know(tmp_path: Path) -> None:
    channel = AppriseNotifier("nosuch 1", f"nosuch://{TOKEN}")
    (receipt,) = tell(finished(tmp_path), OperatorSettings(), channels=[channel], schedule=ONCE)
    assert receipt.error == "nosuch 1: its URL is none that Apprise knows"


def test_a_pushed_repository_cannot_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apprise", "json", "pushtrain"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    chat = Chat()
    with served(chat) as port:
        channel = AppriseNotifier("json 1", f"json://127.0.0.1:{port}/")
        (receipt,) = tell(finished(tmp_path / "home"), OperatorSettings(), channels=[channel])
    assert receipt.is_delivered


def test_urls_from_the_environment_win_and_are_numbered_within_their_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHTRAIN_APPRISE_URLS", "json://h/1 xml://h/1\njson://h/2 json://h/1")
    settings = OperatorSettings(notify=NotifySettings(apprise_file=str(tmp_path / "none")))
    assert [channel.name for channel in notifiers(settings)] == ["json 1", "xml 1", "json 2"]

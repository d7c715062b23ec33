"""A Jenkins on loopback that answers as a real one was recorded, and nothing else."""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

DATA = Path(__file__).parents[1] / "data" / "jenkins"
USER, TOKEN, PASSWORD = "admin", "an-api-token", "a-password"
NOTIFY_TOKEN = "a-notify-token"

_RECORDED_ADDRESS = "http://127.0.0.1:8080"
_VALUES = {
    "CRUMB": "a-crumb",
    "JSESSIONID": "a-session",
    "ID": "node",
    "NOTIFYCOMMIT_TOKEN": NOTIFY_TOKEN,
}
_NOT_OURS = {"content-encoding", "content-length", "transfer-encoding", "connection"}


class Fault(StrEnum):
    """What can be wrong with a server."""

    SLOW = "slow"
    """It takes a request and says nothing until it is let go."""
    HALF = "half"
    """It breaks off in the middle of an answer."""
    HTML = "html"
    """Something else answers, with a page."""
    RESET = "reset"
    """It takes a request and closes the connection."""
    STARTING = "starting"
    """It is getting ready: 503."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request and its answer."""

    number: int
    scenario: str
    method: str
    path: str
    caller: str
    status: int
    headers: dict[str, str]
    body: str
    posted: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came in."""

    method: str
    path: str
    body: str
    caller: str


@cache
def recordings() -> tuple[Exchange, ...]:
    """Everything that was recorded, in its order."""
    with (DATA / "recordings.jsonl").open(encoding="utf-8") as file:
        return tuple(_exchange(json.loads(line)) for line in file)


def _exchange(raw: dict[str, dict[str, object]]) -> Exchange:
    request, response = raw["request"], raw["response"]
    headers = {str(k).lower(): str(v) for k, v in dict(request["headers"]).items()}
    return Exchange(
        number=int(str(raw["seq"])),
        scenario=str(raw["scenario"]),
        method=str(request["method"]),
        path=_path(_filled(str(request["path"]))),
        caller=_caller(
            str(request["method"]),
            headers.get("authorization", ""),
            _filled(headers.get("jenkins-crumb", "")),
            _filled(headers.get("cookie", "")),
        ),
        status=int(str(response["status"])),
        headers={str(k): str(v) for k, v in dict(response["headers"]).items()},
        body=str(response["body"] or ""),
        posted=str(request["body"] or ""),
    )


def _path(path: str) -> str:
    """A path as it is compared: decoded, and without the depth that is the default."""
    return unquote(path).removesuffix("?depth=0")


def _filled(text: str) -> str:
    return re.sub(r"\{\{([A-Z_]+)\}\}", lambda m: _VALUES.get(m[1], m[0]), text)


def _caller(
    method: str,
    authorization: str,
    crumb: str,
    cookie: str,
    valid: str = _VALUES["CRUMB"],
    session: str = _VALUES["JSESSIONID"],
) -> str:
    """Who asks, as far as it makes a difference: a token needs no crumb, a password does,
    to change something."""
    if "BASIC_ADMIN_TOKEN" in authorization or authorization == _basic(TOKEN):
        return "token"
    if "BASIC_ADMIN_PASSWORD" in authorization or authorization == _basic(PASSWORD):
        held = "valid" if crumb == valid else "invalid" if crumb else "no"
        if method == "GET":
            return "password"
        has_session = f"={session};" in f"{cookie};"
        return f"password, {held} crumb, {'a' if has_session else 'no'} session"
    return "stranger" if authorization else "anonymous"


def _basic(secret: str) -> str:
    return f"Basic {base64.b64encode(f'{USER}:{secret}'.encode()).decode()}"


@dataclass
class Replay:
    """The server's state; tests set and read it.

    Attributes:
        url: its address, context path included.
        fault: what is wrong with it now.
        crumb, session: the ones that are valid now.
        alias: turns the path of a request into one that was recorded.
        rewrite: puts into a recorded answer what has been posted since.
        requests: what came in.
        taken: what of it was carried out, whether or not the answer arrived.
        refused: what no recording covers; the fixture fails the test that causes it.
        let_go: set to end what a `Fault.SLOW` server makes wait.
    """

    url: str = ""
    prefix: str = ""
    fault: Fault | None = None
    crumb: str = _VALUES["CRUMB"]
    session: str = _VALUES["JSESSIONID"]
    alias: Callable[[str], str] = field(default=lambda path: path)
    rewrite: Callable[[Request, str], str] = field(default=lambda _request, body: body)
    requests: list[Request] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    _next: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _from: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, number: int) -> None:
        """Goes to a recording: what is asked from now on is answered as it was after it."""
        with self._lock:
            self._from = number
            self._next.clear()

    def restart(self) -> None:
        """Forgets its sessions, as Jenkins does when it is restarted."""
        self.crumb, self.session = f"{self.crumb}-new", f"new-{self.session}"

    def answer(self, request: Request) -> Exchange | None:
        """The recorded answer to a request: each one in its turn, the last one for good."""
        path = self.alias(request.path)
        key = (request.method, path, request.caller)
        with self._lock:
            self.requests.append(request)
            known = [e for e in recordings() if (e.method, e.path, e.caller) == key]
            if not known:
                self.refused.append(f"{request.method} {request.path} by {request.caller}")
                return None
            later = [e for e in known if e.number >= self._next.get(key, self._from)]
            found = later[0] if later else known[-1]
            self._next[key] = found.number + 1
            if found.status < 400:
                self.taken.append(request)
            return found

    def posts(self, ending: str) -> list[Request]:
        """The POSTs to paths that end like this."""
        return [r for r in self.requests if r.method == "POST" and r.path.endswith(ending)]


@contextmanager
def replay(
    prefix: str = "", port: int = 0, tls: ssl.SSLContext | None = None, state: Replay | None = None
) -> Iterator[Replay]:
    """A running replay server; `state` goes on with that of one that was stopped."""
    state = state or Replay()
    state.prefix = prefix

    class Handler(_Handler):
        replay = state

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    state.url = f"{scheme}://127.0.0.1:{server.server_address[1]}{prefix}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    replay: Replay
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        caller = _caller(
            self.command,
            self.headers.get("Authorization", ""),
            self.headers.get("Jenkins-Crumb", ""),
            self.headers.get("Cookie", ""),
            self.replay.crumb,
            self.replay.session,
        )
        path = _path(self.path.removeprefix(self.replay.prefix))
        request = Request(self.command, path, body, caller)
        with suppress(ConnectionError):
            self._answer(request)

    def _answer(self, request: Request) -> None:
        fault = self.replay.fault
        if fault is Fault.RESET:
            self.replay.requests.append(request)
            self.close_connection = True
            return
        if fault is Fault.STARTING:
            self._send(503, {"Content-Type": "text/html"}, "<title>Starting Jenkins</title>")
            return
        if fault is Fault.HTML:
            self._send(200, {"Content-Type": "text/html"}, "<html>Welcome to nginx!</html>")
            return
        found = self.replay.answer(request)
        if fault is Fault.SLOW:
            self.replay.let_go.wait(60)
            self.close_connection = True
            return
        if found is None:
            self._send(501, {}, f"no recording covers {request.method} {request.path}")
            return
        headers = {
            name: self._filled(value)
            for name, value in found.headers.items()
            if name.lower() not in _NOT_OURS
        }
        body = self.replay.rewrite(request, self._filled(found.body))
        self._send(found.status, headers, body, half=fault is Fault.HALF)

    def _filled(self, text: str) -> str:
        text = text.replace("{{CRUMB}}", self.replay.crumb)
        text = text.replace("{{JSESSIONID}}", self.replay.session)
        return _filled(text).replace(_RECORDED_ADDRESS, self.replay.url)

    def _send(self, status: int, headers: dict[str, str], body: str, *, half: bool = False) -> None:
        content = body.encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content) + (64 if half else 0)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self.close_connection = True

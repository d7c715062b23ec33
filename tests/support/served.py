"""A directory behind a loopback web server that sends what a build server sends."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
"""The Content-Security-Policy that Jenkins sends with archived files."""


@contextmanager
def served(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves `directory`; gives its address, and the list of what is asked for and not there."""
    missing: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            super().end_headers()

        def send_error(self, code: int, *rest: object) -> None:  # type: ignore[override]
            missing.append(f"{code} {self.path}")
            super().send_error(code)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(directory))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", missing
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

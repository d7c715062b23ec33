"""What a script tries to reach is told, whether or not it handles the failure."""

from __future__ import annotations

import pytest

from support.workers import WorkerProcess

HOST = "data.invalid"
"""No name server knows it (RFC 2606)."""


def reached(worker: WorkerProcess, script: str) -> list[tuple[str, int | None, str | None]]:
    outcome = worker.train(script).outcome
    return [
        (one.host, one.port, f"{one.file}:{one.line}" if one.file else None)
        for one in outcome.network
    ]


@pytest.mark.parametrize(
    ("script", "port"),
    [
        (f"import urllib.request\nurllib.request.urlopen('https://{HOST}/x')", 443),
        (f"import socket\nsocket.getaddrinfo('{HOST}', 80)", 80),
        (f"import socket\nsocket.create_connection(('{HOST}', 21), timeout=1)", 21),
        (f"import socket\nsocket.gethostbyname('{HOST}')", None),
        (f"import os\nos.system('wget -q -T 1 -t 1 http://{HOST}:8080/data.zip')", 8080),
        (f"import subprocess\nsubprocess.run(['curl', 'https://{HOST}/x'])", None),
    ],
)
def test_an_attempt_is_told_with_its_line(
    worker: WorkerProcess, script: str, port: int | None
) -> None:
    found = reached(worker, script)

    assert found == [(HOST, port, "train.py:2")]


def test_an_attempt_whose_failure_is_swallowed_is_told(worker: WorkerProcess) -> None:
    worker.put({"lib/loading.py": f"import socket\ndef get():\n    socket.gethostbyname('{HOST}')"})

    found = reached(
        worker,
        """
        from lib.loading import get
        for attempt in range(3):
            try:
                get()
            except Exception:
                pass
        """,
    )

    assert found == [(HOST, None, "lib/loading.py:3")]


def test_an_address_is_told(worker: WorkerProcess) -> None:
    found = reached(
        worker,
        """
        import socket
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("192.0.2.1", 53))
        """,
    )

    assert found == [("192.0.2.1", 53, "train.py:4")]


def test_what_stays_on_the_machine_does_not_count(worker: WorkerProcess) -> None:
    found = reached(
        worker,
        """
        import socket, threading
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("localhost", port)).close()
        socket.getaddrinfo(None, port)
        socket.getaddrinfo(socket.gethostname(), None)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("here")
            s.listen()
            with socket.socket(socket.AF_UNIX) as t:
                t.connect("here")
        import subprocess
        subprocess.run(["echo", "see https://example.com/ for more"])
        """,
    )

    assert found == []

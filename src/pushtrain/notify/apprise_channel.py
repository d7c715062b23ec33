"""Chat services through Apprise, in a process of its own.

Apprise and the clients below it write whole URLs, tokens included, to their debug logs, and a
service that never answers can hold them: in another process both end where we say. Started by
`python -m`, this module is that process; it alone imports Apprise, and says no more than whether
the service accepted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from pushtrain.errors import DeliveryError
from pushtrain.interfaces import Message
from pushtrain.notify.secrets import Secret

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_TIMEOUT = 45.0
"""Seconds for one delivery, the start of the process included."""
_UNUSABLE = "unusable"
_MOST = 200


class AppriseNotifier:
    """One chat service.

    Args:
        name: what the journal calls it; says nothing of the URL but its scheme.
        url: an Apprise URL, a secret.
        timeout: seconds for one delivery.
    """

    def __init__(self, name: str, url: str, timeout: float = _TIMEOUT) -> None:
        self.name = name
        self._url = url
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"AppriseNotifier({self.name})"

    def deliver(self, message: Message) -> None:
        """Hands the text over; returns when the service has accepted it.

        Raises:
            DeliveryError: it did not.
        """
        order = {"url": self._url, "title": message.subject, "body": message.text}
        try:
            # -P: a pushed repository in the working directory must not stand in for a module.
            done = subprocess.run(
                [sys.executable, "-P", "-m", "pushtrain.notify.apprise_channel"],
                input=json.dumps(order).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed("it does not answer in time") from None
        except OSError as error:
            raise self._failed(f"it cannot be tried: {error.strerror}") from None
        said = done.stdout[:_MOST].decode("utf-8", "replace").strip()
        if said == _UNUSABLE:
            raise self._failed("its URL is none that Apprise knows", soon=False)
        if said != "accepted":
            # Which codes Apprise knows differs from service to service: none is called permanent.
            codes = re.findall(r"\d{3}", said)
            answers = f" (HTTP {', '.join(codes)})" if codes else ""
            raise self._failed(f"it did not accept the message{answers}")

    def _failed(self, reason: str, *, soon: bool = True) -> DeliveryError:
        return DeliveryError(
            Secret.hide(f"{self.name}: {reason}", self._url),
            hint="check its URL with `pushtrain notify --test`; https://appriseit.com lists them",
            soon=soon,
        )


def scheme(url: str) -> str:
    """The service that a URL is for ("slack"), "chat" where it has none."""
    found = _SCHEME.match(url)
    return found[0].lower() if found else "chat"


def _main() -> None:
    """Reads an order from standard input, delivers it, and prints one word about it."""
    import logging  # noqa: PLC0415  the process of its own
    import tempfile  # noqa: PLC0415

    import apprise  # noqa: PLC0415  takes long, and belongs here alone

    order = json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: PTH123, SIM115
    codes: list[str] = []

    class _Codes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            codes.extend(re.findall(r"error=(\d{3})", record.getMessage()))

    logging.getLogger("apprise").addHandler(_Codes())
    with tempfile.TemporaryDirectory() as scratch:
        asset = apprise.AppriseAsset(app_id="pushtrain", storage_path=scratch)
        service = apprise.Apprise(asset=asset)
        if not service.add(order["url"]):
            answer.write(_UNUSABLE)
            return
        accepted = service.notify(
            title=order["title"], body=order["body"], body_format=apprise.NotifyFormat.TEXT
        )
    answer.write("accepted" if accepted else f"refused {' '.join(codes)}")


if __name__ == "__main__":
    _main()

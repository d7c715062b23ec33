"""A message that only tries the channels."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence

from pushtrain.errors import DeliveryError
from pushtrain.interfaces import Message, Notifier
from pushtrain.notify.delivery import Receipt


def try_channels(channels: Sequence[Notifier]) -> Iterator[Receipt]:
    """Sends a test message through each channel, once, and says what came of each."""
    message = _message()
    for channel in channels:
        try:
            channel.deliver(message)
        except DeliveryError as error:
            permanent = bool(error.facts.get("permanent"))
            yield Receipt("", channel.name, error.message, error.hint, permanent)
        else:
            yield Receipt("", channel.name)


def _message() -> Message:
    text = "This is a test. When a run has its verdict, the message comes this way.\n"
    return Message(
        key=f"test.{secrets.token_hex(12)}",
        subject="test: pushtrain can reach you",
        text=text,
        html=f'<!DOCTYPE html>\n<html lang="en"><body><p>{text.strip()}</p></body></html>\n',
        time=time.time(),
    )

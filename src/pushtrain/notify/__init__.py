"""Telling people of verdicts: composed once, kept in the run's outbox, delivered exactly once."""

from pushtrain.notify.channels import notifiers
from pushtrain.notify.delivery import Receipt, deliver_all_waiting, deliver_waiting, tell
from pushtrain.notify.probe import try_channels

__all__ = [
    "Receipt",
    "deliver_all_waiting",
    "deliver_waiting",
    "notifiers",
    "tell",
    "try_channels",
]

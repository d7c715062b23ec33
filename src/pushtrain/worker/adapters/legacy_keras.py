"""Lets Keras code of 2016-2020 run on Keras 3 where its meaning is clear."""

from __future__ import annotations


def install() -> None:
    """Makes the old import paths work."""


def patch() -> None:
    """Makes old names of arguments work; Keras has been imported."""

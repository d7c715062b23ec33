"""Runs on disk, as a driver leaves them just before people are told."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from pushtrain.events import Event
from pushtrain.store import LiveRun, Store
from support import records


def finished(home: Path, told: tuple[Event, ...] | None = None, **changes: object) -> LiveRun:
    """A run with its verdict, its report's plots and its patch; arguments as `records.events`."""
    folder = Store(home).create("a test")
    live = LiveRun(folder)
    for event in told or records.events(**changes):  # type: ignore[arg-type]
        live.append(event)
    folder.report.parent.mkdir()
    folder.report.write_text("<!DOCTYPE html><title>a report</title>")
    for name in ("trials-narrow-light", "curves-light", "trials-dark"):
        (folder.report.parent / f"{name}.png").write_bytes(png(760, 640))
    folder.patch.write_bytes(records.PATCH)
    return live


def png(width: int, height: int) -> bytes:
    """The smallest picture of a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(
            ">I", zlib.crc32(kind + content)
        )  # fmt: skip

    rows = zlib.compress((b"\0" + b"\0" * ((width + 7) // 8)) * height)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

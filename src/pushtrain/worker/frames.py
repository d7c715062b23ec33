"""Which frames of a stack are the user's own code, and where in it something happened."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple


class Place(NamedTuple):
    """A line of the user's code; `file` is relative to the source."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Frames:
    """Tells the files of one source tree from everybody else's."""

    def __init__(self, source: Path) -> None:
        self._prefix = str(source) + os.sep

    def caller(self) -> Place | None:
        """The innermost frame of the user's code on this thread's stack."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            file = self.relative(frame.f_code.co_filename)
            if file:
                return Place(file, frame.f_lineno)
            frame = frame.f_back
        return None

    def innermost(self, error: BaseException) -> Place | None:
        """Where in the user's code an exception comes from."""
        place = None
        trace = error.__traceback__
        while trace is not None:
            file = self.relative(trace.tb_frame.f_code.co_filename)
            if file:
                place = Place(file, trace.tb_lineno)
            trace = trace.tb_next
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            file = self.relative(error.filename)
            return Place(file, error.lineno) if file else place
        return place

    def without_ours(self, trace: TracebackType | None) -> TracebackType | None:
        """The traceback from the first frame of the user's code on, as the script would show it."""
        while trace is not None and not self.relative(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        return trace

    def relative(self, filename: str) -> str:
        """A file's path relative to the source; empty if it lies elsewhere."""
        return filename[len(self._prefix) :] if filename.startswith(self._prefix) else ""

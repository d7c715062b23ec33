"""Files that are there as a whole or not at all, whenever a process ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int = 0o644, is_durable: bool = False) -> None:
    """Puts a file in place of the one that is there; readers see the old one or the new one.

    Args:
        path: the file, in a directory that exists.
        content: all of it.
        mode: its permissions.
        is_durable: whether it is on disk, and not only in memory, when this returns.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}-", delete=False
    ) as file:
        partial = Path(file.name)
        try:
            file.write(content)
            file.flush()
            partial.chmod(mode)
            if is_durable:
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    if is_durable:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

"""Processes that outlive whoever starts them: a terminal, a build server's step, a service."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

_COOKIES = (
    "BUILD_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "HUDSON_COOKIE",
    "HUDSON_SERVER_COOKIE",
)
"""By these Jenkins knows the processes of a build, and those of an agent that a command launched,
when it ends one (ProcessTree.killAll)."""


class Detached:
    """A process that was started so, as seen by who started it.

    Args:
        end: a pipe's end to read from, whose other end that process alone has open.
    """

    def __init__(self, end: int) -> None:
        self._end = end

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not select.select([self._end], [], [], 0)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Asks no more; the process goes on."""
        os.close(self._end)


def detach(command: Sequence[str], log: Path) -> Detached:
    """Starts a command that goes on when this process and all around it end.

    It is in a session of its own, has init for its parent when this returns, and carries no mark
    of a build: Jenkins ends the processes of a step by their environment, with all descendants
    (and there is no other way out: a descendant that only denies it is ended too).

    Args:
        command: the program and its arguments.
        log: where what it says is added to.

    Raises:
        OSError: it cannot be started.
    """
    end, held = os.pipe()
    try:
        with log.open("ab") as said:
            subprocess.run(
                ("setsid", "--fork", *command),
                check=True,
                cwd="/",
                env={name: text for name, text in os.environ.items() if name not in _COOKIES},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(held,),
            )
    except subprocess.CalledProcessError as error:
        os.close(end)
        raise OSError(f"setsid failed ({error.returncode}); see {log}") from error
    except BaseException:
        os.close(end)
        raise
    finally:
        os.close(held)
    return Detached(end)

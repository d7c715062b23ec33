"""Process 1 of a training container: becomes `/pushtrain/lib/__main__.py`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Starts the worker in an interpreter whose hashes are the same in every container.

    The order of a set of strings depends on PYTHONHASHSEED, which an interpreter reads only at
    its start, and which `-I` ignores: hence one `exec`, which keeps the process number.
    """
    if sys.flags.ignore_environment or os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-s", "-B", "-u", *sys.argv])  # noqa: S606

    from pushtrain.worker.loop import main as loop

    return loop(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

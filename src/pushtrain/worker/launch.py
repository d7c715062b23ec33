"""Process 1 of a training container, as `/pushtrain/lib/__main__.py`."""

from __future__ import annotations

import sys

from pushtrain.worker.loop import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

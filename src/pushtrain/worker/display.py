"""A container has no screen: figures are drawn and not shown, and nothing waits for a key."""

from __future__ import annotations

import sys
from typing import Any

from pushtrain.worker.imports import ImportHook

_DRAWN = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}
"""The backends of matplotlib that need no screen."""


def do_without(imports: ImportHook) -> None:
    """Lets scripts that were written for a desk run without one."""
    imports.follow("matplotlib", _keep_drawing)
    imports.follow("cv2", _open_no_windows)


def _keep_drawing(name: str) -> None:
    """`matplotlib.use("TkAgg")` would fail at the first figure, which Agg draws as well."""
    matplotlib = sys.modules[name]
    use = matplotlib.use

    def use_what_draws(backend: str, *arguments: Any, **options: Any) -> None:
        if backend.lower() in _DRAWN or backend.startswith("module://"):
            use(backend, *arguments, **options)

    matplotlib.use = use_what_draws  # type: ignore[attr-defined]


def _open_no_windows(name: str) -> None:
    cv2: Any = sys.modules[name]
    for function in ("imshow", "namedWindow", "destroyWindow", "destroyAllWindows"):
        setattr(cv2, function, _nothing)
    for function in ("waitKey", "waitKeyEx", "pollKey"):
        setattr(cv2, function, _no_key)


def _nothing(*_: Any, **__: Any) -> None:
    """Instead of a window."""


def _no_key(*_: Any, **__: Any) -> int:
    """What waiting for a key gives when its time is over."""
    return -1

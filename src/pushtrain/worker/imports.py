"""Hears of imports: calls back right after a module of interest has been imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Callback = Callable[[str], None]


class ImportHook:
    """A finder that lets the others find, and follows what they found until it is executed."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[Callback]] = {}

    def install(self) -> None:
        """Hears of all imports from now on."""
        sys.meta_path.insert(0, self)

    def follow(self, module: str, callback: Callback) -> None:
        """Calls back with the module's name after its import, at once if that is past."""
        if module in sys.modules:
            callback(module)
        else:
            self._wanted.setdefault(module, []).append(callback)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders after this one say; see `importlib.abc.MetaPathFinder`."""
        if name not in self._wanted:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                self._attach(name, spec.loader)
                return spec
        return None

    def _attach(self, name: str, loader: Any) -> None:
        """The loader itself stays in place: resources and readers are asked from it later."""
        if isinstance(loader, type) or not hasattr(loader, "exec_module"):
            return
        execute = loader.exec_module

        def execute_and_tell(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            for callback in self._wanted.pop(name, []):
                callback(name)

        loader.exec_module = execute_and_tell

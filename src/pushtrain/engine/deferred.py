"""Modules that are imported when something of them is used."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def defer(module: str) -> None:
    """Lets `import module` give a stand-in from now on, where it has not been imported yet.

    Half of what the Docker SDK takes to be imported is for a transport that few use.
    """
    sys.modules.setdefault(module, _Deferred(module))


class _Deferred(ModuleType):
    """What stands in for a module; whatever is asked of it, the module itself answers."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)

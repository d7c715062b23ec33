"""The adapters at work: each follows its framework, and none of them can fail the script."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from pushtrain.worker import seeds
from pushtrain.worker.imports import ImportHook
from pushtrain.worker.session import Session

_PACKAGE = "pushtrain.worker.adapters"
_LEGACY = "legacy_"
"""Begins the name of an adapter that brings back a framework's old import paths."""


class Adaptation:
    """The adapters of a worker, imported once; a child lets them follow its script."""

    def __init__(self, names: Sequence[str]) -> None:
        self._notes: list[str] = []
        self._adapters: list[ModuleType] = []
        for name in names:
            with self._forgiven(name):
                self._adapters.append(importlib.import_module(f"{_PACKAGE}.{name}"))
        self._installed: list[ModuleType] = []

    def prepare(self) -> None:
        """In process 1, after the frameworks' import: what takes time and serves every trial."""
        for adapter in self._adapters:
            if hasattr(adapter, "prepare") and self._concerns_what_is_imported(adapter):
                with self._forgiven(_name(adapter)):
                    adapter.prepare()

    def begin(self, session: Session, imports: ImportHook) -> None:
        """In the child: lets each adapter in, now or when its framework is imported."""
        for note in self._notes:
            session.note(note)
        self._notes.clear()
        for adapter in self._adapters:
            if _name(adapter).startswith(_LEGACY):
                self._bring_back(adapter, session)
                continue
            for module in getattr(adapter, "MODULES", ()):
                imports.follow(module, functools.partial(self._let_in, adapter, session))

    def finish(self, session: Session) -> None:
        """In the child, after the script's end, however it ended."""
        for adapter in self._installed:
            if hasattr(adapter, "finish"):
                with self._forgiven(_name(adapter), session):
                    adapter.finish(session)

    def _let_in(self, adapter: ModuleType, session: Session, _: str) -> None:
        if adapter in self._installed:
            return
        self._installed.append(adapter)
        with self._forgiven(_name(adapter), session), seeds.unmoved():
            adapter.install(session)
            if hasattr(adapter, "seed"):
                adapter.seed(session, session.order.seed)

    def _bring_back(self, adapter: ModuleType, session: Session) -> None:
        framework = _name(adapter)[len(_LEGACY) :]
        with self._forgiven(_name(adapter), session):
            if framework in sys.modules or importlib.util.find_spec(framework):
                adapter.install()

    def _concerns_what_is_imported(self, adapter: ModuleType) -> bool:
        if _name(adapter).startswith(_LEGACY):
            return True
        return any(module in sys.modules for module in getattr(adapter, "MODULES", ()))

    @contextlib.contextmanager
    def _forgiven(self, name: str, session: Session | None = None) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            note = f"adapter {name}: {type(error).__name__}: {error}"
            if session:
                session.note(note)
            else:
                self._notes.append(note)


def _name(adapter: ModuleType) -> str:
    return adapter.__name__.rpartition(".")[2]

"""Which distributions from PyPI a program needs: by its imports, and by calls that need more."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pushtrain.code import Binding, Module, Program
from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Use
from pushtrain.entities import Evidence

_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_ENDINGS = frozenset({"exit", "quit", "_exit"})
_IMPORTERS = frozenset({"importlib.import_module", "builtins.__import__"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What a program needs of PyPI.

    Attributes:
        distributions: distribution -> where the need shows.
        warnings: imports that could not be placed.
    """

    distributions: dict[str, Evidence]
    warnings: tuple[str, ...] = ()


def needs(facts: Facts) -> Needs:
    """The distributions that code that can run needs, the framework's own backend aside."""
    tables = data.load("distributions.toml")
    found: dict[str, Evidence] = {}
    missing: dict[str, None] = {}
    for name, evidence in _imports(facts):
        top = name.partition(".")[0]
        if is_own(top):
            missing.setdefault(top)
        else:
            found.setdefault(distribution(name), evidence)
    for use in facts.uses:
        for need in tables["needs"]:
            if _calls_for(facts, use, need):
                for needed in need["distributions"]:
                    found.setdefault(needed, use.evidence(f"{needed}: {use.names[0]}"))
    warnings = tuple(f"module {name} is imported but not in the tree" for name in missing)
    return Needs(found, warnings)


def distribution(name: str) -> str:
    """The distribution that brings the module `name`; an unknown one is called as its module."""
    known: dict[str, str] = data.load("distributions.toml")["distributions"]
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        found = known.get(".".join(parts[:length]))
        if found is not None:
            return found
    return parts[0]


def is_own(top: str) -> bool:
    """Whether an unknown module is surely the project's own, by the words in its name.

    Installing what happens to have that name on PyPI would be worse than a clear ImportError.
    """
    tables = data.load("distributions.toml")
    words = [word.strip("0123456789") for word in top.lower().split("_")]
    if top in tables["distributions"] or words[0] in tables["own"]["packages"]:
        return False
    return not set(tables["own"]["words"]).isdisjoint(words)


def _imports(facts: Facts) -> Iterator[tuple[str, Evidence]]:
    """Every import of another package that must succeed, with its place."""
    built_in = sys.stdlib_module_names | set(data.load("distributions.toml")["built_in"]["names"])
    for name, binding in facts.imports:
        module, top = binding.home.module, name.partition(".")[0]
        if top in {"", *built_in} or _is_optional(binding):
            continue
        if not _is_local(facts.program, module, name):
            line = getattr(binding.node, "lineno", 1)
            yield name, Evidence(module.path, line, f"imports {top}")
    for use, _ in facts.calls(_IMPORTERS.__contains__):
        given = use.call.argument("name", 0)
        called = getattr(given.node, "value", None) if given else None
        if (
            isinstance(called, str)
            and called.partition(".")[0] not in {"", *built_in}
            and not _is_local(facts.program, use.call.module, called)
        ):
            yield called, use.evidence(f"imports {called}")


def _is_local(program: Program, module: Module, name: str) -> bool:
    top = name.partition(".")[0]
    return program.find(top, module) is not None or any(
        program.files.is_directory(f"{base}/{top}") for base in program.paths
    )


def _is_optional(binding: Binding) -> bool:
    """Whether the program goes on without the import: guarded, with something in its place.

    Of `try: import a` / `except ImportError: import b` the first counts.
    """
    guard = binding.guard
    if guard is None or not any(_catches(handler) for handler in guard.handlers):
        return False
    line = getattr(binding.node, "lineno", 0)
    if guard.body[0].lineno <= line <= (guard.body[-1].end_lineno or 0):
        return not any(_gives_up(h) or _imports_instead(h) for h in guard.handlers)
    return True


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in _GUARDS for name in names)


def _imports_instead(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(handler))


def _gives_up(handler: ast.ExceptHandler) -> bool:
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            if (name or getattr(function, "id", "")) in _ENDINGS:
                return True
    return False


def _calls_for(facts: Facts, use: Use, need: dict[str, list[str]]) -> bool:
    fits = data.matcher(need["api"])
    if not any(fits(name) for name in use.names):
        return False
    if "keyword" in need and not any(
        keyword.arg in need["keyword"] for keyword in use.call.node.keywords
    ):
        return False
    if "with" not in need:
        return True
    given = use.call.argument("filepath", 0)
    texts = (
        [getattr(literal.node, "value", None) for literal in facts.program.literals(given)]
        if given
        else []
    )
    return any(isinstance(text, str) and text.endswith(tuple(need["with"])) for text in texts)

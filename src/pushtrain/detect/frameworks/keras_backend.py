"""What Keras runs on: told by the environment variable, Keras' own file, or the imports."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator

from pushtrain.code import Expr, Module
from pushtrain.detect import data
from pushtrain.detect.facts import Facts
from pushtrain.entities import Evidence
from pushtrain.errors import SourceError

_VARIABLE = "KERAS_BACKEND"
_FILES = (".keras/keras.json", "keras.json")

_Backend = tuple[str, tuple[Evidence, ...], tuple[str, ...]]


def backend(facts: Facts) -> _Backend:
    """The backend, its evidence, and warnings.

    tf.keras runs on TensorFlow only. For Keras itself KERAS_BACKEND decides, then `keras.json`,
    then TensorFlow, Keras' own default.
    """
    tensorflow = _import_of(facts, "tensorflow.keras", "tensorflow.python.keras", "tf_keras")
    given = None if tensorflow else next(_assigned(facts), None) or _configured(facts)
    if given is not None:
        name, evidence = given
        known = data.load("frameworks/keras.toml")["backends"]["names"].get(name)
        if known is None:
            return (
                "tensorflow",
                (evidence,),
                (f"unknown Keras backend {name!r}: TensorFlow instead",),
            )
        warnings = () if known == name else (f"Keras 3 has no backend {name}: TensorFlow instead",)
        return known, (evidence,), warnings
    place = tensorflow or _import_of(facts, "tensorflow", "keras")
    return "tensorflow", (place,) if place else (), ()


def _assigned(facts: Facts) -> Iterator[tuple[str, Evidence]]:
    """`os.environ["KERAS_BACKEND"] = "jax"`, its setdefault, and `keras.config.set_backend`."""
    for use, _ in facts.calls(lambda name: name in {"keras.config.set_backend"}):
        for literal in _strings(facts, use.call.argument("backend", 0)):
            yield literal, use.evidence(f"backend {literal}")
    for module in facts.program.modules:
        if module.scope is None or _VARIABLE not in module.file.text:
            continue
        for node, value in _settings(module):
            for literal in _strings(facts, Expr(module.scope, value)):
                evidence = Evidence(module.path, node.lineno, f"backend {literal}: {_VARIABLE}")
                yield literal, evidence


def _settings(module: Module) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr]]:
    for node in ast.walk(module.file.tree) if module.file.tree else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            if _is_variable(node.targets[0].slice):
                yield node, node.value
        elif isinstance(node, ast.Call) and len(node.args) == 2 and _is_variable(node.args[0]):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in {"setdefault", "putenv"}:
                yield node, node.args[1]


def _is_variable(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == _VARIABLE


def _strings(facts: Facts, expr: Expr | None) -> list[str]:
    literals = facts.program.literals(expr) if expr is not None else ()
    nodes = [literal.node for literal in literals]
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _configured(facts: Facts) -> tuple[str, Evidence] | None:
    for path in _FILES:
        if not facts.program.files.is_file(path):
            continue
        try:
            name = json.loads(facts.program.files.read(path).text)["backend"]
        except (SourceError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(name, str):
            return name, Evidence(path, 1, f"backend {name}")
    return None


def _import_of(facts: Facts, *packages: str) -> Evidence | None:
    """The first import of one of `packages`, or of something in it."""
    for name, binding in facts.imports:
        if name in packages or name.startswith(tuple(f"{package}." for package in packages)):
            line = getattr(binding.node, "lineno", 1)
            return Evidence(binding.home.module.path, line, f"backend tensorflow: imports {name}")
    return None

"""A script and the local modules that it imports, as one program."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pushtrain.code.evaluate import Evaluator
from pushtrain.code.files import Files
from pushtrain.code.reach import reached
from pushtrain.code.scopes import BindingKind, Call, Expr, Module, Scope
from pushtrain.code.values import External, Literal, Value
from pushtrain.code.walk import build
from pushtrain.errors import SourceError

_MOST_MODULES = 200
_DECLARING = frozenset(
    {"add_argument", "DEFINE_float", "DEFINE_integer", "DEFINE_string", "DEFINE_bool", "option"}
)


class Program:
    """An entry script with the local modules that it imports, directly or not.

    Attributes:
        files: the tree that it stands in.
        entry: the script that runs.
        modules: the entry first, then the local modules in the order of their import.
        paths: the directories (relative to the root) that imports are looked up in.
    """

    def __init__(self, files: Files, entry: str) -> None:
        """Reads the program; use `read` unless the files are at hand.

        Raises:
            SourceError: the entry is not a readable file of the tree.
        """
        self.files = files
        self._modules: dict[str, Module] = {}
        self._missing: set[tuple[str, str]] = set()
        self._found: dict[tuple[str, str], Module] = {}
        self.paths = [str(PurePosixPath(entry).parent), ".", "src"]
        self.entry = self._add(entry, "__main__", is_entry=True)
        self._follow()
        self._calls: dict[str, list[Call]] | None = None
        self._evaluator = Evaluator(self)

    @classmethod
    def read(cls, root: Path, entry: str) -> Program:
        """Reads the script at `entry` (POSIX path below `root`) and what it imports of the tree.

        Raises:
            SourceError: the entry is not a readable file of the tree.
        """
        return cls(Files(root), entry)

    @property
    def modules(self) -> tuple[Module, ...]:
        """The entry first, then the local modules in the order of their import."""
        return tuple(self._modules.values())

    def scopes(self) -> Iterator[Scope]:
        """All scopes of all modules, outer ones first."""
        for module in self._modules.values():
            if module.scope is not None:
                yield from module.scope.everything()

    def calls(self) -> Iterator[Call]:
        """All calls in the program, module by module; those behind `if False` left out."""
        for scope in self.scopes():
            for node in scope.calls:
                yield Call(scope, node)

    def reached(self) -> frozenset[Scope]:
        """The scopes whose code can run when the entry script does."""
        return reached(self)

    # --- following -----------------------------------------------------------------------------

    def values(self, expr: Expr) -> tuple[Value, ...]:
        """Everything that `expr` may stand for; empty when nothing is known."""
        return self._evaluator.values(expr)

    def names(self, expr: Expr) -> tuple[str, ...]:
        """The canonical dotted names of the external things that `expr` may stand for."""
        return tuple(v.name for v in self.values(expr) if isinstance(v, External))

    def resolve(self, expr: Expr) -> str | None:
        """The canonical dotted name of the one external thing that `expr` stands for."""
        names = self.names(expr)
        return names[0] if len(names) == 1 else None

    def literals(self, expr: Expr) -> tuple[Expr, ...]:
        """The literals that `expr` can reach: itself, constants, defaults, callers' arguments."""
        return tuple(v.expr for v in self.values(expr) if isinstance(v, Literal))

    def items(self, container: Expr) -> Iterator[Expr]:
        """The items of a literal container, with those that are appended to it later."""
        return self._evaluator.items(container)

    def bases(self, scope: Scope) -> tuple[Value, ...]:
        """What a local class inherits from directly."""
        return self._evaluator.bases(scope)

    # --- what the evaluator asks ---------------------------------------------------------------

    def find(self, target: str, origin: Module) -> Module | None:
        """The local module called `target`, as `origin` would import it."""
        key = (origin.path if target.startswith(".") else "", target)
        return self._found.get(key)

    def calls_named(self, name: str) -> Iterable[Call]:
        """The calls of anything whose last name is `name`."""
        if self._calls is None:
            self._calls = defaultdict(list)
            for call in self.calls():
                self._calls[call.method].append(call)
        return self._calls.get(name, ())

    def arguments(self, attribute: str) -> Iterator[Expr]:
        """The defaults of the command line argument that is read as `args.<attribute>`."""
        for method in sorted(_DECLARING):
            for call in self.calls_named(method):
                if attribute in _destinations(call):
                    position = 1 if method.startswith("DEFINE") else None
                    default = call.argument("default", position)
                    if default is not None:
                        yield default

    # --- reading -------------------------------------------------------------------------------

    def _add(self, path: str, name: str, *, is_entry: bool = False) -> Module:
        known = self._modules.get(path)
        if known is None:
            file = self.files.read(path)
            is_package = PurePosixPath(path).name == "__init__.py"
            known = self._modules[path] = Module(file, name, is_package, is_entry)
            build(known)
        return known

    def _follow(self) -> None:
        """Adds the local modules that the modules import, until there are no more."""
        waiting = [self.entry]
        seen = {self.entry.path}
        while waiting:
            module = waiting.pop(0)
            if module.scope is None:
                continue
            if module.is_entry:
                self.paths += _path_changes(module.scope, self.paths[0])
            for target in _targets(module.scope):
                for found in self._import(target, module):
                    if found.path not in seen:
                        seen.add(found.path)
                        waiting.append(found)

    def _import(self, target: str, origin: Module) -> Iterator[Module]:
        """The local modules that `import target` runs: every package on the way, and the last."""
        dots = len(target) - len(target.lstrip("."))
        parts = [part for part in target.split(".") if part]
        bases = self.paths
        if dots:
            base = PurePosixPath(origin.path).parent
            for _ in range(dots - 1):
                base = base.parent
            bases = [str(base)]
        for length in range(0 if dots else 1, len(parts) + 1):
            name = "." * dots + ".".join(parts[:length])
            key = (origin.path if dots else "", name)
            if key not in self._found and key not in self._missing:
                self._locate(key, bases, parts[:length], name)
            if key in self._found:
                yield self._found[key]

    def _locate(self, key: tuple[str, str], bases: list[str], parts: list[str], name: str) -> None:
        for base in dict.fromkeys(bases):
            stem = PurePosixPath(base, *parts)
            for path in (f"{stem}.py", str(stem / "__init__.py")):
                if (parts or path.endswith("__init__.py")) and self.files.is_file(path):
                    if len(self._modules) >= _MOST_MODULES:
                        return
                    try:
                        self._found[key] = self._add(path, name.lstrip("."))
                    except SourceError:
                        continue
                    return
        self._missing.add(key)


def _targets(scope: Scope) -> Iterator[str]:
    """The names of all modules that the code of a module imports, in any of its scopes."""
    for inner in scope.everything():
        for bindings in inner.bindings.values():
            for binding in bindings:
                if binding.kind is not BindingKind.IMPORT:
                    continue
                yield binding.target
                if isinstance(binding.node, ast.Import):
                    yield from (alias.name for alias in binding.node.names)


def _destinations(call: Call) -> set[str]:
    """The attributes under which an argument's value is read."""
    given = call.argument("dest")
    if given is not None and isinstance(given.node, ast.Constant):
        return {str(given.node.value)}
    texts = [
        str(node.value)
        for node in call.node.args
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    long = [text for text in texts if text.startswith("--")] or texts[:1]
    return {text.lstrip("-").replace("-", "_") for text in long[:1]}


def _path_changes(scope: Scope, directory: str) -> list[str]:
    """Directories that the entry script adds to `sys.path` by a literal."""
    found = []
    for node in scope.calls:
        if ast.unparse(node.func) in {"sys.path.append", "sys.path.insert"} and node.args:
            last = node.args[-1]
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                found.append(str(PurePosixPath(directory, last.value)))
    return [path for path in found if ".." not in PurePosixPath(path).parts]

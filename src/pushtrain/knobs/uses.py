"""Where each literal and each made object of a program is used."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from pushtrain.code import Call, Expr, Literal, Made, Module, Program, Scope

_FOLLOWED = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class Uses:
    """All expressions of the code that runs, by the literal or the call that they stand for.

    Attributes:
        program: the program.
        mentions: every name, attribute and keyword in the code that runs.
        calls: every call in it, in source order.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.mentions: set[str] = set()
        self.calls: list[Call] = []
        self._parents: dict[ast.AST, ast.AST] = {}
        self._of: dict[ast.AST, list[Expr]] = defaultdict(list)
        self._reads: dict[tuple[Module, str], list[Expr]] = defaultdict(list)
        reached = program.reached()
        for module in program.modules:
            if module.scope is not None and module.file.tree is not None:
                self._note_parents(module.file.tree)
        for scope in program.scopes():
            if scope in reached:
                self._read(scope)

    def of(self, origin: Expr) -> tuple[Expr, ...]:
        """The expressions that stand for `origin`, itself first."""
        others = (use for use in self._of.get(origin.node, ()) if use.node is not origin.node)
        return (origin, *others)

    def reads(self, module: Module, name: str) -> tuple[Expr, ...]:
        """Everywhere in a module that any variable of this name is read."""
        return tuple(self._reads.get((module, name), ()))

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The syntax node around `node`."""
        return self._parents.get(node)

    def around(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """(node, the node around it), from `node` outwards."""
        while (parent := self._parents.get(node)) is not None:
            yield node, parent
            node = parent

    def _note_parents(self, tree: ast.Module) -> None:
        waiting: list[ast.AST] = [tree]
        while waiting:
            node = waiting.pop()
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
                waiting.append(child)

    def _read(self, scope: Scope) -> None:
        waiting, running = list(reversed(_roots(scope))), set(scope.calls)
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Call) and node not in running:
                continue  # behind `if False`
            if node in scope.inner:
                waiting.extend(_outer_parts(node))
                continue
            self._mention(node)
            if isinstance(node, _FOLLOWED) and isinstance(getattr(node, "ctx", _LOAD), ast.Load):
                self._follow(Expr(scope, node))
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                self._follow(Expr(scope, node.target))  # `x *= 2` uses what `x` was
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))

    def _mention(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self.mentions.add(node.id)
        elif isinstance(node, ast.Attribute):
            self.mentions.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            self.mentions.add(node.arg)

    def _follow(self, expr: Expr) -> None:
        if isinstance(expr.node, ast.Name):
            self._reads[expr.module, expr.node.id].append(expr)
        if isinstance(expr.node, ast.Call):
            self.calls.append(Call(expr.scope, expr.node))
        for value in self.program.values(expr):
            if isinstance(value, Literal):
                self._of[value.expr.node].append(expr)
            elif isinstance(value, Made):
                self._of[value.by.node].append(expr)


_LOAD = ast.Load()


def _roots(scope: Scope) -> list[ast.AST]:
    """The syntax nodes that a scope itself runs."""
    node = scope.node
    if isinstance(node, ast.Lambda):
        return [node.body]
    body = getattr(node, "body", None)
    return list(body) if isinstance(body, list) else list(ast.iter_child_nodes(node))


def _outer_parts(node: ast.AST) -> Iterator[ast.AST]:
    """What of an inner scope's node runs in the scope around it."""
    if isinstance(node, ast.ClassDef):
        yield from (*node.decorator_list, *node.bases, *node.keywords)
    elif isinstance(node, (*_FUNCTION, ast.Lambda)):
        yield from (d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None)
        yield from getattr(node, "decorator_list", ())

"""The walk that fills a module's scopes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from pushtrain.code.scopes import Binding, BindingKind, Module, Scope

_Lines = tuple[int, int] | None
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_ENDS = frozenset({"exit", "quit", "sys.exit", "os._exit"})


def build(module: Module) -> None:
    """Gives `module` its scope, when it has a tree that is not nested too deeply."""
    tree = module.file.tree
    if tree is None:
        return
    scope = Scope(module, tree, None)
    try:
        _Walk(scope).block(tree.body)
    except RecursionError:
        return
    module.scope = scope


class _Walk:
    """Walks the code of one scope; inner scopes get walks of their own.

    Attributes:
        branch: lines of the innermost branch under way; None where the code always runs.
        loop: lines of the outermost loop under way.
        guard: the innermost `try` under way.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.branch: _Lines = None
        self.loop: _Lines = None
        self.guard: ast.Try | ast.TryStar | None = None

    # --- statements ----------------------------------------------------------------------------

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)
            if self.scope.parent is None and self.branch is None and _ends(statement):
                break  # what follows `sys.exit()` never runs

    def branching(self, body: list[ast.stmt]) -> None:
        """A block that may not run."""
        before = self.branch
        self.branch = _span(body) or before
        self.block(body)
        self.branch = before

    def statement(self, node: ast.stmt) -> None:
        _STATEMENTS.get(type(node), _Walk.plain)(self, node)

    def within(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.expression(item.context_expr)
            if item.optional_vars is not None:
                self.target(item.optional_vars, item.context_expr, node)
        self.block(node.body)

    def match(self, node: ast.Match) -> None:
        self.expression(node.subject)
        for case in node.cases:
            self.branching(case.body)

    def foreign(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.foreign.update(node.names)

    def plain(self, node: ast.stmt) -> None:
        """A statement that binds nothing (an expression, return, raise, assert, del)."""
        if isinstance(node, ast.Return) and node.value is not None:
            self.scope.returns.append(node.value)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child)

    def assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        if node.value is not None:
            self.expression(node.value)
        if isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name):
                self.bind(node.target.id, self.binding(BindingKind.OPAQUE, node))
            else:
                self.expression(node.target)
        elif node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self.target(target, node.value, node)

    def target(
        self,
        target: ast.expr,
        value: ast.expr,
        node: ast.AST,
        path: tuple[int, ...] = (),
        kind: BindingKind = BindingKind.ASSIGN,
    ) -> None:
        """Binds what stands left of `=`, behind `for` or behind `as`."""
        if isinstance(target, ast.Name):
            self.bind(target.id, self.binding(kind, node, value, path))
        elif isinstance(target, ast.Tuple | ast.List):
            for index, part in enumerate(target.elts):
                self.target(part, value, node, (*path, index), kind)
        elif isinstance(target, ast.Starred):
            self.target(target.value, value, node, path, BindingKind.OPAQUE)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            self.scope.mentions.add(target.value.id)
            self.bind_attribute(target.value.id, target.attr, self.binding(kind, node, value, path))
        else:
            self.expression(target)

    def imports(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            target = alias.name if alias.asname else name
            self.bind(name, self.binding(BindingKind.IMPORT, node, target=target))

    def imports_from(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        joint = "" if base.endswith(".") else "."
        for alias in node.names:
            target = base if alias.name == "*" else base + joint + alias.name
            binding = self.binding(BindingKind.IMPORT, node, target=target)
            self.bind(alias.asname or alias.name, binding)

    def condition(self, node: ast.If) -> None:
        truth = _truth(node.test, is_entry=self.scope.module.is_entry)
        self.expression(node.test)
        for body, known in (
            (node.body, truth),
            (node.orelse, None if truth is None else not truth),
        ):
            if known is None:
                self.branching(body)
            elif known:
                self.block(body)

    def repetition(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        if isinstance(node, ast.While):
            self.expression(node.test)
            if _truth(node.test, is_entry=True) is False:
                return
        else:
            self.expression(node.iter)
            self.target(node.target, node.iter, node.target, kind=BindingKind.ELEMENT)
        before = self.loop
        self.loop = before or (node.lineno, node.end_lineno or node.lineno)
        self.branching(node.body)
        self.loop = before
        self.block(node.orelse)

    def attempt(self, node: ast.Try | ast.TryStar) -> None:
        before, self.guard = self.guard, node
        self.branching(node.body)
        for handler in node.handlers:
            if handler.type is not None:
                self.expression(handler.type)
            if handler.name:
                self.bind(handler.name, self.binding(BindingKind.OPAQUE, handler))
            self.branching(handler.body)
        self.guard = before
        self.block(node.orelse)
        self.block(node.finalbody)

    # --- definitions ---------------------------------------------------------------------------

    def function(self, node: _Function) -> None:
        for expression in (*node.decorator_list, *_defaults(node.args)):
            self.expression(expression)
        scope = self.open(node)
        self.bind(node.name, self.binding(BindingKind.FUNCTION, node, scope=scope))
        _parameters(scope, node.args)
        _Walk(scope).block(node.body)

    def definition(self, node: ast.ClassDef) -> None:
        for expression in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.expression(expression)
        scope = self.open(node)
        self.bind(node.name, self.binding(BindingKind.CLASS, node, scope=scope))
        _Walk(scope).block(node.body)

    def open(self, node: ast.AST) -> Scope:
        scope = self.scope.inner[node] = Scope(self.scope.module, node, self.scope)
        return scope

    # --- names ---------------------------------------------------------------------------------

    def binding(
        self,
        kind: BindingKind,
        node: ast.AST,
        value: ast.expr | None = None,
        path: tuple[int, ...] = (),
        *,
        target: str = "",
        scope: Scope | None = None,
    ) -> Binding:
        where = (self.branch, self.loop, self.guard)
        return Binding(kind, self.scope, node, value, path, target, scope, *where)

    def bind(self, name: str, binding: Binding) -> None:
        scope = self.scope
        if name in scope.foreign:  # `global name`
            while scope.parent is not None:
                scope = scope.parent
        scope.bindings.setdefault(name, []).append(binding)

    def bind_attribute(self, base: str, attribute: str, binding: Binding) -> None:
        """`self.x = ...` belongs to the class; `name.x = ...` to the scope that it stands in."""
        owner = self.scope.owner
        if owner is not None and base == self.scope.receiver:
            owner.attributes.setdefault(("", attribute), []).append(binding)
        else:
            self.scope.attributes.setdefault((base, attribute), []).append(binding)

    # --- expressions ---------------------------------------------------------------------------

    def expression(self, root: ast.expr) -> None:
        """Notes the calls, mentions and scopes in `root`; a loop, since chains may be long."""
        mentions, calls = self.scope.mentions, self.scope.calls
        waiting: list[ast.AST] = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Name):
                mentions.add(node.id)
            elif isinstance(node, ast.Constant):
                pass
            elif isinstance(node, ast.Attribute):
                mentions.add(node.attr)
                waiting.append(node.value)
            elif isinstance(node, ast.Lambda):
                self.function_expression(node)
            elif isinstance(node, _Comprehension):
                self.comprehension(node)
            else:
                if isinstance(node, ast.Call):
                    calls.append(node)
                elif isinstance(node, ast.NamedExpr):
                    self.target(node.target, node.value, node)
                elif isinstance(node, ast.Yield) and node.value is not None:
                    self.scope.returns.append(node.value)
                waiting.extend(reversed(list(ast.iter_child_nodes(node))))

    def function_expression(self, node: ast.Lambda) -> None:
        for default in _defaults(node.args):
            self.expression(default)
        scope = self.open(node)
        _parameters(scope, node.args)
        scope.returns.append(node.body)
        _Walk(scope).expression(node.body)

    def comprehension(self, node: _Comprehension) -> None:
        walk = _Walk(self.open(node))
        for part in node.generators:
            walk.expression(part.iter)
            walk.target(part.target, part.iter, part.target, kind=BindingKind.ELEMENT)
            for test in part.ifs:
                walk.expression(test)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for result in results:
            walk.expression(result)


_STATEMENTS: dict[type[ast.stmt], Callable[[_Walk, Any], None]] = {
    ast.Assign: _Walk.assignment,
    ast.AnnAssign: _Walk.assignment,
    ast.AugAssign: _Walk.assignment,
    ast.Import: _Walk.imports,
    ast.ImportFrom: _Walk.imports_from,
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.ClassDef: _Walk.definition,
    ast.If: _Walk.condition,
    ast.For: _Walk.repetition,
    ast.AsyncFor: _Walk.repetition,
    ast.While: _Walk.repetition,
    ast.Try: _Walk.attempt,
    ast.TryStar: _Walk.attempt,
    ast.With: _Walk.within,
    ast.AsyncWith: _Walk.within,
    ast.Match: _Walk.match,
    ast.Global: _Walk.foreign,
    ast.Nonlocal: _Walk.foreign,
}
"""How each kind of statement is walked; all others are plain."""


def _parameters(scope: Scope, arguments: ast.arguments) -> None:
    home = scope.parent or scope
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * without, *arguments.defaults]
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        scope.bindings[argument.arg] = [Binding(BindingKind.PARAMETER, home, argument, default)]
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            scope.bindings[extra.arg] = [Binding(BindingKind.OPAQUE, home, extra)]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]


def _span(body: list[ast.stmt]) -> _Lines:
    return (body[0].lineno, body[-1].end_lineno or body[-1].lineno) if body else None


def _truth(test: ast.expr, *, is_entry: bool) -> bool | None:
    """What a condition is known to be before the program runs; None: not known."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand, is_entry=is_entry)
        return None if inner is None else not inner
    if isinstance(test, ast.Name | ast.Attribute):
        name = test.id if isinstance(test, ast.Name) else test.attr
        return False if name == "TYPE_CHECKING" else None
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        parts = [_truth(value, is_entry=is_entry) for value in test.values]
        return False if False in parts else None
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.NotEq):
        sides = (test.left, test.comparators[0])
        is_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
        is_main = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
        if is_name and is_main:
            return is_entry is isinstance(test.ops[0], ast.Eq)
    return None


def _ends(statement: ast.stmt) -> bool:
    """Whether the program ends here for certain."""
    if isinstance(statement, ast.Raise):
        return True
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    function = statement.value.func
    return isinstance(function, ast.Name | ast.Attribute) and ast.unparse(function) in _ENDS

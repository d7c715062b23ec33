"""Following expressions to what they may stand for.

Flow matters only within one scope, where a use sees the bindings before it; from other scopes all
bindings of a name count. Whatever is not followed stands for nothing.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import Any

from pushtrain.code.containers import items
from pushtrain.code.fields import given
from pushtrain.code.names import canonical, exported
from pushtrain.code.scopes import Binding, BindingKind, Call, Expr, Module, Scope
from pushtrain.code.surroundings import Surroundings
from pushtrain.code.values import External, Literal, Local, Made, ModuleValue, Object, Value
from pushtrain.code.visibility import visible

Values = tuple[Value, ...]

_DEEPEST = 60
_MOST = 32
_BUILTINS = frozenset(dir(builtins))
_PARSED = (".parse_args", ".parse_known_args", ".parse_known_args.0")
_PASSING = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.iter", "builtins.reversed", "functools.partial"}
)
"""Functions whose result stands for their first argument."""
_KEPT = "pushtrain.checkpoint.state.get"
"""What an attempt before this one kept is what the first one began with: the default."""


class Evaluator:
    """Follows expressions, and remembers what it found."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._known: dict[tuple[Scope, ast.AST], Values] = {}
        self._under_way: set[tuple[Scope, ast.AST]] = set()
        self._kinds: dict[type[ast.expr], Callable[[Expr, Any], Iterator[Value]]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.Subscript: self._subscript,
            ast.IfExp: self._choice,
            ast.BoolOp: self._choice,
            ast.NamedExpr: self._inner,
            ast.Starred: self._inner,
            ast.Await: self._inner,
            ast.UnaryOp: self._signed,
            ast.BinOp: self._joined,
            ast.Constant: self._literal,
            ast.List: self._literal,
            ast.Tuple: self._literal,
            ast.Set: self._literal,
            ast.Dict: self._literal,
            ast.ListComp: self._literal,
            ast.GeneratorExp: self._literal,
            ast.Lambda: self._lambda,
        }

    def values(self, expr: Expr) -> Values:
        """Everything that `expr` may stand for, without repeats; empty when nothing is known."""
        key = (expr.scope, expr.node)
        known = self._known.get(key)
        if known is not None:
            return known
        follow = self._kinds.get(type(expr.node))
        if follow is None or key in self._under_way or len(self._under_way) > _DEEPEST:
            return ()
        self._under_way.add(key)
        try:
            found = tuple(dict.fromkeys(follow(expr, expr.node)))[:_MOST]
        finally:
            self._under_way.discard(key)
        self._known[key] = found
        return found

    # --- one kind of expression each -----------------------------------------------------------

    def _literal(self, expr: Expr, _: ast.expr) -> Iterator[Value]:
        yield Literal(expr)

    def _inner(self, expr: Expr, node: ast.NamedExpr | ast.Starred | ast.Await) -> Iterator[Value]:
        yield from self.values(expr.at(node.value))

    def _signed(self, expr: Expr, node: ast.UnaryOp) -> Iterator[Value]:
        if isinstance(node.operand, ast.Constant):
            yield Literal(expr)

    def _joined(self, expr: Expr, node: ast.BinOp) -> Iterator[Value]:
        """`[a] + [b]`: the elements of both."""
        if isinstance(node.op, ast.Add):
            for side in (node.left, node.right):
                for value in self.values(expr.at(side)):
                    if isinstance(value, Literal) and isinstance(
                        value.expr.node, ast.List | ast.Tuple
                    ):
                        yield value

    def _choice(self, expr: Expr, node: ast.BoolOp | ast.IfExp) -> Iterator[Value]:
        parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        for part in parts:
            yield from self.values(expr.at(part))

    def _lambda(self, expr: Expr, node: ast.Lambda) -> Iterator[Value]:
        scope = expr.scope.inner.get(node)
        if scope is not None:
            yield Local(scope)

    def _name(self, expr: Expr, node: ast.Name) -> Iterator[Value]:
        name = node.id
        scope: Scope | None = expr.scope
        while scope is not None:
            bindings = scope.bindings.get(name)
            if bindings and (scope is expr.scope or not scope.is_class):
                use = node if scope is expr.scope else None
                for binding in visible(bindings, use):
                    yield from self._binding(binding)
                return
            scope = scope.parent
        yield from self._unbound(name, expr.module)

    def _unbound(self, name: str, module: Module) -> Iterator[Value]:
        """A name that nothing here binds: of a star import, or a builtin."""
        stars = module.scope.stars if module.scope else []
        unknown: list[str] = []
        for star in stars:
            local = self._around.find(star, module)
            if local is not None:
                yield from self.member(local, name)
                continue
            known = exported(star, name)
            if known:
                yield External(canonical(f"{star}.{name}"))
                return
            if known is None:
                unknown.append(star)
        if name in _BUILTINS:
            yield External(f"builtins.{name}")
            return
        for star in unknown:
            yield External(canonical(f"{star}.{name}"))

    def _attribute(self, expr: Expr, node: ast.Attribute) -> Iterator[Value]:
        if isinstance(node.value, ast.Name):
            assigned = expr.scope.attributes.get((node.value.id, node.attr))
            if assigned:
                for binding in visible(assigned, node):
                    yield from self._binding(binding)
                return
        if isinstance(node.value, ast.Name) and node.value.id == expr.scope.receiver:
            owner = expr.scope.owner
            if owner is not None:
                yield from self._of_class(owner, node.attr)
                return
        for value in self.values(expr.at(node.value)):
            yield from self._attribute_of(value, node.attr)

    def _attribute_of(self, value: Value, name: str) -> Iterator[Value]:
        if isinstance(value, External):
            yield External(canonical(f"{value.name}.{name}"))
        elif isinstance(value, Made):
            if value.name.endswith(_PARSED):
                for default in self._around.arguments(name):
                    yield from self.values(default)
                return
            yield External(canonical(f"{value.name}.{name}"))
        elif isinstance(value, ModuleValue):
            yield from self.member(value.module, name)
        elif isinstance(value, Local | Object) and value.scope.is_class:
            field = self._field_of(value, name) if isinstance(value, Object) else None
            yield from self.values(field) if field else self._of_class(value.scope, name)

    def _field_of(self, value: Object, name: str) -> Expr | None:
        """What the call that made an object of a data class gives for a field."""
        node = value.by.node
        if not isinstance(node, ast.Call):
            return None
        return given(value.scope, name, Call(value.by.scope, node))

    def _of_class(self, scope: Scope, name: str, depth: int = 0) -> Iterator[Value]:
        """An attribute of a local class or its instances, inherited ones included."""
        bindings = scope.bindings.get(name) or scope.attributes.get(("", name))
        if bindings:
            for binding in bindings:
                yield from self._binding(binding)
            return
        for base in self.bases(scope):
            if isinstance(base, Local) and depth < 8 and base.scope is not scope:
                yield from self._of_class(base.scope, name, depth + 1)
            elif isinstance(base, External) and base.name != "builtins.object":
                yield External(canonical(f"{base.name}.{name}"))

    def bases(self, scope: Scope) -> Values:
        """What a local class inherits from directly."""
        if not isinstance(scope.node, ast.ClassDef) or scope.parent is None:
            return ()
        return tuple(
            value for base in scope.node.bases for value in self.values(Expr(scope.parent, base))
        )

    def _call(self, expr: Expr, node: ast.Call) -> Iterator[Value]:
        for function in self.values(expr.at(node.func)):
            yield from self._called(function, expr, node)

    def _called(self, function: Value, expr: Expr, node: ast.Call) -> Iterator[Value]:
        """What calling `function` gives."""
        if isinstance(function, External):
            if function.name in _PASSING and node.args:
                yield from self.values(expr.at(node.args[0]))
            elif function.name == _KEPT and len(node.args) > 1:
                yield from self.values(expr.at(node.args[1]))
            elif function.name == "dataclasses.field":
                yield from self._field(expr, node)
            else:
                yield Made(function.name, expr)
        elif isinstance(function, Made):
            yield Made(f"{function.name}.__call__", expr)
        elif isinstance(function, Local) and function.scope.is_class:
            yield Object(function.scope, expr)
        elif isinstance(function, Local):
            for returned in function.scope.returns:
                yield from self.values(Expr(function.scope, returned))
        elif isinstance(function, Object):
            yield from self._of_called_object(function, expr)

    def _field(self, expr: Expr, node: ast.Call) -> Iterator[Value]:
        """The default of a dataclass's field."""
        for keyword in node.keywords:
            for value in self.values(expr.at(keyword.value)):
                if keyword.arg == "default":
                    yield value
                elif keyword.arg == "default_factory":
                    yield from self._called(value, expr, node)

    def _of_called_object(self, value: Object, expr: Expr) -> Iterator[Value]:
        for base in self.bases(value.scope):
            if isinstance(base, External):
                yield Made(f"{base.name}.__call__", expr)

    def _subscript(self, expr: Expr, node: ast.Subscript) -> Iterator[Value]:
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        for value in self.values(expr.at(node.value)):
            if isinstance(value, Literal):
                yield from self._item(value.expr, index)
            elif isinstance(value, Made) and value.name == "builtins.dict":
                yield from self._keyword(value, index)
            elif isinstance(value, Made) and value.name.endswith((".parse_args", "builtins.vars")):
                for default in self._around.arguments(str(index)):
                    yield from self.values(default)

    def _keyword(self, made: Made, index: object) -> Iterator[Value]:
        """An item of `dict(name=value)`."""
        node = made.by.node
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg is not None and index in {None, keyword.arg}:
                yield from self.values(made.by.at(keyword.value))

    # --- bindings ------------------------------------------------------------------------------

    def _binding(self, binding: Binding) -> Iterator[Value]:
        if binding.kind is BindingKind.IMPORT:
            yield from self.imported(binding.target, binding.home.module)
        elif binding.scope is not None:
            yield Local(binding.scope)
        elif binding.kind is BindingKind.PARAMETER:
            yield from self._parameter(binding)
        elif binding.value is not None and binding.kind is not BindingKind.OPAQUE:
            path: tuple[int | None, ...] = binding.path
            if binding.kind is BindingKind.ELEMENT:
                yield from self._element(Expr(binding.home, binding.value), path)
                return
            yield from self._along(Expr(binding.home, binding.value), path)

    def imported(self, target: str, origin: Module) -> Iterator[Value]:
        """What `import target` or `from target import` in `origin` gives."""
        local = self._around.find(target, origin)
        if local is not None:
            yield ModuleValue(local)
            return
        base, _, name = target.rpartition(".")
        package = base if base.strip(".") else "." * (target.count(".") or 0)
        holder = self._around.find(package, origin) if package else None
        if holder is not None:
            yield from self.member(holder, name)
        elif not target.startswith("."):
            yield External(canonical(target))

    def member(self, module: Module, name: str) -> Values:
        """What `name` is at the end of a local module's code."""
        scope = module.scope
        if scope is None:
            return ()
        found: list[Value] = []
        bindings = scope.bindings.get(name)
        if bindings:
            for binding in visible(bindings, None):
                key = (scope, binding.node)
                if key in self._under_way:
                    continue
                self._under_way.add(key)
                found.extend(self._binding(binding))
                self._under_way.discard(key)
        elif (submodule := self._around.find(f"{module.name}.{name}", module)) is not None:
            found.append(ModuleValue(submodule))
        elif scope.stars and (scope, scope.node) not in self._under_way:
            self._under_way.add((scope, scope.node))
            found.extend(self._unbound(name, module))
            self._under_way.discard((scope, scope.node))
        return tuple(found)

    def _parameter(self, binding: Binding) -> Iterator[Value]:
        """What callers give, and the default where one of them gives nothing."""
        name = getattr(binding.node, "arg", "")
        function = _function_of(binding, name)
        if function is None:
            return
        given_everywhere = True
        has_calls = False
        for call, position in self._callers(function, name):
            has_calls = True
            argument = call.argument(name, position)
            if argument is None:
                given_everywhere = False
            else:
                yield from self.values(argument)
        if binding.value is not None and not (has_calls and given_everywhere):
            yield from self.values(Expr(binding.home, binding.value))

    def _callers(self, function: Scope, parameter: str) -> Iterator[tuple[Call, int | None]]:
        """The calls of a local function, each with the position that `parameter` has there."""
        node = function.node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        position = names.index(parameter) if parameter in names else None
        owner = function.owner
        if owner is not None and position is not None:
            position -= 1  # `self` is not given by callers
            if position < 0:
                return
        called = owner.name if owner is not None and node.name == "__init__" else node.name
        wanted = owner if owner is not None and node.name == "__init__" else function
        for call in self._around.calls_named(called):
            if call.scope is not function and any(
                isinstance(value, Local) and value.scope is wanted
                for value in self.values(call.function)
            ):
                yield call, position

    # --- containers ----------------------------------------------------------------------------

    def _along(self, expr: Expr, path: tuple[int | None, ...]) -> Iterator[Value]:
        if not path:
            yield from self.values(expr)
            return
        for value in self.values(expr):
            if isinstance(value, Literal):
                for item in items(value.expr, path[0]):
                    yield from self._along(item, path[1:])
            elif isinstance(value, Made):
                yield Made(f"{value.name}.{path[0]}", value.by)

    def _item(self, expr: Expr, index: object) -> Iterator[Value]:
        for item in items(expr, index):
            yield from self.values(item)

    def _element(self, expr: Expr, path: tuple[int | None, ...]) -> Iterator[Value]:
        """What a loop variable stands for: each element of the iterable."""
        node = expr.node
        if isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            plain = node.func.id if isinstance(node.func, ast.Name) else ""
            if method in {"items", "values"} and isinstance(node.func, ast.Attribute):
                if method == "items" and path[:1] != (1,):
                    return
                rest = path[1:] if method == "items" else path
                yield from self._elements(expr.at(node.func.value), rest)
                return
            if plain == "enumerate" and node.args:
                if path[:1] == (1,):
                    yield from self._element(expr.at(node.args[0]), path[1:])
                return
            if plain == "zip" and path and path[0] is not None and path[0] < len(node.args):
                yield from self._element(expr.at(node.args[path[0]]), path[1:])
                return
        yield from self._elements(expr, path)

    def _elements(self, expr: Expr, path: tuple[int | None, ...]) -> Iterator[Value]:
        for value in self.values(expr):
            if isinstance(value, Literal):
                for item in self.items(value.expr):
                    yield from self._along(item, path)

    def items(self, container: Expr) -> Iterator[Expr]:
        """The items of a literal container, with those that are appended to it later."""
        yield from items(container, None)
        if not isinstance(container.node, ast.List):
            return
        for method, position in (("append", 0), ("insert", 1)):
            for call in self._around.calls_named(method):
                added = call.argument("object", position)
                if call.receiver is None or added is None:
                    continue
                if Literal(container) in self.values(call.receiver):
                    yield added


def _function_of(binding: Binding, name: str) -> Scope | None:
    """The function that a parameter belongs to."""
    for scope in binding.home.inner.values():
        if binding in scope.bindings.get(name, ()):
            return scope
    return None

"""Reading Python programs by their syntax trees, without importing or running them.

`Program.read(root, entry)` reads a script and the local modules that it imports. Each call in it
is a `Call`; `program.resolve(call.function)` says what is called ("keras.layers.Dense") and
`program.literals(argument)` which literals an argument can reach.
"""

from pushtrain.code.files import Files, Text
from pushtrain.code.names import canonical
from pushtrain.code.program import Program
from pushtrain.code.scopes import Binding, BindingKind, Call, Expr, Module, Scope
from pushtrain.code.values import External, Literal, Local, Made, ModuleValue, Object, Value

__all__ = [
    "Binding",
    "BindingKind",
    "Call",
    "Expr",
    "External",
    "Files",
    "Literal",
    "Local",
    "Made",
    "Module",
    "ModuleValue",
    "Object",
    "Program",
    "Scope",
    "Text",
    "Value",
    "canonical",
]

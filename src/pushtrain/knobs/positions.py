"""Where a syntax node stands, counted as editors and the rewriter count."""

from __future__ import annotations

import ast

from pushtrain.code import Module


def start(module: Module, node: ast.expr) -> tuple[int, int]:
    """The 1-based line and 0-based column, in characters, where `node` starts."""
    return node.lineno, characters(module, node.lineno, node.col_offset)


def characters(module: Module, line: int, octets: int) -> int:
    """A column in characters, from one in bytes of UTF-8 (which is what `ast` counts)."""
    text = module.file.text.split("\n")[line - 1]
    return octets if text.isascii() else len(text.encode()[:octets].decode("utf-8", "replace"))

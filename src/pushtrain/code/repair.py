"""Making a syntax tree of what can be read in a file that is not valid Python 3.

Student code carries tabs, print statements, IPython magics and prompts (`In[3]:`). Repairs keep
every line where it is, so that evidence still points to the right place.
"""

from __future__ import annotations

import ast
import re
import warnings
from itertools import pairwise

from pushtrain.code.notebook import uncommand

_MOST_DROPPED = 40
_PROMPT = re.compile(r"^\s*(?:In|Out)\s*\[\d*\]\s*:.*$")
_DOCTEST = re.compile(r"^(>>>|\.\.\.) ?")
_PRINT = re.compile(r"^(\s*)(.*:\s+)?print\s+(?![=(.\[,)])(?:>>\s*[\w.]+\s*,\s*)?(.+?),?\s*$")
_BARE_PRINT = re.compile(r"^(\s*(?:.*:\s+)?)print\s+(\(.*\).*)$")
_EXCEPT = re.compile(r"^(\s*except\s+[\w.()\s,]+?)\s*,\s*(\w+)\s*:")
_EXEC = re.compile(r"^(\s*)exec\s+(?!\()(.+)$")
_RAISE = re.compile(r"^(\s*raise\s+[\w.]+)\s*,\s*(.+)$")
_OCTAL = re.compile(r"(?<![\w.])0(\d+)(?=[\s),\]:]|$)")
_HEADER = re.compile(r"on line (\d+)")


def parse(text: str) -> ast.Module:
    """`ast.parse`, quiet and with one kind of error.

    Raises:
        SyntaxError: it is not Python 3, holds null bytes, or is nested too deeply.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError:
        raise
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise SyntaxError(str(error) or "nested too deeply to be read") from None


def salvage(text: str) -> ast.Module | None:
    """The tree of everything that could be read in `text`; None when that is nothing."""
    lines = [_line(line) for line in text.replace("\0", "").expandtabs(8).split("\n")]
    for _ in range(_MOST_DROPPED):
        try:
            return parse("\n".join(lines))
        except SyntaxError as error:
            if not _drop(lines, error):
                break
    return _by_statement(lines)


def _line(line: str) -> str:
    """One line with the usual suspects mended."""
    if _PROMPT.match(line):
        return ""
    line = uncommand(_DOCTEST.sub("", line))
    line = _BARE_PRINT.sub(r"\1print\2", line)
    line = _PRINT.sub(r"\1\2print(\3)", line)
    line = _EXCEPT.sub(r"\1 as \2:", line)
    line = _EXEC.sub(r"\1exec(\2)", line)
    line = _RAISE.sub(r"\1(\2)", line)
    return _OCTAL.sub(r"\1", line) if "0" in line else line


def _drop(lines: list[str], error: SyntaxError) -> bool:
    """Mends or empties the line that `error` complains about; False when there is none."""
    number = (error.lineno or 0) - 1
    if not 0 <= number < len(lines):
        return False
    line = lines[number]
    indent = " " * (len(line) - len(line.lstrip()))
    message = error.msg or ""
    header = _HEADER.search(message)
    if message.startswith("expected an indented block") and header:
        above = int(header[1]) - 1
        lines[above] += " pass"
    elif message.startswith("unindent"):
        lines[number] = _indent_above(lines, number) + line.lstrip()
    elif message.startswith("unexpected indent") or not line.strip():
        lines[number] = ""
        return bool(line.strip())
    elif line.strip() == "pass":
        lines[number] = ""
    else:
        lines[number] = f"{indent}pass"
    return True


def _indent_above(lines: list[str], number: int) -> str:
    for line in reversed(lines[:number]):
        if line.strip():
            return " " * (len(line) - len(line.lstrip()))
    return ""


def _by_statement(lines: list[str]) -> ast.Module | None:
    """The tree of those top-level pieces that can be read each on its own."""
    body: list[ast.stmt] = []
    starts = [n for n, line in enumerate(lines) if line[:1].strip() and line[0] not in ")]}#"]
    for start, end in pairwise([*starts, len(lines)]):
        try:
            tree = parse("\n".join(lines[start:end]))
        except SyntaxError:
            continue
        body.extend(ast.increment_lineno(statement, start) for statement in tree.body)
    return ast.Module(body=body, type_ignores=[]) if body else None

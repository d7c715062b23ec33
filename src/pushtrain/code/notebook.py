"""The code of a Jupyter notebook, as one program."""

from __future__ import annotations

import json

_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


def code(content: str) -> str:
    """The code cells in their order, with magics and shell lines turned into comments.

    Anything that is not a notebook gives no code.
    """
    try:
        document = json.loads(content)
        cells = document.get("cells")
        if cells is None:  # nbformat 3
            cells = [cell for sheet in document["worksheets"] for cell in sheet["cells"]]
        parts = [_cell(cell) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return ""
    return "\n\n".join(parts) + "\n"


def _cell(cell: dict[str, object]) -> str:
    source = cell.get("source", cell.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    lines = text.replace("\r\n", "\n").split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(_PYTHON_MAGICS):
        return "\n".join(f"# {line}" for line in lines)  # a cell in another language
    return "\n".join(uncommand(line) for line in lines)


def uncommand(line: str) -> str:
    """A line without its IPython syntax: `!pip install x`, `%matplotlib inline`, `name?`."""
    stripped = line.lstrip()
    indent = line[: len(line) - len(stripped)]
    if stripped.startswith(("!", "%", "?")):
        return f"{indent}pass  # {stripped}"
    if stripped.endswith("?") and "#" not in stripped and "'" not in stripped:
        return f"{indent}pass  # {stripped}"
    return line

"""A patch as lines to be coloured."""

from __future__ import annotations

from dataclasses import dataclass

from pushtrain.telling.text import visible, visible_lines

MOST_LINES = 1500


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a patch and what it is: file, place, added, removed or same."""

    kind: str
    text: str


def diff_lines(patch: bytes) -> tuple[DiffLine, ...]:
    """The lines of a unified diff, at most MOST_LINES; what is not text is shown as U+FFFD."""
    lines = patch.decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    made = []
    in_hunk = False
    for line in lines[:MOST_LINES]:
        if line.startswith("diff --git "):
            in_hunk = False
        elif line.startswith("@@ "):
            in_hunk = True
        made.append(DiffLine(_kind(line, in_hunk=in_hunk), _shown(line)))
    if len(lines) > MOST_LINES:
        rest = f"… and {len(lines) - MOST_LINES} more lines: see winner.patch"
        made.append(DiffLine("place", rest))
    return tuple(made)


def _kind(line: str, *, in_hunk: bool) -> str:
    if not in_hunk:
        return "file"
    return {"@": "place", "+": "added", "-": "removed"}.get(line[:1], "same")


def _shown(line: str) -> str:
    text = visible_lines(line.removesuffix("\r"), 600)
    return text if text.strip() else visible(text) or " "

"""The tree of errors: exit codes, messages, and the same facts for machines."""

from __future__ import annotations

import json
import re

import pytest

from pushtrain import errors
from pushtrain.errors import PushtrainError

_ALL = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, PushtrainError)
]


def _drawn() -> dict[str, tuple[int, str]]:
    """The exit code and the parent of every error, as the module's drawing shows them."""
    assert errors.__doc__ is not None
    found: dict[str, tuple[int, str]] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"^([\s│├└─]{4,})([A-Z]\w+)(?:\s+(\d+)\b)?", line)
        if match is None:
            continue
        depth, name, code = len(match[1]), match[2], match[3]
        above = [each for each in above if each[0] < depth]
        parent = above[-1][1] if above else "Exception"
        found[name] = (int(code) if code else found[parent][0], parent)
        above.append((depth, name))
    return found


@pytest.mark.parametrize("kind", _ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_what_the_drawing_in_the_module_shows(kind: type[PushtrainError]) -> None:
    code, parent = _drawn()[kind.__name__]
    assert kind("x").exit_code == code
    assert kind.__base__ is not None
    assert kind.__base__.__name__ == parent


def test_nothing_is_drawn_that_does_not_exist() -> None:
    assert set(_drawn()) == {kind.__name__ for kind in _ALL}


def test_the_exit_codes_that_the_command_line_promises() -> None:
    assert PushtrainError.exit_code == 1
    assert errors.UsageError.exit_code == 2
    assert errors.BudgetSpent.exit_code == 3
    assert errors.Unreachable.exit_code == 4
    assert errors.Stopped.exit_code == 130


def test_a_message_ends_with_the_next_step() -> None:
    error = errors.SourceError("x has no revision y", hint="give a branch", branches=["main"])
    assert str(error) == "x has no revision y; give a branch"
    assert str(PushtrainError("only this")) == "only this"
    assert error.facts == {"branches": ["main"]}


def test_the_same_facts_are_there_for_machines() -> None:
    error = errors.EngineUnreachable("no answer", hint="start it", address="unix:///x")
    assert json.loads(json.dumps(error.as_json())) == {
        "error": "EngineUnreachable",
        "message": "no answer",
        "hint": "start it",
        "exit_code": 4,
        "address": "unix:///x",
    }

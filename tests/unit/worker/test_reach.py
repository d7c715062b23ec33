"""Everything that the script's own code remembers is found, and nothing that is somebody else's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pushtrain.worker.adapters.reach import Reach
from pushtrain.worker.frames import Frames

HELPER = """
seen = []
unused = []
def note(value):
    seen.append(value)
"""
SCRIPT = """
import json
import helper

losses, best, untouched = [], None, []

class Tracker:
    shared = {}
    def __init__(self):
        self.count = 0
    def update(self, *_):
        self.count += 1

class Callback:
    def __init__(self):
        self.inner = Tracker()
        self.values = []
        self.model = object()
        self.itself = self
    def on_epoch_end(self, epoch, logs):
        global best
        best = epoch
        remember(epoch)
        helper.note(epoch)
        json.dumps(epoch)

def remember(value):
    losses.append(value)

def closed():
    count, later = 0, None
    def act():
        nonlocal count
        count += 1
        return later
    return act
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    for name, text in (("helper", HELPER), ("script", SCRIPT)):
        (tmp_path / f"{name}.py").write_text(text)
        module = sys.modules[name] = ModuleType(name)
        module.__file__ = str(tmp_path / f"{name}.py")
        exec(compile(text, module.__file__, "exec"), vars(module))
    yield sys.modules["script"]
    del sys.modules["script"], sys.modules["helper"]


def found(script: Any, owner: Any) -> Reach:
    reach = Reach(Frames(Path(script.__file__).parent))
    reach.follow("0", owner)
    return reach


def test_attributes_objects_classes_globals_and_modules(script: Any) -> None:
    assert set(found(script, script.Callback()).places) == {
        "0.inner.count",
        "0.values",
        "class Tracker.shared",
        "helper seen",
        "script best",
        "script losses",
    }


def test_functions_that_an_object_of_others_holds(script: Any) -> None:
    class Foreign:
        act = None

    foreign = Foreign()
    foreign.act = script.closed()
    places = found(script, foreign).places
    assert [place.name for place in places.values()] == ["count", "later"]
    count = next(iter(places.values()))
    count.set(7)
    foreign.act()
    assert count.get() == 8
    foreign.act = script.Tracker().update
    assert "0.act self.count" in found(script, foreign).places


def test_values_can_be_put_where_they_are_kept(script: Any) -> None:
    callback = script.Callback()
    places = found(script, callback).places
    for key, value in (("script best", 3), ("0.inner.count", 4), ("class Tracker.shared", {5: 6})):
        places[key].set(value)
        assert places[key].get() == value
    assert (script.best, callback.inner.count, script.Tracker.shared) == (3, 4, {5: 6})


def test_what_keras_keeps_in_a_layer_is_no_state(script: Any) -> None:
    class Layer(script.Tracker):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self._private = 1

        def _flatten_layers(self) -> list[Any]:
            return []

    layer = Layer()
    assert "0.count" in found(script, layer).places
    assert "0._private" not in found(script, layer).places
    callback = script.Callback()
    callback.values = layer
    assert not any(key.startswith("0.values.") for key in found(script, callback).places)


def test_whose_code_it_is_is_known(script: Any) -> None:
    class Foreign:
        def __init__(self) -> None:
            self.value = 1

    assert not found(script, Foreign()).places["0.value"].is_own
    assert found(script, script.Tracker()).places["0.count"].is_own

"""What to do next, by what a failing build says."""

from __future__ import annotations

import pytest

from pushtrain.errors import ImageError
from pushtrain.images.build_failure import explained
from pushtrain.images.recipe import Recipe


@pytest.mark.parametrize(
    ("layer", "said", "step"),
    [
        ("extra", "× No solution found when resolving dependencies:", "loosen that line"),
        ("extra", "because x==1 has no usable wheels, and --no-build", "loosen that line"),
        ("extra", "invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
        ("science", "error: Failed to fetch: dns error", "pip finds packages"),
        ("base", "this base image has Python 3.9, not 3.11", "BASE_PYTHON"),
        ("base", "pull access denied for nosuch, repository does not exist", "BASE_IMAGE"),
        ("cnn", "write /opt/x: no space left on device", "pushtrain clean"),
        ("cnn", "something new", "pushtrain image --build"),
    ],
)
def test_the_next_step_follows_from_what_was_said(layer: str, said: str, step: str) -> None:
    error = ImageError("image x cannot be built", instruction="RUN x", tail=[said], reason="1")
    told = explained(error, Recipe(layer, layer, {}))
    assert step in told.hint
    assert told.facts == {"instruction": "RUN x", "tail": [said], "reason": "1", "layer": layer}
    assert told.message == error.message

"""A failed build, told with its layer and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pushtrain.errors import ImageError
from pushtrain.images.recipe import EXTRA, Recipe

_DISK = "make room: `pushtrain clean` removes old images, `pushtrain doctor` shows the disk"
_STEPS = (
    (r"no space left on device", _DISK),
    (
        r"certificate|\bssl\b|\btls\b",
        "let SSL_CERT_FILE name the CA bundle that this machine trusts, then come again",
    ),
    (r"has python [\d.]+, not", "set BASE_PYTHON to the Python that BASE_IMAGE has"),
    (
        r"pull access denied|manifest (?:for .* not found|unknown)|repository does not exist",
        "check BASE_IMAGE; without it the base is made from this machine's Debian mirror",
    ),
    (
        r"dns|resolve host|name resolution|connect|timed? ?out|network|http status",
        "check that pip finds packages on this machine: builds use its configuration "
        "(PUSHTRAIN_BUILD_NETWORK names another network for them)",
    ),
    (
        r"with the build to be for cuda|bring a build for cuda",
        "name the package that asks for it in a version for CPUs",
    ),
)
"""The next step, by what a build says (lower case) when it fails."""
_UNSOLVED = re.compile(r"no solution found|no usable wheels|not found in the package|--no-build")


def explained(error: ImageError, recipe: Recipe) -> ImageError:
    """The store's error with layer and next step added.

    Args:
        error: with the facts `instruction`, `tail` and `reason`.
        recipe: what could not be built.
    """
    tail = error.facts.get("tail")
    lines = list(map(str, tail)) if isinstance(tail, Iterable) else []
    said = "\n".join([error.message, *lines]).lower()
    return ImageError(
        error.message, hint=_next_step(said, recipe), layer=recipe.layer, **error.facts
    )


def _next_step(said: str, recipe: Recipe) -> str:
    if recipe.layer == EXTRA and _UNSOLVED.search(said):
        return (
            "loosen that line of the requirements, or name another file under [image] requirements "
            "in pushtrain.toml (packages without a wheel are built only where the operator sets "
            "PUSHTRAIN_BUILD_SDISTS=1)"
        )
    for pattern, step in _STEPS:
        if re.search(pattern, said):
            return step
    return f"`pushtrain image --build` shows all that layer {recipe.layer} says while it is built"

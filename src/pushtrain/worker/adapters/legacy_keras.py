"""Lets Keras code of 2016-2020 run on Keras 3 where its meaning is clear.

Import paths that are gone (`legacy_modules`), arguments with other names (`legacy_arguments`),
and methods and values that models had (`legacy_models`). Code that is Keras 3 already never
meets any of it.
"""

from __future__ import annotations

import sys

from pushtrain.worker.adapters import legacy_arguments, legacy_models, legacy_modules

_PATCHED = "__pushtrain_legacy__"


def install() -> None:
    """Makes the old import paths work; imports nothing that the script does not."""
    legacy_modules.install()
    if "keras" in sys.modules:
        patch()


def patch() -> None:
    """Makes the old arguments and methods work; Keras has been imported."""
    keras = sys.modules["keras"]
    version = str(getattr(keras, "__version__", ""))
    if (
        getattr(keras, _PATCHED, False)
        or not version.startswith("3")
        or not hasattr(keras, "Model")
    ):
        return
    setattr(keras, _PATCHED, True)
    legacy_modules.install()
    legacy_arguments.patch(keras)
    legacy_models.patch(keras)
    legacy_modules.complete_all()

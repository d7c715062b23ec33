"""Functions that Keras had once, written in terms of what it has today; `IN_X` go to module x."""

from __future__ import annotations

import sys
from typing import Any

from pushtrain.worker.adapters.legacy_arguments import convolution

__all__ = ["IN_BACKEND", "IN_LAYERS", "IN_UTILS", "convolution"]


def merge(inputs: list[Any], mode: str = "sum", concat_axis: int = -1, **_: Any) -> Any:
    """Keras 1: joins tensors."""
    layers = sys.modules["keras"].layers
    if mode == "concat":
        return layers.concatenate(inputs, axis=concat_axis)
    kinds = {"sum": "add", "mul": "multiply", "ave": "average", "max": "maximum"}
    return getattr(layers, kinds[mode])(inputs)


def multi_gpu_model(model: Any, *_: Any, **__: Any) -> Any:
    """One model on several GPUs; here it is the model itself."""
    return model


def print_summary(model: Any, *args: Any, **kwargs: Any) -> None:
    """Prints a model's layers."""
    model.summary(*args, **kwargs)


def image_dim_ordering() -> str:
    """Keras 1: "tf" or "th"."""
    keras = sys.modules["keras"]

    return "tf" if keras.config.image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(ordering: str) -> None:
    """Keras 1: "tf" or "th"."""
    keras = sys.modules["keras"]
    formats = {"tf": "channels_last", "th": "channels_first"}
    keras.config.set_image_data_format(formats.get(ordering, ordering))


def learning_phase() -> int:
    """Whether a graph trains; Keras 3 hands that to each call."""
    return 0


def set_learning_phase(value: Any) -> None:
    """See `learning_phase`."""


IN_LAYERS = {"merge": merge}
IN_UTILS = {"multi_gpu_model": multi_gpu_model, "print_summary": print_summary}
IN_BACKEND = {
    "image_dim_ordering": image_dim_ordering,
    "set_image_dim_ordering": set_image_dim_ordering,
    "learning_phase": learning_phase,
    "set_learning_phase": set_learning_phase,
}

"""The confusion matrix of a Keras classifier on data that the script itself evaluated."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pushtrain.worker.adapters import keras_data, rows
from pushtrain.worker.adapters.conclusion import counted, names_in_script
from pushtrain.worker.adapters.keras_model import loss_name

MOST_ROWS = 50_000
_FEW = 256 * 1024
"""Bytes of inputs for which `predict` takes longer to compile its graph than to run it."""


def confusion(
    model: Any, predict: Callable[..., Any], x: Any, y: Any
) -> tuple[Sequence[str], Sequence[Sequence[int]]] | None:
    """Counts what the model takes the data for; None where that is no plain classification.

    Args:
        model: the trained model.
        predict: `Model.predict` as it was before anything was wrapped.
        x: inputs, or data that brings its own targets.
        y: targets, or None.
    """
    if not _is_classifier(model):
        return None
    import numpy

    true: list[Any] = []
    predicted: list[Any] = []
    with contextlib.redirect_stdout(io.StringIO()):
        for inputs, targets in _batches(x, y):
            output = rows.as_array(_said(model, predict, inputs))
            labels = _labels(rows.as_array(targets), output, _is_logit(model))
            if labels is None:
                return None
            true.append(labels[0])
            predicted.append(labels[1])
            width = output.shape[-1] if output.ndim > 1 else 1
            if sum(map(len, true)) >= MOST_ROWS:
                break
    if not true:
        return None
    names = keras_names(x) or names_in_script(max(width, 2))
    return counted(numpy.concatenate(true), numpy.concatenate(predicted), names)


def _said(model: Any, predict: Callable[..., Any], inputs: Any) -> Any:
    """What the model says; where that is just its layers' output, few inputs go right through."""
    keras = sys.modules["keras"]
    is_plain = getattr(type(model), "predict_step", None) is keras.Model.predict_step
    is_few = getattr(inputs, "nbytes", _FEW + 1) <= _FEW
    if is_plain and is_few and keras.backend.backend() == "tensorflow":
        return model(inputs, training=False)
    return predict(model, inputs, verbose=0)


def keras_names(x: Any) -> list[str] | None:
    """What a data set made from directories calls its classes."""
    names = getattr(x, "class_names", None)
    if names is None and isinstance(getattr(x, "class_indices", None), dict):
        names = sorted(x.class_indices, key=x.class_indices.get)
    return [str(name) for name in names] if names else None


def _batches(x: Any, y: Any) -> Any:
    if y is None:
        return keras_data.batches(x)
    arrays = [x] if hasattr(x, "shape") else None
    if arrays is None:
        return [(x, y)] if len(rows.as_array(y)) <= MOST_ROWS else []
    return [(x[:MOST_ROWS], y[:MOST_ROWS])]


def _is_classifier(model: Any) -> bool:
    name = loss_name(getattr(model, "loss", None) or "")
    return isinstance(name, str) and any(
        word in name.lower() for word in ("crossentropy", "cross_entropy", "hinge")
    )


def _is_logit(model: Any) -> bool:
    loss: Any = getattr(model, "loss", None)
    with contextlib.suppress(Exception):
        return bool(getattr(loss, "from_logits", False) or loss.get_config().get("from_logits"))
    return False


def _labels(true: Any, output: Any, is_logit: bool) -> tuple[Any, Any] | None:
    """True and predicted class numbers of a batch."""
    if true is None or output is None or output.ndim > 2 or len(true) != len(output):
        return None
    width = output.shape[1] if output.ndim == 2 else 1
    flat = true.reshape(len(true), -1)
    if width == 1:
        if flat.shape[1] != 1 or set(flat.ravel().tolist()) - {0, 1}:
            return None
        threshold = 0.0 if is_logit else 0.5
        return flat.ravel().astype(int), (output.ravel() > threshold).astype(int)
    if flat.shape[1] == 1:
        return flat.ravel().astype(int), output.argmax(axis=1)
    is_one_hot = flat.shape[1] == width and bool((flat.sum(axis=1) == 1).all()) and flat.max() == 1
    return (flat.argmax(axis=1), output.argmax(axis=1)) if is_one_hot else None

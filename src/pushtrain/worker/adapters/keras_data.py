"""Data as Keras takes it: arrays, tf.data pipelines, data loaders, sequences and generators."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from typing import Any

from pushtrain.worker.adapters import rows
from pushtrain.worker.adapters.seen import Data, Stretch

_PARTITIONS = ("Take", "Skip", "Shard", "Filter", "Window", "TakeWhile", "TakeUntil")


def data_of(x: Any) -> Data:
    """What can be known of the inputs that `fit` or `evaluate` is given."""
    kind = kind_of(x)
    if kind == "pipeline":
        return _of_pipeline(x)
    if kind == "loader":
        return _of_loader(x)
    if kind == "sequence":
        return _of_sequence(x)
    return Data([x]) if kind == "generator" else Data.of(x)


def kind_of(x: Any) -> str:
    """ "arrays", "pipeline", "loader", "sequence" or "generator"."""
    if _is_generator(x):
        return "generator"
    if hasattr(x, "_input_dataset") or hasattr(x, "element_spec"):
        return "pipeline"
    if hasattr(x, "dataset") and hasattr(x, "batch_size"):
        return "loader"
    is_plain = hasattr(x, "shape") or isinstance(x, (list, tuple, dict)) or x is None
    return "arrays" if is_plain or not hasattr(type(x), "__getitem__") else "sequence"


def watched(x: Any, data: Data, quietly: Any) -> Any:
    """A generator that gives what `x` gives, whose batches are noted as they stream by."""
    if not _is_generator(x):
        return x

    def pass_on() -> Iterator[Any]:
        for batch in x:
            inputs = batch[0] if isinstance(batch, tuple) else batch
            quietly("the data of a generator", data.stream, inputs)
            yield batch

    return pass_on()


def batches(x: Any) -> Iterator[tuple[Any, Any]]:
    """Inputs and targets once over, of data that can be gone through again."""
    kind = kind_of(x)
    if kind == "generator":
        return
    source = (x[index] for index in range(len(x))) if kind == "sequence" else iter(x)
    for batch in source:
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            return
        yield batch[0], batch[1]


def _is_generator(x: Any) -> bool:
    return isinstance(x, types.GeneratorType)


def _of_pipeline(dataset: Any) -> Data:
    """A tf.data pipeline: by its stages, and by its source's rows where it takes all of them."""
    stages = [dataset]
    while getattr(stages[-1], "_input_dataset", None) is not None:
        stages.append(stages[-1]._input_dataset)
    cuts = [index for index, stage in enumerate(stages) if _is(stage, *_PARTITIONS)]
    if cuts:
        return Data(stages[: cuts[0] + 1], stretch=_stretch(stages, cuts[-1]))
    tensors = list(getattr(stages[-1], "_tensors", ()) or ())
    structure = getattr(stages[-1], "element_spec", None)
    if isinstance(structure, tuple) and structure:
        tensors = tensors[: _leaves(structure[0])]
    return Data(stages, [array for tensor in tensors for array in rows.arrays(tensor)])


def _stretch(stages: list[Any], cut: int) -> Stretch | None:
    """Which elements `take` and `skip` leave, counted where the lowest of them stands."""
    start, stop = 0, math.inf
    if not _is(stages[cut], "Take", "Skip"):
        return None
    for stage in reversed(stages[: cut + 1]):
        if not _is(stage, "Take", "Skip"):
            break
        count = int(stage._count)
        if _is(stage, "Take"):
            stop = min(stop, start + count) if count >= 0 else stop
        else:
            start = start + count if count >= 0 else start
    whole = stages[cut + 1 :]
    shifts = False
    for stage in whole:
        if _is(stage, "Cache"):
            break
        shifts = shifts or (
            _is(stage, "Shuffle") and getattr(stage, "_reshuffle_each_iteration", True) is not False
        )
    return Stretch(whole, start, stop, shifts)


def _is(stage: Any, *kinds: str) -> bool:
    return any(kind in type(stage).__name__ for kind in kinds)


def _of_loader(loader: Any) -> Data:
    """A data loader of PyTorch, or what looks like one."""
    dataset, chosen = loader.dataset, None
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        import numpy

        indices = numpy.asarray(dataset.indices)
        chosen = indices if chosen is None else indices[chosen]
        dataset = dataset.dataset
    tensors = list(getattr(dataset, "tensors", ()))[:-1]
    arrays = [rows.as_array(tensor) for tensor in tensors]
    if chosen is not None:
        return Data([loader, loader.dataset], [array[chosen] for array in arrays])
    return Data([loader, dataset], arrays)


def _of_sequence(sequence: Any) -> Data:
    """A sequence of batches: by the arrays or files that it holds."""
    held = dict(getattr(sequence, "__dict__", {}))
    names = held.get("filepaths") or held.get("_filepaths") or held.get("filenames")
    if names:
        return Data([sequence], rows.arrays([str(name) for name in names]))
    if {"data", "start_index", "end_index"} <= set(held):  # TimeseriesGenerator
        array = rows.as_array(held["data"])
        return Data([sequence], [array[held["start_index"] : held["end_index"] + 1]])
    found = [
        array
        for name, value in held.items()
        if not name.startswith("_") and hasattr(value, "shape")
        for array in rows.arrays(value)
        if array.ndim > 1
    ]
    if any(_chooses(value) for value in held.values()):
        return Data([sequence])  # which of the arrays' rows are its own, only its code knows
    return Data([sequence], found[:1])


def _chooses(value: Any) -> bool:
    """Whether it looks like a list of the rows to take."""
    array = rows.as_array(value) if hasattr(value, "shape") or isinstance(value, list) else None
    if array is None or array.ndim != 1 or array.dtype.kind not in "iu":
        return False
    return len(set(array.tolist())) == len(array)


def _leaves(structure: Any) -> int:
    if isinstance(structure, dict):
        return sum(_leaves(item) for item in structure.values())
    if isinstance(structure, (tuple, list)):
        return sum(_leaves(item) for item in structure)
    return 1

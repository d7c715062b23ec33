"""Rows of any kind of data as 64-bit numbers: the same row gives the same number.

A row is known again in a copy, a slice, another shape and another number type: what counts are
its values, rounded to 32-bit floats, in their order. NumPy is there whenever data is.
"""

from __future__ import annotations

import sys
from typing import Any

MOST_COLUMNS = 256
"""Values of a row that are looked at; wider rows are sampled."""

_FEWEST_COLUMNS = 16
_CELLS = 16_000_000
_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def arrays(data: Any) -> list[Any]:
    """The arrays of an input: one, or several for a model with several inputs."""
    if isinstance(data, dict):
        return [array for name in sorted(data, key=str) for array in arrays(data[name])]
    if isinstance(data, (list, tuple)) and data and all(_has_rows(item) for item in data):
        if any(getattr(item, "ndim", 1) > 0 for item in data) and len(data) < 64:
            lengths = {len(item) for item in data}
            if len(lengths) == 1:
                return [as_array(item) for item in data]
        return []
    array = as_array(data)
    return [] if array is None else [array]


def as_array(data: Any) -> Any:  # noqa: PLR0911  # one answer for each kind of data
    """An array (NumPy's, or SciPy's sparse one) of anything with rows, or None.

    What shares its memory with the data still does so afterwards.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or data is None:
        return None
    if isinstance(data, numpy.ndarray):
        return data if data.ndim else None
    if hasattr(data, "tocsr"):
        return data.tocsr()
    if hasattr(data, "to_numpy"):  # pandas, polars
        return data.to_numpy()
    if hasattr(data, "detach"):  # a tensor of PyTorch
        return data.detach().cpu().numpy()
    if isinstance(data, (list, tuple)):
        return _of_list(numpy, data)
    if hasattr(data, "__array__") and getattr(data, "shape", ()) != ():
        return numpy.asarray(data)
    return None


def hashes(data: list[Any], columns: int = MOST_COLUMNS, step: int = 1, most: int = 0) -> Any:
    """A number for each row over all arrays; every `step`-th row, or `most` of them evenly."""
    import numpy

    count = data[0].shape[0]
    if most and count > most:
        chosen: Any = numpy.linspace(0, count - 1, most).astype(numpy.int64)
    else:
        chosen = slice(None, None, step)
    total: Any = None
    with numpy.errstate(all="ignore"):
        for number, array in enumerate(data):
            one = _mixed(numpy, _hashes(numpy, array[chosen], columns))
            one = one * _weights(numpy, numpy.array([number], dtype=numpy.uint64))
            total = one if total is None else total + one
    return total


def columns_for(count: int) -> int:
    """How many values of each row are looked at where there are `count` rows."""
    return max(_FEWEST_COLUMNS, min(MOST_COLUMNS, _CELLS // max(count, 1)))


def _hashes(numpy: Any, array: Any, columns: int) -> Any:
    if hasattr(array, "tocsr"):
        return _sparse_hashes(numpy, array)
    flat = array.reshape(array.shape[0], -1)
    chosen = _columns(numpy, flat.shape[1], columns)
    cells = flat if chosen is None else flat[:, chosen]
    width = numpy.arange(flat.shape[1], dtype=numpy.uint64)
    weights = _weights(numpy, width if chosen is None else width[chosen])
    return (_bits(numpy, cells) * weights).sum(axis=1, dtype=numpy.uint64)


def _sparse_hashes(numpy: Any, array: Any) -> Any:
    weights = _weights(numpy, array.indices.astype(numpy.uint64))
    running = numpy.cumsum(_bits(numpy, array.data) * weights, dtype=numpy.uint64)
    running = numpy.concatenate([numpy.zeros(1, numpy.uint64), running])
    return running[array.indptr[1:]] - running[array.indptr[:-1]]


def _bits(numpy: Any, cells: Any) -> Any:
    if cells.dtype.kind in "biuf":
        small = cells.astype(numpy.float32) + numpy.float32(0)  # -0.0 becomes 0.0
        small[numpy.isnan(small)] = numpy.float32("nan")
        return numpy.ascontiguousarray(small).view(numpy.uint32).astype(numpy.uint64)
    if cells.dtype.kind in "mM":
        return numpy.ascontiguousarray(cells).view(numpy.uint64)
    one = numpy.frompyfunc(lambda cell: _cell(numpy, cell), 1, 1)
    return one(cells.astype(object)).astype(numpy.uint64)


def _cell(numpy: Any, cell: Any) -> int:
    if isinstance(cell, (bool, int, float, numpy.number, numpy.bool_)):
        return int(_bits(numpy, numpy.array([cell], dtype=numpy.float64))[0])
    return hash(cell if isinstance(cell, (str, bytes)) else repr(cell)) & _MASK


def _columns(numpy: Any, width: int, columns: int) -> Any:
    """Which columns of a wide row are looked at: the same ones for every count, or more of them."""
    if width <= columns:
        return None
    order = numpy.argsort(_weights(numpy, numpy.arange(width, dtype=numpy.uint64)), kind="stable")
    return numpy.sort(order[:columns])


def _weights(numpy: Any, index: Any) -> Any:
    return _mixed(numpy, (index + numpy.uint64(1)) * numpy.uint64(_STEP)) | numpy.uint64(1)


def _mixed(numpy: Any, z: Any) -> Any:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def _of_list(numpy: Any, data: Any) -> Any:
    if not data or len(data) > 2_000_000:
        return None
    if isinstance(data[0], (str, bytes)) or data[0] is None:
        return numpy.array(list(data), dtype=object)
    try:
        array = numpy.asarray(data)
    except ValueError:  # rows of several lengths
        array = numpy.empty(len(data), dtype=object)
        array[:] = [repr(item) for item in data]
    return array if array.ndim else None


def _has_rows(item: Any) -> bool:
    return hasattr(item, "shape") and hasattr(item, "__len__") and getattr(item, "shape", ()) != ()

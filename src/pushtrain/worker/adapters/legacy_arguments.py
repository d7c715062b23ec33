"""The arguments of 2016-2020, told as Keras 3 takes them. A call without any stays as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from pushtrain.worker.adapters.legacy_modules import is_legacy, note_legacy
from pushtrain.worker.adapters.wrapping import wrap

_WEIGHTS = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_IMAGE = {"border_mode": "padding", "dim_ordering": "data_format"}
_DENSE = {"output_dim": "units", **_WEIGHTS}
_CONVOLUTION = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    **_WEIGHTS,
    **_IMAGE,
}
_POOLING = {"pool_length": "pool_size", "stride": "strides", **_IMAGE}
_RECURRENT = {
    "output_dim": "units",
    **_WEIGHTS,
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_RENAMED = {
    "Dense": _DENSE,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"), _CONVOLUTION),
    "SeparableConv2D": _CONVOLUTION,
    **{
        f"{kind}Pooling{size}D": _POOLING
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
        for size in (1, 2, 3)
    },
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), _RECURRENT),
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    **{f"UpSampling{size}D": {"length": "size", **_IMAGE} for size in (1, 2, 3)},
    **{f"ZeroPadding{size}D": _IMAGE for size in (1, 2, 3)},
    "Dropout": {"p": "rate"},
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate", **_IMAGE},
    "GaussianNoise": {"sigma": "stddev"},
    "GaussianDropout": {"p": "rate"},
    "Flatten": {},
    "Activation": {},
    "Reshape": {},
    "Masking": {},
    "Bidirectional": {},
    "TimeDistributed": {},
}
_DROPPED = {
    "BatchNormalization": {"mode", "weights"},
    "Embedding": {"dropout"},
    **{name: {"consume_less", "forget_bias_init", "implementation"} for name in ("LSTM", "GRU")},
    "SimpleRNN": {"consume_less", "implementation"},
}
_VALUES: dict[str, dict[Any, Any]] = {
    "data_format": {"tf": "channels_last", "th": "channels_first", "default": None},
}
_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl")


def patch(keras: Any) -> None:
    """Teaches Keras' layers and optimizers the old names of their arguments."""
    for name in _RENAMED:
        layer = getattr(keras.layers, name, None)
        if layer is not None:
            wrap(layer, "__init__", _around_layer(name))
    for name in _OPTIMIZERS:
        optimizer = getattr(keras.optimizers, name, None)
        if optimizer is not None:
            wrap(optimizer, "__init__", _around_optimizer)
    base = keras.optimizers.Optimizer
    if not hasattr(base, "lr"):
        base.lr = property(
            lambda self: self.learning_rate,
            lambda self, value: setattr(self, "learning_rate", value),
        )
    if hasattr(keras.utils, "to_categorical"):
        for name in ("keras.utils", "keras._tf_keras.keras.utils"):
            if name in sys.modules:
                wrap(sys.modules[name], "to_categorical", _around_to_categorical)


def _around_layer(kind: str) -> Callable[..., Any]:
    renamed, dropped = _RENAMED[kind], _DROPPED.get(kind, set())
    is_convolution = renamed is _CONVOLUTION

    def around(init: Any, layer: Any, /, *args: Any, **kwargs: Any) -> Any:
        old = [name for name in kwargs if name in renamed or name in dropped]
        if is_convolution:
            args, kwargs = _kernel(args, kwargs, is_old=bool(old) or is_legacy())
        if not old and not {"batch_input_shape", "input_length", "input_dim"} & set(kwargs):
            return init(layer, *args, **kwargs)
        if old:
            note_legacy()
        told = {
            renamed.get(name, name): value for name, value in kwargs.items() if name not in dropped
        }
        for name, values in _VALUES.items():
            if name in told and told[name] in values:
                told[name] = values[told[name]]
        return init(layer, *args, **_shaped(kind, told))

    return around


def _kernel(args: Any, kwargs: dict[str, Any], is_old: bool) -> tuple[Any, dict[str, Any]]:
    """Rows and columns of a kernel, which stood side by side: Convolution2D(32, 3, 3)."""
    rows = [kwargs.pop(name) for name in ("nb_row", "nb_col") if name in kwargs]
    if len(rows) == 2:
        kwargs["kernel_size"] = tuple(rows)
    elif is_old and len(args) == 3 and all(type(size) is int for size in args):
        args = (args[0], (args[1], args[2]))
    return args, kwargs


def _shaped(kind: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The shape of one input, however it is told."""
    if kind == "Embedding":
        kwargs.pop("input_length", None) if is_legacy() else None
        return kwargs
    length, size = kwargs.pop("input_length", None), kwargs.get("input_dim")
    if size is not None and _RENAMED[kind] in (_RECURRENT, _CONVOLUTION) and kind[-2:] != "2D":
        kwargs.pop("input_dim")
        kwargs["input_shape"] = (length, size)
    batch = kwargs.pop("batch_input_shape", None)
    if batch is not None:
        kwargs["input_shape"] = tuple(batch[1:])
    return kwargs


def convolution(layer: Any) -> Any:
    """`Convolution2D`, whose two further numbers are the kernel's rows and columns."""
    if getattr(layer, "__pushtrain_old__", False):
        return layer

    class Convolution:
        """Makes the layer of today."""

        __pushtrain_old__ = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            args, kwargs = _kernel(args, kwargs, is_old=True)
            return layer(*args, **kwargs)

    Convolution.__name__ = Convolution.__qualname__ = layer.__name__
    return Convolution


def _around_optimizer(init: Any, optimizer: Any, /, *args: Any, **kwargs: Any) -> Any:
    rate = kwargs.pop("lr", None)
    if rate is not None:
        note_legacy()
        kwargs.setdefault("learning_rate", rate)
    decay = kwargs.pop("decay", None)
    if decay:
        # Keras 2: the rate after t updates is rate / (1 + decay * t).
        keras = sys.modules["keras"]

        start = args[0] if args else kwargs.get("learning_rate", _default(init))
        schedule = keras.optimizers.schedules.InverseTimeDecay(float(start), 1, float(decay))
        args, kwargs = (), {**_named(init, args), **kwargs, "learning_rate": schedule}
    kwargs.pop("schedule_decay", None)
    if "epsilon" in kwargs and kwargs["epsilon"] is None:
        del kwargs["epsilon"]
    return init(optimizer, *args, **kwargs)


def _default(init: Any) -> float:
    import inspect

    return float(inspect.signature(init).parameters["learning_rate"].default)


def _named(init: Any, args: Any) -> dict[str, Any]:
    import inspect

    names = list(inspect.signature(init).parameters)[1:]
    return {names[index]: value for index, value in enumerate(args)}


def _around_to_categorical(convert: Any, /, *args: Any, **kwargs: Any) -> Any:
    if "nb_classes" in kwargs:
        kwargs["num_classes"] = kwargs.pop("nb_classes")
    return convert(*args, **kwargs)

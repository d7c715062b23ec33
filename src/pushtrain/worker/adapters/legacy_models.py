"""What models, histories and checkpoints took and gave in 2016-2020."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from pushtrain.worker.adapters.legacy_modules import note_legacy
from pushtrain.worker.adapters.wrapping import wrap

_DROPPED = {
    "workers",
    "use_multiprocessing",
    "max_queue_size",
    "max_q_size",
    "nb_worker",
    "pickle_safe",
    "show_accuracy",
}
_SHORT = {"acc": "accuracy", "val_acc": "val_accuracy"}


def patch(keras: Any) -> None:
    """Teaches Keras' models and callbacks what they knew once."""
    model = keras.Model
    wrap(model, "fit", _around_fit)
    for name in ("evaluate", "predict"):
        wrap(model, name, _around_other)
    for name, method in _METHODS.items():
        if not hasattr(model, name):
            setattr(model, name, method)
    wrap(model, "__new__", _around_new)
    with contextlib.suppress(ImportError):
        from keras.src.models.functional import (  # type: ignore[import-not-found]
            Functional,
        )

        wrap(Functional, "__init__", _around_functional)
    wrap(model, "save_weights", _around_save_weights)
    wrap(keras.callbacks.History, "__init__", _around_history)
    wrap(keras.callbacks.ModelCheckpoint, "__init__", _around_checkpoint)
    wrap(keras.callbacks.ModelCheckpoint, "_get_file_path", _around_file_path)
    for name in ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"):
        wrap(getattr(keras.callbacks, name), "on_epoch_end", _around_monitor)
    wrap(keras.callbacks.TensorBoard, "__init__", _around_tensorboard)


# --- training and evaluating -----------------------------------------------------------------


def _around_fit(fit: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
    if "nb_epoch" in kwargs:
        note_legacy()
        kwargs["epochs"] = kwargs.pop("nb_epoch")
    return fit(model, *args, **_without(kwargs))


def _around_other(call: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
    return call(model, *args, **_without(kwargs))


def _without(kwargs: dict[str, Any]) -> dict[str, Any]:
    if not _DROPPED & set(kwargs):
        return kwargs
    return {name: value for name, value in kwargs.items() if name not in _DROPPED}


def fit_generator(  # noqa: PLR0917  # as it was
    model: Any,
    generator: Any,
    steps_per_epoch: Any = None,
    epochs: int = 1,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: Any = None,
    class_weight: Any = None,
    **kwargs: Any,
) -> Any:
    """Keras 1 and 2: `fit` of data that comes in batches."""
    note_legacy()
    epochs = kwargs.pop("nb_epoch", epochs)
    samples, held = kwargs.pop("samples_per_epoch", None), kwargs.pop("nb_val_samples", None)
    if samples is not None:  # Keras 1 counted samples
        steps_per_epoch = _steps(generator, samples)
    if held is not None:
        validation_steps = _steps(validation_data, held)
    kept = {name: value for name, value in kwargs.items() if name in ("shuffle", "initial_epoch")}
    return model.fit(
        generator,
        steps_per_epoch=_whole(steps_per_epoch),
        epochs=epochs,
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=_whole(validation_steps),
        class_weight=class_weight,
        **kept,
    )


def evaluate_generator(
    model: Any, generator: Any, steps: Any = None, callbacks: Any = None, **kwargs: Any
) -> Any:
    """Keras 1 and 2: `evaluate` of data that comes in batches."""
    note_legacy()
    if "val_samples" in kwargs:
        steps = _steps(generator, kwargs["val_samples"])
    verbose = kwargs.get("verbose", 0)
    return model.evaluate(generator, steps=_whole(steps), callbacks=callbacks, verbose=verbose)


def predict_generator(
    model: Any, generator: Any, steps: Any = None, callbacks: Any = None, **kwargs: Any
) -> Any:
    """Keras 1 and 2: `predict` of data that comes in batches."""
    note_legacy()
    if "val_samples" in kwargs:
        steps = _steps(generator, kwargs["val_samples"])
    verbose = kwargs.get("verbose", 0)
    return model.predict(generator, steps=_whole(steps), callbacks=callbacks, verbose=verbose)


def predict_classes(model: Any, x: Any, batch_size: Any = None, verbose: Any = 0) -> Any:
    """Keras 1 and 2: the class of each row."""
    note_legacy()
    output = model.predict(x, batch_size=batch_size, verbose=verbose)
    if output.shape[-1] > 1:
        return output.argmax(axis=-1)
    return (output > 0.5).astype("int32")


def predict_proba(model: Any, x: Any, batch_size: Any = None, verbose: Any = 0) -> Any:
    """Keras 1 and 2: another name of `predict`."""
    return model.predict(x, batch_size=batch_size, verbose=verbose)


_METHODS = {
    "fit_generator": fit_generator,
    "evaluate_generator": evaluate_generator,
    "predict_generator": predict_generator,
    "predict_classes": predict_classes,
    "predict_proba": predict_proba,
}


def _steps(data: Any, samples: Any) -> int:
    """Batches that hold so many samples, where the size of a batch is known."""
    size = getattr(data, "batch_size", None) or 1
    return max(1, -(-int(samples) // int(size)))


def _whole(steps: Any) -> Any:
    """Python 2 divided whole numbers into whole numbers."""
    return int(steps) if isinstance(steps, float) else steps


# --- models ------------------------------------------------------------------------------------


def _around_new(new: Any, cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    return new(cls, *args, **_inputs(kwargs))


def _around_functional(init: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
    return init(model, *args, **_inputs(kwargs))


def _inputs(kwargs: dict[str, Any]) -> dict[str, Any]:
    if not {"input", "output"} & set(kwargs):
        return kwargs
    renamed = {"input": "inputs", "output": "outputs"}
    return {renamed.get(name, name): value for name, value in kwargs.items()}


def _around_save_weights(save: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
    path = args[0] if args else kwargs.get("filepath")
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    if not text.endswith((".h5", ".hdf5", ".hdf")) or text.endswith(".weights.h5"):
        return save(model, *args, **kwargs)
    import h5py  # type: ignore[import-not-found]
    from keras.src.legacy.saving import (  # type: ignore[import-not-found]
        legacy_h5_format,
    )

    with h5py.File(text, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return None


# --- callbacks ---------------------------------------------------------------------------------


class Logs(dict):  # type: ignore[type-arg]
    """What Keras calls "accuracy" was "acc" once; a look-up by the other name finds it."""

    def __missing__(self, name: str) -> Any:
        today = _SHORT.get(name)
        if today is not None and today in self:
            return self[today]
        raise KeyError(name)

    def get(self, name: Any, default: Any = None) -> Any:
        """The value by either name."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or super().__contains__(_SHORT.get(str(name), name))

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _around_history(init: Any, history: Any) -> None:
    init(history)
    history.history = Logs()


def _around_checkpoint(init: Any, callback: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Files whose names Keras 3 does not take; what they hold is clear."""
    if "period" in kwargs:
        kwargs.pop("period")
    path = args[0] if args else kwargs.get("filepath")
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    is_weights = kwargs.get("save_weights_only", len(args) > 4 and args[4])
    accepted = ".weights.h5" if is_weights else (".keras", ".h5")
    if not text or text.endswith(accepted) or not text.endswith((".h5", ".hdf5", ".hdf")):
        return init(callback, *args, **kwargs)
    stand_in = "x.weights.h5" if is_weights else "x.h5"
    if args:
        args = (stand_in, *args[1:])
    else:
        kwargs["filepath"] = stand_in
    result = init(callback, *args, **kwargs)
    callback.filepath = text
    return result


def _around_file_path(path: Any, callback: Any, epoch: Any, batch: Any, logs: Any) -> Any:
    logs = dict(logs or {})
    for short, today in _SHORT.items():
        if today in logs:
            logs.setdefault(short, logs[today])
    return path(callback, epoch, batch, logs)


def _around_monitor(end: Any, callback: Any, epoch: Any, logs: Any = None) -> Any:
    today = _SHORT.get(getattr(callback, "monitor", ""))
    if today is not None and logs and today in logs and callback.monitor not in logs:
        callback.monitor = today
    return end(callback, epoch, logs)


def _around_tensorboard(init: Any, callback: Any, /, *args: Any, **kwargs: Any) -> Any:
    for name in ("batch_size", "write_grads"):
        kwargs.pop(name, None)
    return init(callback, *args, **kwargs)

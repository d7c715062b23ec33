"""Keras, on any backend: epochs, evaluations, the model and what it is trained with.

`Model.fit` and `Model.evaluate` get one more callback, which the script never sees; what they
return, print and draw stays as it was.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Mapping
from typing import Any

from pushtrain.worker.adapters import keras_data, keras_labels, keras_model, legacy_keras
from pushtrain.worker.adapters.conclusion import conclusion
from pushtrain.worker.adapters.keras_checkpoints import KerasCheckpoints
from pushtrain.worker.adapters.keras_epochs import recorder
from pushtrain.worker.adapters.keras_lineage import Lineage
from pushtrain.worker.adapters.keras_loop import Loop
from pushtrain.worker.adapters.names import canonical
from pushtrain.worker.adapters.predictions import predictions
from pushtrain.worker.adapters.seen import Data, Fit, Labels, Seen, history, targets_of
from pushtrain.worker.adapters.wrapping import argument, guard, wrap
from pushtrain.worker.session import Session
from pushtrain.worker.values import number

MODULES = ("keras",)


def install(session: Session) -> None:
    """Follows every model of the script; Keras has been imported."""
    keras = sys.modules["keras"]
    if not hasattr(keras, "Model"):  # imported half way, or not Keras at all
        return
    legacy_keras.patch()
    adapter = Adapter(session, keras)
    session.shared["keras"] = adapter
    session.versions({"keras": str(getattr(keras, "__version__", "unknown"))})


def seed(_session: Session, number: int) -> None:
    """Seeds Keras and its backend; what the script seeded itself before stays as it is."""
    keras = sys.modules["keras"]
    numpy = sys.modules.get("numpy")
    kept = random.getstate(), numpy.random.get_state() if numpy else None
    keras.utils.set_random_seed(number)
    random.setstate(kept[0])
    if numpy:
        numpy.random.set_state(kept[1])


def finish(session: Session) -> None:
    """Saves the model and counts its confusion."""
    if isinstance(session.shared.get("keras"), Adapter):
        conclusion(session).finish()


class Adapter:
    """What is followed of one script."""

    def __init__(self, session: Session, keras: Any) -> None:
        self.session = session
        self.guard = guard(session)
        self.history = history(session.shared)
        self.lineage = Lineage(self.guard, self.history)
        self.checkpoints = KerasCheckpoints(session, self.guard, keras, self.lineage)
        self.seconds = 0.0
        self._loop: Loop | None = None
        self._open = 0  # fits under way
        self._callback = keras.callbacks.Callback
        self._predict = keras.Model.predict
        wrap(keras.Model, "fit", self._around_fit)
        wrap(keras.Model, "evaluate", self._around_evaluate)
        wrap(keras.Model, "predict", self._around_predict)
        wrap(keras.Model, "train_on_batch", self._around_batch)
        wrap(keras.Layer, "set_weights", self._around_set_weights)
        wrap(keras.callbacks.CallbackList, "on_train_begin", self._around_train_begin)
        self.lineage.follow(keras)

    # --- training ------------------------------------------------------------------------------

    def _around_fit(self, fit: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.is_here or self._open:
            self._trains_within()
            return fit(model, *args, **kwargs)
        call = _Call(args, kwargs)
        epochs = recorder(self._callback, self.checkpoints.epochs, self._tell)
        loop = None
        if self.guard.counts:
            data = self.guard.quietly("the training data", self._begin, model, call) or Data([])
            loop = self.guard.quietly("checkpoints", self.checkpoints.fit, model, call, epochs)
            call.replace(0, "x", keras_data.watched(call.get(0, "x"), data, self.guard.quietly))
        call.add_callback(5, epochs)
        self._open += 1
        self._loop = loop
        try:
            with loop.followed() if loop is not None else contextlib.nullcontext():
                result, seconds = self.guard.run(fit, model, *call.args, **call.kwargs)
        finally:
            self._open -= 1
            self._loop = None
            self.guard.quietly("the training", self._end, model, call, epochs.planned)
        self.seconds += seconds + (loop.keeper.carried if loop is not None else 0.0)
        self.session.seconds("fit", self.seconds)
        return result

    def _around_train_begin(self, begin: Any, callbacks: Any, logs: Any = None) -> None:
        begin(callbacks, logs)
        if self._loop is not None and callbacks.model is self._loop.model:
            self.guard.quietly("checkpoints", self._loop.attach, callbacks)

    def _trains_within(self) -> None:
        if self._loop is not None and self.guard.is_here:
            give_up = self._loop.keeper.give_up
            self.guard.quietly("checkpoints", give_up, "a callback of it trains as well")

    def _around_set_weights(self, set_weights: Any, layer: Any, weights: Any) -> Any:
        if self._loop is not None and self.guard.is_here:
            self.guard.quietly("checkpoints", self._sees_change, self._loop, layer)
        return set_weights(layer, weights)

    @staticmethod
    def _sees_change(loop: Loop, layer: Any) -> None:
        if not loop.trains(layer):
            loop.keeper.doubt("a callback of it changes another model")

    def _begin(self, model: Any, call: _Call) -> Data:
        """Notes what data a fit is about to see."""
        x, y = call.get(0, "x"), call.get(1, "y")
        data = keras_data.data_of(x)
        fit = self.lineage.fit(model)
        split = call.get(6, "validation_split") or 0.0
        held = call.get(7, "validation_data")
        if split and held is None and data.count:
            cut = int(data.count * (1.0 - split))
            fit.validation_inputs.append(Seen(data.part(cut, data.count)))
            held_data = _tail(x, cut), _tail(y, cut)
            part = data.part(0, cut)
            part.objects = data.objects
            fit.inputs.append(Seen(part))
        else:
            fit.inputs.append(Seen(data))
            held_data = (None, None)
        if y is not None:
            fit.targets.append(targets_of(y))
            fit.labels.append(Labels(y))
        if held is not None:
            held_data = self._hold(fit, held)
        if held_data[0] is not None:
            self._offer_confusion(model, "validation", *held_data)
        return data

    def _hold(self, fit: Fit, held: Any) -> tuple[Any, Any]:
        """Notes validation data, given as (x, y), (x, y, weights) or data with its own targets."""
        if isinstance(held, (tuple, list)) and len(held) in (2, 3):
            fit.validation_inputs.append(Seen(keras_data.data_of(held[0])))
            fit.validation_targets.append(targets_of(held[1]))
            return held[0], held[1]
        fit.validation_inputs.append(Seen(keras_data.data_of(held)))
        return held, None

    def _end(self, model: Any, call: _Call, epochs: int | None) -> None:
        conclusion(self.session).model(model, "", lambda: keras_model.save(model, self.session))
        calls = {name: call.get(index, name) for index, name in _TOLD.items()}
        calls = {name: value for name, value in calls.items() if value is not None}
        calls["epochs"] = epochs
        if keras_data.kind_of(call.get(0, "x")) == "arrays":
            calls.setdefault("batch_size", 32)
        self.session.parameters({"keras": keras_model.described(model, calls)})

    def _tell(self, logs: dict[str, Any], seconds: float, planned: int | None) -> None:
        self.checkpoints.count_epoch()
        self.guard.quietly("an epoch", self._tell_values, logs, seconds, planned)

    def _tell_values(self, logs: dict[str, Any], seconds: float, planned: int | None) -> None:
        values = {name: number(value) for name, value in logs.items()}
        told = {spelled(name): value for name, value in values.items() if value is not None}
        self.session.epoch(told, seconds, planned)

    def _around_batch(self, train: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        if self.guard.counts:
            x = argument(args, kwargs, 0, "x")
            self.guard.quietly("a batch", self._see_batch, model, x)
        self._trains_within()
        return train(model, *args, **kwargs)

    def _see_batch(self, model: Any, x: Any) -> None:
        """A training loop of the script's own: all its batches are one fit."""
        data = self.lineage.loops.get(id(model))
        if data is None:
            if self.session.resumes:
                self.session.note("a loop over train_on_batch begins again: it is the script's own")
            data = self.lineage.loops[id(model)] = Data([])
            self.lineage.fit(model).inputs.append(Seen(data))
            conclusion(self.session).model(model, "", lambda: keras_model.save(model, self.session))
        data.stream(x)

    # --- evaluating ------------------------------------------------------------------------------

    def _around_evaluate(self, evaluate: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        is_own = kwargs.get("_use_cached_eval_dataset") or not self.guard.is_here
        if is_own and self.guard.is_here and self._loop is not None and self._loop.is_skipping:
            return self._loop.skip_validation(evaluate, *args, **kwargs)
        if is_own or self.guard.depth > self._open:  # Keras validates, or another adapter measures
            return evaluate(model, *args, **kwargs)
        call = _Call(args, kwargs)
        x, y = call.get(0, "x"), call.get(1, "y")
        data = self.guard.quietly("the data", keras_data.data_of, x) or Data([x])
        call.replace(0, "x", keras_data.watched(x, data, self.guard.quietly))
        seen: dict[str, Any] = {}
        call.add_callback(6, self._listener(seen))
        result, _ = self.guard.run(evaluate, model, *call.args, **call.kwargs)
        self.guard.quietly("an evaluation", self._measure, model, seen or result, data, x, y)
        return result

    def _listener(self, seen: dict[str, Any]) -> Any:
        class Listener(self._callback):  # type: ignore[misc,name-defined]
            def on_test_end(self, logs: Any = None) -> None:
                seen.update(logs or {})

        return Listener()

    def _measure(self, model: Any, logs: Any, data: Data, x: Any, y: Any) -> None:
        if not isinstance(logs, Mapping):
            logs = {"loss": logs} if number(logs) is not None else {}
        role = self.history.role(data, self.lineage.of(model))
        caller = self.session.caller()
        source = "model.evaluate" + (f" at {caller}" if caller else "")
        for name, value in logs.items():
            measured = number(value)
            if measured is not None:
                self.session.measure(canonical(name), measured, role, source)
        save = conclusion(self.session).model
        save(model, role, lambda: keras_model.save(model, self.session))
        self._offer_confusion(model, role, x, y)

    def _offer_confusion(self, model: Any, role: str, x: Any, y: Any) -> None:
        if x is not None and keras_data.kind_of(x) != "generator":
            conclusion(self.session).confusion(
                role, lambda: keras_labels.confusion(model, self._predict, x, y)
            )

    def _around_predict(self, predict: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts:
            return predict(model, *args, **kwargs)
        result, _ = self.guard.run(predict, model, *args, **kwargs)
        x = argument(args, kwargs, 0, "x")
        self.guard.quietly("a prediction", self._predicted, model, x, result)
        return result

    def _predicted(self, model: Any, x: Any, output: Any) -> None:
        if not hasattr(output, "shape") or len(output) < 2:
            return
        fits = self.lineage.of(model)
        role = self.history.role(keras_data.data_of(x), fits)
        known = predictions(self.session.shared)
        known.add(model, fits, role, output, lambda: keras_model.save(model, self.session))


_TOLD = {2: "batch_size", 3: "epochs", 6: "validation_split", 12: "steps_per_epoch"}


def spelled(name: str) -> str:
    """A metric's canonical name, which keeps its "val_"."""
    if name.startswith("val_"):
        return "val_" + canonical(name[4:])
    return canonical(name)


def _tail(value: Any, cut: int) -> Any:
    return value[cut:] if hasattr(value, "shape") else None


class _Call:
    """The arguments of a call, each by its place or by its name."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = list(args)
        self.kwargs = dict(kwargs)

    def get(self, index: int, name: str) -> Any:
        return argument(tuple(self.args), self.kwargs, index, name)

    def replace(self, index: int, name: str, value: Any) -> None:
        if len(self.args) > index:
            self.args[index] = value
        elif name in self.kwargs:
            self.kwargs[name] = value

    def add_callback(self, index: int, callback: Any) -> None:
        """Adds one after the script's own, whose list stays untouched."""
        given = self.get(index, "callbacks")
        if hasattr(given, "callbacks"):  # a CallbackList: Keras takes it as it is
            return
        own = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
        if len(self.args) > index:
            self.args[index] = [*own, callback]
        else:
            self.kwargs["callbacks"] = [*own, callback]

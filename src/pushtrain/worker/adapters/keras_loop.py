"""The loop inside one `fit`: followed batch by batch, saved between two, and fast-forwarded.

A checkpoint stands between two batches or behind an epoch. Another attempt runs the same `fit`
from its beginning, so that Keras, its callbacks and the data begin as they did; until the place of
the checkpoint its batches are drawn and not trained on, and no callback hears of them. The very
first one is trained on, so that all is built that only training builds; putting the state of the
checkpoint in its place undoes what it did. Of arrays one batch an epoch is enough: they are
shuffled once an epoch.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pushtrain.worker import stopping
from pushtrain.worker.adapters.wrapping import Guard

if TYPE_CHECKING:
    from pushtrain.worker.adapters.keras_fit import FitCheckpoint

_GATED = (
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)


class Position(NamedTuple):
    """Where a fit stands.

    Attributes:
        epoch: the one under way, or the next one; counted as Keras counts them, from 0.
        step: calls of the train function in that epoch.
    """

    epoch: int
    step: int


class Feed(NamedTuple):
    """What a fit is fed with, as far as fast-forwarding has to know.

    Attributes:
        backend: Keras' own.
        is_shuffled_once: the order of an epoch is drawn all at once, with its first batch.
        draws_in_python: Python code makes the batches, and may draw from Python's generators.
        draws_of_one: the order of the data, dropout and more are drawn from one generator.
        held_is_arrays: validation draws nothing.
    """

    backend: str
    is_shuffled_once: bool
    draws_in_python: bool
    draws_of_one: bool
    held_is_arrays: bool


class Loop:
    """Follows one fit, whose every failure to be followed becomes a note."""

    def __init__(self, guard: Guard, model: Any, feed: Feed, keeper: FitCheckpoint) -> None:
        self.model = model
        self.keeper = keeper
        self.is_skipping = False
        self._guard = guard
        self._feed = feed
        self._callbacks: Any = None
        self._train: Callable[..., Any] = _unheard
        self._target = Position(0, 0)
        self._epoch = self._step = 0
        self._logs: Any = {}
        self._look_at = 0.0
        self._stop = stopping.Stop()

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Around the fit."""
        with stopping.heeded() as self._stop:
            try:
                yield
            finally:
                self._guard.quietly("the end of a fit", self._detach)

    def trains(self, layer: Any) -> bool:
        """Whether a layer is a part of the model, or all of it."""
        return any(part is layer for part in self.model._flatten_layers())

    def attach(self, callbacks: Any) -> None:
        """The callbacks have heard that training begins; nothing is trained yet."""
        if self._callbacks is not None:
            return
        self._callbacks = callbacks
        recorder = self.keeper.recorder
        if recorder not in callbacks.callbacks:  # a list that the script has made itself
            recorder.set_params(callbacks.params)
            callbacks.callbacks.append(recorder)
        target = self._guard.quietly("a checkpoint", self.keeper.begins, callbacks)
        self._train, self.model.train_function = self.model.train_function, self._first
        callbacks.on_epoch_begin = self._on_epoch_begin
        callbacks.on_epoch_end = self._on_epoch_end
        recorder.waits = True
        self._look_at = time.monotonic() + self.keeper.seconds
        if target is not None:
            self.is_skipping = True
            self._target = target
            for name in _GATED:
                setattr(callbacks, name, _unheard)

    def _detach(self) -> None:
        self.keeper.ends()
        if self._callbacks is None:
            return
        if getattr(self.model.train_function, "__self__", None) is self:
            self.model.train_function = self._train
        for name in ("on_epoch_begin", "on_epoch_end", *_GATED):
            vars(self._callbacks).pop(name, None)
        self._callbacks.callbacks.remove(self.keeper.recorder)

    # --- what the fit calls instead of its train function ----------------------------------------

    def _first(self, *args: Any) -> Any:
        """The first batch, which is trained on in any case."""
        result = self._train(*args)
        self._step += 1
        self._logs = result[0] if self._feed.backend == "jax" else result
        fits = self._guard.quietly("a checkpoint", self.keeper.first_batch, self._logs, self._train)
        self.model.train_function = self._skip if self.is_skipping else self._follow
        if self.is_skipping and not fits:
            self._begin_again()
        self._shorten()
        return result

    def _follow(self, *args: Any) -> Any:
        """Any other batch; before it a checkpoint may be due."""
        if self._stop.is_asked or time.monotonic() >= self._look_at:
            self._between_batches()
        self._step += 1
        return self._train(*args)

    def _skip(self, *args: Any) -> Any:
        """A batch before the place of the checkpoint, which is drawn and nothing else."""
        if self._stop.is_asked:
            stopping.leave()
        if (self._epoch, self._step) == self._target:
            self._go_on(None)
            return self._follow(*args)
        self._draw(args[-1])
        self._step += 1
        self._shorten()
        return (self._logs, args[0]) if self._feed.backend == "jax" else self._logs

    def _draw(self, batches: Any) -> None:
        """Draws the batches of one call, where the train function would do that itself."""
        for number in range(self.model.steps_per_execution if hasattr(batches, "__next__") else 0):
            try:
                next(batches)
            except StopIteration:
                if not number:
                    raise
                return

    def _shorten(self) -> None:
        """Ends the epoch after this batch where its others decide nothing."""
        if self.is_skipping and self._feed.is_shuffled_once and self._epoch < self._target.epoch:
            self.model.stop_training = True

    def _between_batches(self) -> None:
        is_asked = self._stop.is_asked
        if is_asked and self.keeper.is_given_up:
            stopping.leave()
        if not self._step or self._feed.backend == "jax":  # whose state is not in the model now
            return
        self._save(None)
        if is_asked:
            stopping.leave()

    # --- what the fit calls instead of its callbacks' methods ------------------------------------

    def _on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch, self._step = epoch, 0
        if not self.is_skipping:
            type(self._callbacks).on_epoch_begin(self._callbacks, epoch, logs)
            self._guard.quietly("a checkpoint", self.keeper.epoch_begins)
            return
        self.keeper.recorder.on_epoch_begin(epoch)
        if epoch == self._target.epoch:
            self._guard.quietly("a checkpoint", self.keeper.epoch_is_reached)

    def _on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epoch, self._step = epoch + 1, 0
        if self.is_skipping:
            self.model.stop_training = False
            if (self._epoch, 0) >= self._target:
                self._go_on(logs)
            return
        type(self._callbacks).on_epoch_end(self._callbacks, epoch, logs)
        self._save(logs)
        if self._stop.is_asked:
            stopping.leave()

    def skip_validation(self, evaluate: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Instead of the validation at the end of an epoch that is skipped."""
        if self._feed.held_is_arrays:
            return {}
        kept, self.model.test_function = self.model.test_function, self._skip_test
        try:
            return evaluate(self.model, *args, **kwargs)
        finally:
            self.model.test_function = kept

    def _skip_test(self, *args: Any) -> Any:
        self._draw(args[-1])
        return ({}, args[0]) if self._feed.backend == "jax" else {}

    # --- between the two -------------------------------------------------------------------------

    def _save(self, logs: Any) -> None:
        position = Position(self._epoch, self._step)
        save = functools.partial(self.keeper.save, is_asked=self._stop.is_asked)
        self._guard.quietly("a checkpoint", save, position, logs)
        self._look_at = time.monotonic() + self.keeper.seconds

    def _go_on(self, logs: Any) -> None:
        """From here on everything is as it was when the checkpoint was saved."""
        self._open()
        bar = getattr(self._callbacks, "_progbar", None)
        if logs is None and bar is not None:
            bar.on_epoch_begin(self._epoch)
        self._guard.quietly("the state of a checkpoint", self.keeper.put_back, logs)

    def _begin_again(self) -> None:
        """The checkpoint is of no use: the fit goes on from its first batch."""
        self._open()
        self._callbacks.on_epoch_begin(self._epoch)
        self._callbacks.on_train_batch_begin(0)
        self._step = 1

    def _open(self) -> None:
        self.is_skipping = False
        self.model.train_function = self._follow
        for name in _GATED:
            vars(self._callbacks).pop(name, None)
        self._look_at = time.monotonic() + self.keeper.seconds


def _unheard(*_: Any, **__: Any) -> None:
    """A callback's method, of a batch that is skipped."""

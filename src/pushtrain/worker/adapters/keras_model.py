"""A Keras model as JSON, and as a file."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

from pushtrain.worker.session import Session

_MOST_LAYERS = 200
_SHARED = re.compile(r'("shared_object_id": )(\d+)')


def described(model: Any, calls: dict[str, Any]) -> dict[str, Any]:
    """What a model is and is trained with.

    Args:
        model: compiled, and built where it can be.
        calls: what `fit` was given ("epochs", "batch_size", ...).
    """
    optimizer = getattr(model, "optimizer", None)
    record: dict[str, Any] = dict(calls)
    if optimizer is not None:
        config = _config(optimizer)
        record["optimizer"] = {"class": type(optimizer).__name__, **config}
        if "learning_rate" in config:
            record["learning_rate"] = config["learning_rate"]
    loss = getattr(model, "loss", None)
    if loss is not None:
        record["loss"] = loss_name(loss)
    layers = list(model._flatten_layers(include_self=False)) if _can_flatten(model) else []
    record["layers"] = [_layer(layer) for layer in layers[:_MOST_LAYERS]]
    with contextlib.suppress(Exception):  # a model that is not built yet
        record["weights"] = int(model.count_params())
    return record


def loss_name(loss: Any) -> Any:
    """The name of a loss, or of each one of several outputs."""
    if isinstance(loss, dict):
        return {str(name): loss_name(item) for name, item in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [loss_name(item) for item in loss]
    if isinstance(loss, str):
        return loss
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__


def save(model: Any, session: Session) -> bool:
    """Saves the model as it is now, or at least its weights; whether anything was saved."""
    directory = session.out / "model"
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.save(str(directory / "model.keras"))
            _forget_the_moment(directory / "model.keras")
            session.model("model/model.keras", "keras")
            return True
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            (directory / "model.keras").unlink(missing_ok=True)
        model.save_weights(str(directory / "model.weights.h5"))
    session.note(f"only the model's weights are saved, since saving all of it failed: {reason}")
    session.model("model/model.weights.h5", "keras-weights")
    return True


def _forget_the_moment(path: Path) -> None:
    """Takes out of a .keras file what is of the moment: the same training gives the same bytes.

    That is the time, in metadata.json ("date_saved") and in the archive's entries, and addresses
    in memory, which config.json uses to say which objects are one ("shared_object_id").
    """
    timeless = path.with_suffix(".timeless")
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(timeless, "w") as made:
        for entry in saved.infolist():
            member = zipfile.ZipInfo(entry.filename)
            member.external_attr = 0o644 << 16
            if entry.filename == "metadata.json":
                metadata = json.loads(saved.read(entry))
                made.writestr(member, json.dumps({**metadata, "date_saved": "1980-01-01@00:00:00"}))
            elif entry.filename == "config.json":
                made.writestr(member, _renumbered(saved.read(entry).decode()))
            else:
                with (
                    saved.open(entry) as source,
                    made.open(member, "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, 1024 * 1024)
    timeless.replace(path)


def _renumbered(config: str) -> str:
    """A model's configuration with its shared objects numbered in their order."""
    numbers: dict[str, int] = {}
    return _SHARED.sub(
        lambda found: f"{found[1]}{numbers.setdefault(found[2], len(numbers) + 1)}", config
    )


def _layer(layer: Any) -> dict[str, Any]:
    config = _config(layer)
    plain = {
        name: value
        for name, value in config.items()
        if isinstance(value, (bool, int, float, str, list, tuple)) and name != "trainable"
    }
    with contextlib.suppress(Exception):
        plain["weights"] = int(layer.count_params())
    return {"class": type(layer).__name__, **plain}


def _config(thing: Any) -> dict[str, Any]:
    try:
        config = thing.get_config()
    except Exception:  # custom classes often have none
        return {"name": str(getattr(thing, "name", ""))}
    return {name: _short(value) for name, value in config.items() if value is not None}


def _short(value: Any) -> Any:
    if isinstance(value, dict) and "class_name" in value:
        return {"class": value["class_name"], **(value.get("config") or {})}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.7g}")  # 32-bit floats, as people wrote them
    return value


def _can_flatten(model: Any) -> bool:
    return hasattr(model, "_flatten_layers")

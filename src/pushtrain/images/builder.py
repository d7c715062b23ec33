"""Builds the images of plans, layer by layer, each once however many ask for it."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pushtrain.entities import Image, ImagePlan
from pushtrain.errors import ImageError
from pushtrain.images import rootfs
from pushtrain.images.build_failure import explained
from pushtrain.images.machine import Machine
from pushtrain.images.planner import Planner
from pushtrain.images.recipe import ROOTFS_PACKAGES, Recipe
from pushtrain.interfaces import LABEL_IMAGE, ImageStore

Progress = Callable[[str], None]

_MIB = 1024**2
_PAUSE = 0.25
"""Seconds between two looks at a lock that another process holds."""
_REMINDER = 10.0
"""Seconds after which it is said again, so that whoever listens may give up."""


class ImageBuilder:
    """From a plan to an image that exists.

    Whoever needs a layer that another process is building waits for it and builds nothing.

    Args:
        store: the images of the engine.
        planner: what the plans came from: its catalog and machine make the images.
        locks: directory for one lock file per tag.
    """

    def __init__(self, store: ImageStore, planner: Planner, locks: Path) -> None:
        self._store = store
        self._planner = planner
        self._locks = locks

    def ensure(self, plan: ImagePlan, on_line: Progress) -> Image:
        """The image of a plan, built if it is not there.

        Args:
            plan: what to build.
            on_line: gets lines for people while something is built; not called otherwise.

        Raises:
            ImageError: a layer cannot be built (facts `layer`, `instruction`, `tail`), or the
                plan was made with another catalog or on another machine and its image is gone.
            EngineUnreachable: the engine does not answer.
        """
        found = self._store.find(plan.tag)
        if found is None:
            recipe = self._planner.recipes(plan)[-1]
            if recipe.tag != plan.tag:
                raise ImageError(
                    f"image {plan.tag} is gone, and the catalog or this machine's settings have "
                    f"changed since it was planned (now: {recipe.tag})",
                    hint="start the run anew",
                    tag=plan.tag,
                )
            self._layer(recipe, on_line)
            found = self._store.find(plan.tag)
        if found is None:
            raise ImageError(
                f"image {plan.tag} was removed as soon as it was built",
                hint="see who cleans this engine, then come again",
                tag=plan.tag,
            )
        return Image(plan, *found)

    def _layer(self, recipe: Recipe, on_line: Progress) -> str:
        """The id of a layer's image, built with all that it stands on where it is missing."""
        found = self._store.find(recipe.tag)
        if found:
            return found[0]
        with self._locked(recipe.tag, on_line):
            found = self._store.find(recipe.tag)
            if found:
                return found[0]
            parent = self._layer(recipe.parent, on_line) if recipe.parent else self._base(on_line)
            return self._built(recipe, parent, on_line)

    def _built(self, recipe: Recipe, parent: str, on_line: Progress) -> str:
        started = time.monotonic()
        on_line(f"{recipe.layer}: building {recipe.tag}")
        try:
            with recipe.context() as context:
                image = self._store.build(
                    recipe.tag,
                    context,
                    arguments=_arguments(recipe, parent, self._planner.machine),
                    labels={LABEL_IMAGE: recipe.name},
                    on_line=lambda line: on_line(f"{recipe.layer}: {line}"),
                )
        except ImageError as error:
            raise explained(error, recipe) from error
        made = self._store.find(recipe.tag)
        size = f", {made[1] / _MIB:.0f} MiB in all" if made else ""
        on_line(f"{recipe.layer}: built in {time.monotonic() - started:.1f} s{size}")
        return image

    def _base(self, on_line: Progress) -> str:
        """What the base layer stands on: BASE_IMAGE, or a root file system made here."""
        machine = self._planner.machine
        if machine.base_image:
            return machine.base_image
        assert machine.suite is not None
        packages = hashlib.sha256(" ".join(ROOTFS_PACKAGES).encode()).hexdigest()
        tag = f"pushtrain/rootfs:{machine.suite}-{packages[:8]}"
        with self._locked(tag, on_line):
            if self._store.find(tag) is None:
                started = time.monotonic()
                on_line(f"rootfs: making {tag} from this machine's own Debian mirror")
                heard = _after("rootfs: ", on_line)
                with rootfs.made(machine.suite, ROOTFS_PACKAGES, heard) as archive:
                    self._store.load(tag, archive, {LABEL_IMAGE: "rootfs"})
                on_line(f"rootfs: made in {time.monotonic() - started:.1f} s")
        return tag

    @contextmanager
    def _locked(self, tag: str, on_line: Progress) -> Iterator[None]:
        """Holds a tag's lock; it falls with this process, however that ends."""
        self._locks.mkdir(parents=True, exist_ok=True)
        name = "image-" + hashlib.sha256(tag.encode()).hexdigest()[:16]
        with (self._locks / name).open("a") as file:
            waited = 0.0
            while not _lock(file):
                if waited % _REMINDER == 0:
                    on_line(f"waiting for another process that makes {tag}")
                time.sleep(_PAUSE)
                waited += _PAUSE
            yield


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _after(prefix: str, on_line: Progress) -> Progress:
    return lambda line: on_line(prefix + line)


def _arguments(recipe: Recipe, parent: str, machine: Machine) -> Mapping[str, str]:
    """The build arguments of a layer.

    The script in ftp_proxy holds what must not stay in the image: that argument is one of the few
    that no engine records (docker/base/install-layer runs it).
    """
    secret = machine.packages.as_shell()
    if machine.builds_sdists:
        secret += "export PUSHTRAIN_BUILD_SDISTS=1\n"
    return {
        "PARENT": parent,
        **({} if recipe.parent else {"PYTHON": machine.python}),
        **machine.proxies,
        "ftp_proxy": base64.b64encode(secret.encode()).decode(),
    }

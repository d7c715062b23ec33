"""The images of a Docker Engine: found, made, listed and removed."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, BinaryIO

from pushtrain.engine.connection import Connection
from pushtrain.errors import ImageError, PushtrainError
from pushtrain.interfaces import LABEL_IMAGE

_SILENCE = 1800
"""Seconds without a byte after which a build counts as dead: unpacking a framework is silent."""
_TAIL = 15
"""The last lines of a failing instruction that are kept."""
_STEP = re.compile(r"Step (?P<number>\d+/\d+) : (?P<instruction>.+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MADE = re.compile(r" ---> (?P<id>[0-9a-f]{12,})$")
_NOISE = (" ---> ", "Removing intermediate container")
"""How lines begin that only tell of the engine's own doings."""


class DockerImageStore:
    """The images of one engine; see `pushtrain.interfaces.ImageStore`. Thread-safe.

    Args:
        connection: the way to the engine.
        network: the network of builds (default: PUSHTRAIN_BUILD_NETWORK, else the host's own,
            in which the machine's proxies answer).
    """

    def __init__(self, connection: Connection, network: str | None = None) -> None:
        self._connection = connection
        self._network = network or os.environ.get("PUSHTRAIN_BUILD_NETWORK") or "host"

    def find(self, tag: str) -> tuple[str, int] | None:
        """(id, bytes) of the image with this tag, or None."""
        try:
            with self._connection.calling(f"image {tag} cannot be found", ImageError) as client:
                found = client.inspect_image(tag)  # type: ignore[no-untyped-call]
        except ImageError as error:
            if error.facts.get("status") == 404:
                return None
            raise
        return found["Id"], found["Size"]

    def load(self, tag: str, rootfs: BinaryIO, labels: Mapping[str, str]) -> str:
        """Makes an image from a root file system archive; gives its id."""
        repository, _, version = tag.rpartition(":")
        changes = [
            f"LABEL {json.dumps(name)}={json.dumps(value)}" for name, value in labels.items()
        ]
        what = f"image {tag} cannot be loaded"
        with self._connection.calling(what, ImageError) as client:
            said = client.import_image(rootfs, repository, version, changes=changes)
        lines = [json.loads(line) for line in said.splitlines() if line.strip()]
        for line in lines:
            if "error" in line:
                raise ImageError(f"{what}: {line['error']}", hint="check the engine's disk space")
        return str(lines[-1]["status"])

    def build(
        self,
        tag: str,
        context: BinaryIO,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> str:
        """Builds a context (a tar with a Dockerfile at its top) and tags it only when whole."""
        what = f"image {tag} cannot be built"
        # A connection of its own: closing it is what tells the engine to stop building.
        with closing(self._connection.open()) as client:
            log = _BuildLog(tag, on_line)
            try:
                with self._connection.calling(what, ImageError):
                    stream = client.build(
                        fileobj=context,
                        custom_context=True,
                        rm=True,
                        forcerm=True,
                        network_mode=self._network,
                        buildargs=dict(arguments),
                        labels=dict(labels),
                        timeout=_SILENCE,
                        decode=True,
                    )
                for message in self._messages(stream, what):
                    log.hear(message)
                return self._name(tag, log.image)
            finally:
                for image in log.leftovers():
                    self._forget(image)

    def list(self) -> Sequence[tuple[str, str, int, float]]:
        """Images labelled as ours: (id, tag or "", bytes, creation as Unix time)."""
        with self._connection.calling("the images cannot be listed", ImageError) as client:
            found = client.images(filters={"label": LABEL_IMAGE})
        return [
            (image["Id"], tag, image["Size"], float(image["Created"]))
            for image in found
            for tag in _tags(image)
        ]

    def remove(self, reference: str) -> None:
        """Removes a tag or image; no error if it is gone, ImageError if it is in use."""
        try:
            with self._connection.calling(
                f"image {reference} cannot be removed",
                ImageError,
                hint="a container still uses it; `pushtrain runs` shows what runs",
            ) as client:
                client.remove_image(reference)
        except ImageError as error:
            if error.facts.get("status") != 404:
                raise

    def _messages(self, stream: Iterator[Any], what: str) -> Iterator[Mapping[str, Any]]:
        with closing(stream):  # type: ignore[type-var]
            while True:
                with self._connection.calling(what, ImageError):
                    message = next(stream, None)
                if message is None:
                    return
                yield message

    def _name(self, tag: str, image: str) -> str:
        """Gives the tag to a whole image, unless somebody else was first; gives the id that has it.

        Whoever recorded the first one's id goes on finding it under its tag.
        """
        first = self.find(tag)
        if first is not None and first[0] != image:
            self._forget(image)
            return first[0]
        repository, _, version = tag.rpartition(":")
        with self._connection.calling(f"image {tag} cannot be tagged", ImageError) as client:
            client.tag(image, repository, version)
        return image

    def _forget(self, image: str) -> None:
        """Removes what a build left half made, unless somebody has named it or stands on it."""
        with (
            suppress(PushtrainError),
            self._connection.calling(f"image {image} cannot be removed", ImageError) as client,
        ):
            if not client.inspect_image(image)["RepoTags"]:  # type: ignore[no-untyped-call]
                client.remove_image(image)


def _tags(image: Mapping[str, Any]) -> Iterable[str]:
    tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
    return tags or [""]


class _BuildLog:
    """What a build says: passed on line by line, and remembered for the error it may end with."""

    def __init__(self, tag: str, on_line: Callable[[str], None]) -> None:
        self.image = ""
        self._tag = tag
        self._on_line = on_line
        self._instruction = ""
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._stages: list[str] = []
        self._is_new = False
        self._begun = ""

    def hear(self, message: Mapping[str, Any]) -> None:
        """One message of the engine; raises ImageError when it is the build's failure."""
        if "error" in message:
            self._hear_line(self._begun.rstrip())
            raise self._failure(str(message["error"]))
        self.image = message.get("aux", {}).get("ID", self.image)
        # One line may come in many pieces, each in colours of its own.
        *whole, self._begun = (self._begun + _COLOUR.sub("", message.get("stream", ""))).split("\n")
        for line in whole:
            self._hear_line(line.rpartition("\r")[2].rstrip())

    def leftovers(self) -> Iterator[str]:
        """The last image of each stage that is no part of a whole image, the newest first.

        What such an image stands on goes with it when it is removed.
        """
        for image in reversed(self._stages):
            if not self.image.removeprefix("sha256:").startswith(image):
                yield image

    def _hear_line(self, line: str) -> None:
        step, made = _STEP.match(line), _MADE.match(line)
        if step:
            self._instruction = step["instruction"]
            self._tail.clear()
            self._is_new |= self._instruction.startswith("FROM")
        elif made:
            if not self._instruction.startswith("FROM"):  # whose image is the parent's
                if not self._is_new:
                    self._stages.pop()
                self._stages.append(made["id"])
                self._is_new = False
            return
        elif line and not line.startswith(_NOISE):
            self._tail.append(line)
        if line and not line.startswith(_NOISE):
            self._on_line(line)

    def _failure(self, error: str) -> ImageError:
        tail = list(self._tail)
        causes = [line for line in tail if not line.startswith("hint:")]  # uv ends with those
        last = f": {causes[-1].strip()}" if causes else ""
        return ImageError(
            f"image {self._tag} cannot be built: {self._instruction or 'the context'} failed"
            f" ({error.strip()}){last}",
            hint="",
            tag=self._tag,
            instruction=self._instruction,
            tail=tail,
            reason=error.strip(),
        )

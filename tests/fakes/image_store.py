"""An ImageStore without an engine: it reads Dockerfiles, and knows what `echo` and `false` do."""

from __future__ import annotations

import hashlib
import re
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from pushtrain.errors import ImageError
from pushtrain.interfaces import LABEL_IMAGE


@dataclass
class _Made:
    size: int
    labels: Mapping[str, str]
    tags: set[str] = field(default_factory=set)


class FakeImageStore:
    """Keeps images in memory; `built` tells each build's tag and arguments, in order."""

    def __init__(self, *existing: str) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, _Made] = {}
        self.built: list[tuple[str, Mapping[str, str]]] = []
        self.during: Callable[[str], None] = lambda tag: None
        for tag in existing:
            self._keep(tag, tag.encode(), {})

    def find(self, tag: str) -> tuple[str, int] | None:
        with self._lock:
            return next(
                ((id, m.size) for id, m in self._images.items() if tag == id or tag in m.tags), None
            )

    def load(self, tag: str, rootfs: BinaryIO, labels: Mapping[str, str]) -> str:
        return self._keep(tag, rootfs.read(), labels)

    def build(
        self,
        tag: str,
        context: BinaryIO,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> str:
        what = f"image {tag} cannot be built"
        try:
            with tarfile.open(fileobj=context) as archive:
                found = archive.extractfile("Dockerfile")
                text = found.read().decode() if found else ""
        except (tarfile.TarError, KeyError) as error:
            raise ImageError(f"{what}: {error}", instruction="", tail=[]) from error
        self.built.append((tag, dict(arguments)))
        self.during(tag)
        for instruction in re.sub(r"\\\n", "", text).splitlines():
            self._follow(instruction, what, arguments, on_line)
        return self._keep(tag, f"{text}{sorted(arguments.items())}".encode(), labels)

    def list(self) -> Sequence[tuple[str, str, int, float]]:
        with self._lock:
            return [
                (id, tag, made.size, 0.0)
                for id, made in self._images.items()
                if LABEL_IMAGE in made.labels
                for tag in made.tags or {""}
            ]

    def remove(self, reference: str) -> None:
        with self._lock:
            for id, made in list(self._images.items()):
                made.tags.discard(reference)
                if reference == id or not made.tags:
                    del self._images[id]

    def _follow(
        self,
        instruction: str,
        what: str,
        arguments: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> None:
        word, _, rest = instruction.partition(" ")
        if word == "FROM":
            parent = re.sub(r"\$\{(\w+)\}", lambda name: arguments[name[1]], rest.split(" AS ")[0])
            if self.find(parent) is None:
                raise ImageError(f"{what}: no {parent}", instruction=instruction, tail=[])
        elif word == "RUN":
            said = [part.removeprefix("echo ") for part in rest.split(" && ") if "echo" in part]
            for line in said:
                on_line(line)
            if "false" in rest.split(" && "):
                raise ImageError(f"{what}: {instruction}", instruction=instruction, tail=said)

    def _keep(self, tag: str, content: bytes, labels: Mapping[str, str]) -> str:
        id = "sha256:" + hashlib.sha256(content).hexdigest()
        first = self.find(tag)
        with self._lock:
            if first is not None:
                return first[0]
            made = self._images.setdefault(id, _Made(len(content), dict(labels)))
            made.tags.add(tag)
        return id

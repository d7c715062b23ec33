"""Where programs are trained: light ones on an engine of the tests' own, others elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.program import PROGRAMS, Program
from pushtrain.assembly import Assembly
from pushtrain.detect import detect
from pushtrain.engine.connection import Connection
from pushtrain.settings import OperatorSettings, load_repository
from pushtrain.store import Store
from support.engines import Daemon, SecondEngine, second_engine


@dataclass(frozen=True, slots=True)
class Engines:
    """Two engines.

    Attributes:
        ours: one of the tests' own.
        daemon: its process.
        machines: the machine's.
    """

    ours: Connection
    daemon: Daemon
    machines: Connection

    def of(self, program: Program) -> tuple[Connection, Daemon | None]:
        """The engine of a program, and its process if it is ours."""
        return (self.ours, self.daemon) if program.is_light else (self.machines, None)


@contextmanager
def engines(folder: Path) -> Iterator[Engines]:
    """Both, with the images of all programs; `folder` is a new one's place."""
    folder.mkdir(parents=True)
    machines = Connection.from_environment()
    tags = {program: _image(program, folder / program.name) for program in PROGRAMS}
    with second_engine(folder) as second:
        for tag in sorted({tags[program] for program in PROGRAMS if program.is_light}):
            _copy(machines, second, tag)
        yield Engines(second.connection, second.daemon, machines)


def _image(program: Program, place: Path) -> str:
    """The tag of a program's image, which is built on the machine's engine where it is missing."""
    place.mkdir()
    root = program.put(place)
    settings = load_repository(root)
    workshop = Assembly(Store(place), OperatorSettings())
    plan = workshop.plan_image(detect(root, settings.train), settings.image, root)
    workshop.build_image(plan, lambda line: None)
    return plan.tag


def _copy(machines: Connection, second: SecondEngine, tag: str) -> None:
    with (
        machines.calling(f"{tag} cannot be read") as source,
        second.connection.calling(f"{tag} cannot be loaded") as target,
    ):
        for _ in target.load_image(source.get_image(tag)):  # type: ignore[no-untyped-call]
            pass

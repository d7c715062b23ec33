"""What a trial tells the worker of itself: what adapters and hooks call inside the forked child."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pushtrain.worker.checkpoints import Checkpoints
from pushtrain.worker.events import encode
from pushtrain.worker.frames import Frames, Place
from pushtrain.worker.orders import Order
from pushtrain.worker.values import number, plain, text

MESSAGE = 128 * 1024
"""Bytes of the longest message."""

_SAID_AGAIN = {"epoch", "measurement", "confusion", "parameters"}
"""What is part of the result, and would be missing where it is said once and the process ends."""

_MOST_METRICS, _MOST_PARAMETERS = 100, 500


class Session:
    """The trial under way. Its methods never raise into the script, and any thread may call them.

    Attributes:
        order: what is to be trained.
        source: the trial's own copy of the tree.
        out: what is brought out of the container; `out/model/` is for the model.
        checkpoints: what an earlier attempt has left, and this one leaves for the next.
        resumes: whether the trial is to continue from its checkpoints.
        shared: what adapters keep for one another.
        frames: tells the user's own code from everybody else's.
        counts: how many of what the script has done so far, by a name that is the counter's own;
            where a script goes on by itself after a checkpoint, it goes on counting.
    """

    def __init__(
        self,
        order: Order,
        source: Path,
        out: Path,
        channel: socket.socket,
        checkpoints: Checkpoints,
    ) -> None:
        self.order = order
        self.source = source
        self.out = out
        self.checkpoints = checkpoints
        self.resumes = order.resume
        self.shared: dict[str, object] = {}
        self.frames = Frames(source)
        self.counts: dict[str, int] = {}
        self._memories: list[list[dict[str, object]]] = []
        self._parameters: dict[str, object] = {}
        self._channel = channel
        self._noted: set[str] = set()
        self._held: list[bytes] | None = None

    def epoch(self, metrics: Mapping[str, float], seconds: float, epochs: int | None) -> None:
        """An epoch has ended, of `epochs` in this fit where that is known."""
        values = [(str(name), number(value)) for name, value in metrics.items()]
        self.say(
            "epoch",
            metrics={name: value for name, value in values[:_MOST_METRICS] if value is not None},
            seconds=number(seconds),
            epochs=epochs,
        )

    def resumed(self, epochs: int) -> None:
        """The trial continues after so many epochs, which have been told again before.

        0 says that it continues from something other than an epoch.
        """
        self.say("resumed", epochs=epochs)

    def carried(self, seconds: float) -> None:
        """What the trial continues from took so long, less what it took to get there again.

        A trial's time limit counts them, as if one attempt had done it all.
        """
        self.say("carried", seconds=number(seconds))

    def measure(self, metric: str, value: float, role: str, source: str) -> None:
        """A metric has been measured; see PROTOCOL.md for the roles."""
        measured = number(value)
        if measured is not None:
            self.say("measurement", metric=metric, value=measured, role=role, source=source)

    def confusion(self, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
        """How often which class was taken for which; the last one counts."""
        try:
            cells = [[int(cell) for cell in row] for row in matrix]
            self.say("confusion", labels=[str(label) for label in labels], matrix=cells)
        except Exception as error:
            self.note(f"a confusion matrix is left out: {error}")

    def parameters(self, values: Mapping[str, object]) -> None:
        """Parameters that the script trains with; a later value replaces an earlier one."""
        for name, value in list(values.items())[:_MOST_PARAMETERS]:
            with contextlib.suppress(Exception):
                said = {str(name): plain(value)}
                if said != {one: self._parameters.get(one) for one in said}:
                    self._parameters.update(said)
                    self.say("parameters", values=said)

    def versions(self, values: Mapping[str, str]) -> None:
        """Versions of what is used, by distribution."""
        self.say("versions", values={str(name): str(version) for name, version in values.items()})

    def model(self, path: str, format: str) -> None:
        """The trained model lies at `path`, relative to `out`."""
        self.say("model", path=path, format=format)

    def seconds(self, name: str, value: float) -> None:
        """How long a part of the script took in all, such as "fit"."""
        self.say("seconds", name=name, value=number(value))

    def note(self, note: str) -> None:
        """What people should know of this trial; the same is told once."""
        if note not in self._noted:
            self._noted.add(note)
            self.say("note", text=note[:2000])

    def caller(self) -> str:
        """The innermost frame of the user's code on this thread's stack: "train.py:41", or ""."""
        place = self.frames.caller()
        return str(place) if place else ""

    def remember(self) -> list[dict[str, object]]:
        """What is said from now on and is part of the result; another attempt must `say` it again.

        It grows until it is given to `forget`.
        """
        memory: list[dict[str, object]] = []
        self._memories.append(memory)
        return memory

    def forget(self, memory: list[dict[str, object]]) -> None:
        """Nothing more is added to what `remember` gave."""
        self._memories = [one for one in self._memories if one is not memory]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What is said meanwhile is remembered at once, and told only at the end."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for message in held:
                self._tell(message)

    # --- for the worker's own parts ------------------------------------------------------------

    def error(self, error: BaseException, kind: str, traceback: str) -> None:
        """The exception that ends the script."""
        place = self.frames.innermost(error)
        self.say(
            "error",
            type=kind,
            message=text(error)[:8000],
            traceback=traceback[-16000:],
            **_fields(place),
        )

    def network(self, host: str, port: int | None, place: Place | None) -> None:
        """The script tried to reach something outside its container."""
        self.say("network", host=host, port=port, **_fields(place))

    def say(self, kind: str, **fields: object) -> None:
        """Sends one message; one that is too long, or that nobody hears, is dropped."""
        try:
            message = encode({"kind": kind, **fields})
            if kind in _SAID_AGAIN:
                for memory in self._memories:
                    memory.append({"kind": kind, **fields})
            if len(message) > MESSAGE:
                if kind != "note":
                    what = f"{len(message)} bytes are too long"
                    self.note(f"a message about {kind} is left out: {what}")
            elif self._held is not None:
                self._held.append(message)
            else:
                self._tell(message)
        except Exception:  # noqa: S110  # whatever is wrong with it, it is not the script's concern
            pass

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(Exception):
            self._channel.send(message)


def _fields(place: Place | None) -> dict[str, object]:
    return {"file": place.file, "line": place.line} if place else {"file": None, "line": None}

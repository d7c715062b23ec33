"""The seams: what the spine needs from the outside, as protocols of at most six methods.

Every implementation, real or fake, passes the contract suite of its seam in `tests/contract/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from pushtrain.entities import (
    Epoch,
    KnobValue,
    KnobValues,
    TrialResult,
    TrialSpec,
)

LABEL_RUN = "pushtrain.run"
LABEL_TRIAL = "pushtrain.trial"
LABEL_ATTEMPT = "pushtrain.attempt"
LABEL_LEASE = "pushtrain.lease"
LABEL_IMAGE = "pushtrain.image"
LABEL_CHECKPOINTS = "pushtrain.checkpoints"
"""Labels on everything of ours that an engine holds; LABEL_LEASE names the driver's lease,
LABEL_IMAGE stands on images, and LABEL_CHECKPOINTS on the volumes that outlive their containers."""


# --- engine ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What one training container may use.

    Attributes:
        memory: bytes, swap included.
        cpus: cores, fractions allowed.
        pids: processes and threads.
        disk: bytes that a trial may write.
        shm: bytes of /dev/shm, and as many of /tmp; both count as memory.
        log: bytes of printed text kept per trial.
        network: whether the container has a network at all.
    """

    memory: int
    cpus: float
    pids: int
    disk: int
    shm: int
    log: int
    network: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """A declared data directory: a path on the engine's host, mounted read-only at `target`."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A container to launch: everything that is not fixed by the hardening itself."""

    name: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str]
    limits: Limits
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    checkpoints: str = ""
    """Name of the volume for checkpoints, which outlives the container; made where it is not
    there, and empty for a container that needs none."""


@dataclass(frozen=True, slots=True)
class VolumeState:
    """A volume of ours that outlives its containers."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself."""

    address: str
    version: str
    api_version: str
    storage_driver: str
    cpus: int
    memory: int
    name: str
    root: str
    """Its data directory, on its own host."""
    time: float = 0.0
    """Its clock, as Unix time."""
    cgroup: str = ""
    """The version of control groups ("1", "2")."""
    security: Sequence[str] = ()
    """The protections that it gives to containers ("seccomp", "apparmor", "rootless")."""
    warnings: Sequence[str] = ()
    """What it warns of itself ("WARNING: No swap limit support")."""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """What the engine knows of a container, at one moment."""

    id: str
    name: str
    labels: Mapping[str, str]
    is_running: bool
    exit_code: int | None
    oom_killed: bool
    error: str = ""
    """Why it ended badly: the engine's word, or the last lines on its standard error."""


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to put into a container: its content or a local regular file.

    A `path` that ends with a slash is a directory. Directories on the way to a file belong to
    root and are made as needed; `owner` is the uid and gid of this entry alone.
    """

    path: str
    """Relative, with forward slashes."""
    content: bytes | None = None
    local: str | None = None
    mode: int = 0o644
    owner: int = 0


class Sandbox(Protocol):
    """A live handle on one hardened container.

    Order: `Engine.launch` gives a handle whose container is created and not started; `put` may be
    called before and after `start`; `follow` ends when the container has ended; `remove` may come
    at any time, more than once. All methods raise EngineUnreachable when the engine does not
    answer and SandboxError for what it refuses. `follow` runs in one thread while the others are
    called from another.

    `engine_was_away` tells whether the engine did not answer at some time while it was followed.
    """

    id: str
    engine_was_away: bool

    def put(self, directory: str, files: Iterator[OutgoingFile]) -> None:
        """Writes files below `directory` (itself /pushtrain or below it), in the order given."""

    def start(self) -> None:
        """Starts the container."""

    def follow(self) -> Iterator[bytes]:
        """The lines that the worker prints, from the very first, without their newline.

        A line over 1 MiB is dropped. Ends when the container ends or is removed. Goes on after a
        dropped connection without losing or repeating a line. A worker that prints without end
        raises SandboxError.
        """

    def fetch(self, path: str, *, most: int) -> Iterator[tuple[str, BinaryIO]]:
        """The regular files below `path`, each as (POSIX path relative to it, stream).

        Reads what may be hostile: anything but a regular file with a plain relative path raises
        SandboxError, and so does more than `most` bytes in all. A stream must be read before the
        next file is asked for.
        """

    def signal(self, name: str) -> None:
        """Sends a signal ("SIGTERM", "SIGUSR1") to the worker; no error if it has ended."""

    def state(self) -> SandboxState | None:
        """What the engine knows of it now; None when it no longer exists."""


class Engine(Protocol):
    """A Docker Engine, on this host or another: it shares no file system with us.

    Thread-safe. Every method raises EngineUnreachable when it does not answer.
    """

    def facts(self) -> EngineFacts:
        """Version, address and size of the engine."""

    def launch(self, spec: SandboxSpec, files: Iterable[OutgoingFile] = ()) -> Sandbox:
        """Creates a hardened container (not started) with its own volume at /pushtrain.

        The volume belongs to root and holds `files` and one empty directory, trials/, which
        belongs to the trainer (uid and gid 1000, mode 0700): the only place on disk that training
        can write, but for checkpoints/trials/, which is the same on the volume of that name in
        the spec.
        """

    def find(self, labels: Mapping[str, str]) -> Sequence[SandboxState]:
        """Our containers that carry all of `labels` (an empty value matches any), in any state."""

    def remove(self, container: str, *, grace: float = 0) -> None:
        """Stops (SIGTERM, `grace` seconds, SIGKILL) and removes a container and its own volume.

        Its volume for checkpoints stays. Idempotent.
        """

    def volumes(self, labels: Mapping[str, str]) -> Sequence[VolumeState]:
        """Our volumes with all of `labels` (an empty value matches any) that go with no container.

        Those for checkpoints, and the own ones of containers that others removed without them.
        """

    def remove_volume(self, name: str) -> None:
        """Removes such a volume; idempotent, SandboxError while a container uses it."""


class EngineEvents(Protocol):
    """What happens on an engine, as far as somebody should look."""

    def wakeups(self) -> Iterator[None]:
        """Gives something when it has connected, and whenever a container of ours has ended.

        Waits for an engine that is away, and connects again; never ends, and never raises. What
        happens while it is not connected is not told, so that a look follows each connection.
        """


class ImageStore(Protocol):
    """The images of an engine. Thread-safe; raises EngineUnreachable and ImageError."""

    def find(self, tag: str) -> tuple[str, int] | None:
        """(id, bytes) of the image with this tag, or None."""

    def load(self, tag: str, rootfs: BinaryIO, labels: Mapping[str, str]) -> str:
        """Makes an image from a root file system archive; gives its id."""

    def build(
        self,
        tag: str,
        context: BinaryIO,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> str:
        """Builds a context (a tar with a Dockerfile at its top) and tags it only when whole.

        `on_line` gets what the build prints. A failure raises ImageError with the failing
        instruction and its last lines as facts (`instruction`, `tail`).
        """

    def list(self) -> Sequence[tuple[str, str, int, float]]:
        """Images labelled as ours: (id, tag or "", bytes, creation as Unix time)."""

    def remove(self, reference: str) -> None:
        """Removes a tag or image; no error if it is gone, ImageError if it is in use."""


# --- training ----------------------------------------------------------------------------------


class TrialWatcher(Protocol):
    """Hears of a trial while it trains; called from the trainer's thread, one call at a time."""

    def on_epoch(self, trial: int, epoch: Epoch, epochs: int | None) -> bool:
        """An epoch of `epochs` has ended; True asks to stop the trial early."""

    def on_log(self, trial: int, text: str) -> None:
        """The script printed something."""

    def on_resumed(self, trial: int, attempt: int, epochs: int) -> None:
        """The attempt goes on from a checkpoint, after so many epochs of the trial."""

    def on_alive(self, trial: int, memory: int) -> None:
        """The trial is alive (about once a second) and uses this many bytes."""


class Trainer(Protocol):
    """One warm worker: trains trials one after another.

    Order: `start`, then `train` any number of times, then `close`. `start` and `train` are called
    from one thread; `stop` may be called from any other at any time. An attempt that fails is a
    result, never an exception; EngineUnreachable and SandboxError mean that no worker can be
    brought up, the latter with the fact `cause` where another attempt may help.
    """

    def start(self) -> Mapping[str, str]:
        """Brings up the worker, if none is up; gives each declared data directory's fingerprint.

        Raises TrainingError when the framework cannot be imported.
        """

    def train(self, spec: TrialSpec, watcher: TrialWatcher) -> TrialResult:
        """One attempt at a trial, to its end; brings its artifacts to `trials/<number>/`."""

    def stop(self, *, keep: bool = False) -> None:
        """Ends the trial under way, if any (its result is STOPPED) and refuses further ones.

        With `keep` it gets time to save a checkpoint; otherwise it ends at once.
        """

    def close(self) -> None:
        """Removes the worker and everything it held on the engine; idempotent."""


# --- search ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """Values to try next, and where they come from ("as pushed", "learnt", "ladder", "search")."""

    number: int
    values: Mapping[str, KnobValue]
    origin: str


class Searcher(Protocol):
    """Proposes knob values and learns from results. Thread-safe.

    Same knobs, seed and results give the same proposals, also after a restart in between.
    """

    def ask(self, refused: Sequence[KnobValues] = ()) -> Proposal | None:
        """The next values to try; None when every combination has been tried.

        Args:
            refused: values that trials of this run began with and that cannot be trained here:
                they are not proposed again.
        """

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        """Tells a value of a running trial; True when the trial has fallen behind."""

    def tell(self, result: TrialResult) -> None:
        """Tells the end of a trial."""

    def importances(self) -> Mapping[str, float]:
        """How much each knob mattered (sum 1), empty while too little is known."""


# --- telling people ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """A message to people about one run.

    `key` is unique for the event and the same at every retry (it becomes the Message-ID).
    `images` are the inline pictures of `html`, by content id; `time` is the event's, in Unix
    seconds, so that a message that is sent late says when it was.
    """

    key: str
    subject: str
    text: str
    html: str
    images: Mapping[str, bytes] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    time: float = 0.0


class Notifier(Protocol):
    """One way to reach people.

    Raises DeliveryError, with the fact `permanent=True` where a retry is of no use, and with
    `soon=False` where one helps only after somebody has mended something.
    """

    name: str

    def deliver(self, message: Message) -> None:
        """Hands the message over; returns only when the other side has accepted it."""


class Rewriter(Protocol):
    """Puts knob values into a copy of the source."""

    def __call__(self, values: KnobValues) -> Mapping[str, bytes]:
        """The files that the values change, whole; raises KnobError."""

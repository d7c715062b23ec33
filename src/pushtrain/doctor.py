"""Whether this machine can train: each finding with its remedy."""

from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pushtrain.errors import PushtrainError
from pushtrain.findings import Finding, Health
from pushtrain.interfaces import LABEL_RUN, Engine, EngineFacts, ImageStore
from pushtrain.inventory import Inventory
from pushtrain.notify import notifiers
from pushtrain.settings import GIB, OperatorSettings
from pushtrain.store import Store

_LEAST_DISK = 10 * GIB
"""Free bytes below which an image or a run may not fit (a Keras image takes about 3 GiB)."""
_MOST_SKEW = 30.0
"""Seconds that the engine's clock may differ from ours."""
_OLDEST_ENGINE = (20, 10)
_FAST_DRIVERS = ("overlay2", "overlayfs", "btrfs", "zfs", "fuse-overlayfs")


@dataclass(frozen=True, slots=True)
class MachineFinding(Finding):
    """A finding with the exit code of the error behind it."""

    exit_code: int = 0


def _ok(subject: str, message: str) -> MachineFinding:
    return MachineFinding(subject, Health.OK, message)


def _warning(subject: str, message: str, remedy: str) -> MachineFinding:
    return MachineFinding(subject, Health.WARNING, message, remedy)


def _problem(subject: str, error: PushtrainError) -> MachineFinding:
    return MachineFinding(subject, Health.PROBLEM, error.message, error.hint, error.exit_code)


class Doctor:
    """Looks at everything that training needs. Changes nothing.

    Args:
        store: the runs.
        operator: this machine's settings.
        engine: gives the engine; may raise.
        image_store: gives the engine's images; may raise.
        base_tag: gives the tag of the base image; may raise.
    """

    def __init__(
        self,
        store: Store,
        operator: OperatorSettings,
        engine: Callable[[], Engine],
        image_store: Callable[[], ImageStore],
        base_tag: Callable[[], str],
    ) -> None:
        self._store = store
        self._operator = operator
        self._engine = engine
        self._image_store = image_store
        self._base_tag = base_tag

    def findings(self) -> Iterator[MachineFinding]:
        """One finding after another, as they are made."""
        yield self._git()
        yield self._home()
        yield self._certificates()
        yield self._mail()
        try:
            engine = self._engine()
            facts = engine.facts()
        except PushtrainError as error:
            yield _problem("engine", error)
            return
        yield from _engine(facts)
        yield _clock(facts)
        yield _engine_disk(facts)
        yield self._base_image()
        try:
            yield self._leftovers(engine)
        except PushtrainError as error:
            yield _problem("leftovers", error)

    def _git(self) -> MachineFinding:
        found = shutil.which("git")
        if found:
            return _ok("git", found)
        error = PushtrainError("git is not installed", hint="apt-get install git")
        return _problem("git", error)

    def _home(self) -> MachineFinding:
        home = self._store.home
        try:
            home.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(home).free
        except OSError as error:
            hint = "point PUSHTRAIN_HOME to a directory that you can write"
            return _problem("home", PushtrainError(f"{home}: {error}", hint=hint))
        if not os.access(home, os.W_OK):
            hint = "point PUSHTRAIN_HOME to a directory that you can write"
            return _problem("home", PushtrainError(f"{home} cannot be written", hint=hint))
        return _space("home", str(home), free)

    def _certificates(self) -> MachineFinding:
        given = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
        path = Path(given or ssl.get_default_verify_paths().cafile or "")
        bundle = path if given else _first_file(path, Path("/etc/ssl/certs/ca-certificates.crt"))
        if bundle is None or not bundle.is_file():
            remedy = "apt-get install ca-certificates, or point SSL_CERT_FILE to a bundle"
            return _warning("certificates", f"no CA bundle at {bundle or path}", remedy)
        try:
            count = len(ssl.create_default_context(cafile=str(bundle)).get_ca_certs())
        except (ssl.SSLError, OSError) as error:
            remedy = "it must hold certificates in PEM form"
            return _warning("certificates", f"{bundle} cannot be used: {error}", remedy)
        return _ok("certificates", f"{bundle}, {count} authorities")

    def _mail(self) -> MachineFinding:
        mail = self._operator.mail
        try:
            chats = [n.name for n in notifiers(self._operator) if not n.name.startswith("mail ")]
        except PushtrainError as error:
            return _warning("mail", error.message, error.hint)
        if mail.host and mail.to:
            by = f"{', '.join(mail.to)} by {mail.host} ({mail.security})"
            return _ok("mail", ", ".join((by, *chats)))
        if chats:
            return _ok("mail", f"none, but {', '.join(chats)}")
        missing = "host" if not mail.host else "to"
        remedy = (
            f"set {missing} under [mail] in {self._store.home / 'config.toml'}, then try it with "
            "`pushtrain notify --test`"
        )
        return _warning("mail", "verdicts are not mailed to anybody", remedy)

    def _base_image(self) -> MachineFinding:
        try:
            tag = self._base_tag()
            found = self._image_store().find(tag)
        except PushtrainError as error:
            return _problem("base image", error)
        if found is None:
            message = f"{tag} is not there yet"
            return _warning("base image", message, "the first run makes it, in about two minutes")
        return _ok("base image", tag)

    def _leftovers(self, engine: Engine) -> MachineFinding:
        containers = engine.find({LABEL_RUN: ""})
        runs = {run.folder.id: run for run in Inventory(self._store).runs()}
        idle = []
        for container in containers:
            run = runs.get(container.labels[LABEL_RUN])
            if run is not None and not run.is_driven:
                idle.append(container.name)
        damaged = [run.problem for run in runs.values() if run.problem]
        left = [
            run.folder.id
            for run in runs.values()
            if not (run.problem or run.is_driven or run.is_settled)
        ]
        if damaged:
            return _warning("leftovers", "; ".join(damaged), "look at these runs' folders")
        if idle:
            message = f"containers that nobody works on: {', '.join(idle)}"
            remedy = "`pushtrain monitor --once` or `pushtrain clean` removes them"
            return _warning("leftovers", message, remedy)
        if left:
            message = f"runs whose driver died: {', '.join(left)}"
            remedy = "`pushtrain monitor --once` or `pushtrain resume RUN` goes on with them"
            return _warning("leftovers", message, remedy)
        return _ok("leftovers", "none")


def _engine(facts: EngineFacts) -> Iterator[MachineFinding]:
    version = facts.version
    about = f"Docker {version} at {facts.address}, {facts.cpus} CPUs, {facts.memory / GIB:.1f} GiB"
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if tuple(numbers) < _OLDEST_ENGINE:
        yield _warning("engine", about, "20.10 or newer is what pushtrain is tested with")
    else:
        yield _ok("engine", about)
    if facts.storage_driver in _FAST_DRIVERS:
        yield _ok("storage", facts.storage_driver)
    else:
        remedy = "overlay2 is faster and smaller: see storage-driver in the engine's settings"
        yield _warning("storage", facts.storage_driver, remedy)


def _clock(facts: EngineFacts) -> MachineFinding:
    skew = abs(facts.time - time.time()) if facts.time else 0.0
    if skew > _MOST_SKEW:
        message = f"the engine's clock differs from ours by {skew:.0f} s"
        return _warning("clock", message, "let both hosts keep time by NTP")
    return _ok("clock", f"the engine's agrees within {skew:.0f} s")


def _engine_disk(facts: EngineFacts) -> MachineFinding:
    root = Path(facts.root)
    if not facts.address.startswith("unix://") or not root.is_dir():
        return _ok("engine's disk", "on another host, not looked at")
    return _space("engine's disk", facts.root, shutil.disk_usage(root).free)


def _space(subject: str, place: str, free: int) -> MachineFinding:
    message = f"{place}, {free / GIB:.1f} GiB free"
    if free < _LEAST_DISK:
        remedy = "`pushtrain clean` and `docker system prune` make room"
        return _warning(subject, message, remedy)
    return _ok(subject, message)


def _first_file(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)

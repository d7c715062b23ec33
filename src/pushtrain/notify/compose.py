"""From a finished run to the message about its verdict: short enough to be read on a phone.

Everything comes from the run's record and folder, so the same run gives the same message. Names
that strangers chose (repository, branch, metric, error texts) went through `telling.text`: one
harmless line each, so none of them can add a header or break out of its place.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pushtrain.addresses import without_credentials
from pushtrain.interfaces import Message
from pushtrain.record import RunRecord
from pushtrain.settings import MIB
from pushtrain.store import RunFolder
from pushtrain.telling.palette import LIGHT
from pushtrain.telling.summary import Outcome, Summary, knob_changes, summarise
from pushtrain.telling.text import duration, visible

VERDICT = "verdict"
"""The event that people are told of."""

_PLOTS = {
    "trials-narrow-light.png": "The metric of every trial against the target",
    "curves-light.png": "Learning curves",
    "importance-light.png": "How much each knob mattered",
    "confusion-light.png": "Confusion of the best model",
}
_MOST_KNOBS = 20
_MOST_WARNINGS = 5
_MOST_ATTACHED = MIB
_DENSITY = 2
"""Pixels of a plot's file per pixel of the page."""

_TEMPLATES = Environment(
    loader=PackageLoader("pushtrain.notify"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot inside a mail: its content id, alternative text and size in pixels of the page."""

    id: str
    alt: str
    width: int
    height: int


def event_key(record: RunRecord, event: str = VERDICT) -> str:
    """The name of an event of a run: the same at every call, on any machine no other run's.

    It becomes the Message-ID, by which mail servers and readers know a message that comes twice.
    """
    push = record.push
    facts = (record.id, repr(record.started), push.repository if push else "", event)
    return f"{record.id}.{event}.{hashlib.sha256(chr(0).join(facts).encode()).hexdigest()[:16]}"


def compose(record: RunRecord, folder: RunFolder) -> Message:
    """The message about a run's verdict, with the report's plots and the winning patch.

    Both are taken from the run's folder as they are; a message goes out without what is missing.
    """
    key = event_key(record, VERDICT if record.verdicts < 2 else f"{VERDICT}-{record.verdicts}")
    summary = summarise(record)
    images = {f"{name.removesuffix('.png')}@{key}": png for name, png in _plots(folder)}
    patch = _read(folder.patch)
    is_attached = 0 < len(patch) <= _MOST_ATTACHED
    context = _context(record, folder, summary) | {
        "pictures": [_picture(name, png) for name, png in images.items()],
        "has_patch": bool(patch),
        "is_attached": is_attached,
    }
    return Message(
        key=key,
        subject=subject(summary),
        text=_TEMPLATES.get_template("verdict.txt").render(context),
        html=_TEMPLATES.get_template("verdict.html").render(context),
        images=images,
        attachments={f"{record.id}.patch": patch} if is_attached else {},
        time=record.started + (record.verdict.seconds if record.verdict else 0.0),
    )


def subject(summary: Summary) -> str:
    """The verdict in one line: met: digits-cnn@1a2b3c4 accuracy 0.9722 (target ≥ 0.97)."""
    what = f"{summary.project}@{summary.commit}" if summary.commit else summary.project
    if summary.outcome is Outcome.FAILED or not summary.metric:
        return visible(f"{summary.outcome}: {what} {summary.reason}", 120)
    value = summary.value or "not measured"
    return visible(
        f"{summary.outcome}: {what} {summary.metric} {value} (target {summary.target})", 160
    )


def _context(record: RunRecord, folder: RunFolder, summary: Summary) -> dict[str, object]:
    changes = [change for change in knob_changes(record, {}) if change.is_changed]
    return {
        "run": record.id,
        "summary": summary,
        "tone": _tone(summary.outcome),
        "colors": LIGHT,
        "changes": changes[:_MOST_KNOBS],
        "changes_more": max(0, len(changes) - _MOST_KNOBS),
        "facts": _facts(record),
        "warnings": [
            visible(without_credentials(text), 300) for text in record.warnings[:_MOST_WARNINGS]
        ],
        "page": visible(str(folder.report), 500) if folder.report.exists() else "",
        "has_manifest": folder.manifest.exists(),
    }


def _facts(record: RunRecord) -> Mapping[str, str]:
    push, verdict = record.push, record.verdict
    spent = len(record.trials)
    facts = {
        "repository": without_credentials(push.repository) if push else "",
        "commit": push.commit if push else "",
        "branch": (push.branch or "") if push else "",
        "trials": str(spent) if spent else "",
        "time": duration(verdict.seconds) if verdict else "",
        "image": record.plan.tag if record.plan else "",
        "tuned": record.tuned_branch or "",
    }
    return {name: visible(value, 200) for name, value in facts.items() if value}


def _tone(outcome: Outcome) -> str:
    tones = {Outcome.MET: LIGHT.met, Outcome.NOT_MET: LIGHT.missed, Outcome.FAILED: LIGHT.failed}
    return tones.get(outcome, LIGHT.muted)


def _plots(folder: RunFolder) -> Iterator[tuple[str, bytes]]:
    for name in _PLOTS:
        content = _read(folder.report.parent / name)
        if content.startswith(b"\x89PNG") and len(content) <= _MOST_ATTACHED:
            yield name, content


def _picture(content_id: str, png: bytes) -> Picture:
    width, height = struct.unpack(">II", png[16:24])
    name = f"{content_id.partition('@')[0]}.png"
    return Picture(content_id, _PLOTS[name], width // _DENSITY, height // _DENSITY)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

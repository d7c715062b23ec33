"""The report as files."""

from __future__ import annotations

import re
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pushtrain.entities import Interval, Knob, KnobKind, Push, RunState
from pushtrain.record import RunRecord
from pushtrain.report import write_report
from support import records

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'\u202e"


class Page(HTMLParser):
    """What a page refers to, and what it must not hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    @property
    def files(self) -> set[str]:
        return {value for name, value in self.attributes if name in ("src", "srcset", "href")}


def write(record: RunRecord, folder: Path, **changes: object) -> Page:
    given = {"patch": records.PATCH, "importances": records.IMPORTANCES, **changes}
    return Page(write_report(record, folder, **given).read_text())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the usual run, to be looked at only."""
    folder = tmp_path_factory.mktemp("usual")
    return write_report(
        records.run(), folder, patch=records.PATCH, importances=records.IMPORTANCES
    ).parent


def test_a_page_refers_to_files_beside_it_and_to_all_of_them(usual: Path) -> None:
    page = Page((usual / "index.html").read_text())
    files = {path.name for path in usual.iterdir()}
    assert page.files == files - {"index.html"}
    assert {Path(name).suffix for name in files} == {".html", ".css", ".png"}


def test_nothing_that_a_strict_policy_blocks(tmp_path: Path) -> None:
    page = write(records.run(warnings=(EVIL,)), tmp_path)
    assert not {"script", "style", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert "style" not in names and not any(name.startswith("on") for name in names)
    assert not any(":" in file for file in page.files)


def test_strangers_cannot_write_into_the_page(tmp_path: Path) -> None:
    knob = Knob(EVIL, KnobKind.INTEGER, EVIL, 1, 0, 8, Interval(1, 9), EVIL)
    trials = [records.failed(0, message=EVIL, file=EVIL), records.trial(1, 0.99, metric="accuracy")]
    record = replace(
        records.run(trials, knobs=(knob,), warnings=(EVIL,)), push=Push(EVIL, "ab" * 20, EVIL)
    )
    page = write(record, tmp_path, patch=EVIL.encode(), importances={EVIL: 1.0})
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "\u202e" not in (tmp_path / "report" / "index.html").read_text()


def test_the_verdict_comes_first(usual: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", (usual / "index.html").read_text())
    order = ("Target met", "0.9822", "Accuracy per trial", "What was changed", "All trials")
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_what_happened_to_trials_is_told_once(tmp_path: Path) -> None:
    told = ("attempt 1: killed; memory 2.0 GiB -> 4.0 GiB", EVIL)
    trials = [replace(one, notes=told[: 1 + (one.number == 2)]) for one in records.MET_TRIALS]
    write(records.run(trials), tmp_path)
    page = (tmp_path / "report/index.html").read_text()
    assert page.count("memory 2.0 GiB -&gt; 4.0 GiB") == 1
    assert "<dt>Trials 0, 1, 2</dt>" in page and "<dt>Trial 2</dt>" in page
    assert "<script>" not in page


def test_the_same_run_gives_the_same_files(usual: Path, tmp_path: Path) -> None:
    write(records.run(), tmp_path)
    again = {file.name: file.read_bytes() for file in (tmp_path / "report").iterdir()}
    assert again == {file.name: file.read_bytes() for file in usual.iterdir()}


def test_pictures_are_as_large_as_the_page_says(usual: Path) -> None:
    page = Page((usual / "index.html").read_text())
    widths = {value for name, value in page.attributes if name == "width"}
    for png in usual.glob("*.png"):
        width, _ = struct.unpack(">II", png.read_bytes()[16:24])
        assert str(width // 2) in widths


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_can_be_reported(state: RunState, tmp_path: Path) -> None:
    trial = records.trial(0, 0.9, epochs=(), confusion=None)
    write(records.run([trial], state=state), tmp_path, patch=b"", importances={})
    assert (tmp_path / "report" / "trials-light.png").exists()


def test_a_run_that_failed_before_its_first_trial_has_a_page(tmp_path: Path) -> None:
    write(RunRecord("0"), tmp_path, patch=b"", importances={})
    write(records.run([], state=RunState.FAILED), tmp_path, patch=b"", importances={})


def test_a_page_is_swapped_as_a_whole_even_by_two_writers(tmp_path: Path) -> None:
    def one(_: int) -> Path:
        return write_report(RunRecord("0"), tmp_path, patch=b"", importances={})

    with ThreadPoolExecutor(4) as pool:
        pages = set(pool.map(one, range(24)))
    assert [page.name for page in pages if page.exists()] == ["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_thousand_trials_stay_readable(tmp_path: Path) -> None:
    trials = [records.trial(n, 0.5, epochs=(), confusion=None) for n in range(1_200)]
    write(records.run(trials, state=RunState.SPENT), tmp_path, importances={})
    page = (tmp_path / "report" / "index.html").read_text()
    assert "and 200 more" in page
    assert len(page) < 1_000_000

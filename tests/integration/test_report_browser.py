"""The report in a headless Chromium: phone and desk, light and dark, under a strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from pushtrain.entities import Confusion, Interval, Knob, KnobKind, Push, RunState
from pushtrain.record import RunRecord
from pushtrain.report import write_report
from pushtrain.telling.palette import DARK, LIGHT
from support import records
from support.browser import SCREENS, Screen, chromium, picture, show
from support.served import served

pytestmark = pytest.mark.browser

LONG = "a_name_that_somebody_made_" * 6
WARNING = f"left out of the tree: {LONG}.bin (2.1 GiB)"


def crowded() -> RunRecord:
    """A run in which everything is as long as it may be."""
    knobs = tuple(
        Knob(f"{LONG}{n}", KnobKind.INTEGER, f"{LONG}/{LONG}.py", n, 0, 8, Interval(1, 1e12), LONG)
        for n in range(8)
    )
    values: dict[str, bool | int | float | str] = {knob.name: 9 for knob in knobs}
    labels = tuple(f"class {LONG} {n}" for n in range(30))
    matrix = tuple(tuple(1_000_000 if i == j else 1 for j in range(30)) for i in range(30))
    trials = [
        records.failed(0, message=LONG * 3, file=f"{LONG}.py"),
        records.trial(1, 0.96999999, values=values, confusion=Confusion(labels, matrix)),
        *(records.trial(n, 0.5 + n / 200, values=values, epochs=()) for n in range(2, 14)),
    ]
    push = Push(f"https://git.example.org/{LONG}/{LONG}.git", "1a2b" * 10, LONG)
    record = records.run(trials, state=RunState.SPENT, knobs=knobs, warnings=(WARNING,) * 3)
    return replace(record, push=push)


RUNS = {
    "met": (records.run(), records.PATCH, records.IMPORTANCES),
    "crowded": (crowded(), b"+" + b"x" * 5_000 + b"\n" + records.PATCH * 5, {LONG: 1.0}),
    "failed": (records.run([records.failed(0)], state=RunState.FAILED), b"", {}),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The reports of all runs behind one server: its address, and what it was asked in vain."""
    root = tmp_path_factory.mktemp("site")
    for name, (record, patch, importances) in RUNS.items():
        (root / name).mkdir()
        write_report(record, root / name, patch=patch, importances=importances)
    bad = "<!DOCTYPE html><body style='color: red'><script>document.title = 'ran'</script>"
    (root / "bad.html").write_text(bad)
    with served(root) as (address, missing):
        yield address, missing


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages are kept, to be looked at."""
    return tmp_path_factory.mktemp("pictures")


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser has to say of a page since it was asked last."""
    said = [entry["message"] for entry in browser.get_log("browser")]
    return [line for line in said if "favicon.ico" not in line]


def asked(browser: webdriver.Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")  # type: ignore[no-untyped-call]


def rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_the_policy_is_held(browser: webdriver.Chrome, site: tuple[str, list[str]]) -> None:
    show(browser, SCREENS[0], f"{site[0]}/bad.html")
    blocked = complaints(browser)
    assert any("inline style" in line for line in blocked)
    assert any("script" in line for line in blocked)
    assert browser.title != "ran"


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
@pytest.mark.parametrize("run", list(RUNS))
def test_a_page_looks_right(
    run: str,
    screen: Screen,
    browser: webdriver.Chrome,
    site: tuple[str, list[str]],
    pictures: Path,
) -> None:
    address, missing = site
    complaints(browser)
    show(browser, screen, f"{address}/{run}/report/index.html")
    picture(browser, pictures / f"{run}-{screen.name}.png")

    assert complaints(browser) == []
    assert [request for request in missing if "favicon.ico" not in request] == []
    assert asked(browser, "document.documentElement.scrollWidth") <= screen.width
    palette = DARK if screen.is_dark else LIGHT
    assert asked(browser, "getComputedStyle(document.body).backgroundColor") == rgb(palette.page)

    shown = asked(browser, "[...document.images].map(i => [i.currentSrc, i.naturalWidth])")
    assert all(width > 0 for _, width in shown)
    scheme = "dark" if screen.is_dark else "light"
    assert all(source.endswith(f"-{scheme}.png") for source, _ in shown)
    narrow = [source for source, _ in shown if "trials-narrow" in source]
    assert bool(narrow) == (screen.is_phone and bool(shown))


@pytest.mark.parametrize("run", list(RUNS))
def test_the_verdict_is_seen_without_scrolling(
    run: str, browser: webdriver.Chrome, site: tuple[str, list[str]]
) -> None:
    for screen in SCREENS:
        show(browser, screen, f"{site[0]}/{run}/report/index.html")
        bottom = asked(browser, "document.querySelector('h1').getBoundingClientRect().bottom")
        assert bottom < screen.height
        score = asked(browser, "!!document.querySelector('.score')")
        if score and run != "crowded":
            place = "document.querySelector('.next').getBoundingClientRect().bottom"
            assert asked(browser, place) < screen.height


def test_what_is_wide_scrolls_by_itself_and_can_be_reached_by_keyboard(
    browser: webdriver.Chrome, site: tuple[str, list[str]]
) -> None:
    show(browser, SCREENS[0], f"{site[0]}/crowded/report/index.html")
    wide = "[...document.querySelectorAll('.scroll, .diff')]"
    assert asked(browser, f"{wide}.some(e => e.scrollWidth > e.clientWidth)")
    assert asked(browser, f"{wide}.every(e => e.tabIndex === 0)")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_text_can_be_read(
    screen: Screen, browser: webdriver.Chrome, site: tuple[str, list[str]]
) -> None:
    """At least 12 pixels, and a contrast of 4.5 to 1 against what is behind it (WCAG 1.4.3)."""
    show(browser, screen, f"{site[0]}/met/report/index.html")
    found = asked(
        browser,
        """[...document.querySelectorAll('body *')]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .filter(e => e.getClientRects().length)
        .map(e => {
          let behind = e;
          const color = x => getComputedStyle(x).backgroundColor;
          while (behind && color(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
          const style = getComputedStyle(e);
          return [e.tagName, style.color, behind ? color(behind) : 'rgb(255, 255, 255)',
                  parseFloat(style.fontSize)];
        })""",
    )
    assert len(found) > 50
    for tag, ink, paper, size in found:
        assert size >= 12, (tag, size)
        assert contrast(ink, paper) >= 4.5, (tag, ink, paper)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    """The relative luminance of `rgb(r, g, b)`, WCAG 2.2."""
    parts = [int(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

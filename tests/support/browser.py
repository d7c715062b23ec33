"""A headless Chromium that is a phone or a desk, by day or by night."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen: its width and height in CSS pixels, its density, and whether it is dark."""

    name: str
    width: int
    height: int
    density: float
    is_phone: bool
    is_dark: bool


SCREENS = tuple(
    Screen(f"{name}-{'dark' if is_dark else 'light'}", *size, is_phone, is_dark)
    for name, size, is_phone in (
        ("phone", (360, 740, 2), True),
        ("desk", (1280, 900, 1), False),
    )
    for is_dark in (False, True)
)


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser of its own, with an empty profile; an error when there is none to start."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert binary and driver, "this test needs Chromium: apt-get install chromium chromium-driver"
    options = Options()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def show(browser: webdriver.Chrome, screen: Screen, address: str) -> None:
    """Opens a page on a screen."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": screen.density,
            "mobile": screen.is_phone,
        },
    )
    scheme = "dark" if screen.is_dark else "light"
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get(address)


def picture(browser: webdriver.Chrome, path: Path) -> None:
    """A picture of the whole page, to be looked at."""
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    path.write_bytes(base64.b64decode(taken["data"]))

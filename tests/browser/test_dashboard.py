"""The dashboard in a real browser, over real sockets: every panel live, stale when it must be, and offline.

Screenshots go to the folder named by SLICEWATCH_SCREENSHOTS, if it is set.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from daemon.items import ThicknessSource
from daemon.requests import Acknowledge

from .conftest import CHROMIUM, FedDaemon, Served, fed_daemon

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
]
SOON_MS = 10_000
BLANK = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return !data.some(value => value !== 0);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Visit:
    """A page that remembers what it asked for and what it complained of."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 720})
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda message: message.type == "error" and self.complaints.append(message.text)
        )
        self.page.goto(address)

    def field(self, name: str, value: str | re.Pattern[str]) -> None:
        """Wait until the status bar says this."""
        field = self.page.locator(".field", has=self.page.locator(".key", has_text=name))
        expect(field.locator(".value")).to_have_text(value, timeout=SOON_MS)

    def keep(self, name: str) -> None:
        """A screenshot for people."""
        folder = os.environ.get("SLICEWATCH_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def test_every_panel_shows_the_run_and_follows_it_offline(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """Figures, charts and pictures appear, follow the next slice, and come from this machine only."""
    visit = Visit(browser, served.address)
    page = visit.page
    visit.field("State", "running")
    visit.field("Slice", "40 of 316, 1 gap")
    visit.field("Thickness", "ruler")
    visit.field("Abort", "not armed")
    expect(page.locator(".panel.thickness .readout")).to_contain_text("nm  ·  depth", timeout=SOON_MS)
    expect(page.locator(".panel.metrics .readout")).to_contain_text("e_TPCF 0.")
    expect(page.locator(".panel.drift .readout")).to_contain_text("in control")
    expect(page.locator(".panel.slice figure")).to_have_count(3)
    expect(page.locator(".panel.volume figure")).to_have_count(3)
    for panel in ("thickness", "metrics", "drift"):
        canvas = page.locator(f".panel.{panel} canvas").first
        expect(canvas).to_be_visible()
        assert not canvas.evaluate(BLANK), f"the {panel} chart is empty"
    _all_pictures_load(page)
    daemon.tell_slices(1)
    told = time.monotonic()
    visit.field("Slice", "41 of 316, 1 gap")
    assert time.monotonic() - told < 5.0
    expect(page.locator(".panel.slice .readout")).to_contain_text("slice 40")
    visit.keep("dark")
    expect(page.locator(".notice")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollHeight") <= 720
    assert visit.hosts == {urlsplit(served.address).netloc}
    assert visit.complaints == []
    page.close()


def _all_pictures_load(page: Page) -> None:
    """Every address in the drawings gives a PNG."""
    addresses = page.locator("figure image").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert len(addresses) == 9
    for address in addresses:
        answer = page.request.get(f"{page.url.rstrip('/')}{address}")
        assert answer.ok, address
        assert answer.body().startswith(b"\x89PNG")


def test_segmentation_voltage_and_light_can_be_chosen(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """The overlay goes and comes, one voltage fills the panel, and the page turns light."""
    page = Visit(browser, served.address).page
    overlay = page.locator(".panel.slice image.overlay").first
    expect(overlay).to_be_visible(timeout=SOON_MS)
    page.get_by_role("switch", name="segmentation").click()
    expect(overlay).to_be_hidden()
    page.get_by_role("button", name="2kV").click()
    expect(page.locator(".panel.slice figure")).to_have_count(1)
    expect(page.locator(".panel.slice figcaption")).to_contain_text("2kV")
    dark = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("body")).to_have_class(re.compile("body--light"))
    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") != dark
    page.close()


def test_an_alarm_is_acknowledged_by_name(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """It appears in list and page title, the name goes to the daemon, and the answer is shown."""
    visit = Visit(browser, served.address)
    page = visit.page
    visit.field("State", "running")
    daemon.tell_alarm("alarm-7")
    expect(page).to_have_title("(1) slicewatch", timeout=SOON_MS)
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Name").fill("Ada")
    page.keyboard.press("Enter")
    daemon.tell_alarm("alarm-7", acknowledged_by=_acknowledged_by(daemon, page))
    expect(page.locator(".alarm.seen")).to_contain_text("seen by Ada", timeout=SOON_MS)
    expect(page).to_have_title("slicewatch")
    page.close()


def _acknowledged_by(daemon: FedDaemon, page: Page) -> str:
    """Who acknowledged, as the command in the daemon's inbox says."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        for command in daemon.inbox.drain():
            assert isinstance(command, Acknowledge)
            assert command.alarm == "alarm-7"
            return command.by
        page.wait_for_timeout(50)
    raise AssertionError("no command came")


def test_a_stale_page_says_so_and_recovers_with_a_restarted_daemon(browser: Browser, served: Served) -> None:
    """The daemon goes: soon the page says that it is old. It comes back: all is shown again."""
    with fed_daemon(next(served.epochs), served.events, served.control) as daemon:
        daemon.tell_slices(5)
        visit = Visit(browser, served.address)
        visit.field("State", "running")
        visit.field("Slice", "5 of 316")
    visit.field("State", "daemon unreachable")
    expect(visit.page.get_by_role("alert")).to_contain_text("this page is as of")
    expect(visit.page.locator("main.stale")).to_be_visible()
    visit.keep("stale")
    with fed_daemon(next(served.epochs), served.events, served.control) as daemon:
        daemon.tell_slices(9)
        visit.field("State", "running")
        visit.field("Slice", "9 of 316")
        expect(visit.page.get_by_role("alert")).to_be_hidden()
    visit.page.close()


def test_assumptions_and_fallbacks_are_loud(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """An assumed thickness and a network that fell back to the CPU stand out, on a phone too."""
    daemon.tell_run(
        thickness_source=ThicknessSource.TARGET,
        provider_wanted="CUDAExecutionProvider",
        ledger_balanced=False,
    )
    visit = Visit(browser, served.address)
    visit.field("Thickness", "ASSUMED 10 nm")
    visit.field("Network on", "CPU, no GPU")
    visit.field("Files", "NOT ACCOUNTED FOR")
    assert visit.page.locator(".field.warn").count() >= 2
    assert visit.page.locator(".field.bad").count() == 1
    visit.page.set_viewport_size({"width": 390, "height": 844})
    expect(visit.page.locator(".panel.alarms")).to_be_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    visit.keep("phone")
    visit.page.close()

"""A visitor of the dashboard: a page in Chromium that remembers what it asked for and complained of."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
SOON_MS = 60_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--enable-unsafe-swiftshader",
]


@contextmanager
def chromium() -> Generator[Browser]:
    """Debian's Chromium, drawing three dimensions on the processor."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        expect.set_options(timeout=SOON_MS)
        yield browser
        browser.close()


class Visit:
    """One page, logged in by ``address``; screenshots go to SLICEWATCH_SCREENSHOTS, if that is set."""

    def __init__(
        self, browser: Browser, address: str, view: str = "", size: tuple[int, int] = (1280, 720)
    ) -> None:
        self.page: Page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.page.set_default_timeout(SOON_MS)
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self.page.goto(address)
        if view:
            self.page.goto(f"{self.home}/m/0/?view={view}")

    @property
    def home(self) -> str:
        """The server's address without a path."""
        parts = urlsplit(self.page.url)
        return f"{parts.scheme}://{parts.netloc}"

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def panel(self, name: str) -> Locator:
        """A panel by its CSS class."""
        return self.page.locator(f".panel.{name}")

    def open(self, title: str) -> None:
        """Another view, by its tab."""
        tab = self.page.get_by_role("button", name=title, exact=True)
        tab.click()
        expect(tab).to_have_attribute("aria-current", "page")

    def field(self, name: str, value: str | re.Pattern[str]) -> None:
        """Wait until the status bar says this."""
        field = self.page.locator(".field", has=self.page.get_by_text(name, exact=True))
        expect(field.locator(".value").first).to_have_text(value, timeout=SOON_MS)

    def verdict(self, word: str) -> None:
        """Wait until the page says GOOD, LOOK or ACT."""
        expect(self.page.locator(".bar .verdict .word")).to_have_text(word, timeout=SOON_MS)

    def drawn(self, panel: str) -> None:
        """Wait until a panel's chart has points to draw, and has put something on its canvas."""
        self.page.wait_for_function(HAS_POINTS, arg=panel, timeout=SOON_MS, polling=300)
        canvas = f".panel.{panel} canvas"
        self.page.wait_for_function(PAINTED, arg=canvas, timeout=SOON_MS)

    def pictured(self, panel: str, count: int) -> None:
        """Wait until so many pictures stand in a panel, and none of them is broken."""
        images = self.page.locator(f".panel.{panel} .panes svg image:not(.overlay):not(.sharp)")
        expect(images).to_have_count(count, timeout=SOON_MS)
        for address in images.evaluate_all("all => all.map(e => e.getAttribute('href'))"):
            answer = self.page.request.get(self.home + address)
            assert answer.ok, address
            assert answer.body().startswith(b"\x89PNG")

    def keep(self, name: str) -> None:
        """A screenshot for people."""
        folder = os.environ.get("SLICEWATCH_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(700)
            self.page.screenshot(path=Path(folder) / f"{name}.png")  # which makes the folder

    def end(self) -> None:
        """Close the page: it must have asked no other machine and complained of nothing."""
        own = urlsplit(self.page.url).netloc
        assert self.hosts <= {own, ""}
        assert self.complaints == []
        self.page.close()


HAS_POINTS = """async panel => {
  const drawn = document.querySelector(`.panel.${panel} .chart`)?.dataset.drawn;
  if (!drawn) return false;
  const options = await (await fetch(drawn)).json();
  return options.series.some(one => one.data.length > 0);
}"""  # axes alone are painted too

PAINTED = """selector => {
  const canvas = document.querySelector(selector);
  if (!canvas || !canvas.width) return false;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some(value => value !== 0);
}"""

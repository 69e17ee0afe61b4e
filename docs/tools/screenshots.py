"""The pictures of the dashboard in README and guides, of a demo: ``python docs/tools/screenshots.py``."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).parents[1] / "images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
SLICES, AT_SLICE = 130, 40
SIZE = ("768", "1024")
WITHIN_S = 1500.0
CALM_MS = 3000


@contextmanager
def demo() -> Generator[str]:
    """A running demo; the address of its dashboard that logs in."""
    with tempfile.TemporaryDirectory(prefix="slicewatch-pictures-") as folder:
        arguments = ["demo", "--slices", str(SLICES), "--size", *SIZE, "--workdir", folder]
        with subprocess.Popen([sys.executable, "-m", "daemon", *arguments]) as process:
            try:
                yield address(Path(folder) / "monitor.log", process)
            finally:
                process.send_signal(signal.SIGINT)  # it ends its own processes


def address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """What the monitor prints when it is up."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        told = re.search(r"dashboard: (\S+)", log.read_text(encoding="utf-8")) if log.exists() else None
        if told:
            return told.group(1)
        time.sleep(0.2)
    raise SystemExit("the demo's monitor has not come up")


def take(page: Page) -> None:
    """Overview dark and light, and the volume."""
    slices = page.locator(".large .field", has=page.get_by_text("Slice", exact=True)).locator(".value")
    done = "|".join(str(number) for number in range(AT_SLICE, SLICES))
    expect(slices).to_have_text(re.compile(rf"^({done}) of"), timeout=1000 * WITHIN_S)
    picture(page, "dashboard-dark")
    page.keyboard.press("t")
    picture(page, "dashboard-light")
    page.keyboard.press("t")
    page.keyboard.press("4")
    expect(page.locator(".panel.surface .readout")).to_contain_text("outline of", timeout=60_000)
    picture(page, "dashboard-volume")


def picture(page: Page, name: str) -> None:
    """What stands on the screen once it is calm."""
    page.wait_for_timeout(CALM_MS)
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Write all of them to docs/images."""
    with demo() as login, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 810})
        page.goto(login)
        take(page)
        browser.close()


if __name__ == "__main__":
    main()

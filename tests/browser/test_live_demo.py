"""The dashboard in a real browser while a real daemon works on an emulated microscope."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import imagecodecs
import pytest

pytest.importorskip("playwright.sync_api")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from daemon.emulator import EmulatorSettings, configuration_table
from daemon.toml_text import toml_text

from .conftest import free_port, monitor_of
from .visit import CHROMIUM, SOON_MS, Visit, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
]
SETTINGS = EmulatorSettings(slices=12, height=256, width=384, seed=5, interval_s=0.5)
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A microscope, its daemon and the monitor, as the demo has them; the run is told to expect more slices
    than come, so that it stays a running one."""
    folder = tmp_path_factory.mktemp("live")
    project = folder / "project"
    endpoints = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    table = configuration_table(SETTINGS, project, folder / "output")
    table["publish"] = {"events": endpoints[0], "control": endpoints[1]}
    table["run"]["expected_slices"] = 40
    table["segmentation"] = {"providers": ["CPUExecutionProvider"]}
    config = folder / "run.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    size = [str(SETTINGS.height), str(SETTINGS.width)]
    emulate = ["emulate", str(project), "--slices", str(SETTINGS.slices), "--size", *size, "--seed", "5"]
    with ExitStack() as stack:
        _started(stack, [*emulate, "--interval", "0.5"], folder / "emulator.log")
        deadline = time.monotonic() + 60.0
        while not project.is_dir() and time.monotonic() < deadline:
            pass
        _started(stack, ["run", str(config)], folder / "daemon.log")
        yield stack.enter_context(monitor_of((endpoints[0], endpoints[1])))


def _started(stack: ExitStack, arguments: list[str], log: Path) -> None:
    sink = stack.enter_context(log.open("wb"))
    process = subprocess.Popen([sys.executable, "-m", "daemon", *arguments], stdout=sink, stderr=sink)
    stack.callback(process.wait, 60)
    stack.callback(process.kill)


def test_the_overview_fills_while_the_microscope_works(browser: Browser, address: str) -> None:
    """Verdict, progress, charts and pictures of a real run appear on one screen without scrolling."""
    visit = Visit(browser, address)
    visit.field("Slice", re.compile(r"^(?!0 )\d+ of 40"))
    visit.field("Thickness from", "ruler")
    visit.drawn("thickness")
    visit.pictured("slice", 3)
    visit.pictured("volume", 3)
    visit.drawn("metrics")
    expect(visit.panel("thickness").locator(".readout")).to_contain_text("nm  ·  depth")
    visit.field("Slice", "12 of 40")
    assert visit.page.evaluate("document.documentElement.scrollHeight") <= 720
    visit.keep("overview-dark")
    visit.end()


def test_milling_and_registration_have_a_view(browser: Browser, address: str) -> None:
    """Thickness, its distribution, the drift test, shifts and quality per voltage."""
    visit = Visit(browser, address)
    visit.open("Thickness")
    for panel in ("thickness", "histogram", "drift", "shifts", "quality"):
        visit.drawn(panel)
    expect(visit.panel("histogram").locator(".readout")).to_contain_text("gamma: shape", timeout=SOON_MS)
    expect(visit.panel("shifts").locator(".readout")).to_contain_text("on fiducial")
    visit.keep("thickness")
    visit.end()


def test_any_slice_can_be_looked_at_with_its_marks(browser: Browser, address: str) -> None:
    """Whole images with fiducial and ruler drawn on them, earlier slices, blinking, and full resolution."""
    visit = Visit(browser, address)
    visit.field("Slice", "12 of 40")
    visit.open("Slice")
    visit.pictured("slice", 3)
    page = visit.page
    expect(page.locator(".mark.ruler")).to_have_count(12)
    expect(page.locator(".mark.fiducial")).to_have_count(3)
    visit.keep("slice-newest")
    page.get_by_label("Slice number").fill("4")
    expect(visit.panel("slice").locator(".readout")).to_contain_text("slice 4  ·  segmentation final")
    expect(page.locator(".panel.slice image.overlay")).to_have_count(3, timeout=SOON_MS)
    visit.pictured("slice", 3)
    _uncertain(visit)
    _zoom_until_sharp(visit)
    visit.keep("slice-sharp")
    page.get_by_role("button", name="blink").click()
    expect(page.locator(".panel.slice figure:visible")).to_have_count(1)
    first = page.locator(".panel.slice figure:visible figcaption b").inner_text()
    expect(page.locator(".panel.slice figure:visible figcaption b")).not_to_have_text(first, timeout=SOON_MS)
    visit.end()


def _uncertain(visit: Visit) -> None:
    """How sure the network was of an earlier slice: kept, not empty, not opaque, and back to the labels."""
    page = visit.page
    page.get_by_role("button", name="uncertainty").click()
    overlay = page.locator(".panel.slice image.overlay").first
    expect(overlay).to_have_attribute("href", re.compile("face/4/solid"), timeout=SOON_MS)
    answer = page.request.get(visit.home + str(overlay.get_attribute("href")))
    doubt = imagecodecs.png_decode(answer.body())[..., 3]
    assert (doubt == 0).mean() > 0.5
    assert (doubt > 100).any()
    visit.keep("slice-uncertainty")
    page.get_by_role("button", name="segmentation").click()
    expect(overlay).to_have_attribute("href", re.compile("face/4/labels"), timeout=SOON_MS)


def _zoom_until_sharp(visit: Visit) -> None:
    """Come closer with the keyboard until the daemon is asked for single pixels."""
    panes = visit.page.locator(".panel.slice .panes")
    panes.focus()
    for _ in range(8):
        visit.page.keyboard.press("+")
    sharp = panes.locator("image.sharp.image").first
    expect(sharp).to_have_attribute("href", re.compile("step=1$"), timeout=SOON_MS)
    assert visit.page.request.get(visit.home + str(sharp.get_attribute("href"))).body().startswith(b"\x89PNG")
    visit.page.keyboard.press("0")


def test_a_click_in_one_cut_moves_the_others_and_the_solid_turns(browser: Browser, address: str) -> None:
    """The cuts are linked by their hair lines; the surface is a mesh of this volume."""
    visit = Visit(browser, address)
    visit.field("Slice", "12 of 40")
    visit.open("Volume")
    visit.pictured("volume", 3)
    captions = visit.page.locator(".cut-xz .caption")
    before = captions.inner_text()
    box = visit.page.locator(".cut-xy svg").bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    expect(captions).not_to_have_text(before)
    expect(visit.page.locator(".cross")).to_have_count(3)
    expect(visit.panel("surface").locator(".readout")).to_contain_text("outline of", timeout=SOON_MS)
    visit.page.wait_for_function(
        "performance.getEntriesByType('resource').some(entry => entry.name.endsWith('.stl'))"
    )
    visit.keep("volume")
    visit.end()


def test_the_material_has_a_view_with_curves(browser: Browser, address: str) -> None:
    """Anisotropies and solid fraction with bands, both correlation functions, and the ligaments."""
    visit = Visit(browser, address)
    visit.open("Metrics")
    for panel in ("anisotropy", "solid", "tpcf", "lpf", "ligaments"):
        visit.drawn(panel)
    expect(visit.panel("solid").locator(".readout")).to_contain_text("±", timeout=SOON_MS)
    visit.keep("metrics")
    visit.end()


@pytest.mark.parametrize("view", ["overview", "thickness", "slice", "volume", "metrics", "alarms"])
def test_no_view_shuts_anybody_out(browser: Browser, address: str, view: str) -> None:
    """axe-core has no serious finding on any view, dark or light."""
    visit = Visit(browser, address, view)
    visit.field("Slice", re.compile("of 40"))
    for theme in ("dark", "light"):
        found = Axe().run(visit.page).response["violations"]
        grave = [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] in SERIOUS]
        assert grave == [], theme
        if theme == "dark":
            visit.page.get_by_role("button", name="Light or dark").click()
            expect(visit.page.locator("body")).to_have_class(re.compile("body--light"))
    visit.page.close()


def test_a_phone_shows_everything_in_one_column(browser: Browser, address: str) -> None:
    """390 px wide: nothing sticks out, the verdict comes first, the pictures load."""
    visit = Visit(browser, address, size=(390, 844))
    expect(visit.page.locator(".bar .verdict .word")).to_have_text(re.compile("GOOD|LOOK|ACT"))
    visit.pictured("slice", 3)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in visit.page.locator(".tabs .q-btn").all():
        place = button.bounding_box()
        assert place is not None
        assert place["x"] + place["width"] <= 390
    visit.keep("phone")
    visit.end()

"""The dashboard when things go wrong or people act: over real sockets, fed with what a run would say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Locator, expect

from daemon.items import ThicknessSource
from daemon.requests import Abort, Acknowledge, AnyCommand, Arm, Disarm, Stop

from .conftest import FedDaemon, Served, fed_daemon, free_port, monitor_of
from .line import line_to
from .visit import CHROMIUM, SOON_MS, Visit, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with chromium() as browser:
        yield browser


def test_the_page_follows_and_keys_open_its_views(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """The next slice appears by itself; 1 to 6 open the views, T turns the light on, ? lists the keys."""
    visit = Visit(browser, served.address)
    visit.field("Slice", "40 of 316, 1 gap")
    daemon.tell_slices(1)
    visit.field("Slice", "41 of 316, 1 gap")
    expect(visit.panel("slice").locator(".readout")).to_contain_text("slice 40")
    for key, panel in zip("23456", ("histogram", "slice", "surface", "tpcf", "controls"), strict=True):
        visit.page.keyboard.press(key)
        expect(visit.panel(panel)).to_be_visible()
    visit.page.keyboard.press("1")
    expect(visit.panel("volume")).to_be_visible()
    dark = visit.page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    visit.page.keyboard.press("t")
    expect(visit.page.locator("body")).to_have_class(re.compile("body--light"))
    assert visit.page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") != dark
    visit.keep("light")
    visit.page.keyboard.press("?")
    expect(visit.page.get_by_role("dialog", name="Keys")).to_contain_text("blink the voltages")
    visit.end()


def test_the_keys_step_blink_and_silence(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """Arrows go to earlier and later slices and back to following; B blinks; M silences, beyond a reload."""
    visit = Visit(browser, served.address, "slice")
    readout = visit.panel("slice").locator(".readout")
    expect(readout).to_contain_text("newest, slice 39")
    visit.page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(re.compile("^slice 38"))
    visit.page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text("newest, slice 39")
    visit.page.keyboard.press("b")
    expect(visit.page.locator(".panes.blinking")).to_be_visible()
    visit.page.keyboard.press("b")
    expect(visit.page.locator(".panes.blinking")).to_have_count(0)
    visit.page.keyboard.press("m")
    expect(visit.page.get_by_role("button", name="Sound off")).to_be_visible()
    visit.page.wait_for_function("document.cookie.includes('slicewatch_sound=off')")
    visit.page.reload()
    expect(visit.page.get_by_role("button", name="Sound off")).to_be_visible()
    visit.end()


def test_by_tab_and_enter_alone_a_view_is_opened(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """Whoever cannot hold a mouse walks to a tab, sees where the focus is, and presses it."""
    visit = Visit(browser, served.address)
    visit.drawn("thickness")
    focused = visit.page.locator(":focus")
    walked: list[str] = []
    while "Metrics (5)" not in walked and len(walked) < 20:
        visit.page.keyboard.press("Tab")
        assert focused.evaluate(FOCUS_SHOWN)
        walked.append(str(focused.get_attribute("title")))
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator('.tabs [aria-current="page"]')).to_have_attribute("title", "Metrics (5)")
    visit.end()


FOCUS_SHOWN = """e => {
  const style = getComputedStyle(e);
  return style.outlineStyle === 'solid' || style.boxShadow.includes('inset');
}"""


def test_an_alarm_reaches_whoever_looks_elsewhere_and_is_acknowledged_by_name(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """Verdict, title and sound; the name goes to the daemon, and its answer is shown."""
    visit = Visit(browser, served.address)
    visit.verdict("GOOD")
    daemon.tell_alarm("alarm-7")
    visit.verdict("ACT")
    expect(visit.page).to_have_title(re.compile(r"^\(1\) ■ ACT"), timeout=SOON_MS)
    visit.page.wait_for_function("slicewatch.beeps === 1", timeout=SOON_MS)
    visit.page.get_by_role("button", name="Acknowledge").click()
    _name(visit, "Ada")
    command = _command(daemon, visit)
    assert isinstance(command, Acknowledge)
    assert (command.alarm, command.by) == ("alarm-7", "Ada")
    daemon.tell_alarm("alarm-7", acknowledged_by="Ada")
    expect(visit.page.locator(".alarm.seen")).to_contain_text("seen by Ada", timeout=SOON_MS)
    visit.verdict("GOOD")
    visit.end()


def test_commands_take_a_name_and_an_abort_a_word(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """Arm and disarm at a click, pause when confirmed; an abort only when ABORT has been typed."""
    visit = Visit(browser, served.address, "alarms")
    page = visit.page
    page.get_by_role("button", name="Arm", exact=True).click()
    _name(visit, "Grace")
    assert isinstance(command := _command(daemon, visit), Arm)
    assert command.by == "Grace"
    daemon.tell_run(armed=True)
    visit.field("Abort", "ARMED")
    page.get_by_role("button", name="Disarm").click()
    assert isinstance(_command(daemon, visit), Disarm)
    page.get_by_role("button", name="Pause slicewatch").click()
    page.get_by_role("dialog", name="Pause slicewatch").get_by_role("button", name="Pause slicewatch").click()
    assert isinstance(command := _command(daemon, visit), Stop)
    assert command.by == "Grace"
    page.get_by_role("button", name="Another name").click()
    _name(visit, "Ada")
    page.get_by_role("button", name="Abort the run").click()
    dialog = page.get_by_role("dialog", name="Abort the run")
    go = dialog.get_by_role("button", name="Abort the run")
    expect(go).to_be_disabled()
    dialog.get_by_label("Type ABORT").fill("abor")
    expect(go).to_be_disabled()
    dialog.get_by_label("Type ABORT").fill("ABORT")
    visit.keep("abort")
    go.click()
    assert isinstance(command := _command(daemon, visit), Abort)
    assert command.by == "Ada"
    visit.end()


def test_the_button_that_aborts_is_seen_on_every_ground(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """White letters on a red ground of its own, in the dark and in the light."""
    visit = Visit(browser, served.address, "alarms")
    button = visit.page.get_by_role("button", name="Abort the run")
    for _ in ("dark", "light"):
        expect(button).to_have_css("background-color", "rgb(176, 58, 0)")
        expect(button).to_have_css("color", "rgb(255, 255, 255)")
        visit.page.keyboard.press("t")
    visit.end()


def _name(visit: Visit, name: str) -> None:
    visit.page.get_by_label("Name", exact=True).fill(name)
    visit.page.keyboard.press("Enter")


def _command(daemon: FedDaemon, visit: Visit) -> AnyCommand:
    """What has come into the daemon's inbox."""
    deadline = time.monotonic() + SOON_MS / 1000
    while time.monotonic() < deadline:
        for command in daemon.inbox.drain():
            return command
        visit.page.wait_for_timeout(50)
    raise AssertionError("no command came")


def test_a_page_without_a_daemon_says_so_and_recovers_when_one_is_back(
    browser: Browser, served: Served
) -> None:
    """The daemon goes: soon all is grey, with the time of its last word. It comes back: all is shown."""
    with fed_daemon(next(served.epochs), served.events, served.control) as daemon:
        daemon.tell_slices(5)
        visit = Visit(browser, served.address)
        visit.field("Slice", "5 of 316")
    visit.verdict("ACT")
    visit.field("State", "daemon gone")
    expect(visit.page.get_by_role("alert")).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    expect(visit.page.locator("main.stale")).to_be_visible()
    visit.keep("stale")
    with fed_daemon(next(served.epochs), served.events, served.control) as daemon:
        daemon.tell_slices(9)
        visit.field("Slice", "9 of 316")
        visit.verdict("GOOD")
        expect(visit.page.locator(".notice")).to_be_hidden()
    visit.end()


def test_a_run_that_has_ended_stays_on_the_page(browser: Browser, served: Served) -> None:
    """The daemon takes its leave while a whole slice is looked at: its picture stays, and nobody is asked."""
    with fed_daemon(next(served.epochs), served.events, served.control) as daemon:
        daemon.tell_slices(5)
        visit = Visit(browser, served.address, "slice")
        overlay = visit.page.locator(".panel.slice image.overlay").first
        expect(overlay).to_have_attribute("href", re.compile("/picture/.*/overlay"), timeout=SOON_MS)
        daemon.tell_end()
    visit.field("State", "completed")
    visit.verdict("GOOD")
    expect(visit.panel("slice").locator(".readout")).to_contain_text("segmentation final")
    for image in visit.panel("slice").locator("image:not(.overlay):not(.sharp)").all():
        expect(image).to_have_attribute("href", re.compile("/picture/"))  # pictures follow the numbers
    visit.pictured("slice", 3)
    visit.open("Volume")
    visit.pictured("volume", 3)
    visit.end()


def test_a_browser_that_was_away_catches_up(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """The lid is shut while slices and an alarm are told: open again, it shows all of them, charts too."""
    server = urlsplit(served.address)
    assert server.port
    with line_to(server.port) as line:
        address = server._replace(netloc=f"127.0.0.1:{line.port}").geturl()
        visit = Visit(browser, address, "thickness")
        visit.field("Slice", "40 of 316, 1 gap")
        drawn = _drawn(visit)
        line.cut()
        expect(visit.page.locator("#popup")).to_be_visible(timeout=SOON_MS)
        daemon.tell_slices(30)
        daemon.tell_alarm("while-away")
        line.mend()
        visit.field("Slice", "70 of 316, 1 gap")
        visit.verdict("ACT")
        expect(visit.page.locator("#popup")).to_be_hidden(timeout=SOON_MS)
        expect(_chart(visit)).not_to_have_attribute("data-drawn", drawn, timeout=SOON_MS)
        visit.page.close()


def _chart(visit: Visit) -> Locator:
    return visit.panel("thickness").locator(".chart")


def _drawn(visit: Visit) -> str:
    """Which state of the run the thickness chart shows."""
    expect(_chart(visit)).to_have_attribute("data-drawn", re.compile("/chart/thickness/"), timeout=SOON_MS)
    return str(_chart(visit).get_attribute("data-drawn"))


def test_a_page_survives_its_monitor(browser: Browser) -> None:
    """The monitor is started again on its port: the page that was open finds it by itself."""
    with fed_daemon() as daemon:
        daemon.tell_slices(3)
        pair, port = (daemon.publisher.endpoint, daemon.control.endpoint), free_port()
        with monitor_of(pair, port=port) as address:
            visit = Visit(browser, address)
            visit.field("Slice", "3 of 316")
        expect(visit.page.locator("#popup")).to_be_visible(timeout=SOON_MS)
        daemon.tell_slices(2)
        with monitor_of(pair, port=port):
            visit.field("Slice", "5 of 316")
            visit.page.close()


def test_a_page_without_its_server_says_that_it_is_old(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """Nobody is left to take GOOD off the page: it does so itself, in its title too, and puts it back."""
    server = urlsplit(served.address)
    assert server.port
    with line_to(server.port) as line:
        visit = Visit(browser, server._replace(netloc=f"127.0.0.1:{line.port}").geturl())
        visit.field("Slice", "40 of 316, 1 gap")
        visit.verdict("GOOD")
        expect(visit.page).to_have_title(re.compile("^● GOOD"))
        line.cut()
        expect(visit.page).to_have_title(re.compile("^■ OLD · HNPG"), timeout=SOON_MS)
        expect(visit.page.get_by_role("alert").last).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
        assert visit.page.locator(".bar .verdict .word").evaluate(WRITTEN) == ["0px", '"OLD"']
        visit.keep("cut-off")
        line.mend()
        expect(visit.page).to_have_title(re.compile("^● GOOD"), timeout=SOON_MS)
        assert visit.page.locator(".bar .verdict .word").evaluate(WRITTEN)[1] == "none"
        visit.page.close()


WRITTEN = "e => [getComputedStyle(e).fontSize, getComputedStyle(e, '::after').content]"


def test_a_page_that_nobody_has_touched_says_that_it_cannot_be_heard(
    browser: Browser, daemon: FedDaemon, served: Served
) -> None:
    """Browsers let no page make a sound before it was clicked on: the page says so until it was."""
    visit = Visit(browser, served.address)
    sound = visit.page.get_by_role("button", name="Sound on")
    assert "click once for sound" in sound.evaluate(WRITTEN)[1]
    visit.page.mouse.click(5, 5)
    expect(visit.page.locator("body.unheard")).to_have_count(0)
    assert sound.evaluate(WRITTEN)[1] == "none"
    visit.end()


def test_assumptions_and_fallbacks_are_loud(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """Assumed thickness, a network on the CPU, files unaccounted for: words and shapes, not colour alone."""
    daemon.tell_run(
        thickness_source=ThicknessSource.TARGET,
        provider_wanted="CUDAExecutionProvider",
        ledger_balanced=False,
    )
    visit = Visit(browser, served.address)
    visit.verdict("LOOK")
    visit.field("Thickness from", "ASSUMED 10 nm")
    visit.field("Network on", "CPU, no GPU")
    visit.field("Files", "NOT ACCOUNTED FOR")
    shapes = visit.page.locator(".field.warn .value, .field.bad .value").evaluate_all(
        "all => all.map(e => getComputedStyle(e, '::before').content)"
    )
    assert {shape.strip('"').strip() for shape in shapes} == {"▲", "■"}
    visit.end()


def test_several_microscopes_stand_on_one_page(browser: Browser) -> None:
    """A tile each with its own verdict, the gravest in the title, a sound for an alarm; a click opens one."""
    with fed_daemon() as well, fed_daemon() as ill:
        well.tell_slices(10)
        ill.tell_slices(20)
        ill.tell_alarm("a")
        pairs = [(one.publisher.endpoint, one.control.endpoint) for one in (well, ill)]
        with monitor_of(*pairs) as address:
            visit = Visit(browser, address)
            words = visit.page.locator(".tile .verdict .word")
            expect(words).to_have_text(["GOOD", "ACT"], timeout=SOON_MS)
            expect(visit.page).to_have_title(re.compile("^■ ACT"))
            visit.keep("tiles")
            well.tell_alarm("b")
            expect(words).to_have_text(["ACT", "ACT"], timeout=SOON_MS)
            visit.page.wait_for_function("slicewatch.beeps === 1", timeout=SOON_MS)
            visit.page.locator(".tile").nth(1).click()
            visit.field("Slice", "20 of 316, 1 gap")
            visit.page.get_by_role("link", name="slicewatch").click()
            expect(words).to_have_count(2)
            visit.end()


def test_who_has_not_logged_in_looks_only(browser: Browser, daemon: FedDaemon, served: Served) -> None:
    """Without the link that the monitor printed everything is shown and nothing can be commanded."""
    home = served.address.split("/login")[0]
    visit = Visit(browser, f"{home}/m/0/?view=alarms")
    daemon.tell_alarm("for-reading")
    expect(visit.page.locator(".alarm")).to_have_count(1, timeout=SOON_MS)
    expect(visit.panel("controls")).to_contain_text("For looking only")
    expect(visit.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Abort the run")).to_have_count(0)
    visit.end()

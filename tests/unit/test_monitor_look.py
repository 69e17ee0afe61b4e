"""Any slice can be looked at with its overlay: the newest at once, a final one as kept, others soon."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from daemon.client import Client
from daemon.descriptions import ChannelDescription
from daemon.items import RunState, Status
from daemon.messages import Message, PlanesMessage, PreviewMessage, RunMessage, SliceMessage
from daemon.monitor.feed import Feed
from daemon.monitor.look import NOBODY, NOTHING, SEGMENTATION, UNCERTAINTY, Look, slice_panes
from daemon.monitor.microscope import FrameGeometry, Microscope
from daemon.monitor.readouts import slice_readout
from daemon.monitor.volume_panel import CutPoint, cut_pane
from daemon.wire import SCHEMA, Envelope, Event

FRAME = FrameGeometry((400, 600), (4.0, 3.0))
GREY = np.zeros((100, 150), np.uint8)
ARRAYS = {"image/1kV": GREY, "labels": GREY, "solid": GREY, "cut/xy": np.zeros((9, 9), np.uint8)}
RUN = RunMessage(
    state=RunState.WORKING,
    channels=(ChannelDescription("1kV", 1.0, True),),
    pixel_size_nm=3.0,
    roi=(60, 40, 300, 200),
)
TOLD: tuple[Message, ...] = (
    RUN,
    SliceMessage(index=1, status=Status.FINAL),
    SliceMessage(index=2, status=Status.PROVISIONAL),
    SliceMessage(index=3, status=Status.PROVISIONAL),
    PreviewMessage(index=3, status=Status.PROVISIONAL, image_pixel_nm=(8.0, 6.0), arrays=ARRAYS),
)


@pytest.fixture
def microscope() -> Microscope:
    """One that was told of three slices, the first of them final."""
    feed = Feed("ipc:///nobody/events", "ipc:///nobody/control")
    microscope = Microscope(0, feed, Client, frame=FRAME)
    _tell(microscope, *TOLD)
    return microscope


def _tell(microscope: Microscope, *messages: Message) -> None:
    """The next messages of the run."""
    view = microscope.feed.view
    before = view.envelope.seq if view.envelope else 0
    for seq, message in enumerate(messages, start=before + 1):
        view.apply(Event(Envelope(SCHEMA, "r", 4, seq, datetime(2026, 3, 1, tzinfo=UTC)), message))


REGION = (180.0, 160.0, 900.0, 800.0)  # of interest, nm
FINAL = {SEGMENTATION: "/m/0/face/1/labels?step=1", UNCERTAINTY: "/m/0/face/1/solid?step=1"}
NEWEST = {SEGMENTATION: "/m/0/picture/4-5/overlay", UNCERTAINTY: "/m/0/picture/4-5/uncertainty"}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("overlay", [SEGMENTATION, UNCERTAINTY])
@pytest.mark.parametrize(("index", "address"), [(1, FINAL), (3, NEWEST), (None, NEWEST)])
def test_the_overlay_lies_on_the_region_of_interest(
    microscope: Microscope, index: int | None, address: dict[str, str], overlay: str, whole: bool
) -> None:
    """Of a final slice as it was kept, of the newest as it came; on the whole image, on the region alone."""
    (pane,) = slice_panes(microscope, Look(index, whole, overlay=overlay))
    image, over = pane.layers
    assert over.href == address[overlay]
    assert over.box == pytest.approx(REGION)
    assert image.box == pytest.approx((0.0, 0.0, 1800.0, 1600.0) if whole else REGION)


def test_a_slice_between_says_that_its_overlay_is_still_to_come(microscope: Microscope) -> None:
    """Provisional and no longer the newest: nothing was kept of it yet, and the caption says so."""
    (pane,) = slice_panes(microscope, Look(2, overlay=UNCERTAINTY))
    assert [layer.kind for layer in pane.layers] == ["image"]
    assert pane.caption == "uncertainty follows when it is final"


@pytest.mark.parametrize(
    ("index", "words"), [(2, "a gap: missing"), (9, "none of this run"), (-3, "none of")]
)
def test_a_number_without_a_slice_is_said_to_have_none(
    microscope: Microscope, index: int, words: str
) -> None:
    """Neither a gap nor a number that is none is called a slice under way, and nobody asks for its images."""
    _tell(microscope, SliceMessage(index=2, status=Status.GAP, reason="missing"))
    assert words in slice_readout(microscope.feed.view, index, follows=False)
    assert slice_panes(microscope, Look(index=index, whole=True)) == []


def test_who_wants_images_alone_gets_no_overlay(microscope: Microscope) -> None:
    """Neither of the newest nor of a final slice, near or far."""
    for index in (1, 2, 3):
        (pane,) = slice_panes(microscope, Look(index, overlay=NOTHING))
        assert [layer.kind for layer in pane.layers] == ["image"]
        assert [sharp.kind for sharp in pane.sharp] == ["image"]


def test_the_newest_is_shown_though_no_image_can_be_read_again(microscope: Microscope) -> None:
    """As its preview brought it, even where the whole image was asked for; of others nothing can be shown."""
    microscope.frame = None
    (pane,) = slice_panes(microscope, Look(3, whole=True))
    assert pane.layers[0].href == "/m/0/picture/4-5/image/1kV"
    assert slice_panes(microscope, Look(1, whole=True)) == []


ENDED = (
    SliceMessage(index=3, status=Status.FINAL),
    PreviewMessage(index=3, status=Status.FINAL, image_pixel_nm=(8.0, 6.0), arrays=ARRAYS),
    RunMessage(state=RunState.FINISHED, channels=RUN.channels, pixel_size_nm=3.0, roi=RUN.roi),
)


@pytest.mark.parametrize("told", [1, 2, 3], ids=["final", "shown as final", "ended"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_last_slice_becomes_final_without_being_asked_for(
    microscope: Microscope, told: int, whole: bool
) -> None:
    """Its overlay is the preview's at every step of a run's end: the daemon that kept another is leaving."""
    _tell(microscope, *ENDED[:told])
    (pane,) = slice_panes(microscope, Look(whole=whole))
    assert pane.layers[-1].href.endswith("/overlay")


def test_nobody_is_asked_once_the_run_has_ended(microscope: Microscope) -> None:
    """Of the newest all is at hand; of an earlier slice the caption says why there is nothing."""
    _tell(microscope, *ENDED)
    (newest,) = slice_panes(microscope, Look(whole=True))
    assert {layer.href.split("/")[3] for layer in newest.layers} == {"picture"}
    assert newest.sharp == ()
    (earlier,) = slice_panes(microscope, Look(1, whole=True))
    assert (earlier.caption, earlier.layers, earlier.sharp) == (NOBODY, (), ())


def test_cuts_are_those_of_the_preview_once_the_run_has_ended(microscope: Microscope) -> None:
    """A cut that was chosen is not asked for again when the last planes become final."""
    chosen = CutPoint(2, 3, 4)
    _tell(microscope, PlanesMessage(first=0, count=4, shape=(4, 9, 9), grid_nm=2.5))
    assert _href(microscope, chosen) == "/m/0/cut/xy/0/2?of=4"
    _tell(microscope, *ENDED)
    assert "/picture/" in _href(microscope, chosen)


def _href(microscope: Microscope, chosen: CutPoint) -> str:
    pane = cut_pane(microscope, "xy", chosen)
    assert pane is not None
    return pane.layers[0].href


def test_beside_others_a_picture_is_no_larger_than_it_is_shown(microscope: Microscope) -> None:
    """On the overview in whole steps, box and overlay with it; alone in the panel it comes as it was told."""
    both = (ChannelDescription("1kV", 1.0, True), ChannelDescription("2kV", 2.0, False))
    _tell(microscope, msgspec.structs.replace(RUN, channels=both))
    beside, _ = slice_panes(microscope, Look(longest_px=40))
    assert [layer.href.partition("?")[2] for layer in beside.layers] == ["step=4", "step=4"]
    assert beside.layers[0].box == pytest.approx((180.0, 160.0, 37 * 4 * 6.0, 25 * 4 * 8.0))
    assert beside.sharp[0].shown_nm == pytest.approx(4 * 6.0)
    (alone,) = slice_panes(microscope, Look(layout="1kV", longest_px=40))
    assert [layer.href.partition("?")[2] for layer in alone.layers] == ["", ""]

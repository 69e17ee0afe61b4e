"""Pictures on the page are the arrays that came, pixel by pixel."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from daemon.messages import PreviewMessage
from daemon.monitor.palette import PHASES
from daemon.monitor.pictures import PictureStore
from daemon.monitor.units import duration, length, lengths, number, with_sigma

RNG = np.random.default_rng(0)


def test_an_image_arrives_grey_value_by_grey_value() -> None:
    """The PNG of an image holds exactly its pixels."""
    image = RNG.integers(0, 255, (30, 50), dtype=np.uint8)
    store = PictureStore()
    store.show(PreviewMessage(index=0, arrays={"image/1kV": image}), 1)
    np.testing.assert_array_equal(imagecodecs.png_decode(store.png("image/1kV")), image)


def test_a_smaller_image_is_the_mean_of_what_it_stands_for() -> None:
    """Noise falls as the eye would average it; what is smaller than a step is no picture."""
    image = np.arange(40, dtype=np.uint8).reshape(4, 10)
    store = PictureStore()
    store.show(PreviewMessage(index=1, arrays={"image/1kV": image}), 1)
    shown = imagecodecs.png_decode(store.png("image/1kV", 2))
    np.testing.assert_array_equal(shown, np.rint(image.reshape(2, 2, 5, 2).mean(axis=(1, 3))))
    assert store.png("image/1kV", 5) is None


def test_a_cut_shows_each_phase_in_its_colour() -> None:
    """Phases are colours of the palette, also those beyond the last known one."""
    labels = np.array([[0, 1], [2, 250]], np.uint8)
    store = PictureStore()
    store.show(PreviewMessage(index=0, arrays={"cut/xy": labels}), 1)
    shown = imagecodecs.png_decode(store.png("cut/xy"))
    expected = [[*PHASES[k], 255] for k in (0, 1, 2, len(PHASES) - 1)]
    assert shown.reshape(-1, 4).tolist() == expected


def test_the_overlay_hides_no_pore_and_outlines_every_ligament() -> None:
    """Pores are fully transparent; a solid's rim is stronger than its inside."""
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 2:7] = 1
    store = PictureStore()
    store.show(PreviewMessage(index=0, arrays={"labels": labels}), 1)
    alpha = imagecodecs.png_decode(store.png("overlay"))[..., 3]
    assert (alpha[labels == 0] == 0).all()
    assert (alpha[2, 2:7] > alpha[4, 4]).all()
    assert alpha[4, 4] > 0


def test_a_newer_preview_replaces_all_pictures() -> None:
    """No picture of an older slice is served beside a newer one; what is not there is not there."""
    store = PictureStore()
    assert store.png("image/a") is None
    store.show(PreviewMessage(index=0, arrays={"image/a": np.zeros((4, 4), np.uint8), "solid": np.eye(4)}), 1)
    assert store.png("image/a")
    assert store.png("solid") is None
    store.show(PreviewMessage(index=1, arrays={"image/b": np.zeros((4, 4), np.uint8)}), 2)
    assert store.png("image/a") is None
    assert store.png("image/b")


def test_doubt_is_seen_where_the_network_hesitates() -> None:
    """Certain pixels are clear, whichever phase they are; one half is opaque."""
    solid = np.array([[0, 255, 128]], np.uint8)
    store = PictureStore()
    store.show(PreviewMessage(index=0, arrays={"solid": solid}), 1)
    alpha = imagecodecs.png_decode(store.png("uncertainty"))[..., 3]
    assert alpha[0, 0] == alpha[0, 1] == 0
    assert alpha[0, 2] >= 250


LENGTHS = {3.26: "3.26 nm", 200.0: "200 nm", 1234.0: "1.234 µm", 2e6: "2 mm", float("nan"): "–"}
DURATIONS = {0.4: "0 s", 59.0: "59 s", 72.0: "1 min 12 s", 3600.0: "1 h 00 min", 273600.0: "3 d 4 h"}


@pytest.mark.parametrize(("nm", "text"), LENGTHS.items())
def test_lengths_have_a_unit(nm: float, text: str) -> None:
    """nm, µm or mm, whichever reads well; a dash for the unknown."""
    assert length(nm) == text


@pytest.mark.parametrize(
    ("nm", "text"),
    [
        ((2580.0, 2228.0, 347.5), "2.58 × 2.23 × 0.347 µm"),
        ((999.0, 30.0, 2.5), "999 × 30 × 2.5 nm"),
        ((1.5e6, 3e5, 2e3), "1.5 × 0.3 × 0.002 mm"),
    ],
)
def test_an_extent_has_one_unit(nm: tuple[float, ...], text: str) -> None:
    """That of its longest side: three of them fit beside each other on a laptop."""
    assert lengths(*nm) == text


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.items())
def test_durations_read_like_speech(seconds: float, text: str) -> None:
    """Seconds to days."""
    assert duration(seconds) == text


def test_errors_stand_beside_values() -> None:
    """±σ where it is known, nothing where it is not, a dash where nothing is."""
    assert with_sigma(10.234, 0.31, "nm") == "10.23 ± 0.31 nm"
    assert with_sigma(10.0, float("nan"), "nm") == "10.00 nm"
    assert with_sigma(float("nan"), 1.0, "nm") == number(float("inf")) == "–"

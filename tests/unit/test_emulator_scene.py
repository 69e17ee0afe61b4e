"""Images show what the truth says: displaced by their shift exactly, with marks that travel with depth."""

import dataclasses

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from algorithms.acquisition import FaceGrid, true_labels
from daemon.emulator.layout import lay_out
from daemon.emulator.plan import pixel_y_nm, recession_px_per_nm
from daemon.emulator.scene import build_scene, clean_signal, photograph
from daemon.emulator.settings import EmulatorSettings, RulerDesign, SampleDesign, Signals, StageDesign
from daemon.emulator.topview import top_view

SETTINGS = EmulatorSettings(slices=6, height=256, width=320, sample=SampleDesign(surface_fiducial=True))


@pytest.fixture(scope="module")
def scene():
    return build_scene(SETTINGS)


def displaced(scene, shift_px):
    """The scene with its second slice at the first one's depth, and its images at one common shift."""
    shifts = scene.plan.shifts_px.copy()
    surface = scene.plan.surface_shifts_px.copy()
    shifts[1] = surface[1] = shift_px
    depths = scene.plan.depths_nm.copy()
    depths[1] = 0.0
    plan = dataclasses.replace(scene.plan, depths_nm=depths, shifts_px=shifts, surface_shifts_px=surface)
    return dataclasses.replace(scene, plan=plan)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_whole_pixel_shift_moves_the_picture_by_whole_pixels(scene, channel):
    """reference[y + dy, x + dx] == moving[y, x]: the project's convention, to rounding, for every part."""
    still = clean_signal(displaced(scene, (0.0, 0.0)), 1, channel)
    moving = clean_signal(displaced(scene, (3.0, -2.0)), 1, channel)
    inner = np.s_[40:-40, 40:-40]
    np.testing.assert_allclose(np.roll(moving, (3, -2), axis=(0, 1))[inner], still[inner], atol=2e-5)


def test_correlating_two_recorded_images_gives_their_true_shift(scene):
    """A sub-pixel shift of the noisy picture is recovered from the fiducial within 0.1 px."""
    shifted = displaced(scene, (2.37, -1.58))
    pad = scene.layout.pad
    y0, y1, x0, x1 = (round(edge) for edge in (pad.y0, pad.y1, pad.x0, pad.x1))
    boxes = (
        photograph(shifted, 0, 1)[y0:y1, x0:x1].astype(float),
        photograph(shifted, 1, 1)[y0 - 2 : y1 - 2, x0 + 2 : x1 + 2].astype(float),
    )
    window = np.outer(np.hanning(y1 - y0), np.hanning(x1 - x0))
    pair = [window * (box - box.mean()) for box in boxes]
    found, _, _ = phase_cross_correlation(*pair, upsample_factor=50, normalization=None)
    np.testing.assert_allclose(found + np.array((2.0, -2.0)), (2.37, -1.58), atol=0.1)


def mark_centroids(scene, index, channel):
    """Centroids of the ruler's marks, px of the image, from the mean row of a clean picture without grain."""
    ruler = scene.layout.ruler
    smooth = dataclasses.replace(SETTINGS, signals=Signals(grain=0.0))
    signal = clean_signal(dataclasses.replace(scene, settings=smooth), index, channel)
    rows = signal[int(ruler.y0_px) + 8 : int(ruler.y1_px) - 8].mean(axis=0)
    rows = np.clip(rows - smooth.signals.carbon, 0.0, None)
    half = int(ruler.mark_width_nm / SETTINGS.pixel_size_nm / 2) + 4
    travel = np.tan(np.radians(ruler.angle_deg)) * scene.plan.depths_nm[index] / SETTINGS.pixel_size_nm
    expected = [m.x_px + m.direction * travel - scene.plan.shifts_px[index, channel, 1] for m in ruler.marks]
    windows = [np.arange(round(x) - half, round(x) + half + 1) for x in expected]
    return np.array([rows[w] @ w / rows[w].sum() for w in windows]), np.array(expected)


@pytest.mark.parametrize("index", [0, 3, 5])
def test_ruler_marks_are_where_depth_and_shift_put_them(scene, index):
    """Parallel marks follow the shift alone, inclined ones travel ±tan(angle)·depth besides."""
    for channel in range(3):
        found, expected = mark_centroids(scene, index, channel)
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_inclined_marks_travel_against_the_parallel_ones(scene):
    """From first to last slice: apart or together by tan(angle)·depth, in the pictures alone."""
    (first, _), (last, _) = mark_centroids(scene, 0, 1), mark_centroids(scene, 5, 1)
    travel = np.diff(last - first)[[0, 2]]
    expected = np.tan(np.radians(scene.layout.ruler.angle_deg)) * scene.plan.depths_nm[5] / 3.26
    np.testing.assert_allclose(travel, [expected, expected], atol=0.02)


def test_the_surface_fiducial_stays_behind_as_the_face_recedes(scene):
    """The dark cross on the surface moves down against the face's by depth·cos(tilt)."""

    def row_of(cross, shifts, index):
        signal = clean_signal(scene, index, 1)
        y, x = np.array(cross.centre_px) - shifts[index, 1]
        arm_y, arm_x = cross.arm_px[0] + 3, cross.arm_px[1] + 3
        box = signal[round(y - arm_y) : round(y + arm_y) + 1, round(x - arm_x) : round(x + arm_x) + 1]
        weight = np.clip(0.2 - box, 0.0, None).sum(axis=1)
        return round(y - arm_y) + weight @ np.arange(len(weight)) / weight.sum()

    layout, plan = scene.layout, scene.plan
    sunk = [
        row_of(layout.surface_cross, plan.surface_shifts_px, i) - row_of(layout.face_cross, plan.shifts_px, i)
        for i in (0, 5)
    ]
    expected = plan.depths_nm[5] * recession_px_per_nm(SETTINGS)
    assert expected > 5.0
    assert sunk[1] - sunk[0] == pytest.approx(expected, abs=0.15)


def test_shine_through_grows_with_voltage(scene):
    """More and more of the epoxy shows gold from behind, while the fiducial looks the same."""
    still = displaced(scene, (0.0, 0.0))
    x, y, width, height = scene.layout.roi
    grid = FaceGrid(height, width, SETTINGS.pixel_size_nm, pixel_y_nm(SETTINGS), float(y), float(x))
    pores = true_labels(scene.structure, 0.0, grid) == 0
    signals = [clean_signal(still, 1, channel) for channel in range(3)]
    epoxy = [signal[y : y + height, x : x + width][pores] for signal in signals]
    shining = [np.mean(signal > 1.3 * np.percentile(signal, 1)) for signal in epoxy]
    assert shining[0] + 0.05 < shining[1]
    assert shining[1] + 0.1 < shining[2]
    wall = int(scene.layout.wall_x_px) + 3
    np.testing.assert_array_equal(signals[0][:, wall:], signals[2][:, wall:])


def test_images_use_the_grey_scale_and_do_not_saturate(scene):
    """Less than 1 % of the pixels at either end, marks and pores well apart."""
    image = photograph(scene, 2, 1)
    assert image.dtype == np.uint8
    assert image.shape == (256, 320)
    assert np.mean((image == 0) | (image == 255)) < 0.01
    ruler = scene.layout.ruler
    x = round(ruler.marks[0].x_px - scene.plan.shifts_px[2, 1, 1])
    rows = slice(int(ruler.y0_px) + 8, int(ruler.y1_px) - 8)
    assert image[rows, x].mean() > image[rows, x + 26].mean() + 60


def test_a_picture_depends_on_its_seed_slice_and_channel_only(scene):
    """The order in which images are taken does not matter."""
    late = photograph(scene, 4, 2)
    other = photograph(scene, 4, 1)
    np.testing.assert_array_equal(photograph(scene, 4, 2), late)
    assert not np.array_equal(other, late)


def test_a_dark_ruler_is_darker_than_its_layer(scene):
    """The other polarity, and a sample with neither ruler nor fiducial, are knobs too."""
    dark = dataclasses.replace(SETTINGS, ruler=RulerDesign(polarity="dark"))
    ruler = scene.layout.ruler
    signal = clean_signal(dataclasses.replace(scene, settings=dark), 0, 1)
    rows, x = slice(int(ruler.y0_px) + 8, int(ruler.y1_px) - 8), round(ruler.marks[0].x_px)
    assert signal[rows, x].max() < 0.1 < 0.25 < signal[rows, x + 26].min()
    plain = dataclasses.replace(
        SETTINGS, ruler=None, sample=SampleDesign(face_fiducial=False), stage=StageDesign()
    )
    layout = lay_out(plain, scene.plan)
    bare = clean_signal(dataclasses.replace(scene, settings=plain, layout=layout), 0, 1)
    assert bare[int(layout.edge_y_px) + 8 : int(layout.layer_bottom_px) - 8, :200].max() < 0.2
    assert bare[:, int(layout.wall_x_px) + 3 :].max() < 0.4


def test_the_ion_beam_sees_the_milled_edge_come_nearer(scene):
    """Rows of the dark trench in the top view grow by depth/pixel."""
    height = [int((top_view(scene, i)[:, 200:240].mean(axis=1) < 45).sum()) for i in (0, 5)]
    assert height[1] - height[0] == pytest.approx(scene.plan.depths_nm[5] / 3.26, abs=1.5)

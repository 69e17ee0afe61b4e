"""A run is drawn from its seed with the statistics of a real one, and its marks stay in the picture."""

import dataclasses

import numpy as np
import pytest

from daemon.emulator.layout import lay_out
from daemon.emulator.plan import pixel_y_nm, plan_run, recession_px_per_nm
from daemon.emulator.settings import (
    EmulatorSettings,
    FaultOrder,
    MillingDesign,
    RulerDesign,
    SampleDesign,
    StageDesign,
)
from daemon.errors import ConfigurationError


def test_a_run_starts_at_depth_zero_and_shift_zero_and_mills_gamma_slices():
    """Mean 10.16 nm and σ 3.12 nm, skewed to the right as a gamma distribution is."""
    plan = plan_run(EmulatorSettings(slices=4000))
    thickness_nm = np.diff(plan.depths_nm)
    assert plan.depths_nm[0] == 0.0
    np.testing.assert_array_equal(plan.shifts_px[0, 1], [0.0, 0.0])
    assert thickness_nm.min() > 0.0
    assert thickness_nm.mean() == pytest.approx(10.16, abs=0.2)
    assert thickness_nm.std() == pytest.approx(3.12, abs=0.15)
    skewness = np.mean(((thickness_nm - thickness_nm.mean()) / thickness_nm.std()) ** 3)
    assert skewness == pytest.approx(2 * 3.12 / 10.16, abs=0.2)


def test_the_software_reports_little_and_sometimes_nothing():
    """A third or so of the reports is ≤ 1 nm, some are NaN, the rest scatters about the truth."""
    plan = plan_run(EmulatorSettings(slices=2000))
    blind = np.mean(plan.reported_nm <= 1.0)
    assert 0.3 < blind < 0.45
    assert 0.03 < np.mean(np.isnan(plan.reported_nm)) < 0.07


def test_each_quantity_has_its_own_stream():
    """Another stage leaves depths and reports as they were; another seed does not."""
    calm = plan_run(EmulatorSettings(slices=50))
    shaky = plan_run(EmulatorSettings(slices=50, stage=StageDesign(walk_px=2.0)))
    other = plan_run(EmulatorSettings(slices=50, seed=1))
    np.testing.assert_array_equal(calm.depths_nm, shaky.depths_nm)
    np.testing.assert_array_equal(calm.reported_nm, shaky.reported_nm)
    assert np.abs(shaky.shifts_px).max() > np.abs(calm.shifts_px).max()
    assert not np.array_equal(calm.depths_nm, other.depths_nm)


def test_an_ordered_drift_raises_the_mean_from_its_slice_on():
    """The slice with the ordered number is the first one that is too thick; the scatter stays."""
    calm = EmulatorSettings(slices=60, milling=MillingDesign(drift_shift_sigma=2.0))
    drifting = dataclasses.replace(calm, faults=(FaultOrder("drift", 31),))
    extra_nm = np.diff(plan_run(drifting).depths_nm) - np.diff(plan_run(calm).depths_nm)
    np.testing.assert_allclose(extra_nm[:29], 0.0, atol=1e-9)
    np.testing.assert_allclose(extra_nm[29:], 6.24, atol=1e-9)


@pytest.mark.parametrize(("corrected", "row_nm", "per_nm"), [(False, 4.1370, 0.18885), (True, 3.26, 0.23966)])
def test_rows_are_foreshortened_and_the_face_recedes_by_the_tilt(corrected, row_nm, per_nm):
    """pixel/sin 52° nm a row and cos 52°/pixel px a nm; with tilt correction pixel and 1/(tan 52°·pixel)."""
    settings = EmulatorSettings(tilt_correction=corrected)
    assert pixel_y_nm(settings) == pytest.approx(row_nm, abs=1e-4)
    assert recession_px_per_nm(settings) == pytest.approx(per_nm, abs=1e-5)


@pytest.mark.parametrize("tracked", [0.0, 0.4, 1.0])
def test_the_face_moves_up_against_the_surface_as_it_recedes(tracked):
    """Whatever the beam shift follows: face shift − surface shift = depth · recession, along y only."""
    settings = EmulatorSettings(slices=20, stage=StageDesign(recession_tracked=tracked))
    plan = plan_run(settings)
    apart = plan.shifts_px - plan.surface_shifts_px
    expected = np.broadcast_to((plan.depths_nm * recession_px_per_nm(settings))[:, None], apart.shape[:2])
    np.testing.assert_allclose(apart[..., 0], expected, atol=1e-9)
    np.testing.assert_allclose(apart[..., 1], 0.0, atol=1e-12)


CASES = {
    "demo": EmulatorSettings(),
    "short": EmulatorSettings(slices=16),
    "smallest": EmulatorSettings(slices=12, height=256, width=320),
    "long": EmulatorSettings(slices=100),
    "published": EmulatorSettings(slices=316, height=2048, width=3072),
    "one slice": EmulatorSettings(slices=1),
    "outward": EmulatorSettings(slices=20, ruler=RulerDesign(directions=(0, -1, 1, 0))),
    "five marks": EmulatorSettings(slices=30, width=1024, ruler=RulerDesign(directions=(0, 1, 0, -1, 0))),
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_marks_stay_inside_and_apart_for_the_whole_run(settings):
    """At every depth of the run the marks are in order, apart, and left of the wall."""
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    ruler = layout.ruler
    assert ruler is not None
    assert ruler.keeps_clear_nm >= plan.depths_nm[-1] - 1e-6
    travel = np.tan(np.radians(ruler.angle_deg)) * plan.depths_nm[:, None] / settings.pixel_size_nm
    centres = np.array([m.x_px for m in ruler.marks]) + travel * [m.direction for m in ruler.marks]
    half = ruler.mark_width_nm / settings.pixel_size_nm / 2
    seen = centres[:, None, :] - plan.shifts_px[:, :, 1:]
    assert np.all(np.diff(centres, axis=1) > 2 * half + 10.0)
    assert seen.min() - half > 0.0
    assert centres.max() + half < layout.wall_x_px


LONG_CASES = {
    "demo": EmulatorSettings(slices=500),
    "smallest": EmulatorSettings(slices=500, height=256, width=320),
    "longest": EmulatorSettings(slices=2000, height=384, width=512),
    "one inclined mark": EmulatorSettings(slices=600, ruler=RulerDesign(directions=(0, 1, 0))),
}


@pytest.mark.parametrize("settings", LONG_CASES.values(), ids=LONG_CASES.keys())
def test_in_a_long_run_marks_follow_one_another(settings):
    """On every face an inclined mark and a parallel one stand apart and inside, and none ends before another
    has been beside it for ten slices."""
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    ruler = layout.ruler
    assert ruler is not None
    assert ruler.keeps_clear_nm >= plan.depths_nm[-1] - 1e-6
    steep, half = np.tan(np.radians(ruler.angle_deg)) / 3.26, ruler.mark_width_nm / 3.26 / 2
    drift_px = max(float(plan.shifts_px[..., 1].max()), 0.0)
    for depth in plan.depths_nm:
        there = [mark for mark in ruler.marks if mark.is_there(depth)]
        centres = np.sort([m.x_px + m.direction * steep * (depth - m.begins_nm) for m in there])
        assert np.diff(centres).min() > 2 * half + 10.0
        assert centres[0] - half > drift_px
        assert centres[-1] + half < layout.wall_x_px
        assert {abs(mark.direction) for mark in there} == {0, 1}
    inclined = [mark for mark in ruler.marks if mark.direction]
    for mark in (mark for mark in inclined if mark.ends_nm < plan.depths_nm[-1]):
        beside = [
            min(o.ends_nm, mark.ends_nm) - max(o.begins_nm, mark.begins_nm) for o in inclined if o is not mark
        ]
        assert max(beside) >= 100.0
        assert any(other.is_there(mark.ends_nm) for other in inclined)


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_the_region_of_interest_is_in_every_image_and_clear_of_the_marks(settings):
    """Below the layer, left of the wall, and inside the frame of each image of the run."""
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    x, y, width, height = layout.roi
    first = np.array([y, x]) - plan.shifts_px
    last = np.array([y + height - 1, x + width - 1]) - plan.shifts_px
    assert first.min() >= 0.0
    assert last[..., 0].max() <= settings.height - 1
    assert y > layout.layer_bottom_px + 3.0
    assert x + width < layout.wall_x_px - 3.0


def test_a_run_too_long_for_its_images_gets_a_flatter_ruler_with_its_reach_told():
    """Explicit width and angle are obeyed; the layout says how deep they keep clear."""
    ruler = RulerDesign(mark_width_nm=100.0, angle_deg=45.0)
    settings = EmulatorSettings(slices=100, ruler=ruler)
    layout = lay_out(settings, plan_run(settings))
    assert layout.ruler is not None
    assert (layout.ruler.mark_width_nm, layout.ruler.angle_deg) == (100.0, 45.0)
    assert 100.0 < layout.ruler.keeps_clear_nm < plan_run(settings).depths_nm[-1]


def test_a_surface_fiducial_stays_above_the_face_for_the_whole_run():
    """The face's edge moves up to it and does not reach it."""
    settings = EmulatorSettings(slices=20, sample=SampleDesign(surface_fiducial=True))
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    cross = layout.surface_cross
    assert cross is not None
    bottom = cross.centre_px[0] + cross.arm_px[0] - plan.surface_shifts_px[..., 0]
    edge = layout.edge_y_px - plan.shifts_px[..., 0]
    assert np.all(edge - bottom > 2.0)
    top = cross.centre_px[0] - cross.arm_px[0] - plan.surface_shifts_px[..., 0]
    assert top.min() > 2.0


def test_an_image_without_room_for_a_sample_is_refused():
    """500 slices whose recession nobody follows walk out of a small image."""
    settings = EmulatorSettings(slices=500, stage=StageDesign(recession_tracked=0.0))
    with pytest.raises(ConfigurationError, match="larger images or fewer slices"):
        lay_out(settings, plan_run(settings))


IMPOSSIBLE = {
    "no slice": {"slices": 0},
    "small": {"height": 100},
    "seed": {"seed": -1},
    "interval": {"interval_s": -1.0},
    "reference": {"reference_kv": 3.0},
    "folders": {"folder_voltages_kv": (1.0, 2.0)},
    "late fault": {"slices": 3, "faults": (FaultOrder("torn", 4),)},
    "ruler": {"ruler": RulerDesign(directions=(0, 0))},
}


@pytest.mark.parametrize("knobs", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_settings_are_refused(knobs):
    """One error that says what and how to mend it."""
    with pytest.raises(ConfigurationError, match="emulator settings"):
        EmulatorSettings(**knobs)

"""The verdict follows from the confidence bands, and the number of planes that it asks for is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from algorithms.representative import in_words, judge_volume
from algorithms.structures import hierarchical_structure, solid_at
from algorithms.volume_figures import Estimate, MetricFigures, figures
from algorithms.volume_metrics import add_plane, start_metrics

LAGS = 20


@pytest.fixture(scope="module")
def measured() -> MetricFigures:
    """Figures of 24 planes of hierarchical gold, 256 × 256 voxels of 2.5 nm."""
    structure = hierarchical_structure(np.random.default_rng(3))
    z_nm, side_nm = np.arange(24) * 2.5, np.arange(256) * 2.5
    state = start_metrics(256, 256, lags=LAGS)
    for plane in solid_at(structure, z_nm, side_nm, side_nm):
        state = add_plane(state, plane)
    return figures(state, 2.5)


def known(current: MetricFigures, relative: float) -> MetricFigures:
    """The same figures with standard errors of a share of the largest tolerated ones."""
    share = relative / current.band_sigmas
    return replace(
        current,
        solid_fraction=Estimate(0.12, share * 0.012),
        ligament_nm=Estimate(20.0, share * 2.0),
        e_tpcf=Estimate(0.1, share * 0.05),
        e_d=Estimate(0.1, share * 0.05),
    )


def test_a_small_volume_is_not_enough(measured):
    """Twenty-four planes of half a micrometre do not speak for a material with 110 nm ligaments."""
    verdict = judge_volume(measured)
    assert not verdict.is_enough
    assert verdict.planes_missing > 0
    assert in_words(verdict).startswith("not yet: solid fraction")


def test_narrow_bands_are_enough(measured):
    """All bands within their tolerance, and high enough: yes."""
    verdict = judge_volume(known(measured, 0.99))
    assert verdict.is_enough
    assert in_words(verdict) == "yes"


def test_planes_that_are_asked_for_suffice(measured):
    """Errors 1.5 times too wide need 1.25 times as many planes more, for errors fall with the root."""
    verdict = judge_volume(known(measured, 1.5))
    assert verdict.planes_missing == pytest.approx(24 * 1.25, abs=1)
    assert "1.5 times too uncertain; about 30 planes more" in in_words(verdict)


def test_a_stack_lower_than_its_lags_is_never_enough(measured):
    """Without all lags along z the directions cannot be compared, however narrow the bands."""
    low = replace(known(measured, 0.5), planes=LAGS - 5)
    assert in_words(judge_volume(low)) == "not yet: lower than the longest lag; about 6 planes more"


def test_unknown_bands_are_not_enough(measured):
    """Without a band there is no verdict, and no number of planes is made up."""
    blind = replace(known(measured, 0.5), e_d=Estimate(np.nan, np.nan))
    assert in_words(judge_volume(blind)) == "not yet: e D not known"
    small = replace(known(measured, 0.5), band_sigmas=np.nan)
    assert in_words(judge_volume(small)).startswith("not yet: solid fraction not known")

"""Pores by what changes along z: drifting ground is a pore, an abrupt end is not."""

import numpy as np
import pytest

from algorithms.z_gradient import (
    REACH_SLICES,
    GradientEvidence,
    GradientRule,
    classify_by_gradient,
    fit_rule,
    gradient_evidence,
)

SLICES = 2 * REACH_SLICES + 1
RULE = GradientRule(drift=0.03, darkest=0.1, brightest=0.9, binder_below=0.5)
HISTORIES = {
    "solid all along": (np.full(SLICES, 0.5), 1),
    "ground coming up": (0.5 + 0.1 * (np.arange(SLICES) - REACH_SLICES), 0),
    "ground coming up from the dark": (0.5 + 0.08 * (np.arange(SLICES) - REACH_SLICES), 0),
    "solid that ends abruptly behind": (np.where(np.arange(SLICES) > REACH_SLICES, 0.0, 0.5), 1),
    "solid that began abruptly": (np.where(np.arange(SLICES) < REACH_SLICES, 0.0, 0.5), 1),
    "a wall of three slices in pores": (
        np.where(np.abs(np.arange(SLICES) - REACH_SLICES) > 1, 0.04 * np.arange(SLICES), 0.6),
        1,
    ),
    "ground that comes up slowly until it is cut": (
        0.5 + np.where(np.arange(SLICES) > REACH_SLICES + 3, 0.4, 0.02 * (np.arange(SLICES) - REACH_SLICES)),
        0,
    ),
    "ground coming up steeply, then slowly": (
        0.5
        + 0.09 * np.minimum(np.arange(SLICES) - REACH_SLICES, 0)
        + 0.04 * np.maximum(np.arange(SLICES) - REACH_SLICES, 0),
        0,
    ),
    "a deep pore, dark and steady": (np.full(SLICES, 0.02), 0),
    "a rim, bright and steady": (np.full(SLICES, 1.2), 0),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_tells_the_phase(name):
    """Each history at the same grey value of 0.5, or steady beyond what any solid shows."""
    history, phase = HISTORIES[name]
    window = np.broadcast_to(history[:, None, None], (SLICES, 8, 8)).astype(np.float32)
    found = classify_by_gradient(gradient_evidence(window, np.full((8, 8), 0.8, np.float32)), RULE)
    assert (found == phase).all()


def test_the_second_signal_tells_binder_from_active_material():
    """Where it is no pore."""
    window = np.full((SLICES, 8, 8), 0.5, np.float32)
    assert (
        classify_by_gradient(gradient_evidence(window, np.full((8, 8), 0.3, np.float32)), RULE) == 2
    ).all()


def test_thresholds_are_recovered_from_annotated_pixels():
    """Phases that the rule tells apart are told apart by the fitted rule."""
    rng = np.random.default_rng(1)
    drift = rng.normal(0, 0.01, (SLICES, 60, 80)).astype(np.float32)
    window, second = 0.5 + drift, np.full((60, 80), 0.8, np.float32)
    labels = np.ones((60, 80), np.uint8)
    window[:, :20] += (0.1 * (np.arange(SLICES) - REACH_SLICES))[:, None, None]
    labels[:20] = 0
    second[40:] = 0.3
    labels[40:] = 2
    evidence = gradient_evidence(window.astype(np.float32), second)
    rule = fit_rule(evidence, labels)
    assert np.mean(classify_by_gradient(evidence, rule) != labels) < 0.08


@pytest.mark.parametrize("said", [(0, 1), (1, 2), (), (0, 1, 2, 3), (0, 1, 2, 255)])
def test_a_phase_without_labels_is_told(said):
    """Whatever phase is missing or too many: which there are and which are needed, no figure of nothing."""
    values = np.linspace(0, 1, 10 * len(said), dtype=np.float32)
    labels = np.repeat(np.asarray(said, np.uint8), 10)
    with pytest.raises(ValueError, match=r"label some pixels of each of 0 \(pore\), 1"):
        fit_rule(GradientEvidence(values, values, values), labels)

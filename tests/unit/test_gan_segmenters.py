"""The benchmark's segmenters: images of counted electrons, and trainings that are kept by content."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gan_segmenters import TrialEffort, counted, kept_in, training_settings, trial

TINY = TrialEffort(side_px=64, learned=3, judged=1, steps=2, epochs=2)


def test_electrons_are_counted() -> None:
    """Means and scatter are those of a binomial distribution."""
    shares = counted(np.full((1, 200, 200), 0.3, np.float32), 60)
    assert shares.mean() == pytest.approx(0.3, rel=0.01)
    assert shares.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 60), rel=0.02)
    assert np.allclose(shares * 60, np.rint(shares * 60), atol=1e-4)


def test_other_images_or_settings_are_another_training() -> None:
    """So that nothing that was kept is taken for something else."""
    images = np.zeros((2, 64, 64), np.float32)
    usual = training_settings(TINY, 1.0)
    other = training_settings(TrialEffort(side_px=64, steps=3), 1.0)
    folders = {kept_in(images, usual), kept_in(images + 1, usual), kept_in(images, other)}
    assert len(folders) == 3
    assert kept_in(images, usual) == kept_in(images.copy(), usual)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_trial_repeats_from_what_it_has_kept(tmp_path, monkeypatch, capsys) -> None:
    """The second time nothing is simulated or trained, and the figures are the same."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = trial(TINY, 1.0)
    assert "Monte Carlo image" in capsys.readouterr().err
    again = trial(TINY, 1.0)
    assert "image" not in capsys.readouterr().err
    assert again == first
    assert 0 < first.monte_carlo.mp_percent < 100

"""The other microscope, and the table of what adapting to it brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from algorithms.image_domain import domain_distance
from daemon.tabulate import adaptation_table
from daemon.tabulate.adaptation import QUICK, Compared, Worth, structure_errors
from daemon.tabulate.other_microscope import other_run, other_scene
from models.acquired import Acquired
from models.adapted_scenes import ADAPTED_SEEDS, noise_rms, synthetic_scene
from models.domain import figures_of, read_domain
from models.evaluation import HeldOut, Score, render_run
from models.scenes import HELD_OUT_SEEDS, SceneSize

ZOO = Path(__file__).parents[2] / "models" / "zoo"
RUN = HeldOut(height=200, width=208, slices=3)
SEED = HELD_OUT_SEEDS[860]


@pytest.fixture(scope="module")
def runs():
    """The same faces by the usual microscope and by the other one."""
    return render_run(SEED, RUN), other_run(SEED, RUN)[1]


def test_the_other_microscope_sees_the_same_structure_otherwise(runs) -> None:
    """Labels are the same; images are noisier at every voltage."""
    usual, other = runs
    np.testing.assert_array_equal(usual.labels, other.labels)
    for channel in range(len(RUN.voltages_kv)):
        noises = [noise_rms(run.images[:, channel].astype(np.float32)) for run in (usual, other)]
        assert noises[1] > 1.5 * noises[0]


@pytest.mark.parametrize("voltage_kv", [1.0, 2.0, 4.0])
def test_no_shipped_network_knows_the_other_microscope(runs, voltage_kv: float) -> None:
    """Its images are beyond the limit of the live check, the usual ones within."""
    (known,) = read_domain(ZOO / f"unet_{voltage_kv:g}kv.onnx")
    channel = RUN.voltages_kv.index(voltage_kv)
    far = [
        domain_distance(known.domain, figures_of(run.images[0, channel], known.normalisation)) / known.limit
        for run in runs
    ]
    assert far[0] < 1 < far[1]


def test_the_structure_itself_is_nearly_isotropic() -> None:
    """More so than anything that is rebuilt from so few slices."""
    assert (structure_errors(replace(QUICK, judged=HeldOut(height=64, width=64, slices=12))) < 0.3).all()


def test_what_that_microscope_teaches_are_the_scenes_of_an_adaptation() -> None:
    """Labels are the same, images are noisier."""
    like = Acquired(np.zeros((3, 1, 64, 64), np.uint8), (4.0,), (3.26, 3.26), (10.16, 3.12))
    size = SceneSize(blocks=1, block_px=96, slices=3)
    plain, taught = (scene(ADAPTED_SEEDS[0], like, size) for scene in (synthetic_scene, other_scene))
    np.testing.assert_array_equal(plain.labels, taught.labels)
    noises = [noise_rms(scene.images[:, 0].astype(np.float32)) for scene in (plain, taught)]
    assert noises[1] > 1.5 * noises[0]


def worth(mean_error: float, mp_percent: float) -> Worth:
    score = Score(mp_percent, 20.0, 0.9, 0.12, 0.125, 0.1)
    return Worth(score, score, np.full(3, mean_error))


def test_the_table_says_what_adapting_brings_and_costs(monkeypatch) -> None:
    """Against the shipped network and the unadapted copy, published figures beside."""
    found = {"unet_4kv": Compared(worth(0.20, 5.0), worth(0.25, 4.8), worth(0.10, 5.3), worth(0.15, 6.0))}
    monkeypatch.setattr(adaptation_table, "compared", lambda *_: found)
    monkeypatch.setattr(adaptation_table, "structure_errors", lambda _: np.zeros(3))
    text = adaptation_table.adaptation_section(QUICK)
    assert "| unet_4kv | 50 % | 60 % | 67 % | 5.000 → 5.300 | 1.407 → 1.809 |" in text
    assert "| unet_4kv, unadapted training |" in text
    assert "| unet_4kv, taught | 6.000 / " in text
    assert "0.2710 / 0.1810 / 0.1380" in text

"""What a person is shown of an adaptation, and the figures beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image as pictures

from models.acquired import Acquired
from models.adaptation_effect import Compared, measured_effect
from models.adaptation_pages import draw_distributions, draw_labels, draw_styles, radial_power
from models.adapted_scenes import synthetic_scene
from models.domain import read_domain
from models.evaluation import HeldOut, render_run
from models.normalisation import Normalisation
from models.scenes import SceneSize
from models.session import open_segmenter

ZOO = Path(__file__).parents[2] / "models" / "zoo"
NETWORK = ZOO / "unet_2kv.onnx"
ACQUISITION = HeldOut(height=200, width=224, slices=8, voltages_kv=(2.0,))


@pytest.mark.parametrize("period_px", [4.0, 8.0, 16.0])
def test_power_lies_at_the_frequency_of_a_wave(period_px: float) -> None:
    """Whatever its direction."""
    y, x = np.mgrid[:64, :64]
    waves = [np.sin(2 * np.pi * along / period_px) for along in (x, y)]
    frequencies, power = radial_power(np.stack(waves).astype(np.float32))
    assert frequencies[power.argmax()] == pytest.approx(1 / period_px)


@pytest.fixture(scope="module")
def acquired() -> Acquired:
    run = render_run(35_100, ACQUISITION)
    return Acquired(run.images, (2.0,), (3.26, 3.26), (10.16, 3.12))


@pytest.fixture(scope="module")
def effect(acquired):
    """Of a network that was not changed, on images that it knows."""
    network, known = open_segmenter(NETWORK), read_domain(NETWORK)
    scene = synthetic_scene(72_900, acquired, SceneSize(blocks=1, block_px=96, slices=7))
    held_out = HeldOut(runs=1, height=64, width=96, slices=3, voltages_kv=(2.0,))
    return measured_effect((network, network), (known, ()), acquired, [scene], held_out), scene


def test_the_same_network_changes_nothing(effect) -> None:
    """Scores are alike, no label changes, and what nobody has learned has no distance."""
    found, _ = effect
    for before, after in (found.in_style, found.synthetic):
        assert (before.mp_percent, before.mean_dice) == (after.mp_percent, after.mean_dice)
    assert found.changed_share == 0
    assert found.acquired[0] == found.acquired[1]
    assert 0.05 < found.acquired[0].solid_fraction < 0.25
    (distance,) = found.distances
    assert isinstance(distance, Compared)
    assert 0 < distance.before < 1
    assert np.isnan(distance.after)


def test_pages_show_images_labels_and_distributions(effect, acquired, tmp_path) -> None:
    """Each is a picture with something in it."""
    found, scene = effect
    scale = Normalisation()
    draw_labels(found, acquired.voltages_kv, tmp_path / "labels.png")
    draw_styles(scene, scene, acquired, scale, tmp_path / "styles.png")
    draw_distributions([scene], [scene], acquired, scale, found, tmp_path / "distributions.png")
    for path in tmp_path.iterdir():
        drawn = pictures.imread(path)
        assert min(drawn.shape[:2]) > 200
        assert drawn[..., :3].std() > 0.05

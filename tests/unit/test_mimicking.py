"""What the inpainting network learns from: planes that lie where their maps say."""

from pathlib import Path

import numpy as np
import pytest

from algorithms.plane_inpainting import MAPS, REACH_PX, SLICES
from models import mimicking
from models.mimicking import MimickingSettings, mimicking_volumes, random_plane, volumes_sha256

SMALL = MimickingSettings(structures=2, blocks=2, side_voxels=72)


def quiet(line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Of two structures, made once."""
    return mimicking_volumes(SMALL, [50_002, 50_003], tmp_path_factory.mktemp("v") / "volumes.npy", quiet)


def test_volumes_are_made_once_and_the_same_from_the_same_seeds(volumes: np.ndarray, tmp_path: Path) -> None:
    """The second time they come from the file; made anew they are the same to the bit."""
    kept = tmp_path / "volumes.npy"
    again = mimicking_volumes(SMALL, [50_002, 50_003], kept, quiet)
    assert volumes_sha256(again) == volumes_sha256(volumes)
    np.save(kept, 1 - again)
    np.testing.assert_array_equal(mimicking_volumes(SMALL, [], kept, quiet), 1 - again)
    assert 0.05 < volumes.mean() < 0.25


def test_a_plane_lies_between_the_slices_that_its_maps_show(
    volumes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between rightly labelled slices the spline is right about most of the plane; three on either side."""
    monkeypatch.setattr(mimicking, "MISLABELLED_SHARE", 0.0)
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(60):
        maps, labels = random_plane(volumes, 32, rng)
        assert maps.shape == (MAPS, 32, 32)
        assert np.abs(maps[:SLICES]).max() <= 1.0
        offsets = maps[SLICES : 2 * SLICES, 0, 0]
        assert (np.diff(offsets) > 0).all()
        assert offsets[SLICES // 2 - 1] < 0 < offsets[SLICES // 2]
        assert 0.0 < maps[-1, 0, 0] < 1.0
        wrong.append(np.mean((maps[-2] > 0) != labels))
    assert np.mean(wrong) < 0.08
    assert REACH_PX == 5

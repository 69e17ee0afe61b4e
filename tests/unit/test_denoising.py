"""Non-local means: noise goes, edges stay."""

import numpy as np
import pytest

from algorithms.denoising import noise_sigma, non_local_means
from daemon.config import load
from daemon.stages.segmenting import FaceStack, prepared

RNG = np.random.default_rng(0)
STRIPES = np.where(np.arange(160) // 20 % 2, 60.0, 160.0) + np.zeros((96, 1))


@pytest.mark.parametrize("sigma", [2.0, 8.0, 20.0])
def test_the_noise_is_estimated_beside_edges(sigma):
    """White noise on stripes, within a tenth."""
    image = (STRIPES + RNG.normal(0, sigma, STRIPES.shape)).astype(np.float32)
    assert noise_sigma(image) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_falls_and_edges_stay(dtype):
    """To less than half of it, and a column beside an edge keeps its side's grey value."""
    scale = 1 if dtype == np.uint8 else 257
    clean = STRIPES * scale
    noisy = np.clip(clean + RNG.normal(0, 10 * scale, clean.shape), 0, np.iinfo(dtype).max).astype(dtype)
    cleaned = non_local_means(noisy)
    assert cleaned.dtype == dtype
    assert np.std(cleaned - clean) < 0.5 * np.std(noisy - clean)
    assert np.abs(cleaned[:, 19:21].mean(axis=0) - clean[0, 19:21]).max() < 8 * scale


def test_an_even_image_stays_as_it_is():
    """Without noise there is nothing to take out."""
    image = np.full((32, 32), 7, np.uint8)
    np.testing.assert_array_equal(non_local_means(image), image)


@pytest.mark.parametrize("choice", ["none", "non-local-means"])
def test_the_daemon_takes_it_out_where_it_is_asked_to(choice, tmp_path):
    """Of each channel by itself, before the segmentation sees them."""
    path = tmp_path / "run.toml"
    path.write_text(
        f'[run]\nfolder = "in"\noutput = "out"\n[segmentation]\ndenoise = "{choice}"\n'
        '[[channels]]\nname = "SE2"\ndetector = "SE2"\nreference = true\n'
        '[[channels]]\nname = "InLens"\ndetector = "InLens"\n',
        encoding="utf-8",
    )
    noisy = [np.clip(STRIPES + RNG.normal(0, sigma, STRIPES.shape), 0, 255) for sigma in (5, 10)]
    images = np.stack(noisy).astype(np.uint8)
    wanted = images if choice == "none" else np.stack([non_local_means(image) for image in images])
    seen = prepared(FaceStack(3, images), load(path))
    assert seen.index == 3
    np.testing.assert_array_equal(seen.images, wanted)

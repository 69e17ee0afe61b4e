"""The face as its own mark: right, and honestly less certain."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.face_registration import face_shift, start_face, updated_face


def texture(seed: int, shape: tuple[int, int] = (260, 340)) -> NDArray[np.float64]:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3.0)
    return field / field.std()


def seen(
    field: NDArray[np.float64], shift: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """What an image shifted by `shift` shows of a smooth, larger field."""
    y, x = np.mgrid[30:230, 30:310].astype(float)
    values = ndimage.map_coordinates(field, [y + shift[0], x + shift[1]], order=5)
    return np.clip(110 + 30 * values + rng.normal(0, 12, values.shape), 0, 255).astype(np.uint8)


def test_a_changing_face_is_found_within_its_error() -> None:
    """A quarter of the structure's variance is new at every slice; χ² of the claimed errors stays about 1."""
    rng = np.random.default_rng(0)
    ratios: list[float] = []
    for seed in range(8):
        old, new = texture(2 * seed), texture(2 * seed + 1)
        truth = (float(rng.uniform(-12, 12)), float(rng.uniform(-12, 12)))
        reference = start_face(seen(old, (0.0, 0.0), rng), (0.0, 0.0), 0.0)
        found = face_shift(reference, seen(0.87 * old + 0.5 * new, truth, rng))
        ratios += [(found.dy_px - truth[0]) / found.sigma_px, (found.dx_px - truth[1]) / found.sigma_px]
        assert found.sigma_px < 0.5
    assert 0.2 < np.mean(np.square(ratios)) < 2.5


def test_a_strange_face_has_no_quality() -> None:
    """Nothing in common: the quality is below what registration accepts."""
    rng = np.random.default_rng(1)
    reference = start_face(seen(texture(1), (0.0, 0.0), rng), (0.0, 0.0), 0.0)
    assert face_shift(reference, seen(texture(2), (0.0, 0.0), rng)).quality < 0.15


def test_without_marks_the_uncertainty_grows() -> None:
    """Each image registered on the face adds its error to the reference's; one on marks heals it."""
    rng = np.random.default_rng(2)
    image = seen(texture(3), (0.0, 0.0), rng)
    reference = start_face(image, (0.0, 0.0), 0.0)
    sigmas = [reference.sigma_px]
    for _ in range(3):
        found = face_shift(reference, image)
        reference = updated_face(
            reference, image, (found.dy_px, found.dx_px), found.sigma_px, independent=False
        )
        sigmas.append(reference.sigma_px)
    assert np.all(np.diff(sigmas) > 0)
    healed = updated_face(reference, image, (0.0, 0.0), 0.01, independent=True)
    assert healed.sigma_px < sigmas[-1]


@pytest.mark.real_data
def test_two_real_slices(real_data: Path) -> None:
    """Content moves by about (+2…+3, -26) px from slice 001 to 002, there and back alike."""
    first, second = (tifffile.imread(real_data / f"asv4-helios-g4-2kv-slice-00{n}.tif") for n in (1, 2))
    there = face_shift(start_face(first, (0.0, 0.0), 0.0), second)
    back = face_shift(start_face(second, (0.0, 0.0), 0.0), first)
    assert (there.dy_px, there.dx_px) == pytest.approx((-2.3, 26.0), abs=1.0)
    assert there.dy_px + back.dy_px == pytest.approx(0.0, abs=3.0 * there.sigma_px)
    assert there.dx_px + back.dx_px == pytest.approx(0.0, abs=3.0 * there.sigma_px)
    assert there.sigma_px < 0.5

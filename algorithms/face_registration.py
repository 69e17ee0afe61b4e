"""Register the milled face itself, when there is no mark: it changes with every slice, and the error says so.

The face is compared at a size of at most about a million pixels (binned), band-passed, against a reference
that follows it. A Gauss–Newton fit is accumulated block by block: blocks whose structure has been milled away
are trusted less, and the scatter between blocks (whatever its cause: noise, shine-through, new structure,
curtains) is the standard error: a cluster-robust sandwich over blocks, block columns and block rows, the
largest of the three. Each image registered to the face adds its error to that of the reference: without a
mark the position does random-walk, and `sigma_px` grows accordingly.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.correlation_peak import band_pass, find_patch
from algorithms.residual_noise import redescending
from algorithms.spline_sampling import sampled_spline, spline_coefficients
from algorithms.translation import translate

Floats = NDArray[np.float64]

PIXELS = 1_600_000
"""The most pixels that are compared; larger faces are binned."""
COARSE_PIXELS = 70_000
BLOCK_PX = 48
BAND_PX = 10.0
"""Larger structure than this many px holds brightness changes rather than edges."""
FOLLOWING = 0.4
"""Share of a new face in the reference: faces decorrelate within a few slices."""
SYSTEMATIC_PX = 0.05
"""Standard error, in compared pixels, that no scatter between blocks can reveal."""
ITERATIONS = 8
CONVERGED_PX = 2e-3


@dataclass(frozen=True, slots=True, eq=False)
class FaceReference:
    """What the face looked like recently in one channel."""

    picture: NDArray[np.float32] = field(repr=False)
    """(h, w) binned"""
    binning: int
    sigma_px: float
    """Standard error of its position in the frame, in image pixels."""


@dataclass(frozen=True, slots=True)
class FaceShift:
    """Shift of an image against a face reference."""

    dy_px: float
    dx_px: float
    sigma_px: float
    """Of one component, with the reference's own."""
    quality: float
    """Correlation with the reference over the trusted blocks times their share, 0…1."""
    gain: float


def face_binning(shape: tuple[int, ...]) -> int:
    """Side of the square of pixels averaged into one."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / PIXELS))))


def binned(image: NDArray[Any], binning: int) -> NDArray[np.float32]:
    """(h // binning, w // binning) means of squares of pixels."""
    h, w = (n // binning for n in image.shape)
    cut = image[: h * binning, : w * binning].astype(np.float32)
    return cut.reshape(h, binning, w, binning).mean(axis=(1, 3), dtype=np.float32)


def start_face(image: NDArray[Any], shift: tuple[float, float], sigma_px: float) -> FaceReference:
    """Reference from a first image (h, w) whose shift in the frame is known within `sigma_px`."""
    binning = face_binning(image.shape)
    return FaceReference(_on_frame(binned(image, binning), shift, binning), binning, sigma_px)


def _on_frame(picture: NDArray[np.float32], shift: tuple[float, float], binning: int) -> NDArray[np.float32]:
    return translate(picture, shift[0] / binning, shift[1] / binning, fill=float(picture.mean()))


def updated_face(
    reference: FaceReference,
    image: NDArray[Any],
    shift: tuple[float, float],
    sigma_px: float,
    independent: bool,
) -> FaceReference:
    """The reference after an image whose shift in the frame is known within `sigma_px`.

    `independent`: the shift was measured on marks; else against this reference, whose error it shares.
    """
    new = _on_frame(binned(image, reference.binning), shift, reference.binning)
    kept = 1.0 - FOLLOWING if independent else 1.0
    own = sigma_px if independent else float(np.sqrt(max(sigma_px**2 - reference.sigma_px**2, 0.0)))
    sigma = float(np.hypot(kept * reference.sigma_px, FOLLOWING * own))
    picture = reference.picture + np.float32(FOLLOWING) * (new - reference.picture)
    return replace(reference, picture=picture, sigma_px=sigma)


def _without_curtains(passed: NDArray[np.float32]) -> NDArray[np.float32]:
    return passed - np.median(passed, axis=0, keepdims=True)


def _coarse(picture: NDArray[np.float32], moving: NDArray[np.float32]) -> Floats:
    """Shift (2,) that brings the image onto the central half of the reference, wherever that is."""
    step = max(1, int(np.ceil(np.sqrt(picture.size / COARSE_PIXELS))))
    small, window = binned(picture, step), binned(moving, step)
    quarter = [n // 4 for n in small.shape]
    patch = small[quarter[0] : -quarter[0], quarter[1] : -quarter[1]]
    pad = [(q, q) for q in quarter]
    peak = find_patch(np.pad(window, pad, mode="reflect"), patch, any_polarity=True)
    found = np.array([peak.row_px - quarter[0], peak.column_px - quarter[1]])
    return (np.array(quarter) - found) * step


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Per block of the face: information and score of the shift, and power for the quality."""

    information: Floats
    """(rows, columns, 2, 2)"""
    score: Floats
    """(rows, columns, 2)"""
    powers: Floats
    """(rows, columns, 3): reference², image², product"""


def _block_sums(values: Floats) -> Floats:
    rows, columns = (max(n // BLOCK_PX, 1) for n in values.shape)
    h, w = min(BLOCK_PX, values.shape[0]), min(BLOCK_PX, values.shape[1])
    return values[: rows * h, : columns * w].reshape(rows, h, columns, w).sum((1, 3))


def _blocks(slopes: Floats, value: Floats, moving: Floats, valid: Floats, gain: float) -> _Blocks:
    residual = (moving - gain * value) * valid
    slopes = slopes * gain * valid
    information = [[_block_sums(a * b) for b in slopes] for a in slopes]
    score = [_block_sums(a * residual) for a in slopes]
    powers = [_block_sums(a * b * valid) for a, b in ((value, value), (moving, moving), (value, moving))]
    return _Blocks(
        np.moveaxis(np.array(information), (0, 1), (2, 3)), np.stack(score, -1), np.stack(powers, -1)
    )


def _block_trust(blocks: _Blocks, step: Floats) -> Floats:
    """(rows, columns) 0…1 from how far each block's own shift is from the common one."""
    left = blocks.score - blocks.information @ step
    strength = np.trace(blocks.information, axis1=2, axis2=3)
    usable = strength >= 0.02 * strength.max()  # all of them where an image shows nothing
    deviation = np.linalg.norm(left, axis=2) / np.sqrt(np.maximum(strength, 1e-12))
    spread = max(float(np.median(deviation[usable])), 1e-12)
    return redescending(deviation / spread) * usable


def _scatter(blocks: _Blocks, trust: Floats, step: Floats) -> Floats:
    """(2,) variance of the shift from the scatter between blocks."""
    left = (blocks.score - blocks.information @ step) * trust[..., None]
    inverse = np.linalg.inv((blocks.information * trust[..., None, None]).sum((0, 1)) + 1e-12 * np.eye(2))
    clusters = (left.reshape(-1, 2), left.sum(0), left.sum(1))
    found: list[Floats] = []
    for cluster in clusters:
        n = max(len(cluster), 3)
        found.append(np.diag(inverse @ (cluster.T @ cluster * (n / (n - 2))) @ inverse))
    return np.max(found, axis=0)


def _quality(blocks: _Blocks, trust: Floats) -> float:
    reference, image, product = (blocks.powers * trust[..., None]).sum((0, 1))
    correlation = abs(product) / max(float(np.sqrt(reference * image)), 1e-12)
    weight = blocks.powers[..., 0]
    return float(np.clip(correlation, 0, 1) * (trust * weight).sum() / max(float(weight.sum()), 1e-12))


def _valid(shape: tuple[int, ...], shift: Floats) -> Floats:
    """(h, w) 1 where the moved pixel lies inside the reference, away from its border."""
    axes = [np.arange(n) + s for n, s in zip(shape, shift, strict=True)]
    border = BAND_PX
    inside = [(a >= border) & (a <= n - 1 - border) for a, n in zip(axes, shape, strict=True)]
    return np.outer(*inside).astype(float)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    shift: Floats
    """(2,) in compared pixels."""
    moved: Floats
    """(2,) by this step."""
    blocks: _Blocks
    trust: Floats
    gain: float


def _stepped(coefficients: NDArray[np.float32], passed: Floats, shift: Floats) -> _Step:
    """One Gauss–Newton step of the shift of `passed` (h, w) against the reference's spline."""
    whole = np.round(shift)
    rolled = np.roll(coefficients, (-int(whole[0]), -int(whole[1])), axis=(0, 1))
    sampled = sampled_spline(rolled, shift - whole)
    valid = _valid(passed.shape, shift)
    gain = float((sampled[2] * passed * valid).sum() / max(float((sampled[2] ** 2 * valid).sum()), 1e-12))
    blocks = _blocks(sampled[:2], sampled[2], passed, valid, gain)
    step, trust = _robust_step(blocks)
    return _Step(shift + np.clip(step, -2.0, 2.0), step, blocks, trust, gain)


def face_shift(reference: FaceReference, image: NDArray[Any]) -> FaceShift:
    """Shift of `image` (H, W) against the face `reference`, searched over the whole overlap."""
    moving = binned(image, reference.binning)
    passed = _without_curtains(band_pass(moving, BAND_PX)).astype(float)
    kept = _without_curtains(band_pass(reference.picture, BAND_PX))
    coefficients = spline_coefficients(kept)
    step = _stepped(coefficients, passed, _coarse(reference.picture, moving))
    for _ in range(ITERATIONS):
        if np.abs(step.moved).max() < CONVERGED_PX:
            break
        step = _stepped(coefficients, passed, step.shift)
    variance = float(_scatter(step.blocks, step.trust, step.moved).mean()) + SYSTEMATIC_PX**2
    sigma = float(np.hypot(np.sqrt(variance) * reference.binning, reference.sigma_px))
    dy_px, dx_px = step.shift * reference.binning
    return FaceShift(float(dy_px), float(dx_px), sigma, _quality(step.blocks, step.trust), step.gain)


def _robust_step(blocks: _Blocks) -> tuple[Floats, Floats]:
    """Gauss–Newton step (2,) and the trust in each block."""
    trust = np.ones(blocks.score.shape[:2])
    step = np.zeros(2)
    for _ in range(4):
        information = (blocks.information * trust[..., None, None]).sum((0, 1))
        score = (blocks.score * trust[..., None]).sum((0, 1))
        step = np.linalg.solve(
            information + 1e-9 * np.trace(information) * np.eye(2) + 1e-12 * np.eye(2), score
        )
        trust = _block_trust(blocks, step)
    return step, trust

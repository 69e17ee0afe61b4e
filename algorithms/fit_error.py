"""How far a fit of two pictures (`patch_fit`) can be believed: covariance, coherence, share of trusted edges.

The covariance of the shift is the sandwich J⁻¹ S J⁻ᵀ (H. White, Econometrica 50 (1982) 1, theorem 3.2): J is
how the score answers to the shift, S the score's own covariance, with the correlation that the residuals
have.
"""

import numpy as np

from algorithms.patch_fit import Fit, Patches, Reference, inner_mask, without_ramps, without_stripes
from algorithms.residual_noise import LOCAL_PX, autocovariance_power, local_mean, padded_shape
from algorithms.spline_sampling import Floats, sampled_spline, spline_coefficients

SIGNIFICANT_GAIN = 5.0
"""Standard errors: the best of the ten thousand places of a search window reaches four by chance."""


def raw_residual(reference: Reference, moving: Floats, fit: Fit) -> Floats:
    coefficients = spline_coefficients(reference.picture)
    difference = moving - fit.trial[2] * sampled_spline(coefficients, fit.trial[:2])[2]
    return without_ramps(difference[None], fit.weights.trust)[0][0]


def _noise_power(patches: Patches, fit: Fit, raw: Floats) -> Floats:
    """Power (rfft2 of the padded shape) of the smoothed standardised noise, from the residual before
    smoothing.

    Before, because there its correlation is short, if there is any, and can be measured.
    """
    stripes = fit.linear.residual - without_stripes(fit.linear, fit.weights)
    power = autocovariance_power((raw - stripes) / np.sqrt(fit.weights.variance), fit.weights.trust)
    shape = padded_shape(raw.shape)
    squared = np.add.outer(np.fft.fftfreq(shape[0]) ** 2, np.fft.rfftfreq(shape[1]) ** 2) * (2 * np.pi) ** 2
    return power * np.exp(-squared * patches.smoothing_px**2)


def _score_covariance(fit: Fit, power: Floats) -> Floats:
    """(2, 2) covariance of the score by Parseval, for noise of this power."""
    shape = padded_shape(fit.weights.trust.shape)
    spectra = np.fft.rfft2(
        fit.linear.derivatives[:2] * fit.weights.trust / np.sqrt(fit.weights.variance), shape
    )
    power = power * 2.0
    power[:, [0, -1]] /= 2.0
    return np.einsum("iyx,jyx,yx->ij", spectra, spectra.conj(), power, optimize=True).real / np.prod(shape)


def shift_covariance(patches: Patches, fit: Fit, raw: Floats) -> Floats:
    """(2, 2) of (dy, dx): the sandwich J⁻¹ S J⁻ᵀ, S with the colour of the residuals; stripes as in J."""
    score = _score_covariance(fit, _noise_power(patches, fit, raw))
    unstriped = (fit.linear.derivatives[:2] ** 2 * fit.weights.precision).sum((1, 2))
    kept = np.sqrt(np.clip(np.diag(fit.information)[:2] / np.maximum(unstriped, 1e-30), 1e-6, 1.0))
    inverse = np.linalg.inv(fit.sensitivity[:2, :2])
    return inverse @ (score * np.outer(kept, kept)) @ inverse.T


def coherence(fit: Fit, smoothing_px: float) -> float:
    """Correlation of image and reference where trusted, both one's noise allowed for, 0…1.

    0 where the gain is not significant: chance always finds some resemblance in the search window.
    """
    precision = fit.weights.precision
    local = local_mean(fit.linear.residual, smoothing_px)
    noise = float(np.average(fit.weights.variance, weights=precision))
    amplified = 1.0 + (LOCAL_PX / smoothing_px) ** 2
    excess = max(float(np.average(local**2, weights=precision)) - noise, 0.0) / amplified
    centred = fit.linear.model - np.average(fit.linear.model, weights=precision)
    explained = float(np.average(centred**2, weights=precision))
    independent = precision.astype(bool).sum() / (4.0 * np.pi * smoothing_px**2)
    chance = SIGNIFICANT_GAIN**2 * (noise + excess) / independent
    return float(np.sqrt(max(explained - chance, 0.0) / max(explained + excess, 1e-12)))


def trusted_share(fit: Fit) -> float:
    """Share of the reference's edges that the image shows, 0…1."""
    edges = (fit.linear.derivatives[:2] ** 2).sum(0) * inner_mask(fit.weights.trust.shape)
    return float((edges * fit.weights.trust).sum() / max(float(edges.sum()), 1e-30))

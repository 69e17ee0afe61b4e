"""How far a structure that should be isotropic is from it.

e_L2 and e_D of Sardhara et al., slice thickness, equations 4 and 5. Arguments may carry leading axes
(resamples); ``algorithms.block_errors`` turns leave-one-block-out resamples into a standard error.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def e_l2(curves: Floats) -> Floats:
    """Anisotropy of curves ``(…, 3, n)`` along x, y, z (TPCF or LPF at lags 1 … n); result ``(…)``, 0:
    isotropic.

    Lags at which a direction is unknown (NaN) are left out in all three; NaN if none is left.
    """
    known = np.isfinite(curves).all(axis=-2, keepdims=True)
    curves = np.where(known, curves, 0.0)
    norms = np.linalg.norm(curves, axis=-1)
    apart = np.linalg.norm(curves[..., :2, :] - curves[..., 2:, :], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.mean(2.0 * apart / (norms[..., :2] + norms[..., 2:]), axis=-1)


def e_d(diameters: Floats) -> Floats:
    """Anisotropy of mean ligament diameters ``(…, 3)`` in the xy, xz and yz planes; result ``(…)``.

    NaN where there is no ligament in the face.
    """
    in_face = np.where(diameters[..., :1] > 0.0, diameters[..., :1], np.nan)
    return np.mean(np.abs(diameters[..., 1:] - in_face) / in_face, axis=-1)

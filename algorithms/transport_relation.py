"""Effective conductivity from geometry alone."""


def relative_conductivity(share: float, constrictivity: float, tortuosity: float) -> float:
    """ε^1.15 · β^0.37 / τ^4.39, relative to the phase's own; NaN where any of them is unknown.

    Fitted to 43 virtual structures with a mean relative error of 19 % (O. Stenzel et al., AIChE J. 62, 1834
    (2016), doi:10.1002/aic.15160), τ there along steps to 26 neighbours.
    """
    return share**1.15 * constrictivity**0.37 / tortuosity**4.39

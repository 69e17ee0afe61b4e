"""Reconstruction of mimicking data sets: nearest, cubic and network filling, with and without repositioning.

The variants and the data sets are those of :mod:`daemon.tabulate.reconstruction`.
"""

from rich.table import Table

from daemon.tabulate.published import RECONSTRUCTION
from daemon.tabulate.reconstruction import FULL, QUICK, both_series, variants


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """The table beside the published one, and its figures as ``rcs_mp_percent`` and so on; those of the
    thicker slices as ``rcs_mp_percent_thicker``."""
    rebuilders = variants()
    series = both_series(rebuilders, QUICK if quick else FULL)
    sets = [len(found) for _, found in series]
    table = Table("slices", "variant", "MP %", "MGP %", "MDS", "published", title=f"{sets[0]} sets")
    figures = {"data_sets": float(sets[0]), "data_sets_thicker": float(sets[1])}
    for (milling, found), ending in zip(series, ("", "_thicker"), strict=True):
        means, spreads = found.mean(axis=0), found.std(axis=0, ddof=1)
        for name, mean, spread in zip(rebuilders, means, spreads, strict=True):
            cells = (f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True))
            label = f"{milling.mean_nm:g} ± {milling.sigma_nm:g} nm"
            table.add_row(label, name, *cells, " / ".join(map(str, RECONSTRUCTION[name])))
            keys = (f"{name.lower()}_{key}{ending}" for key in ("mp_percent", "mgp_percent", "mds"))
            figures |= dict(zip(keys, mean.tolist(), strict=True))
    figures["rml_over_rcs"] = figures["rml_mp_percent"] / figures["rcs_mp_percent"]
    return table, figures

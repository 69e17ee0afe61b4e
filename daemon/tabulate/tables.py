"""The tables as Markdown: what was measured now, and the published figures alongside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.report.published import REAL_SAMPLE
from daemon.tabulate import adaptation, methods, published, reconstruction
from daemon.tabulate import anisotropy as isotropy
from daemon.tabulate.adaptation_table import adaptation_section
from daemon.tabulate.markdown import NOTHING, runs_told, scores_told, table, three_told
from daemon.tabulate.winners import told_winners
from models.evaluation import HeldOut, Score
from models.mimicking_sets import Scale

REAL_ROWS: Final = {
    "late_fusion": "late fusion of 1, 2 and 4 kV",
    "unet_1kv": "network on 1 kV",
    "unet_2kv": "network on 2 kV",
    "unet_4kv": "network on 4 kV",
    "kmeans_1kv": "k-means on 1 kV",
    "late_fusion, not placed, nearest": "slices not placed, nearest neighbour",
}
"""Our rows of the table of anisotropy, and how the published ones are called."""
WORSE: Final = {
    "_noise_x2": "Monte Carlo, noise × 2",
    "_misregistered_1px": "Monte Carlo, 1 px off",
    "_fast_noise_x2": "fast, noise × 2",
    "_fast_misregistered_1px": "fast, 1 px off",
}
"""Headings of the worse images, by the suffix of their condition."""
ERRORS: Final = ("e_TPCF", "e_LPF", "e_D")
THICKNESSES: Final = dict(
    sorted((methods.THICKNESS_ERRORS | {"_fast": 1.0}).items(), key=lambda item: item[1])
)

Scored = Mapping[str, Mapping[str, Score]]
"""Scores by the heading of their column and by method."""
Columns = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured for each table."""

    segmentation: methods.Effort
    anisotropy: HeldOut
    interpolation: Scale
    adaptation: adaptation.Effort


QUICK: Final = Effort(methods.QUICK, isotropy.QUICK, reconstruction.QUICK, adaptation.QUICK)
FULL: Final = Effort(methods.FULL, isotropy.FULL, reconstruction.FULL, adaptation.FULL)


def segmentation(effort: Effort) -> str:
    """Architectures and voltages, worse images, solid fractions, and what a wrong slice thickness costs."""
    size, segmenters = effort.segmentation, methods.open_shipped()
    conditions = methods.simulated_conditions(size) | methods.fast_conditions(size)
    conditions |= methods.thickness_conditions(size)
    scored = {suffix: methods.score_methods(segmenters, runs) for suffix, runs in conditions.items()}
    usual = {
        "Monte Carlo": scored[""],
        "Monte Carlo, long dwell": scored["_long_dwell"],
        "fast images": scored["_fast"],
    }
    worse = {heading: scored[suffix] for suffix, heading in WORSE.items()}
    thick = {f"× {factor:g}": scored[suffix] for suffix, factor in THICKNESSES.items()}
    usual_nm = f"{size.fast.thickness_nm} ± {size.fast.thickness_sigma_nm} nm"
    return f"""\
## Segmentation

Networks and voltages on held-out runs: {runs_told(size.simulated)} simulated with
{size.electrons} electrons per pixel (Monte Carlo) and with {size.electrons * size.long_dwell} (long dwell),
and {runs_told(size.fast)} of fast images. The published dwell sends 9400, which are hours of computing: the
simulated images are noisier than the published ones.
MP % / MGP % / mean Dice; published: Sardhara et al. 2024, Tables 2 and 3, on their Monte Carlo images.
`voting` is the papers' fixed vote; a pair is what the daemon runs where one of the three voltages is
missing. Architectures that are not listed are not shipped.

{_segmentation_table(usual)}

Fewest misplaced pixels:

{told_winners(_misplaced(usual))}

Misplaced pixels off the boundaries, in % of all: those whose eight neighbours on the face are truly of their
own phase. The others, where less than a pixel's width decides, are most of MP.

{_table_of(_inner(usual))}

Worse images of the same structures, misplaced pixels in %: with twice the noise (Monte Carlo: a quarter of
the electrons), and registered a pixel off, the lowest voltage along y and the highest along x. The truth is
in register with the voltage between them: `unet_2kv` and `kmeans_2kv`, which see that one alone, are given
the same images as above.

{_misplaced_table(worse)}

Fewest misplaced pixels:

{told_winners(_misplaced(worse))}

Solid fraction; published: where {published.TRUE_SOLID_FRACTION} is right.

{_solid_table(usual)}

Nearest to the truth:

{told_winners(*_solid(usual), digits=4)}

Slices half and one and a half times as thick as usual ({usual_nm}), of the same structures:
misplaced pixels in %, fast images.

{_misplaced_table(thick)}

Fewest misplaced pixels:

{told_winners(_misplaced(thick))}"""


def anisotropy(effort: Effort) -> str:
    """Of what each method makes of runs through an isotropic structure."""
    found = isotropy.anisotropy(methods.open_shipped(), effort.anisotropy)
    rows = [(name, three_told(errors), _published_anisotropy(name)) for name, errors in found.items()]
    kinds = [name for name in found if name not in (isotropy.STRUCTURE, isotropy.TRUE_LABELS)]
    columns = {error: {name: found[name][index] for name in kinds} for index, error in enumerate(ERRORS)}
    truths = {error: found[isotropy.STRUCTURE][index] for index, error in enumerate(ERRORS)}
    return f"""\
## Anisotropy

e_TPCF / e_LPF / e_D, each 0 for an infinite isotropic sample, of volumes rebuilt from
{runs_told(effort.anisotropy)} of fast images: slices at their true depths on a grid of
{effort.anisotropy.pixel_nm} nm, filled by the inpainting network unless it is said otherwise; mean over the
runs. Published: of the papers' synthetic structure, and of their real sample (2024, Table 4; 2023), whose
size is another.

{table(("volume", "ours", "published"), rows)}

Nearest to the structure itself, the true labels aside:

{told_winners(columns, truths, digits=4)}"""


def interpolation(effort: Effort) -> str:
    """Of fillings and repositioning on mimicking data sets."""
    scale, rebuilders = effort.interpolation, reconstruction.variants()
    series = reconstruction.both_series(rebuilders, scale)
    cells = [[scores_told(mean) for mean in found.mean(axis=0).tolist()] for _, found in series]
    others = [scores_told(published.RECONSTRUCTION[name]) for name in rebuilders]
    headings = [f"{milling.mean_nm:g} ± {milling.sigma_nm:g} nm" for milling, _ in series]
    columns = {
        heading: dict(zip(rebuilders, found.mean(axis=0)[:, 0].tolist(), strict=True))
        for heading, (_, found) in zip(headings, series, strict=True)
    }
    head = ("variant", *headings, "published")
    return f"""\
## Interpolation

{len(series[0][1])} mimicking data sets ({scale.structures} structures × {scale.draws} thickness draws,
{scale.slices} slices, discretised to 2.5 nm, {scale.side_px} × {scale.side_px} voxels) with slices as thick
as the ruler measured real ones, and {len(series[1][1])} of thicker slices. MP % / MGP % / mean Dice, means
over the sets; published: 250 sets whose mean thickness is not given (Sardhara et al. 2023, Tables 2 and 3).
RNN, RCS, RML: repositioned, nearest, cubic, our network; DNN: not repositioned, nearest; SRCS: 10 nm grid,
cubic.

{table(head, zip(rebuilders, *cells, others, strict=True))}

Fewest misplaced voxels:

{told_winners(columns)}"""


TABLES: Final[Mapping[str, Callable[[Effort], str]]] = {
    "segmentation": segmentation,
    "anisotropy": anisotropy,
    "interpolation": interpolation,
    "adaptation": lambda effort: adaptation_section(effort.adaptation),
}


def _segmentation_table(usual: Scored) -> str:
    names = next(iter(usual.values()))
    rows = [
        (
            name,
            *(_scored(scores[name]) for scores in usual.values()),
            scores_told(published.SEGMENTATION.get(name, ())),
        )
        for name in names
    ]
    return table(("method", *usual, "published"), rows)


def _misplaced_table(scored: Scored) -> str:
    return _table_of(_misplaced(scored))


def _table_of(columns: Columns) -> str:
    names = next(iter(columns.values()))
    rows = [(name, *(f"{column[name]:.3f}" for column in columns.values())) for name in names]
    return table(("method", *columns), rows)


def _solid_table(usual: Scored) -> str:
    fractions, truths = _solid(usual)
    rows = [
        (
            name,
            *(f"{column[name]:.4f}" for column in fractions.values()),
            f"{published.SOLID_FRACTION.get(name, NOTHING)}",
        )
        for name in next(iter(fractions.values()))
    ]
    truth = ("*truth*", *(f"{true:.4f}" for true in truths.values()), str(published.TRUE_SOLID_FRACTION))
    return table(("method", *fractions, "published"), [truth, *rows])


def _inner(scored: Scored) -> Columns:
    return {
        heading: {name: score.inner_mp_percent for name, score in scores.items()}
        for heading, scores in scored.items()
    }


def _misplaced(scored: Scored) -> Columns:
    return {
        heading: {name: score.mp_percent for name, score in scores.items()}
        for heading, scores in scored.items()
    }


def _solid(scored: Scored) -> tuple[Columns, dict[str, float]]:
    """What each method found, and the truth, by column."""
    fractions = {
        heading: {name: score.solid_fraction for name, score in scores.items()}
        for heading, scores in scored.items()
    }
    truths = {heading: next(iter(scores.values())).true_solid_fraction for heading, scores in scored.items()}
    return fractions, truths


def _published_anisotropy(name: str) -> str:
    if name == isotropy.STRUCTURE:
        return three_told(published.TRUE_ANISOTROPY)
    for real in REAL_SAMPLE:
        if real.way == REAL_ROWS.get(name):
            return three_told((real.e_tpcf, real.e_lpf, real.e_d))
    return NOTHING


def _scored(score: Score) -> str:
    return scores_told((score.mp_percent, score.mgp_percent, score.mean_dice))

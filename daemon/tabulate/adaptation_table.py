"""The table of adaptation as Markdown: shipped networks and their copies on a microscope that none knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daemon.tabulate.adaptation import Compared, Effort, Worth, compared, structure_errors
from daemon.tabulate.markdown import NOTHING, runs_told, scores_told, table, three_told
from daemon.tabulate.published import ADAPTATION
from models.evaluation import Score

PER_CENT = 100


def adaptation_section(effort: Effort) -> str:
    """Scores, errors, and what adapting brought and cost."""
    from models.adapting import AdaptationSettings

    found = compared(effort, AdaptationSettings(), lambda _line: None)
    head = ("network", "synthetic", "other microscope", "e_TPCF / e_LPF / e_D there", "mean", "published")
    gains = ("network", "less mean error", "than unadapted", "published", "MP on synthetic", "published")
    return f"""\
## Adaptation

Shipped networks, copies trained further on synthetic scenes as they are, copies trained alike on the same
scenes in the style of another microscope (`slicewatch adapt`), and, as the limit of what a style can bring,
copies that were taught by labelled scenes of that microscope, which nobody has. It sends an eighth of the
electrons, has a beam 0.6 px wider, a detector that is brighter, flatter and bends grey values, three times
the curtains, five times the charge (`daemon/tabulate/other_microscope.py`). It plays the real one, and
nothing that ships has learned from it. The style was learned from {effort.learned.slices} unlabelled slices
of one sample; judged are {runs_told(effort.judged)} of other samples; synthetic:
{runs_told(effort.synthetic)}, held out. MP % / MGP % / mean Dice; volumes are rebuilt as
in the table of anisotropy. The structure has
{three_told(structure_errors(effort))}. Published: errors on the real sample, without and with domain
adaptation (Sardhara et al. 2025, Table 4).

{table(head, _rows(found))}

What adapting brings against the shipped network, and against the copy that was trained alike without a style,
which is what was published; and what it costs on synthetic images (Table 3 there):

{table(gains, _gains(found))}"""


def _rows(found: Mapping[str, Compared]) -> Iterable[tuple[str, ...]]:
    for name, one in found.items():
        without, with_it = ADAPTATION.get(name, (None, None))
        yield (f"{name}, as shipped", *_worth(one.shipped), NOTHING)
        yield (
            f"{name}, unadapted training",
            *_worth(one.unadapted),
            three_told(without.errors) if without else NOTHING,
        )
        yield (f"{name}, adapted", *_worth(one.adapted), three_told(with_it.errors) if with_it else NOTHING)
        yield (f"{name}, taught", *_worth(one.taught), NOTHING)


def _worth(worth: Worth) -> tuple[str, ...]:
    return (
        _scored(worth.synthetic),
        _scored(worth.other),
        three_told(worth.errors),
        f"{worth.mean_error:.4f}",
    )


def _gains(found: Mapping[str, Compared]) -> Iterable[tuple[str, ...]]:
    for name, one in found.items():
        without, with_it = ADAPTATION.get(name, (None, None))
        told = (NOTHING, NOTHING)
        if without and with_it:
            gain = 1 - sum(with_it.errors) / sum(without.errors)
            told = (_per_cent(gain), f"{without.synthetic_mp:g} → {with_it.synthetic_mp:g}")
        adapted, shipped = one.adapted, one.shipped
        yield (
            name,
            _per_cent(1 - adapted.mean_error / shipped.mean_error),
            _per_cent(1 - adapted.mean_error / one.unadapted.mean_error),
            told[0],
            f"{shipped.synthetic.mp_percent:.3f} → {adapted.synthetic.mp_percent:.3f}",
            told[1],
        )


def _scored(score: Score) -> str:
    return scores_told((score.mp_percent, score.mgp_percent, score.mean_dice))


def _per_cent(share: float) -> str:
    return f"{PER_CENT * share:.0f} %"

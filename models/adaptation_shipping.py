"""From an acquisition's faces to an adapted network that can be judged: file, card, pages."""

from dataclasses import asdict
from pathlib import Path

from models.acquired import Acquired
from models.adaptation_card import PAGES, Adaptation, write_adaptation_card
from models.adaptation_effect import Effect, measured_effect
from models.adaptation_pages import draw_distributions, draw_labels, draw_styles
from models.adapting import AdaptationSettings, Adapted, adapt_network
from models.domain import network_spec, read_domain
from models.evaluation import HeldOut
from models.learning_curve import draw_learning_curves
from models.material import Report
from models.origin import Origin
from models.session import open_segmenter


def ship_adaptation(
    network: Path,
    acquired: Acquired,
    settings: AdaptationSettings,
    held_out: HeldOut,
    out_dir: Path,
    origin: Origin,
    report: Report,
) -> tuple[Adapted, Effect]:
    """Adapt a network and write file, domain, card and pages to ``out_dir``; a later start goes on.

    Args:
        network, acquired, settings: as of :func:`models.adapting.adapt_network`.
        held_out: synthetic runs by which is told what the adaptation costs there.
        out_dir: made if it does not exist.
        origin: for the card.
        report: given a line now and then.

    Raises:
        ModelError: as :func:`models.adapting.adapt_network`.
    """
    adapted = adapt_network(network, acquired, settings, out_dir, report)
    report("comparing the networks before and after")
    paths = network, adapted.path
    before, after = (open_segmenter(path, threads=settings.threads) for path in paths)
    known_before, known_after = (read_domain(path) for path in paths)
    effect = measured_effect(
        (before, after), (known_before, known_after), acquired, adapted.restyled, held_out
    )
    _draw(adapted, effect, acquired, out_dir)
    about = Adaptation(origin, asdict(settings), network_spec(network), len(acquired.images), held_out)
    write_adaptation_card(adapted.path.with_suffix(".md"), adapted, effect, about)
    return adapted, effect


def _draw(adapted: Adapted, effect: Effect, acquired: Acquired, out_dir: Path) -> None:
    labels, styles, distributions, curves = (out_dir / name for name in PAGES)
    synthetic, restyled, scale = adapted.synthetic, adapted.restyled, adapted.spec.normalisation
    draw_labels(effect, acquired.voltages_kv, labels)
    draw_styles(synthetic[0], restyled[0], acquired, scale, styles)
    draw_distributions(synthetic, restyled, acquired, scale, effect, distributions)
    draw_learning_curves(adapted.histories, curves)

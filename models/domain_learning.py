"""Learns what images a network knows: those of the published acquisition, for which its card's figures hold.

Half of the scenes of a training are of that acquisition (:mod:`models.scenes`); the other half, foreign ones
within wide limits, makes a network robust, but what it is worth there nobody has measured. So the domain is
the former. The limit is calibrated: each fifth of the images is measured against the domain learned from
the others, and all are to be known with a margin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from algorithms.acquisition import render_stack
from algorithms.image_domain import FIGURES, SMALLEST_PX, domain_distance, learned_domain
from algorithms.instrument import Instrument, default_instrument
from algorithms.translation import translate
from models.backscatter import network_response
from models.domain import StoredChannel, figures_of
from models.evaluation import HeldOut, draw_sample
from models.normalisation import FaceImage, Normalisation
from models.scenes import SHORTEST_ROW

SEEDS = range(66_000, 70_000)
"""Structures that nothing else is rendered from."""
FOLDS = 5
MARGIN = 1.2
"""Of the limit over the farthest of the images that it was calibrated on."""
EDGE_PX = 8
"""Cut off: where a registered image repeats its edge."""
LARGE_PX = (256, 384)
"""Of one half of the images; of the other half the smallest that are judged."""


@dataclass(frozen=True, slots=True)
class DomainSettings:
    """Of one domain.

    Attributes:
        images: of each channel, every one of a sample of its own.
    """

    images: Annotated[int, Ge(6 * FIGURES)] = 600


def learn_domain(
    voltages_kv: Sequence[float],
    normalisation: Normalisation,
    settings: DomainSettings,
    report: Callable[[str], None],
) -> list[StoredChannel]:
    """The domain and the limit of every channel."""
    figures: list[list[NDArray[np.float64]]] = []
    for done, seed in enumerate(SEEDS[: settings.images], 1):
        figures.append([figures_of(image, normalisation) for image in known_run(seed, voltages_kv)[0]])
        if done % 100 == 0:
            report(f"images: {done}/{settings.images}")
    return [
        learned_channel(voltage, np.array([face[channel] for face in figures]))
        for channel, voltage in enumerate(voltages_kv)
    ]


def known_run(
    seed: int,
    voltages_kv: Sequence[float],
    slices: int = 1,
    instruments: Sequence[Instrument] | None = None,
) -> list[list[FaceImage]]:
    """Registered images [slice][channel] of an acquisition as published, or by other instruments.

    Rows are foreshortened or not, images moved by a fraction of a pixel or not, as in training scenes.
    """
    rng = np.random.default_rng((seed, len(voltages_kv)))
    height, width = LARGE_PX if seed % 2 else (SMALLEST_PX, SMALLEST_PX)
    run = HeldOut(height=height + 2 * EDGE_PX, width=width + 2 * EDGE_PX, slices=slices)
    sample = draw_sample(seed, run)
    row_nm = run.pixel_nm / float(rng.choice([1.0, SHORTEST_ROW]))
    images, _ = render_stack(
        sample.structure,
        sample.depths_nm,
        replace(sample.grid, pixel_y_nm=row_nm),
        voltages_kv,
        instruments or [default_instrument(voltage) for voltage in voltages_kv],
        sample.rng,
        [network_response(voltage) for voltage in voltages_kv],
    )
    shift = rng.uniform(-0.5, 0.5, 2) * (rng.random() < 0.5)
    return [[_moved(image, *shift.tolist()) for image in channels] for channels in images]


def _moved(image: FaceImage, dy_px: float, dx_px: float) -> FaceImage:
    inside = slice(EDGE_PX, -EDGE_PX)
    return translate(image, dy_px, dx_px)[inside, inside]


def learned_channel(voltage_kv: float, figures: NDArray[np.float64]) -> StoredChannel:
    """Learned from all images (image, FIGURES), its limit from how far those are that were left out."""
    fold = np.arange(len(figures)) % FOLDS
    farthest = max(
        domain_distance(learned_domain(figures[fold != left_out]), one)
        for left_out in range(FOLDS)
        for one in figures[fold == left_out]
    )
    domain = learned_domain(figures)
    return StoredChannel(voltage_kv, MARGIN * farthest, domain.mean.tolist(), domain.whitening.tolist())

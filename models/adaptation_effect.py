"""What an adaptation changed, in figures: with a truth on synthetic scenes, without on the acquisition."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.image_domain import domain_distance
from models.acquired import Acquired
from models.domain import ChannelDomain, figures_of
from models.evaluation import HeldOut, RenderedRun, Score, held_out_runs, score_segmenter
from models.scenes import Scene
from models.session import Segmenter, segment
from models.windows import window_slices

SHOWN = 3
"""Faces of the acquisition that are segmented before and after."""
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Certainty:
    """Of a network on faces whose truth nobody knows.

    Attributes:
        solid_fraction: found.
        sure_share: of the pixels, one phase of which is claimed with more than 90 %.
    """

    solid_fraction: float
    sure_share: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure before and after."""

    before: float
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """Before and after, pairwise.

    Attributes:
        in_style: scores on synthetic scenes in the acquired style.
        synthetic: scores on held-out synthetic runs, as they are.
        acquired: of the acquisition's shown faces.
        changed_share: of their pixels, that got another label.
        distances: by channel, the median of the acquisition's images from what the network knows, over the
            limit; NaN where nobody has learned that.
        faces, labels: shown faces (slice, channel, y, x) and their labels (slice, y, x) before and after.
    """

    in_style: tuple[Score, Score]
    synthetic: tuple[Score, Score]
    acquired: tuple[Certainty, Certainty]
    changed_share: float
    distances: tuple[Compared, ...]
    faces: NDArray[np.uint8 | np.uint16]
    labels: tuple[Labels, Labels]


def measured_effect(
    networks: tuple[Segmenter, Segmenter],
    domains: tuple[Sequence[ChannelDomain], Sequence[ChannelDomain]],
    acquired: Acquired,
    in_style: Sequence[Scene],
    held_out: HeldOut,
) -> Effect:
    """Of the networks before and after, with the domains that they know."""
    scenes = [
        RenderedRun(scene.images.astype(np.uint8), scene.labels, acquired.voltages_kv) for scene in in_style
    ]
    runs = held_out_runs(held_out)
    centres = np.linspace(0, len(acquired.images) - 1, SHOWN + 2).round().astype(int)[1:-1].tolist()
    solid = [np.stack([_solid(one, acquired, centre) for centre in centres]) for one in networks]
    labels = [(share > 0.5).astype(np.uint8) for share in solid]
    before, after = networks
    return Effect(
        (score_segmenter(before, scenes), score_segmenter(after, scenes)),
        (score_segmenter(before, runs), score_segmenter(after, runs)),
        (_certainty(solid[0]), _certainty(solid[1])),
        float((labels[0] != labels[1]).mean()),
        _distances(domains, acquired),
        acquired.images[centres],
        (labels[0], labels[1]),
    )


def _solid(network: Segmenter, acquired: Acquired, centre: int) -> NDArray[np.float32]:
    """Probability of solid (y, x) of a face."""
    window = window_slices(centre, range(len(acquired.images)), network.spec.adjacent_slices)
    return segment(network, acquired.images[list(window)].swapaxes(0, 1))[1]


def _certainty(solid: NDArray[np.float32]) -> Certainty:
    return Certainty(float((solid > 0.5).mean()), float((np.abs(solid - 0.5) > 0.4).mean()))


def _distances(
    domains: tuple[Sequence[ChannelDomain], Sequence[ChannelDomain]], acquired: Acquired
) -> tuple[Compared, ...]:
    before, after = (
        [
            _median(known[channel], acquired.images[:, channel]) if known else float("nan")
            for channel in range(len(acquired.voltages_kv))
        ]
        for known in domains
    )
    return tuple(Compared(*pair) for pair in zip(before, after, strict=True))


def _median(known: ChannelDomain, images: NDArray[np.uint8 | np.uint16]) -> float:
    far = [domain_distance(known.domain, figures_of(image, known.normalisation)) for image in images]
    return float(np.median(far)) / known.limit

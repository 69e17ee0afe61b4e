"""How well and how fast a network labels blocks of scenes: what decides between variants of one network."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from algorithms.scores import confusion, mean_dice
from models.datasets import PreparedScene, block_patches
from models.session import Segmenter
from models.spec import ModelSpec

BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Inputs float32 (n, channel, slice, y, x) on the network's scale, and their labels (n, y, x)."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one network.

    Attributes:
        mean_dice: of both phases, over all pixels of all blocks.
        seconds_per_mpx: per million labelled pixels, of the quickest batch: others were disturbed.
        provider: the hardware that it ran on.
    """

    mean_dice: float
    seconds_per_mpx: float
    provider: str


def blocks_of(scenes: Sequence[PreparedScene], voltages_kv: Sequence[float], spec: ModelSpec) -> Blocks:
    """Every block of the scenes as the network takes it.

    Args:
        scenes: images of at least the network's voltages.
        voltages_kv: of the scenes' channels.
        spec: of the network.
    """
    channels = [voltages_kv.index(voltage) for voltage in spec.voltages_kv]
    patches = block_patches(scenes, channels, spec.adjacent_slices, spec.normalisation)
    inputs, labels = zip(*patches, strict=True)
    return Blocks(np.stack(inputs), np.stack(labels))


def judge(segmenter: Segmenter, blocks: Blocks) -> Judgement:
    """Run a network over all blocks."""
    matrix = np.zeros((2, 2), np.int64)
    seconds: list[float] = []
    for start in range(0, len(blocks.inputs), BATCH):
        inputs, labels = blocks.inputs[start : start + BATCH], blocks.labels[start : start + BATCH]
        begun = perf_counter()
        beliefs = segmenter.runner.run(inputs)
        seconds.append((perf_counter() - begun) / labels.size * 1e6)
        matrix += confusion(labels.astype(np.uint8), beliefs.argmax(axis=1).astype(np.uint8))
    return Judgement(mean_dice(matrix), min(seconds), segmenter.provider)

"""Several single-voltage networks as one: for channels that no fused network is there for.

What two images say of a pixel is added up as evidence, the logarithms of the probabilities: that of the
lowest voltage fully, that of the others by half, since what shines through misleads them alike. The late
fusion begins its training like this (:mod:`models.fusion`), so this is the late fusion without a branch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm

import numpy as np

from models.errors import ModelMismatchError
from models.providers import CPU
from models.session import Segmenter
from models.tile_runner import Batch, BatchRunner
from models.tiling import padded_length

OTHERS_SHARE = 0.5
SMALLEST = 1e-7
"""Probabilities below are taken for it: what a 32-bit softmax calls 0."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Runs each channel's network and adds up the evidence, each by its share; a :class:`BatchRunner`."""

    members: tuple[BatchRunner, ...]
    shares: tuple[float, ...]

    @property
    def provider(self) -> str:
        """The CPU as soon as one of them runs there: that one sets the pace."""
        on_cpu = (member.provider for member in self.members if member.provider == CPU)
        return next(on_cpu, self.members[0].provider)

    @property
    def refusals(self) -> Mapping[str, str]:
        """Of all of them."""
        return {name: why for member in self.members for name, why in member.refusals.items()}

    @property
    def batch_tiles(self) -> int:
        """What all of them can take."""
        return min(member.batch_tiles for member in self.members)

    def told(self) -> tuple[str, ...]:
        """What any of them gave up since this was last asked."""
        return tuple(step for member in self.members for step in member.told())

    def run(self, batch: Batch) -> Batch:
        """(batch, channel, slice, y, x) to (batch, class, y, x)."""
        beliefs = [
            member.run(np.ascontiguousarray(batch[:, index : index + 1]))
            for index, member in enumerate(self.members)
        ]
        return joined(beliefs, self.shares)


def assemble_jury(members: Sequence[Segmenter], where: str) -> Segmenter:
    """One network of several, each for a single voltage, in the order of the channels.

    Raises:
        ModelMismatchError: they look at different numbers of slices, or scale images differently.
    """
    first = members[0].spec
    alike = {
        (one.spec.adjacent_slices, one.spec.normalisation, one.spec.classes, one.spec.denoise)
        for one in members
    }
    if len(alike) > 1:
        raise ModelMismatchError(
            "these networks cannot be joined: they look at their images in different ways",
            where,
            "Use networks of one training, or one that was trained for all of the channels.",
        )
    specs = [one.spec for one in members]
    stride_px = lcm(*(one.stride_px for one in specs))
    spec = replace(
        first,
        name="+".join(one.name for one in specs),
        channels=tuple(name for one in specs for name in one.channels),
        voltages_kv=tuple(voltage for one in specs for voltage in one.voltages_kv),
        stride_px=stride_px,
        reach_px=padded_length(max(one.reach_px for one in specs), stride_px),
        sha256=hashlib.sha256("".join(one.sha256 for one in specs).encode()).hexdigest(),
    )
    runner = Jury(tuple(one.runner for one in members), shares(spec.voltages_kv))
    return replace(members[0], spec=spec, runner=runner)


def shares(voltages_kv: Sequence[float]) -> tuple[float, ...]:
    """How much the evidence of each voltage counts."""
    lowest = min(voltages_kv)
    return tuple(1.0 if voltage == lowest else OTHERS_SHARE for voltage in voltages_kv)


def joined(beliefs: Sequence[Batch], shares: Sequence[float]) -> Batch:
    """Probabilities (batch, class, y, x) from those of each member and the share that its evidence counts."""
    evidence = np.zeros_like(beliefs[0])
    for share, belief in zip(shares, beliefs, strict=True):
        evidence += np.float32(share) * np.log(np.maximum(belief, SMALLEST))
    weights = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)

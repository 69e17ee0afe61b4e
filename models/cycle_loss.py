"""What the networks of a CycleGAN are asked for (Zhu et al. 2017, eq. 3, §4 and §5.2).

Adversarial losses are least squares (X. Mao et al., ICCV 2017). What a generator made is developed before
it is judged: where the noise of the aimed-at images is known physics, it is put in there, and the generator
need not invent it.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from models.translation_networks import ImageCycle

CYCLE_WEIGHT = 5.0
IDENTITY_WEIGHT = 1.0
"""Published are 10 and 5. These generators begin near the identity, which costs nothing by either loss, and
with the published weights they stay there (tried on 2026-11-27)."""

Develop = Callable[[Tensor], Tensor]
"""From what a generator made to what is judged: adds the noise of the style, or nothing."""


def generators_loss(
    cycle: ImageCycle, plain: Tensor, styled: Tensor, develop: Develop
) -> tuple[Tensor, Tensor, Tensor]:
    """Of both generators on a batch of either style, and what they made of it: there, and back."""
    made, unmade = develop(cycle.there(plain)), cycle.back(styled)
    fooled = _should_be(1.0, cycle.judge_there(made)) + _should_be(1.0, cycle.judge_back(unmade))
    return fooled + faithfulness_loss(cycle, plain, styled, made, unmade), made, unmade


def faithfulness_loss(
    cycle: ImageCycle, plain: Tensor, styled: Tensor, made: Tensor, unmade: Tensor
) -> Tensor:
    """There and back again is where one was, and what is in the style already stays."""
    round_trip = functional.l1_loss(cycle.back(made), plain) + functional.l1_loss(cycle.there(unmade), styled)
    same = functional.l1_loss(cycle.there(styled), styled) + functional.l1_loss(cycle.back(plain), plain)
    return CYCLE_WEIGHT * round_trip + IDENTITY_WEIGHT * same


def judges_loss(cycle: ImageCycle, plain: Tensor, styled: Tensor, made: Tensor, unmade: Tensor) -> Tensor:
    """Of both discriminators: ``made`` and ``unmade`` are generated, now or a while ago."""
    there = _should_be(1.0, cycle.judge_there(styled)) + _should_be(0.0, cycle.judge_there(made))
    back = _should_be(1.0, cycle.judge_back(plain)) + _should_be(0.0, cycle.judge_back(unmade))
    return (there + back) / 2


def _should_be(wanted: float, judged: Tensor) -> Tensor:
    return ((judged - wanted) ** 2).mean()

"""The networks that turn one style of image into another: where they begin, how far they see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import STRIDE_PX
from models.translation_networks import REACH_PX, ImageCycle, ImageGenerator, PatchDiscriminator


def stirred(network: torch.nn.Module) -> torch.nn.Module:
    """Random weights everywhere, the last layer's included."""
    torch.manual_seed(3)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def test_an_untrained_generator_nearly_leaves_an_image_as_it_is() -> None:
    """Training begins near the identity: structure is there from the first step."""
    torch.manual_seed(0)
    image = torch.rand(2, 1, 24, 40)
    made = ImageGenerator(4)(image)
    assert np.corrcoef(made.detach().ravel(), image.ravel())[0, 1] > 0.9
    assert not torch.equal(made, image)


@torch.inference_mode()
def test_pixels_beyond_the_reach_do_not_matter() -> None:
    """Tiles are cut by this: a pixel just out of reach changes nothing, one nearby does."""
    network = stirred(ImageGenerator(4))
    side = 2 * REACH_PX + 3 * STRIDE_PX
    image, middle = torch.rand(1, 1, side, side), side // 2
    base = network(image)[0, 0, middle, middle]
    for distance, matters in ((REACH_PX + 1, False), (10, True)):
        changed = image.clone()
        changed[0, 0, middle - distance, middle] += 5
        assert bool((network(changed)[0, 0, middle, middle] != base).item()) == matters


@torch.inference_mode()
def test_an_image_and_its_brightness_are_told_apart() -> None:
    """No normalisation over pixels: a brighter image is another image, to generator and judge."""
    image = torch.rand(1, 1, 64, 64)
    for network in (stirred(ImageGenerator(4)), stirred(PatchDiscriminator(4))):
        assert not torch.allclose(network(image + 0.5) - network(image), torch.tensor(0.5), atol=1e-2)


@torch.inference_mode()
@pytest.mark.parametrize("side", [32, 128])
def test_the_judge_says_something_of_every_neighbourhood(side: int) -> None:
    """One number for every 8 × 8 px."""
    assert PatchDiscriminator(4)(torch.rand(1, 1, side, side)).shape == (1, 1, side // 8, side // 8)


def test_generators_and_judges_are_trained_by_different_optimizers() -> None:
    """All parameters belong to exactly one side."""
    cycle = ImageCycle(4, 4)
    sides = [{id(one) for one in side} for side in (cycle.generators(), cycle.judges())]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {id(one) for one in cycle.parameters()}

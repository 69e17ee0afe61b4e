"""The pool of images made before: new ones first, then one in two is an old one."""

from __future__ import annotations

import numpy as np
import torch

from models.image_pool import ImagePool


def image(value: float) -> torch.Tensor:
    return torch.full((1, 1, 2, 2), value)


def test_a_pool_that_fills_gives_back_what_it_gets() -> None:
    """The first images are judged themselves."""
    pool, rng = ImagePool(3), np.random.default_rng(0)
    assert [pool.exchange(image(n), rng)[0, 0, 0, 0].item() for n in range(3)] == [0, 1, 2]


def test_a_full_pool_gives_every_other_time_an_old_image_and_keeps_the_new_one() -> None:
    """Half of 400 are old, none is given twice, none is lost but those in the pool."""
    pool, rng = ImagePool(10), np.random.default_rng(1)
    given = [pool.exchange(image(n), rng)[0, 0, 0, 0].item() for n in range(410)]
    old = sum(value != n for n, value in enumerate(given))
    assert 160 < old < 240
    assert sorted([*set(given[10:]), *(one[0, 0, 0].item() for one in pool.images)])[-1] == 409
    assert len(pool.images) == 10


def test_what_is_given_does_not_lead_back_to_what_made_it() -> None:
    """The judges' step must not move the generators."""
    made = image(1.0).requires_grad_()
    assert not ImagePool(2).exchange(made, np.random.default_rng(0)).requires_grad

"""A CycleGAN is fitted: it finds a known change of style without pairs, repeats, and goes on exactly."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.cycle_fitting import CycleRecipe, CycleTask, fit_cycle
from models.errors import CheckpointDamagedError, CheckpointMismatchError
from models.gan_training import count_electrons, from_contrast, to_contrast
from models.style_distance import earth_movers_distance
from models.translation_networks import ImageCycle

SIDE_PX = 32
BRIEF = CycleRecipe(batch=1, steps=4, epochs=2, seed=1)


def blobs(count: int, rng: np.random.Generator) -> np.ndarray:
    """Images (count, 1, y, x) of −0.5 with squares of 0.5 anywhere."""
    images = np.full((count, 1, SIDE_PX, SIDE_PX), -0.5, dtype=np.float32)
    for image in images:
        for y, x in rng.integers(SIDE_PX - 8, size=(6, 2)):
            image[0, y : y + 8, x : x + 8] = 0.5
    return images


def restyled(images: np.ndarray) -> np.ndarray:
    """What the generator there has to find out: brighter."""
    return images + np.float32(0.4)


def draw(batch: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Of either style, never of the same structures."""
    return torch.from_numpy(blobs(batch, rng)), torch.from_numpy(restyled(blobs(batch, rng)))


def as_it_is(_noise: torch.Generator, made: torch.Tensor) -> torch.Tensor:
    return made


def task_of(shown: list[int], seed: int = 0) -> CycleTask:
    """Small networks on small images."""
    torch.manual_seed(seed)
    cycle = ImageCycle(4, 8)
    plain, styled = draw(8, np.random.default_rng(99))

    def loss() -> float:
        return earth_movers_distance(cycle.there(plain).numpy(), styled.numpy())

    return CycleTask("style", cycle, partial(draw, 1), as_it_is, loss, shown.append)


def weights(task: CycleTask) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.cycle.state_dict().items()}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_style_is_found_and_the_structure_stays(tmp_path: Path) -> None:
    """Without a pair: bright and dark land within 0.1 of the other style's, where they were."""
    task = task_of([])
    fit_cycle(task, CycleRecipe(batch=2, steps=40, epochs=2), tmp_path, lambda _p: None)
    images = blobs(4, np.random.default_rng(5))
    with torch.inference_mode():
        made = task.cycle.there(torch.from_numpy(images)).numpy()
    for level in (-0.5, 0.5):
        assert made[images == level].mean() == pytest.approx(restyled(np.float32(level)), abs=0.1)
    assert np.corrcoef(made.ravel(), images.ravel())[0, 1] > 0.95


def test_the_same_seed_gives_the_same_weights_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    """Two epochs at once, or one and then another start: equal to the last bit; samples are drawn."""
    shown: list[int] = []
    whole, halves = task_of(shown), task_of([])
    fit_cycle(whole, BRIEF, tmp_path / "whole", lambda _p: None)
    assert shown == [1, 2]

    def interrupt(_progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_cycle(halves, BRIEF, tmp_path / "halves", interrupt)
    again = task_of([], seed=7)
    history = fit_cycle(again, BRIEF, tmp_path / "halves", lambda _p: None)
    assert len(history) == 2
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name


def test_a_training_of_another_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    """Told with the remedy; so is a damaged state."""
    fit_cycle(task_of([]), BRIEF, tmp_path, lambda _p: None)
    with pytest.raises(CheckpointMismatchError, match="empty folder"):
        fit_cycle(task_of([]), CycleRecipe(steps=4, epochs=3, seed=1), tmp_path, lambda _p: None)
    (tmp_path / "style.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointDamagedError, match="Remove this file"):
        fit_cycle(task_of([]), BRIEF, tmp_path, lambda _p: None)


def test_electrons_are_counted_with_their_noise_and_a_gradient_passes() -> None:
    """Mean and variance are binomial; what was expected learns as if nothing had been counted."""
    share, electrons = 0.2, 60
    made = to_contrast(torch.full((1, 1, 200, 200), share)).requires_grad_()
    counted = count_electrons(electrons, torch.Generator().manual_seed(1), made)
    shares = from_contrast(counted.detach())
    assert shares.mean().item() == pytest.approx(share, abs=1e-3)
    assert shares.var().item() == pytest.approx(share * (1 - share) / electrons, rel=0.05)
    torch.testing.assert_close(shares * electrons, (shares * electrons).round(), atol=1e-3, rtol=0)
    counted.sum().backward()
    torch.testing.assert_close(made.grad, torch.ones_like(made))

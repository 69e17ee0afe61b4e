"""What the trainings of CycleGANs share: patches of images, and what chooses the epoch."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cycle_fitting import Pair
from models.cycle_loss import faithfulness_loss
from models.style_distance import style_distance
from models.translation_networks import ImageCycle

OVERLAP = 2
"""Patches begin every half of their side (Sardhara et al. 2025, Table 1)."""
Images = NDArray[np.float32]


def random_windows(images: Images, side_px: int, count: int, rng: np.random.Generator) -> Images:
    """Patches (count, y, x) of the window that slides by half its side over images (image, y, x)."""
    rows, columns = ((side - side_px) // (side_px // OVERLAP) + 1 for side in images.shape[1:])
    chosen = rng.integers((len(images), rows, columns), size=(count, 3)).tolist()
    starts = [(image, y * (side_px // OVERLAP), x * (side_px // OVERLAP)) for image, y, x in chosen]
    return np.stack([images[image, y : y + side_px, x : x + side_px] for image, y, x in starts])


def turned(patches: Images, rng: np.random.Generator) -> Images:
    """Each patch turned and flipped, where no direction of the image is special."""
    return np.stack([_turned(patch, rng) for patch in patches])


def epoch_loss(cycle: ImageCycle, pair: Pair, develop: Callable[[torch.Generator, Tensor], Tensor]) -> float:
    """Faithfulness, and how far what is made is from the style in what can be measured of it."""
    plain, styled = pair
    made, unmade = develop(torch.Generator().manual_seed(0), cycle.there(plain)), cycle.back(styled)
    faithful = faithfulness_loss(cycle, plain, styled, made, unmade).item()
    return faithful + style_distance(made[:, 0].numpy(), styled[:, 0].numpy())


def _turned(patch: Images, rng: np.random.Generator) -> Images:
    patch = np.rot90(patch, int(rng.integers(4)))
    return patch[:, ::-1] if rng.random() < 0.5 else patch

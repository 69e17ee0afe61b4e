"""Images made a while ago, for a discriminator that must not only know the generator's latest trick.

A. Shrivastava et al., "Learning from simulated and unsupervised images through adversarial training", CVPR
2017, §2.3, as the CycleGAN uses it: 50 images; of a full pool, one in two is given back in place of the new
one, which stays.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

POOL_SIZE = 50


@dataclass(slots=True)
class ImagePool:
    """At most ``size`` images (1, y, x)."""

    size: int = POOL_SIZE
    images: list[Tensor] = field(default_factory=list[Tensor])

    def exchange(self, made: Tensor, rng: np.random.Generator) -> Tensor:
        """A batch (batch, 1, y, x) for one just made; both are detached from what made them."""
        return torch.stack([self._one(image, rng) for image in made.detach()])

    def _one(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image.clone())
            return image
        if rng.random() < 0.5:
            return image
        place = int(rng.integers(self.size))
        older, self.images[place] = self.images[place], image.clone()
        return older

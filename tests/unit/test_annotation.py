"""Annotated slices: patches hold annotated pixels, tiles cover them, and nothing else is judged."""

import numpy as np
import pytest
import torch

from algorithms.scores import mean_dice
from models import annotation
from models.annotation import Annotations, annotated_patch, annotated_slice, annotated_tiles, judged
from models.augmentation import Augmentation
from models.export import Provenance, export_network
from models.normalisation import Normalisation
from models.scenes import NOT_ANNOTATED
from models.session import open_segmenter

NONE = Augmentation(end_share=0, gap_share=0, contrast=0, brightness=0, flicker=0, noise=0)
CUT = Normalisation(1e-9, 100.0)  # the darkest and the brightest grey value of an image


def partly_annotated(seed=0, height=50, width=70, slices=5, share=0.002):
    """Two channels of 16 bits that show the labels; few pixels of the middle slice are annotated."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((slices, height, width)) < 0.4).astype(np.uint16)
    images = np.stack([1000 + 500 * truth, 4000 - 500 * truth], axis=1)
    labels = np.where(rng.random((height, width)) < share, truth[2], NOT_ANNOTATED).astype(np.uint8)
    return annotated_slice("slice 3", images, labels, 2, CUT, square_pixels=False)


@pytest.mark.parametrize("seed", range(10))
def test_a_patch_holds_annotated_pixels_in_register(seed):
    """However sparse the labels, a patch has some, and the images show there what they say."""
    images, labels = annotated_patch(
        [partly_annotated()], (0, 1), 16, 5, CUT, NONE, np.random.default_rng(seed)
    )
    known = labels != NOT_ANNOTATED
    assert images.shape == (2, 5, 16, 16)
    assert known.any()
    np.testing.assert_allclose(images[0, 2][known], labels[known], atol=1e-5)
    np.testing.assert_allclose(images[1, 2][known], 1 - labels[known], atol=1e-5)


def test_patches_come_from_wherever_something_is_annotated():
    """A corner pixel is drawn as well as any other."""
    labels = np.full((40, 40), NOT_ANNOTATED, np.uint8)
    labels[0, 0], labels[39, 39] = 0, 1
    images = np.zeros((1, 1, 40, 40), np.uint8)
    corners = annotated_slice("it", images, labels, 0, CUT, square_pixels=True)
    drawn = [
        annotated_patch([corners], (0,), 16, 1, CUT, NONE, np.random.default_rng(seed))[1]
        for seed in range(20)
    ]
    assert {int(patch.min()) for patch in drawn} == {0, 1}
    assert all((patch != NOT_ANNOTATED).sum() == 1 for patch in drawn)


def test_tiles_cover_every_annotated_pixel_and_no_empty_place():
    """Side by side to the very edges of the face."""
    chosen = partly_annotated(share=0.01)
    tiles = annotated_tiles([chosen], (0,), 16, 5, CUT)
    assert sum(int((labels != NOT_ANNOTATED).sum()) for _, labels in tiles) >= chosen.annotated_pixels
    assert all((labels != NOT_ANNOTATED).any() for _, labels in tiles)
    assert len(tiles) <= 4 * 5


def test_of_many_tiles_an_even_choice_is_made(monkeypatch):
    """So that a large face does not outlast an epoch."""
    monkeypatch.setattr(annotation, "MOST_TILES", 8)
    whole = [partly_annotated(seed, share=1.0) for seed in range(2)]
    tiles = annotated_tiles(whole, (0,), 16, 5, CUT)
    assert 4 < len(tiles) <= 8


def test_strokes_do_not_calibrate():
    """Of them nobody knows how much of each phase there is."""
    whole, strokes = partly_annotated(share=1.0), partly_annotated(share=0.9)
    assert Annotations((), (strokes, whole)).calibrated_on == (whole,)


def test_only_annotated_pixels_are_judged(tmp_path):
    """A network that is right there and wrong everywhere else has no fault."""

    class Threshold(torch.nn.Module):
        """Solid where the middle image is bright."""

        def __init__(self):
            super().__init__()
            self.classify = torch.nn.Conv2d(5, 2, 1)
            with torch.no_grad():
                self.classify.weight.zero_()
                self.classify.weight[1, 2] = 20.0
                self.classify.bias.copy_(torch.tensor([10.0, 0.0]))

        def forward(self, x):
            return torch.softmax(self.classify(x[:, 0]), dim=1)

    provenance = Provenance("threshold", ("1kV",), (1.0,), 5, 2, CUT, "00")
    export_network(Threshold(), provenance, tmp_path / "threshold.onnx")
    chosen = partly_annotated(share=0.2)
    hidden = chosen.labels == NOT_ANNOTATED
    chosen.prepared.scene.images[2, 0][hidden] = 1500 - (chosen.prepared.scene.images[2, 0][hidden] - 1000)
    matrix = judged(open_segmenter(tmp_path / "threshold.onnx"), [chosen, chosen], [0])
    assert mean_dice(matrix) == 1.0
    assert matrix.sum() == 2 * chosen.annotated_pixels

"""``slicewatch train`` does not ignore what was typed behind a network's name."""

import pytest

from daemon.errors import ConfigurationError
from daemon.training_command import Network, train

IDLE = {
    "late fusion, own images": (Network.LATE_FUSION, {"images": "i", "labels": "l"}, "--images and --labels"),
    "early fusion, channels": (Network.EARLY_FUSION, {"channel": ["a"]}, "--channel"),
    "intermediate fusion, judged": (Network.INTERMEDIATE_FUSION, {"judge": 0}, "--judge"),
    "inpainting, features": (Network.INPAINTING, {"features": "tailored"}, "--features"),
    "late fusion, denoised images": (Network.LATE_FUSION, {"denoise": "none"}, "--denoise"),
    "gan, own images": (Network.GAN, {"images": "i"}, "--images"),
    "forest, settings": (Network.FOREST, {"config": "mine.toml"}, "--config"),
}
REMEDY = {
    Network.INPAINTING: "examples/inpainting-training.toml",
    Network.GAN: "examples/gan-training.toml",
    Network.FOREST: "--features, --images, --labels",
}


@pytest.mark.parametrize("case", IDLE)
def test_options_that_mean_nothing_are_refused_with_the_ones_that_do(tmp_path, case):
    """Before a folder is made: nobody waits hours for something else than they asked for."""
    network, options, said = IDLE[case]
    with pytest.raises(ConfigurationError) as caught:
        train(network, tmp_path / "out", **options)
    assert caught.value.exit_code == 2
    assert caught.value.what == f"without meaning here: {said}"
    assert network.value in caught.value.where
    assert REMEDY.get(network, "[[annotated]]") in caught.value.remedy
    assert not (tmp_path / "out").exists()

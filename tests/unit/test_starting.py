"""What a training starts from is looked at before anything is rendered, and told with what to set."""

from dataclasses import replace

import pytest
import torch

from daemon.stages.segmenting import ZOO
from daemon.training import train_network
from models.annotation import NONE
from models.architectures import ResidualUNet
from models.errors import ModelFileCorruptError, ModelFileMissingError, ModelMismatchError
from models.fusion import EarlyFusion
from models.material import TrainingSettings
from models.starting import check_whole
from models.training import train_intermediate_fusion, train_late_fusion
from models.warm_start import check_start, start_from

SETTINGS = TrainingSettings(voltages_kv=(1.0,), start_from=str(ZOO), threads=1)


@pytest.fixture
def folder(tmp_path):
    """Torch's number of threads is the process's: it is put back."""
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def unheard(line):
    raise AssertionError(f"nothing is rendered: {line}")


@pytest.mark.parametrize("train", [train_late_fusion, train_intermediate_fusion])
def test_a_voltage_without_a_network_to_start_from_is_told_at_once(folder, train):
    """With the setting, and before a file is written, so that it can be changed and the folder used again."""
    settings = replace(SETTINGS, voltages_kv=(1.0, 3.0))
    with pytest.raises(ModelFileMissingError, match=r"3 kV.*unet_3kv\.onnx.*training\.start_from = \"\""):
        train(settings, folder / "out", unheard)
    assert not (folder / "out").exists()


OTHER_SETTINGS = {"filters": {"filters": 8}, "slices": {"adjacent_slices": 5}}


@pytest.mark.parametrize("change", OTHER_SETTINGS)
@pytest.mark.parametrize("train", [train_late_fusion, train_intermediate_fusion])
def test_a_network_of_another_kind_is_told_at_once(folder, train, change):
    """The same, of what the networks to start from do not fit."""
    settings = replace(SETTINGS, **OTHER_SETTINGS[change])
    with pytest.raises(ModelMismatchError, match=r"unet_1kv\.onnx.*training\.start_from"):
        train(settings, folder / "out", unheard)
    assert not (folder / "out").exists()


def test_own_voltages_are_told_on_the_command_line(tmp_path):
    """What the file of --config says, against the networks that slicewatch comes with."""
    (tmp_path / "own.toml").write_text("[training]\nvoltages_kv = [3.0]\n[held_out]\nvoltages_kv = [3.0]\n")
    with pytest.raises(ModelFileMissingError, match=r"3 kV.*training\.start_from"):
        train_network("late-fusion", tmp_path / "out", quick=False, config=tmp_path / "own.toml")
    assert not any((tmp_path / "out").iterdir())


def test_a_whole_fusion_starts_from_its_like_only_where_slices_are_annotated():
    """Otherwise its training would depend on whether its result lies there."""
    settings = replace(SETTINGS, voltages_kv=(1.0, 2.0, 4.0))
    assert not check_whole(settings, "early_fusion", EarlyFusion(), NONE)


NOT_TO_START_FROM = {
    "a variant of 8 bits": ("unet_1kv.int8.onnx", ModelMismatchError, "not their variants of 8 bits"),
    "a forest": ("electrode_forest.onnx", ModelMismatchError, "not the weights"),
    "another architecture": ("early_fusion.onnx", ModelMismatchError, "not the weights"),
    "a fusion of its kind": ("late_fusion.onnx", ModelMismatchError, "not the weights"),
    "for another purpose": ("inpainting.onnx", ModelMismatchError, "not the weights"),
}


@pytest.mark.parametrize("case", NOT_TO_START_FROM)
def test_a_file_without_these_weights_is_refused(tmp_path, case):
    """However few of them it lacks: a training that begins at random unknowingly is no refinement."""
    name, error, said = NOT_TO_START_FROM[case]
    path = tmp_path / "unet_1kv.onnx"
    path.write_bytes((ZOO / name).read_bytes())
    with pytest.raises(error, match=rf"{said}.*unet_1kv\.onnx.*|unet_1kv\.onnx.*{said}"):
        check_start(ResidualUNet(), path)


def test_the_shipped_networks_are_to_start_from():
    """In single and in half precision."""
    for name in ("unet_1kv.onnx", "unet_2kv.onnx", "unet_4kv.onnx", "unet_1kv.fp16.onnx"):
        check_start(ResidualUNet(), ZOO / name)
    check_start(EarlyFusion(), ZOO / "early_fusion.onnx")


DAMAGED = {"no protobuf": b"weights of a network", "cut": (ZOO / "unet_1kv.onnx").read_bytes()[:100_000]}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused(tmp_path, case):
    """Without a checksum beside it that would tell."""
    path = tmp_path / "unet_1kv.onnx"
    path.write_bytes(DAMAGED[case])
    with pytest.raises(ModelFileCorruptError, match=r"cannot be read.*unet_1kv\.onnx.*training\.start_from"):
        check_start(ResidualUNet(), path)


def test_no_weights_at_all_are_refused():
    """They would leave the network as it is, silently."""
    with pytest.raises(ModelMismatchError, match=r"here.*training\.start_from"):
        start_from(ResidualUNet(), {}, torch.zeros(1, 1, 7, 16, 16), "here")

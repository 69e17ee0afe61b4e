"""A network's file says how to feed it; what it says is checked before it is believed."""

from dataclasses import replace

import pytest

from models.errors import (
    ModelFileCorruptError,
    ModelFileMissingError,
    ModelMetadataInvalidError,
    ModelMismatchError,
)
from models.model_file import checksum_path, read_checked, write_checksum
from models.normalisation import Normalisation
from models.spec import ModelSpec, check_fits, from_metadata, to_metadata

SPEC = ModelSpec(
    name="late_fusion",
    channels=("1kV", "2kV", "4kV"),
    voltages_kv=(1.0, 2.0, 4.0),
    adjacent_slices=7,
    classes=2,
    normalisation=Normalisation(2.0, 98.0, -1.0, 2.0),
    stride_px=8,
    reach_px=56,
    training_data_sha256="ab" * 32,
    torch_difference=1e-6,
    sha256="cd" * 32,
)


def test_what_is_written_is_read_back():
    """Every field survives; the checksum comes from the file."""
    assert from_metadata(to_metadata(SPEC), SPEC.sha256, "x.onnx") == SPEC


def test_other_programs_notes_are_ignored():
    """Only slicewatch's own keys count."""
    assert from_metadata(to_metadata(SPEC) | {"author": "somebody"}, SPEC.sha256, "x.onnx") == SPEC


@pytest.mark.parametrize(
    "change",
    [
        {"slicewatch.channels": None},
        {"slicewatch.format": None},
        {"slicewatch.format": "2"},
        {"slicewatch.voltages_kv": "[1.0, 2.0]"},
        {"slicewatch.classes": "two"},
        {"slicewatch.normalisation": '{"colour": 1}'},
    ],
    ids=["no channels", "no format", "a later format", "voltages", "not JSON", "unknown normalisation"],
)
def test_a_file_that_does_not_explain_itself_is_refused(change):
    """Absent or unreadable fields: one error that names the file and a remedy."""
    metadata = {key: value for key, value in (to_metadata(SPEC) | change).items() if value is not None}
    with pytest.raises(ModelMetadataInvalidError, match=r"x\.onnx.*models/zoo"):
        from_metadata(metadata, "", "x.onnx")


def test_a_network_for_other_voltages_is_refused_with_what_it_needs():
    """The message names the voltages on both sides; the right ones, in order, pass."""
    three = ("",) * 3
    check_fits(SPEC, (1.0, 2.0, 4.0), three, "x.onnx")
    with pytest.raises(ModelMismatchError, match=r"1 kV \+ 2 kV \+ 4 kV, but .* are 2 kV"):
        check_fits(SPEC, (2.0,), ("",), "x.onnx")
    with pytest.raises(ModelMismatchError):
        check_fits(replace(SPEC, voltages_kv=(4.0, 2.0, 1.0)), (1.0, 2.0, 4.0), three, "x.onnx")


FOREST = replace(SPEC, channels=("SE2", "InLens"), voltages_kv=(0.0, 0.0), detectors=("SE2", "InLens"))
CHANNELS_OF_A_FOREST = {
    "its detectors, no voltage": ((0.0, 0.0), ("SE2", "InLens"), True),
    "its detectors in another case, at a voltage": ((1.5, 1.5), ("se2", "INLENS"), True),
    "the wrong way round": ((0.0, 0.0), ("InLens", "SE2"), False),
    "one too few": ((0.0,), ("SE2",), False),
    "voltages instead": ((1.0, 2.0), ("", ""), False),
}


@pytest.mark.parametrize("case", CHANNELS_OF_A_FOREST)
def test_a_forest_wants_detectors_at_any_voltage(case):
    """In the order it was trained for; the message names the detectors that it needs."""
    voltages_kv, detectors, fits = CHANNELS_OF_A_FOREST[case]
    if fits:
        check_fits(FOREST, voltages_kv, detectors, "x.onnx")
        return
    with pytest.raises(ModelMismatchError, match=r"needs images of SE2 \+ InLens"):
        check_fits(FOREST, voltages_kv, detectors, "x.onnx")


def test_a_file_without_detectors_reads_as_one_for_any():
    """Files from before detectors were told keep working; what is written is read back."""
    metadata = to_metadata(FOREST)
    assert from_metadata(metadata, FOREST.sha256, "x.onnx") == FOREST
    old = {
        key: value
        for key, value in to_metadata(SPEC).items()
        if "detectors" not in key and "features" not in key
    }
    assert from_metadata(old, SPEC.sha256, "x.onnx") == SPEC


def test_a_checksum_is_verified(tmp_path):
    """A file passes with its own checksum, or with none; one flipped bit is found."""
    path = tmp_path / "net.onnx"
    path.write_bytes(b"weights")
    assert read_checked(path)[0] == b"weights"
    sha256 = write_checksum(path)
    assert read_checked(path) == (b"weights", sha256)
    assert checksum_path(path).read_text() == f"{sha256}  net.onnx\n"
    path.write_bytes(b"weighty")
    with pytest.raises(ModelFileCorruptError, match="checksum"):
        read_checked(path)


def test_a_missing_file_is_named(tmp_path):
    """The error says where the networks are that come with the program."""
    with pytest.raises(ModelFileMissingError, match=r"nowhere\.onnx.*models/zoo"):
        read_checked(tmp_path / "nowhere.onnx")

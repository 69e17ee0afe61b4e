"""A network's file says how to feed it; what it says is checked before it is believed."""

import hashlib
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
from models.spec import ModelSpec, check_denoised, check_fits, from_metadata, to_metadata

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


WRONG = {
    "no channels": ("channels", None, "channels: Field required"),
    "no format": ("format", None, "its format is not 1"),
    "a later format": ("format", "2", "its format is not 1"),
    "fewer voltages": ("voltages_kv", "[1.0, 2.0]", "another number of channels than of voltages"),
    "fewer detectors": ("detectors", '["SE2"]', "another number of channels than of detectors"),
    "not JSON": ("classes", "two", "slicewatch.classes is not JSON: 'two'"),
    "nested without end": ("classes", "[" * 100_000, "slicewatch.classes is not JSON"),
    "unknown field": ("colour", "1", "colour: Unexpected keyword argument"),
    "unknown normalisation": ("normalisation", '{"colour": 1}', "normalisation.colour"),
    "no name": ("name", '""', "name: "),
    "a number for a name": ("name", "3", "name: Input should be a valid string (it says 3)"),
    "text for channels": ("channels", '"123"', "channels: Input should be a valid array (it says '123')"),
    "negative voltage": ("voltages_kv", "[1.0, 2.0, -4.0]", "voltages_kv.2: "),
    "no voltage": ("voltages_kv", "[NaN, 2.0, 4.0]", "voltages_kv.0: Input should be a finite number"),
    "no slices": ("adjacent_slices", "0", "adjacent_slices: "),
    "even slices": ("adjacent_slices", "4", "adjacent_slices is odd"),
    "half a slice": ("adjacent_slices", "7.5", "adjacent_slices: "),
    "one class": ("classes", "1", "classes: Input should be greater than or equal to 2 (it says 1)"),
    "more classes than are counted": ("classes", "17", "classes: Input should be less than or equal to 16"),
    "text for classes": ("classes", '"2"', "classes: Input should be a valid integer (it says '2')"),
    "stride 0": ("stride_px", "0", "stride_px: Input should be greater than or equal to 1 (it says 0)"),
    "negative reach": ("reach_px", "-8", "reach_px: "),
    "reach beside the stride": ("reach_px", "50", "reach_px is a multiple of stride_px"),
    "text for a percentile": ("normalisation", '{"low_percent": "1"}', "normalisation.low_percent: "),
    "percentile beyond 100": ("normalisation", '{"high_percent": 101}', "normalisation.high_percent: "),
    "percentiles the wrong way round": ("normalisation", '{"low_percent": 99.5}', "below high_percent"),
    "an endless ceiling": ("normalisation", '{"ceiling": Infinity}', "normalisation.ceiling: "),
    "a list for the data": ("training_data_sha256", "[]", "training_data_sha256: "),
    "another way of denoising": ("denoise", '"median"', "denoise: Input should be 'none' or"),
    "a list for the difference": ("torch_difference", "[]", "torch_difference: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_does_not_explain_itself_is_refused(case):
    """Absent, unreadable, of another type or impossible: one error that names the field, the file and a
    remedy."""
    field, value, said = WRONG[case]
    change = to_metadata(SPEC) | {f"slicewatch.{field}": value}
    metadata = {key: value for key, value in change.items() if value is not None}
    with pytest.raises(ModelMetadataInvalidError, match=r"x\.onnx.*models/zoo") as caught:
        from_metadata(metadata, "", "x.onnx")
    assert said in caught.value.what


def test_a_network_for_other_voltages_is_refused_with_what_it_needs():
    """The message names the voltages on both sides; the right ones, in order, pass."""
    three = ("",) * 3
    check_fits(SPEC, (1.0, 2.0, 4.0), three, "x.onnx")
    with pytest.raises(ModelMismatchError, match=r"1 kV \+ 2 kV \+ 4 kV, but .* are 2 kV"):
        check_fits(SPEC, (2.0,), ("",), "x.onnx")
    with pytest.raises(ModelMismatchError):
        check_fits(replace(SPEC, voltages_kv=(4.0, 2.0, 1.0)), (1.0, 2.0, 4.0), three, "x.onnx")


def test_a_fusion_for_two_of_its_voltages_is_refused_with_the_way_out():
    """Two of three voltages are joined by slicewatch itself, if no network is named."""
    with pytest.raises(ModelMismatchError, match=r"are 1 kV \+ 4 kV.*leave model of \[segmentation\] empty"):
        check_fits(SPEC, (1.0, 4.0), ("", ""), "x.onnx")


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


@pytest.mark.parametrize("trained", ["none", "non-local-means"])
def test_a_network_wants_the_noise_that_it_was_trained_with(trained):
    """Denoised images for one that never saw such, or noisy ones for one that never saw noise, are refused
    with the setting that fits."""
    spec = replace(FOREST, denoise=trained)
    assert from_metadata(to_metadata(spec), spec.sha256, "x.onnx") == spec
    check_denoised(spec, trained, "x.onnx")
    other = {"none": "non-local-means", "non-local-means": "none"}[trained]
    with pytest.raises(ModelMismatchError, match=rf"denoise is '{other}'.*Set denoise = '{trained}'"):
        check_denoised(spec, other, "x.onnx")


def test_a_file_without_detectors_reads_as_one_for_any():
    """Files from before detectors were told keep working; what is written is read back."""
    metadata = to_metadata(FOREST)
    assert from_metadata(metadata, FOREST.sha256, "x.onnx") == FOREST
    later = ("detectors", "features", "denoise")
    old = {key: value for key, value in to_metadata(SPEC).items() if key.rpartition(".")[2] not in later}
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


CHECKSUM_FILES = {
    "as sha256sum writes it": (lambda sha256: f"{sha256}  net.onnx\n".encode(), True),
    "alone": (lambda sha256: sha256.encode(), True),
    "in capitals": (lambda sha256: f"{sha256.upper()} *net.onnx\r\n".encode(), True),
    "with a mark of UTF-8": (lambda sha256: b"\xef\xbb\xbf" + sha256.encode(), True),
    "in UTF-16, as PowerShell redirects": (lambda sha256: f"{sha256.upper()}\r\n".encode("utf-16"), True),
    "of another file": (lambda sha256: f"{sha256[::-1]}  net.onnx\n".encode(), "was made for"),
    "empty": (lambda _: b"", "states no checksum"),
    "cut": (lambda sha256: sha256[:40].encode(), "states no checksum"),
    "a page that says 404": (lambda _: b"<html>404</html>", "states no checksum"),
    "no text": (lambda _: bytes(range(128, 256)), "states no checksum"),
    "half a character of UTF-16": (lambda _: b"\xff\xfea", "states no checksum"),
}


@pytest.mark.parametrize("case", CHECKSUM_FILES)
def test_a_checksum_is_read_however_it_was_written(tmp_path, case):
    """Or told to be none, with what to do about it."""
    written, outcome = CHECKSUM_FILES[case]
    path = tmp_path / "net.onnx"
    path.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    checksum_path(path).write_bytes(written(sha256))
    if outcome is True:
        assert read_checked(path) == (b"weights", sha256)
        return
    with pytest.raises(ModelFileCorruptError, match=rf"{outcome}.*net\.onnx.*(remove|sha256sum)"):
        read_checked(path)


def test_a_missing_file_is_named(tmp_path):
    """The error says where the networks are that come with the program."""
    with pytest.raises(ModelFileMissingError, match=r"nowhere\.onnx.*models/zoo"):
        read_checked(tmp_path / "nowhere.onnx")

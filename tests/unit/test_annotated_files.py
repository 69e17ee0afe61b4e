"""Annotated slices on disk: every form is read to the same slices, and what does not fit is refused."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr

from daemon.annotated import read_annotations
from daemon.errors import ConfigurationError
from daemon.training_file import AnnotatedSource
from models.augmentation import Augmentation
from models.material import TrainingSettings
from models.scenes import NOT_ANNOTATED, SceneSize

SETTINGS = TrainingSettings(
    voltages_kv=(1.0, 4.0), adjacent_slices=3, patch_px=16, size=SceneSize(block_px=32, slices=3)
)
ANNOTATED = (2, 3, 5, 6)


def images():
    """(slice, channel, y, x), all different."""
    return np.random.default_rng(0).integers(0, 255, (6, 2, 24, 40), np.uint8)


def labels(number):
    """Of the slice of a number: a corner is annotated."""
    found = np.full((24, 40), NOT_ANNOTATED, np.uint8)
    found[: number + 1, :4] = np.arange(4) % 2
    return found


def write_pages(folder):
    for channel, name in enumerate(("1kV", "4kV")):
        tifffile.imwrite(folder / f"{name}.tif", images()[:, channel], photometric="minisblack")


def write_files(folder):
    for channel, name in enumerate(("1kV", "4kV")):
        (folder / name).mkdir()
        for place, image in enumerate(images()[:, channel]):
            tifffile.imwrite(folder / name / f"img_{place + 1:03}.tif", image)


def write_run(folder):
    """As a finished run leaves it, a lost slice in its table."""
    for channel, name in enumerate(("1kV", "4kV")):
        array = zarr.create_array(
            str(folder / f"registered-{name}.ome.zarr" / "0"), shape=(6, 24, 40), dtype="uint8"
        )
        array[:] = images()[:, channel]
    with (folder / "slices.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["slice", "status"])
        rows.writerows([number, "final"] for number in range(1, 7))
        rows.writerow([7, "gap"])


def write_labels(folder):
    (folder / "labels").mkdir()
    for number in ANNOTATED:
        tifffile.imwrite(folder / "labels" / f"{number}.tif", labels(number))


def write_label_array(folder):
    array = zarr.create_array(str(folder / "labels" / "0"), shape=(6, 24, 40), dtype="uint8")
    array[:] = np.stack(
        [
            labels(number) if number in ANNOTATED else np.full((24, 40), NOT_ANNOTATED)
            for number in range(1, 7)
        ]
    )
    zarr.open_group(str(folder / "labels"), mode="a")


def source(folder, **others):
    return AnnotatedSource(folder, folder / "labels", **others)


@pytest.mark.parametrize("write_stack", [write_pages, write_files, write_run])
@pytest.mark.parametrize("write_own_labels", [write_labels, write_label_array])
def test_every_form_is_read_to_the_same_slices(tmp_path, write_stack, write_own_labels):
    """Images of the slice and its neighbours, labels of it alone; the last quarter is held back."""
    write_stack(tmp_path)
    write_own_labels(tmp_path)
    found = read_annotations([source(tmp_path)], SETTINGS)
    assert [one.name.split()[1] for one in found.learned] == ["2", "3", "5"]
    assert [one.name.split()[1] for one in found.held_back] == ["6"]
    third = found.learned[1]
    np.testing.assert_array_equal(third.prepared.scene.images, images()[1:4])
    np.testing.assert_array_equal(third.labels, labels(3))
    assert third.annotated_pixels == 16


def test_windows_end_with_the_stack(tmp_path):
    """The last slice has no neighbour behind it; a thicker slice reaches farther."""
    write_pages(tmp_path)
    write_labels(tmp_path)
    wide = replace(SETTINGS, adjacent_slices=3, augmentation=Augmentation(thickness=0.6))
    last = read_annotations([source(tmp_path)], wide).held_back[0]
    assert last.middle == 2
    np.testing.assert_array_equal(last.prepared.scene.images, images()[3:6])


def test_a_lost_slice_is_replaced_by_its_neighbour(tmp_path):
    """By number, not by order: files of slice 4 are gone."""
    write_files(tmp_path)
    write_labels(tmp_path)
    for name in ("1kV", "4kV"):
        (tmp_path / name / "img_004.tif").unlink()
    third = read_annotations([source(tmp_path)], SETTINGS).learned[1]
    np.testing.assert_array_equal(third.prepared.scene.images, images()[[1, 2, 2]])


def test_channels_may_have_other_names(tmp_path):
    """In the order of the voltages."""
    write_pages(tmp_path)
    write_labels(tmp_path)
    found = read_annotations([source(tmp_path, channels=("4kV", "1kV"))], SETTINGS)
    np.testing.assert_array_equal(found.learned[0].prepared.scene.images, images()[0:3, ::-1])


def lose_a_channel(folder):
    (folder / "4kV.tif").unlink()


def shorten_a_channel(folder):
    tifffile.imwrite(folder / "4kV.tif", images()[:5, 1], photometric="minisblack")


def keep_two_slices(folder):
    for channel, name in enumerate(("1kV", "4kV")):
        tifffile.imwrite(folder / f"{name}.tif", images()[:2, channel], photometric="minisblack")


def take_colour(folder):
    tifffile.imwrite(folder / "4kV.tif", images()[:, 1].astype(np.float32), photometric="minisblack")


def cut_labels(folder):
    tifffile.imwrite(folder / "labels" / "5.tif", labels(5)[:-1])


def annotate_nothing(folder):
    for number in ANNOTATED:
        tifffile.imwrite(folder / "labels" / f"{number}.tif", np.full((24, 40), NOT_ANNOTATED, np.uint8))


def annotate_a_third_phase(folder):
    tifffile.imwrite(folder / "labels" / "5.tif", 2 * (labels(5) % 255))


def annotate_one_slice(folder):
    for number in ANNOTATED[1:]:
        (folder / "labels" / f"{number}.tif").unlink()


def annotate_a_slice_that_is_not_there(folder):
    tifffile.imwrite(folder / "labels" / "9.tif", labels(5))


def number_labels_twice(folder):
    tifffile.imwrite(folder / "labels" / "x_005.tif", labels(5))


def name_labels_without_number(folder):
    tifffile.imwrite(folder / "labels" / "first.tif", labels(5))


def lose_the_labels(folder):
    (folder / "labels").rename(folder / "elsewhere")


def cut_a_deflated_file(folder):
    path = folder / "labels" / "5.tif"
    tifffile.imwrite(path, images()[0, 0], compression="zlib")
    path.write_bytes(path.read_bytes()[:-300])


def damage_a_deflated_stack(folder):
    path = folder / "4kV.tif"
    tifffile.imwrite(path, images()[:, 1], photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[3].dataoffsets[0], file.pages[3].databytecounts[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + length] = bytes(length)
    path.write_bytes(content)


def break_a_file(folder):
    (folder / "labels" / "5.tif").write_bytes(b"no TIFF")


BAD = {
    lose_a_channel: ("'4kV' is missing", "store_images"),
    shorten_a_channel: ("its slices are not those of", "4kV.tif"),
    keep_two_slices: ("2 slices are too few", "looks at 3"),
    take_colour: ("float32", "8 or 16 bits"),
    cut_labels: ("(24, 40), its labels are (23, 40)", "pixel by pixel"),
    annotate_nothing: ("no pixel is annotated", "labels"),
    annotate_a_third_phase: ("slice 5 is labelled 2", "255 (not annotated)"),
    annotate_one_slice: ("one annotated slice is too few", "two slices"),
    annotate_a_slice_that_is_not_there: ("there is no slice 9", "1 to 6"),
    number_labels_twice: ("slice 5 is there twice", "x_005.tif"),
    name_labels_without_number: ("has no number", "first.tif"),
    lose_the_labels: ("labels are missing", "annotated.labels"),
    break_a_file: ("cannot be read", "5.tif"),
    cut_a_deflated_file: ("cannot be read", "5.tif", "that other programs open"),
    damage_a_deflated_stack: ("cannot be read", "4kV.tif", "that other programs open"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda it: it.__name__)
def test_what_does_not_fit_is_refused_with_the_remedy(tmp_path, spoil):
    """Before anything is rendered or trained."""
    write_pages(tmp_path)
    write_labels(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        read_annotations([source(tmp_path)], SETTINGS)
    assert str(tmp_path) in str(caught.value)
    for words in BAD[spoil]:
        assert words in str(caught.value)


def test_a_damaged_block_of_an_array_is_refused(tmp_path):
    """As a damaged file is."""
    write_run(tmp_path)
    write_labels(tmp_path)
    for block in (tmp_path / "registered-4kV.ome.zarr" / "0" / "c").rglob("*"):
        if block.is_file():
            block.write_bytes(b"no zstd")
    with pytest.raises(ConfigurationError, match=r"cannot be read.*registered-4kV.*that other programs open"):
        read_annotations([source(tmp_path)], SETTINGS)


def test_deflated_files_are_read(tmp_path):
    """As those that are not."""
    write_pages(tmp_path)
    write_labels(tmp_path)
    plain = read_annotations([source(tmp_path)], SETTINGS)
    for channel, name in enumerate(("1kV", "4kV")):
        pages = images()[:, channel]
        tifffile.imwrite(tmp_path / f"{name}.tif", pages, photometric="minisblack", compression="zlib")
    deflated = read_annotations([source(tmp_path)], SETTINGS)
    for one, other in zip(plain.learned, deflated.learned, strict=True):
        np.testing.assert_array_equal(one.prepared.scene.images, other.prepared.scene.images)


def test_a_patch_larger_than_the_images_is_refused(tmp_path):
    """With the settings that can be made smaller."""
    write_pages(tmp_path)
    write_labels(tmp_path)
    large = replace(SETTINGS, patch_px=32, size=SceneSize(block_px=48, slices=3))
    with pytest.raises(ConfigurationError, match=r"smaller than a patch of 32 px"):
        read_annotations([source(tmp_path)], large)


def test_a_label_array_of_another_length_is_refused(tmp_path):
    """Its planes could not be told apart."""
    write_pages(tmp_path)
    zarr.create_array(str(tmp_path / "labels"), shape=(5, 24, 40), dtype="uint8")
    with pytest.raises(ConfigurationError, match=r"\(5, 24, 40\), but there are 6 slices"):
        read_annotations([source(tmp_path)], SETTINGS)

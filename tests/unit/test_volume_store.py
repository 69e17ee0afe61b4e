"""The volume is complete, readable by others while it grows, and the same however it was written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.errors import StoreError
from daemon.growing_array import forget_unfinished_writes
from daemon.volume_reader import middle_cuts
from daemon.volume_store import (
    forget_unfinished_files,
    halved,
    level_count,
    open_volume,
    write_atomically,
)


def labels(planes: int, height: int = 40, width: int = 70) -> np.ndarray:
    return (np.random.default_rng(5).random((planes, height, width)) < 0.3).astype(np.uint8)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 20), max_size=6))
def test_bytes_do_not_depend_on_how_planes_arrive(tmp_path_factory, cuts):
    """Any split into appends, with a reopening in between, gives the same files as one append."""
    truth = labels(21, 280, 300)
    whole, pieces = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("pieces")
    store = open_volume(whole, (280, 300), 2.5, 2, {})
    store.append(0, truth)
    store.close()
    first = 0
    for end in [*sorted({cut for cut in cuts if cut < 21}), 21]:
        store = open_volume(pieces, (280, 300), 2.5, 2, {})
        store.append(first, truth[first:end])
        first = end
    store.close()
    assert digest(pieces) == digest(whole)


def test_planes_written_again_after_a_crash_change_nothing(tmp_path):
    """A restart repeats the last planes; the store ends in the same bytes."""
    truth = labels(9)
    store = open_volume(tmp_path, (40, 70), 2.5, 2, {})
    store.append(0, truth[:6])
    before = digest(tmp_path)
    open_volume(tmp_path, (40, 70), 2.5, 2, {}).append(3, truth[3:6])
    assert digest(tmp_path) == before
    assert store.planes == 6


KILLED_WRITER = """
import sys
from pathlib import Path
import numpy as np
from daemon.volume_store import open_volume
path, truth, committed = Path(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
store = open_volume(path, truth.shape[1:], 2.5, 2, {})
for first in range(committed, len(truth), 3):
    store.append(first, truth[first : first + 3])
    print(store.planes, flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_writer_killed_at_work_leaves_nothing_that_the_next_one_does_not_mend(tmp_path):
    """SIGKILL while planes are written, three times, each time begun again two planes back, as from a
    checkpoint: the same bytes as without."""
    truth, whole, killed = labels(90, 280, 300), tmp_path / "whole", tmp_path / "killed"
    np.save(tmp_path / "truth.npy", truth)
    store = open_volume(whole, (280, 300), 2.5, 2, {})
    store.append(0, truth)
    store.close()
    committed = 0
    for _ in range(3):
        command = [sys.executable, "-c", KILLED_WRITER, str(killed), str(tmp_path / "truth.npy")]
        with subprocess.Popen([*command, str(committed)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(4)]
            process.kill()
        assert process.returncode == -9
        forget_unfinished_writes(killed)
        forget_unfinished_files(killed)
        committed = told[-1] - 2
    assert committed < len(truth) - 3
    store = open_volume(killed, (280, 300), 2.5, 2, {})
    store.append(committed, truth[committed:])
    store.close()
    assert digest(killed) == digest(whole)


def test_pyramid_is_the_majority_of_the_whole(tmp_path):
    """Each level equals halving the complete level below, odd ends included."""
    truth = labels(19, 300, 610)
    store = open_volume(tmp_path, (300, 610), 2.5, 2, {})
    for first in range(0, 19, 5):
        store.append(first, truth[first : first + 5])
    store.close()
    expected = truth
    for level in range(level_count((300, 610))):
        np.testing.assert_array_equal(store.read(level, 0, len(expected)), expected)
        assert len(expected) == zarr.open_group(str(tmp_path), mode="r")[str(level)].shape[0]
        expected = halved(expected, 2)


def test_majority_of_more_phases():
    """With three phases each 2×2×2 block keeps the phase that fills most of it."""
    block = np.zeros((2, 2, 2), np.uint8)
    block.flat[:] = [2, 2, 2, 2, 1, 1, 0, 0]
    assert halved(block, 3).item() == 2
    block.flat[:] = [2, 2, 1, 1, 1, 0, 0, 0]
    assert halved(block, 3).item() == 1


NAPARI_READER = """
import sys, numpy as np
from napari_ome_zarr._reader import napari_get_reader
((data, *_),) = napari_get_reader(sys.argv[1])(sys.argv[1])
print("planes", (data[0] if isinstance(data, list) else data).shape, int(np.asarray(data[0]).sum()))
"""


def test_other_peoples_readers_open_it_while_it_grows(tmp_path):
    """ome-zarr-models validates the metadata; napari's reader in a second process and zarr see the planes."""
    from ome_zarr_models.v05 import Image

    path = tmp_path / "v.ome.zarr"
    truth = labels(5, 300, 300)
    store = open_volume(path, (300, 300), 2.5, 2, {"version": "1"})
    store.append(0, truth[:3])
    group = zarr.open_group(str(path), mode="r")
    scale = Image.from_zarr(group).attributes.ome.multiscales[0].datasets[0].coordinateTransformations[0]
    assert scale.scale == [2.5, 2.5, 2.5]
    np.testing.assert_array_equal(group["0"][:], truth[:3])
    seen = subprocess.run(
        [sys.executable, "-c", NAPARI_READER, str(path)], capture_output=True, text=True, check=True
    )
    assert f"planes (3, 300, 300) {truth[:3].sum()}" in seen.stdout
    store.append(3, truth[3:])
    np.testing.assert_array_equal(zarr.open_group(str(path), mode="r")["0"][:], truth)


WRITER = """
import sys, numpy as np
from pathlib import Path
from daemon.volume_store import open_volume
truth = np.load(sys.argv[2])
store = open_volume(Path(sys.argv[1]), truth.shape[1:], 2.5, 2, {})
print("begun", flush=True)
for first in range(0, len(truth), 3):
    store.append(first, truth[first : first + 3])
"""


NEUROGLANCER = {"crc32c", "blosc", "bytes", "gzip", "sharding_indexed", "transpose", "zstd"}
"""Codecs of Zarr 3 that neuroglancer reads, as its zarr data source documents."""


def test_neuroglancer_can_read_it(tmp_path):
    """Of what neuroglancer documents to need: OME metadata 0.5, its codecs in shards and their index, uint8,
    a unit of length for every axis, and an array behind every path."""
    open_volume(tmp_path, (300, 610), 2.5, 2, {}).append(0, labels(3, 300, 610))
    group = json.loads((tmp_path / "zarr.json").read_text(encoding="utf-8"))
    ome = group["attributes"]["ome"]
    assert ome["version"] == "0.5"
    assert {axis["unit"] for axis in ome["multiscales"][0]["axes"]} == {"nanometer"}
    for dataset in ome["multiscales"][0]["datasets"]:
        array = json.loads((tmp_path / dataset["path"] / "zarr.json").read_text(encoding="utf-8"))
        (sharding,) = array["codecs"]
        inner = sharding["configuration"]["codecs"] + sharding["configuration"]["index_codecs"]
        assert {codec["name"] for codec in (sharding, *inner)} <= NEUROGLANCER
        assert (array["data_type"], array["dimension_names"]) == ("uint8", ["z", "y", "x"])


def test_plain_zarr_never_sees_a_torn_plane(tmp_path):
    """A reader that looks up index and pieces in separate openings of a shard being replaced reads the truth.

    The writer is another process at full speed; the reader takes whatever is visible, again and again.
    """
    truth = labels(240, 300, 300)
    np.save(tmp_path / "truth.npy", truth)
    path = tmp_path / "v.ome.zarr"
    command = [sys.executable, "-c", WRITER, str(path), str(tmp_path / "truth.npy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        heights = set()
        while writer.poll() is None:
            array = zarr.open_array(str(path / "0"), mode="r")
            seen = array.shape[0]
            heights.add(seen)
            np.testing.assert_array_equal(
                array[max(0, seen - 9) :, 100:200, 200:], truth[max(0, seen - 9) : seen, 100:200, 200:]
            )
    assert writer.returncode == 0
    assert len(heights) > 3
    assert zarr.open_array(str(path / "0"), mode="r").shape[0] == 240


def test_a_shard_keeps_its_beginning(tmp_path):
    """Pieces of finished planes stay where they are in their file while the shard grows."""
    truth = labels(12)
    store = open_volume(tmp_path, (40, 70), 2.5, 2, {})
    index_bytes = 16 * 64 + 4
    store.append(0, truth[:5])
    before = (tmp_path / "0/c/0/0/0").read_bytes()
    store.append(5, truth[5:])
    grown = (tmp_path / "0/c/0/0/0").read_bytes()
    assert grown.startswith(before[:-index_bytes])
    assert len(grown) > len(before)


def test_cuts_of_a_tall_volume_come_from_its_pyramid(tmp_path):
    """A preview reads the coarsest level that fills its picture, at the place and scale of that level."""
    truth = labels(8, 300, 610)
    store = open_volume(tmp_path, (300, 610), 2.5, 2, {})
    assert middle_cuts(store, 2.5) is None
    store.append(0, truth)
    cuts = middle_cuts(store, 2.5, longest_px=300)
    assert cuts is not None
    assert cuts.voxel_nm == 5.0
    assert cuts.at == {"xy": 6, "xz": 150, "yz": 304}
    np.testing.assert_array_equal(cuts.planes["xz"], halved(truth, 2)[:, 75])
    whole = middle_cuts(store, 2.5, longest_px=4000)
    assert whole is not None
    np.testing.assert_array_equal(whole.planes["yz"], truth[:, :, 305])


@pytest.mark.parametrize(("longest_px", "factor"), [(4000, 1), (300, 2)])
def test_planes_ahead_continue_the_cuts(tmp_path, longest_px, factor):
    """Below the final rows come those that are not final, at the same scale and without a plane left out;
    the store does not know them."""
    truth = labels(15, 300, 610)
    store = open_volume(tmp_path, (300, 610), 2.5, 2, {})
    store.append(0, truth[:9])
    ahead = {"xz": truth[9:, 150], "yz": truth[9:, :, 305]}
    cuts = middle_cuts(store, 2.5, ahead, longest_px)
    assert cuts is not None
    assert cuts.final_rows == 9 // factor
    assert len(cuts.planes["xz"]) == len(cuts.planes["yz"]) == 15 // factor
    below = slice(cuts.final_rows * factor + factor // 2, 15, factor)
    columns = slice(factor // 2, None, factor)
    np.testing.assert_array_equal(cuts.planes["xz"][cuts.final_rows :], truth[below, 150, columns])
    np.testing.assert_array_equal(cuts.planes["yz"][cuts.final_rows :], truth[below, columns, 305])
    assert store.planes == 9


def test_cuts_of_a_tall_and_narrow_volume_read_every_so_many_planes(tmp_path):
    """It has no pyramid that would make it shorter; planes ahead continue without one left out or twice."""
    truth = labels(137, 40, 70)
    store = open_volume(tmp_path, (40, 70), 2.5, 2, {})
    store.append(0, truth[:128])
    ahead = {"xz": truth[128:, 20], "yz": truth[128:, :, 35]}
    cuts = middle_cuts(store, 2.5, ahead, longest_px=30)
    assert cuts is not None
    assert (cuts.voxel_nm, cuts.final_rows) == (10.0, 32)
    middle = np.minimum(np.arange(18) * 4 + 2, 69)
    np.testing.assert_array_equal(cuts.planes["xz"], truth[2::4, 20][:, middle])
    np.testing.assert_array_equal(cuts.planes["yz"], truth[2::4, :, 35][:, 2::4])
    np.testing.assert_array_equal(cuts.planes["xy"], truth[127, 2::4, 2::4][:, :17])


def test_another_runs_volume_is_refused(tmp_path):
    """Planes of another size cannot go into this volume."""
    open_volume(tmp_path, (40, 70), 2.5, 2, {}).append(0, labels(1))
    with pytest.raises(StoreError, match="belongs to another run"):
        open_volume(tmp_path, (40, 71), 2.5, 2, {})


def test_a_table_is_replaced_whole_or_not_at_all(tmp_path):
    """When the write fails the old content stands and no debris is left."""
    path = tmp_path / "t.csv"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \udcff")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]

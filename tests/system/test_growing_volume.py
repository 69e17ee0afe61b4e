"""The volume of a running daemon opens in other people's programs, in another process, before it is done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from daemon.config import load
from daemon.emulator import EmulatorSettings
from daemon.errors import ConfigurationError
from daemon.measure import measure_patches, measure_region
from daemon.outputs import Outputs
from daemon.tables import read_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = EmulatorSettings(slices=11, height=256, width=320, seed=11)
READERS = """
import json, sys
import numpy as np, tensorstore as ts, zarr
from napari_ome_zarr._reader import napari_get_reader
from ome_zarr_models.v05 import Image

path = sys.argv[1]
group = zarr.open_group(path, mode="r")
plain = group["0"][:]
image = Image.from_zarr(group)
((data, options, _),) = napari_get_reader(path)(path)
napari = np.asarray(data[0] if isinstance(data, list) else data)
store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path + "/0"}}
tensor = np.asarray(ts.open(store, read=True).result().read().result())
height = min(map(len, (plain, napari, tensor)))
assert (plain[:height] == napari[:height]).all() and (plain[:height] == tensor[:height]).all()
print(json.dumps({
    "planes": height,
    "solid": int(plain.sum()),
    "axes": [axis.unit for axis in image.attributes.ome.multiscales[0].axes],
    "napari_scale": [float(size) for size in options["scale"]],
    "levels": len(image.attributes.ome.multiscales[0].datasets),
    "configuration": group.attrs["slicewatch"]["configuration"]["volume"]["grid_nm"],
    "model": group.attrs["slicewatch"]["model_sha256"],
}))
"""


def bring(hidden: Path, images: Path, indices: range) -> None:
    """Slices arrive, each file whole."""
    for path in sorted(hidden.rglob("*.tif")):
        if int(path.stem[-3:]) in indices:
            target = images / path.relative_to(hidden)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target.with_suffix(".part"))
            target.with_suffix(".part").rename(target)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive a failed assertion."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_planes(volume: Path, process: subprocess.Popen[str]) -> None:
    """Until a reader sees at least ten planes: nine slices make four intervals final."""
    array, deadline = volume / "0", time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if (array / "zarr.json").exists() and zarr.open_array(str(array), mode="r").shape[0] >= 10:
            return
        time.sleep(0.1)
    raise AssertionError("there never were ten planes")


@pytest.mark.long
def test_a_running_daemons_volume_opens_elsewhere(acquire, tmp_path):
    """Nine slices in, two to come: ome-zarr-models, napari's reader, tensorstore and zarr agree on the
    planes, their scale and what made them; later the volume has grown and its beginning is the same."""
    stored = {"store_probabilities": True, "store_images": True, "metric_patch_px": 128}
    acquisition = acquire(SETTINGS, volume=stored)
    hidden, images = tmp_path / "hidden", acquisition.project / "Images"
    images.rename(hidden)
    images.mkdir()
    bring(hidden, images, range(1, 10))
    volume = acquisition.outputs.volume
    command = [sys.executable, "-m", "daemon", "run", str(acquisition.config)]
    with running(command) as daemon:
        wait_for_planes(volume, daemon)
        reader = [sys.executable, "-c", READERS, str(volume)]
        answer = subprocess.run(reader, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        assert daemon.poll() is None
        bring(hidden, images, range(10, 12))
        assert daemon.wait() == 0
    seen = json.loads(answer.stdout.splitlines()[-1])
    final = zarr.open_array(str(volume / "0"), mode="r")
    assert 10 <= seen["planes"] < final.shape[0]
    assert seen["solid"] == final[: seen["planes"]].sum()
    assert seen["axes"] == ["nanometer"] * 3
    assert seen["napari_scale"] == [2.5, 2.5, 2.5]
    assert seen["configuration"] == 2.5
    assert len(seen["model"]) == 64
    check_kept_images(acquisition)
    check_figures(acquisition.outputs)


def check_kept_images(acquisition) -> None:
    """Probabilities agree with the faces' labels; the reference image of the first slice is the file's."""
    outputs = acquisition.outputs
    chance = zarr.open_array(str(outputs.probabilities / "0"), mode="r")[:]
    faces = zarr.open_array(str(outputs.faces), mode="r")[:]
    assert chance.shape == faces.shape
    assert faces[chance > 128].all()
    assert not faces[chance < 127].any()
    coarse = zarr.open_array(str(outputs.certainty / "0"), mode="r")[:]
    assert coarse.shape == faces.shape
    assert np.abs((coarse - 1.0) / 14 - chance / 255).max() <= 0.5 / 14 + 0.5 / 255 + 1e-6
    configuration = load(acquisition.config)
    assert {row["status"] for row in read_table(outputs.slices)} == {"final"}
    reference = zarr.open_array(str(outputs.registered(configuration.reference_channel) / "0"), mode="r")
    assert reference.shape == faces.shape
    assert np.ptp(reference[0]) > 50


def check_figures(outputs: Outputs) -> None:
    """Counted anew from the stored voxels, restart and all, the figures are the table's last row."""
    last = read_table(outputs.metrics)[-1]
    anew = measure_region(outputs.folder)
    for name, text in last.items():
        if text and name not in ("kind", "representative", "phase_fractions"):
            assert float(text) == pytest.approx(anew[name], abs=1e-6), name
    assert last["representative"] == anew["representative"]
    patches = measure_patches(outputs.folder, 128)
    assert patches["patches"] == 4
    assert patches["solid_fraction"] == pytest.approx(float(last["solid_fraction"]), rel=0.3)
    for name in ("solid_fraction", "e_tpcf", "e_tpcf_low", "e_d_high"):
        assert float(last[f"patch_{name}"]) == pytest.approx(patches[name], abs=1e-6), name
    with pytest.raises(ConfigurationError, match="none of 512 px fits"):
        measure_patches(outputs.folder, 512)
    shares = [float(row["share_of_solid"]) for row in read_table(outputs.ligaments)]
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)

"""What the guide for notebook, napari and Fiji says is done here, with the very lines that it prints."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from daemon.config import load
from daemon.export import export
from daemon.service import run_daemon
from daemon.tables import read_table
from daemon.volume_store import open_volume

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "notebook-napari-fiji.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
FOLLOW, PLANES, GROW = BLOCKS[:3]


def executed(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Names after the lines of a recipe."""
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own document
    return names


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.long
def test_a_notebook_follows_a_run_to_its_end(acquire):
    """Ten lines beside a real daemon know every thickness that the table has, and end when the run does."""
    acquisition = acquire()
    publish = load(acquisition.config).publish
    code = FOLLOW.replace("tcp://127.0.0.1:5555", publish.events).replace(
        "tcp://127.0.0.1:5556", publish.control
    )
    known: dict[str, Any] = {}
    notebook = threading.Thread(target=executed, args=(code, known))
    notebook.start()
    assert run_daemon(acquisition.config, follow=True) == 0
    notebook.join(60)
    assert not notebook.is_alive()
    told = {int(row["slice"]): row["thickness_nm"] for row in read_table(acquisition.outputs.slices)}
    assert set(known["thickness_nm"]) == set(told)
    for index, text in told.items():
        if text:
            assert known["thickness_nm"][index] == pytest.approx(float(text), abs=1e-6)


def test_the_lines_for_voxels_ask_for_what_the_client_offers():
    """The second recipe is the documented call, argument by argument."""
    asked: dict[str, Any] = {}

    class Recorder:
        def __init__(self, *_: str) -> None: ...
        def __enter__(self) -> Recorder:
            return self

        def __exit__(self, *_: object) -> None: ...
        def planes(self, **arguments: int) -> str:
            asked.update(arguments)
            return "labels"

    assert executed(PLANES, {"Client": Recorder})["labels"] == "labels"
    assert asked == {"first": 0, "count": 8}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # napari's own
def test_a_napari_layer_grows_with_the_volume(tmp_path):
    """A real layer is given the new planes, in nanometres, and is left alone when there are none."""
    from napari.layers import Labels

    labels = (np.random.default_rng(2).random((12, 30, 300)) < 0.2).astype(np.uint8)
    path = tmp_path / "volume.ome.zarr"
    store = open_volume(path, (30, 300), 2.5, 2, {})
    store.append(0, labels[:4])
    recipe = executed(GROW, {})
    array, scale = recipe["newest"](str(path))
    assert list(scale) == [2.5, 2.5, 2.5]
    layer = Labels(array[:], scale=scale)
    assert not recipe["lengthen"](layer, str(path))
    store.append(4, labels[4:])
    assert recipe["lengthen"](layer, str(path))
    np.testing.assert_array_equal(layer.data, labels)
    assert layer.extent.world[1][0] == pytest.approx(11 * 2.5, abs=2.5)


def test_what_fiji_reads_is_calibrated_in_all_directions(tmp_path):
    """ImageJ's own keys: spacing and resolution give cubic voxels in nm; labels are displayed from 0 to 1."""
    store = open_volume(tmp_path / "volume.ome.zarr", (30, 300), 2.5, 2, {})
    store.append(0, np.ones((6, 30, 300), np.uint8))
    store.close()
    export(tmp_path, tiff=tmp_path / "v.tif", mesh=None, level=0)
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        told, page = file.imagej_metadata or {}, file.pages[0]
        assert (told["unit"], told["spacing"], told["slices"]) == ("nm", 2.5, 6)
        assert (told["min"], told["max"]) == (0.0, 1.0)
        for name in ("XResolution", "YResolution"):
            pixels, per = page.tags[name].value
            assert per / pixels == pytest.approx(2.5)

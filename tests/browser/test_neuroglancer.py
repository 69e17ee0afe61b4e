"""neuroglancer draws the volume's own voxels while it grows: the guide's lines, a real viewer and browser."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("playwright.sync_api")

from PIL import Image

from algorithms.structures import hierarchical_structure, solid_at
from daemon.volume_store import open_volume

from .visit import CHROMIUM, Visit, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
    pytest.mark.skipif(find_spec("neuroglancer") is None, reason="no neuroglancer"),
]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "neuroglancer.md"
SERVE, SHOW, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
HEIGHT, WIDTH = 120, 160
PICTURES = """
import sys
viewer = shown(sys.argv[1])
print(viewer.get_viewer_url(), flush=True)
for plane, path in map(str.split, sys.stdin):
    with viewer.txn() as state:
        state.layout, state.show_axis_lines, state.show_scale_bar = "xy", False, False
        state.show_default_annotations = False
        state.dimensions = neuroglancer.CoordinateSpace(names=["x", "y", "z"], units="nm", scales=[2.5] * 3)
        state.position, state.cross_section_scale = [79.5, 59.5, float(plane)], 1
    with open(path, "wb") as file:
        file.write(viewer.screenshot(size=[160, 120]).screenshot.image)
    print(path, flush=True)
"""


class Viewer:
    """The guide's viewer in a process of its own, for its libraries warn; it answers with pictures."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def solid(self, plane: int, path: Path) -> NDArray[np.bool_]:
        """Where the picture of a plane is coloured; the page must be open."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{plane} {path}\n")
        self._process.stdin.flush()
        assert self._answer() == str(path)
        pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"), dtype=np.int16)
        return np.ptp(pixels, axis=-1) > 30


@contextmanager
def viewer_of(address: str) -> Iterator[Viewer]:
    """A viewer of the volume that is served at an address."""
    command = [sys.executable, "-W", "ignore", "-c", SHOW + PICTURES, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Viewer(process)
        finally:
            process.kill()


def test_the_planes_appear_as_they_come(tmp_path):
    """The newest plane is drawn voxel by voxel, and after the volume has grown and the page was reloaded the
    new newest one; neither page complains."""
    structure = hierarchical_structure(np.random.default_rng(3))
    truth = solid_at(structure, *(np.arange(size) * 2.5 for size in (70, HEIGHT, WIDTH)))
    store = open_volume(tmp_path / "volume.ome.zarr", (HEIGHT, WIDTH), 2.5, 2, {})
    store.append(0, truth[:10])
    names: dict[str, Any] = {}
    exec(compile(SERVE, str(PAGE), "exec"), names)  # noqa: S102 - our own document
    with viewer_of(names["served"](tmp_path)) as viewer, chromium() as browser:
        visit = Visit(browser, viewer.address)
        young = viewer.solid(9, tmp_path / "young.png")
        store.append(10, truth[10:])
        visit.page.reload()
        grown = viewer.solid(69, tmp_path / "grown.png")
    assert np.mean(young != truth[9]) < 0.001
    assert np.mean(grown != truth[69]) < 0.001
    assert np.mean(truth[9] != truth[69]) > 0.1

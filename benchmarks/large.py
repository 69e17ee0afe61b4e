"""Slices of 6144×4096 px at 16 bit, three channels: the daemon's memory, and the bytes that it leaves.

Images are those of a small emulated acquisition, laid side by side, so that fiducial and ruler are where they
were. The network is one that costs next to nothing, for real ones' memory depends on tiles, not on the size
of an image (``inference`` measures them): what is measured is all the rest. A dozen slices are enough to fill
every window; what grows with the length of a run is measured by ``soak``.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from onnx import TensorProto, helper, numpy_helper
from rich.table import Table

from benchmarks.__main__ import CannotMeasureError
from benchmarks.daemon_log import told
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.outputs import Outputs
from daemon.tables import read_table
from daemon.toml_text import toml_text
from models.normalisation import Normalisation
from models.spec import ModelSpec, to_metadata

FEI_TAG: Final = 34682
STEEPNESS, THRESHOLD = 20.0, 0.5
"""Of the network, on the scale on which two percentiles of an image are 0 and 1."""
SPEC: Final = ModelSpec(
    "threshold", ("1kV", "2kV", "4kV"), (1.0, 2.0, 4.0), 7, 2, Normalisation(), 8, 16, "", 0.0
)


@dataclass(frozen=True, slots=True)
class Effort:
    """A small acquisition, and how many of its images make a large one down and across."""

    settings: EmulatorSettings
    tiles: tuple[int, int]


FULL: Final = Effort(
    EmulatorSettings(slices=12, height=512, width=768, recording=RecordingDesign(fib_every=0)), (8, 8)
)
QUICK: Final = Effort(
    EmulatorSettings(slices=5, height=256, width=320, recording=RecordingDesign(fib_every=0)), (2, 2)
)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Twelve slices; five of 640×512 px when quick."""
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="slicewatch-large-") as folder:
        root = Path(folder)
        project, output = root / "project", Outputs(root / "output")
        emulate(effort.settings, project, sleep=lambda _s: None)
        images = sorted((project / "Images").rglob("*.tif"))
        image_bytes = sum(enlarge(path, effort.tiles) for path in images)
        _process(_configured(root, effort.settings, project, output), effort.settings.slices)
        left, solid = _bytes_left(output), _solid_fraction(output)
    slices = effort.settings.slices
    figures = {
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20,
        "image_mib_per_slice": image_bytes / slices / 2**20,
        **{f"{name}_mib_per_slice": size / slices / 2**20 for name, size in left.items()},
        "solid_fraction": solid,
    }
    return _table(effort, figures), figures


def enlarge(path: Path, tiles: tuple[int, int]) -> int:
    """Lay an image beside itself in all 16 bits, with the metadata that it had; the bytes of its file."""
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        image, text = page.asarray(), page.tags[FEI_TAG].value
    words = text if isinstance(text, str) else _fei_text(text)
    large = np.tile(image.astype(np.uint16) * 257, tiles)
    tifffile.imwrite(path, large, metadata=None, extratags=[(FEI_TAG, "s", 0, words, True)])
    return path.stat().st_size


def _fei_text(sections: dict[str, dict[str, Any]]) -> str:
    """The text that tifffile has read into a table."""
    lines = [
        line
        for name, fields in sections.items()
        for line in (f"[{name}]", *(f"{key}={value}" for key, value in fields.items()), "")
    ]
    return "\r\n".join(lines)


def _configured(root: Path, settings: EmulatorSettings, project: Path, output: Outputs) -> Path:
    """The whole image as region of interest, with a network of its own."""
    table = configuration_table(settings, project, output.folder)
    table["geometry"]["roi"] = dict.fromkeys(("x", "y", "width", "height"), 0)
    table["segmentation"] = {"model": str(threshold_network(root / "threshold.onnx"))}
    table["publish"] = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
    config = root / "run.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    return config


def threshold_network(path: Path) -> Path:
    """Write a network that calls solid what is bright on average over slices and channels."""
    weights = np.array([-STEEPNESS, STEEPNESS], np.float32)
    given = {
        "flat": np.array([1, 2], np.int64),
        "channel": np.array([1], np.int64),
        "weights": weights.reshape(2, 1, 1, 1),
        "bias": -THRESHOLD * weights,
    }
    nodes = [
        helper.make_node("ReduceMean", ["window", "flat"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "channel"], ["image"]),
        helper.make_node("Conv", ["image", "weights", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    sides = ["batch", len(SPEC.channels), SPEC.adjacent_slices, "y", "x"]
    graph = helper.make_graph(
        nodes,
        SPEC.name,
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, to_metadata(SPEC))
    path.write_bytes(model.SerializeToString())
    return path


def _process(config: Path, slices: int) -> None:
    command = [sys.executable, "-m", "daemon", "reprocess", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = list(told(done.stderr.splitlines(), "slice.done"))
    if done.returncode != 0 or len(lines) != slices:
        raise CannotMeasureError(f"the daemon ended with {done.returncode}: {done.stderr[-300:]}")


def _solid_fraction(output: Outputs) -> float:
    """Of the volume, by its last row of metrics: bytes on disk depend on how much there is to tell."""
    return float(read_table(output.metrics)[-1]["solid_fraction"])


def _bytes_left(output: Outputs) -> dict[str, int]:
    """What the run leaves on disk, by kind: arrays and tables by their files, of the journal what grows."""
    kinds: dict[str, Iterable[Path]] = {
        "volume": output.volume.rglob("*"),
        "faces": output.faces.rglob("*"),
        "certainty": output.certainty.rglob("*"),
        "tables": (output.slices, output.metrics, output.slices_parquet),
    }
    sizes = {kind: _bytes_of(paths) for kind, paths in kinds.items()}
    with closing(sqlite3.connect(output.journal)) as journal:
        (sizes["journal"],) = journal.execute("SELECT sum(length(body)) FROM records").fetchone()
    return sizes


def _bytes_of(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def _table(effort: Effort, figures: dict[str, float]) -> Table:
    settings, (down, across) = effort.settings, effort.tiles
    size = f"{settings.width * across}×{settings.height * down}"
    table = Table(
        "", "", title=f"{settings.slices} slices of {size}, 16 bit, three channels", title_justify="left"
    )
    for name, value in figures.items():
        table.add_row(name, f"{value:.3g}")
    return table

"""``slicewatch analyse``: results of known bodies in all their forms, by blocks as at once, and refusals."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from typer.testing import CliRunner

from daemon.analyse.command import measure
from daemon.analyse.labels import open_labels
from daemon.analyse.results import Analysis, Plan
from daemon.analyse.summary import summary
from daemon.cli import app
from daemon.errors import ConfigurationError, FolderError
from daemon.ome import Voxel, image_group
from daemon.tables import known

VOXEL_NM = 10.0
Voxels = NDArray[np.uint8]


def stored(path: Path, labels: Voxels, size_nm: tuple[float, float, float] = (VOXEL_NM,) * 3) -> Path:
    """Labels as an OME-Zarr image."""
    path.mkdir(parents=True)
    text = json.dumps(image_group("labels", [Voxel(size_nm)], {}, "none"))
    (path / "zarr.json").write_text(text, encoding="utf-8")
    array = zarr.create_array(str(path / "0"), shape=labels.shape, chunks=(8, 16, 16), dtype=labels.dtype)
    array[:] = labels
    return path


def particle() -> Voxels:
    """A ball of 130 nm with a closed pore of 60 nm, and a fleck of a third phase beside it."""
    distance = np.linalg.norm(np.indices((32, 34, 36)).transpose(1, 2, 3, 0) - (16, 17, 18), axis=-1)
    labels = ((distance <= 13) & (distance > 6)).astype(np.uint8)
    labels[2:4, 2:4, 2:4] = 2
    return labels


def plan(memory_bytes: int = 2**30, ball_nm: float = 30.0, conductivity: bool = False) -> Plan:
    """The usual questions."""
    return Plan((0, 1), 1, ball_nm, 10.0, (), 0.0, conductivity, memory_bytes)


def analysed(labels: Voxels, tmp_path: Path, asked: Plan | None = None) -> Analysis:
    """The results, by way of the disk."""
    return measure(open_labels(stored(tmp_path / "labels.zarr", labels), 0), asked or plan(), tmp_path)


@pytest.mark.parametrize("in_run", [True, False], ids=["run", "image"])
def test_everything_is_written_and_told(tmp_path: Path, in_run: bool) -> None:
    """Tables on the terminal, JSON, CSV and figures; of a run inside its output, of an image beside it."""
    path = tmp_path / "run" / "volume.ome.zarr"
    stored(path, particle())
    output = path.parent if in_run else path
    folder = path.parent / ("analysis" if in_run else "volume-analysis")
    done = CliRunner().invoke(app, ["analyse", str(output), "--ball", "30", "--phase", "0", "--phase", "1"])
    assert done.exit_code == 0, done.output
    assert "mean geodesic tortuosity" in done.output
    names = {file.name for file in folder.iterdir()}
    assert {"analysis.json", "cross-sections.csv", "depth.csv", "sizes.csv", "tortuosity.csv"} < names
    assert {"cuts.png", "cuts.svg", "fractions.svg", "sizes.png", "tortuosity.png"} < names
    assert not [name for name in names if name.startswith("scratch")]
    figures = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    notches = 0.02  # of a surface of voxels, which the ball does not enter
    assert figures["phases"][0]["share_in_particle"] == pytest.approx((6 / 13) ** 3, abs=notches)
    assert figures["particles"]["count"] == 1
    with (folder / "depth.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] == "1"]
    assert float(rows[0]["share"]) > 0.9
    assert float(rows[-1]["share"]) == 0.0


def test_json_is_the_last_line(tmp_path: Path) -> None:
    """One object, the one of the file."""
    output = stored(tmp_path / "labels.zarr", particle()[:10])
    done = CliRunner().invoke(app, ["analyse", str(output), "--json", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout.splitlines()[-1]) == written


@pytest.mark.long
def test_blocks_on_disk_give_what_memory_gives(tmp_path: Path) -> None:
    """With memory for a few planes only, scratch in files and blocks with halos: every figure the same."""
    labels = particle()
    whole = analysed(labels, tmp_path / "whole")
    cut = analysed(labels, tmp_path / "cut", plan(memory_bytes=200_000))
    one, other = known(summary(whole)), known(summary(cut))
    assert one.pop("plan") != other.pop("plan")
    assert one.pop("source") != other.pop("source")
    assert one == other
    for mine, theirs in zip(whole.transports, cut.transports, strict=True):
        np.testing.assert_array_equal(mine.covered, theirs.covered)
        for a, b in zip(mine.paths, theirs.paths, strict=True):
            np.testing.assert_array_equal(a.tau, b.tau)


@pytest.mark.parametrize("value", [0, 1])
def test_a_volume_of_one_phase(value: int, tmp_path: Path) -> None:
    """All pore or all solid: shares of 1 and 0, straight ways, and nothing invented for what is not there."""
    found = analysed(np.full((6, 7, 8), value, dtype=np.uint8), tmp_path)
    assert [one.share for one in found.phases] == ([1.0, 0.0] if value == 0 else [0.0, 1.0])
    there, absent = found.transports if value == 0 else found.transports[::-1]
    assert [paths.mean for paths in there.paths[:3]] == [1.0, 1.0, 1.0]
    assert np.isnan([absent.thickness_nm, absent.r_max_nm, absent.paths[0].mean]).all()
    assert there.is_cut_off
    assert not absent.is_cut_off
    assert (found.particles is None) == (value == 0)


def test_what_is_wider_than_any_ball_is_told_as_a_bound(tmp_path: Path) -> None:
    """A gap of 400 voxels, where balls end at 358: ≥ and ≤ on the terminal, in JSON and CSV, with the remedy;
    a gap of 11 voxels beside it has figures, not bounds."""
    labels = np.ones((2, 424, 4), dtype=np.uint8)
    labels[:, 2:402] = 0
    labels[:, 410:421] = 2
    output = stored(tmp_path / "labels.zarr", labels)
    arguments = [
        "--ball",
        "1e3",
        "--phase",
        "0",
        "--phase",
        "2",
        "--particles",
        "0",
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, ["analyse", str(output), *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "0 pore: local thickness ≥ 3580 nm, r_max ≥ 1790 nm" in told
    assert "2: local thickness 110 nm, r_max 55 nm" in told
    assert "│ constrictivity │ ≤ 1 " in told
    assert "inscribed ball, largest │ ≥ 3580 nm" in told
    assert "0 pore is wider than 3580 nm somewhere, where balls are cut off (358 voxels)" in told
    assert "A coarser --level" in told
    figures = json.loads((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8"))
    wide, narrow = figures["transport"]
    assert wide["cut_off"]["diameter_nm"] == 3580.0
    assert {"local_thickness_nm", "r_max_nm", "intrusion.z.r_min_nm"} <= set(wide["cut_off"]["at_least"])
    assert {"intrusion.z.constrictivity", "predicted_conductivity.z"} <= set(wide["cut_off"]["at_most"])
    assert narrow["cut_off"] is None
    assert "largest_inscribed_nm" in figures["particles"]["cut_off"]["at_least"]
    for name, last in (("sizes", "1790"), ("particles", "3580")):
        with (tmp_path / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            marked = [row for row in csv.DictReader(file) if row["cut_off"] == "1"]
        assert marked
        assert all(last in row.values() for row in marked)


def test_a_volume_of_one_plane(tmp_path: Path) -> None:
    """Along z there is no way to speak of; along y and x there is."""
    labels = np.zeros((1, 12, 12), dtype=np.uint8)
    labels[0, :, 5] = 1
    found = analysed(labels, tmp_path, plan(ball_nm=1000.0))
    solid = found.transports[1]
    assert np.isnan(solid.paths[0].mean)
    assert solid.paths[1].mean == 1.0
    assert found.phases[1].spans == (True, True, False)


def test_conductivity_of_layers(tmp_path: Path) -> None:
    """Layers along the way conduct by their share, layers across it not at all."""
    pytest.importorskip("taufactor")
    labels = np.zeros((12, 12, 12), dtype=np.uint8)
    labels[:, 6:] = 1
    found = analysed(labels, tmp_path, plan(conductivity=True))
    assert found.transports[0].conductivity == pytest.approx((0.5, 0.0, 0.5), abs=0.005)


def test_phases_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """With the phases that there are."""
    asked = Plan((7,), 1, 30.0, 10.0, (), 0.0, conductivity=False, memory_bytes=2**30)
    with pytest.raises(ConfigurationError, match=r"no phase 7.*0 to 2"):
        analysed(particle(), tmp_path, asked)


def test_necks_wider_than_any_ball_are_refused(tmp_path: Path) -> None:
    """With the option that said so."""
    with pytest.raises(ConfigurationError) as refused:
        analysed(particle(), tmp_path, replace(plan(), neck_nm=1e6))
    assert refused.value.where == "--neck 1e+06"


def test_depths_below_all_are_left_out(tmp_path: Path) -> None:
    """However deep they are."""
    found = analysed(particle(), tmp_path, replace(plan(), depths_nm=(20.0, 1e9, float("inf"))))
    assert [paths.name for paths in found.transports[0].paths[3:]] == ["20 nm below the boundary"]


@pytest.mark.parametrize(
    "case", ["missing", "empty folder", "grey values", "oblong voxels", "no level", "no planes"]
)
def test_what_is_no_volume_of_labels_is_refused(case: str, tmp_path: Path) -> None:
    """What, where, remedy."""
    labels, size = particle(), (VOXEL_NM,) * 3
    path, level = tmp_path / "labels.zarr", 0
    if case == "empty folder":
        path.mkdir()
    elif case == "grey values":
        stored(path, labels * 100)
    elif case == "oblong voxels":
        stored(path, labels, (20.0, VOXEL_NM, VOXEL_NM))
    elif case == "no level":
        level = stored(path, labels, size) and 3
    elif case == "no planes":
        stored(path, labels[:0])
    with pytest.raises(FolderError) as refused:
        measure(open_labels(path, level), plan(), tmp_path)
    assert refused.value.remedy
    assert str(path) in refused.value.where


def test_a_volume_without_its_voxels_is_refused(tmp_path: Path) -> None:
    """Metadata alone are not a volume."""
    path = stored(tmp_path / "labels.zarr", particle())
    shutil.rmtree(path / "0")
    with pytest.raises(FolderError, match="cannot be read"):
        open_labels(path, 0)


def test_results_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """A file where the folder should be: exit code 1 and the remedy."""
    output = stored(tmp_path / "labels.zarr", particle()[:6])
    (tmp_path / "taken").write_text("", encoding="utf-8")
    arguments = ["analyse", str(output), "--out", str(tmp_path / "taken")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code != 0
    assert "--scratch" in getattr(done.exception, "remedy", "")

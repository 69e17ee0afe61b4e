"""``slicewatch synthesize`` on the command line: what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v05.image import Image
from typer.testing import CliRunner

from daemon.cli import app
from daemon.emulator import EmulatorSettings, load_truth
from daemon.emulator.scene import build_scene, clean_signal
from daemon.emulator.settings import MillingDesign, RecordingDesign, SampleDesign
from daemon.errors import ConfigurationError, FolderError
from daemon.picture import Picture
from daemon.synthesize.dataset import content_sha256, synthesize_dataset
from daemon.synthesize.exposure_plan import ExposurePlan, load_structure, mimicking_depths_nm, parse_material
from daemon.synthesize.options import Method
from daemon.synthesize.slices import Labour, channel_path, synthesize_slices


@pytest.fixture(scope="module")
def structure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small hierarchical structure, made on the command line."""
    out = tmp_path_factory.mktemp("sample") / "structure"
    arguments = ["--size", "48", "48", "48", "--voxel", "2.5", "--ligament", "30", "--ligament", "10"]
    done = CliRunner().invoke(app, ["synthesize", "structure", str(out), *arguments, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["phase_fractions"]["obtained"][1] == pytest.approx(0.125, rel=2e-3)
    return out


def _plan(structure: Path, **changes: object) -> ExposurePlan:
    settings: dict[str, object] = {
        "structure": str(structure / "structure.ome.zarr"),
        "structure_sha256": load_structure(structure / "structure.ome.zarr").sha256,
        "method": Method.MONTE_CARLO,
        "voltages_kv": (1.0, 2.0),
        "depths_nm": (0.0, 10.0, 20.0),
        "materials": ("epoxy", "gold"),
        "electrons": 4,
        "pixel_nm": 2.5,
        "tilt_deg": 0.0,
        "beam_sigma_nm": 0.5,
        "acceptance_deg": 90.0,
        "seed": 3,
    }
    return ExposurePlan(**{**settings, **changes})  # type: ignore[arg-type]


def _counts(out: Path, name: str) -> np.ndarray:
    return np.asarray(zarr.open_array(str(channel_path(out, name) / "0"), mode="r")[:])


def test_a_structure_is_an_ome_zarr_with_a_report(structure: Path) -> None:
    """The volume is valid OME-NGFF, its labels have the fraction reported, the picture is there."""
    assert Image.from_zarr(zarr.open_group(structure / "structure.ome.zarr", mode="r"))
    labels = np.asarray(zarr.open_array(str(structure / "structure.ome.zarr" / "0"), mode="r")[:])
    report = json.loads((structure / "structure.json").read_text())
    assert labels.mean() == pytest.approx(report["phase_fractions"]["obtained"][1])
    assert {level["network"] for level in report["networks"]} == {"coarse", "fine"}
    assert len(report["correlation"]["tpcf_xyz"]) == 3
    assert (structure / "structure.png").read_bytes().startswith(b"\x89PNG")


def test_slices_show_the_gold_of_the_face(structure: Path, tmp_path: Path) -> None:
    """On the command line: valid images of the structure's size; gold on the face is brighter than epoxy,
    and epoxy above gold is brighter at 4 kV than at 1 kV."""
    out = tmp_path / "slices"
    arguments = ["--structure", str(structure / "structure.ome.zarr"), "--slices", "2", "--electrons", "20"]
    done = CliRunner().invoke(app, ["synthesize", "slices", str(out), *arguments, "--threads", "2"])
    assert done.exit_code == 0, done.output
    labels = np.asarray(zarr.open_array(str(structure / "structure.ome.zarr" / "0"), mode="r")[:])
    signals = {name: _counts(out, name)[0] / 20 for name in ("1kV", "2kV", "4kV")}
    for name, signal in signals.items():
        assert Image.from_zarr(zarr.open_group(channel_path(out, name), mode="r"))
        assert signal[labels[0] == 1].mean() > 1.3 * signal[labels[0] == 0].mean()
    assert signals["4kV"][labels[0] == 0].mean() > 1.2 * signals["1kV"][labels[0] == 0].mean()
    assert (out / "slices.png").is_file()


def test_fast_slices_agree_with_simulated_ones(structure: Path, tmp_path: Path) -> None:
    """By network and by formula the same faces, without noise; other materials need Monte Carlo."""
    plan = _plan(structure, electrons=60, voltages_kv=(1.0,), depths_nm=(5.0,))
    synthesize_slices(plan, tmp_path / "montecarlo", Labour(2))
    simulated = _counts(tmp_path / "montecarlo", "1kV")[0]
    for method in (Method.NETWORK, Method.FORMULA):
        synthesize_slices(replace(plan, method=method), tmp_path / method.value, Labour(1))
        fast = _counts(tmp_path / method.value, "1kV")[0]
        assert np.corrcoef(fast.ravel(), simulated.ravel())[0, 1] > 0.8
    with pytest.raises(ConfigurationError, match="materials carbon"):
        synthesize_slices(
            replace(plan, method=Method.NETWORK, materials=("carbon", "gold")), tmp_path / "x", Labour(1)
        )


def test_killed_slices_go_on_to_the_same_bytes(structure: Path, tmp_path: Path) -> None:
    """kill -9 after the first image is on the disk; started again it ends with what one go would give."""
    plan = _plan(structure, electrons=20, voltages_kv=(1.0,), depths_nm=tuple((np.arange(12) * 5.0).tolist()))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    program = (
        "import sys; from pathlib import Path; from daemon.synthesize.exposure_plan import ExposurePlan; "
        "from daemon.synthesize.slices import Labour, synthesize_slices; "
        "from daemon.synthesize.options import Method; "
        f"synthesize_slices({plan!r}, Path(sys.argv[1]), Labour(1))"
    ).replace(repr(Method.MONTE_CARLO), "Method.MONTE_CARLO")
    process = subprocess.Popen([sys.executable, "-c", program, str(broken)], stderr=subprocess.DEVNULL)
    metadata = channel_path(broken, "1kV") / "0" / "zarr.json"
    while process.poll() is None and not (metadata.exists() and json.loads(metadata.read_text())["shape"][0]):
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
    assert len(_counts(broken, "1kV")) >= 1
    synthesize_slices(plan, broken, Labour(1))
    synthesize_slices(plan, whole, Labour(2))
    np.testing.assert_array_equal(_counts(broken, "1kV"), _counts(whole, "1kV"))
    assert len(_counts(whole, "1kV")) == 12


def test_a_cluster_gives_the_same_slices(structure: Path, tmp_path: Path) -> None:
    """Two Dask workers in processes of their own write what this process writes."""
    from distributed import LocalCluster

    plan = _plan(structure)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        synthesize_slices(plan, tmp_path / "cluster", Labour(1, cluster.scheduler_address))
    synthesize_slices(plan, tmp_path / "here", Labour(1))
    for name in plan.names:
        np.testing.assert_array_equal(_counts(tmp_path / "cluster", name), _counts(tmp_path / "here", name))


def test_another_plan_is_refused_in_the_same_folder(structure: Path, tmp_path: Path) -> None:
    """Images of two plans never mix; faces below the structure and missing materials are refused too."""
    synthesize_slices(_plan(structure, depths_nm=(0.0,), voltages_kv=(1.0,)), tmp_path, Labour(1))
    with pytest.raises(ConfigurationError, match="another kind"):
        synthesize_slices(_plan(structure, depths_nm=(0.0,), seed=4), tmp_path, Labour(1))
    with pytest.raises(ConfigurationError, match="faces down to"):
        synthesize_slices(_plan(structure, depths_nm=(0.0, 500.0)), tmp_path / "deep", Labour(1))
    with pytest.raises(ConfigurationError, match="1 materials"):
        synthesize_slices(_plan(structure, materials=("epoxy",)), tmp_path / "bare", Labour(1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"voltages_kv": (31.0,)}, "known from 0.5 to 30"),
        ({"voltages_kv": (0.0,)}, "known from"),
        ({"voltages_kv": (20.0,), "method": Method.NETWORK}, "known from 0.5 to 10"),
        ({"voltages_kv": (2.0, 2.0)}, "repeat"),
        ({"depths_nm": (0.0, 0.0)}, "repeat"),
        ({"tilt_deg": 89.0}, "tilt 89"),
        ({"acceptance_deg": 0.0}, "acceptance 0"),
        ({"beam_sigma_nm": float("nan")}, "beam of nan"),
        ({"pixel_nm": float("inf")}, "pixels of inf"),
        ({"materials": ("epoxy", "Au0@3")}, "needs atoms"),
    ],
)
def test_an_impossible_plan_is_refused_at_once(change: dict[str, object], told: str, structure: Path) -> None:
    """Before a folder is claimed, with what is wrong and what would be right."""
    with pytest.raises(ConfigurationError, match=told) as refused:
        _plan(structure, **change)
    assert refused.value.remedy


def test_what_a_fast_image_does_not_show_is_refused(structure: Path, tmp_path: Path) -> None:
    """Another beam than the usual one would be ignored without a word; a pixel is smaller than the face."""
    changes: list[dict[str, object]] = [{"acceptance_deg": 18.0}, {"beam_sigma_nm": 2.0}]
    for change in changes:
        plan = _plan(structure, method=Method.NETWORK, **change)
        with pytest.raises(ConfigurationError, match="beam of"):
            synthesize_slices(plan, tmp_path / "x", Labour(1))
    with pytest.raises(ConfigurationError, match="larger than the structure"):
        synthesize_slices(_plan(structure, pixel_nm=1e9), tmp_path / "x", Labour(1))
    assert not (tmp_path / "x").exists()


def test_another_structure_in_the_same_place_is_another_plan(structure: Path, tmp_path: Path) -> None:
    """Slices of two structures never mix, though both lay at one path."""
    plan = _plan(structure, depths_nm=(0.0,), voltages_kv=(1.0,))
    synthesize_slices(plan, tmp_path, Labour(1))
    with pytest.raises(ConfigurationError, match="another kind"):
        synthesize_slices(replace(plan, structure_sha256="0" * 64), tmp_path, Labour(1))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--size", "64", "-5", "64"], "voxels"),
        (["--size", "64", "1", "64"], "voxels"),
        (["--size", "100000", "100000", "100000"], "voxels"),
        (["--voxel", "0"], "positive size"),
        (["--voxel", "nan"], "positive size"),
        (["--ligament", "-50"], "positive size"),
    ],
)
def test_an_impossible_structure_is_refused_at_once(options: list[str], told: str, tmp_path: Path) -> None:
    """On the command line, before anything is written."""
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["synthesize", "structure", str(out), "--kind", "levelled-wave", *options])
    assert isinstance(done.exception, ConfigurationError)
    assert told in f"{done.exception.what} {done.exception.remedy}"
    assert not out.exists()


def test_a_small_volume_says_that_its_ligaments_are_not_those_asked_for(tmp_path: Path) -> None:
    """Few wavelengths: what came out is told beside how many would do; fewer still are refused."""
    small = ["synthesize", "structure", "--kind", "levelled-wave", "--seed", "1"]
    size = ["--size", "48", "48", "48", "--ligament", "80"]
    done = CliRunner().invoke(app, [*small, str(tmp_path / "few"), *size])
    assert done.exit_code == 0, done.output
    assert "wavelengths wide" in done.output
    size = ["--size", "32", "32", "32", "--ligament", "60"]
    done = CliRunner().invoke(app, [*small, str(tmp_path / "none"), *size])
    assert isinstance(done.exception, ConfigurationError)
    assert not (tmp_path / "none").exists()


def test_impossible_lengths_are_no_data_set() -> None:
    """Neither negative ligaments nor unknown ones."""
    for size in (-5.0, float("nan")):
        with pytest.raises(ConfigurationError, match="cannot be"):
            EmulatorSettings(sample=SampleDesign(coarse_ligament_nm=size))


@pytest.mark.parametrize("text", ["unobtainium", "C21H25O5", "Qq2@1.0", "Au@"])
def test_unknown_materials_are_refused(text: str) -> None:
    """The remedy shows how a material is written; a known formula is understood."""
    with pytest.raises(ConfigurationError, match="material"):
        parse_material(text)
    assert parse_material("C21H25O5@1.2").mean_atomic_number == pytest.approx(6.2, abs=0.2)


def test_mimicking_thicknesses_are_whole_voxels_of_a_gamma_distribution() -> None:
    """Multiples of 2.5 nm, one at least, with the mean and spread asked for."""
    depths = np.array(mimicking_depths_nm(20_000, 10.16, 3.12, 2.5, np.random.default_rng(1)))
    steps = np.diff(depths) / 2.5
    assert steps.min() >= 1
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert np.diff(depths).mean() == pytest.approx(10.16, abs=0.1)
    assert np.diff(depths).std() == pytest.approx(np.hypot(3.12, 2.5 / np.sqrt(12)), abs=0.1)


@pytest.fixture(scope="module")
def small() -> EmulatorSettings:
    """Three slices on a grid of 2.5 nm."""
    return EmulatorSettings(
        slices=3,
        height=256,
        width=320,
        seed=5,
        picture=Picture.NETWORK,
        milling=MillingDesign(grid_nm=2.5),
    )


def test_a_data_set_matches_its_truth(small: EmulatorSettings, tmp_path: Path) -> None:
    """Images and labels of the same faces; the volume holds those faces; the project shows them too; the
    hash is that of the content, and depends on nothing else."""
    first = synthesize_dataset(small, tmp_path / "a", project=True)
    again = synthesize_dataset(small, tmp_path / "b", project=False)
    assert first["sha256"] == again["sha256"] == content_sha256(tmp_path / "a", first["settings"])
    labels = np.asarray(zarr.open_array(str(tmp_path / "a" / "labels.ome.zarr" / "0"), mode="r")[:])
    images = np.asarray(zarr.open_array(str(tmp_path / "a" / "images_1kV.ome.zarr" / "0"), mode="r")[:])
    assert images.shape == labels.shape
    assert images[labels == 1].mean() > 1.5 * images[labels == 0].mean()
    truth = load_truth(tmp_path / "a" / "project-truth.npz")
    np.testing.assert_allclose(truth.depths_nm, first["depths_nm"])
    np.testing.assert_allclose(np.mod(truth.depths_nm, 2.5), 0, atol=1e-9)
    assert len(list((tmp_path / "a" / "project" / "Images").rglob("*.tif"))) >= 9
    assert (tmp_path / "a" / "project.toml").is_file()
    with pytest.raises(FolderError, match="in use"):
        synthesize_dataset(small, tmp_path / "a", project=False)


def test_other_content_has_another_version(small: EmulatorSettings, tmp_path: Path) -> None:
    """One changed pixel changes the hash."""
    manifest = synthesize_dataset(small, tmp_path / "a", project=False)
    array = zarr.open_array(str(tmp_path / "a" / "labels.ome.zarr" / "0"), mode="r+")
    array[0, 0, 0] = 1 - int(array[0, 0, 0])
    assert content_sha256(tmp_path / "a", manifest["settings"]) != manifest["sha256"]


@pytest.mark.parametrize("picture", [Picture.FORMULA, Picture.NETWORK])
def test_the_emulator_photographs_by_either_formula_or_network(picture: Picture, tmp_path: Path) -> None:
    """On the command line: gold on the face is bright by either."""
    done = CliRunner().invoke(
        app,
        ["emulate", str(tmp_path / "p"), "--slices", "1", "--size", "256", "320", "--seed", "5",
         "--picture", picture.value, "--truth", str(tmp_path / "t.npz")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    truth = load_truth(tmp_path / "t.npz")
    x, y, width, height = truth.roi
    image = tifffile.imread(next((tmp_path / "p" / "Images" / "SEM Image").glob("*.tif")))
    face, labels = image[y : y + height, x : x + width], truth.face_labels(0)
    assert face[labels == 1].mean() > 1.3 * face[labels == 0].mean()


def test_the_emulator_photographs_electron_by_electron(small: EmulatorSettings) -> None:
    """By Monte Carlo the same face: it agrees with the network's picture of it, and is seeded."""
    recording = RecordingDesign(simulated_electrons=4)
    simulated = build_scene(replace(small, picture=Picture.MONTE_CARLO, recording=recording))
    seen = [clean_signal(scene, 1, 0) for scene in (simulated, simulated, build_scene(small))]
    x, y, width, height = simulated.layout.roi
    electrons, again, learned = (image[y : y + height, x : x + width] for image in seen)
    np.testing.assert_array_equal(electrons, again)
    assert np.corrcoef(electrons.ravel(), learned.ravel())[0, 1] > 0.25
    assert electrons.mean() == pytest.approx(learned.mean(), rel=0.25)


def test_the_daemon_needs_no_warp() -> None:
    """What runs beside the microscope imports neither Warp nor torch."""
    program = (
        "import sys, daemon.cli, daemon.service, daemon.demo, daemon.emulator.scene, models.backscatter; "
        "print(sorted(name for name in ('warp', 'torch') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

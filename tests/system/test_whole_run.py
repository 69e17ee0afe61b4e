"""A run from the microscope's folder to the volume, with the real stages, files and sockets."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import zarr

from daemon.config import load
from daemon.emulator import EmulatorSettings
from daemon.emulator.settings import MillingDesign, RecordingDesign, RulerDesign, SampleDesign, StageDesign
from daemon.evaluation import evaluate
from daemon.journal_bodies import read_records
from daemon.service import run_daemon
from daemon.tables import read_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SMALL = EmulatorSettings(slices=7, height=256, width=320, seed=11)
FOREIGN = EmulatorSettings(
    slices=7,
    height=288,
    width=352,
    seed=12,
    pixel_size_nm=4.1,
    tilt_correction=True,
    folder_voltages_kv=(4.0, 1.0, 2.0),
    ruler=RulerDesign(directions=(0, -1, 1), mark_width_nm=82.0, angle_deg=33.0, polarity="dark"),
    sample=SampleDesign(face_fiducial=True, surface_fiducial=True),
    milling=MillingDesign(mean_nm=12.0, sigma_nm=2.5),
    stage=StageDesign(walk_px=0.8, channel_offset_px=4.0, recession_tracked=0.0),
    recording=RecordingDesign(fib_every=2, full_scan_px=(1024, 1536)),
)


def test_a_run_recovers_the_truth(acquire):
    """Thickness, shifts and phases come out within the bars of the issue, and every output is there."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    outputs = acquisition.outputs
    summary = evaluate(outputs, acquisition.truth, load(acquisition.config))
    assert summary["finish_reason"] == "COMPLETED"
    assert summary["thickness_rmse_nm"] <= 0.5
    assert summary["registration_rmse_px"] <= 0.1
    assert summary["mean_dice"] >= 0.95
    assert abs(summary["solid_fraction"] - summary["true_solid_fraction"]) < 0.02
    assert all(value is not None for value in summary.values())
    assert {row["status"] for row in read_table(outputs.slices)} == {"final"}
    planes = [int(row["z_plane"]) for row in read_table(outputs.slices)]
    volume = zarr.open_array(str(outputs.volume / "0"), mode="r")
    assert planes == sorted(set(planes))
    apart = [
        float(row["z_plane"]) * 2.5 - float(row["depth_nm"]) - float(row["displacement_nm"])
        for row in read_table(outputs.slices)
    ]
    assert np.abs(apart).max() < 1e-4
    assert summary["displacement_largest_nm"] <= 1.25 + 1e-9
    assert volume.shape[0] == planes[-1] + 1 == len(read_table(outputs.metrics))
    assert outputs.report.stat().st_size > 50_000
    assert json.loads(outputs.summary.read_text())["provider"] == "CPUExecutionProvider"


@pytest.mark.long
def test_another_microscope_needs_only_another_configuration(acquire):
    """Dark 33° marks, three of them, tilt-corrected pixels of 4.1 nm, other folders, a receding face."""
    acquisition = acquire(FOREIGN)
    assert run_daemon(acquisition.config, follow=True) == 0
    summary = evaluate(acquisition.outputs, acquisition.truth, load(acquisition.config))
    assert summary["thickness_rmse_nm"] <= 0.5
    assert summary["registration_rmse_px"] <= 0.1
    assert summary["mean_dice"] >= 0.9


@pytest.mark.long
def test_a_grid_as_coarse_as_the_slices_keeps_the_solid_and_is_told(acquire):
    """12.5 nm voxels: the solid fraction stays that of the true structure, and slices whose place was taken
    are told by an alarm with measurement, limit and remedy, in the table, the summary and the report."""
    acquisition = acquire(volume={"grid_nm": 12.5})
    assert run_daemon(acquisition.config, follow=True) == 0
    outputs = acquisition.outputs
    summary = evaluate(outputs, acquisition.truth, load(acquisition.config))
    assert summary["solid_fraction"] == pytest.approx(summary["true_solid_fraction"], rel=0.1)
    _, alarms = read_records(outputs.journal, "alarm")
    told = [alarm for alarm in alarms if alarm["kind"] == "slice displaced"]
    apart = [abs(float(row["displacement_nm"])) for row in read_table(outputs.slices)]
    displaced = [distance for distance in apart if distance > 5.0]
    assert summary["slices_displaced"] == len(displaced) > 0
    assert told[0]["measurement"] == pytest.approx(displaced[0], abs=1e-5)
    assert told[0]["limit"] == 5.0
    assert "volume.grid_nm" in told[0]["remedy"]
    assert "stand more than 5 nm from their depth" in outputs.report.read_text(encoding="utf-8")


@pytest.mark.long
def test_one_channel_is_enough(acquire):
    """A single voltage picks its own network; the images of the others are left in quarantine, told."""
    acquisition = acquire()
    text = acquisition.config.read_text()
    head, _, rest = text.partition("[[channels]]")
    one = '[[channels]]\nname = "2kV"\nvoltage_kv = 2.0\n'
    acquisition.config.write_text(head + one + rest[rest.index("[geometry]") :])
    assert run_daemon(acquisition.config, follow=True) == 0
    summary = evaluate(acquisition.outputs, acquisition.truth, load(acquisition.config))
    assert summary["model"] == "unet_2kv"
    assert summary["mean_dice"] >= 0.85
    assert summary["thickness_rmse_nm"] <= 0.5


@pytest.mark.long
def test_without_marks_it_says_that_thickness_is_assumed(acquire):
    """No fiducial, no ruler: the face registers, the target stands in, and every row says so."""
    acquisition = acquire()
    table = acquisition.config.read_text()
    kept = [
        part for part in table.split("\n\n") if not part.lstrip().startswith(("[[fid", "[ruler", "[[ruler"))
    ]
    acquisition.config.write_text("\n\n".join(kept))
    assert load(acquisition.config).ruler is None
    assert run_daemon(acquisition.config, follow=True) == 0
    rows = read_table(acquisition.outputs.slices)
    assert {row["thickness_source"] for row in rows} == {"target"}
    assert {row["shift_source"] for row in rows} == {"face"}
    assert [float(row["depth_nm"]) for row in rows] == pytest.approx(10.0 * np.arange(7))
    assert "ASSUMED" in acquisition.outputs.report.read_text()


def test_bad_files_are_quarantined_and_the_run_goes_on(acquire):
    """A corrupt file and a missing one cost their slices, each with its reason; the rest is measured."""
    acquisition = acquire(SMALL, ("corrupt@3", "missing@5"), run={"missing_after_s": 0.5})
    assert run_daemon(acquisition.config, follow=True) == 0
    rows = {int(row["slice"]): row for row in read_table(acquisition.outputs.slices)}
    assert {index for index, row in rows.items() if row["status"] == "gap"} == {3, 5}
    assert "unreadable" in rows[3]["reason"]
    assert rows[5]["reason"]
    summary = evaluate(acquisition.outputs, acquisition.truth, load(acquisition.config))
    assert summary["slices"] == 5
    assert summary["gaps"] == 2
    assert summary["mean_dice"] >= 0.9
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    kinds = {alarm["kind"] for alarm in alarms}
    assert {"slice gap", "file quarantined: unreadable"} <= kinds
    depths = [float(rows[index]["depth_nm"]) for index in (1, 2, 4, 6, 7)]
    assert depths == sorted(depths)
    assert not math.isnan(summary["thickness_rmse_nm"])


def test_armed_drift_stops_the_microscope(acquire):
    """When slices thicken for good and the abort is armed: exit 3, the sentinel file, and a reason."""
    settings = replace(
        SMALL, slices=22, milling=MillingDesign(mean_nm=10.0, sigma_nm=1.0, drift_shift_sigma=8.0)
    )
    stop = "STOP.json"
    acquisition = acquire(
        settings,
        ("drift@10",),
        drift={"warmup_slices": 8, "false_alarm_slices": 200.0},
        abort={"armed": True, "actions": [{"kind": "file", "path": stop}]},
    )
    assert run_daemon(acquisition.config, follow=True) == 3
    sentinel = json.loads((acquisition.config.parent / stop).read_text())
    assert sentinel["kind"] == "drift thicker"
    assert sentinel["slice"] >= 10
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    assert "abort confirmed" in {alarm["kind"] for alarm in alarms}
    assert json.loads(acquisition.outputs.summary.read_text())["finish_reason"] == "DRIFT_ABORT"
    report = acquisition.outputs.folder / "report.html"
    assert "abort confirmed" in report.read_text(encoding="utf-8")
    assert report.with_suffix(".pdf").is_file()
    report.unlink()
    report.mkdir()  # a report that cannot be written changes nothing of how the run has ended
    assert run_daemon(acquisition.config, follow=True) == 3

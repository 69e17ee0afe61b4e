"""Two runs over one acquisition: what differs is told with its unit, what does not is 0."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import zarr

from daemon.compare.agreement import agreement
from daemon.compare.figures import all_figures
from daemon.compare.finished import Finished, read_finished
from daemon.errors import FolderError
from daemon.outputs import Outputs

ROWS = {
    1: {"status": "final", "depth_nm": "0", "thickness_nm": "", "shift_y_px_2kV": "0", "shift_x_px_2kV": "0"},
    2: {
        "status": "final",
        "depth_nm": "10",
        "thickness_nm": "10",
        "shift_y_px_2kV": "1",
        "shift_x_px_2kV": "2",
    },
    3: {"status": "gap", "depth_nm": "", "thickness_nm": "", "shift_y_px_2kV": "", "shift_x_px_2kV": ""},
    4: {
        "status": "final",
        "depth_nm": "32",
        "thickness_nm": "11",
        "shift_y_px_2kV": "1",
        "shift_x_px_2kV": "2",
    },
}
CONFIGURATION = {
    "run": {"output": "a", "folder": "images", "look_ahead": True},
    "channels": [{"name": "2kV"}],
    "volume": {"grid_nm": 2.5},
    "publish": {"events": "tcp://127.0.0.1:1"},
}


@pytest.fixture
def run(tmp_path) -> Finished:
    """Three final faces around a gap, half of each solid."""
    outputs = Outputs(tmp_path / "a")
    write_labels(outputs, np.tile(np.array([0, 1], np.uint8), (3, 4, 5)))
    summary = {"model": "late", "slices": 3, "gaps": 1, "alarms": 1, "thickness_mean_nm": 10.5}
    metrics = {"solid_fraction": "0.30", "ligament_nm": "15", "e_d": ""}
    return Finished(outputs, summary, ROWS, metrics, Counter({"focus lost": 1}), CONFIGURATION)


def write_labels(outputs: Outputs, labels: np.ndarray) -> None:
    for path in (outputs.faces, outputs.volume / "0"):
        zarr.save_array(str(path), labels)


def told(first: Finished, second: Finished) -> dict[tuple[str, str], object]:
    lines = [*all_figures(first, second), *agreement(first, second)]
    return {(line.section, line.figure): line for line in lines}


def test_a_run_compared_with_itself(run):
    """No difference anywhere, and nothing that was made otherwise."""
    lines = told(run, run)
    assert not {section for section, _ in lines} & {"made by", "settings"}
    zeros = [line.difference for (_, figure), line in lines.items() if "difference" in figure]
    assert zeros == [0.0] * len(zeros) != []
    assert lines["faces", "mean Dice"].difference == 1.0
    assert lines["volume", "labelled otherwise (MP)"].difference == 0.0


def test_slices_are_compared_one_by_one(run):
    """The second run finds slice 4 thicker by 0.3 nm, its image 0.4 px further down; gaps count nowhere."""
    changed = {**ROWS, 4: ROWS[4] | {"thickness_nm": "11.3", "shift_y_px_2kV": "1.4"}}
    lines = told(run, replace(run, slices=changed))
    thickness = lines["thickness", "thickness, largest difference (slice 4)"]
    assert (thickness.difference, thickness.unit) == (pytest.approx(0.3), "nm")
    assert lines["thickness", "thickness, mean difference"].difference == pytest.approx(0.15)
    shift = lines["registration", "shift_y_2kV, rms difference"]
    assert (shift.difference, shift.unit) == (pytest.approx(0.4 / np.sqrt(3)), "px")


def test_what_was_made_otherwise_is_told(run):
    """Network and settings; not the output folder, sockets, or anything else that changes no result."""
    settings = {
        **CONFIGURATION,
        "run": {"output": "b", "folder": "images", "look_ahead": False},
        "volume": {"grid_nm": 5.0},
        "publish": {"events": "tcp://127.0.0.1:2"},
    }
    lines = told(run, replace(run, summary={**run.summary, "model": "early"}, configuration=settings))
    apart = {
        key: (line.first, line.second) for key, line in lines.items() if key[0] in ("made by", "settings")
    }
    assert apart == {("made by", "model"): ("late", "early"), ("settings", "volume.grid_nm"): ("2.5", "5.0")}


def test_figures_and_alarms_stand_side_by_side(run):
    """The second less the first, in the figure's unit; a figure that one has not is not known."""
    other = replace(
        run,
        metrics={"solid_fraction": "0.32", "ligament_nm": "16.5", "e_d": "0.1"},
        alarms=Counter({"focus lost": 3, "drift": 1}),
    )
    lines = told(run, other)
    assert lines["material", "solid_fraction"].difference == pytest.approx(0.02)
    ligament = lines["material", "ligament"]
    assert (ligament.first, ligament.second, ligament.unit) == (15.0, 16.5, "nm")
    assert np.isnan(lines["material", "e_d"].difference)
    assert (lines["alarms", "drift"].first, lines["alarms", "drift"].second) == (0, 1)
    assert lines["alarms", "focus lost"].difference == 2


def test_labels_are_compared_where_both_are_final(run, tmp_path):
    """The second run lost slice 2, so its second face is slice 4; one column of it is labelled otherwise."""
    outputs = Outputs(tmp_path / "b")
    faces = np.tile(np.array([0, 1], np.uint8), (2, 4, 5))
    faces[1, :, 0] = 1
    write_labels(outputs, faces)
    slices = {**ROWS, 2: ROWS[2] | {"status": "gap"}}
    lines = told(run, replace(run, outputs=outputs, slices=slices))
    assert lines["faces", "labels compared"].difference == 2 * 4 * 10
    assert lines["faces", "labelled otherwise (MP)"].difference == pytest.approx(100 * 4 / 80)
    assert lines["faces", "Dice of phase 1"].difference == pytest.approx(2 * 40 / (40 + 44))
    assert ("volume", "not comparable: 3×4×10 against 2×4×10") in lines


def test_a_third_phase_is_scored_too(run, tmp_path):
    """As many phases as occur in either run."""
    labels = np.tile(np.array([0, 2], np.uint8), (3, 4, 5))
    run = replace(run, outputs=Outputs(tmp_path / "three"))
    write_labels(run.outputs, labels)
    lines = told(run, run)
    assert lines["faces", "Dice of phase 2"].difference == 1.0
    assert np.isnan(lines["faces", "Dice of phase 1"].difference)


def test_a_folder_that_is_none_is_refused(tmp_path):
    """With what it lacks."""
    with pytest.raises(FolderError, match=r"journal\.sqlite, summary\.json, slices\.csv"):
        read_finished(tmp_path)

"""The acquisition software's own files: read whatever their case, never trusted to be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import FolderError
from daemon.project import Project, SliceThickness, read_project, read_thickness

PROJECT = """<?xml version="1.0" encoding="utf-8"?>
<EMProject xmlns="EMProject"><ProjectName>gold</ProjectName><ZCutSpacing>1E-08</ZCutSpacing>
<Datasets><Dataset><Name>SEM Image</Name><NumberOfCuts>316</NumberOfCuts></Dataset>
<Dataset><Name>FIB Image</Name><NumberOfCuts>20</NumberOfCuts></Dataset></Datasets></EMProject>"""

DATA = """<Project><Results>
<Slice Index="1"><TargetThickness>1E-08</TargetThickness><MeasuredThickness>NaN</MeasuredThickness></Slice>
<Slice Number="2"><TargetThickness>1E-8</TargetThickness><MeasuredThickness>9.2E-9</MeasuredThickness></Slice>
<Slice><TargetThickness></TargetThickness><MeasuredThickness>0</MeasuredThickness></Slice>
</Results></Project>"""


@pytest.mark.parametrize(
    ("project", "data"), [("EMproject.emxml", "ProjectData.dat"), ("EMPROJECT.EMXML", "projectdata.DAT")]
)
def test_both_files(tmp_path: Path, project: str, data: str) -> None:
    """Spacing, number of slices and thicknesses come out in nm; NaN and blank are None, 0 is a value."""
    (tmp_path / project).write_text(PROJECT)
    (tmp_path / data).write_text(DATA)
    read = read_project(tmp_path)
    assert (read.name, read.expected_slices, read.datasets) == ("gold", 316, ("SEM Image", "FIB Image"))
    assert read.z_spacing_nm == pytest.approx(10.0)
    assert read.thickness == {
        1: SliceThickness(pytest.approx(10.0), None),
        2: SliceThickness(pytest.approx(10.0), pytest.approx(9.2)),
        3: SliceThickness(None, 0.0),
    }


def test_utf_16(tmp_path: Path) -> None:
    """Windows programs write UTF-16 too."""
    (tmp_path / "EMproject.emxml").write_text(PROJECT.replace("utf-8", "utf-16"), encoding="utf-16")
    assert read_project(tmp_path).expected_slices == 316


def test_half_written_data_counts_as_absent(tmp_path: Path) -> None:
    """A file caught while it is written gives nothing, rather than wrong numbers or an error."""
    for length in range(0, len(DATA) - 1, 7):
        (tmp_path / "ProjectData.dat").write_text(DATA[:length])
        assert read_thickness(tmp_path) == {}


def test_empty_folder_says_nothing(tmp_path: Path) -> None:
    """Without the files nothing is known, and that is no error."""
    assert read_project(tmp_path) == Project()


def test_missing_folder_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    """A folder that is not there is refused with what to do."""
    with pytest.raises(FolderError, match="cannot be listed"):
        read_project(tmp_path / "absent")


@pytest.mark.real_data
def test_real_project_file(real_data: Path, tmp_path: Path) -> None:
    """A project file of Auto Slice & View 4.2."""
    (tmp_path / "EMproject.emxml").write_bytes((real_data / "asv4-EMProject.emxml").read_bytes())
    read = read_project(tmp_path)
    assert read.expected_slices == 185
    assert read.z_spacing_nm == pytest.approx(100.0)
    assert read.datasets[0] == "SEM Image"

"""Names of images: a series that a pattern passes over is recognised, a picture beside the run is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config.acquisition import DEFAULT_FILE_PATTERN
from daemon.naming import longest_series, mismatch, slice_number

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "electrode.md"


def documented(names: str) -> str:
    """The pattern that the guide gives for names of this kind."""
    row = next(
        line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {names}")
    )
    return row.rsplit("`'", 1)[1].partition("'`")[0]


SERIES = [f"/p/SEM/frame_{number:04d}.TIF" for number in range(1, 5)]


@pytest.mark.parametrize(
    ("paths", "count"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param(["/p/overview.tif"], 0, id="one picture"),
        pytest.param(["/p/overview.tif", "/p/before milling.tif"], 0, id="two pictures"),
        pytest.param(["/p/notes 1.txt", "/p/notes 2.txt"], 0, id="no images"),
        pytest.param(["/p/a/x1.tif", "/p/b/x1.tif"], 0, id="one in each folder"),
        pytest.param(SERIES[:2], 2, id="two slices"),
        pytest.param([*SERIES, "/p/SEM/other1.tif", "/p/SEM/other2.tif"], 4, id="the longest counts"),
    ],
)
def test_series(paths: list[str], count: int) -> None:
    """Files of one folder whose names differ in digits only, two at least."""
    assert len(longest_series(paths)) == count


def test_what_is_said_of_a_series() -> None:
    """How many, the pattern as configured, and the first name; nothing when there is no series."""
    said = mismatch(SERIES, r"_s(?P<slice>\d+)\.tif")
    assert said == r"none of 4 TIFF files matches '_s(?P<slice>\d+)\.tif', for example frame_0001.TIF"
    assert mismatch(["/p/overview.tif"], r"(?P<slice>\d+)") == ""


@pytest.mark.parametrize(
    ("name", "pattern", "number"),
    [
        pytest.param(
            "SEM Image/SEM Image - SliceImage - 041.tif", DEFAULT_FILE_PATTERN, 41, id="Auto Slice & View"
        ),
        pytest.param("t0065/stack_g0000_t0065_s00314.tif", DEFAULT_FILE_PATTERN, 314, id="counter after _s"),
        pytest.param(
            "Export/slice_00123_z=1.2300um.TIF", documented("Atlas"), 123, id="Atlas: a depth after it"
        ),
        pytest.param("SE2/Cathode_SE2_0041.tif", documented("number last"), 41, id="number last"),
        pytest.param("InLens/20260122 cathode 3 (17).tif", documented("number last"), 17, id="in brackets"),
    ],
)
def test_names_of_other_programs(name: str, pattern: str, number: int) -> None:
    """The guide's patterns find the slice's number, and no other number of the name."""
    assert slice_number(Path("/project 7") / name, pattern) == number


@pytest.mark.parametrize(
    ("digits", "number"), [("007", 7), ("1000000000", 10**9), ("1000000001", None), ("9" * 21, None)]
)
def test_a_number_that_counts_no_slices(digits: str, number: int | None) -> None:
    """A time stamp or a serial number is not the number of a slice; one of 21 digits fits into no record."""
    assert slice_number(Path(f"SEM/a_{digits}.tif"), r"a_(?P<slice>\d+)\.tif") == number

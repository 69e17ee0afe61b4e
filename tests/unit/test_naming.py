"""Names of images: a series that a pattern passes over is recognised, a picture beside the run is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.naming import longest_series, mismatch, slice_number

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
    ("digits", "number"), [("007", 7), ("1000000000", 10**9), ("1000000001", None), ("9" * 21, None)]
)
def test_a_number_that_counts_no_slices(digits: str, number: int | None) -> None:
    """A time stamp or a serial number is not the number of a slice; one of 21 digits fits into no record."""
    assert slice_number(Path(f"SEM/a_{digits}.tif"), r"a_(?P<slice>\d+)\.tif") == number

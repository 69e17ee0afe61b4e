"""Looking at a folder: what is found, when, and that it is reported once. The clock is a number."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.completeness import Progress
from daemon.config import DEFAULT_FILE_PATTERN
from daemon.items import FileReady
from daemon.scan import Finding, FolderScan
from tests.conftest import WriteFei


@pytest.fixture
def clock() -> Iterator[float]:
    """Seconds, one per look: long enough for a file to count as settled."""
    return iter(float(second) for second in range(10_000))


def name(index: int) -> str:
    """A file name as the acquisition software gives it."""
    return f"SEM Image - SliceImage - {index:03d}.tif"


def scan_of(folder: Path, **options: object) -> FolderScan:
    """A scan with the default pattern."""
    return FolderScan(folder, DEFAULT_FILE_PATTERN, **options)


def numbers(findings: list[Finding]) -> list[int]:
    """Slice numbers of what is ready."""
    return [finding.slice_number for finding in findings if finding.progress is Progress.COMPLETE]


def looked(scan: FolderScan, clock: Iterator[float], times: int) -> list[int]:
    """Slice numbers that became ready in so many looks."""
    return [number for _ in range(times) for number in numbers(scan.look(next(clock)))]


def balanced(scan: FolderScan) -> bool:
    """Every version that was seen is reported or waits."""
    return scan.seen == scan.reported + len(scan.waiting)


def test_a_file_is_reported_once_after_two_equal_looks(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """The first look only remembers; the second reports; later ones are silent."""
    write_fei(tmp_path / "Images" / name(1))
    scan = scan_of(tmp_path)
    assert [numbers(scan.look(next(clock))) for _ in range(40)] == [[], [1], *[[]] * 38]
    assert (scan.seen, scan.reported, scan.waiting) == (1, 1, ())


def test_growing_file_is_reported_when_its_content_is_complete(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """However slowly and however unevenly it grows, and though it stands still in between."""
    content = write_fei(tmp_path / "elsewhere.tif").read_bytes()
    target = tmp_path / name(3)
    scan = scan_of(tmp_path)
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        target.write_bytes(content[:length])
        assert [numbers(scan.look(next(clock))) for _ in range(4)] == [[]] * 4
        assert [waiting.path for waiting in scan.waiting] == [target]
    target.write_bytes(content)
    assert [numbers(scan.look(next(clock))) for _ in range(2)] == [[], [3]]
    assert scan.seen == 1


def test_natural_order(tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]) -> None:
    """Slices are numbers: 2 before 10 before 1000; of one slice, the file written first comes first."""
    for index in (1000, 10, 999, 2):
        write_fei(tmp_path / "b" / name(index))
    late = write_fei(tmp_path / "a" / name(10))
    os.utime(late, ns=(2**62, 2**62))
    scan = scan_of(tmp_path)
    scan.look(next(clock))
    found = scan.look(next(clock))
    assert numbers(found) == [2, 10, 10, 999, 1000]
    assert found[2].file.path == late


def test_rewritten_file_is_reported_again(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """A change after the report is a new version: found by itself within a round, at once with a hint."""
    path = write_fei(tmp_path / name(1))
    scan = scan_of(tmp_path)
    for _ in range(2):
        scan.look(next(clock))
    write_fei(path, np.full((24, 32), 7, np.uint8))
    found = [numbers(scan.look(next(clock))) for _ in range(35)]
    assert found.count([1]) == 1
    write_fei(path, np.full((24, 32), 8, np.uint8))
    assert [numbers(scan.look(next(clock), {str(path)})) for _ in range(3)] == [[], [1], []]
    assert (scan.seen, scan.reported) == (3, 3)


def test_what_is_not_looked_at(tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]) -> None:
    """Log images, hidden folders, foreign names and symbolic links, out of the project or in circles."""
    outside = write_fei(tmp_path / "outside" / name(9))
    project = tmp_path / "project"
    for path in ("LogImages", "logimages/deep", ".hidden"):
        write_fei(project / path / name(1))
    write_fei(project / "overview.tif")
    (project / name(5)).symlink_to(outside)
    (project / "out").symlink_to(outside.parent, target_is_directory=True)
    (project / "circle").symlink_to(project, target_is_directory=True)
    write_fei(project / "Images" / name(2))
    scan = scan_of(project)
    assert [numbers(scan.look(next(clock))) for _ in range(3)] == [[], [2], []]
    assert scan.seen == 1


def test_sentinel(tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]) -> None:
    """Where a sentinel is agreed on, a file waits for its own."""
    path = write_fei(tmp_path / name(1))
    scan = scan_of(tmp_path, sentinel=".done")
    assert [numbers(scan.look(next(clock))) for _ in range(3)] == [[]] * 3
    assert "sentinel" in scan.waiting[0].reason
    Path(f"{path}.done").touch()
    assert numbers(scan.look(next(clock))) == [1]


def test_torn_file_is_given_up_and_reported_anew_when_it_is_mended(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """A file that stays torn is not waited for for ever; mending it makes a new version."""
    content = write_fei(tmp_path / "elsewhere.tif").read_bytes()
    (tmp_path / name(1)).write_bytes(content[:-200])
    scan = scan_of(tmp_path, stall_s=30.0)
    found = [finding for _ in range(40) for finding in scan.look(next(clock))]
    assert [finding.progress for finding in found] == [Progress.INCOMPLETE]
    assert "beyond" in found[0].reason
    assert balanced(scan)
    (tmp_path / name(1)).write_bytes(content)
    assert looked(scan, clock, 35) == [1]
    assert (scan.seen, scan.reported) == (2, 2)


def test_what_is_no_tiff_is_given_up_at_once(tmp_path: Path, clock: Iterator[float]) -> None:
    """Waiting would not help."""
    (tmp_path / name(1)).write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    scan = scan_of(tmp_path)
    scan.look(next(clock))
    assert [finding.progress for finding in scan.look(next(clock))] == [Progress.DAMAGED]


def test_file_without_its_siblings_metadata_is_not_ready(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """Once a folder's files carry metadata, one without it is unfinished; another folder is not concerned."""
    write_fei(tmp_path / "fei" / name(1))
    scan = scan_of(tmp_path)
    for _ in range(2):
        scan.look(next(clock))
    (tmp_path / "plain").mkdir()
    for folder in ("fei", "plain"):
        tifffile.imwrite(tmp_path / folder / name(2), np.ones((4, 4), np.uint8), metadata=None)
    found = [finding for _ in range(10) for finding in scan.look(next(clock))]
    assert [finding.file.path.parent.name for finding in found] == ["plain"]
    assert "34682" in scan.waiting[0].reason


def test_share_that_goes_away_mid_file(tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]) -> None:
    """Nothing is forgotten and nothing given up while it is away, and nothing is reported twice after."""
    content = write_fei(tmp_path / "elsewhere.tif").read_bytes()
    share, away = tmp_path / "share", tmp_path / "away"
    write_fei(share / name(1))
    (share / name(2)).write_bytes(content[:500])
    scan = scan_of(share, stall_s=30.0)
    assert [numbers(scan.look(next(clock))) for _ in range(2)] == [[], [1]]
    share.rename(away)
    for _ in range(60):
        with pytest.raises(OSError, match="No such file"):
            scan.look(next(clock))
    assert len(scan.waiting) == 1
    away.rename(share)
    assert [scan.look(next(clock)) for _ in range(3)] == [[]] * 3
    (share / name(2)).write_bytes(content)
    assert [numbers(scan.look(next(clock))) for _ in range(40)].count([2]) == 1
    assert (scan.seen, scan.reported) == (2, 2)


def test_file_that_vanishes_unfinished_is_given_up_and_new_when_it_comes_back(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """The books stay balanced: a vanished file is reported, not dropped."""
    write_fei(tmp_path / name(2))
    path = write_fei(tmp_path / name(1))
    content = path.read_bytes()
    path.write_bytes(content[:300])
    scan = scan_of(tmp_path, stall_s=30.0)
    assert looked(scan, clock, 2) == [2]
    path.unlink()
    found = [finding for _ in range(40) for finding in scan.look(next(clock))]
    assert [finding.reason for finding in found] == ["it vanished before it was complete"]
    path.write_bytes(content)
    assert looked(scan, clock, 40) == [1]
    assert balanced(scan)


def test_versions_known_from_before_are_not_reported(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """A restarted daemon continues: old versions are silent, changed and new files are not."""
    paths = [write_fei(tmp_path / name(index)) for index in (1, 2)]
    known = [FileReady(path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    write_fei(paths[1], np.full((24, 32), 3, np.uint8))
    write_fei(tmp_path / name(3))
    scan = scan_of(tmp_path)
    scan.know(known)
    found = sorted(looked(scan, clock, 40))
    assert found == [2, 3]
    assert (scan.seen, scan.reported) == (4, 4)


def test_folders_that_appear_later(tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]) -> None:
    """A folder for a fourth image type, made in the middle of the run, is seen like the others."""
    scan = scan_of(tmp_path)
    scan.look(next(clock))
    write_fei(tmp_path / "Images" / "SEM Image 4" / name(1))
    assert [numbers(scan.look(next(clock))) for _ in range(2)] == [[], [1]]


def test_cost_does_not_follow_the_number_of_finished_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of finished files only a small share is asked for size and time in each look."""
    for index in range(640):
        (tmp_path / name(index)).touch()
    shutil.copyfile(tmp_path / name(0), tmp_path / "x")
    scan = scan_of(tmp_path)
    scan.know(FileReady(p, 0, p.stat().st_mtime_ns) for p in tmp_path.glob("SEM*.tif"))
    asked = 0
    real = os.stat

    def counted(*arguments: object, **options: object) -> os.stat_result:
        nonlocal asked
        asked += 1
        return real(*arguments, **options)

    monkeypatch.setattr("daemon.scan.os.stat", counted)
    for second in range(32):
        scan.look(float(second))
    assert 640 <= asked <= 640 + 32


def test_a_name_that_is_not_utf8_is_reported_once_and_never_opened(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """A share of another character set: told under a name that can be recorded, known to a restart."""
    folder = os.path.join(os.fsencode(tmp_path), b"SEM \xb5m")
    os.mkdir(folder)
    shutil.copyfile(write_fei(tmp_path / name(3)), os.path.join(folder, os.fsencode(name(3))))
    scan = scan_of(tmp_path)
    found = [finding for _ in range(40) for finding in scan.look(next(clock))]
    assert sorted(finding.progress.name for finding in found) == ["COMPLETE", "MISNAMED"]
    misnamed = next(finding for finding in found if finding.progress is Progress.MISNAMED)
    assert (misnamed.file.path, misnamed.slice_number) == (tmp_path / "SEM \\xb5m" / name(3), 3)
    assert "UTF-8" in misnamed.reason
    assert (scan.seen, scan.reported, scan.waiting) == (2, 2, ())
    after = scan_of(tmp_path)
    after.know(finding.file for finding in found)
    assert looked(after, clock, 40) == []
    assert (after.seen, after.reported) == (2, 2)


def test_what_is_told_of_names_that_are_not_utf8_can_be_recorded(
    tmp_path: Path, clock: Iterator[float]
) -> None:
    """A series that no pattern matches is named in an alarm."""
    for index in (1, 2):
        open(os.path.join(os.fsencode(tmp_path), b"\xb5_%d.tif" % index), "wb").close()
    scan = scan_of(tmp_path)
    scan.look(next(clock))
    assert "\\xb5_1.tif" in scan.mismatch
    scan.mismatch.encode()


def test_unmounted_share_is_away_though_its_mount_point_stays(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """An empty folder where images were: nothing is given up, and all goes on when they are there again."""
    share, away = tmp_path / "share", tmp_path / "away"
    content = write_fei(share / "a" / name(1)).read_bytes()
    (share / "a" / name(2)).write_bytes(content[:500])
    scan = scan_of(share, stall_s=30.0)
    assert looked(scan, clock, 2) == [1]
    share.rename(away)
    share.mkdir()
    for _ in range(60):
        with pytest.raises(OSError, match="mount point"):
            scan.look(next(clock))
    assert len(scan.waiting) == 1
    share.rmdir()
    away.rename(share)
    assert [scan.look(next(clock)) for _ in range(25)] == [[]] * 25
    (share / "a" / name(2)).write_bytes(content)
    assert looked(scan, clock, 40) == [2]
    assert (scan.seen, scan.reported) == (2, 2)


def test_a_folder_emptied_of_what_was_read_goes_on_with_new_files(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """Whoever moves images away after they were read does not stop the run."""
    scan = scan_of(tmp_path)
    for index in range(1, 4):
        path = write_fei(tmp_path / name(index))
        assert looked(scan, clock, 2) == [index]
        path.unlink()
        with pytest.raises(OSError, match="none of its"):
            scan.look(next(clock))
    assert balanced(scan)


def test_files_of_a_sub_folder_that_cannot_be_listed_are_not_given_up(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether they are there; the look says which folder it is, and other files go on."""
    write_fei(tmp_path / "a" / name(1))
    closed = tmp_path / "b"
    path = write_fei(closed / name(1))
    content = path.read_bytes()
    path.write_bytes(content[:300])
    scan = scan_of(tmp_path, stall_s=30.0)
    assert looked(scan, clock, 2) == [1]
    real = os.scandir

    def refusing(folder: str) -> object:
        if folder == str(closed):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr("daemon.folder_listing.os.scandir", refusing)
    assert [scan.look(next(clock)) for _ in range(60)] == [[]] * 60
    assert scan.trouble == "the sub-folder b cannot be listed: Permission denied"
    monkeypatch.undo()
    assert scan.look(next(clock)) == []
    assert scan.trouble == ""
    path.write_bytes(content)
    assert looked(scan, clock, 40) == [1]
    assert balanced(scan)


def test_version_that_was_replaced_before_it_could_be_read_is_not_counted_twice(
    tmp_path: Path, write_fei: WriteFei, clock: Iterator[float]
) -> None:
    """It was given out, could not be reached, and is another version by the time it is taken back."""
    path = write_fei(tmp_path / name(1))
    scan = scan_of(tmp_path)
    scan.look(next(clock))
    (first,) = scan.look(next(clock))
    write_fei(path, np.full((30, 32), 7, np.uint8))
    scan.look(next(clock), {str(path)})
    scan.take_back([first.file], next(clock))
    assert (scan.seen, scan.reported, len(scan.waiting)) == (1, 0, 1)
    assert looked(scan, clock, 2) == [1]
    assert (scan.seen, scan.reported) == (1, 1)


def reserved(path: Path, share: float) -> bytes:
    """A file of full size with its directory in front, of which only a share is written; what it will be."""
    image = np.random.default_rng(1).integers(1, 255, (64, 80), np.uint8)
    tifffile.imwrite(path, image, metadata=None)
    whole = path.read_bytes()
    written = int(len(whole) * share)
    path.write_bytes(whole[:written] + bytes(len(whole) - written))
    return whole


def test_reserved_file_is_waited_for_while_its_writer_pauses(tmp_path: Path, clock: Iterator[float]) -> None:
    """Twenty seconds of standing still do not make it whole; its last bytes do, at once."""
    whole = reserved(tmp_path / name(1), 0.6)
    scan = scan_of(tmp_path)
    assert looked(scan, clock, 20) == []
    assert "zeros" in scan.waiting[0].reason
    (tmp_path / name(1)).write_bytes(whole)
    assert looked(scan, clock, 2) == [1]


def test_black_bottom_is_only_late(tmp_path: Path, clock: Iterator[float]) -> None:
    """What has not changed for half a minute is believed; where a sentinel vouches for it, at once."""
    reserved(tmp_path / name(1), 0.6)
    scan = scan_of(tmp_path)
    assert [looked(scan, clock, 30), looked(scan, clock, 2)] == [[], [1]]
    (tmp_path / f"{name(1)}.done").touch()
    assert looked(scan_of(tmp_path, sentinel=".done"), clock, 2) == [1]

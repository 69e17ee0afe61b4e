"""``slicewatch check`` on a real folder with real networks: whatever is wrong is a line with its remedy."""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zmq

from daemon.checks import print_checks
from daemon.checks.finding import Finding, Level, attempt
from daemon.checks.images import look_at_images
from daemon.checks.listing import findings
from daemon.checks.outputs import check_disk, forecast_bytes
from daemon.checks.places import check_ruler
from daemon.config import as_toml_table, load
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.journal import Record, open_journal
from daemon.toml_text import toml_text

SETTINGS = EmulatorSettings(slices=2, height=256, width=320, seed=11)
NAMES = (
    *("configuration", "folder", "images", "channels", "pixel size", "region", "fiducials", "ruler"),
    *("grid", "model"),
    *(
        "provider",
        "output",
        "disk",
        "journal",
        "abort",
        "publish.events",
        "publish.control",
        "monitor",
        "keys",
    ),
)
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("acquisition") / "project"
    emulate(SETTINGS, folder)
    return folder


@pytest.fixture(scope="module")
def table(project) -> dict[str, Any]:
    """What a user would write, on ports that nobody uses."""
    table = configuration_table(SETTINGS, project, project.parent / "output")
    table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
    table["publish"] = {"events": "tcp://127.0.0.1:0", "control": "tcp://127.0.0.1:0"}
    table["monitor"] = {"host": "127.0.0.1", "port": 0}
    return table


@pytest.fixture
def check(table, tmp_path):
    """A function that checks a changed configuration and returns the findings by name."""

    def run(change: Change = lambda _: None) -> dict[str, Finding]:
        return {finding.name: finding for finding in findings(written(table, tmp_path, change))}

    return run


def written(table: dict[str, Any], folder: Path, change: Change = lambda _: None) -> Path:
    changed = copy.deepcopy(table)
    changed["run"]["output"] = str(folder / "output")
    change(changed)
    path = folder / "run.toml"
    path.write_text(toml_text(changed))
    return path


def set_key(section: str, **values: Any) -> Change:
    return lambda table: table.setdefault(section, {}).update(values)


def test_a_good_configuration_passes(table, tmp_path, capsys):
    """Every check is told on one line, the verdict is that a run may start, and nothing was made."""
    assert print_checks(written(table, tmp_path))
    text = capsys.readouterr().out
    for name in NAMES:
        assert f"\n{'ok':<5}{name:<16}" in f"\n{text}", text
    assert "2 slices expected" in text
    assert "1kV: 1 kV" in text
    assert "ready to run" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.toml"]


OUTSIDE = {"x": 300, "y": 0, "width": 100, "height": 10}
UNKNOWN_PROVIDER = ["MagicExecutionProvider", "CPUExecutionProvider"]


def set_item(table: str, number: int, **values: Any) -> Change:
    return lambda t: t[table][number].update(values)


WRONG: dict[str, tuple[Change, str, Level, str]] = {
    "region": (set_key("geometry", roi=OUTSIDE), "region", Level.FAIL, "leaves the image"),
    "tiny region": (
        set_key("geometry", roi={"x": 20, "y": 120, "width": 40, "height": 60}),
        "region",
        Level.WARN,
        "only 40 × 60 px",
    ),
    "no fiducial": (lambda t: t.pop("fiducials"), "fiducials", Level.WARN, "on the face itself"),
    "fiducial": (set_item("fiducials", 0, x=315), "fiducials", Level.FAIL, "leaves the image"),
    "edge": (set_item("fiducials", 0, x=0, search_px=40), "fiducials", Level.WARN, "carry it out"),
    "no ruler": (lambda t: t.pop("ruler"), "ruler", Level.WARN, "ASSUMED"),
    "mark": (lambda t: t["ruler"]["marks"][0].update(x=321.0), "ruler", Level.FAIL, "mark 1 leaves"),
    "coarse grid": (set_key("volume", grid_nm=10.0), "grid", Level.WARN, "places would be taken"),
    "short ruler": (set_key("run", expected_slices=2000), "ruler", Level.WARN, "after about"),
    "voltage": (set_item("channels", 2, voltage_kv=5.0), "channels", Level.FAIL, "no image of 4kV"),
    "no model": (set_item("channels", 2, voltage_kv=5.0), "model", Level.FAIL, "no shipped network"),
    "tilt": (set_key("geometry", tilt_deg=38.0), "pixel size", Level.WARN, "tilt 52.0°"),
    "pattern": (set_key("run", file_pattern=r"x(?P<slice>\d+)"), "images", Level.FAIL, "none of"),
    "folder": (set_key("run", folder="/nowhere/at all"), "folder", Level.FAIL, "does not exist"),
    "model": (set_key("segmentation", model="none.onnx"), "model", Level.FAIL, "no network at this"),
    "provider": (
        set_key("segmentation", providers=UNKNOWN_PROVIDER),
        "provider",
        Level.WARN,
        "in vain: Magic",
    ),
    "no CPU": (
        set_key("segmentation", providers=UNKNOWN_PROVIDER[:1], allow_cpu_fallback=False),
        "model",
        Level.FAIL,
        "only the CPU",
    ),
    "open": (set_key("publish", events="tcp://0.0.0.0:0"), "keys", Level.FAIL, "anyone"),
    "keys": (set_key("publish", curve_keys="/nowhere/keys"), "keys", Level.FAIL, "/nowhere/keys"),
    "abort": (set_key("abort", armed=True), "abort", Level.WARN, "leave the microscope milling"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found(check, case):
    """Under its name, with its level, in words that name the thing, with a remedy."""
    change, name, level, words = WRONG[case]
    finding = check(change)[name]
    assert (finding.level, words in finding.text, bool(finding.remedy)) == (level, True, True), finding


def test_later_checks_run_after_a_failure(check):
    """A missing folder hides neither the network's nor the sockets' troubles."""

    def change(table: dict[str, Any]) -> None:
        table["run"]["folder"] = "/nowhere"
        table["segmentation"]["model"] = "none.onnx"

    found = check(change)
    assert {name for name, finding in found.items() if finding.level is Level.FAIL} == {"folder", "model"}
    assert {"provider", "disk", "journal", "publish.events", "keys"} <= found.keys()


@pytest.mark.parametrize(
    "text", ["[run]\nfolder = 1", "nonsense [", "[run]\nfolder='a'\noutput='b'\ncolour=1"]
)
def test_a_wrong_configuration_is_the_only_finding(tmp_path, capsys, text):
    """Nothing else can be checked; the line says what and where."""
    path = tmp_path / "run.toml"
    path.write_text(text)
    assert not print_checks(path)
    assert capsys.readouterr().out.startswith(f"FAIL {'configuration':<16}")


def test_an_output_inside_the_project_is_refused(check, project):
    """Slicewatch never writes into an acquisition."""
    finding = check(set_key("run", output=str(project / "Images" / "out")))["output"]
    assert finding.level is Level.FAIL
    assert not (project / "Images" / "out").exists()


def test_a_port_in_use_is_named(check):
    """Another program holds the control port."""
    with zmq.Context() as context, context.socket(zmq.REP) as holder:
        port = holder.bind_to_random_port("tcp://127.0.0.1")
        finding = check(set_key("publish", control=f"tcp://127.0.0.1:{port}"))["publish.control"]
    assert finding.level is Level.FAIL
    assert "in use" in finding.text


def test_an_empty_folder_waits_for_the_microscope(check, tmp_path):
    """Before the first image nothing is wrong, but little can be checked, and that is said."""
    (tmp_path / "new").mkdir()
    found = check(set_key("run", folder=str(tmp_path / "new")))
    waiting = ("images", "channels", "pixel size", "region", "fiducials", "ruler", "disk")
    assert {found[name].level for name in waiting} == {Level.WARN}
    assert all(finding.level is not Level.FAIL for finding in found.values())


def test_a_damaged_first_image_is_named(check, project, tmp_path):
    """Its channel is missing, and the file with its fault is shown."""
    copied = shutil.copytree(project, tmp_path / "project")
    (damaged,) = list(copied.rglob("*SEM Image 2 - SliceImage - 001.tif"))
    damaged.write_bytes(damaged.read_bytes()[:-5000])
    for later in copied.rglob("*- 002.tif"):
        later.unlink()
    finding = check(set_key("run", folder=str(copied)))["channels"]
    assert finding.level is Level.FAIL
    assert damaged.name in finding.text


def begun(path: Path, *, finished: bool) -> Path:
    """The journal of an earlier start with two slices."""
    configuration = load(path)
    configuration.run.output.mkdir()
    journal_path = configuration.run.output / "journal.sqlite"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    records = [Record("slice", 1, {}), Record("slice", 2, {})]
    records += [Record("finished", 0, {"reason": "COMPLETED"})] if finished else []
    journal = open_journal(journal_path, as_toml_table(configuration), lambda: now)
    with closing(journal), journal.transaction():
        for record in records:
            journal.append(record)
    return journal_path


def test_a_run_that_goes_on_is_told_and_left_alone(table, tmp_path):
    """Looking counts as no start and leaves no file behind."""
    path = written(table, tmp_path)
    journal_path = begun(path, finished=False)
    before = journal_path.read_bytes()
    (finding,) = [finding for finding in findings(path) if finding.name == "journal"]
    assert (finding.level, finding.text) == (Level.OK, "goes on after 2 slices (1 earlier start)")
    assert journal_path.read_bytes() == before
    assert [p.name for p in journal_path.parent.iterdir()] == [journal_path.name]


def test_a_finished_run_is_told(table, tmp_path):
    """Starting again would do nothing."""
    path = written(table, tmp_path)
    begun(path, finished=True)
    (finding,) = [finding for finding in findings(path) if finding.name == "journal"]
    assert (finding.level, "COMPLETED" in finding.text) == (Level.WARN, True)


def test_a_journal_of_another_configuration_is_foreign(table, tmp_path):
    """The changed key is named, as the run itself would."""
    begun(written(table, tmp_path), finished=False)
    path = written(table, tmp_path, set_key("geometry", target_thickness_nm=12.0))
    (finding,) = [finding for finding in findings(path) if finding.name == "journal"]
    assert finding.level is Level.FAIL
    assert "geometry.target_thickness_nm" in finding.text


def test_a_foreign_database_is_refused(check, tmp_path):
    """Any SQLite file may be called journal.sqlite."""
    (tmp_path / "output").mkdir()
    with closing(sqlite3.connect(tmp_path / "output" / "journal.sqlite")) as database:
        database.execute("CREATE TABLE t (x)")
    assert "not a slicewatch journal" in check()["journal"].text


def test_the_forecast_grows_with_the_run(table, tmp_path):
    """Twice the slices need nearly twice the space, a coarser grid less; too little space fails."""
    configuration = load(written(table, tmp_path))
    images = look_at_images(configuration)
    frame = images.reference(configuration)
    assert frame is not None
    one, two = (forecast_bytes(configuration, frame, slices) for slices in (10_000, 20_000))
    assert one < two < 2 * one
    coarse = load(written(table, tmp_path, set_key("volume", grid_nm=5.0)))
    assert forecast_bytes(coarse, frame, 10_000) < one
    assert check_disk(configuration, images, 10**9).level is Level.FAIL


def test_marks_that_meet_end_the_ruler(table, tmp_path):
    """Two inclined marks that approach each other meet half-way: counted by hand, at 45° and 10 nm."""
    configuration = load(written(table, tmp_path))
    ruler, images = configuration.ruler, look_at_images(configuration)
    frame = images.reference(configuration)
    assert ruler is not None
    assert frame is not None
    pixel_nm = frame.metadata.pixel_size_nm
    assert pixel_nm is not None
    left, right = sorted(mark.x for mark in ruler.marks if mark.direction)
    assert [mark.direction for mark in ruler.marks] == [0, 1, -1, 0]
    free_nm = ((right - left) * pixel_nm - ruler.mark_width_nm) / 2
    step_nm = configuration.geometry.target_thickness_nm * 1.0
    assert ruler.angle_deg == 45.0
    assert f"readable for about {int(free_nm / step_nm)} slices" in check_ruler(configuration, images, 2).text


def test_a_check_that_breaks_is_a_finding():
    """Whatever happens, the list is complete and has no traceback."""

    def broken() -> Finding:
        raise RuntimeError("the driver is out for lunch")

    finding = attempt("provider", broken)
    assert finding.level is Level.FAIL
    assert "RuntimeError: the driver is out for lunch" in finding.text

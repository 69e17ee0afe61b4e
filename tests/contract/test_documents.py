"""The guide and the reference of outputs are held to the code: what is there is described."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from daemon import alarms
from daemon.abort.orders import ActionResult, Order, Outcome, Request
from daemon.assembly import OtherProject, Quarantined, Refusal, Renumbered
from daemon.config import Configuration, parse
from daemon.items import Alarm, FinishReason, GapReason, PlaneKind, SliceGap, Status, ThicknessSource
from daemon.placement_figures import placement_figures
from daemon.stages.judging import SUSTAINED
from daemon.summary import run_summary
from daemon.tables import LIGAMENT_COLUMNS, METRIC_COLUMNS, slice_columns
from daemon.thickness_figures import thickness_figures

ROOT = Path(__file__).parents[2]
OUTPUTS = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return OUTPUTS.partition(f"## `{title}`")[2].partition("\n## ")[0]


def test_every_column_is_described():
    """Of all tables, with the channel's name as NAME."""
    for column in slice_columns(("NAME",)):
        assert f"`{column}`" in section("slices.csv")
    for column in METRIC_COLUMNS:
        assert f"`{column}`" in section("metrics.csv")
    for column in LIGAMENT_COLUMNS:
        assert f"`{column}`" in section("ligaments.csv")


@pytest.mark.parametrize("words", [Status, ThicknessSource, GapReason])
def test_every_word_in_the_table_of_slices_is_described(words):
    """Whatever can stand in a field."""
    assert all(f"`{word}`" in section("slices.csv") for word in words)


def test_every_kind_of_plane_is_described():
    """Measured, interpolated, bridged."""
    assert all(f"`{kind}`" in section("metrics.csv") for kind in PlaneKind)


def test_every_key_of_the_summary_is_described():
    """Or is a figure of the table of planes, which the summary repeats."""
    summary = run_summary(
        slices=1,
        gaps=0,
        alarms=0,
        reason=FinishReason.COMPLETED,
        last_metrics={},
        seconds=1.0,
        output="",
        thickness=thickness_figures([], 1.5),
        placement=placement_figures([], 5.0),
        provenance={
            "run": "",
            "version": "",
            "python": "",
            "model": "",
            "model_sha256": "",
            "inpainting_sha256": "",
            "provider": "",
            "libraries": "",
        },
    )
    for key in summary.keys() - set(METRIC_COLUMNS):
        assert f"`{key}`" in section("summary.json"), key
    assert all(f"`{reason}`" in section("summary.json") for reason in FinishReason)


def test_every_alarm_is_explained():
    """By the kind that it has on the monitor and in the report."""
    explained = GUIDE.partition("## What the alarms mean")[2].partition("\n## ")[0]
    cause = Alarm("x", 1, "x")
    raised = [
        alarms.gap(SliceGap(1, GapReason.MISSING)),
        alarms.renumbered(Renumbered(9, 1, Path("a/001.tif"))),
        alarms.other_project(OtherProject(1, Path("a"))),
        alarms.asked_to_abort("a", "b"),
        alarms.aborted(cause, []),
        alarms.aborted(cause, [ActionResult("file", "STOP", Outcome.CONFIRMED, "written")]),
        alarms.abort_pending(cause, "7", 300.0),
        alarms.pause_unconfirmed(Order(Request.PAUSE, "run", "7", cause), []),
        alarms.gpu_lost("CUDAExecutionProvider", "CPUExecutionProvider", {}),
    ]
    kinds = {alarm.kind for alarm in raised} | {f"drift {kind}" for kind in SUSTAINED}
    kinds |= {"thickness limit", "thickness unreadable", "registration lost", "fiducials lost"}
    for kind in kinds:
        assert f"`{kind}`" in explained
    file = Quarantined(Path("a/b.tif"), 1, Refusal.UNREADABLE, "cut off")
    assert alarms.quarantine(file).kind.startswith("file quarantined")
    assert "`file quarantined: …`" in explained


def test_the_configurations_of_the_guide_are_valid(tmp_path):
    """The smallest one is a configuration, and every other block of TOML fits into it."""
    first, *others = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)]
    assert len(others) == 3
    whole = parse(
        first | {key: value for table in others for key, value in table.items()}, where=tmp_path / "c"
    )
    assert isinstance(whole, Configuration)
    assert whole.abort.armed
    assert whole.ruler is not None
    assert len(whole.fiducials) == 1


def test_links_between_documents_lead_somewhere():
    """Relative links of all our documents, decisions included."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "CHANGELOG.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"

"""The papers' tables: what they say of data whose truth is known, and that a file keeps all else."""

import numpy as np
import pytest

from daemon.errors import StoreError
from daemon.report.published import REAL_SAMPLE
from daemon.tabulate import anisotropy, command, methods, tables
from daemon.tabulate.methods import FULL, Effort, open_shipped, thickness_conditions, voted
from daemon.tabulate.winners import told_winner, told_winners
from models.evaluation import HeldOut, Score, draw_sample, held_out_runs

TINY = HeldOut(runs=1, height=40, width=48, slices=4)
SHORT = HeldOut(runs=1, height=64, width=64, slices=10)


def test_thinner_and_thicker_slices_are_of_the_same_structure():
    """The first face is the usual one, and the others lie half and one and a half times as deep."""
    thinner, thicker = thickness_conditions(Effort(TINY, TINY, 30)).values()
    (usual,) = held_out_runs(TINY)
    for (run,), factor in ((thinner, 0.5), (thicker, 1.5)):
        np.testing.assert_array_equal(run.labels[0], usual.labels[0])
        assert not np.array_equal(run.labels[-1], usual.labels[-1])
        sizes = HeldOut(thickness_nm=factor * 10.16, thickness_sigma_nm=factor * 3.12)
        np.testing.assert_allclose(
            draw_sample(30_000, sizes).depths_nm, factor * draw_sample(30_000, HeldOut()).depths_nm
        )


def test_the_papers_vote_is_weighed():
    """Half, three tenths and a fifth: the first outvotes the third, the other two together outvote nobody."""
    sure, not_sure = np.array([[[[0.0]], [[1.0]]]]), np.array([[[[1.0]], [[0.0]]]])
    elected = voted([sure.astype(np.float32), not_sure.astype(np.float32), not_sure.astype(np.float32)])
    np.testing.assert_allclose(elected[0, :, 0, 0], [0.5, 0.5])
    elected = voted([sure.astype(np.float32), not_sure.astype(np.float32), sure.astype(np.float32)])
    np.testing.assert_allclose(elected[0, :, 0, 0], [0.3, 0.7], atol=1e-6)


def test_the_true_labels_come_nearer_to_the_structure_than_slices_out_of_place():
    """e_TPCF, e_LPF and e_D of the volume of true faces at true depths are those of the structure, nearly."""
    found = anisotropy.anisotropy({"late_fusion": open_shipped()["late_fusion"]}, SHORT)
    structure = found["the structure itself"]
    assert {"true labels", "kmeans_4kv", "late_fusion, cubic", "late_fusion, not placed, nearest"} < set(
        found
    )
    np.testing.assert_allclose(found["true labels"], structure, atol=0.05)
    assert all(np.isfinite(errors).all() and (errors >= 0).all() for errors in found.values())


def test_published_rows_are_found_by_their_names():
    """A renamed row of either table would lose its published figures silently."""
    ways = {real.way for real in REAL_SAMPLE}
    assert set(tables.REAL_ROWS.values()) <= ways
    assert FULL.fast == HeldOut()


WINNERS = {
    "ours": ({"late_fusion": 0.8704, "voting": 1.027}, 0.0, "`late_fusion` (0.870)"),
    "another": (
        {"late_fusion": 2.346, "voting": 2.324, "unet_1kv": 2.43},
        0.0,
        "`voting` (2.324); `late_fusion` 2.346",
    ),
    "alike": (
        {"late_fusion": 2.0, "unet_1kv": 1.12341, "unet_2kv": 1.12344},
        0.0,
        "`unet_1kv` (1.123) and `unet_2kv` (1.123); `late_fusion` 2.000",
    ),
    "nearest from either side": (
        {"late_fusion": 0.0992, "kmeans_1kv": 0.1118, "early_fusion": 0.102},
        0.1057,
        "`early_fusion` (0.102); `late_fusion` 0.099",
    ),
    "without ours": ({"RNN": 4.16, "RML": 1.65}, 0.0, "`RML` (1.650)"),
}


@pytest.mark.parametrize("case", WINNERS)
def test_the_winner_of_a_column_is_named_whoever_it_is(case):
    """And ours beside it, where it is another."""
    column, truth, told = WINNERS[case]
    assert told_winner(column, truth) == told


def test_every_column_has_its_winner():
    """By its heading, each against its own truth."""
    told = told_winners({"a": {"x": 1.0, "y": 3.0}, "b": {"x": 1.0, "y": 3.0}}, {"b": 3.0}, digits=1)
    assert told == "- a: `x` (1.0)\n- b: `y` (3.0)"


def test_worse_images_and_winners_stand_in_the_table_of_segmentation(monkeypatch):
    """Twice the noise and a pixel of misregistration, Monte Carlo and fast, each with the figures that were
    scored under it and with its own winner."""
    marks = {"": 1, "_noise_x2": 2, "_misregistered_1px": 3}
    marks |= {f"_fast{suffix}": mark + 3 for suffix, mark in marks.items()} | {
        "_thickness_0_5": 7,
        "_thickness_1_5": 8,
        "_long_dwell": 0.5,
    }

    def conditions(wanted):
        return lambda effort: {suffix: marks[suffix] for suffix in marks if wanted(suffix)}

    def scores(segmenters, mark):
        late, two = Score(mark, 2.0, 0.9, 0.1, 0.12, 0.3), Score(4.5, 2.0, 0.9, 0.11, 0.12, 0.3)
        return {"late_fusion": late, "unet_2kv": two}

    monkeypatch.setattr(
        methods, "simulated_conditions", conditions(lambda name: "fast" not in name and "thick" not in name)
    )
    monkeypatch.setattr(methods, "fast_conditions", conditions(lambda name: "fast" in name))
    monkeypatch.setattr(methods, "thickness_conditions", conditions(lambda name: "thick" in name))
    monkeypatch.setattr(methods, "score_methods", scores)
    text = tables.segmentation(tables.QUICK)
    assert (
        "| method | Monte Carlo, noise × 2 | Monte Carlo, 1 px off | fast, noise × 2 | fast, 1 px off |"
        in text
    )
    assert "| late_fusion | 2.000 | 3.000 | 5.000 | 6.000 |" in text
    assert "| late_fusion | 0.300 | 0.300 | 0.300 |" in text
    assert "- Monte Carlo, long dwell: `late_fusion` (0.500)" in text
    assert "- Monte Carlo, 1 px off: `late_fusion` (3.000)" in text
    assert "- fast, 1 px off: `unet_2kv` (4.500); `late_fusion` 6.000" in text
    assert "| late_fusion | 7.000 | 4.000 | 8.000 |" in text
    assert "- Monte Carlo: `unet_2kv` (0.1100); `late_fusion` 0.1000" in text


@pytest.fixture
def measured(monkeypatch):
    """One table that is measured at once: what the command does with it is the subject here."""
    monkeypatch.setattr(command, "TABLES", {"interpolation": lambda effort: f"## Interpolation\n\n{effort}"})


def test_a_table_is_written_into_its_section(measured, tmp_path):
    """Command and date stand below it, what else is in the file stays, and progress is told."""
    page, told = tmp_path / "results.md", []
    page.write_text("# Results\n\nby hand\n", encoding="utf-8")
    command.write_tables(["interpolation"], page, told.append, quick=True)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\nby hand\n")
    assert f"`slicewatch evaluate tables interpolation --out {page} --quick` on 20" in text
    assert len(told) == 2
    command.write_tables(["interpolation"], page, told.append, quick=True)
    assert page.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_written_is_told_with_the_remedy(measured, tmp_path):
    """A folder in its place."""
    with pytest.raises(StoreError, match=r"interpolation cannot be written.*--out"):
        command.write_tables(["interpolation"], tmp_path, print, quick=True)


UNWRITABLE = {
    "a folder in its place": lambda folder: folder,
    "in a folder that is not there": lambda folder: folder / "nowhere" / "results.md",
    "a section without end": lambda folder: folder / "torn.md",
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_a_file_that_cannot_be_written_is_told_before_the_work(monkeypatch, tmp_path, case):
    """Of the last table as of the first: hours of measuring would be lost."""
    begin = "<!-- table anisotropy: written by a command -->"
    (tmp_path / "torn.md").write_text(f"{begin}\n", encoding="utf-8")
    monkeypatch.setattr(command, "TABLES", dict.fromkeys(("interpolation", "anisotropy"), pytest.fail))
    with pytest.raises(StoreError, match=r"cannot be written.*--out"):
        command.write_tables(["interpolation", "anisotropy"], UNWRITABLE[case](tmp_path), print, quick=True)


def test_a_new_file_is_not_there_before_its_first_table(monkeypatch, tmp_path):
    """Trying whether it can be written leaves nothing."""
    page = tmp_path / "results.md"
    monkeypatch.setattr(command, "TABLES", {"interpolation": lambda _: str(page.exists())})
    command.write_tables(["interpolation"], page, print, quick=True)
    assert "False" in page.read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_can_be_measured(name, tmp_path, monkeypatch):
    """The quick way from the command to a page with our figures and the published ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    page = tmp_path / "results.md"
    command.write_tables([name], page, print, quick=True)
    text = page.read_text(encoding="utf-8")
    expected = {
        "segmentation": "0.225 / 0.94",
        "anisotropy": "0.1206 / 0.0489",
        "interpolation": "4.890 / 19.98",
        "adaptation": "0.2710 / 0.1810",
    }
    assert expected[name] in text
    assert "nan" not in text

"""The papers' tables: what they say of data whose truth is known, and that a file keeps all else."""

import numpy as np
import pytest

from daemon.errors import StoreError
from daemon.report.published import REAL_SAMPLE
from daemon.tabulate import anisotropy, command, tables
from daemon.tabulate.methods import FULL, Effort, open_shipped, thickness_conditions, voted
from models.evaluation import HeldOut, draw_sample, held_out_runs

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
    }
    assert expected[name] in text
    assert "nan" not in text

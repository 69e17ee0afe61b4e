"""Everything goes wrong in one run: it completes, its books balance, and each fault is told once."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.assembly_state import AssemblyState
from daemon.codec import unpack
from daemon.config import load
from daemon.emulator import EmulatorSettings, configuration_table, emulate, parse_fault
from daemon.journal import open_journal
from daemon.journal_bodies import read_records
from daemon.outputs import Outputs
from daemon.service import run_daemon
from daemon.tables import read_table
from daemon.toml_text import toml_text
from tests.system.conftest import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(580)]

FINISHED = {"file quarantined: never finished", "slice gap"}
"""A file that stays torn is given up after a while; a slice may have been closed without it before."""
FAULTS = {
    "corrupt@2": {"file quarantined: unreadable"},
    "torn-99@3": FINISHED,
    "missing@4": {"slice gap"},
    "duplicate@5": {"file quarantined: duplicate"},
    "overwritten-3@6": {"file quarantined: overwritten", "file quarantined: superseded"},
    "late-9@7": {"slice gap"},
    "wrong-size@8": {"file quarantined: wrong size"},
    "swapped-voltage@9": {"file quarantined: conflict", "file quarantined: superseded"},
    "empty@10": FINISHED,
    "zeros@11": FINISHED,
    "lost@12": {"slice gap"},
    "clock-skew-5@16": {"microscope clock set back"},
    "corrupt-pixels@17": {"registration lost"},
    "restart-renumber@18": {"acquisition renumbered"},
}
FOLDERS = ("SEM Image", "SEM Image 2", "SEM Image 3")
AROUND = {
    "share-loss-3@14": "acquisition folder unreachable",
    "stall-25@15": "acquisition stands still",
}
"""Faults of no slice."""
GAPS = {2, 3, 4, 7, 8, 9, 10, 11, 12}
SETTINGS = EmulatorSettings(
    slices=20, height=256, width=320, seed=31, faults=tuple(parse_fault(text) for text in (*FAULTS, *AROUND))
)


def test_all_faults_together(tmp_path: Path):
    """COMPLETED; every file processed, quarantined or ignored; one alarm for each fault."""
    project, config = tmp_path / "project", tmp_path / "run.toml"
    table = configuration_table(SETTINGS, project, tmp_path / "output")
    table["run"] |= {"missing_after_s": 8.0, "stalled_after_s": 4.0, "quiet_after_s": 20.0}
    table["publish"] = {name: f"tcp://127.0.0.1:{free_port()}" for name in ("events", "control")}
    table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
    config.write_text(toml_text(table), encoding="utf-8")
    project.mkdir()
    outputs = Outputs(load(config).run.output)
    microscope = threading.Thread(
        target=emulate, args=(SETTINGS, project), kwargs={"progress": in_step_with(outputs)}
    )
    microscope.start()
    assert run_daemon(config, follow=True) == 0
    microscope.join()
    rows = {int(row["slice"]): row for row in read_table(outputs.slices)}
    assert {index for index, row in rows.items() if row["status"] == "gap"} == GAPS
    assert set(rows) == set(range(1, 21))
    _, alarms = read_records(outputs.journal, "alarm")
    told = Counter((alarm["slice_index"], alarm["kind"]) for alarm in alarms)
    for fault, kinds in FAULTS.items():
        index = int(fault.partition("@")[2])
        assert sum(told[index, kind] for kind in kinds) == 1, (fault, told)
    ingestion = {kind for index, kind in told if kind.startswith(("file", "slice gap"))}
    assert ingestion <= set().union(*FAULTS.values())
    for kind in AROUND.values():
        assert told[0, kind] == 1, (kind, told)
    assert (0, "ledger does not balance") not in told
    assert balanced(outputs)


def in_step_with(outputs: Outputs) -> Callable[[int, int], None]:
    """An image is late, and a file overwrites an earlier one, only once the daemon has come that far."""
    behind = {15: (7, {"gap"}), 17: (17, {"provisional", "final"})}

    def wait(done: int, _slices: int) -> None:
        while done == 8 and not all(read_already(outputs, 6)):
            threading.Event().wait(0.2)
        index, wanted = behind.get(done, (0, set[str]()))
        while index and status(outputs, index) not in wanted:
            threading.Event().wait(0.2)

    return wait


def read_already(outputs: Outputs, index: int) -> list[bool]:
    """Whether the journal knows the image of a slice, of each voltage."""
    if not outputs.journal.exists():
        return [False]
    with closing(sqlite3.connect(f"{outputs.journal.as_uri()}?mode=ro", uri=True)) as connection:
        known = [path for (path,) in connection.execute("SELECT path FROM files")]
    return [any(path.endswith(f"{name} - SliceImage - {index:03}.tif") for path in known) for name in FOLDERS]


def status(outputs: Outputs, index: int) -> str:
    """What the table says of a slice so far."""
    rows = read_table(outputs.slices) if outputs.slices.exists() else []
    return next((str(row["status"]) for row in rows if int(row["slice"]) == index), "")


def balanced(outputs: Outputs) -> bool:
    """Whether every file on record ended in exactly one place, by the state that the journal keeps."""
    with closing(open_journal(outputs.journal, read_records(outputs.journal, "alarm")[0], now)) as journal:
        state = unpack(AssemblyState, journal.checkpoint("assembly") or b"")
        return state.tally.arrived == len(list(journal.files())) and state.tally.waiting == 0


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)

"""Watching, reading and assembling together, with a microscope that errs in most slices: books balance."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from daemon.assemble import initial, step
from daemon.assembly import Event, Outcome, Quarantined, Refusal, SliceComplete, Tick
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule
from daemon.config import DEFAULT_FILE_PATTERN, ChannelSection
from daemon.intake import given_up_event, read_event
from daemon.items import GapReason, SliceGap
from daemon.ledger import ledger
from daemon.metadata.plain import Sidecar
from daemon.watch import Watcher
from tests.conftest import WriteFei

VOLTS = (1000, 2000)
RULES = AssemblyRules((ChannelRule("1kV", 1.0), ChannelRule("2kV", 2.0)), expected_slices=9)
SIDECAR = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),))


def image_path(project: Path, volts: int, index: int) -> Path:
    """The folder's name says nothing true about the voltage, on purpose."""
    folder = {1000: "SEM Image", 2000: "SEM Image 2", 30000: "FIB Image"}[volts]
    return project / "Images" / folder / f"{folder} - SliceImage - {index:03d}.tif"


@dataclass
class Microscope:
    """Writes a run of nine slices with a fault in most of them."""

    project: Path
    write_fei: WriteFei
    pause: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Slice after slice, as the mill goes."""
        for index in range(1, 10):
            faulty = getattr(self, f"slice_{index}", None)
            if faulty is None:
                self.image(index, 1000)
                self.image(index, 2000)
            else:
                faulty()
            self.pause.wait(0.15)

    def image(self, index: int, volts: int, **options: object) -> bytes:
        """One image, written in pieces."""
        path = image_path(self.project, volts, index)
        content = self.write_fei(
            self.project.parent / "made" / path.name, volts=volts, **options
        ).read_bytes()
        self.write(path, content)
        return content

    def write(self, path: Path, content: bytes) -> None:
        """Header, pixels, tags: not all at once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            for begin in range(0, len(content), 700):
                file.write(content[begin : begin + 700])
                self.pause.wait(0.002)

    def slice_2(self) -> None:
        """The ion beam takes a picture too."""
        self.image(2, 30000, Beam_Beam="IBeam")
        self.image(2, 2000)
        self.image(2, 1000)

    def slice_3(self) -> None:
        """One image is cut off at 99 % for ever."""
        content = self.image(3, 1000)
        self.write(image_path(self.project, 2000, 3), content[: len(content) * 99 // 100])

    def slice_4(self) -> None:
        """One image is not a TIFF at all."""
        self.image(4, 1000)
        self.write(image_path(self.project, 2000, 4), b"\xff\xd8\xff\xe0 not a TIFF" * 50)

    def slice_5(self) -> None:
        """One image has another size."""
        self.image(5, 1000)
        self.image(5, 2000, image=np.arange(25, dtype=np.uint8).reshape(5, 5))

    def slice_6(self) -> None:
        """An earlier image is written over."""
        self.image(6, 1000)
        self.image(6, 2000)
        self.image(1, 1000, image=np.arange(768).reshape(24, 32).astype(np.uint8))


@dataclass
class Pump:
    """Carries files from the watcher to the state machine, and keeps the books at every step."""

    watcher: Watcher
    state: AssemblyState = field(default_factory=lambda: initial(RULES))
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    now_s: float = 0.0

    def turn(self) -> None:
        """One round: what is there is read and assembled; if nothing is, time passes."""
        taken, given_up = self.watcher.take(0.2), self.watcher.take_given_up()
        events: list[Event] = [read_event(file, DEFAULT_FILE_PATTERN, SIDECAR)[0] for file in taken]
        events += [given_up_event(gone, DEFAULT_FILE_PATTERN) for gone in given_up]
        for event in events or [Tick(self.watcher.unread)]:
            self.now_s += 1.0
            self.state, more = step(self.state, event, self.now_s)
            self.outcomes += more


@pytest.mark.parametrize("observer", ["native", "off"])
def test_a_run_full_of_faults_ends_with_balanced_books(
    tmp_path: Path, write_fei: WriteFei, observer: str
) -> None:
    """Sound slices come out whole, each fault has its own gap and reason, and no file is unaccounted for."""
    project = tmp_path / "project"
    watcher = Watcher(project, DEFAULT_FILE_PATTERN, observer=observer, scan_interval_s=0.2, stall_s=3.0)
    microscope = threading.Thread(target=Microscope(project, write_fei).run)
    watcher.start()
    microscope.start()
    pump = Pump(watcher)
    for _ in range(200):
        pump.turn()
        overwritten = any(
            isinstance(o, Quarantined) and o.reason is Refusal.OVERWRITTEN for o in pump.outcomes
        )
        if pump.state.over and overwritten and not watcher.waiting:
            break
    microscope.join()
    watcher.stop()
    decided = [o for o in pump.outcomes if isinstance(o, SliceComplete | SliceGap)]
    assert [o.index for o in decided] == list(range(1, 10))
    assert {o.index: o.reason for o in decided if isinstance(o, SliceGap)} == {
        3: GapReason.INCOMPLETE,
        4: GapReason.UNREADABLE,
        5: GapReason.WRONG_SIZE,
    }
    books = ledger(watcher.seen, watcher.waiting, 0, pump.state.tally)
    assert books.imbalance == 0
    assert (books.seen, books.processed, books.ignored, books.waiting) == (20, 12, 1, 0)

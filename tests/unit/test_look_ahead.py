"""What is computed ahead is what would have been computed in its turn, and only that is taken."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daemon.assemble import initial, rules_of, step
from daemon.assembly import FileRejected, FrameArrived, SliceComplete, as_slice
from daemon.assembly_state import AssemblyState
from daemon.codec import pack
from daemon.config import Configuration, parse
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.frame_shelf import open_shelf
from daemon.intake import read_event
from daemon.items import Slice
from daemon.look_ahead import LookAhead
from daemon.pipeline_state import PipelineState, begin_pipeline
from daemon.stages.glancing import glance
from daemon.stages.locating import locate
from daemon.watch import Watcher

SETTINGS = EmulatorSettings(slices=2, height=256, width=320, seed=5, recording=RecordingDesign(fib_every=0))
ASV_NM = 9.5


@dataclass
class Turn:
    """A run that has placed its first slice; the second lies in the folder."""

    configuration: Configuration
    watcher: Watcher
    ahead: LookAhead
    assembly: AssemblyState
    state: PipelineState
    asv_nm: list[float]

    @property
    def images(self) -> list[Path]:
        """Those of the second slice."""
        return sorted((self.configuration.run.folder / "Images").rglob("*002.tif"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """Two slices."""
    root = tmp_path_factory.mktemp("look-ahead")
    emulate(SETTINGS, root / "project", sleep=lambda _s: None)
    return root / "project"


@pytest.fixture
def turn(rendered, tmp_path) -> Turn:
    """The loop's second turn."""
    project = tmp_path / "project"
    for path in rendered.rglob("*.tif"):
        target = project / path.relative_to(rendered)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    configuration = parse(configuration_table(SETTINGS, project, tmp_path / "output"), where=project)
    shelf = open_shelf(configuration)
    watcher = Watcher(project, shelf.pattern, observer="off", clock=iter(range(1000)).__next__)
    for _ in range(4):
        watcher.look()
    asv_nm = [ASV_NM]
    ahead = LookAhead(configuration, watcher, shelf, lambda _index: asv_nm[0], lambda: 0.0)
    assembly, first = initial(rules_of(configuration, 0)), None
    for ready in watcher.take(0.0, 3):
        event, content = read_event(ready, shelf.pattern, shelf.sidecar)
        shelf.keep(ready, event, content)
        assembly, outcomes = step(assembly, event, 0.0)
        first = next((one for one in outcomes if isinstance(one, SliceComplete)), first)
    assert first is not None
    slice_ = as_slice(first, assembly.rules, shelf.frames)
    begun = begin_pipeline(configuration, slice_)
    placed = locate(configuration, begun, slice_, math.nan)
    state = replace(begun, registration=placed.registration, measuring=placed.measuring)
    return Turn(configuration, watcher, ahead, assembly, state, asv_nm)


def second(turn: Turn) -> Slice:
    """The second slice, as the loop comes to it."""
    frames = {}
    assembly = turn.assembly
    for ready in turn.watcher.take(0.0, 3):
        event, _ = turn.ahead.read(ready)
        assert isinstance(event, FrameArrived)
        frames[event.frame.sha256] = event.frame
        assembly, outcomes = step(assembly, event, 0.0)
    (complete,) = [one for one in outcomes if isinstance(one, SliceComplete)]
    return as_slice(complete, assembly.rules, frames)


def look(turn: Turn) -> None:
    """Look at the second slice until there is nothing more to see."""
    turn.ahead.begin(turn.assembly, turn.state)
    for thread in threading.enumerate():
        if thread.name == "look-ahead":
            thread.join()


def test_the_next_slice_is_in_its_place_before_its_turn(turn):
    """Its files may go: they have been read. What was found is what its turn would find, bit for bit."""
    look(turn)
    for path in turn.images:
        path.unlink()
    slice_ = second(turn)
    located = turn.ahead.locate(turn.state, slice_)
    assert located is turn.ahead.locate(turn.state, slice_)
    in_turn = locate(turn.configuration, turn.state, slice_, ASV_NM)
    assert located is not in_turn
    assert pack((located.registration, located.measuring)) == pack((in_turn.registration, in_turn.measuring))
    assert pack(located.thickness) == pack(in_turn.thickness)


def test_the_first_image_has_its_verdict_before_its_turn(turn):
    """One of the three images is there: its thickness is known, and no other's."""
    look(turn)
    slice_ = second(turn)
    known = {
        name: turn.ahead.glance(turn.state, 2, name, frame) is turn.ahead.glance(turn.state, 2, name, frame)
        for name, frame in slice_.frames.items()
    }
    assert sorted(known.values()) == [False, False, True]
    for name, frame in slice_.frames.items():
        assert turn.ahead.glance(turn.state, 2, name, frame) == glance(
            turn.configuration, turn.state, 2, name, frame
        )


def test_what_was_found_from_other_states_is_not_taken(turn):
    """An earlier slice came in between: found anew."""
    look(turn)
    slice_ = second(turn)
    other = replace(turn.state, measuring=begin_pipeline(turn.configuration, slice_).measuring)
    assert turn.ahead.locate(other, slice_) is not turn.ahead.locate(other, slice_)
    assert turn.ahead.locate(other, slice_).thickness != turn.ahead.locate(turn.state, slice_).thickness


def test_what_was_found_with_another_thickness_of_the_software_is_not_taken(turn):
    """It was told meanwhile; the record says what is known in the slice's turn."""
    look(turn)
    slice_ = second(turn)
    turn.asv_nm[0] = ASV_NM + 1.0
    assert turn.ahead.locate(turn.state, slice_).thickness.asv_nm == ASV_NM + 1.0


def test_a_file_that_cannot_be_read_ahead_is_left_to_its_turn(turn):
    """Torn after it was found complete: nobody is told before the loop itself comes to it."""
    turn.images[0].write_bytes(turn.images[0].read_bytes()[:100])
    look(turn)
    ready = turn.watcher.peek(3)
    assert len(ready) == 3
    assert any(isinstance(turn.ahead.read(one)[0], FileRejected) for one in ready)

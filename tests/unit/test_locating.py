"""A slice whose first images were registered while it was not complete lies where it would lie otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.assemble import initial, rules_of, step
from daemon.assembly import FrameArrived, SliceComplete, as_slice
from daemon.codec import pack
from daemon.config import Configuration, load
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.frame_shelf import open_shelf
from daemon.intake import read_event
from daemon.items import Frame, Slice
from daemon.pipeline_state import PipelineState, begin_pipeline
from daemon.stages.locating import Located, locate, register_first
from daemon.stages.registering import Begun
from daemon.toml_text import toml_text
from daemon.watch import Watcher

SETTINGS = EmulatorSettings(slices=2, height=256, width=320, seed=5, recording=RecordingDesign(fib_every=0))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Configuration, list[Slice]]:
    """Two slices, read as the loop reads them."""
    root: Path = tmp_path_factory.mktemp("locating")
    emulate(SETTINGS, root / "project", sleep=lambda _s: None)
    table = configuration_table(SETTINGS, root / "project", root / "output")
    (root / "run.toml").write_text(toml_text(table), encoding="utf-8")
    configuration = load(root / "run.toml")
    return configuration, list(slices(configuration))


def slices(configuration: Configuration) -> Iterable[Slice]:
    """Those that lie in the folder."""
    shelf = open_shelf(configuration)
    watcher = Watcher(
        configuration.run.folder, shelf.pattern, observer="off", clock=iter(range(1000)).__next__
    )
    for _ in range(4):
        watcher.look()
    assembly, frames = initial(rules_of(configuration, 0)), dict[str, Frame]()
    for ready in watcher.take(0.0, 6):
        event, _ = read_event(ready, shelf.pattern, shelf.sidecar)
        assert isinstance(event, FrameArrived)
        frames[event.frame.sha256] = event.frame
        assembly, outcomes = step(assembly, event, 0.0)
        yield from (
            as_slice(one, assembly.rules, frames) for one in outcomes if isinstance(one, SliceComplete)
        )


@pytest.fixture(scope="module")
def state(run) -> PipelineState:
    """After the first slice."""
    configuration, (first, _) = run
    begun = begin_pipeline(configuration, first)
    placed = locate(configuration, begun, first, math.nan)
    return replace(begun, registration=placed.registration, measuring=placed.measuring)


def told(located: Located) -> list[bytes]:
    """All that follows from it, as bytes."""
    return [
        pack(located.registration),
        pack(located.measuring),
        pack(located.thickness),
        pack(dict(located.registered.shifts)),
    ]


def begun_with(run, state: PipelineState, *names: str) -> Begun:
    """After the images of these channels have come, one after the other."""
    configuration, (_, second) = run
    begun = None
    for count in range(1, len(names) + 1):
        at_hand = {name: second.frames[name] for name in names[:count]}
        begun = register_first(configuration, state, second.index, at_hand, begun)
    assert begun is not None
    return begun


@pytest.mark.parametrize(
    ("come", "registered"),
    [
        pytest.param(["1kV"], [], id="the reference may come"),
        pytest.param(["2kV"], ["2kV"], id="the reference is first"),
        pytest.param(["1kV", "2kV"], ["2kV", "1kV"], id="as they are taken"),
        pytest.param(["2kV", "4kV"], ["2kV"], id="one between is missing"),
        pytest.param(["4kV", "1kV", "2kV"], ["2kV", "1kV", "4kV"], id="all, the last first"),
    ],
)
def test_what_is_registered_early_is_what_would_be_registered_in_its_turn(run, state, come, registered):
    """The same bits, whichever images have come before the last."""
    configuration, (_, second) = run
    begun = begun_with(run, state, *come)
    assert list(begun.frames) == registered
    early = locate(configuration, state, second, math.nan, begun)
    assert told(early) == told(locate(configuration, state, second, math.nan))


def test_what_was_registered_early_is_not_registered_again(run, state):
    """What the early work says stands: here something that no image says."""
    configuration, (_, second) = run
    begun = begun_with(run, state, "2kV")
    marked = replace(begun.shifts["2kV"], notes=("early",))
    located = locate(configuration, state, second, math.nan, replace(begun, shifts={"2kV": marked}))
    assert located.registered.shifts["2kV"].notes == ("early",)


@pytest.mark.parametrize("changed", ["image", "depth", "state"])
def test_early_work_from_something_else_is_not_taken(run, state, changed):
    """An image was replaced, the expected depth is another, a slice came in between."""
    configuration, (first, second) = run
    begun = begun_with(run, state, "2kV")
    begun = replace(begun, shifts={"2kV": replace(begun.shifts["2kV"], notes=("early",))})
    match changed:
        case "image":
            begun = replace(begun, frames={"2kV": first.frames["2kV"]})
        case "depth":
            begun = replace(begun, recession_px=begun.recession_px + 1.0)
        case _:
            begun = replace(begun, source=replace(begun.source))
    located = locate(configuration, state, second, math.nan, begun)
    assert told(located) == told(locate(configuration, state, second, math.nan))

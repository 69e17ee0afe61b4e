"""What the network does ahead is what it would do in its turn, and only that is taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.config import parse
from daemon.items import ChannelShift, Frame, FrameMetadata, RegisteredSlice
from daemon.network_ahead import NetworkAhead
from daemon.stages import segmenting
from daemon.stages.segmenting import FaceStack
from models.session import Segmenter, open_segmenter

ZOO = Path(__file__).parents[2] / "models" / "zoo"
SIDE = 64
CONFIGURATION = parse(
    {"run": {"folder": "a", "output": "b"}, "channels": [{"name": "1kV", "voltage_kv": 1.0}]}, where=Path("c")
)
METADATA = FrameMetadata("electron", 1.0, "TLD", 3.26, None, 52.0, False, None)


@dataclass
class Turn:
    """Three faces at hand, and the slice that comes next."""

    ahead: NetworkAhead
    segmenter: Segmenter
    faces: list[FaceStack]
    coming: RegisteredSlice

    def begin(self, *wanted: int) -> None:
        """Work ahead until there is nothing more to do."""
        self.ahead.begin(lambda: self.coming, self.faces, lambda _index: wanted)
        self.ahead.close()

    def come(self) -> list[FaceStack]:
        """The faces that the loop has when the slice has come."""
        return [*self.faces, self.ahead.face(self.coming).prepared]


@pytest.fixture(scope="module")
def network() -> Segmenter:
    """The smallest that is shipped."""
    return open_segmenter(ZOO / "unet_1kv.onnx", threads=1)


@pytest.fixture
def turn(network) -> Turn:
    rng = np.random.default_rng(7)
    faces = [FaceStack(index, rng.integers(0, 256, (1, SIDE, SIDE), np.uint8)) for index in (1, 2, 3)]
    coming = registered(4, rng.integers(0, 256, (SIDE, SIDE), np.uint8))
    return Turn(NetworkAhead(CONFIGURATION, network), network, faces, coming)


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """The faces that the network really was asked for."""
    centres, classify = list[int](), segmenting.classify

    def counted(segmenter: Segmenter, faces: list[FaceStack], centre: int) -> NDArray[np.float32]:
        centres.append(centre)
        return classify(segmenter, faces, centre)

    monkeypatch.setattr(segmenting, "classify", counted)
    return centres


def registered(index: int, image: NDArray[np.uint8]) -> RegisteredSlice:
    frame = Frame(Path("x.tif"), index, image, METADATA, "")
    return RegisteredSlice(index, {"1kV": frame}, {"1kV": ChannelShift(0.3, -1.2, 0.1, 1.0, "fiducial")})


def test_what_is_wanted_of_the_next_slice_is_known_before_its_turn(turn, asked):
    """Bit for bit what its turn would find, without asking the network again."""
    turn.begin(4, 2)
    assert asked == [4, 2]
    faces = turn.come()
    shown, final = turn.ahead.classify(faces, 4), turn.ahead.classify(faces, 2)
    assert asked == [4, 2]
    assert np.array_equal(shown, segmenting.classify(turn.segmenter, faces, 4))
    assert np.array_equal(final, segmenting.classify(turn.segmenter, faces, 2))
    aligned = segmenting.align(turn.coming, ["1kV"], CONFIGURATION.geometry.roi)
    assert np.array_equal(faces[-1].images, aligned.images)


def test_another_slice_in_its_place_is_computed_in_its_turn(turn, asked):
    """The same index, another picture: neither its face nor its labels are those that were found."""
    turn.begin(4)
    other = registered(4, 255 - turn.coming.frames["1kV"].image)
    face = turn.ahead.face(other).prepared
    assert not np.array_equal(face.images, turn.come()[-1].images)
    found = turn.ahead.classify([*turn.faces, face], 4)
    assert asked == [4, 4]
    assert np.array_equal(found, segmenting.classify(turn.segmenter, [*turn.faces, face], 4))


def test_a_neighbour_that_was_lost_makes_it_another_question(turn, asked):
    """Each face that the network looks at counts."""
    turn.begin(2)
    _, *rest = turn.come()
    turn.ahead.classify(rest, 2)
    assert asked == [2, 2]


def test_nothing_comes(turn, asked):
    """Beside a slow microscope: everything in its turn."""
    turn.ahead.begin(lambda: None, turn.faces, lambda _index: [4, 2])
    faces = turn.come()
    turn.ahead.classify(faces, 4)
    assert asked == [4]


def test_a_failure_ahead_is_left_to_the_turn(turn, asked):
    """The loop meets it itself, if it is still there."""
    turn.begin(99)
    assert turn.ahead.classify(turn.come(), 4).shape == (2, SIDE, SIDE)
    assert asked == [99, 4]


def test_the_network_never_runs_twice_at_once(turn, monkeypatch):
    """A loop that wants something else waits until the thread is through."""
    under_way, most = [0], [0]
    classify = segmenting.classify

    def watched(segmenter: Segmenter, faces: list[FaceStack], centre: int) -> NDArray[np.float32]:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        found = classify(segmenter, faces, centre)
        under_way[0] -= 1
        return found

    monkeypatch.setattr(segmenting, "classify", watched)
    turn.ahead.begin(lambda: turn.coming, turn.faces, lambda _index: [4, 2, 1])
    turn.ahead.classify(turn.faces, 3)
    assert most == [1]
    turn.ahead.close()


@pytest.mark.timeout(60)
def test_the_loop_waits_for_what_is_under_way(turn, asked):
    """The slice is found late: its face is not computed twice."""
    found = threading.Event()
    turn.ahead.begin(late(turn, found), turn.faces, lambda _index: [4])
    threading.Timer(0.1, found.set).start()
    turn.ahead.classify(turn.come(), 4)
    assert asked == [4]


def late(turn: Turn, found: threading.Event) -> Callable[[], RegisteredSlice]:
    def coming() -> RegisteredSlice:
        found.wait()
        return turn.coming

    return coming

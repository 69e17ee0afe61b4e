"""What is shown before it is final is what becomes final if nothing changes, and touches nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.resampling import NativePixels
from algorithms.slice_filling import INTERPOLATIONS
from daemon.config import VolumeSection
from daemon.stages.foreseeing import foreseen, strips
from daemon.stages.growing import GrowthState, close_growth, grow, start_growth

HEIGHT, WIDTH = 90, 120
DEPTHS = [0.0, 9.0, 21.0, 33.0, 41.0, 52.0, 60.0, 73.0]
SECTION = VolumeSection(metric_patch_px=0)


def face(number: int) -> NDArray[np.float32]:
    """Probabilities (phase, y, x) of a rod that leans from face to face."""
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    inside = np.hypot(y - HEIGHT / 2 - number, x - WIDTH / 2 + 2 * number) < 14.0
    solid = np.where(inside, 0.9, 0.2).astype(np.float32)
    return np.stack((1.0 - solid, solid))


def grown(name: str, count: int) -> tuple[GrowthState, list[NDArray[np.uint8]]]:
    state, planes = start_growth((HEIGHT, WIDTH), NativePixels(2.5, 2.5), SECTION, 10.0), []
    for number in range(count):
        state, _, final = grow(state, INTERPOLATIONS[name], number, DEPTHS[number], face(number))
        planes += [group.labels for group in final]
    return state, planes


@pytest.mark.parametrize("name", sorted(INTERPOLATIONS))
@pytest.mark.parametrize("final", [0, 1, 4])
def test_foreseen_planes_become_final_when_nothing_changes(name: str, final: int) -> None:
    """With the faces that wait placed as they are and the run ended, the volume's cuts go on as foreseen;
    cubic filling, which keeps a plane's area, may differ where it saw only the strip's."""
    state, _ = grown(name, final)
    waiting = [strips(state, n, DEPTHS[n], face(n)) for n in range(final, len(DEPTHS))]
    ahead = foreseen(state, INTERPOLATIONS[name], waiting)
    complete, parts = grown(name, len(DEPTHS))
    closing = close_growth(complete, INTERPOLATIONS[name])[1]
    volume = np.concatenate([*parts, *(group.labels for group in closing)])
    rest = volume[state.interpolation.next_plane :]
    assert ahead["xz"].shape == rest[:, HEIGHT // 2].shape
    allowed = 0.0 if name == "nearest" else 0.01
    assert np.mean(ahead["xz"] != rest[:, HEIGHT // 2]) <= allowed
    assert np.mean(ahead["yz"] != rest[:, :, WIDTH // 2]) <= allowed
    assert rest[:, HEIGHT // 2].any()


def test_foreseeing_leaves_the_growth_as_it_is() -> None:
    """The next final planes are the same, foreseen or not."""
    state, _ = grown("cubic", 4)
    foreseen(state, INTERPOLATIONS["cubic"], [strips(state, 4, DEPTHS[4], face(5))])
    _, _, groups = grow(state, INTERPOLATIONS["cubic"], 4, DEPTHS[4], face(4))
    again, _ = grown("cubic", 4)
    _, _, others = grow(again, INTERPOLATIONS["cubic"], 4, DEPTHS[4], face(4))
    (planes,), (expected,) = groups, others
    np.testing.assert_array_equal(planes.labels, expected.labels)
    assert planes.first == expected.first


def test_before_any_face_there_is_nothing_to_show() -> None:
    """No rows, of the right width."""
    state, _ = grown("cubic", 0)
    ahead = foreseen(state, INTERPOLATIONS["cubic"], [])
    assert ahead["xz"].shape == (0, WIDTH)
    assert ahead["yz"].shape == (0, HEIGHT)

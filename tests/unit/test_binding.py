"""Bound to memory of its device a network computes what it computes otherwise; here the device is the CPU."""

import numpy as np
import pytest

from daemon.stages.segmenting import ZOO
from models import providers
from models.binding import BoundSession
from models.runtime import Runtime, start

SIDES = (64, 64, 96, 64)


@pytest.fixture(scope="module")
def session():
    path = ZOO / "unet_1kv.onnx"
    return start(path.read_bytes(), (providers.CPU,), path, allow_cpu_fallback=True, threads=1).session


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    return [rng.random((2, 1, 7, side, side), dtype=np.float32) for side in SIDES]


def test_results_are_the_same_to_the_last_bit_and_stay(session, batches):
    """Tiles of one shape, of another, and of the first again; no result is overwritten by the next."""
    bound = BoundSession(session, "cpu")
    results = [bound.run(batch) for batch in batches]
    for batch, result in zip(batches, results, strict=True):
        np.testing.assert_array_equal(result, Runtime(providers.CPU, {}, session).run(batch))


def test_a_tile_that_is_no_block_of_memory_is_taken_as_it_looks(session, batches):
    """A view into a larger image: what is copied to the device is the view."""
    wide = np.concatenate((batches[0], batches[1]), axis=-1)
    bound = BoundSession(session, "cpu")
    for view in (wide[..., :64], wide[..., 64:]):
        np.testing.assert_array_equal(bound.run(view), bound.run(np.ascontiguousarray(view)))
    np.testing.assert_array_equal(
        bound.run(wide[..., 64:]), Runtime(providers.CPU, {}, session).run(batches[1])
    )


def test_a_runtime_uses_what_it_is_bound_to(session, batches):
    """On a GPU each batch goes this way."""
    bound = BoundSession(session, "cpu")
    expected = Runtime(providers.CPU, {}, session).run(batches[0])
    np.testing.assert_array_equal(Runtime(providers.CUDA, {}, session, bound).run(batches[0]), expected)


def test_the_cpu_needs_no_binding():
    """Its memory is the caller's already."""
    path = ZOO / "unet_1kv.onnx"
    assert start(path.read_bytes(), (providers.CPU,), path, allow_cpu_fallback=True, threads=1).bound is None

"""When a device's memory is exhausted the network goes on with fewer tiles, then on the CPU, and says so;
what only claims to be faster than the CPU is left for it.

No GPU runs out of memory on request: here a session of the real network refuses batches above a limit, with
the words of CUDA.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from models import providers
from models.architectures import ResidualUNet
from models.export import Provenance, export_network
from models.normalisation import Normalisation
from models.runtime import Runtime, start
from models.session import open_segmenter, segment
from models.tile_runner import TileRunner

CUDA_WORDS = "CUDA failure 2: out of memory ; GPU=0"
ARENA_WORDS = "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1024"


class Small(Runtime):
    """A device that holds so many tiles and reports itself as CUDA."""

    tiles = 0
    words = CUDA_WORDS
    seen: list[int]

    def run(self, batch):
        self.seen.append(len(batch))
        if len(batch) > self.tiles:
            raise RuntimeException(self.words)
        return super().run(batch)


class Timed(Runtime):
    """A session of the real network on a clock that only its runs move on, so many seconds each."""

    seconds = 0.0
    now: list[float]

    def run(self, batch):
        self.now[0] += self.seconds
        return super().run(batch)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("zoo") / "tiny.onnx"
    provenance = Provenance("tiny", ("1kV",), (1.0,), 3, 2, Normalisation(), "00")
    export_network(ResidualUNet(3, filters=2).eval(), provenance, path)
    return path


def runner(path, tiles, words=CUDA_WORDS):
    def on_cpu():
        return start(path.read_bytes(), (providers.CPU,), path, allow_cpu_fallback=True, threads=1)

    device = type("Device", (Small,), {"tiles": tiles, "words": words, "seen": [], "__slots__": ()})
    real = on_cpu()
    return TileRunner(device(providers.CUDA, {}, real.session), 8, on_cpu), device


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(1).random((8, 1, 3, 64, 64), dtype=np.float32)


@pytest.mark.parametrize("words", [CUDA_WORDS, ARENA_WORDS])
def test_fewer_tiles_at_once_give_the_same_result(path, batch, words):
    """Eight do not fit, nor four: two do, for good; nothing is computed on the CPU."""
    tiles, device = runner(path, 2, words)
    expected = open_segmenter(path).runner.run(batch)
    np.testing.assert_allclose(tiles.run(batch), expected, atol=1e-6)
    tiles.run(batch[:4])
    assert device.seen == [8, 4, 2, 2, 2, 2, 2, 2]
    assert tiles.provider == providers.CUDA
    assert len(tiles.told()) == 2
    assert tiles.told() == ()


def test_a_device_that_holds_no_tile_is_left_for_the_cpu(path, batch):
    """The result is right, and the reason is told where every other refusal is."""
    tiles, device = runner(path, 0)
    expected = open_segmenter(path).runner.run(batch)
    np.testing.assert_allclose(tiles.run(batch), expected, atol=1e-6)
    assert device.seen == [8, 4, 2, 1]
    assert tiles.provider == providers.CPU
    assert "memory" in tiles.refusals[providers.CUDA]
    assert tiles.told()[-1].endswith("now on the CPU")


def test_another_failure_is_no_lack_of_memory(path, batch):
    """It is raised, and nothing is given up."""
    tiles, _ = runner(path, 0, "an illegal memory access was encountered")
    with pytest.raises(RuntimeException, match="illegal"):
        tiles.run(batch)
    assert (tiles.batch_tiles, tiles.told()) == (8, ())


def test_an_image_is_segmented_across_the_step(path):
    """In the middle of an image: no tile is left out."""
    tiles, _ = runner(path, 1)
    whole = open_segmenter(path, largest_tile_px=160)
    window = np.random.default_rng(2).integers(0, 256, (1, 3, 300, 300), dtype=np.uint8)
    stepping = replace(whole, runner=tiles)
    np.testing.assert_allclose(segment(stepping, window), segment(whole, window), atol=1e-6)


def compared(path, batch, claimed_s, cpu_s):
    """A runner on a device that claims to be CUDA, after it has been compared with the CPU."""
    now = [0.0]
    session = start(path.read_bytes(), (providers.CPU,), path, allow_cpu_fallback=True, threads=1).session

    def timed(provider, seconds):
        kind = type("Kind", (Timed,), {"seconds": seconds, "now": now, "__slots__": ()})
        return kind(provider, {}, session)

    tiles = TileRunner(
        timed(providers.CUDA, claimed_s), 8, lambda: timed(providers.CPU, cpu_s), lambda: now[0]
    )
    tiles.compare_with_cpu(batch[:1])
    return tiles


@pytest.mark.parametrize(
    ("claimed_s", "believed"),
    [(0.2, False), (0.1, False), (0.09, False), (0.08, True), (0.002, True)],
    ids=["slower", "the CPU itself", "hardly faster", "faster", "a GPU"],
)
def test_a_device_has_to_be_faster_than_the_cpu(path, batch, claimed_s, believed):
    """What is not is left for the CPU and told with both times; the results stay right."""
    tiles = compared(path, batch, claimed_s, cpu_s=0.1)
    expected = (
        {} if believed else {providers.CUDA: f"a test tile takes it {claimed_s:.3f} s, the CPU 0.100 s"}
    )
    assert (tiles.provider, tiles.refusals) == (providers.CUDA if believed else providers.CPU, expected)
    np.testing.assert_allclose(tiles.run(batch), open_segmenter(path).runner.run(batch), atol=1e-6)


def test_a_device_without_memory_for_a_test_tile_is_not_timed(path, batch):
    """It has been left for the CPU before."""
    tiles, device = runner(path, 0)
    tiles.compare_with_cpu(batch[:1])
    assert device.seen == [1]
    assert "memory" in tiles.refusals[providers.CUDA]

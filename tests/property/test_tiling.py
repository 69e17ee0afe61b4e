"""Tiles cover an image exactly once and see enough around what is kept of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.tiling import padded_length, spans

STRIDE, REACH = 8, 56


@given(blocks=st.integers(1, 600), largest=st.integers(2 * REACH + STRIDE, 1500))
def test_every_pixel_is_kept_once_with_its_surroundings(blocks, largest):
    """Kept parts adjoin from edge to edge; all of a tile's sides but the image's own are REACH away."""
    length = blocks * STRIDE
    tiles = spans(length, largest, REACH, STRIDE)
    assert [tiles[0].keep_from, tiles[-1].keep_to] == [0, length]
    assert all(left.keep_to == right.keep_from for left, right in pairwise(tiles))
    for tile in tiles:
        assert tile.start == 0 or tile.keep_from - tile.start >= REACH
        assert tile.stop == length or tile.stop - tile.keep_to >= REACH
        assert tile.keep_from < tile.keep_to


@given(blocks=st.integers(1, 600), largest=st.integers(2 * REACH + STRIDE, 1500))
def test_tiles_have_one_aligned_shape(blocks, largest):
    """All tiles of an axis are equally long, start at multiples of the stride, and are not too large."""
    tiles = spans(blocks * STRIDE, largest, REACH, STRIDE)
    assert len({tile.stop - tile.start for tile in tiles}) == 1
    assert all(tile.start % STRIDE == 0 and tile.stop % STRIDE == 0 for tile in tiles)
    assert tiles[0].stop - tiles[0].start <= padded_length(largest, STRIDE)


@given(st.integers(1, 10_000))
def test_padding_is_the_least_possible(length):
    """The padded length is the next multiple of the stride."""
    assert 0 <= padded_length(length, STRIDE) - length < STRIDE
    assert padded_length(length, STRIDE) % STRIDE == 0

"""What a killed process leaves behind never gets into what the next one writes."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.errors import StoreError
from daemon.growing_array import forget_unfinished_writes, open_growing_array


def test_a_longer_unfinished_shard_leaves_no_tail(tmp_path):
    """Killed while a shard of three planes was to be replaced; writing two again gives a shard of two."""
    planes = np.random.default_rng(1).integers(0, 2, (3, 96, 96), np.uint8)
    open_growing_array(tmp_path / "whole", (96, 96)).write(0, planes[:2])
    expected = (tmp_path / "whole" / "c" / "0" / "0" / "0").read_bytes()

    array = open_growing_array(tmp_path / "killed", (96, 96))
    array.write(0, planes[:1])
    shard = tmp_path / "killed" / "c" / "0" / "0" / "0"
    shard.with_name("0.__lock").write_bytes(bytes(3 * len(expected)))
    forget_unfinished_writes(tmp_path)
    array.write(0, planes[:2])
    assert shard.read_bytes() == expected
    np.testing.assert_array_equal(open_growing_array(tmp_path / "killed", (96, 96)).read(0, 2), planes[:2])


def test_what_cannot_be_removed_is_an_error(tmp_path):
    """A folder in the place of such a file is nothing that we left: it is named and not touched."""
    (tmp_path / "0.__lock").mkdir()
    with pytest.raises(StoreError, match="rights") as caught:
        forget_unfinished_writes(tmp_path)
    assert str(tmp_path) in caught.value.where

"""Each fault does to a slice's files what it says, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.emulator.faults import FAULTS, Write, parse_fault, with_fault
from daemon.emulator.settings import FaultOrder
from daemon.emulator.tiff import tiff_pieces
from daemon.errors import ConfigurationError
from tests.conftest import fei_ini

NAMES = ("SEM Image", "SEM Image 2", "SEM Image 3")


def pieces(number: int) -> tuple[bytes, ...]:
    """A file of its own for each image."""
    image = np.random.default_rng(number).integers(1, 255, (24, 32), np.uint8)
    texts = [(34682, fei_ini().encode()), (34683, b"<Metadata><A/></Metadata>")]
    return tiff_pieces(image, texts, "0" * 32, 4)


def writes() -> list[Write]:
    """A slice of three images."""
    return [
        Write(Path(name) / f"{name} - SliceImage - 007.tif", lambda number=number: pieces(number))
        for number, name in enumerate(NAMES)
    ]


def struck(text: str) -> tuple[list[Write], list[tuple[Path, bytes, bytes]]]:
    """The writes after a fault, and those whose bytes are not what they were: (path, before, after)."""
    before = {write.path: b"".join(write.pieces()) for write in writes()}
    after = with_fault(parse_fault(text), writes(), np.random.default_rng(1))
    made = [(write.path, b"".join(write.pieces())) for write in after]
    return after, [(p, before[p], data) for p, data in made if p in before and data != before[p]]


@pytest.mark.parametrize("percent", [1, 50, 99, 99.9])
def test_torn_ends_at_its_share(percent):
    """Exactly so many bytes are left, and they are the first."""
    _, ((_, before, after),) = struck(f"torn-{percent}@7")
    assert len(after) == int(percent / 100.0 * len(before))
    assert before.startswith(after)


def test_empty_zeros_and_corrupt():
    """No bytes; as many bytes, all zero; other bytes from the first on."""
    _, ((_, _, empty),) = struck("empty@7")
    _, ((_, before, zeros),) = struck("zeros@7")
    _, ((_, _, garbage),) = struck("corrupt@7")
    assert empty == b""
    assert zeros == bytes(len(before))
    assert garbage[:2] not in (b"II", b"MM")


def test_corrupt_pixels_keep_everything_but_pixels():
    """A sound file: same size and tags, other grey values, only in the share asked for."""
    _, ((_, before, after),) = struck("corrupt-pixels-50@7")
    one, two = (tifffile.imread(io.BytesIO(data)) for data in (before, after))
    assert len(before) == len(after)
    np.testing.assert_array_equal(one[:12], two[:12])
    assert (one[12:] != two[12:]).mean() > 0.9


def test_wrong_size_is_a_sound_smaller_image():
    """The upper rows, with the same metadata text."""
    _, ((_, before, after),) = struck("wrong-size-50@7")
    one, two = (tifffile.imread(io.BytesIO(data)) for data in (before, after))
    np.testing.assert_array_equal(two, one[:12])
    assert fei_ini().encode() in after


def test_swapped_voltage_is_another_images_content():
    """The struck path gets what belongs to another one."""
    _, ((path, _, after),) = struck("swapped-voltage@7")
    others = [b"".join(write.pieces()) for write in writes() if write.path != path]
    assert after in others


def test_duplicate_is_the_same_bytes_under_another_name():
    """One more file, byte for byte the same as another."""
    after, changed = struck("duplicate@7")
    assert changed == []
    contents = [b"".join(write.pieces()) for write in after]
    assert len(contents) == 4
    assert len(set(contents)) == 3
    assert len({write.path for write in after}) == 4


def test_overwritten_comes_again_later_with_other_bytes():
    """The first version is sound, the second has the same path."""
    after, changed = struck("overwritten-3@7")
    (again,) = [write for write in after if write.after_slices]
    assert again.after_slices == 3
    assert [write.path for write in after].count(again.path) == 2
    assert len(changed) == 1


@pytest.mark.parametrize(("text", "left"), [("missing@7", 2), ("lost@7", 0)])
def test_what_is_never_written(text, left):
    """One image, or all of them."""
    after, changed = struck(text)
    assert len(after) == left
    assert changed == []


def test_late_stall_and_share_loss_change_no_byte():
    """Only when things happen."""
    for text, field, amount in (
        ("late-4@7", "after_slices", 4),
        ("stall-9@7", "pause_s", 9.0),
        ("share-loss-2@7", "away_s", 2.0),
    ):
        after, changed = struck(text)
        assert changed == []
        assert [getattr(write, field) for write in after if getattr(write, field)] == [amount]


def test_orders_are_read_with_their_amount():
    """KIND@SLICE and KIND-AMOUNT@SLICE; kinds themselves contain hyphens."""
    assert parse_fault("torn-99.9@4") == FaultOrder("torn", 4, 99.9)
    assert parse_fault("share-loss@4") == FaultOrder("share-loss", 4, None)
    assert parse_fault("clock-skew-2@4") == FaultOrder("clock-skew", 4, 2.0)
    with pytest.raises(ConfigurationError, match="takes no amount"):
        parse_fault("corrupt-3@4")
    assert all(
        with_fault(FaultOrder(kind, 7), writes(), np.random.default_rng(1)) for kind in set(FAULTS) - {"lost"}
    )

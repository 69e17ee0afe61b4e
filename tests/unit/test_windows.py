"""Windows of adjacent slices: complete in the run, repeated at its ends, bridged at gaps."""

import pytest

from models.windows import window_slices


@pytest.mark.parametrize(
    ("centre", "existing", "expected"),
    [
        (10, range(20), (7, 8, 9, 10, 11, 12, 13)),
        (0, range(20), (0, 0, 0, 0, 1, 2, 3)),
        (19, range(20), (16, 17, 18, 19, 19, 19, 19)),
        (4, [4], (4, 4, 4, 4, 4, 4, 4)),
        (10, [7, 8, 10, 11, 12, 13], (7, 8, 10, 10, 11, 12, 13)),
        (10, [7, 8, 9, 10, 13], (7, 8, 9, 10, 10, 13, 13)),
    ],
    ids=["inside", "first", "last", "alone", "a gap before: the centre's side", "two missing after"],
)
def test_missing_slices_are_replaced_by_the_nearest(centre, existing, expected):
    """The centre is always in the middle, the order of depth is kept."""
    assert window_slices(centre, existing, 7) == expected

"""Counter-based random numbers on the device: Philox 4×32-10 [1]_.

.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
   SC '11 (2011).
"""
# Warp compiles the text of these functions; its own scalar types are no Python types to a type checker.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportCallIssue=false

import warp as wp

_UNIT = wp.constant(2.0**-23)
"""23 random bits and a half fit the 24 bits of a float exactly; with one more the sum could round to 1."""
_FACTOR_A, _FACTOR_C = wp.constant(wp.uint64(0xD2511F53)), wp.constant(wp.uint64(0xCD9E8D57))
_BUMP_LOW, _BUMP_HIGH = wp.constant(wp.uint32(0x9E3779B9)), wp.constant(wp.uint32(0xBB67AE85))


@wp.func
def philox(a: wp.uint32, b: wp.uint32, c: wp.uint32, d: wp.uint32, low: wp.uint32, high: wp.uint32):
    """Four random 32-bit words of a counter (a, b, c, d) and a key (low, high)."""
    for _ in range(10):
        first = _FACTOR_A * wp.uint64(a)
        second = _FACTOR_C * wp.uint64(c)
        new_a = wp.uint32(second >> wp.uint64(32)) ^ b ^ low
        new_c = wp.uint32(first >> wp.uint64(32)) ^ d ^ high
        b = wp.uint32(second)
        d = wp.uint32(first)
        a = new_a
        c = new_c
        low = low + _BUMP_LOW
        high = high + _BUMP_HIGH
    return wp.vec4ui(a, b, c, d)


@wp.func
def unit(word: wp.uint32):
    """A number in (0, 1), never 0 or 1."""
    return (float(word >> wp.uint32(9)) + 0.5) * _UNIT


@wp.kernel(enable_backward=False)
def draw_words(
    counters: wp.array2d(dtype=wp.uint32),
    keys: wp.array2d(dtype=wp.uint32),
    words: wp.array2d(dtype=wp.uint32),
):
    """Philox of rows of counters (n, 4) and keys (n, 2), for comparison with its published values."""
    i = wp.tid()
    drawn = philox(counters[i, 0], counters[i, 1], counters[i, 2], counters[i, 3], keys[i, 0], keys[i, 1])
    for k in range(4):
        words[i, k] = drawn[k]

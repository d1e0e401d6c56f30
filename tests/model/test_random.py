"""Twin, continuity and statistics of the random stream."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.random import ZIGGURAT_K, ZIGGURAT_R, ZIGGURAT_W, ZIGGURAT_Y
from secondlight.model.random import AfwRandom


def mt19937(seed, n):
    """Words of Matsumoto & Nishimura's generator, from its definition."""
    state = [seed & 0xFFFFFFFF]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
    for i in range(n):
        upper_lower = (state[i] & 0x80000000) | (state[i + 1] & 0x7FFFFFFF)
        state.append(state[i + 397] ^ (upper_lower >> 1) ^ (0x9908B0DF if upper_lower & 1 else 0))
        y = state[-1]
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        yield y ^ (y >> 18)


def gaussian_twin(words):
    """One deviate, as spec 03.4 tells it."""
    while True:
        word = next(words)
        step, j = word & 0x7F, (word >> 8) & 0xFFFFFF
        sign = 1 if word & 0x80 else -1
        x = j * ZIGGURAT_W[step]
        if j < ZIGGURAT_K[step]:
            return sign * x
        if step < 127:
            y = ZIGGURAT_Y[step + 1] + (ZIGGURAT_Y[step] - ZIGGURAT_Y[step + 1]) * (next(words) / 2**32)
        else:
            u1 = 1 - next(words) / 2**32
            u2 = next(words) / 2**32
            x = ZIGGURAT_R - math.log(u1) / ZIGGURAT_R
            y = math.exp(-ZIGGURAT_R * (x - ZIGGURAT_R / 2)) * u2
        if y < math.exp(-x * x / 2):
            return sign * x


@pytest.mark.parametrize("seed", [1, 5489, 0, 2**32 + 3])
def test_twin(seed):
    words = mt19937(seed or 2**64 - 1, 30_000)
    expected = [gaussian_twin(words) for _ in range(20_000)]
    # the logarithm of the tail may differ by its last bit between the compiler's library and Python's
    np.testing.assert_allclose(AfwRandom(seed).gaussian(20_000), expected, rtol=1e-14)


def test_uniform_is_the_raw_stream():
    words = mt19937(7, 1000)
    np.testing.assert_array_equal(AfwRandom(7).uniform(1000) * 2**32, [next(words) for _ in range(1000)])


def test_tables():
    # steps of equal area, and some of the numbers that the published implementation prints
    x = ZIGGURAT_W * 2.0**24
    np.testing.assert_allclose(
        x[1:127] * (ZIGGURAT_Y[1:127] - ZIGGURAT_Y[2:]), x[0] * (ZIGGURAT_Y[0] - ZIGGURAT_Y[1]), rtol=1e-9
    )
    assert ZIGGURAT_W[[0, 1, 127]].tolist() == [1.62318314817e-08, 2.16291505214e-08, 2.22600839893e-07]
    assert ZIGGURAT_Y[[0, 1, 127]].tolist() == [1.0, 0.963598623011, 0.00265435214565]
    assert ZIGGURAT_K[0] == 0
    assert list(ZIGGURAT_K[1:4]) == [12590644, 14272653, 14988939]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 700), max_size=8))
def test_streams_continue(sizes):
    random = AfwRandom(3)
    parts = np.concatenate([np.zeros(0), *[random.gaussian(n) for n in sizes]])
    np.testing.assert_array_equal(parts, AfwRandom(3).gaussian(sum(sizes)))


def test_uniform_and_gaussian_share_the_stream():
    random = AfwRandom(3)
    random.gaussian(100)
    after = random.uniform(5)
    words = mt19937(3, 400)
    for _ in range(100):
        gaussian_twin(words)
    np.testing.assert_array_equal(after, np.array([next(words) for _ in range(5)]) / 2**32)


def test_larger_than_a_block():
    draw = AfwRandom(1).gaussian(1_300_000)
    np.testing.assert_array_equal(draw[:1000], AfwRandom(1).gaussian(1000))
    assert abs(draw.mean()) < 5 / math.sqrt(len(draw))
    assert abs(draw.var() - 1) < 5 * math.sqrt(2 / len(draw))
    assert abs((draw**4).mean() - 3) < 5 * math.sqrt(96 / len(draw))
    # beyond the last step only the tail's branch can put values
    expected = math.erfc(ZIGGURAT_R / math.sqrt(2)) * len(draw)
    assert abs((abs(draw) > ZIGGURAT_R).sum() - expected) < 5 * math.sqrt(expected)

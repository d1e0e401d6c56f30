"""The words of the Mersenne twister are NumPy's."""

import numpy as np
import pytest

from secondlight.kernels.mersenne_twister import twister_words


@pytest.mark.parametrize("seed", [1, 5489, 2**32 - 1, 2594073385740009756, 2**64 - 1])
def test_words(seed):
    bits = np.random.MT19937()
    bits._legacy_seeding(seed & 0xFFFFFFFF)
    out = np.empty(1500, np.uint64)
    twister_words(np.uint64(seed), out)
    np.testing.assert_array_equal(out, bits.random_raw(1500))

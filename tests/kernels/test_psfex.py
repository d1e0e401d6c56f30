"""Sampling of PSFEx models, against a twin of the spec's steps."""

import numpy as np
import pytest

from helpers.psfex_twin import twin_axis
from secondlight.kernels.psfex import draw_psfex


@pytest.mark.parametrize("step", [1.0, 2.0, 1.37, 0.5])
def test_twin(step):
    rng = np.random.default_rng(1)
    height, width = 21, 23
    y, x = np.mgrid[:height, :width]
    round_one = np.exp(-0.5 * ((x - 11) ** 2 + (y - 10) ** 2) / 9)
    components = np.stack([round_one, rng.normal(0, 0.01, (height, width))]).astype(np.float32)
    basis = np.array([[1.0, 0.5], [1.0, -1.0]], np.float32)
    dx, dy = np.array([0.0, 0.3], np.float32), np.array([0.0, -0.45], np.float32)
    out = np.empty((2, 9, 11))
    draw_psfex(components, basis, dx, dy, step, out)
    for i in range(2):
        model = np.tensordot(basis[i].astype(float), components.astype(float), axes=1)
        expected = (
            twin_axis(height, 9, float(dy[i]), step) @ model @ twin_axis(width, 11, float(dx[i]), step).T
        )
        expected /= expected.sum()
        # the kernel rounds to single precision, as the reference does
        np.testing.assert_allclose(out[i], expected, rtol=0, atol=1e-6 * expected.max())
        assert (out[i] == out[i].astype(np.float32)).all()


def test_outside_the_model_is_zero():
    model = np.ones((1, 5, 5), np.float32)
    zero = np.zeros(1, np.float32)
    out = np.empty((1, 11, 11))
    draw_psfex(model, np.ones((1, 1), np.float32), zero, zero, 1.0, out)
    assert (out[0, :3] == 0).all() and (out[0, :, 8:] == 0).all()
    assert (out[0, 3:8, 3:8] > 0).all()

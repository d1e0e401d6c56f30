"""Mask bits: kernel against its NumPy twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from secondlight.kernels.pixel_flags import mask_bits
from secondlight.model.footprints import span_pixels

NY, NX = 12, 15


def run(mask, spans, x, y, x0=0, y0=0):
    out = np.empty((3, 1), np.int32)
    mask_bits(mask, np.array([0, len(spans)]), spans, x0, y0, np.array([x]), np.array([y]), *out)
    return out[:, 0].tolist()


def twin(mask, spans, x, y, x0, y0):
    rows, columns = span_pixels(spans)
    rows, columns = rows - y0, columns - x0
    inside = (rows >= 0) & (rows < NY) & (columns >= 0) & (columns < NX)
    anywhere = np.bitwise_or.reduce(mask[rows[inside], columns[inside]], initial=0)
    if not np.isfinite(x + y):
        return [anywhere, 0, 0]
    ix, iy = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
    near = mask[max(iy - 1, 0) : max(iy + 2, 0), max(ix - 1, 0) : max(ix + 2, 0)].ravel()
    return [anywhere, np.bitwise_or.reduce(near, initial=0), np.bitwise_and.reduce(near, initial=-1)]


@given(
    seed=st.integers(0, 10**6),
    spans=st.lists(st.tuples(st.integers(-3, 15), st.integers(-4, 8), st.integers(8, 20)), max_size=5),
    x=st.one_of(st.floats(-5, 20), st.just(np.nan)),
    y=st.floats(-5, 20),
    x0=st.integers(-3, 3),
)
def test_twin(seed, spans, x, y, x0):
    mask = np.random.default_rng(seed).choice([0, 1, 3, 2, -(2**31)], (NY, NX)).astype(np.int32)
    spans = np.array(spans, np.int32).reshape(-1, 3)
    assert run(mask, spans, x, y, x0, 1) == twin(mask, spans, x, y, x0, 1)


def test_center_off_the_image():
    """Where no pixel of the 3x3 exists, all of them have every bit (vacuously), and none has any."""
    assert run(np.zeros((NY, NX), np.int32), np.zeros((0, 3), np.int32), 40.0, 5.0) == [0, 0, -1]

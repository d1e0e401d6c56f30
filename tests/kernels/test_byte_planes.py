"""Unit and twin: pixels as planes of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from secondlight.kernels.byte_planes import join_bytes, split_bytes


def shuffled(pixels):
    """All first bytes, then all second bytes, …: as FITS defines it."""
    stored = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    return stored.view(np.uint8).reshape(-1, 4).T


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_bytes_are_those_of_the_twin_and_come_back(kind):
    rng = np.random.default_rng(1)
    pixels = (1e4 * rng.normal(size=(7, 11))).astype(kind)
    planes, counts = np.empty((4, 77), np.uint8), np.zeros((4, 256), np.int64)
    split_bytes(pixels.view(np.uint32), planes, counts)
    assert np.array_equal(planes, shuffled(pixels))
    assert np.array_equal(counts, [np.bincount(plane, minlength=256) for plane in planes])
    back = np.empty_like(pixels)
    join_bytes(planes, back.view(np.uint32))
    assert back.tobytes() == pixels.tobytes()

"""Adding two snaps: spec 01."""

from dataclasses import asdict

import numpy as np
import pytest

from secondlight.errors import InputError, UsageError
from secondlight.model.exposure import Exposure
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.visit_info import VisitInfo
from secondlight.tasks.snap_combine import SnapCombineTask


def snap(value, *, x0=0, y0=0, planes=None, **kwargs):
    image = np.full((4, 5), value, np.float32)
    return Exposure(
        image, np.zeros((4, 5), np.int32), image / 2, x0=x0, y0=y0, mask_planes=MaskPlanes(planes), **kwargs
    )


def combine(exposures, bad=()):
    task = SnapCombineTask()
    task = SnapCombineTask(config=task.ConfigClass(bad_mask_planes=list(bad)))
    return task.run(exposures)


def test_single_exposure_passes_through():
    one = snap(3)
    assert combine(one) is one
    assert combine([one]) is one
    assert combine((one,)) is one


def test_sum():
    a, b = snap(3), snap(4)
    a.mask[0, 0], b.mask[0, 0], b.mask[1, 1] = 1, 2, 8
    out = combine([a, b])
    assert (out.image == 7).all()
    assert (out.variance == 3.5).all()
    assert out.mask[0, 0] == 3
    assert out.mask[1, 1] == 8
    assert out.mask.sum() == 11
    assert (a.image == 3).all()
    assert a.mask.sum() == 1


def test_bad_pixels_are_left_out():
    a, b = snap(3), snap(4)
    bad = a.mask_planes.bits(["SAT"])
    a.mask[0, 0] = bad | 1
    a.mask[2, 2] = b.mask[2, 2] = bad
    out = combine([a, b], ["SAT"])
    assert out.image[0, 0] == 8
    assert out.variance[0, 0] == 8
    assert out.mask[0, 0] == 0
    assert np.isnan(out.image[2, 2])
    assert np.isnan(out.variance[2, 2])
    assert out.mask[2, 2] == out.mask_planes.bits(["NO_DATA"])
    assert out.image[1, 1] == 7


def test_masks_with_other_bits_are_translated():
    a, b = snap(3), snap(4, planes={"SAT": 5, "SPIKE": 0})
    b.mask[0, 0] = 32 | 1
    out = combine([a, b])
    assert out.mask[0, 0] == out.mask_planes.bits(["SAT", "SPIKE"])
    assert "SPIKE" not in a.mask_planes


def test_partial_overlap():
    out = combine([snap(3, x0=10, y0=5), snap(4, x0=12, y0=4)])
    assert (out.image[:3, 2:] == 7).all()
    assert (out.image[:3, :2] == 6).all()
    assert (out.image[3] == 6).all()
    apart = combine([snap(3), snap(4, x0=100)])
    assert (apart.image == 6).all()
    assert (apart.variance == 6).all()


def test_visit_info():
    a = snap(1, visit_info=VisitInfo(id=9, exposure_time=15, date_tai=60000.25), metadata={"A": 1})
    b = snap(1, visit_info=VisitInfo(id=10, exposure_time=14, date_tai=60000.75), metadata={"B": 1})
    out = combine([a, b])
    expected = VisitInfo(id=9, exposure_time=29, date_tai=60000.5)
    # field by field, as NaN is not equal to itself
    np.testing.assert_equal(asdict(out.visit_info), asdict(expected))
    assert out.metadata == {"A": 1}
    assert combine([a, snap(1)]).visit_info is a.visit_info


@pytest.mark.parametrize("n", [0, 3])
def test_wrong_number(n):
    with pytest.raises(InputError, match=f"one or two snaps, not {n}"):
        combine([snap(1)] * n)


@pytest.mark.parametrize("what", ["abc", 7, None, [1, 2]])
def test_wrong_type(what):
    with pytest.raises(UsageError, match="exposures must be"):
        combine(what)

"""What plugins see: columns, safe positions and shapes, PSFs, cut-outs."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, square_footprints
from secondlight.errors import ProcessingError
from secondlight.measurement import Batch
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints
from secondlight.model.psf.gaussian import GaussianPsf
from secondlight.model.schema import Column, Schema

X, Y = [10.0, 25.0, 40.0, 55.0, 70.0], [10.0, 12.0, 14.0, 16.0, 18.0]


@pytest.fixture
def catalog():
    schema = Schema.minimal()
    for name, kind in (
        ("c_x", "D"), ("c_y", "D"), ("c_flag", "Flag"),
        ("s_xx", "D"), ("s_yy", "D"), ("s_xy", "D"), ("s_flag", "Flag"),
        ("p_flag", "Flag"), ("base_InvalidPsf_flag", "Flag"),
    ):  # fmt: skip
        schema.add(Column(name, kind))
    schema.aliases.update(slot_Centroid="c", slot_Shape="s")
    catalog = SourceCatalog(schema, 5, square_footprints(X, Y))
    catalog["c_x"], catalog["c_y"] = np.add(X, 0.3), np.add(Y, -0.2)
    catalog["s_xx"], catalog["s_yy"], catalog["s_xy"] = 3.0, 2.0, 1.0
    return catalog


@pytest.fixture
def exposure():
    return gaussian_stars((40, 80), X, Y, np.full(5, 1e4), x0=3, y0=2)


def test_columns_are_views(catalog, exposure):
    batch = Batch(catalog, exposure, 1, 4)
    batch["slot_Centroid_x"][0] = 7.0
    assert catalog["c_x"][1] == 7.0
    assert len(batch) == batch.n == 3
    assert "slot_Shape_xx" in batch
    assert "slot_Shape_zz" not in batch
    batch.single(2)["p_flag"][:] = True
    assert catalog["p_flag"].tolist() == [False, False, False, True, False]


def test_footprints_are_those_of_the_rows(catalog, exposure):
    """A batch shares the arrays of the whole; its offsets point into them."""
    batch = Batch(catalog, exposure, 2, 4)
    assert batch.footprints.spans is catalog.footprints.spans
    assert [f.area for f in batch.footprints] == batch.footprints.areas.tolist() == [169, 169]
    assert batch.footprints[1].bbox == catalog.footprints[3].bbox
    assert batch.peaks[0].tolist() == X[2:4]


def test_peaks_of_a_footprint_without():
    """Property: NaN, whatever stands before and after."""
    none = Footprint(np.array([[1, 1, 2]], np.int32), np.empty(0, PEAK_DTYPE))
    footprints = Footprints.from_list([none, square_footprints([5], [6])[0], none])
    batch = Batch(SourceCatalog(Schema.minimal(), 3, footprints), gaussian_stars((9, 9), 4, 4, 1), 0, 3)
    np.testing.assert_array_equal(batch.peaks, [[np.nan, 5, np.nan], [np.nan, 6, np.nan]])


def test_safe_centroid(catalog, exposure):
    """Spec 07.4: flagged positions are used and warned of; lost ones are replaced by the peak, if admitted."""
    catalog["c_flag"] = [False, True, True, False, False]
    catalog["c_x"][2] = catalog["c_y"][3] = np.nan
    batch = Batch(catalog, exposure, 0, 5)
    before = catalog["c_x"].copy()
    x, y = batch.centroid("p")
    np.testing.assert_array_equal(x, [10.3, 25.3, 40.0, np.nan, 70.3])
    np.testing.assert_array_equal(y, [9.8, 11.8, 14.0, np.nan, 17.8])
    assert catalog["p_flag"].tolist() == [False, True, True, True, False]
    np.testing.assert_array_equal(batch.center, (x, y))
    np.testing.assert_array_equal(catalog["c_x"], before)


def test_center_sets_no_flag(catalog, exposure):
    catalog["c_flag"] = True
    batch = Batch(catalog, exposure, 0, 5)
    assert batch.center[0].tolist() == catalog["c_x"].tolist()
    assert not catalog["p_flag"].any()


def test_safe_shape(catalog, exposure):
    """Spec 07.4: no ellipse, no shape; a flagged one is used and warned of."""
    catalog["s_xx"][0] = np.nan
    catalog["s_xy"][1] = np.sqrt(6.0)
    catalog["s_flag"][2] = True
    xx, _, xy = Batch(catalog, exposure, 0, 5).shape("p")
    assert np.isnan(xx).tolist() == np.isnan(xy).tolist() == [True, True, False, False, False]
    assert catalog["p_flag"].tolist() == [True, True, True, False, False]
    assert catalog["s_xy"][1] == np.sqrt(6.0)


def test_psf_at_the_centres(catalog, exposure):
    batch = Batch(catalog, exposure, 1, 4)
    assert batch.psf_kernels.shape == (3, 25, 25)
    np.testing.assert_allclose(batch.psf_moments, [[1.8**2, 1.8**2, 0.0]] * 3)
    stamps = batch.psf_stamps
    assert stamps.x0.tolist() == [25 - 12, 40 - 12, 55 - 12]
    assert stamps.y0.tolist() == [12 - 12, 14 - 12, 16 - 12]
    np.testing.assert_allclose(stamps.images.sum(axis=(1, 2)), 1.0, atol=1e-3)
    assert not catalog["base_InvalidPsf_flag"].any()


class PatchyPsf(GaussianPsf):
    """Valid only at x below 50: raises, or returns NaN, elsewhere."""

    def __init__(self, raises):
        super().__init__(1.8, 25, 25)
        self.raises = raises

    def kernel_images(self, x, y):
        images = super().kernel_images(x, y).copy()
        bad = np.asarray(x) > 50
        if bad.any() and self.raises:
            raise ValueError("no PSF there")
        images[bad] = np.nan
        return images


@pytest.mark.parametrize("raises", [True, False])
def test_invalid_psf(catalog, exposure, raises):
    """Where the PSF fails, the source is flagged; its neighbours get theirs."""
    exposure.psf = PatchyPsf(raises)
    batch = Batch(catalog, exposure, 0, 5)
    invalid = [False, False, False, True, True]
    assert np.isnan(batch.psf_kernels).any(axis=(1, 2)).tolist() == invalid
    assert np.isnan(batch.psf_stamps.images).any(axis=(1, 2)).tolist() == invalid
    assert catalog["base_InvalidPsf_flag"].tolist() == invalid
    np.testing.assert_array_equal(batch.psf_kernels[0], GaussianPsf(1.8, 25, 25).kernel_images([1], [1])[0])


def test_psf_that_is_valid_nowhere(catalog, exposure):
    exposure.psf = PatchyPsf(True)
    batch = Batch(catalog, exposure, 3, 5)
    assert np.isnan(batch.psf_kernels).all()
    assert np.isnan(batch.psf_stamps.images).all()
    assert batch["base_InvalidPsf_flag"].all()


def test_memory_error_propagates(catalog, exposure):
    def greedy(x, y):
        raise MemoryError

    with pytest.raises(MemoryError):
        Batch(catalog, exposure, 0, 5).evaluate_psf(greedy, np.zeros(5), np.zeros(5))


def test_no_psf(catalog, exposure):
    exposure.psf = None
    with pytest.raises(ProcessingError, match="no PSF"):
        _ = Batch(catalog, exposure, 0, 5).psf_kernels


def test_stamps(catalog, exposure):
    """Twin: slicing, one source at a time; pixels off the image are 0 and not valid."""
    catalog["c_x"][0], catalog["c_y"][0] = 4.0, 3.0  # at the corner
    catalog["c_x"][4] = np.nan
    stamps = Batch(catalog, exposure, 0, 5).stamps(3)
    assert stamps.image.shape == (5, 7, 7)
    assert stamps.image.dtype == np.float32
    for i in range(1, 4):
        x0, y0 = int(X[i]) - 3, int(Y[i]) - 3
        assert (stamps.x0[i], stamps.y0[i]) == (x0, y0)
        cut = np.s_[y0 - 2 : y0 + 5, x0 - 3 : x0 + 4]
        np.testing.assert_array_equal(stamps.image[i], exposure.image[cut])
        np.testing.assert_array_equal(stamps.variance[i], exposure.variance[cut])
        assert stamps.valid[i].all()
    assert stamps.valid[0].sum() == 5 * 5
    np.testing.assert_array_equal(stamps.image[0][2:, 2:], exposure.image[:5, :5])
    assert (stamps.image[0][~stamps.valid[0]] == 0).all()
    assert not stamps.valid[4].any()

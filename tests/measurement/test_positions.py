"""base_FPPosition, base_Jacobian, base_PeakCentroid and base_ClassificationSizeExtendedness on a batch."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, square_footprints
from helpers.recorded import measured_exposure
from helpers.shared import needs_shared

X, Y = np.array([30.2, 60.7]), np.array([30.0, 31.0])


def test_without_detector_and_wcs():
    """What the exposure lacks is told by flags."""
    names = ["base_SdssCentroid", "base_FPPosition", "base_Jacobian"]
    catalog = measure(gaussian_stars((60, 90), X, Y, [1e4, 1e4]), square_footprints(X, Y), names)
    assert catalog["base_FPPosition_missingDetector_flag"].all()
    assert not catalog["base_FPPosition_flag"].any()
    assert np.isnan(catalog["base_FPPosition_x"]).all()
    assert catalog["base_Jacobian_flag"].all() and np.isnan(catalog["base_Jacobian_value"]).all()


@needs_shared
def test_detector_and_wcs():
    """Property: positions on the focal plane differ by the pixels' size; areas of pixels are those of the sky's grid."""
    recorded = measured_exposure("small")
    exposure = gaussian_stars((60, 90), X, Y, [1e4, 1e4])
    exposure.detector, exposure.wcs = recorded.detector, recorded.wcs

    def scale(config):
        config.plugins["base_Jacobian"].pixelScale = 0.2

    names = ["base_SdssCentroid", "base_FPPosition", "base_Jacobian", "base_SkyCoord"]
    catalog = measure(exposure, square_footprints(X, Y), names, scale)
    position = np.array([catalog["base_FPPosition_x"], catalog["base_FPPosition_y"]])
    pixels = np.array([catalog["base_SdssCentroid_x"], catalog["base_SdssCentroid_y"]])
    # pixels of 10 micrometres
    assert np.linalg.norm(np.diff(position)) == pytest.approx(
        0.01 * np.linalg.norm(np.diff(pixels)), rel=1e-6
    )
    assert not catalog["base_FPPosition_missingDetector_flag"].any()
    assert catalog["base_Jacobian_value"] == pytest.approx(1, rel=0.01)
    assert not catalog["base_Jacobian_flag"].any()


def test_peak_centroid():
    """The first peak is the centroid; a footprint without is flagged."""
    from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints

    squares = list(square_footprints(X, Y))
    squares.append(Footprint(squares[0].spans, np.empty(0, PEAK_DTYPE)))

    def slot(config):
        config.slots.centroid = "base_PeakCentroid"

    exposure = gaussian_stars((60, 90), X, Y, [1e4, 1e4])
    catalog = measure(exposure, Footprints.from_list(squares), ["base_PeakCentroid"], slot)
    np.testing.assert_array_equal(catalog["base_PeakCentroid_x"], [30, 61, np.nan])
    np.testing.assert_array_equal(catalog["slot_Centroid_y"], [30, 31, np.nan])
    assert catalog["base_PeakCentroid_flag"].tolist() == [False, False, True]


def test_size_extendedness():
    """Property: a star is near 0, a galaxy near 1, and what has no shape is flagged."""
    names = [
        "base_SdssCentroid", "ext_shapeHSM_HsmSourceMoments", "ext_shapeHSM_HsmPsfMoments",
        "base_ClassificationSizeExtendedness",
    ]  # fmt: skip
    x, y = np.array([30.0, 80.0, 130.0]), np.array([40.0, 40.0, 40.0])
    exposure = gaussian_stars((80, 160), x[:1], y[:1], [1e4])
    exposure.image += gaussian_stars((80, 160), x[1:2], y[1:2], [1e5], sigma=4.0).image
    exposure.image -= gaussian_stars((80, 160), x[2:], y[2:], [1e4]).image
    catalog = measure(exposure, square_footprints(x, y, 15), names)
    value, flag = (catalog[f"base_ClassificationSizeExtendedness_{c}"] for c in ("value", "flag"))
    assert value[0] < 0.01 < 0.99 < value[1]
    assert np.isnan(value[2]) and flag.tolist() == [False, False, True]

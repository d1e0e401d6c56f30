"""base_PixelFlags on a batch."""

import numpy as np

from helpers.measuring import gaussian_stars, measure, square_footprints

NAMES = ["base_SdssCentroid", "base_PixelFlags"]


def flags(exposure, x, y, configure=None, half=6):
    catalog = measure(exposure, square_footprints(x, y, half), NAMES, configure)
    prefix = "base_PixelFlags_flag"
    names = [n for n in catalog.columns if n.startswith(prefix)]
    return [{n[len(prefix) + 1 :] for n in names if catalog[n][i]} for i in range(len(catalog))]


def test_planes_and_regions():
    """A bit in the wings, next to the centre, over all of the core; each plane has flags of its own."""
    x, y = [30.0, 60.0, 90.0], [30.0, 30.0, 30.0]
    exposure = gaussian_stars((60, 120), x, y, [1e4] * 3, x0=0, y0=0)
    bits = exposure.mask_planes
    exposure.mask[34, 34] |= bits.bits(["SAT"])
    exposure.mask[31, 61] |= bits.bits(["CR"])
    exposure.mask[28:33, 88:93] |= bits.bits(["INTRP", "SUSPECT"])
    exposure.mask[0, 0] |= bits.bits(["BAD"])
    assert flags(exposure, x, y) == [
        {"saturated"},
        {"cr", "crCenter"},
        {f"{p}{r}" for p in ("interpolated", "suspect") for r in ("", "Center", "CenterAll")},
    ]


def test_center_off_the_image():
    """A centroid off the image is at its edge; no pixel around it exists, so all of them have every bit."""
    planes = ("edge", "nodata", "interpolated", "saturated", "cr", "bad", "suspect")
    exposure = gaussian_stars((60, 60), 30, 30, 1e4)
    assert flags(exposure, [200.0], [30.0]) == [
        {"offimage", "edge", "edgeCenter"} | {f"{p}CenterAll" for p in planes}
    ]


def test_without_a_centroid():
    """Only the footprint can be looked at."""
    exposure = gaussian_stars((60, 60), 30, 30, 1e4)
    exposure.mask[33, 33] = exposure.mask_planes.bits(["NO_DATA"])
    footprints = square_footprints([30.0], [30.0])
    footprints.peaks["f_x"] = np.nan
    catalog = measure(exposure, footprints, NAMES)
    assert catalog["base_PixelFlags_flag"][0]
    assert catalog["base_PixelFlags_flag_nodata"][0]
    assert not catalog["base_PixelFlags_flag_offimage"][0]


def test_more_planes():
    """Configured planes get flags of their own; one that the image does not have is never set."""

    def configure(config):
        config.plugins["base_PixelFlags"].masksFpCenter = ["STREAK", "NONE_SUCH"]
        config.plugins["base_PixelFlags"].masksFpAnywhere = ["STREAK"]

    exposure = gaussian_stars((60, 60), 30, 30, 1e4)
    exposure.mask[30, 29:32] = exposure.mask_planes.bits(["STREAK"])
    assert flags(exposure, [30.0], [30.0], configure) == [{"streak", "streakCenter"}]

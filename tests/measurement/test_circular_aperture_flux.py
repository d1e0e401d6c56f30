"""base_CircularApertureFlux: names, flags at edges, and fluxes of stars."""

import math

import numpy as np
import pytest
from lsst.pex.config import FieldValidationError

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints

NAME = "base_CircularApertureFlux"
NAMES = ["base_SdssCentroid", NAME]


def test_radii_name_the_columns_and_choose_the_flags():
    def configure(config):
        config.plugins[NAME].radii = [20.0, 2.5, 5.0]
        config.plugins[NAME].maxSincRadius = 5.0

    task = measurement_task(NAMES, configure)
    columns = [c for c in task.schema.names if c.startswith(NAME)]
    plain = ["instFlux", "instFluxErr", "flag", "flag_apertureTruncated"]
    assert columns == [
        *[f"{NAME}_20_0_{c}" for c in plain],
        *[f"{NAME}_2_5_{c}" for c in [*plain, "flag_sincCoeffsTruncated"]],
        *[f"{NAME}_5_0_{c}" for c in [*plain, "flag_sincCoeffsTruncated"]],
    ]
    assert task.alg_metadata[f"{NAME.upper()}_RADII"] == [20.0, 2.5, 5.0]
    assert task.schema.aliases[f"{NAME}_flag_badCentroid"] == "base_SdssCentroid_flag"


def test_flux_within_circles_of_a_gaussian():
    x, y = np.array([1080.2, 1150.6]), np.array([2090.4, 2110.1])
    exposure = gaussian_stars((230, 240), x, y, [1e5, 3e5], noise=2.0, x0=1000, y0=2000)
    catalog = measure(exposure, square_footprints(x, y), NAMES)
    # the other star is 73 pixels away: the largest circle would hold some of it
    for radius in (12.0, 17.0, 25.0, 35.0, 50.0):
        prefix = f"{NAME}_{radius:.1f}".replace(".", "_")
        error = 2.0 * math.sqrt(math.pi) * radius
        assert catalog[f"{prefix}_instFluxErr"] == pytest.approx(error, rel=0.02)
        assert np.abs(catalog[f"{prefix}_instFlux"] - [1e5, 3e5]).max() < 5 * error
        assert not catalog[f"{prefix}_flag"].any()


def test_edges():
    x, y = np.array([60.0, 8.0, 60.0]), np.array([60.0, 60.0, 20.0])
    exposure = gaussian_stars((130, 130), x, y, [1e5] * 3, noise=1.0)
    catalog = measure(exposure, square_footprints(x, y), NAMES)

    def flags(flag):
        return {
            c.removeprefix(f"{NAME}_").removesuffix(f"_{flag}"): catalog[c].tolist()
            for c in catalog.columns
            if c.startswith(NAME) and c.endswith(f"_{flag}")
        }

    inside, left, low = [False] * 3, [False, True, False], [False, True, True]
    assert flags("flag_apertureTruncated") == {
        **dict.fromkeys(["3_0", "4_5", "6_0"], inside),
        **dict.fromkeys(["9_0", "12_0", "17_0"], left),
        **dict.fromkeys(["25_0", "35_0", "50_0"], low),
        "70_0": [True] * 3,
    }
    # coefficients of radius 3 reach 7 pixels, of 6 15, of 12 31
    assert flags("flag_sincCoeffsTruncated") == {
        "3_0": inside,
        **dict.fromkeys(["4_5", "6_0"], left),
        **dict.fromkeys(["9_0", "12_0"], low),
    }
    for prefix, truncated in flags("flag_apertureTruncated").items():
        assert np.isnan(catalog[f"{NAME}_{prefix}_instFlux"]).tolist() == truncated
        assert catalog[f"{NAME}_{prefix}_flag"][truncated].all()


def test_centroid_flag_is_passed_on_to_every_radius():
    exposure = gaussian_stars((200, 200), [100.0], [100.0], [1e4], noise=1.0)
    exposure.image[:] = -exposure.image
    catalog = measure(exposure, square_footprints([100.0], [100.0]), NAMES)
    assert catalog["base_SdssCentroid_flag"][0]
    for radius in ("3_0", "12_0", "17_0", "70_0"):
        assert catalog[f"{NAME}_{radius}_flag"][0]
        assert np.isfinite(catalog[f"{NAME}_{radius}_instFlux"][0])


def test_nan_pixel_flags_the_apertures_that_hold_it():
    exposure = gaussian_stars((200, 200), [100.0], [100.0], [1e4], noise=1.0)
    exposure.image[100, 130] = np.nan
    catalog = measure(exposure, square_footprints([100.0], [100.0]), NAMES)
    spoilt = [c for c in catalog.columns if c.startswith(NAME) and c.endswith("0_flag") and catalog[c][0]]
    # the coefficients of radii 9 and 12 reach 31 pixels, too
    assert spoilt == [f"{NAME}_{r}_flag" for r in ("9_0", "12_0", "35_0", "50_0", "70_0")]


def test_shift_kernel():
    exposure = gaussian_stars((120, 120), [60.3], [59.6], [1e5])
    fluxes = []
    for kernel in ("lanczos3", "lanczos5"):

        def configure(config, kernel=kernel):
            config.plugins[NAME].radii = [9.0]
            config.plugins[NAME].shiftKernel = kernel
            config.plugins[NAME].reproduceReferenceDefects = True

        catalog = measure(exposure, square_footprints([60.3], [59.6]), NAMES, configure)
        fluxes.append(catalog[f"{NAME}_9_0_instFlux"][0])
    assert fluxes[0] != fluxes[1]
    assert fluxes == pytest.approx([1e5, 1e5], rel=3e-3)
    with pytest.raises(FieldValidationError, match="shiftKernel"):
        measurement_task(NAMES, lambda config: setattr(config.plugins[NAME], "shiftKernel", "sinc"))

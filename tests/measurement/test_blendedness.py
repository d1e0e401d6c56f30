"""base_Blendedness on a batch: alone, among neighbours, and after all other plugins."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprint, Footprints, HeavyPixels, span_pixels

NAME = "base_Blendedness"
NAMES = ["base_SdssCentroid", "ext_shapeHSM_HsmSourceMoments", NAME]
X, Y = np.array([30.0, 36.0]), np.array([30.0, 30.0])


def pair(noise=0.0):
    """A blend of two stars, deblended perfectly: parent and children, which own their own star's light."""
    exposure = gaussian_stars((60, 66), X, Y, [1e4, 1e4], noise=noise)
    alone = [gaussian_stars((60, 66), x, y, 1e4).image for x, y in zip(X, Y, strict=True)]
    parent = square_footprints(33.0, 30.0, 12)[0]
    children = []
    for child, image in zip(square_footprints(X, Y, 10), alone, strict=True):
        y, x = span_pixels(child.spans)
        pixels = HeavyPixels(image[y, x], np.zeros(len(x), np.int32), np.ones(len(x), np.float32))
        children.append(Footprint(child.spans, child.peaks, pixels))
    return exposure, Footprints.from_list([parent, *children])


def run(exposure, footprints, configure=None):
    def settle(config):
        config.doReplaceWithNoise = True
        if configure is not None:
            configure(config)

    task = measurement_task(NAMES, settle)
    catalog = SourceCatalog(task.schema, 3, footprints)
    catalog["id"], catalog["parent"] = [1, 2, 3], [0, 1, 1]
    task.run(catalog, exposure)
    return catalog


def test_blend():
    """Property: of two equal stars six pixels apart, the neighbour adds what its light under the weight is."""
    catalog = run(*pair())
    w = 1.8**2
    # overlap of Gaussians of one width at distance 6, relative to that at distance 0
    expected = np.exp(-0.25 * 36 / w)
    blended = 1 - 1 / (1 + expected)
    for kind in ("raw", "abs"):
        assert catalog[f"{NAME}_{kind}"][1:] == pytest.approx(blended, rel=0.1)
        np.testing.assert_allclose(catalog[f"{NAME}_{kind}_child_instFlux"][1:], 1e4, rtol=0.02)
        np.testing.assert_allclose(catalog[f"{NAME}_{kind}_child_xx"][1:], w, rtol=0.1)
        assert (catalog[f"{NAME}_{kind}_parent_xx"][1:] > catalog[f"{NAME}_{kind}_child_xx"][1:]).all()
    np.testing.assert_allclose(catalog[f"{NAME}_old"][1:], expected, rtol=0.01)
    # the parent's pixels are those of the image
    assert catalog[f"{NAME}_raw"][0] == catalog[f"{NAME}_old"][0] == 0
    assert not catalog[f"{NAME}_flag"][1:].any()


def test_parts():
    """Each part can be switched off, with its columns."""

    def only(part):
        def configure(config):
            for name in ("doOld", "doFlux", "doShape"):
                setattr(config.plugins[NAME], name, name == part)

        return configure

    whole = run(*pair())
    for part, columns in (
        ("doOld", ["old"]),
        ("doFlux", ["raw", "abs_parent_instFlux"]),
        ("doShape", ["raw_child_xy"]),
    ):
        catalog = run(*pair(), only(part))
        for column in columns:
            np.testing.assert_array_equal(catalog[f"{NAME}_{column}"], whole[f"{NAME}_{column}"])
    assert f"{NAME}_raw_child_xx" not in run(*pair(), only("doFlux"))
    assert f"{NAME}_old" not in run(*pair(), only("doShape"))


def test_flags():
    """No shape: nothing, and flags. A doubtful centroid and so shape: told, but measured."""
    exposure = gaussian_stars((60, 60), [40.0, 7.0], [30.0, 30.0], [0.0, 1e4])
    catalog = measure(exposure, square_footprints([40.0, 7.0], [30.0, 30.0]), NAMES)
    for flag in ("flag", "flag_noShape", "flag_noCentroid"):
        assert catalog[f"{NAME}_{flag}"].tolist() == [True, True]
    np.testing.assert_array_equal(np.isnan(catalog[f"{NAME}_raw_child_instFlux"]), [True, False])


def test_runs_last():
    task = measurement_task(NAMES)
    assert task.plugins[-1].name == NAME
    names = task.schema.names
    assert names.index(f"{NAME}_old") < names.index("ext_shapeHSM_HsmSourceMoments_x")

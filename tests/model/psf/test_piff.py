"""Piff models: against Piff's own drawing where it is installed, and on grids whose picture is known."""

import math

import numpy as np
import pytest
from lsst.images import Box

from helpers.psfs import piff_psf
from secondlight.model.psf import (
    AffineWcs,
    FieldWcs,
    PiffInterpolation,
    PiffPsf,
    PiffStars,
    PixelGrid,
    SkyWcs,
    as_batch,
    piff_from_objects,
    piff_from_parts,
)

X = np.array([3.0, 200.25, 511.5, 800.9, 1000.0])
Y = np.array([5.0, 900.75, 499.3, 17.49, 2.0])


def compare(own: PiffPsf, theirs, *, stars=True, **properties) -> float:
    """Largest difference from Piff's drawing, over the peak."""
    from helpers.piff_objects import draw

    kernels, stamps = own.kernel_images(X, Y), own.stellar_images(X, Y)
    worst = 0.0
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        image, *_ = draw(theirs, x, y, own.width, star=False, **properties)
        worst = max(worst, np.abs(kernels[i] - image).max() / image.max())
        if stars and 0.5 not in (x % 1, y % 1):
            image, x0, y0 = draw(theirs, x, y, own.width, star=True, **properties)
            assert (x0, y0) == (stamps.x0[i], stamps.y0[i])
            worst = max(worst, np.abs(stamps.images[i] - image).max() / image.max())
    return float(worst)


def test_grid_of_pixels_is_itself():
    # a grid as fine as the pixels, on the pixels: the kernel image is the grid
    values = np.random.default_rng(1).uniform(1, 2, (7, 7))
    stars = PiffStars(*(np.zeros(1) for _ in "xy"), *(np.zeros(1, bool) for _ in "fr"), np.zeros(1))
    psf = PiffPsf(
        PixelGrid(0.2, 7, 5),
        PiffInterpolation(("x",), np.ones(1, bool), values.reshape(-1, 1)),
        AffineWcs((0.2, 0.0, 0.0, 0.2)),
        stars,
        height=5,
        width=5,
    )
    inner = values[1:6, 1:6] / values[1:6, 1:6].sum()
    np.testing.assert_allclose(psf.kernel_images([3.0], [4.0])[0], inner, rtol=1e-12)
    stamps = psf.stellar_images([103.0], [54.0])
    np.testing.assert_allclose(stamps.images[0], inner, rtol=1e-12)
    assert (stamps.x0[0], stamps.y0[0]) == (101, 52)


def test_star_between_pixels_is_centred():
    stamps = piff_psf().stellar_images([10.5, -3.5], [20.5, -7.5])
    assert stamps.x0.tolist() == [11 - 12, -3 - 12]
    assert stamps.y0.tolist() == [21 - 12, -7 - 12]
    columns = np.arange(25)
    place = (stamps.images.sum(axis=1) * columns).sum(axis=1) + stamps.x0
    np.testing.assert_allclose(place, [10.5, -3.5], atol=0.02)


def test_average_position_and_options():
    psf = piff_psf()
    assert psf.average_position == (300.0, 550.0)
    assert psf.wcs.pixel_scale == 0.2
    assert piff_psf((0.2, 0.0, 0.0, 0.3)).wcs.pixel_scale is None
    assert psf.color is None


def test_conserving_interpolant_keeps_a_constant():
    # K of Lanczos-3, as GalSim's documentation lists them
    series = PixelGrid(1.0, 5, 3).series
    np.testing.assert_allclose(series[:4], [1.416e-3, 4.390e-5, 7.716e-6, 2.343e-6], rtol=1e-3)
    assert len(PixelGrid(1.0, 5, 3, conserve_dc=False).series) == 0


@pytest.mark.parametrize(
    "interpolant", ["Lanczos(3)", "Lanczos(7)", "Lanczos(11)", "Lanczos(5,conserve_dc=False)"]
)
def test_piff_interpolants(interpolant):
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    theirs = make_piff(interpolant=f"galsim.{interpolant}")
    assert compare(piff_from_objects(theirs, height=25, width=25), theirs) < 1e-10


def test_piff_is_what_the_example_translates():
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    own, other = piff_psf(), piff_from_objects(make_piff(), height=25, width=25)
    # the square root in the example's scale rounds
    np.testing.assert_allclose(own.kernel_images(X, Y), other.kernel_images(X, Y), rtol=1e-9, atol=1e-12)
    assert own.average_position == other.average_position
    assert other.options.psf["type"] == "Simple"
    assert other.options.model["type"] == "PixelGrid"
    assert other.options.interp["type"] == "BasisPolynomial"
    assert {"chisq": 10.0, "dof": 8, "niter": 2}.items() <= other.options.chisq.items()


@pytest.mark.parametrize("kind", ["jacobian", "affine", "offset", "even"])
def test_piff_coordinates(kind):
    pytest.importorskip("piff")
    import galsim

    from helpers.piff_objects import make_piff

    wcs = {
        "jacobian": galsim.JacobianWCS(0.18, 0.05, -0.06, 0.21),
        "affine": galsim.AffineTransform(
            0.18,
            0.05,
            -0.06,
            0.21,
            origin=galsim.PositionD(100, 50),
            world_origin=galsim.PositionD(3, 4),
        ),
        "offset": galsim.OffsetWCS(0.21, origin=galsim.PositionD(10, 5)),
        "even": galsim.PixelScale(0.19),
    }[kind]
    theirs = make_piff(wcs=wcs)
    size = 24 if kind == "even" else 25
    own = piff_from_objects(theirs, height=size, width=size)
    assert compare(own, theirs, stars=kind != "even") < 1e-10


def ast_mapping(header):
    """Pixels (counted from 1) to the sky [rad] of a FITS header, by AST."""
    import starlink.Ast

    channel = starlink.Ast.FitsChan()
    for card in header.cards:
        channel.putfits(str(card), 0)
    channel.clear("Card")
    return channel.read()


def sky_header():
    from astropy.io import fits

    header = fits.Header()
    header["NAXIS"] = 2
    for i, (kind, value, pixel) in enumerate(
        (("RA---TAN", 0.01, 500.0), ("DEC--TAN", -35.0, 400.0)), start=1
    ):
        header[f"NAXIS{i}"] = 1000
        header[f"CTYPE{i}"] = kind
        header[f"CRVAL{i}"] = value
        header[f"CRPIX{i}"] = pixel
    scale = 0.2 / 3600
    for name, value in (("CD1_1", -0.9), ("CD1_2", 0.4), ("CD2_1", 0.4), ("CD2_2", 0.9)):
        header[name] = value * scale
    return header


class CelestialWcsWrapper:
    """Of the attributes that the stack's class of this name has."""

    def __init__(self, mapping, origin=None):
        self._pix_to_sky = mapping
        self._origin = origin


def test_piff_on_the_sky():
    pytest.importorskip("piff")
    import galsim

    from helpers.piff_objects import make_piff

    header = sky_header()
    pointing = galsim.CelestialCoord(0.03 * galsim.degrees, -35.02 * galsim.degrees)
    theirs = make_piff(wcs=galsim.FitsWCS(header=header), pointing=pointing)
    expected = theirs.wcs[0]
    theirs.wcs = {0: CelestialWcsWrapper(ast_mapping(header))}
    own = piff_from_objects(theirs, height=25, width=25)
    assert isinstance(own.wcs, SkyWcs)
    theirs.wcs = {0: expected}
    u, v = own.wcs.field(X, Y)
    for i in range(len(X)):
        sky = expected.toWorld(galsim.PositionD(X[i], Y[i]))
        u_i, v_i = pointing.project(sky)
        assert (u[i], v[i]) == pytest.approx((u_i / galsim.arcsec, v_i / galsim.arcsec), abs=1e-7)
        local = expected.local(galsim.PositionD(X[i], Y[i]))
        assert own.wcs.jacobians(X, Y)[i] == pytest.approx(
            [local.dudx, local.dudy, local.dvdx, local.dvdy], abs=1e-8
        )
    assert compare(own, theirs) < 1e-6


def test_piff_on_the_sky_needs_a_pointing():
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    theirs = make_piff()
    theirs.wcs = {0: CelestialWcsWrapper(None)}
    with pytest.raises(ValueError, match="no pointing"):
        piff_from_objects(theirs, height=25, width=25)


class Bent:
    """A mapping that is not linear."""

    def tran(self, points, forward=True):
        x, y = points
        return np.stack([1e-6 * (x + 1e-5 * x * y), 1e-6 * (y - 2e-5 * x * x)])


def test_field_angles():
    wcs = FieldWcs(Bent(), origin=(10.0, 20.0), world_origin=(1.0, 2.0))
    to_arcsec = math.degrees(1.0) * 3600
    u, v = wcs.field(X, Y)
    dx, dy = X - 10, Y - 20
    np.testing.assert_allclose(u, 1.0 + to_arcsec * 1e-6 * (dx + 1e-5 * dx * dy), rtol=1e-12)
    np.testing.assert_allclose(v, 2.0 + to_arcsec * 1e-6 * (dy - 2e-5 * dx * dx), rtol=1e-12)
    expected = 1e-6 * to_arcsec * np.stack([1 + 1e-5 * dy, 1e-5 * dx, -4e-5 * dx, np.ones_like(dx)], axis=1)
    np.testing.assert_allclose(wcs.jacobians(X, Y), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("max_order", [None, 2, {("u", "v"): 2}, {}])
def test_terms_are_piffs(max_order):
    pytest.importorskip("piff")
    import piff

    theirs = piff.BasisPolynomial([2, 1], keys=["u", "v"], max_order=max_order)
    star = piff.Star.makeTarget(x=3.0, y=4.0, u=0.7, v=-1.3, scale=1.0)
    terms = theirs.basis(star)
    parts = {
        "model": {"type": "PixelGrid", "scale": 1.0, "size": 1, "interp": "Lanczos(5)"},
        "interp": {"type": "BasisPolynomial", "order": [2, 1], "keys": ["u", "v"], "max_order": max_order},
    }
    psf = piff_from_parts(
        **parts,
        solution=np.ones((1, len(terms))),
        pixel_scale=1.0,
        stars=[(1, 2, False, False)],
        stamp_size=3,
    )
    basis = psf.interpolation.basis({"u": np.array([0.7]), "v": np.array([-1.3])})
    np.testing.assert_allclose(basis[0], terms, rtol=1e-14)


@pytest.mark.parametrize("kind", ["poly", "chebyshev", "legendre"])
def test_piff_polynomials_of_each_value(kind):
    pytest.importorskip("piff")
    import piff

    from helpers.piff_objects import make_piff

    theirs = make_piff()
    solution = theirs.interp.q
    theirs.interp = piff.Polynomial(order=1, poly_type=kind)
    theirs.interp._setup_indices(625)
    theirs.interp.coeffs = [np.array([[c[0], c[2]], [c[1], 0.0]]) for c in solution]
    assert compare(piff_from_objects(theirs, height=25, width=25), theirs) < 1e-10


def test_piff_mean():
    pytest.importorskip("piff")
    import piff

    from helpers.piff_objects import make_piff

    theirs = make_piff()
    solution = theirs.interp.q
    theirs.interp = piff.Mean()
    theirs.interp.mean = solution[:, 0]
    assert compare(piff_from_objects(theirs, height=25, width=25), theirs) < 1e-10


def test_colour_is_the_mean_of_the_stars(caplog):
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    theirs = make_piff(keys=("u", "colorValue"))
    with caplog.at_level("WARNING"):
        own = piff_from_objects(theirs, height=25, width=25)
    assert "0.600" in caplog.text
    assert own.color == pytest.approx(0.6)
    assert compare(own, theirs, colorValue=0.6) < 1e-10


def test_colour_that_no_star_has():
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    theirs = make_piff(keys=("u", "colorValue"))
    theirs.stars = theirs.stars[2:]
    with pytest.raises(ValueError, match="none of its stars has one"):
        piff_from_objects(theirs, height=25, width=25)


def test_as_batch_draws_piff_itself():
    pytest.importorskip("piff")
    from lsst.images.psfs import PiffWrapper

    from helpers.piff_objects import make_piff

    wrapper = PiffWrapper(make_piff(), Box.factory[0:1000, 0:1024], 25)
    psf = as_batch(wrapper)
    assert isinstance(psf, PiffPsf)
    assert psf.bounds == wrapper.bounds and psf.kernel_bbox == wrapper.kernel_bbox
    for x, y in zip(X, Y, strict=True):
        theirs = wrapper.compute_kernel_image(x=x, y=y).array
        np.testing.assert_allclose(
            psf.compute_kernel_image(x=x, y=y).array, theirs, rtol=0, atol=1e-10 * theirs.max()
        )


def parts():
    own = piff_psf()
    return {
        "model": {
            "type": "PixelGrid",
            "scale": own.grid.scale,
            "size": 25,
            "interp": "galsim.Lanczos(7, True, gsparams=galsim.GSParams(128,8192))",
        },
        "interp": {"type": "BasisPolynomial", "order": 1, "max_order": None, "keys": ["u", "v"]},
        "solution": own.interpolation.coefficients,
        "pixel_scale": 0.2,
        "stars": [(100.0, 700.0, False, False), (500.0, 400.0, False, False), (7.0, 7.0, True, False)],
        "stamp_size": 25,
    }


def test_from_parts():
    psf, own = piff_from_parts(**parts()), piff_psf()
    np.testing.assert_array_equal(psf.kernel_images(X, Y), own.kernel_images(X, Y))
    assert psf.average_position == own.average_position
    assert psf.options.model["size"] == 25


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model": {"type": "Moffat"}}, "model is of type 'Moffat'"),
        ({"interp": {"type": "GPInterp"}}, "interpolation is of type 'GPInterp'"),
        ({"model": parts()["model"] | {"interp": "galsim.Quintic()"}}, "Quintic"),
        ({"interp": parts()["interp"] | {"order": 2}}, "6 terms"),
        ({"interp": parts()["interp"] | {"order": [1, 1, 1]}}, "orders"),
        ({"interp": parts()["interp"] | {"keys": ["u", "magnitude"]}}, "'magnitude'"),
        ({"model": parts()["model"] | {"size": 5}}, "625 values for a grid of 5x5"),
    ],
)
def test_models_that_cannot_be_drawn(change, message):
    with pytest.raises(ValueError, match=message):
        piff_from_parts(**(parts() | change))

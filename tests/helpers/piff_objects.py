"""Piff models made with Piff itself; import only where Piff is installed."""

from __future__ import annotations

import numpy as np

from .psfs import piff_psf


def make_piff(*, interpolant="Lanczos(7)", wcs=None, pointing=None, keys=("u", "v"), **options):
    """Make the ``piff.SimplePSF`` of which `helpers.psfs.piff_psf` is the translation."""
    import galsim
    import piff

    own = piff_psf(keys=keys)
    psf = piff.SimplePSF(
        piff.PixelGrid(own.grid.scale, own.grid.size, interp=interpolant),
        piff.BasisPolynomial(1, keys=list(keys), **options),
    )
    psf.interp.q = own.interpolation.coefficients
    psf.wcs = {0: wcs or galsim.PixelScale(0.2)}
    psf.pointing = pointing
    psf.stars = [
        piff.Star.makeTarget(
            x=float(x),
            y=float(y),
            scale=0.2,
            properties={"is_flagged": bool(flagged), "is_reserve": bool(reserve), "colorValue": float(color)},
        )
        for x, y, flagged, reserve, color in zip(
            own.stars.x, own.stars.y, own.stars.flagged, own.stars.reserve, own.stars.color, strict=True
        )
    ]
    psf.chisq, psf.dof, psf.niter = np.float64(10.0), np.int64(8), 2
    return psf


def draw(psf, x, y, size, *, star, **properties):
    """Draw one image with Piff and normalise it; also return the first pixel's place."""
    image = psf.draw(float(x), float(y), stamp_size=size, center=None if star else True, **properties)
    return image.array / image.array.sum(), image.bounds.xmin, image.bounds.ymin

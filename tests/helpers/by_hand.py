"""Second readings of the same files with astropy alone, to compare with."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS


@contextmanager
def opened(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            yield hdus


def planes(path: Path):
    """The three planes, by type or by order."""
    with opened(path) as hdus:
        return [np.array(h.data) for h in hdus if h.data is not None and h.is_image and h.data.ndim == 2][:3]


def archive_rows(path: Path, name: str):
    """Rows of the first table of a class in the archive."""
    with opened(path) as hdus:
        return next(np.array(h.data) for h in hdus if h.header.get("AR_NAME") == name)


def sky_of_header(path: Path, x, y, hdu: int = 1) -> SkyCoord:
    """Positions that astropy finds from the FITS header at parent coordinates x, y."""
    with opened(path) as hdus:
        header = hdus[hdu].header
        x0, y0 = int(header.get("CRVAL1A", 0)), int(header.get("CRVAL2A", 0))
        return WCS(header).pixel_to_world(np.asarray(x) - x0, np.asarray(y) - y0).icrs


def chebyshev(coefficients, order_x: int, box, x, y):
    """Sum of products of Chebyshev polynomials over a box of inclusive corners x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    c = np.asarray(coefficients).reshape(-1, order_x + 1)
    u, v = (2 * x - x0 - x1) / (x1 - x0 + 1), (2 * y - y0 - y1) / (y1 - y0 + 1)
    return sum(
        c[j, i] * np.cos(i * np.arccos(u)) * np.cos(j * np.arccos(v))
        for j in range(c.shape[0])
        for i in range(c.shape[1])
    )

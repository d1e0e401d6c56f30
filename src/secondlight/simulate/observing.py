"""What the simulated telescope sees and how its CCDs respond: one row a band, one block of constants."""

from __future__ import annotations

from dataclasses import dataclass

from secondlight.errors import UsageError

__all__ = ["BANDS", "FULL_WELL", "PIXEL_SCALE", "READ_NOISE", "SUSPECT_LEVEL", "Band", "band_named"]

#: Size of a pixel on the sky [arcsec].
PIXEL_SCALE = 0.2

#: Charge that a pixel holds before it bleeds along its column [electron].
FULL_WELL = 150_000.0

#: Charge above which a pixel is marked SUSPECT [electron].
SUSPECT_LEVEL = 0.9 * FULL_WELL

#: Noise of the amplifier, per pixel and read-out [electron].
READ_NOISE = 9.0


@dataclass(frozen=True, slots=True)
class Band:
    """A filter on a typical night.

    Parameters
    ----------
    name
        Band, ``r``.
    physical
        Name of the piece of glass, ``r_57``.
    zero_point
        AB magnitude of one electron per second.
    sky
        Brightness of the sky [electron/s/pixel].
    fwhm
        Full width at half maximum of a star [arcsec].
    """

    name: str
    physical: str
    zero_point: float
    sky: float
    fwhm: float


#: LSSTCam's fiducial zero points, skies and PSF sizes, spec 00.7 (FWHM = 2.355 sigma * 0.2 arcsec).
BANDS: dict[str, Band] = {
    b.name: b
    for b in (
        Band("u", "u_24", 26.56, 1.51, 0.81),
        Band("g", "g_6", 28.59, 15.45, 0.77),
        Band("r", "r_57", 28.50, 32.95, 0.73),
        Band("i", "i_39", 28.29, 52.94, 0.71),
        Band("z", "z_20", 27.90, 79.40, 0.69),
        Band("y", "y_10", 26.87, 90.57, 0.68),
    )
}


def band_named(name: str) -> Band:
    """Return a band by its name.

    Parameters
    ----------
    name
        One of u, g, r, i, z, y.

    Raises
    ------
    UsageError
        Raised if there is no such band.
    """
    try:
        return BANDS[name]
    except KeyError:
        raise UsageError(f"there is no band {name!r}; choose one of {', '.join(BANDS)}") from None

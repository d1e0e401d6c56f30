"""Apply a photometric calibration to pixels and to a catalogue (spec 10.1, 00.6 steps 4, 6 and 12)."""

from __future__ import annotations

import numpy as np
from lsst.images import NoOverlapError
from lsst.images.fields import ChebyshevField
from numpy.typing import NDArray

from .. import threads
from ..kernels.calibrate import multiply_by_chebyshev
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.photo_calib import REFERENCE_FLUX, PhotoCalib
from ..model.schema import Column, Schema

__all__ = ["calibrate_catalog", "calibrate_image", "declare_calibrated", "divide_by_mean"]

_ROWS = 256
_SUFFIX = "_instFlux"


def calibrate_image(exposure: Exposure, photo_calib: PhotoCalib) -> None:
    """Turn counts into nJy, in place; the mask stays as it is.

    Pixels outside the calibration's own box stay uncalibrated. The error of the calibration does not enter the
    variance.

    Parameters
    ----------
    exposure
        Image [count] and variance [count²] become [nJy] and [nJy²].
    photo_calib
        Calibration [nJy/count].
    """
    exposure.unit = "nJy"
    image, variance = exposure.image, exposure.variance
    if photo_calib.is_constant:
        mean = np.float32(photo_calib.mean)

        def scale(start: int, stop: int) -> None:
            image[start:stop] *= mean
            variance[start:stop] *= mean * mean

    else:
        try:
            overlap = photo_calib.field.bounds.bbox.intersection(exposure.bbox)
        except NoOverlapError:
            return
        columns = slice(overlap.x.start - exposure.x0, overlap.x.stop - exposure.x0)
        x = np.arange(overlap.x.start, overlap.x.stop, dtype=float)

        def scale(start: int, stop: int) -> None:
            start, stop = max(start, overlap.y.start - exposure.y0), min(stop, overlap.y.stop - exposure.y0)
            if start >= stop:
                return
            y = np.arange(start, stop, dtype=float) + exposure.y0
            rows = slice(start, stop)
            if isinstance(photo_calib.field, ChebyshevField):
                _multiply_by_chebyshev(photo_calib.field, x, y, image[rows, columns], variance[rows, columns])
                return
            xx, yy = np.broadcast_arrays(x[None, :], y[:, None])
            # products in double, rounded to float32 one by one
            value = np.asarray(photo_calib.field(x=xx, y=yy), float)
            image[rows, columns] = image[rows, columns] * value
            once = (variance[rows, columns] * value).astype(np.float32)
            variance[rows, columns] = once * value

    threads.map_chunks(scale, image.shape[0], _ROWS)


def _multiply_by_chebyshev(
    field: ChebyshevField,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Multiply rows of an image by a field, and those of the variance twice: the field's own values, to the last bit."""
    box = field.bounds.bbox
    along_x, along_y = (
        (values - (axis.min + 0.5 * axis.size - 0.5)) * (2.0 / axis.size)
        for values, axis in ((x, box.x), (y, box.y))
    )
    of_rows = np.polynomial.chebyshev.chebval(along_y, field.coefficients)
    multiply_by_chebyshev(np.ascontiguousarray(of_rows), along_x, image, variance)


def divide_by_mean(exposure: Exposure, photo_calib: PhotoCalib) -> None:
    """Undo the mean of a calibration, in place: nJy back to counts on the scale of the whole image.

    Parameters
    ----------
    exposure
        Image and variance.
    photo_calib
        Calibration whose mean [nJy/count] divides the image.
    """
    # one float32 reciprocal, then products: the rounding of spec 00.6
    inverse = np.float32(1.0) / np.float32(photo_calib.mean)
    exposure.image *= inverse
    exposure.variance *= inverse * inverse


def _flux_bases(schema: Schema) -> list[str]:
    """Names of the fluxes to calibrate, without their suffix, in alphabetical order of their columns."""
    # sorted with the suffix: a_b_instFlux comes before a_instFlux
    fluxes = sorted(n for n in schema.names if n.endswith(_SUFFIX) and len(n) > len(_SUFFIX) + 1)
    return [n.removesuffix(_SUFFIX) for n in fluxes]


def declare_calibrated(schema: Schema) -> None:
    """Declare the calibrated columns of every instrumental flux in ``schema``, at its end.

    Parameters
    ----------
    schema
        Gains ``_flux`` and ``_mag``, and ``_fluxErr`` and ``_magErr`` where there is an ``_instFluxErr``.
    """
    for base in _flux_bases(schema):
        schema.add(Column(f"{base}_flux", "D", "nJy", "calibrated flux"))
        schema.add(Column(f"{base}_mag", "D", "mag(AB)", "calibrated magnitude"))
        if f"{base}_instFluxErr" in schema.names:
            schema.add(Column(f"{base}_fluxErr", "D", "nJy", "calibrated flux uncertainty"))
            schema.add(Column(f"{base}_magErr", "D", "mag(AB)", "calibrated magnitude uncertainty"))


def calibrate_catalog(catalog: SourceCatalog, photo_calib: PhotoCalib) -> None:
    """Fill the calibrated columns from the instrumental ones, with the calibration at each source's centroid.

    The magnitude of a negative flux is NaN, that of zero is infinite; a magnitude error has the sign of its flux.

    Parameters
    ----------
    catalog
        Rows with ``slot_Centroid`` filled and the columns of `declare_calibrated` declared.
    photo_calib
        Calibration [nJy/count].
    """
    local = photo_calib.local(catalog["slot_Centroid_x"], catalog["slot_Centroid_y"])
    with np.errstate(divide="ignore", invalid="ignore"):
        for base in _flux_bases(catalog.schema):
            flux = catalog[f"{base}_instFlux"]
            catalog[f"{base}_flux"] = flux * local
            catalog[f"{base}_mag"] = -2.5 * np.log10(flux * local / REFERENCE_FLUX)
            if f"{base}_instFluxErr" in catalog.columns:
                error = catalog[f"{base}_instFluxErr"]
                catalog[f"{base}_fluxErr"] = error * local
                catalog[f"{base}_magErr"] = 2.5 / np.log(10.0) * error / flux

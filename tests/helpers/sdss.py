"""Turn a raw SDSS frame into the files that ``secondlight run`` reads.

The frame's own calibrations become the visit's: the Karhunen-Loève PSF of psField, the astrometry of asTrans, the zero point
of tsField, the masks of fpM. The README beside the frames tells the conventions.
"""

from __future__ import annotations

import gzip
import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import fit_wcs_from_points
from lsst.images import Box, DetectorFrame, SkyProjection

from helpers.shared import realdata
from secondlight.io.native import write_background, write_visit_image
from secondlight.io.native_summary import VisitRecord, VisitSummary, write_visit_summary
from secondlight.model.background import BackgroundList
from secondlight.model.exposure import Exposure, FilterLabel
from secondlight.model.fields import constant_field
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.photo_calib import REFERENCE_FLUX, PhotoCalib
from secondlight.model.psf import KernelPsf, LinearCombinationKernel, PolynomialFunction2D
from secondlight.model.visit_info import VisitInfo
from secondlight.simulate.camera import make_detector
from secondlight.tasks.detection import SourceDetectionTask
from secondlight.tasks.subtract_background import SubtractBackgroundTask

RUN, CAMCOL, FIELD = 4192, 4, 300
ROWS = 1361  # the last 128 rows overlap the next field
SOFT_BIAS = 1000
EXPOSURE_TIME = 53.907456
FILTERS = "ugriz"
_ASTRANS_FILTERS = "riuzg"
#: Planes of the mask and the SDSS mask types that they come from.
_PLANES = {"INTRP": "S_MASK_INTERP", "SAT": "S_MASK_SATUR", "CR": "S_MASK_CR"}


@dataclass
class SdssFrame:
    """One band of the field."""

    exposure: Exposure
    #: Eigenimages (k, 31, 31) and the polynomial coefficients (k, 4, 4) of their amplitudes in (row, col) / 1000.
    eigenimages: np.ndarray
    coefficients: np.ndarray
    wcs: SkyProjection[DetectorFrame]
    wcs_error_mas: float
    photo_calib: PhotoCalib
    visit: int


def _open(name: str) -> fits.HDUList:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = realdata("sdss_s82", "input", name)
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        return fits.open(io.BytesIO(data))


def read_frame(band: str) -> SdssFrame:
    """Read one band of run 4192, camcol 4, field 300."""
    f = FILTERS.index(band)
    stem = f"{RUN:06d}-{band}{CAMCOL}-{FIELD:04d}.fit.gz"
    raw = np.asarray(_open(f"fpC-{stem}")[0].data, float)[:ROWS] - SOFT_BIAS
    ps_field = _open(f"psField-{RUN:06d}-{CAMCOL}-{FIELD:04d}.fit.gz")
    ts_field = _open(f"tsField-{RUN:06d}-{CAMCOL}-40-{FIELD:04d}.fit")[1].data[0]
    gain = float(ts_field["gain"][f])
    visit = ((RUN * 10 + f) * 10 + CAMCOL) * 10000 + FIELD
    exposure = Exposure(
        raw.astype(np.float32),
        np.zeros(raw.shape, np.int32),
        (raw / gain).astype(np.float32),
        unit="adu",
        filter=FilterLabel(band, band),
        visit_info=VisitInfo(id=visit, exposure_time=EXPOSURE_TIME, instrument="SDSS"),
    )
    _set_masks(exposure, _open(f"fpM-{stem}"))
    eigenimages, coefficients = _read_psf(ps_field[f + 1].data)
    wcs, error = _fit_wcs(band, exposure.bbox, visit)
    # AB magnitude of one count over the exposure: zp = -(aa + kk airmass), counts per second
    zero_point = -float(ts_field["aa"][f] + ts_field["kk"][f] * ts_field["airmass"][f]) + 2.5 * np.log10(
        EXPOSURE_TIME
    )
    calib = PhotoCalib.constant(REFERENCE_FLUX * 10 ** (-0.4 * zero_point), bbox=exposure.bbox)
    return SdssFrame(exposure, eigenimages, coefficients, wcs, error, calib, visit)


def _set_masks(exposure: Exposure, hdus: fits.HDUList) -> None:
    """Set mask planes from run lengths: big-endian uint16 triples (row, first column, last column)."""
    types = {str(row["attributeName"]).strip(): int(row["Value"]) for row in hdus[11].data}
    planes: MaskPlanes = exposure.mask_planes
    for plane, kind in _PLANES.items():
        data: Any = hdus[1 + types[kind]].data
        if data is None:
            continue
        for row in data:
            spans = np.asarray(row["s"], np.uint8).tobytes()
            for y, x0, x1 in np.frombuffer(spans, ">u2").reshape(-1, 3).astype(int)[: row["nspan"]]:
                if y < ROWS:
                    exposure.mask[y, x0 : x1 + 1] |= planes.bits([plane])


def _read_psf(table: fits.FITS_rec) -> tuple[np.ndarray, np.ndarray]:
    eigenimages, coefficients = [], []
    for row in table:
        n = int(row["RNROW"])
        image = np.asarray(row["RROWS"], float).reshape(n, int(row["RNCOL"]))
        eigenimages.append(image[10:41, 10:41])
        c = np.zeros((5, 5))
        nb_row, nb_col = int(row["nrow_b"]), int(row["ncol_b"])
        # the 25 numbers are a 5x5 array of which nrow_b by ncol_b are used
        c[:nb_row, :nb_col] = np.asarray(row["c"], float).reshape(5, 5)[:nb_row, :nb_col]
        coefficients.append(c)
    return np.array(eigenimages), np.array(coefficients)


def sky_position(band: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ICRS position [deg] of pixels by asTrans; the centre of the first pixel is (0, 0) here, (0.5, 0.5) there."""
    hdu = 1 + (CAMCOL - 1) * 5 + _ASTRANS_FILTERS.index(band)
    hdus = _open(f"asTrans-{RUN:06d}.fit.gz")
    t = next(r for r in hdus[hdu].data if r["field"] == FIELD)
    node, incl = np.radians(hdus[0].header["NODE"]), np.radians(hdus[0].header["INCL"])
    row, col = np.asarray(y, float) + 0.5, np.asarray(x, float) + 0.5
    row1 = row + t["dRow0"] + t["dRow1"] * col + t["dRow2"] * col**2 + t["dRow3"] * col**3
    col1 = col + t["dCol0"] + t["dCol1"] * col + t["dCol2"] * col**2 + t["dCol3"] * col**3
    mu = np.radians(t["a"] + t["b"] * row1 + t["c"] * col1) - node
    nu = np.radians(t["d"] + t["e"] * row1 + t["f"] * col1)
    ra = node + np.arctan2(
        np.sin(mu) * np.cos(nu) * np.cos(incl) - np.sin(nu) * np.sin(incl), np.cos(mu) * np.cos(nu)
    )
    dec = np.arcsin(np.sin(mu) * np.cos(nu) * np.sin(incl) + np.sin(nu) * np.cos(incl))
    return np.degrees(ra) % 360.0, np.degrees(dec)


def _fit_wcs(band: str, bbox: Box, visit: int) -> tuple[SkyProjection[DetectorFrame], float]:
    """Fit TAN-SIP to asTrans; returns it and its largest residual [mas]."""
    gx, gy = (v.ravel() for v in np.meshgrid(np.linspace(0, 2047, 25), np.linspace(0, ROWS - 1, 17)))
    ra, dec = sky_position(band, gx, gy)
    sky = SkyCoord(ra * u.deg, dec * u.deg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs: WCS = fit_wcs_from_points((gx, gy), sky, sip_degree=4)
    projection = SkyProjection.from_fits_wcs(
        wcs, DetectorFrame(instrument="SDSS", visit=visit, detector=CAMCOL, bbox=bbox)
    )
    back = projection.pixel_to_sky(x=gx, y=gy)
    return projection, float(back.separation(sky).to_value(u.mas).max())


def expected_sources() -> dict[str, np.ndarray]:
    """The LSST stack's catalogue of the five bands, as columns; ``band`` is made from the ids."""
    path: Path = realdata("sdss_s82", "expected", "detected-sources-4192.txt.gz")
    with gzip.open(path, "rt") as lines:
        header = lines.readline().lstrip("#").split()
        rows = [line.split() for line in lines if line.strip()]
    return {name: np.array([row[i] for row in rows]) for i, name in enumerate(header)}


def sdss_psf(frame: SdssFrame) -> KernelPsf:
    """The frame's Karhunen-Loève PSF: polynomials in (row, column) / 1000 times eigenimages."""
    degree = frame.coefficients.shape[1] - 1
    weights = []
    for c in frame.coefficients:
        # of 1, x, y, x², xy, y², …: c[i, j] belongs to row^i column^j, and x is the column
        weights.append(
            PolynomialFunction2D(
                np.array(
                    [
                        c[i, n - i] * 1e-3**n if max(i, n - i) <= degree else 0.0
                        for n in range(2 * degree + 1)
                        for i in range(n + 1)
                    ]
                )
            )
        )
    ny, nx = frame.exposure.image.shape
    size = frame.eigenimages.shape[1]
    kernel = LinearCombinationKernel(frame.eigenimages, weights, size // 2, size // 2)
    return KernelPsf(kernel, (nx / 2, ny / 2))


def fit_background(exposure: Exposure) -> BackgroundList:
    """Fit the background as ProcessCcdTask did: in bins of 512 pixels, and again without what was detected."""
    config = SourceDetectionTask.ConfigClass()
    config.background.binSize = 512
    config.doTempLocalBackground = False
    first = SubtractBackgroundTask(config=config.background.value).run(exposure).background
    return SourceDetectionTask(config=config).run(exposure, background=first).background


def write_frame(band: str, directory: Path) -> list[str]:
    """Write the files of one band; returns the arguments of ``secondlight run``, without ``--out``."""
    frame = read_frame(band)
    exposure, psf = frame.exposure, sdss_psf(frame)
    box = exposure.bbox
    exposure.wcs = frame.wcs
    exposure.detector = make_detector(CAMCOL, box, frame.visit)
    background = fit_background(replace(exposure.copy(), psf=psf))
    record = VisitRecord(
        CAMCOL,
        box,
        psf,
        frame.wcs,
        frame.photo_calib,
        {
            f"base_PsfFlux_{name}": constant_field(value, box)
            for name, value in (("instFlux", 1.0), ("instFluxErr", 0.0))
        },
        exposure.visit_info,
        exposure.detector,
    )
    directory.mkdir(parents=True, exist_ok=True)
    write_visit_image(directory / "exposure.fits", replace(exposure, psf=psf), overwrite=True)
    write_background(directory / "background.fits", background, overwrite=True)
    write_visit_summary(directory / "summary.fits", VisitSummary([record]))
    return [
        *(str(directory / "exposure.fits"), "--visit-summary", str(directory / "summary.fits")),
        *("--background", str(directory / "background.fits"), "--detector", str(CAMCOL)),
        # as the stack was run in 2018: the survey's own pipeline has repaired the cosmic rays
        *("--config", "repair.doCosmicRay=False", "--config", "sky_sources.nSources=0"),
    ]

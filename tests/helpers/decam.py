"""Turn a DECam cut-out with its calibrations into the files that ``secondlight run`` reads.

The PSFEx model, the spline sky and the zero point are those of the Legacy Surveys. The README beside the frames tells the
conventions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from lsst.images import DetectorFrame, SkyProjection
from scipy.interpolate import RectBivariateSpline

from helpers.shared import SHARED
from secondlight.io.native import write_background, write_visit_image
from secondlight.io.native_summary import VisitRecord, VisitSummary, write_visit_summary
from secondlight.model.exposure import Exposure, FilterLabel
from secondlight.model.fields import constant_field
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.psf import PsfexPsf
from secondlight.model.visit_info import VisitInfo
from secondlight.simulate.camera import make_detector
from secondlight.simulate.sky import binned_background

FOLDER = SHARED / "realdata" / "decam"
#: Codes of the data-quality image, and the planes that they become.
_PLANES = {1: "BAD", 3: "SAT", 4: "SUSPECT"}
_COSMIC_RAY = 5
#: A nanomaggy [nJy].
_NANOMAGGY = 3631.0
_SKY_BIN = 32  # the spline's grid is coarser


@dataclass
class DecamFrame:
    """One cut-out."""

    exposure: Exposure
    sky: np.ndarray
    psf: PsfexPsf
    photo_calib: PhotoCalib
    #: Pixels of the cosmic rays that the survey's pipeline found.
    cosmic_rays: np.ndarray


@cache
def frames() -> dict[str, Path]:
    """The images by exposure number."""
    return {p.name.split("_ooi_")[0][4:]: p for p in sorted(FOLDER.glob("testcase*/images/**/*_ooi_*.fits"))}


def _data(path: Path, **kwargs: Any) -> np.ndarray:
    return np.asarray(fits.getdata(path, 1, **kwargs))


def read_frame(name: str) -> DecamFrame:
    """Read a cut-out by its key in `frames`; its mask has nothing of the cosmic rays."""
    path = frames()[name]
    case = next(p for p in path.parents if p.name.startswith("testcase"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _data(path).astype(np.float32)
        quality = _data(path.with_name(path.name.replace("_ooi_", "_ood_")))
        weight = _data(path.with_name(path.name.replace("_ooi_", "_oow_"))).astype(np.float64)
        header = fits.getheader(path, 0) + fits.getheader(path, 1)
        (table,) = (p for p in case.glob("survey-ccds-*"))
        rows = fits.getdata(table, 1)
        ccd = next(r for r in rows if f"_{name}_" in r["image_filename"])
        wcs = WCS(header)
    wcs.wcs.crval += [ccd["ccdraoff"] / 3600 / np.cos(np.radians(wcs.wcs.crval[1])), ccd["ccddecoff"] / 3600]
    good = weight > 0
    variance = np.full(image.shape, 1 / np.median(weight[good]), np.float32)
    variance[good] = 1 / weight[good]
    band = str(ccd["filter"])
    exposure = Exposure(
        image,
        np.zeros(image.shape, np.int32),
        variance,
        unit="adu",
        filter=FilterLabel(band, band),
        visit_info=VisitInfo(id=int(ccd["expnum"]), exposure_time=float(ccd["exptime"]), instrument="DECam"),
    )
    for code, plane in _PLANES.items():
        exposure.mask[quality == code] |= exposure.mask_planes.bits([plane])
    exposure.mask[~good & (quality == 0)] |= exposure.mask_planes.bits(["BAD"])
    frame = DetectorFrame(
        instrument="DECam", visit=int(ccd["expnum"]), detector=int(header["CCDNUM"]), bbox=exposure.bbox
    )
    exposure.wcs = SkyProjection.from_fits_wcs(wcs, frame)
    exposure.detector = make_detector(int(header["CCDNUM"]), exposure.bbox, int(ccd["expnum"]))
    (model,) = fits.getdata(next(case.glob(f"calib/psfex*/**/*_{name}_*-psfex.fits")), 1)
    psf = PsfexPsf(
        np.asarray(model["psf_mask"], np.float32).reshape(-1, 63, 63),
        pixel_step=float(model["psf_samp"]),
        degree=(int(model["poldeg1"]),),
        group=(0, 0),
        # FITS counts pixels from 1
        offset=(float(model["polzero1"]) - 1, float(model["polzero2"]) - 1),
        scale=(float(model["polscal1"]), float(model["polscal2"])),
        average_position=(image.shape[1] / 2, image.shape[0] / 2),
    )
    (spline,) = fits.getdata(next(case.glob(f"calib/sky-single/**/*_{name}_*splinesky.fits")), 1)
    sky = RectBivariateSpline(spline["ygrid"], spline["xgrid"], np.asarray(spline["gridvals"], float))(
        np.arange(image.shape[0]) + spline["y0"], np.arange(image.shape[1]) + spline["x0"]
    )
    zero_point = float(ccd["zpt"]) + 2.5 * np.log10(float(ccd["exptime"])) - 22.5
    calib = PhotoCalib.constant(_NANOMAGGY * 10 ** (-0.4 * zero_point), bbox=exposure.bbox)
    return DecamFrame(exposure, sky, psf, calib, quality == _COSMIC_RAY)


def write_frame(name: str, directory: Path) -> list[str]:
    """Write the files of a cut-out; returns the arguments of ``secondlight run``, without ``--out``."""
    frame = read_frame(name)
    exposure, box = frame.exposure, frame.exposure.bbox
    detector = exposure.detector.id
    record = VisitRecord(
        detector,
        box,
        frame.psf,
        exposure.wcs,
        frame.photo_calib,
        {
            f"base_PsfFlux_{name}": constant_field(value, box)
            for name, value in (("instFlux", 1.0), ("instFluxErr", 0.0))
        },
        exposure.visit_info,
        exposure.detector,
    )
    directory.mkdir(parents=True, exist_ok=True)
    write_visit_image(directory / "exposure.fits", replace(exposure, psf=frame.psf), overwrite=True)
    write_background(directory / "background.fits", binned_background(frame.sky, _SKY_BIN), overwrite=True)
    write_visit_summary(directory / "summary.fits", VisitSummary([record]))
    return [
        *(str(directory / "exposure.fits"), "--visit-summary", str(directory / "summary.fits")),
        *("--background", str(directory / "background.fits"), "--detector", str(detector)),
    ]


def gaia_stars(name: str) -> np.ndarray:
    """Gaia's stars around a cut-out: columns ra, dec [deg], pmra, pmdec [mas/yr], G magnitude."""
    case = next(p for p in frames()[name].parents if p.name.startswith("testcase"))
    parts = [fits.getdata(p, 1) for p in sorted(case.glob("gaia/*.fits"))]
    names = ("ra", "dec", "pmra", "pmdec", "phot_g_mean_mag")
    return np.concatenate([np.column_stack([np.asarray(t[n], float) for n in names]) for t in parts])

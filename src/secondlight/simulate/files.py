"""A simulated visit as the files that ``secondlight run`` reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from secondlight.io.afw.write_exposure import write_exposure
from secondlight.io.afw.write_fields import write_photo_calib as write_afw_photo_calib
from secondlight.io.afw.write_visit_summary import write_visit_summary as write_afw_visit_summary
from secondlight.io.atomic import atomic_outputs
from secondlight.io.native import write_background, write_visit_image
from secondlight.io.native_summary import VisitRecord, VisitSummary, write_photo_calib, write_visit_summary
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.psf import GaussianPsf

from .observing import PIXEL_SCALE
from .visit import SimulatedVisit

__all__ = ["run_arguments", "visit_record", "write_visit"]

_MASK = "preliminary_visit_mask.fits"
_BACKGROUNDS = ("background_1.fits", "skyCorr.fits")
_SUMMARY = "finalVisitSummary.fits"
_CALIB_SOURCES = "finalized_src_table.parquet"
_INITIAL_CALIB, _AFW_INITIAL_CALIB = "initial_photoCalib.json", "initial_photoCalib.fits"
_RATIO = "background_to_photometric_ratio.fits"


def write_visit(
    directory: str | Path, visit: SimulatedVisit, *, overwrite: bool = False, afw: bool = False
) -> None:
    """Write a visit: inputs of the reprocessing, and the truth in a folder of its own.

    Parameters
    ----------
    directory
        Where to; made if missing. The truth goes to its folder ``truth``.
    visit
        The visit.
    overwrite
        Whether files that exist may be replaced.
    afw
        Whether to write all inputs as afw stores them.

    Raises
    ------
    UsageError
        Raised if a file exists and must not be replaced.
    """
    # a visit image must have a PSF: upstream's first guess, a Gaussian of the typical width
    guess = GaussianPsf(visit.inputs["fwhm"] / PIXEL_SCALE / 2.355, 25, 25)
    with atomic_outputs(directory, overwrite=overwrite) as folder:
        for k, exposure in enumerate(visit.exposures):
            write = write_exposure if afw else write_visit_image
            write(folder / f"postISRCCD_{k}.fits", replace(exposure, psf=guess))
        _write_plane(folder / _MASK, visit.preliminary_mask, visit.preliminary_planes)
        for name, background in zip(_BACKGROUNDS, (visit.background_1, visit.sky_corr), strict=True):
            write_background(folder / name, background)
        visit.calib_sources.write(folder / _CALIB_SOURCES, format="parquet")
        if afw:
            write_afw_photo_calib(folder / _AFW_INITIAL_CALIB, visit.initial_photo_calib)
        else:
            write_photo_calib(folder / _INITIAL_CALIB, visit.initial_photo_calib)
        if visit.background_ratio is not None:
            _write_plane(folder / _RATIO, visit.background_ratio)
        # besides the detector, another one that upstream could not calibrate
        records = [visit_record(visit), VisitRecord(visit.detector + 1)]
        if afw:
            write_afw_visit_summary(folder / _SUMMARY, records)
        else:
            write_visit_summary(folder / _SUMMARY, VisitSummary(records))
    with atomic_outputs(Path(directory) / "truth", overwrite=overwrite) as folder:
        visit.truth.write(folder / "truth.parquet", format="parquet")
        np.savez_compressed(folder / "cr_truth.npz", cr_truth=visit.cr_truth)
        (folder / "inputs.json").write_text(json.dumps(visit.inputs, indent=1) + "\n")


def run_arguments(directory: Path, visit: SimulatedVisit, out: Path) -> list[str]:
    """Return the command-line arguments of ``secondlight run`` for a visit that `write_visit` wrote.

    Parameters
    ----------
    directory
        Where the visit was written.
    visit
        The visit.
    out
        Where its outputs are to go.
    """
    arguments = [str(directory / f"postISRCCD_{k}.fits") for k in range(len(visit.exposures))]
    for name in _BACKGROUNDS:
        arguments += ["--background", str(directory / name)]
    options: dict[str, Any] = {
        "--visit-summary": directory / _SUMMARY,
        "--preliminary-mask": directory / _MASK,
        "--calib-sources": directory / _CALIB_SOURCES,
        "--detector": visit.detector,
        "--out": out,
    }
    if visit.background_ratio is not None:
        options |= {
            "--background-ratio": directory / _RATIO,
            "--config": "do_apply_flat_background_ratio=True",
        }
    return arguments + [str(v) for item in options.items() for v in item]


def visit_record(visit: SimulatedVisit) -> VisitRecord:
    """Return what the visit summary holds of the detector.

    Parameters
    ----------
    visit
        The visit.
    """
    exposure = visit.exposures[0]
    return VisitRecord(
        visit.detector,
        exposure.bbox,
        visit.psf,
        visit.wcs,
        visit.photo_calib,
        visit.ap_corr_map,
        replace(visit.visit_info, exposure_time=float(visit.inputs["exptime"])),
        exposure.detector,
    )


def _write_plane(path: Path, plane: NDArray[Any], planes: MaskPlanes | None = None) -> None:
    """Write one image or mask as plain FITS with the reference's cards (spec 11.3)."""
    hdu = fits.PrimaryHDU(plane)
    for axis in (1, 2):
        hdu.header[f"CTYPE{axis}A"] = "LINEAR"
        hdu.header[f"CRPIX{axis}A"] = 1.0
        hdu.header[f"CRVAL{axis}A"] = 0.0
    for name, bit in (planes or {}).items():
        # names of more than eight characters need the HIERARCH convention
        hdu.header[f"MP_{name}" if len(name) <= 5 else f"HIERARCH MP_{name}"] = bit
    hdu.writeto(path)

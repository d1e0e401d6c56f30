"""Give the cut-outs of Subaru what ``secondlight run`` needs besides pixels: they have neither PSF nor background."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from helpers.sdss import fit_background
from helpers.shared import realdata
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.native import write_background
from secondlight.io.native_summary import VisitRecord, VisitSummary, write_visit_summary
from secondlight.model.exposure import Exposure
from secondlight.model.fields import constant_field
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.psf import GaussianPsf
from secondlight.simulate.camera import make_detector

#: Cut-outs, and the width of a Gaussian as wide as their stars [pixel].
CUT_OUTS = {"HSC-0908120-056-small.fits": 2.2, "suprimecam-act-img.fits": 1.6}
_DETECTOR = 56


def read_cut_out(name: str) -> Exposure:
    """Read a cut-out as the stack left it."""
    return read_exposure(realdata("hsc", name))


def write_calibrations(name: str, directory: Path, *, describe: bool = True) -> list[str]:
    """Write what a cut-out lacks; returns the arguments of ``secondlight run``, without ``--out``.

    ``describe`` tells whether the visit summary describes the detector, which the cut-outs do not.
    """
    exposure = read_cut_out(name)
    psf, box = GaussianPsf(CUT_OUTS[name], 41, 41), exposure.bbox
    record = VisitRecord(
        _DETECTOR,
        box,
        psf,
        exposure.wcs,
        exposure.photo_calib or PhotoCalib.constant(1.0, bbox=box),
        {
            f"base_PsfFlux_{key}": constant_field(value, box)
            for key, value in (("instFlux", 1.0), ("instFluxErr", 0.0))
        },
        exposure.visit_info,
        make_detector(_DETECTOR, box, 1) if describe else None,
    )
    directory.mkdir(parents=True, exist_ok=True)
    write_background(
        directory / "background.fits", fit_background(replace(exposure.copy(), psf=psf)), overwrite=True
    )
    write_visit_summary(directory / "summary.fits", VisitSummary([record]))
    return [
        *(str(realdata("hsc", name)), "--visit-summary", str(directory / "summary.fits")),
        *("--background", str(directory / "background.fits"), "--detector", str(_DETECTOR)),
    ]

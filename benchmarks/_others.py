"""A basic catalogue of a whole CCD by other programs: photutils in this process, source-extractor in one of its own.

python -m benchmarks._others photutils SCENE_FOLDER
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from benchmarks._measuring import measured, peak_mib, reset_peak, run_command
from benchmarks._scenes import WARM_UP, inputs_of
from secondlight.io.read import read_exposure
from secondlight.tasks._smooth import gaussian_kernel

__all__ = ["RADII", "SEEING_SIGMA", "source_extractor"]

#: Radii of the apertures [pixel], those of the task.
RADII = (3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0)

#: Width of the simulated PSF [pixel]: 0.73 arcsec FWHM in pixels of 0.2 arcsec.
SEEING_SIGMA = 0.73 / 0.2 / 2.355

_KERNEL_WIDTH = 7.0  # in sigma, as in the task
_THRESHOLD = 5.0  # in sigma of the smoothed image


def _kernel() -> np.ndarray:
    weights = gaussian_kernel(SEEING_SIGMA, _KERNEL_WIDTH)
    return np.outer(weights, weights)


def source_extractor(folder: Path) -> dict[str, Any] | None:
    """Run source-extractor on the pixels of a scene.

    Background, matched filter, the threshold of the task, deblending, moments, automatic and ten aperture fluxes.

    Parameters
    ----------
    folder
        Of the scene.

    Returns
    -------
    dict or None
        CPU and wall seconds, MiB, rows; `None` if the program is not installed.
    """
    program = shutil.which("source-extractor") or shutil.which("sex")
    if program is None:
        return None
    kernel = _kernel()
    columns = "NUMBER X_IMAGE Y_IMAGE FLUX_AUTO FLUXERR_AUTO X2_IMAGE Y2_IMAGE XY_IMAGE KRON_RADIUS FLAGS"
    columns += f" FLUX_APER({len(RADII)}) FLUXERR_APER({len(RADII)})"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        fits.PrimaryHDU(read_exposure(inputs_of(folder).exposures[0], psf=False).image).writeto(
            work / "image.fits"
        )
        (work / "psf.conv").write_text(
            "CONV NORM\n" + "\n".join(" ".join(f"{v:.7f}" for v in row) for row in kernel) + "\n"
        )
        (work / "columns.param").write_text("\n".join(columns.split()) + "\n")
        settings = {
            "CATALOG_NAME": "out.fits",
            "CATALOG_TYPE": "FITS_LDAC",
            "PARAMETERS_NAME": "columns.param",
            "FILTER_NAME": "psf.conv",
            "DETECT_MINAREA": 1,
            # relative to the noise before smoothing
            "DETECT_THRESH": round(_THRESHOLD * float(np.sqrt((kernel**2).sum())), 4),
            "BACK_SIZE": 128,
            "PHOT_APERTURES": ",".join(str(2 * r) for r in RADII),
            "SATUR_LEVEL": 150000,
            "NTHREADS": 1,
            "VERBOSE_TYPE": "QUIET",
        }
        (work / "run.sex").write_text("\n".join(f"{k} {v}" for k, v in settings.items()) + "\n")
        command = [program, "image.fits", "-c", "run.sex"]
        spent, peak = run_command(command, work)
        rows = len(fits.getdata(work / "out.fits", 2))
    return {"cpu": spent.cpu, "wall": spent.wall, "peak_mib": peak, "rows": rows}


def _photutils(folder: Path) -> dict[str, Any]:
    """Background, smoothing, detection, deblending, moments and ten apertures, from pixels in memory."""
    from astropy.convolution import convolve
    from photutils.aperture import CircularAperture, aperture_photometry
    from photutils.background import Background2D
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

    exposure = read_exposure(inputs_of(folder).exposures[0], psf=False)
    kernel = _kernel()
    reset_peak()
    with measured() as spent:
        image = exposure.image - Background2D(exposure.image, 128).background
        error = np.sqrt(exposure.variance)
        smoothed = convolve(image, kernel, boundary="extend")
        segments = detect_sources(smoothed, _THRESHOLD * error * np.sqrt((kernel**2).sum()), 1)
        segments = deblend_sources(smoothed, segments, 5)
        catalog = SourceCatalog(image, segments, convolved_data=smoothed, error=error)
        table = catalog.to_table()
        circles = [
            CircularAperture(np.column_stack([table["x_centroid"], table["y_centroid"]]), r) for r in RADII
        ]
        aperture_photometry(image, circles, error=error)
    return {"cpu": spent.cpu, "wall": spent.wall, "peak_mib": peak_mib(), "rows": len(table)}


def main() -> None:
    """Warm up, run, print."""
    _photutils(WARM_UP.folder())
    print(json.dumps(_photutils(Path(sys.argv[2]))))


if __name__ == "__main__":
    main()

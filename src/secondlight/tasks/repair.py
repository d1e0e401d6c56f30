"""Repair an exposure: cosmic rays (spec 03)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import ChoiceField, Config, ConfigField, Field
from lsst.pipe.base import Task

from secondlight.errors import ProcessingError
from secondlight.model.exposure import Exposure, row_blocks
from secondlight.model.statistics import ImageStatistics

from .find_cosmic_rays import CosmicRays, FindCosmicRaysConfig, find_cosmic_rays
from .subtract_background import SubtractBackgroundTask

__all__ = ["GaussianPsfConfig", "InterpImageConfig", "RepairConfig", "RepairTask"]


class GaussianPsfConfig(Config):
    """Model PSF of the interpolation over defects."""

    size = Field[int](
        doc="kernel size [pixel]; if None it follows from sizeFactor", default=None, optional=True
    )
    sizeFactor = Field[float](doc="kernel size as a multiple of the FWHM", default=3.0)
    minSize = Field[int](
        doc="smallest kernel size that follows from sizeFactor [pixel]", default=5, optional=True
    )
    maxSize = Field[int](
        doc="largest kernel size that follows from sizeFactor [pixel]", default=None, optional=True
    )
    defaultFwhm = Field[float](doc="FWHM of the core [pixel]", default=3.0)
    addWing = Field[bool](doc="add a wider Gaussian to represent wings", default=True)
    wingFwhmFactor = Field[float](doc="width of the wings as a multiple of the core's", default=2.5)
    wingAmplitude = Field[float](doc="amplitude of the wings as a multiple of the core's", default=0.1)


class InterpImageConfig(Config):
    """Interpolation over defects; kept so that the reference's configurations load."""

    modelPsf = ConfigField[GaussianPsfConfig](doc="model PSF", dtype=GaussianPsfConfig)
    useFallbackValueAtEdge = Field[bool](doc="taper to the fallback value at the image's edge", default=True)
    fallbackValueType = ChoiceField[str](
        doc="statistic that is the fallback value",
        allowed={name: name for name in ("MEAN", "MEDIAN", "MEANCLIP", "USER")},
        default="MEDIAN",
        optional=True,
    )
    fallbackUserValue = Field[float](doc="fallback value if fallbackValueType is USER", default=0.0)
    negativeFallbackAllowed = Field[bool](doc="allow a negative fallback value", default=False)
    transpose = Field[int](doc="interpolate along columns instead of rows", default=0)


class RepairConfig(Config):
    """Configuration of `RepairTask`."""

    doInterpolate = Field[bool](
        doc="interpolate over known defects; a reprocessed image has none to give, they are in its mask already",
        default=True,
    )
    doCosmicRay = Field[bool](doc="find and repair cosmic rays", default=True)
    cosmicray = ConfigField[FindCosmicRaysConfig](doc="how to find cosmic rays", dtype=FindCosmicRaysConfig)
    interp = ConfigField[InterpImageConfig](doc="interpolation over defects", dtype=InterpImageConfig)
    reproduceReferenceDefects = Field[bool](
        doc="replace the pixels of cosmic rays by noise, as the reference does, instead of predicting them from their "
        "neighbours",
        default=False,
    )

    def setDefaults(self) -> None:
        """Set what the reference's task wants otherwise of the interpolation."""
        self.interp.useFallbackValueAtEdge = True
        self.interp.fallbackValueType = "MEANCLIP"
        self.interp.negativeFallbackAllowed = True


class RepairTask(Task):
    """Find cosmic rays, mark them as ``CR`` and repair them, in place."""

    ConfigClass: ClassVar[type[Config]] = RepairConfig
    _DefaultName: ClassVar[str] = "repair"
    config: Any

    def run(self, exposure: Exposure) -> None:
        """Repair an exposure in place.

        The number of cosmic rays goes to the task's metadata as ``cosmic_ray_count``. The variance plane stays as it
        is.

        Parameters
        ----------
        exposure
            Background-subtracted image with a PSF.

        Raises
        ------
        ProcessingError
            Raised if there is no PSF, or it is not finite and positive in its centre.
        TooManyCosmicRays
            Raised if more than ``cosmicray.nCrPixelMax`` pixels are hit; the exposure is then as it was.
        """
        if not self.config.doCosmicRay:
            return
        cr = exposure.mask_planes.bit("CR")
        flat_mask = exposure.mask.reshape(-1)
        marked = np.concatenate(
            [
                np.flatnonzero(exposure.mask[rows] & cr) + rows.start * exposure.mask.shape[1]
                for rows in row_blocks(len(exposure.mask))
            ]
        )
        flat_mask[marked] &= ~cr
        try:
            found = self._find(exposure)
        except ProcessingError:
            flat_mask[marked] |= cr
            raise
        self.metadata["cosmic_ray_count"] = found.count
        self.log.info(
            "Identified %d cosmic rays of %d pixels, %d of which had no neighbours to predict them from.",
            found.count,
            len(found.pixels),
            found.unpredicted,
        )

    def _find(self, exposure: Exposure) -> CosmicRays:
        if exposure.psf is None:
            raise ProcessingError("cosmic rays cannot be told from stars without a PSF")
        x, y = exposure.psf.average_position
        psf = exposure.psf.kernel_images([x], [y])[0]
        height, width = psf.shape
        if min(psf.shape) < 3 or not (np.isfinite(psf).all() and psf[height // 2, width // 2] > 0):
            raise ProcessingError(f"the PSF at ({x:g}, {y:g}) has no finite image with a positive centre")
        config = self.config.cosmicray
        defects = self.config.reproduceReferenceDefects
        height, width = exposure.image.shape
        if width / config.background.binSize * (height / config.background.binSize) <= 1:
            level = ImageStatistics(exposure.image).median
            return find_cosmic_rays(exposure, psf, level, config, reproduce_reference_defects=defects)
        # the search is on a copy, so that pixels that are not hit keep their value to the last bit
        flat = replace(exposure, image=exposure.image.copy())
        background = (
            SubtractBackgroundTask(config=config.background).run(flat, stats=False).background.image()
        )
        found = find_cosmic_rays(flat, psf, 0.0, config, reproduce_reference_defects=defects)
        if not config.keepCRs:
            repaired = flat.image.reshape(-1)[found.pixels] + background.reshape(-1)[found.pixels]
            exposure.image.reshape(-1)[found.pixels] = repaired
        return found

"""The flux used for calibration, on the scale that upstream fitted (spec 08.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from lsst.images.fields import BaseField
from lsst.pex.config import Config, Field
from lsst.pipe.base import Task

from ..model.catalog import SourceCatalog
from ..model.schema import Column, Schema

__all__ = ["NormalizedCalibrationFluxConfig", "NormalizedCalibrationFluxTask"]


class NormalizedCalibrationFluxConfig(Config):
    """Configuration of `NormalizedCalibrationFluxTask`.

    What the reference's task needs to fit a normalization (``measure_ap_corr``, ``fallback_source_selector``) is left
    out: here it is always given.
    """

    raw_calibflux_name = Field[str](
        doc="Name of the flux to normalize.", default="base_CompensatedTophatFlux_12"
    )
    normalized_calibflux_name = Field[str](
        doc="Name of the normalized flux.", default="base_NormalizedCompensatedTophatFlux"
    )
    do_set_calib_slot = Field[bool](
        doc="Whether slot_CalibFlux shall stand for the normalized flux.", default=True
    )
    do_measure_ap_corr = Field[bool](
        doc="Fit the normalization to this image; not done here, so it must be False.", default=True
    )

    def validate(self) -> None:
        """Refuse to fit."""
        super().validate()
        if self.do_measure_ap_corr:
            raise ValueError(
                "do_measure_ap_corr must be False: the normalization is taken from the aperture correction map, "
                "never fitted"
            )


class NormalizedCalibrationFluxTask(Task):
    """Multiply the raw calibration flux by its normalization at each source.

    Parameters
    ----------
    schema
        Gains the normalized flux, its error and its flag, and ``slot_CalibFlux`` is aimed at them. If the raw flux is
        not among its columns, nothing is done.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = NormalizedCalibrationFluxConfig
    _DefaultName: ClassVar[str] = "normalizedCalibrationFlux"
    config: Any

    def __init__(self, schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        name, raw = self.config.normalized_calibflux_name, self.config.raw_calibflux_name
        self.measured = f"{raw}_instFlux" in schema.names
        if not self.measured:
            self.log.info("%s is not measured: there will be no %s.", raw, name)
            return
        for suffix, kind, doc in (
            ("instFlux", "D", f"Normalized calibration flux from {raw}."),
            ("instFluxErr", "D", f"Normalized calibration flux error from {raw}."),
            ("flag", "Flag", f"Normalized calibration flux failure flag from {raw}."),
        ):
            if f"{name}_{suffix}" not in schema.names:
                schema.add(Column(f"{name}_{suffix}", kind, "", doc))
        if self.config.do_set_calib_slot:
            schema.aliases["slot_CalibFlux"] = name

    def run(self, catalog: SourceCatalog, ap_corr_map: Mapping[str, BaseField] | None) -> None:
        """Fill the normalized flux.

        Where the normalization is not positive the flux is flagged. A map that lacks it, or no map, leaves fluxes as
        they are.

        Parameters
        ----------
        catalog
            Measured sources, with the raw flux.
        ap_corr_map
            Field by full column name; that of the raw flux is the normalization.
        """
        if not self.measured:
            return
        catalog.declare_missing()
        name, raw = self.config.normalized_calibflux_name, self.config.raw_calibflux_name
        fields = ap_corr_map or {}
        if f"{raw}_instFlux" in fields and f"{raw}_instFluxErr" in fields:
            x, y = catalog["slot_Centroid_x"], catalog["slot_Centroid_y"]
            factor = np.asarray(fields[f"{raw}_instFlux"](x=x, y=y), float)
        else:
            self.log.warning(
                "No normalization of %s in the aperture correction map: it is kept as it is.", raw
            )
            factor = np.ones(len(catalog))
        catalog[f"{name}_instFlux"] = catalog[f"{raw}_instFlux"] * factor
        catalog[f"{name}_instFluxErr"] = catalog[f"{raw}_instFluxErr"] * factor
        catalog[f"{name}_flag"] = catalog[f"{raw}_flag"] | (factor <= 0)

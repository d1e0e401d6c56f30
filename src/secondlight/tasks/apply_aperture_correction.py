"""Correct fluxes for the light that falls outside their apertures (spec 08.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from lsst.images.fields import BaseField
from lsst.pex.config import Config, DictField, Field, ListField
from lsst.pipe.base import Task

from ..measurement import plugin_registry
from ..model.catalog import SourceCatalog
from ..model.schema import Column, Schema

__all__ = ["ApplyApCorrConfig", "ApplyApCorrTask"]


class ApplyApCorrConfig(Config):
    """Configuration of `ApplyApCorrTask`."""

    ignoreList = ListField[str](
        doc="flux measurement algorithms in the registry of corrected ones to leave alone",
        default=[],
        optional=False,
    )
    doFlagApCorrFailures = Field[bool](
        doc="set the general failure flag of a flux whose aperture correction cannot be had", default=True
    )
    proxies = DictField[str, str](
        doc="flux algorithm (key) corrected with the aperture correction of another (value)", default={}
    )
    xColumn = Field[str](doc="column of the x position of a source", default="slot_Centroid_x")
    yColumn = Field[str](doc="column of the y position of a source", default="slot_Centroid_y")


class ApplyApCorrTask(Task):
    """Multiply fluxes and their errors by the aperture correction at each source.

    Parameters
    ----------
    schema
        Gains ``<flux>_apCorr``, ``<flux>_apCorrErr`` and ``<flux>_flag_apCorr`` for every corrected flux in it.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = ApplyApCorrConfig
    _DefaultName: ClassVar[str] = "applyApCorr"
    config: Any

    def __init__(self, schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        corrected = {name for name, plugin in plugin_registry.items() if plugin.aperture_corrected}
        registered = corrected | set(self.config.proxies)
        self.names = sorted(
            n for n in registered - set(self.config.ignoreList) if f"{n}_instFlux" in schema.names
        )
        for name in self.names:
            schema.add(Column(f"{name}_apCorr", "D", "", f"aperture correction applied to {name}"))
            schema.add(
                Column(
                    f"{name}_apCorrErr",
                    "D",
                    "",
                    f"standard deviation of aperture correction applied to {name}",
                )
            )
            schema.add(Column(f"{name}_flag_apCorr", "Flag", "", f"set if unable to aperture correct {name}"))

    def run(self, catalog: SourceCatalog, ap_corr_map: Mapping[str, BaseField]) -> None:
        """Correct the catalogue in place.

        A correction that is not finite and positive leaves its source uncorrected and flagged. The applied factor is
        not stored in ``<flux>_apCorr``, which stays NaN as in the reference.

        Parameters
        ----------
        catalog
            Measured sources.
        ap_corr_map
            Field by full column name (``base_PsfFlux_instFlux``).
        """
        x, y = catalog[self.config.xColumn], catalog[self.config.yColumn]
        for name in self.names:
            source = self.config.proxies.get(name, name)
            field = ap_corr_map.get(f"{source}_instFlux")
            failed = catalog[f"{name}_flag_apCorr"]
            failed[:] = True
            if field is None or f"{source}_instFluxErr" not in ap_corr_map:
                self.log.warning("Cannot aperture correct %s: no aperture correction in the map.", name)
                continue
            correction = np.asarray(field(x=x, y=y), float)
            good = np.isfinite(correction) & (correction > 0)
            catalog[f"{name}_instFlux"][good] *= correction[good]
            catalog[f"{name}_instFluxErr"][good] *= correction[good]
            failed[good] = False
            if self.config.doFlagApCorrFailures:
                catalog[f"{name}_flag"][~good] = True

"""Star or galaxy by the ratio of model flux to PSF flux: ``base_ClassificationExtendedness`` (spec 09.1).

Bosch et al. 2018, PASJ 70, S5, section 4.9.10.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..model.catalog import SourceCatalog
from ..model.schema import Column, Schema
from .catalog_plugin import CatalogPlugin, CatalogPluginConfig, register_catalog_plugin

__all__ = ["ClassificationExtendednessConfig", "ClassificationExtendednessPlugin"]


class ClassificationExtendednessConfig(CatalogPluginConfig):
    """Configuration of `ClassificationExtendednessPlugin`."""

    fluxRatio = Field[float](
        doc="A source is a point if this times its model flux is less than its PSF flux.", default=0.95
    )
    modelErrFactor = Field[float](
        doc="How many errors of the model flux to add to it before they are compared.", default=0.0
    )
    psfErrFactor = Field[float](
        doc="How many errors of the PSF flux to add to it before they are compared.", default=0.0
    )


@register_catalog_plugin("base_ClassificationExtendedness")
class ClassificationExtendednessPlugin(CatalogPlugin):
    """Call a source extended (1) whose light a PSF does not gather, and a point (0) otherwise."""

    ConfigClass: ClassVar[type[CatalogPluginConfig]] = ClassificationExtendednessConfig

    def __init__(self, config: Any, name: str, schema: Schema) -> None:
        super().__init__(config, name, schema)
        doc = "Set to 1 for extended sources, 0 for point sources."
        schema.add(Column(f"{name}_value", "D", "", doc))
        schema.add(Column(f"{name}_flag", "Flag", "", "Set to 1 for any fatal failure."))

    def calculate(self, catalog: SourceCatalog) -> None:
        """Fill the columns; see `CatalogPlugin.calculate`.

        A source without either flux, or with either flux flagged, has no value and the flag.
        """
        c = self.config
        model = c.fluxRatio * catalog["slot_ModelFlux_instFlux"]
        psf = catalog["slot_PsfFlux_instFlux"].copy()
        if c.modelErrFactor != 0:
            model += c.modelErrFactor * catalog["slot_ModelFlux_instFluxErr"]
        if c.psfErrFactor != 0:
            psf += c.psfErrFactor * catalog["slot_PsfFlux_instFluxErr"]
        failed = np.isnan(model) | np.isnan(psf)
        failed |= catalog["slot_ModelFlux_flag"] | catalog["slot_PsfFlux_flag"]
        catalog[f"{self.name}_value"] = np.where(failed, np.nan, np.where(model < psf, 0.0, 1.0))
        catalog[f"{self.name}_flag"] = failed

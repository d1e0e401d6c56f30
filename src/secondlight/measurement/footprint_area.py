"""Number of pixels of the footprint: ``base_FootprintArea`` (spec 09.1)."""

from __future__ import annotations

from typing import Any

from ..model.catalog import SourceCatalog
from ..model.schema import Column, Schema
from .catalog_plugin import CatalogPlugin, register_catalog_plugin

__all__ = ["FootprintAreaPlugin"]


@register_catalog_plugin("base_FootprintArea")
class FootprintAreaPlugin(CatalogPlugin):
    """Count the pixels of each footprint as it is after deblending."""

    def __init__(self, config: Any, name: str, schema: Schema) -> None:
        super().__init__(config, name, schema)
        doc = "Number of pixels in the source's detection footprint."
        schema.add(Column(f"{name}_value", "I", "pixel", doc))

    def calculate(self, catalog: SourceCatalog) -> None:
        """Fill the column; see `CatalogPlugin.calculate`."""
        catalog[f"{self.name}_value"] = catalog.footprints.areas

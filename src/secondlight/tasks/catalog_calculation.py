"""Columns made from other columns, after all corrections (spec 09.1)."""

from __future__ import annotations

from typing import Any, ClassVar

from lsst.pex.config import Config
from lsst.pipe.base import Task

from ..errors import SecondLightError
from ..measurement import CatalogPlugin, PluginField, catalog_plugin_registry
from ..model.catalog import SourceCatalog
from ..model.schema import Schema

__all__ = ["CatalogCalculationConfig", "CatalogCalculationTask"]


class CatalogCalculationConfig(Config):
    """Configuration of `CatalogCalculationTask`."""

    plugins = PluginField(
        doc="The plugins to run, and their configuration.",
        registry=catalog_plugin_registry,
        multi=True,
        default=["base_ClassificationExtendedness", "base_FootprintArea"],
    )


class CatalogCalculationTask(Task):
    """Run plugins that look at the table alone.

    They run in the order of their ``order``, then name; their columns are declared in the same order.

    Parameters
    ----------
    schema
        Where columns are declared.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = CatalogCalculationConfig
    _DefaultName: ClassVar[str] = "catalogCalculation"
    config: Any

    def __init__(self, schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        classes = {name: catalog_plugin_registry[name] for name in self.config.plugins.names or ()}
        self.plugins: list[CatalogPlugin] = [
            classes[name](self.config.plugins[name], name, schema)
            for name in sorted(classes, key=lambda name: (classes[name].order, name))
        ]

    def run(self, catalog: SourceCatalog) -> None:
        """Fill the plugins' columns.

        Parameters
        ----------
        catalog
            Measured and corrected sources.
        """
        catalog.declare_missing()
        for plugin in self.plugins:
            self._calculate(plugin, catalog)

    def _calculate(self, plugin: CatalogPlugin, catalog: SourceCatalog) -> None:
        """Run one plugin, so that a source that raises costs that source its flag and nothing else."""
        try:
            plugin.calculate(catalog)
        except (MemoryError, SecondLightError):
            raise
        except Exception as error:
            if len(catalog) > 1:
                for i in range(len(catalog)):
                    self._calculate(plugin, catalog.view(i, i + 1))
            elif len(catalog) == 1:
                self.log.debug("%s failed on source %d: %s", plugin.name, catalog["id"][0], error)
                plugin.fail(catalog)

"""Plugins that look at the table alone, after all measurements: their base, their registry (spec 09.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from lsst.pex.config import Config

from ..model.catalog import SourceCatalog
from ..model.schema import Schema
from .registry import PluginRegistry

__all__ = [
    "CATALOG_CALCULATION_ORDER",
    "CATALOG_ENTRY_POINT_GROUP",
    "CatalogPlugin",
    "CatalogPluginConfig",
    "catalog_plugin_registry",
    "register_catalog_plugin",
]

#: Packages join by an entry point of this group, named as the plugin, that points to its class.
CATALOG_ENTRY_POINT_GROUP = "secondlight.catalog_calculation"

#: When plugins run that need nothing but measurements.
CATALOG_CALCULATION_ORDER = 6.0


class CatalogPluginConfig(Config):
    """Base of the configurations of these plugins."""


class CatalogPlugin(ABC):
    """One algorithm that makes its own columns of the source table from others.

    It declares its columns when it is constructed and fills them in `calculate`, for all rows in one call.

    Parameters
    ----------
    config
        The plugin's configuration, of its ``ConfigClass``.
    name
        The name under which it is registered; its columns begin with it.
    schema
        Where to declare columns.

    Examples
    --------
    A plugin in plain NumPy, in a package of its own::

        @register_catalog_plugin("my_Color")
        class ColorPlugin(CatalogPlugin):
            def __init__(self, config, name, schema):
                super().__init__(config, name, schema)
                schema.add(Column(f"{name}_ratio", "D", "", "Flux in 3 over flux in 6 pixels"))

            def calculate(self, catalog):
                inner = catalog["base_CircularApertureFlux_3_0_instFlux"]
                catalog[f"{self.name}_ratio"] = inner / catalog["base_CircularApertureFlux_6_0_instFlux"]

    with, in its ``pyproject.toml``::

        [project.entry-points."secondlight.catalog_calculation"]
        my_Color = "my_package.color:ColorPlugin"
    """

    ConfigClass: ClassVar[type[CatalogPluginConfig]] = CatalogPluginConfig
    #: Plugins run in the order of (``order``, ``name``).
    order: ClassVar[float] = CATALOG_CALCULATION_ORDER

    def __init__(self, config: Any, name: str, schema: Schema) -> None:
        self.config = config
        self.name = name

    @abstractmethod
    def calculate(self, catalog: SourceCatalog) -> None:
        """Fill the columns.

        An exception is not fatal but slow: rows are then done one by one, and those that raise again get their
        general flag.

        Parameters
        ----------
        catalog
            The sources.
        """

    def fail(self, catalog: SourceCatalog) -> None:
        """Flag rows whose calculation raised an exception.

        Parameters
        ----------
        catalog
            The rows.
        """
        if f"{self.name}_flag" in catalog:
            catalog[f"{self.name}_flag"] = True


#: All plugins of this kind in this process.
catalog_plugin_registry: PluginRegistry[CatalogPlugin] = PluginRegistry(
    CatalogPluginConfig, CATALOG_ENTRY_POINT_GROUP, "catalog calculation plugin"
)


def register_catalog_plugin[P: type[CatalogPlugin]](name: str) -> Callable[[P], P]:
    """Register a plugin class under a name; a class decorator.

    Parameters
    ----------
    name
        Name of the plugin, with which its columns begin.

    Raises
    ------
    RuntimeError
        Raised if the name is taken.
    """

    def decorate(plugin: P) -> P:
        catalog_plugin_registry.register(name, plugin)
        return plugin

    return decorate

"""The base of every measurement plugin, and the declaration of its flags."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, Field
from numpy.typing import NDArray

from ..model.schema import Column, Schema
from .batch import Batch

__all__ = [
    "CENTROID_ORDER",
    "FLUX_ORDER",
    "SHAPE_ORDER",
    "Flag",
    "FlagList",
    "Plugin",
    "PluginConfig",
    "negative_sources",
]

#: When plugins run (spec 07.1): what finds the centre, what needs it, what needs a shape as well.
CENTROID_ORDER = 0.0
SHAPE_ORDER = 1.0
FLUX_ORDER = 2.0


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a plugin.

    Parameters
    ----------
    name
        Name without the plugin's: ``flag`` is the general failure flag, ``flag_edge`` a particular one.
    doc
        One line for humans.
    bit
        The bit (a power of two) by which the plugin's kernel reports it; 0 if the kernel does not.
    """

    name: str
    doc: str
    bit: int = 0


class FlagList(tuple[Flag, ...]):
    """The flags of a plugin in the order of their columns: the only place that ties bits, names and texts."""

    __slots__ = ()

    def __new__(cls, *flags: Flag) -> FlagList:
        """Gather flags in the order of their columns."""
        return super().__new__(cls, flags)

    def declare(self, schema: Schema, prefix: str) -> None:
        """Declare one column a flag.

        Parameters
        ----------
        schema
            Where to declare.
        prefix
            Usually the plugin's name; columns are called ``<prefix>_<flag name>``.
        """
        for flag in self:
            schema.add(Column(f"{prefix}_{flag.name}", "Flag", doc=flag.doc))

    def store(self, batch: Batch, prefix: str, bits: NDArray[np.integer], *, overwrite: bool = False) -> None:
        """Write what a kernel reported into the flag columns.

        Parameters
        ----------
        batch
            The sources.
        prefix
            As in `declare`.
        bits
            Shape ``(n,)``: each source's bits.
        overwrite
            Whether to clear flags set before (by a safe extractor); they are kept otherwise.
        """
        for flag in self:
            column = batch[f"{prefix}_{flag.name}"]
            if overwrite:
                column[:] = False
            if flag.bit:
                column |= (bits & flag.bit) != 0


class PluginConfig(Config):
    """Configuration that all plugins share."""

    doMeasure = Field[bool](doc="Whether to run this plugin; its columns stay either way.", default=True)


class Plugin(ABC):
    """One algorithm that fills its own columns of the source table.

    A plugin declares its columns when it is constructed and fills them in `measure`, for a batch of sources
    in one call. It may read the columns of plugins of a lower order, through slots
    (``batch["slot_Centroid_x"]``). Batches are measured in several threads at once, so `measure` must not
    change the plugin itself.

    Parameters
    ----------
    config
        The plugin's configuration, of its ``ConfigClass``.
    name
        The name under which it is registered; its columns begin with it.
    schema
        Where to declare columns and aliases. The slots' aliases are there already.
    metadata
        Facts about the configuration that readers of the table may need; a plugin may add to it.

    Examples
    --------
    A plugin in plain NumPy, in a package of its own::

        @register("my_Peak")
        class PeakPlugin(Plugin):
            order = FLUX_ORDER

            def __init__(self, config, name, schema, metadata):
                super().__init__(config, name, schema, metadata)
                schema.add(Column(f"{name}_value", "F", "count", "Largest pixel near the centroid"))
                schema.add(Column(f"{name}_flag", "Flag", doc="Set if there is no pixel"))

            def measure(self, batch):
                stamps = batch.stamps(2)
                brightest = np.where(stamps.valid, stamps.image, -np.inf).max(axis=(1, 2))
                batch[f"{self.name}_value"][:] = brightest
                batch[f"{self.name}_flag"][:] = ~stamps.valid.any(axis=(1, 2))

    with, in its ``pyproject.toml``::

        [project.entry-points."secondlight.measurement"]
        my_Peak = "my_package.peak:PeakPlugin"
    """

    ConfigClass: ClassVar[type[PluginConfig]] = PluginConfig
    #: Plugins declare their columns, and run, in the order of (``order``, ``name``); the centroid slot's runs first.
    order: ClassVar[float] = FLUX_ORDER
    #: Whether it measures after all others, wherever its columns stand.
    last: ClassVar[bool] = False
    #: Whether ``<name>_instFlux`` is to be multiplied by its aperture correction.
    aperture_corrected: ClassVar[bool] = False

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        self.config = config
        self.name = name

    @abstractmethod
    def measure(self, batch: Batch) -> None:
        """Fill the columns of a batch of sources.

        Whatever goes wrong with one source is told by that source's flags. An exception is not fatal but
        slow: the batch is then measured again source by source, and those that raise again get their
        general flag.

        Parameters
        ----------
        batch
            The sources.
        """

    def measure_restored(self, batch: Batch) -> None:  # noqa: B027 (most plugins need nothing of it)
        """Fill columns that need the image with all neighbours in place; nothing if not overridden.

        Called once all plugins have measured all sources. ``batch.pixels`` is the exposure as it is.

        Parameters
        ----------
        batch
            The sources.
        """

    def fail(self, batch: Batch) -> None:
        """Flag sources whose measurement raised an exception.

        Parameters
        ----------
        batch
            The sources.
        """
        if f"{self.name}_flag" in batch:
            batch[f"{self.name}_flag"][:] = True

    def alias_bad_centroid(self, schema: Schema, flag: str = "flag_badCentroid") -> None:
        """Let ``<plugin>_flag_badCentroid`` stand for the general flag of the centroid slot.

        Parameters
        ----------
        schema
            Where to declare it.
        flag
            Name of the alias without the plugin's.
        """
        schema.aliases[f"{self.name}_{flag}"] = schema.resolve("slot_Centroid_flag")

    def alias_bad_shape(self, schema: Schema) -> None:
        """Let ``<plugin>_flag_badShape`` stand for the general flag of the shape slot.

        Parameters
        ----------
        schema
            Where to declare it.
        """
        schema.aliases[f"{self.name}_flag_badShape"] = schema.resolve("slot_Shape_flag")


def negative_sources(batch: Batch) -> NDArray[np.bool_]:
    """Tell which sources were detected as holes in the background; none if detection did not look for holes as well.

    Parameters
    ----------
    batch
        The sources.

    Returns
    -------
    ndarray
        Shape ``(n,)``.
    """
    if "is_negative" not in batch.catalog:
        return np.zeros(batch.n, np.bool_)
    return np.asarray(batch["is_negative"], np.bool_)

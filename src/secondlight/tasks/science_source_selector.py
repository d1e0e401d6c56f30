"""Choose sources by cuts on their columns."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from lsst.pex.config import Config, ConfigField, Field, ListField
from lsst.pipe.base import Task
from numpy.typing import NDArray

__all__ = ["ScienceSourceSelectorConfig", "ScienceSourceSelectorTask", "Table"]


class Table(Protocol):
    """A table: anything that returns a column by its name and knows which it has."""

    def __getitem__(self, name: str, /) -> NDArray[Any]: ...

    def __contains__(self, name: object, /) -> bool: ...


class _Limits(Config):
    minimum = Field[float](doc="Smallest value to keep; no limit if None.", optional=True)
    maximum = Field[float](doc="Largest value to keep; no limit if None.", optional=True)

    def within(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which values are within the limits; NaN is not, if there is a limit."""
        selected = np.ones(len(values), bool)
        if self.minimum is not None:
            selected &= values >= self.minimum
        if self.maximum is not None:
            selected &= values <= self.maximum
        return selected


class FluxLimitConfig(_Limits):
    """Limits on a flux."""

    fluxField = Field[str](doc="Name of the flux column.", default="slot_CalibFlux_instFlux")

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        return self.within(table[self.fluxField]) & _unflagged(table, self.fluxField)


class SignalToNoiseLimitConfig(_Limits):
    """Limits on a flux over its error."""

    fluxField = Field[str](doc="Name of the flux column.", default="base_PsfFlux_instFlux")
    errField = Field[str](doc="Name of the column of its error.", default="base_PsfFlux_instFluxErr")

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = table[self.fluxField] / table[self.errField]
        return self.within(ratio) & _unflagged(table, self.fluxField)


class UnresolvedLimitConfig(_Limits):
    """Limits on a measure of being extended."""

    name = Field[str](doc="Name of the column.", default="base_ClassificationSizeExtendedness_value")

    def setDefaults(self) -> None:
        """Keep points."""
        super().setDefaults()
        self.maximum = 0.1

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        return self.within(table[self.name])


class CentroidErrorLimitConfig(_Limits):
    """Limits on both errors of the position [pixel]."""

    centroidField = Field[str](
        doc="Beginning of the names of the position's columns.", default="slot_Centroid"
    )

    def setDefaults(self) -> None:
        """Keep what has been found to a few pixels."""
        super().setDefaults()
        self.maximum = 3.0

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        name = self.centroidField
        return (
            self.within(table[f"{name}_xErr"]) & self.within(table[f"{name}_yErr"]) & _unflagged(table, name)
        )


class FlagsConfig(Config):
    """Flags to ask for."""

    good = ListField[str](doc="Flags that must be set.", default=[], optional=False)
    bad = ListField[str](doc="Flags that must not be set.", default=[], optional=False)

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        selected = np.ones(len(table["id"]), bool)
        for name in self.good:
            selected &= table[name]
        for name in self.bad:
            selected &= ~table[name]
        return selected


class SkyFlagConfig(FlagsConfig):
    """Flags of sky sources."""

    def setDefaults(self) -> None:
        """Ask for the flag that this task sets."""
        super().setDefaults()
        self.good = ["sky_source"]


class IsolatedConfig(Config):
    """What tells a source that no deblender touched."""

    parentName = Field[str](doc="Column of the parent's id.", default="parent")
    nChildName = Field[str](doc="Column of the number of children.", default="deblend_nChild")

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        selected: NDArray[np.bool_] = (table[self.parentName] == 0) & (table[self.nChildName] == 0)
        return selected


class RequireFiniteRaDecConfig(Config):
    """Columns of the position on the sky."""

    raColName = Field[str](doc="Column of right ascension.", default="coord_ra")
    decColName = Field[str](doc="Column of declination.", default="coord_dec")

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        selected: NDArray[np.bool_] = np.isfinite(table[self.raColName]) & np.isfinite(table[self.decColName])
        return selected


class RequirePrimaryConfig(Config):
    """Column that counts each object once."""

    primaryColName = Field[str](doc="Name of the flag.", default="detect_isPrimary")

    def apply(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows to keep."""
        return np.asarray(table[self.primaryColName], bool)


def _unflagged(table: Table, name: str) -> NDArray[np.bool_]:
    """Return which rows lack the flag ``<name>_flag``; all if there is no such column."""
    flag = f"{name}_flag"
    return ~table[flag] if flag in table else np.ones(len(table["id"]), bool)


class ScienceSourceSelectorConfig(Config):
    """Configuration of `ScienceSourceSelectorTask`: the reference's names and defaults."""

    doFluxLimit = Field[bool](doc="Apply fluxLimit?", default=False)
    doFlags = Field[bool](doc="Apply flags?", default=False)
    doUnresolved = Field[bool](doc="Apply unresolved?", default=False)
    doSignalToNoise = Field[bool](doc="Apply signalToNoise?", default=False)
    doIsolated = Field[bool](doc="Apply isolated?", default=False)
    doRequireFiniteRaDec = Field[bool](doc="Apply requireFiniteRaDec?", default=False)
    doRequirePrimary = Field[bool](doc="Apply requirePrimary?", default=False)
    doSkySources = Field[bool](doc="Add sky sources (skyFlag), whatever the other cuts say?", default=False)
    doCentroidErrorLimit = Field[bool](doc="Apply centroidErrorLimit?", default=False)
    fluxLimit = ConfigField[FluxLimitConfig](doc="Limits on flux.")
    flags = ConfigField[FlagsConfig](doc="Flags that must or must not be set.")
    unresolved = ConfigField[UnresolvedLimitConfig](doc="Limits on extendedness.")
    signalToNoise = ConfigField[SignalToNoiseLimitConfig](doc="Limits on signal to noise.")
    isolated = ConfigField[IsolatedConfig](doc="No parent and no children.")
    requireFiniteRaDec = ConfigField[RequireFiniteRaDecConfig](doc="A position on the sky.")
    requirePrimary = ConfigField[RequirePrimaryConfig](doc="Primary.")
    skyFlag = ConfigField[SkyFlagConfig](doc="What tells sky sources.")
    centroidErrorLimit = ConfigField[CentroidErrorLimitConfig](doc="Limits on the position's errors.")


class ScienceSourceSelectorTask(Task):
    """Choose the sources that pass every cut that is switched on."""

    ConfigClass: ClassVar[type[Config]] = ScienceSourceSelectorConfig
    _DefaultName: ClassVar[str] = "scienceSourceSelector"
    config: Any

    def select(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows are chosen.

        Parameters
        ----------
        table
            The sources: a `SourceCatalog`, or a mapping from names to columns with ``id`` among them.

        Returns
        -------
        ndarray
            Shape ``(n,)``.

        Raises
        ------
        KeyError
            Raised if a column that a cut needs is missing; its argument is the column's name.
        """
        c = self.config
        selected = np.ones(len(table["id"]), bool)
        for wanted, cut in (
            (c.doFluxLimit, c.fluxLimit),
            (c.doFlags, c.flags),
            (c.doUnresolved, c.unresolved),
            (c.doSignalToNoise, c.signalToNoise),
            (c.doIsolated, c.isolated),
            (c.doRequireFiniteRaDec, c.requireFiniteRaDec),
            (c.doRequirePrimary, c.requirePrimary),
            (c.doCentroidErrorLimit, c.centroidErrorLimit),
        ):
            if wanted:
                selected &= cut.apply(table)
        if c.doSkySources:
            selected |= c.skyFlag.apply(table)
        return selected

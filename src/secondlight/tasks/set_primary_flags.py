"""Which rows to count when each object shall be counted once (spec 09.2)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, ListField
from lsst.pipe.base import Task

from ..model.catalog import SourceCatalog
from ..model.schema import Column, Schema

__all__ = ["SetPrimaryFlagsConfig", "SetPrimaryFlagsTask"]

_COLUMNS = (
    Column("detect_isPrimary", "Flag", "", "True if source has no children and is not a sky source."),
    Column(
        "detect_isDeblendedSource",
        "Flag",
        "",
        "True if source has no children and is not a sky source. and is either an unblended isolated source or a "
        "deblended child from a parent with 'deblend_nChild' > 1",
    ),
    Column(
        "detect_fromBlend", "Flag", "", "This source is deblended from a parent with more than one child."
    ),
    Column("detect_isIsolated", "Flag", "", "This source is not a part of a blend."),
)


class SetPrimaryFlagsConfig(Config):
    """Configuration of `SetPrimaryFlagsTask`."""

    pseudoFilterList = ListField[str](
        doc="Kinds of added sources that are never primary: those with the flag <name>_source.",
        default=["sky"],
        optional=False,
    )


class SetPrimaryFlagsTask(Task):
    """Tell the rows that stand for one object each from blends as a whole and from sky sources.

    Of one visit image only: patches and tracts, which decide on coadds, play no part.

    Parameters
    ----------
    schema
        Where columns are declared.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = SetPrimaryFlagsConfig
    _DefaultName: ClassVar[str] = "setPrimaryFlags"
    config: Any

    def __init__(self, schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for column in _COLUMNS:
            schema.add(column)

    def run(self, catalog: SourceCatalog) -> None:
        """Fill the flags.

        A parent that the deblender skipped or failed on has no children and so counts as isolated and primary.
        Without a deblender no source has children.

        Parameters
        ----------
        catalog
            The sources, with ``parent``, and ``deblend_nChild`` if they were deblended.
        """
        catalog.declare_missing()
        n_child = (
            catalog["deblend_nChild"] if "deblend_nChild" in catalog else np.zeros(len(catalog), np.int32)
        )
        childless = n_child == 0
        from_blend = catalog["parent"] != 0
        pseudo = np.zeros(len(catalog), bool)
        for name in self.config.pseudoFilterList:
            if f"{name}_source" in catalog:
                pseudo |= catalog[f"{name}_source"]
        catalog["detect_isPrimary"] = childless & ~pseudo
        catalog["detect_isDeblendedSource"] = childless
        catalog["detect_fromBlend"] = from_blend
        catalog["detect_isIsolated"] = childless & ~from_blend

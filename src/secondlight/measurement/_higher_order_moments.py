"""What the plugins of moments of higher order share (spec 07d, HigherOrderMoments)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.hsm_higher_moments import moment_orders
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig

__all__ = ["HigherOrderMomentsConfig", "HigherOrderMomentsPlugin"]

_FAILED = 1
_FLAGS = FlagList(Flag("flag", "General failure flag, set if anything went wrong", _FAILED))


class HigherOrderMomentsConfig(PluginConfig):
    """Configuration that the plugins of moments of higher order share."""

    min_order = Field[int](doc="Lowest order of the moments.", default=3)
    max_order = Field[int](doc="Highest order of the moments.", default=4)

    def validate(self) -> None:
        """Check that there are orders to measure."""
        super().validate()
        if not 0 <= self.min_order <= self.max_order:
            raise ValueError(f"min_order ({self.min_order}) must not exceed max_order ({self.max_order})")


class HigherOrderMomentsPlugin(Plugin):
    """Base of the plugins of moments of higher order: declares the columns and stores what a kernel found."""

    order: ClassVar[float] = FLUX_ORDER
    #: What is measured, in the words of the columns' texts.
    what: ClassVar[str]
    #: The plugin whose second moments standardise the positions.
    moments: ClassVar[str]

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        _FLAGS.declare(schema, name)
        for p, q in self._orders:
            doc = f"Higher order moments M_{p}{q} for {self.what}"
            schema.add(Column(f"{name}_{p}{q}", "D", "", doc))

    @property
    def _orders(self) -> list[tuple[int, int]]:
        return moment_orders(self.config.min_order, self.config.max_order)

    def shape(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the second moments, shape ``(n, 3)`` [pixel²], and whether they were measured.

        Parameters
        ----------
        batch
            The sources.
        """
        moments = np.stack([batch[f"{self.moments}_{m}"] for m in ("xx", "yy", "xy")], axis=1)
        return moments, ~batch[f"{self.moments}_flag"]

    def results(self, batch: Batch) -> NDArray[np.float64]:
        """Return room for a kernel's results, shape ``(n, m)``.

        Parameters
        ----------
        batch
            The sources.
        """
        return np.full((batch.n, len(self._orders)), np.nan)

    def store(self, batch: Batch, found: NDArray[np.float64], measured: NDArray[np.bool_]) -> None:
        """Write what a kernel found.

        Parameters
        ----------
        batch
            The sources.
        found
            Shape ``(n, m)``.
        measured
            Shape ``(n,)``: whether it counts.
        """
        found = np.where(measured[:, None], found, np.nan)
        for (p, q), values in zip(self._orders, found.T, strict=True):
            batch[f"{self.name}_{p}{q}"][:] = values
        _FLAGS.store(batch, self.name, np.where(measured, 0, _FAILED))

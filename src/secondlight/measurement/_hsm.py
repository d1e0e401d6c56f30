"""What the plugins of HSM moments share: columns and flags (spec 07d, Common).

Hirata & Seljak 2003 (MNRAS 343, 459); Mandelbaum et al. 2005 (MNRAS 361, 1287).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.hsm_ellipse import pass_on_moments
from ..kernels.hsm_moments import HSM_OK
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig

__all__ = ["HSM_FLAGS", "HsmMomentsConfig", "HsmMomentsPlugin", "trace_radius"]

_FAILED = 1

# The particular flags are in the schema for the readers that expect them; as in the reference, a failure sets the
# general one only.
HSM_FLAGS = FlagList(
    Flag("flag", "General failure flag, set if anything went wrong", _FAILED),
    Flag("flag_no_pixels", "No pixels to measure"),
    Flag("flag_not_contained", "Center not contained in footprint bounding box"),
    Flag("flag_parent_source", "Parent source, ignored"),
    Flag("flag_galsim", "GalSim failure"),
    Flag("flag_invalid_param", "Invalid combination of moments"),
    Flag("flag_edge", "Variance undefined outside image edge"),
    Flag("flag_no_psf", "Exposure lacks PSF"),
)


def trace_radius(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return √(half the trace) of second moments.

    Parameters
    ----------
    moments
        Shape ``(n, 3)``: xx, yy, xy [pixel²].

    Returns
    -------
    ndarray
        Shape ``(n,)`` [pixel].
    """
    return np.asarray(np.sqrt(0.5 * (moments[:, 0] + moments[:, 1])), np.float64)


class HsmMomentsConfig(PluginConfig):
    """Configuration that all plugins of HSM moments share."""

    roundMoments = Field[bool](doc="Whether the weight is kept round.", default=False)
    addFlux = Field[bool](doc="Whether to store the flux under the matched Gaussian.", default=False)
    subtractCenter = Field[bool](doc="Whether x and y are relative to the starting centre.", default=False)


class HsmMomentsPlugin(Plugin):
    """Base of the plugins of HSM moments: declares the columns and stores what a kernel found."""

    order: ClassVar[float] = SHAPE_ORDER
    #: What is measured, as the columns' texts call it.
    what: ClassVar[str]
    #: How the results differ from plain ones, in the same texts.
    kind: ClassVar[str] = ""

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        HSM_FLAGS.declare(schema, name)
        for column in "xy":
            doc = f"{self.kind}centroid of the {self.what} via the HSM shape algorithm"
            schema.add(Column(f"{name}_{column}", "D", "pixel", doc[0].upper() + doc[1:]))
        for column in ("xx", "yy", "xy"):
            doc = f"{self.kind}adaptive moments of the {self.what} via the HSM shape algorithm"
            schema.add(Column(f"{name}_{column}", "D", "pixel^2", doc[0].upper() + doc[1:]))
        if config.addFlux:
            schema.add(Column(f"{name}_Flux", "D", "count", "HSM flux"))
        self.alias_bad_centroid(schema)

    def store(
        self,
        batch: Batch,
        found: NDArray[np.float64],
        status: NDArray[np.int64],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
    ) -> None:
        """Write what a kernel found.

        Parameters
        ----------
        batch
            The sources.
        found
            Shape ``(n, 6)``: x, y [pixel], xx, yy, xy [pixel²], flux; NaN where not measured.
        status
            Shape ``(n,)``: the kernel's `~secondlight.kernels.hsm_moments.HSM_OK`, or what went wrong.
        x, y
            Shape ``(n,)``: starting centre, in the coordinates of ``found``.
        """
        if self.config.subtractCenter:
            found = found - np.column_stack([x, y, *np.zeros((4, batch.n))])
        moments = np.ascontiguousarray(found[:, 2:5])
        pass_on_moments(moments)
        found = np.column_stack([found[:, :2], moments, found[:, 5:]])
        columns = ["x", "y", "xx", "yy", "xy"] + ["Flux"] * self.config.addFlux
        for i, column in enumerate(columns):
            batch[f"{self.name}_{column}"][:] = found[:, i]
        HSM_FLAGS.store(batch, self.name, np.where(status == HSM_OK, 0, _FAILED))

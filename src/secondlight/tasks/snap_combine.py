"""Combine the two snaps of a visit (spec 01)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, ListField
from lsst.pipe.base import Task
from numpy.typing import NDArray

from secondlight.errors import InputError, UsageError
from secondlight.model.exposure import Exposure
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.visit_info import VisitInfo

__all__ = ["SnapCombineConfig", "SnapCombineTask"]


class SnapCombineConfig(Config):
    """Configuration of `SnapCombineTask`."""

    bad_mask_planes = ListField[str](
        doc="mask planes of pixels that are left out; if one snap is left, it counts twice", default=[]
    )


class SnapCombineTask(Task):
    """Add the two snaps of a visit; a single snap passes through."""

    ConfigClass: ClassVar[type[Config]] = SnapCombineConfig
    _DefaultName: ClassVar[str] = "snapCombine"
    config: Any

    def run(self, exposures: Exposure | Sequence[Exposure]) -> Exposure:
        """Combine the snaps of a visit.

        Parameters
        ----------
        exposures
            One exposure, or a sequence of one or two.

        Returns
        -------
        Exposure
            The single exposure itself, or a new one: the sum of the two, with what is attached to the first, the
            exposure times added and the dates averaged. Where one of them is left out the other counts twice
            (its variance four times); where both are, the pixel is NaN and marked ``NO_DATA``.

        Raises
        ------
        InputError
            Raised if there are not one or two snaps.
        UsageError
            Raised if what is given are not exposures.
        """
        if isinstance(exposures, Exposure):
            return exposures
        if isinstance(exposures, str) or not isinstance(exposures, Sequence):
            raise UsageError(
                f"exposures must be an exposure or a sequence of them, not {type(exposures).__name__}"
            )
        for exposure in exposures:
            if not isinstance(exposure, Exposure):
                raise UsageError(
                    f"exposures must be a sequence of exposures, not of {type(exposure).__name__}"
                )
        match len(exposures):
            case 1:
                return exposures[0]
            case 2:
                return self._combine(exposures[0], exposures[1])
            case n:
                raise InputError(f"a visit has one or two snaps, not {n}")

    def _combine(self, first: Exposure, second: Exposure) -> Exposure:
        out = replace(
            first,
            image=np.zeros_like(first.image),
            mask=np.zeros_like(first.mask),
            variance=np.zeros_like(first.variance),
            mask_planes=first.mask_planes.copy(),
            visit_info=_combine_visit_info(first.visit_info, second.visit_info),
            summary_stats=copy.deepcopy(first.summary_stats),
            metadata=copy.deepcopy(first.metadata),
        )
        weight = np.zeros_like(first.image)
        for snap in (first, second):
            here, there = _overlap(out, snap)
            mask = snap.mask[there]
            good = (mask & snap.mask_planes.bits(self.config.bad_mask_planes)) == 0
            np.add(out.image[here], snap.image[there], out=out.image[here], where=good)
            np.add(out.variance[here], snap.variance[there], out=out.variance[here], where=good)
            translated = _translate(mask, snap.mask_planes, out.mask_planes)
            np.bitwise_or(out.mask[here], translated, out=out.mask[here], where=good)
            weight[here] += good
        weight *= np.float32(0.5)
        if not (weight == 1).all():
            with np.errstate(divide="ignore", invalid="ignore"):
                out.image /= weight
                out.variance /= weight
                out.variance /= weight
            out.mask[weight == 0] |= out.mask_planes.bit("NO_DATA")
        self.log.info("Combined two snaps.")
        return out


def _overlap(out: Exposure, snap: Exposure) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the pixels that both have, as slices of either."""
    here, there = [], []
    starts = ((out.y0, snap.y0), (out.x0, snap.x0))
    for (a, b), n_out, n_snap in zip(starts, out.image.shape, snap.image.shape, strict=True):
        begin = max(a, b)
        end = max(begin, min(a + n_out, b + n_snap))
        here.append(slice(begin - a, end - a))
        there.append(slice(begin - b, end - b))
    return (here[0], here[1]), (there[0], there[1])


def _translate(mask: NDArray[np.int32], planes: MaskPlanes, to: MaskPlanes) -> NDArray[np.int32]:
    """Return the mask with bits as ``to`` has them; planes that ``to`` lacks are added to it."""
    if all(to.get(name) == bit for name, bit in planes.items()):
        return mask
    out = np.zeros_like(mask)
    for name in planes:
        out[(mask & planes.bits([name])) != 0] |= np.int32(to.bit(name))
    return out


def _combine_visit_info(first: VisitInfo | None, second: VisitInfo | None) -> VisitInfo | None:
    if first is None or second is None:
        return first
    return replace(
        first,
        exposure_time=first.exposure_time + second.exposure_time,
        date_tai=(first.date_tai + second.date_tai) / 2,
    )

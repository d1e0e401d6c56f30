"""One CCD's image with everything attached to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.images import Box, SkyProjection
from lsst.images.cameras import Detector
from lsst.images.fields import BaseField
from numpy.typing import NDArray

from .mask_planes import MaskPlanes

if TYPE_CHECKING:
    from .photo_calib import PhotoCalib
    from .psf import BatchPsf
    from .visit_info import VisitInfo

__all__ = ["Exposure", "FilterLabel", "row_blocks"]

#: Rows that are looked at together: some MB of an image.
_ROWS = 256


def row_blocks(height: int) -> Iterator[slice]:
    """Iterate over blocks of rows, so that what is made of an image on the way is not as large as the image.

    Parameters
    ----------
    height
        Number of rows.
    """
    return (slice(start, start + _ROWS) for start in range(0, height, _ROWS))


@dataclass(frozen=True, slots=True)
class FilterLabel:
    """Names of the filter: ``band`` (``r``) and ``physical`` (``r_57``); either may be empty."""

    band: str = ""
    physical: str = ""


@dataclass
class Exposure:
    """Pixels of one CCD and its calibrations.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, float32 [count, or nJy once calibrated].
    mask
        Shape ``(ny, nx)``, int32; bits named by ``mask_planes``.
    variance
        Shape ``(ny, nx)``, float32 [square of the image's unit].
    mask_planes
        This mask's own dictionary of planes.
    x0, y0
        Parent coordinates of the first pixel.
    unit
        Unit of the image: ``"electron"``, ``"adu"`` or ``"nJy"``; empty if the file does not say.
    psf, wcs, photo_calib, ap_corr_map
        Calibrations; `None` where not attached. ``ap_corr_map`` maps the full name of a flux column to its field.
    visit_info, detector, filter, valid_polygon
        Descriptions of the observation; ``valid_polygon`` has shape ``(n, 2)``, vertices (x, y) [pixel].
    summary_stats
        Summary statistics by the reference's field names (spec 11.7).
    metadata
        Header cards and values added by the stages; scalars only.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]
    mask_planes: MaskPlanes = field(default_factory=MaskPlanes)
    x0: int = 0
    y0: int = 0
    unit: str = ""
    psf: BatchPsf | None = None
    wcs: SkyProjection[Any] | None = None
    photo_calib: PhotoCalib | None = None
    ap_corr_map: Mapping[str, BaseField] | None = None
    visit_info: VisitInfo | None = None
    detector: Detector | None = None
    filter: FilterLabel | None = None
    valid_polygon: NDArray[np.float64] | None = None
    summary_stats: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.image.shape == self.mask.shape == self.variance.shape or self.image.ndim != 2:
            raise ValueError(
                f"image {self.image.shape}, mask {self.mask.shape} and variance {self.variance.shape} "
                "must be planes of one shape"
            )
        self.image = np.ascontiguousarray(self.image, np.float32)
        self.mask = np.ascontiguousarray(self.mask, np.int32)
        self.variance = np.ascontiguousarray(self.variance, np.float32)

    @property
    def bbox(self) -> Box:
        """The image's box in parent coordinates."""
        return Box.from_shape(self.image.shape, start=(self.y0, self.x0))

    def cutout(self, box: Box) -> Exposure:
        """Return a part of the image, with pixels, mask planes and metadata of its own, in the same coordinates.

        Parameters
        ----------
        box
            The part, in parent coordinates; clipped to the image.

        Raises
        ------
        ValueError
            Raised if the box does not touch the image.
        """
        y0, y1 = max(box.y.start, self.y0), min(box.y.stop, self.y0 + self.image.shape[0])
        x0, x1 = max(box.x.start, self.x0), min(box.x.stop, self.x0 + self.image.shape[1])
        if y0 >= y1 or x0 >= x1:
            raise ValueError(f"{box} does not touch the image, which covers {self.bbox}")
        at = slice(y0 - self.y0, y1 - self.y0), slice(x0 - self.x0, x1 - self.x0)
        part = replace(
            self, image=self.image[at], mask=self.mask[at], variance=self.variance[at], x0=x0, y0=y0
        )
        return part.copy()

    def copy(self) -> Exposure:
        """Return a copy with pixels, mask planes and metadata of its own; calibrations, which never change, are shared."""
        return replace(
            self,
            image=self.image.copy(),
            mask=self.mask.copy(),
            variance=self.variance.copy(),
            mask_planes=self.mask_planes.copy(),
            summary_stats=copy.deepcopy(self.summary_stats),
            metadata=copy.deepcopy(self.metadata),
        )

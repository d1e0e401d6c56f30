"""A tiny visit whose truth is known, reprocessed: does this installation work, and are its kernels compiled?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import astropy.wcs
import numpy as np
from lsst.images import Box, DetectorFrame, SkyProjection
from lsst.images.fields import ChebyshevField

from .kernels import cache_directory
from .model.background import ApproxStyle, BackgroundList, BackgroundModel, InterpStyle, UndersampleStyle
from .model.exposure import Exposure
from .model.ids import IdGenerator
from .model.photo_calib import PhotoCalib
from .model.psf import AffineWcs, GaussianPsf, PiffInterpolation, PiffPsf, PiffStars, PixelGrid
from .reprocess import ReprocessVisitImageConfig, ReprocessVisitImageTask

__all__ = ["CacheState", "Finding", "cache_state", "check"]

_SIZE = 256
_SIGMA = 2.0
_NOISE = 10.0
_FLUX = 2.0e5
#: Placed off the pixel centres and far from the edge; the last two are a blend.
_STARS = np.array(
    [(60.3, 70.8), (180.6, 60.1), (90.9, 190.4), (200.2, 185.5), (128.4, 130.2), (136.7, 133.9)]
)


@dataclass(frozen=True, slots=True)
class CacheState:
    """Where compiled kernels are kept, and how many there are."""

    directory: Path
    kernels: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and whether it is well."""

    good: bool
    text: str


def cache_state() -> CacheState:
    """Return where compiled kernels are kept, and how many there are now."""
    directory = cache_directory()
    return CacheState(directory, sum(1 for _ in directory.rglob("*.nbi")))


def check() -> list[Finding]:
    """Reprocess a tiny image of six stars, two of them blended, draw a Piff model, and compare with the truth."""
    task = ReprocessVisitImageTask(ReprocessVisitImageConfig())
    exposure = _stars()
    bbox = exposure.bbox
    result = task.run(
        exposures=exposure,
        psf=GaussianPsf(_SIGMA, 41, 41),
        background=_flat_background(bbox),
        ap_corr={},
        photo_calib=PhotoCalib.from_field(ChebyshevField(bbox, np.array([[1.0, 0.0], [0.0, 0.0]])), err=0.0),
        wcs=_tangent_projection(bbox),
        id_generator=IdGenerator(),
    )
    catalog = result.sources_footprints
    x, y = catalog["slot_Centroid_x"], catalog["slot_Centroid_y"]
    real = ~catalog["sky_source"] & (catalog["deblend_nChild"] == 0)
    findings = [
        Finding(int(real.sum()) == len(_STARS), f"{int(real.sum())} sources detected of {len(_STARS)} stars"),
        Finding(bool(np.isfinite(result.exposure.image).all()), "every pixel of the image is finite"),
    ]
    distance = np.hypot(x[real][:, None] - _STARS[:, 0], y[real][:, None] - _STARS[:, 1])
    if not distance.size:
        return findings
    worst = float(distance.min(axis=0).max())
    findings.append(Finding(worst < 0.05, f"centroids within {worst:.4f} pixel of the truth"))
    flux = catalog["base_PsfFlux_instFlux"][real][distance.argmin(axis=0)]
    off = float(np.abs(flux / _FLUX - 1).max())
    findings.append(Finding(off < 0.01, f"PSF fluxes within {100 * off:.2f} % of the truth"))
    findings.append(_piff_is_drawn())
    return findings


def _flat_background(bbox: Box) -> BackgroundList:
    """A background of nothing, interpolated as upstream's are."""
    cells = np.zeros((4, 4), np.float32)
    return BackgroundList(
        [
            BackgroundModel(
                stats_image=cells,
                stats_mask=np.zeros(cells.shape, np.int32),
                stats_variance=np.ones(cells.shape, np.float32),
                bbox=bbox,
                interp_style=InterpStyle.AKIMA_SPLINE,
                undersample_style=UndersampleStyle.REDUCE_INTERP_ORDER,
                approx_style=ApproxStyle.UNKNOWN,
                approx_order_x=0,
                approx_order_y=0,
                approx_weighting=False,
            )
        ]
    )


def _piff_is_drawn() -> Finding:
    """Draw a Gaussian that a Piff model holds pixel by pixel, on the pixels and between them."""
    half = 10
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    values = np.exp(-0.5 * (u * u + v * v) / _SIGMA**2)
    one = np.zeros(1)
    psf = PiffPsf(
        PixelGrid(1.0, 2 * half + 1, 5),
        PiffInterpolation(("x",), np.ones(1, bool), values.reshape(-1, 1)),
        AffineWcs((1.0, 0.0, 0.0, 1.0)),
        PiffStars(one, one, one > 0, one > 0, one),
        height=2 * half + 1,
        width=2 * half + 1,
    )
    kernel, stamps = psf.kernel_images([50.0], [60.0])[0], psf.stellar_images([50.3], [59.8])
    moved = np.exp(-0.5 * ((u - 0.3) ** 2 + (v + 0.2) ** 2) / _SIGMA**2)
    worst = max(
        float(np.abs(image / image.max() - expected / expected.max()).max())
        for image, expected in ((kernel, values), (stamps.images[0], moved))
    )
    xx = float(psf.moments([50.0], [60.0])[0, 0])
    worst = max(worst, abs(xx / _SIGMA**2 - 1))
    return Finding(worst < 0.02, f"a Piff model and its moments are within {100 * worst:.2f} % of the truth")


def _stars() -> Exposure:
    """An exposure of Gaussian stars in white noise, with one cosmic ray."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:_SIZE, :_SIZE]
    image = rng.normal(0.0, _NOISE, (_SIZE, _SIZE))
    for x0, y0 in _STARS:
        r2 = (x - x0) ** 2 + (y - y0) ** 2
        image += _FLUX / (2 * np.pi * _SIGMA**2) * np.exp(-0.5 * r2 / _SIGMA**2)
    image[120, 120:126] += 2000.0
    variance = np.full(image.shape, _NOISE**2)
    return Exposure(
        image.astype(np.float32),
        np.zeros(image.shape, np.int32),
        variance.astype(np.float32),
        unit="electron",
    )


def _tangent_projection(bbox: Box) -> SkyProjection[DetectorFrame]:
    wcs = astropy.wcs.WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [30.0, -20.0]
    wcs.wcs.crpix = [_SIZE / 2, _SIZE / 2]
    wcs.wcs.cd = np.diag([-0.2, 0.2]) / 3600.0
    frame = DetectorFrame(instrument="none", visit=0, detector=0, bbox=bbox)
    return SkyProjection.from_fits_wcs(wcs, frame)

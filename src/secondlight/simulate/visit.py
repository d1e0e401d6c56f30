"""A visit as the reprocessing receives it, with the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Column, Table
from lsst.images import Box
from lsst.images.fields import BaseField, ChebyshevField
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from secondlight.errors import UsageError
from secondlight.model.background import BackgroundList
from secondlight.model.exposure import Exposure, FilterLabel
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.photo_calib import REFERENCE_FLUX, PhotoCalib
from secondlight.model.psf import BatchPsf
from secondlight.model.visit_info import VisitInfo

from .aperture_corrections import aperture_corrections
from .camera import Pointing, make_detector, make_sky_projection, make_visit_info
from .ccd import Defects, expose
from .cosmic_rays import draw_cosmic_rays
from .observing import FULL_WELL, PIXEL_SCALE, READ_NOISE, Band, band_named
from .population import draw_objects
from .psf_fit import fit_psf
from .render import draw_scene
from .sky import Sky, binned_background
from .true_psf import TruePsf

__all__ = ["SimulatedVisit", "simulate_visit"]

#: Bins of the two backgrounds [pixel], as upstream fits them.
_DETECTOR_BIN, _SKY_BIN = 128, 256

#: Shape of the photometric calibration over the detector: Chebyshev coefficients, rows by the order in y.
_PHOTOMETRIC_FIELD = ((1.0, 0.004, -0.002), (0.003, 0.001, 0.0), (-0.002, 0.0, 0.0))

#: The calibration that upstream began with was this much off.
_INITIAL_CALIBRATION = 1.003

#: Stars at least this far above the noise were used to fit the PSF [S/N].
_PSF_STAR_SIGNAL_TO_NOISE = 50.0

_CR_TRUTH_SIGMAS = 1.0  # a pixel counts as hit when the charge exceeds the pixel's noise


@dataclass(frozen=True)
class SimulatedVisit:
    """Everything upstream hands to the reprocessing of one detector, and what is really there.

    Parameters
    ----------
    exposures
        The post-ISR exposure, or two snaps [electron].
    preliminary_mask, preliminary_planes
        Mask of the same size with the SPIKE plane, and its planes.
    background_1, sky_corr
        Backgrounds whose sum is to be subtracted [electron].
    psf, photo_calib, ap_corr_map
        Final calibrations of the detector. Its WCS is that of the exposures.
    initial_photo_calib
        The calibration that upstream began with.
    background_ratio
        Ratio of the flat for the background to that for photometry; None if the two are the same.
    calib_sources
        Stars used for the PSF: detector, coord_ra, coord_dec [rad], calib_psf_candidate, calib_psf_used,
        calib_psf_reserved.
    truth
        The objects; see `draw_objects`.
    cr_truth
        Shape ``(snaps, ny, nx)``: pixels to which a cosmic ray added more than their noise.
    inputs
        The numbers the visit was made with.
    """

    exposures: list[Exposure]
    preliminary_mask: NDArray[np.int32]
    preliminary_planes: MaskPlanes
    background_1: BackgroundList
    sky_corr: BackgroundList
    psf: BatchPsf
    photo_calib: PhotoCalib
    ap_corr_map: dict[str, BaseField]
    initial_photo_calib: PhotoCalib
    background_ratio: NDArray[np.float32] | None
    calib_sources: Table
    truth: Table
    cr_truth: NDArray[np.bool_]
    inputs: dict[str, Any]

    @property
    def detector(self) -> int:
        """Detector id."""
        return int(self.inputs["detector"])

    @property
    def visit(self) -> int:
        """Visit id."""
        return int(self.inputs["visit"])

    @property
    def wcs(self) -> Any:
        """Sky projection of the detector."""
        return self.exposures[0].wcs

    @property
    def visit_info(self) -> VisitInfo:
        """Description of the first snap."""
        info = self.exposures[0].visit_info
        assert info is not None
        return info


def simulate_visit(
    nx: int = 2000,
    ny: int = 1000,
    *,
    seed: int = 1,
    visit: int = 2025112000123,
    detector: int = 94,
    band: str = "r",
    density: float = 1.0,
    snaps: int = 1,
    exposure_time: float = 30.0,
    pointing: Pointing | None = None,
    flat_ratio: bool = False,
    no_data_border: int = 0,
) -> SimulatedVisit:
    """Simulate one detector of a visit.

    The same arguments give the same visit, bit for bit, on one version of GalSim and NumPy. Each ingredient has a random
    stream of its own: a second snap or another density leaves the others as they were.

    Parameters
    ----------
    nx, ny
        Size of the detector [pixel].
    seed
        Seed of all random streams.
    visit, detector
        Ids.
    band
        One of u, g, r, i, z, y.
    density
        Number of objects relative to a field at high galactic latitude (0.95 per 1000 pixels).
    snaps
        One exposure, or two of half the time each.
    exposure_time
        Of the whole visit [s].
    pointing
        Where the middle of the detector points.
    flat_ratio
        Whether the pixels are flattened for the background rather than for photometry; the visit then has a
        ``background_ratio``.
    no_data_border
        Width of a frame without data [pixel].

    Raises
    ------
    UsageError
        Raised if an argument makes no sense.
    """
    glass = band_named(band)
    if min(nx, ny) < 64:
        raise UsageError(
            f"a detector of {nx} by {ny} pixels is too small to simulate; take at least 64 by 64"
        )
    if snaps not in (1, 2):
        raise UsageError(f"a visit has one or two snaps, not {snaps}")
    shape = (ny, nx)
    pointing = pointing or Pointing()
    streams = [default_rng(s) for s in SeedSequence(seed).spawn(6 + 2 * snaps)]
    for_objects, for_psf, for_sky, for_defects, for_ratio, for_stars, *for_snaps = streams

    bbox = Box.factory[0:ny, 0:nx]
    camera_detector = make_detector(detector, bbox, visit)
    wcs = make_sky_projection(camera_detector, pointing)
    photo_calib = _photo_calib(glass, exposure_time, bbox)
    true_psf = TruePsf.draw(for_psf, shape, glass.fwhm)
    # a star saturates when its middle pixel, 5 % of its flux for a typical PSF, fills the well of every snap
    saturation_flux = snaps * FULL_WELL / float(true_psf.star_image(nx / 2, ny / 2, 3).max())
    truth = draw_objects(
        for_objects,
        shape,
        density=density,
        photo_calib=photo_calib,
        wcs=wcs,
        saturation_mag=photo_calib.zero_point - 2.5 * np.log10(saturation_flux),
    )
    sky = Sky.draw(for_sky, shape, glass.sky * exposure_time)
    planes = MaskPlanes()
    preliminary_planes = MaskPlanes()
    preliminary_mask = np.zeros(shape, np.int32)
    scene, spikes = draw_scene(truth, true_psf, spikes_above=saturation_flux)
    preliminary_mask[spikes] = preliminary_planes.bit("SPIKE")
    ratio = _flat_ratio(for_ratio, shape) if flat_ratio else None
    expected = (scene * ratio if ratio is not None else scene) + sky.total

    defects = Defects.draw(for_defects, shape)
    exposures, hits = [], []
    for k in range(snaps):
        for_rays, for_noise = for_snaps[2 * k : 2 * k + 2]
        rays = draw_cosmic_rays(for_rays, shape, exposure_time / snaps)
        readout = expose(for_noise, expected / snaps, rays, defects, planes, no_data_border=no_data_border)
        hits.append(rays > _CR_TRUTH_SIGMAS * np.sqrt(expected / snaps + READ_NOISE**2))
        exposures.append(
            Exposure(
                readout.image,
                readout.mask,
                readout.variance,
                mask_planes=planes.copy(),
                unit="electron",
                wcs=wcs,
                visit_info=make_visit_info(visit, pointing, exposure_time / snaps),
                detector=camera_detector,
                filter=FilterLabel(band=glass.name, physical=glass.physical),
            )
        )
    psf = fit_psf(true_psf, bbox)
    return SimulatedVisit(
        exposures=exposures,
        preliminary_mask=preliminary_mask,
        preliminary_planes=preliminary_planes,
        background_1=binned_background(sky.detector, _DETECTOR_BIN),
        sky_corr=binned_background(sky.focal_plane, _SKY_BIN),
        psf=psf,
        photo_calib=photo_calib,
        ap_corr_map=aperture_corrections(true_psf, psf, bbox),
        initial_photo_calib=PhotoCalib.constant(_INITIAL_CALIBRATION * photo_calib.mean, bbox=bbox),
        background_ratio=ratio.astype(np.float32) if ratio is not None else None,
        calib_sources=_psf_stars(for_stars, truth, detector, glass, exposure_time, saturation_flux),
        truth=truth,
        cr_truth=np.stack(hits),
        inputs={
            "seed": seed,
            "nx": nx,
            "ny": ny,
            "snaps": snaps,
            "visit": visit,
            "detector": detector,
            "band": band,
            "density": density,
            "exptime": exposure_time,
            "ra": pointing.ra,
            "dec": pointing.dec,
            "rotation": pointing.rotation,
            "pixel_scale": PIXEL_SCALE,
            "gain": 1.0,
            "read_noise": READ_NOISE,
            "full_well": FULL_WELL,
            "fwhm": glass.fwhm,
            "sky_level": float(sky.total.mean()),
            "calibration_mean": photo_calib.mean,
            "photo_field": _PHOTOMETRIC_FIELD,
            "flat_ratio": flat_ratio,
            "no_data_border": no_data_border,
            "bin1": _DETECTOR_BIN,
            "bin2": _SKY_BIN,
            "planes": list(planes),
        },
    )


def _photo_calib(band: Band, exposure_time: float, bbox: Box) -> PhotoCalib:
    """Calibration of the visit [nJy/electron]."""
    mean = REFERENCE_FLUX * 10 ** (-0.4 * band.zero_point) / exposure_time
    field = ChebyshevField(bbox, mean * np.array(_PHOTOMETRIC_FIELD))
    return PhotoCalib.from_field(field, err=0.002 * mean)


def _flat_ratio(rng: Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Ratio of the two flats: a smooth pattern of a few per cent."""
    ny, nx = shape
    v = np.linspace(-1, 1, ny)[:, np.newaxis]
    u = np.linspace(-1, 1, nx)[np.newaxis, :]
    a, b, c = rng.uniform(-0.02, 0.02, 3)
    ratio: NDArray[np.float64] = 1.0 + a * u + b * v + c * (u * u + v * v - 2 / 3)
    return ratio


def _psf_stars(
    rng: Generator, truth: Table, detector: int, band: Band, exposure_time: float, saturation_flux: float
) -> Table:
    """The bright, unsaturated stars that upstream fitted the PSF to; one in five is kept in reserve."""
    # effective area of the PSF, 2.27 FWHM², times the noise of the sky
    noise = np.sqrt(2.27 * (band.fwhm / PIXEL_SCALE) ** 2 * (band.sky * exposure_time + READ_NOISE**2))
    flux = np.asarray(truth["flux"])
    chosen = (
        (np.asarray(truth["kind"]) == "star")
        & (flux > _PSF_STAR_SIGNAL_TO_NOISE * noise)
        & (flux < 0.7 * saturation_flux)
    )
    n = int(chosen.sum())
    reserved = rng.random(n) < 0.2
    return Table(
        [
            Column(np.full(n, detector, np.int16), name="detector"),
            Column(np.radians(np.asarray(truth["ra"])[chosen]), name="coord_ra", unit="rad"),
            Column(np.radians(np.asarray(truth["dec"])[chosen]), name="coord_dec", unit="rad"),
            Column(np.ones(n, bool), name="calib_psf_candidate"),
            Column(~reserved, name="calib_psf_used"),
            Column(reserved, name="calib_psf_reserved"),
        ]
    )

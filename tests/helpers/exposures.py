"""A small exposure with everything attached."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.fields import ChebyshevField, ProductField

from secondlight.model.exposure import Exposure, FilterLabel
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.psf import BatchPsf
from secondlight.model.visit_info import VisitInfo
from secondlight.simulate.camera import Pointing, make_detector, make_sky_projection

from .psfs import piff_psf

DETECTOR_BOX = Box.factory[0:1000, 0:1024]


def full_exposure(
    shape: tuple[int, int] = (60, 50), psf: BatchPsf | None = None, unit: str = "electron"
) -> Exposure:
    """An exposure that covers a part of its detector, no attribute left out."""
    ny, nx = shape
    rng = np.random.default_rng(7)
    planes = MaskPlanes()
    planes.bit("SPIKE")
    mask = rng.integers(0, 1 << len(planes), shape).astype(np.int32)
    image = rng.normal(0, 30, shape).astype(np.float32)
    image[-1, -1] = np.nan
    variance = np.full(shape, 900, np.float32)
    variance[0, -1] = np.inf
    detector = make_detector(42, DETECTOR_BOX, 2025110300123)
    box = DETECTOR_BOX
    return Exposure(
        image,
        mask,
        variance,
        planes,
        x0=100,
        y0=200,
        unit=unit,
        psf=psf or piff_psf(),
        wcs=make_sky_projection(detector, Pointing()),
        photo_calib=PhotoCalib.from_field(ChebyshevField(box, np.array([[0.5, 0.01], [0.02, 0.0]])), 1e-4),
        ap_corr_map={
            "base_PsfFlux_instFlux": ChebyshevField(box, np.array([[1.01, 0.002], [0.001, 0.0]])),
            "base_PsfFlux_instFluxErr": ProductField(
                [ChebyshevField(box, np.array([[0.1]])), ChebyshevField(box, np.array([[0.2, 0.01]]))]
            ),
        },
        visit_info=VisitInfo(
            id=2025110300123,
            exposure_time=30.0,
            dark_time=31.5,
            date_tai=60982.123456789,
            ut1=60982.123028,
            era=1.25,
            boresight_ra=0.92,
            boresight_dec=-0.49,
            boresight_az=4.78,
            boresight_alt=1.3,
            boresight_airmass=1.04,
            boresight_rot_angle=0.5,
            rot_type="SKY",
            longitude=-1.2348,
            latitude=-0.5279,
            elevation=2663.0,
            air_temperature=14.4,
            air_pressure=74135.0,
            humidity=17.0,
            instrument="LSSTCam",
            focus_z=0.25,
            observation_type="science",
            science_program="BLOCK-365",
            observation_reason="survey",
            object="COSMOS",
            has_simulated_content=True,
        ),
        detector=detector,
        filter=FilterLabel("r", "r_57"),
        valid_polygon=np.array([[100.5, 201.0], [98.0 + nx, 201.0], [100.0 + 0.8 * nx, 198.5 + ny]]),
        summary_stats={
            "psfSigma": 1.7,
            "nPsfStar": 55,
            "raCorners": [1.0, 2.0, 3.0, 4.0],
            "magLim": float("nan"),
        },
        metadata={"TELESCOP": "Simonyi", "LSST ISR UNITS": "electron", "n": 3, "x": 2.5, "yes": True},
    )


def assert_same_exposure(a: Exposure, b: Exposure) -> None:
    """Compare everything but the PSF and the photometric calibration."""
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    for name in ("mask_planes", "x0", "y0", "unit", "filter", "wcs", "detector", "ap_corr_map", "metadata"):
        assert getattr(a, name) == getattr(b, name), name
    for key, value in asdict(a.visit_info).items():
        other = getattr(b.visit_info, key)
        assert other == (
            pytest.approx(value, rel=1e-12, nan_ok=True) if isinstance(value, float) else value
        ), key
    for key, value in a.summary_stats.items():
        np.testing.assert_equal(b.summary_stats[key], value)
    np.testing.assert_allclose(b.valid_polygon, a.valid_polygon)

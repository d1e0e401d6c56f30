"""Detectors written in afw's layout: amplifiers with and without raw geometry, flips, and the camera's systems."""

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.cameras import (
    Amplifier,
    AmplifierCalibrations,
    AmplifierRawGeometry,
    Detector,
    ReadoutCorner,
)

from helpers.exposures import DETECTOR_BOX
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.detector import read_detector
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.write_archive import write_standalone
from secondlight.io.afw.write_detector import save_detector
from secondlight.simulate.camera import make_detector


def geometry(corner, *, flip_x=False, flip_y=False, prescan=True):
    return AmplifierRawGeometry(
        bbox=Box.factory[0:510, 0:560],
        data_bbox=Box.factory[2:502, 10:522],
        flip_x=flip_x,
        flip_y=flip_y,
        x_offset=-3,
        y_offset=7,
        serial_overscan_bbox=Box.factory[2:502, 522:560],
        parallel_overscan_bbox=Box.factory[502:510, 10:522],
        prescan_bbox=Box.factory[2:502, 0:10] if prescan else None,
        readout_corner=corner,
    )


def amplifier(name, corner, raw):
    flips = {} if raw is None else {"x": raw.flip_x, "y": raw.flip_y}
    return Amplifier(
        name=name,
        bbox=Box.factory[500:1000, 512:1024],
        readout_corner=corner.apply_flips(**flips) if raw is not None else corner,
        assembled_raw_geometry=raw,
        nominal_calibrations=AmplifierCalibrations(
            gain=1.5,
            read_noise=9.25,
            saturation=65535.0,
            suspect_level=float("nan"),
            linearity_coefficients=np.array([1.0, 2e-7, np.nan, 0.0]),
            linearity_type="Squared",
        ),
    )


def there_and_back(path, amplifiers):
    plain = make_detector(42, DETECTOR_BOX, 123)
    detector = Detector(plain._attributes, amplifiers, plain._frames, visit=123)
    write_standalone(path, detector, save_detector)
    return detector, read_detector(Archive.standalone(FitsFile(path)), 1, plain.instrument, 123)


@pytest.mark.parametrize("corner", list(ReadoutCorner))
def test_amplifiers(tmp_path, corner):
    amplifiers = [
        amplifier("plain", corner, geometry(corner)),
        amplifier("flipped in x", corner, geometry(corner, flip_x=True)),
        amplifier("flipped in both", corner, geometry(corner, flip_x=True, flip_y=True)),
        amplifier("no prescan", corner, geometry(corner, prescan=False)),
        amplifier("nothing raw", corner, None),
    ]
    detector, back = there_and_back(tmp_path / "d.fits", amplifiers)
    assert back.amplifiers == amplifiers
    assert back._attributes == detector._attributes
    assert (back.instrument, back.visit) == (detector.instrument, 123)
    x, y = np.array([0.0, 1023.0, 511.5]), np.array([999.0, 0.0, 499.5])
    for name in ("to_focal_plane", "to_field_angle"):
        a, b = (getattr(d, name).apply_forward(x=x, y=y) for d in (detector, back))
        np.testing.assert_allclose([b.x, b.y], [a.x, a.y], rtol=1e-13, atol=1e-15)


def test_calibrations_unknown(tmp_path):
    """What is not known of an amplifier is NaN, not zero."""
    bare = Amplifier(name="A", bbox=Box.factory[0:10, 0:10], readout_corner=ReadoutCorner.UR)
    _, back = there_and_back(tmp_path / "d.fits", [bare])
    nominal = back.amplifiers[0].nominal_calibrations
    assert np.isnan([nominal.gain, nominal.read_noise, nominal.saturation, nominal.suspect_level]).all()
    assert back.amplifiers[0].readout_corner is ReadoutCorner.UR
    assert back.amplifiers[0].assembled_raw_geometry is None


def test_no_amplifiers(tmp_path):
    detector, back = there_and_back(tmp_path / "d.fits", [])
    assert back.amplifiers == [] and back._attributes == detector._attributes

"""How deep an exposure goes: its magnitude limit and its effective exposure time (spec 10.2).

LSST technical notes SMTN-002 (magnitude limit) and RTN-109 (effective time).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from lsst.images.cameras import Detector

__all__ = ["amplifier_mean", "magnitude_limit", "throughput_scales"]


def amplifier_mean(detector: Detector, metadata: Mapping[str, Any], key: str, attribute: str) -> float:
    """Return the mean over the amplifiers of what the metadata say, or else the detector does.

    Parameters
    ----------
    detector
        The CCD.
    metadata
        Header cards: ``LSST ISR <key> <amplifier>`` or ``LSST <key> <amplifier>``.
    key
        ``GAIN`` or ``READNOISE``.
    attribute
        Name of the amplifier's nominal calibration that stands in where there is no card.

    Returns
    -------
    float
        Mean of those that are known; NaN if none is.
    """

    def values() -> Iterable[float]:
        for amplifier in detector.amplifiers:
            for card in (f"LSST ISR {key} {amplifier.name}", f"LSST {key} {amplifier.name}"):
                if card in metadata:
                    yield float(metadata[card])
                    break
            else:
                nominal = amplifier.nominal_calibrations
                yield math.nan if nominal is None else float(getattr(nominal, attribute))

    known = [v for v in values() if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan


def magnitude_limit(
    *, psf_area: float, sky: float, zero_point: float, read_noise: float, gain: float, snr: float
) -> float:
    """Return the magnitude of a point source of a given signal to noise.

    Parameters
    ----------
    psf_area
        Effective area of the PSF [pixel²].
    sky
        Background [count/pixel].
    zero_point
        Magnitude of one count.
    read_noise
        [count].
    gain
        [electron/count].
    snr
        Signal to noise.

    Returns
    -------
    float
        AB magnitude; NaN if something needed is not known.
    """
    with np.errstate(all="ignore"):
        g, n2 = np.float64(gain), np.float64(snr) ** 2
        noise = (sky / g + read_noise**2) * psf_area
        signal = n2 / (2.0 * g) + np.sqrt(n2**2 / (4.0 * g**2) + n2 * noise)
        return float(zero_point - 2.5 * np.log10(signal))


def throughput_scales(
    *,
    psf_sigma: float,
    sky: float,
    zero_point: float,
    exposure_time: float,
    fiducial_psf_sigma: float,
    fiducial_sky: float,
    fiducial_zero_point: float,
    max_transparency: float,
) -> dict[str, float]:
    """Return how PSF, sky and transparency change the effective exposure time from the fiducial one.

    Parameters
    ----------
    psf_sigma, fiducial_psf_sigma
        [pixel].
    sky
        Background [count/pixel].
    fiducial_sky
        Background of one second [count/pixel/s].
    zero_point
        Magnitude of one count.
    fiducial_zero_point
        Magnitude of one count a second.
    exposure_time
        [s].
    max_transparency
        Greatest scale of transparency.

    Returns
    -------
    dict
        ``effTimePsfSigmaScale``, ``effTimeSkyBgScale``, ``effTimeZeroPointScale``: 1 is fiducial, more is better; NaN
        where something is not known.
    """
    with np.errstate(all="ignore"):
        transparency = 10.0 ** (
            -0.8 * (fiducial_zero_point - (zero_point - 2.5 * np.log10(np.float64(exposure_time))))
        )
        return {
            "effTimePsfSigmaScale": float((np.float64(psf_sigma) / fiducial_psf_sigma) ** -2),
            "effTimeSkyBgScale": float(np.float64(fiducial_sky) / (np.float64(sky) / exposure_time)),
            "effTimeZeroPointScale": float(np.minimum(transparency, max_transparency)),
        }

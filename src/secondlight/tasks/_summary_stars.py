"""Shapes of the PSF stars, and how well the PSF model matches them (spec 10.2)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.catalog import SourceCatalog

__all__ = ["STAR_STATISTICS", "star_statistics"]

#: What `star_statistics` returns.
STAR_STATISTICS = (
    "starEMedian",
    "starUnNormalizedEMedian",
    "psfStarDeltaE1Median",
    "psfStarDeltaE1Scatter",
    "psfStarDeltaE2Median",
    "psfStarDeltaE2Scatter",
    "psfStarDeltaSizeMedian",
    "psfStarDeltaSizeScatter",
    "psfStarScaledDeltaSizeScatter",
    "starComa1Median",
    "starComa2Median",
    "starTrefoil1Median",
    "starTrefoil2Median",
    "starKurtosisMedian",
    "starE41Median",
    "starE42Median",
)

#: Median absolute deviation of a Gaussian of unit width.
_MAD_OF_GAUSSIAN = 0.6744897501960817

_HIGHER_ORDERS = ("30", "21", "12", "03", "40", "31", "22", "13", "04")

type Floats = NDArray[np.float64]


def _scatter(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values))) / _MAD_OF_GAUSSIAN)


def _nan_median(values: Floats) -> float:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return float(np.nanmedian(values))


def star_statistics(
    stars: SourceCatalog, selected: NDArray[np.bool_], star_shape: str, psf_shape: str, higher_orders: str
) -> dict[str, Any]:
    """Return medians and scatters over the PSF stars.

    Parameters
    ----------
    stars
        The sources.
    selected
        Which of them to use, shape ``(n,)``.
    star_shape, psf_shape
        Beginnings of the names of the second moments of star and PSF.
    higher_orders
        Beginning of the names of the higher moments of the star.

    Returns
    -------
    dict
        Those of `STAR_STATISTICS`; NaN where there are no stars or no such columns. Sizes [pixel],
        ``starUnNormalizedEMedian`` [pixel²], the others without unit.
    """
    result: dict[str, Any] = dict.fromkeys(STAR_STATISTICS, np.nan)
    if not selected.any():
        return result
    if f"{star_shape}_xx" in stars and f"{psf_shape}_xx" in stars:
        star, psf = (
            [stars[f"{n}_{m}"][selected] for m in ("xx", "yy", "xy")] for n in (star_shape, psf_shape)
        )
        with np.errstate(all="ignore"):
            result |= _ellipticities(star, psf)
    if f"{higher_orders}_30" in stars:
        m = {order: stars[f"{higher_orders}_{order}"][selected] for order in _HIGHER_ORDERS}
        result |= {
            "starComa1Median": _nan_median(m["30"] + m["12"]),
            "starComa2Median": _nan_median(m["21"] + m["03"]),
            "starTrefoil1Median": _nan_median(m["30"] - 3.0 * m["12"]),
            "starTrefoil2Median": _nan_median(3.0 * m["21"] - m["03"]),
            "starKurtosisMedian": _nan_median(m["40"] + 2.0 * m["22"] + m["04"]),
            "starE41Median": _nan_median(m["40"] - m["04"]),
            "starE42Median": _nan_median(2.0 * (m["31"] + m["13"])),
        }
    return result


def _ellipticities(star: list[Floats], psf: list[Floats]) -> dict[str, float]:
    def shape(xx: Floats, yy: Floats, xy: Floats) -> tuple[Floats, Floats, Floats]:
        return (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy), np.sqrt(0.5 * (xx + yy))

    e1, e2, size = shape(*star)
    psf_e1, psf_e2, psf_size = shape(*psf)
    xx, yy, xy = star
    result = {
        "starEMedian": float(np.median(np.hypot(e1, e2))),
        "starUnNormalizedEMedian": float(np.median(np.hypot(xx - yy, 2.0 * xy))),
    }
    differences = {"E1": e1 - psf_e1, "E2": e2 - psf_e2, "Size": size - psf_size}
    for name, values in differences.items():
        result[f"psfStarDelta{name}Median"] = float(np.median(values))
        result[f"psfStarDelta{name}Scatter"] = _scatter(values)
    result["psfStarScaledDeltaSizeScatter"] = result["psfStarDeltaSizeScatter"] / float(np.median(size))
    return result

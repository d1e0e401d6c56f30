"""Carry the flags of the PSF stars over to the sources they are (spec 00.6, calib match)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..model.catalog import SourceCatalog

__all__ = ["CALIB_FLAGS", "match_calib_sources"]

#: Flags copied from the table of calibration sources.
CALIB_FLAGS = ("calib_psf_candidate", "calib_psf_reserved", "calib_psf_used")


def _unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def match_calib_sources(
    catalog: SourceCatalog,
    calib: Mapping[str, NDArray[np.generic]],
    detector: int,
    radius: float,
    *,
    degrees_for_radians: bool = False,
) -> int:
    """Set the ``calib_psf_*`` flags of the source nearest to each calibration source.

    Parameters
    ----------
    catalog
        Sources with ``coord_ra``, ``coord_dec`` [rad]; rows without a finite position match nothing.
    calib
        Columns ``coord_ra``, ``coord_dec`` [rad], ``detector`` and the flags; rows without a finite position match
        nothing either.
    detector
        Calibration sources of other detectors are left out.
    radius
        Greatest distance on the sky [arcsec].
    degrees_for_radians
        Match as the reference does, which takes its radians for degrees: the radius then is 57 times larger and right
        ascension is not scaled by cos(declination).

    Returns
    -------
    int
        How many calibration sources found their source.
    """
    ra, dec = (np.asarray(calib[name], np.float64) for name in ("coord_ra", "coord_dec"))
    use = (np.asarray(calib["detector"]) == detector) & np.isfinite(ra) & np.isfinite(dec)
    finite = np.isfinite(catalog["coord_ra"]) & np.isfinite(catalog["coord_dec"])
    rows = np.flatnonzero(finite)
    if not use.any() or not len(rows):
        return 0
    limit = np.radians(radius / 3600.0)
    unit = 1.0
    if degrees_for_radians:
        unit = np.pi / 180.0
    mine = _unit_vectors(unit * catalog["coord_ra"][rows], unit * catalog["coord_dec"][rows])
    theirs = _unit_vectors(unit * ra[use], unit * dec[use])
    # without noise replacement a blend and its child can share one position: the tree's form decides as in the reference
    distance, nearest = cKDTree(mine, balanced_tree=False, compact_nodes=False).query(theirs, k=1)
    # a chord of length c spans the angle 2 asin(c / 2)
    found = distance <= 2.0 * np.sin(limit / 2.0)
    for name in CALIB_FLAGS:
        if name in calib:
            catalog[name][rows[nearest[found]]] = np.asarray(calib[name], bool)[use][found]
    return int(found.sum())

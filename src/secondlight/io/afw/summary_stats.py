"""Summary statistics of an exposure, stored as YAML (spec 11.7)."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import yaml

from ...errors import InputError
from .archive import Archive

__all__ = ["SUMMARY_FIELDS", "read_summary_stats"]

_LOG = logging.getLogger(__name__)

#: Names of the statistics, spec 11.7; ``version`` is that of the record.
SUMMARY_FIELDS = (
    "version",
    "psfSigma",
    "psfArea",
    "psfIxx",
    "psfIyy",
    "psfIxy",
    "ra",
    "dec",
    "pixelScale",
    "zenithDistance",
    "expTime",
    "zeroPoint",
    "skyBg",
    "skyNoise",
    "meanVar",
    "raCorners",
    "decCorners",
    "astromOffsetMean",
    "astromOffsetStd",
    "nPsfStar",
    "psfStarDeltaE1Median",
    "psfStarDeltaE2Median",
    "psfStarDeltaE1Scatter",
    "psfStarDeltaE2Scatter",
    "psfStarDeltaSizeMedian",
    "psfStarDeltaSizeScatter",
    "psfStarScaledDeltaSizeScatter",
    "psfTraceRadiusDelta",
    "psfApFluxDelta",
    "psfApCorrSigmaScaledDelta",
    "maxDistToNearestPsf",
    "starEMedian",
    "starUnNormalizedEMedian",
    "starComa1Median",
    "starComa2Median",
    "starTrefoil1Median",
    "starTrefoil2Median",
    "starKurtosisMedian",
    "starE41Median",
    "starE42Median",
    "effTime",
    "effTimePsfSigmaScale",
    "effTimeSkyBgScale",
    "effTimeZeroPointScale",
    "magLim",
)


def read_summary_stats(archive: Archive, key: int) -> dict[str, Any]:
    """Return stored summary statistics by name.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of an ``ExposureSummaryStats``.

    Raises
    ------
    InputError
        Raised if the record is no YAML mapping.
    """
    table = archive.table(key, "ExposureSummaryStats")
    part = f"ExposureSummaryStats (id {key})"
    try:
        values = yaml.safe_load(np.concatenate(table["bytes"]).tobytes().decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"the YAML record cannot be parsed ({str(error).splitlines()[0]})", path=archive.path, part=part
        ) from None
    if not isinstance(values, dict):
        raise InputError("the YAML record is not a mapping", path=archive.path, part=part)
    if "decl" in values:  # the name before 2024
        values["dec"] = values.pop("decl")
    unknown = sorted(set(values) - set(SUMMARY_FIELDS))
    if unknown:
        _LOG.info("%s: %s: fields not known here are left out: %s", archive.path, part, ", ".join(unknown))
    return {name: values[name] for name in SUMMARY_FIELDS if name in values}

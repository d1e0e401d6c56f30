"""The output columns as a page in Markdown: by algorithm, with what each does and where it is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ..model.schema import Column, Schema

__all__ = ["columns_page"]

_BOSCH = "Bosch et al. 2018, PASJ 70, S5"
_HSM = "Hirata & Seljak 2003, MNRAS 343, 459; Mandelbaum et al. 2005, MNRAS 361, 1287"
_SINC = "Bickerton & Lupton 2013, MNRAS 431, 1275"


class _Group(NamedTuple):
    """Columns of one algorithm: its heading, a paragraph, and the pattern of names, by default the heading."""

    title: str
    text: str
    pattern: str = ""


#: The first group whose pattern matches the beginning of a column's name has it.
_GROUPS = (
    _Group(
        "Calibrated fluxes",
        "Every instrumental flux in nJy and as an AB magnitude (Oke & Gunn 1983, ApJ 266, 713), by "
        "the photometric calibration at the centroid. The magnitude of a negative flux is NaN; the "
        "error of the calibration does not enter.",
        r".*_(flux|fluxErr|mag|magErr)$",
    ),
    _Group(
        "Aperture corrections",
        "Flags of fluxes that could not be corrected; the others have been multiplied by the aperture "
        "correction at their centroid, fitted upstream. The columns of the factor stay NaN, as in the "
        f"reference. {_BOSCH}, section 4.9.",
        r".*_(apCorr|apCorrErr)$|.*_flag_apCorr$",
    ),
    _Group(
        "Identity and position",
        "Which row this is, and where: ICRS, from the centroid.",
        r"(id|coord_ra|coord_dec|parent)$",
    ),
    _Group(
        "Errors of the position on the sky",
        "Errors of right ascension (times cos δ) and declination, from those of the centroid and the WCS.",
        r"coord_",
    ),
    _Group(
        "Sky sources",
        "Sources added where there are none, to measure what nothing measures like.",
        r"sky_source",
    ),
    _Group(
        "Deblender",
        "What became of blends: a template for each peak from the symmetry of objects, and each pixel "
        f"divided among them. Lupton et al. 2001, ASP Conf. Ser. 238, 269; {_BOSCH}, section 4.8.",
        r"deblend_",
    ),
    _Group(
        "base_SdssCentroid",
        "The maximum of the image smoothed with the PSF. Pier et al. 2003, AJ 125, 1559.",
    ),
    _Group(
        "base_Blendedness",
        f"Which part of the light under a source's own Gaussian weight is not its own. {_BOSCH}, "
        "section 4.9.11.",
    ),
    _Group(
        "base_FPPosition",
        "Where on the focal plane of the camera.",
    ),
    _Group(
        "base_Jacobian",
        "Area of a pixel on the sky over that of the nominal pixel.",
    ),
    _Group(
        "base_SdssShape",
        "Adaptive moments: those under an elliptical Gaussian weight that matches them. Bernstein & "
        "Jarvis 2002, AJ 123, 583; errors from the Fisher matrix of a Gaussian in white noise.",
    ),
    _Group(
        "ext_shapeHSM_HsmPsfMomentsDebiased",
        "Adaptive moments of the PSF model with noise like the source's, so that their bias is the "
        f"source's, too. {_HSM}.",
    ),
    _Group(
        "ext_shapeHSM_HsmPsfMoments",
        f"Adaptive moments of the PSF model. {_HSM}.",
    ),
    _Group(
        "ext_shapeHSM_HsmShapeRegauss",
        f"Ellipticity corrected for the PSF by re-Gaussianisation. {_HSM}.",
    ),
    _Group(
        "ext_shapeHSM_HsmSourceMomentsRound",
        f"Adaptive moments of the source under a round weight. {_HSM}.",
    ),
    _Group(
        "ext_shapeHSM_HsmSourceMoments",
        f"Adaptive moments of the source. {_HSM}.",
    ),
    _Group(
        "ext_shapeHSM: other shapes",
        "Ellipticities corrected for the PSF by other methods. Bernstein & Jarvis 2002, AJ 123, 583; "
        f"Kaiser, Squires & Broadhurst 1995, ApJ 449, 460; {_HSM}.",
        r"ext_shapeHSM_HsmShape",
    ),
    _Group(
        "ext_shapeHSM_HigherOrderMoments",
        "Moments of third and fourth order of source and PSF, in the frame in which their second "
        "moments are round. Zhang et al. 2022, MNRAS 510, 1978.",
    ),
    _Group(
        "base_CircularApertureFlux",
        "Flux within circles: up to 12 pixels exact for an image that is sampled well (sinc "
        f"interpolation), beyond by whole pixels. {_SINC}.",
    ),
    _Group(
        "base_ClassificationSizeExtendedness",
        "How much larger than the PSF: from the traces of the moments of source and PSF.",
    ),
    _Group(
        "base_CompensatedTophatFlux",
        f"Flux within a circle less the background in the ring around it. {_SINC}, for the apertures.",
    ),
    _Group(
        "base_GaussianFlux",
        f"Flux under an elliptical Gaussian weight of the source's own moments. {_BOSCH}, section 4.9.",
    ),
    _Group(
        "base_LocalBackground",
        "Clipped mean and scatter of the pixels in a ring of 7 to 15 PSF sigmas.",
    ),
    _Group(
        "base_PixelFlags",
        "What the mask says about the footprint and about the 3×3 pixels at the centre.",
    ),
    _Group(
        "base_PsfFlux",
        f"Flux of the PSF model fitted at the centroid by least squares. {_BOSCH}, section 4.9.",
    ),
    _Group(
        "base_Variance",
        "Median of the variance around the source, its own light left out.",
    ),
    _Group(
        "ext_photometryKron_KronFlux",
        f"Flux in an ellipse of 2.5 Kron radii. Kron 1980, ApJS 43, 305; {_BOSCH}, section 4.9.",
    ),
    _Group(
        "PSF",
        "Whether the PSF model can be evaluated at all.",
        r"base_InvalidPsf",
    ),
    _Group(
        "base_NormalizedCompensatedTophatFlux",
        "The compensated flux on the scale of the calibration aperture, by a normalization fitted upstream.",
    ),
    _Group(
        "base_ClassificationExtendedness",
        f"Whether a PSF gathers the light that a model does: 0 a point, 1 extended. {_BOSCH}, section "
        "4.9.10.",
    ),
    _Group(
        "base_FootprintArea",
        "Pixels of the footprint after deblending.",
    ),
    _Group(
        "Primary",
        "Which rows count each object once: `detect_isPrimary` leaves out blends as a whole and sky sources.",
        r"detect_",
    ),
    _Group(
        "Local calibrations",
        "Photometric calibration, and linear approximation of the WCS, at the source.",
        r"base_Local(PhotoCalib|Wcs)",
    ),
    _Group(
        "Observation",
        "Where the source was seen.",
        r"(visit|detector)$",
    ),
    _Group(
        "Calibration stars",
        "What upstream used this star for, carried over by position.",
        r"calib_",
    ),
    _Group(
        "Other columns",
        "Columns of plugins that are described elsewhere.",
        r".*",
    ),
)

_HEAD = """\
# The columns of the source table

Made by `secondlight schema --format markdown`; do not edit. Columns come in the order of the table. Types are
NumPy's; a float that could not be measured is NaN, and a flag (`bool`) says why. In `sources.parquet` each alias
below is a column, too, after the one that it stands for.
"""


def columns_page(schema: Schema) -> str:
    """Return the page.

    Parameters
    ----------
    schema
        The columns.
    """
    return "\n".join(_lines(schema)) + "\n"


def _group(column: Column) -> _Group:
    return next(g for g in _GROUPS if re.match(g.pattern or g.title, column.name))


def _lines(schema: Schema) -> Iterator[str]:
    yield _HEAD
    yield f"{len(schema)} columns, {len(schema.aliases)} aliases."
    told: set[str] = set()
    for group, columns in groupby(schema, _group):
        yield f"\n## {group.title}{' (continued)' if group.title in told else ''}\n"
        if group.title not in told:
            yield f"{group.text}\n"
        told.add(group.title)
        yield "| column | type | unit | |"
        yield "|---|---|---|---|"
        for c in columns:
            unit = c.unit or ("rad" if c.type == "Angle" else "")
            doc = c.doc.replace("|", "\\|")
            yield f"| `{c.name}` | {c.dtype.name} | {unit} | {doc} |"
    yield "\n## Aliases\n"
    yield "A column whose name begins with the left is known by the same name beginning with the right, too.\n"
    yield "| column | alias |"
    yield "|---|---|"
    for alias, target in sorted(schema.aliases.items()):
        yield f"| `{target}` | `{alias}` |"

"""World coordinates: stored ``SkyWcs``, the records of older versions, and FITS headers (spec 11.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
import starlink.Ast
from astropy.io import fits
from lsst.images import DetectorFrame, GeneralFrame, SkyFrame, SkyProjection

from ...errors import InputError
from .archive import Archive
from .stored_ast import make_transform, split_stored

__all__ = ["PIXELS", "WCS_CARDS", "projection_from_header", "read_wcs"]

type PixelFrame = DetectorFrame | GeneralFrame

#: Pixels of an image that says nothing of its detector.
PIXELS = GeneralFrame(unit=u.pix)

#: Classes of the stack's coordinate systems before 2018: FITS keywords in a table.
_LEGACY = ("TanWcs", "Wcs", "TanSipWcs")

#: Keywords that describe coordinates on the sky.
WCS_CARDS = re.compile(
    r"^(WCSAXES|(CTYPE|CRVAL|CRPIX|CDELT|CROTA|CUNIT)[12]|(CD|PC)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX"
    r"|[AB]P?_(ORDER|DMAX|\d_\d))$"
)


def read_wcs(archive: Archive, key: int, frame: PixelFrame = PIXELS) -> SkyProjection[Any]:
    """Return a stored coordinate system.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``SkyWcs``, or of a ``TanWcs`` of older versions.
    frame
        The pixels it is valid for.

    Raises
    ------
    InputError
        Raised if the object is of another class or cannot be parsed.
    """
    table = archive.table(key, "SkyWcs", *_LEGACY)
    where = {"path": archive.path, "part": f"{archive.name(key)} (id {key})"}
    if archive.name(key) != "SkyWcs":
        return _projection(_legacy_cards(archive, key), frame, 0, 0, where)
    dumps = split_stored(np.concatenate(table["wcs"]), where=where)
    exact, *approximate = [make_transform(item, frame, SkyFrame.ICRS) for item in dumps]
    return SkyProjection(exact, approximate[0] if approximate else None)


def projection_from_header(
    header: Mapping[str, Any], frame: PixelFrame = PIXELS, x0: int = 0, y0: int = 0, **where: Any
) -> SkyProjection[Any] | None:
    """Return the coordinate system that a FITS header describes.

    Parameters
    ----------
    header
        The header of an image.
    frame
        The pixels it is valid for.
    x0, y0
        Parent coordinates of the image's first pixel.
    **where
        ``path`` and ``part`` for the message of an error.

    Returns
    -------
    SkyProjection or None
        `None` if the header describes none.

    Raises
    ------
    InputError
        Raised if the cards are there and make no sense.
    """
    cards = {k: header[k] for k in header if WCS_CARDS.match(k)}
    if not str(cards.get("CTYPE1", "")).startswith(("RA--", "DEC-")):
        return None
    return _projection(cards, frame, x0, y0, where)


def _projection(
    cards: dict[str, Any], frame: PixelFrame, x0: int, y0: int, where: dict[str, Any]
) -> SkyProjection[Any]:
    """Let AST read the cards, then count pixels as the reference does: the first is (x0, y0), not (1, 1)."""
    channel = starlink.Ast.FitsChan(None, None, "Encoding=FITS-WCS, SipReplace=0, IWC=1")
    for key, value in cards.items():
        channel.putfits(fits.Card(key, value).image, False)
    channel.clear("Card")
    try:
        frames = channel.read()
    except starlink.Ast.AstError as error:
        raise InputError(f"the FITS WCS cannot be read ({str(error).splitlines()[0]})", **where) from None
    except UnicodeDecodeError:  # the library's own message is garbled
        raise InputError("the FITS WCS cannot be read", **where) from None
    if frames is None or not frames.isaframeset():
        raise InputError("the FITS WCS cannot be read", **where)
    frames.System = "ICRS"
    sky = frames.Current
    frames.addframe(
        frames.Base,
        starlink.Ast.ShiftMap([x0 - 1.0, y0 - 1.0]),
        starlink.Ast.Frame(2, "Domain=PIXELS"),
    )
    frames.Base, frames.Current = frames.Current, sky
    return SkyProjection(make_transform(frames, frame, SkyFrame.ICRS))


def _legacy_cards(archive: Archive, key: int) -> dict[str, Any]:
    """Turn the record of an old coordinate system into FITS cards for pixels that count from 1."""
    linear, *distorted = archive.tables(key)
    crval, crpix = linear.pair("crval"), linear.pair("crpix")
    cd = linear["cd"][0]
    suffix = "-SIP" if distorted else ""
    cards: dict[str, Any] = {
        "CTYPE1": linear.scalar("ctype1") + suffix,
        "CTYPE2": linear.scalar("ctype2") + suffix,
        "CRVAL1": float(crval[0][0]),
        "CRVAL2": float(crval[1][0]),
        # stored for pixels that count from 0
        "CRPIX1": float(crpix[0][0]) + 1.0,
        "CRPIX2": float(crpix[1][0]) + 1.0,
        # matrices are stored column by column
        "CD1_1": float(cd[0]),
        "CD2_1": float(cd[1]),
        "CD1_2": float(cd[2]),
        "CD2_2": float(cd[3]),
        "CUNIT1": linear.scalar("cunit1"),
        "CUNIT2": linear.scalar("cunit2"),
        "RADESYS": linear.scalar("radesys"),
    }
    equinox = linear.scalar("equinox")
    if 1800.0 < equinox < 2200.0:
        cards["EQUINOX"] = equinox
    for table in distorted:
        for name, prefix in (("A", "A"), ("B", "B"), ("Ap", "AP"), ("Bp", "BP")):
            values = table[name][0]
            n = round(len(values) ** 0.5)
            if n < 2:
                continue
            cards[f"{prefix}_ORDER"] = n - 1
            for i in range(n):
                for j in range(n - i):
                    cards[f"{prefix}_{i}_{j}"] = float(values[i + n * j])
    return cards

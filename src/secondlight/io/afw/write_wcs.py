"""World coordinates as the reference stores them: ``SkyWcs``, mappings of the plane, cards of FITS (spec 11.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import starlink.Ast
from astropy.io import fits
from lsst.images import SkyProjection

from .stored_ast import dump_ast, parse_ast
from .wcs import WCS_CARDS
from .write_archive import ArchiveWriter
from .write_table import Card, StoredField

__all__ = ["BYTES", "fits_wcs_cards", "save_mapping", "save_wcs"]

#: The layout of all objects that are stored as text or bytes of their own.
BYTES = (StoredField("bytes", "ArrayB", "", "an opaque bytestring representation of a Storable"),)
_WCS = (StoredField("wcs", "ArrayB", "", "wcs string representation"),)

#: A frame without detector has no middle; the sky's origin is then sought here.
_NO_PIXEL = np.zeros((2, 1))


def save_mapping(archive: ArchiveWriter, mapping: Any) -> int:
    """Store a mapping of the plane; return its id.

    Parameters
    ----------
    archive
        Where to.
    mapping
        An AST mapping of two coordinates to two.
    """
    key = archive.new_id()
    text = "1 TransformPoint2ToPoint2" + dump_ast(mapping)
    values = {"bytes": [np.frombuffer(text.encode("ascii"), np.uint8)]}
    archive.save(key, "TransformPoint2ToPoint2", "lsst.afw.geom", [(archive.table(BYTES), 1, values)])
    return key


def save_wcs(archive: ArchiveWriter, projection: SkyProjection[Any]) -> int:
    """Store a coordinate system; return its id.

    Parameters
    ----------
    archive
        Where to.
    projection
        The coordinate system. One that came from such a file is stored as it was.
    """
    key = archive.new_id()
    frames = _frames(projection)
    approximation = projection.fits_approximation
    text = f"1 SkyWcs {int(approximation is not None)} {dump_ast(frames)}"
    if approximation is not None:
        text += dump_ast(_frames(approximation))
    values = {"wcs": [np.frombuffer(text.encode("ascii"), np.uint8)]}
    archive.save(key, "SkyWcs", "lsst.afw.geom", [(archive.table(_WCS), 1, values)])
    return key


def _frames(projection: SkyProjection[Any]) -> Any:
    """Return the frames that the reference asks for: pixels, the plane that touches the sky [deg], and the sky."""
    item = parse_ast(projection.show())[0]
    if not item.isaframeset():
        return _tangent_frames(item, _origin(item))
    known = {item.getframe(i).Domain: i for i in range(1, item.Nframe + 1)}
    base, sky = item.Base, item.Current
    domain = item.getframe(base).Domain
    if domain in ("PIXELS", "ACTUAL_PIXELS") and {"PIXELS", "IWC", "SKY"} <= set(known):
        return item
    if "IWC" not in known:
        whole, frame = item.getmapping(base, sky), item.getframe(sky)
        stated = frame.SkyRefIs == "Ignored"
        return _tangent_frames(whole, (frame.SkyRef_1, frame.SkyRef_2) if stated else _origin(whole))
    frames = starlink.Ast.FrameSet(starlink.Ast.Frame(2, "Domain=PIXELS"))
    frames.addframe(1, item.getmapping(base, known["IWC"]), item.getframe(known["IWC"]))
    frames.addframe(2, item.getmapping(known["IWC"], sky), item.getframe(sky))
    return frames


def _origin(mapping: Any) -> tuple[float, float]:
    """Return right ascension and declination [rad] of the first pixel."""
    ra, dec = mapping.tran(_NO_PIXEL, True)
    return float(ra[0]), float(dec[0])


def _tangent_frames(mapping: Any, origin: tuple[float, float]) -> Any:
    """Divide a mapping from pixels to the sky at the plane that touches the sky at a point."""
    channel = starlink.Ast.FitsChan(None, None, "Encoding=FITS-WCS, IWC=1")
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "RADESYS": "ICRS", "CRPIX1": 0.0, "CRPIX2": 0.0}
    cards |= {f"CRVAL{i + 1}": math.degrees(origin[i]) for i in range(2)}
    cards |= {f"CDELT{i}": 1.0 for i in (1, 2)}
    for card, value in cards.items():
        channel.putfits(fits.Card(card, value).image, False)
    channel.clear("Card")
    gnomonic = channel.read()
    plane = next(i for i in range(1, gnomonic.Nframe + 1) if gnomonic.getframe(i).Domain == "IWC")
    to_sky = gnomonic.getmapping(plane, gnomonic.Current)
    to_plane = to_sky.copy()
    to_plane.invert()
    frames = starlink.Ast.FrameSet(starlink.Ast.Frame(2, "Domain=PIXELS"))
    frames.addframe(1, starlink.Ast.CmpMap(mapping, to_plane, True), gnomonic.getframe(plane))
    frames.addframe(2, to_sky, gnomonic.getframe(gnomonic.Current))
    return frames


def fits_wcs_cards(projection: SkyProjection[Any], x0: int, y0: int, shape: tuple[int, int]) -> list[Card]:
    """Return the cards that describe a coordinate system to any reader of FITS.

    Parameters
    ----------
    projection
        The coordinate system.
    x0, y0
        Parent coordinates of the image's first pixel.
    shape
        The image's.

    Returns
    -------
    list
        Keyword, value and comment. Empty if the coordinate system is none that FITS knows, such as TAN or TAN-SIP, and has
        no approximation that is.
    """
    for candidate in (projection, projection.fits_approximation):
        if candidate is not None:
            cards = list(_written(_frames(candidate), x0, y0, shape))
            # AST writes a few cards even of what it cannot describe
            if {"CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"} <= {name for name, _, _ in cards}:
                return cards
    return []


def _written(frames: Any, x0: int, y0: int, shape: tuple[int, int]) -> Iterator[Card]:
    """Let AST write the cards, for pixels that count from 1."""
    shift = starlink.Ast.ShiftMap([x0 - 1.0, y0 - 1.0])
    whole = starlink.Ast.CmpMap(shift, frames.getmapping(frames.Base, frames.Current), True)
    # other frames would be written, too, as coordinate systems of their own
    grid = starlink.Ast.FrameSet(starlink.Ast.Frame(2, "Domain=GRID"))
    grid.addframe(1, whole, frames.getframe(frames.Current))
    channel = starlink.Ast.FitsChan(
        None, None, "Encoding=FITS-WCS, CDMatrix=1, FitsAxisOrder=<copy>, FitsTol=0.0001"
    )
    for i, size in enumerate(reversed(shape)):
        channel.putfits(fits.Card(f"NAXIS{i + 1}", size).image, False)
    channel.write(grid)
    for line in channel:
        card = fits.Card.fromstring(line)
        # AST also tells the epoch, as the date of an observation that it knows nothing of
        if WCS_CARDS.match(card.keyword):
            yield card.keyword, card.value, card.comment

"""The native outputs: image and background as FITS, tables as parquet; and reading images of `lsst.images`.

Image, variance and mask are compressed without loss; what that takes and saves, and what other ways would, is in
``docs/files.md`` (``python -m benchmarks.compression`` measures it). ``lossy`` is RICE_1 with image and variance quantised
to 1/16 of the noise. PSF, tables and metadata are exact in any case.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

from astropy.io import fits
from lsst.images import VisitImage, VisitImageSerializationModel
from lsst.images.fits import FitsCompressionAlgorithm, FitsCompressionOptions
from lsst.images.json import JsonInputArchive
from lsst.images.serialization import ButlerInfo, InputArchive

from ..errors import InputError
from ..model.background import BackgroundModel
from ..model.exposure import Exposure
from ..model.mask_planes import MaskPlanes
from ..model.native_psf import from_tree
from ..model.photo_calib import PhotoCalib
from ..model.psf import BatchPsf
from ..model.visit_image import from_visit_image, to_visit_image
from .afw.stored_ast import check_dumps
from .atomic import atomic_path
from .native_planes import MaskReader, PlaneArchive, PlaneReader, StoredMask, stand_ins
from .tables import read_footprints, read_sources, write_footprints, write_sources
from .tiles import Rows

__all__ = [
    "Compression",
    "read_footprints",
    "read_sources",
    "read_visit_image",
    "write_background",
    "write_compressed",
    "write_footprints",
    "write_sources",
    "write_visit_image",
]

type Compression = Literal["gzip", "none", "lossy"]

_RICE = FitsCompressionOptions(algorithm=FitsCompressionAlgorithm.RICE_1)


def write_visit_image(
    path: str | os.PathLike[str],
    exposure: Exposure,
    *,
    backgrounds: Iterable[BackgroundModel] | None = None,
    photometric_scaling: PhotoCalib | None = None,
    instrumental_unit: str = "electron",
    compression: Compression = "gzip",
    overwrite: bool = False,
) -> None:
    """Write an exposure as a FITS file of `lsst.images`, which any tool for FITS images can show.

    Parameters
    ----------
    path
        File to make.
    exposure
        The exposure, with detector, WCS and PSF.
    backgrounds
        The background models that were subtracted; stored in the image's background map.
    photometric_scaling
        The calibration that turned instrumental units into nJy; see `to_visit_image`.
    instrumental_unit
        Unit of the image before it was calibrated.
    compression
        How to compress image and variance: ``gzip`` and ``none`` are lossless, ``lossy`` is not.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        Raised if the exposure lacks a part without which there is no visit image.
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    with atomic_path(path, overwrite=overwrite) as staged:
        visit_image = to_visit_image(
            exposure,
            backgrounds,
            photometric_scaling=photometric_scaling,
            instrumental_unit=instrumental_unit,
        )
        write_compressed(staged, visit_image, compression)


def write_compressed(
    path: str | os.PathLike[str],
    visit_image: VisitImage,
    compression: Compression = "gzip",
    *,
    update_header: Callable[[fits.Header], None] | None = None,
    butler_info: ButlerInfo | None = None,
) -> None:
    """Write an image of `lsst.images`, which any tool for FITS images can show.

    Parameters
    ----------
    path
        File to make; must not exist.
    visit_image
        The image.
    compression
        How to compress image and variance: ``gzip`` and ``none`` are lossless, ``lossy`` is not.
    update_header
        Called with the primary header, to add to it.
    butler_info
        What a Butler knows of the dataset; kept in the file.
    """
    options: dict[str, FitsCompressionOptions | None] = {"mask": _RICE}
    rows: dict[str, Rows] = {}
    if StoredMask.fits(visit_image.mask):
        rows["MASK"] = StoredMask(visit_image.mask)
    for name, plane in (("image", visit_image.image), ("variance", visit_image.variance)):
        if compression == "gzip":
            rows[name.upper()] = plane.array
        else:
            options[name] = None if compression == "none" else FitsCompressionOptions.LOSSY
    with PlaneArchive.open(
        os.fspath(path),
        compression_options=options,
        opaque_metadata=stand_ins(rows),
        update_header=update_header or (lambda _header: None),
        compression_seed=1,
    ) as archive:
        archive.write_planes(Path(path), rows)
        archive.add_tree(archive.serialize_root(visit_image, butler_info=butler_info))


class _Drawable:
    """Stands for the PSF in a file's tree: the PSF has been made already, without Piff or the stack."""

    def __init__(self, psf: BatchPsf | None) -> None:
        self._psf = psf

    def deserialize(self, archive: InputArchive[Any]) -> BatchPsf | None:
        return self._psf


def read_visit_image(path: str | os.PathLike[str], *, psf: bool = True) -> Exposure:
    """Read a visit image that `lsst.images` or this package wrote, FITS or JSON.

    Parameters
    ----------
    path
        The file; may be compressed by gzip.
    psf
        Whether to read the PSF; otherwise the exposure has none.

    Raises
    ------
    InputError
        Raised if the file cannot be read, holds something else, or holds a PSF that cannot be evaluated.
    """
    try:
        with _opened(path) as stream:
            kind = PlaneReader if stream.read(6) == b"SIMPLE" else JsonInputArchive
            stream.seek(0)
            with kind.open_tree(stream) as (archive, tree, info):
                if not isinstance(tree, VisitImageSerializationModel):
                    raise InputError(f"holds a {info.schema_name}, not a visit image", path=path)
                check_dumps(tree)
                # what stands for parts of the tree reads them faster, or without Piff and the stack
                stands: Any = tree
                stands.psf = _Drawable(from_tree(tree.psf, archive) if psf else None)
                if isinstance(archive, PlaneReader):
                    archive.path = Path(path)
                    if MaskReader.reads(tree.mask):
                        stands.mask = MaskReader(tree.mask)
                visit_image: VisitImage = tree.deserialize(archive)
                exposure = from_visit_image(visit_image, psf=psf, mask=getattr(stands.mask, "pixels", None))
                opaque = archive.get_opaque_metadata()
    except InputError as error:
        raise error if error.path is not None else InputError(str(error), path=path) from error
    except Exception as error:  # the libraries below raise all kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be read as an image of lsst.images ({reason})", path=path) from error
    if opaque is not None:
        external = {k: v for k, v in opaque.external_metadata().items() if v is not None}
        exposure.metadata = external | exposure.metadata
    return exposure


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file, which may be compressed by gzip, for reading."""
    with Path(path).open("rb") as stream:
        if stream.read(2) == b"\x1f\x8b":
            yield BytesIO(gzip.decompress(Path(path).read_bytes()))
            return
        stream.seek(0)
        yield stream


def write_background(
    path: str | os.PathLike[str], backgrounds: Iterable[BackgroundModel], *, overwrite: bool = False
) -> None:
    """Write background models in the reference's own layout (spec 02.5).

    Three uncompressed planes a model, and its box and styles in their headers: nothing is lost, and both
    the reference's ``BackgroundList.readFits`` and `secondlight.io.afw.read_background` read it. A field of
    `lsst.images` would drop masks, errors and styles, and evaluate otherwise beyond the outermost bins.

    Parameters
    ----------
    path
        File to make.
    backgrounds
        The models, in order.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    hdus: list[fits.PrimaryHDU | fits.ImageHDU] = []
    for model in backgrounds:
        header = fits.Header(
            [
                ("HIERARCH INTERPSTYLE", int(model.interp_style)),
                ("HIERARCH UNDERSAMPLESTYLE", int(model.undersample_style)),
                ("HIERARCH APPROXSTYLE", int(model.approx_style)),
                ("HIERARCH APPROXORDERX", model.approx_order_x),
                ("HIERARCH APPROXORDERY", model.approx_order_y),
                ("HIERARCH APPROXWEIGHTING", model.approx_weighting),
                ("BKGD_X0", model.bbox.x.start),
                ("BKGD_Y0", model.bbox.y.start),
                ("HIERARCH BKGD_WIDTH", model.bbox.x.size),
                ("HIERARCH BKGD_HEIGHT", model.bbox.y.size),
            ]
        )
        origin = [("CTYPE1A", "LINEAR"), ("CTYPE2A", "LINEAR"), ("CRPIX1A", 1.0), ("CRPIX2A", 1.0)]
        origin += [("CRVAL1A", 0.0), ("CRVAL2A", 0.0), ("CUNIT1A", "PIXEL"), ("CUNIT2A", "PIXEL")]
        planes = [
            (f"HIERARCH MP_{name}" if len(name) > 5 else f"MP_{name}", bit)
            for name, bit in MaskPlanes().items()
        ]
        for data, cards in (
            (model.stats_image, origin),
            (model.stats_mask, planes + origin),
            (model.stats_variance, origin),
        ):
            full = header.copy()
            full.extend(cards)
            hdus.append((fits.ImageHDU if hdus else fits.PrimaryHDU)(data, full))
    with atomic_path(path, overwrite=overwrite) as staged:
        fits.HDUList(hdus or [fits.PrimaryHDU()]).writeto(staged)

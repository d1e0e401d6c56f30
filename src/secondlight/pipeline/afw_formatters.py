"""Formatters of afw's storage classes that need no afw: the same files, as Second Light's types.

Each is recorded in the Butler under the name of the stack's own formatter, so that the stack reads what is written here.
That name stands in repositories of the stack for files that are to be read here: see `stack_names`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from lsst.daf.butler import DatasetProvenance, FormatterV2
from lsst.resources import ResourcePath

from ..errors import UsageError
from ..model.exposure import Exposure
from ..model.mask_planes import Mask

__all__ = ["FitsExposureFormatter", "FitsGenericFormatter", "FitsImageFormatter", "FitsMaskFormatter"]

_STACK = "lsst.obs.base.formatters"

#: Attribute of our exposure by the name of the component.
_COMPONENTS = {
    "image": "image",
    "variance": "variance",
    "wcs": "wcs",
    "psf": "psf",
    "photoCalib": "photo_calib",
    "visitInfo": "visit_info",
    "apCorrMap": "ap_corr_map",
    "metadata": "metadata",
    "filter": "filter",
    "detector": "detector",
    "validPolygon": "valid_polygon",
    "summaryStats": "summary_stats",
    "bbox": "bbox",
}


class _Formatter(FormatterV2):
    """What the formatters of afw's FITS files have in common."""

    default_extension: ClassVar[str] = ".fits"
    supported_extensions: ClassVar[frozenset[str]] = frozenset(
        {".fits", ".fits.gz", ".fits.fz", ".fz", ".fit"}
    )
    # lossy recipes exist for files of the stack's making; what is written here is lossless
    supported_write_parameters: ClassVar[frozenset[str]] = frozenset({"recipe"})
    can_read_from_local_file: ClassVar[bool] = True
    module: ClassVar[str] = ""

    @classmethod
    def name(cls) -> str:
        """Return the name under which this formatter is recorded: the stack's."""
        return f"{_STACK}.{cls.module}.{cls.__name__}"

    def refuse_parameters(self) -> None:
        """Raise if only part of a file is asked for."""
        if self.file_descriptor.parameters:
            names = ", ".join(sorted(self.file_descriptor.parameters))
            raise UsageError(f"files of afw are read whole: parameters {names} are not known here")

    def compression(self) -> Any:
        """Return how planes are compressed, by the recipe."""
        return "none" if self.write_parameters.get("recipe") == "noCompression" else "gzip"


class FitsExposureFormatter(_Formatter):
    """Exposures: image, mask, variance and everything attached."""

    module: ClassVar[str] = "fitsExposure"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read an `Exposure`, or a component of one."""
        from ..io.afw.exposure import read_exposure

        self.refuse_parameters()
        if component is None:
            return read_exposure(path)
        exposure = read_exposure(path, psf=component == "psf")
        if component == "mask":
            return Mask(exposure.mask, exposure.mask_planes, exposure.x0, exposure.y0)
        if component not in _COMPONENTS:
            raise UsageError(f"component {component} of an exposure is not known here")
        return getattr(exposure, _COMPONENTS[component])

    def add_provenance(
        self, in_memory_dataset: Any, /, *, provenance: DatasetProvenance | None = None
    ) -> Any:
        """Return the exposure with its origin among its metadata."""
        if provenance is None or not isinstance(in_memory_dataset, Exposure):
            return in_memory_dataset
        origin = provenance.to_flat_dict(
            self.dataset_ref, prefix="LSST BUTLER", sep=" ", simple_types=True, max_inputs=3_000
        )
        return replace(in_memory_dataset, metadata=in_memory_dataset.metadata | dict(origin))

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write an `Exposure`."""
        from ..io.afw.write_exposure import write_exposure

        write_exposure(uri.ospath, in_memory_dataset, compression=self.compression(), overwrite=True)


class FitsImageFormatter(_Formatter):
    """Images by themselves."""

    module: ClassVar[str] = "fitsExposure"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read an array."""
        from ..io.afw.image import read_image

        self.refuse_parameters()
        return read_image(path)[0]

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write an array."""
        from ..io.afw.write_image import write_image

        write_image(uri.ospath, in_memory_dataset, compression=self.compression(), overwrite=True)


class FitsMaskFormatter(_Formatter):
    """Masks by themselves."""

    module: ClassVar[str] = "fitsExposure"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read a `Mask`."""
        from ..io.afw.image import read_mask

        self.refuse_parameters()
        return read_mask(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write a `Mask`."""
        from ..io.afw.write_image import write_mask

        write_mask(uri.ospath, in_memory_dataset, compression=self.compression(), overwrite=True)


class FitsGenericFormatter(_Formatter):
    """Catalogues, backgrounds and photometric calibrations: what afw reads by a class's ``readFits``."""

    module: ClassVar[str] = "fitsGeneric"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read an object of the dataset's storage class."""
        from ..io.afw.background import read_background
        from ..io.afw.photo_calib import read_photo_calib
        from ..io.afw.source_catalog import read_source_catalog
        from ..io.afw.visit_summary import read_visit_summary

        self.refuse_parameters()
        readers: dict[str, Callable[[str], Any]] = {
            "Background": read_background,
            "ExposureCatalog": read_visit_summary,
            "PhotoCalib": read_photo_calib,
            "SourceCatalog": read_source_catalog,
        }
        return readers[self._kind(readers)](path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write an object of the dataset's storage class."""
        from ..io.afw.write_fields import write_photo_calib
        from ..io.afw.write_source_catalog import write_source_catalog
        from ..io.afw.write_visit_summary import write_visit_summary
        from ..io.native import write_background

        writers: dict[str, Callable[..., None]] = {
            "Background": write_background,
            "ExposureCatalog": write_visit_summary,
            "PhotoCalib": write_photo_calib,
            "SourceCatalog": write_source_catalog,
        }
        writers[self._kind(writers)](uri.ospath, in_memory_dataset, overwrite=True)

    def _kind(self, known: dict[str, Any]) -> str:
        name = self.file_descriptor.storageClass.name
        if name not in known:
            raise UsageError(
                f"datasets of storage class {name} are not known here, only {', '.join(sorted(known))}"
            )
        return name

"""Butler formatters of what `lsst.images` has no storage class for: each hands a file name to a reader or writer of `io`.

The Butler writes to a temporary name and renames, so that a process that is killed leaves no half-written dataset.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lsst.daf.butler import DatasetProvenance, FormatterV2
from lsst.images import VisitImage
from lsst.images.formatters import GenericFormatter
from lsst.images.serialization import ButlerInfo
from lsst.resources import ResourcePath

__all__ = [
    "BackgroundFormatter",
    "FootprintsFormatter",
    "PhotoCalibFormatter",
    "SourceSchemaFormatter",
    "VisitImageFormatter",
]


class VisitImageFormatter(GenericFormatter):
    """Visit images as `lsst.images` writes them, compressed in half the time.

    The Butler records the name of its formatter with each dataset. It is that of `lsst.images`, which reads these files:
    a reader need not have Second Light.
    """

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write a `lsst.images.VisitImage`; as `lsst.images` does if another format or recipe is asked for."""
        if (
            self.get_write_extension() != ".fits"
            or self.write_parameters
            or type(in_memory_dataset) is not VisitImage
        ):
            super().write_local_file(in_memory_dataset, uri)
            return
        from ..io.native import write_compressed

        write_compressed(
            uri.ospath,
            in_memory_dataset,
            update_header=self._update_header,
            butler_info=ButlerInfo(
                dataset=self.dataset_ref.to_simple(), provenance=self.butler_provenance or DatasetProvenance()
            ),
        )

    @classmethod
    def name(cls) -> str:
        """Return the name under which this formatter is recorded."""
        return f"{GenericFormatter.__module__}.{GenericFormatter.__qualname__}"


class BackgroundFormatter(FormatterV2):
    """Background models in the reference's FITS layout."""

    default_extension: ClassVar[str] = ".fits"
    can_read_from_local_file: ClassVar[bool] = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read a `BackgroundList`."""
        from ..io.afw.background import read_background

        return read_background(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write a `BackgroundList`."""
        from ..io.native import write_background

        write_background(uri.ospath, in_memory_dataset, overwrite=True)


class PhotoCalibFormatter(FormatterV2):
    """A photometric calibration by itself, as JSON."""

    default_extension: ClassVar[str] = ".json"
    can_read_from_local_file: ClassVar[bool] = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read a `PhotoCalib`."""
        from ..io.read import read_photo_calib

        return read_photo_calib(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write a `PhotoCalib`."""
        from ..io.native_summary import write_photo_calib

        write_photo_calib(uri.ospath, in_memory_dataset)


class SourceSchemaFormatter(FormatterV2):
    """Columns of a source table with units, descriptions and aliases: a parquet table, usually of no rows."""

    default_extension: ClassVar[str] = ".parquet"
    can_read_from_local_file: ClassVar[bool] = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read a `SourceCatalog` without footprints."""
        from ..io.tables import read_sources

        return read_sources(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the columns of a `SourceCatalog`."""
        from ..io.tables import write_sources

        write_sources(uri.ospath, in_memory_dataset, overwrite=True)


class FootprintsFormatter(FormatterV2):
    """Footprints, peaks and pixels of sources as parquet, one row a source."""

    default_extension: ClassVar[str] = ".parquet"
    can_read_from_local_file: ClassVar[bool] = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read a `SourceCatalog` of ids and footprints."""
        from ..io.tables import read_footprints

        return read_footprints(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the footprints of a `SourceCatalog`."""
        from ..io.tables import write_footprints

        write_footprints(uri.ospath, in_memory_dataset, overwrite=True)

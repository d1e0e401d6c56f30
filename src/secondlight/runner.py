"""From files to files: read the inputs of one detector, run the task, write the outputs together."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import astropy.units as u
import numpy as np
from lsst.pipe.base import Struct
from numpy.typing import NDArray

from . import threads as thread_pool
from .errors import InputError, NoWorkError, ProcessingError, UsageError
from .io.afw.background import read_background
from .io.afw.image import read_image, read_mask
from .io.afw.write_archive import ArchiveWriter
from .io.afw.write_exposure import write_exposure
from .io.afw.write_fields import save_ap_corr_map
from .io.afw.write_psf import save_psf
from .io.afw.write_source_catalog import write_source_catalog
from .io.atomic import atomic_outputs, check_folder
from .io.native import write_background, write_visit_image
from .io.read import read_exposure, read_photo_calib, read_visit_summary
from .io.standardized import write_standardized_sources
from .io.tables import write_footprints, write_sources
from .model.background import BackgroundList
from .model.exposure import Exposure
from .overrides import build_config
from .reprocess import ReprocessVisitImageConfig, ReprocessVisitImageTask

__all__ = [
    "AFW_OUTPUTS",
    "BOTH_OUTPUTS",
    "OUTPUTS",
    "STANDARDIZED",
    "Done",
    "Inputs",
    "OutputFormat",
    "read_inputs",
    "run_files",
]

type OutputFormat = Literal["native", "afw", "both"]

_IMAGE, _IMAGE_BESIDE, _FOOTPRINTS = "pvi.fits", "pvi_afw.fits", "sources_footprints.fits"

#: Names of the files that a run makes.
OUTPUTS = (
    _IMAGE,
    "sources.parquet",
    "sources_footprints.parquet",
    "pvi_background.fits",
    "metadata.json",
)

#: The same in the layouts of afw: an ExposureF and a SourceCatalog; all other files serve both formats.
AFW_OUTPUTS = (_IMAGE, "sources.parquet", _FOOTPRINTS, "pvi_background.fits", "metadata.json")

#: Both: the native image keeps its name.
BOTH_OUTPUTS = (*OUTPUTS, _IMAGE_BESIDE, _FOOTPRINTS)

_OUTPUTS: Mapping[OutputFormat, tuple[str, ...]] = {
    "native": OUTPUTS,
    "afw": AFW_OUTPUTS,
    "both": BOTH_OUTPUTS,
}

#: The output that ``standardize`` adds.
STANDARDIZED = "sources_standardized.parquet"

_PACKAGES = (
    "secondlight",
    "numpy",
    "numba",
    "scipy",
    "astropy",
    "lsst-images",
    "lsst-pipe-base",
    "lsst-pex-config",
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of one {visit, detector}; those that may be absent are `None`."""

    exposures: Sequence[Path]
    visit_summary: Path
    backgrounds: Sequence[Path]
    detector: int
    preliminary_mask: Path | None = None
    calib_sources: Path | None = None
    initial_photo_calib: Path | None = None
    background_ratio: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a run made."""

    directory: Path
    counts: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)

    def summary(self) -> str:
        """Return one line for humans."""
        found = ", ".join(f"{v} {k.replace('_', ' ')}" for k, v in self.counts.items())
        return f"{found}; {sum(self.seconds.values()):.1f} s; outputs in {self.directory}"


def run_files(
    inputs: Inputs,
    *,
    out: Path,
    config_files: Sequence[str] = (),
    config_values: Sequence[str] = (),
    release_id: int | None = None,
    threads: int = 1,
    overwrite: bool = False,
    keep_partial: bool = False,
    standardize: bool = False,
    output_format: OutputFormat = "native",
    on_stage: Callable[[str], None] | None = None,
) -> Done:
    """Reprocess one detector from files and write the outputs, all of them or none.

    Parameters
    ----------
    inputs
        What to read.
    out
        Directory for the outputs; made if missing.
    config_files, config_values
        Configuration overrides; see `secondlight.overrides.build_config`.
    release_id
        Release id that source ids carry; the configuration's if not given.
    threads
        Number of threads; 0 for one a processor. The outputs do not depend on it.
    overwrite
        Whether outputs that exist may be replaced.
    keep_partial
        Whether to write what was made before an error that says the data cannot be processed.
    standardize
        Whether to write the table with the names and units of the survey's data releases as well.
    output_format
        Whose layouts image and footprints are written in: ``native`` (`lsst.images` and parquet), ``afw``, or ``both``.
    on_stage
        Called with the name of each stage as it begins.

    Raises
    ------
    UsageError
        Raised if an option or the configuration is wrong, or outputs exist and must not be replaced.
    InputError
        Raised if an input cannot be read, or contradicts another.
    NoWorkError
        Raised if the visit summary lacks calibrations for the detector.
    ProcessingError
        Raised if the data cannot be processed.
    """
    config = build_config(config_files, config_values)
    if release_id is not None:
        if release_id < 0:
            raise UsageError(f"--release-id {release_id} is negative")
        config.id_generator.release_id = release_id
    outputs = (*_OUTPUTS[output_format], *([STANDARDIZED] if standardize else []))
    _check_options(inputs, config)
    check_folder(out)
    existing = [name for name in outputs if (out / name).exists()]
    if existing and not overwrite:
        raise UsageError(f"{out / existing[0]} exists: give another --out, or --overwrite to replace it")
    observer = on_stage or (lambda _name: None)

    seconds: dict[str, float] = {}
    result = Struct()
    with thread_pool.use(threads):
        start = time.perf_counter()
        observer("read")
        arguments = read_inputs(inputs, config)
        if output_format != "native":
            # what cannot be written is found out now, not when all is done
            archive = ArchiveWriter()
            save_psf(archive, arguments["psf"])
            save_ap_corr_map(archive, arguments["ap_corr"])
        if output_format != "afw" and arguments["exposures"][0].detector is None:
            raise InputError(
                "neither the exposure nor the visit summary describes the detector, which an image of lsst.images "
                "must have (with --format afw it need not)",
                path=inputs.exposures[0],
            )
        seconds["read"] = time.perf_counter() - start
        task = ReprocessVisitImageTask(config, on_stage=_releasing(arguments, observer))
        try:
            task.run(**arguments, result=result)
        except ProcessingError as error:
            if keep_partial and result.exposure is not None:
                seconds |= result.seconds
                _write_partial(out, result, error, config, inputs, seconds, output_format)
            error.args = (f"{inputs.exposures[0]}: {error}",)
            raise
        seconds |= result.seconds
        start = time.perf_counter()
        observer("write")
        catalog = result.sources_footprints
        with atomic_outputs(out, overwrite=overwrite) as directory:
            _write_image(
                directory,
                result.exposure,
                output_format,
                backgrounds=result.background,
                photometric_scaling=result.applied_photo_calib,
                instrumental_unit=result.instrumental_unit or "electron",
            )
            # the tables need memory, too
            _drop_pixels(result.exposure)
            write_sources(directory / "sources.parquet", catalog)
            if standardize:
                write_standardized_sources(directory / STANDARDIZED, catalog, result.exposure.filter)
            if output_format != "afw":
                write_footprints(directory / "sources_footprints.parquet", catalog)
            if output_format != "native":
                write_source_catalog(directory / _FOOTPRINTS, catalog)
            write_background(directory / "pvi_background.fits", result.background)
            seconds["write"] = time.perf_counter() - start
            counts = _counts(catalog)
            _write_metadata(directory / "metadata.json", config, inputs, seconds, counts, task)
        if overwrite:
            # those of an earlier run, which would not fit the others
            for name in {*BOTH_OUTPUTS, STANDARDIZED} - set(outputs):
                (out / name).unlink(missing_ok=True)
    return Done(out, counts, seconds)


def _write_image(
    directory: Path, exposure: Exposure, output_format: OutputFormat, **instrumental: Any
) -> None:
    """Write the image; ``instrumental`` is what only a native file keeps of the image before calibration."""
    if output_format != "afw":
        write_visit_image(directory / _IMAGE, exposure, **instrumental)
    if output_format != "native":
        write_exposure(directory / (_IMAGE if output_format == "afw" else _IMAGE_BESIDE), exposure)


def _counts(catalog: Any) -> dict[str, int]:
    sky = int(catalog["sky_source"].sum())
    return {"sources": len(catalog) - sky, "sky_sources": sky}


def read_inputs(inputs: Inputs, config: ReprocessVisitImageConfig) -> dict[str, Any]:
    """Read the inputs into the arguments of `ReprocessVisitImageTask.run`.

    Parameters
    ----------
    inputs
        What to read.
    config
        Configuration of the task: it makes the generator of source ids.

    Raises
    ------
    UsageError
        Raised if there are more than two exposures.
    InputError
        Raised if an input cannot be read, or contradicts another.
    NoWorkError
        Raised if the visit summary lacks calibrations for the detector.
    """
    # their PSFs are first guesses: the final one comes with the visit summary
    exposures = [read_exposure(path, psf=False) for path in inputs.exposures]
    if len(exposures) not in (1, 2):
        raise UsageError(f"{len(exposures)} exposures given: a visit has one, or two snaps")
    for path, exposure in zip(inputs.exposures, exposures, strict=True):
        _check_exposure(path, exposure, inputs, exposures[0])
    record = read_visit_summary(inputs.visit_summary).find(inputs.detector)
    if record is None:
        raise NoWorkError(
            f"{inputs.visit_summary}: no record for detector {inputs.detector}: nothing to reprocess it with"
        )
    calibrations = {
        "PSF": record.psf,
        "WCS": record.wcs,
        "ApCorr": record.ap_corr_map,
        "PhotoCalib": record.photo_calib,
    }
    missing = [name for name, value in calibrations.items() if value is None]
    if missing:
        raise NoWorkError(
            f"{inputs.visit_summary}: Skipping reprocessing of detector {inputs.detector} because: "
            + ", ".join(f"no {name}" for name in missing)
        )
    for exposure in exposures:
        exposure.detector = exposure.detector or record.detector
    background = BackgroundList()
    for path in inputs.backgrounds:
        models = read_background(path)
        for model in models:
            _check_shape("background", path, model.bbox.shape, exposures[0])
        background.extend(models)
    preliminary_mask = _optional(read_mask, inputs.preliminary_mask)
    if preliminary_mask is not None:
        _check_shape("preliminary mask", inputs.preliminary_mask, preliminary_mask.array.shape, exposures[0])
    ratio = _optional(_read_ratio, inputs.background_ratio)
    if ratio is not None:
        _check_shape("background ratio", inputs.background_ratio, ratio.shape, exposures[0])
    visit_info = exposures[0].visit_info
    return {
        "exposures": exposures,
        "psf": record.psf,
        "wcs": record.wcs,
        "ap_corr": record.ap_corr_map,
        "photo_calib": record.photo_calib,
        "background": background,
        "id_generator": config.id_generator.make(
            visit=visit_info.id if visit_info is not None else 0,
            detector=inputs.detector,
            instrument=visit_info.instrument if visit_info is not None else "",
        ),
        "initial_photo_calib": _optional(read_photo_calib, inputs.initial_photo_calib),
        "calib_sources": _optional(_read_table, inputs.calib_sources),
        "background_to_photometric_ratio": ratio,
        "preliminary_mask": preliminary_mask,
    }


def _check_options(inputs: Inputs, config: ReprocessVisitImageConfig) -> None:
    """Refuse a configuration that needs an input which is not given."""
    for name, path, option in (
        ("do_apply_flat_background_ratio", inputs.background_ratio, "--background-ratio"),
        ("remove_initial_photo_calib", inputs.initial_photo_calib, "--initial-photo-calib"),
    ):
        if getattr(config, name) and path is None:
            raise UsageError(f"{name} is set, which needs {option}")


def _check_shape(what: str, path: Path | None, shape: tuple[int, ...], exposure: Exposure) -> None:
    """Refuse an image that does not cover the exposure."""
    if shape != exposure.image.shape:
        raise InputError(
            f"the {what} has shape {tuple(shape)}, the exposure {exposure.image.shape}", path=path
        )


def _releasing(arguments: Mapping[str, Any], observer: Callable[[str], None]) -> Callable[[str], None]:
    """Return an observer of stages that also drops the pixels of inputs once the task has used them."""
    exposures, mask = arguments["exposures"], arguments["preliminary_mask"]

    def observe(name: str) -> None:
        observer(name)
        if name == "background" and len(exposures) > 1:  # a single one is processed in place
            for snap in exposures:
                _drop_pixels(snap)
        if name == "repair" and mask is not None:
            mask.array = mask.array[:0].copy()

    return observe


def _drop_pixels(exposure: Exposure) -> None:
    for plane in ("image", "mask", "variance"):
        setattr(exposure, plane, getattr(exposure, plane)[:0].copy())


def _optional[T](read: Callable[[Path], T], path: Path | None) -> T | None:
    return None if path is None else read(path)


def _check_exposure(path: Path, exposure: Exposure, inputs: Inputs, first: Exposure) -> None:
    """Refuse an exposure of another detector or of no instrumental unit, or a second snap unlike the first."""
    if exposure.detector is not None and exposure.detector.id != inputs.detector:
        raise InputError(
            f"the exposure is of detector {exposure.detector.id}, not {inputs.detector}", path=path
        )
    if exposure.bbox != first.bbox:
        raise InputError(f"the snap covers {exposure.bbox}, the first one {first.bbox}", path=path)
    if exposure.unit != first.unit:
        raise InputError(f"the snap is in {exposure.unit!r}, the first one in {first.unit!r}", path=path)
    try:
        unit = u.Unit(exposure.unit)
    except ValueError:
        raise InputError(f"the image's unit {exposure.unit!r} is not known", path=path) from None
    if unit.is_equivalent(u.nJy):
        raise InputError(f"the image is calibrated already: its unit is {exposure.unit}", path=path)


def _read_ratio(path: Path) -> NDArray[np.float32]:
    array, _, _ = read_image(path)
    return array


def _read_table(path: Path) -> Mapping[str, NDArray[np.generic]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    needed = {"coord_ra", "coord_dec", "detector"}
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"not a readable parquet table ({error})", path=path) from error
    lacking = sorted(needed - set(table.column_names))
    if lacking:
        raise InputError(f"the table has no column {', '.join(lacking)}", path=path)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _write_partial(
    out: Path,
    result: Struct,
    error: ProcessingError,
    config: ReprocessVisitImageConfig,
    inputs: Inputs,
    seconds: dict[str, float],
    output_format: OutputFormat,
) -> None:
    """Write the image as far as it got, and say in its metadata what stopped it."""
    exposure = result.exposure
    exposure.metadata["failure.message"] = " ".join(str(error).split())
    exposure.metadata["failure.type"] = f"{type(error).__module__}.{type(error).__qualname__}"
    with atomic_outputs(out, overwrite=True) as directory:
        if exposure.psf is not None and exposure.wcs is not None:
            _write_image(directory, exposure, output_format)
        _write_metadata(directory / "metadata.json", config, inputs, seconds, {}, None, failure=str(error))


def _write_metadata(
    path: Path,
    config: ReprocessVisitImageConfig,
    inputs: Inputs,
    seconds: Mapping[str, float],
    counts: Mapping[str, int],
    task: ReprocessVisitImageTask | None,
    failure: str | None = None,
) -> None:
    """Write what was run, with what, and what it took."""
    record: dict[str, Any] = {
        "inputs": {
            name: [str(v) for v in value]
            if isinstance(value, list | tuple)
            else value
            if value is None
            else str(value)
            for name in Inputs.__dataclass_fields__
            for value in [getattr(inputs, name)]
        },
        "seconds": {name: round(value, 6) for name, value in seconds.items()},
        "counts": dict(counts),
        "peak_rss_mib": _peak_rss_mib(),
        "threads": thread_pool.count(),
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in _PACKAGES}},
        "task_metadata": task.getFullMetadata().model_dump() if task is not None else {},
        "config": config.toDict(),
    }
    if failure is not None:
        record["failure"] = failure
    path.write_text(json.dumps(record, indent=1, default=str) + "\n")


def _peak_rss_mib() -> float:
    # Linux reports kibibytes, macOS bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024.0**2 if sys.platform == "darwin" else 1024.0), 1)

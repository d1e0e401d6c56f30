"""``secondlight run``: files in, files out (design section 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

_FILE = click.Path(path_type=Path)


@click.command("run")
@click.argument("exposures", metavar="EXPOSURE...", nargs=-1, required=True, type=_FILE)
@click.option(
    "--visit-summary", required=True, type=_FILE, help="Final calibrations of the visit's detectors."
)
@click.option(
    "--background",
    "backgrounds",
    required=True,
    multiple=True,
    type=_FILE,
    help="Background to subtract; several are concatenated in order (calibration background, then skyCorr).",
)
@click.option("--preliminary-mask", type=_FILE, help="Mask to copy planes from (copyMaskPlanes).")
@click.option("--calib-sources", type=_FILE, help="Parquet table of the visit's calibration sources.")
@click.option("--initial-photo-calib", type=_FILE, help="Calibration that the background was fitted with.")
@click.option("--background-ratio", type=_FILE, help="Ratio of background flat to photometric flat.")
@click.option(
    "--detector", required=True, type=int, help="Detector id; its row in the visit summary is used."
)
@click.option("--out", required=True, type=_FILE, help="Directory for the outputs; made if missing.")
@click.option(
    "--config-file",
    "config_files",
    multiple=True,
    help="Configuration overrides (Python: config.detection.thresholdValue = 6), a file or a shipped one's name.",
)
@click.option(
    "--config", "config_values", multiple=True, metavar="KEY=VALUE", help="One configuration override."
)
@click.option("--release-id", type=int, help="Release id that source ids carry.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["native", "afw", "both"]),
    default="native",
    show_default=True,
    help="Layout of image and footprints: lsst.images and parquet, FITS that lsst.afw opens, or both.",
)
@click.option(
    "--threads", type=click.IntRange(min=0), default=1, show_default=True, help="0: one a processor."
)
@click.option(
    "--standardize",
    is_flag=True,
    help="Also write sources_standardized.parquet: names and units of the data releases (DP2).",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--keep-partial", is_flag=True, help="Keep what was made when the data cannot be processed.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def command(**options: Any) -> None:
    """Reprocess one detector.

    EXPOSURE is one post-ISR exposure, or the two snaps of a visit, in afw or lsst.images format. Writes pvi.fits,
    sources.parquet, sources_footprints.parquet, pvi_background.fits and metadata.json: all of them or none. With
    --format afw the footprints are in sources_footprints.fits; with both, afw's image is pvi_afw.fits.

    Exit status: 0 done; 2 wrong usage; 3 an input is unreadable or contradicts another; 4 this data cannot be
    processed.
    """
    from ..runner import Inputs, run_files
    from ._progress import Progress

    options.pop("debug")
    quiet = options.pop("quiet")
    inputs = Inputs(
        exposures=options.pop("exposures"),
        visit_summary=options.pop("visit_summary"),
        backgrounds=options.pop("backgrounds"),
        preliminary_mask=options.pop("preliminary_mask"),
        calib_sources=options.pop("calib_sources"),
        initial_photo_calib=options.pop("initial_photo_calib"),
        background_ratio=options.pop("background_ratio"),
        detector=options.pop("detector"),
    )
    with Progress(enabled=not quiet) as progress:
        done = run_files(inputs, on_stage=progress.stage, **options)
    if not quiet:
        click.echo(done.summary(), err=True)

"""A simulated visit taken apart, so that a test may change any piece before it is written and run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from secondlight.io.native import write_background, write_visit_image
from secondlight.io.native_summary import VisitRecord, VisitSummary, write_visit_summary
from secondlight.model.background import BackgroundList
from secondlight.model.exposure import Exposure
from secondlight.model.psf import GaussianPsf
from secondlight.simulate import simulate_visit


@dataclass
class Pieces:
    """What a run reads; ``record`` is that of the detector in the visit summary."""

    exposures: list[Exposure]
    record: VisitRecord
    backgrounds: list[BackgroundList]

    def write(self, folder: Path) -> list[str]:
        """Write the files; returns the arguments of ``secondlight run``, without ``--out``."""
        folder.mkdir(parents=True, exist_ok=True)
        arguments = []
        for k, exposure in enumerate(self.exposures):
            path = folder / f"exposure_{k}.fits"
            # upstream's first guess, which a file must have and no run reads
            write_visit_image(path, replace(exposure, psf=GaussianPsf(2.0, 25, 25)), overwrite=True)
            arguments.append(str(path))
        for k, background in enumerate(self.backgrounds):
            path = folder / f"background_{k}.fits"
            write_background(path, background, overwrite=True)
            arguments += ["--background", str(path)]
        summary = folder / "summary.fits"
        summary.unlink(missing_ok=True)
        write_visit_summary(summary, VisitSummary([self.record]))
        return [*arguments, "--visit-summary", str(summary), "--detector", str(self.record.detector_id)]


def simulated(nx: int, ny: int, **options: object) -> Pieces:
    """Simulate a visit; options are those of `simulate_visit`."""
    visit = simulate_visit(nx, ny, **options)
    first = visit.exposures[0]
    record = VisitRecord(
        visit.detector,
        first.bbox,
        visit.psf,
        visit.wcs,
        visit.photo_calib,
        visit.ap_corr_map,
        visit.visit_info,
        first.detector,
    )
    return Pieces(visit.exposures, record, [visit.background_1, visit.sky_corr])

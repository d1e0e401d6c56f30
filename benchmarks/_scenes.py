"""Simulated visits that benchmarks run on, made once and kept in ``benchmarks/.scenes``."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks._measuring import ROOT
from secondlight.runner import Inputs

__all__ = ["CCD", "CROWDED", "WARM_UP", "Scene", "inputs_of"]

_FOLDER = ROOT / "benchmarks" / ".scenes"
_SEED = 11
_DETECTOR = 94
_RECORDED_DETECTOR = 42


@dataclass(frozen=True)
class Scene:
    """Size [pixel] and density of a simulated visit; see `secondlight.simulate.simulate_visit`."""

    nx: int
    ny: int
    density: float

    @property
    def megapixels(self) -> float:
        """Pixels, in millions."""
        return self.nx * self.ny / 1e6

    def folder(self) -> Path:
        """Return the folder of its files, after simulating it if need be."""
        folder = _FOLDER / f"{self.nx}x{self.ny}-density{self.density:g}-seed{_SEED}"
        # the truth is written last
        if not (folder / "truth" / "inputs.json").exists():
            print(f"simulating {self.nx} x {self.ny} pixels, density {self.density:g}", file=sys.stderr)
            options = ["--size", self.nx, self.ny, "--density", self.density, "--seed", _SEED, "--detector"]
            subprocess.run(
                [
                    *(sys.executable, "-c", "from secondlight.cli import main; main()", "simulate", folder),
                    *(str(o) for o in (*options, _DETECTOR, "--format", "afw", "--overwrite")),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return folder


#: One CCD of the survey's camera: 15,000 objects, of which some 4,300 are detected.
CCD = Scene(4096, 4004, 0.98)

#: Where almost every source is in a blend.
CROWDED = Scene(1500, 1500, 8)

#: Small: what compiles or loads every kernel.
WARM_UP = Scene(600, 500, 1)


def inputs_of(folder: Path) -> Inputs:
    """Return the inputs in a folder of a scene.

    Parameters
    ----------
    folder
        As from `Scene.folder`, or one of a recorded run, which has its inputs in a folder of their own.
    """
    detector = _DETECTOR
    if (folder / "inputs").is_dir():
        folder, detector = folder / "inputs", _RECORDED_DETECTOR
    return Inputs(
        exposures=[folder / "postISRCCD_0.fits"],
        visit_summary=folder / "finalVisitSummary.fits",
        backgrounds=[folder / "background_1.fits", folder / "skyCorr.fits"],
        detector=detector,
        preliminary_mask=folder / "preliminary_visit_mask.fits",
        calib_sources=folder / "finalized_src_table.parquet",
    )

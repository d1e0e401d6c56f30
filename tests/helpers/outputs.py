"""What the task left in a repository, to compare two runs byte by byte."""

from __future__ import annotations

import hashlib

import numpy as np
from lsst.daf.butler import Butler
from lsst.pipe.base import QuantumSuccessCaveats

from helpers.pipelines import LABEL

OUTPUTS = ("pvi", "sources_detector", "sources_detector_footprints", "pvi_background")


def digests(butler: Butler, run: str) -> dict[tuple[str, int], str]:
    """A digest of each output by its name and detector: files where they say nothing of the run, else contents."""
    made = {}
    for name in OUTPUTS:
        refs = butler.query_datasets(name, collections=run, find_first=False)
        for ref in refs:
            key = name, int(ref.dataId["detector"])
            assert key not in made, f"{key} is there twice"
            made[key] = hashlib.sha256(_bytes(butler, ref)).hexdigest()
    return made


def _bytes(butler: Butler, ref) -> bytes:
    if ref.datasetType.name == "sources_detector":
        table = butler.get(ref)
        columns = (
            f"{name}{table[name].unit}{table[name].description}{table[name].dtype}".encode()
            + np.asarray(table[name]).tobytes()
            for name in table.colnames
        )
        return b"".join(columns)
    if ref.datasetType.name == "pvi":
        image = butler.get(ref)
        # its header names the dataset, which differs from run to run
        return b"".join(getattr(image, plane).array.tobytes() for plane in ("image", "mask", "variance"))
    return butler.getURI(ref).read()


def caveats(butler: Butler, run: str) -> dict[int, QuantumSuccessCaveats]:
    """How the quantum of each detector ended, as the executor recorded it."""
    refs = butler.query_datasets(f"{LABEL}_metadata", collections=run, find_first=False)
    return {
        int(ref.dataId["detector"]): QuantumSuccessCaveats(int(butler.get(ref)["quantum"]["caveats"]))
        for ref in refs
    }


def logged(butler: Butler, run: str) -> set[int]:
    """Detectors whose quantum left its log."""
    refs = butler.query_datasets(f"{LABEL}_log", collections=run, find_first=False)
    return {int(ref.dataId["detector"]) for ref in refs if len(butler.get(ref)) > 0}

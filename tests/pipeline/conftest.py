"""One simulated visit in one repository, shared by the tests of this folder."""

from __future__ import annotations

import shutil

import pytest
from lsst.daf.butler import Butler

from helpers.pipelines import execute, shipped
from secondlight.pipeline.repository import create_repository
from secondlight.simulate import ingest_visit

DETECTORS = (90, 91, 92, 93)
WITHOUT_PSF = 93

#: The visit of all repositories here: small, and as different as four detectors are.
SIMULATED = {
    "detectors": DETECTORS,
    "pipeline": "reprocessVisitImage",
    "size": (256, 256),
    "density": 0.5,
    "without_psf": [WITHOUT_PSF],
}


@pytest.fixture(scope="session")
def ingested(tmp_path_factory):
    """A repository with a visit of four small detectors, one of which lacks its PSF; not to be changed."""
    root = tmp_path_factory.mktemp("repository") / "repo"
    create_repository(root)
    with Butler.from_config(str(root), writeable=True) as butler:
        ingest_visit(butler, **SIMULATED)
    return root


@pytest.fixture
def repository(ingested, tmp_path):
    """A copy of that repository."""
    root = tmp_path / "repo"
    shutil.copytree(ingested, root)
    return root


@pytest.fixture(scope="session")
def executed(ingested, tmp_path_factory):
    """That repository after the pipeline has run in this process, and its outputs."""
    root = tmp_path_factory.mktemp("executed") / "repo"
    shutil.copytree(ingested, root)
    execute(root, "out", shipped())
    with Butler.from_config(str(root), collections=["out"]) as butler:
        yield butler

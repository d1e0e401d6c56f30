"""One visit by pipetask, by an executor in Python and by bps on Parsl, with registries of SQLite and PostgreSQL: the same bytes."""

from __future__ import annotations

import shutil

import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import QuantumSuccessCaveats

from helpers import commands, postgres
from helpers.outputs import OUTPUTS, caveats, digests, logged
from helpers.pipelines import LABEL, execute, shipped
from secondlight.pipeline.repository import create_repository
from secondlight.simulate import ingest_visit

from .conftest import SIMULATED, WITHOUT_PSF

DONE = {90, 91, 92}


@pytest.fixture(scope="module")
def server():
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def root(request, ingested, tmp_path_factory):
    """A fresh repository with the visit."""
    folder = tmp_path_factory.mktemp(request.param) / "repo"
    if request.param == "sqlite":
        shutil.copytree(ingested, folder)
        return folder
    create_repository(folder, database=request.getfixturevalue("server"), namespace="visits")
    with Butler.from_config(str(folder), writeable=True) as butler:
        ingest_visit(butler, **SIMULATED)
    return folder


@pytest.fixture(scope="module")
def expected(executed):
    """Digests of what an executor in Python makes with SQLite."""
    made = digests(executed, "out")
    assert set(made) == {(name, detector) for name in OUTPUTS for detector in DONE}
    return made


def check(root, run, expected):
    """Outputs are those expected, once; the detector without a PSF had no work and did not fail."""
    with Butler.from_config(str(root)) as butler:
        assert digests(butler, run) == expected
        assert len(butler.get("sources_schema", collections=run)) == 0
        ended = caveats(butler, run)
        assert logged(butler, run) == DONE | {WITHOUT_PSF}
    no_work = QuantumSuccessCaveats.UPSTREAM_FAILURE_NO_WORK | QuantumSuccessCaveats.NO_WORK
    assert no_work in ended.pop(WITHOUT_PSF)
    assert ended == dict.fromkeys(DONE, QuantumSuccessCaveats.NO_CAVEATS)


def test_pipetask(root, expected):
    log = commands.finish(commands.pipetask(root, run="pipetask/run"))
    assert "no PSF" in log
    check(root, "pipetask/run", expected)


def test_executor_in_python(root, expected):
    execute(root, "python/run", shipped())
    with Butler.from_config(str(root)) as butler:
        assert digests(butler, "python/run") == expected


def test_bps_on_parsl(root, expected, tmp_path):
    run = commands.bps(root, tmp_path)
    check(root, run, expected)
    with Butler.from_config(str(root)) as butler:
        assert run in butler.collections.get_info("bps").children
    printed = commands.logs(tmp_path / "submit")
    # kernels were compiled before any job; all four detectors shared one
    assert "kernels in" in printed["pipetaskInit.stdout"]
    jobs = [text for name, text in printed.items() if name.startswith("visitImages") and name.endswith("err")]
    assert len(jobs) == 1 and "Executed 4 quanta successfully, 0 failed" in jobs[0]
    assert jobs[0].count(f"Constructing task and executing quantum for label={LABEL}") == 4

"""Repositories whose datasets, or all of which, lie in an object store: S3 through `lsst.resources`, against a mock server."""

from __future__ import annotations

import warnings

import pytest
from lsst.daf.butler import Butler
from lsst.resources import ResourcePath

from helpers import commands, postgres
from helpers.outputs import caveats, digests
from helpers.pipelines import execute, shipped
from secondlight.errors import UsageError
from secondlight.pipeline.repository import create_repository
from secondlight.simulate import ingest_visit

from .conftest import SIMULATED, WITHOUT_PSF

moto = pytest.importorskip("moto.server", reason="moto, flask and flask-cors are not installed")
boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (extra s3)")

BUCKET = "visits"

# connections to the mock server are closed when clients are collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def store():
    """What the environment must say so that s3:// means the mock server, which has one empty bucket."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "S3_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=settings["S3_ENDPOINT_URL"])
        client.create_bucket(Bucket=BUCKET)
        yield settings
        client.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        server.stop()


def names(prefix):
    """Names of the files below a folder of the bucket."""
    root = ResourcePath(f"s3://{BUCKET}/{prefix}/", forceDirectory=True)
    return [str(path.relative_to(root)) for path in ResourcePath.findFileResources([root])]


def test_datasets_in_a_bucket(store, tmp_path, executed):
    create_repository(tmp_path / "repo", datastore=f"s3://{BUCKET}/datasets")
    with Butler.from_config(str(tmp_path / "repo"), writeable=True) as butler:
        ingest_visit(butler, **SIMULATED)
    assert any(name.endswith(".fits") for name in names("datasets"))
    commands.finish(commands.pipetask(tmp_path / "repo", **store))
    with Butler.from_config(str(tmp_path / "repo")) as butler:
        assert digests(butler, "out/run") == digests(executed, "out")
        assert WITHOUT_PSF in caveats(butler, "out/run")
    # the registry is here, and no dataset
    assert {path.name for path in (tmp_path / "repo").iterdir()} == {"butler.yaml", "gen3.sqlite3"}
    assert not [name for name in names("datasets") if ".tmp" in name]


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there is a server")
def test_nothing_on_this_machine(store, executed):
    root = f"s3://{BUCKET}/repo"
    with postgres.server() as url:
        create_repository(root, database=url)
        with pytest.raises(UsageError, match="holds a repository already"):
            create_repository(root, database=url)
        with Butler.from_config(root, writeable=True) as butler:
            ingest_visit(butler, **SIMULATED)
        execute(root, "out", shipped())
        with Butler.from_config(root) as butler:
            assert digests(butler, "out") == digests(executed, "out")
    assert "butler.yaml" in names("repo")


def test_a_registry_needs_a_file_system_or_a_server(store):
    with pytest.raises(UsageError, match="needs a database"):
        create_repository(f"s3://{BUCKET}/nowhere")

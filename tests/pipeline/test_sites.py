"""Site files of bps: each gives a configuration of Parsl; detectors are clustered; the warm-up comes first."""

from __future__ import annotations

import pytest

from helpers.command import secondlight
from secondlight.pipeline.repository import shipped_site, shipped_sites

parsl = pytest.importorskip("lsst.ctrl.bps.parsl.workflow", reason="the extra bps is not installed")
BpsConfig = pytest.importorskip("lsst.ctrl.bps").BpsConfig

# Parsl leaves the sockets open with which it asks for this machine's addresses
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ENTERED = {
    "slurm": "site:\n  slurm:\n    account: rubin\n    walltime: '00:30:00'\n    scheduler_options: |\n      #SBATCH --partition=milano\n",
    "htcondor": "site:\n  htcondor:\n    requirements: TARGET.HasCvmfs\n",
    "local": "site:\n  local:\n    cores: 7\n",
}


def load(name, folder):
    """The configuration as bps reads it from a user's own file that includes the shipped one."""
    own = folder / "own.yaml"
    own.write_text(
        f"includeConfigs:\n  - resource://secondlight/pipeline/bps/{name}.yaml\n{ENTERED[name]}"
        "payload:\n  butlerConfig: REPO\n  inCollection: IN\n"
    )
    return BpsConfig(str(own), defaults={"uniqProcName": "test", "operator": "me", "timestamp": "now"})


@pytest.fixture(params=shipped_sites())
def site(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PWD", str(tmp_path))
    return request.param, load(request.param, tmp_path)


def test_sites_are_the_ones_documented():
    assert shipped_sites() == ["htcondor", "local", "slurm"]
    assert secondlight("butler", "bps").out.split() == shipped_sites()
    assert secondlight("butler", "bps", "slurm").out.strip() == str(shipped_site("slurm"))
    refused = secondlight("butler", "bps", "moon")
    assert refused.status == 2 and "htcondor, local, slurm" in refused.err


def test_parsl_gets_one_executor(site):
    name, config = site
    (executor,) = parsl.get_parsl_config(config).executors
    assert executor.label == name
    provider = executor.provider
    if name == "slurm":
        assert provider.account == "rubin" and provider.walltime == "00:30:00"
        assert "#SBATCH --partition=milano" in provider.scheduler_options
        assert provider.nodes_per_block == 1 and provider.cores_per_node == 32
    elif name == "htcondor":
        assert provider.requirements == "TARGET.HasCvmfs" and provider.walltime == "02:00:00"
        assert provider.cores_per_slot == executor.max_workers_per_node == 8
        assert provider.max_blocks == 4
    else:
        assert executor.max_workers_per_node == 7
    assert parsl.SiteConfig.from_config(config).select_executor(None) == name


def test_detectors_share_jobs_and_kernels_are_compiled_first(site):
    _, config = site
    assert config["cluster"]["visitImages"]["partitionDimensions"] == "detector"
    assert config["cluster"]["visitImages"]["partitionMaxSize"] == 8
    _, command = config.search(
        "runQuantumCommand", opt={"curvals": {"curr_pipetask": "pipetaskInit"}, "replaceVars": False}
    )
    assert command.startswith("secondlight doctor --warm && pipetask")
    assert config["wmsServiceClass"] == "lsst.ctrl.bps.parsl.ParslService"

"""``secondlight demo --detectors``: a repository, its outputs, their comparison with the truth, and a picture."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.daf.butler import Butler

from helpers.command import secondlight
from secondlight.errors import ProcessingError, UsageError
from secondlight.pipeline.execution import bps_arguments, run_command
from secondlight.pipeline.repository import remove_repository


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    ended = secondlight("demo", "--out", out, "--detectors", 2, "--size", 256, 256, "--threads", 2)
    assert ended.status == 0, ended.err
    return out, ended.out


def test_everything_is_there(demo):
    out, printed = demo
    assert (out / "demo.png").stat().st_size > 10_000
    assert "Executed 2 quanta successfully, 0 failed" in (out / "pipetask.log").read_text()
    with Butler.from_config(str(out / "repo"), collections=["reprocessed"]) as butler:
        tables = {int(r.dataId["detector"]): butler.get(r) for r in butler.query_datasets("sources_detector")}
        truth = [butler.get(ref) for ref in butler.query_datasets("simulated_truth")]
    assert set(tables) == {90, 91} and len(truth) == 2
    # the comparison is of both detectors together
    n = sum(int(np.sum(~t["sky_source"] & (t["deblend_nChild"] == 0))) for t in tables.values())
    assert f"{n} sources" in printed and "pipetask run" in printed


def test_a_repository_is_replaced_on_request_only(demo):
    out, _ = demo
    again = secondlight("demo", "--out", out, "--detectors", 1, "--size", 256, 256)
    assert again.status == 2 and "holds a repository already" in again.err


def test_only_repositories_are_removed(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(UsageError, match="left alone"):
        remove_repository(tmp_path / "thesis")
    assert (tmp_path / "thesis").is_dir()
    remove_repository(tmp_path / "nothing")


def test_a_command_that_fails_names_its_log(tmp_path):
    with pytest.raises(ProcessingError, match=r"pipetask ended with status 2: see .*pipetask\.log"):
        run_command("pipetask", ["run", "--nonsense"], tmp_path / "pipetask.log")
    assert "nonsense" in (tmp_path / "pipetask.log").read_text()


def test_bps_gets_a_file_of_its_own(tmp_path):
    pytest.importorskip("lsst.ctrl.bps.parsl", reason="the extra bps is not installed")
    arguments = bps_arguments("REPO", "in", "out", tmp_path / "submit", jobs=3)
    assert arguments[:2] == ["submit", str(tmp_path / "submit" / "submit.yaml")]
    assert "cores: 3" in (tmp_path / "submit" / "submit.yaml").read_text()

"""Parity of other configurations of the reference, on one scene: every value of every recorded table."""

import numpy as np
import pytest
from benchmarks.parity import inputs_of

from helpers.recorded import tools
from helpers.shared import needs_shared, reference
from secondlight import runner

pytestmark = needs_shared

VARIANTS = (
    "flat_ratio",
    "initial_calib",
    "repair",
    "detection",
    "detection_stdev",
    "detection_original",
    "deblend_stray",
    "deblend_footprint",
    "deblend_clip",
    "plugins",
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_value(variant, tmp_path):
    inputs, overrides = inputs_of(reference("small"), reference("variants", variant))
    runner.run_files(inputs, out=tmp_path / "out", config_files=overrides, config_values=[])
    compare = tools()
    ours = compare.load(tmp_path / "out" / "sources.parquet")
    theirs = compare.load(reference("variants", variant, "sources.parquet"))
    with np.errstate(all="ignore"):
        columns, _, paired, n, _ = compare.compare(ours, theirs, None)
    assert paired == n
    assert {name: share for name, share, _, _ in columns if share < 1.0} == {}

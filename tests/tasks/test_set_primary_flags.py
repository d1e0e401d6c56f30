"""Primary flags: the definitions, and the recorded runs row by row."""

import numpy as np
import pytest

from helpers.shared import needs_shared
from helpers.summarized import summarized
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.set_primary_flags import SetPrimaryFlagsTask

FLAGS = ["detect_isPrimary", "detect_isDeblendedSource", "detect_fromBlend", "detect_isIsolated"]


def catalogue(n, *, deblended=True, sky=True):
    schema = Schema.minimal()
    if sky:
        schema.add(Column("sky_source", "Flag"))
    if deblended:
        schema.add(Column("deblend_nChild", "I"))
    task = SetPrimaryFlagsTask(schema=schema)
    return task, SourceCatalog(schema, n)


def flags(catalog):
    return {name.removeprefix("detect_"): catalog[name].tolist() for name in FLAGS}


def test_every_kind_of_row():
    """A lone source, a parent, its two children, a sky source."""
    task, catalog = catalogue(5)
    catalog["parent"] = [0, 0, 7, 7, 0]
    catalog["deblend_nChild"] = [0, 2, 0, 0, 0]
    catalog["sky_source"] = [False, False, False, False, True]
    task.run(catalog)
    assert flags(catalog) == {
        "isPrimary": [True, False, True, True, False],
        "isDeblendedSource": [True, False, True, True, True],
        "fromBlend": [False, False, True, True, False],
        "isIsolated": [True, False, False, False, True],
    }


def test_without_a_deblender_nothing_has_children():
    task, catalog = catalogue(2, deblended=False)
    catalog["sky_source"] = [False, True]
    task.run(catalog)
    assert flags(catalog) == {
        "isPrimary": [True, False],
        "isDeblendedSource": [True, True],
        "fromBlend": [False, False],
        "isIsolated": [True, True],
    }


def test_without_sky_sources():
    task, catalog = catalogue(1, sky=False)
    task.run(catalog)
    assert catalog["detect_isPrimary"].all()


def test_order_of_columns():
    assert catalogue(0)[1].schema.names[-4:] == FLAGS


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded(scene):
    recorded = summarized(scene).sources
    task, catalog = catalogue(len(recorded))
    for name in ("parent", "sky_source", "deblend_nChild"):
        catalog[name] = recorded[name]
    assert (catalog["deblend_nChild"] > 0).any()
    task.run(catalog)
    for name in FLAGS:
        np.testing.assert_array_equal(catalog[name], recorded[name], err_msg=name)

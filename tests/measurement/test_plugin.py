"""Flags and the base of plugins."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, square_footprints
from secondlight.measurement import Batch, Flag, FlagList, Plugin, PluginConfig
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Schema

FLAGS = FlagList(Flag("flag", "anything", 1), Flag("flag_a", "a", 2), Flag("flag_silent", "no bit"))


@pytest.fixture
def batch():
    schema = Schema.minimal()
    FLAGS.declare(schema, "p")
    return Batch(
        SourceCatalog(schema, 3, square_footprints([9, 20, 30], [9, 9, 9])),
        gaussian_stars((20, 40), 9, 9, 1),
        0,
        3,
    )


def test_declare():
    """Columns come in the order of the list, with its texts."""
    schema = Schema()
    FLAGS.declare(schema, "p")
    assert [(c.name, c.type, c.doc) for c in schema] == [
        ("p_flag", "Flag", "anything"),
        ("p_flag_a", "Flag", "a"),
        ("p_flag_silent", "Flag", "no bit"),
    ]


def test_store_keeps_what_was_set(batch):
    """Flags set before stay, unless they are to be overwritten."""
    batch["p_flag"][0] = batch["p_flag_silent"][1] = True
    FLAGS.store(batch, "p", np.array([0, 1, 3], np.int32))
    assert batch["p_flag"].tolist() == [True, True, True]
    assert batch["p_flag_a"].tolist() == [False, False, True]
    assert batch["p_flag_silent"].tolist() == [False, True, False]
    FLAGS.store(batch, "p", np.array([0, 2, 0], np.int32), overwrite=True)
    assert batch["p_flag"].tolist() == [False, False, False]
    assert batch["p_flag_a"].tolist() == [False, True, False]
    assert not batch["p_flag_silent"].any()


def test_fail_without_a_flag_column(batch):
    """A plugin that has no general flag can fail, too."""

    class Bare(Plugin):
        def measure(self, batch):
            raise AssertionError

    Bare(PluginConfig(), "bare", Schema(), {}).fail(batch)
    Bare(PluginConfig(), "p", Schema(), {}).fail(batch)
    assert batch["p_flag"].all()


def test_plugin_is_abstract():
    with pytest.raises(TypeError, match="measure"):
        Plugin(PluginConfig(), "p", Schema(), {})  # type: ignore[abstract]

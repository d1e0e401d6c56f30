"""Parity of plugins that need no PSF, given the reference's own positions and shapes."""

import numpy as np

from helpers.recorded import agreement, scene
from helpers.shared import needs_shared
from secondlight.measurement import plugin_registry
from secondlight.measurement.batch import Batch
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema

CENTROID, SHAPE = "base_SdssCentroid", "ext_shapeHSM_HsmSourceMoments"


@needs_shared
def test_variance_and_sky():
    """Every row of base_Variance and base_SkyCoord agrees, all flags included."""
    recorded = scene("small")
    schema = Schema.minimal()
    given = [Column(f"{CENTROID}_{c}", "D") for c in ("x", "y")]
    given += [Column(f"{CENTROID}_{c}", "F") for c in ("xErr", "yErr")]
    given += [Column(f"{SHAPE}_{c}", "D") for c in ("xx", "yy", "xy")]
    given += [Column(f"{p}_flag", "Flag") for p in (CENTROID, SHAPE)]
    for column in given:
        schema.add(column)
    schema.aliases.update(slot_Centroid=CENTROID, slot_Shape=SHAPE)
    names = ["base_Variance", "base_SkyCoord"]
    plugins = [plugin_registry[n](plugin_registry[n].ConfigClass(), n, schema, {}) for n in names]
    catalog = SourceCatalog(schema, len(recorded.ids), recorded.footprints)
    catalog["id"] = recorded.ids
    _, ours, theirs = np.intersect1d(recorded.ids, recorded.table["id"], return_indices=True)
    for column in given:
        catalog[column.name][ours] = recorded.table[column.name][theirs]
    for plugin in plugins:
        plugin.measure(Batch(catalog, recorded.exposure, 0, len(catalog)))
    columns = [n for n in schema.names if n.startswith(("base_Variance", "coord_"))]
    assert agreement(catalog.columns, recorded, columns) == dict.fromkeys(columns, 1.0)

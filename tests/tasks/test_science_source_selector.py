"""Each cut alone, all together, and what is not there."""

import numpy as np
import pytest

from secondlight.tasks.science_source_selector import ScienceSourceSelectorConfig, ScienceSourceSelectorTask

TABLE = {
    "id": np.arange(6),
    "flux": np.array([10.0, 100.0, 1000.0, np.nan, -5.0, 100.0]),
    "flux_flag": np.array([False, False, False, False, False, True]),
    "err": np.array([10.0, 10.0, 10.0, 10.0, 1.0, 1.0]),
    "size": np.array([0.0, 0.1, 0.2, np.nan, -1.0, 0.0]),
    "used": np.array([True, True, False, False, True, True]),
    "bad": np.array([False, True, False, False, False, False]),
    "parent": np.array([0, 0, 9, 0, 0, 0]),
    "deblend_nChild": np.array([0, 2, 0, 0, 0, 0]),
    "coord_ra": np.array([0.0, np.nan, 1.0, 1.0, 1.0, 1.0]),
    "coord_dec": np.array([0.0, 0.0, np.inf, 1.0, 1.0, 1.0]),
    "detect_isPrimary": np.array([True, False, True, True, False, True]),
    "sky_source": np.array([False, False, False, False, False, True]),
    "slot_Centroid_xErr": np.array([1.0, 4.0, 1.0, 3.0, np.nan, 1.0]),
    "slot_Centroid_yErr": np.array([1.0, 1.0, 4.0, 3.0, 1.0, 1.0]),
    "slot_Centroid_flag": np.array([False, False, False, False, False, True]),
}


def select(**settings):
    config = ScienceSourceSelectorConfig()
    for name, value in settings.items():
        target, *rest = name.split("__")
        if rest:
            setattr(getattr(config, target), rest[0], value)
        else:
            setattr(config, target, value)
    return np.flatnonzero(ScienceSourceSelectorTask(config=config).select(TABLE)).tolist()


def test_no_cut_keeps_everything():
    assert select() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"doFluxLimit": True, "fluxLimit__fluxField": "flux", "fluxLimit__minimum": 10.0}, [0, 1, 2]),
        ({"doFluxLimit": True, "fluxLimit__fluxField": "flux", "fluxLimit__maximum": 100.0}, [0, 1, 4]),
        (
            {
                "doSignalToNoise": True,
                "signalToNoise__fluxField": "flux",
                "signalToNoise__errField": "err",
                "signalToNoise__minimum": 1.0,
                "signalToNoise__maximum": 10.0,
            },
            [0, 1],
        ),
        ({"doFlags": True, "flags__good": ["used"], "flags__bad": ["bad", "flux_flag"]}, [0, 4]),
        ({"doUnresolved": True, "unresolved__name": "size"}, [0, 1, 4, 5]),
        ({"doUnresolved": True, "unresolved__name": "size", "unresolved__minimum": 0.0}, [0, 1, 5]),
        ({"doIsolated": True}, [0, 3, 4, 5]),
        ({"doRequireFiniteRaDec": True}, [0, 3, 4, 5]),
        ({"doRequirePrimary": True}, [0, 2, 3, 5]),
        ({"doCentroidErrorLimit": True}, [0, 3]),
        ({"doIsolated": True, "doRequirePrimary": True}, [0, 3, 5]),
        ({"doIsolated": True, "doCentroidErrorLimit": True, "doSkySources": True}, [0, 3, 5]),
    ],
)
def test_cuts(settings, kept):
    assert select(**settings) == kept


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="nothing"):
        select(doFlags=True, flags__good=["nothing"])

"""A simulated visit of several detectors in a Butler repository."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import lsst.images
import numpy as np
from astropy.table import Table, vstack
from lsst.daf.butler import Butler, CollectionType, DatasetType, Timespan  # type: ignore[attr-defined]
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from secondlight.errors import UsageError
from secondlight.io.native_summary import VisitSummary
from secondlight.model.mask_planes import Mask
from secondlight.model.psf import GaussianPsf
from secondlight.model.visit_image import mask_to_native, to_visit_image
from secondlight.pipeline.repository import dataset_types

from .camera import INSTRUMENT, Pointing, detector_name, make_visit_info
from .files import visit_record
from .observing import PIXEL_SCALE
from .visit import SimulatedVisit, simulate_visit

__all__ = ["TRUTH", "ingest_visit", "neighbouring_pointing"]

#: Dataset type of the objects that a detector was simulated with.
TRUTH = "simulated_truth"

#: Gap between detectors [pixel].
_GAP = 60

#: One more than the largest visit and exposure id, and than the largest detector id.
_MAX_ID, _N_DETECTORS = 10**13, 256

_ONE_TO_ONE, _BY_SEQUENCE = 0, 2  # visit systems


def neighbouring_pointing(
    place: int, count: int, nx: int, ny: int, centre: Pointing | None = None
) -> Pointing:
    """Return where one of several detectors points, that lie side by side in a square.

    Parameters
    ----------
    place
        Which of them.
    count
        How many there are.
    nx, ny
        Size of a detector [pixel].
    centre
        Where the middle of the square points.
    """
    centre = centre or Pointing()
    side = math.ceil(math.sqrt(count))
    dx = (place % side - (side - 1) / 2) * (nx + _GAP) * PIXEL_SCALE / 3600
    dy = (place // side - (side - 1) / 2) * (ny + _GAP) * PIXEL_SCALE / 3600
    c, s = math.cos(math.radians(centre.rotation)), math.sin(math.radians(centre.rotation))
    # x runs west of north by the rotation, as in make_sky_projection
    east, north = -c * dx + s * dy, s * dx + c * dy
    dec = centre.dec + north
    return replace(centre, ra=centre.ra + east / math.cos(math.radians(dec)), dec=dec)


def ingest_visit(
    butler: Butler,
    *,
    detectors: Sequence[int],
    pipeline: str,
    size: tuple[int, int] = (2000, 1000),
    seed: int = 1,
    visit: int = 2025112000123,
    band: str = "r",
    density: float = 1.0,
    snaps: int = 1,
    without_psf: Collection[int] = (),
) -> str:
    """Simulate a visit and put what upstream would have made of it into a repository, and the truth.

    Parameters
    ----------
    butler
        A repository that `create_repository` made, writeable.
    detectors
        Ids of the detectors.
    pipeline
        Shipped pipeline whose names the datasets get.
    size, seed, visit, band, density, snaps
        As for `simulate_visit`; each detector has a field and a seed of its own.
    without_psf
        Detectors for which upstream found no PSF.

    Returns
    -------
    str
        The collection of the datasets.

    Raises
    ------
    UsageError
        Raised if there is no such detector, or the repository holds that collection already.
    """
    unknown = sorted(set(without_psf) - set(detectors))
    if unknown:
        raise UsageError(f"detector {unknown[0]} is to lack its PSF, but is not among those simulated")
    run = f"{INSTRUMENT}/simulated/{visit}"
    types = dataset_types(pipeline, butler.dimensions)
    types[TRUTH] = DatasetType(
        TRUTH, ["instrument", "visit", "detector"], "ArrowAstropy", universe=butler.dimensions
    )
    if run in butler.collections.query("*"):
        raise UsageError(f"the repository holds collection {run} already")
    simulated = [
        simulate_visit(
            *size,
            seed=seed + place,
            visit=visit,
            detector=detector,
            band=band,
            density=density,
            snaps=snaps,
            pointing=neighbouring_pointing(place, len(detectors), *size),
        )
        for place, detector in enumerate(detectors)
    ]
    with butler.transaction():
        _insert_dimensions(butler, simulated)
    for dataset_type in types.values():
        butler.registry.registerDatasetType(dataset_type)
    butler.collections.register(run)

    def put(connection: str, dataset: Any, **data_id: int) -> None:
        butler.put(dataset, types[connection], {"instrument": INSTRUMENT} | data_id, run=run)

    for one in simulated:
        ids = {"visit": visit, "detector": one.detector}
        # a visit image must have a PSF: upstream's first guess, a Gaussian of the typical width
        guess = GaussianPsf(one.inputs["fwhm"] / PIXEL_SCALE / 2.355, 25, 25)
        for k, exposure in enumerate(one.exposures):
            image = to_visit_image(replace(exposure, psf=guess))
            put("exposures", image, exposure=visit + k, detector=one.detector)
        put("preliminary_mask", mask_to_native(Mask(one.preliminary_mask, one.preliminary_planes)), **ids)
        put("background_1", one.background_1, **ids)
        put("background_2", one.sky_corr, **ids)
        put("initial_photo_calib", one.initial_photo_calib, **ids)
        ratio = one.background_ratio if one.background_ratio is not None else np.ones(size[::-1], np.float32)
        put("background_to_photometric_ratio", lsst.images.Image(ratio, yx0=(0, 0)), **ids)
        put(TRUTH, one.truth, **ids)
    put("calib_sources", _all_calib_sources(simulated), visit=visit)
    # last: with it the visit is complete
    put("visit_summary", _summary(simulated, without_psf), visit=visit)
    chain = f"{INSTRUMENT}/defaults"
    butler.collections.register(chain, CollectionType.CHAINED)
    butler.collections.prepend_chain(chain, run)
    return run


def _all_calib_sources(simulated: Sequence[SimulatedVisit]) -> Table:
    return vstack([one.calib_sources for one in simulated], metadata_conflicts="silent")


def _summary(simulated: Sequence[SimulatedVisit], without_psf: Collection[int]) -> VisitSummary:
    records = (visit_record(one) for one in simulated)
    return VisitSummary(
        replace(record, psf=None) if record.detector_id in without_psf else record for record in records
    )


def _insert_dimensions(butler: Butler, simulated: Sequence[SimulatedVisit]) -> None:
    """Describe the visit to the registry: instrument, filter, detectors, exposures, visit and regions."""
    first = simulated[0]
    label, visit = first.exposures[0].filter, first.visit
    assert label is not None
    # of the whole visit, not of a detector's middle
    info = make_visit_info(visit, Pointing(), first.visit_info.exposure_time)
    day_obs, seq_num = divmod(visit, 10**5)
    here = {"instrument": INSTRUMENT}

    def insert(element: str, **values: Any) -> None:
        butler.registry.syncDimensionData(element, here | values)

    butler.registry.syncDimensionData(
        "instrument",
        {
            "name": INSTRUMENT,
            "visit_max": _MAX_ID,
            "exposure_max": _MAX_ID,
            "detector_max": _N_DETECTORS,
            "visit_system": _BY_SEQUENCE,
            "class_name": "lsst.obs.lsst.LsstCam",
        },
    )
    insert("physical_filter", name=label.physical, band=label.band)
    for one in simulated:
        name = detector_name(one.detector)
        insert(
            "detector",
            id=one.detector,
            full_name=name,
            raft=name[:3],
            name_in_raft=name[4:],
            purpose="SCIENCE",
        )
    insert("day_obs", id=day_obs)
    insert("group", name=str(visit))
    begin = _time(info.date_tai)
    corners = {one.detector: _corners(one) for one in simulated}
    everything = ConvexPolygon.convexHull([corner for four in corners.values() for corner in four])
    shared: dict[str, Any] = {
        "day_obs": day_obs,
        "physical_filter": label.physical,
        "target_name": info.object or "simulated field",
        "observation_reason": "science",
        "science_program": info.science_program,
        "azimuth": math.degrees(info.boresight_az),
        "zenith_angle": 90 - math.degrees(info.boresight_alt),
    }
    for k in range(len(first.exposures)):
        insert(
            "exposure",
            **shared,
            id=visit + k,
            obs_id=f"MC_O_{day_obs}_{seq_num + k:06d}",
            group=str(visit),
            exposure_time=info.exposure_time,
            dark_time=info.dark_time,
            observation_type="science",
            seq_num=seq_num + k,
            seq_start=seq_num,
            seq_end=seq_num + len(first.exposures) - 1,
            tracking_ra=math.degrees(info.boresight_ra),
            tracking_dec=math.degrees(info.boresight_dec),
            sky_angle=math.degrees(info.boresight_rot_angle),
            has_simulated=True,
            can_see_sky=True,
            timespan=_span(begin, k, info.exposure_time),
        )
    system = _ONE_TO_ONE if len(first.exposures) == 1 else _BY_SEQUENCE
    insert("visit_system", id=system, name="one-to-one" if system == _ONE_TO_ONE else "by-seq-start-end")
    insert(
        "visit",
        **shared,
        id=visit,
        name=str(visit),
        seq_num=seq_num,
        exposure_time=info.exposure_time * len(first.exposures),
        region=everything,
        timespan=_span(begin, 0, info.exposure_time * len(first.exposures)),
    )
    for k in range(len(first.exposures)):
        insert("visit_definition", visit=visit, exposure=visit + k)
    insert("visit_system_membership", visit=visit, visit_system=system)
    for detector, four in corners.items():
        insert("visit_detector_region", visit=visit, detector=detector, region=ConvexPolygon.convexHull(four))


def _time(mjd_tai: float) -> Any:
    from astropy.time import Time

    return Time(mjd_tai, format="mjd", scale="tai")


def _span(begin: Any, k: int, seconds: float) -> Timespan:
    from astropy.time import TimeDelta

    step = TimeDelta(seconds, format="sec", scale="tai")
    return Timespan(begin + k * step, begin + (k + 1) * step)


def _corners(one: SimulatedVisit) -> list[UnitVector3d]:
    box = one.exposures[0].bbox
    x = np.array([box.x.min, box.x.max, box.x.max, box.x.min], float)
    y = np.array([box.y.min, box.y.min, box.y.max, box.y.max], float)
    sky = one.wcs.pixel_to_sky(x=x, y=y)
    return [
        UnitVector3d(LonLat.fromRadians(float(ra), float(dec)))
        for ra, dec in zip(sky.ra.rad, sky.dec.rad, strict=True)
    ]

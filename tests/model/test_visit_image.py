"""Exposures as VisitImage and back."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, DetectorFrame, GeneralFrame, Polygon, SkyProjection
from lsst.images.fields import ChebyshevField, ProductField, SplineField, SumField

from helpers.exposures import DETECTOR_BOX, assert_same_exposure, full_exposure
from secondlight.errors import InputError
from secondlight.model.background import ApproxStyle, BackgroundModel, InterpStyle
from secondlight.model.fields import PixelAreaField, TransformField
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.visit_image import background_map, from_visit_image, storable_field, to_visit_image
from secondlight.model.visit_info import VisitInfo

_SMALL = full_exposure((5, 7))


def test_nothing_is_lost() -> None:
    exposure = full_exposure()
    back = from_visit_image(to_visit_image(exposure))
    assert_same_exposure(exposure, back)
    assert back.psf is exposure.psf
    assert back.photo_calib == PhotoCalib(
        exposure.photo_calib.mean, exposure.photo_calib.err, exposure.photo_calib.field * (u.nJy / u.electron)
    )


def test_fields_of_the_visit_image() -> None:
    exposure = full_exposure()
    image = to_visit_image(exposure)
    assert image.unit == u.electron
    assert image.variance.unit == u.electron**2
    assert image.bbox == exposure.bbox
    assert image.photometric_scaling.unit == u.nJy / u.electron
    assert image.band == "r"
    assert image.physical_filter == "r_57"
    assert isinstance(image.bounds, Polygon)
    info = image.obs_info
    assert (info.telescope, info.instrument, info.visit_id, info.detector_num) == (
        "Simonyi",
        "LSSTCam",
        2025110300123,
        42,
    )
    assert (info.datetime_end - info.datetime_begin).to_value(u.s) == pytest.approx(30.0)
    assert image.summary_stats.nPsfStar == 55
    assert np.shares_memory(image.image.array, exposure.image)
    frame = image.sky_projection.pixel_frame
    assert (frame.instrument, frame.detector, frame.bbox) == ("LSSTCam", 42, DETECTOR_BOX)


def test_a_calibrated_image_keeps_what_was_applied() -> None:
    applied = full_exposure().photo_calib
    calibrated = replace(
        full_exposure(unit="nJy"), photo_calib=PhotoCalib.constant(1.0, applied.err, full_exposure().bbox)
    )
    image = to_visit_image(calibrated, photometric_scaling=applied, instrumental_unit="adu")
    assert image.photometric_scaling == applied.field * (u.nJy / u.adu)
    assert to_visit_image(calibrated).photometric_scaling is None
    back = from_visit_image(image)
    assert back.photo_calib == calibrated.photo_calib
    assert back.unit == "nJy"


def test_constant_calibration() -> None:
    calib = PhotoCalib.constant(0.7, 0.01, DETECTOR_BOX)
    back = from_visit_image(to_visit_image(replace(full_exposure(), photo_calib=calib)))
    assert back.photo_calib.is_constant
    assert (back.photo_calib.mean, back.photo_calib.err) == (0.7, 0.01)


def test_a_calibration_that_is_no_polynomial_has_the_mean_of_its_middle() -> None:
    field = ProductField(
        [
            ChebyshevField(DETECTOR_BOX, np.array([[0.5, 0.1]])),
            ChebyshevField(DETECTOR_BOX, np.array([[2.0]])),
        ]
    )
    back = from_visit_image(to_visit_image(replace(full_exposure(), photo_calib=PhotoCalib(1.0, 0.0, field))))
    assert back.photo_calib.mean == pytest.approx(1.0)
    assert back.photo_calib.local(0, 0) == pytest.approx(field(x=0, y=0))


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "BAD",
                "SAT",
                "SATURATED",
                "CR",
                "EDGE",
                "DETECTION_EDGE",
                "UNMASKEDNAN",
                "STREAK",
                "MINE",
                "INJECTED",
            ]
        ),
        st.integers(0, 31),
        min_size=1,
    )
    .filter(lambda d: len(set(d.values())) == len(d))
    # a new name by itself cannot be told from the renamed plane, and comes back under the old name
    .filter(lambda d: ("SATURATED" not in d or "SAT" in d) and ("DETECTION_EDGE" not in d or "EDGE" in d)),
    st.integers(0, 2**32 - 1),
)
def test_masks_keep_names_and_bits(planes: dict[str, int], seed: int) -> None:
    used = np.uint32(sum(1 << bit for bit in planes.values()))
    bits = np.random.default_rng(seed).integers(0, 1 << 32, (5, 7), dtype=np.uint32) & used
    exposure = replace(_SMALL, mask=bits.view(np.int32), mask_planes=MaskPlanes(planes), valid_polygon=None)
    native = to_visit_image(exposure)
    back = from_visit_image(native)
    assert back.mask_planes == planes
    np.testing.assert_array_equal(back.mask, exposure.mask)
    # by name there, too
    names = {"SAT": "SATURATED", "CR": "COSMIC_RAY", "EDGE": "DETECTION_EDGE", "UNMASKEDNAN": "UNMASKED_NAN"}
    for name, bit in planes.items():
        theirs = names.get(name, name)
        theirs = name if theirs in planes else theirs
        np.testing.assert_array_equal(native.mask.get(theirs), (bits >> np.uint32(bit)) & 1 == 1)


def test_masks_of_other_types_and_of_many_planes() -> None:
    from lsst.images import Mask, MaskPlane, MaskSchema

    image = to_visit_image(full_exposure((4, 4)))
    names = [MaskPlane(f"P{i}", "") for i in range(20)]
    for dtype, planes in ((np.int16, [*names, None]), (np.uint8, [*[None] * 30, *names])):
        mask = Mask(
            0, bbox=image.bbox, schema=MaskSchema(planes, dtype=dtype), sky_projection=image.sky_projection
        )
        mask.set("P3", np.eye(4, dtype=bool))
        image.mask = mask
        back = from_visit_image(image)
        assert set(back.mask_planes) == {p.name for p in names}
        np.testing.assert_array_equal(back.mask == 1 << back.mask_planes["P3"], np.eye(4, dtype=bool))
    schema = MaskSchema([MaskPlane(f"P{i}", "") for i in range(33)])
    image.mask = Mask(0, bbox=image.bbox, schema=schema, sky_projection=image.sky_projection)
    with pytest.raises(InputError, match="33 planes"):
        from_visit_image(image)


def test_metadata_become_scalars() -> None:
    nested = {
        "failure": {"message": "too many", "metadata": {"n": np.int64(3)}},
        "list": [1.5, "two"],
        "nan": math.nan,
        "none": None,
        "path": DETECTOR_BOX,
        "float32": np.float32(0.5),
    }
    back = from_visit_image(to_visit_image(replace(full_exposure(), metadata=nested)))
    assert back.metadata == {
        "failure.message": "too many",
        "failure.metadata.n": 3,
        "list.0": 1.5,
        "list.1": "two",
        "path": str(DETECTOR_BOX),
        "float32": 0.5,
    }


@pytest.mark.parametrize(("name", "word"), [("detector", "detector"), ("wcs", "WCS"), ("psf", "PSF")])
def test_parts_that_must_be_there(name: str, word: str) -> None:
    with pytest.raises(InputError, match=f"without {word} cannot be written"):
        to_visit_image(replace(full_exposure(), **{name: None}))


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(InputError, match="'furlong/fortnight'"):
        to_visit_image(full_exposure(unit="furlong/fortnight"))
    assert to_visit_image(full_exposure(unit="ADU")).unit == u.adu


def test_parts_that_may_be_missing() -> None:
    bare = replace(
        full_exposure(unit=""),
        photo_calib=None,
        ap_corr_map=None,
        visit_info=None,
        filter=None,
        valid_polygon=None,
        summary_stats={},
        metadata={},
    )
    back = from_visit_image(to_visit_image(bare))
    for name in ("photo_calib", "ap_corr_map", "filter", "valid_polygon", "metadata"):
        assert not getattr(back, name), name
    assert back.unit == "electron"
    np.testing.assert_equal(asdict(back.visit_info), asdict(VisitInfo()))


def test_a_projection_of_another_frame_is_kept_and_becomes_the_detectors() -> None:
    from lsst.images import Transform

    exposure = full_exposure()
    other = GeneralFrame(unit=u.pix)
    move = Transform.affine(other, exposure.wcs.pixel_frame, np.eye(2))
    wcs = SkyProjection(
        move.then(exposure.wcs.pixel_to_sky_transform), move.then(exposure.wcs.pixel_to_sky_transform)
    )
    image = to_visit_image(replace(exposure, wcs=wcs))
    assert isinstance(image.sky_projection.pixel_frame, DetectorFrame)
    assert image.sky_projection.fits_approximation is not None
    x, y = np.array([0.0, 1000.0]), np.array([3.0, 999.0])
    separation = image.sky_projection.pixel_to_sky(x=x, y=y).separation(exposure.wcs.pixel_to_sky(x=x, y=y))
    assert separation.arcsec.max() < 1e-9


def test_bounds_that_are_boxes() -> None:
    image = to_visit_image(replace(full_exposure(), valid_polygon=None))
    assert from_visit_image(image).valid_polygon is None
    image._bounds = Box.factory[210:220, 110:130]
    np.testing.assert_allclose(
        np.sort(from_visit_image(image).valid_polygon, axis=0),
        [[109.5, 209.5], [109.5, 209.5], [129.5, 219.5], [129.5, 219.5]],
    )
    image._bounds = Polygon.from_box(Box.factory[200:210, 100:110]).union(
        Polygon.from_box(Box.factory[220:230, 120:130])
    )
    with pytest.warns(UserWarning, match="is no polygon: dropped"):
        assert from_visit_image(image).valid_polygon is None


def test_fields_that_can_be_stored_stay_as_they_are() -> None:
    chebyshev = ChebyshevField(DETECTOR_BOX, np.array([[1.0, 0.1]]))
    for field in (chebyshev, ProductField([chebyshev, chebyshev]), SumField([chebyshev])):
        assert storable_field(field) is field


def test_other_fields_become_polynomials() -> None:
    exposure = full_exposure()
    area = PixelAreaField(DETECTOR_BOX, exposure.wcs, 1e12)
    field = ProductField([ChebyshevField(DETECTOR_BOX, np.array([[2.0, 0.5]])), area])
    x, y = np.meshgrid(np.arange(0, 1024.0, 37), np.arange(0, 1000.0, 41))
    for original in (area, field):
        stored = storable_field(original)
        assert isinstance(stored, ChebyshevField)
        np.testing.assert_allclose(stored(x=x, y=y), original(x=x, y=y), rtol=2e-6)
    back = from_visit_image(to_visit_image(replace(exposure, ap_corr_map={"a": area, "b": field})))
    np.testing.assert_allclose(back.ap_corr_map["b"](x=x, y=y), field(x=x, y=y), rtol=2e-6)


def test_a_field_that_no_polynomial_follows_is_dropped_aloud() -> None:
    step = TransformField(DETECTOR_BOX, lambda x, y: np.where(x > 500, 1.0, 2.0))
    exposure = replace(full_exposure(), ap_corr_map={"a_instFlux": step})
    with pytest.warns(UserWarning, match=r"aperture correction a_instFlux, a TransformField, is not stored"):
        image = to_visit_image(exposure)
    assert image.aperture_corrections == {}


def background(**kwargs: object) -> BackgroundModel:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:8, 0:9]
    levels = 1000 + 3 * x - 2 * y + rng.normal(0, 1, (8, 9))
    return BackgroundModel(levels.astype(np.float32), Box.factory[200:1000, 100:1000], **kwargs)


def rendered(models: list[BackgroundModel]) -> np.ndarray:
    return background_map(models, u.electron).subtracted.field.render(dtype=np.float64).array


def test_no_background() -> None:
    assert len(background_map([])) == 0


def test_a_spline_is_stored_by_its_bins() -> None:
    model = background()
    field = background_map([model], u.electron).subtracted.field
    assert isinstance(field, SplineField)
    assert field.unit == u.electron
    np.testing.assert_array_equal(field.data, model.stats_image)
    inside = np.s_[50:-50, 50:-50]  # between the outermost centres of bins
    np.testing.assert_allclose(rendered([model])[inside], model.image()[inside], rtol=3e-7)
    assert np.abs(rendered([model]) - model.image()).max() < 0.05 * np.ptp(model.image())


def test_an_approximation_is_stored_exactly() -> None:
    model = background(approx_style=ApproxStyle.CHEBYSHEV, approx_order_x=4, approx_weighting=False)
    assert isinstance(background_map([model]).subtracted.field, ChebyshevField)
    np.testing.assert_allclose(rendered([model]), model.image(), rtol=3e-7)


def test_other_interpolations_are_stored_by_values() -> None:
    model = background(interp_style=InterpStyle.LINEAR)
    np.testing.assert_allclose(rendered([model]), model.image(), atol=0.01 * np.ptp(model.image()))


def test_a_list_is_a_sum() -> None:
    models = [
        background(),
        background(approx_style=ApproxStyle.CHEBYSHEV, approx_order_x=3, approx_weighting=False),
    ]
    inside = np.s_[50:-50, 50:-50]
    np.testing.assert_allclose(rendered(models)[inside], sum(m.image() for m in models)[inside], rtol=1e-6)

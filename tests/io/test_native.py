"""Visit images and backgrounds as files."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from lsst.images import Box, Image, VisitImage
from lsst.images.serialization import read_archive, write_archive

from helpers.backgrounds import read_backgrounds
from helpers.exposures import assert_same_exposure, full_exposure
from helpers.psfs import every_psf
from helpers.shared import needs_shared, realdata, reference
from secondlight import threads
from secondlight.errors import InputError, UsageError
from secondlight.io.native import read_visit_image, write_background, write_compressed, write_visit_image
from secondlight.model.background import (
    ApproxStyle,
    BackgroundList,
    BackgroundModel,
    InterpStyle,
    UndersampleStyle,
)
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.visit_image import to_visit_image

any_example = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_nothing_is_lost(tmp_path: Path, compression: str) -> None:
    exposure = full_exposure((150, 90))
    write_visit_image(tmp_path / "a.fits", exposure, compression=compression)
    back = read_visit_image(tmp_path / "a.fits")
    assert_same_exposure(exposure, back)
    assert back.photo_calib.field == to_visit_image(exposure).photometric_scaling
    assert back.photo_calib.err == exposure.photo_calib.err
    x, y = np.array([10.0, 500.3]), np.array([20.5, 900.0])
    np.testing.assert_array_equal(back.psf.kernel_images(x, y), exposure.psf.kernel_images(x, y))


def test_lossy_compression_is_within_the_noise(tmp_path: Path) -> None:
    exposure = full_exposure((150, 90))
    exposure.variance[:] = np.random.default_rng(1).normal(900, 5, exposure.variance.shape)
    write_visit_image(tmp_path / "a.fits", exposure, compression="lossy")
    back = read_visit_image(tmp_path / "a.fits")
    np.testing.assert_allclose(back.image, exposure.image, atol=30 / 16)
    assert not np.array_equal(back.image, exposure.image, equal_nan=True)
    np.testing.assert_array_equal(back.mask, exposure.mask)


@any_example
@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=140)), st.integers(1, 3))
def test_any_pixels_survive_whatever_the_threads(tmp_path: Path, plane: np.ndarray, n: int) -> None:
    exposure = replace(full_exposure(plane.shape), image=plane, variance=plane[::-1], valid_polygon=None)
    with threads.use(n):
        write_visit_image(tmp_path / "a.fits", exposure, overwrite=True)
    back = read_visit_image(tmp_path / "a.fits", psf=False)
    # bit by bit, NaN payloads and signs of zero included
    np.testing.assert_array_equal(back.image.view(np.int32), exposure.image.view(np.int32))
    np.testing.assert_array_equal(back.variance.view(np.int32), exposure.variance.view(np.int32))


def test_other_tools_read_it(tmp_path: Path) -> None:
    exposure = full_exposure((150, 90))
    backgrounds = [BackgroundModel(np.arange(30, dtype=np.float32).reshape(5, 6), exposure.bbox)]
    write_visit_image(tmp_path / "a.fits", exposure, backgrounds=backgrounds)
    with fits.open(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus["IMAGE"].data, exposure.image)
        assert hdus["IMAGE"].header["BUNIT"] == "electron"
        assert hdus["IMAGE"].header["CTYPE1"] == "RA---TAN-SIP"
    visit_image = read_archive(tmp_path / "a.fits", VisitImage)
    np.testing.assert_array_equal(visit_image.image.array, exposure.image)
    assert visit_image.backgrounds.subtracted.field.unit == u.electron
    assert visit_image.metadata["TELESCOP"] == "Simonyi"
    assert (visit_image[Box.factory[250:260, 150:160]].image.array == exposure.image[50:60, 50:60]).all()


_LAYOUT = ("DATE", "INDXADDR", "JSONADDR", "JSONSIZE", "XTENSION", "ZCMPTYPE", "ZTILE1", "ZTILE2")


@pytest.mark.parametrize("n_cards", range(20, 31))
def test_the_file_says_what_that_of_lsst_images_says(tmp_path: Path, n_cards: int) -> None:
    """Twin: their own writer. Headers of any length, which fill a block or just not, a mask's planes with gaps."""
    exposure = replace(
        full_exposure((150, 90)), mask_planes=MaskPlanes({"BAD": 0, "SAT": 3, "A": 9, "B": 30})
    )
    exposure.mask[:] = np.random.default_rng(5).integers(0, 1 << 31, exposure.mask.shape) & 0x40000209
    image = to_visit_image(exposure)
    cards = {f"CARD{i}": i for i in range(n_cards)}
    write_compressed(tmp_path / "a.fits", image, update_header=lambda header: header.update(cards))
    write_archive(image, str(tmp_path / "b.fits"), update_header=lambda header: header.update(cards))
    assert read_archive(tmp_path / "a.fits", VisitImage).mask == image.mask
    for name in "ab":
        back = read_visit_image(tmp_path / f"{name}.fits")
        assert back.mask_planes == exposure.mask_planes
        for plane in ("image", "mask", "variance"):
            np.testing.assert_array_equal(getattr(back, plane), getattr(exposure, plane))
    ours, theirs = (fits.open(tmp_path / f"{name}.fits") for name in "ab")
    with ours, theirs:
        assert [h.name for h in ours] == [h.name for h in theirs]
        for name in ("PRIMARY", "IMAGE", "MASK", "VARIANCE"):
            a, b = (
                [(c.keyword, c.value) for c in h[name].header.cards if c.keyword not in _LAYOUT]
                for h in (ours, theirs)
            )
            assert a == b
        np.testing.assert_array_equal(ours["MASK"].data, theirs["MASK"].data)


@pytest.mark.parametrize("name", ["gaussian", "combined kernel", "psfex", "piff"])
def test_psfs_of_all_kinds(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piff", None)
    psf = every_psf()[name]
    write_visit_image(tmp_path / "a.fits", full_exposure(psf=psf))
    back = read_visit_image(tmp_path / "a.fits").psf
    assert type(back) is type(psf)
    x, y = np.array([10.0, 500.3, 1000.7]), np.array([20.6, 900.0, 444.4])
    peak = psf.kernel_images(x, y).max()
    np.testing.assert_allclose(back.kernel_images(x, y), psf.kernel_images(x, y), atol=1e-6 * peak)
    np.testing.assert_allclose(
        back.stellar_images(x, y).images, psf.stellar_images(x, y).images, atol=1e-6 * peak
    )


@pytest.mark.parametrize(("name", "tolerance"), [("piff", 1e-5), ("combined kernel", 1e-3)])
def test_plain_lsst_images_draws_the_psf_of_a_file(tmp_path: Path, name: str, tolerance: float) -> None:
    pytest.importorskip("piff")
    psf = every_psf()[name]
    write_visit_image(tmp_path / "a.fits", full_exposure(psf=psf))
    plain = read_archive(tmp_path / "a.fits", VisitImage).psf
    star, ours = plain.compute_stellar_image(x=500.3, y=300.8), psf.compute_stellar_image(x=500.3, y=300.8)
    assert star.bbox == ours.bbox
    np.testing.assert_allclose(star.array, ours.array, atol=tolerance * ours.array.max())


def test_psf_left_out_on_request(tmp_path: Path) -> None:
    write_visit_image(tmp_path / "a.fits", full_exposure())
    assert read_visit_image(tmp_path / "a.fits", psf=False).psf is None


def test_json_and_compressed_files(tmp_path: Path) -> None:
    exposure = full_exposure((12, 9))
    write_archive(to_visit_image(exposure), tmp_path / "a.json")
    assert_same_exposure(exposure, read_visit_image(tmp_path / "a.json"))
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "a.json").read_bytes()))
    assert_same_exposure(exposure, read_visit_image(tmp_path / "b.gz"))


def test_header_cards_of_a_file_are_metadata(tmp_path: Path) -> None:
    write_archive(
        to_visit_image(full_exposure()),
        tmp_path / "a.fits",
        update_header=lambda header: header.update({"OBSERVER": "Vera", "N": 5, "n": 7}),
    )
    metadata = read_visit_image(tmp_path / "a.fits").metadata
    assert metadata["OBSERVER"] == "Vera"
    assert metadata["n"] == 3  # the image's own come first


def test_existing_files_stay_and_failures_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_text("old")
    with pytest.raises(UsageError, match=r"a\.fits exists"):
        write_visit_image(tmp_path / "a.fits", full_exposure())
    with pytest.raises(UsageError, match=r"a\.fits exists"):
        write_background(tmp_path / "a.fits", [])
    with pytest.raises(InputError, match="without PSF"):
        write_visit_image(tmp_path / "a.fits", replace(full_exposure(), psf=None), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]
    assert (tmp_path / "a.fits").read_text() == "old"


@pytest.mark.parametrize("n", [1, 3])
def test_an_error_while_planes_are_written_leaves_nothing(
    tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[bytes] = []

    def full_disk(*arguments: np.ndarray) -> bytes:
        if len(done) > 3:
            raise OSError(28, "No space left on device")
        done.append(b"x" * 1000)
        return done[-1]

    monkeypatch.setattr("secondlight.io.tiles._gzip", full_disk)
    with threads.use(n), pytest.raises(OSError, match="No space left"):
        write_visit_image(tmp_path / "a.fits", full_exposure((500, 90)))
    assert list(tmp_path.iterdir()) == []


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.fits"
    match kind:
        case "text":
            path.write_text("{ not json")
        case "truncated":
            write_visit_image(tmp_path / "whole.fits", full_exposure())
            path.write_bytes((tmp_path / "whole.fits").read_bytes()[:20000])
        case "zeros":
            write_visit_image(path, full_exposure())
            content = bytearray(path.read_bytes())
            content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
            path.write_bytes(content)
        case "other":
            write_archive(Image(np.zeros((2, 2)), unit=u.nJy), path)
        case "empty":
            path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "cannot be read as an image of lsst.images"),
        ("truncated", "cannot be read as an image of lsst.images"),
        ("zeros", "cannot be read as an image of lsst.images"),
        ("other", "holds a image, not a visit image"),
        ("empty", "cannot be read as an image of lsst.images"),
        ("gone", "cannot be read as an image of lsst.images"),
    ],
)
def test_damaged_files_are_named_in_one_line(tmp_path: Path, kind: str, message: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(InputError) as caught:
        read_visit_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".fits", ".json"])
def test_any_damage_is_read_over_or_told(tmp_path: Path, suffix: str) -> None:
    """Bits turned, blocks and ends gone: never an error but ours, which names the file, and no crash of a library in C."""
    path = tmp_path / f"a{suffix}"
    if suffix == ".fits":
        write_visit_image(path, full_exposure((50, 40)))
    else:
        write_archive(to_visit_image(full_exposure((50, 40))), str(path))
    data = path.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(60):
        spoiled = bytearray(data)
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                spoiled = spoiled[:at]
            case 1:
                spoiled[at] ^= 1 << int(rng.integers(8))
            case 2:
                spoiled[at : at + 300] = bytes(len(spoiled[at : at + 300]))
            case _:
                spoiled[at : at + 4] = b"7777"[: len(spoiled[at : at + 4])]
        path.write_bytes(bytes(spoiled))
        try:
            read_visit_image(path)
        except InputError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 10


def test_a_psf_that_cannot_be_drawn_names_the_file(tmp_path: Path) -> None:
    write_archive(to_visit_image(full_exposure((5, 6))), tmp_path / "a.json")
    tree = json.loads((tmp_path / "a.json").read_text())
    tree["psf"]["piff"]["objects"]["piff"]["structs"]["model"]["type"] = "Moffat"
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(InputError, match=r"a\.json: the PSF cannot be read \(.*'Moffat'"):
        read_visit_image(tmp_path / "a.json")
    assert read_visit_image(tmp_path / "a.json", psf=False).psf is None


@st.composite
def background(draw: st.DrawFn) -> BackgroundModel:
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=6))
    return BackgroundModel(
        draw(arrays(np.float32, shape)),
        Box.from_shape(
            draw(st.tuples(st.integers(6, 5000), st.integers(6, 5000))), start=(draw(st.integers(-9, 9)), 7)
        ),
        draw(arrays(np.int32, shape)),
        draw(arrays(np.float32, shape)),
        draw(st.sampled_from(InterpStyle)),
        draw(st.sampled_from(UndersampleStyle)),
        draw(st.sampled_from(ApproxStyle)),
        draw(st.integers(0, 9)),
        draw(st.integers(-1, 9)),
        draw(st.booleans()),
    )


def assert_same_backgrounds(a: list[BackgroundModel], b: list[BackgroundModel]) -> None:
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        for name in BackgroundModel.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(x, name), getattr(y, name), err_msg=name)


@any_example
@given(st.lists(background(), min_size=1, max_size=3))
def test_backgrounds_come_back_bit_by_bit(tmp_path: Path, models: list[BackgroundModel]) -> None:
    write_background(tmp_path / "b.fits", BackgroundList(models), overwrite=True)
    assert_same_backgrounds(models, read_backgrounds(tmp_path / "b.fits"))


@needs_shared
def test_a_background_file_has_the_reference_layout(tmp_path: Path) -> None:
    recorded = reference("small", "outputs", "pvi_background.fits")
    models = read_backgrounds(recorded)
    write_background(tmp_path / "b.fits", models)
    assert_same_backgrounds(models, read_backgrounds(tmp_path / "b.fits"))
    with fits.open(recorded) as theirs, fits.open(tmp_path / "b.fits") as ours:
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.data, b.data)
            cards = {k: v for k, v in b.header.items() if k not in ("COMMENT", "EXTEND", "MP_SPIKE")}
            assert {k: a.header[k] for k in cards} == cards


@needs_shared
@pytest.mark.parametrize("release", ["dp1", "dp2"])
def test_real_visit_images_as_json(release: str) -> None:
    path = realdata("lsst_files", "lsst_images_json", f"visit_image-1.0.0-{release}.json")
    exposure = read_visit_image(path)
    raw = json.loads(path.read_text())
    assert exposure.unit == "nJy"
    assert exposure.photo_calib.is_constant
    assert exposure.photo_calib.mean == 1.0
    np.testing.assert_array_equal(exposure.image, np.array(raw["image"]["data"]["value"]["data"], np.float32))
    np.testing.assert_array_equal(exposure.mask, raw["mask"]["data"][0]["data"])
    assert list(exposure.mask_planes)[:2] == ["BAD", "CR"]
    info, obs = exposure.visit_info, raw["obs_info"]
    assert (info.id, info.instrument, info.exposure_time) == (
        obs["visit_id"],
        obs["instrument"],
        obs["exposure_time"],
    )
    assert info.air_temperature == pytest.approx(obs["temperature"] - 273.15)
    begin, end = (sum(obs[k]) - 2400000.5 for k in ("datetime_begin", "datetime_end"))
    assert info.date_tai == pytest.approx((begin + end) / 2, abs=1e-8)
    assert exposure.filter.physical == obs["physical_filter"]
    assert exposure.summary_stats["zeroPoint"] == raw["summary_stats"]["zeroPoint"]
    corner = exposure.wcs.pixel_to_sky(x=0, y=0)
    assert corner.ra.deg == pytest.approx(raw["summary_stats"]["raCorners"][0], abs=1e-3)
    assert exposure.ap_corr_map["base_CompensatedTophatFlux_12_instFlux"](x=0, y=0) == pytest.approx(
        1.0, abs=0.05
    )
    # the model is the same everywhere: a constant over a grid of one pixel
    grid = np.array(
        raw["psf"]["piff"]["objects"]["piff"]["objects"]["interp"]["tables"]["solution"]["table"]["columns"][
            0
        ]["data"]["data"]
    )
    grid = grid.reshape(25, 25) / grid.sum()
    image = exposure.psf.kernel_images([100.0], [200.0])[0]
    edge = (len(image) - 25) // 2
    np.testing.assert_allclose(image[edge : edge + 25, edge : edge + 25], grid, atol=1e-4 * grid.max())


@needs_shared
@pytest.mark.parametrize("release", ["dp1", "dp2"])
def test_real_psfs_as_piff_draws_them(release: str) -> None:
    pytest.importorskip("piff")
    path = realdata("lsst_files", "lsst_images_json", f"visit_image-1.0.0-{release}.json")
    ours, plain = read_visit_image(path).psf, read_archive(path, VisitImage).psf
    for x, y in ((100.0, 50.0), (2000.3, 3000.2), (3999.7, 10.4)):
        for method in ("compute_kernel_image", "compute_stellar_image"):
            a, b = (getattr(p, method)(x=x, y=y) for p in (ours, plain))
            assert a.bbox == b.bbox
            np.testing.assert_allclose(a.array, b.array, atol=1e-6 * b.array.max())


@needs_shared
def test_the_recorded_output_survives(tmp_path: Path) -> None:
    from secondlight.io.read import read_exposure

    exposure = read_exposure(reference("small", "outputs", "pvi.fits"))
    write_visit_image(tmp_path / "pvi.fits", exposure)
    back = read_exposure(tmp_path / "pvi.fits")
    exposure.valid_polygon = back.valid_polygon = np.zeros((0, 2))
    exposure.summary_stats.pop("version", None)  # of the layout of the reference's own file
    assert_same_exposure(exposure, back)
    assert back.photo_calib == exposure.photo_calib
    x, y = np.array([3.0, 700.4]), np.array([900.3, 5.0])
    np.testing.assert_array_equal(
        back.psf.stellar_images(x, y).images, exposure.psf.stellar_images(x, y).images
    )

"""Exposures, masks and summaries made here: what is refused, and in which words; corners that real files do not have."""

import numpy as np
import pytest
from astropy.io import fits

from helpers.archives import bintable, write_archive
from secondlight.errors import InputError
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.image import read_image, read_mask
from secondlight.io.afw.visit_info import visit_info_from_header
from secondlight.io.afw.visit_summary import read_visit_summary

NY, NX = 4, 6


def write_exposure(path, *, primary=None, image=None, mask=None, variance=None, mask_cards=None, drop=()):
    """Write three planes; cards as given."""
    planes = {
        "IMAGE": np.ones((NY, NX), np.float32) if image is None else image,
        "MASK": np.zeros((NY, NX), np.int32) if mask is None else mask,
        "VARIANCE": np.ones((NY, NX), np.float32) if variance is None else variance,
    }
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(primary or {})
    for kind, pixels in planes.items():
        if kind not in drop:
            hdu = fits.ImageHDU(pixels)
            hdu.header["EXTTYPE"] = kind
            if kind == "MASK":
                hdu.header.update(mask_cards or {"MP_BAD": 0, "MP_SPIKE": 31})
            hdus.append(hdu)
    hdus.writeto(path, overwrite=True)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "e.fits"


def test_bare_exposure(path):
    exposure = read_exposure(write_exposure(path))
    for name in ("psf", "wcs", "photo_calib", "ap_corr_map", "detector", "filter", "valid_polygon"):
        assert getattr(exposure, name) is None, name
    assert (exposure.x0, exposure.y0, exposure.unit, exposure.summary_stats, exposure.metadata) == (
        0,
        0,
        "",
        {},
        {},
    )
    assert exposure.mask_planes == {"BAD": 0, "SPIKE": 31}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_mask_types(path, dtype):
    """Every integer type arrives with the same bits; bit 31 is the sign."""
    top = np.iinfo(dtype).max
    mask = np.full((NY, NX), top, dtype)
    read = read_mask(write_exposure(path, mask=mask))
    assert read.array.dtype == np.int32
    assert np.uint32(read.array[0, 0].view(np.uint32)) == top


def test_mask_without_planes_has_the_default_ones(path):
    fits.PrimaryHDU(np.zeros((2, 2), np.int32)).writeto(path)
    assert read_mask(path).planes["STREAK"] == 10


def test_metadata_is_what_is_held_nowhere_else(path):
    cards = {
        "LSST ISR READNOISE C00": 5.5,
        "EXPTIME": 30.0,
        "OBJECT": "M1",
        "SKYWCS_ID": 0,
        "OBS_ID": "x",
        "FLAG": True,
    }
    exposure = read_exposure(
        write_exposure(path, primary=fits.Header([(f"HIERARCH {k}", v) for k, v in cards.items()]))
    )
    assert exposure.metadata == {"LSST ISR READNOISE C00": 5.5, "OBS_ID": "x", "FLAG": True}
    assert (exposure.visit_info.exposure_time, exposure.visit_info.object) == (30.0, "M1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"primary": {"HIERARCH EXPINFO_V": 3}},
            "the exposure is stored in version 3; versions up to 2 can be read",
        ),
        ({"drop": ("VARIANCE",)}, "there is no VARIANCE plane: this is no exposure"),
        (
            {"mask": np.zeros((3, 3), np.int32)},
            r"image \(4, 6\), mask \(3, 3\) and variance \(4, 6\) differ in shape",
        ),
        ({"mask": np.zeros((NY, NX), np.float32)}, r"HDU 2 \(MASK\): a mask must hold integers"),
        ({"mask_cards": {"MP_BAD": 32}}, r"HDU 2 \(MASK\): card MP_BAD = 32 is no bit number"),
        ({"primary": {"PSF_ID": 1, "AR_HDU": 5}}, "PSF: there is no archive"),
        (
            {"primary": {"PSF_ID": 1, "AR_HDU": 2}},
            "PSF: HDU 1 .*a table is expected here, but this holds an image",
        ),
        (
            {"primary": {"TIMESYS": "EST", "DATE-AVG": "2020-01-01T00:00:00"}},
            "visit info: .*'EST' is no time system",
        ),
        ({"primary": {"DATE-AVG": "yesterday"}}, "visit info: .*yesterday"),
    ],
)
def test_refused(path, options, message):
    write_exposure(path, **options)
    with pytest.raises(InputError, match=rf"e.fits: {message}") as caught:
        read_exposure(path)
    assert "\n" not in str(caught.value)


def test_table_where_an_image_is_expected(path):
    fits.HDUList([fits.PrimaryHDU(), bintable({"a": ("1D", [1.0])})]).writeto(path)
    for read in (read_image, read_mask):
        with pytest.raises(InputError, match=r"e.fits: an image is expected, but the file holds tables"):
            read(path)


def test_component_of_another_class(path):
    archive = write_archive(
        path.with_name("a.fits"), [("Polygon", [{"vertices_x": ("1D", [1.0]), "vertices_y": ("1D", [2.0])}])]
    )
    write_exposure(
        path, primary={"AR_HDU": 5, "HIERARCH ARCHIVE_ID_AP_CORR_MAP": 1, "HIERARCH VALID_POLYGON_ID": 1}
    )
    with fits.open(path) as head, fits.open(archive) as tail:
        fits.HDUList([h.copy() for h in (*head, *tail[1:])]).writeto(path.with_name("b.fits"))
    with pytest.raises(
        InputError, match=r"b.fits: AP_CORR_MAP: id 1: .* class 'Polygon'; expected ApCorrMap"
    ):
        read_exposure(path.with_name("b.fits"))


def test_date_in_utc():
    """37 seconds lay between the two scales in 2020."""
    tai = visit_info_from_header({"DATE-AVG": "2020-01-01T00:00:37", "TIMESYS": "TAI"})
    utc = visit_info_from_header({"DATE-AVG": "2020-01-01T00:00:00", "TIMESYS": "UTC"})
    assert utc.date_tai == pytest.approx(tai.date_tai, abs=1e-10)
    assert tai.date_tai == pytest.approx(58849 + 37 / 86400, abs=1e-10)


def summary_file(path, version=5, kind="EXPOSURE"):
    names = ("bbox_min_x", "bbox_min_y", "bbox_max_x", "bbox_max_y")
    columns = {"wcs": ("1J", [0, 9]), "id": ("1K", [4, 7])} | {n: ("1J", [0, 5]) for n in names}
    table = bintable(columns, **{"AFW_TYPE": kind, "HIERARCH EXPTABLE_VER": version})
    return write_archive(path, [("X", [])], before=[table])


def test_visit_summary_refuses(path):
    with pytest.raises(
        InputError, match=r"e.fits: HDU 1: the table is stored in version 6; versions up to 5"
    ):
        read_visit_summary(summary_file(path, version=6))
    path.unlink()
    with pytest.raises(
        InputError, match=r"a table of exposure records is expected, but the file holds one of SOURCE"
    ):
        read_visit_summary(summary_file(path, kind="SOURCE"))


def test_a_bad_component_spoils_only_itself(path):
    good, bad = read_visit_summary(summary_file(path))
    assert good.wcs is None and bad.photo_calib is None
    with pytest.raises(InputError, match=r"e.fits: detector 7: wcs: the archive holds no object with id 9"):
        _ = bad.wcs

"""Exposures written in afw's layout: read back equal, and laid out as the reference lays them out."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from helpers.exposures import assert_same_exposure, full_exposure
from helpers.psfs import LopsidedPsf
from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError, UsageError
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.write_exposure import write_exposure
from secondlight.io.read import read_exposure as read_any_exposure
from secondlight.model.exposure import Exposure
from secondlight.model.psf import WrappedPsf

#: Files that the stack wrote, some of them in older layouts.
FILES = {
    "pvi": ("reference", "small", "outputs", "pvi.fits"),
    "postISRCCD": ("reference", "small", "inputs", "postISRCCD_0.fits"),
    "calexp": ("realdata", "lsst_files", "obs_base", "calexp.fits"),
    "piff": ("realdata", "lsst_files", "piff", "exp.fits"),
    "psfex": ("realdata", "lsst_files", "jointcal_cfht", "calexp-849375-12.fits.fz"),
    "pca": ("realdata", "lsst_files", "jointcal_cfht", "calexp-849375-12_2017_PcaPsf.fits.fz"),
}

#: What a detector keeps of itself here is less than the file has: no TanPixels, no crosstalk.
OF_DETECTORS = {"Detector", "TransformMap", "TransformPoint2ToPoint2"}

#: Cards that both have, written to 15 digits there and to as many as it takes here, or of the layout itself.
LAYOUT = re.compile(r"^(NAXIS\d?|PCOUNT|COMMENT)$|^(CRVAL|CRPIX|CD\d_|PV|[AB]P?_|LATPOLE|LONPOLE)")


def source(which):
    kind, *path = FILES[which]
    return (reference if kind == "reference" else realdata)(*path)


def cards(header):
    return {(c.keyword, str(c.value)) for c in header.cards if not LAYOUT.match(c.keyword)}


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        yield


@needs_shared
@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("which", FILES)
def test_recorded_files_come_back(tmp_path, which, compression):
    ours = read_exposure(source(which))
    write_exposure(tmp_path / "out.fits", ours, compression=compression)
    back = read_any_exposure(tmp_path / "out.fits")
    for name in ("image", "mask", "variance"):
        assert getattr(ours, name).tobytes() == getattr(back, name).tobytes(), name
    for name in ("mask_planes", "x0", "y0", "unit", "photo_calib", "ap_corr_map", "filter", "summary_stats"):
        np.testing.assert_equal(getattr(back, name), getattr(ours, name), err_msg=name)
    np.testing.assert_equal(back.metadata, ours.metadata)
    assert str(back.visit_info) == str(ours.visit_info)
    np.testing.assert_array_equal(back.valid_polygon, ours.valid_polygon)
    x, y = np.random.default_rng(1).uniform(0, 2000, (2, 50))
    if ours.wcs is not None:
        assert back.wcs == ours.wcs
        assert back.wcs.pixel_to_sky(x=x, y=y).separation(ours.wcs.pixel_to_sky(x=x, y=y)).arcsec.max() < 1e-9
    if ours.psf is not None:
        assert type(back.psf) is type(ours.psf)
        assert back.psf.average_position == ours.psf.average_position
        for images in ("kernel_images", "stellar_images"):
            a, b = (getattr(psf, images)(x[:5], y[:5]) for psf in (ours.psf, back.psf))
            a, b = (v if isinstance(v, np.ndarray) else v.images for v in (a, b))
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * a.max())
    if ours.detector is not None:
        assert back.detector._attributes == ours.detector._attributes
        assert back.detector.amplifiers == ours.detector.amplifiers
        # the recorded scenes' camera has no field angles
        for name in ("to_focal_plane", *(["to_field_angle"] if which in ("calexp", "psfex") else [])):
            a, b = (getattr(e.detector, name).apply_forward(x=x, y=y) for e in (ours, back))
            np.testing.assert_allclose([b.x, b.y], [a.x, a.y], rtol=1e-14)


@needs_shared
@pytest.mark.parametrize("which", ["pvi", "postISRCCD"])
def test_every_hdu_is_the_references(tmp_path, which, quiet):
    """Of this layout are files of today: HDU by HDU, cards, columns and bytes are the same."""
    write_exposure(tmp_path / "out.fits", read_exposure(source(which)), compression="none")
    with fits.open(source(which)) as theirs, fits.open(tmp_path / "out.fits") as ours:
        ours.verify("exception")
        assert [h.name for h in ours] == [h.name for h in theirs]
        for a, b in zip(theirs, ours, strict=True):
            if a.name not in OF_DETECTORS:
                # a mask's BUNIT without a value is left out: it is an error in FITS
                expected = {c for c in cards(a.header) if a.name != "MASK" or c[0] != "BUNIT"}
                assert cards(b.header) == expected, a.name
            for keyword in {c.keyword for c in a.header.cards if LAYOUT.match(c.keyword)} - {"COMMENT"}:
                if a.name not in OF_DETECTORS | {"ARCHIVE_INDEX"} and keyword != "NAXIS":
                    # the smallest coefficients of SIP are 1e-10, and written to 15 digits
                    assert b.header[keyword] == pytest.approx(a.header[keyword], rel=1e-13), keyword
            if a.name == "ARCHIVE_INDEX":
                assert [tuple(r)[-2:] for r in b.data if r["name"] not in OF_DETECTORS] == [
                    tuple(r)[-2:] for r in a.data if r["name"] not in OF_DETECTORS
                ]
                unlike_detectors = [tuple(r)[:5] for r in a.data if r["name"] not in OF_DETECTORS]
                assert [tuple(r)[:5] for r in b.data if r["name"] not in OF_DETECTORS] == unlike_detectors
            elif a.name not in OF_DETECTORS and a.data is not None:
                assert a.data.tobytes() == b.data.tobytes(), a.name


@needs_shared
@pytest.mark.parametrize("which", ["pvi", "calexp", "psfex"])
def test_tables_of_detectors(tmp_path, which, quiet):
    """Columns, their order and formats are the recorded ones; so are the classes' names and modules."""
    write_exposure(tmp_path / "out.fits", read_exposure(source(which)))

    def layouts(path):
        with fits.open(path) as hdus:
            index = next(i for i, h in enumerate(hdus) if h.header.get("EXTTYPE") == "ARCHIVE_INDEX")
            found = {}
            for row in hdus[index].data:
                if row["cat.archive"] > 0:
                    header = hdus[index + row["cat.archive"]].header
                    names = [header[f"TTYPE{i}"] for i in range(1, header["TFIELDS"] + 1)]
                    forms = [
                        re.sub(r"\(\d+\)|\d+D", "", header[f"TFORM{i}"]) for i in range(1, len(names) + 1)
                    ]
                    flags = [v for k, v in header.items() if k.startswith("TFLAG")]
                    found[row["name"], row["cat.persistable"]] = (row["module"], names, forms, flags)
            return found

    ours, theirs = layouts(tmp_path / "out.fits"), layouts(source(which))
    if which == "psfex":
        # in 2021 detectors had no z and no version
        for piece in (ours["Detector", 0], theirs["Detector", 0]):
            kept = [i for i, name in enumerate(piece[1]) if name not in ("fpPosition_z", "version")]
            piece[2][:], piece[1][:] = [piece[2][i] for i in kept], [piece[1][i] for i in kept]
    for key, layout in ours.items():
        assert layout == theirs[key], key
    lost = {name for name, _ in theirs} - {name for name, _ in ours}
    assert lost <= {
        "CoaddInputs", "ProductTransmissionCurve", "RadialTransmissionCurve",
        "SpatiallyConstantTransmissionCurve", "TransformedTransmissionCurve",
    }  # fmt: skip


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_full_exposure(tmp_path, compression):
    """Nothing that an exposure has is lost, if made here; its box does not begin at the origin."""
    exposure = full_exposure((150, 70), unit="nJy")
    exposure.metadata |= {"NOTHING": np.nan, "MUCH": np.inf, "LITTLE": -np.inf, "SHARE": np.float32(0.25)}
    write_exposure(tmp_path / "out.fits", exposure, compression=compression)
    back = read_exposure(tmp_path / "out.fits")
    x, y = np.array([0.0, 33.3, 1023.0]), np.array([999.0, 500.5, 0.0])
    assert back.wcs.pixel_to_sky(x=x, y=y).separation(exposure.wcs.pixel_to_sky(x=x, y=y)).arcsec.max() < 1e-9
    for name in ("to_focal_plane", "to_field_angle"):
        a, b = (getattr(e.detector, name).apply_forward(x=x, y=y) for e in (exposure, back))
        np.testing.assert_allclose([b.x, b.y], [a.x, a.y], rtol=1e-13, atol=1e-15)
    assert back.photo_calib == exposure.photo_calib
    np.testing.assert_allclose(
        back.psf.kernel_images(x, y), exposure.psf.kernel_images(x, y), rtol=0, atol=1e-13
    )
    assert str(back.visit_info) == str(exposure.visit_info)
    assert back.detector._attributes == exposure.detector._attributes
    exposure.metadata = {key.upper(): value for key, value in exposure.metadata.items()}
    np.testing.assert_equal(
        back.metadata, exposure.metadata | {"DETNAME": back.detector.name, "DETSER": "simulated"}
    )
    back.metadata = exposure.metadata
    assert_same_exposure(replace(exposure, wcs=None, detector=None), replace(back, wcs=None, detector=None))


def test_writing_what_was_read_gives_the_same_bytes(tmp_path):
    """Property: what is written is a fixed point."""
    write_exposure(tmp_path / "one.fits", full_exposure((40, 50)))
    write_exposure(tmp_path / "two.fits", read_exposure(tmp_path / "one.fits"))
    write_exposure(tmp_path / "three.fits", read_exposure(tmp_path / "two.fits"))
    assert (tmp_path / "three.fits").read_bytes() == (tmp_path / "two.fits").read_bytes()


def test_other_readers_find_the_sky(tmp_path, quiet):
    """Astropy reads planes, units and coordinates, although the image begins at (100, 200)."""
    exposure = full_exposure()
    write_exposure(tmp_path / "out.fits", exposure)
    with fits.open(tmp_path / "out.fits") as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, unit in ((1, "electron"), (3, "electron**2")):
            header = hdus[number].header
            assert (header["BUNIT"], header["LTV1"], header["LTV2"]) == (unit, -100.0, -200.0)
            wcs = WCS(header)
            assert wcs.wcs.ctype[0].startswith("RA---TAN")
            there = wcs.pixel_to_world([0.0, 45.0], [0.0, 17.0])
            here = exposure.wcs.pixel_to_sky(x=[100.0, 145.0], y=[200.0, 217.0])
            assert there.separation(here).arcsec.max() < 1e-8
        np.testing.assert_array_equal(hdus["MASK"].data, exposure.mask)
        assert {
            k[3:]: v for k, v in hdus["MASK"].header.items() if k.startswith("MP_")
        } == exposure.mask_planes


def test_cfitsio_opens_it(tmp_path):
    """The library with which the reference reads FITS."""
    fitsio = pytest.importorskip("fitsio")
    exposure = full_exposure((130, 41))
    write_exposure(tmp_path / "out.fits", exposure)
    with fitsio.FITS(str(tmp_path / "out.fits")) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are empty in all rows
        for number, name in ((1, "image"), (2, "mask"), (3, "variance")):
            np.testing.assert_array_equal(hdus[number].read(), getattr(exposure, name))
            assert hdus[number].get_extname() == name.upper()
        index = hdus[hdus[0].read_header()["AR_HDU"] - 1].read()
        assert {name.rstrip() for name in index["name"]} >= {"PiffPsf", "SkyWcs", "Detector"}
        for hdu in list(hdus)[4:]:
            assert hdu.get_nrows() == 0 or len(hdu.read()) == hdu.get_nrows()


def test_an_exposure_of_nothing_but_pixels(tmp_path):
    exposure = Exposure(np.ones((3, 4), np.float32), np.zeros((3, 4), np.int32), np.ones((3, 4), np.float32))
    write_exposure(tmp_path / "out.fits", exposure)
    back = read_exposure(tmp_path / "out.fits")
    for name in ("psf", "wcs", "photo_calib", "ap_corr_map", "detector", "filter", "valid_polygon"):
        assert getattr(back, name) is None, name
    assert back.metadata == {} and back.unit == ""
    np.testing.assert_array_equal(back.image, exposure.image)


def test_cards_of_an_older_file_are_not_kept(tmp_path, quiet):
    """Metadata that name what the writer makes itself are not written twice."""
    exposure = full_exposure()
    exposure.metadata = {"BORE-RA": 1.0, "AR_HDU": 99, "PSF_ID": 7, "EXTNAME": "other"}
    exposure.metadata |= {"DETNAME": "x", "OK": 1}
    write_exposure(tmp_path / "out.fits", exposure)
    with fits.open(tmp_path / "out.fits") as hdus:
        header = hdus[0].header
        assert [header.count(k) for k in ("BORE-RA", "AR_HDU", "PSF_ID", "DETNAME", "OK")] == [1] * 5
        assert (header["AR_HDU"], header["DETNAME"], "EXTNAME" in header) == (
            5,
            exposure.detector.name,
            False,
        )


def test_refusals(tmp_path):
    exposure = replace(full_exposure(), psf=WrappedPsf(LopsidedPsf()))
    with pytest.raises(InputError, match="WrappedPsf has no counterpart in afw"):
        write_exposure(tmp_path / "out.fits", exposure)
    assert not list(tmp_path.iterdir())
    write_exposure(tmp_path / "out.fits", full_exposure())
    with pytest.raises(UsageError, match="exists already"):
        write_exposure(tmp_path / "out.fits", full_exposure())
    write_exposure(tmp_path / "out.fits", replace(full_exposure(), unit="adu"), overwrite=True)
    assert read_exposure(tmp_path / "out.fits").unit == "adu"

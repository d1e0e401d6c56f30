"""Every file that the stack wrote is read, and its values are those of a second reading, or it is refused in one line.

A file that is added to the folder fails until it is classified here.
"""

import re
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from lsst.images import Box, DetectorFrame

from helpers.by_hand import archive_rows, chebyshev, opened, planes, sky_of_header
from helpers.shared import SHARED, needs_shared, realdata
from secondlight.errors import InputError
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.image import read_image, read_mask
from secondlight.io.afw.photo_calib import read_photo_calib
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.io.afw.stored import read_stored
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.model.footprints import normalize_spans
from secondlight.model.photo_calib import REFERENCE_FLUX

pytestmark = needs_shared

FOLDER = realdata("lsst_files")
X, Y = np.array([0.0, 60.0, 30.0, 4.25]), np.array([0.0, 4.0, 31.0, 9.5])


# --- exposures -------------------------------------------------------------------------------------------------------


def check_exposure(path, *, x=X, y=Y, arcsec=1e-8, inverse=0.01, **expected):
    exposure = read_exposure(path)
    image, mask, variance = planes(path)
    for ours, theirs in ((exposure.image, image), (exposure.mask, mask), (exposure.variance, variance)):
        assert ours.dtype.byteorder in "=|"
        np.testing.assert_array_equal(ours, theirs)
    with opened(path) as hdus:
        header = hdus[[h.header.get("EXTTYPE") for h in hdus].index("MASK", 1)].header
        assert exposure.mask_planes == {k[3:]: v for k, v in header.items() if k.startswith("MP_")}
    if exposure.wcs is not None:
        sky = exposure.wcs.pixel_to_sky(x=x, y=y)
        assert sky.separation(sky_of_header(path, x, y)).arcsec.max() < arcsec
        back = exposure.wcs.sky_to_pixel(sky)
        # inverses of SIP are fits, some of them poor
        np.testing.assert_allclose([back.x, back.y], [x, y], rtol=0, atol=inverse)
    for name, value in expected.items():
        assert getattr(exposure, name) == value, name
    return exposure


def check_test_exposure(path, mean, physical, band=""):
    exposure = check_exposure(
        path, ap_corr_map=None, valid_polygon=None, psf=None, unit="", x=X / 10, y=Y / 10
    )
    assert exposure.photo_calib.mean == pytest.approx(mean, rel=1e-15)
    assert exposure.photo_calib.err == pytest.approx(0.02 * mean, rel=1e-15)
    assert (exposure.filter.physical, exposure.filter.band) == (physical, band)
    info = exposure.visit_info
    assert (info.exposure_time, info.dark_time, info.rot_type) == (30.0, 600.0, "UNKNOWN")
    assert info.date_tai == pytest.approx(58868.524259259259, abs=1e-9)  # 2020-01-20T12:34:56
    np.testing.assert_allclose(np.degrees([info.boresight_ra, info.boresight_dec]), [30, 40])
    np.testing.assert_allclose(np.degrees([info.longitude, info.latitude]), [-12.345, 123.45])
    assert exposure.metadata["EXPID"] == 12345
    detector = exposure.detector
    assert (detector.name, detector.id, detector.serial) == ("detector 1", 1, "xkcd722")
    assert detector.bbox == Box.factory[0:10, 0:10]
    assert [a.name for a in detector.amplifiers] == ["amp 1", "amp 2", "amp 3"]
    assert detector.amplifiers[0].nominal_calibrations.gain == 1712.34
    check_focal_plane(detector)
    with pytest.raises(Exception, match="not defined"):
        detector.to_field_angle.apply_forward(x=0.0, y=0.0)


def check_focal_plane(detector):
    """The stored transform is what position and rotation of the detector give."""
    o = detector.orientation
    x, y = np.array([0.0, 5.0, 9.0]), np.array([7.0, 1.0, 0.0])
    dx, dy = (x - o.pixel_reference_x) * detector.pixel_size, (y - o.pixel_reference_y) * detector.pixel_size
    cos, sin = np.cos(o.yaw.value), np.sin(o.yaw.value)
    plane = detector.to_focal_plane.apply_forward(x=x, y=y)
    np.testing.assert_allclose(plane.x, o.focal_plane_x + dx * cos - dy * sin, atol=1e-9)
    np.testing.assert_allclose(plane.y, o.focal_plane_y + dx * sin + dy * cos, atol=1e-9)


def check_hsc_calexp(path, filter_band, n_stats):
    # the header holds a fit to the true coordinates
    exposure = check_exposure(path, arcsec=1e-3)
    assert (exposure.filter.physical, exposure.filter.band) == ("HSC-I", filter_band)
    detector = exposure.detector
    assert (detector.id, detector.name, len(detector.amplifiers)) == (4, "1_42", 4)
    assert [a.readout_corner.value for a in detector.amplifiers] == ["LL", "LR", "LL", "LR"]
    assert detector.amplifiers[1].assembled_raw_geometry.bbox == Box.factory[0:4241, 536:1072]
    assert detector.amplifiers[3].nominal_calibrations.gain == 4.0744
    assert isinstance(exposure.wcs.pixel_frame, DetectorFrame)
    assert exposure.wcs.pixel_frame.bbox == Box.factory[0:4176, 0:2048]
    check_focal_plane(detector)
    angle = detector.to_field_angle.apply_forward(x=1023.5, y=2087.5)
    # 0.168 arcsec a pixel of 15 µm, and up to a few per cent of distortion
    assert np.hypot(angle.x, angle.y) == pytest.approx(
        np.hypot(191.05, -166.56) / 0.015 * np.radians(0.168 / 3600), rel=0.05
    )
    assert exposure.photo_calib.is_constant
    assert exposure.photo_calib.mean == archive_rows(path, "PhotoCalib")["calibrationMean"][0]
    assert len(exposure.summary_stats) == n_stats
    rows = archive_rows(path, "Polygon")
    closed = np.column_stack([rows["vertices_x"], rows["vertices_y"]])
    np.testing.assert_array_equal(exposure.valid_polygon, closed[:-1])
    np.testing.assert_array_equal(closed[0], closed[-1])
    check_ap_corr(path, exposure.ap_corr_map, 46)
    assert exposure.psf is not None


def check_ap_corr(path, corrections, n):
    """Each field's values are the sums of polynomials that the stored coefficients say."""
    rows = archive_rows(path, "ApCorrMap")
    assert len(corrections) == n == len(rows)
    assert list(corrections) == [r["name"].decode().strip() for r in rows]
    with opened(path) as hdus:
        stored = [r for h in hdus if h.header.get("AR_NAME") == "ChebyshevBoundedField" for r in h.data]
    x, y = np.array([10.0, 1500.0]), np.array([4000.0, 17.0])
    candidates = [
        chebyshev(
            np.atleast_1d(r["coefficients"]),
            r["order_x"],
            (r["bbox_min_x"], r["bbox_min_y"], r["bbox_max_x"], r["bbox_max_y"]),
            x,
            y,
        )
        for r in stored
        if r["bbox_max_x"] > 0
    ]
    for field in corrections.values():
        values = field(x=x, y=y)
        assert min(np.abs(values - c).max() for c in candidates) < 1e-12


def check_cfht_2021(path):
    # the header holds a fit to the true coordinates
    exposure = check_exposure(path, x=X * 30, y=Y * 100, arcsec=1e-3)
    assert not exposure.image.any() and exposure.image.shape == (4612, 2048)
    assert (exposure.visit_info.id, exposure.visit_info.instrument) == (849375, "MegaPrime")
    assert exposure.wcs.pixel_frame.visit == 849375
    assert exposure.filter.physical == "r.MP9601"
    assert exposure.summary_stats["psfSigma"] == 2.4520119284186555
    assert len(exposure.summary_stats["raCorners"]) == 4
    assert exposure.detector.amplifiers[1].assembled_raw_geometry.prescan_bbox is None
    check_focal_plane(exposure.detector)
    check_ap_corr(path, exposure.ap_corr_map, 4)
    assert exposure.psf is not None


def check_cfht_2017(path):
    exposure = check_exposure(path, x=X * 30, y=Y * 100, detector=None)
    assert exposure.visit_info.exposure_time == 300.202
    assert exposure.photo_calib.mean == pytest.approx(REFERENCE_FLUX / 6558728247126.77)
    assert exposure.photo_calib.err == pytest.approx(REFERENCE_FLUX * 2158867635.29602 / 6558728247126.77**2)
    assert exposure.filter.band == "r"
    assert exposure.metadata["INSTRUME"] == "MegaPrime"
    check_ap_corr(path, exposure.ap_corr_map, 4)
    assert exposure.psf is not None


def check_piff(path):
    exposure = check_exposure(path, detector=None, filter=None, photo_calib=None)
    assert exposure.image.sum(dtype=float) == pytest.approx(planes(path)[0].sum(dtype=float))
    assert exposure.psf is not None


def check_zpn(path):
    check_exposure(path, x=X, y=Y, psf=None, photo_calib=None, filter=None)


def check_unknown_psf(path):
    assert_refused(read_exposure, path, r"PSF: id 1: .* class 'DummyPsf'")
    assert read_exposure(path, psf=False).psf is None


# --- visit summaries ---------------------------------------------------------------------------------------------------


def check_visit_summary(path, n, polygons):
    summary = read_visit_summary(path)
    assert len(summary) == n
    with opened(path) as hdus:
        table = np.array(hdus[1].data)
    np.testing.assert_array_equal(summary.columns["psfSigma"], table["psfSigma"])
    assert "wcs" not in summary.columns
    corners = np.array([[-0.5, -0.5], [1, -0.5], [1, 1], [-0.5, 1]])
    for record in summary:
        assert summary.find(record.detector_id).row == record.row
        assert record.visit_info.id == record["visit"] == int(table["visit"][record.row])
        assert (record.psf, record.ap_corr_map, record.detector) == (None, None, None)
        ny, nx = record.bbox.shape
        x = np.where(corners[:, 0] < 0, -0.5, nx - 0.5)
        y = np.where(corners[:, 1] < 0, -0.5, ny - 0.5)
        stored = SkyCoord(record["raCorners"], record["decCorners"], unit="deg")
        # what the stack wrote of the corners, from the same coordinates
        assert record.wcs.pixel_to_sky(x=x, y=y).separation(stored).arcsec.max() < 1e-8
        assert record.photo_calib.zero_point == pytest.approx(record["zeroPoint"], rel=1e-6)
        assert (record.valid_polygon is not None) == polygons
    assert summary.find(999) is None
    return summary


def check_hsc_summary(path):
    summary = check_visit_summary(path, 103, polygons=True)
    rows = archive_rows(path, "Polygon")
    # the file repeats the first vertex of each
    vertices = np.concatenate([np.r_[r.valid_polygon, r.valid_polygon[:1]] for r in summary])
    np.testing.assert_array_equal(vertices, np.column_stack([rows["vertices_x"], rows["vertices_y"]]))
    assert {r.visit_info.instrument for r in summary} == {"HSC"}


def check_catalog_v0(path):
    (record,) = read_visit_summary(path)
    assert record.bbox == Box.factory[-5:6, -5:6]
    assert (record.wcs, record.psf, record.photo_calib, record.ap_corr_map) == (None,) * 4


def check_catalog_v1(path):
    (record,) = read_visit_summary(path)
    assert record.bbox is None
    assert sorted(record.ap_corr_map) == ["a", "b", "c"]
    rows = archive_rows_untitled(path, 4)
    x, y = np.array([-3.0, 2.5]), np.array([4.0, 0.0])
    values = sorted(f(x=x, y=y).tolist() for f in record.ap_corr_map.values())
    twins = sorted(
        chebyshev(r["coefficients"], r["order_x"], (*r["bbox_min"], *r["bbox_max"]), x, y).tolist()
        for r in rows
    )
    np.testing.assert_allclose(values, twins, rtol=1e-12)


def archive_rows_untitled(path, hdu):
    with opened(path) as hdus:
        return np.array(hdus[hdu].data)


def check_catalog_of_2015(path):
    summary = read_visit_summary(path)
    first, second = summary
    assert first.photo_calib.mean == pytest.approx(REFERENCE_FLUX / 56.0)
    assert first.photo_calib.err == pytest.approx(REFERENCE_FLUX * 2.2 / 56.0**2)
    assert second.photo_calib is None
    assert_refused(lambda p: first.psf, path, "detector 1: psf: .*DummyPsf")
    check_legacy_wcs(path, first.wcs, hdu=4)


# --- files of one object -----------------------------------------------------------------------------------------------


def check_legacy_wcs(path, projection=None, hdu=2):
    """FITS keywords in a table: astropy reads them from a header made by hand."""
    projection = projection or read_stored(path)
    row = archive_rows_untitled(path, hdu)[0]
    wcs = WCS(naxis=2)
    wcs.wcs.crval = row["crval_x"], row["crval_y"]
    wcs.wcs.crpix = row["crpix_x"] + 1, row["crpix_y"] + 1
    wcs.wcs.cd = row["cd"].reshape(2, 2).T
    wcs.wcs.ctype = [row[c].decode().strip() for c in ("ctype1", "ctype2")]
    wcs.wcs.radesys = row["radesys"].decode().strip()
    if wcs.wcs.radesys == "FK5":
        wcs.wcs.equinox = row["equinox"]
    x, y = np.array([1100.0, 1500.0]), np.array([500.0, 1600.0])
    sky = projection.pixel_to_sky(x=x, y=y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        separation = sky.separation(wcs.pixel_to_world(x, y).icrs).arcsec
    assert separation.max() < 1e-7
    return projection, wcs


def check_legacy_sip(path):
    projection = read_stored(path)
    row, sip = archive_rows_untitled(path, 2)[0], archive_rows_untitled(path, 3)[0]
    header = {
        "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": row["crval_x"], "CRVAL2": row["crval_y"],
        "CRPIX1": row["crpix_x"] + 1, "CRPIX2": row["crpix_y"] + 1, "CD1_1": row["cd"][0], "CD2_1": row["cd"][1],
        "CD1_2": row["cd"][2], "CD2_2": row["cd"][3], "RADESYS": "ICRS", "A_ORDER": 5, "B_ORDER": 5,
    }  # fmt: skip
    for name in "AB":
        for k, value in enumerate(sip[name]):
            if value != 0:
                header[f"{name}_{k % 6}_{k // 6}"] = value
    x, y = np.array([0.0, 3000.0, 1500.0]), np.array([10.0, 2500.0, 1600.0])
    sky = projection.pixel_to_sky(x=x, y=y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = WCS(header).pixel_to_world(x, y)
    assert sky.separation(twin).arcsec.max() < 1e-6
    back = projection.sky_to_pixel(sky)
    np.testing.assert_allclose([back.x, back.y], [x, y], atol=0.01)


def check_sky_wcs(path, scale):
    projection = read_stored(path)
    x, y = np.array([0.0, 2000.0, 1000.0]), np.array([0.0, 100.0, 4000.0])
    sky = projection.pixel_to_sky(x=x, y=y)
    step = sky.separation(projection.pixel_to_sky(x=x + 1, y=y)).arcsec
    np.testing.assert_allclose(step, scale, rtol=0.1)
    back = projection.sky_to_pixel(sky)
    np.testing.assert_allclose([back.x, back.y], [x, y], atol=2e-3)


def check_photo_calib(path):
    calibration = read_photo_calib(path)
    assert (calibration.mean, calibration.err, calibration.is_constant) == (123.0, 45.0, True)
    assert calibration.local([3.0], [4.0]).tolist() == [123.0]


def check_visit_info(path, version):
    info = read_stored(path)
    row = archive_rows_untitled(path, 2)[0]
    assert info.id == (987654 if version >= 2 else 0)
    assert (info.exposure_time, info.dark_time, info.ut1) == (10.01, 11.02, 12345.1)
    assert info.date_tai == pytest.approx(65321.1, abs=1e-9)
    for name, column in (
        ("era", "era"),
        ("boresight_ra", "boresightradec_ra"),
        ("boresight_dec", "boresightradec_dec"),
        ("boresight_az", "boresightazalt_az"),
        ("boresight_alt", "boresightazalt_alt"),
        ("boresight_airmass", "boresightairmass"),
        ("boresight_rot_angle", "boresightrotangle"),
        ("latitude", "latitude"),
        ("longitude", "longitude"),
        ("elevation", "elevation"),
        ("air_temperature", "airtemperature"),
        ("air_pressure", "airpressure"),
        ("humidity", "humidity"),
    ):
        assert getattr(info, name) == row[column], name
    assert info.rot_type == "SKY"
    assert info.instrument == ("TestCameraOne" if version >= 1 else "")
    np.testing.assert_equal(info.focus_z, 1.5 if version >= 3 else np.nan)
    if version >= 4:
        assert (info.observation_type, info.science_program) == ("flat", "test program")
        assert (info.observation_reason, info.object) == ("test reason", "test object")
        assert not info.has_simulated_content


def check_old_footprint(path):
    footprint = read_stored(path)
    with opened(path) as hdus:
        spans, peaks = hdus[2].data, hdus[3].data
        triples = np.column_stack([spans["y"], spans["x0"], spans["x1"]])
        assert footprint.area == int((spans["x1"] - spans["x0"] + 1).sum())
        np.testing.assert_array_equal(footprint.spans, normalize_spans(triples))
        for name in ("id", "f_x", "f_y", "i_x", "i_y", "peakValue"):
            np.testing.assert_array_equal(footprint.peaks[name], peaks[name])
    assert len(footprint.peaks) == 48 and footprint.heavy is None


def check_heavy_footprint(path):
    footprint = read_stored(path)
    with opened(path) as hdus:
        spans, pixels = hdus[3].data, hdus[5].data
        assert footprint.area == int((spans["x1"] - spans["x0"] + 1).sum()) == 552
        for name in ("image", "mask", "variance"):
            np.testing.assert_array_equal(getattr(footprint.heavy, name), pixels[name][0])
    assert footprint.heavy.mask.dtype == np.int32


# --- catalogues ----------------------------------------------------------------------------------------------------------


def check_catalog(path, n, n_heavy=0, area=0):
    """All scalar columns equal those that astropy reads, and the footprints have the stored numbers of pixels."""
    catalog = read_source_catalog(path)
    assert len(catalog) == n
    with opened(path) as hdus:
        table = hdus[1]
        for column in table.columns:
            if column.name in catalog.schema.names:
                np.testing.assert_array_equal(catalog[column.name], table.data[column.name])
        for i in range(1, 1 + (table.columns[0].array.shape[1] if "FLAGCOL" in table.header and n else 0)):
            name = table.header[f"TFLAG{i}"]
            np.testing.assert_array_equal(catalog[name], table.data["flags"][:, i - 1])
            assert catalog.schema[name].type == "Flag"
    heavy = np.diff(catalog.footprints.heavy_offsets) > 0
    assert int(heavy.sum()) == n_heavy
    np.testing.assert_array_equal(
        np.diff(catalog.footprints.heavy_offsets)[heavy], catalog.footprints.areas[heavy]
    )
    assert catalog.footprints.areas.sum() == area
    return catalog


def check_hsc_src(path):
    catalog = check_catalog(path, 771, n_heavy=144, area=2819407)
    assert (catalog["parent"] != 0).sum() == 144
    np.testing.assert_array_equal(catalog["slot_Centroid_x"], catalog["base_SdssCentroid_x"])
    # children have one peak, at the centre of the deblended source
    children = np.flatnonzero(np.diff(catalog.footprints.heavy_offsets))
    assert (catalog.footprints.peak_counts[children] == 1).all()
    with opened(path) as hdus:
        images = list(hdus[6].data["image"])
    sums = sorted(float(v.sum(dtype=float)) for v in images)
    ours = sorted(float(catalog.heavy(i).heavy.image.sum(dtype=float)) for i in children)
    np.testing.assert_allclose(ours, sums, rtol=1e-12)


def check_cfht_src(path):
    catalog = check_catalog(path, 2, area=889)
    twin = pq.read_table(path.with_suffix(".parq"))
    compared = 0
    for name in twin.column_names:
        if name in catalog.schema.names:
            np.testing.assert_array_equal(catalog[name], twin[name].to_numpy())
            compared += 1
    assert compared > 130
    # today's names lead to the old ones
    np.testing.assert_array_equal(catalog["slot_PsfFlux_instFluxErr"], catalog["base_PsfFlux_fluxSigma"])
    np.testing.assert_array_equal(catalog["base_SdssCentroid_xErr"], catalog["base_SdssCentroid_xSigma"])
    box = catalog.footprints[0].bbox
    peak = catalog.footprints[0].peaks[0]
    assert box.contains(x=int(peak["i_x"]), y=int(peak["i_y"]))


def check_version_0(path):
    catalog = check_catalog(path, 2, n_heavy=1, area=1262)
    with opened(path) as hdus:
        rows = hdus[1].data
        for i in range(2):
            triples = rows["spans"][i].reshape(-1, 3)
            assert catalog.footprints[i].area == (triples[:, 2] - triples[:, 1] + 1).sum()
            np.testing.assert_array_equal(
                [*catalog.footprints[i].peaks[0][["f_x", "f_y", "peakValue"]]], rows["peaks"][i]
            )
        np.testing.assert_array_equal(catalog.heavy(1).heavy.image, rows["heavyPix"][1])
        # astropy forgets the offset of columns of varying length
        np.testing.assert_array_equal(
            catalog.heavy(1).heavy.mask, rows["heavyMask"][1].astype(int) + hdus[1].header["TZERO84"]
        )
        np.testing.assert_array_equal(catalog["coord_ra"], rows["coord"][:, 0])
        np.testing.assert_array_equal(catalog["slot_Shape_yy"], rows["shape_sdss"][:, 1])
        np.testing.assert_array_equal(catalog["slot_PsfFlux_instFlux"], rows["flux_psf"])
        np.testing.assert_array_equal(catalog["slot_PsfFlux_instFluxErr"], rows["flux_psf_err"])
        np.testing.assert_allclose(catalog["shape_sdss_yyErr"], np.sqrt(rows["shape_sdss_err"][:, 2]))
    assert catalog.schema["coord_dec"].type == "Angle"


def check_compound(path):
    catalog = read_source_catalog(path)
    (row,) = archive_rows_untitled(path, 1)
    full = np.zeros((4, 4))
    full[np.triu_indices(4)] = [4.0, 1.25, 1.5, 0.75, 2.25, 0.5, 0.25, 6.25, 1.75, 9.0]
    assert catalog["point_i_y"][0] == row["point_i"][1] == 5
    assert catalog["moments_xy"][0] == row["moments"][2]
    assert catalog["coord_dec"][0] == row["coord"][1]
    for i in range(4):
        assert catalog[f"cov_z_{i}Err"][0] == np.float32(np.sqrt(full[i, i]))
        for j in range(i + 1, 4):
            assert catalog[f"cov_z_{i}_{j}_Cov"][0] == full[i, j]
    assert catalog["cov_p_x_y_Cov"][0] == -2.0
    assert catalog["cov_m_xyErr"][0] == 2.5


# --- single planes ---------------------------------------------------------------------------------------------------------


def check_background(path):
    models = read_background(path)
    assert len(models) == 4
    with opened(path) as hdus:
        for i, model in enumerate(models):
            np.testing.assert_array_equal(model.stats_image, hdus[3 * i].data)
            np.testing.assert_array_equal(model.stats_mask, hdus[3 * i + 1].data)
            np.testing.assert_array_equal(model.stats_variance, hdus[3 * i + 2].data)
            header = hdus[3 * i].header
            assert model.bbox == Box.factory[0 : header["BKGD_HEIGHT"], 0 : header["BKGD_WIDTH"]]
            assert model.interp_style == header["INTERPSTYLE"]
            assert model.approx_style == header["APPROXSTYLE"]
            assert model.approx_order_x == header["APPROXORDERX"]
            assert model.approx_weighting == header["APPROXWEIGHTING"]


def check_plain_image(path):
    image, x0, y0 = read_image(path)
    assert (image.shape, x0, y0) == ((1, 1), 0, 0)
    assert image[0, 0] == planes(path)[0][0, 0]
    assert_refused(read_exposure, path, "no IMAGE plane")


# --- refusals ----------------------------------------------------------------------------------------------------------------

READERS = {
    "exposure": read_exposure,
    "visit summary": read_visit_summary,
    "source catalog": read_source_catalog,
    "background": read_background,
    "image": read_image,
    "mask": read_mask,
    "photo calib": read_photo_calib,
    "object": read_stored,
}


def assert_refused(read, path, pattern):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert re.search(pattern, message), message


def refused(pattern, *, by="object"):
    def check(path):
        assert_refused(READERS[by], path, pattern)

    return check


def refused_by_all(path):
    for read in READERS.values():
        assert_refused(read, path, r"no |not |expected|but the file has 1$")


CHECKS = {
    "README.md": refused_by_all,
    "afw_tests/CompoundFieldConversion.fits": check_compound,
    "afw_tests/ZPN.fits": check_zpn,
    "afw_tests/archiveImportTest.fits": check_unknown_psf,
    "afw_tests/deepCoadd_meas_HSC_v2.fits": lambda p: check_catalog(p, 10, area=8007),
    "afw_tests/empty-v0.fits": lambda p: check_catalog(p, 0),
    "afw_tests/exposure-noversion.fits": lambda p: check_test_exposure(p, REFERENCE_FLUX / 1e6, "ha"),
    "afw_tests/exposure-version-0.fits": lambda p: check_test_exposure(p, REFERENCE_FLUX / 1e6, "ha"),
    "afw_tests/exposure-version-1.fits": lambda p: check_test_exposure(p, 1e6, "ha"),
    "afw_tests/exposure-version-2.fits": lambda p: check_test_exposure(p, 1e6, "ha", "N656"),
    "afw_tests/exposure_catalog_v1.fits": check_catalog_of_2015,
    "afw_tests/great3.fits": refused("a table of unknown records", by="source catalog"),
    "afw_tests/jointcal_wcs-0030600-088.fits": lambda p: check_sky_wcs(p, 0.168),
    "afw_tests/jointcal_wcs-0034772-004.fits": lambda p: check_sky_wcs(p, 0.168),
    "afw_tests/legacyHeavyFootprint.fits": check_heavy_footprint,
    "afw_tests/multi_extension_metadata.fits": refused("a table of unknown records", by="source catalog"),
    "afw_tests/old-footprint-persistence.fits": check_version_0,
    "afw_tests/oldTanSipWcs.fits": check_legacy_sip,
    "afw_tests/oldTanWcs.fits": check_legacy_wcs,
    "afw_tests/photoCalib-noversion.fits": refused("stored in version 0", by="photo calib"),
    "afw_tests/photoCalib-version0.fits": refused("stored in version 0", by="photo calib"),
    "afw_tests/photoCalib-version1.fits": check_photo_calib,
    "afw_tests/preSpanSetsFootprint.fits": check_old_footprint,
    "afw_tests/ps1-refcat-v1.fits": lambda p: check_catalog(p, 10),
    "afw_tests/sourceCatalog-hsc-v2.fits": lambda p: check_catalog(p, 5, area=1013),
    "afw_tests/sourceTable-v1.fits": lambda p: check_catalog(p, 3),
    "afw_tests/sourceTable-v2.fits": lambda p: check_catalog(p, 3),
    "afw_tests/ticket18864.fits": refused_by_all,
    "afw_tests/ticket20143.fits": refused_by_all,
    "afw_tests/ticket2233.fits": refused("the image has no pixels", by="exposure"),
    "afw_tests/ticket2352.fits": check_plain_image,
    "afw_tests/ticket2905.fits": refused_by_all,
    "afw_tests/ticket42210.fits": lambda p: check_catalog(p, 0),
    "afw_tests/version-0-ExposureCatalog.fits": check_catalog_v0,
    "afw_tests/version-1-ExposureCatalog.fits": check_catalog_v1,
    "afw_tests/visitInfo-noversion.fits": lambda p: check_visit_info(p, 0),
    "afw_tests/visitInfo-version-1.fits": lambda p: check_visit_info(p, 1),
    "afw_tests/visitInfo-version-2.fits": lambda p: check_visit_info(p, 2),
    "afw_tests/visitInfo-version-3.fits": lambda p: check_visit_info(p, 3),
    "afw_tests/visitInfo-version-4.fits": lambda p: check_visit_info(p, 4),
    "afw_tests/visitInfo-version-5.fits": lambda p: check_visit_info(p, 5),
    "afw_tests/visitInfo-version-999999.fits": refused("version 999999; versions up to 5"),
    "drp_tasks_hsc/visitSummary_1176.fits": check_hsc_summary,
    "drp_tasks_hsc/visitSummary_36460.fits": check_hsc_summary,
    "faro_hsc/src_HSC_i_HSC-I_903986_0_31_HSC_runs_ci_hsc_20210407T021858Z.fits": check_hsc_src,
    "jointcal_cfht/225822.fits": lambda p: check_catalog(p, 2628),
    "jointcal_cfht/SRC-849375-12.fits": check_cfht_src,
    "jointcal_cfht/SRC-849375-12.parq": refused_by_all,
    "jointcal_cfht/bkgd-849375-12.fits": check_background,
    "jointcal_cfht/calexp-849375-12.fits.fz": check_cfht_2021,
    "jointcal_cfht/calexp-849375-12_2017_PcaPsf.fits.fz": check_cfht_2017,
    "jointcal_cfht/camera_MegaPrime_MegaPrime_calib_unbounded.fits": refused(
        "class 'Camera', which cannot be read"
    ),
    "jointcal_cfht/jointcal_wcs-0023900-037.fits": lambda p: check_sky_wcs(p, 0.168),
    "jointcal_cfht/sourceTable-849375-12.parq": refused_by_all,
    "jointcal_cfht/subselected-sourceTable-0034690.parq": refused_by_all,
    "jointcal_cfht/visitSummary-849375.fits": lambda p: check_visit_summary(p, 1, polygons=False),
    "lsst_images_json/LICENSE": refused_by_all,
    "lsst_images_json/visit_image-1.0.0-dp1.json": refused_by_all,
    "lsst_images_json/visit_image-1.0.0-dp2.json": refused_by_all,
    "obs_base/calexp.fits": lambda p: check_hsc_calexp(p, "300", 36),
    "obs_base/calexp_EXPINFO_V1.fits": lambda p: check_hsc_calexp(p, "", 0),
    "obs_base/source_catalog.fits": lambda p: check_catalog(p, 3),
    "piff/exp.fits": check_piff,
    "pipelines_check/camera_HSC_HSC_calib_unbounded.fits.gz": refused("class 'Camera', which cannot be read"),
}


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())
)
def test_file(name):
    assert name in CHECKS, f"{name} is new: say in CHECKS how it is read or why it is refused"
    CHECKS[name](FOLDER / name)


@pytest.mark.parametrize(
    ("name", "unit", "origin", "plane"),
    [
        ("HSC-0908120-056-small.fits", "", (100, 100), "CROSSTALK"),
        ("suprimecam-act-img.fits", "adu", (690, 2090), "UNMASKEDNAN"),
    ],
)
def test_cut_outs(name, unit, origin, plane):
    """Old cut-outs whose first pixel is not at 0."""
    path = SHARED / "realdata" / "hsc" / name
    exposure = check_exposure(path, unit=unit, x=X + origin[0], y=Y + origin[1], inverse=0.3)
    assert (exposure.x0, exposure.y0) == origin
    assert plane in exposure.mask_planes
    image, x0, y0 = read_image(path)
    np.testing.assert_array_equal(image, exposure.image)
    assert (x0, y0) == origin

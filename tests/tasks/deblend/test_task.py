"""The task on small blends: what is a blend, limits, options, failures, and what must hold of any result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.blends import NOISE, blend, children, deblended, exposure, painted, peaks_at, stars
from secondlight import threads
from secondlight.errors import ProcessingError
from secondlight.model.footprints import Footprint
from secondlight.model.psf import GaussianPsf
from secondlight.tasks.deblend import SourceDeblendConfig

SHAPE = (60, 70)
#: A star, another, and a galaxy.
PLACES = [(20.0, 30.0, 20_000.0), (31.0, 24.0, 12_000.0), (42.0, 36.0, 30_000.0, 3.5)]

OPTIONS = [
    {},
    {"reproduceReferenceDefects": True},
    {"edgeHandling": "clip"},
    {"edgeHandling": "noclip", "medianSmoothTemplate": False},
    {"strayFluxRule": "r-to-peak", "strayFluxToPointSources": "always"},
    {"strayFluxRule": "r-to-footprint", "strayFluxToPointSources": "never"},
    {"strayFluxRule": "nearest-footprint", "propagateAllPeaks": True},
    {"weightTemplates": True},
    {"weightTemplates": True, "removeDegenerateTemplates": True},
    {"maxNumberOfPeaks": 2, "propagateAllPeaks": True},
]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))


def one_blend(**kwargs):
    image = stars(SHAPE, PLACES, **kwargs)
    return image, blend(image, PLACES)


def sheet(n=6, seed=3):
    """Several blends on one image, each with two to four sources."""
    rng = np.random.default_rng(seed)
    groups = []
    for k in range(n):
        x, y = 30 + 60 * (k % 3), 30 + 60 * (k // 3)
        groups.append(
            [
                (
                    x + rng.uniform(-9, 9),
                    y + rng.uniform(-9, 9),
                    rng.uniform(4e3, 4e4),
                    rng.choice([1.8, 3.0]),
                )
                for _ in range(rng.integers(2, 5))
            ]
        )
    image = stars((60 * -(-n // 3), 180), [p for g in groups for p in g], seed=seed)
    footprints = [blend(image, g) for g in groups]
    return image, footprints


def same(one, other):
    """Two catalogues are equal to the last bit."""
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)
    for name in ("span_offsets", "spans", "peak_offsets", "peaks", "heavy_offsets"):
        np.testing.assert_array_equal(getattr(one.footprints, name), getattr(other.footprints, name))
    for name in ("image", "mask", "variance"):
        ours, theirs = getattr(one.footprints.heavy, name), getattr(other.footprints.heavy, name)
        assert ours.tobytes() == theirs.tobytes(), name


# ---------------------------------------------------------------------------------------------------- what it does


def test_a_blend_has_children_and_a_single_source_none():
    image, footprint = one_blend()
    single = Footprint(np.array([[2, 2, 6], [3, 2, 6]], np.int32), peaks_at([(4, 2)]))
    before = image.copy()
    e, catalog = deblended(image, [single, footprint])
    np.testing.assert_array_equal(e.image, before)
    assert not e.mask.any()
    assert len(catalog) == 5 and len(np.unique(catalog["id"])) == 5
    assert catalog["deblend_nChild"].tolist() == [0, 3, 0, 0, 0]
    rows = children(catalog, 1)
    assert rows.tolist() == [2, 3, 4]
    assert catalog["deblend_parentNPeaks"][rows].tolist() == [3, 3, 3]
    assert catalog["deblend_peakId"][rows].tolist() == footprint.peaks["id"].tolist()
    assert catalog["deblend_deblendedAsPsf"][rows].tolist() == [True, True, False]
    psf = rows[:2]
    np.testing.assert_allclose(catalog["deblend_psfCenter_x"][psf], [20, 31], atol=0.1)
    np.testing.assert_allclose(catalog["deblend_psf_instFlux"][psf], [20_000, 12_000], rtol=0.05)
    assert np.isnan(catalog["deblend_psf_instFlux"][rows[2]])
    assert not any(catalog[f"deblend_{flag}"].any() for flag in ("failed", "skipped", "tooManyPeaks"))
    # each child has about its own light
    for row, (_, _, flux, *_) in zip(rows, PLACES, strict=True):
        assert catalog.heavy(int(row)).heavy.image.sum() == pytest.approx(flux, rel=0.1)


@each_option
def test_children_share_the_image(options):
    """Where templates are, the children's pixels add up to the image; their footprints are the parent's."""
    image, footprint = one_blend()
    _, catalog = deblended(image, [footprint], **options)
    rows = children(catalog)
    total = sum(painted(catalog.footprints[int(r)], SHAPE) for r in rows)
    claimed = total != 0
    np.testing.assert_allclose(total[claimed], image[claimed], rtol=1e-5, atol=1e-3)
    inside = np.zeros(SHAPE, bool)
    parent = catalog.footprints[0]
    y, x = parent.pixels()
    inside[y, x] = True
    assert not (claimed & ~inside).any()
    for r in rows:
        y, x = catalog.footprints[int(r)].pixels()
        assert inside[y, x].all()
        heavy = catalog.heavy(int(r)).heavy
        assert np.isfinite(heavy.image).all()
    if options.get("strayFluxRule", "trim") == "trim":
        area = np.zeros(SHAPE, bool)
        for r in rows:
            y, x = catalog.footprints[int(r)].pixels()
            area[y, x] = True
        np.testing.assert_array_equal(area, inside)
    else:
        assert parent.area == footprint.area


@each_option
@pytest.mark.parametrize("origin", [(0, 0), (700, -300)])
def test_threads_and_company_do_not_matter(options, origin):
    """A blend comes out the same to the last bit by itself and among others, with any number of threads."""
    image, footprints = sheet()
    x0, y0 = origin
    for f in footprints:
        f.spans[:] += np.array([y0, x0, x0], np.int32)
        f.peaks["i_x"] += x0
        f.peaks["i_y"] += y0
        f.peaks["f_x"] += x0
        f.peaks["f_y"] += y0
    _, together = deblended(exposure(image, x0=x0, y0=y0), footprints, **options)
    with threads.use(3):
        _, threaded = deblended(exposure(image, x0=x0, y0=y0), footprints, **options)
    same(together, threaded)
    for i, footprint in enumerate(footprints):
        _, alone = deblended(exposure(image, x0=x0, y0=y0), [footprint], **options)
        rows = children(together, i)
        assert len(rows) == len(alone) - 1
        np.testing.assert_array_equal(alone.footprints[0].spans, together.footprints[i].spans)
        for k, row in enumerate(rows.tolist(), 1):
            ours, theirs = alone.heavy(k), together.heavy(row)
            np.testing.assert_array_equal(ours.spans, theirs.spans)
            np.testing.assert_array_equal(ours.heavy.image, theirs.heavy.image)


def test_coordinates_are_the_parent_images():
    image, footprint = one_blend()
    _, here = deblended(image, [footprint])
    shift = np.array([1000, -200, -200], np.int32)
    peaks = footprint.peaks.copy()
    for x, y in (("f_x", "f_y"), ("i_x", "i_y")):
        peaks[x] -= 200
        peaks[y] += 1000
    moved = Footprint(footprint.spans + shift, peaks)
    _, there = deblended(exposure(image, x0=-200, y0=1000), [moved])
    np.testing.assert_array_equal(there.footprints.spans, here.footprints.spans + shift)
    np.testing.assert_array_equal(there.footprints.heavy.image, here.footprints.heavy.image)
    np.testing.assert_array_equal(there["deblend_peak_center_x"][1:], here["deblend_peak_center_x"][1:] - 200)
    np.testing.assert_allclose(there["deblend_psfCenter_y"], here["deblend_psfCenter_y"] + 1000)


# ---------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"maxFootprintArea": 50}, "parentTooBig"),
        ({"maxFootprintSize": 20}, "parentTooBig"),
        ({"minFootprintAxisRatio": 0.99}, "parentTooBig"),
        ({"maskLimits": {"BAD": 0.1}}, "masked"),
    ],
)
@pytest.mark.parametrize("defects", [False, True])
def test_limits_skip_one_blend_and_flag_it(options, flag, defects):
    places = [(24.0, 30.0, 20_000.0), (33.0, 30.0, 12_000.0), (44.0, 30.0, 30_000.0)]
    small = [(60.0, 10.0, 9_000.0), (64.0, 10.0, 8_000.0)]
    image = stars(SHAPE, places + small)
    e = exposure(image)
    e.mask[27:33, 20:50] = e.mask_planes.bits(["BAD"])
    little = Footprint(
        np.array([[y, 58, 66 if y < 15 else 62] for y in range(8, 13)], np.int32), peaks_at(small)
    )
    if "minFootprintAxisRatio" in options:
        little = Footprint(np.array([[y, 60, 64] for y in range(8, 13)], np.int32), peaks_at(small))
    footprints = [blend(image, places), little]
    e, catalog = deblended(e, footprints, reproduceReferenceDefects=defects, **options)
    assert catalog[f"deblend_{flag}"].tolist()[:2] == [True, False]
    assert catalog["deblend_skipped"].tolist()[0] and catalog["deblend_nChild"][0] == 0
    assert catalog["deblend_nPeaks"][0] == 3
    np.testing.assert_array_equal(catalog.footprints[0].spans, footprints[0].spans)
    bit = e.mask_planes.bits(["NOT_DEBLENDED"])
    marked = np.zeros(SHAPE, bool)
    y, x = footprints[0].pixels()
    marked[y, x] = True
    np.testing.assert_array_equal((e.mask & bit) != 0, marked)
    assert catalog["deblend_nChild"][1] > 0


@pytest.mark.parametrize(
    ("limit", "flagged", "made"), [(0, False, 3), (2, True, 2), (3, False, 3), (9, False, 3)]
)
def test_only_the_first_peaks(limit, flagged, made):
    image, footprint = one_blend()
    _, catalog = deblended(image, [footprint], maxNumberOfPeaks=limit)
    assert catalog["deblend_tooManyPeaks"][0] == flagged
    assert catalog["deblend_nChild"][0] == made
    assert catalog["deblend_parentNPeaks"][children(catalog)].tolist() == [3] * made
    _, catalog = deblended(image, [footprint], maxNumberOfPeaks=limit, reproduceReferenceDefects=True)
    assert catalog["deblend_tooManyPeaks"][0] == (limit < 3)
    assert catalog["deblend_nChild"][0] == 3


def test_every_peak_becomes_a_child_on_request():
    image, footprint = one_blend()
    _, catalog = deblended(image, [footprint], maxNumberOfPeaks=2, propagateAllPeaks=True)
    rows = children(catalog)
    assert catalog["deblend_peakId"][rows].tolist() == footprint.peaks["id"].tolist()
    last = catalog.heavy(int(rows[2]))
    assert not last.heavy.image.any()
    np.testing.assert_array_equal(last.spans, catalog.footprints[0].spans)


def test_first_blends_only():
    image, footprints = sheet()
    _, catalog = deblended(
        image, footprints, useCiLimits=True, ciNumParentsToDeblend=2, ciDeblendChildRange=[2, 3]
    )
    few = [i for i, f in enumerate(footprints) if 2 <= len(f.peaks) <= 3][:2]
    assert np.flatnonzero(catalog["deblend_nChild"]).tolist() == few


# ---------------------------------------------------------------------------------------------------- what goes wrong


class _TornPsf(GaussianPsf):
    """A PSF that cannot be drawn on the right of the image."""

    def stellar_images(self, x, y):
        if (np.asarray(x) > 120).any():
            raise ArithmeticError("torn")
        return super().stellar_images(x, y)


def test_a_blend_that_fails_costs_itself_only():
    image, footprints = sheet()
    whole = deblended(image, footprints)[1]
    _, catalog = deblended(exposure(image, psf=_TornPsf(1.8, 21, 21, analytic_stars=True)), footprints)
    lost = np.array([f.bbox.x.start > 115 for f in footprints])
    assert 0 < lost.sum() < len(lost)
    np.testing.assert_array_equal(catalog["deblend_failed"][: len(lost)], lost)
    for i in np.flatnonzero(~lost).tolist():
        ours, theirs = children(catalog, i), children(whole, i)
        assert len(ours) == len(theirs)
        for a, b in zip(ours.tolist(), theirs.tolist(), strict=True):
            np.testing.assert_array_equal(catalog.heavy(a).heavy.image, whole.heavy(b).heavy.image)


def test_failures_are_errors_on_request():
    image, footprints = sheet()
    e = exposure(image, psf=_TornPsf(1.8, 21, 21, analytic_stars=True))
    with pytest.raises(ProcessingError, match="torn"):
        deblended(e, footprints, catchFailures=False)


def test_no_psf():
    image, footprint = one_blend()
    e = exposure(image)
    e.psf = None
    with pytest.raises(ProcessingError, match="PSF"):
        deblended(e, [footprint])


def test_nothing_to_do():
    _, catalog = deblended(stars(SHAPE, []), [])
    assert len(catalog) == 0


def _nan(e, footprint):
    e.image[30, 24] = np.nan
    e.image[26:29, 40:43] = np.inf


def _saturated(e, footprint):
    y, x = footprint.pixels()
    e.image[y, x] = 1e5
    e.mask[y, x] |= e.mask_planes.bits(["SAT", "INTRP"])


def _no_variance(e, footprint):
    e.variance[:] = 0


def _nothing_there(e, footprint):
    e.image[:] = 0


def _negative(e, footprint):
    e.image[:] = -np.abs(e.image) - 1


@each_option
@pytest.mark.parametrize("spoil", [_nan, _saturated, _no_variance, _nothing_there, _negative])
def test_hostile_blends(options, spoil):
    """Whatever the pixels, the blend comes out with children, or flagged; its neighbour does not notice."""
    image, footprints = sheet(n=2)
    _, whole = deblended(image, footprints, **options)
    e = exposure(image.copy())
    part = exposure(e.image[:, :60], mask=e.mask[:, :60])
    part.variance = e.variance[:, :60]
    first = footprints[0]
    assert first.spans[:, 2].max() < 60
    spoil(part, first)
    _, catalog = deblended(e, footprints, **options)
    # a median over the image's variance sets the threshold for edges, all else is the blend's own
    assert catalog["deblend_nChild"][1] == whole["deblend_nChild"][1]
    assert catalog["deblend_nChild"][0] > 0 or catalog["deblend_skipped"][0] or catalog["deblend_failed"][0]
    if not options.get("reproduceReferenceDefects"):
        assert (catalog.footprints.areas > 0).all()


@each_option
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_blend_cut_by_the_edge(options, corner):
    """Sources half off the image; peaks on its last pixel."""
    places = [(20.0, 20.0, 20_000.0), (26.0, 23.0, 12_000.0), (20.0, 27.0, 30_000.0, 3.0)]
    image = stars((48, 48), places)
    y, x = 20 if corner[0] else 0, 20 if corner[1] else 0
    window = np.s_[20 - y : 20 - y + 28, 20 - x : 20 - x + 28]
    cut = np.ascontiguousarray(image[window])
    h, w = cut.shape
    at = [(min(px - (20 - x), w - 1), min(py - (20 - y), h - 1), *more) for px, py, *more in places]
    footprint = blend(cut, at)
    e = exposure(cut)
    edge = np.ones(cut.shape, bool)
    edge[3:-3, 3:-3] = False
    e.mask[edge] = e.mask_planes.bits(["EDGE"])
    _, catalog = deblended(e, [footprint], **options)
    assert catalog["deblend_nChild"][0] >= 2
    assert not catalog["deblend_failed"][0]
    for row in children(catalog).tolist():
        f = catalog.footprints[row]
        assert f.spans[:, 0].min() >= 0 and f.spans[:, 0].max() < h
        assert f.spans[:, 1].min() >= 0 and f.spans[:, 2].max() < w


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 12),
    options=st.sampled_from(OPTIONS),
    holes=st.floats(0, 0.3),
)
def test_any_blend(seed, n, options, holes):
    """Footprints of any shape, peaks anywhere in them, twice in one place or beside them."""
    rng = np.random.default_rng(seed)
    h, w = rng.integers(3, 40, 2)
    image = rng.normal(20, NOISE, (h, w)).astype(np.float32)
    picture = rng.random((h, w)) >= holes
    picture[h // 2, w // 2] = True
    y, x = np.nonzero(picture)
    spans = np.column_stack([y, x, x]).astype(np.int32)
    pick = rng.integers(0, len(y), n)
    places = [(float(x[k]), float(y[k])) for k in pick]
    footprint = Footprint(spans, peaks_at(places))
    _, catalog = deblended(image, [footprint], **options)
    rows = children(catalog)
    assert catalog["deblend_nChild"][0] == len(rows)
    assert not catalog["deblend_failed"][0]
    if options.get("edgeHandling", "ramp") == "ramp":
        # a template that is continued takes the parent's footprint with it
        py, px = catalog.footprints[0].pixels()
        picture[py, px] = True
    for row in rows.tolist():
        child = catalog.heavy(row)
        cy, cx = child.pixels()
        assert picture[cy, cx].all()
        assert np.isfinite(child.heavy.image).all()


def test_defaults_are_the_references():
    config = SourceDeblendConfig()
    assert (config.edgeHandling, config.strayFluxRule, config.maxFootprintArea) == ("ramp", "trim", 10000)
    assert dict(config.maskLimits) == {"NO_DATA": 0.25}

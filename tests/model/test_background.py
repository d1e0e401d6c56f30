"""Background models: grids, styles, sums, and parity with recorded runs."""

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box

from helpers.backgrounds import read_backgrounds
from helpers.shared import needs_shared, reference
from secondlight import threads
from secondlight.errors import ProcessingError
from secondlight.model.background import (
    ApproxStyle,
    BackgroundList,
    BackgroundModel,
    InterpStyle,
    UndersampleStyle,
    bin_edges,
)


def model(values, shape, **kwargs):
    return BackgroundModel(np.array(values, np.float32), Box.from_shape(shape), **kwargs)


@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
@needs_shared
def test_parity(scene):
    """Bit for bit: image minus background is what was recorded."""
    backgrounds = read_backgrounds(
        reference(scene, "inputs", "background_1.fits"), reference(scene, "inputs", "skyCorr.fits")
    )
    image = np.float32(0)
    for snap in sorted(reference(scene, "inputs").glob("postISRCCD_*.fits")):
        with fits.open(snap) as hdus:
            image = image + hdus["IMAGE"].data.astype(np.float32)
    with np.load(reference(scene, "outputs", "stages.npz")) as stages:
        np.testing.assert_array_equal(image - backgrounds.image(), stages["background_subtracted"])


def test_bins_cover_the_image():
    assert list(bin_edges(10, 3)) == [0, 3, 7, 10]
    for size, n in [(4096, 32), (1000, 7), (5, 5), (1361, 6)]:
        edges = bin_edges(size, n)
        assert edges[0] == 0
        assert edges[-1] == size
        assert (np.diff(edges) >= size // n).all()


def test_constant_bins_make_a_constant_image():
    for style in InterpStyle:
        if style is not InterpStyle.UNKNOWN:
            image = model(np.full((6, 7), 3.25), (60, 70), interp_style=style).image()
            np.testing.assert_array_equal(image, np.float32(3.25))


def test_a_plane_is_reproduced():
    y, x = np.mgrid[:60, :70]
    plane = (2 * x - 3 * y + 5).astype(np.float32)
    fitted = BackgroundModel.fit(
        plane, np.zeros((60, 70), np.int32), Box.from_shape((60, 70)), nx=7, ny=6, statistic="MEAN"
    )
    np.testing.assert_allclose(fitted.image(), plane, atol=1e-4)
    fitted.approx_style, fitted.approx_order_x = ApproxStyle.CHEBYSHEV, 2
    np.testing.assert_allclose(fitted.image(), plane, atol=1e-4)


def test_fit_leaves_out_masked_pixels_and_reports_errors():
    rng = np.random.default_rng(4)
    image = rng.normal(100, 3, (40, 50)).astype(np.float32)
    mask = (rng.random((40, 50)) < 0.2).astype(np.int32) * 2
    image[mask > 0] = 1e6
    fitted = BackgroundModel.fit(
        image, mask, Box.from_shape((40, 50)), nx=5, ny=4, statistic="MEAN", and_mask=2
    )
    part = image[10:20, 20:30][mask[10:20, 20:30] == 0].astype(np.float64)
    assert fitted.stats_image[1, 2] == pytest.approx(part.mean(), rel=1e-6)
    assert fitted.stats_variance[1, 2] == pytest.approx(part.std(ddof=1) / np.sqrt(len(part)), rel=1e-6)
    assert (
        BackgroundModel.fit(image, mask, Box.from_shape((40, 50)), nx=5, ny=4, and_mask=0).stats_image.max()
        > 200
    )
    with pytest.raises(ValueError, match="51 x 4"):
        BackgroundModel.fit(image, mask, Box.from_shape((40, 50)), nx=51, ny=4)


def test_few_bins():
    few = model([[1, 2], [3, 4], [5, 6]], (30, 20))
    linear = model([[1, 2], [3, 4], [5, 6]], (30, 20), interp_style=InterpStyle.LINEAR)
    np.testing.assert_array_equal(few.image(), linear.image())
    assert (model([[9]], (5, 6)).image() == 9).all()
    for style in (UndersampleStyle.THROW_EXCEPTION, UndersampleStyle.INCREASE_NXNYSAMPLE):
        few.undersample_style = style
        with pytest.raises(ProcessingError, match="2 x 3 bins"):
            few.image()


def test_missing_bins():
    values = np.random.default_rng(2).normal(10, 1, (6, 6))
    values[:, 2] = np.nan
    values[4, 4] = np.nan
    full = model(values, (60, 60))
    assert np.isfinite(full.image()).all()
    full.undersample_style = UndersampleStyle.THROW_EXCEPTION
    with pytest.raises(ProcessingError, match="finite"):
        full.image()
    assert np.isnan(model(np.full((6, 6), np.nan), (60, 60)).image()).all()


def test_approximation_weights_bins_by_their_errors():
    rng = np.random.default_rng(3)
    values = rng.normal(50, 1, (8, 9))
    errors = rng.uniform(0.5, 2, (8, 9)).astype(np.float32)
    values[2, 3], errors[4, 5] = np.nan, 0
    approx = model(
        values,
        (80, 90),
        stats_variance=errors,
        approx_style=ApproxStyle.CHEBYSHEV,
        approx_order_x=3,
        approx_order_y=-1,
    )
    x, y = np.meshgrid(2 * (np.arange(9) * 10 - 40) / 90, 2 * (np.arange(8) * 10 - 35) / 80)
    terms = [x**i * y**j for i in range(4) for j in range(4 - i)]
    good = np.isfinite(values) & (errors > 0)
    root = np.sqrt(1 / errors[good].astype(np.float64))
    design = np.stack([t[good] for t in terms], axis=-1) * root[:, None]
    solution = np.linalg.lstsq(design, np.float32(values)[good] * root, rcond=None)[0]
    px, py = np.meshgrid(2 * (np.arange(90) - 44.5) / 90, 2 * (np.arange(80) - 39.5) / 80)
    expected = sum(
        c * px**i * py**j
        for c, (i, j) in zip(solution, [(i, j) for i in range(4) for j in range(4 - i)], strict=True)
    )
    np.testing.assert_allclose(approx.image(), expected, rtol=2e-6)
    approx.approx_weighting = False
    assert abs(approx.image() - expected).max() > 1e-3


def test_approximation_that_cannot_be_fitted():
    kwargs = {"approx_style": ApproxStyle.CHEBYSHEV, "approx_order_x": 2}
    with pytest.raises(ProcessingError, match="error above zero"):
        model(np.ones((5, 5)), (50, 50), **kwargs).image()
    with pytest.raises(ProcessingError, match="equal orders, not 2 and 3"):
        model(np.ones((5, 5)), (50, 50), approx_order_y=3, **kwargs).image()
    one = np.full((5, 5), np.nan)
    one[2, 2] = 1
    with pytest.raises(ProcessingError, match="1 good bins"):
        model(one, (50, 50), approx_weighting=False, **kwargs).image()
    with pytest.raises(ProcessingError, match="neither"):
        model(np.ones((5, 5)), (50, 50), interp_style=InterpStyle.UNKNOWN).image()
    assert (
        model(
            np.ones((5, 5)), (50, 50), interp_style=InterpStyle.UNKNOWN, approx_weighting=False, **kwargs
        ).image()
    ).all()


def test_sum_is_float32_in_order():
    rng = np.random.default_rng(8)
    models = [model(rng.normal(1000, 50, (6, 6)), (60, 61)) for _ in range(3)]
    a, b, c = (m.image() for m in models)
    np.testing.assert_array_equal(BackgroundList(models).image(), (a + b) + c)
    assert BackgroundList().image() is None


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(9)
    image, mask = rng.normal(5, 1, (700, 300)).astype(np.float32), np.zeros((700, 300), np.int32)

    def make():
        fitted = BackgroundModel.fit(image, mask, Box.from_shape((700, 300)), nx=6, ny=14)
        approx = BackgroundModel.fit(
            image,
            mask,
            Box.from_shape((700, 300)),
            nx=6,
            ny=14,
            approx_style=ApproxStyle.CHEBYSHEV,
            approx_order_x=4,
        )
        return fitted.image(), approx.image()

    one = make()
    with threads.use(3):
        three = make()
    np.testing.assert_array_equal(one[0], three[0])
    np.testing.assert_array_equal(one[1], three[1])


def test_planes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        model(np.ones((3, 3)), (9, 9), stats_mask=np.zeros((2, 2), np.int32))

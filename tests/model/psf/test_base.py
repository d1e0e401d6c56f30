"""What holds for every kind of PSF."""

import numpy as np
import pytest
from lsst.images import Box

from helpers.psfs import BOUNDS, every_psf, piff_psf
from secondlight import threads
from secondlight.model.psf import BatchPsf, GaussianPsf, SingleGaussianPsf

PSFS = every_psf()
X = np.array([3.0, 200.25, 511.5, 800.9, 1000.0])
Y = np.array([5.0, 900.75, 499.5, 17.49, 2.0])

each = pytest.mark.parametrize("psf", PSFS.values(), ids=PSFS.keys())


@each
def test_batch_equals_one_at_a_time(psf: BatchPsf):
    kernels, stars = psf.kernel_images(X, Y), psf.stellar_images(X, Y)
    for i, (x, y) in enumerate(zip(X.tolist(), Y.tolist(), strict=True)):
        one = psf.compute_kernel_image(x=x, y=y)
        assert one.bbox == psf.kernel_bbox
        assert np.abs(kernels[i] - one.array).max() <= 1e-6 * one.array.max()
        star = psf.compute_stellar_image(x=x, y=y)
        assert star.bbox == psf.compute_stellar_bbox(x=x, y=y)
        assert (star.bbox.x.start, star.bbox.y.start) == (stars.x0[i], stars.y0[i])
        assert np.abs(stars.images[i] - star.array).max() <= 1e-6 * star.array.max()


@each
def test_number_of_threads_changes_nothing(psf: BatchPsf):
    x, y = np.repeat(X, 40), np.repeat(Y, 40)
    with threads.use(1):
        one = psf.kernel_images(x, y), psf.stellar_images(x, y).images, psf.moments(x, y)
    with threads.use(2):
        two = psf.kernel_images(x, y), psf.stellar_images(x, y).images, psf.moments(x, y)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_images_have_unit_sum(psf: BatchPsf):
    assert psf.kernel_images(X, Y).sum(axis=(1, 2)) == pytest.approx(1.0, abs=1e-6)
    assert psf.stellar_images(X, Y).images.sum(axis=(1, 2)) == pytest.approx(1.0, abs=1e-3)


@each
def test_nan_means_the_average_position(psf: BatchPsf):
    x, y = psf.average_position
    for bad in ((np.nan, np.nan), (np.nan, 3.0), (3.0, np.nan)):
        np.testing.assert_array_equal(psf.kernel_images([bad[0]], [bad[1]]), psf.kernel_images([x], [y]))
        np.testing.assert_array_equal(psf.moments([bad[0]], [bad[1]]), psf.moments([x], [y]))


@each
def test_no_position_at_all(psf: BatchPsf):
    assert psf.kernel_images([], []).shape[0] == 0
    assert len(psf.stellar_images([], []).x0) == 0
    assert psf.moments([], []).shape == (0, 3)
    assert psf.aperture_flux(3.0, [], []).shape == psf.effective_area([], []).shape == (0,)


@pytest.mark.parametrize("name", [n for n in PSFS if not n.startswith("wrapped")])
def test_star_lies_at_its_position(name):
    # the wrapped PSFs place their stars themselves
    psf = PSFS[name]
    stars, kernels = psf.stellar_images(X, Y), psf.kernel_images(X, Y)
    rows, columns = np.mgrid[: kernels.shape[1], : kernels.shape[2]]
    for axis, first, position in ((columns, stars.x0, X), (rows, stars.y0, Y)):
        place = (stars.images * axis).sum(axis=(1, 2)) / stars.images.sum(axis=(1, 2)) + first
        # the model's own centroid
        own = (kernels * axis).sum(axis=(1, 2)) - axis.max() / 2
        np.testing.assert_allclose(place - position, own, atol=0.03)


@each
def test_numbers_follow_from_the_image(psf: BatchPsf):
    image = psf.kernel_images([300.0], [400.0])[0]
    area = psf.effective_area([300.0], [400.0])[0]
    assert area == pytest.approx(image.sum() ** 2 / (image**2).sum(), rel=1e-12)
    flux = psf.aperture_flux(4.0, [300.0], [400.0])[0]
    h, w = image.shape
    rows, columns = np.mgrid[:h, :w] - np.array([h // 2, w // 2])[:, None, None]
    inside = np.hypot(rows, columns)
    assert image[inside < 3].sum() < flux < image[inside < 5].sum()
    shape = psf.moments([300.0], [400.0])[0]
    assert shape[0] * shape[1] > shape[2] ** 2


@each
def test_bounds_can_be_set(psf: BatchPsf):
    other = psf.with_bounds(Box.factory[3:5, 6:8])
    assert other.bounds == Box.factory[3:5, 6:8]
    assert psf.bounds == BOUNDS
    np.testing.assert_array_equal(other.kernel_images([3], [4]), psf.kernel_images([3], [4]))


def test_bounds_are_everything_unless_given():
    assert GaussianPsf(2.0, 5, 5).bounds.contains(x=-100000, y=100000)


def test_gaussian_is_exact_and_measured_gaussian_nearly():
    exact, measured = GaussianPsf(1.8, 41, 41), SingleGaussianPsf(1.8, 41, 41)
    np.testing.assert_array_equal(exact.moments([1.0], [2.0]), [[1.8**2, 1.8**2, 0.0]])
    np.testing.assert_allclose(measured.moments([1.0], [2.0]), [[1.8**2, 1.8**2, 0.0]], atol=1e-4)
    np.testing.assert_allclose(
        measured.aperture_flux(4.0, [1.0], [2.0]), exact.aperture_flux(4.0, [1.0], [2.0]), atol=2e-5
    )
    assert exact.effective_area([1.0], [2.0])[0] == pytest.approx(4 * np.pi * 1.8**2, rel=1e-9)


@pytest.mark.parametrize("radius", [13.0, 100.0, 0.0, -1.0, np.nan, np.inf])
def test_aperture_that_cannot_be_measured(radius):
    assert np.isnan(piff_psf().aperture_flux(radius, [300.0], [400.0])).all()
    assert np.isfinite(piff_psf().aperture_flux(12.5, [300.0], [400.0])).all()


def test_many_positions_are_drawn_a_chunk_at_a_time():
    psf = piff_psf()
    x = np.linspace(0, 1000, 2500)
    moments = psf.moments(x, x)
    np.testing.assert_array_equal(
        moments[[0, 1100, 2499]], psf.moments(x[[0, 1100, 2499]], x[[0, 1100, 2499]])
    )

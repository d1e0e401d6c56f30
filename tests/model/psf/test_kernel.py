"""Kernel PSFs and their functions of position, against readable twins."""

import numpy as np
import pytest

from helpers.psfs import kernel_psf
from secondlight.model.psf import (
    Chebyshev1Function2D,
    FixedKernel,
    KernelPsf,
    LinearCombinationKernel,
    PolynomialFunction2D,
)


def test_polynomial_order_of_terms():
    c = np.arange(1.0, 11.0)
    x, y = np.array([2.0, -1.0]), np.array([3.0, 0.5])
    terms = [1, x, y, x**2, x * y, y**2, x**3, x**2 * y, x * y**2, y**3]
    expected = sum(ci * term for ci, term in zip(c, terms, strict=True))
    np.testing.assert_allclose(PolynomialFunction2D(c)(x, y), expected, rtol=1e-14)


def test_chebyshev_order_of_terms():
    c = np.arange(1.0, 7.0)
    x, y = np.array([10.0, 30.0, 14.0]), np.array([-5.0, 5.0, 1.0])
    u, v = (x - 20) / 10, y / 5
    expected = c[0] + c[1] * u + c[2] * v + c[3] * (2 * u**2 - 1) + c[4] * u * v + c[5] * (2 * v**2 - 1)
    np.testing.assert_allclose(Chebyshev1Function2D(c, 10, -5, 30, 5)(x, y), expected, rtol=1e-14)


def test_incomplete_polynomial():
    with pytest.raises(ValueError, match="4 coefficients"):
        PolynomialFunction2D(np.ones(4))(np.ones(1), np.ones(1))


def test_combination():
    psf = kernel_psf()
    kernel = psf.kernel
    x, y = np.array([100.0, 900.0]), np.array([50.0, 700.0])
    for i in range(2):
        a = 1.0 + 1e-4 * x[i] - 2e-4 * y[i]
        u, v = (2 * x[i] - 1023) / 1023, (2 * y[i] - 999) / 999
        b = 0.5 + 0.1 * u - 0.2 * v
        expected = a * kernel.components[0] + b * kernel.components[1]
        np.testing.assert_allclose(psf.kernel_images(x, y)[i], expected / expected.sum(), rtol=1e-12)
    assert psf.average_position == (511.0, 499.0)


def test_constant_amplitudes():
    components = np.random.default_rng(1).uniform(size=(2, 5, 5))
    psf = KernelPsf(LinearCombinationKernel(components, [2.0, 0.5], 2, 2))
    expected = 2 * components[0] + 0.5 * components[1]
    np.testing.assert_allclose(psf.kernel_images([1.0], [2.0])[0], expected / expected.sum(), rtol=1e-14)
    assert psf.average_position == (0.0, 0.0)


def test_origin_beside_the_middle():
    image = np.zeros((4, 5))
    image[1, 3] = 2.0
    psf = KernelPsf(FixedKernel(image, 3, 1))
    drawn = psf.kernel_images([0.0], [0.0])[0]
    box = psf.kernel_bbox
    # the origin is the brightest pixel, and nothing is lost
    assert drawn[-box.y.start, -box.x.start] == 1.0
    assert drawn.shape == (5, 7)


def test_as_many_amplitudes_as_components():
    with pytest.raises(ValueError, match="2 components and 1 amplitudes"):
        KernelPsf(LinearCombinationKernel(np.ones((2, 3, 3)), [1.0], 1, 1))

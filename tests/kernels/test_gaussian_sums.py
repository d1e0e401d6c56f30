"""Sums under a Gaussian weight against a twin that keeps the roundings, for boxes of one block and of many."""

import numpy as np
import pytest

from secondlight.kernels.gaussian_sums import weighted_sums


def twin(image, box, x_centre, y_centre, background, weights):
    """NumPy, with each rounding to single precision in its place."""
    x0, y0, x1, y1 = box
    f32 = np.float32
    rows, columns = (a.astype(f32) for a in np.mgrid[y0 : y1 + 1, x0 : x1 + 1])
    x, y = columns - f32(x_centre), rows - f32(y_centre)
    pixel = image[y0 : y1 + 1, x0 : x1 + 1].astype(f32) - f32(background)
    xx, xy, yy = x * x, x * y, y * y
    w11, w12, w22 = weights
    exponent = (xx * np.float64(w11) + 2.0 * xy * np.float64(w12) + yy * np.float64(w22)).astype(f32)
    f = pixel * np.exp(-0.5 * exponent.astype(float)).astype(f32)
    f[exponent > 14] = 0
    return [np.sum(t * f, dtype=float) for t in (f32(1), columns, rows, xx, xy, yy)]


@pytest.mark.parametrize(
    ("weights", "box"),
    [
        ((0.3, 0.05, 0.25), (5, 3, 26, 24)),
        ((1e-3, 4e-4, 8e-4), (0, 0, 299, 149)),
        ((1e-4, 0.0, 1e-4), (20, 10, 299, 149)),
        # rows longer than a block, cut by the ellipse on both sides
        ((2e-5, 1e-5, 2e-2), (0, 50, 1099, 99)),
        ((0.0, 0.0, 0.0), (2, 2, 40, 41)),
    ],
)
def test_twin(weights, box):
    rng = np.random.default_rng(5)
    image = rng.normal(50.0, 10.0, (150, 1100)).astype(np.float32)
    x, y = 0.5 * (box[0] + box[2]) + 0.3, 0.5 * (box[1] + box[3]) - 0.2
    sums = np.empty(6)
    good = weighted_sums(
        image, np.array(box), np.float32(x), np.float32(y), np.float32(1.5), False, *weights, sums
    )
    expected = twin(image, box, x, y, 1.5, weights)
    assert good
    # the weights may differ in their last digit where two exponentials round differently
    np.testing.assert_allclose(sums, expected, rtol=1e-7, atol=1e-7 * expected[3])


def subpixel_twin(image, box, x_centre, y_centre, background, weights):
    """The same with each pixel sampled at 4x4 places, whose products with the weighted pixel are not rounded."""
    x0, y0, x1, y1 = box
    f32, (w11, w12, w22) = np.float32, (np.float64(w) for w in weights)

    def exponent(u, v):
        return (u * u * w11 + v * v * w22 + 2.0 * u.astype(float) * v * w12).astype(f32)

    rows, columns = (a.astype(f32) for a in np.mgrid[y0 : y1 + 1, x0 : x1 + 1])
    x, y = columns - f32(x_centre), rows - f32(y_centre)
    pixel = image[y0 : y1 + 1, x0 : x1 + 1].astype(f32) - f32(background)
    corners = [exponent(x + f32(dx), y + f32(dy)) for dx in (-0.375, 0.375) for dy in (-0.375, 0.375)]
    used = np.max(corners, axis=0) <= 9
    sums = np.zeros(6)
    for i in range(4):
        for j in range(4):
            u, v = x - f32(0.375), y - f32(0.375)
            for _ in range(j):
                u = u + f32(0.25)
            for _ in range(i):
                v = v + f32(0.25)
            xx, xy, yy = (t.astype(float) for t in (u * u, u * v, v * v))
            weight = np.exp(-0.5 * (xx * w11 + 2 * xy * w12 + yy * w22).astype(f32).astype(float)).astype(f32)
            f = np.where(used, pixel * weight, f32(0))
            terms = (f, (u + f32(x_centre)) * f, (v + f32(y_centre)) * f, xx * f, xy * f, yy * f)
            sums += [np.sum(t, dtype=float) for t in terms]
    return sums


@pytest.mark.parametrize("weights", [(4.5, 0.3, 5.0), (12.0, -1.0, 2.0)])
def test_subpixel_twin(weights):
    rng = np.random.default_rng(6)
    image = rng.normal(50.0, 10.0, (60, 70)).astype(np.float32)
    box, x, y = (20, 25, 45, 50), 33.1, 37.4
    sums = np.empty(6)
    arguments = np.array(box), np.float32(x), np.float32(y), np.float32(1.5), True
    assert weighted_sums(image, *arguments, *weights, sums)
    expected = subpixel_twin(image, box, x, y, 1.5, weights)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12 * expected[0])


def test_nan_is_seen():
    image = np.ones((30, 30), np.float32)
    image[12, 14] = np.nan
    sums = np.empty(6)
    box, centre = np.array([0, 0, 29, 29]), np.float32(15.0)
    assert not weighted_sums(image, box, centre, centre, np.float32(0), False, 0.2, 0.0, 0.2, sums)
    # beyond the weight's reach it is not
    image[12, 14], image[0, 0] = 1.0, np.nan
    assert weighted_sums(image, box, centre, centre, np.float32(0), False, 0.2, 0.0, 0.2, sums)

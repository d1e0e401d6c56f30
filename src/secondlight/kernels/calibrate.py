"""Pixels times a calibration that is a polynomial of position (spec 10.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["multiply_by_chebyshev"]


@jit
def multiply_by_chebyshev(
    coefficients: NDArray[np.float64],
    x: NDArray[np.float64],
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Multiply an image by a Chebyshev polynomial, and its variance twice, in place.

    Products are made in double precision and rounded to float32 one by one.

    Parameters
    ----------
    coefficients
        Shape ``(n, ny)``: the coefficients along x of each row.
    x
        Shape ``(nx,)``: the columns as the polynomial's argument, -1 to 1.
    image, variance
        Shape ``(ny, nx)``.
    """
    n = coefficients.shape[0]
    for j in range(image.shape[0]):
        for i in range(image.shape[1]):
            # Clenshaw's recurrence, in the order of numpy.polynomial
            if n == 1:
                c0, c1 = coefficients[0, j], 0.0
            else:
                c0, c1 = coefficients[n - 2, j], coefficients[n - 1, j]
                for k in range(n - 3, -1, -1):
                    c0, c1 = coefficients[k, j] - c1, c0 + c1 * (2.0 * x[i])
            value = c0 + c1 * x[i]
            image[j, i] = np.float32(image[j, i] * value)
            once = np.float32(variance[j, i] * value)
            variance[j, i] = np.float32(once * value)

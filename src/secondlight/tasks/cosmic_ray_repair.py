"""What stands in for pixels that a cosmic ray hit.

The reference means to take the smallest of four linear predictions from good neighbours, but a fault in its test of
which neighbours are good makes it fill every pixel with noise (spec 03.3). Here the pixels are predicted, as a
Gaussian process whose covariance is the PSF's autocorrelation; `noise_fill` is the reference's way.

On empty sky the result is the mean of the four lines' predictions, weighted by their expected errors. On a source, and
everywhere while rays still grow, it is the smallest of the good ones, because charge beside the pixel that was not
recognised matters most there. Measured with tracks drawn on the recorded scene ``small`` and found by this package: root
mean square error on sky 1.10 sigma (1 is the true pixel's own noise; 1.24 with the smallest everywhere, 1.66 with the
reference's noise), on sources 1.6 sigma (2.5 with the mean everywhere, 5.2 with noise).
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from secondlight.kernels.linear_prediction import LINES, OFFSETS, predict_pixels
from secondlight.model.random import AfwRandom

__all__ = ["LinePrediction", "noise_fill"]

#: Ratios of noise to signal variance that tables are made for: from a star of 60 sigma to empty sky.
_LEVELS = np.array([3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0])

#: Ratio of noise to signal variance below which a pixel lies on a source.
_SMALLEST_BELOW = 0.1

#: A line whose expected squared error is more times than this that of the best does not count on a source.
_WORST = 4.0


def _autocorrelation(psf: NDArray[np.float64], dx: int, dy: int) -> float:
    """Sum of the products of pixels that are (dx, dy) apart; ``dx`` is not negative."""
    height, width = psf.shape
    if dx >= width or abs(dy) >= height:
        return 0.0
    here = psf[max(0, -dy) : height - max(0, dy), : width - dx]
    there = psf[max(0, dy) : height - max(0, -dy), dx:]
    return float((here * there).sum())


def _prediction_tables(psf: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and squared errors of the prediction for each level of noise, line, and pattern of good neighbours.

    Ordinary kriging: the weights that minimise the expected squared error among those that sum to 1, so that any
    level of the background is allowed. A pattern needs good neighbours on both sides.
    """
    n_patterns = 1 << len(OFFSETS)
    weights = np.zeros((len(_LEVELS), len(LINES), n_patterns, len(OFFSETS)))
    errors = np.full((len(_LEVELS), len(LINES), n_patterns), np.inf)
    lags = OFFSETS.max() - OFFSETS.min() + 1
    covariances = np.array(
        [[_autocorrelation(psf, lag * dx, lag * dy) for lag in range(lags)] for dx, dy in LINES]
    )
    covariances /= covariances[:, :1]
    for pattern in range(n_patterns):
        good = np.array([k for k in range(len(OFFSETS)) if pattern >> k & 1], int)
        at = OFFSETS[good]
        if not ((at < 0).any() and (at > 0).any()):
            continue
        n = len(at)
        to_pixel = covariances[:, np.abs(at)]
        # for each level and line
        matrix = np.ones((len(_LEVELS), len(LINES), n + 1, n + 1))
        matrix[..., n, n] = 0.0
        matrix[..., :n, :n] = covariances[:, np.abs(at[:, None] - at)]
        matrix[..., range(n), range(n)] += _LEVELS[:, None, None]
        right = np.broadcast_to(np.append(to_pixel, np.ones((len(LINES), 1)), axis=1), matrix.shape[:-1])
        weight = np.linalg.solve(matrix, right[..., None])[..., :n, 0]
        weights[:, :, pattern, good] = weight
        noisy = np.einsum("...i,...ij,...j", weight, matrix[..., :n, :n], weight)
        errors[:, :, pattern] = 1.0 - 2.0 * (weight * to_pixel).sum(axis=-1) + noisy
    return weights, errors


class LinePrediction:
    """Predicts pixels from their neighbours along a row, a column and two diagonals.

    Parameters
    ----------
    psf
        PSF image; its autocorrelation is the covariance.
    """

    def __init__(self, psf: NDArray[np.float64]) -> None:
        self._weights, self._errors = _prediction_tables(psf)

    def fill(
        self,
        image: NDArray[np.float32],
        mask: NDArray[np.int32],
        variance: NDArray[np.float32],
        *,
        pixels: NDArray[np.int64],
        unusable: int,
        otherwise: float,
        growing: bool = False,
    ) -> int:
        """Replace pixels in place.

        Parameters
        ----------
        image, mask, variance
            Shape ``(ny, nx)``; ``image`` is changed.
        pixels
            Flat indices of the pixels to replace.
        unusable
            Mask bits of neighbours that must not be used; each pixel to replace must have one of them.
        otherwise
            Value for a pixel without a good pixel anywhere near.
        growing
            Whether a neighbour may be hit and not yet be known to be: then the smallest prediction is taken everywhere.

        Returns
        -------
        int
            Number of pixels that became the median of the good pixels around, for want of neighbours on a line.
        """
        return predict_pixels(
            image,
            mask,
            variance,
            unusable,
            pixels,
            LINES,
            OFFSETS,
            _LEVELS,
            self._weights,
            self._errors,
            inf if growing else _SMALLEST_BELOW,
            inf if growing else _WORST,
            otherwise,
        )


def noise_fill(
    image: NDArray[np.float32], variance: NDArray[np.float32], pixels: NDArray[np.int64], background: float
) -> None:
    """Replace pixels in place by the background and noise, from a new stream: what the reference does.

    Parameters
    ----------
    image, variance
        Shape ``(ny, nx)``; ``image`` is changed.
    pixels
        Flat indices, one deviate each; of those given twice the last counts.
    background
        Level under the sources.
    """
    deviates = AfwRandom().gaussian(len(pixels))
    with np.errstate(invalid="ignore"):  # a negative variance gives NaN, as in the reference
        sigma = np.sqrt(variance.reshape(-1)[pixels])
    image.reshape(-1)[pixels] = np.float64(background) + sigma.astype(np.float64) * deviates

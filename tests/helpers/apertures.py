"""A band-limited star, and its light within ellipses by fine integration."""

import math

import numpy as np
from scipy.special import erf

from secondlight.kernels.pixels import Pixels

#: Of the star [pixel]: what such a Gaussian has above Nyquist is 3e-9 of it.
SIGMA = 2.0


def gaussian(ny, nx, x, y, x0=0, y0=0, sigma=SIGMA):
    """Image of a star of unit flux."""
    gy, gx = np.mgrid[y0 : y0 + ny, x0 : x0 + nx]
    density = np.exp(-0.5 * ((gx - x) ** 2 + (gy - y) ** 2) / sigma**2) / (2 * math.pi * sigma**2)
    return density.astype(np.float32)


def pixels(image, variance):
    """The image without masks."""
    return Pixels.of(image, np.zeros(image.shape, np.int32), variance)


def integral(x, y, centre_x, centre_y, a, b, theta, sigma=SIGMA):
    """Integrate the Gaussian at (x, y) over an ellipse: in rows of at most 1/50 pixel along its axes, exact in each."""
    dx, dy = x - centre_x, y - centre_y
    # the Gaussian is round: turn it, not the ellipse
    along, across = dx * math.cos(theta) + dy * math.sin(theta), dy * math.cos(theta) - dx * math.sin(theta)
    n = math.ceil(math.pi * b * 50)
    t = (np.arange(n) + 0.5) / n * math.pi
    v, half = -b * np.cos(t), a * np.sin(t)
    s = sigma * math.sqrt(2)
    row = 0.5 * (erf((half - along) / s) - erf((-half - along) / s))
    height = b * np.sin(t) * math.pi / n
    return (row * np.exp(-(((v - across) / s) ** 2)) * height).sum() / (s * math.sqrt(math.pi))

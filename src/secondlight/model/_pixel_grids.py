"""PSFs of all kinds as Piff pixel grids whose values are polynomials of position, and back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from lsst.images import Box
from numpy.polynomial import Chebyshev, Polynomial
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from ..errors import InputError
from .psf import (
    AffineWcs,
    BatchPsf,
    KernelPsf,
    LinearCombinationKernel,
    PiffInterpolation,
    PiffPsf,
    PiffStars,
    PixelGrid,
    PolynomialFunction2D,
    PsfexPsf,
)

__all__ = ["approximate", "kernel_as_piff", "kernel_from_piff", "psfex_as_piff", "psfex_from_piff"]

#: What an approximation may differ from the PSF, in units of the peak.
_TOLERANCE = 1e-3
#: Highest order of the polynomials of an approximation.
_MAX_ORDER = 6


def _monomials(
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]], order: int, box: Box
) -> NDArray[np.float64]:
    """Return the coefficients of functions that are polynomials of x and y.

    Parameters
    ----------
    function
        From positions of shape ``(n,)`` to values of shape ``(n, k)``.
    order
        Total degree.
    box
        Where they are evaluated.

    Returns
    -------
    ndarray
        Shape ``(k, order + 1, order + 1)``: element [:, i, j] belongs to x^i y^j, and is 0 where i + j >
        order.
    """
    x, y = _nodes(order, box)
    values = np.asarray(function(x, y), np.float64)
    solution = np.linalg.solve(_products(x, y, order, box), values)
    return _to_powers(solution.T.reshape(-1, order + 1, order + 1), order, box)


def _nodes(order: int, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (order + 1)² positions that determine a polynomial of that degree in each variable well."""
    t = np.cos(np.pi * (np.arange(order + 1) + 0.5) / (order + 1))
    tx, ty = (a.ravel() for a in np.meshgrid(t, t, indexing="ij"))
    return box.x.center + 0.5 * box.x.size * tx, box.y.center + 0.5 * box.y.size * ty


def _products(x: NDArray[np.float64], y: NDArray[np.float64], order: int, box: Box) -> NDArray[np.float64]:
    """Return the products of Chebyshev polynomials over a box at positions, shape ``(n, (order + 1)²)``."""
    along_x = chebvander((x - box.x.center) / (0.5 * box.x.size), order)
    along_y = chebvander((y - box.y.center) / (0.5 * box.y.size), order)
    return (along_x[:, :, None] * along_y[:, None, :]).reshape(len(x), -1)


def _to_powers(chebyshev: NDArray[np.float64], order: int, box: Box) -> NDArray[np.float64]:
    """Turn coefficients of Chebyshev polynomials over a box into those of powers of x and y."""

    def matrix(centre: float, size: float) -> NDArray[np.float64]:
        domain = [centre - 0.5 * size, centre + 0.5 * size]
        out = np.zeros((order + 1, order + 1))
        for i in range(order + 1):
            out[i, : i + 1] = Chebyshev.basis(i, domain=domain).convert(kind=Polynomial).coef
        return out

    along_x, along_y = matrix(box.x.center, box.x.size), matrix(box.y.center, box.y.size)
    powers = np.einsum("kij,ip,jq->kpq", chebyshev, along_x, along_y)
    i, j = np.indices((order + 1, order + 1))
    return np.where(i + j <= order, powers, 0.0)


def _grid_model(
    planes: NDArray[np.float64],
    centre: tuple[int, int],
    powers: NDArray[np.float64],
    psf: BatchPsf,
    scale: float,
    lanczos: int,
) -> PiffPsf:
    """Return the Piff model whose grid is a sum of planes with polynomial amplitudes.

    Parameters
    ----------
    planes
        Shape ``(k, h, w)``.
    centre
        Row and column of the planes' origin.
    powers
        Shape ``(k, n + 1, n + 1)``, as `_monomials` returns.
    psf
        Where the size of the stamps and the average position come from.
    scale
        Spacing of the planes' pixels [pixel].
    lanczos
        Order of the interpolant.
    """
    half = max(max(c, n - 1 - c) for c, n in zip(centre, planes.shape[1:], strict=True))
    rows, columns = ((half - c, half - (n - 1 - c)) for c, n in zip(centre, planes.shape[1:], strict=True))
    square = np.pad(planes, ((0, 0), rows, columns))
    n = powers.shape[1]
    i, j = np.indices((n, n))
    mask = i + j < n
    coefficients = square.reshape(len(planes), -1).T @ powers[:, mask]
    height, width = (int(v) for v in psf.kernel_bbox.shape)
    x, y = psf.average_position
    at = np.array([[x, y]]) if math.isfinite(x + y) else np.empty((0, 2))
    no = np.zeros(len(at), bool)
    return PiffPsf(
        PixelGrid(scale, 2 * half + 1, lanczos),
        PiffInterpolation(("x", "y"), mask, coefficients),
        AffineWcs((1.0, 0.0, 0.0, 1.0)),
        PiffStars(at[:, 0], at[:, 1], no, no, np.full(len(at), np.nan)),
        height=height,
        width=width,
    )


def _planes_and_powers(model: PiffPsf, h: int, w: int) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Return the grid's values for each product of powers, cut to ``h`` by ``w``, and those powers (of x, of y)."""
    size = model.grid.size
    planes = model.interpolation.coefficients.T.reshape(-1, size, size)
    top, left = size // 2 - h // 2, size // 2 - w // 2
    powers = [(int(i), int(j)) for i, j in zip(*np.nonzero(model.interpolation.mask), strict=True)]
    return planes[:, top : top + h, left : left + w], powers


def kernel_as_piff(psf: KernelPsf, box: Box) -> PiffPsf:
    """Return the Piff model with the same kernel images.

    Parameters
    ----------
    psf
        The PSF.
    box
        Where it is valid.
    """
    kernel = psf.kernel
    order = 0
    if isinstance(kernel, LinearCombinationKernel):
        counts = [len(w.coefficients) for w in kernel.weights if not isinstance(w, float | int)]
        # a complete polynomial of degree n has (n + 1) (n + 2) / 2 coefficients
        order = max(((math.isqrt(8 * count + 1) - 3) // 2 for count in counts), default=0)
    powers = _monomials(kernel.amplitudes, order, box)
    return _grid_model(kernel.components, (kernel.y_centre, kernel.x_centre), powers, psf, 1.0, 5)


def kernel_from_piff(model: PiffPsf, height: int, width: int) -> KernelPsf:
    """Return the kernel with one component for each product of powers, which draws as the one that was
    stored.

    Parameters
    ----------
    model
        What `kernel_as_piff` returned.
    height, width
        Size of the kernel [pixel].
    """
    planes, powers = _planes_and_powers(model, height, width)
    order = model.interpolation.mask.shape[0] - 1
    # the order of PolynomialFunction2D: 1, x, y, x², xy, y², …
    terms = [(degree - j, j) for degree in range(order + 1) for j in range(degree + 1)]
    weights = [PolynomialFunction2D(np.eye(len(terms))[terms.index(power)]) for power in powers]
    kernel = LinearCombinationKernel(planes, weights, width // 2, height // 2)
    return KernelPsf(kernel, _average(model), model.bounds)


def _average(model: PiffPsf) -> tuple[float, float]:
    x, y = model.average_position
    return (x, y) if math.isfinite(x + y) else (0.0, 0.0)


def psfex_as_piff(psf: PsfexPsf, box: Box) -> PiffPsf:
    """Return the Piff model with the same grid.

    Parameters
    ----------
    psf
        The PSF.
    box
        Where it is valid.
    """
    powers = _monomials(psf.terms, psf.degree[0], box)
    planes = psf.components.astype(np.float64)
    return _grid_model(planes, (planes.shape[1] // 2, planes.shape[2] // 2), powers, psf, psf.pixel_step, 5)


def psfex_from_piff(
    model: PiffPsf, *, height: int, width: int, offset: tuple[float, float], scale: tuple[float, float]
) -> PsfexPsf:
    """Return the PSFEx model that was stored, its components to the last bit of float32 or so.

    Parameters
    ----------
    model
        What `psfex_as_piff` returned.
    height, width
        Size of the model's grid.
    offset, scale
        The model's own, of x and of y [pixel].
    """
    planes, powers = _planes_and_powers(model, height, width)
    n = model.interpolation.mask.shape[0] - 1
    # x^i y^j = Σ C(i,p) C(j,q) (s u)^p o^(i-p) …: back to powers of the scaled position, x fastest
    components = []
    for q in range(n + 1):
        for p in range(n + 1 - q):
            total = np.zeros(planes.shape[1:])
            for plane, (i, j) in zip(planes, powers, strict=True):
                if i >= p and j >= q:
                    total += (
                        plane
                        * (math.comb(i, p) * offset[0] ** (i - p) * scale[0] ** p)
                        * (math.comb(j, q) * offset[1] ** (j - q) * scale[1] ** q)
                    )
            components.append(total)
    return PsfexPsf(
        np.asarray(components, np.float32),
        pixel_step=model.grid.scale,
        degree=(n,),
        group=(0, 0),
        offset=offset,
        scale=scale,
        average_position=_average(model),
        bounds=model.bounds,
    )


def _half_pixel_images(psf: BatchPsf, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a PSF on a grid of half a pixel at whole positions, by stars at these and half a pixel off."""
    height, width = (int(v) for v in psf.kernel_bbox.shape)
    rows, columns = 4 * (height // 2) + 1, 4 * (width // 2) + 1
    out = np.zeros((len(x), rows, columns))
    for a, b in itertools.product((0, 1), repeat=2):
        # a star half a pixel left of a pixel's centre shows there what lies half a pixel right of its own centre
        stamps = psf.stellar_images(x - 0.5 * a, y - 0.5 * b)
        for image, stamp, x0, y0, cx, cy in zip(out, stamps.images, stamps.x0, stamps.y0, x, y, strict=True):
            u = 2 * (np.arange(stamp.shape[1]) + x0 - int(cx)) + a + columns // 2
            v = 2 * (np.arange(stamp.shape[0]) + y0 - int(cy)) + b + rows // 2
            inside_u, inside_v = (u >= 0) & (u < columns), (v >= 0) & (v < rows)
            image[np.ix_(v[inside_v], u[inside_u])] = stamp[np.ix_(inside_v, inside_u)]
    return out


def approximate(psf: BatchPsf, box: Box) -> tuple[PiffPsf, float]:
    """Fit a Piff model to drawings of any PSF.

    Parameters
    ----------
    psf
        The PSF.
    box
        Where it is valid.

    Returns
    -------
    PiffPsf
        A grid of half a pixel with Lanczos-11 interpolation, and polynomials of x and y of degree up to 6.
    float
        The largest difference of kernel and star images at 25 places that the fit did not use, in units of
        the peak.

    Raises
    ------
    InputError
        Raised if that is more than 1e-3.
    """
    fractions = (np.arange(5) + 0.31) / 5.2
    px, py = (a.ravel() for a in np.meshgrid(fractions, fractions))
    px, py = box.x.start + px * box.x.size, box.y.start + py * box.y.size
    kernel, star = psf.kernel_images(px, py), psf.stellar_images(px, py)
    peaks = kernel.max(axis=(1, 2))[:, None, None]
    best, model = math.inf, None
    for order in range(_MAX_ORDER + 1):
        x, y = (np.rint(a) for a in _nodes(order, box))
        images = _half_pixel_images(psf, x, y)
        # products of Chebyshev polynomials of total degree up to the order hold no others' powers
        triangle = np.add.outer(np.arange(order + 1), np.arange(order + 1)).ravel() <= order
        products = _products(x, y, order, box)[:, triangle]
        planes = np.linalg.lstsq(products, images.reshape(len(x), -1))[0].reshape(-1, *images.shape[1:])
        basis = np.eye(len(triangle))[triangle].reshape(-1, order + 1, order + 1)
        centre = (images.shape[1] // 2, images.shape[2] // 2)
        trial = _grid_model(planes, centre, _to_powers(basis, order, box), psf, 0.5, 11)
        drawn = trial.stellar_images(px, py)
        error = float((np.abs(trial.kernel_images(px, py) - kernel) / peaks).max())
        if np.array_equal(drawn.x0, star.x0) and np.array_equal(drawn.y0, star.y0):
            error = max(error, float((np.abs(drawn.images - star.images) / peaks).max()))
        if error < best:
            gain, best, model = error / best, error, trial
            if order > 2 and gain > 0.9:
                break
    if model is None or best > _TOLERANCE:
        raise InputError(
            f"a PSF of type {type(psf).__name__} cannot be stored: approximated by a pixel grid it is off by "
            f"{best:.1e} of its peak"
        )
    return model, best

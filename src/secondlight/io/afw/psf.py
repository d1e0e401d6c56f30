"""Stored PSFs (spec 11.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.psf import (
    BatchPsf,
    Chebyshev1Function2D,
    FixedKernel,
    GaussianPsf,
    Kernel,
    KernelPsf,
    LinearCombinationKernel,
    PolynomialFunction2D,
    PsfexPsf,
    SingleGaussianPsf,
    SpatialFunction,
)
from .archive import Archive
from .piff_pickle import read_piff_pickle

__all__ = ["PSF_CLASSES", "read_psf"]

#: Class names that `read_psf` understands.
PSF_CLASSES = ("PiffPsf", "PsfexPsf", "PcaPsf", "KernelPsf", "GaussianPsf", "SingleGaussianPsf")


def read_psf(archive: Archive, key: int) -> BatchPsf:
    """Return a stored PSF.

    Parameters
    ----------
    archive
        The archive.
    key
        Archive id.

    Raises
    ------
    InputError
        Raised if the object is no PSF, of a kind that is not known, or damaged.
    """
    archive.expect(key, *PSF_CLASSES)
    name = archive.name(key)
    part = f"{name} (id {key})"
    try:
        match name:
            case "PiffPsf":
                raw = archive.table(key)["bytes"][0]
                return read_piff_pickle(raw.tobytes(), path=archive.path, part=part)
            case "PsfexPsf":
                return _read_psfex(archive, key)
            case "GaussianPsf":
                return GaussianPsf(*_gaussian(archive, key))
            case "SingleGaussianPsf":
                return SingleGaussianPsf(*_gaussian(archive, key))
            case _:
                return _read_kernel_psf(archive, key)
    except ValueError as error:
        raise InputError(str(error), path=archive.path, part=part) from None


def _gaussian(archive: Archive, key: int) -> tuple[float, int, int]:
    table = archive.table(key)
    width, height = (values[0] for values in table.pair("dimensions"))
    return float(table["sigma"][0]), int(height), int(width)


def _point(table: Any, name: str) -> tuple[float, float]:
    x, y = table.pair(name)
    return float(x[0]), float(y[0])


def _integers(table: Any, name: str) -> tuple[int, int]:
    x, y = table.pair(name)
    return int(x[0]), int(y[0])


def _array(table: Any, name: str) -> NDArray[Any]:
    return np.atleast_1d(table[name][0])


def _read_psfex(archive: Archive, key: int) -> PsfexPsf:
    tables = archive.tables(key)
    if len(tables) != 2:
        raise ValueError(f"the model was stored in {len(tables)} tables instead of 2")
    head, body = tables
    width, height, terms = (int(size) for size in _array(body, "_size"))
    values = _array(body, "_comp")
    if len(values) != width * height * terms:
        raise ValueError(f"there are {len(values)} values for {terms} components of {height}x{width}")
    first, second = _array(body, "_context_first"), _array(body, "_context_second")
    if len(first) != 2 or len(second) != 2:
        raise ValueError(f"the model depends on {len(first)} variables; only x and y are known")
    return PsfexPsf(
        values.reshape(terms, height, width).astype(np.float32),
        pixel_step=float(head["_pixstep"][0]),
        degree=tuple(int(d) for d in _array(body, "degree")),
        group=tuple(int(g) for g in _array(body, "group")),
        offset=(float(first[0]), float(first[1])),
        scale=(float(second[0]), float(second[1])),
        average_position=_point(head, "averagePosition"),
        basis=_array(body, "basis"),
        coefficients=_array(body, "coeff"),
    )


def _read_kernel_psf(archive: Archive, key: int) -> KernelPsf:
    table = archive.table(key)
    kernel = _read_kernel(archive, int(table["kernel"][0]))
    return KernelPsf(kernel, _point(table, "averagePosition"))


def _read_kernel(archive: Archive, key: int) -> Kernel:
    archive.expect(key, "FixedKernel", "LinearCombinationKernel")
    table = archive.table(key)
    width, height = _integers(table, "dimensions")
    x_centre, y_centre = _integers(table, "center")
    if archive.name(key) == "FixedKernel":
        image = _array(table, "image").astype(np.float64)
        if len(image) != width * height:
            raise ValueError(f"a kernel of {height}x{width} was stored with {len(image)} values")
        return FixedKernel(image.reshape(height, width), x_centre, y_centre)
    components = []
    for component in _array(table, "components"):
        part = _read_kernel(archive, int(component))
        if not isinstance(part, FixedKernel) or part.image.shape != (height, width):
            raise ValueError(f"component {component} of the kernel is no fixed image of {height}x{width}")
        components.append(part.image)
    weights: list[float | SpatialFunction]
    if "spatialfunctions" in table:
        weights = [_read_function(archive, int(f)) for f in _array(table, "spatialfunctions")]
    else:
        weights = [float(a) for a in _array(table, "amplitudes")]
    return LinearCombinationKernel(np.array(components), weights, x_centre, y_centre)


def _read_function(archive: Archive, key: int) -> SpatialFunction:
    table = archive.table(key, "PolynomialFunction2D", "Chebyshev1Function2D")
    coefficients = _array(table, "coefficients").astype(np.float64)
    if archive.name(key) == "PolynomialFunction2D":
        return PolynomialFunction2D(coefficients)
    (x_min, y_min), (x_max, y_max) = _point(table, "min"), _point(table, "max")
    return Chebyshev1Function2D(coefficients, x_min, y_min, x_max, y_max)

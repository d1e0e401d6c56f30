"""PSFs as the reference stores them (spec 11.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...model.psf import (
    BatchPsf,
    Chebyshev1Function2D,
    FixedKernel,
    GaussianPsf,
    Kernel,
    KernelPsf,
    LinearCombinationKernel,
    PiffPsf,
    PsfexPsf,
    SingleGaussianPsf,
    SpatialFunction,
)
from .write_archive import ArchiveWriter
from .write_piff_pickle import piff_pickle
from .write_table import StoredField
from .write_wcs import BYTES

__all__ = ["save_psf"]

_MATH, _ALGORITHMS = "lsst.afw.math", "lsst.meas.algorithms"
_AVERAGE = "average position of stars used to make the PSF"

_GAUSSIAN = (
    *(StoredField(f"dimensions_{axis}", "I", "pixel", "width/height of realization of Psf") for axis in "xy"),
    StoredField("sigma", "D", "pixel", "radius of Gaussian"),
)
_KERNEL_PSF = (
    StoredField("kernel", "I", "", "archive ID of nested kernel object"),
    *(StoredField(f"averagePosition_{axis}", "D", "pixel", _AVERAGE) for axis in "xy"),
)
_KERNEL = (
    *(StoredField(f"dimensions_{axis}", "I", "pixel", "dimensions of a Kernel's images") for axis in "xy"),
    *(StoredField(f"center_{axis}", "I", "pixel", "center point in a Kernel image") for axis in "xy"),
)
_PSFEX_HEAD = (
    StoredField("ndim", "I", "", "Number of elements in group"),
    StoredField("ngroup", "I", "", "Number of elements in degree"),
    StoredField("ncoeff", "I", "", "Number of coefficients"),
    *(
        StoredField(f"_{name}_size", "I", "", f"Size of _{name} array")
        for name in ("size", "comp", "context")
    ),
    *(StoredField(f"averagePosition_{axis}", "D", "pixel", _AVERAGE) for axis in "xy"),
    StoredField("_pixstep", "F", "pixel", "oversampling"),
)


def save_psf(archive: ArchiveWriter, psf: BatchPsf) -> int:
    """Store a PSF; return its id.

    Parameters
    ----------
    archive
        Where to.
    psf
        A Piff, PSFEx, kernel or Gaussian PSF.

    Raises
    ------
    InputError
        Raised if the PSF is of another kind, for which the reference has no class, or a Piff model whose coordinates did
        not come from such a file.
    """
    match psf:
        case PiffPsf():
            key = archive.new_id()
            values = {"bytes": [np.frombuffer(piff_pickle(psf), np.uint8)]}
            module = "lsst.meas.extensions.piff.piffPsf"
            archive.save(key, "PiffPsf", module, [(archive.table(BYTES), 1, values)])
            return key
        case PsfexPsf():
            return _save_psfex(archive, psf)
        case SingleGaussianPsf():
            return _save_gaussian(archive, psf, "SingleGaussianPsf", _ALGORITHMS)
        case GaussianPsf():
            return _save_gaussian(archive, psf, "GaussianPsf", "lsst.afw.detection")
        case KernelPsf():
            key = archive.new_id()
            table = archive.table(_KERNEL_PSF)
            x, y = psf.average_position
            row = {
                "kernel": [_save_kernel(archive, psf.kernel)],
                "averagePosition_x": [x],
                "averagePosition_y": [y],
            }
            # of the two classes of this layout the stack's PSF determiner makes the one whose kernel varies
            varies = isinstance(psf.kernel, LinearCombinationKernel)
            archive.save(key, "PcaPsf" if varies else "KernelPsf", _ALGORITHMS, [(table, 1, row)])
            return key
    raise InputError(f"a PSF that is a {type(psf).__name__} has no counterpart in afw and cannot be stored")


def _save_gaussian(
    archive: ArchiveWriter, psf: GaussianPsf | SingleGaussianPsf, name: str, module: str
) -> int:
    key = archive.new_id()
    height, width = psf.kernel_bbox.shape
    values = {"dimensions_x": [width], "dimensions_y": [height], "sigma": [psf.sigma]}
    archive.save(key, name, module, [(archive.table(_GAUSSIAN), 1, values)])
    return key


def _save_kernel(archive: ArchiveWriter, kernel: Kernel) -> int:
    if isinstance(kernel, FixedKernel):
        return _save_image(archive, kernel, archive.new_id())
    key = archive.new_id()
    weights, n = kernel.weights, len(kernel.weights)
    functions = [w for w in weights if not isinstance(w, int | float)]
    if functions and len(functions) != n:
        raise InputError("a kernel some of whose weights vary, and others not, cannot be stored")
    name, doc = (
        ("spatialfunctions", "archive IDs for the Kernel's spatial functions")
        if functions
        else ("amplitudes", "amplitudes component kernel")
    )
    layout = (
        *_KERNEL,
        StoredField(name, "ArrayI" if functions else "ArrayD", "", doc, n),
        StoredField("components", "ArrayI", "", "archive IDs of component kernel", n),
    )
    table = archive.table(layout)
    own = [_save_function(archive, f) for f in functions] if functions else weights
    # the reference stores the kernel before its components
    parts = [archive.new_id() for _ in kernel.components]
    values = {**_dimensions(kernel), name: [np.array(own)], "components": [np.array(parts)]}
    archive.save(key, "LinearCombinationKernel", _MATH, [(table, 1, values)])
    for part, image in zip(parts, kernel.components, strict=True):
        _save_image(archive, FixedKernel(image, kernel.x_centre, kernel.y_centre), part)
    return key


def _save_image(archive: ArchiveWriter, kernel: FixedKernel, key: int) -> int:
    layout = (*_KERNEL, StoredField("image", "ArrayD", "", "pixel values (row-major)", kernel.image.size))
    values = {**_dimensions(kernel), "image": [kernel.image.ravel()]}
    archive.save(key, "FixedKernel", _MATH, [(archive.table(layout), 1, values)])
    return key


def _dimensions(kernel: Kernel) -> dict[str, list[Any]]:
    height, width = kernel.components.shape[1:]
    return {
        "dimensions_x": [width],
        "dimensions_y": [height],
        "center_x": [kernel.x_centre],
        "center_y": [kernel.y_centre],
    }


def _save_function(archive: ArchiveWriter, function: SpatialFunction) -> int:
    key = archive.new_id()
    coefficients = np.asarray(function.coefficients, np.float64)
    doc = "polynomial coefficients, ordered (x,y) [0,0; 1,0; 0,1; 2,0; 1,1; 0,2; ...]"
    layout: tuple[StoredField, ...] = (StoredField("coefficients", "ArrayD", "", doc, len(coefficients)),)
    values: dict[str, list[Any]] = {"coefficients": [coefficients]}
    if isinstance(function, Chebyshev1Function2D):
        layout += tuple(
            StoredField(f"{end}_{axis}", "D", "pixel", f"{end}imum point for function's bbox")
            for end in ("min", "max")
            for axis in "xy"
        )
        values |= {"min_x": [function.x_min], "min_y": [function.y_min]}
        values |= {"max_x": [function.x_max], "max_y": [function.y_max]}
    archive.save(key, type(function).__name__, _MATH, [(archive.table(layout), 1, values)])
    return key


def _save_psfex(archive: ArchiveWriter, psf: PsfexPsf) -> int:
    key = archive.new_id()
    terms, height, width = psf.components.shape
    average_x, average_y = psf.average_position
    head: dict[str, list[Any]] = {
        "ndim": [len(psf.group)],
        "ngroup": [len(psf.degree)],
        "ncoeff": [terms],
        "_size_size": [3],
        "_comp_size": [psf.components.size],
        "_context_size": [2],
        "averagePosition_x": [average_x],
        "averagePosition_y": [average_y],
        "_pixstep": [psf.pixel_step],
    }
    # both are left from the fit and of no use to draw the model, but have their place
    basis, coefficients = (
        np.resize(values, terms) if len(values) else np.zeros(terms)
        for values in (psf.basis, psf.coefficients)
    )
    arrays: tuple[tuple[str, str, str, Any], ...] = (
        ("group", "ArrayI", "Groups (of coefficients?)", psf.group),
        ("degree", "ArrayI", "Degree in each group", psf.degree),
        ("basis", "ArrayD", "Values of the basis functions", basis),
        ("coeff", "ArrayD", "Polynomial coefficients", coefficients),
        ("_size", "ArrayI", "PSF dimensions", (width, height, terms)),
        ("_comp", "ArrayF", "Complete pixel data", psf.components.ravel()),
        ("_context_first", "ArrayD", "Offset to apply to context data", psf.offset),
        ("_context_second", "ArrayD", "Scale to apply to context data", psf.scale),
    )
    body = tuple(StoredField(name, kind, "", doc, len(values)) for name, kind, doc, values in arrays)
    pieces = [
        (archive.table(_PSFEX_HEAD), 1, head),
        (archive.table(body), 1, {name: [np.asarray(values)] for name, _, _, values in arrays}),
    ]
    archive.save(key, "PsfexPsf", "lsst.meas.extensions.psfex", pieces)
    return key

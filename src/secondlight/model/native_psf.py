"""PSFs as `lsst.images` stores them, written and read without Piff or the stack.

`lsst.images` stores three kinds of PSF: Piff's, PSFEx's and a Gaussian. Ours are written so that `lsst.images` with
pip's Piff draws them:

- A `PiffPsf` whose coordinates are a pixel scale is stored as the Piff model that it is.
- A `GaussianPsf` is stored as the Gaussian that it is. `lsst.images` draws stars exactly; ours, unless told otherwise,
  shifts the kernel image as the reference does, which differs by 2e-3 of the peak at a sigma of 2 pixels.
- A `KernelPsf`, also the reference's PcaPsf, becomes a Piff pixel grid of one pixel with Lanczos-5. Kernel images are
  equal; stars agree to 1e-3 of the peak (2e-4 for SDSS, 2.3e-3 for an undersampled CFHT frame).
- A `PsfexPsf` becomes a Piff pixel grid of the model's own step with Lanczos-5. Kernel images agree to 1e-6 if the step
  divides the pixel and to 1e-3 if not, stars to 1e-3. (`lsst.images` draws its own form of PSFEx only in the stack.)
- Any other, such as a `PiffPsf` on the sky, becomes a Piff pixel grid of half a pixel, fitted to drawings of the PSF. It
  agrees to 1e-3 or is refused; what was reached is in the stored metadata.

Scalars in the metadata of the stored tree tell `from_tree` the original class: here all but the last kind come back to
better than 1e-6 of the peak. Everything else that `lsst.images` stores of Piff and PSFEx is read, too.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any

import numpy as np
from lsst.images import Bounds, Box, Image
from lsst.images.json import JsonInputArchive, JsonOutputArchive
from lsst.images.psfs import (
    GaussianPointSpreadFunction,
    GaussianPSFSerializationModel,
    PiffSerializationModel,
    PiffWrapper,
    PointSpreadFunction,
    PSFExSerializationModel,
)
from lsst.images.serialization import ArchiveReadError, InputArchive, OutputArchive
from numpy.typing import NDArray

from ..errors import InputError
from ._pixel_grids import approximate, kernel_as_piff, kernel_from_piff, psfex_as_piff, psfex_from_piff
from .psf import (
    AffineWcs,
    BatchPsf,
    GaussianPsf,
    KernelPsf,
    PiffOptions,
    PiffPsf,
    PsfexPsf,
    as_batch,
    piff_from_parts,
)

__all__ = ["from_native", "from_tree", "to_native"]

#: Beginning of our keys in the metadata of a stored PSF.
_OURS = "secondlight "

#: Options of Piff objects that every Piff since 1.3 knows; more would keep others from reading the file.
_PSF_OPTIONS = ("chisq_thresh", "max_iter")
_CHISQ_OPTIONS = ("thresh", "ndof", "prob", "max_remove")
_CHISQ = {"chisq": 0.0, "last_delta_chisq": 0.0, "dof": 0, "nremoved": 0, "niter": 0}


class _DrawnHere:
    """What the two adapters share: all images come from our own PSF."""

    batch_psf: BatchPsf

    def _describe(self, *args: Any, **kwargs: Any) -> Any:
        return self.batch_psf._describe(*args, **kwargs)

    @property
    def kernel_bbox(self) -> Box:
        return self.batch_psf.kernel_bbox

    def compute_kernel_image(self, *, x: float, y: float) -> Image:
        return self.batch_psf.compute_kernel_image(x=x, y=y)

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        return self.batch_psf.compute_stellar_image(x=x, y=y)

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        return self.batch_psf.compute_stellar_bbox(x=x, y=y)


class _NativePiff(_DrawnHere, PiffWrapper):
    """One of our PSFs in the place of a Piff model; Piff is needed only if the Piff object itself is asked for."""

    def __init__(self, psf: BatchPsf, model: PiffPsf, bounds: Bounds, metadata: dict[str, Any]) -> None:
        self.batch_psf = psf
        self._model = model
        self._bounds = bounds
        self._metadata = metadata
        self._stamp_size = max(model.height, model.width) // 2 * 2 + 1

    @cached_property
    def _impl(self) -> Any:
        tree = self.serialize(JsonOutputArchive())
        return tree.deserialize(JsonInputArchive())._impl

    def serialize(self, archive: OutputArchive[Any]) -> PiffSerializationModel:
        """Serialize to an archive, in the layout of Piff's own files."""
        model = self._model
        interp, solution = _stored_interpolation(model)
        table = np.zeros(1, [("q", np.float64, solution.shape)])
        table["q"] = solution
        options = model.options
        known = {k: v for k, v in options.psf.items() if k in _PSF_OPTIONS}
        structs: dict[str, Any] = {
            "chisq": {name: options.chisq.get(name, value) for name, value in _CHISQ.items()},
            "model": {
                "scale": model.grid.scale,
                "size": model.grid.size,
                "centered": bool(options.model.get("centered", False)),
                "interp": f"galsim.Lanczos({model.grid.lanczos}, {model.grid.conserve_dc})",
                "init": options.model.get("init"),
                "fit_flux": bool(options.model.get("fit_flux", False)),
                "type": "PixelGrid",
            },
            "interp": interp,
        }
        if options.outliers.get("type") == "Chisq":
            structs["outliers"] = {k: options.outliers.get(k) for k in _CHISQ_OPTIONS} | {"type": "Chisq"}
        stars = model.stars
        scale = model.wcs.pixel_scale if isinstance(model.wcs, AffineWcs) else None
        solution_table = archive.add_structured_array(table, name="piff/interp/solution")
        parts: dict[str, Any] = {
            "piff": {
                "structs": {
                    "piff": {
                        "model": 0,
                        "interp": 0,
                        "outliers": 0,
                        **known,
                        "type": "Simple",
                        "piff_version": "1.6.0",
                    }
                },
                "objects": {
                    "piff": {
                        "structs": structs,
                        "wcs": {"wcs": {"scale": scale, "wcs_type": "pixel_scale"}},
                        "objects": {
                            "model": {},
                            "interp": {"tables": {"solution": {"metadata": {}, "table": solution_table}}},
                            "outliers": {},
                        },
                    }
                },
            },
            "stars": [
                {"image_pos": {"x": float(x), "y": float(y)}, "is_flagged": bool(f), "is_reserve": bool(r)}
                for x, y, f, r in zip(stars.x, stars.y, stars.flagged, stars.reserve, strict=True)
            ],
            "stamp_size": self._stamp_size,
            "bounds": self._bounds.serialize(),
            "metadata": self._metadata,
        }
        return PiffSerializationModel(**parts)


class _NativeGaussian(_DrawnHere, GaussianPointSpreadFunction):
    """Our Gaussian in the place of that of `lsst.images`."""

    def __init__(self, psf: GaussianPsf, bounds: Bounds) -> None:
        height, width = psf.shape
        super().__init__(psf.sigma, bounds, max(height, width) // 2 * 2 + 1)
        self.batch_psf = psf
        self._metadata = _ours(analytic_stars=psf.analytic_stars, height=height, width=width)

    def serialize(self, archive: OutputArchive[Any]) -> GaussianPSFSerializationModel:
        """Serialize to an archive."""
        tree = super().serialize(archive)
        tree.metadata = self._metadata
        return tree


def to_native(psf: BatchPsf, box: Box) -> PointSpreadFunction:
    """Return a PSF as one that `lsst.images` can store; see the table above.

    Parameters
    ----------
    psf
        Any.
    box
        Where it is to be valid if it does not say so itself.

    Raises
    ------
    InputError
        Raised if the PSF is of another kind than those named above, and its approximation is off by more
        than 1e-3 of the peak.
    """
    bounds = psf.bounds if box.contains(psf.bounds.bbox) else box
    match psf:
        case GaussianPsf():
            return _NativeGaussian(psf, bounds)
        case PiffPsf() if _storable(psf):
            return _NativePiff(psf, psf, bounds, _ours(kind="PiffPsf", height=psf.height, width=psf.width))
        case KernelPsf():
            return _NativePiff(psf, kernel_as_piff(psf, box), bounds, _ours(kind="KernelPsf", **_size(psf)))
        case PsfexPsf():
            metadata = _ours(
                kind="PsfexPsf",
                offset_x=psf.offset[0],
                offset_y=psf.offset[1],
                scale_x=psf.scale[0],
                scale_y=psf.scale[1],
                **_size(psf, *psf.components.shape[1:]),
            )
            return _NativePiff(psf, psfex_as_piff(psf, box), bounds, metadata)
    model, error = approximate(psf, bounds.bbox)
    metadata = _ours(kind="approximation", error=error, **_size(psf))
    return _NativePiff(psf, model, bounds, metadata)


def from_native(psf: PointSpreadFunction) -> BatchPsf:
    """Return a PSF of `lsst.images` as one of ours; one that came from `to_native` as it was.

    Parameters
    ----------
    psf
        Any.
    """
    return psf.batch_psf if isinstance(psf, _DrawnHere) else as_batch(psf)


def from_tree(tree: Any, archive: InputArchive[Any]) -> BatchPsf:
    """Return the PSF that is stored in a file of `lsst.images`.

    Parameters
    ----------
    tree
        The PSF's part of the file's tree.
    archive
        The open file.

    Raises
    ------
    InputError
        Raised if the PSF is of a kind that cannot be evaluated here.
    """
    ours = {k.removeprefix(_OURS): v for k, v in getattr(tree, "metadata", {}).items() if k.startswith(_OURS)}
    try:
        match tree:
            case GaussianPSFSerializationModel():
                return GaussianPsf(
                    tree.sigma,
                    int(ours.get("height", tree.stamp_size)),
                    int(ours.get("width", tree.stamp_size)),
                    tree.bounds.deserialize(),
                    analytic_stars=bool(ours.get("analytic_stars", True)),
                )
            case PiffSerializationModel():
                return _piff_from_tree(tree, archive, ours)
            case PSFExSerializationModel():
                return _psfex_from_tree(tree, archive)
    except (ValueError, KeyError, TypeError, ArchiveReadError) as error:
        raise InputError(f"the PSF cannot be read ({error})") from error
    raise InputError("the PSF is of a kind that cannot be evaluated (neither Piff nor PSFEx nor a Gaussian)")


def _ours(**values: Any) -> dict[str, Any]:
    return {_OURS + k: v for k, v in values.items()}


def _size(psf: BatchPsf, rows: int = 0, columns: int = 0) -> dict[str, int]:
    """Return the size of the stamps, or of another array, for the metadata."""
    height, width = psf.kernel_bbox.shape
    return {"height": rows or int(height), "width": columns or int(width)}


def _total_order(mask: NDArray[np.bool_]) -> int | None:
    """Return the order up to which all products of powers are terms, if the terms are such."""
    total = np.indices(mask.shape).sum(axis=0)
    order = int(total[mask].max(initial=0))
    return order if np.array_equal(mask, total <= order) else None


def _storable(psf: PiffPsf) -> bool:
    """Tell whether the trees of `lsst.images` can hold a Piff model as it is."""
    return (
        isinstance(psf.wcs, AffineWcs)
        and psf.wcs.pixel_scale is not None
        and psf.interpolation.kind == "poly"
        and psf.color is None
        and _total_order(psf.interpolation.mask) is not None
    )


def _stored_interpolation(model: PiffPsf) -> tuple[dict[str, Any], NDArray[np.float64]]:
    part = model.interpolation
    orders = [n - 1 for n in part.mask.shape]
    struct = {
        "order": orders[0] if len(set(orders)) == 1 else orders,
        "max_order": _total_order(part.mask),
        "keys": list(part.keys),
        "solver": "scipy",
        "type": "BasisPolynomial",
    }
    return struct, np.asarray(part.coefficients, np.float64)


def _piff_from_tree(
    tree: PiffSerializationModel, archive: InputArchive[Any], ours: dict[str, Any]
) -> BatchPsf:
    top = tree.piff.structs["piff"]
    if top.get("type") not in ("Simple", "SimplePSF"):
        raise ValueError(f"the Piff PSF is of type {top.get('type')!r}; only 'Simple' can be drawn")
    inner = tree.piff.objects["piff"]
    solution = archive.get_structured_array(inner.objects["interp"].tables["solution"].table)
    structs = inner.structs
    model = piff_from_parts(
        model=structs["model"],
        interp=structs["interp"],
        solution=np.asarray(solution["q"][0], np.float64),
        pixel_scale=inner.wcs["wcs"].scale,
        stars=[(s.image_pos.x, s.image_pos.y, s.is_flagged, s.is_reserve) for s in tree.stars],
        stamp_size=tree.stamp_size,
        bounds=tree.bounds.deserialize(),
        options=PiffOptions(
            psf=dict(top),
            model=dict(structs["model"]),
            interp=dict(structs["interp"]),
            outliers=dict(structs.get("outliers", {})),
            chisq=dict(structs.get("chisq", {})),
        ),
    )
    match ours.get("kind"):
        case "KernelPsf":
            return kernel_from_piff(model, int(ours["height"]), int(ours["width"]))
        case "PsfexPsf":
            return psfex_from_piff(
                model,
                height=int(ours["height"]),
                width=int(ours["width"]),
                offset=(float(ours["offset_x"]), float(ours["offset_y"])),
                scale=(float(ours["scale_x"]), float(ours["scale_y"])),
            )
    model.height, model.width = int(ours.get("height", model.height)), int(ours.get("width", model.width))
    return model


def _psfex_from_tree(tree: PSFExSerializationModel, archive: InputArchive[Any]) -> PsfexPsf:
    """Read a model that the stack wrote.

    The stack calls the offset and scale of the two variables their context, and does not say which axis is
    which: the offset lies within the detector and a scale is of its size, so one reading puts the corners
    near ±1/2.
    """
    components = np.asarray(archive.get_array(tree.parameters), np.float32)
    context = np.asarray(tree.context, np.float64).reshape(2, 2)
    bounds = tree.bounds.deserialize()
    corners = np.array(
        list(itertools.product(*((i.min, i.max) for i in (bounds.bbox.x, bounds.bbox.y)))), float
    )

    def reach(pairs: NDArray[np.float64]) -> float:
        with np.errstate(all="ignore"):
            return float(np.nan_to_num(np.abs((corners - pairs[:, 0]) / pairs[:, 1]), nan=np.inf).max())

    pairs = min((context, context.T), key=reach)
    return PsfexPsf(
        components,
        pixel_step=tree.pixel_step,
        degree=tuple(tree.degree),
        group=tuple(tree.group),
        offset=(float(pairs[0, 0]), float(pairs[1, 0])),
        scale=(float(pairs[0, 1]), float(pairs[1, 1])),
        average_position=(tree.average_x, tree.average_y),
        basis=tree.basis,
        coefficients=tree.coeff,
        bounds=bounds,
    )

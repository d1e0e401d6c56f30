"""From the objects that make up a Piff model, Piff's own or what stands for them after reading, to a `PiffPsf`."""

from __future__ import annotations

import ast
import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lsst.images import Bounds
from numpy.typing import NDArray

from ._piff_wcs import AffineWcs, FieldWcs, PiffWcs, SkyWcs
from .piff import PiffInterpolation, PiffOptions, PiffPsf, PiffStars, PixelGrid

__all__ = ["piff_from_objects", "piff_from_parts"]

_LOG = logging.getLogger(__name__)

_LANCZOS = re.compile(r"(?:galsim\.)?Lanczos\((\d+)(?:,\s*(?:conserve_dc\s*=\s*)?(True|False|0|1))?[,)]")


def piff_from_objects(psf: Any, *, height: int, width: int, bounds: Bounds | None = None) -> PiffPsf:
    """Make a PSF from a ``piff.SimplePSF`` or an object with its attributes.

    Parameters
    ----------
    psf
        The model.
    height, width
        Size of the stamps [pixel].
    bounds
        Where it is valid.

    Raises
    ------
    ValueError
        Raised if the model is of a kind that cannot be drawn here.
    """
    _expect(psf, "PSF", "SimplePSF")
    model, interp = psf.model, psf.interp
    _expect(model, "model", "PixelGrid")
    lanczos, conserve_dc = _interpolant(model.interp)
    grid = PixelGrid(float(model.scale), int(model.size), lanczos, conserve_dc)
    chips = list(psf.wcs.values())
    if len(chips) != 1:
        raise ValueError(f"the Piff model spans {len(chips)} detectors; expected one")
    result = PiffPsf(
        grid,
        _interpolation(interp),
        _wcs(chips[0], getattr(psf, "pointing", None)),
        _stars(getattr(psf, "stars", [])),
        height=height,
        width=width,
        options=_options(psf),
        bounds=bounds,
    )
    if result.color is not None:
        _LOG.warning("The Piff PSF depends on colour: drawn for the mean of its stars, %.3f.", result.color)
    return result


def piff_from_parts(
    *,
    model: Mapping[str, Any],
    interp: Mapping[str, Any],
    solution: NDArray[np.float64],
    pixel_scale: float,
    stars: Sequence[tuple[float, float, bool, bool]],
    stamp_size: int,
    bounds: Bounds | None = None,
    options: PiffOptions | None = None,
) -> PiffPsf:
    """Make a PSF from the parts that `lsst.images` stores of a Piff model.

    Parameters
    ----------
    model, interp
        The structures of these names: options of a ``PixelGrid`` and a ``BasisPolynomial``.
    solution
        Shape ``(size * size, k)``: column ``q`` of the table ``solution``.
    pixel_scale
        Of the coordinates u and v.
    stars
        For each star x, y [pixel], and whether it was flagged, and kept from the fit.
    stamp_size
        Width and height of the stamps [pixel].
    bounds
        Where it is valid.
    options
        All structures as read, kept for writers.

    Raises
    ------
    ValueError
        Raised if the model is of a kind that cannot be drawn here.
    """
    for part, name, known in (("model", model, "PixelGrid"), ("interpolation", interp, "BasisPolynomial")):
        if name.get("type") != known:
            raise ValueError(f"the Piff {part} is of type {name.get('type')!r}; only {known!r} can be drawn")
    lanczos, conserve_dc = _interpolant(model["interp"])
    keys = tuple(str(key) for key in interp["keys"])
    table = np.array(stars, np.float64).reshape(-1, 4)
    return PiffPsf(
        PixelGrid(float(model["scale"]), int(model["size"]), lanczos, conserve_dc),
        PiffInterpolation(
            keys,
            _power_mask(interp["order"], interp.get("max_order"), keys),
            np.asarray(solution, np.float64),
        ),
        AffineWcs((float(pixel_scale), 0.0, 0.0, float(pixel_scale))),
        PiffStars(
            table[:, 0],
            table[:, 1],
            table[:, 2].astype(bool),
            table[:, 3].astype(bool),
            np.full(len(table), math.nan),
        ),
        height=stamp_size,
        width=stamp_size,
        options=options or PiffOptions(model=dict(model), interp=dict(interp)),
        bounds=bounds,
    )


def _kind(item: Any) -> str:
    return type(item).__name__


def _expect(item: Any, part: str, *names: str) -> None:
    if _kind(item) not in names:
        raise ValueError(
            f"the Piff {part} is a {_kind(item)!r}; only {' and '.join(repr(n) for n in names)} can be drawn"
        )


def _interpolant(interpolant: Any) -> tuple[int, bool]:
    """Return n and conserve_dc of a Lanczos interpolant, given as an object or as GalSim prints it."""
    if isinstance(interpolant, str):
        match = _LANCZOS.match(interpolant)
        if match is None:
            raise ValueError(f"the Piff model's interpolant is {interpolant!r}; only Lanczos can be drawn")
        return int(match[1]), match[2] not in ("False", "0")
    _expect(interpolant, "model's interpolant", "Lanczos")
    return int(interpolant._n), bool(interpolant._conserve_dc)


def _power_mask(order: Any, max_order: Any, keys: tuple[str, ...]) -> NDArray[np.bool_]:
    """Tell which products of powers are terms: those of total order up to the largest, or as ``max_order`` says."""
    orders = [int(order)] * len(keys) if np.ndim(order) == 0 else [int(o) for o in order]
    if len(orders) != len(keys) or min(orders, default=0) < 0:
        raise ValueError(f"the Piff interpolation has orders {orders} for the variables {', '.join(keys)}")
    powers = np.indices([o + 1 for o in orders])
    total = powers.sum(axis=0)
    if max_order is None:
        return np.asarray(total <= max(orders))
    if isinstance(max_order, str):
        max_order = ast.literal_eval(max_order)
    if not isinstance(max_order, Mapping):
        return np.asarray(total <= int(max_order))
    # cross terms only between the pairs that are named, each with its own limit
    limit = np.zeros_like(total)
    used = powers > 0
    alone = used.sum(axis=0) == 1
    for axis, o in enumerate(orders):
        limit[alone & used[axis]] = o
    for pair, o in max_order.items():
        names = [axis for axis, key in enumerate(keys) if key in pair]
        others = [axis for axis in range(len(keys)) if axis not in names]
        crossing = used[names].all(axis=0) & ~used[others].any(axis=0)
        limit[crossing] = o
    return np.asarray(total <= limit)


def _interpolation(interp: Any) -> PiffInterpolation:
    _expect(interp, "interpolation", "BasisPolynomial", "Polynomial", "Mean")
    if _kind(interp) == "BasisPolynomial":
        keys = tuple(str(key) for key in np.asarray(interp._keys))
        return PiffInterpolation(keys, np.asarray(interp._mask, bool), np.asarray(interp.q, np.float64))
    if _kind(interp) == "Mean":
        mean = np.asarray(interp.mean, np.float64)
        return PiffInterpolation(("x",), np.ones(1, bool), mean[:, None])
    planes = [np.asarray(plane, np.float64) for plane in interp.coeffs]
    n = max(len(plane) for plane in planes)
    coefficients = np.zeros((len(planes), n, n))
    for target, plane in zip(coefficients, planes, strict=True):
        target[: plane.shape[0], : plane.shape[1]] = plane
    return PiffInterpolation(
        ("u", "v"), np.ones((n, n), bool), coefficients.reshape(len(planes), n * n), interp.poly_type
    )


def _xy(position: Any) -> tuple[float, float]:
    return (0.0, 0.0) if position is None else (float(position.x), float(position.y))


def _wcs(wcs: Any, pointing: Any) -> PiffWcs:
    """Translate a GalSim coordinate system."""
    match _kind(wcs):
        case "PixelScale":
            scale = float(wcs._scale)
            return AffineWcs((scale, 0.0, 0.0, scale))
        case "JacobianWCS":
            return AffineWcs((float(wcs._dudx), float(wcs._dudy), float(wcs._dvdx), float(wcs._dvdy)))
        case "OffsetWCS":
            scale = float(wcs._scale)
            return AffineWcs((scale, 0.0, 0.0, scale), _xy(wcs._origin), _xy(wcs._world_origin))
        case "AffineTransform":
            inner = wcs._local_wcs
            matrix = (float(inner._dudx), float(inner._dudy), float(inner._dvdx), float(inner._dvdy))
            return AffineWcs(matrix, _xy(wcs._origin), _xy(wcs._world_origin))
        case "UVWcsWrapper":
            return FieldWcs(wcs._pix_to_field, _xy(wcs._origin), _xy(getattr(wcs, "_world_origin", None)))
        case "CelestialWcsWrapper":
            if pointing is None:
                raise ValueError("the Piff model lives on the sky and has no pointing")
            return SkyWcs(
                wcs._pix_to_sky, (float(pointing._ra._rad), float(pointing._dec._rad)), _xy(wcs._origin)
            )
    raise ValueError(f"the Piff model's coordinates are a {_kind(wcs)!r}, which is not known")


def _stars(stars: Sequence[Any]) -> PiffStars:
    """Translate Piff's stars, or the few things that `lsst.images` keeps of them."""
    positions, flags, colors = [], [], []
    for star in stars:
        data = getattr(star, "data", None)
        position = star.image_pos if data is None else data.image_pos
        properties = {} if data is None else data.properties
        positions.append((float(position.x), float(position.y)))
        flags.append(
            (bool(star.is_flagged), bool(star.is_reserve))
            if data is None
            else (bool(properties.get("is_flagged", False)), bool(properties.get("is_reserve", False)))
        )
        colors.append(float(properties.get("colorValue", math.nan)))
    place, flag = np.array(positions).reshape(-1, 2), np.array(flags, bool).reshape(-1, 2)
    return PiffStars(place[:, 0], place[:, 1], flag[:, 0], flag[:, 1], np.array(colors))


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays into Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    return value


def _options(psf: Any) -> PiffOptions:
    """Collect what Piff would write into its structures."""
    outliers = getattr(psf, "outliers", None)
    chisq = {
        name: _plain(getattr(psf, name))
        for name in ("chisq", "last_delta_chisq", "dof", "nremoved", "niter")
        if hasattr(psf, name)
    }
    version = getattr(psf, "piff_version", None)
    return PiffOptions(
        psf=_plain(psf.kwargs)
        | {"type": "Simple"}
        | ({} if version is None else {"piff_version": str(version)}),
        model=_plain(psf.model.kwargs) | {"type": "PixelGrid"},
        interp=_plain(psf.interp.kwargs) | {"type": _kind(psf.interp)},
        outliers={} if outliers is None else _plain(outliers.kwargs) | {"type": _outlier_type(outliers)},
        chisq=chisq,
    )


def _outlier_type(outliers: Any) -> str:
    return _kind(outliers).removesuffix("Outliers")

"""Piff models as the pickles in which the reference keeps them, written without Piff, GalSim or the stack.

A model that came from such a file is written as it was, byte for byte. Any other is put together here: a pickle
names the classes ``piff.*`` and ``galsim.*`` and gives their attributes, those of Piff 1.1 to 1.7. Only whoever reads
it needs them.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.psf import AffineWcs, PiffPsf

__all__ = ["piff_pickle"]


@dataclass(frozen=True)
class _Global:
    """A class or function of some module."""

    module: str
    name: str


@dataclass(frozen=True)
class _Object:
    """An object: its class, and what its attributes are set from."""

    cls: _Global
    state: Any


@dataclass(frozen=True)
class _Call:
    """An object that a function makes, and what it is filled with."""

    function: _Global
    arguments: tuple[Any, ...]
    state: tuple[Any, ...]


_NDARRAY, _DTYPE = _Global("numpy", "ndarray"), _Global("numpy", "dtype")
#: The name since NumPy 2; 1.26 knows it, too.
_RECONSTRUCT = _Global("numpy._core.multiarray", "_reconstruct")

#: GalSim's own defaults.
_GSPARAMS = (128, 8192, 0.005, 5.0, 0.001, 1e-5, 1e-5, 1, 1e-4, 1e-6, 1e-6, 1e-8, 1e-5)

#: Attributes of a fitted model that are not needed to draw it, with their values before a fit.
_CHISQ = {"chisq": 0.0, "last_delta_chisq": 0.0, "dof": 0, "nremoved": 0, "niter": 0}


def piff_pickle(psf: PiffPsf) -> bytes:
    """Return the bytes of a ``PiffPsf``: a pickle of width, height and ``piff.SimplePSF``.

    Parameters
    ----------
    psf
        The model.

    Raises
    ------
    InputError
        Raised if the model did not come from such a file, and its coordinates are not linear, or it is interpolated by
        polynomials of another kind than powers.
    """
    if psf.pickled is not None:
        return psf.pickled
    if not isinstance(psf.wcs, AffineWcs):
        raise InputError("a Piff model on the sky that did not come from an afw file cannot be stored in one")
    if psf.interpolation.kind != "poly":
        raise InputError(
            f"a Piff model interpolated by {psf.interpolation.kind} polynomials cannot be stored"
        )
    out = bytearray(pickle.PROTO + b"\x04")
    _put(out, (int(psf.width), int(psf.height), _simple_psf(psf, psf.wcs)))
    return bytes(out + pickle.STOP)


def _simple_psf(psf: PiffPsf, wcs: AffineWcs) -> _Object:
    options = psf.options
    chosen = {"chisq_thresh": 0.1, "min_iter": 2, "max_iter": 30}
    chosen |= {name: options.psf[name] for name in chosen if name in options.psf}
    state = {
        "model": _pixel_grid(psf),
        "interp": _basis_polynomial(psf),
        "outliers": None,
        **chosen,
        "kwargs": {"model": 0, "interp": 0, "outliers": 0, **chosen},
        **{name: options.chisq.get(name, value) for name, value in _CHISQ.items()},
        "_num": None,
        "stars": _stars(psf, wcs),
        "wcs": {0: _wcs(wcs)},
        "pointing": None,
    }
    return _Object(_Global("piff.simplepsf", "SimplePSF"), state)


def _pixel_grid(psf: PiffPsf) -> _Object:
    grid, options = psf.grid, psf.options.model
    gsparams = _Object(_Global("galsim.gsparams", "GSParams"), _GSPARAMS)
    lanczos = {"_n": grid.lanczos, "_conserve_dc": grid.conserve_dc, "_gsparams": gsparams}
    centered, fit_flux = bool(options.get("centered", True)), bool(options.get("fit_flux", False))
    init = options.get("init")
    state = {
        "scale": grid.scale,
        "size": grid.size,
        "pixel_area": grid.scale**2,
        "interp": _Object(_Global("galsim.interpolant", "Lanczos"), lanczos),
        "_centered": centered,
        "_init": init,
        "_fit_flux": fit_flux,
        "maxuv": 0.5 * (grid.size + 1) * grid.scale,
        "_origin": grid.size // 2,
        "kwargs": {
            "scale": grid.scale,
            "size": grid.size,
            "centered": centered,
            "interp": f"galsim.Lanczos({grid.lanczos}, {grid.conserve_dc}, gsparams=galsim.GSParams())",
            "init": init,
            "fit_flux": fit_flux,
        },
        "_num": None,
        "_nparams": grid.size**2,
        # found out when first drawn
        "_maxk": 0.0,
        "_stepk": 0.0,
    }
    return _Object(_Global("piff.pixelgrid", "PixelGrid"), state)


def _basis_polynomial(psf: PiffPsf) -> _Object:
    part = psf.interpolation
    orders = tuple(size - 1 for size in part.mask.shape)
    largest = int(np.indices(part.mask.shape).sum(axis=0)[part.mask].max(initial=0))
    state = {
        "degenerate_points": True,
        "solver": "scipy",
        "use_qr": False,
        "q": part.coefficients,
        "_num": None,
        "_keys": part.keys,
        "_orders": orders,
        "_max_order": largest,
        "kwargs": {"order": orders, "max_order": largest, "keys": part.keys, "solver": "scipy"},
        "_mask": part.mask,
    }
    return _Object(_Global("piff.basis_interp", "BasisPolynomial"), state)


def _position(x: float, y: float) -> _Object:
    return _Object(_Global("galsim.position", "PositionD"), {"x": float(x), "y": float(y)})


def _jacobian(wcs: AffineWcs) -> _Object:
    """Return the derivatives of the coordinates as a coordinate system of GalSim."""
    a, b, c, d = wcs.matrix
    if a == d and b == c == 0.0:
        # older versions keep the inverse, too
        state = {"_color": None, "_scale": a, "_invscale": 1.0 / a}
        return _Object(_Global("galsim.wcs", "PixelScale"), state)
    state = {"_color": None, "_dudx": a, "_dudy": b, "_dvdx": c, "_dvdy": d, "_det": a * d - b * c}
    return _Object(_Global("galsim.wcs", "JacobianWCS"), state)


def _wcs(wcs: AffineWcs) -> _Object:
    local = _jacobian(wcs)
    if wcs.origin == wcs.world_origin == (0.0, 0.0):
        return local
    state = {
        "_color": None,
        "_origin": _position(*wcs.origin),
        "_world_origin": _position(*wcs.world_origin),
        "_local_wcs": local,
    }
    if local.cls.name == "PixelScale":
        return _Object(_Global("galsim.wcs", "OffsetWCS"), {**state, "_scale": wcs.matrix[0]})
    return _Object(_Global("galsim.wcs", "AffineTransform"), state)


def _stars(psf: PiffPsf, wcs: AffineWcs) -> list[_Object]:
    """Return the stars without their images, as the stack itself trims them."""
    stars = psf.stars
    a, b, c, d = wcs.matrix
    u, v = wcs.field(stars.x, stars.y)
    made = []
    for i in range(len(stars.x)):
        properties = {"x": float(stars.x[i]), "y": float(stars.y[i]), "u": float(u[i]), "v": float(v[i])}
        properties |= {"is_flagged": bool(stars.flagged[i]), "is_reserve": bool(stars.reserve[i])}
        if not math.isnan(stars.color[i]):
            properties["colorValue"] = float(stars.color[i])
        data = {
            "image_pos": _position(stars.x[i], stars.y[i]),
            "local_wcs": _jacobian(wcs),
            "pixel_area": abs(a * d - b * c),
            "properties": properties,
            "property_types": {},
            "pointing": None,
            "field_pos": _position(u[i], v[i]),
        }
        fit: dict[str, Any] = dict.fromkeys(("params", "params_var", "A", "b"))
        fit |= {"flux": 1.0, "center": (0.0, 0.0), "chisq": 0.0, "dof": 0}
        parts = {
            "data": _Object(_Global("piff.star", "StarData"), data),
            "fit": _Object(_Global("piff.star", "StarFit"), fit),
        }
        made.append(_Object(_Global("piff.star", "Star"), parts))
    return made


def _array(values: NDArray[Any]) -> _Call:
    """Return an array of numbers as NumPy pickles it."""
    values = np.ascontiguousarray(values)
    order = "|" if values.dtype.itemsize == 1 else "<"
    dtype = _Call(_DTYPE, (values.dtype.str[1:], False, True), (3, order, None, None, None, -1, -1, 0))
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return _Call(_RECONSTRUCT, (_NDARRAY, (0,), b"b"), (1, values.shape, dtype, False, raw))


def _put(out: bytearray, item: Any) -> None:
    """Append the instructions that make an object."""
    match item:
        case None:
            out += pickle.NONE
        case bool():
            out += pickle.NEWTRUE if item else pickle.NEWFALSE
        case int():
            raw = pickle.encode_long(item)
            out += pickle.LONG1 + bytes([len(raw)]) + raw
        case float():
            out += pickle.BINFLOAT + struct.pack(">d", item)
        case str() | bytes():
            raw = item.encode("utf-8") if isinstance(item, str) else item
            out += pickle.BINUNICODE if isinstance(item, str) else pickle.BINBYTES
            out += struct.pack("<I", len(raw)) + raw
        case tuple() | list():
            out += pickle.MARK if isinstance(item, tuple) else pickle.EMPTY_LIST + pickle.MARK
            for value in item:
                _put(out, value)
            out += pickle.TUPLE if isinstance(item, tuple) else pickle.APPENDS
        case Mapping():
            out += pickle.EMPTY_DICT + pickle.MARK
            for key, value in item.items():
                _put(out, key)
                _put(out, value)
            out += pickle.SETITEMS
        case _Global():
            _put(out, item.module)
            _put(out, item.name)
            out += pickle.STACK_GLOBAL
        case _Object():
            _put(out, item.cls)
            out += pickle.EMPTY_TUPLE + pickle.NEWOBJ
            _put(out, item.state)
            out += pickle.BUILD
        case _Call():
            _put(out, item.function)
            _put(out, item.arguments)
            out += pickle.REDUCE
            _put(out, item.state)
            out += pickle.BUILD
        case np.ndarray():
            _put(out, _array(item))
        case _:
            raise TypeError(f"a {type(item).__name__} cannot be pickled here")

"""Piff models, which the reference stores as Python pickles: read without running anything the file names.

Every global that a pickle names is looked up in a list kept here, by exact name, and is answered with a class of
this module that holds data and does nothing. NumPy's arrays and numbers are rebuilt from their bytes. What is not
in the list ends the reading. Neither piff nor galsim nor the stack is imported.
"""

from __future__ import annotations

import io
import pickle
import re
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.psf import PiffPsf, piff_from_objects
from .stored_ast import split_stored

__all__ = ["read_piff_pickle"]


class _Record:
    """Stands for an object of a class that is not imported: keeps its attributes, does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Record:
        """Drop the arguments: all that is needed comes as state."""
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Drop the arguments."""

    def __setstate__(self, state: Any) -> None:
        # a dictionary, or a tuple of which it is the first; other states are of objects nobody looks into
        if isinstance(state, tuple) and state and isinstance(state[0], dict):
            state = state[0]
        if isinstance(state, dict):
            for name, value in state.items():
                if isinstance(name, str) and not name.startswith("__"):
                    self.__dict__[name] = value


class _Dtype:
    """A NumPy type of plain numbers, booleans or strings."""

    _KNOWN = re.compile(r"[<>|=]?([biufcUS])(\d+)")

    def __init__(self, name: Any = None, *_: Any) -> None:
        if not isinstance(name, str) or self._KNOWN.fullmatch(name) is None:
            raise pickle.UnpicklingError(f"an array of type {name!r} is not allowed")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("an array type is malformed")
        if state[2] is not None or state[3] is not None or state[4] is not None:
            raise pickle.UnpicklingError("an array of records is not allowed")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """A NumPy array."""

    def __init__(self) -> None:
        self.value: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("an array does not consist of plain numbers")
        self.value = np.frombuffer(raw, dtype.dtype).reshape(shape, order="F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the array."""
        return np.array(self.value, dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        return iter(self.value)


class _Mapping:
    """A transform of the plane, read back from its AST dump."""

    def __init__(self, dump: str) -> None:
        raw = np.frombuffer(dump.encode("ascii", "replace"), np.uint8)
        self._frames = split_stored(raw, where={"part": "coordinates of the Piff model"})[0]

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a transform is malformed")

    def tran(self, points: NDArray[np.float64], forward: bool = True) -> NDArray[np.float64]:
        """Map points of shape ``(2, n)``."""
        return np.asarray(self._frames.tran(points, forward), np.float64)


class _Function:
    """Something a pickle may call. It has no attributes that a pickle could set."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a function has no state")


class _Reconstruct(_Function):
    """Makes an array to be filled by its state."""

    __slots__ = ()

    def __call__(self, *_: Any) -> _Array:
        return _Array()


class _FromBuffer(_Function):
    """Makes an array, as protocol 5 stores it."""

    __slots__ = ()

    def __call__(self, raw: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> _Array:
        if not isinstance(raw, (bytes, bytearray)):
            raise pickle.UnpicklingError("an array does not consist of plain numbers")
        array = _Array()
        array.__setstate__((1, shape, dtype, order == "F", bytes(raw)))
        return array


class _Scalar(_Function):
    """Makes a number from its bytes."""

    __slots__ = ()

    def __call__(self, dtype: Any, raw: Any) -> Any:
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("a number is malformed")
        return np.frombuffer(raw, dtype.dtype, 1)[0]


class _Encode(_Function):
    """Makes bytes from text, as old pickles store them."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any = None) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("bytes are malformed")
        return text.encode("latin1")


class _Reconstructor(_Function):
    """Makes an empty object, as old pickles do."""

    __slots__ = ()

    def __call__(self, cls: Any, *_: Any) -> _Record:
        if not (isinstance(cls, type) and issubclass(cls, _Record)):
            raise pickle.UnpicklingError("an object is malformed")
        return cls()


class _UnpickleTransform(_Function):
    """Makes a transform of the plane from its dump."""

    __slots__ = ()

    def __call__(self, _cls: Any, dump: Any) -> _Mapping:
        if not isinstance(dump, str):
            raise pickle.UnpicklingError("a transform is malformed")
        return _Mapping(dump)


def _records(*names: str) -> dict[str, Any]:
    """Make a class of its own name for each, so that the model's kinds can be told apart."""
    return {name: type(name, (_Record,), {}) for name in names}


#: Package, and what of it (at any depth: modules were moved between versions) a pickle may name.
_ALLOWED: dict[str, dict[str, Any]] = {
    "piff": _records(
        *("SimplePSF", "PixelGrid", "BasisPolynomial", "Polynomial", "Mean", "Star", "StarData", "StarFit"),
        *("ChisqOutliers", "MADOutliers", "NSigmaOutliers"),
        # recognised, to say that they cannot be drawn
        *("SingleChipPSF", "SumPSF", "ConvolvePSF"),
    ),
    "galsim": _records(
        *("BoundsI", "BoundsD", "PositionI", "PositionD", "GSParams", "Image", "InterpolatedImage"),
        *("Lanczos", "Quintic", "Cubic", "Linear", "Nearest", "SincInterpolant", "Delta"),
        *("PixelScale", "JacobianWCS", "OffsetWCS", "ShearWCS", "OffsetShearWCS", "AffineTransform"),
        *("CelestialCoord", "Angle", "AngleUnit"),
    ),
    "coord": _records("CelestialCoord", "Angle", "AngleUnit"),
    "lsst.meas.extensions.piff": _records("CelestialWcsWrapper", "UVWcsWrapper"),
    "lsst.afw.geom": {
        **_records("SkyWcs", "TransformPoint2ToPoint2"),
        "unpickleTransform": _UnpickleTransform(),
    },
    "astshim": _records("Mapping", "FrameSet", "FrameDict", "CmpMap", "PolyMap", "MatrixMap", "makeObject"),
    "numpy": {
        **_records("ndarray", "float32", "float64", "int32", "int64", "bool_", "str_"),
        "dtype": _Dtype,
        "_reconstruct": _Reconstruct(),
        "_frombuffer": _FromBuffer(),
        "scalar": _Scalar(),
    },
    "_codecs": {"encode": _Encode()},
    "copyreg": {"_reconstructor": _Reconstructor()},
    "copy_reg": {"_reconstructor": _Reconstructor()},
    "builtins": _records("object"),
    "__builtin__": _records("object"),
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows only `_ALLOWED`."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Return what stands for a global."""
        package = module
        while package:
            known = _ALLOWED.get(package)
            if known is not None and name in known:
                return known[name]
            package = package.rpartition(".")[0]
        raise InputError(f"the pickle names {module}.{name}, which is not part of a Piff model")


def read_piff_pickle(raw: bytes, *, path: object = None, part: str | None = None) -> PiffPsf:
    """Return the PSF that the bytes of a stored ``PiffPsf`` hold.

    Parameters
    ----------
    raw
        The pickle: width, height and model.
    path, part
        For the message of an error.

    Raises
    ------
    InputError
        Raised if the pickle names anything that is not part of a Piff model, is damaged, or holds a model of a
        kind that cannot be drawn.
    """
    try:
        content = _Unpickler(io.BytesIO(raw)).load()
    except InputError as error:
        raise InputError(str(error), path=path, part=part) from None
    except Exception as error:
        # a damaged pickle can raise nearly anything
        raise InputError(f"the pickle cannot be read ({error})", path=path, part=part) from None
    try:
        width, height, psf = content
        made = piff_from_objects(psf, height=int(height), width=int(width))
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise InputError(f"the Piff model cannot be used: {error}", path=path, part=part) from None
    made.pickled = raw
    return made

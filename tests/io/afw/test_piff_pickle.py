"""Pickled Piff models: what is read, and that nothing a pickle names ever runs."""

import codecs
import functools
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from helpers.psfs import piff_psf
from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError
from secondlight.io.afw.piff_pickle import read_piff_pickle

X, Y = np.array([3.0, 200.25, 511.5]), np.array([5.0, 900.75, 499.3])


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol):
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    psf = read_piff_pickle(pickle.dumps((25, 23, make_piff()), protocol))
    assert psf.kernel_bbox.shape == (23, 25)
    own = piff_psf(height=23)
    np.testing.assert_allclose(psf.kernel_images(X, Y), own.kernel_images(X, Y), rtol=1e-9, atol=1e-12)
    assert psf.average_position == own.average_position
    assert psf.stars.color.tolist()[:2] == [0.5, 0.7]


def test_neither_piff_nor_galsim_is_imported():
    import subprocess

    code = (
        "import sys, secondlight.io.afw.psf; "
        "assert not {'piff', 'galsim', 'lsst.afw'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


@pytest.fixture
def stack(monkeypatch):
    """Stands for the stack's classes while a pickle is written."""

    def module(name, **content):
        made = types.ModuleType(name)
        for key, value in content.items():
            setattr(made, key, value)
            value.__module__ = name
            value.__qualname__ = key
        monkeypatch.setitem(sys.modules, name, made)

    def unpickle(cls, text):
        raise AssertionError("the stack's function must not be called")

    class Transform:
        def __init__(self, text):
            self.text = text

        def __reduce__(self):
            return unpickle, (Transform, self.text)

    class Wrapper:
        def __init__(self, **attributes):
            self.__dict__ |= attributes

    class Sky(Wrapper):
        pass

    module("lsst.afw.geom._python._transform", unpickleTransform=unpickle)
    module("lsst.afw.geom._geom", TransformPoint2ToPoint2=Transform)
    module("lsst.meas.extensions.piff.wcs_wrapper", UVWcsWrapper=Wrapper, CelestialWcsWrapper=Sky)
    return types.SimpleNamespace(Transform=Transform, UVWcsWrapper=Wrapper, CelestialWcsWrapper=Sky)


def dump(mapping, head):
    from secondlight.io.afw.stored_ast import dump_ast

    return f"1 {head} {dump_ast(mapping)}"


def test_field_angles_of_the_stack(stack):
    pytest.importorskip("piff")
    import galsim
    import starlink.Ast

    from helpers.piff_objects import make_piff

    to_rad = np.deg2rad(1 / 3600)
    matrix = np.array([[0.18, 0.05], [-0.06, 0.21]]) * to_rad
    theirs = make_piff()
    theirs.wcs = {
        0: stack.UVWcsWrapper(
            _pix_to_field=stack.Transform(dump(starlink.Ast.MatrixMap(matrix), "TransformPoint2ToPoint2")),
            _origin=galsim.PositionD(10, 20),
            _world_origin=galsim.PositionD(0, 0),
            _color=None,
        )
    }
    psf = read_piff_pickle(pickle.dumps((25, 25, theirs)))
    u, v = psf.wcs.field(X, Y)
    np.testing.assert_allclose(u, 0.18 * (X - 10) + 0.05 * (Y - 20), rtol=1e-9)
    np.testing.assert_allclose(v, -0.06 * (X - 10) + 0.21 * (Y - 20), rtol=1e-9)
    np.testing.assert_allclose(psf.wcs.jacobians(X, Y), [[0.18, 0.05, -0.06, 0.21]] * 3, rtol=1e-8)


def test_sky_of_the_stack(stack):
    pytest.importorskip("piff")
    import galsim
    import starlink.Ast

    from helpers.piff_objects import make_piff

    # a plate carrée around (1, 0.5) rad is enough to see that position and pointing arrive
    shift = starlink.Ast.ShiftMap([1.0, 0.5])
    mapping = starlink.Ast.CmpMap(starlink.Ast.MatrixMap(np.diag([-1e-6, 1e-6])), shift, True)
    theirs = make_piff(pointing=galsim.CelestialCoord(1.0 * galsim.radians, 0.5 * galsim.radians))
    theirs.wcs = {
        0: stack.CelestialWcsWrapper(
            _pix_to_sky=stack.Transform(dump(mapping, "SkyWcs 0 ")),
            _origin=galsim.PositionD(0, 0),
            _color=None,
        )
    }
    psf = read_piff_pickle(pickle.dumps((25, 25, theirs)))
    assert psf.wcs.pointing == (1.0, 0.5)
    u, v = psf.wcs.field(np.array([0.0, 10.0]), np.array([0.0, 0.0]))
    to_arcsec = np.rad2deg(1.0) * 3600
    np.testing.assert_allclose(u, [0.0, 1e-5 * np.cos(0.5) * to_arcsec], rtol=1e-6)
    np.testing.assert_allclose(v, [0.0, 0.0], atol=1e-4)


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


MARK = Path("was-run")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "call",
    [
        Call(os.system, f"touch {MARK}"),
        Call(eval, f"open('{MARK}', 'w')"),
        Call(exec, f"open('{MARK}', 'w')"),
        Call(__import__, "os"),
        Call(functools.partial, print),
        Call(np.load, "some.npy"),
        Call(np.testing.assert_equal, 1, 2),
        Call(np.fromfile, "some.bin"),
        Call(getattr, "text", "encode"),
        Call(codecs.decode, b"", "zip"),
        Call(open, str(MARK), "w"),
        Call(types.SimpleNamespace),
    ],
    ids=lambda call: call.reduced[0].__name__,
)
def test_calls_are_refused(call, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"not part of a Piff model"):
        read_piff_pickle(pickle.dumps((25, 25, call), protocol))
    assert not MARK.exists()


def globals_of(module, name, protocol=4):
    """A pickle that names a global, calls it with one argument, and stops."""
    argument = f"touch {MARK}"
    if protocol == 4:
        head = b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93"
    else:
        head = b"c" + module.encode() + b"\n" + name.encode() + b"\n"
    return head + b"X" + len(argument).to_bytes(4, "little") + argument.encode() + b"\x85R."


@pytest.mark.parametrize("protocol", [0, 4])
@pytest.mark.parametrize(
    "module, name",
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "object.__subclasses__"),
        ("piff", "PSF.__init__.__globals__"),
        ("piff.pixelgrid", "galsim.os.system"),
        ("numpy", "dtype.__class__"),
        ("numpy", "testing"),
        ("numpy.core.multiarray", "os.system"),
        ("numpy.lib.npyio", "load"),
        ("numpy", "ndarray.tofile"),
        ("lsst.afw.geom", "SkyWcs.readString"),
        ("", "system"),
        (".", "dtype"),
        ("secondlight.io.afw.piff_pickle", "read_piff_pickle"),
    ],
)
def test_names_are_refused(module, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"not part of a Piff model|cannot be read"):
        read_piff_pickle(globals_of(module, name, protocol))
    assert not MARK.exists()


def array_pickle(dtype, state, raw):
    """A pickle of an array whose parts are chosen freely."""

    class Type:
        def __reduce__(self):
            return np.dtype, (dtype, False, True), state

    class Array:
        def __reduce__(self):
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), Type(), False, raw)

    return pickle.dumps((25, 25, Array()))


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    "dtype, state, raw",
    [
        ("O8", PLAIN, [Call(os.system, f"touch {MARK}")]),
        ("O8", PLAIN, [1]),
        ("V8", PLAIN, b"12345678"),
        ("M8", PLAIN, b"12345678"),
        ("f8,O", PLAIN, b"12345678"),
        ("f8", (3, "|", None, ("a",), {"a": 1}, 8, 1, 0), b"12345678"),
        ("f8", (3, "<", (None, (2,)), None, None, -1, -1, 0), b"12345678"),
        ("f8", PLAIN, [1.0]),
        ("f8", PLAIN, b"123"),
        ("f8", PLAIN, b"12345678" * 2),
        ("f8", 3, b"12345678"),
    ],
)
def test_arrays_are_of_plain_numbers(dtype, state, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        read_piff_pickle(array_pickle(dtype, state, raw))
    assert not MARK.exists()


def test_nothing_of_ours_can_be_changed():
    # BUILD on a class or on a callable of the list would set attributes that outlive the reading
    def build(module, name):
        return (
            globals_of(module, name)[: -len(b"X\x04\x00\x00\x00") - len(f"touch {MARK}") - 3]
            + b"}\x8c\x01aK\x01sb."
        )

    for module, name in (
        ("piff.simplepsf", "SimplePSF"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("copyreg", "_reconstructor"),
        ("_codecs", "encode"),
    ):
        with pytest.raises(InputError, match="cannot be read"):
            read_piff_pickle(build(module, name))
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    assert read_piff_pickle(pickle.dumps((25, 25, make_piff()))).height == 25


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80\x04",
        b"not a pickle",
        pickle.dumps(3),
        pickle.dumps((25, 25, None)),
        pickle.dumps((25, 25)),
        pickle.dumps(("a", "b", "c")),
        b"\x80\x02\x82\x01.",
        b"Psomething\n.",
    ],
)
def test_damaged(raw):
    with pytest.raises(InputError, match=r"file\.fits: PiffPsf \(id 3\): "):
        read_piff_pickle(raw, path="file.fits", part="PiffPsf (id 3)")


def test_cut_anywhere():
    pytest.importorskip("piff")
    from helpers.piff_objects import make_piff

    raw = pickle.dumps((25, 25, make_piff()))
    for end in range(0, len(raw) - 1, len(raw) // 97):
        with pytest.raises(InputError):
            read_piff_pickle(raw[:end])


def test_models_that_cannot_be_drawn_are_named():
    piff = pytest.importorskip("piff")
    import galsim

    from helpers.piff_objects import make_piff

    theirs = make_piff()
    theirs.model.interp = galsim.Quintic()
    with pytest.raises(InputError, match="'Quintic'"):
        read_piff_pickle(pickle.dumps((25, 25, theirs)))
    both = piff.SumPSF([make_piff(), make_piff()])
    with pytest.raises(InputError, match="'SumPSF'"):
        read_piff_pickle(pickle.dumps((25, 25, both)))
    theirs.model = piff.Moffat(beta=2.5)
    with pytest.raises(InputError, match=r"piff\.gsobject_model"):
        read_piff_pickle(pickle.dumps((25, 25, theirs)))


def stored(path, *, index):
    from secondlight.io.afw.archive import Archive
    from secondlight.io.afw.hdus import FitsFile

    return Archive(FitsFile(path)).table(index, "PiffPsf")["bytes"][0].tobytes()


@needs_shared
@pytest.mark.parametrize(
    "path, size",
    [
        (reference("small", "inputs", "finalVisitSummary.fits"), (1024, 1000)),
        (reference("snaps", "inputs", "finalVisitSummary.fits"), (1024, 1000)),
        (realdata("lsst_files", "piff", "exp.fits"), (300, 110)),
    ],
)
def test_files_of_the_stack_as_piff_draws_them(path, size):
    pytest.importorskip("piff")
    from helpers.piff_objects import draw

    raw = stored(path, index=1)
    own = read_piff_pickle(raw)
    theirs = pickle.loads(raw)[2]
    # what other versions of Piff left out
    theirs.pointing = None
    theirs._num = None
    for item in (theirs.model, theirs.interp):
        item.set_num(None)
    theirs.model.__dict__ |= {"_fit_flux": False, "_init": None, "_maxk": 0.0, "_stepk": 0.0}
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, size[0], 10), rng.uniform(0, size[1], 10)
    kernels, stars = own.kernel_images(x, y), own.stellar_images(x, y)
    for i in range(10):
        kernel, *_ = draw(theirs, x[i], y[i], own.width, star=False)
        assert np.abs(kernels[i] - kernel).max() < 1e-6 * kernel.max()
        star, x0, y0 = draw(theirs, x[i], y[i], own.width, star=True)
        assert (stars.x0[i], stars.y0[i]) == (x0, y0)
        assert np.abs(stars.images[i] - star).max() < 1e-6 * star.max()
    used = [s for s in theirs.stars if not s.is_flagged and not s.is_reserve]
    expected = np.mean([s.image_pos.x for s in used]), np.mean([s.image_pos.y for s in used])
    assert own.average_position == pytest.approx(expected, rel=1e-12)

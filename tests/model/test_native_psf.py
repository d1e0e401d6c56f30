"""PSFs stored as lsst.images stores them: round trips here, and what plain lsst.images with Piff draws."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.json import JsonInputArchive, JsonOutputArchive
from lsst.images.psfs import PointSpreadFunction

from helpers.psfs import BOUNDS, LopsidedPsf, every_psf, kernel_psf, piff_psf, psfex_psf
from secondlight.errors import InputError
from secondlight.model.native_psf import from_native, from_tree, to_native
from secondlight.model.psf import BatchPsf, GaussianPsf, KernelPsf, PiffPsf, PsfexPsf

X = np.array([10.0, 511.3, 1001.8, 730.45])
Y = np.array([990.0, 480.6, 20.2, 333.35])

EXACT = (
    "gaussian",
    "gaussian of lsst.images",
    "fixed kernel",
    "combined kernel",
    "psfex",
    "piff",
    "piff even",
)


def stored(psf: BatchPsf, box: Box = BOUNDS) -> Any:
    """The tree, sent through text as in a file."""
    archive = JsonOutputArchive()
    tree = to_native(psf, box).serialize(archive)
    return type(tree).model_validate_json(tree.model_dump_json())


def largest_difference(a: BatchPsf, b: BatchPsf) -> float:
    """Of kernel and star images, in units of the peak."""
    kernel, star, other = a.kernel_images(X, Y), a.stellar_images(X, Y), b.stellar_images(X, Y)
    np.testing.assert_array_equal(star.x0, other.x0)
    np.testing.assert_array_equal(star.y0, other.y0)
    worst = max(np.abs(b.kernel_images(X, Y) - kernel).max(), np.abs(other.images - star.images).max())
    return float(worst / kernel.max())


@pytest.mark.parametrize("name", EXACT)
def test_comes_back_the_same(name: str) -> None:
    psf = every_psf()[name]
    back = from_tree(stored(psf), JsonInputArchive())
    assert type(back) is type(psf)
    assert largest_difference(psf, back) < 1e-6
    assert back.average_position == pytest.approx(psf.average_position)
    assert back.bounds == psf.bounds
    assert back.kernel_bbox == psf.kernel_bbox


def test_a_piff_model_comes_back_whole() -> None:
    psf = piff_psf()
    back = from_tree(stored(psf), JsonInputArchive())
    assert isinstance(back, PiffPsf)
    assert back.grid == psf.grid
    np.testing.assert_array_equal(back.interpolation.coefficients, psf.interpolation.coefficients)
    np.testing.assert_array_equal(back.stars.used, psf.stars.used)
    np.testing.assert_array_equal(back.stars.x, psf.stars.x)


def test_a_psfex_model_comes_back_whole() -> None:
    psf = psfex_psf()
    back = from_tree(stored(psf), JsonInputArchive())
    assert isinstance(back, PsfexPsf)
    np.testing.assert_allclose(back.components, psf.components, rtol=1e-6, atol=1e-12)
    assert (back.offset, back.scale, back.degree, back.pixel_step) == (
        psf.offset,
        psf.scale,
        psf.degree,
        psf.pixel_step,
    )


@pytest.mark.parametrize("name", ["piff turned", "single gaussian"])
def test_any_other_psf_is_approximated(name: str) -> None:
    psf = every_psf()[name]
    tree = stored(psf)
    back = from_tree(tree, JsonInputArchive())
    assert largest_difference(psf, back) < 1e-3
    if name == "piff turned":
        assert tree.metadata["secondlight kind"] == "approximation"
        # what it says of itself is what it is
        assert largest_difference(psf, back) < 3 * tree.metadata["secondlight error"]


def test_a_psf_that_cannot_be_approximated_is_refused() -> None:
    # it does not move with the star
    with pytest.raises(InputError, match=r"WrappedPsf cannot be stored: .* it is off by"):
        to_native(every_psf()["wrapped"], BOUNDS)


@pytest.mark.parametrize(
    ("name", "kernel_tolerance", "star_tolerance"),
    [
        ("piff", 1e-5, 1e-5),
        ("piff turned", 1e-3, 1e-3),
        ("gaussian", 1e-12, 3e-3),  # exact there, shifted by Lanczos-5 here
        ("gaussian of lsst.images", 1e-12, 1e-12),
        ("fixed kernel", 1e-12, 1e-3),
        ("combined kernel", 1e-12, 1e-3),
        ("psfex", 1e-6, 1e-3),
    ],
)
def test_plain_lsst_images_draws_the_same(name: str, kernel_tolerance: float, star_tolerance: float) -> None:
    pytest.importorskip("piff")
    psf = every_psf()[name]
    plain: PointSpreadFunction = stored(psf).deserialize(JsonInputArchive())
    assert not isinstance(plain, BatchPsf)
    peak = psf.kernel_images(X, Y).max()
    stars = psf.stellar_images(X, Y)
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        kernel = plain.compute_kernel_image(x=x, y=y)
        assert kernel.bbox == psf.kernel_bbox
        np.testing.assert_allclose(kernel.array, psf.kernel_images([x], [y])[0], atol=kernel_tolerance * peak)
        star = plain.compute_stellar_image(x=x, y=y)
        assert (star.bbox.x.start, star.bbox.y.start) == (stars.x0[i], stars.y0[i])
        np.testing.assert_allclose(star.array, stars.images[i], atol=star_tolerance * peak)


@pytest.mark.parametrize("name", ["gaussian", "piff", "combined kernel"])
def test_the_adapter_draws_as_the_psf(name: str) -> None:
    psf = every_psf()[name]
    native = to_native(psf, BOUNDS)
    for method in ("compute_kernel_image", "compute_stellar_image"):
        ours, theirs = (getattr(p, method)(x=300.3, y=100.6) for p in (psf, native))
        assert ours.bbox == theirs.bbox
        np.testing.assert_array_equal(ours.array, theirs.array)
    assert native.compute_stellar_bbox(x=300.3, y=100.6) == psf.compute_stellar_bbox(x=300.3, y=100.6)
    assert native.kernel_bbox == psf.kernel_bbox
    assert from_native(native) is psf


def test_the_adapter_gives_the_piff_object() -> None:
    piff = pytest.importorskip("piff")
    native: Any = to_native(kernel_psf(), BOUNDS)
    assert isinstance(native.piff_psf, piff.SimplePSF)


def test_neither_writing_nor_reading_needs_piff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piff", None)
    assert isinstance(from_tree(stored(piff_psf()), JsonInputArchive()), PiffPsf)


def test_bounds_are_the_boxs_if_the_psf_has_none() -> None:
    back = from_tree(stored(GaussianPsf(2.0, 21, 21)), JsonInputArchive())
    assert back.bounds == BOUNDS


def test_kernel_with_its_origin_off_the_middle() -> None:
    kernel = kernel_psf().kernel
    off = KernelPsf(type(kernel)(kernel.components[:, :, 1:], kernel.weights, 9, 10), (1.0, 2.0), BOUNDS)
    back = from_tree(stored(off), JsonInputArchive())
    assert largest_difference(off, back) < 1e-6


def stack_psfex(context: list[list[float]]) -> Any:
    """What the stack writes of a PSFEx model."""
    from lsst.images.psfs import PSFExSerializationModel

    psf = psfex_psf()
    return PSFExSerializationModel(
        average_x=480.0,
        average_y=510.0,
        pixel_step=0.5,
        degree=[1],
        basis=[],
        coeff=[],
        parameters={"data": psf.components.tolist(), "datatype": "float32"},
        context=np.array(context),
        bounds=BOUNDS,
    )


@pytest.mark.parametrize("context", [[[512, 1024], [500, 1000]], [[512, 500], [1024, 1000]]])
def test_psfex_of_the_stack(context: list[list[float]]) -> None:
    back = from_tree(stack_psfex(context), JsonInputArchive())
    assert largest_difference(psfex_psf(), back) == 0.0


def test_models_that_cannot_be_drawn_are_named() -> None:
    tree = stored(piff_psf())
    tree.piff.objects["piff"].structs["model"]["type"] = "Kolmogorov"
    with pytest.raises(InputError, match="'Kolmogorov'"):
        from_tree(tree, JsonInputArchive())
    tree = stored(piff_psf())
    del tree.piff.objects["piff"].objects["interp"]
    with pytest.raises(InputError, match="the PSF cannot be read"):
        from_tree(tree, JsonInputArchive())
    with pytest.raises(InputError, match="of a kind that cannot be evaluated"):
        from_tree({"a": 1}, JsonInputArchive())


def test_any_psf_in_memory_can_be_used() -> None:
    assert from_native(LopsidedPsf()).kernel_images([5.0], [6.0]).shape == (1, 15, 17)

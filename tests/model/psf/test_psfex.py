"""PSFEx models against the steps of the spec, written slowly."""

import numpy as np
import pytest

from helpers.psfex_twin import twin_axis
from helpers.psfs import psfex_psf
from secondlight.model.psf import PsfexPsf


def twin(psf: PsfexPsf, x: float, y: float, star: bool):
    u, v = (x - psf.offset[0]) / psf.scale[0], (y - psf.offset[1]) / psf.scale[1]
    terms = [u**i * v**j for j in range(psf.degree[0] + 1) for i in range(psf.degree[0] + 1 - j)]
    model = sum(t * c.astype(float) for t, c in zip(terms, psf.components, strict=True))
    size = int(len(model) * psf.pixel_step)
    size += 1 - size % 2
    dx = dy = 0.0
    if star:
        dx, dy = x - int(x), y - int(y)
        dx, dy = (d - 1 if d > 0.5 else d for d in (dx, dy))
    step = 1 / psf.pixel_step
    image = twin_axis(len(model), size, dy, step) @ model @ twin_axis(len(model), size, dx, step).T
    return image / image.sum(), int(x - dx + 0.5) - size // 2, int(y - dy + 0.5) - size // 2


@pytest.mark.parametrize("x, y", [(100.0, 200.0), (511.25, 499.75), (800.5, 3.5), (17.4, 999.51)])
def test_twin(x, y):
    psf = psfex_psf()
    kernel, *_ = twin(psf, x, y, star=False)
    np.testing.assert_allclose(psf.kernel_images([x], [y])[0], kernel, rtol=0, atol=1e-6 * kernel.max())
    star, x0, y0 = twin(psf, x, y, star=True)
    stamps = psf.stellar_images([x], [y])
    np.testing.assert_allclose(stamps.images[0], star, rtol=0, atol=2e-6 * star.max())
    assert (stamps.x0[0], stamps.y0[0]) == (x0, y0)


def test_stamps_are_odd():
    assert psfex_psf().kernel_bbox.shape == (21, 21)
    assert psfex_psf().average_position == (480.0, 510.0)


def test_terms_go_with_x_fastest():
    psf = PsfexPsf(
        np.ones((6, 3, 3), np.float32),
        pixel_step=1.0,
        degree=(2,),
        group=(0, 0),
        offset=(0.0, 0.0),
        scale=(1.0, 1.0),
        average_position=(0.0, 0.0),
    )
    x, y = np.array([2.0]), np.array([3.0])
    np.testing.assert_array_equal(psf.terms(x, y), [[1, 2, 4, 3, 6, 9]])


@pytest.mark.parametrize(
    "change, message",
    [({"degree": (1, 1)}, "groups"), ({"group": (0, 1)}, "groups"), ({"degree": (3,)}, "10 components")],
)
def test_unknown_models(change, message):
    parts = {
        "pixel_step": 1.0,
        "degree": (2,),
        "group": (0, 0),
        "offset": (0.0, 0.0),
        "scale": (1.0, 1.0),
        "average_position": (0.0, 0.0),
    }
    with pytest.raises(ValueError, match=message):
        PsfexPsf(np.ones((6, 3, 3), np.float32), **(parts | change))

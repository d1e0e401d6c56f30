"""Time a Piff model drawn in one batch, and by Piff itself one position after another.

    python benchmarks/piff_draw.py [positions]

Needs the extra ``piff``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import galsim
import numpy as np
import piff

from secondlight import threads
from secondlight.model.psf import piff_from_objects

SIZE = 25
REPEATS = 5


def example() -> piff.SimplePSF:
    """Make a model like those of the survey: 25x25 pixels, Lanczos(11), quadratic over the detector."""
    v, u = np.mgrid[-12:13, -12:13]
    shapes = [np.exp(-0.5 * (u**2 + v**2) / width**2).ravel() for width in (1.7, 1.8, 1.9, 2.0, 2.1, 2.2)]
    coefficients = np.stack([shape / shape.sum() for shape in shapes], axis=1)
    coefficients[:, 1:] *= [1e-5, 1e-9, 1e-5, 1e-9, 1e-9]
    psf = piff.SimplePSF(piff.PixelGrid(1.0, SIZE, interp="galsim.Lanczos(11)"), piff.BasisPolynomial(2))
    psf.interp.q = coefficients
    psf.wcs = {0: galsim.PixelScale(1.0)}
    psf.pointing = None
    psf.stars = []
    return psf


def best(work: Callable[[], object]) -> float:
    """Return the shortest of several runs [s]."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one line a way of drawing."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    theirs = example()
    own = piff_from_objects(theirs, height=SIZE, width=SIZE)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 4000, n), rng.uniform(0, 4000, n)
    own.stellar_images(x[:1], y[:1])  # compiles

    def loop(center: bool | None) -> list[np.ndarray]:
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        return [theirs.draw(xi, yi, stamp_size=SIZE, center=center).array for xi, yi in pairs]

    for name, center, draw in (
        ("kernel images", True, own.kernel_images),
        ("star images", None, lambda x, y: own.stellar_images(x, y).images),
    ):
        reference = np.stack(loop(center))
        reference /= reference.sum(axis=(1, 2))[:, None, None]
        difference = np.abs(draw(x, y) - reference).max() / reference.max()
        slow = best(lambda center=center: loop(center))
        with threads.use(1):
            fast = best(lambda draw=draw: draw(x, y))
        print(
            f"{n} {name}: piff {slow * 1e3:.1f} ms, one batch {fast * 1e3:.2f} ms (one thread), "
            f"{slow / fast:.0f} times faster, largest difference {difference:.0e} of the peak"
        )


if __name__ == "__main__":
    main()

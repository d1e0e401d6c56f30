"""Time a Piff model drawn in one batch, and by Piff itself one position after another.

    python -m benchmarks.piff_draw [positions | --json]

Needs the extra ``piff``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import galsim
import numpy as np
import piff

from benchmarks._measuring import best_of
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


def rows(n: int = 1000) -> list[dict[str, Any]]:
    """Draw ``n`` stars both ways; return CPU seconds of each, on one thread, and how far the images differ."""
    theirs = example()
    own = piff_from_objects(theirs, height=SIZE, width=SIZE)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 4000, n), rng.uniform(0, 4000, n)

    def loop(center: bool | None) -> list[np.ndarray]:
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        return [theirs.draw(xi, yi, stamp_size=SIZE, center=center).array for xi, yi in pairs]

    found = []
    for name, center, draw in (
        ("kernel images", True, own.kernel_images),
        ("star images", None, lambda x, y: own.stellar_images(x, y).images),
    ):
        reference = np.stack(loop(center))
        reference /= reference.sum(axis=(1, 2))[:, None, None]
        difference = np.abs(draw(x, y) - reference).max() / reference.max()
        slow = best_of(lambda center=center: loop(center), REPEATS)
        with threads.use(1):
            fast = best_of(lambda draw=draw: draw(x, y), REPEATS)
        found.append(
            {"name": name, "n": n, "piff": slow.cpu, "batch": fast.cpu, "difference": float(difference)}
        )
    return found


def main() -> None:
    """Print one line a way of drawing, or all as JSON."""
    arguments = sys.argv[1:]
    if "--json" in arguments:
        print(json.dumps(rows()))
        return
    for row in rows(int(arguments[0]) if arguments else 1000):
        print(
            f"{row['n']} {row['name']}: piff {row['piff'] * 1e3:.1f} ms, one batch {row['batch'] * 1e3:.2f} ms of CPU "
            f"(one thread), {row['piff'] / row['batch']:.0f} times faster, largest difference "
            f"{row['difference']:.0e} of the peak"
        )


if __name__ == "__main__":
    main()

"""Adaptive moments beside GalSim's, stamp by stamp on one thread: by how much they differ and how long they take.

    python benchmarks/hsm.py [--stamps N]

Stamps hold an exponential galaxy seen through a Gaussian PSF, with noise and a few masked pixels.
"""

from __future__ import annotations

import argparse
import time

import galsim
import numpy as np

from secondlight.kernels.hsm_moments import HSM_OK, hsm_source_moments
from secondlight.kernels.pixels import Pixels

#: First guess of all widths [pixel].
GUESS = 4.0


def stamp(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return pixels, which of them are good, and where the galaxy is."""
    h, w = rng.integers(25, 61, 2)
    dx, dy = rng.uniform(-1.5, 1.5, 2)
    galaxy = galsim.Exponential(half_light_radius=rng.uniform(1.5, 3.5)).shear(
        g1=rng.uniform(-0.4, 0.4), g2=rng.uniform(-0.4, 0.4)
    )
    image = galsim.ImageD(int(w), int(h))
    flux = 10 ** rng.uniform(2.5, 4.5)
    galsim.Convolve(galaxy, galsim.Gaussian(sigma=1.5)).shift(dx, dy).withFlux(flux).drawImage(image, scale=1)
    pixels = (image.array + rng.normal(0, rng.choice([0.3, 1.0]), (h, w))).astype(np.float32)
    return pixels, rng.random((h, w)) > 0.02, image.true_center.x - 1 + dx, image.true_center.y - 1 + dy


def main() -> None:
    """Parse arguments, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stamps", type=int, default=1000)
    n = parser.parse_args().stamps
    rng = np.random.default_rng(1)
    stamps = [stamp(rng) for _ in range(n)]
    # all in one image, as sources are, and as near to one another as GalSim's stamps are
    side = 61
    image = np.zeros((side * n, side), np.float32)
    mask = np.zeros(image.shape, np.int32)
    boxes, x, y = np.empty((n, 4), np.int64), np.empty(n), np.empty(n)
    for k, (pixels, good, sx, sy) in enumerate(stamps):
        i = side * k
        h, w = pixels.shape
        boxes[k] = i, i + h, 0, w
        image[i : i + h, :w], mask[i : i + h, :w] = pixels, ~good
        x[k], y[k] = sx, i + sy
    scene = Pixels.of(image, mask, np.ones_like(image))
    guess = np.full(n, GUESS)
    for is_round in (False, True):
        ours, status = np.full((n, 6), np.nan), np.empty(n, np.int64)
        for rows in (slice(1), slice(n)):  # the first compiles
            begin = time.thread_time()
            hsm_source_moments(
                scene,
                np.arange(n)[rows],
                1,
                boxes[rows],
                x[rows],
                y[rows],
                guess[rows],
                is_round,
                ours[rows],
                status[rows],
            )
            here = time.thread_time() - begin
        ours[status != HSM_OK] = np.nan
        theirs = np.full((n, 6), np.nan)
        galsims = 0.0
        for k, (pixels, good, sx, sy) in enumerate(stamps):
            stamp_image = galsim.ImageD(pixels.astype(float))
            weight = galsim.ImageI(good.astype(np.int32))
            begin = time.thread_time()
            found = galsim.hsm.FindAdaptiveMom(
                stamp_image,
                weight=weight,
                guess_sig=GUESS,
                guess_centroid=galsim.PositionD(sx + 1, sy + 1),
                precision=1e-6,
                round_moments=is_round,
                strict=False,
            )
            galsims += time.thread_time() - begin
            if found.error_message == "":
                shape, s2 = found.observed_shape, found.moments_sigma**2
                root = np.sqrt(1 - shape.e1**2 - shape.e2**2)
                theirs[k] = (
                    found.moments_centroid.x - 1 + boxes[k, 2],
                    found.moments_centroid.y - 1 + boxes[k, 0],
                    s2 * (1 + shape.e1) / root,
                    s2 * (1 - shape.e1) / root,
                    s2 * shape.e2 / root,
                    found.moments_amp,
                )
        size = np.sqrt(theirs[:, 2] + theirs[:, 3])
        off = np.abs(ours - theirs)
        off[:, :2] /= size[:, None]
        off[:, 2:5] /= size[:, None] ** 2
        off[:, 5] /= np.abs(theirs[:, 5])
        both = int(np.isfinite(off[:, 0]).sum())
        print(
            f"{'round' if is_round else 'elliptical'} weight: {both} of {n} measured by both; "
            f"largest difference {np.nanmax(off):.1e} (positions and moments in units of the size, flux relative); "
            f"GalSim {1e6 * galsims / n:.0f} us, here {1e6 * here / n:.1f} us each: {galsims / here:.1f} times faster"
        )


if __name__ == "__main__":
    main()

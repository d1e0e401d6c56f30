"""What the deviations from the reference are worth, measured on simulated pixels.

    python benchmarks/deviations.py [--seed N]

Prints, with the reference's behaviour and with the default: how well pixels hit by cosmic rays are restored, and the bias of
small apertures. docs/deviations.md quotes it.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from secondlight.kernels.elliptical_sinc import elliptical_sinc_fluxes
from secondlight.kernels.pixels import Pixels
from secondlight.kernels.sinc_aperture import circular_sinc_coefficients, sinc_fluxes
from secondlight.kernels.sinc_circle import circle_weights, exact_sinc_fluxes
from secondlight.simulate import simulate_visit
from secondlight.simulate.cosmic_rays import draw_cosmic_rays
from secondlight.tasks.repair import RepairTask


def cosmic_rays(seed: int) -> None:
    """Add tracks to a repaired image, repair it again, and compare with what was there."""
    visit = simulate_visit(1500, 1500, seed=seed)
    exposure = visit.exposures[0]
    exposure.image -= visit.background_1.image()
    exposure.image -= visit.sky_corr.image()
    exposure.psf = visit.psf
    RepairTask().run(exposure)
    clean = exposure.copy()
    tracks = draw_cosmic_rays(np.random.default_rng(seed), clean.image.shape, 60.0).astype(np.float32)
    sigma = np.sqrt(clean.variance)
    # stars and galaxies stand clear of the noise in a smoothed sense: judge by the model-free mean of 5x5 pixels
    padded = np.pad(clean.image / sigma, 2, mode="edge")
    mean = (
        sum(
            padded[j : j + clean.image.shape[0], i : i + clean.image.shape[1]]
            for j in range(5)
            for i in range(5)
        )
        / 25
    )
    bad = (clean.mask & clean.mask_planes.bits(["SAT", "BAD", "INTRP", "NO_DATA", "CR"])) != 0
    print(f"cosmic rays: {np.count_nonzero(tracks)} pixels hit on 1500 x 1500")
    for name, defects in (("reference", True), ("default", False)):
        config = RepairTask.ConfigClass()
        config.reproduceReferenceDefects = defects
        hit = clean.copy()
        hit.image += tracks
        RepairTask(config=config).run(hit)
        found = (hit.mask & hit.mask_planes.bits(["CR"])) != 0
        strong = (tracks > sigma) & ~bad
        error = (hit.image - clean.image) / sigma
        for place, where in (("on sky", mean < 0.5), ("on sources", mean > 5)):
            pick = strong & found & where
            rms = float(np.sqrt(np.mean(error[pick] ** 2)))
            print(
                f"  {name:9s} {place:10s}: restored with rms error {rms:5.2f} sigma, {np.count_nonzero(pick)} pixels"
            )
        print(
            f"  {name:9s} completeness {100 * np.mean(found[strong]):.1f} %; {np.count_nonzero(found & (tracks == 0))} pixels marked that were not hit"
        )


def star_bias(width: float, radius: float, kron: bool, defects: bool, seed: int) -> tuple[float, float]:
    """Mean and largest error, in percent, of the flux of a Gaussian star in a circle around it, anywhere between pixels."""
    ratios = []
    for x, y in np.random.default_rng(seed).uniform(59.5, 60.5, (200, 2)):
        gy, gx = np.mgrid[:121, :121]
        image = np.exp(-0.5 * ((gx - x) ** 2 + (gy - y) ** 2) / width**2).astype(np.float32)
        image /= np.float32(2 * np.pi * width**2)
        out, flags = np.full((1, 2), np.nan), np.zeros(1, np.int64)
        pixels = Pixels.of(image, np.zeros(image.shape, np.int32), np.ones_like(image))
        place = np.array([x]), np.array([y]), out, flags
        if kron:
            axes = np.array([[radius, radius, 0.0]])
            elliptical_sinc_fluxes(pixels, 0, 0, axes, *place, order=5 if defects else 0)
        elif defects:
            sinc_fluxes(pixels, 0, 0, circular_sinc_coefficients(radius), 5, radius, *place, True)
        else:
            exact_sinc_fluxes(pixels, 0, 0, *circle_weights(radius), radius, *place)
        ratios.append(out[0, 0] / (1 - np.exp(-0.5 * radius**2 / width**2)) - 1)
    return 100 * float(np.mean(ratios)), 100 * float(np.max(np.abs(ratios)))


def apertures(seed: int) -> None:
    """Fluxes of round Gaussian stars in circles of the usual radii, and in their own Kron apertures."""
    print("apertures: bias of the flux of a Gaussian star, mean and largest of 200 positions between pixels")
    circles = [(width, radius, False) for width in (1.5, 2.0) for radius in (3.0, 4.5, 6.0, 12.0)]
    ellipses = [(width, 2.5 * math.sqrt(math.pi / 2) * width, True) for width in (1.25, 1.5, 2.0)]
    for width, radius, kron in circles + ellipses:
        theirs, ours = (star_bias(width, radius, kron, defects, seed) for defects in (True, False))
        print(
            f"  sigma {width} pixel, {'Kron ' if kron else ''}radius {radius:4.1f}: reference {theirs[0]:+.3f} % "
            f"(largest {theirs[1]:.3f}), default {ours[0]:+.5f} % (largest {ours[1]:.5f})"
        )


def main() -> None:
    """Parse arguments and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=7)
    seed = parser.parse_args().seed
    cosmic_rays(seed)
    apertures(seed)


if __name__ == "__main__":
    main()

"""PSF fluxes of blended stars against the truth, with the reference's behaviour and with the default.

    python benchmarks/blended_stars.py [--seeds N …] [--density D …] [--size NX NY] [--noise] [--threads N]

Simulates the demo's scene and one twice as crowded, processes each as the shipped configuration ``reference`` says, then
with the default deblender alone, then with the default of everything, and prints bias, scatter and pull of the same stars:
children that all found, without a flag. The scenes of several seeds are put together. docs/deviations.md quotes it.

While a source is measured its neighbours are replaced by zeros, not by noise: one stream of noise goes through all footprints
of an image, so that one pixel more in one of them would change the noise beside all later ones, and fluxes with it, by
chance. ``--noise`` replaces them by noise, as usual.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondlight import ReprocessVisitImageTask, threads
from secondlight.model.background import BackgroundList
from secondlight.overrides import build_config
from secondlight.simulate import simulate_visit
from secondlight.simulate.truth import _BAD_FLAGS, match_truth
from secondlight.simulate.visit import SimulatedVisit

#: Configuration file and values of each way to process.
WAYS: dict[str, tuple[list[str], list[str]]] = {
    "reference": (["reference"], []),
    "deblender": (["reference"], ["deblend.reproduceReferenceDefects=False"]),
    "default": ([], []),
}

#: True flux over its stated error.
BINS = ((10, 20), (20, 50), (50, 200), (200, 5000))

#: Times that stars are drawn again to tell how sure a difference is.
DRAWS = 400


def process(visit: SimulatedVisit, way: str, noise: bool) -> dict[str, NDArray[Any]]:
    """Process a visit; return what is needed of every true star, NaN where it is no good child."""
    files, values = WAYS[way]
    zeros = "measurement.noiseReplacer.noiseSource=meta"
    config = build_config(files, values if noise else [*values, zeros])
    task = ReprocessVisitImageTask(config)
    measure = task.measurement.run

    def measure_without_noise(catalog: Any, exposure: Any) -> None:
        exposure.metadata["BGMEAN"] = 0.0  # the variance of the noise
        measure(catalog, exposure)

    if not noise:
        task.measurement.run = measure_without_noise  # type: ignore[method-assign]
    result = task.run(
        exposures=[e.copy() for e in visit.exposures],
        psf=visit.psf,
        background=BackgroundList([*visit.background_1, *visit.sky_corr]),
        ap_corr=visit.ap_corr_map,
        photo_calib=visit.photo_calib,
        wcs=visit.wcs,
        id_generator=config.id_generator.make(
            visit=visit.visit, detector=visit.detector, instrument=visit.visit_info.instrument
        ),
    )
    rows = result.sources_footprints
    x, y = rows["base_SdssCentroid_x"], rows["base_SdssCentroid_y"]
    leaf = ~rows["sky_source"] & (rows["deblend_nChild"] == 0) & np.isfinite(x) & np.isfinite(y)
    match = match_truth(x, y, leaf, visit.truth)
    bad = np.logical_or.reduce([rows[name] for name in _BAD_FLAGS])
    good = (match >= 0) & (np.asarray(visit.truth["kind"]) == "star")
    good &= ~bad[match] & (rows["parent"][match] != 0)
    out = {"flux": rows["base_PsfFlux_instFlux"], "error": rows["base_PsfFlux_instFluxErr"]}
    out = {name: np.where(good, values[match], np.nan) for name, values in out.items()}
    out["as_psf"] = good & rows["deblend_deblendedAsPsf"][match]
    return out


def width(values: NDArray[np.float64]) -> float:
    """Standard deviation of the Gaussian with the same median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def measures(true: NDArray[Any], flux: NDArray[Any], error: NDArray[Any]) -> NDArray[np.float64]:
    """Median and scatter of the flux [%], share of stars wrong by a quarter [%], median and width of the pull."""
    offset = flux / true - 1
    pull = (flux - true) / error
    return np.array(
        [
            100 * np.median(offset),
            100 * width(offset),
            100 * np.mean(np.abs(offset) > 0.25),
            np.median(pull),
            width(pull),
        ]
    )


def tell_moved(true: NDArray[Any], one: dict[str, NDArray[Any]], two: dict[str, NDArray[Any]]) -> str:
    """Say how many fluxes differ, and which are closer to the truth."""
    moved = np.abs(two["flux"] - one["flux"]) > 0.05 * one["error"]
    off = [np.abs(r["flux"] - true)[moved] / r["error"][moved] for r in (one, two)]
    if not moved.any():
        return f"none of {len(true)} fluxes differs by more than a twentieth of its error"
    return (
        f"{moved.sum()} of {len(true)} fluxes differ by more than a twentieth of their error; {(off[1] < off[0]).sum()} are "
        f"closer to the truth; mean distance from it {np.mean(off[0]):.3f} of the error before, {np.mean(off[1]):.3f} now"
    )


def report(density: float, seeds: list[int], size: tuple[int, int], noise: bool) -> None:
    """Print the table of one density."""
    truth: list[NDArray[Any]] = []
    found: dict[str, list[dict[str, NDArray[Any]]]] = {way: [] for way in WAYS}
    for seed in seeds:
        visit = simulate_visit(*size, seed=seed, density=density)
        truth.append(np.asarray(visit.truth["flux"]))
        for way, results in found.items():
            results.append(process(visit, way, noise))
    joined = {
        way: {name: np.concatenate([r[name] for r in results]) for name in results[0]}
        for way, results in found.items()
    }
    everywhere = np.logical_and.reduce([np.isfinite(r["flux"]) for r in joined.values()])
    print(f"\ndensity {density:g}, seeds {', '.join(map(str, seeds))}, {size[0]} x {size[1]} pixels")
    for way, r in joined.items():
        print(
            f"  {way:9s}: {np.isfinite(r['flux']).sum()} stars are good children, {r['as_psf'].sum()} as point sources"
        )
    true = np.concatenate(truth)[everywhere]
    joined = {way: {name: v[everywhere] for name, v in r.items()} for way, r in joined.items()}
    for before, now in pairwise(WAYS):
        print(f"  from {before} to {now}: {tell_moved(true, joined[before], joined[now])}")
    print(
        "| S/N | stars | behaviour | flux bias [%] | flux scatter [%] | wrong by > 25 % [%] | pull | pull width |"
    )
    print("|---|---|---|---|---|---|---|---|")
    base = joined["reference"]
    signal_to_noise = true / base["error"]
    rng = np.random.default_rng(1)
    for low, high in BINS:
        pick = np.flatnonzero((signal_to_noise >= low) & (signal_to_noise < high))
        if len(pick) < 8:
            continue
        draws = [rng.choice(pick, len(pick)) for _ in range(DRAWS)]
        for way, r in joined.items():
            values = measures(true[pick], r["flux"][pick], r["error"][pick])
            cells = " | ".join(f"{v:+.2f}" if i in (0, 3) else f"{v:.2f}" for i, v in enumerate(values))
            print(f"| {low} to {high} | {len(pick)} | {way} | {cells} |")
            if way == "reference":
                continue
            # of what should be small: absolute medians, scatters and shares
            changes = [
                np.abs(measures(true[d], r["flux"][d], r["error"][d]))
                - np.abs(measures(true[d], base["flux"][d], base["error"][d]))
                for d in draws
            ]
            now = np.abs(values) - np.abs(measures(true[pick], base["flux"][pick], base["error"][pick]))
            cells = " | ".join(
                f"{v:+.3f} ± {e:.3f}" for v, e in zip(now, np.std(changes, axis=0), strict=True)
            )
            print(f"| | | change of size | {cells} |")


def main() -> None:
    """Parse arguments and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--density", nargs="+", type=float, default=[1.0, 2.0])
    parser.add_argument("--size", nargs=2, type=int, default=[2000, 1000], metavar=("NX", "NY"))
    parser.add_argument("--noise", action="store_true", help="replace neighbours by noise, as usual")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with threads.use(options.threads):
        for density in options.density:
            report(density, options.seeds, tuple(options.size), options.noise)


if __name__ == "__main__":
    main()

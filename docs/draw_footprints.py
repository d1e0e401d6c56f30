"""Draw ``docs/footprints.png``: a simulated blend, its footprints, and what each of its sources is measured on.

Run from the root of the repository: ``python docs/draw_footprints.py [FILE]``. Needs ``secondlight[sim,report]``.
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from lsst.images import Box

from secondlight.kernels.pixels import show
from secondlight.measurement import NoiseReplacer, NoiseReplacerConfig
from secondlight.model.ids import IdGenerator
from secondlight.model.schema import Schema
from secondlight.simulate import simulate_visit
from secondlight.tasks.deblend import SourceDeblendTask
from secondlight.tasks.detection import SourceDetectionTask
from secondlight.tasks.repair import RepairTask

PAPER, INK = "#0d1117", "#e6edf3"
COLOURS = ("#4cc9f0", "#ffd166", "#80ed99", "#ff6b6b", "#c792ea")


def detect_and_deblend():
    """Simulate an exposure and find its sources, parents first, then children."""
    visit = simulate_visit(700, 700, seed=3, density=4.0)
    exposure = visit.exposures[0]
    exposure.image -= visit.background_1.image() + visit.sky_corr.image()
    exposure.psf = visit.psf
    RepairTask(name="repair").run(exposure)
    schema = Schema.minimal()
    config = SourceDetectionTask.ConfigClass()
    config.reEstimateBackground = config.doTempLocalBackground = False
    detection = SourceDetectionTask(schema=schema, config=config, name="detection")
    deblend = SourceDeblendTask(schema=schema, name="deblend")
    ids = IdGenerator().make_factory()
    catalog = detection.run(exposure, ids=ids).sources
    deblend.run(exposure, catalog, ids)
    return exposure, catalog


def instructive(exposure, catalog):
    """The row of a parent of a few children that fills a picture well, away from the borders."""
    ny, nx = exposure.image.shape
    best, most = -1, 0.0
    for row in np.flatnonzero((catalog["deblend_nChild"] >= 3) & (catalog["deblend_nChild"] <= 4)):
        box = catalog.footprints[row].bbox
        if min(box.x.start, box.y.start, nx - box.x.stop, ny - box.y.stop) < 20 or max(box.shape) > 70:
            continue
        bits = exposure.mask_planes.bits(["SAT", "BAD"])
        if (exposure.cutout(box).mask & bits).any():
            continue
        # all children bright, none too much brighter than the others
        children = np.flatnonzero(catalog["parent"] == catalog["id"][row])
        least = min(float(catalog.heavy(i).own_image(0).sum()) for i in children)
        if least > most:
            best, most = int(row), least
    return best


def outline(axes, footprint, colour, width=1.6):
    """Draw the border of a footprint along its pixels' edges."""
    box = footprint.bbox
    fine = np.kron(np.pad(footprint.mask(), 1), np.ones((9, 9)))
    y = box.y.start - 1.5 + (np.arange(fine.shape[0]) + 0.5) / 9
    x = box.x.start - 1.5 + (np.arange(fine.shape[1]) + 0.5) / 9
    axes.contour(x, y, fine, [0.5], colors=[colour], linewidths=width)


def draw(path):
    """Make the picture."""
    exposure, catalog = detect_and_deblend()
    row = instructive(exposure, catalog)
    parent = catalog.footprints[row]
    children = np.flatnonzero(catalog["parent"] == catalog["id"][row])
    box = parent.bbox.padded(8)
    image = exposure.cutout(box).image
    noise = float(np.median(np.sqrt(exposure.variance)))
    replacer = NoiseReplacer(catalog, exposure, NoiseReplacerConfig())

    columns = len(children) + 1
    figure, panels = plt.subplots(
        2, columns, figsize=(3.1 * columns, 6.6), facecolor=PAPER, layout="constrained"
    )
    bright = float(np.arcsinh(image.max() / noise / 3))
    extent = (box.x.start - 0.5, box.x.stop - 0.5, box.y.start - 0.5, box.y.stop - 0.5)

    def panel(axes, pixels, where, title):
        shown = np.arcsinh(pixels / noise / 3)
        axes.imshow(
            shown, origin="lower", cmap="gray", vmin=-1, vmax=bright, extent=where, interpolation="nearest"
        )
        axes.set(xlim=extent[:2], ylim=extent[2:], facecolor="#1c2430", xticks=[], yticks=[])
        axes.set_title(title, color=INK, fontsize=10)

    panel(panels[0, 0], image, extent, "the image, one footprint, its peaks")
    outline(panels[0, 0], parent, INK)
    panels[0, 0].plot(parent.peaks["f_x"], parent.peaks["f_y"], "+", color="#ff6b6b", markersize=9)
    inner = parent.bbox
    where = (inner.x.start - 0.5, inner.x.stop - 0.5, inner.y.start - 0.5, inner.y.stop - 0.5)
    panel(panels[1, 0], parent.extract(exposure.image), where, "parent.extract(image)")
    for axes, child_row, colour in zip(panels.T[1:], children, COLOURS, strict=False):
        child = catalog.heavy(child_row)
        inner = child.bbox
        where = (inner.x.start - 0.5, inner.x.stop - 0.5, inner.y.start - 0.5, inner.y.stop - 0.5)
        panel(axes[0], child.own_image(), where, "a child's share: child.own_image()")
        outline(axes[0], child, colour)
        with replacer.show(int(child_row), int(child_row) + 1) as pixels:
            show(pixels, 0)
            at = box.slice_within(Box.from_shape(exposure.image.shape))
            panel(axes[1], pixels.image[at], extent, "what the child is measured on")
        outline(axes[1], child, colour)
    figure.savefig(path, dpi=80, facecolor=PAPER, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "docs/footprints.png")

"""A picture of an image and of what was found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondlight.errors import UsageError
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprints, span_pixels
from secondlight.model.mask_planes import MaskPlanes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_picture"]

_BACKGROUND, _INK, _FAINT_INK = "#0d1117", "#e6edf3", "#8b98a5"
_SOURCE, _BLEND, _SKY, _PEAK = "#4cc9f0", "#ffd166", "#80ed99", "#ff6b6b"

#: Colours of mask planes: name, plane, red-green-blue.
_PLANES = (
    ("saturated", "SAT", (1.00, 0.62, 0.11)),
    ("bad column", "BAD", (0.35, 0.43, 0.55)),
    ("cosmic ray", "CR", (0.95, 0.20, 0.75)),
)

#: Side of the region that the inset enlarges [pixel].
_ZOOM = 160


def draw_picture(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    planes: MaskPlanes,
    catalog: SourceCatalog,
    *,
    x0: int = 0,
    y0: int = 0,
    unit: str = "nJy",
    title: str = "",
    zoom: tuple[int, int] | None = None,
) -> Figure:
    """Draw an image with its detections, sky sources and mask, and an enlarged part with footprints and peaks.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, background-subtracted.
    mask, planes
        Its mask.
    catalog
        Sources with footprints; positions are ``base_SdssCentroid``, or the first peak where that is missing.
    x0, y0
        Parent coordinates of the image's first pixel.
    unit
        Unit of the image.
    title
        One line for the head of the picture.
    zoom
        Lower left corner of the enlarged part, (x, y) parent coordinates; the liveliest part if not given.

    Returns
    -------
    matplotlib.figure.Figure
        Not bound to any window; save it with ``figure.savefig(path)``.

    Raises
    ------
    UsageError
        Raised if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import ConnectionPatch, Rectangle
    except ImportError:
        raise UsageError("pictures need matplotlib: pip install 'secondlight[report]'") from None

    ny, nx = image.shape
    side = min(_ZOOM, nx, ny)
    x, y, sky, blend = _sources(catalog)
    if zoom is None:
        zoom = _liveliest(catalog.footprints, mask & planes.bits(["CR"]), x0, y0, (ny, nx), side)
    sigma = _noise(image)

    # the inset is as tall as the image [inch]; a very wide image is made lower
    height = min(7.6, 16.0 * ny / nx)
    shown = height * nx / ny
    figure = Figure(figsize=(shown + height + 0.75, height + 1.5), facecolor=_BACKGROUND)
    total_w, total_h = figure.get_size_inches()
    left: Axes = figure.add_axes((0.25 / total_w, 0.75 / total_h, shown / total_w, height / total_h))
    right: Axes = figure.add_axes(
        ((0.5 + shown) / total_w, 0.75 / total_h, height / total_w, height / total_h)
    )
    extent = (x0 - 0.5, x0 + nx - 0.5, y0 - 0.5, y0 + ny - 0.5)
    colours = _colour(image, mask, planes, sigma)
    for axes in (left, right):
        axes.imshow(
            colours, origin="lower", extent=extent, interpolation="antialiased" if axes is left else "nearest"
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#30363d")

    open_marks: dict[str, Any] = {"facecolors": "none", "linewidths": 0.7}
    single = ~sky & ~blend
    left.scatter(x[single], y[single], s=26, edgecolors=_SOURCE, alpha=0.85, **open_marks)
    left.scatter(x[blend], y[blend], s=46, edgecolors=_BLEND, **open_marks)
    left.scatter(x[sky], y[sky], s=16, marker="s", edgecolors=_SKY, alpha=0.7, **open_marks)
    left.add_patch(Rectangle(zoom, side, side, fill=False, edgecolor=_INK, linewidth=1.2))
    for corner in (0, side):
        figure.add_artist(
            ConnectionPatch(
                (zoom[0] + side, zoom[1] + corner), (0, corner / side), left.transData, right.transAxes,
                color=_INK, linewidth=0.6, alpha=0.5,
            )
        )  # fmt: skip

    right.set_xlim(zoom[0] - 0.5, zoom[0] + side - 0.5)
    right.set_ylim(zoom[1] - 0.5, zoom[1] + side - 0.5)
    _draw_footprints(right, catalog.footprints, sky, blend, zoom, side)
    right.text(
        0.015,
        0.018,
        f"{side} × {side} pixels",
        color=_INK,
        fontsize=10,
        transform=right.transAxes,
        bbox={"facecolor": _BACKGROUND, "edgecolor": "none", "alpha": 0.7, "pad": 3},
    )

    left.set_xlim(extent[:2])
    left.set_ylim(extent[2:])
    figure.text(
        0.25 / total_w, 1 - 0.26 / total_h, title, color=_INK, fontsize=15, va="center", weight="bold"
    )
    figure.text(
        0.25 / total_w,
        1 - 0.56 / total_h,
        f"{nx} × {ny} pixels · {int((~sky).sum())} sources, {int(blend.sum())} of them with several peaks · "
        f"{int(sky.sum())} sky sources · noise {sigma:.3g} {unit} per pixel",
        color=_FAINT_INK,
        fontsize=11,
        va="center",
    )
    _legend(figure, mask, planes, total_w, total_h)
    return figure


def _sources(
    catalog: SourceCatalog,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Positions, and which sources are sky sources and which have several peaks."""
    footprints = catalog.footprints
    n = len(catalog)
    peaks = [footprints[i].peaks for i in range(n)]
    positions = []
    for axis in ("x", "y"):
        first = np.array([p[f"f_{axis}"][0] if len(p) else np.nan for p in peaks], float)
        name = f"base_SdssCentroid_{axis}"
        measured = np.array(catalog[name], float) if name in catalog else np.full(n, np.nan)
        positions.append(np.where(np.isfinite(measured), measured, first))
    sky = np.array(catalog["sky_source"], bool) if "sky_source" in catalog else np.zeros(n, bool)
    blend = np.array([len(p) > 1 for p in peaks], bool) & ~sky
    return positions[0], positions[1], sky, blend


def _noise(image: NDArray[np.float32]) -> float:
    """Noise of the sky, from the quartiles of the pixels below the median."""
    values = image[np.isfinite(image)]
    low, middle = np.percentile(values, [15.87, 50.0])
    return max(float(middle - low), 1e-30)


def _colour(
    image: NDArray[np.float32], mask: NDArray[np.int32], planes: MaskPlanes, sigma: float
) -> NDArray[np.float64]:
    """Red-green-blue image: asinh stretch from night blue to white (Lupton et al. 1999), masks tinted."""
    scaled = np.nan_to_num(image, nan=-10 * sigma) / sigma
    # from two sigma below the sky to where a galaxy's core should be white
    grey = np.clip(np.arcsinh((scaled + 2.0) / 3.0) / np.arcsinh(250.0 / 3.0), 0.0, 1.0)
    stops = np.array([0.0, 0.2, 0.5, 1.0])
    ramp = np.array([(0.015, 0.020, 0.045), (0.11, 0.14, 0.25), (0.55, 0.60, 0.74), (1.0, 0.985, 0.95)])
    rgb = np.stack([np.interp(grey, stops, ramp[:, c]) for c in range(3)], axis=-1)
    rgb[(mask & planes.bits(["NO_DATA"])) != 0] = (0.05, 0.06, 0.08)
    for _, plane, colour in _PLANES:
        chosen = (mask & planes.bits([plane])) != 0
        rgb[chosen] = 0.25 * rgb[chosen] + 0.75 * np.array(colour)
    return rgb


def _liveliest(
    footprints: Footprints,
    cosmic_rays: NDArray[np.int32],
    x0: int,
    y0: int,
    shape: tuple[int, int],
    side: int,
) -> tuple[int, int]:
    """Corner of the square with most peaks, preferring several peaks in one footprint and a cosmic ray or two."""
    ny, nx = shape
    score = np.zeros((ny, nx))
    for i in range(len(footprints)):
        footprint = footprints[i]
        peaks = footprint.peaks
        if len(peaks) == 0 or len(peaks) > 12:
            continue
        ix = np.clip(peaks["i_x"] - x0, 0, nx - 1)
        iy = np.clip(peaks["i_y"] - y0, 0, ny - 1)
        np.add.at(score, (iy, ix), 1.0 + (len(peaks) > 1))
    score += 0.08 * (cosmic_rays != 0)
    # what counts is what lies well inside the square
    margin = side // 8
    inner = side - 2 * margin
    total = np.zeros((ny + 1, nx + 1))
    total[1:, 1:] = score.cumsum(axis=0).cumsum(axis=1)
    inside = total[inner:, inner:] - total[:-inner, inner:] - total[inner:, :-inner] + total[:-inner, :-inner]
    inside = inside[margin : ny - side + margin + 1, margin : nx - side + margin + 1]
    iy, ix = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(ix) + x0, int(iy) + y0


def _draw_footprints(
    axes: Any,
    footprints: Footprints,
    sky: NDArray[np.bool_],
    blend: NDArray[np.bool_],
    corner: tuple[int, int],
    side: int,
) -> None:
    """Outline the footprints that touch the square, along their pixels' edges, and mark their peaks."""
    from matplotlib.collections import LineCollection

    for i in range(len(footprints)):
        footprint = footprints[i]
        y, x = span_pixels(footprint.spans)
        near = (x >= corner[0]) & (x < corner[0] + side) & (y >= corner[1]) & (y < corner[1] + side)
        if not near.any():
            continue
        colour = _SKY if sky[i] else _BLEND if blend[i] else _SOURCE
        axes.add_collection(
            LineCollection(
                list(_outline(y, x)), colors=colour, linewidths=0.9 if sky[i] else 1.3, capstyle="projecting"
            )
        )
        if not sky[i]:
            peaks = footprint.peaks
            axes.plot(peaks["f_x"], peaks["f_y"], "+", color=_PEAK, markersize=9, markeredgewidth=1.4)


def _outline(y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
    """Edges between pixels inside and outside: shape ``(n, 2, 2)``, two (x, y) points each."""
    inside = np.zeros((np.ptp(y) + 3, np.ptp(x) + 3), bool)
    inside[y - y.min() + 1, x - x.min() + 1] = True
    segments = []
    for axis in (0, 1):
        a, b = np.nonzero(np.diff(inside, axis=axis))
        # the edge lies half a pixel beyond pixel (a, b), along the other axis
        ey, ex = a + y.min() - 1.0, b + x.min() - 1.0
        if axis == 0:
            segments.append(
                np.stack([np.stack([ex - 0.5, ey + 0.5], -1), np.stack([ex + 0.5, ey + 0.5], -1)], 1)
            )
        else:
            segments.append(
                np.stack([np.stack([ex + 0.5, ey - 0.5], -1), np.stack([ex + 0.5, ey + 0.5], -1)], 1)
            )
    return np.concatenate(segments)


def _legend(figure: Any, mask: NDArray[np.int32], planes: MaskPlanes, width: float, height: float) -> None:
    """Explain the marks under the picture."""
    from matplotlib.lines import Line2D

    ring: dict[str, Any] = {
        "linestyle": "none",
        "markerfacecolor": "none",
        "markersize": 9,
        "markeredgewidth": 1.4,
    }
    handles = [
        Line2D([], [], marker="o", markeredgecolor=_SOURCE, label="source", **ring),
        Line2D([], [], marker="o", markeredgecolor=_BLEND, label="source with several peaks", **ring),
        Line2D(
            [], [], marker="s", markeredgecolor=_SKY, label="sky source: empty sky, measured alike", **ring
        ),
        Line2D([], [], marker="+", markeredgecolor=_PEAK, label="peak (in the enlarged part)", **ring),
    ]
    for name, plane, colour in _PLANES:
        if (mask & planes.bits([plane])).any():
            handles.append(
                Line2D([], [], marker="s", linestyle="none", color=colour, markersize=9, label=name)
            )
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.25 / width, 0.14 / height),
        ncols=len(handles) if width > 15 else 4,
        frameon=False,
        labelcolor=_INK,
        fontsize=11,
        handletextpad=0.3,
        columnspacing=1.8,
        borderaxespad=0.0,
        borderpad=0.0,
    )

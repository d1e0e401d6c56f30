"""Divide the pixels of blends among their templates (spec 06.4.7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .psf_fit import Peaks
from .regions import Regions
from .templates import Templates

__all__ = ["apportion", "template_sum"]


@jit
def template_sum(
    box: NDArray[np.int64], templates: Templates, used: NDArray[np.bool_], first: int, stop: int
) -> NDArray[np.float32]:
    """Add up templates in the box of their blend; what is negative counts as 0.

    Parameters
    ----------
    box
        Of the blend: y and x of the first pixel, height and width.
    templates
        The templates.
    used
        Which of them count.
    first, stop
        The blend's peaks.
    """
    total = np.zeros((box[2], box[3]), np.float32)
    for k in range(first, stop):
        if not used[k]:
            continue
        y0, x0, h, w = templates.box[k]
        values = templates.values[templates.start[k] : templates.start[k + 1]].reshape((h, w))
        for i in range(max(y0, box[0]) - y0, min(y0 + h, box[0] + box[2]) - y0):
            for j in range(max(x0, box[1]) - x0, min(x0 + w, box[1] + box[3]) - x0):
                if values[i, j] > 0:
                    total[y0 + i - box[0], x0 + j - box[1]] += values[i, j]
    return total


@jit
def apportion(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    regions: Regions,
    peaks: Peaks,
    templates: Templates,
    used: NDArray[np.bool_],
    pixel_start: NDArray[np.int64],
    first: int,
    stop: int,
    out_image: NDArray[np.float32],
    out_mask: NDArray[np.int32],
    out_variance: NDArray[np.float32],
) -> None:
    """Give each template its share of every pixel: its part of the sum of all templates there.

    Mask and variance are the image's, not shared out. Pixels where the templates are all 0, and those outside the box of
    the blend, become 0 in all three.

    Parameters
    ----------
    image, mask, variance
        Shape ``(ny, nx)``.
    regions, peaks
        The blends.
    templates
        One for each peak.
    used
        Which of them count.
    pixel_start
        Shape ``(n + 1,)``: where the pixels of each template's spans begin in the output.
    first, stop
        The blends to divide.
    out_image, out_mask, out_variance
        Zero on entry; receive the pixels of each template's spans, span by span.
    """
    for b in range(first, stop):
        box = regions.box[b]
        total = template_sum(box, templates, used, peaks.start[b], peaks.start[b + 1])
        for k in range(peaks.start[b], peaks.start[b + 1]):
            if not used[k]:
                continue
            y0, x0, h, w = templates.box[k]
            values = templates.values[templates.start[k] : templates.start[k + 1]].reshape((h, w))
            n = pixel_start[k]
            for s in range(templates.span_start[k], templates.span_start[k + 1]):
                y = templates.spans[s, 0]
                for x in range(templates.spans[s, 1], templates.spans[s, 2] + 1):
                    i, j = y - box[0], x - box[1]
                    if 0 <= i < box[2] and 0 <= j < box[3] and total[i, j] != 0:
                        value = values[y - y0, x - x0]
                        if value > 0:
                            share = np.float64(value / total[i, j])
                            out_image[n] = np.float32(np.float64(image[y, x]) * share)
                        out_mask[n] = mask[y, x]
                        out_variance[n] = variance[y, x]
                    n += 1

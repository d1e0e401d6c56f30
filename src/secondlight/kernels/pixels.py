"""What measurement kernels see of an image, and the conventions of pixel positions (spec 07.5).

Kernels work in array coordinates: the first pixel is (0, 0) and pixel i covers [i - 0.5, i + 0.5].

Each source is measured on an image of its own, in which its neighbours are noise (spec 07.3). A kernel that loops over
sources calls ``show(pixels, i)`` before it reads a pixel for source i; that is all it has to do. See `Replacement`
for how the images of all sources share one plane.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = [
    "NOT_REPLACED",
    "Pixels",
    "Replacement",
    "box_bits",
    "count_covering",
    "cut_stamps",
    "leave",
    "pass_over",
    "position_to_index",
    "read_only",
    "remember",
    "show",
    "take_noise",
    "take_own",
    "write_noise",
]


class Replacement(NamedTuple):
    """How one plane becomes the image of any source of a batch, by writing few pixels (spec 07.3).

    The image that source k is measured on holds noise in the footprints of all sources, except for its own pixels.
    Where footprints overlap, the noise of the later row covers that of the earlier one; but measuring a source puts its
    own noise on top, so that what k sees is the noise of the latest row *before* k, if there is one there, else that
    of the latest of all. Rows are those of the whole table; a batch has consecutive ones from ``first``.
    """

    #: The image as it is shown now; the same memory as `Pixels.image`.
    plane: NDArray[np.float32]
    #: Footprints, in parent coordinates; subtracting ``x0, y0`` gives array indices.
    span_offsets: NDArray[np.int64]
    spans: NDArray[np.int32]
    x0: int
    y0: int
    #: The pixels that each row owns and the noise that replaces them, pixel by pixel over its spans.
    pixel_offsets: NDArray[np.int64]
    own: NDArray[np.float32]
    noise: NDArray[np.float32]
    #: Whose pixels stand for those of each row: its own number; an ancestor's; -1 for nobody's.
    owner: NDArray[np.int64]
    #: Whether the footprint of a row shares a pixel with another one.
    shared: NDArray[np.bool_]
    #: How many footprints cover a pixel: 0, 1, or 2 for more.
    cover: NDArray[np.uint8]
    #: What was under the footprints of the batch's owners before its first source was shown.
    before_offsets: NDArray[np.int64]
    before: NDArray[np.float32]
    #: Row of the batch's first source, and the place in the batch of the first source that a kernel is given.
    first: int
    offset: int
    #: Place in the batch of the source that is shown, -1 before any was; empty if nothing is replaced at all.
    shown: NDArray[np.int64]
    #: Mask bits of the shown source's own pixels and of those of all others.
    this_bit: int
    other_bit: int


def read_only[T: np.generic](array: NDArray[T]) -> NDArray[T]:
    """Return a view that cannot be written to.

    Numba compiles a kernel once more for arrays that differ in this: pass all as they come from here.

    Parameters
    ----------
    array
        Any array.
    """
    view = array.view()
    view.setflags(write=False)
    return view


def _nothing() -> Replacement:
    longs, floats = read_only(np.zeros(0, np.int64)), read_only(np.zeros(0, np.float32))
    plane, spans = np.zeros((0, 0), np.float32), read_only(np.zeros((0, 3), np.int32))
    return Replacement(
        plane=plane,
        span_offsets=longs,
        spans=spans,
        x0=0,
        y0=0,
        pixel_offsets=longs,
        own=floats,
        noise=floats,
        owner=longs,
        shared=np.zeros(0, np.bool_),
        cover=np.zeros((0, 0), np.uint8),
        before_offsets=longs,
        before=np.zeros(0, np.float32),
        first=0,
        offset=0,
        shown=np.zeros(0, np.int64),
        this_bit=0,
        other_bit=0,
    )


#: For an image that shows all sources at once.
NOT_REPLACED = _nothing()


class Pixels(NamedTuple):
    """The three planes of an image, each of shape ``(ny, nx)``, C-contiguous, and how to show single sources in it."""

    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]
    replacement: Replacement = NOT_REPLACED

    @classmethod
    def of(
        cls,
        image: NDArray[np.float32],
        mask: NDArray[np.int32],
        variance: NDArray[np.float32],
        replacement: Replacement = NOT_REPLACED,
    ) -> Pixels:
        """Return views that kernels cannot write to.

        Parameters
        ----------
        image, mask, variance
            Shape ``(ny, nx)``, C-contiguous.
        replacement
            How to show single sources; without it, all are there at once.
        """
        return cls(read_only(image), read_only(mask), read_only(variance), replacement)


@jit
def position_to_index(x: float) -> int:
    """Return the index of the pixel that holds a position: ``floor(x + 0.5)``.

    Parameters
    ----------
    x
        Finite position along one axis [pixel].
    """
    return int(np.floor(x + 0.5))


@jit
def _copy(source: NDArray[np.float32], to: NDArray[np.float32]) -> None:
    """Copy a row; a loop over whole slices, which the compiler turns into vector instructions."""
    for j in range(len(to)):
        to[j] = source[j]


@jit
def _write(r: Replacement, row: int, values: NDArray[np.float32], start: int) -> None:
    """Write values, from ``start`` on, over the footprint of a row; pixels off the image are passed over."""
    ny, nx = r.plane.shape
    k = start
    for s in range(r.span_offsets[row], r.span_offsets[row + 1]):
        i, j0, j1 = r.spans[s, 0] - r.y0, r.spans[s, 1] - r.x0, r.spans[s, 2] - r.x0
        first, stop = max(j0, 0), min(j1 + 1, nx)
        if 0 <= i < ny and first < stop:
            _copy(values[k + first - j0 : k + stop - j0], r.plane[i, first:stop])
        k += j1 - j0 + 1


@jit
def pass_over(replacement: Replacement, start: int, stop: int) -> None:
    """Leave the plane as measuring the rows ``range(start, stop)`` would.

    Parameters
    ----------
    replacement
        Its ``plane``, on which no source is shown, is written.
    start, stop
        Rows of the table.
    """
    r = replacement
    for row in range(start, stop):
        owner = r.owner[row]
        # where nobody else is, the noise is there already
        if owner >= 0 and r.shared[owner]:
            _write(r, owner, r.noise, r.pixel_offsets[owner])


@jit
def _hide(r: Replacement) -> None:
    """Put the noise of the source that is shown back."""
    if r.shown[0] >= 0:
        row = r.owner[r.first + r.shown[0]]
        if row >= 0:
            _write(r, row, r.noise, r.pixel_offsets[row])


@jit
def show(pixels: Pixels, i: int) -> None:
    """Let ``pixels.image`` be what source ``i`` is measured on.

    Any order is right; ascending order, with or without gaps, is fast. Showing the same source again costs nothing, and
    so does any call if no source is replaced by noise.

    Parameters
    ----------
    pixels
        The image.
    i
        Place of the source in the batch.
    """
    r = pixels.replacement
    if len(r.shown) == 0:
        return
    target = i + r.offset
    now = r.shown[0]
    if target == now:
        return
    _hide(r)
    if target < now:
        # back to the batch's beginning: undo what the sources until now have left
        for k in range(now + 1):
            row = r.owner[r.first + k]
            if row >= 0 and r.shared[row]:
                _write(r, row, r.before, r.before_offsets[k])
        now = -1
    pass_over(r, r.first + now + 1, r.first + target)
    row = r.owner[r.first + target]
    if row >= 0:
        _write(r, row, r.own, r.pixel_offsets[row])
    r.shown[0] = target


@jit
def leave(pixels: Pixels) -> None:
    """Leave the image as after the last source of the batch: in the state before the next batch's first.

    Parameters
    ----------
    pixels
        The image of a batch in which sources are replaced by noise.
    """
    r = pixels.replacement
    _hide(r)
    pass_over(r, r.first + r.shown[0] + 1, r.first + len(r.before_offsets) - 1)


@jit
def remember(replacement: Replacement) -> None:
    """Note what is under the footprints of a batch's sources, before the first is shown.

    Parameters
    ----------
    replacement
        Its ``before`` is filled, as ``before_offsets`` tells.
    """
    r = replacement
    ny, nx = r.plane.shape
    for n in range(len(r.before_offsets) - 1):
        row = r.owner[r.first + n]
        if row < 0 or not r.shared[row]:
            continue
        k = r.before_offsets[n]
        for s in range(r.span_offsets[row], r.span_offsets[row + 1]):
            i, j0, j1 = r.spans[s, 0] - r.y0, r.spans[s, 1] - r.x0, r.spans[s, 2] - r.x0
            first, stop = max(j0, 0), min(j1 + 1, nx)
            if 0 <= i < ny and first < stop:
                _copy(r.plane[i, first:stop], r.before[k + first - j0 : k + stop - j0])
            k += j1 - j0 + 1


@jit
def write_noise(replacement: Replacement) -> None:
    """Write the noise of all rows of the table, later ones over earlier ones: the state before the first is shown.

    Parameters
    ----------
    replacement
        Its ``plane`` is written.
    """
    r = replacement
    for row in range(len(r.owner)):
        if r.owner[row] == row:
            _write(r, row, r.noise, r.pixel_offsets[row])


@jit
def count_covering(replacement: Replacement) -> None:
    """Count the footprints on each pixel, and find those that share pixels.

    Parameters
    ----------
    replacement
        Its ``cover``, zero before, and ``shared`` are filled.
    """
    r = replacement
    ny, nx = r.cover.shape
    for pass_ in range(2):
        for row in range(len(r.owner)):
            if r.owner[row] != row:
                continue
            for s in range(r.span_offsets[row], r.span_offsets[row + 1]):
                i = r.spans[s, 0] - r.y0
                if not 0 <= i < ny:
                    continue
                for j in range(max(r.spans[s, 1] - r.x0, 0), min(r.spans[s, 2] - r.x0, nx - 1) + 1):
                    if pass_ == 0:
                        r.cover[i, j] = min(r.cover[i, j] + 1, 2)
                    elif r.cover[i, j] == 2:
                        r.shared[row] = True


@jit
def take_own(
    image: NDArray[np.float32],
    x0: int,
    y0: int,
    owner: NDArray[np.int64],
    span_offsets: NDArray[np.int64],
    spans: NDArray[np.int32],
    heavy_offsets: NDArray[np.int64],
    heavy: NDArray[np.float32],
    pixel_offsets: NDArray[np.int64],
    own: NDArray[np.float32],
) -> None:
    """Gather the pixels that rows own: those that their footprints hold, else those of the image.

    Parameters
    ----------
    image, x0, y0
        The image with all sources in place, and the parent coordinates of its first pixel.
    owner, span_offsets, spans
        As in `Replacement`.
    heavy_offsets, heavy
        The pixels that footprints hold: none for a row with nothing between its offsets.
    pixel_offsets, own
        As in `Replacement`: filled; 0 off the image.
    """
    ny, nx = image.shape
    for row in range(len(owner)):
        if owner[row] != row:
            continue
        k = pixel_offsets[row]
        held = heavy_offsets[row]
        if heavy_offsets[row + 1] > held:
            for n in range(pixel_offsets[row + 1] - k):
                own[k + n] = heavy[held + n]
            continue
        for s in range(span_offsets[row], span_offsets[row + 1]):
            y = spans[s, 0] - y0
            for x in range(spans[s, 1] - x0, spans[s, 2] - x0 + 1):
                own[k] = image[y, x] if 0 <= y < ny and 0 <= x < nx else np.float32(0.0)
                k += 1


@jit
def take_noise(
    deviates: NDArray[np.float64],
    start: int,
    stop: int,
    owner: NDArray[np.int64],
    boxes: NDArray[np.int64],
    span_offsets: NDArray[np.int64],
    spans: NDArray[np.int32],
    mean: np.float32,
    stdev: np.float32,
    variance: NDArray[np.float32],
    x0: int,
    y0: int,
    pixel_offsets: NDArray[np.int64],
    noise: NDArray[np.float32],
) -> None:
    """Make the noise of some rows from deviates for the pixels of their bounding boxes (spec 07.3).

    Parameters
    ----------
    deviates
        Of unit variance, box after box, row by row.
    start, stop
        The rows of the table: ``range(start, stop)``; only those that own pixels have deviates.
    owner, span_offsets, spans
        As in `Replacement`.
    boxes
        Shape ``(n, 4)``: row start and stop, column start and stop of each footprint, parent coordinates.
    mean, stdev
        Of the noise [count].
    variance
        Shape ``(ny, nx)``: each pixel's own variance instead of ``stdev``, from ``x0, y0`` on; empty if there is none.
    x0, y0
        Parent coordinates of the first pixel of ``variance``.
    pixel_offsets, noise
        As in `Replacement`: the rows' values are filled; 0 off the image if ``variance`` is given.
    """
    ny, nx = variance.shape
    first = 0
    for row in range(start, stop):
        if owner[row] != row:
            continue
        width = boxes[row, 3] - boxes[row, 2]
        k = pixel_offsets[row]
        for s in range(span_offsets[row], span_offsets[row + 1]):
            y = spans[s, 0]
            base = first + (y - boxes[row, 0]) * width - boxes[row, 2]
            for x in range(spans[s, 1], spans[s, 2] + 1):
                deviate = np.float32(deviates[base + x])
                if variance.size == 0:
                    noise[k] = deviate * stdev + mean
                elif 0 <= y - y0 < ny and 0 <= x - x0 < nx:
                    noise[k] = deviate * np.float32(np.sqrt(variance[y - y0, x - x0])) + mean
                else:
                    noise[k] = np.float32(0.0)
                k += 1
        first += width * (boxes[row, 1] - boxes[row, 0])


@jit
def box_bits(pixels: Pixels, i: int, y0: int, y1: int, x0: int, x1: int) -> int:
    """Return the mask bits that any pixel of a box has while source ``i`` is measured (spec 07.3).

    Beside the mask's own bits these tell the source's pixels (plane THISDET) from those of all others (OTHERDET), if
    sources are replaced by noise.

    Parameters
    ----------
    pixels
        The image; no matter what it shows.
    i
        Place of the source in the batch.
    y0, y1, x0, x1
        First and last row, first and last column of the box, array coordinates; the part off the image is left out.
    """
    ny, nx = pixels.mask.shape
    y0, y1, x0, x1 = max(y0, 0), min(y1, ny - 1), max(x0, 0), min(x1, nx - 1)
    bits = 0
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            bits |= pixels.mask[y, x]
    r = pixels.replacement
    if len(r.shown) == 0:
        return bits
    covered = 0
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            covered += r.cover[y, x] > 0
    own = 0
    row = r.owner[r.first + r.offset + i]
    if row >= 0:
        for s in range(r.span_offsets[row], r.span_offsets[row + 1]):
            if y0 <= r.spans[s, 0] - r.y0 <= y1:
                own += max(min(r.spans[s, 2] - r.x0, x1) - max(r.spans[s, 1] - r.x0, x0) + 1, 0)
    bits &= ~(r.this_bit | r.other_bit)
    if own > 0:
        bits |= r.this_bit
    if covered > own:
        bits |= r.other_bit
    return bits


@jit
def cut_stamps(
    pixels: Pixels,
    x0: NDArray[np.int64],
    y0: NDArray[np.int64],
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> None:
    """Cut a box out of the image of each source, with the planes THISDET and OTHERDET as in `box_bits`.

    Parameters
    ----------
    pixels
        The image.
    x0, y0
        Shape ``(n,)``: where the boxes begin, array coordinates.
    image, mask, variance, valid
        Shape ``(n, h, w)``: receive the pixels and whether they are on the image; what is off it is 0.
    """
    ny, nx = pixels.image.shape
    n, h, w = image.shape
    r = pixels.replacement
    for k in range(n):
        show(pixels, k)
        for a in range(h):
            for b in range(w):
                i, j = y0[k] + a, x0[k] + b
                inside = 0 <= i < ny and 0 <= j < nx
                valid[k, a, b] = inside
                image[k, a, b] = pixels.image[i, j] if inside else np.float32(0.0)
                variance[k, a, b] = pixels.variance[i, j] if inside else np.float32(0.0)
                bits = pixels.mask[i, j] if inside else np.int32(0)
                if len(r.shown) and inside:
                    bits &= ~(r.this_bit | r.other_bit)
                    if r.cover[i, j] > 0:
                        bits |= r.other_bit
                mask[k, a, b] = bits
        if len(r.shown) == 0 or r.owner[r.first + r.offset + k] < 0:
            continue
        row = r.owner[r.first + r.offset + k]
        for s in range(r.span_offsets[row], r.span_offsets[row + 1]):
            i = r.spans[s, 0] - r.y0
            a = i - y0[k]
            if not (0 <= i < ny and 0 <= a < h):
                continue
            for j in range(
                max(r.spans[s, 1] - r.x0, x0[k], 0), min(r.spans[s, 2] - r.x0, x0[k] + w - 1, nx - 1) + 1
            ):
                mask[k, a, j - x0[k]] = (mask[k, a, j - x0[k]] & ~r.other_bit) | r.this_bit

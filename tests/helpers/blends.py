"""Small blends: pictures of overlapping sources, their footprints and peaks."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage

from secondlight.kernels.deblend.psf_fit import Peaks
from secondlight.kernels.deblend.regions import Regions
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints
from secondlight.model.ids import IdGenerator
from secondlight.model.psf import GaussianPsf
from secondlight.model.schema import Schema
from secondlight.tasks.deblend import SourceDeblendConfig, SourceDeblendTask

SIGMA = 1.8
NOISE = 3.0


def stars(shape, places, *, sigma=SIGMA, seed=1, noise=NOISE):
    """An image of Gaussian sources (x, y, flux, and sigma if it is not a star's) on noise."""
    v, u = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(seed).normal(0, noise, shape)
    for x, y, flux, *own in places:
        s = own[0] if own else sigma
        image += flux / (2 * np.pi * s**2) * np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / s**2)
    return image.astype(np.float32)


def spans_of(picture):
    """Spans of a boolean picture."""
    padded = np.pad(picture, ((0, 0), (1, 1))).astype(np.int8)
    step = np.diff(padded, axis=1)
    y, x0 = np.nonzero(step == 1)
    _, x1 = np.nonzero(step == -1)
    return np.column_stack([y, x0, x1 - 1]).astype(np.int32)


def peaks_at(places, first_id=1):
    """Peaks at pixels (x, y)."""
    peaks = np.zeros(len(places), PEAK_DTYPE)
    peaks["id"] = np.arange(first_id, first_id + len(places))
    peaks["i_x"], peaks["i_y"] = np.array([p[:2] for p in places]).reshape(-1, 2).round().astype(int).T
    peaks["f_x"], peaks["f_y"] = peaks["i_x"], peaks["i_y"]
    return peaks


def blend(image, places, *, threshold=2 * NOISE, grow=2):
    """The footprint around some sources: what is bright in the smoothed image and hangs together with the first."""
    bright = ndimage.gaussian_filter(image, SIGMA) > threshold / 4
    bright = ndimage.binary_dilation(bright, iterations=grow)
    label, _ = ndimage.label(bright)
    x, y = (round(v) for v in places[0][:2])
    return Footprint(spans_of(label == label[y, x]), peaks_at(places))


def exposure(image, *, mask=None, variance=NOISE**2, psf=None, **kwargs):
    return Exposure(
        image,
        np.zeros(image.shape, np.int32) if mask is None else mask,
        np.full(image.shape, variance, np.float32),
        psf=psf or GaussianPsf(SIGMA, 21, 21, analytic_stars=True),
        **kwargs,
    )


def deblended(image, footprints, *, schema=None, **settings):
    """Run the task; settings are those of its configuration. Returns exposure and catalogue."""
    e = image if isinstance(image, Exposure) else exposure(image)
    config = SourceDeblendConfig()
    config.update(**settings)
    schema = schema or Schema.minimal()
    task = SourceDeblendTask(schema=schema, config=config, name="deblend")
    catalog = SourceCatalog(schema, len(footprints), Footprints.from_list(footprints))
    ids = IdGenerator(7, 20).make_factory()
    catalog["id"], catalog["parent"] = ids.take(len(footprints)), 0
    task.run(e, catalog, ids)
    return e, catalog


def children(catalog, row=0):
    """Rows of the children of a source."""
    return np.flatnonzero(catalog["parent"] == catalog["id"][row])


def painted(footprint, shape, x0=0, y0=0):
    """The pixels of a heavy footprint in an image of zeros."""
    from secondlight.model.footprints import span_pixels

    out = np.zeros(shape)
    y, x = span_pixels(footprint.spans)
    out[y - y0, x - x0] = footprint.heavy.image
    return out


def regions_of(pictures, y0=0, x0=0):
    """Pictures of one size as painted regions, all in the box of the picture."""
    pixels = np.concatenate([p.ravel() for p in pictures]).astype(np.uint8)
    h, w = pictures[0].shape
    start = np.arange(len(pictures) + 1) * h * w
    return Regions(pixels, start, np.array([[y0, x0, h, w]] * len(pictures)))


def kernel_peaks(places):
    """The peaks of one blend as kernels want them; places are (x, y)."""
    x, y = np.array(places, float).reshape(-1, 2).T
    return Peaks(
        np.zeros(len(x), np.int64),
        np.array([0, len(x)]),
        x,
        y,
        np.floor(x + 0.5).astype(np.int64),
        np.floor(y + 0.5).astype(np.int64),
    )


@st.composite
def pictures_with_peak(draw, most=14):
    """A footprint of any shape, and a pixel of it (y, x)."""
    h, w = draw(st.integers(1, most)), draw(st.integers(1, most))
    seed, fill = draw(st.integers(0, 2**20)), draw(st.sampled_from([0.5, 0.8, 0.95, 1.0]))
    picture = np.random.default_rng(seed).random((h, w)) < fill
    y, x = draw(st.integers(0, h - 1)), draw(st.integers(0, w - 1))
    picture[y, x] = True
    return picture, y, x

"""Background files read with nothing but astropy, so that these tests do not rest on the project's reader."""

import numpy as np
from astropy.io import fits
from lsst.images import Box

from secondlight.model.background import (
    ApproxStyle,
    BackgroundList,
    BackgroundModel,
    InterpStyle,
    UndersampleStyle,
)


def read_backgrounds(*paths):
    """Concatenated `BackgroundList` of files in the layout of spec 02.5."""
    models = BackgroundList()
    for path in paths:
        with fits.open(path) as hdus:
            for i in range(0, len(hdus), 3):
                cards = hdus[i].header
                models.append(
                    BackgroundModel(
                        hdus[i].data.astype(np.float32),
                        Box.from_shape(
                            (cards["BKGD_HEIGHT"], cards["BKGD_WIDTH"]),
                            start=(cards["BKGD_Y0"], cards["BKGD_X0"]),
                        ),
                        stats_mask=hdus[i + 1].data.astype(np.int32),
                        stats_variance=hdus[i + 2].data.astype(np.float32),
                        interp_style=InterpStyle(cards["INTERPSTYLE"]),
                        undersample_style=UndersampleStyle(cards["UNDERSAMPLESTYLE"]),
                        approx_style=ApproxStyle(cards["APPROXSTYLE"]),
                        approx_order_x=cards["APPROXORDERX"],
                        approx_order_y=cards["APPROXORDERY"],
                        approx_weighting=cards["APPROXWEIGHTING"],
                    )
                )
    return models

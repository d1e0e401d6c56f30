"""Lists of background models (spec 02.5)."""

from __future__ import annotations

from pathlib import Path

from lsst.images import Box

from ...errors import InputError
from ...model.background import ApproxStyle, BackgroundList, BackgroundModel, InterpStyle, UndersampleStyle
from .components import component
from .hdus import FitsFile
from .image import image_plane, mask_plane

__all__ = ["read_background"]


def read_background(path: str | Path) -> BackgroundList:
    """Read a list of background models: three planes each, in consecutive HDUs.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file cannot be read, or its HDUs are not such planes.
    """
    with component(path):
        file = FitsFile(path)
        if len(file) % 3:
            raise InputError(
                f"a background has three HDUs, image, mask and variance, but the file has {len(file)}"
            )
        models = BackgroundList()
        for i in range(0, len(file), 3):
            image, mask, variance = file.hdus[i : i + 3]
            header = image.header
            missing = [
                k
                for k in (
                    "INTERPSTYLE",
                    "UNDERSAMPLESTYLE",
                    "BKGD_X0",
                    "BKGD_Y0",
                    "BKGD_WIDTH",
                    "BKGD_HEIGHT",
                )
                if k not in header
            ]
            if missing:
                raise InputError(f"card {missing[0]} is missing: this is no background", part=image.label)
            x0, y0 = int(header["BKGD_X0"]), int(header["BKGD_Y0"])
            models.append(
                BackgroundModel(
                    stats_image=image_plane(file, image),
                    stats_mask=mask_plane(file, mask)[0],
                    stats_variance=image_plane(file, variance),
                    bbox=Box.factory[
                        y0 : y0 + int(header["BKGD_HEIGHT"]), x0 : x0 + int(header["BKGD_WIDTH"])
                    ],
                    interp_style=InterpStyle(int(header["INTERPSTYLE"])),
                    undersample_style=UndersampleStyle(int(header["UNDERSAMPLESTYLE"])),
                    approx_style=ApproxStyle(int(header.get("APPROXSTYLE", ApproxStyle.UNKNOWN))),
                    approx_order_x=int(header.get("APPROXORDERX", 1)),
                    approx_order_y=int(header.get("APPROXORDERY", -1)),
                    approx_weighting=bool(header.get("APPROXWEIGHTING", True)),
                )
            )
        return models

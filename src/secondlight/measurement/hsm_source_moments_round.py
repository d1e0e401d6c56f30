"""Adaptive moments of sources with a round weight: ``ext_shapeHSM_HsmSourceMomentsRound`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

from .hsm_source_moments import HsmSourceMomentsConfig, HsmSourceMomentsPlugin
from .plugin import PluginConfig
from .registry import register

__all__ = ["HsmSourceMomentsRoundConfig", "HsmSourceMomentsRoundPlugin"]


class HsmSourceMomentsRoundConfig(HsmSourceMomentsConfig):
    """Configuration of `HsmSourceMomentsRoundPlugin`: that of the elliptical one, with the weight kept round."""

    def setDefaults(self) -> None:
        """Keep the weight round."""
        super().setDefaults()
        self.roundMoments = True


@register("ext_shapeHSM_HsmSourceMomentsRound")
class HsmSourceMomentsRoundPlugin(HsmSourceMomentsPlugin):
    """Match a round Gaussian to each source; what is left is its ellipticity."""

    ConfigClass: ClassVar[type[PluginConfig]] = HsmSourceMomentsRoundConfig

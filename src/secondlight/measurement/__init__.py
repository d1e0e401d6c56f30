"""Measurement: the plugin framework, and one file an algorithm (spec 07)."""

from __future__ import annotations

from .batch import Batch, Stamps
from .plugin import CENTROID_ORDER, FLUX_ORDER, SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import ENTRY_POINT_GROUP, PluginField, plugin_registry, register

# isort: split
# importing a module registers its plugins

__all__ = [
    "CENTROID_ORDER",
    "ENTRY_POINT_GROUP",
    "FLUX_ORDER",
    "SHAPE_ORDER",
    "Batch",
    "Flag",
    "FlagList",
    "Plugin",
    "PluginConfig",
    "PluginField",
    "Stamps",
    "plugin_registry",
    "register",
]

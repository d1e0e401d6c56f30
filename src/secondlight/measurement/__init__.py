"""Measurement: the plugin framework, and one file an algorithm (spec 07)."""

from __future__ import annotations

from .batch import Batch, Stamps
from .catalog_plugin import (
    CATALOG_ENTRY_POINT_GROUP,
    CatalogPlugin,
    CatalogPluginConfig,
    catalog_plugin_registry,
    register_catalog_plugin,
)
from .noise_replacer import NoiseReplacer, NoiseReplacerConfig
from .plugin import CENTROID_ORDER, FLUX_ORDER, SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import ENTRY_POINT_GROUP, PluginField, plugin_registry, register

# isort: split
# importing a module registers its plugins
from . import blendedness as blendedness
from . import circular_aperture_flux as circular_aperture_flux
from . import classification_extendedness as classification_extendedness
from . import compensated_gaussian_flux as compensated_gaussian_flux
from . import compensated_tophat_flux as compensated_tophat_flux
from . import footprint_area as footprint_area
from . import fp_position as fp_position
from . import gaussian_flux as gaussian_flux
from . import higher_order_moments_psf as higher_order_moments_psf
from . import higher_order_moments_source as higher_order_moments_source
from . import hsm_psf_moments as hsm_psf_moments
from . import hsm_psf_moments_debiased as hsm_psf_moments_debiased
from . import hsm_shape_bj as hsm_shape_bj
from . import hsm_shape_ksb as hsm_shape_ksb
from . import hsm_shape_linear as hsm_shape_linear
from . import hsm_shape_regauss as hsm_shape_regauss
from . import hsm_source_moments as hsm_source_moments
from . import hsm_source_moments_round as hsm_source_moments_round
from . import jacobian as jacobian
from . import kron_flux as kron_flux
from . import local_background as local_background
from . import local_calibs as local_calibs
from . import peak_centroid as peak_centroid
from . import peak_likelihood_flux as peak_likelihood_flux
from . import pixel_flags as pixel_flags
from . import psf_flux as psf_flux
from . import scaled_aperture_flux as scaled_aperture_flux
from . import sdss_centroid as sdss_centroid
from . import sdss_shape as sdss_shape
from . import size_extendedness as size_extendedness
from . import sky_coord as sky_coord
from . import variance as variance

__all__ = [
    "CATALOG_ENTRY_POINT_GROUP",
    "CENTROID_ORDER",
    "ENTRY_POINT_GROUP",
    "FLUX_ORDER",
    "SHAPE_ORDER",
    "Batch",
    "CatalogPlugin",
    "CatalogPluginConfig",
    "Flag",
    "FlagList",
    "NoiseReplacer",
    "NoiseReplacerConfig",
    "Plugin",
    "PluginConfig",
    "PluginField",
    "Stamps",
    "catalog_plugin_registry",
    "plugin_registry",
    "register",
    "register_catalog_plugin",
]

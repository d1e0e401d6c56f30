"""Measure every source of a table on one image (spec 07.1, 07.2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, ConfigField, Field
from lsst.pipe.base import Task

from .. import threads
from ..errors import SecondLightError
from ..measurement import Batch, NoiseReplacer, NoiseReplacerConfig, Plugin, PluginField, plugin_registry
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.schema import Column, Schema

__all__ = ["SingleFrameMeasurementConfig", "SingleFrameMeasurementTask", "SourceSlotConfig"]

#: Sources measured together. Large enough that calling a plugin costs nothing beside measuring, small enough
#: that the batches of one CCD keep many threads busy and that their PSF images stay in the processor's cache.
_BATCH = 128


def _slot(doc: str, default: str) -> Any:
    return Field[str](doc=doc, default=default, optional=True)


class SourceSlotConfig(Config):
    """Which columns the slots stand for: ``slot_Centroid`` and so on; none where None."""

    centroid = _slot("Plugin that measures the position.", "base_SdssCentroid")
    shape = _slot("Plugin that measures the second moments.", "ext_shapeHSM_HsmSourceMoments")
    psfShape = _slot("Plugin that measures the second moments of the PSF.", "ext_shapeHSM_HsmPsfMoments")
    apFlux = _slot("Aperture flux.", "base_CircularApertureFlux_12_0")
    modelFlux = _slot("Flux of a model.", "base_GaussianFlux")
    psfFlux = _slot("PSF flux.", "base_PsfFlux")
    gaussianFlux = _slot("Flux with a Gaussian weight.", "base_GaussianFlux")
    calibFlux = _slot("Flux used for calibration.", "base_CircularApertureFlux_12_0")

    def aliases(self) -> dict[str, str]:
        """Return the aliases of the slots in use: ``slot_Centroid`` → ``base_SdssCentroid`` and so on."""
        slots: dict[str, str | None] = self.toDict()
        return {f"slot_{name[0].upper()}{name[1:]}": target for name, target in slots.items() if target}


class SingleFrameMeasurementConfig(Config):
    """Configuration of `SingleFrameMeasurementTask`."""

    plugins = PluginField(
        doc="The plugins to run, and their configuration.",
        registry=plugin_registry,
        multi=True,
        default=[
            "base_Blendedness",
            "base_CircularApertureFlux",
            "base_ClassificationSizeExtendedness",
            "base_CompensatedTophatFlux",
            "base_GaussianFlux",
            "base_LocalBackground",
            "base_PixelFlags",
            "base_PsfFlux",
            "base_SdssCentroid",
            "base_SdssShape",
            "base_SkyCoord",
            "base_Variance",
            "ext_shapeHSM_HsmPsfMoments",
            "ext_shapeHSM_HsmSourceMoments",
            "ext_shapeHSM_HsmSourceMomentsRound",
        ],
    )
    undeblended = PluginField(
        doc="Plugins to run once more, on the image with all neighbours in place.",
        registry=plugin_registry,
        multi=True,
        default=[],
    )
    undeblendedPrefix = Field[str](
        doc="What the names of columns on the image with all neighbours begin with.", default="undeblended_"
    )
    slots = ConfigField[SourceSlotConfig](doc="Which columns the slots stand for.")
    doReplaceWithNoise = Field[bool](
        doc="Whether to replace the neighbours of a source by noise while it is measured.", default=True
    )
    noiseReplacer = ConfigField[NoiseReplacerConfig](doc="The noise that replaces neighbours.")
    reproduceReferenceDefects = Field[bool](
        doc="Whether fluxes that are not numbers (their pixels are not, or their aperture leaves the image) stay "
        "unflagged where the reference does not flag them.",
        default=False,
    )

    def validate(self) -> None:
        """Check that the plugins that other plugins read through slots are run.

        A flux slot is free: it may name a column that a later step makes.
        """
        super().validate()
        for slot in ("centroid", "shape", "psfShape"):
            name = getattr(self.slots, slot)
            if name is not None and name not in self.plugins.names:
                raise ValueError(f"slots.{slot} is {name!r}, which is not among plugins.names")


class SingleFrameMeasurementTask(Task):
    """Run measurement plugins on all sources.

    Plugins declare their columns in the order of their ``order``, then name. They run in the same order, but for the
    centroid slot's, which is first, and those that are to be last.

    Parameters
    ----------
    schema
        Where slots, columns and aliases are declared.
    metadata
        Facts that plugins tell about their configuration; kept with every catalogue measured.
    **kwargs
        Passed to `lsst.pipe.base.Task`: ``config``, ``name``, ``log`` …
    """

    ConfigClass: ClassVar[type[Config]] = SingleFrameMeasurementConfig
    _DefaultName: ClassVar[str] = "measurement"
    config: Any

    def __init__(self, schema: Schema, *, metadata: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.alg_metadata: dict[str, Any] = {} if metadata is None else metadata
        schema.aliases.update(self.config.slots.aliases())
        plugins = self._construct(self.config.plugins)
        # stable sorts: the centroid slot first, and last what says so
        plugins = sorted(plugins, key=lambda p: p.name != self.config.slots.centroid)
        self.plugins = sorted(plugins, key=lambda p: p.last)
        self.undeblended = self._construct(self.config.undeblended, self.config.undeblendedPrefix)
        if "base_InvalidPsf_flag" not in schema:
            schema.add(Column("base_InvalidPsf_flag", "Flag", doc="Invalid PSF at this location."))
        self._fluxes = {p.name: _flagged_fluxes(schema, p.name) for p in [*self.plugins, *self.undeblended]}

    def _construct(self, configs: Any, prefix: str = "") -> list[Plugin]:
        """Construct the selected plugins, which declares their columns, in order."""
        classes = {name: plugin_registry[name] for name in configs.names or ()}
        return [
            classes[name](configs[name], prefix + name, self.schema, self.alg_metadata)
            for name in sorted(classes, key=lambda name: (classes[name].order, name))
        ]

    def run(
        self,
        catalog: SourceCatalog,
        exposure: Exposure,
        progress: Callable[[int, int], None] | None = None,
        exposure_id: int | None = None,
    ) -> None:
        """Measure all sources.

        Parameters
        ----------
        catalog
            The sources, with footprints; their columns are filled.
        exposure
            The image; when this returns it is as it was, but not meanwhile.
        progress
            Called now and then, from any thread but one at a time, with the numbers of sources done and of
            all.
        exposure_id
            Makes the seed of the noise, with ``noiseReplacer.noiseSeedMultiplier``.

        Raises
        ------
        SecondLightError
            Raised if the exposure lacks what a plugin cannot do without, such as a PSF.
        """
        catalog.declare_missing()
        catalog.metadata.update(self.alg_metadata)
        replacer = None
        if self.config.doReplaceWithNoise:
            noise = self.config.noiseReplacer
            replacer = NoiseReplacer(catalog, exposure, noise, exposure_id)
            catalog.metadata["NOISE_SEED_MULTIPLIER"] = noise.noiseSeedMultiplier
            catalog.metadata["NOISE_SOURCE"] = noise.noiseSource
            catalog.metadata["NOISE_OFFSET"] = noise.noiseOffset
            if exposure_id is not None:
                catalog.metadata["NOISE_EXPOSURE_ID"] = exposure_id
        plugins = [p for p in self.plugins if p.config.doMeasure]
        undeblended = [p for p in self.undeblended if p.config.doMeasure]
        later = [
            p for p in (*plugins, *undeblended) if type(p).measure_restored is not Plugin.measure_restored
        ]
        done = 0
        lock = Lock()

        def measure(batch: Batch) -> None:
            for plugin in plugins:
                self._measure(plugin, plugin.measure, batch)

        def work(start: int, stop: int) -> None:
            nonlocal done
            if replacer is None:
                measure(Batch(catalog, exposure, start, stop))
            else:
                with replacer.show(start, stop) as pixels:
                    measure(Batch(catalog, exposure, start, stop, pixels))
            if progress is not None:
                with lock:
                    done += stop - start
                    progress(done, len(catalog))

        def work_restored(start: int, stop: int) -> None:
            batch = Batch(catalog, exposure, start, stop)
            for plugin in undeblended:
                self._measure(plugin, plugin.measure, batch)
            for plugin in later:
                self._measure(plugin, plugin.measure_restored, batch)

        with replacer or nullcontext():
            threads.map_chunks(work, len(catalog), _BATCH)
        if undeblended or later:
            threads.map_chunks(work_restored, len(catalog), _BATCH)

    def _measure(self, plugin: Plugin, measure: Callable[[Batch], None], batch: Batch) -> None:
        """Run one method of a plugin, so that a source that raises costs that source its flag and nothing else."""
        try:
            measure(batch)
            if not self.config.reproduceReferenceDefects:
                self._flag_missing_numbers(plugin, batch)
        except (MemoryError, SecondLightError):
            raise
        except Exception as error:
            if batch.n > 1:
                for i in range(batch.n):
                    self._measure(plugin, measure, batch.single(i))
            else:
                self.log.debug("%s failed on source %d: %s", plugin.name, batch["id"][0], error)
                plugin.fail(batch)

    def _flag_missing_numbers(self, plugin: Plugin, batch: Batch) -> None:
        """Flag fluxes that are not finite and errors that are NaN, whatever the plugin says of them."""
        for stem in self._fluxes[plugin.name]:
            flag = batch[f"{stem}_flag"]
            flag |= ~np.isfinite(batch[f"{stem}_instFlux"])
            flag |= np.isnan(batch[f"{stem}_instFluxErr"])


def _flagged_fluxes(schema: Schema, plugin: str) -> list[str]:
    """Return the names of a plugin's fluxes that have an error and a general flag."""
    stems = [c.name.removesuffix("_instFlux") for c in schema if c.name.endswith("_instFlux")]
    return [
        stem
        for stem in stems
        if (stem == plugin or stem.startswith(f"{plugin}_"))
        and f"{stem}_instFluxErr" in schema
        and f"{stem}_flag" in schema
    ]

"""What goes into the stages of a run, to run one stage again and again."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from secondlight import threads
from secondlight.model.exposure import Exposure
from secondlight.overrides import build_config
from secondlight.reprocess import ReprocessVisitImageTask
from secondlight.runner import Inputs, read_inputs

__all__ = ["Captured", "capture"]


class _EnoughError(Exception):
    """The stages that were asked for have been seen."""


@dataclass
class Captured:
    """The task, and copies of what it gave to its stages.

    Parameters
    ----------
    task
        The task.
    repaired
        The image as `detection` gets it: background subtracted, cosmic rays repaired.
    exposure, catalog, ids
        What `deblend` gets. Copy before use.
    measured
        The catalogue as it comes from `measurement`, centroids filled; `None` if that was not run.
    """

    task: ReprocessVisitImageTask
    repaired: Exposure
    exposure: Exposure
    catalog: Any
    ids: Any
    measured: Any = None

    def deblend(self) -> Any:
        """Deblend a copy of the catalogue, on the captured image; return it."""
        catalog, ids = copy.deepcopy((self.catalog, self.ids))
        self.task.deblend.run(self.exposure, catalog, ids)
        return catalog


def capture(inputs: Inputs, *settings: str, measure: bool = False) -> Captured:
    """Run the task to the deblender, or to the end of the measurement, and keep what the stages get.

    Parameters
    ----------
    inputs
        What to read.
    *settings
        Of the configuration: ``deblend.maxFootprintArea=0``.
    measure
        Whether to go on to the end of the measurement.
    """
    config = build_config([], settings)
    arguments = read_inputs(inputs, config)
    task = ReprocessVisitImageTask(config)
    detection, deblend, measurement = task.detection.run, task.deblend.run, task.measurement.run
    seen: dict[str, Any] = {}

    def run_detection(exposure: Exposure, **kwargs: Any) -> Any:
        seen["repaired"] = exposure.copy()
        return detection(exposure, **kwargs)

    def run_deblend(exposure: Exposure, catalog: Any, ids: Any) -> None:
        seen.update(exposure=exposure, catalog=copy.deepcopy(catalog), ids=copy.deepcopy(ids))
        if not measure:
            raise _EnoughError
        deblend(exposure, catalog, ids)

    def run_measurement(catalog: Any, exposure: Exposure) -> None:
        measurement(catalog, exposure)
        seen["measured"] = catalog
        raise _EnoughError

    task.detection.run = run_detection  # type: ignore[assignment]
    task.deblend.run = run_deblend  # type: ignore[method-assign]
    task.measurement.run = run_measurement  # type: ignore[assignment]
    with threads.use(0), suppress(_EnoughError):
        task.run(**arguments)
    task.detection.run, task.deblend.run = detection, deblend  # type: ignore[method-assign]
    task.measurement.run = measurement  # type: ignore[method-assign]
    return Captured(task, **seen)

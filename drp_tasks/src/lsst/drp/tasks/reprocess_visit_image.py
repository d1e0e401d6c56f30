"""Second Light's task under the name of the LSST Science Pipelines; used only where theirs is not installed."""

from secondlight.pipeline import (
    ReprocessVisitImageConfig,
    ReprocessVisitImageConnections,
    ReprocessVisitImageTask,
)

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageConnections", "ReprocessVisitImageTask"]

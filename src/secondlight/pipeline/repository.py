"""Repositories that need no stack, and the pipelines that are shipped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from lsst.daf.butler import Butler, DatasetType
from lsst.pipe.base import Pipeline

from ..errors import UsageError
from .storage import repository_config

__all__ = ["create_repository", "dataset_types", "shipped_pipeline", "shipped_pipelines"]

_LABEL = "reprocessVisitImage"


def create_repository(root: str | Path, *, database: str | None = None) -> None:
    """Make an empty repository that knows the storage classes of `lsst.images` and Second Light.

    Parameters
    ----------
    root
        Its folder; must not hold a repository.
    database
        URL of the registry's database (``postgresql://…``); a SQLite file in the folder if not given.

    Raises
    ------
    UsageError
        Raised if there is a repository already.
    """
    config = repository_config()
    if database is not None:
        config["registry", "db"] = database
    try:
        Butler.makeRepo(str(root), config, forceConfigRoot=database is None)
    except FileExistsError:
        raise UsageError(f"{root} holds a repository already") from None


def shipped_pipelines() -> list[str]:
    """Return the names of the shipped pipelines, without ``.yaml``."""
    return sorted(p.stem for p in _pipelines().glob("*.yaml"))


def shipped_pipeline(name: str) -> Path:
    """Return the path of a shipped pipeline.

    Parameters
    ----------
    name
        Its name, with or without ``.yaml``.

    Raises
    ------
    UsageError
        Raised if there is none of that name.
    """
    path = _pipelines() / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        raise UsageError(f"{name}: no such pipeline; there are {', '.join(shipped_pipelines())}")
    return path


def dataset_types(pipeline: str, universe: Any) -> dict[str, DatasetType]:
    """Return the dataset types that a shipped pipeline may read, by connection.

    Parameters
    ----------
    pipeline
        Name of the pipeline.
    universe
        Dimensions of the repository.

    Notes
    -----
    Inputs that the pipeline's configuration leaves out are there too, so that it can be changed later.
    """
    node = Pipeline.from_uri(str(shipped_pipeline(pipeline))).to_graph().tasks[_LABEL]
    # the graph's own configuration is frozen
    config: Any = type(node.config)()
    config.connections.update(**{name: c.parent_dataset_type_name for name, c in node.inputs.items()})
    config.do_use_sky_corr = config.remove_initial_photo_calib = config.do_apply_flat_background_ratio = True
    connections = config.ConnectionsClass(config=config)
    return {
        name: DatasetType(c.name, c.dimensions, c.storageClass, universe=universe)
        for name, c in connections.allConnections.items()
        if name in connections.inputs
    }


def _pipelines() -> Path:
    return Path(str(files("secondlight.pipeline"))) / "pipelines"

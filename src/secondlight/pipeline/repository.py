"""Repositories that need no stack, and the pipelines that are shipped."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from lsst.daf.butler import Butler, DatasetType
from lsst.pipe.base import Pipeline
from lsst.resources import ResourcePath
from sqlalchemy.exc import SQLAlchemyError

from ..errors import UsageError
from .storage import repository_config

__all__ = [
    "create_repository",
    "dataset_types",
    "recover_repository",
    "remove_repository",
    "shipped_pipeline",
    "shipped_pipelines",
    "shipped_site",
    "shipped_sites",
]

_LABEL = "reprocessVisitImage"


def create_repository(
    root: str | Path,
    *,
    database: str | None = None,
    namespace: str | None = None,
    datastore: str | None = None,
) -> None:
    """Make an empty repository that knows the storage classes of `lsst.images` and Second Light.

    Parameters
    ----------
    root
        Its folder, or URL of one (``s3://bucket/…``); must not hold a repository.
    database
        URL of the registry's database (``postgresql://…``); a SQLite file in the folder if not given.
    namespace
        Schema of a PostgreSQL database that holds the registry's tables: one database can serve several repositories.
    datastore
        Folder or URL of the files of datasets; the repository's folder if not given.

    Raises
    ------
    UsageError
        Raised if there is a repository already, or the registry would be a SQLite file where none can be.
    """
    if database is None and ResourcePath(root, forceDirectory=True).scheme != "file":
        raise UsageError(f"{root}: a repository that is not on a file system needs a database (--db)")
    if namespace is not None and database is None:
        raise UsageError(f"namespace {namespace} without a database: a SQLite file has no namespaces")
    config = repository_config()
    # what may lie elsewhere; makeRepo keeps its own defaults only if nothing may
    config["registry", "db"] = database or "sqlite:///<butlerRoot>/gen3.sqlite3"
    if namespace is not None:
        config["registry", "namespace"] = namespace
    config["datastore", "root"] = "<butlerRoot>" if datastore is None else datastore
    try:
        Butler.makeRepo(str(root), config, forceConfigRoot=database is None and datastore is None)
    except FileExistsError:
        raise UsageError(f"{root} holds a repository already") from None
    except Exception as error:
        # no half a repository, which would be in the way of the next attempt
        with suppress(FileNotFoundError):
            ResourcePath(root, forceDirectory=True).join("butler.yaml").remove()
        if database is None or not isinstance(error, SQLAlchemyError | ImportError | RuntimeError):
            raise
        reason = str(error).partition("\n(Background")[0]
        # the URL may hold a password
        shown = re.sub(r"(//[^/@]*):[^/@]*@", r"\1:***@", database)
        raise UsageError(f"database {shown} cannot hold a registry: {reason}") from error


def recover_repository(root: str | Path) -> None:
    """Make a repository readable again after a process that wrote to its SQLite registry was killed.

    Parameters
    ----------
    root
        Its folder or URL.

    Notes
    -----
    A transaction that was cut off has to be rolled back, which SQLite does when next the file is opened for writing. Until
    then readers fail with "attempt to write a readonly database", and ``pipetask run`` begins as a reader. Another registry
    is only opened and closed.
    """
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.collections.query("*")


def remove_repository(root: str | Path) -> None:
    """Remove a repository whose registry and datasets all lie in its folder; nothing if there is no such folder.

    Parameters
    ----------
    root
        Its folder.

    Raises
    ------
    UsageError
        Raised if the folder is there, and does not hold such a repository.
    """
    folder = Path(root)
    if not folder.exists():
        return
    if not ((folder / "butler.yaml").is_file() and (folder / "gen3.sqlite3").is_file()):
        raise UsageError(f"{folder} is not a repository of its own: it is left alone")
    shutil.rmtree(folder)


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


def shipped_sites() -> list[str]:
    """Return the names of the sites that `bps submit` can be given a shipped file for."""
    return sorted(p.stem for p in _sites().glob("*.yaml") if p.stem != "common")


def shipped_site(name: str) -> Path:
    """Return the path of the file with which `bps submit` runs a shipped pipeline on a kind of site.

    Parameters
    ----------
    name
        Name of the site.

    Raises
    ------
    UsageError
        Raised if there is none of that name.
    """
    if name not in shipped_sites():
        raise UsageError(f"{name}: no such site; there are {', '.join(shipped_sites())}")
    return _sites() / f"{name}.yaml"


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


def _sites() -> Path:
    return Path(str(files("secondlight.pipeline"))) / "bps"

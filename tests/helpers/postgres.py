"""A PostgreSQL server of the tests' own, on a free port of this machine; gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def missing() -> str:
    """Why there can be no server here; empty if there can."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed (extra postgres)"
    return "" if _programs() else "PostgreSQL's server is not installed (Debian: postgresql)"


def _programs() -> Path | None:
    """The folder of initdb and postgres: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def _user() -> str | None:
    """Whom to run the server as: it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty database, give its URL, stop the server and remove its files."""
    programs, user = _programs(), _user()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="secondlight-postgres-"))
    running = None
    try:
        if user is not None:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, *arguments], user=user, cwd=folder, check=True, capture_output=True
            )

        data = folder / "data"
        run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "secondlight",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", port, "-k", folder, "-F"],
                user=user,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        _wait(f"postgresql://secondlight@127.0.0.1:{port}/postgres", running, folder / "log")
        yield f"postgresql://secondlight@127.0.0.1:{port}/postgres"
    finally:
        if running is not None:
            running.terminate()
            running.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, running: subprocess.Popen, log: Path) -> None:
    """Wait until the server answers, and let it compare time spans, which the Butler needs."""
    import time

    import psycopg

    end = time.monotonic() + 60
    while True:
        try:
            connection = psycopg.connect(url)
            break
        except psycopg.OperationalError:
            if running.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no PostgreSQL server: {log.read_text()}") from None
            time.sleep(0.1)
    with connection:
        connection.execute("CREATE EXTENSION btree_gist")

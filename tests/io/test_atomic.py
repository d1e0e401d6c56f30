"""Outputs appear together or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from secondlight.errors import UsageError
from secondlight.io.atomic import atomic_outputs, atomic_path


def tree(path: Path) -> dict[str, str]:
    return {str(p.relative_to(path)): p.read_text() for p in sorted(path.rglob("*")) if p.is_file()}


def test_one_file_appears_at_the_end(tmp_path: Path) -> None:
    final = tmp_path / "new" / "a.fits"
    with atomic_path(final) as staged:
        assert staged.suffix == ".fits"
        assert staged.parent == final.parent  # or the last step would not be a rename
        staged.write_text("half")
        assert not final.exists()
        staged.write_text("whole")
    assert tree(tmp_path) == {"new/a.fits": "whole"}


def test_one_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    final = tmp_path / "a.fits"
    final.write_text("old")
    with pytest.raises(UsageError, match=r"a\.fits exists"), atomic_path(final):
        pytest.fail("the block must not run")
    with atomic_path(final, overwrite=True) as staged:
        staged.write_text("new")
    assert tree(tmp_path) == {"a.fits": "new"}


def test_an_error_leaves_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a", overwrite=True) as staged:
        staged.write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), atomic_outputs(tmp_path, overwrite=True) as directory:
        (directory / "a").write_text("half")
        (directory / "b").write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), atomic_outputs(tmp_path / "new") as directory:
        (directory / "a").write_text("half")
        raise RuntimeError
    assert tree(tmp_path) == {"a": "old"}
    assert not (tmp_path / "new").exists()


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_outputs(tmp_path / "x" / "out") as directory:
        (directory / "a").write_text("1")
        (directory / "b").write_text("2")
        assert not (tmp_path / "x" / "out").exists()
    assert tree(tmp_path) == {"x/out/a": "1", "x/out/b": "2"}
    # like any folder that the user makes
    reference = tmp_path / "made"
    reference.mkdir()
    assert (tmp_path / "x" / "out").stat().st_mode == reference.stat().st_mode


def test_files_join_a_folder_in_the_order_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").write_text("stays")
    order: list[str] = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        order.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    with atomic_outputs(tmp_path) as directory:
        for n, name in enumerate(("pvi.fits", "a.parquet", "metadata.json")):
            (directory / name).write_text(name)
            os.utime(directory / name, ns=(n, n))
    assert order == ["pvi.fits", "a.parquet", "metadata.json"]
    assert set(tree(tmp_path)) == {"other", *order}


def test_existing_files_are_refused_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    with pytest.raises(UsageError, match="b exists"), atomic_outputs(tmp_path) as directory:
        (directory / "a").write_text("new")
        (directory / "b").write_text("new")
    assert tree(tmp_path) == {"b": "old"}
    with atomic_outputs(tmp_path, overwrite=True) as directory:
        (directory / "a").write_text("new")
        (directory / "b").write_text("new")
    assert tree(tmp_path) == {"a": "new", "b": "new"}
    with pytest.raises(UsageError, match="is a file"), atomic_outputs(tmp_path / "a"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("links", [True, False])
def test_a_rename_that_fails_undoes_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (tmp_path / "a").write_text("old a")
    (tmp_path / "c").write_text("old c")
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if self.name == "c":
            raise OSError("disk is gone")
        return replace(self, target)

    def no_link(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "replace", fail)
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(OSError, match="disk is gone"), atomic_outputs(tmp_path, overwrite=True) as directory:
        for n, name in enumerate("abc"):
            (directory / name).write_text("new")
            os.utime(directory / name, ns=(n, n))
    assert tree(tmp_path) == {"a": "old a", "c": "old c"}


def test_a_killed_process_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    code = f"""
        import os, signal
        from secondlight.io.atomic import atomic_outputs
        with atomic_outputs({str(tmp_path)!r}, overwrite=True) as directory:
            (directory / "a").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    visible = {k: v for k, v in tree(tmp_path).items() if not k.startswith(".secondlight-")}
    assert visible == {"a": "old"}

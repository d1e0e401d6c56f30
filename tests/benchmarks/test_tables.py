"""Property: what benchmarks print cannot silently be wrong: lines, tables, blocks of a page, clocks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from benchmarks._measuring import StageClock, best_of, peak_mib, reset_peak, run_command
from benchmarks._page import seconds
from benchmarks._tables import fit_line, replace_block, table, write_blocks

PAGE = "# Page\n\n<!-- begin a -->\nold a\n<!-- end a -->\ntext\n<!-- begin b -->\n<!-- end b -->\nlast\n"


def test_line_through_exact_points():
    x = [500, 2000, 50_000]
    line = fit_line(x, [3.0 + 0.002 * v for v in x])
    np.testing.assert_allclose([line.offset, line.slope], [3.0, 0.002], rtol=1e-12)
    assert line.worst < 1e-12


def test_line_says_how_far_points_are():
    line = fit_line([1, 2, 3, 4], [1.0, 2.0, 4.5, 4.0])
    assert 0.1 < line.worst < 0.5


def test_small_costs_count_as_much_as_large_ones():
    # without weights the point at the left would hardly matter
    line = fit_line([1, 10, 10_000], [1.0, 10.0, 20_000.0])
    assert abs(line.offset + line.slope - 1.0) < 0.5


@pytest.mark.parametrize(("x", "y"), [([1], [1.0]), ([2, 2], [1.0, 2.0]), ([1, 2], [1.0, 0.0])])
def test_lines_that_cannot_be(x, y):
    with pytest.raises(ValueError, match=r"line needs|not positive"):
        fit_line(x, y)


def test_table():
    assert table(["a", "b"], [[1, None], ["x", 2.5]]).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        "| 1 |  |",
        "| x | 2.5 |",
    ]
    with pytest.raises(ValueError, match="3 cells in a table of 2"):
        table(["a", "b"], [[1, 2, 3]])


def test_blocks_are_replaced_and_nothing_else():
    out = replace_block(PAGE, "b", "\nnew b\n")
    assert out == PAGE.replace("<!-- begin b -->\n", "<!-- begin b -->\nnew b\n")
    assert replace_block(out, "b", "new b") == out
    assert replace_block(PAGE, "a", "x\ny") == PAGE.replace("old a", "x\ny")


@pytest.mark.parametrize("page", ["", PAGE + PAGE, "<!-- end a -->\n<!-- begin a -->\n"])
def test_pages_without_that_block(page):
    with pytest.raises(ValueError, match="block 'a'"):
        replace_block(page, "a", "x")


def test_pages_are_written_whole_or_not_at_all(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(PAGE)
    other.write_text("<!-- begin a -->\n<!-- end a -->\n")
    with pytest.raises(ValueError, match="'c'"):
        write_blocks([page, other], {"a": "1", "c": "2"})
    assert page.read_text() == PAGE
    write_blocks([page, other], {"a": "1", "b": "2"})
    assert "\n1\n" in page.read_text()
    assert "\n2\n" in page.read_text()
    assert other.read_text() == "<!-- begin a -->\n1\n<!-- end a -->\n"


def test_seconds_keep_three_digits():
    assert [seconds(v) for v in (0.00049, 0.0123, 1.239, 12.34, 123.4)] == [
        "0.000",
        "0.012",
        "1.24",
        "12.3",
        "123",
    ]


def test_stages_share_the_time_between_them():
    clock = StageClock()
    clock("idle")
    time.sleep(0.05)
    clock("busy")
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    stages = clock.stop()
    assert list(stages) == ["idle", "busy"]
    assert stages["idle"][0] < 0.04
    assert stages["idle"][1] >= 0.05
    assert stages["busy"][0] >= 0.05


def test_best_is_a_whole_run():
    calls = []
    spent = best_of(lambda: calls.append(time.sleep(0.01)), 2)
    assert len(calls) == 3
    assert spent.wall >= 0.01


def test_peak_memory_sees_what_was_freed():
    reset_peak()
    before = peak_mib()
    np.ones(2**25).sum()  # 256 MiB
    assert peak_mib() > before + 200


def test_failing_program_is_no_result():
    with pytest.raises(RuntimeError, match="status 1"):
        run_command(["false"])

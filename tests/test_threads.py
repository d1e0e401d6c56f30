"""The thread pool."""

from __future__ import annotations

import threading

import pytest

from secondlight import threads


@pytest.mark.parametrize("n", [1, 2, 5])
def test_items_come_in_order_and_not_too_far_ahead(n: int) -> None:
    begun: list[int] = []
    with threads.use(n):
        for i, item in enumerate(threads.in_order(lambda i: (begun.append(i), i)[1], 40)):
            assert item == i
            assert len(begun) <= i + 2 + 2 * n
    assert sorted(begun) == list(range(40))


def test_an_error_comes_in_its_place_and_no_thread_stays_behind() -> None:
    def work(i: int) -> int:
        if i == 3:
            raise ValueError("three")
        return i

    taken = []
    with threads.use(2), pytest.raises(ValueError, match="three"):
        taken.extend(threads.in_order(work, 9))
    with threads.use(2):
        for i in threads.in_order(work, 3):
            taken.append(i)
            if i == 1:
                break
    assert threading.active_count() == 1

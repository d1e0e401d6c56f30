"""The one thread pool: work is split into chunks whose results do not depend on how many threads ran them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["count", "in_order", "map_chunks", "use"]

_threads: ContextVar[int] = ContextVar("secondlight_threads", default=1)


def count() -> int:
    """Return the number of threads that kernels may use now."""
    return _threads.get()


@contextmanager
def use(threads: int | None) -> Iterator[int]:
    """Set the number of threads within a ``with`` block.

    Parameters
    ----------
    threads
        How many; `None` or 0 means one for each processor this process may run on.

    Yields
    ------
    int
        The number in force.
    """
    token = _threads.set(threads or len(os.sched_getaffinity(0)))
    try:
        yield _threads.get()
    finally:
        _threads.reset(token)


def map_chunks(work: Callable[[int, int], None], size: int, chunk: int) -> None:
    """Call ``work(start, stop)`` over ``range(size)`` in chunks, in as many threads as are allowed.

    Parameters
    ----------
    work
        Called once a chunk; chunks must write to separate places. It should spend its time where the GIL is free.
    size
        Number of items (rows, sources).
    chunk
        Items a chunk. It is the caller's and never depends on the number of threads, so neither do results.
    """
    bounds: Sequence[tuple[int, int]] = [(i, min(i + chunk, size)) for i in range(0, size, chunk)]
    threads = min(count(), len(bounds))
    if threads <= 1:
        for start, stop in bounds:
            work(start, stop)
        return
    with ThreadPoolExecutor(threads) as pool:
        # leaving the block waits for all; list() raises the first error
        list(pool.map(lambda b: work(*b), bounds))


def in_order[T](work: Callable[[int], T], size: int) -> Iterator[T]:
    """Make ``work(0)``, ``work(1)`` and so on ahead, in as many threads as are allowed, and hand them out in order.

    Parameters
    ----------
    work
        Makes one item. It should spend its time where the GIL is free.
    size
        Number of items. No more than two a thread wait to be handed out, whatever their number.
    """
    threads = min(count(), size)
    if threads <= 1:
        yield from map(work, range(size))
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for i in range(size):
            waiting.append(pool.submit(work, i))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

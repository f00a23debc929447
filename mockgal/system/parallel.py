"""Compilation of loops and the threads that run them, shared by every room with a kernel.

numba is not imported until the first function is compiled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MOST_THREADS = 16  # bounds the memory of the blocks in progress
_chosen: int | None = None


def threads() -> int:
    """Return the number of threads: NUMBA_NUM_THREADS, or the processors available here.

    Inside a block of `using`, its number.
    """
    if _chosen is not None:
        return max(1, min(_chosen, _MOST_THREADS))
    try:
        number = int(os.environ.get("NUMBA_NUM_THREADS", ""))
    except ValueError:
        affinity = getattr(os, "sched_getaffinity", None)
        number = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(number, _MOST_THREADS))


@contextmanager
def using(number: int | None) -> Iterator[None]:
    """Use so many threads in the block, here and in torch if it is loaded; None changes nothing."""
    global _chosen
    torch = sys.modules.get("torch")
    former, of_torch = _chosen, torch.get_num_threads() if torch else 0
    if number is not None:
        _chosen = number
        if torch:
            torch.set_num_threads(number)
    try:
        yield
    finally:
        _chosen = former
        if torch:
            torch.set_num_threads(of_torch)


def over(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return ``work`` of each item, in the order of the items, computed in `threads` threads.

    Parameters
    ----------
    work : callable
        Must release the interpreter's lock, and write nothing that another call reads or writes.
    items : iterable
    """
    items = list(items)
    workers = min(threads(), len(items))
    if workers <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers, thread_name_prefix="mockgal") as pool:
        return list(pool.map(work, items))


def compiled(*signature: Any) -> Decorator:
    """Return a decorator that compiles for these argument types at once, cached if possible.

    numba's cache is beside this file, in the user's cache folder, or where NUMBA_CACHE_DIR says. If
    it is not writable, full or damaged, the function is compiled in memory only.
    """
    from numba import njit

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        options = {"nogil": True, "error_model": "numpy"}
        try:
            return njit(signature, cache=True, **options)(function)  # type: ignore[no-any-return]
        except Exception:  # numba lets through whatever the disk or a damaged file raises
            return njit(signature, **options)(function)  # type: ignore[no-any-return]

    return decorate

"""Compiled loops and the threads that run them: what every room with a kernel shares.

numba is imported when the first function is compiled, and not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MOST_THREADS = 16  # bounds the memory of the blocks under way


def threads() -> int:
    """Threads to use: NUMBA_NUM_THREADS, or the processors that this process may run on."""
    try:
        wanted = int(os.environ.get("NUMBA_NUM_THREADS", ""))
    except ValueError:
        here = getattr(os, "sched_getaffinity", None)
        wanted = len(here(0)) if here else os.cpu_count() or 1
    return max(1, min(wanted, _MOST_THREADS))


def over(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``work`` of each item, in the order of the items, in as many threads as there are.

    Parameters
    ----------
    work : callable
        Releases the interpreter's lock, and writes nothing that another call reads or writes.
    items : iterable
    """
    items = list(items)
    workers = min(threads(), len(items))
    if workers <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers, thread_name_prefix="mockgal") as pool:
        return list(pool.map(work, items))


def compiled(*signature: Any) -> Decorator:
    """Compile for these argument types now; in memory only where numba's cache is out of order.

    The cache lies beside this file or in the user's cache folder, or wherever NUMBA_CACHE_DIR
    says; none of them need be writable, have room, or hold what was once put there.
    """
    from numba import njit

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        options = {"nogil": True, "error_model": "numpy"}
        try:
            return njit(signature, cache=True, **options)(function)  # type: ignore[no-any-return]
        except Exception:  # numba lets through whatever the disk or a damaged file raises
            return njit(signature, **options)(function)  # type: ignore[no-any-return]

    return decorate

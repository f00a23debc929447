"""Large catalogues in blocks of rows, on several threads, with unchanged results.

For catalogues of `LARGE` rows and more each function uses compiled code
(`mockgal.painters.kernels`); for smaller ones it does the same with NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..system.deferred import parts, pick, places
from ..system.parallel import threads

Array = NDArray[Any]
Result = TypeVar("Result")

LARGE = 500_000  # with fewer rows NumPy finishes before compiled code is loaded
LARGE_BLOCK = 50_000  # likewise, in one block of a large catalogue
BLOCK_ROWS = 1 << 17  # fewer, and threads wait for the interpreter; more, and caches overflow
_LEAST_BLOCK = 1 << 14  # for chosen rows, whose values are spread over a catalogue
_LIMBS, _LIMB_BITS = 4, 31  # of exact sums, as in `mockgal.painters.kernels`
EXACT = 1 << _LIMBS * _LIMB_BITS
_beside: ContextVar[Future[Any] | None] = ContextVar("beside", default=None)


def over_blocks(work: Callable[[slice], Result], rows: int, of: int | None = None) -> list[Result]:
    """Call ``work`` for each block of rows, and return the results in order of rows.

    Parameters
    ----------
    work : callable
        Called with a slice of rows, in several threads at a time if there are many rows.
    rows : int
        Number of rows.
    of : int, optional
        Number of rows in the catalogue, if ``rows`` of them were chosen.

    Returns
    -------
    list
        What ``work`` returned, block by block.
    """
    size = BLOCK_ROWS if of is None else min(BLOCK_ROWS, max(_LEAST_BLOCK, -(-rows // threads())))
    parts = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    beside = _beside.get()
    busy = int(beside is not None and not beside.done())  # sharing its core would slow both
    workers = min(threads() - busy, len(parts))
    if workers <= 1 or (rows if of is None else of) < LARGE:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers, thread_name_prefix="mockgal") as pool:
        return list(pool.map(work, parts))


def chosen_of(mask: Array, part: slice) -> Array | slice:
    """Return the rows of a block that a mask chooses; the slice itself if it chooses all.

    A slice saves the copy.
    """
    return part if mask.all() else part.start + np.flatnonzero(mask)


@contextmanager
def aside(work: Callable[[], Result], rows: int) -> Iterator[Callable[[], Result]]:
    """Yield a function that returns the result of ``work``.

    If there are many rows, ``work`` runs in the background during the block.
    """
    if rows < LARGE:
        yield work
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="mockgal")
    future = pool.submit(work)
    token = _beside.set(future)
    try:
        yield future.result
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        _beside.reset(token)
    pool.shutdown()


def take(
    columns: Mapping[str, Array], wanted: Mapping[str, str | tuple[str, int]], rows: Array
) -> dict[str, Array]:
    """Return some rows of some columns; `Joined` columns are not joined for it.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,) or (n, k)
        Values of 8 bytes or of 1.
    wanted : mapping of str to str or tuple
        For each name in the result, the name of a column or, for one of its components, that name
        and the component's number.
    rows : ndarray of int, shape (m,)
        In [0, n).

    Returns
    -------
    dict of str to ndarray, shape (m,)
    """
    held: dict[str, list[Array]] = {}
    for name, source in wanted.items():
        column, axis = (source, ()) if isinstance(source, str) else (source[0], source[1:])
        held[name] = [values[:, *axis] for values in parts(columns, column)]
    taken = {name: np.empty(len(rows), dtype=values[0].dtype) for name, values in held.items()}
    n = max(sum(map(len, values)) for values in held.values())

    def block(part: slice) -> None:
        at = places(columns, rows[part], compiled=n >= LARGE)
        for name, values in held.items():
            pick(values, at, taken[name][part], compiled=n >= LARGE)

    over_blocks(block, len(rows), of=n)
    return taken


def interp(x: Array, nodes: Array, values: Array) -> Array:
    """Do as `numpy.interp`, shape (n,); for use within a block of many rows, or on a few rows."""
    if len(x) < LARGE_BLOCK:
        return np.asarray(np.interp(x, nodes, values))
    from . import kernels

    result = np.empty(len(x))
    nodes, values = (np.require(v, np.float64, ("C", "A")) for v in (nodes, values))
    kernels.interp(x, nodes, values, kernels.slopes(nodes, values), result)
    return result


def sums(values: Array, chosen: Array) -> tuple[float, float]:
    """Return the sums of the chosen values and of the others, each rounded only once.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Mostly in [0, 1]: the sum is slower if any value is not.
    chosen : ndarray of bool, shape (n,)

    Returns
    -------
    chosen, others : float
        Independent of the order of rows.
    """
    if len(values) >= LARGE:
        exact = exact_sums(values, chosen)
        if exact is not None:
            return exact[0] / EXACT, exact[1] / EXACT
    return math.fsum(values[chosen]), math.fsum(values[~chosen])


def exact_sums(values: Array, chosen: Array) -> tuple[int, int] | None:
    """Return the sums of the chosen values and of the others times `EXACT`, as whole numbers.

    Those of the pieces of a catalogue add up to those of the whole.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In [0, 1]; what is below 1 / `EXACT` is left out.
    chosen : ndarray of bool, shape (n,)

    Returns
    -------
    tuple of int, or None
        None if a value is not in [0, 1].
    """
    if len(values) and not (values.min() >= 0.0 and values.max() <= 1.0):
        return None
    add = _limbs
    if len(values) >= LARGE:
        from . import kernels

        def add(value: Array, group: Array) -> Array:
            limbs = np.zeros((2, kernels.LIMBS), dtype=np.int64)
            kernels.add_exactly(value, group.view(np.uint8), limbs)
            return limbs

    def block(part: slice) -> Array:
        value = np.require(values[part], np.float64, ("C", "A"))
        return add(value, np.require(chosen[part], np.bool_, "C"))

    limbs = sum(over_blocks(block, len(values)), np.zeros((2, _LIMBS), dtype=np.int64))
    others, those = (
        sum(int(limb) << _LIMB_BITS * (_LIMBS - 1 - k) for k, limb in enumerate(row))
        for row in limbs
    )
    return those, others


def _limbs(value: Array, group: Array) -> Array:
    """Do what `mockgal.painters.kernels.add_exactly` does, for one block of numbers in [0, 1]."""
    limbs = np.zeros((2, _LIMBS), dtype=np.int64)
    for row, values in enumerate((value[~group], value[group])):
        for k in range(_LIMBS):
            scaled = values * 2.0**_LIMB_BITS
            whole = np.floor(scaled)
            limbs[row, k] = whole.astype(np.int64).sum()
            values = scaled - whole
    return limbs

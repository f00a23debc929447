"""Columns of many rows, computed or joined when, and as far as, they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parallel import over

Array = NDArray[Any]

LARGE = 100_000  # NumPy is done with fewer rows before compiled code is loaded
BLOCK_ROWS = 1 << 17  # joined at a time


class Deferred:
    """A column of n values, of which ``column[rows]`` computes some; to NumPy it is an array.

    Parameters
    ----------
    n : int
    of : callable
        ``of(rows)`` gives the values of some rows, an array of int, in their order: each the same
        whatever the others are.
    """

    def __init__(self, n: int, of: Callable[[Array], Array]) -> None:
        self._n, self._of = n, of

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, rows: Any) -> Array:
        """Values of rows: an array of their numbers, a mask, or a slice."""
        numbers = isinstance(rows, np.ndarray) and rows.dtype.kind in "iu"
        return self._of(rows if numbers else np.arange(self._n)[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


class Places(NamedTuple):
    """Where the values of n rows are: in rows ``first`` of the first of a column's `parts`.

    But for those numbered ``later``, which are in rows ``second`` of the second part, if there is
    one.
    """

    first: Array
    later: Array
    second: Array


class Joined(Mapping[str, Array]):
    """Columns of hosts, each followed by its satellites; joined when they are first asked for.

    `parts`, `places` and `pick` look at a column, or take rows of it, without that.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    hosts : mapping of str to ndarray
        Their columns, n rows that nobody writes to.
    satellites : mapping of str to ndarray
        Likewise, m rows, those of one host together and in the order of hosts. A column that is not
        here, they share with their host.
    host : ndarray of int64, shape (n + m,)
        Row in ``hosts`` of what each row is, or belongs to.
    is_central : ndarray of bool, shape (n + m,)
        The column of that name: which rows are hosts.
    """

    def __init__(
        self,
        names: Sequence[str],
        hosts: Mapping[str, Array],
        satellites: Mapping[str, Array],
        host: Array,
        is_central: Array,
    ) -> None:
        self._names, self.hosts, self.satellites = tuple(names), hosts, satellites
        self.host = host
        self._joined = {"is_central": is_central}
        self._lock = Lock()  # threads may ask for one column at a time

    def __getitem__(self, name: str) -> Array:
        with self._lock:
            if name not in self._joined:
                self._joined[name] = self._join(name)
            return self._joined[name]

    def _join(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        host, is_central = self.host, self._joined["is_central"]
        values, n = self.hosts[name], len(host)
        column = np.empty((n, *values.shape[1:]), dtype=values.dtype)

        def block(part: slice) -> None:
            later = np.flatnonzero(~is_central[part])
            at = Places(host[part], later, part.start + later - host[part][later] - 1)
            held, out = parts(self, name), column[part]
            for axis in np.ndindex(column.shape[1:]):
                one = slice(None), *axis
                pick([x[one] for x in held], at, out[one], compiled=n >= LARGE)

        over(block, [slice(i, min(i + BLOCK_ROWS, n)) for i in range(0, n, BLOCK_ROWS)])
        column.flags.writeable = False
        return column

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def parts(columns: Mapping[str, Array], name: str) -> tuple[Array, ...]:
    """The arrays that hold a column, one or two."""
    if not isinstance(columns, Joined):
        return (columns[name],)
    return columns.hosts[name], *([columns.satellites[name]] if name in columns.satellites else [])


def places(columns: Mapping[str, Array], rows: Array, *, compiled: bool) -> Places:
    """Where the values of some rows are, whatever the column."""
    if not isinstance(columns, Joined):
        none = np.empty(0, dtype=np.int64)
        return Places(rows, none, none)
    host, is_central = columns.host, columns["is_central"]
    if compiled:
        from . import kernels

        found = Places(*np.empty((3, len(rows)), dtype=np.int64))
        some = slice(kernels.places(rows, host, is_central.view(np.uint8), *found))
        return Places(found.first, found.later[some], found.second[some])
    own, later = host[rows], np.flatnonzero(~is_central[rows])
    return Places(own, later, rows[later] - own[later] - 1)  # less the hosts up to it


def pick(held: Sequence[Array], at: Places, out: Array, *, compiled: bool) -> None:
    """Fill ``out`` with some rows of a column, or of one component of it.

    Parameters
    ----------
    held : sequence of ndarray, shape (any,)
        Its `parts`; of 8 bytes or of 1, if compiled.
    at : Places
        Of n rows.
    out : ndarray, shape (n,)
    compiled : bool
    """
    if compiled:
        from . import kernels

        kernels.pick(held, at, out)
        return
    out[...] = held[0][at.first]
    if len(held) == 2:
        out[at.later] = held[1][at.second]

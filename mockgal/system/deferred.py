"""Columns of many rows, computed or joined on demand, for only the rows that are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parallel import over

Array = NDArray[Any]

LARGE = 100_000  # for fewer rows NumPy finishes before compiled code would be loaded
BLOCK_ROWS = 1 << 17  # rows joined at a time


class Deferred:
    """A column of n values that are computed on demand by ``column[rows]``; NumPy sees an array.

    Parameters
    ----------
    n : int
    of : callable
        ``of(rows)`` returns the values of the rows in an array of int, in their order. The value of
        a row must not depend on which other rows are requested.
    """

    def __init__(self, n: int, of: Callable[[Array], Array]) -> None:
        self._n, self._of = n, of

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, rows: Any) -> Array:
        """Return the values of rows, chosen by an array of row numbers, a mask, or a slice."""
        numbers = isinstance(rows, np.ndarray) and rows.dtype.kind in "iu"
        return self._of(rows if numbers else np.arange(self._n)[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


class Places(NamedTuple):
    """Where the values of n rows are stored, in one or two `parts` of a column.

    The values are in rows ``first`` of the first part. If there is a second part, the values
    numbered ``later`` are in its rows ``second`` instead.
    """

    first: Array
    later: Array
    second: Array


class Joined(Mapping[str, Array]):
    """Columns of hosts, each host followed by its satellites; a column is joined on first use.

    `parts`, `places` and `pick` read a column, or rows of it, without joining it.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    hosts : mapping of str to ndarray
        Columns of the hosts, n rows that are never written to.
    satellites : mapping of str to ndarray
        Columns of the satellites, m rows that are never written to, grouped by host in the order of
        hosts. In a column that is missing here, satellites have the value of their host.
    host : ndarray of int64, shape (n + m,)
        Row in ``hosts`` of each host, or of each satellite's host.
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
        self._lock = Lock()  # several threads may ask for the same column at once

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
    """Return the one or two arrays that hold a column."""
    if not isinstance(columns, Joined):
        return (columns[name],)
    return columns.hosts[name], *([columns.satellites[name]] if name in columns.satellites else [])


def places(columns: Mapping[str, Array], rows: Array, *, compiled: bool) -> Places:
    """Return where the values of some rows are stored; the same for all columns."""
    if not isinstance(columns, Joined):
        none = np.empty(0, dtype=np.int64)
        return Places(rows, none, none)
    host, is_central = columns.host, columns["is_central"]
    if compiled:
        from . import kernels

        at = Places(*np.empty((3, len(rows)), dtype=np.int64))
        filled = slice(kernels.places(rows, host, is_central.view(np.uint8), *at))
        return Places(at.first, at.later[filled], at.second[filled])
    own, later = host[rows], np.flatnonzero(~is_central[rows])
    return Places(own, later, rows[later] - own[later] - 1)  # minus the hosts before the row


def pick(held: Sequence[Array], at: Places, out: Array, *, compiled: bool) -> None:
    """Fill ``out`` with some rows of a column, or of one component of it.

    Parameters
    ----------
    held : sequence of ndarray, shape (any,)
        The `parts` of the column; values of 8 bytes or of 1 byte if compiled.
    at : Places
        Where the n rows are stored.
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

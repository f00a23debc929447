"""The galaxies that copies of a box put into a shell, some rows at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...digests import sorting_order
from ...system.progress import advance
from ...types import GalaxyCatalog
from ..footprint import Footprint, SkyCap
from .copies import number_of

Array = NDArray[Any]

ROWS = 1 << 15  # of the box, or of the light cone, that are worked on at a time
_SLACK = 1e-6  # of an angle [rad], by which rounding may move a galaxy


class Shell(NamedTuple):
    """The comoving distances [Mpc/h], and their redshifts, that a snapshot serves.

    From ``start``, up to ``stop``. ``snapshot`` is its number among those that serve some.
    """

    galaxies: GalaxyCatalog
    start: float
    stop: float
    redshifts: tuple[float, float]
    snapshot: int


class View(NamedTuple):
    """From where, and how turned, an observer sees the box, and which part of the sky.

    ``observer`` is a place in the box; ``turn`` a matrix about it, or None; ``cap`` holds the
    footprint if that states one.
    """

    observer: Array
    turn: Sequence[Sequence[float]] | None
    footprint: Footprint | None
    cap: SkyCap | None


class Growing:
    """A column to which rows are added.

    A list of parts would need twice the memory when these are joined. Here the system moves large
    arrays by their pages.
    """

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._values = np.empty(0, dtype=kind)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, rows: Array) -> None:
        """Add rows at the end."""
        end = self._length + len(rows)
        if end > len(self._values):
            self._values.resize(end + end // 4, refcheck=False)
        self._values[self._length : end] = rows
        self._length = end

    def whole(self) -> Array:
        """Return all rows; none can be added afterwards."""
        self._values.resize(self._length, refcheck=False)
        return self._values


class Gathered(NamedTuple):
    """Columns, and from how many copies of the box their galaxies are."""

    columns: dict[str, Growing]
    copies: int


def seen(
    shell: Shell, view: View, copies: Array, names: Sequence[str], done: int, total: int
) -> Gathered:
    """Return the columns of galaxies in a shell, in the order of (id, copy).

    Parameters
    ----------
    shell : Shell
    view : View
    copies : ndarray of int, shape (c, 3)
    names : sequence of str
        Columns of the box that are taken.
    done, total : int
        Rows of other shells that are done, and of all; for the progress.

    Returns
    -------
    Gathered
        With ``copy`` and the quantities `mockgal.survey.cone.kernels.SEEN`.
    """
    from .kernels import PLACED

    galaxies, numbers = shell.galaxies, number_of(copies, shell.snapshot)
    kinds = {name: galaxies[name].dtype for name in names} | {"copy": numbers.dtype}
    kinds |= dict.fromkeys(PLACED, np.dtype(np.float64))
    columns = {name: Growing(kind) for name, kind in kinds.items()}
    used = np.zeros(len(copies), dtype=bool)
    gathered = [name for name in names if name not in PLACED]
    for rows in _whole_halos(galaxies["halo_id"]):
        advance(done + rows.start, total, "light cone, galaxies of the box")
        part = {name: values[rows] for name, values in galaxies.columns.items()}
        for which, placed in _placed(part, shell, view, copies):
            kept: Any = slice(None)
            if view.footprint is not None:
                ra, dec = placed[PLACED.index("ra")], placed[PLACED.index("dec")]
                kept = np.flatnonzero(view.footprint.completeness(ra, dec) > 0)
            row, copy = which[0][kept], which[1][kept]
            used[copy] = True
            for name in gathered:
                columns[name].add(part[name][row])
            columns["copy"].add(numbers[copy])
            for name, values in zip(PLACED, placed, strict=True):
                columns[name].add(values[kept])
    advance(done + len(galaxies), total, "light cone, galaxies of the box")
    return Gathered(columns, int(np.count_nonzero(used)))


def _whole_halos(halo: Array) -> Iterator[slice]:
    """Yield about `ROWS` rows at a time, and all galaxies of the last halo with them."""
    start = 0
    while start < len(halo):
        last = halo[min(start + ROWS, len(halo)) - 1]
        stop = start + int(np.searchsorted(halo[start:], last, side="right"))
        yield slice(start, stop)
        start = stop


def _placed(
    part: Mapping[str, Array], shell: Shell, view: View, copies: Array
) -> Iterator[tuple[Array, Array]]:
    """Yield rows and copies of galaxies in the shell and the cap, and their `PLACED`."""
    from .kernels import PLACED, place

    position, velocity = (
        tuple(np.ascontiguousarray(part[f"{what}_{x}"]) for x in "xyz")
        for what in ("position", "velocity")
    )
    size = shell.galaxies.snapshot.box_size
    turn = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)) if view.turn is None else view.turn
    cap = view.cap
    opening = math.pi if cap is None else math.radians(cap.opening) + _SLACK
    least = -2.0 if opening >= math.pi else math.cos(opening)
    how = (
        *(position, velocity, _centres(part), size * copies.astype(np.float64), size),
        *(tuple(float(x) for x in view.observer), (shell.start, shell.stop)),
        *(view.turn is not None, tuple(map(tuple, turn))),
        *((1.0, 0.0, 0.0) if cap is None else cap.axis, least),
    )
    which = np.empty((2, max(ROWS, len(copies))), dtype=np.int64)
    out = np.empty((len(PLACED), which.shape[1]))
    row, rows = 0, len(position[0])
    while row < rows:
        count, row = place(*how, row, which, out)
        if count:
            yield which[:, :count], out[:, :count]


def _centres(part: Mapping[str, Array]) -> Array:
    """Return the row of the galaxy at whose place the halo of each galaxy is.

    Rows are sorted by halo, and within it by id. It is that of the central, or of the first galaxy
    where there is none.
    """
    halo = part["halo_id"]
    begins = np.ones(len(halo), dtype=bool)
    begins[1:] = halo[1:] != halo[:-1]
    group = np.cumsum(begins) - 1
    row = np.flatnonzero(begins)
    if "is_central" in part:
        central = np.flatnonzero(part["is_central"])
        row[group[central]] = central
    return np.asarray(row[group], dtype=np.int64)


def joined(shells: Sequence[dict[str, Growing]], identity: Sequence[str]) -> dict[str, Array]:
    """Return the columns of all shells, sorted by identity; takes them away from the shells.

    Beside the columns, memory is needed for one of them, and for the order of several shells.
    """
    columns = {name: _joined(shells, name) for name in identity}
    order = sorting_order(columns, identity)
    for name in [*identity, *shells[0]]:
        values = columns[name] if name in columns else _joined(shells, name)
        columns[name] = values if order is None else values[order]
    return columns


def _joined(shells: Sequence[dict[str, Growing]], name: str) -> Array:
    parts = [columns.pop(name).whole() for columns in shells]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)

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
Blocks = dict[str, list[Array]]

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


class Gathered(NamedTuple):
    """Columns in blocks, and from how many copies of the box their galaxies are."""

    blocks: Blocks
    copies: int


def seen(
    shell: Shell, view: View, copies: Array, names: Sequence[str], done: int, total: int
) -> Gathered:
    """Return the columns of galaxies in a shell, each in blocks, in the order of (id, copy).

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
    blocks: Blocks = {name: [] for name in dict.fromkeys([*names, "copy", *PLACED])}
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
                blocks[name].append(part[name][row])
            blocks["copy"].append(numbers[copy])
            for name, values in zip(PLACED, placed, strict=True):
                blocks[name].append(values[kept].copy())
    advance(done + len(galaxies), total, "light cone, galaxies of the box")
    return Gathered(blocks, int(np.count_nonzero(used)))


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


def joined(shells: Sequence[Blocks], identity: Sequence[str]) -> dict[str, Array]:
    """Return whole columns of the blocks of shells, sorted by identity; empties the blocks.

    Beside the columns, memory is needed for one of them, and for the order of several shells.
    """
    columns: dict[str, Array] = {}
    order = None
    rest = [name for name in shells[0] if name not in identity]
    for n, name in enumerate([*identity, *rest]):
        parts = [part for blocks in shells for part in blocks.pop(name)]
        columns[name] = np.concatenate(parts) if parts else np.zeros(0)
        del parts
        if n == len(identity) - 1:
            order = sorting_order(columns, identity)
            if order is not None:
                columns = {key: values[order] for key, values in columns.items()}
        elif n >= len(identity) and order is not None:
            columns[name] = columns[name][order]
    return columns

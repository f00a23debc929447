"""Hosts that come in pieces: the checks of whole catalogues, without one in memory.

Each piece is checked by itself, and adds to sums (`units`, `regions`, `plausible.Rare`). What
relates rows of different pieces, ids and places that are repeated, is looked up again in the pieces
that were kept, of which hashes are compared class by class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...columns import HALO_COLUMNS, REQUIRED_HALO_COLUMNS
from ...errors import BadValueError
from ...layout import MISSING_CHUNKS
from ...protocols import ReadOptions
from ...types import HaloCatalog, Scene, Snapshot, settle
from . import copies, plausible, regions, units
from .values import COUNTED, Where, check_regions_of, raise_cause, wrap

Array = NDArray[Any]
Columns = dict[str, Array]

PLACE, ROW = "place", "row"  # columns that are kept beside those of halos: a hash, and the row
_MOST_KEYS = 1 << 23  # compared at a time
_SPREAD, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(40)


class Kept(Protocol):
    """Where checked pieces are kept."""

    def add(self, columns: Columns) -> None:
        """Keep a piece."""

    def again(self, names: Sequence[str]) -> Iterator[Columns]:
        """Yield some columns of each piece, in the order in which pieces were added.

        Rows may have another order; `ROW` has their number in the piece.
        """


@runtime_checkable
class ReaderInPieces(Protocol):
    """A reader that can give hosts in pieces."""

    def read_in_pieces(
        self, path: Path, options: ReadOptions, kept: Kept, rows: int
    ) -> Scene | str:
        """Return the scene without its halos, or why they can only be read as a whole."""


class HostsInPieces:
    """The checks of hosts without satellites; see `mockgal.readers.checks.values.halo_catalog`.

    Parameters
    ----------
    snapshot : Snapshot
        Box, cosmology and particle mass that positions and masses must fit.
    options : ReadOptions
    kept : Kept
        Receives the checked pieces.
    stored : dtype
        Type of the positions in the file.
    """

    def __init__(
        self, snapshot: Snapshot, options: ReadOptions, kept: Kept, stored: np.dtype[Any]
    ) -> None:
        self._snapshot, self._options, self._kept, self._stored = snapshot, options, kept, stored
        self._places: list[Where] = []
        self._names: tuple[str, ...] = ()
        self._counts: dict[str, Any] = dict.fromkeys(COUNTED, 0)
        self._masses, self._rare = units.Masses(snapshot), plausible.Rare(snapshot)
        self._cells = np.zeros(regions.SIDE**3, dtype=np.int64)
        self._rows, self._without_mass, self._some_mass = 0, 0, False

    def add(self, columns: Columns, where: Where) -> None:
        """Check a piece, and keep it.

        Parameters
        ----------
        columns : dict of str to ndarray
            Canonical columns of hosts in internal units; positions not yet wrapped.
        where : callable
            ``where(column, row)`` returns where a value of the piece is.

        Raises
        ------
        MockgalError
            See `mockgal.readers.checks.values.halo_catalog`.
        """
        snapshot = self._snapshot
        position = columns["position"]
        if snapshot.frame == "box":
            position = wrap(
                position,
                snapshot.box_size,
                stored=self._stored,
                centred=self._options.centred_origin,
                where=lambda row: where("position", row),
                record=self._counts,
            )
            self._cells += regions.count_cells(position, snapshot.box_size)
        columns = {**columns, "position": position}
        for finding in plausible.impossible(columns, snapshot):
            if finding.name != "mass_all_zero":  # that is told from all pieces
                raise_cause(finding, columns, snapshot, self._options, where)
                raise plausible.refusal(finding, columns, where)
        self._rows += len(position)
        self._some_mass |= bool(columns["mass"].any())
        self._without_mass += int(np.count_nonzero(columns["host_mass"] == 0))
        self._masses.add(columns)
        self._rare.add(columns, where)
        self._places.append(where)
        self._names = self._names or tuple(columns)
        self._kept.add({**columns, PLACE: copies.row_key(position)})

    def finish(
        self, mass_definition: str, snapshot: Snapshot, record: dict[str, Any]
    ) -> HaloCatalog:
        """Check all pieces together, and return their catalogue without its rows.

        Parameters
        ----------
        mass_definition : str
        snapshot : Snapshot
            With all that is recorded of the reading.
        record : dict
            The reader's counts.

        Raises
        ------
        MockgalError
            See `add`.
        """
        where = self._where
        if self._rows and not self._some_mass:
            raise BadValueError(
                where("mass"),
                f"{self._rows} bound masses of 0",
                "some masses above 0",
                "correct the unit or the column, or fetch the file again",
            )
        self._check_unique()
        self._check_copies()
        measured = units.check(self._masses, lambda name, _: where(name))
        record = {**self._counts, **record}
        if snapshot.frame == "box" and MISSING_CHUNKS not in snapshot.record:
            found = regions.empty_region_of(self._cells, self._at_one_place_once, snapshot.box_size)
            check_regions_of(found, self._options, where("position"), record)
        record.update(
            subhalos=self._rows,
            centrals=self._rows,
            satellites=0,
            centrals_with_zero_host_mass=self._without_mass,
        )
        record.update(measured)
        self._rare.tell(record)
        none = {
            name: np.empty((0, *HALO_COLUMNS[name].shape), HALO_COLUMNS[name].dtype)
            for name in self._names or REQUIRED_HALO_COLUMNS
        }
        return HaloCatalog(settle(none), mass_definition, record)

    def _where(self, name: str) -> str:
        return self._places[0](name, 0).split(", row")[0] if self._places else name

    def _classes(self, name: str) -> Iterator[Array]:
        """Yield the values of a column in classes, so that equal values are in one class."""
        classes = max(1, -(-self._rows // _MOST_KEYS))
        for k in range(classes):
            chosen = []
            for piece in self._kept.again([name]):
                values = piece[name]
                if classes > 1:
                    spread = (values.view(np.uint64) * _SPREAD) >> _SHIFT
                    values = values[spread % np.uint64(classes) == k]
                chosen.append(values)
            yield np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def _repeated(self, name: str) -> Array:
        """Return the values of a column that more than one row has, each once for each more."""
        found = [np.empty(0, np.int64)]
        for values in self._classes(name):
            values.sort()
            found.append(values[1:][values[1:] == values[:-1]])
        return np.concatenate(found[1:]) if len(found) > 1 else found[0]

    def _check_unique(self) -> None:
        repeated = self._repeated("halo_id")
        if not repeated.size:
            return
        first, seen = repeated.min(), list[str]()
        for piece, where in zip(self._kept.again(["halo_id", ROW]), self._places, strict=True):
            rows = np.sort(piece[ROW][piece["halo_id"] == first])
            seen += [where("halo_id", int(row)) for row in rows[:2]]
        raise BadValueError(
            seen[1],
            f"{repeated.size} repeated ids, the first {first}",
            "unique ids",
            "look for a file or chunk that was read twice",
        )

    def _check_copies(self) -> None:
        """Raise if halos are repeated under other ids; see `copies.find_copies`."""
        if self._rows < copies.FEWEST:
            return
        shared = np.unique(self._repeated(PLACE))
        if not shared.size:
            return
        names = ["halo_id", "position", "mass", "velocity", PLACE, ROW]
        some: dict[str, list[Array]] = {name: [] for name in (*names, "piece")}
        for number, piece in enumerate(self._kept.again(names)):
            beside = np.isin(piece[PLACE], shared) & (piece["mass"] > 0)
            order = np.flatnonzero(beside)
            order = order[np.argsort(piece[ROW][order])]
            for name in names:
                some[name].append(piece[name][order])
            some["piece"].append(np.full(len(order), number))
        rows = {name: np.concatenate(values) for name, values in some.items()}
        found = copies.judge(
            rows[PLACE], rows["mass"], rows["velocity"], self._pairs_of_all, self._rows
        )
        if found is None:
            return
        again, first, common = found
        order = np.argsort(again)

        def where(row: int) -> str:
            return self._places[int(rows["piece"][row])]("position", int(rows[ROW][row]))

        same = copies.Copies(again[order], first[order], common)
        few = "; if they are single rows, --drop-bad leaves them out"
        few *= 2 * len(again) < self._rows
        raise copies.refusal(same, rows["halo_id"], "halos", where, few)

    def _pairs_of_all(self, name: str) -> int:
        """Return the pairs of all rows that agree in mass, or in mass and velocity."""
        classes, pairs = max(1, -(-self._rows // _MOST_KEYS)), 0
        for k in range(classes):
            keys = []
            for piece in self._kept.again(["mass", "velocity"]):
                key = copies.property_key(name, piece["mass"], piece["velocity"])
                keys.append(key[key % np.uint64(classes) == k])
            pairs += copies.pairs_of(np.concatenate(keys))
        return pairs

    def _at_one_place_once(self) -> Array:
        """Return the halos in each cell, of those at one place only one."""
        classes, cells = max(1, -(-self._rows // _MOST_KEYS)), np.zeros_like(self._cells)
        for k in range(classes):
            keys, places = [], []
            for piece in self._kept.again(["position"]):
                key = copies.row_key(piece["position"], np.float64)
                chosen = key % np.uint64(classes) == k
                keys.append(key[chosen])
                places.append(piece["position"][chosen])
            once = np.unique(np.concatenate(keys), return_index=True)[1]
            cells += regions.count_cells(np.concatenate(places)[once], self._snapshot.box_size)
        return cells


def in_batches(
    columns: dict[str, Iterator[Array]], rows: int, *, total: int
) -> Iterator[tuple[int, Columns]]:
    """Yield columns that come in pieces of any sizes together, by so many rows.

    Parameters
    ----------
    columns : dict of str to iterator of ndarray
    rows : int
    total : int
        Rows of each column.

    Yields
    ------
    start : int
    dict of str to ndarray
    """
    held: dict[str, Array] = {}
    for start in range(0, total, rows):
        wanted, batch = min(rows, total - start), Columns()
        for name, pieces in columns.items():
            parts = [held.pop(name)] if name in held else []
            there = sum(map(len, parts))
            while there < wanted:
                parts.append(next(pieces))
                there += len(parts[-1])
            values = np.concatenate(parts) if len(parts) > 1 else parts[0]
            batch[name], held[name] = values[:wanted], values[wanted:]
        yield start, batch
    for pieces in columns.values():
        for _ in pieces:  # to its end, where digests are compared
            pass

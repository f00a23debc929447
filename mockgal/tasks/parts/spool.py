"""Halos that were read in pieces, on disk, and gathered again by ranges of ids.

Each piece is sorted by id and written column after column, so that the rows of a range lie together
in it. The files are those of one run: another one begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...columns import HALO_COLUMNS
from ...readers.checks.in_pieces import PLACE, ROW
from ...satellites.ids import SATELLITE_BIT, Runs
from ...system.files.lock import output_error
from ...types import Array

_SAMPLED = 1 << 15  # ids of a piece from which ranges are found
_KINDS: dict[str, np.dtype[Any]] = {PLACE: np.dtype("<u8"), ROW: np.dtype("<i4")}
_RUNS = 1 << 21  # runs of ids that are compared at a time


class _Column(NamedTuple):
    """A column in the file of a piece: its place [bytes], type and shape of a row."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class _Piece(NamedTuple):
    path: Path
    rows: int
    columns: dict[str, _Column]


class Spool:
    """The pieces of a catalogue of hosts; see `mockgal.readers.checks.in_pieces.Kept`.

    Parameters
    ----------
    folder : Path
        Is made anew; removed when the block ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self.names: list[str] = []  # of columns of halos
        self.same: dict[str, str] = {}  # columns that are those of another name
        self._pieces: list[_Piece] = []
        self._sampled: list[Array] = []
        self._weights: list[Array] = []
        self._bounds: list[Array] = []

    def __enter__(self) -> Spool:
        try:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder)
            self.folder.mkdir()
        except OSError as error:
            raise output_error(self.folder, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            shutil.rmtree(self.folder)

    def add(self, columns: Mapping[str, Array]) -> None:
        """Keep a piece, whose rows are hosts."""
        ids = columns["halo_id"]
        order = np.argsort(ids, kind="stable")
        if not self._pieces:
            self._settle_names(columns)
        path = self.folder / f"piece-{len(self._pieces)}"
        held, offset = dict[str, _Column](), 0
        try:
            with open(path, "xb") as file:
                for name in (*self.names, PLACE, ROW):
                    if name in self.same:
                        continue
                    values: Array = order if name == ROW else columns[name][order]
                    dtype = _KINDS.get(name) or np.dtype(HALO_COLUMNS[name].dtype)
                    values = np.ascontiguousarray(values, dtype=dtype)
                    file.write(values.data)
                    held[name] = _Column(offset, dtype, values.shape[1:])
                    offset += values.nbytes
        except OSError as error:
            raise output_error(path, error) from error
        step = max(1, len(ids) // _SAMPLED)
        sampled = ids[order[::step]]
        weights = np.full(len(sampled), step, dtype=np.int64)
        weights[-1] = len(ids) - step * (len(sampled) - 1)
        self._sampled.append(sampled)
        self._weights.append(weights)
        self._pieces.append(_Piece(path, len(ids), held))
        self.rows += len(ids)

    def _settle_names(self, columns: Mapping[str, Array]) -> None:
        self.names = [name for name in columns if name in HALO_COLUMNS]
        for name, of in (("host_id", "halo_id"), ("host_mass", "mass")):
            if columns[name] is columns[of]:
                self.same[name] = of
        self.same["is_central"] = ""

    def again(self, names: Sequence[str]) -> Iterator[dict[str, Array]]:
        """Yield some columns of each piece, sorted by id."""
        for piece in self._pieces:
            yield self._read(piece, names, 0, piece.rows)

    def _read(self, piece: _Piece, names: Iterable[str], start: int, stop: int) -> dict[str, Array]:
        """Return rows of a piece."""
        found: dict[str, Array] = {}
        try:
            with open(piece.path, "rb") as file:
                for name in names:
                    offset, dtype, shape = piece.columns[name]
                    width = prod(shape)
                    file.seek(offset + start * width * dtype.itemsize)
                    values = np.fromfile(file, dtype, (stop - start) * width)
                    found[name] = values.reshape(stop - start, *shape)
        except (OSError, ValueError) as error:
            error = error if isinstance(error, OSError) else OSError(str(error))
            raise output_error(piece.path, error, "what was just written") from error
        return found

    def divide(self, parts: int) -> None:
        """Find ranges of ids for so many parts, which have about as many hosts each."""
        ids = np.concatenate([np.empty(0, np.int64), *self._sampled])
        weights = np.concatenate([np.empty(0, np.int64), *self._weights])
        order = np.argsort(ids, kind="stable")
        before = np.cumsum(weights[order]) - weights[order]
        first = -(-np.arange(1, parts) * self.rows // parts)  # rank of the first host of each part
        place = np.searchsorted(before, first)
        edges = np.append(ids[order], np.iinfo(np.int64).max)[np.minimum(place, len(ids))]
        self._bounds = []
        for piece in self.again(["halo_id"]):
            inside = np.searchsorted(piece["halo_id"], edges)
            self._bounds.append(np.concatenate([[0], inside, [len(piece["halo_id"])]]))

    def part(self, number: int) -> dict[str, Array]:
        """Return the columns of a part (from 1) that are no other's, sorted by id."""
        names = [name for name in self.names if name not in self.same]
        pieces = [
            self._read(piece, names, int(bounds[number - 1]), int(bounds[number]))
            for piece, bounds in zip(self._pieces, self._bounds, strict=True)
        ]
        ids = np.concatenate([np.empty(0, np.int64), *(one["halo_id"] for one in pieces)])
        order = np.argsort(ids, kind="stable")
        gathered = {"halo_id": ids[order]}
        for name in names:
            if name != "halo_id":
                gathered[name] = np.concatenate([one.pop(name) for one in pieces])[order]
        return gathered


class Buckets:
    """Runs of ids on disk, in classes that increase with the first id.

    Parameters
    ----------
    folder : Path
        Exists.
    hosts : int
        Runs at most.
    """

    def __init__(self, folder: Path, hosts: int) -> None:
        self._folder = folder
        self.number = max(1, -(-hosts // _RUNS))
        least = 1 << SATELLITE_BIT
        self.edges = np.array(
            [least + least * k // self.number for k in range(self.number)], dtype=np.int64
        )

    def add(self, runs: Runs) -> None:
        """Keep some runs."""
        of = np.searchsorted(self.edges, runs.first, side="right") - 1
        for k in np.unique(of):
            path, rows = self._folder / f"runs-{k}", np.column_stack([x[of == k] for x in runs])
            try:
                with open(path, "ab") as file:
                    file.write(np.ascontiguousarray(rows, dtype="<i8").data)
            except OSError as error:
                raise output_error(path, error) from error

    def __call__(self) -> Iterator[Runs]:
        """Yield the runs of each class."""
        for k in range(self.number):
            path = self._folder / f"runs-{k}"
            rows = np.empty((0, 3), np.int64)
            if path.exists():
                rows = np.fromfile(path, "<i8").reshape(-1, 3)
            yield Runs(*rows.T)

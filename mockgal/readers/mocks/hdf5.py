"""Catalogues of mockgal in HDF5: the group, attributes and datasets that the writer makes.

The checksums of HDF5 cover the rows, but not the index of their places, which is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np

from ...columns import Column
from ...errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    HeaderError,
    InputError,
    MissingDatasetError,
    MockgalError,
    listed,
)
from ...layout import (
    BUNDLE_ATTRIBUTE,
    COMPLETE,
    GALAXIES,
    MODEL_TABLES,
    PROVENANCE,
    PROVENANCE_DIGEST,
)
from ...types import Array
from ..hdf5 import guard, headers, heaps, safe, stored
from . import facts as galaxies_facts
from .facts import Facts
from .ours import Examined, Ours

_AGAIN = "copy the file again, or make it again"


@dataclass(frozen=True)
class HDF5Catalogue:
    """An open file: its description of its rows, and the rows."""

    facts: Facts
    file: h5py.File
    datasets: dict[str, h5py.Dataset]

    def where(self, column: str) -> str:
        """Return the place ``FILE:/galaxies/COLUMN``, for messages."""
        return safe.where_of(self.file, f"{_group(self.file)}/{column}")

    def chunks(
        self, names: tuple[str, ...], chunk_rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield rows of the columns ``names`` as stored in the file, in native byte order.

        Yields
        ------
        start : int
            Index of the first row.
        columns : dict of str to ndarray, shape (rows in the chunk,)
        """
        for start in range(0, self.facts.rows, chunk_rows):
            stop = min(start + chunk_rows, self.facts.rows)
            yield start, {name: self._rows(name, start, stop) for name in names}

    def _rows(self, name: str, start: int, stop: int) -> Array:
        values = safe.read_rows(self.datasets[name], start, stop)
        if values.dtype == bool:
            bad = np.flatnonzero(values.view(np.uint8) > 1)
            if bad.size:
                raise BadValueError(
                    f"{self.where(name)}, row {start + int(bad[0])}",
                    f"the byte {int(values.view(np.uint8)[bad[0]])}",
                    "0 or 1",
                    _AGAIN,
                )
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def detect(path: Path) -> bool:
    """Return whether ``path`` has the group and attributes of a mockgal catalogue; never raise."""
    try:
        with safe.open_hdf5(path) as file:
            return _is_ours(file)
    except MockgalError:
        return False


class HDF5Mocks(Ours):
    """Reader of catalogues that mockgal wrote in HDF5."""

    name: ClassVar[str] = "hdf5"

    def detect(self, path: Path) -> bool:
        """Return whether the file has what only mockgal catalogues have; never raise."""
        return detect(path)

    def _open(self, path: Path) -> AbstractContextManager[HDF5Catalogue]:
        return open_catalogue(path)

    def examine(self, path: Path) -> Examined:
        """Read all rows: see `Ours.examine`. HDF5 itself reads no bytes after the file's end."""
        found, more = super().examine(path), path.stat().st_size - heaps.end_of(path)
        if more > 0 and not found.damage:
            return found._replace(damage=f"{path}: found {more:,} bytes after its end")
        return found


def _group(file: h5py.File) -> str:
    """Return the name of the group of the galaxies."""
    return next((name for name in MODEL_TABLES if safe.exists(file, name)), GALAXIES)


def _is_ours(file: h5py.File) -> bool:
    return safe.exists(file, _group(file)) and any(
        headers.has(file, "/", name) for name in (PROVENANCE, "content_digest", "units")
    )


@contextmanager
def open_catalogue(path: Path) -> Iterator[HDF5Catalogue]:
    """Open the catalogue in the HDF5 file ``path``; check attributes and layout, not the rows.

    Raises
    ------
    CorruptFileError
        The file is cut off, damaged, or was not completely written.
    FormatError
        The file is no catalogue of mockgal; the message names what it lacks.
    MockgalError
        Other statements contradict each other, or the file is unsafe.
    """
    with safe.open_hdf5(path) as file:
        if not _is_ours(file):
            raise _foreign(path, file)
        if headers.count(file, "/", COMPLETE, 0) != 1:
            raise CorruptFileError(
                f"{path}@{COMPLETE}",
                "a catalogue that was not completely written",
                f"{COMPLETE} = 1",
                "make it again",
            )
        facts = _facts(path, file)
        yield HDF5Catalogue(facts, file, _datasets(file, facts))


def _foreign(path: Path, file: h5py.File) -> FormatError:
    if headers.has(file, "/", BUNDLE_ATTRIBUTE):
        return FormatError(
            path, "a bundle: a simulation", "a catalogue of galaxies", "read it with mockgal.read"
        )
    lacks = f"no group {GALAXIES}"
    if safe.exists(file, GALAXIES):
        lacks = f"a group {GALAXIES} but not the attribute {PROVENANCE}"
    present = listed(safe.members(file, "/"), none="nothing")
    return FormatError(
        path,
        f"an HDF5 file with {lacks}; it holds {present}",
        "a catalogue of galaxies that mockgal wrote",
        "this reads only what mockgal wrote; read a simulation with mockgal.read",
    )


def _facts(path: Path, file: h5py.File) -> Facts:
    where = f"{path}:/@{PROVENANCE}"
    text = _provenance(file, where)
    digest = headers.text(file, "/", PROVENANCE_DIGEST, None)
    if digest is not None:
        galaxies_facts.check_digest(text, digest, where)
    facts = galaxies_facts.parse(text, where, path, path.stat().st_size)
    with safe.translated(safe.where_of(file, "/")):
        safe.check_number_of_names(f"{path}:/", h5py.h5a.get_num_attrs(file.id))
        names = [name for name in file.attrs if isinstance(name, str)]
    stated = {
        name: headers.attribute(file, "/", name)
        for name in names
        if galaxies_facts.is_essential(name)
    }
    galaxies_facts.check_essentials(facts, stated, f"{path}:/", tolerance=0.0)
    return facts


def _provenance(file: h5py.File, where: str) -> str:
    """Return the JSON, which is too long for `headers.attribute`."""
    with safe.translated(where):
        if not h5py.h5a.exists(file.id, PROVENANCE.encode()):
            raise MissingDatasetError(where, "no such attribute", "the provenance", _AGAIN)
        declared = h5py.h5a.open(file.id, PROVENANCE.encode())
        one = declared.shape == () and stored.variable_text(declared.get_type())
    if not one:
        raise HeaderError(where, "no text, or several", "a text of JSON", _AGAIN)
    return str(guard.text(where, file.filename, "/", PROVENANCE, galaxies_facts.MAX_JSON))


def _datasets(file: h5py.File, facts: Facts) -> dict[str, h5py.Dataset]:
    group = _group(file)
    present = safe.members(file, group)
    if sorted(present) != sorted(facts.columns):
        raise MissingDatasetError(
            safe.where_of(file, group),
            f"the columns {listed(sorted(present))}",
            f"{', '.join(sorted(facts.columns))}, as in the provenance",
            _AGAIN,
        )
    datasets = {name: _dataset(file, column, facts) for name, column in facts.declared.items()}
    _check_places(file, datasets)
    return datasets


def _dataset(file: h5py.File, column: Column, facts: Facts) -> h5py.Dataset:
    path = f"{_group(file)}/{column.name}"
    where = safe.where_of(file, path)
    data = safe.dataset(file, path)
    kind = np.dtype(column.dtype)
    with safe.translated(where):
        shape, summed = data.shape, data.chunks is not None and bool(data.fletcher32)
    if data.dtype != kind:
        raise HeaderError(where, f"numbers of type {data.dtype.str}", f"{kind.str}", _AGAIN)
    if shape != (facts.rows,):
        raise HeaderError(where, f"shape {shape}", f"{(facts.rows,)}, as in the provenance", _AGAIN)
    if not summed:
        raise InputError(
            where,
            "rows without checksums",
            "Fletcher-32 checksums, as mockgal writes them",
            "make the file again; to repack it, keep the checksums: h5repack -f FLET OLD NEW",
        )
    stated = (
        headers.attribute(file, path, "unit", None),
        headers.attribute(file, path, "h_power", None),
    )
    galaxies_facts.check_unit(where, column, facts.units, stated)
    return data


def _check_places(file: h5py.File, datasets: dict[str, h5py.Dataset]) -> None:
    """Raise if a chunk is missing or lacks its checksum, or if two chunks overlap.

    A chunk carries its own checksum: if the index pointed at another chunk, the checksum would be
    right. For a chunk that is missing in the index, HDF5 returns zeros.
    """
    places: list[tuple[int, int, str]] = []
    for name, data in datasets.items():
        where = safe.where_of(file, f"{_group(file)}/{name}")
        for start in range(0, data.shape[0], data.chunks[0]):
            with safe.translated(where):
                chunk = data.id.get_chunk_info_by_coord((start,))
            if chunk.byte_offset is None or chunk.filter_mask or chunk.chunk_offset != (start,):
                raise CorruptFileError(
                    where, f"no chunk with a checksum at row {start}", "one", _AGAIN
                )
            places.append((int(chunk.byte_offset), int(chunk.size), where))
    places.sort()
    for (start, size, where), (following, _, other) in pairwise(places):
        if start + size > following:
            raise CorruptFileError(
                where,
                f"a chunk that overlaps one of {other} at byte {following}",
                "chunks that do not overlap",
                _AGAIN,
            )

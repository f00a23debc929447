"""HDF5 output: the group ``galaxies`` with one dataset per column, and facts as root attributes.

Each dataset has the attributes ``unit`` ("" if the unit has a power of h), ``h_power``,
``a_power`` and ``description``. The root has the facts of the table in `mockgal.writers.fits`,
under their long names (``simulation``, ``box_size``, ...), ``provenance`` (the full JSON),
``provenance_digest`` (BLAKE2b of that text) and, written last, ``complete``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..digests import StoredDigests
from ..errors import CorruptFileError
from ..layout import COMPLETE, GALAXIES
from ..system.files.atomic import atomic_output
from ..system.files.disk import Check
from ..types import GalaxyCatalog
from .hdf5_file import new_hdf5, read_through
from .provenance import (
    NO_DIGEST,
    FileColumn,
    FileContent,
    FileTable,
    begin_digest,
    plain_table,
)

# Rows in a chunk of a dataset. Whole chunks are written, so that the layout of the file, and hence
# every byte, does not depend on the rows written at a time.
_CHUNK = 16384
_COMPRESSED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_OVERHEAD = 1 << 18  # bytes that HDF5 itself adds to such a file, beyond 1% of the data


class HDF5Writer:
    """Writer of HDF5 files."""

    name = "hdf5"
    extensions = (".hdf5", ".h5")
    single_precision = True
    compression = "optional"

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
        compress: bool = False,
        single: Mapping[str, Any] | None = None,
    ) -> None:
        """Write ``galaxies`` to ``path``: see `mockgal.protocols.Writer.write`."""
        self.write_table(
            plain_table(galaxies, units, single),
            path,
            overwrite=overwrite,
            chunk_rows=chunk_rows,
            inputs=inputs,
            compress=compress,
        )

    def write_table(
        self,
        table: FileTable,
        path: Path,
        *,
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
        compress: bool = False,
    ) -> None:
        """Write a catalogue arranged as ``table`` to ``path``."""
        stored = table.stored_digests()
        content = table.describe(NO_DIGEST, stored)
        data = sum(column.nbytes for column in content.columns)
        with (
            atomic_output(
                path,
                overwrite=overwrite,
                inputs=inputs,
                expected_bytes=data + data // 100 + len(content.provenance) + _OVERHEAD,
                verify=lambda written: _verify_content(written, content),
            ) as temporary,
            new_hdf5(temporary) as (file, check),
        ):
            digest = begin_digest(table.galaxies)
            step = max(1, chunk_rows // _CHUNK) * _CHUNK
            filters = _COMPRESSED if compress else {}
            datasets = _new_datasets(file, content, filters)
            _write_rows(datasets, check, content, step, stored)
            _write_facts(file, table.describe(digest(), stored))


def _write_rows(
    datasets: Iterator[Any], check: Check, content: FileContent, step: int, stored: StoredDigests
) -> None:
    for column, dataset in zip(content.columns, datasets, strict=True):
        for start in range(0, content.rows, step):
            stop = min(start + step, content.rows)
            values = column.rows(start, stop)
            stored.add(column.name, values)
            dataset[start:stop] = values
            check()


def _write_facts(file: Any, content: FileContent) -> None:
    for name, value in content.facts().items():
        file.attrs[name] = value
    file.flush()
    file.attrs[COMPLETE] = 1


def _new_datasets(file: Any, content: FileContent, filters: dict[str, Any]) -> Iterator[Any]:
    group = file.create_group(content.table)
    for column in content.columns:
        yield _new_dataset(group, column, content.rows, filters)


def _new_dataset(group: Any, column: FileColumn, rows: int, filters: dict[str, Any]) -> Any:
    dataset = group.create_dataset(
        column.name,
        shape=(rows, *column.shape),
        dtype=column.dtype.newbyteorder("<"),
        chunks=(min(_CHUNK, max(1, rows)), *column.shape),
        maxshape=(None, *column.shape),
        fletcher32=True,
        track_times=False,
        **filters,
    )
    for name, value in column.attributes().items():
        dataset.attrs[name] = value
    return dataset


def verify_hdf5(path: Path, table: str = GALAXIES) -> dict[str, int]:
    """Check that ``path`` is a complete and undamaged catalogue of ours, reading it in pieces.

    Parameters
    ----------
    path : Path
    table : str
        Name of the group of the galaxies.

    Returns
    -------
    dict of str to int
        Number of rows of each column.

    Raises
    ------
    CorruptFileError
        The file cannot be opened, was not completed, or a chunk fails its checksum; the message
        names the dataset.
    """
    shapes, start = read_through(path), f"{table}/"
    rows = {name[len(start) :]: s[0] for name, s in shapes.items() if name.startswith(start)}
    if not rows:
        raise CorruptFileError(
            path, f"no group {table}", "a catalogue of galaxies", "make the file again"
        )
    return rows


def _verify_content(path: Path, content: FileContent) -> None:
    rows = verify_hdf5(path, content.table)
    expected = {column.name: content.rows for column in content.columns}
    if rows != expected:
        raise CorruptFileError(path, f"the rows {rows}", f"{expected}")

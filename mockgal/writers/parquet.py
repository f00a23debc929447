"""Parquet output: the rows in groups, one after another, and the facts in the footer.

Each field has the metadata ``unit`` ("" if the unit has a power of h), ``h_power``, ``a_power`` and
``description``. The file's metadata are the attributes that HDF5 files have
(`mockgal.writers.hdf5`): texts as they are, numbers as JSON. ``table_meta_yaml`` repeats units and
descriptions as `astropy.table` looks for them.

Pages have checksums (CRC-32), and no column has missing values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..digests import StoredDigests
from ..errors import CorruptFileError
from ..system.arrow import from_arrow, parquet_module, parquet_reader, to_arrow
from ..system.files.atomic import atomic_output
from ..system.files.disk import new_file
from ..types import GalaxyCatalog
from .provenance import (
    NO_DIGEST,
    FileColumn,
    FileContent,
    FileTable,
    begin_digest,
    plain_table,
)

# Rows of a group, which are held at a time. The file, to the byte, does not depend on the rows
# that a caller asks for.
_GROUP = 1 << 18
_BATCH = 1 << 16  # rows verified at a time
_OVERHEAD = 1 << 18  # bytes that Parquet itself adds to such a file, beyond 1% of the data
_ASTROPY = "table_meta_yaml"


class ParquetWriter:
    """Writer of Parquet files."""

    name = "parquet"
    extensions = (".parquet",)
    single_precision = True
    compression = "always"

    def check(self) -> None:
        """Raise if pyarrow is not installed.

        Raises
        ------
        UsageError
        """
        parquet_module(f"format {self.name}")

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
        single: Mapping[str, Any] | None = None,
    ) -> None:
        """Write ``galaxies`` to ``path``: see `mockgal.protocols.Writer.write`."""
        self.write_table(
            plain_table(galaxies, units, single),
            path,
            overwrite=overwrite,
            chunk_rows=chunk_rows,
            inputs=inputs,
        )

    def write_table(
        self,
        table: FileTable,
        path: Path,
        *,
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
    ) -> None:
        """Write a catalogue arranged as ``table`` to ``path``.

        Rows are read twice: pyarrow gives other programs only those metadata that are known when it
        opens the file, and so the digests come first.
        """
        parquet = parquet_module(path)
        stored = table.stored_digests()
        blank = table.describe(NO_DIGEST, stored)
        data = sum(column.nbytes for column in blank.columns)
        schema: Any = None
        with atomic_output(
            path,
            overwrite=overwrite,
            inputs=inputs,
            expected_bytes=data + data // 100 + 3 * len(blank.provenance) + _OVERHEAD,
            verify=lambda written: _verify(written, schema, blank, stored),
        ) as temporary:
            digest = begin_digest(table.galaxies)
            _digest_rows(blank, max(1, chunk_rows), stored)
            content = table.describe(digest(), stored)
            schema, options = _schema(content), _options(content.columns)
            with new_file(
                temporary, lambda disk: parquet.ParquetWriter(disk, schema, **options)
            ) as (file, check):
                for start in range(0, content.rows, _GROUP):
                    stop = min(start + _GROUP, content.rows)
                    file.write_table(_group(schema, content.columns, start, stop), _GROUP)
                    check()


def _digest_rows(content: FileContent, step: int, stored: StoredDigests) -> None:
    for column in content.columns:
        for start in range(0, content.rows, step):
            stored.add(column.name, column.rows(start, min(start + step, content.rows)))


def _schema(content: FileContent) -> Any:
    import pyarrow as pa

    fields = [
        pa.field(
            column.name,
            pa.from_numpy_dtype(column.dtype),
            nullable=False,
            metadata={name: str(value) for name, value in column.attributes().items()},
        )
        for column in content.columns
    ]
    return pa.schema(fields, metadata=_metadata(content))


def _options(columns: tuple[FileColumn, ...]) -> dict[str, Any]:
    """Return what `pyarrow.parquet.ParquetWriter` shall do, with no default that may change."""
    # The bytes of floats, all first ones and so on, compress better than whole floats.
    encodings = {"f": "BYTE_STREAM_SPLIT"}
    return {
        "version": "2.6",
        "data_page_version": "1.0",
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": False,
        "column_encoding": {c.name: encodings.get(c.dtype.kind, "PLAIN") for c in columns},
        "write_page_checksum": True,
        "store_schema": True,
    }


def _group(schema: Any, columns: tuple[FileColumn, ...], start: int, stop: int) -> Any:
    """Return rows as a `pyarrow.Table`."""
    import pyarrow as pa

    return pa.table([to_arrow(column.rows(start, stop)) for column in columns], schema=schema)


def _metadata(content: FileContent) -> dict[str, str]:
    """Return the metadata of the file."""
    facts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in content.facts().items()
    }
    columns = [
        {"name": column.name, "datatype": column.dtype.name, "description": column.description}
        | ({"unit": column.unit} if column.unit else {})
        for column in content.columns
    ]
    return {**facts, _ASTROPY: json.dumps({"datatype": columns})}  # JSON is YAML


def _verify(path: Path, schema: Any, content: FileContent, stored: StoredDigests) -> None:
    """Raise unless the file holds the columns, metadata and rows that were written.

    Raises
    ------
    CorruptFileError
    """
    read = StoredDigests(column.as_stored for column in content.columns)
    try:
        with open(path, "rb") as source, parquet_reader(source, path) as file:
            found, rows = file.schema_arrow, file.metadata.num_rows
            for batch in file.iter_batches(_BATCH, use_threads=False):
                for name in batch.schema.names:
                    read.add(name, from_arrow(batch.column(name)))
    except (OSError, ValueError, LookupError) as error:  # pyarrow's errors are of these
        raise CorruptFileError(path, str(error), "a complete file") from error
    if rows != content.rows or not found.equals(schema, check_metadata=True):
        raise CorruptFileError(
            path, f"{rows} rows of {found.names}", f"{content.rows} rows of {schema.names}"
        )
    if read.hexadecimal() != stored.hexadecimal():
        raise CorruptFileError(path, "other rows", "the rows that were written")

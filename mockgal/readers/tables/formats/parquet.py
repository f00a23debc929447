"""Tables in Parquet, read with pyarrow; units are in the metadata of the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import CorruptFileError, MockgalError
from ....system.arrow import parquet_reader
from ....types import Array
from ..table import FLOAT, MOST_COLUMNS, Field, Pieces, Table, check_size

MAGIC = b"PAR1"

_UNITS = (b"unit", b"units", b"Unit", b"Units")
_AGAIN = "copy the file again and compare its checksum with the source's, or write it again"


def _open(path: Path) -> Any:
    try:
        return parquet_reader(path, path)
    except MockgalError:
        raise
    except Exception as error:  # pyarrow's own, OSError, or what thrift raises
        raise _damaged(path, error) from error


def _damaged(where: object, error: Exception) -> MockgalError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return CorruptFileError(where, f"a damaged Parquet file ({text})", "a whole one", _AGAIN)


def tables(path: Path) -> list[Table]:
    """Return the table of a file.

    Raises
    ------
    UsageError
        pyarrow is not installed.
    CorruptFileError
        The file is cut off or damaged.
    """
    with _open(path) as file:
        try:
            schema, rows = file.schema_arrow, int(file.metadata.num_rows)
            texts = {
                key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                for key, value in (schema.metadata or {}).items()
            }
            fields = {field.name: _field(field) for field in list(schema)[:MOST_COLUMNS]}
        except Exception as error:
            raise _damaged(path, error) from error
    if rows < 0:
        raise CorruptFileError(path, f"{rows} rows", "0 or more", _AGAIN)

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        each = sum(8 * fields[name].width for name in wanted)
        check_size(str(path), rows * each, path.stat().st_size)
        yield from _pieces(path, wanted, chunk_rows)

    return [Table(str(path), fields, rows, read, "", texts.get, files=(path,))]


def _field(field: Any) -> Field:
    from pyarrow import types

    kind, width = field.type, 1
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_fixed_size_list(kind):
        kind, width = kind.value_type, int(kind.list_size)
    letter = "O"
    if types.is_boolean(kind):
        letter = "b"
    elif types.is_floating(kind):
        letter = "f"
    elif types.is_integer(kind):
        letter = "i" if types.is_signed_integer(kind) else "u"
    unit = next((field.metadata[key] for key in _UNITS if key in (field.metadata or {})), b"")
    size = max(1, kind.bit_width // 8) if letter != "O" else 8
    return Field(letter, width, unit.decode("utf-8", "replace").strip(), "its metadata", size)


def _pieces(path: Path, wanted: Mapping[str, str], chunk_rows: int) -> Iterator[dict[str, Array]]:
    with _open(path) as file:
        try:
            for batch in file.iter_batches(chunk_rows, columns=list(wanted)):
                yield {name: values_of(batch.column(name), wanted[name]) for name in wanted}
        except MockgalError:
            raise
        except Exception as error:
            raise _damaged(path, error) from error


def values_of(column: Any, need: str) -> Array:
    """Return the values of an Arrow array; missing ones are NaN, also among integers."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    width = 0
    if types.is_fixed_size_list(column.type):
        width = column.type.list_size
        column = column.flatten()
    if types.is_boolean(column.type) and column.null_count == 0:
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=bool)
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype.kind == "O" or (need == FLOAT and values.dtype.kind not in "iufb"):
        values = values.astype(np.float64)
    return values.reshape(-1, width) if width else values

"""Columns of numbers to and from pyarrow, which may not be installed.

pyarrow's own conversions import pandas, if that is installed, which takes longer than a mock does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

_BUFFER = 1 << 18  # bytes of a column read at a time
_MOST_STRING = 100 << 20  # bytes of a text in the footer


def parquet_module(where: object) -> Any:
    """Return `pyarrow.parquet`.

    Parameters
    ----------
    where : object
        What needs it, for the message: a path or a format.

    Raises
    ------
    UsageError
        pyarrow is not installed; the message says how to install it.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            where,
            f"Parquet, and no pyarrow ({error})",
            "pyarrow",
            "pip install 'mockgal[formats]', or pip install pyarrow",
        ) from error
    return pyarrow.parquet


def parquet_reader(file: BinaryIO | Path, where: object) -> Any:
    """Return a `pyarrow.parquet.ParquetFile` that holds few pages and checks their sums.

    Parameters
    ----------
    file : binary file or Path
        pyarrow refuses paths that are not UTF-8.
    where : object
        See `parquet_module`.
    """
    return parquet_module(where).ParquetFile(
        file,
        page_checksum_verification=True,
        pre_buffer=False,  # else it holds the whole file
        buffer_size=_BUFFER,
        thrift_string_size_limit=_MOST_STRING,
    )


def to_arrow(values: NDArray[Any]) -> Any:
    """Return a `pyarrow.Array` of numbers or logicals, shape (n,), without copying numbers."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    values = np.ascontiguousarray(values)
    stored = np.packbits(values, bitorder="little") if values.dtype == bool else values
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(stored)])


def from_arrow(array: Any) -> NDArray[Any]:
    """Return the numbers or logicals of a `pyarrow.Array` none of whose values are missing.

    Returns
    -------
    ndarray, shape (n,)
        Read-only.
    """
    kind = np.dtype(array.type.to_pandas_dtype())
    count, offset, buffer = len(array), array.offset, array.buffers()[1]
    if not count:
        return np.empty(0, kind)
    if kind.kind == "b":
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
        return bits[offset : offset + count].astype(bool)
    return np.frombuffer(buffer, kind, count, offset * kind.itemsize)

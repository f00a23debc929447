"""Binary tables of FITS: every BINTABLE of a file is a table.

Sizes and checksums are those of `mockgal.system.files.fits_file`; only numbers of fixed length are
read (FITS standard 4.0, section 7.3). A file may be compressed with gzip; it is then decompressed
three times, never to the disk, and its expansion is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....errors import CorruptFileError, HeaderError, InputError, shown
from ....system.files.fits_file import AGAIN, HDU, read_hdu, read_rows
from ....system.files.gzipped import opened, size_of
from ....types import Array
from ..table import MOST_COLUMNS, Field, Pieces, Table, check_size

MAGIC = b"SIMPLE  ="

_MOST_HDUS = 1000
_FORM = re.compile(r"([0-9]{0,18})([LXBIJKAEDCMPQ])(.*)")
_TYPES = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_BYTES = {"X": 1, "A": 1, "C": 8, "M": 16, "P": 8, "Q": 16}
_UNSIGNED = {"B": -(2**7), "I": 2**15, "J": 2**31, "K": 2**63}  # TZERO of the other sign


class _Column(NamedTuple):
    code: str
    number: int  # from 1, as in its keywords
    scale: float
    zero: float
    null: int | None


def tables(path: Path) -> list[Table]:
    """Return the binary tables of a file.

    Raises
    ------
    CorruptFileError
        The file is cut off or damaged.
    UnsafeInputError
        It declares more than it holds.
    """
    found = []
    with opened(path) as file:
        size, at = size_of(file), 0
        for _ in range(_MOST_HDUS):
            hdu = read_hdu(file, path, at)
            if hdu.cards.get("XTENSION") == "BINTABLE":
                found.append(_table(path, hdu, size))
            at = hdu.end
            if at >= size:
                break
    return found


def _table(path: Path, hdu: HDU, size: int) -> Table:
    if hdu.cards.get("ZTABLE") is True:
        raise InputError(
            hdu.where,
            "a compressed table (ZTABLE)",
            "a plain one",
            "unpack it with funpack, and give the new file",
        )
    shape = [hdu.cards.get(key, 1) for key in ("BITPIX", "NAXIS", "GCOUNT")]
    if shape != [8, 2, 1]:
        raise HeaderError(hdu.where, f"BITPIX, NAXIS, GCOUNT {shape}", "8, 2, 1", AGAIN)
    rows, width = hdu.count("NAXIS2"), hdu.count("NAXIS1")
    fields, columns, record = _columns(hdu)
    if record.itemsize != width:
        raise HeaderError(
            f"{hdu.where}@NAXIS1", f"{width}", f"{record.itemsize}, by the columns", AGAIN
        )

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        each = sum(8 * fields[name].width for name in wanted)
        check_size(hdu.where, rows * each, size)
        yield from _pieces(path, hdu, wanted, columns, record, chunk_rows)

    name = "" if hdu.name == "without a name" else hdu.name
    return Table(hdu.where, fields, rows, read, name, hdu.cards.get, files=(path,))


def _columns(hdu: HDU) -> tuple[dict[str, Field], dict[str, _Column], np.dtype[Any]]:
    """Return the columns as a table has them and as they are stored, and the type of a row."""
    number = hdu.count("TFIELDS")
    if number > MOST_COLUMNS:
        raise HeaderError(f"{hdu.where}@TFIELDS", f"{number}", f"at most {MOST_COLUMNS}", AGAIN)
    fields: dict[str, Field] = {}
    columns: dict[str, _Column] = {}
    types: list[tuple[str, Any, tuple[int, ...]]] = []
    for n in range(1, number + 1):
        name, form = str(hdu.cards.get(f"TTYPE{n}") or f"col{n}"), hdu.text(f"TFORM{n}")
        match = _FORM.fullmatch(form.strip())
        if match is None:
            raise HeaderError(f"{hdu.where}@TFORM{n}", shown(form), "a format of a column", AGAIN)
        repeat, code = int(match[1] or 1), match[2]
        stored = f"{n}"
        plain = code in _TYPES and repeat > 0 and name not in fields
        if not plain:
            size = -(-repeat // 8) if code == "X" else repeat * _BYTES.get(code, 0)
            if code in _TYPES:
                size = repeat * np.dtype(_TYPES[code]).itemsize
            types.append((stored, f"V{size}", ()))
            fields.setdefault(name, Field("O"))
            continue
        types.append((stored, _TYPES[code], (repeat,) if repeat > 1 else ()))
        column = _scaled(hdu, n, code)
        columns[name] = column
        unit = hdu.cards.get(f"TUNIT{n}")
        fields[name] = Field(
            _kind(column),
            repeat,
            unit.strip() if isinstance(unit, str) else "",
            f"TUNIT{n}",
            np.dtype(_TYPES[code]).itemsize,
        )
    try:
        return fields, columns, np.dtype(types)
    except (ValueError, TypeError) as error:
        raise HeaderError(hdu.where, f"columns of impossible sizes ({error})", "", AGAIN) from error


def _scaled(hdu: HDU, n: int, code: str) -> _Column:
    values = [hdu.cards.get(f"TSCAL{n}", 1.0), hdu.cards.get(f"TZERO{n}", 0.0)]
    for key, value in zip(("TSCAL", "TZERO"), values, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise HeaderError(f"{hdu.where}@{key}{n}", shown(value), "a number", AGAIN)
    null = hdu.cards.get(f"TNULL{n}")
    is_whole = isinstance(null, int) and not isinstance(null, bool)
    return _Column(code, n, values[0], values[1], null if is_whole else None)  # type: ignore[arg-type]


def _kind(column: _Column) -> str:
    if column.code == "L":
        return "b"
    if column.code in "ED" or not _whole(column):
        return "f"
    return "u" if (column.zero != 0) != (column.code == "B") else "i"


def _whole(column: _Column) -> bool:
    """Return whether integers stay integers: none are scaled, but the sign may be moved."""
    return column.scale == 1 and column.zero in (0, _UNSIGNED.get(column.code))


def _pieces(
    path: Path,
    hdu: HDU,
    wanted: Mapping[str, str],
    columns: Mapping[str, _Column],
    record: np.dtype[Any],
    chunk_rows: int,
) -> Iterator[dict[str, Array]]:
    with opened(path) as file:
        for _, rows in read_rows(file, hdu, record, chunk_rows, must_have_sum=False):
            yield {
                name: _values(f"{hdu.where}/{name}", rows[f"{columns[name].number}"], columns[name])
                for name in wanted
            }


def _values(where: str, stored: Array, column: _Column) -> Array:
    """Return values of a column: native, scaled, NaN where the file says that there is none."""
    if column.code == "L":
        if not np.isin(stored, (ord("T"), ord("F"))).all():
            raise CorruptFileError(where, "bytes other than T and F", "T or F", AGAIN)
        true: Array = stored == ord("T")
        return true
    null = stored == column.null if column.null is not None and column.code not in "ED" else None
    native: Array = stored.astype(stored.dtype.newbyteorder("="))
    if column.code in "ED" or not _whole(column):
        if (column.scale, column.zero) != (1, 0):
            native = native * column.scale + column.zero
    elif column.zero:
        native = _moved(native, column.code)
    if null is not None and null.any():
        native = native.astype(np.float64)
        native[null] = np.nan
    return native


def _moved(native: Array, code: str) -> Array:
    """Return integers of the other sign, which FITS stores with an offset."""
    size = native.dtype.itemsize
    bits = native.view(f"u{size}")
    moved: Array = bits ^ bits.dtype.type(1 << (8 * size - 1))
    return moved.view(np.int8) if code == "B" else moved

"""Tables in VOTable, read with astropy, whole but for the columns that are not needed.

The file is first looked through for what must not be there: data in other places (STREAM with a
href, which astropy would fetch), and documents types.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import CorruptFileError, UnsafeInputError
from ....types import Array
from ..table import MOST_COLUMNS, Field, Pieces, Table, check_size

_XML = re.compile(rb"\s*(?:\xef\xbb\xbf)?<(?:\?xml|VOTABLE)", re.I)
_TYPES = {
    "boolean": ("b", 1),
    "unsignedByte": ("u", 1),
    "short": ("i", 2),
    "int": ("i", 4),
    "long": ("i", 8),
    "float": ("f", 4),
    "double": ("f", 8),
}
_AGAIN = "copy the file again, or write it again"


def begins(begin: bytes) -> bool:
    """Return whether a file begins as XML does."""
    return _XML.match(begin) is not None


def tables(path: Path) -> list[Table]:
    """Return the tables of a file; none if it is other XML.

    Raises
    ------
    CorruptFileError
        The file is cut off or damaged.
    UnsafeInputError
        Its data are elsewhere, or it declares entities.
    """
    found: list[tuple[str, dict[str, Field]]] = []
    is_votable = binary = False
    for tag, attributes in _tags(path):
        if tag == "VOTABLE":
            is_votable = True
        elif not is_votable:
            return []
        if tag == "TABLE":
            found.append((attributes.get("name", ""), {}))
        elif tag == "FIELD" and found:
            name = attributes.get("name") or attributes.get("ID") or ""
            if len(found[-1][1]) < MOST_COLUMNS and name not in found[-1][1]:
                found[-1][1][name] = _field(attributes)
        elif tag in ("BINARY", "BINARY2"):
            binary = True
        elif tag == "STREAM" and "href" in attributes:
            raise UnsafeInputError(
                path, "data in another place (STREAM href)", "data in the file", "do not use it"
            )
    return [
        _table(path, number, name, fields, binary) for number, (name, fields) in enumerate(found)
    ]


def _tags(path: Path) -> Any:
    """Yield the names and attributes of the tags of a file."""
    from astropy.utils.xml.iterparser import get_xml_iterator

    with open(path, "rb") as file:
        begin = file.read(1 << 16)
        if b"<!DOCTYPE" in begin or b"<!ENTITY" in begin:
            raise UnsafeInputError(
                path, "a document type, which may expand", "plain XML", "do not use this file"
            )
        file.seek(0)
        try:
            with get_xml_iterator(file) as iterator:
                for start, tag, data, _ in iterator:
                    if start and tag != "xml":  # the declaration
                        yield tag.rpartition(":")[2], data
        except (ValueError, OSError, RuntimeError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorruptFileError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return CorruptFileError(path, f"a damaged VOTable ({text})", "a whole one", _AGAIN)


def _field(attributes: Mapping[str, str]) -> Field:
    kind, size = _TYPES.get(attributes.get("datatype", ""), ("O", 8))
    shape = attributes.get("arraysize", "1")
    width = int(shape) if re.fullmatch("[1-9][0-9]{0,3}", shape) else 0
    return Field(kind if width else "O", width or 1, attributes.get("unit", ""), "its FIELD", size)


def _table(path: Path, number: int, name: str, fields: dict[str, Field], binary: bool) -> Table:
    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        del chunk_rows  # astropy reads it whole
        check_size(str(path), path.stat().st_size, path.stat().st_size)
        # Of rows in binary, astropy cannot leave columns out.
        yield _read(path, number, list(wanted), [] if binary else list(wanted))

    return Table(f"{path}:{name}" if name else str(path), fields, None, read, name, files=(path,))


def _read(path: Path, number: int, names: list[str], only: list[str]) -> dict[str, Array]:
    from astropy.io.votable import parse

    with warnings.catch_warnings(), open(path, "rb") as file:
        warnings.simplefilter("ignore")
        try:
            rows = (
                parse(file, columns=only or None, verify="ignore").get_table_by_index(number).array
            )
        except Exception as error:  # astropy raises many kinds
            raise _damaged(path, error) from error
    found = {}
    for name in names:
        values = rows[name]
        if np.ma.getmaskarray(values).any():
            values = values.astype(np.float64).filled(np.nan)
        found[name] = np.asarray(values)
    return found

"""Where the columns of a frame are that pandas wrote to HDF5, in its layouts fixed and table.

The table layout keeps the names of its columns as pickled lists. They are taken from the text of
the pickle, of which nothing is executed; anything but a list of texts is refused.
"""

from __future__ import annotations

import pickletools

from ....errors import MockgalError, UnsafeInputError
from ...hdf5 import headers, safe

FIXED, TABLE = "frame", "frame_table"
Where = tuple[str, str | None, int | None]  # dataset, field of its records, value of its rows

_MOST_BLOCKS = 1000
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE")
_ALLOWED = {
    *(*_TEXTS, "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "PUT", "BINPUT", "LONG_BINPUT"),
    *("MEMOIZE", "PROTO", "FRAME", "STOP"),
}


def kind_of(file: safe.File, group: str) -> str:
    """Return the layout of a frame that is in a group; "" if there is none."""
    try:
        kind = headers.attribute(file, group or "/", "pandas_type", None)
    except MockgalError:
        return ""
    return kind if kind in (FIXED, TABLE) else ""


def columns(file: safe.File, group: str, kind: str) -> dict[str, Where]:
    """Return where each column of numbers is.

    Raises
    ------
    MockgalError
        The frame is damaged, or holds Python objects.
    """
    return _fixed(file, group) if kind == FIXED else _table(file, group)


def _fixed(file: safe.File, group: str) -> dict[str, Where]:
    found: dict[str, Where] = {}
    for block in range(headers.count(file, group, "nblocks", most=_MOST_BLOCKS)):
        items, values = (f"{group}/block{block}_{part}" for part in ("items", "values"))
        try:
            names = safe.read_rows(safe.dataset(file, items, texts=True)).tolist()
        except UnsafeInputError:
            raise
        except MockgalError:  # names that are no texts
            continue
        for index, name in enumerate(names):
            found.setdefault(name.decode("utf-8", "replace"), (values, None, index))
    return found


def _table(file: safe.File, group: str) -> dict[str, Where]:
    path, found = f"{group}/table", dict[str, Where]()
    fields = safe.dataset(file, path, records=True).dtype
    for field in fields.names or ():
        where = f"{safe.where_of(file, path)}@{field}_kind"
        pickled = headers.attribute(file, path, f"{field}_kind", "")
        if field == "index" or not isinstance(pickled, str) or not pickled:
            continue
        for index, name in enumerate(listed(where, pickled)):
            found.setdefault(name, (path, field, index if fields[field].shape else None))
    return found


def listed(where: str, pickled: str) -> list[str]:
    """Return the texts of a pickled list of texts, without unpickling it.

    Raises
    ------
    UnsafeInputError
        It is anything else.
    """
    names: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickled.encode("latin-1")):
            if opcode.name not in _ALLOWED:
                raise ValueError(opcode.name)
            if opcode.name in _TEXTS:
                names.append(str(argument))
    except (ValueError, UnicodeEncodeError) as error:
        raise UnsafeInputError(
            where,
            f"Python objects ({error})",
            "a list of names",
            'write the frame with to_hdf(..., format="fixed"), or as Parquet',
        ) from error
    return names

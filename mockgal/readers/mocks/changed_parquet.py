"""Tables that pyarrow or a program like it wrote from catalogues in Parquet.

Rows and columns may be others. The metadata that mockgal wrote must be there, for they state box,
redshift, cosmology and units; units in the metadata of a column take precedence.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...columns import OUR_COLUMNS, Column
from ...errors import BadValueError
from ...system.arrow import from_arrow
from ...system.memory import check_memory
from ...types import GalaxyCatalog
from .changed import COPIES, Changed, as_changed, check_reason, our_columns
from .parquet import facts_of, footer_of, open_columns, translated

_LONGEST_UNIT = 100  # characters
_BYTES = 8  # of a value


def read_changed(path: Path, names: tuple[str, ...] | None, reason: str) -> GalaxyCatalog:
    """Return the galaxies of a Parquet catalogue that was changed by hand.

    Parameters
    ----------
    path : Path
    names : tuple of str or None
        Columns to read beside the ids; None for all columns of mockgal.
    reason : str
        Why the file was changed, for the provenance.

    Raises
    ------
    FormatError
        The file lacks the metadata that mockgal wrote.
    UsageError
        A column is missing, there is no reason, or pyarrow is not installed.
    MockgalError
        Values are impossible, or the file is damaged or unsafe.
    """
    check_reason(reason)
    footer = footer_of(path)
    facts = facts_of(path, footer)
    facts.check_may_be_changed(path)
    declared = {**OUR_COLUMNS, **facts.in_memory}
    ours = tuple(name for name in footer.columns if name in declared)
    check_memory(f"{path}", COPIES * _BYTES * footer.rows * len(ours))
    with open_columns(path, footer, ours) as file:
        present = {
            name: partial(_changed, path, file, declared[name], facts.units) for name in ours
        }
        columns = our_columns(
            f"{path}", present, names, facts.units, facts.snapshot, facts.frame, declared
        )
    galaxies = GalaxyCatalog(
        columns, facts.snapshot, facts.frame, dict(facts.provenance), facts.plugin_columns
    )
    others = [name for name in (*footer.columns, *footer.nested) if name not in ours]
    return as_changed(path, galaxies, reason, facts.rows, facts.digest, stranger=others)


def _changed(path: Path, file: Any, column: Column, units: str) -> Changed:
    from pyarrow import types

    name = column.name
    with translated(path):
        field = file.schema_arrow.field(name)
        values = file.read(columns=[name], use_threads=False).column(name)
    numbers = (types.is_integer, types.is_floating, types.is_boolean)
    if not any(is_kind(field.type) for is_kind in numbers):
        raise BadValueError(
            f"{path}:{name}", f"values of type {field.type}", f"numbers of type {column.dtype}"
        )
    stated = (field.metadata or {}).get(b"unit")
    unit: str | None
    if stated is None:  # a program that drops the metadata of columns leaves their values
        unit = None if units == "h" and column.h_power else column.file_unit
    else:
        unit = stated[:_LONGEST_UNIT].decode("utf-8", "replace") or None
    missing = bool(values.null_count)
    if missing:
        values = values.drop_null()
    parts = [from_arrow(part) for part in values.chunks]
    kind = np.dtype(field.type.to_pandas_dtype())
    return Changed(np.concatenate([np.empty(0, kind), *parts]), missing, unit)

"""Catalogues of mockgal in Parquet: the columns and metadata that the writer makes.

The footer and the headers of pages are checked by `mockgal.readers.parquet_file` before pyarrow
reads the rows, whose checksums pyarrow verifies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...columns import Column
from ...errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    InputError,
    MissingDatasetError,
    MockgalError,
    UnsafeInputError,
    listed,
    shown,
)
from ...layout import PROVENANCE, PROVENANCE_DIGEST
from ...system.arrow import from_arrow, parquet_reader
from ...system.files import plain_json
from ...types import Array, GalaxyCatalog
from .. import parquet_file
from ..hdf5 import safe
from ..parquet_file import AGAIN, Footer
from . import facts as galaxies_facts
from .facts import Facts
from .ours import BY_HAND, Rewritable

CHANGED = "changed"  # in the metadata of a file: why somebody changed it
FOREIGN = (
    "this reads only what mockgal wrote. pyarrow keeps its metadata; after a program that does "
    "not, put them back: table.replace_schema_metadata(pyarrow.parquet.read_schema(MOCK).metadata)"
)
_IDENTITY = (PROVENANCE, "content_digest", "units")
_KINDS = {"|b1": 0, "<i8": 2, "<f4": 4, "<f8": 5}  # numbers of Parquet's physical types


@dataclass(frozen=True)
class ParquetCatalogue:
    """An open file: the checked description of its rows, and the rows."""

    facts: Facts
    path: Path
    file: Any

    def where(self, column: str) -> str:
        """Return the place ``FILE:COLUMN``, for messages."""
        return f"{self.path}:{column}"

    def chunks(
        self, names: tuple[str, ...], chunk_rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield rows of the columns ``names`` as stored in the file.

        Yields
        ------
        start : int
            Index of the first row.
        columns : dict of str to ndarray, shape (rows in the chunk,)
        """
        start = 0
        with translated(self.path):
            batches = self.file.iter_batches(chunk_rows, columns=list(names), use_threads=False)
        while True:
            with translated(self.path):
                batch = next(batches, None)
                if batch is None:
                    break
                part = {name: from_arrow(batch.column(name)) for name in names}
            yield start, part
            start += batch.num_rows
        if start != self.facts.rows:
            raise CorruptFileError(self.path, f"{start} rows", f"{self.facts.rows}", AGAIN)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow inside the block into a `CorruptFileError`."""
    try:
        yield
    except (MockgalError, MemoryError):
        raise
    except Exception as error:  # pyarrow's have no common base class with those it passes on
        text = " ".join(str(error).split())[:200]
        raise CorruptFileError(path, f"damaged data ({text})", "a readable file", AGAIN) from error


def footer_of(path: Path) -> Footer:
    """Return the footer of the Parquet file ``path``.

    Raises
    ------
    MockgalError
        See `mockgal.readers.parquet_file.read_footer`.
    """
    safe.check_regular(path)
    try:
        with open(path, "rb") as file:
            return parquet_file.read_footer(file, path)
    except OSError as error:
        raise InputError(path, str(error), "a file that can be read") from error


def facts_of(path: Path, footer: Footer) -> Facts:
    """Return the facts in a footer, whose statements must agree.

    Raises
    ------
    FormatError
        They are not there; the message says how to keep them.
    MockgalError
        They are damaged, or contradict each other.
    """
    lacking = [name for name in _IDENTITY if name not in footer.metadata]
    if lacking:
        raise FormatError(
            path,
            f"a Parquet file without the metadata {', '.join(lacking)}; its columns are "
            f"{listed([*footer.columns, *footer.nested], none='none')}",
            "a catalogue of galaxies that mockgal wrote",
            FOREIGN,
        )
    where, text = f"{path}@{PROVENANCE}", footer.metadata[PROVENANCE]
    galaxies_facts.check_digest(text, footer.metadata.get(PROVENANCE_DIGEST), where)
    facts = galaxies_facts.parse(text, where, path, path.stat().st_size)
    stated = {
        name: _value(text, facts.file.get(name))
        for name, text in footer.metadata.items()
        if galaxies_facts.is_essential(name)
    }
    galaxies_facts.check_essentials(facts, stated, f"{path}", tolerance=0.0)
    return facts


def _value(text: str, expected: Any) -> Any:
    """Return the value of a fact: a number is stored as JSON."""
    if isinstance(expected, str):
        return text
    try:
        return plain_json.load(text[:100])
    except plain_json.PlainJSONError:
        return text


class ParquetMocks(Rewritable):
    """Reader of catalogues that mockgal wrote in Parquet."""

    name: ClassVar[str] = "parquet"

    def detect(self, path: Path) -> bool:
        """Return whether the footer has the metadata of a mockgal catalogue; never raise."""
        return self._metadata(path).keys() >= set(_IDENTITY)

    def _metadata(self, path: Path) -> dict[str, str]:
        try:
            return footer_of(path).metadata
        except (MockgalError, OSError):
            return {}

    def _open(self, path: Path) -> AbstractContextManager[ParquetCatalogue]:
        return open_catalogue(path)

    def reason_stated(self, path: Path) -> str | None:
        """Return the reason that a file states for having been changed, or None; never raise."""
        reason = self._metadata(path).get(CHANGED, "")
        return reason if reason.strip() else None

    def _read_changed(
        self, path: Path, names: tuple[str, ...] | None, reason: str
    ) -> GalaxyCatalog:
        # Only here: astropy's units take a while to load.
        from .changed_parquet import read_changed

        return read_changed(path, names, reason)


@contextmanager
def open_catalogue(path: Path) -> Iterator[ParquetCatalogue]:
    """Open the catalogue in the Parquet file ``path``; check the footer, but not the rows.

    Raises
    ------
    CorruptFileError
        The file is cut off or damaged.
    FormatError
        The file is no catalogue of mockgal; the message names what it lacks.
    UsageError
        pyarrow is not installed.
    MockgalError
        Other statements contradict each other, or the file is unsafe.
    """
    footer = footer_of(path)
    facts = facts_of(path, footer)
    check_columns(footer, facts)
    if footer.rows != facts.rows:
        raise HeaderError(
            footer.where, f"{footer.rows} rows", f"{facts.rows}, as in the provenance", BY_HAND
        )
    with open_columns(path, footer, facts.columns) as file:
        with translated(path):
            fields = {field.name: field for field in file.schema_arrow}
        for column in facts.declared.values():
            _check_field(path, fields[column.name], column, facts.units)
        yield ParquetCatalogue(facts, path, file)


def _check_field(path: Path, field: Any, column: Column, units: str) -> None:
    """Raise if type or unit of a column are not those of the JSON."""
    where, kind = f"{path}:{column.name}", np.dtype(field.type.to_pandas_dtype())
    if kind != np.dtype(column.dtype):
        raise HeaderError(where, f"numbers of type {kind.str}", column.dtype, BY_HAND)
    metadata = {
        key: text.decode("utf-8", "replace") for key, text in (field.metadata or {}).items()
    }
    power = metadata.get(b"h_power", "")
    stated = metadata.get(b"unit"), int(power) if re.fullmatch("-?[0-9]", power) else power
    galaxies_facts.check_unit(where, column, units, stated)


def check_columns(footer: Footer, facts: Facts) -> None:
    """Raise if the columns of a footer are not those that the JSON describes.

    Raises
    ------
    MissingDatasetError, HeaderError
    """
    present = [*footer.columns, *footer.nested]
    if present != list(facts.columns):
        raise MissingDatasetError(
            footer.where,
            f"the columns {listed(present, none='none')}",
            f"{', '.join(facts.columns)}, as in the provenance",
            BY_HAND,
        )
    for name, column in facts.declared.items():
        leaf = footer.columns[name]
        if (leaf.kind, leaf.optional) != (_KINDS[column.dtype], False):
            raise HeaderError(
                f"{footer.where}:{name}",
                f"type {leaf.kind}" + ", with values that may be missing" * leaf.optional,
                f"{column.dtype} in each row",
                BY_HAND,
            )


@contextmanager
def open_columns(path: Path, footer: Footer, names: tuple[str, ...]) -> Iterator[Any]:
    """Yield a `pyarrow.parquet.ParquetFile` whose columns ``names`` are numbers of checked size.

    Raises
    ------
    UsageError
        pyarrow is not installed.
    CorruptFileError
        The file is damaged.
    UnsafeInputError
        A column has a type that a program has to be told of.
    """
    with open(path, "rb") as source:
        parquet_file.check_pages(source, footer, set(names))
        with translated(path):
            file = parquet_reader(source, path)
        with file:
            with translated(path):
                kinds = {field.name: field.type for field in file.schema_arrow}
            for name in names:
                if type(kinds.get(name)).__name__ != "DataType":
                    raise UnsafeInputError(
                        f"{path}:{name}",
                        f"a column of type {shown(str(kinds.get(name)))}",
                        "a plain number",
                        "do not use this file",
                    )
            yield file

"""Catalogues of mockgal in FITS: exactly the HDUs, keywords and columns that the writer makes.

A file may be compressed with gzip. It is then decompressed three times: to know its size, to get at
the provenance, and for the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ...columns import Column
from ...errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    HeaderError,
    MissingDatasetError,
    MockgalError,
    listed,
    shown,
)
from ...layout import (
    CATALOGUE_HDUS,
    ESSENTIALS,
    FITS_CODES,
    MODEL_TABLES,
    NUMBERED_ESSENTIALS,
    PROVENANCE_HASH,
)
from ...system.files import fits_file
from ...system.files.fits_file import AGAIN, HDU
from ...system.files.gzipped import opened, size_of
from ...types import Array, GalaxyCatalog
from ..hdf5 import safe
from . import facts as galaxies_facts
from .facts import Facts
from .ours import BY_HAND, Rewritable

_FOREIGN = (
    "this reads only what mockgal wrote; read a survey's table with astropy.table.Table.read, and "
    "a simulation with mockgal.read"
)
_TABLES = (CATALOGUE_HDUS[1], *MODEL_TABLES)
# A table GALAXIES without these keywords is not mockgal's.
_IDENTITY = ("UNITSYS", "NGAL", "CONTDIG")
_PER_COLUMN = ("TTYPE", "TFORM", "TUNIT", "TCOMM", "THPOW")
CHANGED = "CHANGED"  # keyword of the table: why somebody changed it
_TOLERANCE = 1e-10  # a card has room for about 12 digits


@dataclass(frozen=True)
class FITSCatalogue:
    """An open file: the checked description of its rows, and the rows."""

    facts: Facts
    file: BinaryIO
    table: HDU

    def where(self, column: str) -> str:
        """Return the place ``FILE:GALAXIES/COLUMN``, for messages."""
        return f"{self.table.where}/{column}"

    def chunks(
        self, names: tuple[str, ...], chunk_rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield rows of the columns ``names`` as stored in the file, in native byte order.

        All columns are read, because the checksum covers them.

        Yields
        ------
        start : int
            Index of the first row.
        columns : dict of str to ndarray, shape (rows in the chunk,)
        """
        record, bad = _record(self.facts.declared), None
        for start, rows in fits_file.read_rows(self.file, self.table, record, chunk_rows):
            try:
                part = {name: self._native(rows, name, start) for name in names}
            except BadValueError as error:
                bad = bad or error  # read on: if a checksum fails, the file is damaged
                continue
            yield start, part
        if bad is not None:
            raise bad

    def _native(self, rows: Array, name: str, start: int) -> Array:
        values = rows[name]
        if values.dtype.kind == "f" or values.dtype.itemsize > 1:
            native: Array = values.astype(values.dtype.newbyteorder("="))
            return native
        true: Array = values == ord("T")
        bad = np.flatnonzero(~true & (values != ord("F")))
        if bad.size:
            raise BadValueError(
                f"{self.where(name)}, row {start + int(bad[0])}",
                f"the byte {int(values[bad[0]])}",
                "T or F",
                AGAIN,
            )
        return true


def detect(path: Path) -> bool:
    """Return whether the first HDUs at ``path`` are those of a mockgal catalogue; never raise."""
    table = _first_table(path)
    return table is not None and table.name in _TABLES and not _absent(table)


def _first_table(path: Path) -> HDU | None:
    """Return the second HDU, of which only the header needs to be whole; never raise."""
    try:
        with opened(path) as file:
            primary = fits_file.read_hdu(file, path, 0, whole=False)
            return fits_file.read_hdu(file, path, primary.end, whole=False)
    except (MockgalError, OSError):
        return None


class FITSMocks(Rewritable):
    """Reader of catalogues that mockgal wrote in FITS."""

    name: ClassVar[str] = "fits"

    def detect(self, path: Path) -> bool:
        """Return whether the first HDUs are those of a mockgal catalogue; never raise."""
        return detect(path)

    def _open(self, path: Path) -> AbstractContextManager[FITSCatalogue]:
        return open_catalogue(path)

    def reason_stated(self, path: Path) -> str | None:
        """Return the reason that a file states for having been changed, or None; never raise."""
        table = _first_table(path)
        reason = table.cards.get(CHANGED) if table else None
        return reason if isinstance(reason, str) and reason.strip() else None

    def _read_changed(
        self, path: Path, names: tuple[str, ...] | None, reason: str
    ) -> GalaxyCatalog:
        # Only here: astropy's tables take a second to load.
        from .changed_fits import read_changed

        return read_changed(path, names, reason)


@contextmanager
def open_catalogue(path: Path) -> Iterator[FITSCatalogue]:
    """Open the catalogue in the FITS file ``path``; check header and JSON, but not the rows.

    Raises
    ------
    CorruptFileError
        The file is cut off or damaged.
    FormatError
        The file is no catalogue of mockgal; the message names what it lacks.
    MockgalError
        Other statements contradict each other, or the file is unsafe.
    """
    safe.check_regular(path)
    with opened(path) as file:
        table, provenance = _hdus(file, path)
        text = fits_file.read_data(file, provenance, galaxies_facts.MAX_JSON)
        where, json = f"{provenance.where}/json", text.decode("latin-1")
        if PROVENANCE_HASH in provenance.cards:  # older files have none
            galaxies_facts.check_digest(text, provenance.cards[PROVENANCE_HASH], where)
        facts = galaxies_facts.parse(json, where, path, path.stat().st_size)
        _check_table(table, facts)
        yield FITSCatalogue(facts, file, table)


def _hdus(file: BinaryIO, path: Path) -> tuple[HDU, HDU]:
    """Return the HDUs GALAXIES and PROVENANCE after checking their headers."""
    primary = fits_file.read_hdu(file, path, 0)
    if primary.data_bytes:
        raise FormatError(
            path,
            "a FITS file with an image in its first HDU, which lacks the table GALAXIES",
            f"the HDUs {', '.join(CATALOGUE_HDUS)}",
            _FOREIGN,
        )
    size = size_of(file)
    if size == primary.end:
        raise _cut(path, size, ["PRIMARY"])
    table = fits_file.read_hdu(file, path, primary.end)
    if table.name not in _TABLES:
        raise FormatError(
            path,
            f"a FITS file whose second HDU is {table.name}: it lacks the tables "
            f"{' and '.join(CATALOGUE_HDUS[1:])}",
            f"the HDUs {', '.join(CATALOGUE_HDUS)}",
            _FOREIGN,
        )
    absent = _absent(table)
    if absent:
        raise FormatError(
            table.where,
            f"a table that lacks {', '.join(absent)}",
            "the keywords that mockgal writes",
            _FOREIGN,
        )
    if size == table.end:
        raise _cut(path, size, ["PRIMARY", "GALAXIES"])
    provenance = fits_file.read_hdu(file, path, table.end)
    if provenance.name != CATALOGUE_HDUS[2]:
        raise CorruptFileError(
            path,
            f"a third HDU {provenance.name}",
            f"the HDUs {', '.join(CATALOGUE_HDUS)}",
            AGAIN,
        )
    for hdu in (primary, table, provenance):
        fits_file.check_header(hdu)
        if not hdu.plain or hdu.repeated:
            found = f"{listed(hdu.repeated)} more than once" if hdu.plain else "invalid characters"
            raise HeaderError(hdu.where, found, "each keyword once, in ASCII", AGAIN)
    if size != provenance.end:
        raise CorruptFileError(
            path,
            f"{size} bytes",
            f"{provenance.end} bytes: only the HDUs {', '.join(CATALOGUE_HDUS)}",
            AGAIN,
        )
    for hdu in (table, provenance):
        _check_structure(hdu)
    if (provenance.count("NAXIS2"), provenance.count("TFIELDS")) != (1, 1) or (
        provenance.cards.get("TTYPE1"),
        provenance.cards.get("TFORM1"),
    ) != ("json", f"{provenance.count('NAXIS1')}A"):
        raise HeaderError(provenance.where, "another table", "one row with one text, json", AGAIN)
    return table, provenance


def _absent(table: HDU) -> list[str]:
    return [keyword for keyword in _IDENTITY if keyword not in table.cards]


def _cut(path: Path, size: int, present: list[str]) -> CorruptFileError:
    return CorruptFileError(
        path,
        f"a file of {size} bytes that ends after the HDU {present[-1]}",
        f"the HDUs {', '.join(CATALOGUE_HDUS)}",
        AGAIN if len(present) == 1 else BY_HAND,
    )


def _check_structure(hdu: HDU) -> None:
    """Raise unless the HDU is a plain binary table: not compressed or scaled, without a heap."""
    compressed = [keyword for keyword in hdu.cards if re.match(r"Z[A-Z]", keyword)]
    if compressed:
        raise FormatError(
            hdu.where,
            f"a compressed HDU ({compressed[0]})",
            "a plain table",
            "uncompress it with funpack",
        )
    variable = [
        keyword
        for keyword, value in hdu.cards.items()
        if keyword.startswith("TFORM") and re.search("[PQ]", str(value))
    ]
    if variable:
        raise FormatError(
            f"{hdu.where}@{variable[0]}",
            f"{shown(hdu.cards[variable[0]])}, rows of variable length",
            "one number in each row",
            _FOREIGN,
        )
    expected = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "PCOUNT": 0, "GCOUNT": 1}
    for keyword, value in expected.items():
        if hdu.cards.get(keyword) != value:
            raise HeaderError(
                f"{hdu.where}@{keyword}", shown(hdu.cards.get(keyword)), repr(value), AGAIN
            )
    count = hdu.count("TFIELDS")
    for keyword in hdu.cards:
        match = re.fullmatch(r"(T[A-Z]{2,6})([0-9]+)", keyword)
        if keyword in ("THEAP", "BSCALE", "BZERO", "BLANK") or (
            match and (match[1] not in _PER_COLUMN or not 0 < int(match[2]) <= count)
        ):
            raise HeaderError(
                f"{hdu.where}@{keyword}",
                f"a keyword that changes the meaning of values, or of a column beyond the {count}",
                "columns as mockgal writes them",
                _FOREIGN,
            )


def _record(columns: dict[str, Column]) -> np.dtype[Any]:
    kinds = {name: column.dtype for name, column in columns.items()}
    return np.dtype(
        [(name, "u1" if kind == "|b1" else kind.replace("<", ">")) for name, kind in kinds.items()]
    )


def _check_table(table: HDU, facts: Facts) -> None:
    """Raise if the table is not the one that the JSON describes."""
    names = tuple(str(table.cards.get(f"TTYPE{n}")) for n in range(1, 1 + len(facts.columns)))
    if table.count("TFIELDS") != len(names) or names != facts.columns:
        raise MissingDatasetError(
            table.where,
            f"{table.count('TFIELDS')} columns: {listed(names)}",
            f"{len(names)}: {', '.join(facts.columns)}, as in the provenance",
            AGAIN,
        )
    for n, (name, column) in enumerate(facts.declared.items(), 1):
        kind = f"1{FITS_CODES[column.dtype]}"
        if table.cards.get(f"TFORM{n}") != kind:
            raise HeaderError(
                f"{table.where}@TFORM{n}",
                f"{shown(table.cards.get(f'TFORM{n}'))} for {name}",
                f"{kind!r}",
                AGAIN,
            )
        stated = table.cards.get(f"TUNIT{n}", ""), table.cards.get(f"THPOW{n}", 0)
        galaxies_facts.check_unit(f"{table.where}@TUNIT{n}", column, facts.units, stated)
    layout, row_bytes = (
        (table.count("NAXIS1"), table.count("NAXIS2")),
        _record(facts.declared).itemsize,
    )
    if layout != (row_bytes, facts.rows):
        raise HeaderError(
            f"{table.where}@NAXIS2",
            f"{layout[1]} rows of {layout[0]} bytes",
            f"{facts.rows} rows of {row_bytes} bytes",
            AGAIN,
        )
    galaxies_facts.check_essentials(facts, _essentials(table), table.where, tolerance=_TOLERANCE)


def _essentials(table: HDU) -> dict[str, Any]:
    keywords = {keyword: name for name, keyword in ESSENTIALS.items()}
    numbered = {keyword: name for name, keyword in NUMBERED_ESSENTIALS.items()}
    stated = {}
    for keyword, value in table.cards.items():
        match = re.fullmatch(r"([A-Z]+)([1-9][0-9]*)", keyword)
        if keyword in keywords:
            stated[keywords[keyword]] = value
        elif match and match[1] in numbered:
            stated[f"{numbered[match[1]]}_{match[2]}"] = value
    return stated

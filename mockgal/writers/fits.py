"""FITS output: an empty primary HDU, the table GALAXIES, and the table PROVENANCE.

PROVENANCE has one row and one column, ``json``: the full provenance, as ASCII JSON.

The header of GALAXIES holds, for column n, TTYPEn, TFORMn, TUNITn (if the standard has the unit),
TCOMMn (the meaning) and THPOWn (the power of h in the unit, if any); and:

========  ==========================================================================
MGVERS    version of mockgal
SIMNAME   simulation
PAINTER   painter; SEED: seed of the random numbers
CONFHASH  digest of the configuration
CALHASH   digest of the painter's calibration or weights
INHASH    digest of the halo catalogue
MASSDEF   definition of halo_mass
FRAME     box or sky
BOXSIZE   comoving side of the box, its unit in the comment; REDSHIFT
HUBBLE    Hubble constant over 100 km/s/Mpc; OMEGA_M, OMEGA_L, OMEGA_B, SIGMA_8, N_S
UNITSYS   h-free or h
NGAL      number of galaxies; CONTDIG: digest of the content, the same in every format
CUTn      n-th cut; REFn: n-th work to cite
========  ==========================================================================

A value longer than a card is continued in CONTINUE cards, complete. A comment that does not fit
beside its value is left out. Control characters are escaped. A text that FITS cannot hold (not
ASCII), or that astropy would not read back unchanged, is replaced by ``see PROVENANCE``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..digests import StoredDigests
from ..errors import CorruptFileError, InputError, InternalError, printable
from ..layout import CATALOGUE_HDUS, FITS_CODES, PROVENANCE_HASH, REFER
from ..system.files.atomic import atomic_output
from ..system.files.fits_checksum import Checksum, encode, padded
from ..system.files.fits_file import AGAIN, HDU, check_data, read_hdu
from ..system.files.gzipped import opened, size_of
from ..types import GalaxyCatalog
from .provenance import (
    NO_DIGEST,
    FileColumn,
    FileContent,
    FileTable,
    begin_digest,
    plain_table,
)

if TYPE_CHECKING:
    from astropy.io import fits

Piece = bytes | memoryview

_FLUSH = 1 << 26  # more bytes than this are flushed to disk while the digest is still computed
_T, _F = np.uint8(ord("T")), np.uint8(ord("F"))  # logical values in FITS


class FITSWriter:
    """Writer of FITS files."""

    name = "fits"
    extensions = (".fits", ".fit")
    single_precision = True

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
        """Write a catalogue arranged as ``table`` to ``path``."""
        stored = table.stored_digests()
        blank = table.describe(NO_DIGEST, stored)
        record = _record(blank.columns)
        json_size = len(blank.provenance)
        headers = (
            primary_header(),
            galaxies_header(blank, record),
            provenance_header(blank),
        )
        sizes = tuple(len(header.tostring()) for header in headers)
        size = sum(sizes) + padded(record.itemsize * blank.rows) + padded(json_size)
        with (
            atomic_output(
                path,
                overwrite=overwrite,
                expected_bytes=size,
                inputs=inputs,
                verify=lambda written: _verify_content(written, blank, size),
            ) as temporary,
            open(temporary, "xb") as file,
        ):
            digest = begin_digest(table.galaxies)
            self._write_hdus(
                file,
                sizes,
                lambda: encoded(blank, record, chunk_rows, stored),
                cache(lambda: table.describe(digest(), stored)),
                lambda content: galaxies_header(content, record),
            )

    def _write_hdus(
        self,
        file: BinaryIO,
        sizes: tuple[int, ...],
        rows: Callable[[], Iterator[Piece]],
        content: Callable[[], FileContent],
        table_header: Callable[[FileContent], fits.Header],
    ) -> None:
        """Write all HDUs.

        Parameters
        ----------
        file : binary file
        sizes : tuple of int
            Of the headers [bytes].
        rows : callable
            Returns the rows of GALAXIES as bytes, and adds to their digests.
        content : callable
            Returns what the headers hold, once the rows were written.
        table_header : callable
            Makes the header of GALAXIES of the content.
        """
        _write_hdu(file, sizes[0], (), primary_header)
        _write_hdu(file, sizes[1], rows(), lambda: table_header(content()))
        json = content().provenance.encode("ascii")
        _write_hdu(file, sizes[2], (json,), lambda: provenance_header(content()))


def verify_fits(path: Path, table: str = CATALOGUE_HDUS[1]) -> tuple[HDU, ...]:
    """Check that ``path`` is a complete and undamaged catalogue of ours, reading it in pieces.

    It may be compressed with gzip.

    Parameters
    ----------
    path : Path
    table : str
        Name of the HDU of the galaxies.

    Returns
    -------
    tuple of HDU
        The empty one, the table, and that of the provenance.

    Raises
    ------
    CorruptFileError
        The file is cut off, in a header, in data or between HDUs; continues after the last HDU; or
        an HDU fails its DATASUM or CHECKSUM, or has none. The message names the HDU.
    UnsafeInputError
        A header declares absurdly large data.
    """
    hdus: list[HDU] = []
    names = (CATALOGUE_HDUS[0], table, CATALOGUE_HDUS[2])
    try:
        with opened(path) as file:
            for name in names:
                start = hdus[-1].end if hdus else 0
                hdus.append(read_hdu(file, path, start, expected=name))
                check_data(file, hdus[-1])
            size = size_of(file)
    except OSError as error:
        raise InputError(path, str(error), "a file that can be read") from error
    if hdus[-1].end != size:
        raise CorruptFileError(
            path,
            f"{size} bytes",
            f"{hdus[-1].end} bytes: the HDUs {', '.join(names)} and nothing else",
            AGAIN,
        )
    return tuple(hdus)


def _verify_content(path: Path, content: FileContent, size: int) -> None:
    hdus = verify_fits(path, content.table.upper())
    found = hdus[1].count("NAXIS2"), hdus[-1].end
    if found != (content.rows, size):
        raise CorruptFileError(
            path, f"{found[0]} rows in {found[1]} bytes", f"{content.rows} rows in {size} bytes"
        )


def _card(keyword: str, value: str | int | float, comment: str = "") -> fits.Card:
    """Return a card that holds ``value`` by the rules of the module's docstring."""
    from astropy.io import fits

    if not isinstance(value, str):
        return fits.Card(keyword, value, comment)
    text = printable(value).strip()  # FITS does not keep trailing spaces
    if not text.isascii() or fits.Card.fromstring(fits.Card(keyword, text).image).value != text:
        text = REFER
    room = 80 - len(f"{keyword:8}= ''") - max(8, len(text.replace("'", "''"))) - len(" / ")
    return fits.Card(keyword, text, comment if len(comment) <= room else "")


def _header(*cards: tuple[Any, ...]) -> fits.Header:
    """Return a header of these cards, ending with cards for the checksums."""
    from astropy.io import fits

    header = fits.Header()
    for card in cards:
        header.append(_card(*card), end=True)
    header.append(_card("DATASUM", "0", "sum of the data, as in the FITS standard"), end=True)
    header.append(_card("CHECKSUM", "0" * 16, "makes the sum of the HDU all ones"), end=True)
    return header


def primary_header() -> fits.Header:
    """Return the header of the empty primary HDU; sums are not yet in it, as in the others."""
    return _header(
        ("SIMPLE", True, "conforms to the FITS standard"),
        ("BITPIX", 8),
        ("NAXIS", 0),
        ("EXTEND", True, "the content is in the extensions"),
    )


def _table_cards(name: str, row_bytes: int, rows: int, columns: int) -> list[tuple[Any, ...]]:
    return [
        ("XTENSION", "BINTABLE", "binary table"),
        ("BITPIX", 8),
        ("NAXIS", 2),
        ("NAXIS1", row_bytes, "bytes in a row"),
        ("NAXIS2", rows, "rows"),
        ("PCOUNT", 0),
        ("GCOUNT", 1),
        ("TFIELDS", columns, "columns"),
        ("EXTNAME", name),
    ]


def galaxies_header(content: FileContent, record: np.dtype[Any]) -> fits.Header:
    """Return the header of GALAXIES, whose rows have the type ``record``."""
    columns = content.columns
    cards = _table_cards(content.table.upper(), record.itemsize, content.rows, len(columns))
    for n, column in enumerate(columns, 1):
        code = FITS_CODES[column.dtype.newbyteorder("<").str]
        cards.append((f"TTYPE{n}", column.name))
        cards.append((f"TFORM{n}", f"{math.prod(column.shape)}{code}"))
        if column.unit:
            cards.append((f"TUNIT{n}", column.unit))
        cards.append((f"TCOMM{n}", column.description))
        if column.h_power:
            cards.append((f"THPOW{n}", column.h_power, "power of h that goes with the numbers"))
    cards += [(item.keyword, item.value, item.comment) for item in content.essentials]
    return _header(*cards)


def provenance_header(content: FileContent) -> fits.Header:
    """Return the header of PROVENANCE."""
    size = len(content.provenance)
    cards = _table_cards("PROVENANCE", size, 1, 1)
    return _header(
        *cards,
        ("TTYPE1", "json"),
        ("TFORM1", f"{size}A"),
        ("TCOMM1", "how the galaxies were made, and what the columns mean: JSON"),
        (PROVENANCE_HASH, content.provenance_digest),
    )


def _record(columns: tuple[FileColumn, ...]) -> np.dtype[Any]:
    """Return the type of a table row as FITS stores it: big-endian, with logicals as T and F."""
    return np.dtype(
        [(c.name, "u1" if c.dtype == bool else c.dtype.newbyteorder(">"), c.shape) for c in columns]
    )


def encoded(
    content: FileContent, record: np.dtype[Any], chunk_rows: int, stored: StoredDigests
) -> Iterator[Piece]:
    """Yield the rows of the table as bytes, ``chunk_rows`` at a time, and add to their digests."""
    buffer = np.empty(min(max(1, chunk_rows), content.rows), dtype=record)
    for start in range(0, content.rows, len(buffer) or 1):
        stop = min(start + len(buffer), content.rows)
        part = buffer[: stop - start]
        for column in content.columns:
            values = column.rows(start, stop)
            stored.add(column.name, values)
            part[column.name] = np.where(values, _T, _F) if column.dtype == bool else values
        yield part.view(np.uint8).data


def _write_hdu(
    file: BinaryIO, header_size: int, data: Iterable[Piece], make_header: Callable[[], fits.Header]
) -> None:
    """Write one HDU; its header, of known size, is made after the data have been written."""
    start, checksum, size = file.tell(), Checksum(), 0
    file.write(bytes(header_size))
    for piece in data:
        file.write(piece)
        checksum.add(piece)
        size += len(piece)
    file.write(bytes(padded(size) - size))
    if size > _FLUSH:
        file.flush()
        os.fsync(file.fileno())
    text = sealed(make_header(), checksum, size)
    if len(text) != header_size:
        raise InternalError(
            file.name, f"a header of {len(text)} bytes", f"{header_size}", "please report this"
        )
    file.seek(start)
    file.write(text)
    file.seek(0, os.SEEK_END)


def sealed(header: fits.Header, data: Checksum, size: int) -> bytes:
    """Return a header with the checksums of the HDU; ``data`` has summed ``size`` bytes."""
    header["DATASUM"] = str(data.value)
    data.add(bytes(-size % 4) + header.tostring().encode("ascii"))
    header["CHECKSUM"] = encode(data.value)
    text: str = header.tostring()
    return text.encode("ascii")

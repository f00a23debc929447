"""Completeness maps in HEALPix, from FITS files of others.

The header must state the resolution, the order of the pixels and the coordinates, as in section
"Healpix format" of the HEALPix primer; for the last two the user may do so instead.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, FormatError, HeaderError, UnitsError, UsageError, shown
from ...system.files.fits_file import HDU, read_hdu, read_rows
from ...system.files.gzipped import opened
from ...system.files.plain_text import ordinary_file
from ...system.memory import check_memory
from ..footprint import COORDINATES, SkyMap

Array = NDArray[Any]

ORDERS = ("ring", "nested")
_CODES = {"C": "equatorial", "Q": "equatorial", "G": "galactic"}
_CODES |= {"CELESTIAL": "equatorial", "EQUATORIAL": "equatorial", "GALACTIC": "galactic"}
_FORMAT = re.compile("([0-9]{0,7})([LBIJKED])")
_TYPES = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_UNSEEN = -1.6375e30  # HEALPix's value for pixels that were not observed
_MOST_NSIDE = 1 << 13
_CHUNK_ROWS = 1 << 16
_EXPECTED = "a HEALPix map of completeness from 0 to 1, in FITS"


def read_map(
    path: str | os.PathLike[str], *, order: str | None = None, coordinates: str | None = None
) -> SkyMap:
    """Return the map in the first table of a FITS file, plain or compressed with gzip.

    The map is the first column, or in a table of single pixels (``INDXSCHM = EXPLICIT``) the
    second, after their numbers; other pixels are not observed, nor are those marked as HEALPix
    does, by -1.6375e30.

    Parameters
    ----------
    path : path-like
    order, coordinates : str, optional
        ``ring`` or ``nested``; ``equatorial`` or ``galactic``: what the header does not state.

    Returns
    -------
    SkyMap

    Raises
    ------
    FormatError
        The file holds no HEALPix map.
    HeaderError
        The header states no order or no coordinates, or contradicts the user or itself.
    BadValueError
        Pixels are repeated or do not exist, or values are out of range.
    CorruptFileError, UnsafeInputError, ResourceError
        The file is damaged, or declares more than it or the memory holds.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from mockgal.survey.masks.healpix import read_map
    >>> stated = {"PIXTYPE": "HEALPIX", "NSIDE": 1, "ORDERING": "RING", "COORDSYS": "C"}
    >>> Table({"C": np.ones(12)}, meta=stated).write("mask.fits")
    >>> read_map("mask.fits").nside
    1
    """
    path = Path(path)
    with ordinary_file(path, _EXPECTED):  # opened again below, where gzip may be read
        pass
    with opened(path) as file:
        hdu = _table(file, path)
        order, coordinates = _stated(hdu, order, coordinates)
        nside = hdu.count("NSIDE")
        if not (0 < nside <= _MOST_NSIDE and nside & (nside - 1) == 0):
            raise HeaderError(f"{hdu.where}@NSIDE", f"{nside}", f"a power of 2 up to {_MOST_NSIDE}")
        check_memory(str(path), 3 * 8 * 12 * nside**2)
        values = _values(file, hdu, 12 * nside**2)
    values[np.abs(values - _UNSEEN) < 1e-4 * abs(_UNSEEN)] = 0.0
    return SkyMap(values, order == "nested", path.name, coordinates)


def _table(file: BinaryIO, path: Path) -> HDU:
    """Return the first table of the file, if it is a map."""
    hdu = read_hdu(file, path, 0)
    hdu = read_hdu(file, path, hdu.end)
    kind = hdu.cards.get("PIXTYPE")
    if hdu.cards.get("XTENSION") != "BINTABLE" or not str(kind).strip().upper() == "HEALPIX":
        raise FormatError(
            hdu.where,
            f"PIXTYPE {shown(kind)}" if kind is not None else "no PIXTYPE in its header",
            "PIXTYPE = HEALPIX, in the first table of the file",
            "write the map with healpy.write_map, or its like",
        )
    return hdu


def _stated(hdu: HDU, order: str | None, coordinates: str | None) -> tuple[str, str]:
    """Return order and coordinates, which the header or the user must state."""
    found = str(hdu.cards.get("ORDERING", "")).strip().lower()
    found = "nested" if found == "nest" else found
    result = []
    for keyword, name, value, own, allowed in (
        ("ORDERING", "order", found, order, ORDERS),
        ("COORDSYS", "coordinates", _system(hdu), coordinates, COORDINATES),
    ):
        where = f"{hdu.where}@{keyword}"
        if value and value not in allowed:
            raise UnitsError(
                where, shown(value), "one of " + ", ".join(allowed), "convert the map first"
            )
        if own is not None and own not in allowed:
            raise UsageError(f"footprint, {name}", shown(own), "one of " + ", ".join(allowed))
        if value and own is not None and value != own:
            raise UsageError(
                f"footprint, {name}", own, f"{value}, as {where} states", f"leave {name} out"
            )
        if not (value or own):
            raise HeaderError(
                where,
                f"no {keyword}",
                f"the {name} of the map: " + " or ".join(allowed),
                f"state it beside the map, for instance footprint: {{map: {hdu.where.split(':')[0]}"
                f", {name}: {allowed[0]}}}",
            )
        result.append(value or str(own))
    return result[0], result[1]


def _system(hdu: HDU) -> str:
    """Return the coordinates that the header states; "" if it states none."""
    text = str(hdu.cards.get("COORDSYS", "")).strip()
    return _CODES.get(text.upper(), text)


def _values(file: BinaryIO, hdu: HDU, pixels: int) -> Array:
    """Return the completeness of all pixels."""
    record = _record(hdu)
    explicit = str(hdu.cards.get("INDXSCHM", "IMPLICIT")).strip().upper() == "EXPLICIT"
    if explicit and hdu.count("TFIELDS") < 2:
        raise HeaderError(f"{hdu.where}@TFIELDS", "one column", "pixel numbers, and a column")
    n = 1 + explicit
    values, seen = np.zeros(pixels), np.zeros(pixels, dtype=bool)
    done = 0
    for _, rows in read_rows(file, hdu, record, _CHUNK_ROWS, must_have_sum=False):
        part = _column(hdu, n, rows)
        first = done + _first_pixel(hdu)
        at = _column(hdu, 1, rows) if explicit else np.arange(first, first + len(part))
        done += len(part)
        if len(at) != len(part) or np.any((at < 0) | (at >= pixels) | (at % 1 != 0)):
            raise BadValueError(hdu.where, "pixels that do not exist", f"0 to {pixels - 1}")
        at = at.astype(np.int64)
        if seen[at].any() or len(np.unique(at)) < len(at):
            raise BadValueError(hdu.where, "pixels that are repeated", "each pixel once")
        seen[at], values[at] = True, part
    if not (explicit or _first_pixel(hdu) or hdu.cards.get("LASTPIX")) and done != pixels:
        raise HeaderError(
            f"{hdu.where}@NSIDE",
            f"{done} pixels",
            f"{pixels}, 12 NSIDE^2",
            "correct NSIDE, or write all pixels",
        )
    return values


def _first_pixel(hdu: HDU) -> int:
    return hdu.count("FIRSTPIX") if "FIRSTPIX" in hdu.cards else 0


def _record(hdu: HDU) -> np.dtype[Any]:
    """Return the type of a row, whose columns are called ``f1``, ``f2``, and so on."""
    fields: list[Any] = []
    for n in range(1, hdu.count("TFIELDS") + 1):
        match = _FORMAT.fullmatch(hdu.text(f"TFORM{n}").strip())
        if match is None:
            raise HeaderError(
                f"{hdu.where}@TFORM{n}",
                shown(hdu.cards[f"TFORM{n}"]),
                "a column of numbers",
                "write the map alone to a file",
            )
        fields.append((f"f{n}", _TYPES[match[2]], (int(match[1] or 1),)))
    record = np.dtype(fields)
    if record.itemsize != hdu.count("NAXIS1"):
        raise HeaderError(
            f"{hdu.where}@NAXIS1", f"{hdu.count('NAXIS1')}", f"{record.itemsize}, by its columns"
        )
    return record


def _column(hdu: HDU, n: int, rows: Array) -> Array:
    """Return the numbers of a column, one after the other, as its scale and zero say."""
    raw = rows[f"f{n}"].ravel()
    if hdu.text(f"TFORM{n}").strip().endswith("L"):
        return np.asarray(raw == ord("T"), dtype=np.float64)
    scale, zero = hdu.cards.get(f"TSCAL{n}", 1), hdu.cards.get(f"TZERO{n}", 0)
    if not all(isinstance(x, int | float) for x in (scale, zero)):
        raise HeaderError(f"{hdu.where}@TZERO{n}", shown((scale, zero)), "two numbers")
    return np.asarray(raw, dtype=np.float64) * float(scale or 0) + float(zero or 0)

"""Headers and tables of untrusted FITS files, read without trusting what they declare.

Only what tables need is supported (FITS standard 4.0, sections 3 and 4), and nothing is guessed.
Headers are read up to a limit, sizes are compared with the file's before memory is allocated, and
the checksums of the standard are verified here, because astropy only warns of a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptFileError, HeaderError, UnsafeInputError, shown
from ..memory import BOMB_BYTES, BOMB_RATIO
from .fits_checksum import ALL_ONES, BLOCK, Checksum, padded
from .gzipped import size_of

MAX_HEADER = 1 << 24  # bytes, or 200,000 cards
AGAIN = "copy the file again and compare its checksum with the source's, or make it again"

Value = str | int | float | bool | None

_CARD = 80
_PIECE = 1 << 20  # bytes read at a time to check data
_MOST_BYTES = 1 << 62  # in an HDU
_STRING = re.compile(r" *'((?:[^']|'')*)' *(?:/.*)?")
_NUMBER = re.compile(r" *([+-]?(?:[0-9]+(\.[0-9]*)?|\.[0-9]+)([ED][+-]?[0-9]+)?) *(?:/.*)?")
_LOGICAL = re.compile(r" *([TF]) *(?:/.*)?")
_COMMENTARY = ("", "COMMENT", "HISTORY")


@dataclass(frozen=True)
class HDU:
    """A header, and the place of its data in the file.

    Parameters
    ----------
    where : str
        ``FILE:NAME``, for messages.
    name : str
        EXTNAME; PRIMARY for the first.
    cards : mapping of str to str, int, float, bool or None
        Values by keyword; None for a value that is no string, number or logical.
    repeated : tuple of str
        Keywords that occur more than once.
    plain : bool
        Whether the header holds only printable ASCII, as the standard requires.
    data_start, data_bytes : int
        Place and size of the data without the padding [bytes].
    header_sum : int
        Checksum of the header's words.
    """

    where: str
    name: str
    cards: dict[str, Value]
    repeated: tuple[str, ...]
    plain: bool
    data_start: int
    data_bytes: int
    header_sum: int

    @property
    def end(self) -> int:
        """Byte at which the next HDU starts."""
        return self.data_start + padded(self.data_bytes)

    def text(self, keyword: str) -> str:
        """Return a value that must be a string."""
        value = self.cards.get(keyword)
        if not isinstance(value, str):
            raise HeaderError(f"{self.where}@{keyword}", _shown(value), "a string", AGAIN)
        return value

    def count(self, keyword: str) -> int:
        """Return a value that must be an integer, 0 or more."""
        value = self.cards.get(keyword)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise HeaderError(f"{self.where}@{keyword}", _shown(value), "a count", AGAIN)
        return value


def _shown(value: object) -> str:
    return "no such value" if value is None else shown(value)


def read_hdu(
    file: BinaryIO, path: Path, start: int, *, whole: bool = True, expected: str = ""
) -> HDU:
    """Return the HDU whose header starts at byte ``start``.

    Parameters
    ----------
    file : binary file
    path : Path
        Name of the file, for messages.
    start : int
    whole : bool
        Whether all data of the HDU must be in the file.
    expected : str
        Name that it must have; "" for any.

    Raises
    ------
    CorruptFileError
        There is no header, or it is cut off or damaged; it has another name; or the data extend
        beyond the end of the file.
    UnsafeInputError
        The header is larger than `MAX_HEADER`, or the data are absurdly large.
    """
    place = "PRIMARY" if start == 0 else f"HDU at byte {start}"
    where = f"{path}:{expected or place}"
    raw = _raw_header(file, where, start)
    text = raw.decode("latin-1")
    cards, repeated = _values(where, text)
    name = "PRIMARY" if start == 0 else str(cards.get("EXTNAME") or "without a name")
    if expected not in ("", name):
        raise CorruptFileError(where, f"an HDU {shown(name)}", f"the HDU {expected}", AGAIN)
    header_sum = Checksum()
    header_sum.add(raw)
    hdu = HDU(
        f"{path}:{name}",
        name,
        cards,
        repeated,
        re.search(r"[^ -~]", text) is None,
        start + len(raw),
        _data_bytes(f"{path}:{name}", cards),
        header_sum.value,
    )
    if whole:
        _check_size(hdu, size_of(file))
    return hdu


def _raw_header(file: BinaryIO, where: str, start: int) -> bytes:
    raw = bytearray()
    file.seek(start)
    while True:
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise CorruptFileError(
                where,
                f"a file that ends at byte {start + len(raw) + len(block)}, in a header",
                "a whole header",
                AGAIN,
            )
        if not raw and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
            raise CorruptFileError(where, f"the bytes {block[:16]!r}", "a FITS header", AGAIN)
        raw += block
        for at in range(0, BLOCK, _CARD):
            if block.startswith(b"END".ljust(8), at):
                if block[at + 3 :].strip(b" "):
                    raise CorruptFileError(where, "text after the END of a header", "spaces", AGAIN)
                return bytes(raw)
        if len(raw) >= MAX_HEADER:
            raise UnsafeInputError(
                where,
                f"a header without END in {MAX_HEADER} bytes",
                "a shorter header",
                "do not use this file",
            )


def _values(where: str, text: str) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return values by keyword, and repeated keywords; join strings that have CONTINUE cards."""
    cards: dict[str, Value] = {}
    repeated: dict[str, None] = {}
    parts: list[str] = []  # of the string that the last card holds or continues
    last = ""

    def finish() -> None:
        if last and parts:
            cards[last] = "".join(parts).rstrip(" ")

    for at in range(0, len(text), _CARD):
        image = text[at : at + _CARD]
        keyword = image[:8].rstrip(" ")
        if keyword == "END":
            break
        if keyword == "CONTINUE" and parts and parts[-1].endswith("&"):
            match = _STRING.fullmatch(image[8:].rstrip(" "))
            if match is None:
                raise CorruptFileError(
                    where, f"the card {image.rstrip()!r}", "the continuation of a string", AGAIN
                )
            parts[-1] = parts[-1][:-1]
            parts.append(match[1].replace("''", "'"))
            continue
        finish()
        last, parts = "", []
        if keyword in _COMMENTARY or image[8:10] != "= ":
            continue
        if keyword in cards:
            repeated[keyword] = None
        value = _value(image[10:].rstrip(" "))
        cards[keyword] = value.rstrip(" ") if isinstance(value, str) else value
        if isinstance(value, str):
            last, parts = keyword, [value]
    finish()
    return cards, tuple(repeated)


def _value(text: str) -> Value:
    """Return the value in a card's bytes 11 to 80; a string keeps its trailing spaces."""
    if match := _STRING.fullmatch(text):
        return match[1].replace("''", "'")
    if match := _LOGICAL.fullmatch(text):
        return match[1] == "T"
    if match := _NUMBER.fullmatch(text):
        if match[2] is None and match[3] is None and "." not in match[1]:
            return int(match[1])
        return float(match[1].replace("D", "E"))
    return None


def _data_bytes(where: str, cards: dict[str, Value]) -> int:
    def whole(keyword: str, default: int | None = None) -> int:
        value = cards.get(keyword, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise CorruptFileError(f"{where}@{keyword}", _shown(value), "an integer", AGAIN)
        return value

    axes = whole("NAXIS")
    if not 0 <= axes <= 999:
        raise CorruptFileError(f"{where}@NAXIS", f"{axes}", "0 to 999", AGAIN)
    sizes = [whole(f"NAXIS{n}") for n in range(1, axes + 1)]
    word = abs(whole("BITPIX")) // 8
    heap, groups = whole("PCOUNT", 0), whole("GCOUNT", 1)
    if min([*sizes, heap, groups]) < 0:
        raise CorruptFileError(
            where, f"sizes {shown(sizes)}, {heap}, {groups}", "none below 0", AGAIN
        )
    # Python's integers: a product of hostile sizes overflows NumPy's.
    size = word * groups * (heap + prod(sizes)) if sizes else 0
    if size >= _MOST_BYTES:
        raise UnsafeInputError(
            where,
            "more bytes of data declared than any file has",
            f"fewer than {_MOST_BYTES}",
            "do not use this file",
        )
    return size


def _check_size(hdu: HDU, size: int) -> None:
    if hdu.data_bytes > BOMB_BYTES and hdu.data_bytes > BOMB_RATIO * size:
        raise UnsafeInputError(
            hdu.where,
            f"{hdu.data_bytes} bytes of data declared in a file of {size} bytes",
            f"at most {BOMB_RATIO} times the file",
            "do not use this file",
        )
    if hdu.end > size:
        raise CorruptFileError(
            hdu.where, f"a file of {size} bytes, cut off", f"{hdu.end} bytes or more", AGAIN
        )


def check_header(hdu: HDU) -> int:
    """Check the header's checksum; return DATASUM.

    Raises
    ------
    CorruptFileError
        The header fails its CHECKSUM; or there is no CHECKSUM or no DATASUM.
    """
    stated = [hdu.cards.get(keyword) for keyword in ("DATASUM", "CHECKSUM")]
    if not isinstance(stated[0], str) or not isinstance(stated[1], str):
        raise CorruptFileError(hdu.where, "no DATASUM or no CHECKSUM", "both", AGAIN)
    if not re.fullmatch(r"[0-9]{1,10}", stated[0]) or int(stated[0]) > ALL_ONES:
        raise CorruptFileError(f"{hdu.where}@DATASUM", _shown(stated[0]), "a sum", AGAIN)
    whole = Checksum(hdu.header_sum + int(stated[0])).value
    if whole != ALL_ONES:
        raise CorruptFileError(
            hdu.where, f"an HDU with checksum {whole}", f"{ALL_ONES}, by its CHECKSUM", AGAIN
        )
    return int(stated[0])


def _check_data(hdu: HDU, found: int, stated: int, padding: memoryview) -> None:
    if any(padding):  # the checksum does not distinguish a word of zeros from one of ones
        raise CorruptFileError(hdu.where, "padding that is not empty", "zeros", AGAIN)
    if found != stated:
        raise CorruptFileError(hdu.where, f"data with checksum {found}", f"DATASUM {stated}", AGAIN)


def _fill(file: BinaryIO, hdu: HDU, buffer: memoryview) -> None:
    """Fill all of ``buffer`` from the file."""
    done = 0
    while done < len(buffer):
        count = file.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            raise CorruptFileError(
                hdu.where, f"a file that ends at byte {file.tell()}", f"{hdu.end} bytes", AGAIN
            )
        done += count


def read_data(file: BinaryIO, hdu: HDU, limit: int) -> bytes:
    """Return all data of a small HDU, checked.

    Raises
    ------
    CorruptFileError
        The data fail their DATASUM.
    UnsafeInputError
        The data are larger than ``limit`` bytes.
    """
    stated = check_header(hdu)
    if hdu.data_bytes > limit:
        raise UnsafeInputError(
            hdu.where,
            f"{hdu.data_bytes} bytes of data",
            f"at most {limit}",
            "do not use this file",
        )
    data = bytearray(padded(hdu.data_bytes))
    file.seek(hdu.data_start)
    _fill(file, hdu, memoryview(data))
    total = Checksum()
    total.add(data)
    _check_data(hdu, total.value, stated, memoryview(data)[hdu.data_bytes :])
    return bytes(data[: hdu.data_bytes])


def check_data(file: BinaryIO, hdu: HDU) -> None:
    """Check header and data of an HDU, reading the data in pieces.

    Raises
    ------
    CorruptFileError
        The header or the data fail their checksum, or there is none.
    """
    stated, total = check_header(hdu), Checksum()
    buffer = memoryview(bytearray(min(_PIECE, hdu.data_bytes)))
    file.seek(hdu.data_start)
    for start in range(0, hdu.data_bytes, _PIECE):
        piece = buffer[: min(_PIECE, hdu.data_bytes - start)]
        _fill(file, hdu, piece)
        total.add(piece)
    padding = memoryview(bytearray(padded(hdu.data_bytes) - hdu.data_bytes))
    _fill(file, hdu, padding)
    total.add(padding)
    _check_data(hdu, total.value, stated, padding)


def read_rows(
    file: BinaryIO,
    hdu: HDU,
    record: np.dtype[Any],
    chunk_rows: int,
    *,
    must_have_sum: bool = True,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the rows of a table in order, in chunks; each chunk overwrites the one before.

    Parameters
    ----------
    file : binary file
    hdu : HDU
    record : dtype
        Big-endian type of a row, as in the file.
    chunk_rows : int
        Rows held at a time, at least 4.
    must_have_sum : bool
        Whether a table without CHECKSUM and DATASUM, which the standard does not ask for, is
        refused.

    Yields
    ------
    start : int
        Index of the first row.
    rows : ndarray of ``record``

    Raises
    ------
    CorruptFileError
        The data fail their DATASUM; raised after the last chunk.
    """
    summed = must_have_sum or {"DATASUM", "CHECKSUM"} <= hdu.cards.keys()
    stated, total = check_header(hdu) if summed else 0, Checksum()
    heap = hdu.cards.get("PCOUNT") or 0  # bytes of columns of variable length, after the rows
    rows = (hdu.data_bytes - int(heap)) // record.itemsize
    step = max(4, chunk_rows // 4 * 4)  # whole words of the checksum for any length of a row
    buffer, padding = bytearray(min(step, rows) * record.itemsize + BLOCK), memoryview(b"")
    file.seek(hdu.data_start)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        size = (stop - start) * record.itemsize
        # the last piece includes the padding, or whole words of the heap
        last = hdu.end - file.tell() if not heap else -(-size // 4) * 4
        view = memoryview(buffer)[: size if stop < rows else last]
        _fill(file, hdu, view)
        total.add(view)
        padding = view[size:] if not heap else memoryview(b"")
        yield start, np.frombuffer(view[:size], dtype=record)
    while summed and file.tell() < hdu.end:
        view = memoryview(buffer)[: min(BLOCK, hdu.end - file.tell())]
        _fill(file, hdu, view)
        total.add(view)
    if summed:
        _check_data(hdu, total.value, stated, padding)

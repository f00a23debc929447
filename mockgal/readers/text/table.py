"""Large text tables of numbers from untrusted files: read in pieces, each line checked.

A table consists of lines with the same number of values, separated by blanks. Lines that begin
with # are comments; the first names the columns. The file may be compressed with gzip. Memory is
allocated for what is read, never for what a file declares, and no line longer than `MAX_LINE` is
held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, CorruptFileError
from ...system.memory import PEAK, check_memory
from ...types import SourceFile
from .stream import COPY_AGAIN, MAX_LINE, Stream, lines

Array = NDArray[Any]

MAX_COMMENTS = 1 << 20  # bytes of comments before the first row
_HARD = 1 << 16  # most numbers at a time that take more than one operation to convert
_SPECIAL = (b"nan", b"inf", b"infinity")  # also with a sign, as C writes and reads them
_SHOWN = 40  # most characters of a value in a message
_MEND = "fetch or write the list again"


class Head(NamedTuple):
    """The beginning of a table: its first comments, and the width of its first row.

    Parameters
    ----------
    comments : tuple of str
        The comments, without their #; the first names the columns.
    width : int
        Number of values in the first row; 0 if there are no rows.
    compressed : bool
        Whether the file is compressed with gzip.
    """

    comments: tuple[str, ...]
    width: int
    compressed: bool


class Wanted(NamedTuple):
    """A column to read: its number, from 0, and whether it holds integers."""

    place: int
    integer: bool = False


def read_head(path: Path) -> Head:
    """Return the comments before the first row, and how many values that row has.

    Raises
    ------
    InputError
        Not a file, or not readable.
    CorruptFileError
        Too many bytes of comments, or a comment that is too long.
    """
    comments: list[str] = []
    stream, size = Stream(path), 0
    for data, end, _ in lines(stream, 1 << 16):
        for line in data[: end - 1].split(b"\n"):
            text = line.strip()
            if text and not text.startswith(b"#"):
                return Head(tuple(comments), len(text.split()), stream.compressed)
            size += len(line) + 1
            if size > MAX_COMMENTS or len(line) > MAX_LINE:
                raise CorruptFileError(
                    path,
                    f"{size} bytes of comments in {len(comments) + 1} lines, and no row",
                    f"at most {MAX_COMMENTS} bytes, in lines of at most {MAX_LINE}",
                    "check that this is the right file",
                )
            if text:
                comments.append(text[1:].decode("utf-8", "replace"))
    return Head(tuple(comments), 0, stream.compressed)


class Rows:
    """The rows of a table, in pieces.

    Parameters
    ----------
    path : Path
    head : Head
        The result of `read_head`; its first comment must not be repeated.
    columns : mapping of str to Wanted
        Columns to read, by their names in the pieces. Values of other columns are counted, but not
        converted.
    labels : mapping of str to str
        Names of these columns in messages.
    width : int
        Number of values in a row.
    chunk_rows : int
        Most rows in a piece.

    Attributes
    ----------
    rows : int
        Rows so far.
    fraction : float
        Fraction of the file that they come from.
    dotted : dict of str to int
        First row in which a column of integers has one written as a float (16.0, 1.6e+01).
    rounded : dict of str to int
        First row in which such a float lacks digits before the point (1.5e+07).
    source : SourceFile
        The file, after the last row has been read.
    """

    source: SourceFile

    def __init__(
        self,
        path: Path,
        head: Head,
        columns: Mapping[str, Wanted],
        labels: Mapping[str, str],
        width: int,
        chunk_rows: int,
    ) -> None:
        self.path, self.rows, self.fraction = path, 0, 0.0
        self._head, self._labels, self._chunk_rows = head, labels, chunk_rows
        # Names of the columns of floats, then of integers, in the order of their arrays' rows.
        self._names = [[n for n, c in columns.items() if c.integer == kind] for kind in (0, 1)]
        self._slot = np.full(width, -1)
        self._integer = np.zeros(width, dtype=bool)
        for kind, names in enumerate(self._names):
            place = [columns[name].place for name in names]
            self._slot[place], self._integer[place] = np.arange(len(place)), kind == 1
        self.dotted: dict[str, int] = {}
        self.rounded: dict[str, int] = {}
        self._lines = self._comments = 0  # lines before the block; bytes of comments among rows

    def __iter__(self) -> Iterator[dict[str, Array]]:
        """Yield pieces: an array of shape (n,) for each column, float64 or int64.

        Raises
        ------
        CorruptFileError
            A line that has another number of values, is too long, is cut off, or is not text.
        BadValueError
            A value that is not a number, not an integer in a column of integers, or too large.
        UnsafeInputError
            Compressed data that expand beyond any plausible size.
        """
        stream = Stream(self.path, digest=True)
        for data, end, ended in lines(stream):
            self.fraction = stream.taken / max(stream.size, 1)
            for floats, integers in self._blocks(data, end, ended):
                self.rows += floats.shape[1]
                yield {
                    name: values
                    for names, array in zip(self._names, (floats, integers), strict=True)
                    for name, values in zip(names, array, strict=True)
                }
            self._lines += data.count(b"\n", 0, end)
        self.source = SourceFile(str(self.path), stream.size, stream.digest())

    def _blocks(self, data: bytes, end: int, ended: bool) -> Iterator[tuple[Array, Array]]:
        """Yield the floats and integers of rows in whole lines, each of shape (columns, rows)."""
        from . import kernel

        scan, width = kernel.scan(), len(self._slot)
        text = np.frombuffer(data, dtype=np.uint8)
        hard = np.empty((max(_HARD, width), 5), dtype=np.int64)
        pos = 0
        while pos < end:
            # A value takes at least two bytes, so memory is bounded by the bytes that are present.
            capacity = min(self._chunk_rows, (end - pos) // (2 * max(width, 1)) + 1)
            floats = np.empty((len(self._names[0]), capacity))
            integers = np.empty((len(self._names[1]), capacity), dtype=np.int64)
            dotted = np.full((len(self._names[1]), 2), -1)
            filled = 0
            while pos < end and filled < capacity:
                code, pos, filled, left, begin, column = scan(
                    text,
                    pos,
                    end,
                    MAX_LINE,
                    filled,
                    self._slot,
                    self._integer,
                    floats,
                    integers,
                    hard,
                    dotted,
                )
                self._exact(data, hard[:left], floats)
                if code == kernel.COMMENT:
                    self._check_comment(data, begin, pos, self.rows + filled)
                elif code == kernel.COUNT:
                    raise self._wrong_count(data, begin, column, ended)
                elif code != kernel.DONE:
                    raise self._refusal(code, data, begin, pos, column, ended)
            for kept, first in zip((self.dotted, self.rounded), dotted.T, strict=True):
                for item in np.flatnonzero(first >= 0):
                    kept.setdefault(self._names[1][item], self.rows + int(first[item]))
            if filled and not ended and self._slot[-1] >= 0:
                raise CorruptFileError(
                    self._at(data, 0),
                    "a last line without a newline, whose last number may be cut off",
                    "a newline at the end of the file",
                    f"{COPY_AGAIN}; if the line is whole, add a newline",
                )
            if filled:
                yield floats[:, :filled], integers[:, :filled]

    def _at(self, data: bytes, pos: int, name: str = "") -> str:
        """Return ``FILE:NAME, line N`` of a place in a block."""
        line = self._lines + data.count(b"\n", 0, pos) + 1
        return f"{self.path}{f':{self._labels[name]}' if name else ''}, line {line}"

    def _exact(self, data: bytes, hard: Array, floats: Array) -> None:
        """Fill in the floats that take more than one operation; raise if one is not a number."""
        slots, rows, first, last, decimal = hard.T
        words = [data[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        for item in np.flatnonzero(decimal == 0):
            word = words[item]
            if word.lower().lstrip(b"+-") not in _SPECIAL or word[1:2] in (b"+", b"-"):
                name = self._names[0][slots[item]]
                raise self._no_number(self._at(data, int(first[item]), name), word)
        numbers = np.fromiter(map(float, words), np.float64, len(words))
        large = np.flatnonzero(np.isinf(numbers) & (decimal == 1))
        if large.size:
            item = large[0]
            where = self._at(data, int(first[item]), self._names[0][slots[item]])
            raise BadValueError(where, _shown(words[item]), "a number up to 1.797e308", _MEND)
        floats[slots, rows] = numbers

    @staticmethod
    def _no_number(where: str, word: bytes) -> BadValueError:
        fix = _MEND
        if word.startswith(b"*") or word.count(b".") > 1:
            fix = "write the list again with wider columns: these ran into each other"
        return BadValueError(where, _shown(word), "a decimal number", fix)

    def _wrong_count(self, data: bytes, begin: int, count: int, ended: bool) -> CorruptFileError:
        cut = "" if ended else " in the last line, which has no newline"
        return CorruptFileError(
            self._at(data, begin),
            f"{count} values{cut}",
            f"{len(self._slot)}, as in the first row",
            "the file was cut off: " * (not ended) + COPY_AGAIN,
        )

    def _refusal(
        self, code: int, data: bytes, begin: int, pos: int, column: int, ended: bool
    ) -> CorruptFileError | BadValueError:
        """Return the error for a fault that the compiled code found."""
        from . import kernel

        if code == kernel.LONG:
            return CorruptFileError(
                self._at(data, begin),
                f"a line longer than {MAX_LINE} bytes",
                "lines of numbers",
                "check that this is the right file",
            )
        if code == kernel.BYTE:
            return CorruptFileError(
                self._at(data, begin),
                f"the byte 0x{data[pos]:02x} in value {column + 1}",
                "plain text",
                COPY_AGAIN,
            )
        name = self._names[1][self._slot[column]]
        word = data[pos : pos + MAX_LINE].split(maxsplit=1)[0]
        where = self._at(data, begin, name)
        if code == kernel.MALFORMED:
            return self._no_number(where, word)
        count = len(data[begin : data.find(b"\n", begin)].split())
        if count != len(self._slot):  # an extra or missing value has shifted the others
            return self._wrong_count(data, begin, count, ended)
        if code == kernel.FRACTION:
            return BadValueError(where, _shown(word), "an integer", _MEND)
        return BadValueError(
            where,
            _shown(word),
            "an integer of 64 bits, below 2^63",
            "renumber the halos, in the columns of ids and of parents alike",
        )

    def _check_comment(self, data: bytes, begin: int, end: int, rows: int) -> None:
        """Raise if a comment among the rows is the head of another table, or comments are many."""
        self._comments += end - begin
        words = data[begin:end].lstrip()[1:].split(maxsplit=2)[:2]
        if rows and words == self._head.comments[0].encode().split(maxsplit=2)[:2]:
            raise CorruptFileError(
                self._at(data, begin),
                f"another head, {_shown(b' '.join(words))}, among the rows",
                "one table",
                "separate the tables: the file contains several",
            )
        if self._comments > 2 * MAX_COMMENTS:
            raise CorruptFileError(
                self._at(data, begin),
                f"{self._comments} bytes of comments",
                f"at most {2 * MAX_COMMENTS}",
                "remove the comments among the rows",
            )


def line_of(path: Path, row: int) -> int | None:
    """Return the number, from 1, of the line that holds a row; None if there is no such row."""
    seen, line = 0, 0
    for data, end, _ in lines(Stream(path), 1 << 20):
        for text in data[: end - 1].split(b"\n"):
            line += 1
            if text.strip() and not text.lstrip().startswith(b"#"):
                if seen == row:
                    return line
                seen += 1
    return None


def _shown(word: bytes) -> str:
    return repr(word.decode("ascii", "backslashreplace")[:_SHOWN])


def check_kept(path: Path, kept: int, fraction: float) -> None:
    """Raise if the columns kept of a table will not fit into memory.

    Parameters
    ----------
    path : Path
    kept : int
        Bytes kept of the rows read so far.
    fraction : float
        Fraction of the file that they come from.

    Raises
    ------
    ResourceError
        They will not: checking a catalogue takes `PEAK` times as much.
    """
    check_memory(str(path), int(PEAK * kept / max(fraction, 1e-9)) - kept)

"""Untrusted text files as blocks of whole lines, plain or compressed with gzip, bzip2 or xz.

Neither whole files nor lines longer than `MAX_LINE` are ever held. Compressed data that expand
beyond any plausible size are refused.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...errors import CorruptFileError, InputError, MockgalError, UnsafeInputError
from ..hdf5 import safe
from . import engines

MAX_LINE = 1 << 14  # most bytes in a line
# Decompressed data are refused above both this size and this ratio; tables have ratios of 3 to 10.
BOMB_BYTES, BOMB_RATIO = 64 << 20, 100
COPY_AGAIN = "copy or download the file again and compare its checksum with the source's"
_BLOCK = 8 << 20


class Stream:
    """The bytes of a file, hashed and decompressed as they are read."""

    def __init__(self, path: Path, *, digest: bool = False) -> None:
        check(path)
        self.path, self.size, self.taken = path, os.stat(path).st_size, 0
        self.compressed = False
        self._hash = hashlib.sha256() if digest else None

    def digest(self) -> str:
        """Return the digest of all bytes, after the last block."""
        return self._hash.hexdigest() if self._hash else ""

    def file(self) -> io.BufferedReader:
        """Return the text as a file to read once, from its beginning."""
        return io.BufferedReader(_Blocks(self.blocks()), 1 << 20)

    def blocks(self, length: int = _BLOCK) -> Generator[bytes, None, None]:
        """Yield the text, in blocks of at most ``length`` bytes."""
        raw = self._raw(length)
        first = next(raw, b"")
        self.compressed = any(first.startswith(kind.magic) for kind in engines.KINDS)
        if self.compressed:
            yield from self._decompressed(first, raw, length)
        elif first:
            yield first
            yield from raw

    def _raw(self, length: int) -> Iterator[bytes]:
        """Yield blocks of the file; another thread hashes one while the caller works on it."""
        with ThreadPoolExecutor(1) as pool:
            digested: Future[None] | None = None
            try:
                with open(self.path, "rb", buffering=0) as file:
                    while block := file.read(length):
                        self.taken += len(block)
                        if self._hash is not None:
                            if digested is not None:
                                digested.result()
                            digested = pool.submit(self._hash.update, block)
                        yield block
                    size = os.fstat(file.fileno()).st_size
            except OSError as error:
                raise InputError(
                    self.path,
                    f"a read error ({error.strerror})",
                    "a readable file",
                    "check the disk",
                ) from error
        if not self.size == self.taken == size:
            raise CorruptFileError(
                self.path,
                f"{self.taken} bytes where there were {self.size}, and {size} at the end",
                "a file that no program is writing",
                "wait until the program that writes it has ended",
            )

    def _decompressed(self, first: bytes, raw: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the text of one part after another: gzip, bzip2 and xz allow several."""
        kind = next(kind for kind in engines.KINDS if first.startswith(kind.magic))
        engine, total, data = engines.Engine(kind), 0, first
        while True:
            try:
                text = engine.decompress(data, length)
            except engines.ERRORS as error:
                raise CorruptFileError(
                    self.path,
                    f"{kind.name} data that are damaged ({error})",
                    "intact data",
                    COPY_AGAIN,
                ) from error
            data = b""
            total += len(text)
            if total > BOMB_BYTES and total > BOMB_RATIO * self.taken:
                raise UnsafeInputError(
                    self.path,
                    f"{self.taken} compressed bytes that expand to {total} and more",
                    f"at most {BOMB_RATIO} times as many, more than any table needs",
                    "do not use this file",
                )
            if text:
                yield text
            if engine.ended:
                data = engine.left.lstrip(b"\0")  # padding, which the formats allow
                while not data and (more := next(raw, b"")):
                    data = more.lstrip(b"\0")
                if not data:
                    return
                engine = engines.Engine(kind)
            elif engine.needs_input(len(text), length):
                data = next(raw, b"")
                if not data:
                    raise CorruptFileError(
                        self.path,
                        f"{kind.name} data that end too early",
                        "the whole file",
                        COPY_AGAIN,
                    )


class _Blocks(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")

    def close(self) -> None:
        """Close the file that the blocks come from."""
        self._blocks.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were."""
        while not self._rest and (block := next(self._blocks, b"")):
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def check(path: Path) -> None:
    """Raise if a path is not an ordinary, readable file.

    Raises
    ------
    InputError
        Missing, a directory, a pipe or device, or not readable.
    """
    try:
        safe.check_regular(path)
    except InputError as error:
        raise InputError(path, error.found, "a text file", error.fix) from error


def lines(stream: Stream, length: int = _BLOCK) -> Iterator[tuple[bytes, int, bool]]:
    """Yield blocks of whole lines: bytes, their number, and whether the last line had a newline.

    A line that is too long is cut to one byte more than `MAX_LINE`, which is still too long.
    """
    carry = b""
    for block in stream.blocks(length):
        data = carry + block
        end = data.rfind(b"\n") + 1
        if end:
            yield data, end, True
        carry = data[end:]
        if len(carry) > MAX_LINE:
            break
    if carry:
        carry = carry[: MAX_LINE + 1] + b"\n"
        yield carry, len(carry), False


def begins_with(path: Path) -> str:
    """Return the first line of a file, plain or compressed, without its newline; "" if not text."""
    try:
        data, _, _ = next(lines(Stream(path), MAX_LINE))
    except (StopIteration, MockgalError):
        return ""
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if len(line) > MAX_LINE or any(c < 32 and c != 9 for c in line):
        return ""
    return line.decode("ascii") if line.isascii() else ""

"""Decompression of gzip, bzip2 and xz in bounded pieces, all in one way."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any, NamedTuple

_MOST_MEMORY = 256 << 20  # bytes that xz may ask for; its largest preset asks for 65 MiB


class Kind(NamedTuple):
    """A kind of compression: its name and the bytes that each of its parts begins with."""

    name: str
    magic: bytes


KINDS = (Kind("gzip", b"\x1f\x8b"), Kind("bzip2", b"BZh"), Kind("xz", b"\xfd7zXZ\0"))
ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class Engine:
    """A decompressor of one part of a file.

    Parameters
    ----------
    kind : Kind
    """

    def __init__(self, kind: Kind) -> None:
        self._engine: Any
        if kind.name == "gzip":
            self._engine = zlib.decompressobj(31)
        elif kind.name == "bzip2":
            self._engine = bz2.BZ2Decompressor()
        else:
            self._engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
        self._is_zlib = kind.name == "gzip"
        self._tail = b""

    def decompress(self, data: bytes, length: int) -> bytes:
        """Return at most ``length`` bytes of text, from bytes kept and the new ones."""
        if not self._is_zlib:
            return bytes(self._engine.decompress(data, length))
        text = self._engine.decompress(self._tail + data, length)
        self._tail = self._engine.unconsumed_tail
        return bytes(text)

    @property
    def ended(self) -> bool:
        """Whether the part has ended."""
        return bool(self._engine.eof)

    @property
    def left(self) -> bytes:
        """Bytes that follow the part, once it has ended."""
        return bytes(self._engine.unused_data)

    def needs_input(self, produced: int, length: int) -> bool:
        """Return whether more bytes are needed after a call that gave so many of ``length``."""
        if self._is_zlib:
            return not self._tail and produced < length
        return bool(self._engine.needs_input)

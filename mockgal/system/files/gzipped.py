"""Files compressed with gzip: equal content gives equal bytes, and reading is bounded."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from ...errors import CorruptFileError, InputError, UnsafeInputError

MAGIC = b"\x1f\x8b"
_LEVEL = 4  # of 1 to 9: 6 takes half as long again for 1% less
# Content is refused above both this size and this ratio to the file; mocks have ratios of 1 to 2.
_BOMB_BYTES, _BOMB_RATIO = 64 << 20, 100
_PIECE = 1 << 20
_AGAIN = "copy the file again and compare its checksum with the source's, or make it again"


def compressed(file: BinaryIO) -> gzip.GzipFile:
    """Return a file that compresses into ``file``, without name and time in its header."""
    return gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)


class _Gunzipped(gzip.GzipFile):
    """The content of a file, which is decompressed as it is read; going back starts anew."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.path = path

    @cached_property
    def content_size(self) -> int:
        """The size of the content [bytes], for which all of it is read, and its sum checked."""
        file_size, total = os.stat(self.path).st_size, 0
        self.seek(0)
        while piece := self.read(_PIECE):
            total += len(piece)
            if total > _BOMB_BYTES and total > _BOMB_RATIO * file_size:
                raise UnsafeInputError(
                    self.path,
                    f"{file_size} compressed bytes that expand to {total} and more",
                    f"at most {_BOMB_RATIO} times as many",
                    "do not use this file",
                )
        return total


def size_of(file: BinaryIO) -> int:
    """Return the size of a file, or that of its content if `opened` decompresses it [bytes].

    Raises
    ------
    UnsafeInputError
        The content is absurdly large.
    """
    content_size: int | None = getattr(file, "content_size", None)  # of `_Gunzipped`
    if content_size is not None:
        return content_size
    return os.fstat(file.fileno()).st_size


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, and decompress it if it begins as gzip does.

    Raises
    ------
    InputError
        The file cannot be opened.
    CorruptFileError
        Compressed data that are read in the block are cut off or damaged.
    """
    try:
        file: BinaryIO = open(path, "rb")  # noqa: SIM115 - closed below
        begin = file.read(len(MAGIC))
        file.seek(0)
    except OSError as error:
        raise InputError(path, str(error), "a file that can be read") from error
    with file:
        if begin != MAGIC:
            yield file
            return
    try:
        with _Gunzipped(path) as content:
            yield cast(BinaryIO, content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorruptFileError(
            path, f"gzip data that are cut off or damaged ({error})", "intact data", _AGAIN
        ) from error

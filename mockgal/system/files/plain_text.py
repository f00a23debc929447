"""Small text files from untrusted sources: ordinary files only, of bounded size, in UTF-8."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from ...errors import InputError, UnsafeInputError

# Opening a pipe without a writer would block; a terminal would become the controlling terminal.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@contextmanager
def ordinary_file(
    path: Path, expected: str, *, fix: str = "give the path of one that you may read"
) -> Iterator[BufferedReader]:
    """Open an ordinary file to read its bytes; pipes could hang, and devices never end.

    The check is made on the open file, so that the file cannot be replaced between check and use.

    Parameters
    ----------
    path : Path
    expected, fix : str
        What the file should be, and what the user can do, for messages.

    Raises
    ------
    InputError
        The path is not an ordinary file, or cannot be read.
    """
    try:
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(path, f"no readable file ({reason})", expected, fix) from error
    with open(handle, "rb") if _is_ordinary(handle) else _refused(path, handle, expected) as stream:
        yield stream


def _is_ordinary(handle: int) -> bool:
    return stat.S_ISREG(os.fstat(handle).st_mode)


def _refused(path: Path, handle: int, expected: str) -> BufferedReader:
    kind = "a folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "a pipe or a device"
    os.close(handle)
    raise InputError(
        path, f"{kind}, not an ordinary file", expected, "give the path of a file on disk"
    )


def read_text(path: Path, most: int, expected: str, *, fix: str) -> str:
    """Return the text of an ordinary file, without a byte order mark.

    Parameters
    ----------
    path : Path
    most : int
        Maximum size in bytes, applied to the bytes read: some files grow, or state no size.
    expected, fix : str
        See `ordinary_file`.

    Raises
    ------
    InputError
        The path is not an ordinary file, cannot be read, or is not in UTF-8.
    UnsafeInputError
        The file is longer than ``most``.
    """
    with ordinary_file(path, expected, fix=fix) as stream:
        try:
            content = stream.read(most + 1)
        except OSError as error:
            raise InputError(path, f"no readable file ({error})", expected, fix) from error
    if len(content) > most:
        raise UnsafeInputError(path, f"more than {most:,} bytes", expected, fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            path,
            f"the byte {content[error.start : error.start + 1]!r} in line {line}, which is no text "
            "in UTF-8",
            expected,
            f"save it in UTF-8, if it is text; or {fix}",
        ) from error

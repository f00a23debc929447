"""Small text files from untrusted sources: ordinary files only, of bounded size, in UTF-8."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from io import BufferedReader
from itertools import islice
from pathlib import Path

from ...errors import InputError, UnsafeInputError

# Opening a pipe without a writer would block; a terminal would become the controlling terminal.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LOOKED_AT = 10_000  # names in a folder


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
        if isinstance(error, FileNotFoundError):
            raise absent(path, expected, fix=fix) from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(path, f"no readable file ({reason})", expected, fix) from error
    with open(handle, "rb") if _is_ordinary(handle) else _refused(path, handle, expected) as stream:
        yield stream


def absent(path: Path, expected: str, *, fix: str = "check the path") -> InputError:
    """Return the error of a path at which there is nothing, which says what there is near it.

    Parameters
    ----------
    path : Path
    expected, fix : str
        What should be there, and what the user can do.
    """
    return InputError(path, "no such file or folder", expected, f"{fix}; {_near(path)}")


def _near(path: Path) -> str:
    """Return what is known of the place of a path at which there is nothing."""
    folder = Path(os.path.dirname(os.path.abspath(path)))
    with suppress(OSError, ValueError):  # names that no file can have
        if folder.is_dir():
            names = [entry.name for entry in islice(os.scandir(folder), _LOOKED_AT)]
            if alike := get_close_matches(os.path.basename(os.path.abspath(path)), names, n=3):
                return f"near it there is {' and '.join(alike)}"
            return f"there is nothing like it in {folder}"
        while not folder.exists():
            missing, folder = folder.name, folder.parent
        return f"there is no {missing} in {folder}" if folder.is_dir() else f"{folder} is a file"
    return "there is nothing of this name"


def beside(path: Path, ending: str) -> Path:
    """Return the path of a file whose name is that of another, or of a folder, and an ending.

    The working directory ``.`` has a name, too.
    """
    return Path(f"{path if path.name else os.path.abspath(path)}{ending}")


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

"""Folders for scratch files, checked to exist and be writable before any work begins."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from ...errors import OutputError, UsageError, in_shell
from .lock import output_error

_MISSING = {
    errno.ENOENT: "no such folder",
    errno.ENOTDIR: "a file, not a folder",
    errno.ELOOP: "a circle of links",
}


def scratch_folder(folder: str | os.PathLike[str] | None, where: str = "scratch") -> Path:
    """Return the folder for scratch files.

    Parameters
    ----------
    folder : path-like or None
        None for the folder of TMPDIR or, without it, the system's.
    where : str
        Name of the option, for the message.

    Raises
    ------
    UsageError
        There is no such folder.
    OutputError
        The folder cannot be reached or written to, or no folder of the system has free space.
    """
    try:
        path = Path(tempfile.gettempdir() if folder is None else folder)
    except FileNotFoundError as error:  # Python tries to write a file in each
        raise OutputError(
            where,
            error.strerror or str(error),
            "a folder that scratch files can be written to",
            "free some space in one of these, or name another with --scratch or TMPDIR",
        ) from error
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except OSError as error:
        if error.errno not in _MISSING:
            raise output_error(where, error, "a folder that may be written to") from error
        fix = "name a folder" if error.errno != errno.ENOENT else f"mkdir -p {in_shell(path)}"
        found = f"{path}, {_MISSING[error.errno]}"
        raise UsageError(where, found, "a folder that exists", fix) from error
    except ValueError as error:  # a byte of 0
        raise UsageError(where, f"{path}: {error}", "a folder that exists", "name one") from error
    return path

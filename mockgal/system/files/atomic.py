"""The write protocol: an output appears whole and verified under its name, or not at all.

The file is written under a temporary name in the directory of the output, flushed to the disk,
reopened and verified, and then renamed. A lock (`mockgal.system.files.lock`) admits one run at a
time, and a signal ends a run between two steps, not within one.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import (
    InputError,
    InternalError,
    OutputError,
    OutputExistsError,
    ResourceError,
    UsageError,
    in_shell,
)
from .lock import WAY_OUT, output_error, output_lock, temporary_beside
from .signals import signals_deferred

_MARGIN = 1 << 20  # bytes beyond those expected that must be free: directory entries, lock, sidecar


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        path, "a file of this name", "none", "give another name, or --overwrite"
    )


def check_output(
    path: Path, overwrite: bool, inputs: Iterable[Path] = (), expected_bytes: int = 0
) -> None:
    """Refuse, before any work is done, an output that could not be written in the end.

    Parameters
    ----------
    path : Path
        The output.
    overwrite : bool
        Whether a file of that name may be replaced. A link is replaced, not followed; a pipe, a
        device or a socket is not.
    inputs : iterable of Path
        Files that the run reads; the output may be none of them, nor a link to one.
    expected_bytes : int
        Size of the output.

    Raises
    ------
    UsageError
        The output is an input.
    OutputExistsError
        The output exists and ``overwrite`` is false.
    OutputError
        There is no such directory, or it cannot be written to.
    ResourceError
        The disk has less space than ``expected_bytes``.
    """
    path, folder = Path(path), Path(path).parent
    if "\0" in str(path):
        raise UsageError(path, "a byte of 0 in a name", "the name of a file", "give another name")
    for source in inputs:
        with suppress(OSError, ValueError):  # one of the two does not exist: they are not the same
            if os.path.samefile(path, source):
                raise UsageError(
                    path,
                    f"an output that is the input {source}",
                    "another file",
                    "choose another name for the output",
                )
    try:
        if not folder.is_dir():
            raise OutputError(
                path,
                f"no directory {folder}",
                "a directory that exists",
                f"mkdir -p {in_shell(folder)}",
            )
        if path.is_dir():
            raise OutputError(path, "a directory", "the name of a file", "name a file in it")
        if os.path.lexists(path):
            if not overwrite:
                raise _exists(path)
            _check_replaceable(path)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                path,
                f"no permission to write in {folder}",
                "a directory that can be written to",
                WAY_OUT[errno.EACCES],
            )
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise output_error(path, error) from error
    if free < expected_bytes + _MARGIN:
        raise ResourceError(
            path,
            f"{free} bytes free in {folder}",
            f"{expected_bytes + _MARGIN} bytes",
            WAY_OUT[errno.ENOSPC],
        )


def _check_replaceable(path: Path) -> None:
    mode = os.lstat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OutputError(
            path,
            "a pipe, a device or a socket",
            "a file, which is written beside it and put in its place",
            "give another name",
        )


def _keep_access(path: Path, temporary: Path) -> None:
    """Give the new file the permissions of the file that it replaces, and the owner if allowed."""
    with suppress(FileNotFoundError):
        old = os.lstat(path)
        if not stat.S_ISREG(old.st_mode):
            return
        with suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
        with suppress(PermissionError):
            os.chmod(temporary, stat.S_IMODE(old.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))


@contextmanager
def atomic_output(
    path: Path,
    *,
    overwrite: bool,
    expected_bytes: int = 0,
    inputs: Iterable[Path] = (),
    verify: Callable[[Path], object] | None = None,
) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes ``path`` when the block ends well.

    Parameters
    ----------
    path, overwrite, inputs, expected_bytes
        As for `check_output`.
    verify : callable
        Called with the temporary path once the file is closed and on the disk; raises an
        `InputError`, or anything else, if the file is not right.

    Yields
    ------
    Path
        ``.<name>.<uuid>.part<ext>`` in the directory of ``path``; not yet there. Whatever is
        raised in the block, it is removed and ``path`` stays as it was. A file that it replaces
        gives it its permissions and, as far as allowed, its owner.

    Raises
    ------
    UsageError, OutputExistsError, OutputError, ResourceError
        As `check_output`; the output is locked; an `OSError` in the block.
    InternalError
        The file fails its verification.
    """
    path = Path(path)
    check_output(path, overwrite, inputs, expected_bytes)
    with output_lock(path), signals_deferred() as signals:
        check_output(path, overwrite)  # another run may have finished since
        temporary = temporary_beside(path)
        try:
            with signals.allowed():
                yield temporary
            _sync(temporary, os.O_RDONLY)
            if verify is not None:
                with signals.allowed():
                    _verified(path, temporary, verify)
            signals.check()
            if not overwrite and os.path.lexists(path):  # made without taking our lock
                raise _exists(path)
            _keep_access(path, temporary)
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except OSError as error:
            raise output_error(path, error) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _verified(path: Path, temporary: Path, verify: Callable[[Path], object]) -> None:
    try:
        verify(temporary)
    except InputError as error:  # the file is no input, but our own
        raise InternalError(
            path,
            f"that what was written fails its verification ({error})",
            "the file as it was meant",
            "write again; if it recurs, check the disk and memory",
        ) from error


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the new name last; where folders cannot be flushed the file system sees to it itself."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        # A folder may be written to and not be opened.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES):
            raise

"""The write protocol: an output appears complete and verified under its name, or not at all.

The file is written under a temporary name in the directory of the output, flushed to the disk,
reopened and verified, and then renamed. A lock (`mockgal.system.files.lock`) admits one run at a
time, and a signal ends a run between two steps, never within one. A folder is filled under a
temporary name in the same way.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from ...errors import (
    InputError,
    InternalError,
    OutputError,
    OutputExistsError,
    ResourceError,
    UnsafeInputError,
    UsageError,
    in_shell,
)
from .lock import WAY_OUT, output_error, output_lock, temporary_beside
from .signals import signals_deferred


class _Waiting(NamedTuple):
    """A file, or with ``is_ours`` a folder, that is complete under its temporary name."""

    path: Path
    temporary: Path
    overwrite: bool
    is_ours: Callable[[Path], bool] | None = None


_waiting: ContextVar[list[_Waiting] | None] = ContextVar("waiting", default=None)
_MARGIN = 1 << 20  # extra free bytes required, for directory entries, lock and sidecar


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        path, "a file of this name", "none", "give another name, or --overwrite"
    )


def check_output(
    path: Path, overwrite: bool, inputs: Iterable[Path] = (), expected_bytes: int = 0
) -> None:
    """Raise, before any work is done, if an output could not be written at the end.

    Parameters
    ----------
    path : Path
        The output.
    overwrite : bool
        Whether a file of that name may be replaced. A link is replaced, not followed; a pipe, a
        device or a socket is never replaced.
    inputs : iterable of Path
        Files that the run reads; the output must not be one of them or a link to one.
    expected_bytes : int
        Estimated size of the output.

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
        with suppress(OSError, ValueError):  # one of them does not exist, so they differ
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
            "an ordinary file, which is replaced as a whole",
            "give another name",
        )


def _keep_access(path: Path, temporary: Path) -> None:
    """Give the new file the permissions, and if allowed the owner, of the file that it replaces."""
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
    """Yield a temporary path to write to, which is renamed to ``path`` if the block succeeds.

    Parameters
    ----------
    path, overwrite, inputs, expected_bytes
        See `check_output`.
    verify : callable
        Called with the temporary path after the file is closed and flushed to the disk; raises an
        `InputError`, or any other exception, if the file is wrong.

    Yields
    ------
    Path
        ``.<name>.<uuid>.part<ext>`` in the directory of ``path``; it does not exist yet. If the
        block raises, the temporary file is removed and ``path`` stays as it was. If it replaces a
        file, it takes over that file's permissions and, as far as allowed, its owner.

    Raises
    ------
    UsageError, OutputExistsError, OutputError, ResourceError
        See `check_output`; or the output is locked; or an `OSError` is raised in the block.
    InternalError
        The file fails its verification.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.system.files.atomic import atomic_output
    >>> with atomic_output(Path("notes.txt"), overwrite=False) as temporary:
    ...     _ = temporary.write_text("complete, or absent")
    >>> Path("notes.txt").read_text()
    'complete, or absent'
    """
    path = Path(path)
    check_output(path, overwrite, inputs, expected_bytes)
    with output_lock(path), signals_deferred() as signals:
        check_output(path, overwrite)  # another run may have finished since
        temporary, others = temporary_beside(path), _waiting.get()
        try:
            with signals.allowed():
                yield temporary
            _sync(temporary, os.O_RDONLY)
            if verify is not None:
                with signals.allowed():
                    _verified(path, temporary, verify)
            signals.check()
            if others is None:
                _put_in_place(_Waiting(path, temporary, overwrite))
            else:
                others.append(_Waiting(path, temporary, overwrite))
        except OSError as error:
            raise output_error(path, error) from error
        finally:
            if temporary not in [file.temporary for file in others or ()]:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _put_in_place(file: _Waiting) -> None:
    if not file.overwrite and os.path.lexists(file.path):  # created without taking our lock
        raise _exists(file.path)
    _keep_access(file.path, file.temporary)
    os.replace(file.temporary, file.path)
    _sync_folder(file.path.parent)


@contextmanager
def together(*paths: Path) -> Iterator[list[str]]:
    """Give the outputs that are written in the block their names at its end: all of them, or none.

    If one of them cannot be put in place, those before it are taken away, and the files that they
    replaced are put back. Only a process that is killed between two renamings leaves the first
    outputs without the last: name the one last that vouches for the others.

    Parameters
    ----------
    *paths : Path
        The outputs, which are locked in the block. They are put in place in the order in which they
        were written.

    Yields
    ------
    list of str
        See `mockgal.system.files.lock.output_lock`, of all outputs.

    Raises
    ------
    OutputError
        See `atomic_output`.
    """
    with ExitStack() as locks:
        cleaned = [text for path in paths for text in locks.enter_context(output_lock(path))]
        files: list[_Waiting] = []
        token = _waiting.set(files)
        try:
            yield cleaned
            with signals_deferred() as signals:
                signals.check()
                _put_all_in_place(files)
        finally:
            _waiting.reset(token)
            for file in files:
                _remove(file.temporary)


def _put_all_in_place(files: list[_Waiting]) -> None:
    begun: list[tuple[_Waiting, Path, bool]] = []  # each file, its former one, whether it was there
    done_with: list[Path] = []
    try:
        for file in files:
            former, was_there = temporary_beside(file.path), os.path.lexists(file.path)
            begun.append((file, former, was_there))
            if file.is_ours is not None:
                check_folder(file.path, overwrite=file.overwrite, is_ours=file.is_ours)
                if was_there:
                    os.rename(file.path, former)
            else:
                with suppress(OSError):  # there is none, or the file system has no hard links
                    os.link(file.path, former, follow_symlinks=False)
            _put_in_place(file)
        done_with = [former for _, former, _ in begun]
    except BaseException as error:
        for file, former, was_there in reversed(begun):
            with suppress(OSError):
                is_new = not os.path.lexists(file.temporary)
                if os.path.lexists(former):
                    if file.is_ours is not None and is_new:
                        os.rename(file.path, file.temporary)
                    os.replace(former, file.path)
                    done_with.append(former)  # a second link to what is there
                elif is_new and not was_there:
                    os.rename(file.path, file.temporary)
        if isinstance(error, OSError):
            raise output_error(begun[-1][0].path, error) from error
        raise
    finally:
        for former in done_with:
            _remove(former)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _verified(path: Path, temporary: Path, verify: Callable[[Path], object]) -> None:
    try:
        verify(temporary)
    except (InputError, UnsafeInputError) as error:  # the file is not an input but our own output
        raise InternalError(
            path,
            f"a written file that fails its verification ({error})",
            "a file that reads back as it was written",
            "write again; if it recurs, check the disk and memory",
        ) from error


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Flush the new name to the disk, unless the file system does not allow flushing folders."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        # A folder may be writable but not readable.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES):
            raise


def check_folder(
    path: Path, *, overwrite: bool, is_ours: Callable[[Path], bool], inputs: Iterable[Path] = ()
) -> None:
    """Raise, before any work is done, if a folder could not be written at the end.

    Parameters
    ----------
    path : Path
    overwrite : bool
        Whether a folder of that name may be replaced.
    is_ours : callable
        Returns whether a folder holds what an earlier run wrote, and nothing else. Any other
        folder is never replaced.
    inputs : iterable of Path
        Files that the run reads, which must not be in the folder.

    Raises
    ------
    UsageError
        An input is in the folder.
    OutputExistsError
        The folder exists and ``overwrite`` is false.
    OutputError
        There is no directory to write it in, or what exists is not to be replaced.
    """
    path = Path(path)
    parent = path.parent
    if "\0" in str(path):
        raise UsageError(path, "a byte of 0 in a name", "the name of a folder", "give another name")
    try:
        if not parent.is_dir():
            raise OutputError(
                path,
                f"no directory {parent}",
                "a directory that exists",
                f"mkdir -p {in_shell(parent)}",
            )
        if os.path.lexists(path):
            _check_folder_replaceable(path, overwrite, is_ours)
        if not os.access(parent, os.W_OK | os.X_OK):
            raise OutputError(
                path,
                f"no permission to write in {parent}",
                "a directory that can be written to",
                WAY_OUT[errno.EACCES],
            )
        whole = os.path.realpath(path)
        for source in inputs:
            if os.path.commonpath([whole, os.path.realpath(source)]) == whole:
                raise UsageError(
                    path,
                    f"a folder that holds the input {source}",
                    "another folder",
                    "choose another name for the output",
                )
    except OSError as error:
        raise output_error(path, error) from error


def _check_folder_replaceable(path: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    if path.is_symlink() or not path.is_dir():
        raise OutputError(path, "a file", "the name of a folder", "give another name")
    if not overwrite:
        raise OutputExistsError(
            path, "a folder of this name", "none", "give another name, or --overwrite"
        )
    if not is_ours(path):
        raise OutputError(
            path,
            "a folder with other files in it",
            "one that an earlier run of this command wrote, which is replaced as a whole",
            "give another name, or move the folder away",
        )


@contextmanager
def atomic_folder(
    path: Path, *, overwrite: bool, is_ours: Callable[[Path], bool], inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Yield an empty temporary folder, which is renamed to ``path`` if the block succeeds.

    Files that are written in the block get their names in it at once, also within `together`.

    Parameters
    ----------
    path, overwrite, is_ours, inputs
        See `check_folder`.

    Raises
    ------
    MockgalError
        See `check_folder`; or the output is locked; or an `OSError` is raised in the block.
    """
    path = Path(path)
    check_folder(path, overwrite=overwrite, is_ours=is_ours, inputs=inputs)
    with output_lock(path), signals_deferred() as signals:
        check_folder(path, overwrite=overwrite, is_ours=is_ours)  # another run may have finished
        temporary, former = temporary_beside(path), temporary_beside(path)
        done_with, others = [temporary], _waiting.get()
        try:
            os.mkdir(temporary)
            token = _waiting.set(None)
            try:
                with signals.allowed():
                    yield temporary
            finally:
                _waiting.reset(token)
            _sync_files(temporary)
            signals.check()
            if others is not None:
                others.append(_Waiting(path, temporary, overwrite, is_ours))
                done_with = []
                return
            check_folder(path, overwrite=overwrite, is_ours=is_ours)  # made without our lock
            if os.path.lexists(path):
                os.rename(path, former)
            try:
                os.rename(temporary, path)
            except OSError:
                if former.exists():
                    os.rename(former, path)
                raise
            done_with.append(former)  # which is kept if it could not be put back
        except OSError as error:
            raise output_error(path, error) from error
        finally:
            for left in done_with:
                with suppress(OSError):
                    shutil.rmtree(left)


def _sync_files(folder: Path) -> None:
    """Flush all files of a folder to the disk."""
    for where, _, names in os.walk(folder):
        for name in names:
            _sync(Path(where, name), os.O_RDONLY)

"""The write protocol for a folder: it appears complete under its name, or not at all.

As for a file (`mockgal.system.files.atomic`): the folder is filled under a temporary name beside
its own, flushed to the disk, and renamed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import OutputError, OutputExistsError, UsageError, in_shell
from .lock import WAY_OUT, output_error, output_lock, temporary_beside
from .signals import signals_deferred


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
            _check_replaceable(path, overwrite, is_ours)
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


def _check_replaceable(path: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
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
        try:
            os.mkdir(temporary)
            with signals.allowed():
                yield temporary
            _flush(temporary)
            signals.check()
            check_folder(path, overwrite=overwrite, is_ours=is_ours)  # made without our lock
            if os.path.lexists(path):
                os.rename(path, former)
            try:
                os.rename(temporary, path)
            except OSError:
                if former.exists():
                    os.rename(former, path)
                raise
        except OSError as error:
            raise output_error(path, error) from error
        finally:
            for left in (temporary, former):
                with suppress(OSError):
                    shutil.rmtree(left)


def _flush(folder: Path) -> None:
    """Flush all files of a folder to the disk."""
    for where, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(where, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

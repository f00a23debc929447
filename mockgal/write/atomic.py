"""The write protocol: an output appears whole and verified under its name, or not at all.

The file is written under a temporary name in the directory of the output, flushed to the disk,
reopened and verified, and then renamed. A lock file beside the output admits one run at a time.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import (
    InputError,
    InternalError,
    OutputError,
    OutputExistsError,
    ResourceError,
    UsageError,
)

_MARGIN = 1 << 20  # bytes beyond those expected that must be free: directory entries, lock, sidecar

_WAY_OUT = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "free some of your quota or write to another disk",
    errno.EFBIG: "raise the file size limit (ulimit -f) or write to another disk",
    errno.EACCES: "choose a directory that you may write to",
    errno.EPERM: "choose a directory that you may write to",
    errno.EROFS: "choose a directory that you may write to",
    errno.ENAMETOOLONG: "choose a shorter file name",
    errno.ENOLCK: "write to a file system that has locks and copy the file afterwards",
    errno.EOPNOTSUPP: "write to a file system that has locks and copy the file afterwards",
}


def _output_error(path: Path, error: OSError) -> OutputError:
    fix = _WAY_OUT.get(error.errno or 0, "choose another place to write to")
    return OutputError(path, str(error), "an output that can be written", fix)


def check_output(
    path: Path, overwrite: bool, inputs: Iterable[Path] = (), expected_bytes: int = 0
) -> None:
    """Refuse, before any work is done, an output that could not be written in the end.

    Parameters
    ----------
    path : Path
        The output.
    overwrite : bool
        Whether a file of that name may be replaced. A link is replaced, not followed.
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
    for source in inputs:
        with suppress(OSError):  # one of the two does not exist: they are not the same
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
                path, f"no directory {folder}", "a directory that exists", f"mkdir -p {folder}"
            )
        if path.is_dir():
            raise OutputError(path, "a directory", "the name of a file", "name a file in it")
        if os.path.lexists(path) and not overwrite:
            raise OutputExistsError(
                path, "a file of this name", "none", "give another name, or --overwrite"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                path,
                f"no permission to write in {folder}",
                "a directory that can be written to",
                _WAY_OUT[errno.EACCES],
            )
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _output_error(path, error) from error
    if free < expected_bytes + _MARGIN:
        raise ResourceError(
            path,
            f"{free} bytes free in {folder}",
            f"{expected_bytes + _MARGIN} bytes",
            _WAY_OUT[errno.ENOSPC],
        )


@contextmanager
def output_lock(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, the file ``.<name>.lock`` beside it.

    The lock is flock's, so that it ends with the process however that ends; the file only says who
    holds it.

    Raises
    ------
    OutputError
        Another run holds the lock; the message names its host and process.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = _locked(path, lock)
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        holder = {"host": socket.gethostname(), "pid": os.getpid()}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield
    finally:
        with suppress(OSError):
            os.unlink(lock)  # while the lock is held: who opened it before sees that it is gone
        os.close(handle)


def _locked(path: Path, lock: Path) -> int:
    """Descriptor of the lock file, locked and still in its place."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(lock, flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(lock, follow_symlinks=False)):
                    return handle
        except BlockingIOError as error:
            holder = _holder(handle)
            os.close(handle)
            raise OutputError(
                path,
                f"that {holder} is writing it",
                "one run at a time",
                "wait for that run, or write elsewhere",
            ) from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the winner removed this file between our open and our lock


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {holder['pid']} on host {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"  # which has not yet written who it is


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
        raised in the block, it is removed and ``path`` stays as it was.

    Raises
    ------
    UsageError, OutputExistsError, OutputError, ResourceError
        As `check_output`; the output is locked; an `OSError` in the block.
    InternalError
        The file fails its verification.
    """
    path = Path(path)
    check_output(path, overwrite, inputs, expected_bytes)
    with output_lock(path):
        check_output(path, overwrite)  # another run may have finished since
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part{path.suffix}")
        try:
            _remove_leftovers(path)
            yield temporary
            _sync(temporary, os.O_RDONLY)
            if verify is not None:
                _verified(path, temporary, verify)
            os.replace(temporary, path)
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _output_error(path, error) from error
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


def _remove_leftovers(path: Path) -> None:
    """Remove temporaries of killed runs: no other run is writing while we hold the lock."""
    start, end = re.escape(f".{path.name}."), re.escape(f".part{path.suffix}")
    ours = re.compile(f"{start}[0-9a-f]{{32}}{end}")
    for name in os.listdir(path.parent):
        if ours.fullmatch(name):
            path.with_name(name).unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

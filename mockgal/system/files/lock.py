"""One run at a time for each output: the lock file ``.<name>.lock`` beside it.

The lock is an flock, so it ends with its process, however that ends: a lock file whose process is
gone is taken over, and files that the process left half-written are removed. This works between
hosts if the file system shares such locks (NFS with its lock manager, GPFS, Lustre with ``flock``).
If each host has its own locks, two hosts may write at once; the output is still the complete file
of one of them. On a file system without locks, HDF5_USE_FILE_LOCKING=FALSE (HDF5's own switch)
makes the existence of the lock file the lock; then only a person can tell that its process is gone.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ...errors import OutputError, ResourceError, warn
from . import plain_json
from .signals import signals_deferred

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_LONGEST = 200  # bytes of a name that is extended to others, of at most 255
_SUFFIX = 16  # characters

WAY_OUT = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "free some of your quota or write to another disk",
    errno.EFBIG: "raise the file size limit (ulimit -f) or write to another disk",
    errno.EACCES: "choose a directory that you may write to",
    errno.EPERM: "choose a directory that you may write to",
    errno.EROFS: "choose a directory that you may write to",
    errno.ENAMETOOLONG: "choose a shorter file name",
    errno.EIO: "check the disk",
    errno.ESTALE: "check that the disk is still mounted",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has too many files open",
    errno.ENOMEM: "take a machine with more memory, or close other programs",
}
_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

# The locks that this context holds, by the resolved path of the output; a thread starts with none.
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())
_handles: set[int] = set()


def _after_fork() -> None:
    """Release, in a forked process, the locks of its parent, which would otherwise outlive it."""
    _held.set(frozenset())
    while _handles:
        os.close(_handles.pop())


os.register_at_fork(after_in_child=_after_fork)


def output_error(
    path: object, error: OSError, expected: str = "an output that can be written"
) -> OutputError | ResourceError:
    """Return an error for an `OSError` of an output, with a fix."""
    kind = ResourceError if error.errno in _RESOURCES else OutputError
    fix = WAY_OUT.get(error.errno or 0, "choose another place to write to")
    return kind(path, str(error), expected, fix)


def beside(path: Path, ending: str) -> Path:
    """Return the hidden name ``.<name>.<ending>`` in the folder of the output ``path``.

    A digest replaces a name that is too long to leave room for the ending.
    """
    name = os.fsencode(path.name)
    if len(name) > _LONGEST:
        digest = hashlib.blake2b(name, digest_size=16).hexdigest()
        return path.with_name(f".{digest}.{ending}")
    return path.with_name(f".{path.name}.{ending}")


def temporary_beside(path: Path) -> Path:
    """Return a new name ``.<name>.<uuid>.part<ext>`` in the folder of the output ``path``."""
    return beside(path, f"{uuid.uuid4().hex}.part{path.suffix[:_SUFFIX]}")


@contextmanager
def output_lock(path: Path) -> Iterator[list[str]]:
    """Hold the lock of the output ``path`` in the block; do nothing if the lock is already held.

    Yields
    ------
    list of str
        Locks taken over and files removed from runs that ended early; there is also a warning.

    Raises
    ------
    OutputError
        Another run holds the lock, and the message names its host and process; or the file system
        has no locks; or the lock file cannot be created.
    """
    try:
        key = os.path.join(os.path.realpath(path.parent), path.name)
    except OSError as error:  # the working directory is gone
        raise output_error(path, error) from error
    if key in _held.get():
        yield []
        return
    lock = beside(path, "lock")
    with signals_deferred() as signals:
        try:
            handle, cleaned = _locked(path, lock)
        except OSError as error:
            raise output_error(path, error) from error
        _handles.add(handle)
        _held.set(_held.get() | {key})
        try:
            cleaned += _remove_leftovers(path)
            with signals.allowed():
                if cleaned:
                    warn(f"{path}: cleaned up after a run that ended early: {', '.join(cleaned)}")
                yield cleaned
        finally:
            _held.set(_held.get() - {key})
            if handle in _handles:  # else this is a fork of the process that holds the lock
                with suppress(OSError):
                    os.unlink(lock)  # while it is held: a run that has it open sees it is gone
                _handles.remove(handle)
                os.close(handle)


def is_held(lock: Path) -> bool:
    """Return whether a run holds a lock file; False if there is none, or nobody can tell."""
    try:
        handle = os.open(lock, _OPEN)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _locked(path: Path, lock: Path) -> tuple[int, list[str]]:
    """Return the descriptor of the locked and signed lock file, and its former holder, if any."""
    switch = os.environ.get("HDF5_USE_FILE_LOCKING", "").upper()
    has_locks = switch not in ("FALSE", "0")
    while True:
        try:
            handle = os.open(lock, _OPEN | os.O_CREAT | (0 if has_locks else os.O_EXCL), 0o666)
        except FileExistsError as error:
            raise _by_hand(path, lock, _holder_at(lock)) from error
        try:
            if not has_locks or _flock(handle, path, lock):
                holder = _holder(handle, lock)
                if holder and not holder.get("flock", True):
                    raise _by_hand(path, lock, holder)
                _sign(handle, has_locks)
                return handle, [f"the lock of {_name(holder)}"] if holder else []
        except BaseException as error:
            os.close(handle)
            if not isinstance(error, OSError) or error.errno not in _NO_LOCKS:
                raise
            with suppress(OSError):
                os.unlink(lock)
            if switch != "BEST_EFFORT":
                raise _no_locks(path, error) from error
            has_locks = False
        else:
            os.close(handle)


def _flock(handle: int, path: Path, lock: Path) -> bool:
    """Lock the file; return False if the file of this name is now another one."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            path,
            f"{_name(_holder(handle, lock))}, which is writing it",
            "one run at a time",
            "wait for that run, or write elsewhere",
        ) from error
    except OSError as error:
        if error.errno in _NO_LOCKS and (holder := _holder(handle, lock)):
            raise _by_hand(path, lock, holder) from error
        raise
    return _in_place(handle, lock)  # False if its holder removed it between our open and our lock


def _in_place(handle: int, lock: Path) -> bool:
    """Return whether the locked file is the one of this name, by opening it: NFS caches no open."""
    try:
        again = os.open(lock, _OPEN)
    except FileNotFoundError:
        return False
    try:
        return os.path.samestat(os.fstat(handle), os.fstat(again))
    finally:
        os.close(again)


def _sign(handle: int, has_locks: bool) -> None:
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "flock": has_locks})
    with suppress(OSError):  # a full disk: the lock works without the text
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _holder(handle: int, lock: Path) -> dict[str, Any]:
    """Return the content of the lock file; empty if there is none.

    Raises
    ------
    OutputError
        The file is not a lock file of mockgal's; it is left alone.
    """
    regular = stat.S_ISREG(os.fstat(handle).st_mode)
    text = os.pread(handle, 4096, 0) if regular else b""
    if not regular or not (text == b"" or text.startswith(b'{"host": ')):
        raise OutputError(
            lock,
            "a file of another kind where the lock file belongs",
            "none, or a lock of mockgal's",
            "move it away",
        )
    try:
        holder = plain_json.load(text)
        return holder if isinstance(holder, dict) else {}
    except ValueError:
        return {}


def _holder_at(lock: Path) -> dict[str, Any]:
    try:
        handle = os.open(lock, _OPEN)
    except FileNotFoundError:
        return {}
    try:
        return _holder(handle, lock)
    finally:
        os.close(handle)


def _name(holder: dict[str, Any]) -> str:
    if not {"pid", "host"} <= set(holder):
        return "another run"  # it has not yet signed the lock file
    return f"process {holder['pid']} on host {holder['host']}"


def _by_hand(path: Path, lock: Path, holder: dict[str, Any]) -> OutputError:
    return OutputError(
        path,
        f"the lock file {lock.name} of {_name(holder)}",
        "no lock file: without file locks there is no way to tell whether that run has ended",
        f"wait for that run; if it has ended, remove {lock}",
    )


def _no_locks(path: Path, error: OSError) -> OutputError:
    return OutputError(
        path,
        f"a file system that refuses file locks ({error})",
        "one with locks, which keep two runs from writing the same file",
        "write to another file system, or set HDF5_USE_FILE_LOCKING=FALSE if no other run "
        "writes this file",
    )


def _remove_leftovers(path: Path) -> list[str]:
    """Remove temporary files and folders of killed runs and return their names.

    No other run writes while we hold the lock. A file that cannot be removed is left: it does no
    harm.
    """
    start, end = re.escape(beside(path, "").name), re.escape(f".part{path.suffix[:_SUFFIX]}")
    ours = re.compile(f"{start}[0-9a-f]{{32}}{end}")
    removed: list[str] = []
    try:
        names = sorted(os.listdir(path.parent))
    except PermissionError:  # a folder may be writable but not readable
        return removed
    for name in names:
        if ours.fullmatch(name):
            with suppress(OSError):
                left = path.with_name(name)
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                else:
                    os.unlink(left)
                removed.append(name)
    return removed

"""Read objects that may hang or crash HDF5 in a helper process, which may be lost.

HDF5 reads variable-length text from a heap, and unpacks its rarer filters, without sufficient
checks: a flipped bit causes an endless loop or a segmentation fault. A helper process does such
reads. It is started for the first and kept for the next; few simulation files need it.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import CorruptFileError, ResourceError, UsageError

SECONDS, DEFAULT_SECONDS = "MOCKGAL_HDF5_SECONDS", 60.0
PROGRAM = Path(__file__).with_name("guard_child.py")
_SLACK = 512 << 20  # bytes that HDF5 may allocate beside the data
_FIX = "copy or download the file again and compare its checksum with the source's"


def seconds() -> float:
    """Return the limit on one read of the helper process [s of CPU time, without disk waits].

    Raises
    ------
    UsageError
        ``MOCKGAL_HDF5_SECONDS`` is set to something that is no positive number.
    """
    stated = os.environ.get(SECONDS, "")
    try:
        value = float(stated) if stated else DEFAULT_SECONDS
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UsageError(
            f"environment variable {SECONDS}",
            repr(stated),
            "a positive number of seconds",
            f"unset it, for {DEFAULT_SECONDS:g} s",
        )
    return value


class _Helper:
    """The helper process of this process; started on demand, and again after it was lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._fatal: dict[tuple[Any, ...], tuple[str, str, str]] = {}

    def ask(
        self, where: str, do: str, path: str, arguments: list[Any], size: int
    ) -> dict[str, Any]:
        """Return the helper's reply about the file at ``path``."""
        path = os.path.abspath(path)  # the helper keeps its initial working directory
        limit = seconds()
        request = {"do": do, "arguments": [path, *arguments], "seconds": limit}
        request["bytes"] = size + _SLACK
        state = os.stat(path)
        version = (path, limit, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        with self._lock:
            if version in self._fatal:  # HDF5 would hang or crash again
                raise CorruptFileError(where, *self._fatal[version])
            process = self._started(where)
            try:
                line = _exchange(process, request)
            except BaseException:  # Ctrl-C: else the next request would get this reply
                self._end()
                raise
            if not line:
                code = process.wait()
                self._end()
        if line:
            reply: dict[str, Any] = json.loads(line)
            if "error" in reply:
                raise CorruptFileError(
                    where, f"a damaged object ({reply['error']})", "a readable one", _FIX
                )
            return reply
        self._fatal[version] = found = _fate(code, limit)
        raise CorruptFileError(where, *found)

    def _started(self, where: str) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        try:
            process = subprocess.Popen(
                # -P: import no module from the current folder
                [sys.executable, "-P", str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="ascii",
                start_new_session=True,  # Ctrl-C at the terminal must reach only this process
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
            self._process = process
            if _exchange(process, sys.path):
                return process
            reason = f"it ended with {process.wait()}"
        except OSError as error:
            reason = f"{error.strerror or error}"
        except BaseException:
            self._end()
            raise
        self._end()
        raise ResourceError(
            where,
            f"an object to read in a helper process, which cannot be started ({reason})",
            "a machine that lets one more process start",
            "raise the limit on processes and memory (ulimit -u, ulimit -v)",
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # from a line that the helper did not read
                    stream.close()

    def close(self) -> None:
        """End the helper."""
        self._end()

    def forget(self) -> None:
        """Drop the helper after a fork, because it belongs to the parent process."""
        if self._process is not None:
            self._process.returncode = 0  # only the parent may wait for it
        self._lock, self._process = threading.Lock(), None


def _fate(code: int, limit: float) -> tuple[str, str, str]:
    """Return why the helper ended: what was found, what was expected, and the fix."""
    if code == -signal.SIGPROF:
        return (
            f"that HDF5 does not finish reading it within {limit:g} s of computing",
            "an object that is read quickly",
            f"{_FIX}; if the file is intact but large, set {SECONDS} to more seconds",
        )
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"that HDF5 crashes reading it ({name})", "a readable one", _FIX


def _exchange(process: subprocess.Popen[str], message: Any) -> str:
    """Send a line and return the reply, or "" if the process has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


helper = _Helper()
atexit.register(helper.close)
os.register_at_fork(after_in_child=helper.forget)


def text(where: str, path: str, group: str, name: str, most: int) -> str | list[str]:
    """Return an attribute of variable-length text.

    Parameters
    ----------
    where : str
        Place of the attribute, for messages.
    path, group, name : str
        Path of the file, and names of the object in it and of the attribute.
    most : int
        Largest number of characters.

    Returns
    -------
    str, or list of str

    Raises
    ------
    CorruptFileError
        The attribute is damaged or too long, or HDF5 hangs or crashes on it.
    ResourceError
        The helper process cannot be started.
    """
    reply = helper.ask(where, "text", path, [group, name, most], most)
    values = [
        value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for value in reply["values"]
    ]
    return values if reply["shape"] else values[0]


def names(where: str, path: str, group: str) -> list[str]:
    """Return the names of an object's attributes.

    Raises
    ------
    CorruptFileError, ResourceError
        See `text`.
    """
    return [
        name.encode("utf-8", "backslashreplace").decode()
        for name in helper.ask(where, "names", path, [group], 0)["names"]
    ]


def check_rows(where: str, path: str, name: str, start: int, stop: int, size: int) -> None:
    """Raise if HDF5 cannot read rows of a dataset; ``size`` is their number of bytes.

    Raises
    ------
    CorruptFileError
        HDF5 reports an error, hangs or crashes.
    ResourceError
        The helper process cannot be started.
    """
    helper.ask(where, "rows", path, [name, start, stop], size)

"""Which reader a path is for: decided by content, never by the name's ending."""

from __future__ import annotations

from pathlib import Path

from .. import registry
from ..errors import FormatError, InputError, UsageError
from ..protocols import Reader, ReadOptions
from ..types import Scene
from .unsupported import describe


def _reader(name: str) -> Reader:
    reader: Reader = registry.load("readers", name)()
    return reader


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise InputError(path, "no such file or folder", "a catalogue", "check the path")


def detect(path: Path | str) -> str:
    """The name of the format at ``path``.

    Parameters
    ----------
    path : Path or str
        A file or folder.

    Returns
    -------
    str
        A name in ``registry.names("readers")``.

    Raises
    ------
    InputError
        Nothing is there, or a damaged HDF5 file.
    FormatError
        No reader knows it, or several do; the message lists them.
    """
    path = Path(path)
    _check_exists(path)
    names = registry.names("readers")
    found = [name for name in names if _reader(name).detect(path)]
    if len(found) == 1:
        return found[0]
    if found:
        raise FormatError(
            path,
            "a file that several readers know: " + ", ".join(found),
            "one",
            "say which with --format",
        )
    what, fix = describe(path)
    raise FormatError(path, what, "one of the formats " + ", ".join(names), fix)


def read(path: Path | str, options: ReadOptions | None = None, format: str | None = None) -> Scene:
    """The scene at ``path``, in internal units and checked.

    Parameters
    ----------
    path : Path or str
        A file or folder.
    options : ReadOptions, optional
    format : str, optional
        Name of a reader; found from the content without it.

    Returns
    -------
    Scene

    Raises
    ------
    MockgalError
        Exit code 3 for bad input, 4 for unsafe input, 2 for a format that does not exist.
    """
    path, options = Path(path), options or ReadOptions()
    _check_exists(path)
    if options.chunk_rows < 1:
        raise UsageError("chunk_rows", f"{options.chunk_rows}", "1 or more", "leave it out")
    if format is not None and format not in registry.names("readers"):
        raise UsageError(
            "--format",
            repr(format),
            "one of " + ", ".join(registry.names("readers")),
            "choose one of these",
        )
    return _reader(format or detect(path)).read(path, options)

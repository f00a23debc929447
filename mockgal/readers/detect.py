"""Choice of the reader for a path: by its content, never by its file extension."""

from __future__ import annotations

import os
from pathlib import Path

from .. import registry
from ..errors import FormatError, UsageError, warn
from ..layout import MISSING_CHUNKS
from ..protocols import Reader, ReadOptions
from ..system.files.plain_text import absent, beside
from ..types import Scene
from . import given
from .checks.in_pieces import Kept, ReaderInPieces
from .checks.plausible import check_scene
from .halotools.reader import HalotoolsReader, is_catalogue
from .quijote import reader as quijote
from .tables.formats import objects
from .tables.reader import TableReader
from .unsupported.messages import describe, may_be_a_table

TABLE = TableReader.name


def _reader(name: str) -> Reader:
    reader: Reader = registry.make("readers", name)
    return reader


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise absent(path, "a catalogue")


def detect(path: Path | str) -> str:
    """Return the name of the format at ``path``.

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
        The path does not exist, or is a damaged HDF5 file.
    FormatError
        No reader recognises the path, or several do; the message lists them.
    """
    path = Path(path)
    _check_exists(path)
    readers = dict(registry.working("readers"))
    matches = _matches(path, readers)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise FormatError(
            path,
            "a file that several readers recognise: " + ", ".join(matches),
            "one reader",
            "choose one with --format",
        )

    def name_of(below: Path) -> str:
        return next(iter(_matches(below, readers)), "")

    if quijote.looks_like_a_set(path):
        what, fix = quijote.describe(path)
    else:
        what, fix, _ = describe(path, name_of)
    raise FormatError(path, what, "one of the formats " + ", ".join(readers), fix)


def _matches(path: Path, readers: dict[str, Reader]) -> list[str]:
    """Return the readers that recognise a path; that of tables only if no other knows it."""
    matches = [
        name
        for name, reader in readers.items()
        if name != TABLE and registry.knows("readers", name, reader, path)
    ]
    if not matches and path.is_file() and may_be_a_table(path):
        matches = [TABLE] if registry.knows("readers", TABLE, readers[TABLE], path) else []
    return matches


def read(path: object, options: ReadOptions | None = None, format: str | None = None) -> Scene:
    """Return the scene at ``path``, in internal units and checked.

    Parameters
    ----------
    path : Path, str or object
        A file or folder, a halo catalogue of halotools, or a table in memory.
    options : ReadOptions, optional
    format : str, optional
        Name of a reader. By default, detected from the content.

    Returns
    -------
    Scene

    Raises
    ------
    MockgalError
        Exit code 3 for bad input, 4 for unsafe input, 2 for an unknown format, or for an object
        that is neither a path nor a halo catalogue.
    """
    options = options or ReadOptions()
    _check_request(options, format)
    place = str(path) if isinstance(path, str | os.PathLike) else type(path).__name__
    if isinstance(path, str | os.PathLike):
        path = Path(path)
        _check_exists(path)
        name = format or _format_of(path, options)
        with registry.guarded("readers", name, f"reading {path}"):
            scene = _reader(name).read(path, options)
        if not registry.is_built_in("readers", name):
            check_scene(scene, place)
    else:
        scene = _read_object(path, options, format)
    _check_scene(scene, options, place, len(scene.halos))
    return scene


def read_in_pieces(
    path: Path, options: ReadOptions, format: str | None, kept: Kept, rows: int
) -> Scene | str:
    """Read a catalogue in pieces, of which ``kept`` receives each; see `read`.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    format : str or None
    kept : Kept
    rows : int
        Halos of a piece.

    Returns
    -------
    Scene or str
        The scene without its halos; or why it can only be read as a whole, in words.
    """
    _check_request(options, format)
    _check_exists(path)
    name = format or _format_of(path, options)
    reader = _reader(name)
    if not isinstance(reader, ReaderInPieces):
        return f"the reader {name}"
    with registry.guarded("readers", name, f"reading {path}"):
        scene = reader.read_in_pieces(path, options, kept, rows)
    if isinstance(scene, Scene):
        _check_scene(scene, options, str(path), int(scene.halos.record["subhalos"]))
    return scene


def _check_request(options: ReadOptions, format: str | None) -> None:
    if options.chunk_rows < 1:
        raise UsageError("chunk_rows", f"{options.chunk_rows}", "1 or more", "leave it out")
    if format is not None and format not in registry.names("readers"):
        raise UsageError(
            "--format",
            repr(format),
            "one of " + ", ".join(registry.names("readers")),
            "choose one of these",
        )


def _check_scene(scene: Scene, options: ReadOptions, place: str, rows: int) -> None:
    """Check what was read, of so many rows, against what the user said."""
    record = scene.snapshot.record
    given.check_choices(scene, options, place)
    given.check(scene.snapshot, options, place)
    if MISSING_CHUNKS in record:
        declared, total = (f"{of}_of_the_whole_output" for of in ("files", "subhalos"))
        of_files = f" of {record[declared]}" if declared in record else ""
        of_rows = f" of the {record[total]}" if total in record else ""
        warn(
            f"{place}: chunks {record[MISSING_CHUNKS]}{of_files} are missing: {rows}{of_rows}"
            " subhalos were read, which are not a fair sample of the box; number densities and "
            "clustering are meaningless",
        )


def _format_of(path: Path, options: ReadOptions) -> str:
    """Return the format at a path: a table if the user says what its columns are, and no other."""
    try:
        return detect(path)
    except FormatError:
        stated = options.columns is not None or beside(path, ".yaml").is_file()
        if stated and path.is_file():
            return TABLE
        raise


def _read_object(thing: object, options: ReadOptions, format: str | None) -> Scene:
    reader: HalotoolsReader | TableReader = HalotoolsReader()
    if objects.is_table(thing):
        reader = TableReader()
    elif not is_catalogue(thing):
        raise UsageError(
            "read",
            f"a {type(thing).__name__}",
            f"a path, a halo catalogue of halotools (with halo_table and Lbox), or {objects.KINDS}",
            "pass one of these",
        )
    if format not in (None, reader.name):
        raise UsageError(
            "--format", repr(format), f"{reader.name} for an object", "leave the format out"
        )
    return reader.read_object(thing, options)

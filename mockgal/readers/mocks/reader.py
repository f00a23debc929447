"""Read galaxy catalogues as a `mockgal.types.GalaxyCatalog`: mocks that mockgal wrote.

The reader is chosen by a file's content. Readers of other formats are plug-ins (group
``mockgal.mocks``), whose results are checked here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import registry
from ...errors import CorruptFileError, FormatError, UnsafeInputError, UsageError
from ...protocols import MockOptions, MockReader
from ...system.files import gzipped
from ...system.memory import BOMB_BYTES, BOMB_RATIO
from ...types import GalaxyCatalog
from .. import parquet_file
from ..hdf5 import safe
from .facts import Facts
from .ours import Examined, described, wanted
from .values import AGAIN, check_ids, check_values

CHUNK_ROWS = MockOptions().chunk_rows

_HDF5_MAGIC, _FITS_MAGIC = b"\x89HDF\r\n\x1a\n", b"SIMPLE  ="


def read_galaxies(
    path: Path | str | os.PathLike[str],
    columns: Iterable[str] | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    changed_by_hand: str | None = None,
) -> GalaxyCatalog:
    """Return the catalogue in a file that `mockgal.write` wrote, or that a plug-in reads.

    Parameters
    ----------
    path : path-like
        A FITS (plain or compressed with gzip), HDF5 or Parquet file, or one of a plug-in's format.
    columns : iterable of str, optional
        Names of `mockgal.columns.GALAXY_COLUMNS`; by default, all columns of the file. The ids
        ``galaxy_id`` and ``halo_id`` are always read.
    chunk_rows : int
        Rows held in memory beside the result, which does not depend on it.
    changed_by_hand : str, optional
        Why the values of a file, or the rows or columns of a FITS or Parquet file, are not those
        that mockgal wrote. The keyword CHANGED of FITS, or ``changed`` of Parquet's metadata, may
        also state it. See `mockgal.readers.mocks.changed`.

    Returns
    -------
    GalaxyCatalog
        In internal units, with the provenance that was written. If its digest is not that of the
        catalogue that was written, because columns were left out or an h-free file rounded the
        values, ``provenance["read_from"]`` has the digest that was written.

    Raises
    ------
    CorruptFileError
        The file is cut off or damaged, or its rows do not match the content digest.
    FormatError
        The file is neither a catalogue that mockgal wrote nor one that a plug-in reads.
    HeaderError, UnitsError, BadValueError, MissingDatasetError
        Statements contradict each other, or values are impossible.
    UnsafeInputError
        The file declares sizes that no harmless file has.
    ResourceError
        The columns do not fit in the memory of this machine.
    UsageError
        A column does not exist, or the file does not have it; or a plug-in fails.
    """
    path = Path(path)
    if chunk_rows < 1:
        raise UsageError("chunk_rows", f"{chunk_rows}", "1 or more", "leave it out")
    if columns is not None:
        columns = (columns,) if isinstance(columns, str) else tuple(columns)
    options = MockOptions(columns, chunk_rows, changed_by_hand)
    name, reader = _reader(path)
    return _read(name, reader, path, options)


def is_catalogue(path: Path | str | os.PathLike[str]) -> bool:
    """Return whether a reader recognises the content at ``path``; never raise."""
    return bool(_known(Path(path)))


def is_ours(path: Path | str | os.PathLike[str]) -> bool:
    """Return whether ``path`` begins like a catalogue that mockgal wrote; never raise."""
    return any(registry.is_built_in("mocks", name) for name in _known(Path(path)))


def describe_galaxies(
    path: Path | str | os.PathLike[str], *, changed_by_hand: str | None = None
) -> dict[str, Any]:
    """Describe a catalogue. Read all of it; verify the checksums of one that mockgal wrote.

    Parameters
    ----------
    path : path-like
    changed_by_hand : str, optional
        See `read_galaxies`.

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h, lengths in Mpc/h, as the keys say.

    Raises
    ------
    MockgalError
        See `read_galaxies`.
    """
    path = Path(path)
    options = MockOptions(changed_by_hand=changed_by_hand)
    name, reader = _reader(path)
    if registry.is_built_in("mocks", name):
        description: dict[str, Any] = reader.describe(path, options)  # type: ignore[attr-defined]
        return description
    return described(path, name, _read(name, reader, path, options))


def examine(path: Path) -> tuple[str, Examined]:
    """Return the format of a catalogue that mockgal wrote, and what all its rows were found to be.

    Raises
    ------
    FormatError
        The catalogue is another's, or is none.
    MockgalError
        See `mockgal.readers.mocks.ours.Ours.examine`.
    """
    name, reader = _reader(path)
    if not registry.is_built_in("mocks", name):
        raise _of_a_plugin(path, name)
    return name, reader.examine(path)  # type: ignore[attr-defined]


def facts_of(path: Path) -> Facts:
    """Return the description of a catalogue that mockgal wrote; its rows are not read.

    Raises
    ------
    MockgalError
        See `examine`.
    """
    name, reader = _reader(path)
    if not registry.is_built_in("mocks", name):
        raise _of_a_plugin(path, name)
    return reader.facts_of(path)  # type: ignore[attr-defined, no-any-return]


def _of_a_plugin(path: Path, name: str) -> FormatError:
    return FormatError(
        path,
        f"a catalogue that the plug-in {name} reads",
        "one that mockgal wrote, which has digests of what is in it",
        "verify it by what its makers give",
    )


def _read(name: str, reader: MockReader, path: Path, options: MockOptions) -> GalaxyCatalog:
    """Read a catalogue; check the result of a plug-in."""
    if registry.is_built_in("mocks", name):
        return reader.read(path, options)
    if options.changed_by_hand is not None:
        raise UsageError(
            "--changed-by-hand",
            f"{path}, of format {name}",
            "a mock that mockgal wrote",
            "leave it out",
        )
    with registry.guarded("mocks", name, f"reading {path}"):
        galaxies = reader.read(path, options)
        if not isinstance(galaxies, GalaxyCatalog):
            raise TypeError(f"it returns a {type(galaxies).__name__}, not a GalaxyCatalog")
    columns = {key: galaxies[key] for key in wanted(path, galaxies.columns, options.columns)}
    box_size = galaxies.snapshot.box_size if galaxies.frame == "box" else None
    for key, values in columns.items():
        check_values(f"{path}:{key}", galaxies.declared[key], 0, values, box_size)
    galaxies = replace(galaxies, columns=columns)
    check_ids(path, galaxies)
    return galaxies.with_provenance(read_from={"format": name})


def _known(path: Path) -> list[str]:
    """Return the readers that recognise the content at ``path``: a built-in one, or plug-ins."""
    # `Path.is_file` raises for impossible file names.
    if not (os.path.isfile(path) or os.path.isdir(path)):
        return []
    known = []
    for name, reader in registry.working("mocks"):
        if registry.knows("mocks", name, reader, path):
            if registry.is_built_in("mocks", name):
                return [name]
            known.append(name)
    return known


def _reader(path: Path) -> tuple[str, MockReader]:
    """Return the reader for ``path``.

    If no reader recognises a file, return that of the format of its first bytes, whose message says
    what the file lacks.
    """
    if not os.path.isdir(path):
        _check_file(path)
    known = _known(path)
    if len(known) > 1:
        raise FormatError(
            path,
            "a catalogue that several plug-ins recognise: " + ", ".join(known),
            "one plug-in",
            "uninstall the others",
        )
    name = known[0] if known else _begins_as(path)
    reader: MockReader = registry.make("mocks", name)
    return name, reader


def _check_file(path: Path) -> None:
    """Raise if ``path`` is no file, or is a sparse file with more holes than a catalogue has."""
    safe.check_regular(path, "a mock that mockgal wrote, or of a plug-in")
    status = path.stat()
    stored = status.st_blocks * 512
    if status.st_size > BOMB_BYTES and status.st_size > BOMB_RATIO * stored:
        raise UnsafeInputError(
            path,
            f"a file of {status.st_size} bytes, of which {stored} are stored",
            "a file without holes",
            "do not use this file",
        )


def _begins_as(path: Path) -> str:
    """Return the name of the reader that fits a file's first bytes or file extension."""
    safe.check_regular(path, "a mock that mockgal wrote, or of a plug-in")
    with open(path, "rb") as file:
        begin = file.read(16)
    if begin.startswith(parquet_file.MAGIC):
        return "parquet"
    if begin.startswith(gzipped.MAGIC):
        with gzipped.opened(path) as file:
            content = file.read(len(_FITS_MAGIC))
        if content == _FITS_MAGIC:
            return "fits"
        raise FormatError(
            path,
            f"a compressed file (gzip), whose content begins with {content!r}",
            "FITS, HDF5 or Parquet, of which only FITS may be compressed with gzip",
            "uncompress it: gunzip --keep FILE.gz",
        )
    if begin.startswith(_FITS_MAGIC):
        return "fits"
    if begin.startswith(_HDF5_MAGIC) or path.suffix.lower() in (".hdf5", ".h5"):
        return "hdf5"
    if path.suffix.lower() in (".fits", ".fit"):
        raise CorruptFileError(
            path, f"a file that begins with {begin!r}", f"{_FITS_MAGIC!r}", AGAIN
        )
    raise FormatError(
        path,
        f"a file that begins with {begin!r}",
        "a FITS, HDF5 or Parquet file that mockgal wrote",
        "give the path of the catalogue",
    )

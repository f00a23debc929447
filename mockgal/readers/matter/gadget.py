"""Snapshots of Gadget in plain binary, formats 1 and 2, of either byte order, in one or more files.

Each block is between two markers of 4 bytes that hold its size, modulo 2^32. In format 2 a block of
8 bytes with its name comes before each. The first block is a header of 256 bytes.

| block | numbers | unit | here |
|---|---|---|---|
| POS | 3 for each particle | kpc/h or Mpc/h (comoving) | position [Mpc/h] |
| VEL, ID | 3, 1 | | only their sizes are checked |
| MASS | 1 for each particle of a type without a mass in the header | 1e10 Msun/h | mass [Msun/h] |
| others | | | only their markers are checked |

Numbers have 4 or 8 bytes, which the sizes tell. The header does not state the unit of length: the
box of the halos tells, or else the density, which must be that of Omega_m.
Format: Springel 2005, users' guide of GADGET-2, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cosmology import MATTER_TOLERANCE, Cosmology
from ...errors import (
    CorruptFileError,
    FormatError,
    IncompleteSetError,
    MockgalError,
    UsageError,
    listed,
)
from ...protocols import ReadOptions
from ...system import scalars
from ...types import ParticleChunk, Particles
from .. import chunks, raw
from ..checks import physics
from ..hdf5.stored import COPY_AGAIN
from ..particle_stream import stream_particles
from ..stated_cosmology import make_cosmology
from .facts import MASS_UNIT, Matter, redshift_of

Array = NDArray[Any]

TYPES = 6
DARK_MATTER = 1
HEADER_BYTES = 256
LENGTH_UNITS = {"kpc/h": 1e-3, "Mpc/h": 1.0}  # the first is that of Gadget's own examples

_FIELDS = {  # name: offset in the header and type, without byte order
    "npart": (0, (6,), "u4"),
    "mass": (24, (6,), "f8"),
    "time": (72, (), "f8"),
    "redshift": (80, (), "f8"),
    "npart_total": (96, (6,), "u4"),
    "num_files": (124, (), "i4"),
    "box_size": (128, (), "f8"),
    "omega_m": (136, (), "f8"),
    "omega_lambda": (144, (), "f8"),
    "h": (152, (), "f8"),
    "npart_total_high": (168, (6,), "u4"),
}
_COSMOLOGY = {"h": "HubbleParam", "omega_m": "Omega0", "omega_lambda": "OmegaLambda"}
_NAME = re.compile(r"(?P<stem>.+)\.(?P<chunk>\d+)")
_MARKER = 4
_NAME_BLOCK = _MARKER + 8 + _MARKER
_LOOKED_AT = 1 << 14  # entries of a folder
_MOST_BLOCKS = 200
_WORD = 32


def header_type(order: str) -> np.dtype[Any]:
    """Return the type of a header in the byte order ``"<"`` or ``">"``."""
    return np.dtype(
        {
            "names": list(_FIELDS),
            "formats": [(order + kind, shape) for _, shape, kind in _FIELDS.values()],
            "offsets": [offset for offset, _, _ in _FIELDS.values()],
            "itemsize": HEADER_BYTES,
        }
    )


class _Kind(NamedTuple):
    """Format 1 or 2 and byte order of a file."""

    format: int
    order: str

    @property
    def header(self) -> int:
        """Offset of the header's marker."""
        return _NAME_BLOCK if self.format == 2 else 0


class _File(NamedTuple):
    """A file whose header and markers were checked.

    ``rows`` is the number of particles by type, ``own_mass`` whether a type has a block of masses.
    """

    path: Path
    kind: _Kind
    header: Any
    rows: list[int]
    position: raw.Rows
    mass: raw.Rows | None


def kind_of(begin: bytes) -> _Kind | None:
    """Return the kind of a file that begins with these bytes (24 or more); None for others."""
    for order in "<>":
        word = np.dtype(order + "u4")
        first = int(np.frombuffer(begin[:_MARKER].ljust(_MARKER, b"\0"), word)[0])
        if first == HEADER_BYTES:
            return _Kind(1, order)
        if first == 8 and begin[4:8] == b"HEAD":
            return _Kind(2, order)
    return None


def is_snapshot(path: Path) -> bool:
    """Return whether a file begins like such a snapshot; never raise."""
    try:
        return path.is_file() and kind_of(raw.begin(path, _NAME_BLOCK)) is not None
    except (MockgalError, OSError):
        return False


def recognise(path: Path) -> bool:
    """Return whether a path is such a snapshot, or a folder with one."""
    return bool(_files_in(path)) if path.is_dir() else is_snapshot(path)


def _files_in(folder: Path) -> list[Path]:
    entries = sorted(folder.iterdir())[:_LOOKED_AT]
    return [entry for entry in entries if entry.name[0] != "." and is_snapshot(entry)]


def open_gadget(path: Path, options: ReadOptions, box_size: float | None) -> Matter:
    """Check a snapshot's headers and markers, and return its particles, which are read on request.

    Parameters
    ----------
    path : Path
        A single file, any file of a set, or a folder with one snapshot.
    options : ReadOptions
    box_size : float, optional
        Side of the box of the halos [Mpc/h], which tells the unit of length.

    Raises
    ------
    CorruptFileError
        A file that is shorter or longer than its blocks, or whose markers contradict each other.
    IncompleteSetError, HeaderError
        Files missing, surplus or of different snapshots; counts that do not add up; impossible
        numbers.
    """
    files = _find(path)
    opened = [_open(file) for file in files.files]
    head = opened[0].header
    _check_set(files, opened)
    where = str(files.files[0])
    cosmology = _cosmology(f"{where}:HEAD", head, options)
    table = np.array(head["mass"], dtype=np.float64) * MASS_UNIT
    totals = np.sum([one.rows for one in opened], axis=0)
    own_mass = bool(((table == 0) & (totals > 0)).any())
    total = None if own_mass else float((table * totals).sum())
    name = _length_unit(head, box_size, total, cosmology)
    unit = LENGTH_UNITS[name]
    side = physics.box_size(f"{where}:BoxSize", float(head["box_size"]), unit)

    def pieces(rows: int) -> Iterator[ParticleChunk]:
        for one in opened:
            yield from _pieces(one, table, side, unit, options, rows)

    stated = {"box_size": side, "redshift": redshift_of(f"{where}:Time", *_times(head))}
    if cosmology is not None:
        stated |= {key: float(head[key]) for key in _COSMOLOGY}
    if table[DARK_MATTER]:
        stated["particle_mass"] = float(table[DARK_MATTER])
    kind = opened[0].kind
    return Matter(
        f"Gadget snapshot in binary, format {kind.format}",
        files.where,
        files.files,
        tuple(sum(one.rows) for one in opened),
        stated,
        Particles(int(totals.sum()), pieces),
        total,
        {
            "byte_order": "little-endian" if kind.order == "<" else "big-endian",
            "length_unit": name,
            "mass_unit": "1e10 Msun/h",
            "bytes_of_a_coordinate": opened[0].position.stored.itemsize,
        },
    )


def _times(head: Any) -> tuple[float, float]:
    return float(head["time"]), float(head["redshift"])


def _find(path: Path) -> chunks.FileSet:
    """Return the files of the snapshot at a path.

    Raises
    ------
    FormatError, UsageError, IncompleteSetError
        No snapshot; several; or two files for one number.
    """
    if path.is_dir():
        found: dict[str, list[Path]] = {}
        for file in _files_in(path):
            found.setdefault(_stem(file), []).append(file)
        if len(found) > 1:
            raise UsageError(
                path,
                f"several snapshots, {listed(found)}",
                "one",
                "give a file of the one that you want",
            )
        if not found:
            raise FormatError(path, "no snapshot in binary", "one", "give a file of the snapshot")
        files = next(iter(found.values()))
    elif _stem(path) == path.name:
        files = [path]
    else:
        files = [file for file in _files_in(path.parent) if _stem(file) == _stem(path)]
    files.sort(key=_number)
    for first, second in pairwise(files):
        if _number(first) == _number(second):
            raise IncompleteSetError(
                path,
                f"both {first.name} and {second.name}",
                "one file for each number",
                "move the one that does not belong to the set elsewhere",
            )
    return chunks.FileSet(tuple(files), "")


def _stem(path: Path) -> str:
    """Return what the files of a set have in common; the name of a file that is not of a set."""
    match = _NAME.fullmatch(path.name)
    return match["stem"] if match and int(_header(path)[1]["num_files"]) > 1 else path.name


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match["chunk"]) if match else 0


def _header(path: Path) -> tuple[_Kind, Any, int]:
    """Return the kind of a file, its header and its size.

    Raises
    ------
    CorruptFileError
        The file is shorter than a header, or its markers do not fit.
    HeaderError
        Numbers that no header has.
    """
    size = raw.size_of(path, "a snapshot of Gadget")
    begin = raw.begin(path, _NAME_BLOCK + HEADER_BYTES + 2 * _MARKER)
    kind = kind_of(begin)
    if kind is None:
        raise CorruptFileError(
            path, f"the first bytes {begin[:8]!r}", "those of a snapshot of Gadget", COPY_AGAIN
        )
    start = kind.header
    end = start + _MARKER + HEADER_BYTES
    whole = begin[start : end + _MARKER]
    word = np.dtype(kind.order + "u4")
    markers = [whole[:_MARKER], whole[-_MARKER:]]
    if len(whole) < HEADER_BYTES + 2 * _MARKER or any(
        int(np.frombuffer(marker, word)[0]) != HEADER_BYTES for marker in markers
    ):
        raise CorruptFileError(
            f"{path}:HEAD",
            f"a file of {size} bytes without a header between two markers",
            f"a header of {HEADER_BYTES} bytes",
            COPY_AGAIN,
        )
    head = np.frombuffer(whole[_MARKER:-_MARKER], header_type(kind.order))[0]
    for name in ("mass", "time", "redshift", *_COSMOLOGY, "box_size"):
        where = f"{path}:HEAD@{name}"
        least = -np.inf if name in ("redshift", "omega_lambda") else 0.0
        for value in scalars.numbers(where, np.atleast_1d(np.array(head[name], np.float64))):
            scalars.number(where, float(value), least=least)
    return kind, head, size


def _open(path: Path) -> _File:
    """Check the markers of all blocks in a file against its size and the header."""
    kind, head, size = _header(path)
    rows = [int(n) for n in head["npart"]]
    count = sum(rows)
    with_mass = sum(n for n, mass in zip(rows, head["mass"], strict=True) if n and not mass)
    sizes = {"POS": (3, count), "VEL": (3, count), "ID": (1, count), "MASS": (1, with_mass)}
    blocks = _walk(path, kind, size, {name: 4 * m * n for name, (m, n) in sizes.items() if n})
    columns = {}
    for name, (members, number) in sizes.items():
        if not number or (name not in blocks and name in ("VEL", "ID")):
            continue
        if name not in blocks:
            raise CorruptFileError(
                path,
                f"no block {name}; its blocks are {listed(blocks, none='none')}",
                f"that of {number} particles",
                "fetch the file again, or write the snapshot again",
            )
        start, length = blocks[name]
        if length not in (4 * members * number, 8 * members * number):
            raise CorruptFileError(
                f"{path}:{name}",
                f"{length} bytes",
                f"{4 * members * number} or {8 * members * number}, for {members} number(s) of "
                f"each of {number} particles",
                COPY_AGAIN,
            )
        dtype = np.dtype(f"{kind.order}f{length // (members * number)}")
        columns[name] = raw.of_file(path, name, start, number, dtype, members)
    nothing = raw.of_file(path, "POS", 0, 0, np.dtype("<f4"), 3)
    return _File(path, kind, head, rows, columns.get("POS", nothing), columns.get("MASS"))


def _walk(path: Path, kind: _Kind, size: int, least: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return start and length of each block after the header; they must fill the file.

    The first blocks of format 1 have the names and order of ``least``, which has the least length
    of these. A marker holds the length modulo 2^32: of the lengths that it may stand for, the first
    is taken that leads to the same marker.
    """
    in_order = dict(enumerate(least)) if kind.format == 1 else {}
    word = np.dtype(kind.order + "u4")
    found: dict[str, tuple[int, int]] = {}
    place = kind.header + HEADER_BYTES + 2 * _MARKER

    def at(offset: int) -> int:
        file.seek(offset)
        data = file.read(_MARKER)
        return int(np.frombuffer(data, word)[0]) if len(data) == _MARKER else -1

    try:
        with open(path, "rb") as file:
            while place < size:
                name = in_order.get(len(found), f"number {len(found) + 1}")
                if kind.format == 2:
                    file.seek(place)
                    label = file.read(_NAME_BLOCK)
                    if len(label) < _NAME_BLOCK or at(place) != 8 or at(place + 12) != 8:
                        raise _cut(path, f"after {len(found)} blocks", size, place + _NAME_BLOCK)
                    name = label[4:8].decode("ascii", "replace").strip()
                    place += _NAME_BLOCK
                length = marker = at(place)
                while length < least.get(name, 0) or at(place + _MARKER + length) != marker:
                    length += 1 << _WORD
                    if place + length + 2 * _MARKER <= size:
                        continue
                    if marker < 0 or at(place + _MARKER + marker) != marker:
                        needed = place + max(marker, least.get(name, 0)) + 2 * _MARKER
                        raise _cut(path, name, size, needed)
                    length = marker  # a block of another size than its particles need
                    break
                if name in found or len(found) >= _MOST_BLOCKS:
                    raise CorruptFileError(
                        f"{path}:{name}",
                        f"more than {_MOST_BLOCKS} blocks, or two of this name",
                        "each block once",
                        COPY_AGAIN,
                    )
                found[name] = (place + _MARKER, length)
                place += length + 2 * _MARKER
    except OSError as error:
        raise raw.unreadable(path, error) from error
    return found


def _cut(path: Path, name: str, size: int, needed: int) -> CorruptFileError:
    if needed > size:
        return CorruptFileError(
            f"{path}:{name}",
            f"a file of {size} bytes",
            f"{needed} or more, for the blocks that it declares",
            COPY_AGAIN,
        )
    return CorruptFileError(
        f"{path}:{name}",
        "two markers that differ, at the beginning and at the end of the block",
        "the size of the block in both",
        COPY_AGAIN,
    )


def _check_set(files: chunks.FileSet, opened: list[_File]) -> None:
    """Raise if files are missing, surplus, or of different snapshots."""
    facts = [
        (*one.kind, *(one.header[name].tolist() for name in _FIELDS if name != "npart"))
        for one in opened
    ]
    chunks.check_same(files, facts, "HEAD")
    head = opened[0].header
    declared = max(1, int(head["num_files"]))  # 0 in files of one piece, by some writers
    present = [_number(path) for path in files.files] if declared > 1 else [0]
    chunks.check_present(files.where, present, declared)
    for kind in range(TYPES):
        total = int(head["npart_total"][kind]) + (int(head["npart_total_high"][kind]) << _WORD)
        counts = [one.rows[kind] for one in opened]
        chunks.check_total(files, counts, total, f"HEAD@npart_total[{kind}]")


def _cosmology(where: str, head: Any, options: ReadOptions) -> Cosmology | None:
    """Return the cosmology that a header states; None if it states none, which is 0."""
    if not (head["h"] and head["omega_m"]):
        return None
    values = {name: float(head[name]) for name in _COSMOLOGY}
    return make_cosmology(where, _COSMOLOGY, values, options)


def _length_unit(
    head: Any, box_size: float | None, total: float | None, cosmology: Cosmology | None
) -> str:
    """Return the name of the unit of length."""
    native = float(head["box_size"])
    if box_size is not None and native > 0:
        return min(LENGTH_UNITS, key=lambda n: abs(np.log(native * LENGTH_UNITS[n] / box_size)))
    if total is not None and cosmology is not None and cosmology.omega_m > 0:
        for name, unit in LENGTH_UNITS.items():
            expected = cosmology.matter_mass(native * unit)
            if expected > 0 and abs(total / expected - 1.0) <= MATTER_TOLERANCE:
                return name
    return next(iter(LENGTH_UNITS))


def _pieces(
    one: _File, table: Array, side: float, unit: float, options: ReadOptions, chunk_rows: int
) -> Iterator[ParticleChunk]:
    """Yield the particles of a file, type by type."""
    start = masses_start = 0
    for kind in np.flatnonzero(one.rows).tolist():
        number = one.rows[kind]
        mass: raw.Rows | float = float(table[kind])
        if not mass and one.mass is not None:
            mass = _part(one.mass, masses_start, number)
            masses_start += number
        place = _part(one.position, start, number)
        yield from stream_particles(place, mass, side, (unit, MASS_UNIT), options, chunk_rows)
        start += number


def _part(rows: raw.Rows, first: int, count: int) -> raw.Rows:
    """Return some rows as a column of their own."""
    return rows._replace(number=count, read=partial(_shifted, rows.read, first))


def _shifted(read: Any, first: int, start: int, stop: int) -> Array:
    return read(first + start, first + stop)  # type: ignore[no-any-return]

"""Particles of a Gadget-4 or AREPO snapshot: headers checked first, rows streamed on demand.

| native | unit | here |
|---|---|---|
| PartTypeN/Coordinates | UnitLength (comoving) | position [Mpc/h] |
| PartTypeN/Masses, or Header MassTable[N] if not 0 | UnitMass | mass [Msun/h] |
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import HeaderError, IncompleteSetError, shown
from ...protocols import ReadOptions
from ...snapshot import REDSHIFTS
from ...system import scalars
from ...types import ParticleChunk, Particles
from .. import chunks
from ..checks import physics
from ..chunks import FileSet
from ..hdf5 import headers, safe
from ..particle_stream import stream_particles
from ..raw import of_dataset
from .units import STATED, Statement, UnitSystem, read_units, stated

DARK_MATTER = 1
_WORD = 32
_MOST_HIGH = (1 << 29) - 1  # largest high word: 2^61 particles
_COMPARED = 64  # first rows of a file, which are compared to detect copies


class SnapshotSet(NamedTuple):
    """A snapshot whose headers have been checked.

    ``rows`` has shape (files, types). ``masses`` are those of the mass table [Msun/h], shape
    (types,), 0 for particles with individual masses. ``tracers`` is the number of massless tracers,
    which ``rows`` does not count.
    """

    files: FileSet
    units: UnitSystem
    box_size: float
    time: float
    redshift: float
    rows: NDArray[np.int64]
    masses: NDArray[np.float64]
    tracers: int

    @property
    def particle_count(self) -> int:
        """Number of particles of all types."""
        return int(self.rows.sum())

    @property
    def table_mass(self) -> float | None:
        """Mass of all particles [Msun/h]; None if some have individual masses."""
        totals = self.rows.sum(axis=0)
        if (totals[self.masses == 0] > 0).any():
            return None
        return float((totals * self.masses).sum())


def find_snapshot(catalogue: FileSet, base: str) -> FileSet | None:
    """Return the snapshot of a catalogue, from ``../snapdir_NNN`` or the same folder, or None."""
    if not catalogue.number:
        return None
    here = catalogue.folder
    snapdir = f"snapdir_{catalogue.number}"
    stems = rf"{re.escape(base)}|snap|snapshot"
    # The parent of "." is unknown without its absolute path, and a linked folder has two parents.
    beside = (Path(os.path.abspath(here)).parent, here.resolve().parent)
    for folder in (*(place / snapdir for place in (*beside, here)), here):
        files = chunks.find_set(folder, stems, "(?!)", catalogue.number)
        if files is not None:
            return files
    return None


def check_header_time(path: Path, time: float, redshift: float) -> None:
    """Raise unless redshift = 1 / a - 1.

    Raises
    ------
    HeaderError
        They differ by more than rounding, or the redshift is outside the allowed range.
    """
    if not REDSHIFTS[0] <= redshift <= REDSHIFTS[1]:
        raise HeaderError(
            f"{path}:/Header@Redshift",
            f"{redshift:g}",
            f"{REDSHIFTS[0]:g} to {REDSHIFTS[1]:g}",
            "correct the header",
        )
    if not (time > 0 and abs(redshift - (1 / time - 1)) <= 1e-4 * (1 + abs(redshift))):
        raise HeaderError(
            f"{path}:/Header@Redshift",
            f"{redshift} with Time {time}",
            "Redshift = 1 / Time - 1",
            "correct the header",
        )


def open_snapshot(files: FileSet, options: ReadOptions, statement: Statement) -> SnapshotSet:
    """Read and check the headers of a snapshot.

    Parameters
    ----------
    files : FileSet
    options : ReadOptions
    statement : Statement
        Where its code states units and cosmology.

    Raises
    ------
    IncompleteSetError, HeaderError
        Chunks that are missing, copied or from different runs, or counts that do not add up.
    """
    found: list[_Header] = []
    parameters: list[tuple[float | None, ...]] = []
    massless: set[int] = set()
    for path in files.files:
        with safe.open_hdf5(path) as file:
            found.append(_Header.of(file, path))
            if not parameters:
                units = read_units(file, options, statement)
                chunks.check_numbers(files, found[0].files, allow_missing=files.is_single)
            parameters.append(stated(file, statement))
            some = np.flatnonzero(found[-1].rows).tolist()
            massless.update(kind for kind in some if _are_tracers(file, kind))
    chunks.check_same(files, [header.facts() for header in found], "/Header")
    chunks.check_same(files, parameters, f"/{statement.groups[0]} ({', '.join(STATED)})")
    first = found[0]
    check_header_time(files.files[0], first.time, first.redshift)
    _check_counts(files, found)
    if (first.masses < 0).any():
        raise HeaderError(
            f"{files.files[0]}:/Header@MassTable",
            shown(first.masses),
            "masses of 0 or more",
            "correct the header",
        )
    of_matter = np.array([header.rows for header in found])
    tracers = int(of_matter[:, sorted(massless)].sum())
    of_matter[:, sorted(massless)] = 0
    _check_copies(files, of_matter)
    return SnapshotSet(
        files,
        units,
        physics.box_size(f"{files.files[0]}:/Header@BoxSize", first.box_size, units.length),
        first.time,
        first.redshift,
        of_matter,
        first.masses * units.mass,
        tracers,
    )


class _Header(NamedTuple):
    """The header of one file of a snapshot, with one entry of each array per particle type.

    Parameters
    ----------
    files : int
        Number of files of the snapshot.
    time, redshift, box_size : float
        As stated.
    masses : ndarray of float
        Masses of particles in the units of the file; 0 for individual masses.
    totals : ndarray of int
        Particles in the snapshot.
    rows : ndarray of int
        Particles in this file.
    """

    files: int
    time: float
    redshift: float
    box_size: float
    masses: NDArray[Any]
    totals: NDArray[Any]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, file: h5py.File, path: Path) -> _Header:
        """Read the header of a file.

        Raises
        ------
        HeaderError
            Arrays differ in length.
        """
        number = headers.count(file, "Header", "NumFilesPerSnapshot")
        time, redshift = (headers.number(file, "Header", name) for name in ("Time", "Redshift"))
        box_size = headers.side(file, "Header", "BoxSize")
        masses = headers.numbers(file, "Header", "MassTable")
        total = headers.counts(file, "Header", "NumPart_Total", most=scalars.MOST >> 1)
        high = headers.counts(
            file, "Header", "NumPart_Total_HighWord", np.zeros_like(total), _MOST_HIGH
        )
        rows = headers.counts(file, "Header", "NumPart_ThisFile")
        if len({len(masses), len(total), len(high), len(rows)}) != 1:
            raise HeaderError(
                f"{path}:/Header",
                "MassTable and NumPart of different lengths",
                "one entry for each particle type",
                "correct the header",
            )
        return cls(number, time, redshift, box_size, masses, total + (high << _WORD), rows)

    def facts(self) -> tuple[float, ...]:
        """Return what all files of a snapshot must agree on."""
        return (*self[:4], *self.masses, *self.totals)


def _check_counts(files: FileSet, found: list[_Header]) -> None:
    """Raise if files are missing, or their particles do not add up.

    Raises
    ------
    IncompleteSetError, HeaderError
    """
    rows, totals = np.array([header.rows for header in found]), found[0].totals
    # Files whose rows add up to the totals are complete: they may have been merged into one.
    if not np.array_equal(rows.sum(axis=0), totals):
        chunks.check_numbers(files, found[0].files)
    for kind, total in enumerate(totals):
        chunks.check_total(
            files,
            [int(row[kind]) for row in rows],
            int(total),
            f"/Header@NumPart_Total[{kind}]",
        )


def _are_tracers(file: h5py.File, kind: int) -> bool:
    """Return whether the particles are AREPO's Monte Carlo tracers, without position and mass."""
    group = f"PartType{kind}"
    return safe.exists(file, f"{group}/TracerID") and not safe.exists(file, f"{group}/Coordinates")


def _check_copies(files: FileSet, rows: NDArray[np.int64]) -> None:
    """Raise if a file is a copy of another, comparing the first positions of files of equal counts.

    Raises
    ------
    IncompleteSetError
        Two files begin with the same particles.
    """
    seen: dict[tuple[bytes, bytes], Path] = {}
    counts = [row.tobytes() for row in rows]
    for path, row, count in zip(files.files, rows, counts, strict=True):
        if counts.count(count) == 1 or not row.any():
            continue
        kind = int(np.flatnonzero(row)[0])
        with safe.open_hdf5(path) as file:
            place = chunks.checked(file, f"PartType{kind}/Coordinates", int(row[kind]), (3,))
            first = safe.read_rows(place, 0, min(_COMPARED, int(row[kind]))).tobytes()
        if (count, first) in seen:
            raise IncompleteSetError(
                f"{path}:/PartType{kind}/Coordinates",
                f"the same particles as in {seen[count, first]}",
                "other particles in each file",
                "fetch the file again: it is a copy of the other",
            )
        seen[count, first] = path


def _pieces(
    snapshot: SnapshotSet, options: ReadOptions, chunk_rows: int
) -> Iterator[ParticleChunk]:
    """Yield all particles, file by file and type by type."""
    for path, row in zip(snapshot.files.files, snapshot.rows, strict=True):
        for kind in np.flatnonzero(row):
            number, group = int(row[kind]), f"PartType{kind}"
            uniform = float(snapshot.masses[kind])
            with safe.open_hdf5(path) as file:
                yield from stream_particles(
                    of_dataset(chunks.checked(file, f"{group}/Coordinates", number, (3,))),
                    uniform or of_dataset(chunks.checked(file, f"{group}/Masses", number)),
                    snapshot.box_size,
                    (snapshot.units.length, snapshot.units.mass),
                    options,
                    chunk_rows,
                )


def particles(snapshot: SnapshotSet, options: ReadOptions) -> Particles:
    """Return the particles of all types in a snapshot, as a stream that checks itself at its end.

    Parameters
    ----------
    snapshot : SnapshotSet
    options : ReadOptions

    Returns
    -------
    Particles
        Positions float64 in [0, L) Mpc/h, masses float64 in Msun/h.

    Raises
    ------
    UnitsError
        From the stream, after the last chunk: the mass does not fit Omega_m.
    """

    def stream(chunk_rows: int) -> Iterator[ParticleChunk]:
        total = 0.0
        for chunk in _pieces(snapshot, options, chunk_rows):
            total += float(chunk.mass.sum())
            yield chunk
        if snapshot.particle_count:
            check_mass(snapshot, total)

    return Particles(snapshot.particle_count, stream)


def check_mass(snapshot: SnapshotSet, total: float) -> float:
    """Return the snapshot's mean density over that of Omega_m; see `physics.check_mean_density`."""
    return physics.check_mean_density(
        total,
        snapshot.box_size,
        snapshot.units.cosmology,
        snapshot.redshift,
        f"{snapshot.files.where}:/Header@MassTable",
    )

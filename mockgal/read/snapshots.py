"""Particles of a Gadget-4 snapshot: headers checked at once, rows streamed when they are asked for.

| native | unit | here |
|---|---|---|
| PartTypeN/Coordinates | UnitLength (comoving) | position [Mpc/h] |
| PartTypeN/Masses, or Header MassTable[N] where that is not 0 | UnitMass | mass [Msun/h] |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import HeaderError, InputError
from ..protocols import ReadOptions
from ..types import ParticleChunk, Particles
from . import chunks, headers, physics, safe
from .chunks import FileSet
from .units import UnitSystem, read_units
from .values import wrap

DARK_MATTER = 1
_WORD = 32


class SnapshotSet(NamedTuple):
    """A snapshot whose headers were checked.

    ``rows`` has shape (files, types); ``masses`` are those of the mass table [Msun/h], shape
    (types,), 0 where particles carry their own.
    """

    files: FileSet
    units: UnitSystem
    box_size: float
    time: float
    redshift: float
    rows: NDArray[np.int64]
    masses: NDArray[np.float64]

    @property
    def particle_count(self) -> int:
        """Number of particles of all types."""
        return int(self.rows.sum())

    @property
    def table_mass(self) -> float | None:
        """Mass of all particles [Msun/h]; None if some carry their own masses."""
        totals = self.rows.sum(axis=0)
        if (totals[self.masses == 0] > 0).any():
            return None
        return float((totals * self.masses).sum())


def find_snapshot(catalogue: FileSet, base: str) -> FileSet | None:
    """The snapshot that goes with a catalogue: in ``../snapdir_NNN``, or in the same folder."""
    if not catalogue.number:
        return None
    here = catalogue.folder
    snapdir = f"snapdir_{catalogue.number}"
    stems = rf"{re.escape(base)}|snap|snapshot"
    for folder in (here.parent / snapdir, here / snapdir, here):
        found = chunks.find_set(folder, stems, "(?!)", catalogue.number)
        if found is not None:
            return found
    return None


def check_header_time(path: Path, time: float, redshift: float) -> None:
    """Whether redshift = 1 / a - 1.

    Raises
    ------
    HeaderError
        They differ by more than rounding.
    """
    if not (time > 0 and abs(redshift - (1 / time - 1)) <= 1e-4 * (1 + abs(redshift))):
        raise HeaderError(
            f"{path}:/Header@Redshift",
            f"{redshift} with Time {time}",
            "Redshift = 1 / Time - 1",
            "correct the header",
        )


def open_snapshot(files: FileSet) -> SnapshotSet:
    """Check the headers of a snapshot.

    Raises
    ------
    IncompleteSetError, HeaderError
        Chunks missing or of different runs, counts that do not add up.
    """
    facts: list[tuple[float, ...]] = []
    rows: list[NDArray[np.int64]] = []
    for path in files.files:
        with safe.open_hdf5(path) as file:
            header = [
                headers.number(file, "Header", name)
                for name in ("NumFilesPerSnapshot", "Time", "Redshift", "BoxSize")
            ]
            table = headers.numbers(file, "Header", "MassTable")
            total = headers.counts(file, "Header", "NumPart_Total")
            high = headers.counts(file, "Header", "NumPart_Total_HighWord", np.zeros_like(total))
            rows.append(headers.counts(file, "Header", "NumPart_ThisFile"))
            if len({len(table), len(total), len(high), len(rows[-1])}) != 1:
                raise HeaderError(
                    f"{path}:/Header",
                    "MassTable and NumPart of different lengths",
                    "one entry for each particle type",
                    "correct the header",
                )
            facts.append((*header, *table, *(total + (high << _WORD))))
            if path == files.files[0]:
                units = read_units(file)
                chunks.check_numbers(files, int(header[0]))
    chunks.check_same(files, facts, "/Header")
    _, time, redshift, box = facts[0][:4]
    check_header_time(files.files[0], time, redshift)
    types = len(rows[0])
    for kind in range(types):
        chunks.check_total(
            files,
            [int(row[kind]) for row in rows],
            int(facts[0][4 + types + kind]),
            f"/Header@NumPart_Total[{kind}]",
        )
    return SnapshotSet(
        files,
        units,
        box * units.length,
        time,
        redshift,
        np.array(rows),
        np.array(facts[0][4 : 4 + types]) * units.mass,
    )


def _pieces(
    snapshot: SnapshotSet, options: ReadOptions, chunk_rows: int
) -> Iterator[ParticleChunk]:
    """All particles, file by file and type by type."""
    ignored: dict[str, Any] = {}
    for path, row in zip(snapshot.files.files, snapshot.rows, strict=True):
        with safe.open_hdf5(path) as file:
            for kind in np.flatnonzero(row):
                number, group = int(row[kind]), f"PartType{kind}"
                where = f"{path}:/{group}/Coordinates"
                place = chunks.checked(file, f"{group}/Coordinates", number)
                if place.shape[1:] != (3,):
                    raise HeaderError(where, f"shape {place.shape}", "(n, 3)", "check the file")
                own = (
                    None
                    if snapshot.masses[kind]
                    else chunks.checked(file, f"{group}/Masses", number)
                )
                for start in range(0, number, chunk_rows):
                    stop = min(start + chunk_rows, number)
                    position = wrap(
                        safe.read_rows(place, start, stop) * np.float64(snapshot.units.length),
                        snapshot.box_size,
                        stored=place.dtype,
                        centred=options.centred_origin,
                        where=partial(chunks.row_at, where, start),
                        record=ignored,
                    )
                    if own is None:
                        mass = np.full(stop - start, snapshot.masses[kind])
                    else:
                        mass = (
                            safe.read_rows(own, start, stop).astype(np.float64)
                            * snapshot.units.mass
                        )
                        if not (np.isfinite(mass).all() and (mass >= 0).all()):
                            raise InputError(
                                f"{path}:/{group}/Masses",
                                "NaN or negative masses",
                                "positive masses",
                                "fetch the file again",
                            )
                    yield ParticleChunk(position, mass)


def particles(snapshot: SnapshotSet, options: ReadOptions) -> Particles:
    """The particles of a snapshot, of all types, as a stream that checks itself at its end.

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
    """Mean density of the snapshot over Omega_m's; see `physics.check_mean_density`."""
    return physics.check_mean_density(
        total,
        snapshot.box_size,
        snapshot.units.cosmology,
        snapshot.redshift,
        f"{snapshot.files.where}:/Header@MassTable",
    )

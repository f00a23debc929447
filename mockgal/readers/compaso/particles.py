"""Particles of a CompaSO catalogue as matter, streamed from packed positions.

| files | what they hold |
|---|---|
| ``SIM/slices/zX.XXX/{L0,field}_pack9/slabNNN.{L0,field}.pack9.asdf`` | all particles |
| ``zX.XXX/{halo,field}_rv_{A,B}/{halo,field}_rv_{A,B}_NNN.asdf`` | two random samples of them |

The first of these that is whole is taken: all particles; both samples; one of them. Each particle
of a sample stands for as many as make up all matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, IncompleteSetError, warn
from ...layout import MATTER_FRACTION
from ...types import ParticleChunk, Particles
from .. import chunks
from ..checks.values import wrap
from ..hdf5.stored import COPY_AGAIN
from ..particle_stream import rounded
from . import packed
from .asdf import AsdfFile, open_asdf
from .facts import Facts, check_same
from .files import Superslabs, numbered

_PLACES = ("halo", "field")
_SAMPLES = ("AB", "A", "B")
_SMALLEST = np.dtype(np.float32)


class Matter(NamedTuple):
    """Particles that stand for all matter.

    Parameters
    ----------
    particles : Particles
    files : tuple of Path
    record : dict
    """

    particles: Particles
    files: tuple[Path, ...]
    record: dict[str, Any]


def matter(slabs: Superslabs, halos: AsdfFile, facts: Facts) -> Matter | None:
    """Return the particles beside a catalogue, of which only headers are read now; None if none.

    Raises
    ------
    MockgalError
        Files that are damaged or of another run.
    """
    if not facts.particles:
        return None
    for what, column, files in _sets(slabs):
        opened = [open_asdf(path) for path in files]
        check_same([halos, *opened])
        count = facts.particles
        if column == "rvint":
            count = sum(file.column(column, (3,)).shape[0] for file in opened)
        if not count:
            continue
        return _matter(what, column, opened, count, facts)
    return None


def _sets(slabs: Superslabs) -> Iterator[tuple[str, str, list[Path]]]:
    """Yield each whole set of particles: what it is, the array that holds it, and its files."""
    folder = slabs.folder
    slices = folder.parent.parent / "slices" / folder.name
    both = [
        numbered(slices / f"{name}_pack9", "slab", f".{name}.pack9.asdf")
        for name in ("L0", "field")
    ]
    if both[0] and both[0].keys() == both[1].keys() and _are_all(both[0]):
        yield "all particles", "pack9", [path for files in both for path in files.values()]
    for samples in _SAMPLES:
        found = [
            numbered(folder / f"{place}_rv_{sample}", f"{place}_rv_{sample}_")
            for sample in samples
            for place in _PLACES
        ]
        if all(sorted(files) == list(range(slabs.whole)) for files in found):
            what = f"subsample{'s' * (len(samples) > 1)} {' and '.join(samples)} of the particles"
            yield what, "rvint", [path for files in found for path in files.values()]


def _are_all(files: dict[int, Path]) -> bool:
    return not chunks.missing_numbers(list(files), len(files))


def _matter(
    what: str,
    column: str,
    files: list[AsdfFile],
    count: int,
    facts: Facts,
) -> Matter:
    share = count / facts.particles
    mass = facts.particle_mass / share
    where = f"{files[0].path.parent}"
    record: dict[str, Any] = {"matter": what, "particles": count}
    if count < facts.particles:
        record |= {MATTER_FRACTION: share, "mass_of_sampled_particle_msun_h": mass}
    told: list[str] = []

    def stream(chunk_rows: int) -> Iterator[ParticleChunk]:
        if count < facts.particles and not told:
            told.append(
                f"{where}: the matter is {what}, {share:.2%} of all: its shot noise is that of "
                f"particles of {mass:.4g} Msun/h"
            )
            warn(told[0])
        rows = 0
        for file in files:
            for piece in _pack9(file) if column == "pack9" else _rvint(file):
                rows += len(piece)
                if rows <= count:
                    yield from _chunks(piece, mass, file, facts, chunk_rows)
        if rows != count:
            raise IncompleteSetError(
                where,
                f"{rows} particles",
                f"{count}, as the headers say",
                "fetch the files again: some are of another version, or missing",
            )

    return Matter(Particles(count, stream), tuple(file.path for file in files), record)


def _rvint(file: AsdfFile) -> Iterator[NDArray[np.float64]]:
    for values in file.pieces("rvint", (3,)):
        yield packed.from_rvint(values)


def _pack9(file: AsdfFile) -> Iterator[NDArray[np.float64]]:
    cell: packed.Cell = packed.NO_CELL
    for records in file.pieces("pack9", (packed.BYTES,)):
        try:
            position, cell = packed.from_pack9(records.view(np.uint8), cell)
        except ValueError as error:
            raise BadValueError(
                file.at("data/pack9"), str(error), "particles in cells of the box", COPY_AGAIN
            ) from error
        yield position


def _chunks(
    position: NDArray[np.float64], mass: float, file: AsdfFile, facts: Facts, chunk_rows: int
) -> Iterator[ParticleChunk]:
    """Yield particles in internal units, from positions in units of the box."""
    for start in range(0, len(position), chunk_rows):
        moved: dict[str, Any] = {}
        place = wrap(
            packed.to_corner(position[start : start + chunk_rows] * facts.box_size, facts.box_size),
            facts.box_size,
            stored=_SMALLEST,
            centred=False,
            where=lambda row: file.at("data"),
            record=moved,
        )
        moved["positions_at_box_edge"] += rounded(place, facts.box_size)
        yield ParticleChunk(
            place,
            np.full(len(place), mass),
            moved["positions_wrapped"],
            moved["positions_at_box_edge"],
        )

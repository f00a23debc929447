"""Snapshots in BigFile: FastPM, MP-Gadget and their kin.

| native | unit | here |
|---|---|---|
| Header@BoxSize, N/Position | UnitLength_in_cm, in FastPM Mpc/h (comoving) | [Mpc/h] |
| N/Mass, or Header@MassTable, M0 if not 0 | 1e10 Msun/h | mass [Msun/h] |
| Header@Time, ScalingFactor | | redshift |
| Header@OmegaM, Omega0; OmegaLambda; HubbleParam | | cosmology |

Formats: fastpm/fastpm, libfastpmio/io.c; MP-Gadget/MP-Gadget, libgadget/petaio.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import HeaderError, MissingDatasetError
from ...protocols import ReadOptions
from ...types import ParticleChunk, Particles
from .. import raw
from ..checks import physics
from ..particle_stream import stream_particles
from ..stated_cosmology import make_cosmology
from ..subfind.units import SNAP
from . import bigfile
from .facts import MASS_UNIT, Matter, redshift_of

Array = NDArray[Any]

FACTS, POSITION, MASS = "Header", "Position", "Mass"
TYPES = 6
DARK_MATTER = 1
_UNIT_CM, _UNIT_G = 3.085678e24, 1.989e33  # Mpc, Msun
_COSMOLOGY = {"h": "HubbleParam", "omega_m": "OmegaM", "omega_lambda": "OmegaLambda"}


def recognise(path: Path) -> bool:
    """Return whether a folder is such a snapshot."""
    return bigfile.is_block(path / FACTS) and bool(_types(path))


def _types(path: Path) -> list[int]:
    """Return the types of particles that have positions."""
    return [n for n in range(TYPES) if (path / f"{n}" / POSITION / bigfile.HEADER).is_file()]


def open_fastpm(path: Path, options: ReadOptions) -> Matter:
    """Check the headers and sizes of a snapshot; its particles are read on request.

    Parameters
    ----------
    path : Path
        The folder of the snapshot.
    options : ReadOptions

    Raises
    ------
    MissingDatasetError, HeaderError, CorruptFileError
        Blocks or attributes missing; counts, times or sizes that contradict each other; impossible
        numbers.
    """
    header = path / FACTS
    stated = bigfile.attributes(header)
    where = f"{header / bigfile.ATTRIBUTES}"
    length, mass_unit = _units(header, stated)
    side = bigfile.needed(header, stated, "BoxSize")
    box_size = physics.box_size(f"{where}@BoxSize", side, length)
    cosmology = {
        "h": bigfile.number(header, stated, "HubbleParam"),
        "omega_m": bigfile.number(header, stated, "OmegaM", "Omega0"),
        "omega_lambda": bigfile.number(header, stated, "OmegaLambda"),
    }
    if None not in cosmology.values():
        make_cosmology(where, _COSMOLOGY, dict(cosmology), options)
    time = bigfile.number(header, stated, "Time")
    scale_factor = bigfile.number(header, stated, "ScalingFactor")
    if time is not None and scale_factor is not None and abs(time - scale_factor) > 1e-6:
        raise HeaderError(
            f"{where}@Time", f"{time}", f"{scale_factor}, as ScalingFactor", "correct the header"
        )
    a = bigfile.needed(header, stated, "ScalingFactor", "Time")
    blocks = {n: bigfile.open_block(path / f"{n}" / POSITION) for n in _types(path)}
    _check_totals(header, stated, blocks)
    masses = {n: _mass(path, n, stated, blocks[n].rows) for n in blocks if blocks[n].rows}
    places = {n: bigfile.rows_of(blocks[n], 3) for n in masses}

    def pieces(chunk_rows: int) -> Iterator[ParticleChunk]:
        units = (length, mass_unit)
        for n, place in places.items():
            own = masses[n]
            mass = own * mass_unit if isinstance(own, float) else own
            yield from stream_particles(place, mass, box_size, units, options, chunk_rows)

    facts = {"box_size": box_size, "redshift": redshift_of(f"{where}@ScalingFactor", a)}
    facts |= {name: value for name, value in cosmology.items() if value is not None}
    dark = masses.get(DARK_MATTER)
    if isinstance(dark, float):
        facts["particle_mass"] = dark * mass_unit
    total = 0.0
    for n, own in masses.items():
        total += own * mass_unit * places[n].number if isinstance(own, float) else np.nan
    rows = {header / bigfile.HEADER: 0, header / bigfile.ATTRIBUTES: 0}
    for n in masses:
        rows[path / f"{n}" / POSITION / bigfile.HEADER] = 0
        rows |= zip(blocks[n].files, filter(None, blocks[n].counts), strict=True)
        if not isinstance(masses[n], float):
            rows |= dict.fromkeys(bigfile.open_block(path / f"{n}" / MASS).files, 0)
    return Matter(
        "BigFile snapshot (FastPM, MP-Gadget)",
        str(path),
        tuple(rows),
        tuple(rows.values()),
        facts,
        Particles(sum(place.number for place in places.values()), pieces),
        None if np.isnan(total) else total,
        {
            "length_unit_mpc_h": length,
            "mass_unit_msun_h": mass_unit,
            "particles_by_type": {f"{n}": place.number for n, place in places.items()},
        },
    )


def _units(header: Path, stated: dict[str, Any]) -> tuple[float, float]:
    """Return the units of length and mass, in Mpc/h and Msun/h.

    Raises
    ------
    MissingDatasetError
        The unit of length is not stated, and the snapshot is not one of FastPM.
    """
    if not {"UnitLength_in_cm", "NC"} & stated.keys():
        raise MissingDatasetError(
            f"{header / bigfile.ATTRIBUTES}@UnitLength_in_cm",
            "no such attribute",
            "the unit of length, as MP-Gadget writes it, or the attribute NC of FastPM",
            "write the attribute, from the parameters of the run",
        )
    return unit_of_length(header, stated), unit_of_mass(header, stated)


def unit_of_length(header: Path, stated: dict[str, Any]) -> float:
    """Return the unit of length that a header states, in Mpc/h, which it is by default."""
    cm = bigfile.unit(header, stated, "UnitLength_in_cm")
    return 1.0 if cm is None else _snapped(cm / _UNIT_CM, (1.0, 1e-3))


def unit_of_mass(header: Path, stated: dict[str, Any]) -> float:
    """Return the unit of mass that a header states, in Msun/h; by default 1e10 Msun/h."""
    grams = bigfile.unit(header, stated, "UnitMass_in_g")
    return MASS_UNIT if grams is None else _snapped(grams / _UNIT_G, (MASS_UNIT, 1.0))


def _snapped(value: float, known: tuple[float, ...]) -> float:
    """Return the usual unit that a value is, for the constants of codes differ."""
    return next((unit for unit in known if abs(value / unit - 1.0) < SNAP), value)


def _check_totals(header: Path, stated: dict[str, Any], blocks: dict[int, bigfile.Block]) -> None:
    """Raise if a block has other rows than the header declares."""
    if "TotNumPart" not in stated:
        return
    where = f"{header / bigfile.ATTRIBUTES}@TotNumPart"
    totals = bigfile.numbers(header, stated, "TotNumPart", TYPES)
    for n, total in enumerate(totals.tolist()):
        found = blocks[n].rows if n in blocks else 0
        if total != found:
            raise HeaderError(
                f"{where}[{n}]",
                f"{total:.0f}",
                f"{found}, the rows of {n}/{POSITION}",
                "fetch the missing blocks: all particles are needed",
            )


def _mass(path: Path, n: int, stated: dict[str, Any], count: int) -> raw.Rows | float:
    """Return the masses of a type, in the unit of the file: one for all, or a column."""
    header = path / FACTS
    table = 0.0
    if "MassTable" in stated:
        table = float(bigfile.numbers(header, stated, "MassTable", TYPES)[n])
    if not table and n == DARK_MATTER and not (path / f"{n}" / MASS).is_dir():
        table = bigfile.number(header, stated, "M0") or 0.0
    if table > 0:
        return table
    place = path / f"{n}" / MASS
    if table < 0 or not bigfile.is_block(place):
        raise MissingDatasetError(
            f"{place}",
            f"no masses, and a MassTable of {table:g}",
            "one of the two",
            "fetch the missing block",
        )
    rows = bigfile.rows_of(bigfile.open_block(place), 1)
    if rows.number != count:
        raise HeaderError(
            f"{place}", f"{rows.number} rows", f"{count}, as in {POSITION}", "fetch the block again"
        )
    return rows

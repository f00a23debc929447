"""Friends-of-friends halos in BigFile: of FastPM and MP-Gadget, and what nbodykit saves.

| native | unit | here |
|---|---|---|
| MinID, the least id of its particles; else GroupID or the row | | halo_id; all are hosts |
| CMPosition of nbodykit, else Position | UnitLength_in_cm, else comoving Mpc/h | position |
| CMVelocity of nbodykit, else Velocity | peculiar km/s | velocity |
| MassCenterPosition of MP-Gadget | UnitLength_in_cm, else comoving kpc/h | position |
| MassCenterVelocity of MP-Gadget | UsePeculiarVelocity: 1 km/s, 0 km/s / a | velocity |
| Length | M0, MassTable or the particle mass | mass, host_mass (fof); n_particles |
| Mass of MP-Gadget | UnitMass_in_g, else 1e10 Msun/h | mass, host_mass (fof) |
| Mass of nbodykit, where no particle mass is stated | Msun/h | mass, host_mass (fof) |
| Header@BoxSize; ScalingFactor or Time; OmegaM or Omega0, OmegaLambda, HubbleParam | | the run |

FastPM has its halos in a folder LL-0.200 (of the linking length) beside or below the particles, and
the facts of the run in Header, which older versions leave without OmegaLambda and HubbleParam.
nbodykit saves what the user names, with the attributes of the particles in Header. Its first row
stands for the particles in no group: it has no length and is left out. MP-Gadget has its groups in
PIG_nnn/FOFGroups. Older versions state units and UsePeculiarVelocity in the snapshot alone, which
is PART_nnn beside it.

Sources: fastpm/fastpm, libfastpmio/io.c and libfastpm/fof.c; MP-Gadget/MP-Gadget,
libgadget/fofpetaio.c; bccp/nbodykit, nbodykit/algorithms/fof.py and base/catalog.py; the container:
rainwoodman/bigfile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ....errors import (
    FormatError,
    HeaderError,
    MissingDatasetError,
    UsageError,
    in_shell,
    listed,
)
from ....protocols import ReadOptions
from ....system import scalars
from ....types import Array
from ... import raw
from ...about import About
from ...checks import physics
from ...matter import bigfile, fastpm
from ...matter.facts import redshift_of
from ..declared import Declared
from ..quantities import Taken
from ..reader import Facts, name_of
from ..table import Field, Pieces, Table, check_size, with_row_numbers

_PLACES = ("CMPosition", "PeakPosition", "Position")
_SPEEDS = ("CMVelocity", "PeakVelocity", "Velocity")
_LENGTH, _MASS, _ID, _GROUP, _EMITTED = "Length", "Mass", "MinID", "GroupID", "Aemit"
_PIG_PLACE, _PIG_SPEED = "MassCenterPosition", "MassCenterVelocity"  # of MP-Gadget
_VECTORS = (*_PLACES, *_SPEEDS, _PIG_PLACE, _PIG_SPEED)
_BLOCKS = (*_VECTORS, _LENGTH, _MASS, _ID, _GROUP)
_PIG = "FOFGroups"
_PIG_KPC = 1e-3  # Mpc/h: MP-Gadget's default unit of length
_KM_S = 1e5  # cm/s
_EMPTY = "Length of 0"
_LINKED = re.compile(r"LL-(\d+\.\d+)")


class BigFileReader(Declared):
    """Friends-of-friends halos in BigFile: of FastPM, of MP-Gadget, and what nbodykit saved."""

    name = "bigfile"
    about = About(
        "friends-of-friends halos of FastPM, MP-Gadget and nbodykit (BigFile)",
        "hosts",
        "Mpc/h or stated, km/s; particles of a stated mass, or Msun/h",
        asked="what the header does not say; the particle mass, if masses are not stated either",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": (_ID, _GROUP, "row"),
        "position": ("CMPosition", "Position", _PIG_PLACE),
        "velocity": ("CMVelocity [km/s]", "Velocity [km/s]", _PIG_SPEED),
        "mass": (_LENGTH, f"{_MASS} [Msun/h]"),
        "n_particles": _LENGTH,
    }
    host_masses: ClassVar = {"fof": _LENGTH}
    flag = _EMPTY
    flag_means = "groups_without_particles"

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` is a folder of such halos, or of a run that has some."""
        return bool(_catalogues(path))

    def table(self, path: Path) -> Table:
        """Return the table of the blocks in the folder of the halos.

        Raises
        ------
        UsageError
            There are several such folders.
        MockgalError
            Blocks that are damaged, or have different numbers of rows; halos on a light cone.
        """
        found = _catalogues(path)
        if len(found) > 1:
            names = [folder.name for folder in found]
            raise UsageError(
                path,
                f"the halos of several linking lengths, {listed(names)}",
                "those of one",
                f"give one of the folders, such as {found[0]}",
            )
        folder = found[0]
        header, stated = _stated(folder)
        blocks = {
            name: bigfile.open_block(folder / name)
            for name in _BLOCKS
            if bigfile.is_block(folder / name)
        }
        for name, block in blocks.items():
            bigfile.rows_of(block, 3 if name in _VECTORS else 1)
        _check_rows(folder, blocks)
        _check_one_time(folder)
        units = _units(header, stated, _PIG_PLACE in blocks)
        fields = {
            name: Field(
                block.dtype.kind,
                block.members,
                units.get(name, ""),
                "Header",
                block.dtype.itemsize,
            )
            for name, block in blocks.items()
        }
        texts = [*_texts(header), *_texts(folder)]
        for block in blocks.values():
            texts += [*_texts(block.path), *block.files]
        rows = next(iter(blocks.values())).rows
        if _LENGTH in blocks:
            fields[_EMPTY] = Field("i")
        table = Table(str(folder), fields, rows, _reader(folder, blocks), files=tuple(texts))
        return with_row_numbers(table, "row")

    def check(self, table: Table, stated: Mapping[str, Taken]) -> None:
        """Raise if neither masses nor the particle mass are known.

        Raises
        ------
        MissingDatasetError
        """
        mass = stated.get("host_mass")
        if mass is None or (mass.names == (_LENGTH,) and not mass.unit and not _unit(table)):
            raise MissingDatasetError(
                table.place,
                "no masses of the halos, and no mass of a particle (M0, MassTable)",
                "one of them",
                'give --particle-mass "1e10 Msun/h", of the run',
            )

    def facts(self, table: Table) -> Facts:
        """Return box, redshift and cosmology from Header, and the particle mass."""
        folder = Path(table.place)
        name = name_of(folder.parent if folder.name == _PIG else folder)
        header, stated = _stated(folder)
        where = f"{header / bigfile.ATTRIBUTES}"
        pig = _PIG_PLACE in table.fields
        side = bigfile.number(header, stated, "BoxSize")
        scale = bigfile.number(header, stated, "ScalingFactor", "Time", "a.x")
        redshift = bigfile.number(header, stated, "redshift")
        if scale is not None:
            redshift = redshift_of(f"{where}@ScalingFactor", scale, redshift)
        cosmology = {
            "h": bigfile.number(header, stated, "HubbleParam"),
            "omega_m": bigfile.number(header, stated, "OmegaM", "Omega0"),
            "omega_lambda": bigfile.number(header, stated, "OmegaLambda"),
        }
        box = None
        if side is not None:
            box = physics.box_size(f"{where}@BoxSize", side, _length(header, stated, pig))
        linked = bigfile.number(header, stated, "linking_length")
        if match := _LINKED.fullmatch(folder.name):
            linked = float(match[1])
        record: dict[str, Any] = {} if linked is None else {"linking_length": linked}
        if pig and "UnitLength_in_cm" not in stated:
            record["unit_of_length"] = "kpc/h, the default of MP-Gadget: the header states none"
        return Facts(name, box, redshift, _particle_mass(header, stated), cosmology, record)

    def _masses(self, table: Table) -> dict[str, str]:
        return {"fof": _MASS if _by_mass(table) else _LENGTH}

    def _declared(self, table: Table, options: ReadOptions) -> dict[str, Taken]:
        found = super()._declared(table, options)
        if _by_mass(table):
            mass = _MASS if table.fields[_MASS].unit else f"{_MASS} [Msun/h]"
        elif not _unit(table) and options.particle_mass:
            mass = f"{_LENGTH} [{options.particle_mass!r} Msun/h]"
        else:
            mass = _LENGTH
        return found | self._parsed({"mass": mass, "host_mass": mass})


def _unit(table: Table) -> str:
    """Return the mass of a particle as the unit of lengths; "" if the header has none."""
    return table.fields[_LENGTH].unit if _LENGTH in table.fields else ""


def _by_mass(table: Table) -> bool:
    """Return whether masses are those of a block, for there is no particle mass."""
    return _MASS in table.fields and not _unit(table)


def _catalogues(path: Path) -> list[Path]:
    """Return the folders with halos at a path: itself, or those that a code makes below it."""
    if not path.is_dir():
        return []
    if _has_halos(path):
        return [path]
    below = [path / _PIG, *sorted(path.glob("LL-*"))]
    return [folder for folder in below if folder.is_dir() and _has_halos(folder)]


def _has_halos(folder: Path) -> bool:
    """Return whether a folder has blocks of halos: particles have positions, too, but no length."""
    here = {name for name in _BLOCKS if bigfile.is_block(folder / name)}
    return bool(here & set(_PLACES) and here & {_LENGTH, "CMPosition"}) or _PIG_PLACE in here


def _stated(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the block with the facts of the run, and its attributes with those of the folder."""
    places = [folder / fastpm.FACTS, folder.parent / fastpm.FACTS]
    header = next((place for place in places if bigfile.is_block(place)), places[0])
    stated = {**bigfile.attributes(header), **bigfile.attributes(folder)}
    if folder.name == _PIG:
        # The snapshot states what older versions leave out beside the groups.
        particles = (
            folder.parent.with_name(folder.parent.name.replace("PIG", "PART")) / fastpm.FACTS
        )
        if bigfile.is_block(particles):
            stated = {**_of_the_code(bigfile.attributes(particles)), **stated}
    return header, stated


def _of_the_code(stated: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that are the same for all files of a run."""
    return {n: v for n, v in stated.items() if n.startswith("Unit") or n == "UsePeculiarVelocity"}


def _texts(block: Path) -> list[Path]:
    """Return the texts of a block; attributes may be an empty file."""
    texts = [block / bigfile.HEADER, block / bigfile.ATTRIBUTES]
    return [text for text in texts if text.is_file() and text.stat().st_size]


def _particle_mass(header: Path, stated: dict[str, Any]) -> float | None:
    """Return the mass of a particle [Msun/h]; None if it is stated nowhere."""
    where = f"{header / bigfile.ATTRIBUTES}"
    unit = fastpm.unit_of_mass(header, stated)
    for name in ("M0", "MassTable"):
        if name in stated:
            values = scalars.numbers(f"{where}@{name}", stated[name])
            mass = float(values[min(fastpm.DARK_MATTER, len(values) - 1)])
            if mass > 0:
                return mass * unit
    mass = bigfile.number(header, stated, "particle_mass") or 0.0  # of nbodykit, in Msun/h
    return mass if mass > 0 else None


def _check_rows(folder: Path, blocks: Mapping[str, bigfile.Block]) -> None:
    rows = {name: block.rows for name, block in blocks.items()}
    if len(set(rows.values())) > 1:
        first = next(iter(rows))
        other = next(name for name in rows if rows[name] != rows[first])
        raise HeaderError(
            f"{folder / other}",
            f"{rows[other]} rows",
            f"{rows[first]}, as in {first}",
            "fetch the folder again",
        )


def _check_one_time(folder: Path) -> None:
    """Raise for halos that were emitted at different times."""
    if not bigfile.is_block(folder / _EMITTED):
        return
    block = bigfile.rows_of(bigfile.open_block(folder / _EMITTED), 1)
    times = block.read(0, min(block.number, 1 << 16))
    if len(times) and not np.ptp(times) <= 1e-6:
        raise FormatError(
            folder / _EMITTED,
            f"halos on a light cone, of scale factors {times.min():g} to {times.max():g}",
            "those of one time in the whole box",
            "give the halos of a snapshot of the same run",
        )


def _length(header: Path, stated: dict[str, Any], pig: bool) -> float:
    """Return the unit of length [Mpc/h]."""
    if pig and "UnitLength_in_cm" not in stated:
        return _PIG_KPC
    return fastpm.unit_of_length(header, stated)


def _units(header: Path, stated: dict[str, Any], pig: bool) -> dict[str, str]:
    """Return the units of the blocks, of MP-Gadget or of the others."""
    length = f"comoving {_length(header, stated, pig)!r} Mpc/h"
    if pig:
        mass = fastpm.unit_of_mass(header, stated)
        speed = _pig_speed(header, stated)
        return {_PIG_PLACE: length, _PIG_SPEED: f"{speed!r} km/s", _MASS: f"{mass!r} Msun/h"}
    _check_peculiar(header, stated)
    own = _particle_mass(header, stated)
    return dict.fromkeys(_PLACES, length) | {_LENGTH: "" if own is None else f"{own!r} Msun/h"}


def _pig_speed(header: Path, stated: dict[str, Any]) -> float:
    """Return the unit of MP-Gadget's velocities, which are a times the peculiar ones or these.

    Raises
    ------
    MissingDatasetError, HeaderError
        Which of the two is stated nowhere, or is neither.
    """
    where = f"{header / bigfile.ATTRIBUTES}@UsePeculiarVelocity"
    peculiar = bigfile.number(header, stated, "UsePeculiarVelocity")
    if peculiar is None:
        raise MissingDatasetError(
            where,
            "no such attribute, nor in the snapshot beside it (PART_nnn for PIG_nnn)",
            "1 if velocities are peculiar, 0 if they are a times that (the default of MP-Gadget)",
            "fetch Header of the snapshot too, or write the attribute, for 0: echo "
            "'UsePeculiarVelocity <i4 1 00000000 #HUMANE [ 0 ]' >> "
            f"{in_shell(header / bigfile.ATTRIBUTES)}",
        )
    if peculiar not in (0, 1):
        raise HeaderError(where, f"{peculiar:g}", "0 or 1", "correct the header")
    unit = (bigfile.unit(header, stated, "UnitVelocity_in_cm_per_s") or _KM_S) / _KM_S
    if peculiar:
        return unit
    scale = bigfile.needed(header, stated, "Time")
    redshift_of(f"{header / bigfile.ATTRIBUTES}@Time", scale)  # raises for what is no scale factor
    return unit / scale


def _check_peculiar(header: Path, stated: dict[str, Any]) -> None:
    if bigfile.number(header, stated, "UsePeculiarVelocity") == 0:
        raise HeaderError(
            f"{header / bigfile.ATTRIBUTES}@UsePeculiarVelocity",
            "0: velocities in the code's own unit",
            "1: peculiar velocities in km/s",
            "divide the velocities by the scale factor, and write the attribute as 1",
        )


def _reader(folder: Path, blocks: Mapping[str, bigfile.Block]) -> Any:
    """Return the function of a table that reads blocks in pieces."""

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        needed = {_LENGTH if name == _EMPTY else name for name in wanted}
        columns = {name: bigfile.rows_of(blocks[name], blocks[name].members) for name in needed}
        stored = sum(raw.size_of(file, "numbers") for n in needed for file in blocks[n].files)
        number = next(iter(blocks.values())).rows
        check_size(str(folder), 8 * number * sum(blocks[n].members for n in needed), stored)
        for start in range(0, number, chunk_rows):
            stop = min(start + chunk_rows, number)
            pieces: dict[str, Array] = {n: rows.read(start, stop) for n, rows in columns.items()}
            if _EMPTY in wanted:
                pieces[_EMPTY] = (pieces[_LENGTH] == 0).astype(np.int64)
            yield {name: pieces[name] for name in wanted}

    return read

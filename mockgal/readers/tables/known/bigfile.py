"""Friends-of-friends halos in BigFile, as FastPM writes them and nbodykit saves them.

| native | unit | here |
|---|---|---|
| MinID, the least id of its particles; else the row | | halo_id; every row is a host |
| CMPosition of nbodykit, else Position | UnitLength_in_cm, else comoving Mpc/h | position |
| CMVelocity of nbodykit, else Velocity | peculiar km/s | velocity |
| Length | M0, MassTable or the particle mass | mass, host_mass (fof); n_particles |
| Mass, where no particle mass is stated | Msun/h | mass, host_mass (fof) |
| Header@BoxSize; ScalingFactor or Time; OmegaM or Omega0, OmegaLambda, HubbleParam | | the run |

FastPM has its halos in a folder LL-0.200 (of the linking length) beside or below the particles, and
the facts of the run in Header, which older versions leave without OmegaLambda and HubbleParam.
nbodykit saves what the user names, with the attributes of the particles in Header. Its first row
stands for the particles in no group: it has no length and is left out.

Sources: fastpm/fastpm, libfastpmio/io.c and libfastpm/fof.c; bccp/nbodykit,
nbodykit/algorithms/fof.py and base/catalog.py; the container: rainwoodman/bigfile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ....errors import FormatError, HeaderError, MissingDatasetError, UsageError, listed
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
from ..reader import Facts
from ..table import Field, Pieces, Table, check_size, with_row_numbers

_PLACES = ("CMPosition", "PeakPosition", "Position")
_SPEEDS = ("CMVelocity", "PeakVelocity", "Velocity")
_LENGTH, _MASS, _ID, _EMITTED = "Length", "Mass", "MinID", "Aemit"
_BLOCKS = (*_PLACES, *_SPEEDS, _LENGTH, _MASS, _ID)
_EMPTY = "Length of 0"
_LINKED = re.compile(r"LL-(\d+\.\d+)")


class BigFileReader(Declared):
    """Friends-of-friends halos in BigFile: FastPM's LL-0.200, and what nbodykit saved."""

    name = "bigfile"
    about = About(
        "friends-of-friends halos of FastPM and nbodykit (BigFile)",
        "hosts",
        "Mpc/h or stated, km/s; particles of a stated mass, or Msun/h",
        asked="what the header does not say; the particle mass, if masses are not stated either",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": (_ID, "row"),
        "position": ("CMPosition", "Position"),
        "velocity": ("CMVelocity [km/s]", "Velocity [km/s]"),
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
            bigfile.rows_of(block, 3 if name in (*_PLACES, *_SPEEDS) else 1)
        _check_rows(folder, blocks)
        _check_one_time(folder)
        _check_peculiar(header, stated)
        length = fastpm.unit_of_length(header, stated)
        own = _particle_mass(header, stated)
        units = {
            **dict.fromkeys(_PLACES, f"comoving {length!r} Mpc/h"),
            _LENGTH: "" if own is None else f"{own!r} Msun/h",
        }
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
        header, stated = _stated(Path(table.place))
        where = f"{header / bigfile.ATTRIBUTES}"
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
            box = physics.box_size(f"{where}@BoxSize", side, fastpm.unit_of_length(header, stated))
        linked = bigfile.number(header, stated, "linking_length")
        if match := _LINKED.fullmatch(Path(table.place).name):
            linked = float(match[1])
        record = {} if linked is None else {"linking_length": linked}
        return Facts("", box, redshift, _particle_mass(header, stated), cosmology, record)

    def _masses(self, table: Table) -> dict[str, str]:
        return {"fof": _MASS if _by_mass(table) else _LENGTH}

    def _declared(self, table: Table, options: ReadOptions) -> dict[str, Taken]:
        found = super()._declared(table, options)
        if _by_mass(table):
            mass = f"{_MASS} [Msun/h]"
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
    """Return the folders with halos at a path: itself, or those that FastPM makes below it."""
    if not path.is_dir():
        return []
    if _has_halos(path):
        return [path]
    return [below for below in sorted(path.glob("LL-*")) if below.is_dir() and _has_halos(below)]


def _has_halos(folder: Path) -> bool:
    """Return whether a folder has blocks of halos: particles have positions, too, but no length."""
    here = {name for name in _BLOCKS if bigfile.is_block(folder / name)}
    return bool(here & set(_PLACES)) and bool(here & {_LENGTH, "CMPosition"})


def _stated(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the block with the facts of the run, and its attributes with those of the folder."""
    places = [folder / fastpm.FACTS, folder.parent / fastpm.FACTS]
    header = next((place for place in places if bigfile.is_block(place)), places[0])
    return header, {**bigfile.attributes(header), **bigfile.attributes(folder)}


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

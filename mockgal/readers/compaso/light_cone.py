"""Halo light cones of Abacus: halos at the time at which their light left them.

| native | unit | here |
|---|---|---|
| haloindex + 10^16 origin | | halo_id, host_id; every row is a host |
| pos_interp | Mpc/h, from the centre of the box | position |
| vel_interp | km/s | velocity |
| N_interp | | n_particles |
| the same times ParticleMassHMsun | Msun/h | mass, host_mass (compaso) |
| LightConeOrigins of the header, the first | Mpc/h | the observer |

A light cone goes through copies of the box; positions are not periodic, and lie beyond it. Rows
without particles are halos whose light crossed between other outputs; they are left out and
counted. Format: Hadzhiyska et al. 2022, arXiv:2110.11413.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, HeaderError, UsageError, shown
from ...layout import MASS_DEFINITIONS_IN_FILE, NO_PARTICLES
from ...protocols import ReadOptions
from ...system.ids import whole
from ...system.memory import check_memory
from ...theory.distances import up_to
from ...types import LightCone, Scene, Snapshot
from .. import chunks
from ..checks import values
from ..hdf5.stored import COPY_AGAIN
from .asdf import AsdfFile, open_asdf
from .facts import DEFINITION, Facts, read_facts

Array = NDArray[Any]

NAME = "lc_halo_info.asdf"
_ORIGINS = "LightConeOrigins"
_COPY = 10**16  # ids of the copies of the box apart; haloindex is below it
_BYTES = 300  # of memory for a halo at the peak
_SAME = 0.01  # between a stated redshift and that of the distance
_FARTHEST = 1e5  # coordinate [Mpc/h]


def find(path: Path) -> Path | None:
    """Return the file of a halo light cone at a path, or None."""
    file = path / NAME if path.is_dir() else path
    return file if file.name == NAME and file.is_file() else None


def read(path: Path, options: ReadOptions, *, format: str) -> Scene:
    """Return the halos of a light cone, of which every row is a host.

    Parameters
    ----------
    path : Path
        lc_halo_info.asdf.
    options : ReadOptions
    format : str
        Name of the reader.

    Raises
    ------
    MockgalError
        Exit code 3 for files that are damaged, contradictory or unphysical, 2 for options that
        cannot be met, 6 for more halos than fit into memory.
    """
    _refuse(path, options)
    file = open_asdf(path)
    facts = read_facts(file, options)
    with chunks.sources(chunks.FileSet((path,), "")) as digests:
        number = _numbers(file, "N_interp")
        check_memory(str(path), _BYTES * len(number))
        kept = np.flatnonzero(number > 0)
        columns, redshift = _columns(file, kept, number[kept], facts)
        source = digests()
    observer = _observer(file)
    _check_redshifts(columns["position"], redshift, observer, facts, file, kept)
    ends = (float(redshift.min()), float(redshift.max())) if len(redshift) else (0.0, 0.0)
    record: dict[str, Any] = {
        "files": 1,
        "positions_from": "pos_interp",
        "velocities_from": "vel_interp",
        "host_mass_dataset": "N_interp * ParticleMassHMsun",
        "radii_at_redshift": facts.redshift,
        MASS_DEFINITIONS_IN_FILE: [DEFINITION],
        "mass_definition_chosen_by": "user" if options.mass_definition else "default",
        "hosts_from": "no subhalos in this format: every row is a host",
        "given_by_user": facts.by_user,
        **facts.record,
    }
    snapshot = Snapshot(
        facts.name,
        facts.box_size,
        facts.redshift,
        facts.cosmology,
        facts.particle_mass,
        format,
        source,
        record,
        LightCone(observer, ends),
    )
    native = {"halo_id": "haloindex", "host_id": "haloindex", "position": "pos_interp"}

    def where(name: str, row: int = 0) -> str:
        column = "vel_interp" if name == "velocity" else native.get(name, "N_interp")
        at = kept[row] if row < len(kept) else row
        return f"{file.at(f'data/{column}')}, row {at}"

    counted = {"groups": len(number), NO_PARTICLES: len(number) - len(kept)}
    halos = values.halo_catalog(
        columns, DEFINITION, snapshot, options, where, counted, stored=np.dtype(np.float32)
    )
    return Scene(snapshot, halos)


def _refuse(path: Path, options: ReadOptions) -> None:
    """Raise if options do not go with a light cone."""
    given = {
        "--superslab": options.superslab,
        "--uncleaned": options.uncleaned,
        "--centred-origin": options.centred_origin,
    }
    for flag, value in given.items():
        if value:
            raise UsageError(
                flag, shown(value), f"no such option for the light cone {path}", "leave it out"
            )


def _numbers(file: AsdfFile, name: str) -> Array:
    if name not in file.columns:
        raise FormatError(
            file.path,
            f"no array {name}",
            "a halo light cone, whose halos are interpolated to where their light left them",
            COPY_AGAIN,
        )
    return file.read(name).astype(np.int64)


def _columns(
    file: AsdfFile, kept: Array, number: Array, facts: Facts
) -> tuple[dict[str, Array], Array]:
    """Return the columns in internal units, and redshifts, of the kept rows."""
    rows = file.column("N_interp").shape[0]

    def read(name: str, shape: tuple[int, ...] = ()) -> Array:
        found = file.read(name, shape)
        if len(found) != rows:
            raise HeaderError(
                file.at(f"data/{name}"), f"{len(found)} rows", f"{rows}, as N_interp", COPY_AGAIN
            )
        return found[kept]

    def place(row: int) -> str:
        return f"{file.at('data/haloindex')}, row {kept[row]}"

    origin = read("origin").astype(np.int64)
    ids = whole(read("haloindex"), place)
    if len(ids) and not (origin.min() >= 0 and origin.max() < 100 and ids.max() < _COPY):
        raise HeaderError(
            file.at("data/haloindex"),
            "indices or origins out of range",
            f"haloindex below {_COPY:.0e}, and an origin below 100",
            COPY_AGAIN,
        )
    ids = ids + _COPY * origin
    mass = number * facts.particle_mass
    columns = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": np.ones(len(ids), dtype=bool),
        "position": read("pos_interp", (3,)).astype(np.float64),
        "velocity": read("vel_interp", (3,)).astype(np.float64),
        "mass": mass,
        "host_mass": mass,
        "n_particles": number,
    }
    bad = np.flatnonzero(~(np.abs(columns["position"]) < _FARTHEST).all(axis=1))
    if bad.size:
        raise HeaderError(
            f"{file.at('data/pos_interp')}, row {kept[bad[0]]}",
            f"{bad.size} positions that are not finite or absurd; this is the first",
            f"numbers up to {_FARTHEST:g} Mpc/h",
            COPY_AGAIN,
        )
    return columns, read("redshift_interp").astype(np.float64)


def _observer(file: AsdfFile) -> tuple[float, float, float]:
    """Return the position of the observer [Mpc/h], from the centre of the box.

    Abacus continues a light cone in copies of the box, whose observers follow the first.
    """
    stated = file.header.get(_ORIGINS)
    try:
        x, y, z = (float(text) for text in (stated if isinstance(stated, list) else ())[:3])
        if max(abs(x), abs(y), abs(z)) < _FARTHEST:
            return x, y, z
    except (TypeError, ValueError):
        pass
    raise HeaderError(
        file.at(f"header/{_ORIGINS}"),
        shown(stated),
        "the coordinates of an observer [Mpc/h]",
        COPY_AGAIN,
    )


def _check_redshifts(
    position: Array,
    redshift: Array,
    observer: tuple[float, float, float],
    facts: Facts,
    file: AsdfFile,
    kept: Array,
) -> None:
    """Raise if the stated redshifts are not those of the distances to the observer."""
    if not len(redshift):
        return
    distance = np.sqrt(((position - observer) ** 2).sum(axis=1))
    expected = up_to(facts.cosmology, float(distance.max())).redshifts(distance)
    wrong = np.flatnonzero(~(np.abs(expected - redshift) <= _SAME * (1.0 + expected)))
    if wrong.size:
        row = wrong[0]
        raise HeaderError(
            f"{file.at('data/redshift_interp')}, row {kept[row]}",
            f"{wrong.size} redshifts that are not those of the distance, the first "
            f"{redshift[row]:.6g}",
            f"{expected[row]:.6g} within {_SAME:g} (1 + z), at {distance[row]:.6g} Mpc/h from the "
            f"observer at {observer}",
            "check that the header is of the same simulation, " + COPY_AGAIN,
        )

"""Friends-of-friends groups of Gadget in raw binary (group_tab), as of the Quijote simulations.

``groups_NNN/group_tab_NNN.K``: a header, then the fields one after another, each for all groups of
the file (`mockgal.readers.quijote.files`).

| native | unit | here |
|---|---|---|
| row in the whole set | | halo_id, host_id; every row is a host |
| GroupLen | | n_particles |
| GroupMass | 1e10 Msun/h | mass, host_mass (fof) |
| GroupPos | comoving kpc/h | position |
| GroupVel | peculiar km/s / (1 + z) | velocity |
| GroupOffset, GroupTLen, GroupTMass | | not read |

The format has no magic number: it is never guessed. It states neither the box nor the redshift nor
the cosmology: the user must. Pylians also writes such files with further blocks, of star formation
rates or types, which runs of dark matter do not have; these files are refused.
Format: franciscovillaescusa/Pylians3, library/readfof.py; units and redshifts of the outputs:
franciscovillaescusa/Quijote-simulations, docs/source/halos.rst and bsq.rst.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError, UnitsError, UsageError, printable, warn
from ...layout import MASS_DEFINITIONS_IN_FILE
from ...protocols import ReadOptions
from ...types import HaloCatalog, Scene, Snapshot
from .. import chunks, given
from ..about import About
from ..checks import physics, values
from ..checks.particle_mass import RATIO, SIDE, cube
from ..stated_cosmology import flag, make_cosmology
from .files import FOLDER, count_groups, find_set, gather, named_so

Array = NDArray[Any]

KPC, MASS = 1e3, 1e10  # kpc in a Mpc; Msun/h in the unit of mass

ASKED = ("box_size", "redshift", "h", "omega_m", "omega_lambda")
DEFINITION = "fof"
_SOBOL = (6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.2, 0.0)
REDSHIFTS = {  # of outputs, by their numbers
    "Quijote": {f"{k:03d}": z for k, z in enumerate((3.0, 2.0, 1.0, 0.5, 0.0))},
    "its Big Sobol Sequence": {f"{k:03d}": z for k, z in enumerate(_SOBOL)},
}

_SAME_PARTICLES = 1e-3  # relative, between the particle masses of different groups
_SAME_REDSHIFT = 0.01
# Gravitational constants of codes differ by 3e-4, and the particle masses with them.
_SAME_NUMBER = 5e-4
_ROUNDING = 2.0**-24  # of one addition in single precision, in which group masses are summed


class QuijoteReader:
    """Friends-of-friends group catalogues, group_tab_NNN.K; only read with ``--format quijote``."""

    name = "quijote"
    about = About(
        "friends-of-friends groups in raw binary, as of Quijote; `--format` is required",
        "hosts",
        "1e10 Msun/h, comoving kpc/h, km/s (1 + z)",
        asked="box, redshift, cosmology",
        tested_on="real halos of Quijote, written in this layout",
    )

    def detect(self, path: Path) -> bool:
        """Return False: nothing in the files identifies the format."""
        return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene at ``path``, in which every row is a host halo.

        Parameters
        ----------
        path : Path
            Any file of a set, its ``groups_NNN`` folder, or a run's folder with one output.
        options : ReadOptions
            Must state all of `ASKED`.

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for files that are damaged, incomplete or unphysical, or for facts that the
            user does not state, 2 for options that cannot be met, 6 for a set too large for memory.
        """
        if options.mass_definition not in (None, DEFINITION):
            raise UsageError(
                "--mass-definition",
                repr(options.mass_definition),
                f"{DEFINITION}, the only mass of these groups",
                "leave it out",
            )
        files = find_set(path)
        box_size, redshift, cosmology = _given(files, options)
        counts = count_groups(files)
        with chunks.sources(files) as digests:
            native = gather(files, counts)
            source = digests()
        chunks.check_distinct(source, counts)
        mass = native["GroupMass"].astype(np.float64) * MASS
        position = native["GroupPos"].astype(np.float64) / KPC
        given.check_box(position, box_size, options, f"{files.where}:GroupPos")
        particle_mass, row = _particle_mass(files, counts, native["GroupLen"], mass, options)
        _check_redshift(files, redshift)
        record: dict[str, Any] = {
            "files": len(files.files),
            "output_number": files.number,
            "length_unit": "kpc/h",
            "mass_unit": "1e10 Msun/h",
            "given_by_user": list(ASKED),
            MASS_DEFINITIONS_IN_FILE: [DEFINITION],
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
            "hosts_from": "no subhalos in this format: every row is a host",
        }
        if particle_mass is not None:
            where = chunks.place(files, counts, "GroupMass", row)
            record |= _particles_in_box(particle_mass, box_size, cosmology, where)
        snapshot = Snapshot(
            name=_name(files),
            box_size=box_size,
            redshift=redshift,
            cosmology=cosmology,
            particle_mass=particle_mass,
            format=self.name,
            source=source,
            record=record,
        )
        return Scene(snapshot, _halos(files, counts, native, mass, position, snapshot, options))


def looks_like_a_set(path: Path) -> bool:
    """Return whether names at ``path`` are those of a set, without looking at the content."""
    return bool(named_so(path))


def describe(path: Path) -> tuple[str, str]:
    """Return what ``path`` holds by its names, and a fix, for the error that no format matches."""
    found = f"{named_so(path)[0][2].name}: by its name, friends-of-friends groups of Gadget"
    flags = f"--format {QuijoteReader.name} {given.flags(ASKED)}"
    return found, f"if it holds such groups, as those of Quijote, give {flags}"


def _given(files: chunks.FileSet, options: ReadOptions) -> tuple[float, float, Cosmology]:
    """Return the box size [Mpc/h], redshift and cosmology, which the user must state.

    Raises
    ------
    MissingDatasetError
        Some are not stated; the message names the flags.
    UsageError
        Impossible values.
    """
    stated, _ = given.complete(
        files.where,
        dict.fromkeys(ASKED),
        options,
        expected="box [Mpc/h], redshift and cosmology of the run, which this format does not state",
    )
    box_size, redshift = stated.pop("box_size"), stated.pop("redshift")
    return box_size, redshift, make_cosmology(files.where, {}, stated, options)


def _particle_mass(
    files: chunks.FileSet, counts: list[int], number: Array, mass: Array, options: ReadOptions
) -> tuple[float | None, int]:
    """Return the particle mass, the median over groups [Msun/h], and the row closest to it.

    It is None where no group has a possible mass: `values.halo_catalog` refuses these groups.

    Raises
    ------
    BadValueError
        A group without particles, or with particles of another mass.
    """
    without = np.flatnonzero(number < 1)
    if without.size:
        raise BadValueError(
            chunks.place(files, counts, "GroupLen", int(without[0])),
            f"{without.size} groups without particles, the first with {number[without[0]]}",
            "groups of particles",
            "fetch the file again",
        )
    each = mass / number
    good = np.isfinite(mass) & (mass > 0)
    if not good.any():
        return None, 0
    usual = float(np.median(each[good]))
    tolerance = np.maximum(_SAME_PARTICLES, number * _ROUNDING)
    wrong = np.isfinite(mass) & (mass >= 0) & ~(np.abs(each / usual - 1) <= tolerance)
    if options.drop_bad:  # groups without a mass are left out later
        wrong &= mass > 0
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadValueError(
            chunks.place(files, counts, "GroupMass", row),
            f"{np.count_nonzero(wrong)} groups whose mass is not that of their particles, the "
            f"first {mass[row]:.6g} Msun/h for {number[row]} particles",
            f"{usual:.6g} Msun/h for each particle, as in the other groups",
            "fetch the file again; groups of a run with gas, stars or several resolutions, and "
            "corrected masses, are not read",
        )
    return usual, int(np.argmin(np.where(good, np.abs(each - usual), np.inf)))


def _particles_in_box(
    particle_mass: float, box_size: float, cosmology: Cosmology, where: str
) -> dict[str, Any]:
    """Return the number of particles that fill the box, as a record, if it is a cube.

    Its side must be that of a grid of initial conditions. Any whole number would not do: near 512
    the next cube is never more than 0.3% away, whatever the box and the cosmology.

    Raises
    ------
    UnitsError
        The number is not the cube of such a side.
    """
    nearest = cube(particle_mass, box_size, cosmology.omega_m, cosmology)
    number, off = nearest.number, abs(nearest.side**3 / nearest.number - 1)
    likely = physics.PARTICLES[0] <= number <= physics.PARTICLES[1]
    if not (likely and off <= _SAME_NUMBER):
        raise UnitsError(
            where,
            f"{particle_mass:.6g} Msun/h for each particle, of which {number:.6g} = "
            f"{number ** (1 / 3):.2f}^3 fill {box_size:.6g} Mpc/h at "
            f"Omega_m = {cosmology.omega_m:g}",
            f"N^3 of them within {_SAME_NUMBER:.2%}, where N is the side of a grid (a product of "
            "2, 3, 5, 7, and at most one 11 or 13)",
            f"correct {flag('omega_m')} or {flag('box_size')}, or look for a factor h or 1e10 in "
            "the masses; runs with massive neutrinos, which count in Omega_m but not in the "
            "groups, are not read",
        )
    return {SIDE: nearest.side, RATIO: number / nearest.side**3}


def _check_redshift(files: chunks.FileSet, redshift: float) -> None:
    """Warn if no known output of this number is at the redshift, which the files do not state."""
    usual = {suite: z[files.number] for suite, z in REDSHIFTS.items() if files.number in z}
    if usual and not any(abs(redshift - z) <= _SAME_REDSHIFT for z in usual.values()):
        known = ", ".join(f"{z:g} in {suite}" for suite, z in usual.items())
        warn(
            f"{files.where}: the redshift {redshift:g} was given, and output {files.number} is at "
            f"{known}; velocities are multiplied by 1 + z",
        )


def _name(files: chunks.FileSet) -> str:
    """Return the name of the snapshot: the run's folder and the output."""
    folder = files.folder.resolve()
    if FOLDER.fullmatch(folder.name):
        folder = folder.parent
    return printable(f"{folder.name}/groups_{files.number}".lstrip("/"))


def _halos(
    files: chunks.FileSet,
    counts: list[int],
    native: dict[str, Array],
    mass: Array,
    position: Array,
    snapshot: Snapshot,
    options: ReadOptions,
) -> HaloCatalog:
    """Return the checked rows in internal units."""
    total = len(mass)
    ids = np.arange(total)
    origin = {"position": "GroupPos", "velocity": "GroupVel", "n_particles": "GroupLen"}

    def where(name: str, row: int) -> str:
        return chunks.place(files, counts, origin.get(name, "GroupMass"), row)

    columns = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": np.ones(total, dtype=bool),
        "position": position,
        "velocity": native["GroupVel"].astype(np.float64) * (1.0 + snapshot.redshift),
        "mass": mass,
        "host_mass": mass,
        "n_particles": native["GroupLen"].astype(np.int64),
    }
    stored = native["GroupPos"].dtype
    record: dict[str, Any] = {"groups": total}
    return values.halo_catalog(columns, DEFINITION, snapshot, options, where, record, stored=stored)

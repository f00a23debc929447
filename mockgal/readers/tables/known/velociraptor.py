"""Halos of VELOCIraptor in HDF5: NAME.properties, or NAME.properties.0 and more.

| native | here |
|---|---|
| ID; hostHaloID (-1 for field halos) | halo_id; host_id |
| Xcminpot, else Xcmbp, else Xc; VXc | position; velocity |
| Mass_tot | mass |
| Mass_200crit, Mass_200mean, Mass_BN98, Mass_FOF; R_200crit, ... | host_mass, and its radius |
| M_star, R_HalfMass_star, of hydrodynamic runs | stellar_mass (bound), its radius |
| Vmax, npart, cNFW | vmax, n_particles, concentration (of 200c) |

The group UnitInfo states the units. With Comoving_or_Physical = 0 lengths are physical and nothing
has h; with 1, lengths are comoving and divided by h, and masses too. Period in SimulationInfo has
the unit of lengths. Masses that were not measured are 0 or -1.

Sources: the documentation of VELOCIraptor (github.com/pelahi/VELOCIraptor-STF, doc/output.rst), and
`PropData::ConverttoComove` in its src/allvars.h for the powers of h and of the scale factor.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ....errors import HeaderError, IncompleteSetError
from ...about import About
from ...hdf5 import headers, safe
from ..declared import DeclaredHDF5
from ..formats import hdf5
from ..reader import Facts
from ..table import Table, one_after_another

_MARKS = ("hostHaloID", "Mass_tot", "SimulationInfo", "UnitInfo")
_POSITIONS = ("Xcminpot Ycminpot Zcminpot", "Xcmbp Ycmbp Zcmbp", "Xc Yc Zc")
_MASSES = ("Mass_tot", "Mass_200crit", "Mass_200mean", "Mass_BN98", "Mass_FOF", "M_star")
_RADII = ("R_200crit", "R_200mean", "R_BN98", "R_HalfMass_star")


class VelociraptorReader(DeclaredHDF5):
    """Halos of VELOCIraptor: its properties files in HDF5."""

    name = "velociraptor"
    about = About(
        "VELOCIraptor properties (HDF5)",
        "hosts and subhalos",
        "any, stated in UnitInfo; with h or free of it",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "ID",
        "host_id": "hostHaloID",
        "position": _POSITIONS,
        "velocity": "VXc VYc VZc",
        "mass": "Mass_tot",
        "vmax": "Vmax",
        "n_particles": "npart",
        "stellar_mass": "M_star",
        "stellar_half_mass_radius": "R_HalfMass_star",
    }
    host_masses: ClassVar = {
        "200c": "Mass_200crit",
        "200m": "Mass_200mean",
        "vir": "Mass_BN98",
        "fof": "Mass_FOF",
    }
    radii: ClassVar = {"200c": "R_200crit", "200m": "R_200mean", "vir": "R_BN98"}
    concentrations: ClassVar = {"200c": "cNFW"}
    may_lack_mass = True
    stars = "bound"

    def is_in(self, file: safe.File) -> bool:
        """Return whether a file has the properties and their units."""
        return all(safe.exists(file, name) for name in _MARKS)

    def table(self, path: Path) -> Table:
        """Return the table in a file, and in those that belong to it.

        Raises
        ------
        IncompleteSetError
            A file of the set is missing.
        """
        with safe.open_hdf5(path) as file:
            files = 1
            if safe.exists(file, "Num_of_files"):
                files = int(safe.read_rows(safe.dataset(file, "Num_of_files")).flat[0])
        stem, _, number = str(path).rpartition(".")
        paths = [path]
        if files > 1 and number.isdigit():
            paths = [Path(f"{stem}.{n}") for n in range(files)]
        if len(paths) != files or not all(one.is_file() for one in paths):
            lacking = [one.name for one in paths if not one.is_file()]
            raise IncompleteSetError(
                f"{path}:/Num_of_files",
                f"{files} files, but no {lacking[0] if lacking else f'number in {path.name}'}",
                f"NAME.properties.0 to NAME.properties.{files - 1}",
                "fetch the missing files",
            )
        tables = [_one(one) for one in paths]
        return one_after_another(tables, tables[0].place)

    def facts(self, table: Table) -> Facts:
        """Return box, redshift and cosmology from SimulationInfo."""
        with safe.open_hdf5(table.files[0]) as file:
            where = f"{safe.where_of(file, 'SimulationInfo')}@"
            if not headers.number(file, "SimulationInfo", "Cosmological_Sim", 1.0):
                raise HeaderError(
                    f"{where}Cosmological_Sim", "0", "1", "give halos of a cosmological run"
                )
            scale = headers.number(file, "SimulationInfo", "ScaleFactor", above=0)
            h = headers.number(file, "SimulationInfo", "h_val", above=0)
            matter = next(
                (n for n in ("Omega_m", "Omega_cdm") if headers.has(file, "SimulationInfo", n)),
                "Omega_m",
            )
            cosmology = {
                "h": h,
                "omega_m": headers.number(file, "SimulationInfo", matter),
                "omega_lambda": headers.number(file, "SimulationInfo", "Omega_Lambda"),
            }
            if matter == "Omega_cdm":
                cosmology["omega_m"] += headers.number(file, "SimulationInfo", "Omega_b", 0.0)
            period = headers.number(file, "SimulationInfo", "Period", above=0)
            length = headers.number(file, "UnitInfo", "Length_unit_to_kpc", above=0) / 1e3
            box = period * length * (1 if _is_comoving(file) else h / scale)
        return Facts("", box, 1 / scale - 1, None, cosmology)


def _is_comoving(file: safe.File) -> bool:
    return bool(headers.count(file, "UnitInfo", "Comoving_or_Physical", most=1))


def _one(path: Path) -> Table:
    """Return the table of a file, with the units that UnitInfo states."""
    tables = hdf5.in_group(path, "")
    table = next(t for t in tables if "hostHaloID" in t.fields)
    with safe.open_hdf5(path) as file:
        comoving = _is_comoving(file)
        length, mass, speed = (
            headers.number(file, "UnitInfo", name, above=0)
            for name in ("Length_unit_to_kpc", "Mass_unit_to_solarmass", "Velocity_unit_to_kms")
        )
    of_lengths = f"{'comoving' if comoving else 'physical'} {length!r} kpc{'/h' * comoving}"
    units = {
        **dict.fromkeys((*" ".join(_POSITIONS).split(), *_RADII), of_lengths),
        **dict.fromkeys(_MASSES, f"{mass!r} Msun{'/h' * comoving}"),
        **dict.fromkeys(("VXc", "VYc", "VZc", "Vmax"), f"{speed!r} km/s"),
    }
    fields = {
        name: field._replace(unit=units[name], unit_from="UnitInfo") if name in units else field
        for name, field in table.fields.items()
    }
    return table._replace(fields=fields)

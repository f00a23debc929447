"""Halos of SOAP, which measures halos of SWIFT runs.

| native | here |
|---|---|
| row in the file | halo_id |
| SOAP/HostHaloIndex: row of the central, -1 for centrals | host_id |
| InputHalos/HaloCentre | position |
| BoundSubhalo/CentreOfMassVelocity, TotalMass, MaximumCircularVelocity | velocity, mass, vmax |
| BoundSubhalo/StellarMass, HalfMassRadiusStars, of hydrodynamic runs | stellar_mass, its radius |
| SO/200_crit/TotalMass, SORadius, Concentration | host_mass, and what belongs to it |

Files are free of h, and each dataset states its factor to CGS units, the power of the scale factor
that its numbers lack, and in newer files whether they are physical. Masses within an overdensity
are measured for centrals alone, and are 0 where they were not measured.

Sources: SOAP's documentation (github.com/SWIFTSIM/SOAP, documentation/SOAP.tex), the manual of
SWIFT (swift.strw.leidenuniv.nl/docs/Snapshots), and that of the FLAMINGO release
(github.com/jchelly/flamingo-docs).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ....errors import HeaderError
from ...about import About
from ...hdf5 import headers, safe
from ..declared import DeclaredHDF5
from ..formats import hdf5
from ..reader import Facts
from ..table import Table, with_row_numbers

_MPC = 3.0856775814913673e24  # cm, IAU 2012
_LENGTHS = ("HaloCentre", "SORadius", "HalfMassRadiusStars")
_DIMENSIONLESS = ("HostHaloIndex", "NumberOfBoundParticles", "Concentration")
_CGS = "Conversion factor to CGS (not including cosmological corrections)"
_SAME = 1e-4  # of two statements of a redshift


class SOAPReader(DeclaredHDF5):
    """Halos of SOAP, from SWIFT runs: halo_properties_NNNN.hdf5."""

    name = "soap"
    about = About(
        "SOAP catalogue of a SWIFT run (HDF5)",
        "hosts and subhalos",
        "any, stated per dataset; free of h",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "row",
        "host_id": "SOAP/HostHaloIndex",
        "position": "InputHalos/HaloCentre",
        "velocity": "BoundSubhalo/CentreOfMassVelocity",
        "mass": "BoundSubhalo/TotalMass",
        "vmax": (
            "BoundSubhalo/MaximumCircularVelocity",
            "BoundSubhalo/MaximumCircularVelocityUnsoftened",
        ),
        "n_particles": "InputHalos/NumberOfBoundParticles",
        "stellar_mass": "BoundSubhalo/StellarMass",
        "stellar_half_mass_radius": "BoundSubhalo/HalfMassRadiusStars",
    }
    host_masses: ClassVar = {
        "200c": "SO/200_crit/TotalMass",
        "200m": "SO/200_mean/TotalMass",
        "500c": "SO/500_crit/TotalMass",
        "vir": "SO/BN98/TotalMass",
    }
    radii: ClassVar = {
        key: name.replace("TotalMass", "SORadius") for key, name in host_masses.items()
    }
    concentrations: ClassVar = {
        key: name.replace("TotalMass", "Concentration") for key, name in host_masses.items()
    }
    may_lack_mass = True
    stars = "bound"

    def is_in(self, file: safe.File) -> bool:
        """Return whether a file has halos and the host of each."""
        return all(map(_exists_in(file), ("InputHalos/HaloCentre", "SOAP/HostHaloIndex")))

    def table(self, path: Path) -> Table:
        """Return the table of the datasets above, with their units."""
        names = [
            name
            for texts in (
                *self.columns.values(),
                *self.host_masses.values(),
                *self.radii.values(),
                *self.concentrations.values(),
            )
            for name in ((texts,) if isinstance(texts, str) else texts)
        ]
        with safe.open_hdf5(path) as file:
            there = list(filter(_exists_in(file), names))
            units = {name: _unit(file, name) for name in there if not name.endswith(_DIMENSIONLESS)}
        return with_row_numbers(hdf5.across_groups(path, there, units), "row")

    def facts(self, table: Table) -> Facts:
        """Return box, redshift and cosmology from Header, Units and Cosmology."""
        with safe.open_hdf5(table.files[0]) as file:
            length = headers.number(file, "Units", "Unit length in cgs (U_L)", above=0) / _MPC
            h = headers.number(file, "Cosmology", "h", above=0)
            redshift = headers.number(file, "Cosmology", "Redshift", above=-1)
            other = headers.number(file, "Header", "Redshift", redshift)
            if abs(other - redshift) > _SAME * (1 + redshift):
                raise HeaderError(
                    f"{safe.where_of(file, 'Header')}@Redshift",
                    f"{other:g}",
                    f"{redshift:g}, as Cosmology says",
                    "fetch the file again",
                )
            names = {
                "omega_b": "Omega_b",
                "omega_r": "Omega_r",
                "omega_nu": "Omega_nu_0",
                "w0": "w_0",
                "wa": "w_a",
            }
            cosmology = {
                "h": h,
                "omega_m": headers.number(file, "Cosmology", "Omega_m"),
                "omega_lambda": headers.number(file, "Cosmology", "Omega_lambda"),
                **{
                    key: headers.number(file, "Cosmology", name)
                    for key, name in names.items()
                    if headers.has(file, "Cosmology", name)
                },
            }
            side = headers.side(file, "Header", "BoxSize")
        return Facts("", side * length * h, redshift, None, cosmology)


def _exists_in(file: safe.File) -> Callable[[str], bool]:
    return lambda name: safe.exists(file, name)


def _unit(file: safe.File, name: str) -> str:
    """Return the unit of a dataset's numbers, from the attributes that SWIFT writes."""
    power = headers.number(file, name, "a-scale exponent", 0.0)
    of_h = headers.number(file, name, "h-scale exponent", 0.0)
    where = safe.where_of(file, name)
    if of_h or power not in (0, 1):
        raise HeaderError(
            f"{where}@a-scale exponent, h-scale exponent",
            f"{power:g}, {of_h:g}",
            "0 or 1, 0",
            "check that SOAP wrote this file",
        )
    comoving = power == 1 and not headers.number(file, name, "Value stored as physical", 0.0)
    factor = headers.number(file, name, _CGS, above=0)
    if name.endswith(_LENGTHS):
        return f"{'comoving' if comoving else 'physical'} {factor!r} cm"
    if name.endswith("Mass"):
        return f"{factor!r} g"
    return f"{'comoving ' * comoving}{factor!r} cm/s"

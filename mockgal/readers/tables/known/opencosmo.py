"""Halos of HACC runs in the format of OpenCosmo: haloproperties.hdf5.

| native | here |
|---|---|
| fof_halo_tag | halo_id; every row is a host |
| fof_halo_center_x, y, z; fof_halo_com_vx, vy, vz | position; velocity |
| fof_halo_mass (linking length 0.168), fof_halo_count | mass; n_particles |
| fof_halo_mass, sod_halo_mass (200c) | host_mass |
| sod_halo_radius, sod_halo_cdelta | radius and concentration of 200c |
| fof_halo_max_cir_vel | vmax |

Each dataset has an attribute `unit`. In the convention "scalefree" lengths are comoving Mpc/h,
masses Msun/h, and velocities, "comoving km/s", are dx/dt of the comoving position: the scale factor
makes them peculiar. Halos of few particles have no mass within 200c: it is negative (-101).

Source: the OpenCosmo toolkit (github.com/ArgonneCPAC/OpenCosmo, opencosmo/parameters and dataset).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ....errors import FormatError
from ...about import About
from ...hdf5 import headers, safe
from ..declared import DeclaredHDF5
from ..formats import hdf5
from ..reader import Facts
from ..table import Table

_FILE, _RUN = "header/file", "header/simulation"
_CONVENTIONS = ("scalefree", "comoving")


class OpenCosmoReader(DeclaredHDF5):
    """Halos of HACC in the format of OpenCosmo: halo_properties."""

    name = "opencosmo"
    about = About(
        "OpenCosmo halo_properties of HACC (HDF5)",
        "hosts",
        "any, stated per dataset; as published Msun/h, comoving Mpc/h",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "fof_halo_tag",
        "position": "fof_halo_center_x fof_halo_center_y fof_halo_center_z",
        "velocity": (
            "fof_halo_com_vx fof_halo_com_vy fof_halo_com_vz",
            "fof_halo_mean_vx fof_halo_mean_vy fof_halo_mean_vz",
        ),
        "mass": "fof_halo_mass",
        "n_particles": "fof_halo_count",
        "vmax": "fof_halo_max_cir_vel",
    }
    host_masses: ClassVar = {"fof": "fof_halo_mass", "200c": "sod_halo_mass"}
    radii: ClassVar = {"200c": "sod_halo_radius"}
    concentrations: ClassVar = {"200c": "sod_halo_cdelta"}
    may_lack_mass = True

    def is_in(self, file: safe.File) -> bool:
        """Return whether a file has properties of halos."""
        kind = headers.attribute(file, _FILE, "data_type", "")
        return kind == "halo_properties" and safe.exists(file, "data/fof_halo_tag")

    def table(self, path: Path) -> Table:
        """Return the table of the group data.

        Raises
        ------
        FormatError
            Halos on a light cone, or units of another convention.
        """
        with safe.open_hdf5(path) as file:
            where = f"{safe.where_of(file, _FILE)}@"
            if headers.number(file, _FILE, "is_lightcone", 0.0):
                raise FormatError(
                    f"{where}is_lightcone",
                    "halos on a light cone",
                    "those of one time in the whole box",
                    "give the halo properties of a snapshot of the same run",
                )
            convention = headers.text(file, _FILE, "unit_convention", "scalefree")
            if convention not in _CONVENTIONS:
                raise FormatError(
                    f"{where}unit_convention",
                    repr(convention),
                    "one of " + ", ".join(_CONVENTIONS),
                    'write it with the toolkit: dataset.with_units("scalefree")',
                )
        return next(t for t in hdf5.in_group(path, "data") if "fof_halo_tag" in t.fields)

    def facts(self, table: Table) -> Facts:
        """Return box, redshift and cosmology from the header."""
        with safe.open_hdf5(table.files[0]) as file:
            group = f"{_RUN}/cosmology"
            names = {"omega_b": "omega_b", "w0": "w_0", "wa": "w_a"}
            cosmology = {
                "h": headers.number(file, group, "h", above=0),
                "omega_m": headers.number(file, group, "omega_m"),
                "omega_lambda": headers.number(file, group, "omega_l"),
                **{
                    key: headers.number(file, group, name)
                    for key, name in names.items()
                    if headers.has(file, group, name)
                },
            }
            box = headers.number(file, f"{_RUN}/parameters", "box_size", above=0)
            redshift = headers.number(file, _FILE, "redshift", above=-1)
        return Facts("", box, redshift, None, cosmology)

"""AREPO: Subfind catalogues and snapshots of Illustris, IllustrisTNG and CAMELS.

Differences from other Subfind catalogues: units in the header, or by definition ckpc/h, 1e10 Msun/h
and km/s; `SubhaloGrNr`; the central is the group's first subhalo; `SubhaloFlag`.
Format: Nelson et al. 2019, arXiv:1812.05609; illustristng/illustris_python, groupcat.py.
"""

from __future__ import annotations

from ..about import About
from .files import Dialect, has_attribute
from .reader import SubfindReader
from .rows import BY_TYPE
from .units import AREPO

DIALECT = Dialect(
    name="arepo",
    code="AREPO",
    stems="fof_subhalo_tab|groups",
    statement=AREPO,
    group_number="SubhaloGrNr",
    rank="",
    counts=("Nsubgroups", "Nsubhalos"),
    stellar_mass={"bound": BY_TYPE, "2rhalf": "SubhaloMassInRadType"},
    flag="SubhaloFlag",
    in_header=lambda file: (
        has_attribute(file, "Nsubgroups_Total")
        or (has_attribute(file, "Nsubhalos_Total") and has_attribute(file, "HubbleParam"))
    ),
)


class ArepoReader(SubfindReader):
    """Subfind catalogues of AREPO, single files or sets."""

    name, dialect = DIALECT.name, DIALECT
    about = About(
        "Subfind of AREPO: Illustris, IllustrisTNG, CAMELS (HDF5)",
        "hosts, subhalos, particles",
        "comoving kpc/h, 1e10 Msun/h, km/s, unless the file says otherwise",
        tested_on="real files of TNG100-1; made sets",
        library="CAMELS: `pip install 'mockgal[formats]'`",
    )

"""AREPO: Subfind catalogues and snapshots of Illustris, IllustrisTNG and CAMELS.

What differs from other Subfind catalogues: units in the header, or by definition ckpc/h,
1e10 Msun/h and km/s; `SubhaloGrNr`; the central is the group's first subhalo; `SubhaloFlag`.
Format: Nelson et al. 2019, arXiv:1812.05609; illustristng/illustris_python, groupcat.py.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import MockgalError, UnsafeInputError
from . import chunks, headers, safe
from .subfind import BY_TYPE, SubfindReader
from .subfind_set import FOLDERS, Dialect, subhalo_count
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
)


class ArepoReader(SubfindReader):
    """Subfind catalogues of AREPO, single files or sets."""

    name, dialect = DIALECT.name, DIALECT

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is an AREPO catalogue: never raises for other formats."""
        return chunks.any_file(path, DIALECT.stems, FOLDERS, _looks_right)


def _looks_right(path: Path) -> bool:
    try:
        with safe.open_hdf5(path) as file:
            older = headers.attribute(file, "Header", "Nsubgroups_Total", None) is not None
            own = headers.attribute(file, "Header", "HubbleParam", None) is not None
            header = older or (own and bool(subhalo_count(file, DIALECT)))
            try:
                if safe.exists(file, f"Subhalo/{DIALECT.group_number}"):
                    return True
                return header and not safe.exists(file, "Subhalo/SubhaloGroupNr")
            except UnsafeInputError:  # `read` refuses it with the reason
                return header
    except MockgalError:
        return False

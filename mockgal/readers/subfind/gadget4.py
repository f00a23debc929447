"""Gadget-4: Subfind catalogues and snapshots, in any unit system.

Differences from other Subfind catalogues: units in /Parameters, `SubhaloGroupNr`, a rank in the
group. Format: weiguangcui/Gadget4, src/fof/fof_io.cc.
"""

from __future__ import annotations

from ..about import About
from .files import Dialect, has_attribute
from .reader import SubfindReader
from .rows import BY_TYPE
from .units import GADGET4

DIALECT = Dialect(
    name="gadget4",
    code="Gadget-4",
    stems="fof_subhalo_tab",
    statement=GADGET4,
    group_number="SubhaloGroupNr",
    rank="SubhaloRankInGr",
    counts=("Nsubhalos",),
    stellar_mass={"bound": BY_TYPE},
    flag="",
    # AREPO keeps the cosmology in the header, Gadget-4 does not.
    in_header=lambda file: (
        has_attribute(file, "Nsubhalos_Total") and not has_attribute(file, "HubbleParam")
    ),
)


class Gadget4Reader(SubfindReader):
    """Subfind catalogues of Gadget-4, single files or sets."""

    name, dialect = DIALECT.name, DIALECT
    about = About(
        "Subfind of Gadget-4 (HDF5)",
        "hosts, subhalos, particles",
        "any, stated in the parameters; with h or free of it",
        tested_on="real runs",
    )

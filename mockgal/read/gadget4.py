"""Gadget-4: Subfind catalogues and snapshots, in any unit system.

What differs from other Subfind catalogues: units in /Parameters, `SubhaloGroupNr`, a rank in the
group. Format: weiguangcui/Gadget4, src/fof/fof_io.cc.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import MockgalError, UnsafeInputError
from . import chunks, headers, safe
from .subfind import BY_TYPE, SubfindReader
from .subfind_set import FOLDERS, Dialect
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
)


class Gadget4Reader(SubfindReader):
    """Subfind catalogues of Gadget-4, single files or sets."""

    name, dialect = DIALECT.name, DIALECT

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a Gadget-4 catalogue: never raises for other formats."""
        return chunks.any_file(path, DIALECT.stems, FOLDERS, _looks_right)


def _looks_right(path: Path) -> bool:
    try:
        with safe.open_hdf5(path) as file:
            # AREPO keeps the cosmology in the header, and has other names for the rows.
            ours = headers.attribute(file, "Header", "Nsubhalos_Total", None) is not None
            theirs = headers.attribute(file, "Header", "HubbleParam", None) is not None
            header = ours and not theirs
            try:
                if safe.exists(file, f"Subhalo/{DIALECT.group_number}"):
                    return True
                return header and not safe.exists(file, "Subhalo/SubhaloGrNr")
            except UnsafeInputError:  # `read` refuses it with the reason
                return header
    except MockgalError:
        return False

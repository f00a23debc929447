"""Halos of AHF, Amiga's Halo Finder: NAME.z0.000.AHF_halos.

| native | unit | here |
|---|---|---|
| ID; hostHalo (0, in older files -1, for hosts) | | halo_id; host_id |
| Xc, Yc, Zc; VXc, VYc, VZc | comoving kpc/h; peculiar km/s | position; velocity |
| Mhalo, in older files Mvir: of bound particles | Msun/h | mass, host_mass |
| Rhalo or Rvir; cNFW | comoving kpc/h | radius; concentration |
| Vmax, npart | km/s | vmax, n_particles |

A run chooses within which overdensity it measures masses, and the file does not say: the user
must, and the radii are held against it. Names are numbered from 1: ``ID(1)``. The redshift is that
of the file's name. Files whose names begin with ``npart(1)``, of versions before 1.0-060, have
neither ids nor hosts, and are read as tables are (``--columns``).

Sources: AHF's documentation (popia.ft.uam.es/AHF), and that of the tables AHF at cosmosim.org.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from ....errors import HeaderError, printable
from ...about import About
from ...text.stream import begins_with
from ...text.table import read_head
from ..declared import Declared
from ..formats import text
from ..reader import Facts
from ..table import Table

_BEGINS = re.compile(r"#\s*ID\(1\)\s+hostHalo\(2\)", re.I)
_NAME = re.compile(r"(.+)\((\d+)\)")
_REDSHIFT = re.compile(r"\.z(\d+\.\d+)\.AHF_halos")
_NEW = {"Mvir": "Mhalo", "Rvir": "Rhalo"}  # names of older versions


class AHFReader(Declared):
    """Halos of AHF: NAME.AHF_halos."""

    name = "ahf"
    about = About(
        "AHF_halos (text)",
        "hosts and subhalos",
        "Msun/h, comoving kpc/h, km/s",
        asked="box, cosmology, mass definition; redshift, if the file was renamed",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "ID",
        "host_id": "hostHalo [0]",
        "position": "Xc Yc Zc [kpc/h]",
        "velocity": "VXc VYc VZc [km/s]",
        "mass": "Mhalo [Msun/h]",
        "host_mass": "Mhalo [Msun/h]",
        "vmax": "Vmax [km/s]",
        "n_particles": "npart",
        "radius": "Rhalo [kpc/h]",
        "concentration": "cNFW",
    }

    def is_mine(self, path: Path) -> bool:
        """Return whether the first line has AHF's names."""
        return path.is_file() and _BEGINS.match(begins_with(path)) is not None

    def table(self, path: Path) -> Table:
        """Return the table, its names without their numbers.

        Raises
        ------
        HeaderError
            Numbers that do not match the columns.
        """
        words = read_head(path).comments[0].split()
        names = []
        for place, word in enumerate(words, 1):
            match = _NAME.fullmatch(word)
            if match is None or match[2] != f"{place}":
                raise HeaderError(
                    f"{path}, line 1",
                    f"column {place} called {printable(word[:80])!r}",
                    f"NAME({place})",
                    "correct the first line: columns were added or removed without changing it",
                )
            names.append(_NEW.get(match[1], match[1]))
        return text.between_blanks(path, names)

    def facts(self, table: Table) -> Facts:
        """Return the redshift in the file's name."""
        match = _REDSHIFT.search(table.files[0].name)
        if match is None:
            return Facts("")
        return Facts("", redshift=float(match[1]), record={"redshift_from": "name of the file"})

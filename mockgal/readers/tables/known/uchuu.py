"""Halo lists of consistent-trees in HDF5, as those of Uchuu: halolist_z0p00.h5.

| native | unit | here |
|---|---|---|
| id; upid, else pid (-1 for hosts) | | halo_id, host_id |
| x, y, z; vx, vy, vz | comoving Mpc/h; peculiar km/s | position, velocity |
| Mvir, Rvir, rs | Msun/h; comoving kpc/h | mass; concentration |
| M200c, Mvir, M200b, M500c | Msun/h | host_mass |
| vmax | km/s | vmax |
| Mpeak, Vpeak, Vmax_Mpeak, Mpeak_Scale | Msun/h, km/s | peak_mass and others, if present |
| Halfmass_Scale, scale_of_last_MM, Macc, Vacc | Msun/h, km/s | half_mass_scale and others |
| phantom | | flagged rows are left out and counted |

Large runs are in numbered files, each a part of the box, and hosts may be in another file than
their satellites: a folder that holds all of one time is read as a whole. The comments of the list,
which state box and cosmology, are in the attribute `Consistent Trees_metadata`.

Sources: uchuutools (github.com/uchuuproject/uchuutools, docs), which writes the files; the
description of the catalogues at skiesanduniverses.org/Simulations/Uchuu; consistent-trees 1.01.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import HeaderError, IncompleteSetError, UsageError, listed
from ...about import About
from ...hdf5 import headers, safe
from ...rockstar.head import facts_of
from ..declared import DeclaredHDF5
from ..formats import hdf5
from ..reader import Facts
from ..table import FLOAT, Table, one_after_another

_COMMENTS = "Consistent Trees_metadata"
_GROUPS = ("", "HaloCatalogue")  # of older and newer files
_MARKS = ("id", "upid", "desc_scale", "phantom", "Mvir")
_NUMBERED = re.compile(r"(.+)_(\d+)\.(?:h5|hdf5)")
_SAME = 1e-4  # of two statements of a scale factor


class UchuuReader(DeclaredHDF5):
    """Halo lists of consistent-trees in HDF5, as those of Uchuu."""

    name = "uchuu"
    about = About(
        "consistent-trees in HDF5: Uchuu",
        "hosts and subhalos",
        "Msun/h, comoving Mpc/h and kpc/h, km/s",
        asked="box and cosmology, where the comments of the list were left out",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "id",
        "host_id": ("upid", "pid"),
        "position": "x y z [Mpc/h]",
        "velocity": "vx vy vz [km/s]",
        "mass": "Mvir [Msun/h]",
        "vmax": ("vmax [km/s]", "Vmax [km/s]"),
        "peak_mass": ("Mpeak [Msun/h]",),
        "peak_vmax": ("Vpeak [km/s]",),
        "vmax_at_peak_mass": ("Vmax_Mpeak [km/s]", "Vmax@Mpeak [km/s]"),
        "peak_mass_scale": ("Mpeak_Scale",),
        "half_mass_scale": ("Halfmass_Scale",),
        "last_major_merger_scale": ("scale_of_last_MM",),
        "infall_mass": ("Macc [Msun/h]",),
        "infall_vmax": ("Vacc [km/s]",),
        "scale_radius": ("rs [kpc/h]", "Rs [kpc/h]"),
    }
    host_masses: ClassVar = {"200c": "M200c", "vir": "Mvir", "200m": "M200b", "500c": "M500c"}
    mass_unit = "Msun/h"
    radii: ClassVar = {"vir": "Rvir [kpc/h]"}
    flag = "phantom"

    def is_in(self, file: safe.File) -> bool:
        """Return whether a file has the datasets of a list of consistent-trees."""
        return any(all(safe.exists(file, f"{g}/{n}") for n in _MARKS) for g in _GROUPS)

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` is such a file, or a folder of numbered ones."""
        files = _numbered(path) if path.is_dir() else {}
        first = next(iter(next(iter(files.values()), {}).values()), path)
        return super().is_mine(first)

    def table(self, path: Path) -> Table:
        """Return the table in a file, or in all files of a folder.

        Raises
        ------
        IncompleteSetError
            A number is missing.
        UsageError
            The folder has files of several times.
        """
        if not path.is_dir():
            return _one(path)
        files = _numbered(path)
        if len(files) > 1:
            raise UsageError(
                path, f"several sets of files, {listed(sorted(files))}", "one", "give one of each"
            )
        numbers = next(iter(files.values()))
        missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
        if missing:
            raise IncompleteSetError(
                path,
                f"no file {listed(map(str, missing))} of 0 to {max(numbers)}",
                "all of them",
                "fetch the missing files",
            )
        return one_after_another([_one(numbers[n]) for n in sorted(numbers)], str(path))

    def facts(self, table: Table) -> Facts:
        """Return redshift, from the rows, and box and cosmology, from the list's comments."""
        stated = facts_of(f"{table.place}@{_COMMENTS}", _comments(table))
        piece = next(table.read({"scale": FLOAT}, 1), None) if "scale" in table.fields else None
        scale = stated.get("a") if piece is None else float(piece["scale"][0])
        if scale is not None and not 0 < scale < np.inf:
            raise HeaderError(
                table.at("scale"), f"{scale:g}", "a positive number", "fetch the file again"
            )
        if scale and abs(stated.get("a", scale) / scale - 1) > _SAME:
            raise HeaderError(
                f"{table.place}@{_COMMENTS}",
                f"a = {stated['a']:g}",
                f"{scale:g}, as in the rows",
                "correct the comment",
            )
        cosmology = {name: stated.get(name) for name in ("h", "omega_m", "omega_lambda")}
        return Facts(
            "",
            stated.get("box_size"),
            None if scale is None else 1 / scale - 1,
            stated.get("particle_mass"),
            cosmology,
        )


def _numbered(folder: Path) -> dict[str, dict[int, Path]]:
    """Return numbered files by the beginning of their names."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        if match := _NUMBERED.fullmatch(path.name):
            found.setdefault(match[1], {})[int(match[2])] = path
    return found


def _one(path: Path) -> Table:
    tables = [table for group in _GROUPS for table in hdf5.in_group(path, group)]
    return next(table for table in tables if set(_MARKS) <= set(table.fields))


def _comments(table: Table) -> list[str]:
    """Return the comments of the list without the first, which names the columns."""
    group = table.name or "/"
    with safe.open_hdf5(table.files[0]) as file:
        value = next(
            (
                headers.attribute(file, g, _COMMENTS)
                for g in (group, "/")
                if headers.has(file, g, _COMMENTS)
            ),
            "",
        )
    parts = [value] if isinstance(value, str) else list(value)
    text = "\n".join(
        p.decode("utf-8", "replace") if isinstance(p, bytes) else str(p) for p in parts
    )
    return [line.lstrip("#").strip() for line in text.splitlines() if line.strip()][1:]

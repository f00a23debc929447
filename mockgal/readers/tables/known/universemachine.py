"""Halos of UniverseMachine: sfr_catalog_A.bin, records without a head, and sfr_catalog_A.txt.

| native | unit | here |
|---|---|---|
| id; upid (-1 for centrals) | | halo_id; host_id |
| pos: x, y, z, vx, vy, vz | comoving Mpc/h, peculiar km/s | position, velocity |
| m | Msun/h, Bryan & Norman 1998 | mass, host_mass |
| r; v | comoving kpc/h; km/s | radius; vmax |
| mp; vmp | Msun/h; km/s | peak_mass; vmax_at_peak_mass |

Stellar masses and rates of star formation are not read. Halos with bit 4 set in ``flags`` are to be
ignored: they are left out and counted. Orphans, which UniverseMachine follows after the halo finder
lost them, have the last id of their subhalo plus 10^15 for each snapshot since; they are satellites
with the masses and positions of its model, and are counted and said.

Records have no mark: a file is recognised by its size, a multiple of 128 bytes, and by values that
such records can have. The redshift is that of the scale factor A in the file's name.

Sources: loader.py and the C header of the data release (halos.as.arizona.edu/UniverseMachine/DR1),
which describe each field; Uchuu's description of the ids of orphans
(Readme_Uchuu_UM_data_structure.txt).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import CorruptFileError, warn
from ....protocols import ReadOptions
from ....types import Scene
from ...about import About
from ...hdf5 import safe
from ...rockstar.head import facts_of
from ...text.stream import begins_with
from ...text.table import read_head
from ..declared import Declared
from ..formats import text
from ..reader import Facts
from ..table import INTEGER, Field, Pieces, Table, check_size

RECORD = np.dtype(
    [
        *((name, "<i8") for name in ("id", "descid", "upid")),
        ("flags", "<i4"),
        ("uparent_dist", "<f4"),
        *((name, "<f4") for name in ("x", "y", "z", "vx", "vy", "vz")),
        *(
            (name, "<f4")
            for name in [
                "vmp",
                "lvmp",
                "mp",
                "m",
                "v",
                "r",
                "rank1",
                "rank2",
                "ra",
                "rarank",
                "a_uv",
            ]
        ),
        *((name, "<f4") for name in ["sm", "icl", "sfr", "obs_sm", "obs_sfr", "obs_uv", "empty"]),
    ]
)
_BEGINS = re.compile(r"#\s*id\s+descid\s+upid\b", re.I)
_SCALE = re.compile(r"sfr_catalog_(\d+\.\d+)\.")
_LOOKED_AT = 256  # records
_FLAGS, _IGNORE = "flags", 1 << 4
_ORPHAN = 10**15  # the least id of an orphan
_FASTEST, _HEAVIEST, _FARTHEST = 3e4, 1e17, 1e5  # km/s, Msun/h, Mpc/h


class UniverseMachineReader(Declared):
    """Halos of UniverseMachine: sfr_catalog in binary or text."""

    name = "universemachine"
    about = About(
        "UniverseMachine sfr_catalog (binary or text)",
        "hosts and subhalos, orphans included",
        "Msun/h, comoving Mpc/h and kpc/h, km/s",
        asked="box and cosmology; redshift, if the file was renamed",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "id",
        "host_id": "upid",
        "position": "x y z [Mpc/h]",
        "velocity": "vx vy vz [km/s]",
        "mass": "m [Msun/h]",
        "vmax": "v [km/s]",
        "peak_mass": "mp [Msun/h]",
        "vmax_at_peak_mass": "vmp [km/s]",
    }
    host_masses: ClassVar = {"vir": "m"}
    mass_unit = "Msun/h"
    radii: ClassVar = {"vir": "r [kpc/h]"}
    flag = "bit 4 of flags"
    flag_means = "ignored"

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` has UniverseMachine's names, or records that may be its."""
        if not path.is_file():
            return False
        return _BEGINS.match(begins_with(path)) is not None or _has_records(path)

    def table(self, path: Path) -> Table:
        """Return the table in a file of records, or in a text."""
        if _BEGINS.match(begins_with(path)):
            head = read_head(path)
            names = [word.lower() for word in head.comments[0].split()]
            return _with_flag(text.between_blanks(path, names, head.comments), self.flag)
        return _with_flag(_records(path), self.flag)

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in a file; count its orphans, and say how many there are."""
        scene = super().read(path, options)
        late = scene.halos["halo_id"] >= _ORPHAN
        orphans = int(np.count_nonzero(late & ~scene.halos["is_central"]))
        if not orphans:
            return scene
        warn(
            f"{path}: {orphans} of {len(scene.halos)} rows are orphans: galaxies whose subhalo the "
            "halo finder lost, where and as heavy as UniverseMachine's model says. They are read "
            "as satellites, which catalogues of other finders do not have"
        )
        record = {**scene.snapshot.record, "orphans_of_the_model": orphans}
        return replace(scene, snapshot=replace(scene.snapshot, record=record))

    def facts(self, table: Table) -> Facts:
        """Return the redshift in the file's name, and what comments of a text state."""
        stated = facts_of(table.place, table.comments[1:])
        match = _SCALE.match(table.files[0].name)
        scale = stated.get("a") or (float(match[1]) if match else 0.0)
        return Facts(
            "",
            stated.get("box_size"),
            1 / scale - 1 if scale > 0 else None,
            stated.get("particle_mass"),
            {name: stated.get(name) for name in ("h", "omega_m", "omega_lambda")},
            {"redshift_from": "name of the file"} if match and "a" not in stated else {},
        )


def _has_records(path: Path) -> bool:
    """Return whether a file consists of records whose values are possible."""
    size = path.stat().st_size
    if not size or size % RECORD.itemsize:
        return False
    rows = np.fromfile(path, RECORD, _LOOKED_AT)
    with np.errstate(invalid="ignore"):
        return bool(
            np.all(rows["id"] >= 0)
            and len(np.unique(rows["id"])) == len(rows)
            and np.all(rows["upid"] >= -1)
            and np.all(rows["descid"] >= -1)
            and all(np.all(np.abs(rows[x]) < _FARTHEST) for x in "xyz")
            and any(np.any(rows[x] > 0) for x in "xyz")
            and all(np.all(np.abs(rows[v]) < _FASTEST) for v in ("vx", "vy", "vz"))
            and np.all((rows["m"] > 0) & (rows["m"] <= rows["mp"] * 1.01))
            and np.all((rows["mp"] < _HEAVIEST) & (rows["v"] > 0) & (rows["v"] < _FASTEST))
        )


def _with_flag(table: Table, flag: str) -> Table:
    """Return a table with a column that says which halos are to be ignored, where it has flags."""
    if _FLAGS not in table.fields:
        return table

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        others = {name: need for name, need in wanted.items() if name != flag}
        if len(others) < len(wanted):
            others[_FLAGS] = INTEGER
        for piece in table.read(others, chunk_rows):
            if flag in wanted:
                piece = {**piece, flag: (piece[_FLAGS].astype(np.int64) & _IGNORE) >> 4}
            yield {name: piece[name] for name in wanted}

    return table._replace(fields={**table.fields, flag: Field("i")}, read=read)


def _records(path: Path) -> Table:
    safe.check_regular(path)
    size = path.stat().st_size
    rows, rest = divmod(size, RECORD.itemsize)
    if rest:
        raise CorruptFileError(
            path, f"{size} bytes", f"a multiple of {RECORD.itemsize}", "fetch the file again"
        )

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        check_size(str(path), 8 * rows * len(wanted), size)
        with open(path, "rb") as file:
            while len(piece := np.fromfile(file, RECORD, chunk_rows)):
                yield {name: piece[name] for name in wanted}

    fields = {
        name: Field(RECORD[name].kind, bytes=RECORD[name].itemsize) for name in RECORD.names or ()
    }
    return Table(str(path), fields, rows, read, files=(path,))

"""Halos of Rockstar in binary: halos_N.M.bin, one file M of each process that wrote.

| native | unit | here |
|---|---|---|
| id | | halo_id |
| pos: x, y, z, vx, vy, vz | comoving Mpc/h, peculiar km/s | position, velocity |
| m, within r | Msun/h; comoving kpc/h | mass, host_mass; radius |
| rs | comoving kpc/h | concentration |
| vmax | km/s | vmax |
| parents, which the files lack: see `parents` | | host_id |

The head of 256 bytes has box, scale factor, cosmology, the mass of a particle and the volume that
the process was responsible for. Not there: the overdensity within which the run measured masses, so
that the user must state it; the radii are held against it. Versions of Rockstar differ in the
fields behind those above; the length of a record follows from the size of the file.

Source: yt-project/rockstar, io/io_internal.h, halo.h, parents.c, and yt/frontends/rockstar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ....errors import CorruptFileError, FormatError, IncompleteSetError
from ....system import scalars
from ....types import Array
from ...about import About
from ...hdf5 import safe
from ..declared import Declared
from ..reader import Facts, name_of
from ..table import FLOAT, INTEGER, Field, Pieces, Table, check_size, gather, one_after_another

MAGIC = b"\xd0\xd0\xc0\xc0\xce\xda\xde\xfa"
HEAD = np.dtype(
    [
        ("magic", "<u8"),
        ("snap", "<i8"),
        ("chunk", "<i8"),
        *((name, "<f4") for name in ("scale", "om", "ol", "h0")),
        ("bounds", "<f4", (6,)),
        ("num_halos", "<i8"),
        ("num_particles", "<i8"),
        ("box_size", "<f4"),
        ("particle_mass", "<f4"),
        ("particle_type", "<i8"),
        ("format_revision", "<i4"),
        ("version", "S12"),
        ("unused", "V144"),
    ]
)
_FLOATS = (
    *("x", "y", "z", "vx", "vy", "vz"),
    *("core_vx", "core_vy", "core_vz", "bulk_vx", "bulk_vy", "bulk_vz"),
    *("m", "r", "child_r", "vmax_r", "mgrav", "vmax", "rvmax", "rs"),
)
_NUMBERED = re.compile(r"(.+)\.(\d+)\.bin")
_IDS, _LONGEST = 1, 1024  # type of the particles that follow the halos; bytes of a record
_REVISIONS = (1, 2)
_VOLUME = 1e-3  # of the box, by which the volumes of the processes may miss it
_AT_A_TIME = 1 << 14  # halos whose neighbours are in memory


class RockstarBinaryReader(Declared):
    """Halos of Rockstar in binary, halos_N.M.bin; their hosts are found as find_parents does."""

    name = "rockstar_binary"
    about = About(
        "Rockstar halos_N.M.bin (binary)",
        "hosts and subhalos",
        "Msun/h, comoving Mpc/h and kpc/h, km/s",
        asked="mass definition",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": "id",
        "host_id": "parent",
        "position": "x y z [Mpc/h]",
        "velocity": "vx vy vz [km/s]",
        "mass": "m [Msun/h]",
        "host_mass": "m [Msun/h]",
        "vmax": "vmax [km/s]",
        "radius": "r [kpc/h]",
        "scale_radius": "rs [kpc/h]",
    }

    def is_mine(self, path: Path) -> bool:
        """Return whether a file begins with Rockstar's mark."""
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC

    def table(self, path: Path) -> Table:
        """Return the halos of a file and of the others of its output, with their parents.

        Raises
        ------
        IncompleteSetError
            The files do not cover the box.
        """
        found = [_open(one) for one in _files(path)]
        box = float(found[0].head["box_size"])
        covered = sum(float(np.prod(np.diff(one.bounds, axis=0))) for one in found)
        alone = len(found) == 1 and not found[0].bounds.any()
        if not alone and abs(covered / box**3 - 1) > _VOLUME:
            raise IncompleteSetError(
                path,
                f"{len(found)} files of processes that cover {covered / box**3:.1%} of the box",
                "the files of all processes: halos_N.0.bin and on",
                "fetch the missing files into the same folder",
            )
        tables = [_records(one) for one in found]
        return _with_parents(one_after_another(tables, str(path.parent)), box)

    def facts(self, table: Table) -> Facts:
        """Return what the head states."""
        first = table.files[0]
        head = _open(first).head
        where = f"{first}:head@"

        def number(name: str, above: float = 0.0) -> float:
            return scalars.number(f"{where}{name}", float(head[name]), above=above)

        cosmology = {"h": number("h0"), "omega_m": number("om"), "omega_lambda": number("ol", -10)}
        return Facts(
            name_of(first.with_name(first.name.split(".")[0])),  # of all blocks of a snapshot
            number("box_size"),
            1 / number("scale") - 1,
            number("particle_mass"),
            {key: float(f"{value:.7g}") for key, value in cosmology.items()},
            {"hosts_found_by": "position within the radius, as find_parents of Rockstar"},
        )


class _File(NamedTuple):
    path: Path
    head: Any
    record: np.dtype[Any]

    @property
    def bounds(self) -> Array:
        """Corners of the volume of the process, shape (2, 3)."""
        bounds: Array = np.asarray(self.head["bounds"], np.float64).reshape(2, 3)
        return bounds


def _files(path: Path) -> list[Path]:
    """Return a file and those beside it that differ in the number of the process."""
    match = _NUMBERED.fullmatch(path.name)
    if match is None:
        return [path]
    found: dict[int, Path] = {}
    for other in path.parent.iterdir():
        same = _NUMBERED.fullmatch(other.name)
        if same and same[1] == match[1]:
            found[int(same[2])] = other
    return [found[n] for n in sorted(found)]


def _open(path: Path) -> _File:
    safe.check_regular(path)
    again = "fetch the file again"
    size = path.stat().st_size
    heads = np.fromfile(path, HEAD, 1)
    if not len(heads) or heads["magic"][0] != int.from_bytes(MAGIC, "little"):
        raise CorruptFileError(path, f"{size} bytes", "halos of Rockstar, with a head", again)
    head = heads[0]
    if head["format_revision"] not in _REVISIONS:
        raise FormatError(
            f"{path}:head@format_revision",
            f"{head['format_revision']}",
            f"one of {', '.join(map(str, _REVISIONS))}",
            "give out_N.list, after find_parents of Rockstar's util/ added the parents",
        )
    rows = int(head["num_halos"])
    ids = 8 * int(head["num_particles"]) * (int(head["particle_type"]) == _IDS)
    least = 8 + 4 * len(_FLOATS)
    length, rest = divmod(size - HEAD.itemsize - ids, rows) if rows > 0 else (least, 0)
    if rows < 0 or ids < 0 or rest or not least <= length <= _LONGEST:
        raise CorruptFileError(
            f"{path}:head@num_halos",
            f"{rows} halos and {ids // 8} ids of particles in {size} bytes",
            f"records of {least} to {_LONGEST} bytes",
            again,
        )
    kinds = [("id", "<i8"), *((name, "<f4") for name in _FLOATS), ("rest", f"V{length - least}")]
    return _File(path, head, np.dtype(kinds))


def _records(file: _File) -> Table:
    rows = int(file.head["num_halos"])

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        check_size(str(file.path), 8 * rows * len(wanted), file.path.stat().st_size)
        with open(file.path, "rb") as stream:
            stream.seek(HEAD.itemsize)
            for start in range(0, rows, chunk_rows):
                piece = np.fromfile(stream, file.record, min(chunk_rows, rows - start))
                yield {name: piece[name] for name in wanted}

    fields = {"id": Field("i"), **dict.fromkeys(_FLOATS, Field("f", bytes=4))}
    return Table(str(file.path), fields, rows, read, files=(file.path,))


def _with_parents(table: Table, box: float) -> Table:
    """Return a table with one more column: the id of each halo's parent, -1 for hosts."""

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Iterator[dict[str, Array]]:
        others = {name: need for name, need in wanted.items() if name != "parent"}
        above = None
        if "parent" in wanted:
            needs = {"id": INTEGER, **dict.fromkeys(("x", "y", "z", "r", "vmax"), FLOAT)}
            found = gather(table, needs, chunk_rows)
            position = np.stack([found[x] for x in "xyz"], axis=1)
            row = parents(position, found["r"] * 1e-3, found["vmax"], box)
            above = np.where(row < 0, -1, found["id"][row])
        start = 0
        for piece in table.read(others or {"id": INTEGER}, chunk_rows):
            stop = start + len(next(iter(piece.values())))
            yield piece | ({} if above is None else {"parent": above[start:stop]})
            start = stop

    return table._replace(fields={**table.fields, "parent": Field("i")}, read=read)


def parents(position: Array, radius: Array, vmax: Array, box: float) -> Array:
    """Return the row of each halo's parent, -1 for hosts.

    The parent is, of the halos of larger radius within whose radius the halo's centre lies, that
    with the smallest Vmax (`find_parents` in Rockstar's parents.c).

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        [Mpc/h].
    radius : ndarray, shape (n,)
        [Mpc/h].
    vmax : ndarray, shape (n,)
    box : float
        Side of the periodic box [Mpc/h].
    """
    found = np.full(len(radius), -1, np.int64)
    if not np.isfinite(position).all():  # refused, with its place, when all columns are read
        return found
    inside = np.mod(position, box)
    inside[inside >= box] = 0.0
    tree = cKDTree(inside, boxsize=box)
    reach = np.minimum(np.nan_to_num(radius), box / 2.01)
    order = np.argsort(-vmax, kind="stable")
    for start in range(0, len(order), _AT_A_TIME):
        rows = order[start : start + _AT_A_TIME]
        near = tree.query_ball_point(inside[rows], reach[rows])
        hosts = np.repeat(rows, [len(one) for one in near])
        below = np.fromiter((row for one in near for row in one), np.int64, len(hosts))
        smaller = radius[below] < radius[hosts]
        found[below[smaller]] = hosts[smaller]  # of several the last, with the smallest Vmax
    return found

"""Halo lists of Rockstar with parents (out_N.list), and of consistent-trees (hlist and others).

| native | unit | here |
|---|---|---|
| id | | halo_id |
| upid, else pid, followed to the top | | host_id, is_central |
| x, y, z | comoving Mpc/h | position |
| vx, vy, vz | peculiar km/s | velocity |
| the list's own mass: mvir, or as the run was configured | Msun/h | mass |
| the host's mass of the chosen definition | Msun/h | host_mass |
| vmax | km/s | vmax |
| radius of the own mass (rvir, ...) over rs, if the host mass is the own mass | | concentration |
| Mpeak, Vpeak, Vmax@Mpeak, Mpeak_Scale | Msun/h, km/s | peak_mass and others, if present |
| Halfmass_Scale, scale_of_last_MM, Macc, Vacc | Msun/h, km/s | half_mass_scale and others |
| mass over the particle mass, if a comment or the user states the latter | | n_particles |
| phantom, in lists of consistent-trees | | flagged rows are left out and counted |

Columns are matched by name, ignoring case, because they follow the run's configuration. The own
mass is that of bound particles within the virial radius; a host's includes its subhalos. Np is not
read: Rockstar calls it an internal quantity, and it does not count bound particles.
Format: yt-project/rockstar, io/meta_io.c and util/find_parents.c; consistent-trees 1.01.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError, FormatError, MissingDatasetError, UsageError, printable
from ...layout import MASS_DEFINITIONS_IN_FILE
from ...protocols import ReadOptions
from ...system.ids import AGAIN, ROUNDED, check_text
from ...types import HaloCatalog, Scene, Snapshot, SourceFile
from .. import given
from ..about import About
from ..checks import physics, values
from ..checks.nesting import top_hosts
from ..hdf5 import safe
from ..stated_cosmology import flag, make_cosmology
from ..text import table as text
from ..text.stream import begins_with, check
from .head import HLIST, HaloList, kind_of, open_list

Array = NDArray[Any]

_VECTORS = {"position": ("x", "y", "z"), "velocity": ("vx", "vy", "vz")}
_PARENTS = ("upid", "pid")  # the first one present is read
_PHANTOM = "phantom"  # not 0 for halos that consistent-trees interpolated between outputs
_SCALE_RADIUS = "rs"  # of the fit of a Navarro-Frenk-White profile
_HOST = -1  # in place of a parent
_PEAKS = {  # of a history, which consistent-trees add
    "peak_mass": ("mpeak",),
    "peak_vmax": ("vpeak",),
    "vmax_at_peak_mass": (r"vmax\@mpeak", "vmax@mpeak"),
    "peak_mass_scale": ("mpeak_scale",),
    "half_mass_scale": ("halfmass_scale",),
    "last_major_merger_scale": ("scale_of_last_mm",),
    "infall_mass": ("macc",),
    "infall_vmax": ("vacc",),
}
_KPC = 1e-3  # Mpc/h in the unit of radii
_LOOKED_AT = 64  # most files of a folder that are examined
_NAMED = 12  # most files in a message
_LISTED = 40  # most columns in a message


class RockstarReader:
    """Halo lists of Rockstar and of consistent-trees, plain or compressed with gzip."""

    name = "rockstar"
    about = About(
        "Rockstar out_N.list with parents; consistent-trees hlist_A.list (text)",
        "hosts and subhalos",
        "Msun/h, comoving Mpc/h and kpc/h, km/s",
        asked="what the comments of the list do not say",
        tested_on="a real hlist (halotools); made lists",
    )

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is a halo list or a folder with one; never raise for others."""
        return bool(_lists(path))

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in a halo list.

        Parameters
        ----------
        path : Path
            The list, or a folder that contains no other list.
        options : ReadOptions

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for a list that is damaged, contradictory, without parents or unphysical, 4
            for an unsafe one, 2 for options that cannot be met, 6 for a list too large for memory.
        """
        halos = open_list(_find(path))
        definition, host_column = halos.host_mass(options)
        run, taken = halos.run(options)
        cosmology = make_cosmology(
            halos.at("comments"),
            {},
            {name: run[name] for name in given.COSMOLOGY},
            options,
            halos.statements,
        )
        box_size = run["box_size"]
        columns = _columns(halos, host_column)
        native, scale, source = _gather(halos, columns, options)
        redshift = run["redshift"] if scale is None else halos.redshift_of(scale)
        if "box_size" in taken:
            hosts = native["position"][native["parent"] == _HOST]
            given.check_box(hosts, box_size, options, halos.at("x"))
        record: dict[str, Any] = {
            "list": halos.kind,
            "compressed": halos.head.compressed,
            "columns_in_file": len(halos.names),
            "rows_in_file": len(native["id"]),
            "scale_factor_from": _scale_from(halos, scale, taken),
            "mass_column": halos.names[halos.own],
            "mass_column_definition": halos.own_definition,
            "host_mass_column": halos.names[host_column],
            MASS_DEFINITIONS_IN_FILE: list(halos.host_masses()),
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
            "hosts_from": halos.names[columns["parent"].place],
            "given_by_user": taken,
        }
        _use_radii(halos, columns, native, cosmology, redshift, options, record)
        particle_mass, of_particles = given.optional(
            "particle_mass", halos.facts.get("particle_mass"), options
        )
        taken += of_particles
        if particle_mass is not None:
            where = flag("particle_mass") if of_particles else halos.at("#Particle mass")
            physics.check_particle_number(particle_mass, native["mass"], box_size, cosmology, where)
        snapshot = Snapshot(
            name=_name(halos.path),
            box_size=box_size,
            redshift=redshift,
            cosmology=cosmology,
            particle_mass=particle_mass,
            format=self.name,
            source=(source,),
            record=record,
        )
        return Scene(snapshot, _halos(halos, columns, native, definition, snapshot, options))


def _use_radii(
    halos: HaloList,
    columns: dict[str, text.Wanted],
    native: dict[str, Array],
    cosmology: Cosmology,
    redshift: float,
    options: ReadOptions,
    record: dict[str, Any],
) -> None:
    """Turn radii into concentrations, and compare them with the masses; add to ``record``."""
    if _SCALE_RADIUS in native:
        with np.errstate(divide="ignore", invalid="ignore"):
            native["concentration"] = native["radius"] / native.pop(_SCALE_RADIUS)
    if "radius" not in native:
        physics.without_radii(halos.at("comments"), record, "column of radii of the mass")
        return
    record["density_over_definition"] = physics.check_overdensity(
        native["mass"],
        native.pop("radius") * _KPC,
        cosmology,
        redshift,
        halos.at(halos.names[columns["radius"].place]),
        halos.own_definition,
        exact=True,
        drop_bad=options.drop_bad,
        record=record,
    )


def _scale_from(halos: HaloList, scale: float | None, taken: list[str]) -> str:
    """Return where the scale factor is stated."""
    if scale is not None:
        return "rows"
    if "redshift" in taken:
        return "user"
    return "comment" if "a" in halos.facts else "name of the file"


def _lists(path: Path) -> list[Path]:
    """Return the halo lists at a path: the file itself, or files of the folder."""
    files = [path]
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file()][:_LOOKED_AT]
    return [file for file in files if kind_of(begins_with(file))]


def _find(path: Path) -> Path:
    """Return the only halo list at a path."""
    lists = _lists(path)
    if len(lists) > 1:
        names = ", ".join(file.name for file in lists[:_NAMED]) + ", ..." * (len(lists) > _NAMED)
        raise UsageError(path, f"several halo lists, {names}", "one", "give the one you want")
    if lists:
        return lists[0]
    begin = ""
    if not path.is_dir():
        check(path)
        begin = f", but a file that begins with {safe.first_bytes(path)}"
    raise FormatError(
        path,
        f"no halo list of Rockstar or consistent-trees{begin}",
        "a first line like #ID DescID Mvir ... or #scale(0) id(1) ...",
        "give out_N.list with parents, or hlist_A.list",
    )


def _name(path: Path) -> str:
    """Return the name of the snapshot: the list's folder and name."""
    path = path.resolve()
    stem = path.name.removesuffix(".gz").removesuffix(".list")
    return printable(f"{path.parent.name}/{stem}".lstrip("/"))


def _columns(halos: HaloList, host_column: int) -> dict[str, text.Wanted]:
    """Return the columns to read: most under their native names, some under ours."""
    parents = [name for name in _PARENTS if name in halos.names]
    if not parents:
        raise MissingDatasetError(
            halos.at("PID"),
            "no column of parents: hosts and subhalos cannot be told apart",
            "a column PID, with -1 for hosts",
            "run Rockstar's util/find_parents on it (`find_parents out_N.list BOX_SIZE > NEW`), or "
            "use the hlist of consistent-trees",
        )
    floats = [*_VECTORS["position"], *_VECTORS["velocity"], "vmax"]
    floats += ["scale"] * (halos.kind == HLIST)
    phantoms = halos.kind == HLIST or _PHANTOM in halos.names
    integers = ["id", *[_PHANTOM] * phantoms]
    missing = [name for name in (*floats, *integers) if name not in halos.names]
    if missing:
        listed = ", ".join(halos.names[:_LISTED]) + ", ..." * (len(halos.names) > _LISTED)
        raise MissingDatasetError(
            f"{halos.path}, line 1",
            f"no column {', '.join(missing)}; columns: {listed}",
            ", ".join((*integers, *floats)),
            "write the list with these columns",
        )
    floats += ["sm"] * ("sm" in halos.names)
    columns = {name: text.Wanted(halos.column(name)) for name in floats}
    columns |= {name: text.Wanted(halos.column(name), True) for name in integers}
    for name, forms in _PEAKS.items():
        for own in forms:
            if own in halos.names:
                columns[name] = text.Wanted(halos.column(own))
    columns |= {
        "parent": text.Wanted(halos.column(parents[0]), True),
        "mass": text.Wanted(halos.own),
    }
    if host_column != halos.own:
        columns["host_mass"] = text.Wanted(host_column)
    radius = "r" + halos.names[halos.own][1:]  # called as its mass is
    if radius in halos.names:
        columns["radius"] = text.Wanted(halos.column(radius))
        if host_column == halos.own and _SCALE_RADIUS in halos.names:
            columns[_SCALE_RADIUS] = text.Wanted(halos.column(_SCALE_RADIUS))
    return columns


def _gather(
    halos: HaloList, columns: dict[str, text.Wanted], options: ReadOptions
) -> tuple[dict[str, Array], float | None, SourceFile]:
    """Return all rows with their vectors joined, their scale factor, and the source file.

    Raises
    ------
    BadValueError
        Rows of more than one time, or ids that lack digits.
    FormatError
        Halos with stars.
    ResourceError
        More rows than fit into memory.
    """
    labels = {name: halos.names[column.place] for name, column in columns.items()}
    rows = text.Rows(halos.path, halos.head, columns, labels, len(halos.names), options.chunk_rows)
    pieces: dict[str, list[Array]] = {name: [] for name in columns}
    scale, kept, before = None, 0, 0
    for piece in rows:
        if "scale" in piece:
            scales = piece.pop("scale")
            scale = float(scales[0]) if scale is None else scale
            other = np.flatnonzero(scales != scale)
            if other.size:
                raise BadValueError(
                    _place(halos, "scale", before + int(other[0])),
                    f"the scale factor {scales[other[0]]:g} after rows that have {scale:g}",
                    "the halos of one time",
                    "give the list of one scale factor",
                )
        if "sm" in piece and (piece.pop("sm") > 0).any():
            raise FormatError(
                halos.at("SM"),
                "stars: a hydrodynamic run, processed with Rockstar-Galaxies",
                "halos of dark matter",
                "give the list of the gravity-only run",
            )
        if _PHANTOM in piece:
            piece[_PHANTOM] = piece[_PHANTOM] != 0
        for vector, names in _VECTORS.items():
            piece[vector] = np.stack([piece.pop(name) for name in names], axis=1)
        for name, array in piece.items():
            pieces.setdefault(name, []).append(array if array.base is None else array.copy())
            kept += array.nbytes
        text.check_kept(halos.path, kept, rows.fraction)
        before = rows.rows
    if not before:
        return _no_rows(columns), None, rows.source
    # The pieces of a column are freed before the next one is joined.
    native = {name: np.concatenate(pieces.pop(name)) for name in list(pieces) if pieces[name]}
    _check_forms(halos, rows, labels, native)
    return native, scale, rows.source


def _check_forms(
    halos: HaloList, rows: text.Rows, labels: dict[str, str], native: dict[str, Array]
) -> None:
    """Raise if ids are written as floats that may have lost digits.

    Raises
    ------
    BadValueError
    """
    for name in ("id", "parent"):
        if name in rows.rounded:
            place = _place(halos, labels[name], rows.rounded[name])
            raise BadValueError(place, ROUNDED, "ids written as integers", AGAIN)
        if name in rows.dotted:
            check_text(native[name], partial(_place, halos, labels[name]))


def _no_rows(columns: dict[str, text.Wanted]) -> dict[str, Array]:
    native = {
        name: np.empty(0, np.int64 if column.integer else np.float64)
        for name, column in columns.items()
    }
    return native | {vector: np.empty((0, 3)) for vector in _VECTORS}


def _place(halos: HaloList, name: str, row: int) -> str:
    """Return ``FILE:NAME, row R (line L)``."""
    line = text.line_of(halos.path, row)
    return halos.at(name) + (f", row {row} (line {line})" if line else "")


def _halos(
    halos: HaloList,
    columns: dict[str, text.Wanted],
    native: dict[str, Array],
    definition: str,
    snapshot: Snapshot,
    options: ReadOptions,
) -> HaloCatalog:
    """Return the checked rows in internal units, without phantoms."""
    ids, parent, mass = native["id"], native["parent"], native["mass"]
    phantom = native[_PHANTOM] != 0 if _PHANTOM in native else np.zeros(len(ids), dtype=bool)
    label = {name: halos.names[column.place] for name, column in columns.items()}
    label |= {"halo_id": "id", "host_id": label["parent"], "position": "x", "velocity": "vx"}
    label.setdefault("host_mass", label["mass"])

    for name, array, least in (("id", ids, 0), ("parent", parent, _HOST)):
        low = np.flatnonzero(array < least)
        if low.size:
            raise BadValueError(
                _place(halos, label[name], int(low[0])),
                f"{low.size} numbers below {least}, the first {array[low[0]]}",
                "ids from 0 on" + ", or -1 for hosts" * (least == _HOST),
                "write the list again",
            )
    values.check_unique(ids, lambda name, row: _place(halos, label[name], row))
    central = parent == _HOST
    host_id, top, nested = top_hosts(
        ids, parent, central, lambda row: _place(halos, label["parent"], row)
    )
    in_phantom = phantom[top] & ~phantom
    counted: dict[str, Any] = {
        "groups": int(np.count_nonzero(central & ~phantom)),
        "nested_satellites": nested,
        "phantoms_dropped": int(np.count_nonzero(phantom)),
        "satellites_of_phantoms": int(np.count_nonzero(in_phantom)),
    }
    rows = {
        "halo_id": ids,
        "host_id": host_id,
        "is_central": central,
        # A satellite without a host gets its own mass, until it is dropped or made a host.
        "host_mass": np.where(central[top], native.get("host_mass", mass)[top], mass),
        **{name: native[name] for name in ("position", "velocity", "mass", "vmax")},
    }
    if snapshot.particle_mass is not None:
        number = np.rint(mass / snapshot.particle_mass)
        counts = (number >= 0) & (number < 2.0**62)
        rows["n_particles"] = np.where(counts, number, 0).astype(np.int64)
    rows |= {name: native[name] for name in _PEAKS if name in native}
    if "concentration" in native:
        rows["concentration"] = native["concentration"][top]
    kept = np.flatnonzero(~phantom)
    if len(kept) < len(ids):
        rows = {name: array[kept] for name, array in rows.items()}

    def where(name: str, row: int) -> str:
        if not len(kept):
            return halos.at(label[name])
        place = _place(halos, label[name], int(kept[row]))
        return place + ", in a phantom" * bool(name == "host_id" and in_phantom[kept[row]])

    return values.halo_catalog(rows, definition, snapshot, options, where, counted)

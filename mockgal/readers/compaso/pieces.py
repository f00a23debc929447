"""Halos of CompaSO by pieces of superslabs, so that no more than a piece is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, HeaderError
from ...system.ids import whole
from ..checks.in_pieces import HostsInPieces, in_batches
from ..hdf5.stored import COPY_AGAIN
from . import packed
from .asdf import AsdfFile
from .facts import DEFINITION, Facts
from .files import Superslabs

Array = NDArray[Any]
Columns = dict[str, Array]

FOUND, CLEANED, INDEX = "N", "N_total", "haloindex"
VMAX, RADIUS, RATIO = "vcirc_max_L2com", "r100_L2com", "rvcirc_max_L2com_i16"
# Arrays of halo_info that are read, with the shape of a row and the kind of numbers.
COLUMNS: dict[str, tuple[tuple[int, ...], str]] = {
    "id": ((), "u"),
    "x_L2com": ((3,), "f"),
    "v_L2com": ((3,), "f"),
    VMAX: ((), "f"),
    RADIUS: ((), "f"),
    RATIO: ((), "i"),
}
_NATIVE = {"position": "x_L2com", "velocity": "v_L2com", "vmax": VMAX}
_NATIVE |= {"halo_id": "id", "host_id": "id"}
_PEAK = 2.16258  # scale radii of an NFW profile: where the circular velocity is largest
_OF_SUPERSLAB, _OF_STEP = 10**9, 10**12  # rows of a superslab and of a step in haloindex


def names_of(halos: list[AsdfFile]) -> list[str]:
    """Return the arrays that are read: those of `COLUMNS` that must be there, or that all have."""
    optional = [VMAX] * _all_have(halos, VMAX)
    optional += [RADIUS, RATIO] * (_all_have(halos, RADIUS) and _all_have(halos, RATIO))
    return ["id", "x_L2com", "v_L2com", *optional]


def _all_have(halos: list[AsdfFile], name: str) -> bool:
    return all(name in file.columns for file in halos)


def canonical(
    read: Callable[[str], Array], number: Array, facts: Facts, where: Callable[[int], str]
) -> Columns:
    """Return columns in internal units.

    Parameters
    ----------
    read : callable
        Returns an array of `COLUMNS` in a type of 64 bits, which may be changed; integers as they
        are; or raises `KeyError`.
    number : ndarray of int64, shape (n,)
        Particles of each halo.
    facts : Facts
    where : callable
        Returns where an id is, for messages.
    """
    side, mass = facts.box_size, number * facts.particle_mass
    ids = whole(read("id"), where)
    position, velocity = read("x_L2com"), read("v_L2com")
    position *= side
    velocity *= facts.speed
    columns: Columns = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": np.ones(len(ids), dtype=bool),
        "position": packed.to_corner(position, side),
        "velocity": velocity,
        "mass": mass,
        "host_mass": mass,
        "n_particles": number,
    }
    try:
        columns["vmax"] = read(VMAX)
    except KeyError:
        pass
    else:
        columns["vmax"] *= facts.speed
    try:
        peak = read(RADIUS)
    except KeyError:
        return columns
    peak *= side
    peak *= packed.from_ratios(read(RATIO))
    radius, _ = facts.cosmology.halo_scale(mass, DEFINITION, facts.redshift)
    peak[peak <= 0] = np.nan  # not measured
    columns["concentration"] = _PEAK * radius / peak
    return columns


def check_rows(file: AsdfFile, rows: int, expected: int) -> None:
    """Raise if an array has another number of rows than the ids.

    Raises
    ------
    HeaderError
    """
    if rows != expected:
        raise HeaderError(
            file.at("data"),
            f"{rows} rows",
            f"{expected}, as the ids of the superslab",
            "fetch the files again: they are of different versions",
        )


def check_kind(file: AsdfFile, name: str) -> None:
    """Raise if an array has numbers of another kind than it should have.

    Raises
    ------
    HeaderError
    """
    found, kind = file.columns[name].dtype, COLUMNS[name][1]
    if found.kind != kind:
        types = {"u": "uint64", "f": "float64", "i": "int16"}
        raise HeaderError(
            file.at(f"data/{name}"), f"numbers of type {found}", f"{types[kind]}", COPY_AGAIN
        )


def check_index(file: AsdfFile, superslab: int, index: Array, start: int = 0) -> None:
    """Raise if rows of a file of the cleaning, from ``start`` on, are not those of the halos.

    Raises
    ------
    BadValueError
    """
    number = index.astype(np.int64) % _OF_STEP
    expected = superslab * _OF_SUPERSLAB + start + np.arange(len(number))
    wrong = np.flatnonzero(number != expected)
    if wrong.size:
        raise BadValueError(
            f"{file.at(f'data/{INDEX}')}, row {start + wrong[0]}",
            f"{wrong.size} rows of other halos, the first of row "
            f"{number[wrong[0]] % _OF_SUPERSLAB} of superslab "
            f"{number[wrong[0]] // _OF_SUPERSLAB}",
            f"the rows of superslab {superslab}, in order",
            "fetch the cleaning again, or read the halos as they were found with --uncleaned",
        )


def place(file: AsdfFile, keep: Array, name: str, row: int) -> str:
    """Return ``FILE:ARRAY, row R``, for a row of those that are kept; without one if it is not."""
    at, kept = file.at(f"data/{_NATIVE.get(name, FOUND)}"), np.flatnonzero(keep)
    return f"{at}, row {kept[row]}" if row < len(kept) else at


def check_pieces(
    slabs: Superslabs,
    halos: list[AsdfFile],
    cleaned: list[AsdfFile],
    facts: Facts,
    checks: HostsInPieces,
    rows: int,
) -> int:
    """Read all halos in pieces of at most ``rows`` rows, and check them; return how many are kept.

    Raises
    ------
    MockgalError
    """
    kept, names = 0, names_of(halos)
    for k, file in enumerate(halos):
        found = file.column("id").shape[0]
        arrays: dict[str, Iterator[Array]] = {}
        for name in names:
            shape = COLUMNS[name][0]
            check_rows(file, file.column(name, shape).shape[0], found)
            check_kind(file, name)
            arrays[name] = file.pieces(name, shape)
        counted, numbers = (cleaned[k], CLEANED) if cleaned else (file, FOUND)
        for name in (numbers, INDEX)[: 1 + bool(cleaned)]:
            check_rows(counted, counted.column(name).shape[0], found)
            arrays[name] = counted.pieces(name)
        for start, batch in in_batches(arrays, rows, total=found):
            if cleaned:
                check_index(counted, slabs.numbers[k], batch[INDEX], start)
            kept += _check_piece(file, start, batch, batch[numbers], facts, checks)
    return kept


def _check_piece(
    file: AsdfFile, start: int, batch: Columns, number: Array, facts: Facts, checks: HostsInPieces
) -> int:
    """Check the rows of a piece that have particles, and return how many these are."""
    keep = number > 0
    bits, rows = np.packbits(keep), len(keep)  # for messages, if there are some in the end

    def where(name: str, row: int) -> str:
        here = np.unpackbits(bits, count=rows).astype(bool)
        return place(file, np.append(np.zeros(start, dtype=bool), here), name, row)

    def read(name: str) -> Array:
        values = batch[name][keep]
        return values.astype(np.float64) if COLUMNS[name][1] == "f" else values

    if keep.any():
        number = number[keep].astype(np.int64)
        columns = canonical(read, number, facts, lambda row: where("halo_id", row))
        checks.add(columns, where)
    return int(np.count_nonzero(keep))

"""Plausibility of halos: bounds of each column, and of relations between columns.

All readers call these checks through `mockgal.readers.checks.values.halo_catalog`; scenes of
plug-ins, which may not, are checked by `check_scene`. Every bound is far from all measured values:
in Gadget-4 runs, 300 boxes of CAMELS and TNG100, satellites lie up to 4.6 Mpc/h from their central,
those beyond 3 Mpc/h lie within 5 R200m, and subhalos have up to 2.7 times the mass of their host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...columns import HALO_COLUMNS
from ...errors import BadValueError, UnitsError, warn
from ...layout import SEVERAL_RESOLUTIONS
from ...types import Scene, Snapshot

Array = NDArray[Any]
Where = Callable[[str, int], str]

SATELLITE_OVER_HOST = (30.0, 3.0)  # bound mass over host mass: limits of refusal and of warning
# Distances from the central, limits of refusal and of warning; both of a pair must be exceeded.
# Friends-of-friends groups extend as far as their links.
RADII_FROM_HOST = (10.0, 5.0)  # in R200m of the host
FAR_FROM_HOST = (5.0, 3.0)  # in Mpc/h
RADII_AT_MOST = 50.0  # in R200m: refused at any distance in Mpc/h
HOST_OVER_BOUND = 1e4  # host mass over the mass bound to its central
HOST_OVER_BOUND_RARE = (1e-2, 1e2)
STARS_OVER_BOUND = 3.0  # Gadget-4 runs: up to 1; a synthetic universe: 1.11
IN_BOX = 1.05  # of the matter in the box: the tolerance of the mean density
MASS_OVER_PARTICLES = 10.0
# Median of vmax over the circular velocity at R200c of the bound mass: 1.0 to 1.6 in Gadget-4 runs,
# TNG100 and Rockstar (z = 11.8), 0.5 to 1.8 in 300 boxes of CAMELS.
VMAX_OVER_CIRCULAR = (0.05, 20.0)
_FEW_VMAX = 20  # halos: with fewer, vmax is not checked
RARE = "rare_"  # prefix of the counts in the record

_DROP = "leave the rows out with --drop-bad"


class Finding(NamedTuple):
    """Rows that are impossible, or rare.

    Parameters
    ----------
    name : str
        Column, or the relation in snake case, for the record.
    column : str
        Column in the file, for the message.
    rows : ndarray of int
    what : str
        Description of the rows that follows their number.
    value : callable
        ``value(row)`` returns the value of a row, for the message.
    allowed : str
        Allowed values, for the message.
    """

    name: str
    column: str
    rows: NDArray[np.intp]
    what: str
    value: Callable[[int], str]
    allowed: str
    relation: bool = False
    fix: str = ""


def _host_rows(columns: Mapping[str, Array]) -> Array:
    """Return the row of each row's central, or its own row if the central is missing."""
    ids, hosts, rows = columns["halo_id"], columns["host_id"], np.arange(len(columns["halo_id"]))
    others = np.flatnonzero(ids != hosts)  # most rows are their own: the others are looked up
    if not len(others):
        return rows
    order = np.argsort(ids, kind="stable")
    wanted = hosts[others]
    place = order[np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)]
    rows[others] = np.where(ids[place] == wanted, place, others)
    return rows


def _values(columns: Mapping[str, Array], *, rare: bool) -> Iterator[Finding]:
    """Yield the values of columns beyond their bounds."""
    for name, column in HALO_COLUMNS.items():
        if name not in columns or column.bounds is None:
            continue
        bounds, values, unit = column.bounds, columns[name], column.unit_label
        outside = None if rare else bounds.outside(values)
        rows = bounds.rarely(values) if outside is None else np.flatnonzero(outside)
        if not len(rows) or (outside is None) != rare:
            continue
        what = "values that are NaN, infinite or outside their possible range"
        if name not in ("velocity", "n_particles"):
            what = "values that are NaN, infinite, negative or outside their possible range"
        if rare:
            what = f"values above {bounds.rare:g} {unit}"

        def value(row: int, values: Array = values, unit: str = unit) -> str:
            return f"{values[row].tolist()} {unit}".rstrip()

        yield Finding(name, name, rows, what, value, bounds.text(unit))


def _relations(
    columns: Mapping[str, Array], snapshot: Snapshot, host: Array, *, rare: bool
) -> Iterator[Finding]:
    """Yield the rows in which columns contradict each other, or the box."""
    if rare:
        yield from _rare_ratios(columns)
    else:
        yield from _masses_of_the_box(columns, snapshot)
        yield from _masses_of_the_halo(columns, snapshot)
    yield from _satellites(columns, snapshot, host, rare=rare)


def _found(name: str, column: str, bad: Array, what: str, value: Array, most: str) -> Finding:
    rows = np.flatnonzero(bad)
    return Finding(name, column, rows, what, lambda row: f"{value[row]:.6g}", most, True)


def _masses_of_the_box(columns: Mapping[str, Array], snapshot: Snapshot) -> Iterator[Finding]:
    """Yield halos heavier than the box, or all of them if none has a mass."""
    mass, box = columns["mass"], snapshot.box_size
    matter = snapshot.cosmology.matter_mass(box)
    nothing = np.full(len(mass), bool(len(mass)) and not mass.any())
    yield _found("mass_all_zero", "mass", nothing, "bound masses of 0", mass, "some masses above 0")
    for name in ("host_mass", "mass"):
        share = columns[name] / matter
        yield _found(
            f"{name}_over_matter",
            name,
            share > IN_BOX,
            f"halos with more mass than all matter in the box of {box:g} Mpc/h",
            share,
            f"up to {IN_BOX} times that matter, {matter:.4g} Msun/h",
        )


def _masses_of_the_halo(columns: Mapping[str, Array], snapshot: Snapshot) -> Iterator[Finding]:
    """Yield rows whose bound mass contradicts that of the host, of stars or of particles."""
    mass, host_mass, central = columns["mass"], columns["host_mass"], columns["is_central"]
    ratio = np.where(central & (mass > 0), host_mass / mass, 0)
    yield _found(
        "host_mass_over_bound",
        "host_mass",
        ratio > HOST_OVER_BOUND,
        "host masses far above the mass bound to the central, as a ratio",
        ratio,
        f"a ratio of up to {HOST_OVER_BOUND:g}",
    )
    if "stellar_mass" in columns:
        stars = columns["stellar_mass"]
        ratio = np.where(mass > 0, stars / mass, np.where(stars > 0, np.inf, 0))
        yield _found(
            "stars_over_bound",
            "stellar_mass",
            ratio > STARS_OVER_BOUND,
            "stellar masses far above the total bound mass, as a ratio",
            ratio,
            f"a ratio of up to {STARS_OVER_BOUND:g}, because stars are a part of it",
        )
    elif "n_particles" in columns and snapshot.particle_mass is not None:
        number = columns["n_particles"]
        if not snapshot.record.get(SEVERAL_RESOLUTIONS):
            some = (number > 0) & (mass > 0)
            ratio = np.where(some, mass / (number * snapshot.particle_mass), 1.0)
            yield _found(
                "mass_over_particles",
                "mass",
                (ratio > MASS_OVER_PARTICLES) | (ratio < 1 / MASS_OVER_PARTICLES),
                "masses that are not the sum of their particles, as a ratio",
                ratio,
                f"1, within a factor {MASS_OVER_PARTICLES:g}",
            )


def _rare_ratios(columns: Mapping[str, Array]) -> Iterator[Finding]:
    """Yield centrals whose host mass is seldom so far from their bound mass."""
    mass, host_mass, central = columns["mass"], columns["host_mass"], columns["is_central"]
    some = central & (mass > 0) & (host_mass > 0)
    ratio = np.where(some, host_mass / mass, 1.0)
    low, high = HOST_OVER_BOUND_RARE
    yield _found(
        "host_mass_over_bound",
        "host_mass",
        (ratio < low) | (ratio > high),
        "host masses far from the mass bound to the central, as a ratio",
        ratio,
        f"a ratio of {low:g} to {high:g}",
    )


def _satellites(
    columns: Mapping[str, Array], snapshot: Snapshot, host: Array, *, rare: bool
) -> Iterator[Finding]:
    """Yield satellites that are too heavy for their host, or too far from it."""
    mass, central = columns["mass"], columns["is_central"]
    box, level = snapshot.box_size, int(rare)
    matter = snapshot.cosmology.matter_mass(box)
    of_host = np.fmax(columns["host_mass"], mass[host])
    satellite = ~central & (host != np.arange(len(host)))
    ratio = np.where(satellite & (of_host > 0), mass / of_host, 0)
    yield _found(
        "satellite_over_host",
        "mass",
        ratio > SATELLITE_OVER_HOST[level],
        "satellites much heavier than their host, as a ratio of masses",
        ratio,
        f"a ratio of up to {SATELLITE_OVER_HOST[level]:g}: finders have up to 3",
    )
    apart, radii = np.zeros(len(host)), np.zeros(len(host))
    rows = np.flatnonzero(satellite)
    if len(rows):
        offset = columns["position"][rows] - columns["position"][host[rows]]
        offset -= box * np.round(offset / box)
        apart[rows] = np.sqrt((offset**2).sum(axis=1))
        largest = np.fmax(of_host, mass)[rows]
        radius = np.cbrt(largest / (4 / 3 * np.pi * 200 * matter)) * box
        radii[rows] = apart[rows] / np.where(radius > 0, radius, np.inf)
    far, many = FAR_FROM_HOST[level], RADII_FROM_HOST[level]
    beyond = (apart > far) & (radii > many)
    if not rare:
        beyond |= radii > RADII_AT_MOST
    yield Finding(
        "satellite_far_from_host",
        "position",
        np.flatnonzero(beyond),
        "satellites far from their host",
        lambda row: f"{apart[row]:.4g} Mpc/h, {radii[row]:.3g} R200m",
        f"up to {far:g} Mpc/h or {many:g} R200m of the host, as friends-of-friends groups extend",
        True,
        "check that the ids of hosts belong to this list; ",
    )


def _with_rows(findings: Iterator[Finding]) -> list[Finding]:
    """Return the findings that have rows; do not keep the others' arrays in memory."""
    return [finding for finding in findings if len(finding.rows)]


def impossible(columns: Mapping[str, Array], snapshot: Snapshot) -> Iterator[Finding]:
    """Find impossible rows: first in each column alone, then in relations between columns.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Columns of `mockgal.columns.HALO_COLUMNS`, in internal units; positions in the box.
    snapshot : Snapshot

    Yields
    ------
    Finding
        Only findings that have rows.
    """
    yield from _values(columns, rare=False)
    with np.errstate(all="ignore"):
        relations = _with_rows(_relations(columns, snapshot, _host_rows(columns), rare=False))
    yield from relations


class Rare:
    """Rows that are possible but rare, of a catalogue that may come in pieces.

    Parameters
    ----------
    snapshot : Snapshot
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rows = 0
        self._found: dict[tuple[int, str], tuple[int, str, str]] = {}  # number; before, after it
        self._not_zero: set[str] = set()
        self._names: dict[str, str] = {}  # of columns that may be all 0, and where they are

    def add(self, columns: Mapping[str, Array], where: Where) -> Rare:
        """Add rows, and return the object."""
        with np.errstate(all="ignore"):
            relations = _relations(columns, self._snapshot, _host_rows(columns), rare=True)
            findings = [*_values(columns, rare=True), *_with_rows(relations)]
        for finding in findings:
            row, key = int(finding.rows[0]), (int(finding.relation), finding.name)
            place, first = where(finding.column, row), columns["halo_id"][row]
            of_first = f"{finding.what}, the first, of halo_id {first}, {finding.value(row)}"
            number, *text = self._found.get(key, (0, place, of_first))
            self._found[key] = (number + len(finding.rows), text[0], text[1])
        self._rows += len(columns["halo_id"])
        for name in _NOTHING:
            if name in columns and len(columns[name]):
                self._names.setdefault(name, where(name, 0).split(", row")[0])
                if columns[name].any():
                    self._not_zero.add(name)
        return self

    def tell(self, record: dict[str, Any]) -> None:
        """Warn of the rows, and count them in the record."""
        order = [*HALO_COLUMNS, *_RELATIONS]
        for key in sorted(self._found, key=lambda key: (key[0], order.index(key[1]))):
            number, place, text = self._found[key]
            record[RARE + key[1]] = number
            warn(f"{place}: {number} {text}; they are kept unchanged")
        for name, means in _NOTHING.items():
            if name in self._names and self._rows > _FEW and name not in self._not_zero:
                record[f"{name}_all_zero"] = self._rows
                warn(f"{self._names[name]}: all values are 0: {means}")


def tell_rare(
    columns: Mapping[str, Array], snapshot: Snapshot, where: Where, record: dict[str, Any]
) -> None:
    """Warn of rows that are possible but rare, and count them in the record."""
    Rare(snapshot).add(columns, where).tell(record)


_RELATIONS = ("host_mass_over_bound", "satellite_over_host", "satellite_far_from_host")
_FEW = 100  # rows: in fewer, all values may be 0 by chance or for a trial
_NOTHING = {
    "velocity": "nothing moves, so that redshift space is real space",
    "vmax": "ranks and cuts by vmax are meaningless",
}


def are_most(finding: Finding, columns: Mapping[str, Array]) -> bool:
    """Return whether most rows are impossible; then the column is wrong, not the rows."""
    return 2 * len(finding.rows) > len(columns["halo_id"])


def refusal(finding: Finding, columns: Mapping[str, Array], where: Where) -> BadValueError:
    """Return the error for impossible rows."""
    row, n, ids = int(finding.rows[0]), len(finding.rows), columns["halo_id"]
    central = columns["is_central"][finding.rows]
    losing = ~columns["is_central"] & np.isin(columns["host_id"], ids[finding.rows][central])
    losing[finding.rows] = False
    fix = _DROP + " and --orphans drop, because some are hosts" * bool(losing.any())
    if are_most(finding, columns):
        fix = f"correct the unit or the column, because {n} of {len(ids)} rows are impossible"
    fix = f"{finding.fix}{fix}, or fetch the file again"
    return BadValueError(
        where(finding.column, row),
        f"{n} {finding.what}, the first, of halo_id {ids[row]}, {finding.value(row)}",
        finding.allowed,
        fix,
    )


def vmax_over_circular(vmax: Array, mass: Array, snapshot: Snapshot) -> Array:
    """Return maximum circular velocities [km/s] over the circular velocity of the mass at R200c.

    Rows without one of the two are left out.
    """
    good = (vmax > 0) & (mass > 0)
    circular = snapshot.cosmology.halo_scale(mass[good], "200c", snapshot.redshift)[1]
    return np.asarray(vmax[good] / circular)


def check_vmax(ratio: float, number: int, where: str) -> None:
    """Check the median of `vmax_over_circular` of a number of halos.

    Raises
    ------
    UnitsError
        It is outside `VMAX_OVER_CIRCULAR`.
    """
    low, high = VMAX_OVER_CIRCULAR
    if number >= _FEW_VMAX and not low <= ratio <= high:
        raise UnitsError(
            where,
            f"a vmax of {ratio:.3g} times the circular velocity sqrt(G M / r) of the bound mass at "
            f"R200c, in the median of {number} halos",
            f"{low:g} to {high:g} times: finders have 0.5 to 1.8",
            f"correct the column or its unit (km/s): it is off by a factor of about {ratio:.1g}",
        )


def check_scene(scene: Scene, place: str) -> None:
    """Raise if rows of a scene are impossible; for scenes from plug-in readers.

    Raises
    ------
    BadValueError, UnitsError
    """
    columns = {name: scene.halos[name] for name in scene.halos.columns}

    def where(name: str, row: int) -> str:
        return f"{place}:{name}, row {row}"

    for finding in impossible(columns, scene.snapshot):
        raise refusal(finding, columns, where)
    if "vmax" in columns:
        ratios = vmax_over_circular(columns["vmax"], columns["mass"], scene.snapshot)
        median = float(np.median(ratios)) if len(ratios) else np.nan
        check_vmax(median, len(ratios), f"{place}:vmax")
    tell_rare(columns, scene.snapshot, where, {})

"""Join galaxies to the subhalos of the gravity-only run that they belong to.

So it is with semi-analytic models and empirical ones: there is no hydrodynamic twin, and no mass
that stars changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from ...errors import BadValueError, DomainError, HeaderError, UnitsError, UsageError
from ...layout import TRUTH
from ...types import Scene

Array = NDArray[Any]
Where = Callable[[str, int], str]

METHOD = "identity of the subhalos"
TOLERANCE = 1e-3  # Mpc/h: largest distance of positions that are the same
LEAST_JOINED = 0.5  # least share of galaxies on a subhalo of the run
LEAST_ALIKE = 0.3  # least rank correlation of stellar and bound mass, if ids alone join them
LEAST_FOR_RANKS = 30  # galaxies of a kind that this is measured with
SHIFTS = (-1, 1)  # between ids that count from 0 and from 1
CLEARLY = 3.0  # standard errors by which a shift must fit better
STARS_OVER_MASS = (1e-7, 0.2)  # medians that occur: the latter is above the share of baryons
_FACTORS = {1e-3: "[kpc/h] in place of [Mpc/h]", 1e3: "[Mpc/h] in place of [kpc/h]"}


def join(
    dark: Scene, galaxies: Mapping[str, Array], where: Where, place: str, flag: str
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Join a table of galaxies to the subhalos of a run.

    Parameters
    ----------
    dark : Scene
        The gravity-only run, its n subhalos in any order.
    galaxies : mapping of str to ndarray, shape (m,) or (m, 3)
        ``stellar_mass`` [Msun/h] and ``halo_id``, ``position`` [Mpc/h] or both; any further column
        is joined, too. A negative id, or one that no subhalo has, is that of an orphan: a galaxy
        without a subhalo.
    where : callable
        ``where(column, row)`` returns the place of a value, for messages.
    place : str
        The table, for messages.
    flag : str
        The option that names columns, for messages.

    Returns
    -------
    columns : dict of str to ndarray, shape (n,)
        Columns of the galaxies in the order of the subhalos; 0 without a galaxy.
    record : dict
        Counts: plain JSON values.

    Raises
    ------
    BadValueError
        Two galaxies are on one subhalo.
    HeaderError
        Most galaxies are on no subhalo, or on subhalos of another run.
    UnitsError
        Stellar masses or positions do not fit those of the subhalos in the stated unit.
    """
    halos, stars = dark.halos, galaxies["stellar_mass"]
    by = "halo_id" if "halo_id" in galaxies else "position"
    row = _by_id(dark, galaxies["halo_id"]) if by == "halo_id" else _by_position(dark, galaxies)
    on, starry = row >= 0, stars > 0
    if not np.any(starry):
        raise BadValueError(
            where("stellar_mass", 0), "no galaxy with stars", "masses above 0", "check the column"
        )
    if np.mean(on[starry]) < LEAST_JOINED:
        _refuse_strangers(dark, galaxies, row, by, where, flag)
    _check_single(row, by, where, galaxies)
    if by == "halo_id" and "position" in galaxies:
        _check_places(dark, galaxies["position"], row, where)
    joined = np.flatnonzero(on & starry)
    if "position" not in galaxies:
        _check_counting(dark, galaxies, row, where, flag)
    ratio = float(np.median(stars[joined] / np.maximum(halos["mass"][row[joined]], 1e-300)))
    low, high = STARS_OVER_MASS
    if not low <= ratio <= high:
        raise UnitsError(
            where("stellar_mass", int(joined[0])),
            f"stellar masses that are {ratio:.3g} of the bound mass of their subhalo (median)",
            f"{low:g} to {high:g}",
            f'correct the unit, such as {flag} "stellar_mass=NAME [1e10 Msun/h]"',
        )
    record: dict[str, Any] = {"joined_by": by.replace("_", " ")}
    if "position" not in galaxies:
        record["rank_correlation_with_bound_mass"] = _check_ranks(
            dark, row[joined], stars[joined], place, flag
        )
    columns = {}
    for name, values in galaxies.items():
        if name not in ("halo_id", "position"):
            columns[name] = np.zeros(len(halos))
            columns[name][row[joined]] = values[joined]
    total, lost = math.fsum(stars), starry & ~on
    return columns, record | {
        "halo_digest": halos.digest(),
        "rows": len(stars),
        "galaxies": int(np.sum(starry)),
        "joined": len(joined),
        "orphans": int(np.sum(lost)),
        "stellar_mass_share_of_orphans": math.fsum(stars[lost]) / total,
        "subhalos": len(halos),
        "subhalos_without_galaxy": len(halos) - len(joined),
    }


def join_rows(
    dark: Scene, table: Mapping[str, Array], proof: str | None, where: Where, place: str, flag: str
) -> tuple[Array, dict[str, Any]]:
    """Return the row of the subhalo of each row of a table that is not one of galaxies.

    Parameters
    ----------
    dark : Scene
    table : mapping of str to ndarray, shape (m,) or (m, 3)
        ``halo_id``, ``position`` [Mpc/h] or both, and further columns.
    proof : str, optional
        The column that must follow bound mass if ids alone join.
    where, place, flag
        As for `join`.

    Returns
    -------
    row : ndarray of int, shape (m,)
        -1 for none.
    record : dict
        How they were joined: plain JSON values.

    Raises
    ------
    BadValueError, HeaderError, UnitsError
        As for `join`.
    """
    by = "halo_id" if "halo_id" in table else "position"
    row = _by_id(dark, table["halo_id"]) if by == "halo_id" else _by_position(dark, table)
    counted = np.ones(len(row)) if proof is None else table[proof]
    as_galaxies = {**table, "stellar_mass": np.maximum(counted, 5e-324)}
    if not len(row) or np.mean(row >= 0) < LEAST_JOINED:
        _refuse_strangers(dark, as_galaxies, row, by, where, flag, "rows")
    _check_single(row, by, where, table)
    record: dict[str, Any] = {"joined_by": by.replace("_", " ")}
    if "position" in table:
        if by == "halo_id":
            _check_places(dark, table["position"], row, where)
        return row, record
    assert proof is not None
    _check_counting(dark, as_galaxies, row, where, flag)
    on = np.flatnonzero(row >= 0)
    record["rank_correlation_with_bound_mass"] = _check_ranks(
        dark, row[on], as_galaxies["stellar_mass"][on], place, flag, proof
    )
    return row, record


def describe(record: Mapping[str, Any]) -> str:
    """Return the counts of `join` as a sentence without its full stop."""
    return (
        f"{record['joined']:,} of {record['galaxies']:,} galaxies are joined to subhalos by "
        f"{record['joined_by']}; orphans, which have no subhalo and are left out: "
        f"{record['orphans']:,} ({record['stellar_mass_share_of_orphans']:.1%} of the stellar "
        f"mass); subhalos without a galaxy: {record['subhalos_without_galaxy']:,} of "
        f"{record['subhalos']:,}"
    )


def check_same(truth: Scene, dark: Scene) -> dict[str, Any]:
    """Return the evidence that galaxies are on the subhalos of a run; raise if they are not.

    Raises
    ------
    DomainError
        They were joined to other subhalos.
    """
    joined = truth.snapshot.record[TRUTH]
    if joined["halo_digest"] != dark.halos.digest():
        raise DomainError(
            f"{truth.snapshot.name} and {dark.snapshot.name}",
            "galaxies that were joined to subhalos of another run, or of this one read otherwise",
            "the run that they were joined to",
            "give each --truth in the order of its --dark",
        )
    return {"joined": dict(joined), "phases": {"conclusion": "the same subhalos"}}


def check_method(method: str | None) -> None:
    """Raise if a way to match is requested, where nothing is matched.

    Raises
    ------
    UsageError
    """
    if method is not None:
        raise UsageError(
            "--match", f"{method}, for galaxies on the same subhalos", "none", "leave it out"
        )


def _by_id(dark: Scene, ids: Array) -> Array:
    """Return the row of the subhalo of each galaxy; -1 for none."""
    known = dark.halos["halo_id"]
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], ids), len(known) - 1)
    return np.where(known[order][place] == ids, order[place], -1)


def _by_position(dark: Scene, galaxies: Mapping[str, Array]) -> Array:
    """Return the row of the subhalo at each galaxy's position; -1 for none."""
    size = dark.snapshot.box_size
    position = np.mod(galaxies["position"], size)
    position[position >= size] = 0.0
    tree = cKDTree(dark.halos["position"], boxsize=size)
    distance, row = tree.query(position, distance_upper_bound=TOLERANCE)
    return np.where(np.isfinite(distance), row, -1)


def _refuse_strangers(
    dark: Scene,
    galaxies: Mapping[str, Array],
    row: Array,
    by: str,
    where: Where,
    flag: str,
    what: str = "galaxies",
) -> None:
    """Raise: most galaxies are on no subhalo of the run."""
    starry = galaxies["stellar_mass"] > 0
    first = int(np.flatnonzero(starry & (row < 0))[0])
    on = f"{np.sum(row[starry] >= 0):,} of {np.sum(starry):,} {what}"
    name = dark.snapshot.name
    if by == "halo_id":
        known = dark.halos["halo_id"]
        raise HeaderError(
            where(by, first),
            f"the id {galaxies[by][first]}, which no subhalo of {name} has: {on} are on its "
            "subhalos",
            f"ids of its subhalos, which are {known.min()} to {known.max()}",
            f"give the {what} of this run at this output; or join them by position: "
            f'{flag} "position=X Y Z [Mpc/h], ..."',
        )
    h = dark.snapshot.cosmology.h
    with_h = {
        h: "[Mpc] in place of [Mpc/h]",
        1 / h: "[Mpc/h] in place of [Mpc]",
        h / 1e3: "[kpc] in place of [Mpc/h]",
    }
    for factor, unit in (_FACTORS | with_h).items():
        scaled = {"position": galaxies["position"] * factor}
        if np.mean(_by_position(dark, scaled)[starry] >= 0) >= LEAST_JOINED:
            raise UnitsError(
                where(by, first),
                f"positions that are those of subhalos of {name} once multiplied by {factor:.4g}",
                "positions in the unit that is stated for them",
                f'correct the unit in {flag} "position=X Y Z [...]", such as {unit}',
            )
    low, high = (f(galaxies["position"]) for f in (np.min, np.max))
    raise HeaderError(
        where(by, first),
        f"{on} within {TOLERANCE:g} Mpc/h of a subhalo of {name}; positions from {low:.4g} to "
        f"{high:.4g} Mpc/h",
        f"positions of its subhalos at redshift {dark.snapshot.redshift:.4g}, in a box of "
        f"{dark.snapshot.box_size:g} Mpc/h",
        f"give the {what} of this run at this output, with the positions of their subhalos",
    )


def _check_single(row: Array, by: str, where: Where, galaxies: Mapping[str, Array]) -> None:
    """Raise if a subhalo has two galaxies."""
    on = np.flatnonzero(row >= 0)
    order = on[np.argsort(row[on], kind="stable")]
    again = order[1:][np.diff(row[order]) == 0]
    if again.size:
        first = int(again.min())
        what = galaxies[by][first] if by == "halo_id" else np.round(galaxies[by][first], 4).tolist()
        raise BadValueError(
            where(by, first),
            f"{again.size} rows on a subhalo that another row is on, the first {what}",
            "one galaxy on each subhalo",
            "orphan galaxies, whose subhalo is lost, must have the id -1, or be left out",
        )


def _check_places(dark: Scene, position: Array, row: Array, where: Where) -> None:
    """Raise if galaxies are not where the subhalos with their ids are."""
    on, size = np.flatnonzero(row >= 0), dark.snapshot.box_size
    apart = position[on] - dark.halos["position"][row[on]]
    apart -= size * np.round(apart / size)
    distance = np.sqrt(np.sum(apart**2, axis=1))
    far = np.flatnonzero(distance > TOLERANCE)
    if far.size:
        raise HeaderError(
            where("position", int(on[far[0]])),
            f"{far.size:,} of {len(on):,} galaxies away from the subhalo with their id, the first "
            f"by {distance[far[0]]:.4g} Mpc/h",
            f"the positions of the subhalos, to {TOLERANCE:g} Mpc/h",
            "give the galaxies of this run at this output; check the unit of the positions",
        )


def _check_counting(
    dark: Scene, galaxies: Mapping[str, Array], row: Array, where: Where, flag: str
) -> None:
    """Raise if ids count from another first number than those of the subhalos.

    Neighbours in a sorted catalogue are alike in mass, so galaxies one row away pass
    `_check_ranks`: shifted ids must fit no better than the ids themselves.
    """
    stars, ids = galaxies["stellar_mass"], galaxies["halo_id"]
    starry = stars > 0
    own = _fit(dark, row, starry, stars)
    for shift in SHIFTS:
        moved = np.where(ids < 0, -1, _by_id(dark, ids + shift))
        if np.sum(moved[starry] >= 0) < np.sum(row[starry] >= 0):
            continue
        # Fisher's z of a rank correlation has an error of about 1 / sqrt(n).
        better = [
            (z - mine) / math.sqrt(1 / n + 1 / m)
            for (z, n), (mine, m) in zip(_fit(dark, moved, starry, stars), own, strict=True)
            if min(n, m) >= LEAST_FOR_RANKS
        ]
        if better and sum(better) / math.sqrt(len(better)) > CLEARLY:
            first = int(np.flatnonzero(starry)[0])
            known = dark.halos["halo_id"]
            raise HeaderError(
                where("halo_id", first),
                f"ids that fit the masses of the subhalos of {dark.snapshot.name} clearly better "
                f"once {'1 is added' if shift > 0 else '1 is subtracted'}",
                f"ids as the run has them, {known.min()} to {known.max()}",
                f"{'add' if shift > 0 else 'subtract'} 1 in the table; or prove where the galaxies "
                f'are: add their positions, {flag} "halo_id=NAME, position=X Y Z [Mpc/h], ..."',
            )


def _fit(dark: Scene, row: Array, starry: Array, stars: Array) -> list[tuple[float, int]]:
    """Return Fisher's z of stellar and bound mass, and the number, of centrals and satellites."""
    joined = np.flatnonzero((row >= 0) & starry)
    central = dark.halos["is_central"][row[joined]]
    fits = []
    for chosen in (joined[central], joined[~central]):
        rank = _rank_correlation(dark.halos["mass"][row[chosen]], stars[chosen])
        fits.append((math.atanh(min(max(rank or 0.0, -0.999999), 0.999999)), len(chosen)))
    return fits


def _rank_correlation(x: Array, y: Array) -> float | None:
    """Return Spearman's correlation; None if it is not defined or there are too few to tell."""
    if len(x) < LEAST_FOR_RANKS:
        return None
    ranks = rankdata(x), rankdata(y)
    return None if min(map(np.ptp, ranks)) == 0 else float(np.corrcoef(*ranks)[0, 1])


def _check_ranks(
    dark: Scene,
    rows: Array,
    stars: Array,
    place: str,
    flag: str,
    name: str = "stellar masses",
) -> dict[str, float | None]:
    """Return the rank correlation of stellar and bound mass; raise if it is that of strangers.

    Ids that count rows fit any run. Bound masses of subhalos are sorted within many catalogues, so
    centrals alone would pass.
    """
    found: dict[str, float | None] = {}
    central = dark.halos["is_central"][rows]
    for kind, chosen in (("centrals", central), ("satellites", ~central)):
        rank = _rank_correlation(dark.halos["mass"][rows[chosen]], stars[chosen])
        found[kind] = None if rank is None else round(rank, 4)
        if rank is not None and rank < LEAST_ALIKE:
            raise HeaderError(
                place,
                f"{name} of {kind} with a rank correlation of {rank:.2f} with the "
                f"bound masses of the subhalos of {dark.snapshot.name} that have their ids",
                f"{LEAST_ALIKE} or more: in less, ids are those of another run or output",
                "give the galaxies of this run at this output; or prove where they are: add their "
                f'positions, {flag} "halo_id=NAME, position=X Y Z [Mpc/h], ..."',
            )
    return found

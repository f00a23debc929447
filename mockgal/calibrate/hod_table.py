"""Measure an HOD calibration on a hydrodynamic run and its gravity-only twin.

Both runs are cut at the same resolution: a subhalo is *resolved* if it has the mass of
``least_particles`` gravity-only particles (in the hydro run, of that mass times the host-mass
ratio). Hosts are halos with a resolved central.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree

from ..errors import BadValueError, DomainError, HeaderError, MissingDatasetError, UsageError
from ..paint.hod_table import KINDS, HODTable, median_curve
from ..types import HaloCatalog, Scene, Snapshot

Array = NDArray[Any]

RESIDUAL_PROBABILITY = np.array(
    [
        0,
        0.01,
        0.025,
        0.05,
        0.1,
        0.16,
        *np.arange(0.2, 0.81, 0.05).round(2),
        0.84,
        0.9,
        0.95,
        0.975,
        0.99,
        1,
    ]
)
LEAST_IN_BIN = 10  # fewer subhalos with stars than this: no node, and residuals pooled over bins
LEAST_PER_NODE = 20  # resolved subhalos behind each node of the luminous probability
NODES = 6
COARSER = 1.1
LEAST_FOR_RATIO = 5  # hosts behind each node of the host-mass ratio


@dataclass(frozen=True)
class _Run:
    """Resolved hosts and subhalos of one run, host masses on the hydro scale [log10 Msun/h]."""

    host_bin: Array  # of each resolved host
    kind: Array  # 0 central, 1 satellite
    bin: Array  # of each subhalo of a resolved host; -1 outside the bins
    host: Array  # index into host_bin
    log_host_mass: Array
    log_mass: Array  # what luminosity depends on: the host's for centrals, else the subhalo's own
    resolved: Array
    log_stellar_mass: Array


def match_hosts(hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot) -> tuple[Array, Array]:
    """Hosts of twin runs that are each other's nearest, within the gravity-only halo's radius.

    Parameters
    ----------
    hydro, dark : HaloCatalog
        Of two runs from the same initial phases.
    snapshot : Snapshot
        Of either run.

    Returns
    -------
    hydro_rows, dark_rows : ndarray of int, shape (m,)
        Rows of the matched centrals, both with a positive host mass.
    """
    rows = [np.flatnonzero(c["is_central"] & (c["host_mass"] > 0)) for c in (hydro, dark)]
    position = [c["position"][r] for c, r in zip((hydro, dark), rows, strict=True)]
    if min(len(r) for r in rows) == 0:
        return rows[0][:0], rows[1][:0]
    trees = [cKDTree(p, boxsize=snapshot.box_size) for p in position]
    distance, nearest = trees[0].query(position[1])
    _, back = trees[1].query(position[0])
    density = 200.0 * snapshot.cosmology.critical_density(snapshot.redshift)
    radius = np.cbrt(dark["host_mass"][rows[1]] / (4.0 / 3.0 * np.pi * density))
    mutual = (back[nearest] == np.arange(len(rows[1]))) & (distance < radius)
    return rows[0][nearest[mutual]], rows[1][mutual]


def host_mass_ratio(
    hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot, edges: Array, limit: float
) -> tuple[Array, Array, str]:
    """The median ratio of host masses as a function of the gravity-only one.

    Over hosts matched by position; where fewer than half of the gravity-only hosts have a match
    (the runs do not share their phases), over hosts of equal rank in mass. Ranks of a gravity-only
    run are incomplete near its resolution, which is why matches come first.

    Parameters
    ----------
    hydro, dark : HaloCatalog
    snapshot : Snapshot
    edges : ndarray, shape (bins + 1,)
        Bins of log10 gravity-only host mass.
    limit : float
        Least host mass used [Msun/h].

    Returns
    -------
    log_mass, log_ratio : ndarray, shape (bins,)
        Median log10 gravity-only mass and median log10 (M_hydro / M_dark); NaN in bins with fewer
        than `LEAST_FOR_RATIO` hosts.
    method : str
        How the hosts were paired.
    """
    in_hydro, in_dark = match_hosts(hydro, dark, snapshot)
    heavy = dark["host_mass"][in_dark] >= limit
    hosts = int(np.sum(dark["is_central"] & (dark["host_mass"] >= limit)))
    if np.sum(heavy) >= 0.5 * hosts:
        mass_hydro, mass_dark = (
            c["host_mass"][r[heavy]] for c, r in ((hydro, in_hydro), (dark, in_dark))
        )
        method = f"median over {len(mass_dark)} of {hosts} hosts, matched by position"
    else:
        ranked = [np.sort(c["host_mass"][c["is_central"]])[::-1] for c in (hydro, dark)]
        n = min(int(np.sum(ranked[0] > 0)), hosts)
        mass_hydro, mass_dark = ranked[0][:n], ranked[1][:n]
        method = f"abundance: {n} hosts compared at equal rank in mass"
    log_hydro, log_dark = np.log10(mass_hydro), np.log10(mass_dark)
    log_mass = np.full(len(edges) - 1, np.nan)
    log_ratio = log_mass.copy()
    for b in range(len(edges) - 1):
        chosen = (log_dark >= edges[b]) & (log_dark < edges[b + 1])
        if np.sum(chosen) >= LEAST_FOR_RATIO:
            log_mass[b] = np.median(log_dark[chosen])
            log_ratio[b] = np.median((log_hydro - log_dark)[chosen])
    if not np.any(np.isfinite(log_ratio)):
        raise BadValueError(
            "host-mass ratio",
            "no bin with enough hosts above the resolution",
            f"{LEAST_FOR_RATIO} hosts in a bin",
            "take wider or other bins",
        )
    return log_mass, log_ratio, method


def measure(
    hydro: Scene,
    dark: Scene,
    *,
    name: str,
    edges: Sequence[float] | Array,
    luminosity_floor: float,
    least_particles: int,
    provenance: Mapping[str, Any],
    redshift_tolerance: float = 0.05,
    particle_mass_factor: float = 2.0,
    cosmology_tolerance: float = 0.05,
) -> HODTable:
    """The calibration table of a pair of runs.

    Parameters
    ----------
    hydro, dark : Scene
        The hydrodynamic run and its gravity-only twin at one redshift.
    name : str
        What the table will be called.
    edges : sequence of float, shape (bins + 1,)
        Bins of log10 hydro host mass [Msun/h].
    luminosity_floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Least gravity-only particles of a resolved subhalo.
    provenance : mapping
        Added to what is recorded of the runs; ``references`` is a list of citations.
    redshift_tolerance, particle_mass_factor, cosmology_tolerance : float
        Half-width of the domain in redshift; factor by which particles may be lighter (they may be
        heavier by `COARSER` only, or the least subhalos would be missing); half-width in omega_m
        and h.

    Raises
    ------
    UsageError
        Edges that do not increase, a floor or particle number that is not positive.
    HeaderError, DomainError, MissingDatasetError
        The runs differ in box, redshift, cosmology or mass definition; stellar masses missing in
        the first, or present in the second; no particle mass.
    """
    edges = np.asarray(edges, dtype=np.float64)
    _check_request(edges, luminosity_floor, least_particles)
    _check_pair(hydro, dark)
    particle_mass = dark.snapshot.particle_mass
    assert particle_mass is not None  # _check_pair
    limit = (least_particles - 0.5) * particle_mass
    ratio_x, ratio_y, method = host_mass_ratio(hydro.halos, dark.halos, dark.snapshot, edges, limit)
    known = np.isfinite(ratio_x)

    def log_ratio(log_mass: Array) -> Array:
        return np.interp(log_mass, ratio_x[known], ratio_y[known])

    in_hydro = _run(hydro.halos, edges, limit, log_ratio, is_hydro=True)
    in_dark = _run(dark.halos, edges, limit, log_ratio, is_hydro=False)
    bins = len(edges) - 1
    rows = []
    for kind in range(len(KINDS)):
        rows += _rows_of_kind(kind, bins, in_hydro, in_dark, np.log10(luminosity_floor))
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    columns |= {
        "kind": np.repeat(np.array(KINDS), bins),
        "log_host_mass_low": np.tile(edges[:-1], 2),
        "log_host_mass_high": np.tile(edges[1:], 2),
        "ratio_log_host_mass": np.append(ratio_x, np.full(bins, np.nan)),
        "log_host_mass_ratio": np.append(ratio_y, np.full(bins, np.nan)),
    }
    cosmology, z = dark.snapshot.cosmology, dark.snapshot.redshift
    domain = {
        "redshift": [z - redshift_tolerance, z + redshift_tolerance],
        "particle_mass": [particle_mass / particle_mass_factor, particle_mass * COARSER],
    }
    for key in ("omega_m", "h"):
        value = getattr(cosmology, key)
        domain[key] = [round(value - cosmology_tolerance, 6), round(value + cosmology_tolerance, 6)]
    runs: dict[str, Any] = {
        f"{label}_{what}": value
        for label, scene in (("hydro", hydro), ("dark", dark))
        for what, value in (
            ("simulation", scene.snapshot.name),
            ("halo_digest", scene.halos.digest()),
        )
    }
    luminous = hydro.halos["stellar_mass"] >= luminosity_floor
    for label, chosen in zip(
        KINDS, (hydro.halos["is_central"], ~hydro.halos["is_central"]), strict=True
    ):
        counted = columns["luminous_hydro"][columns["kind"] == label].sum()
        runs[f"luminous_{label}s_left_out"] = int(np.sum(luminous & chosen) - counted)
    return HODTable(
        columns=columns,
        name=name,
        mass_definition=dark.halos.mass_definition,
        stellar_mass_definition="all bound stars",
        luminosity_floor=luminosity_floor,
        least_particles=least_particles,
        particle_mass=particle_mass,
        residual_probability=RESIDUAL_PROBABILITY,
        domain=domain,
        provenance=runs
        | {"redshift": z, "box_size_mpc_h": dark.snapshot.box_size, "host_mass_ratio": method}
        | dict(provenance),
    )


def _check_pair(hydro: Scene, dark: Scene) -> None:
    a, b = hydro.snapshot, dark.snapshot
    for what, x, y, tolerance in (
        ("box size", a.box_size, b.box_size, 1e-5),
        ("scale factor", 1 / (1 + a.redshift), 1 / (1 + b.redshift), 1e-3),
        ("h", a.cosmology.h, b.cosmology.h, 1e-3),
        ("omega_m", a.cosmology.omega_m, b.cosmology.omega_m, 1e-3),
    ):
        if abs(x / y - 1) > tolerance:
            raise HeaderError(
                f"{a.name} and {b.name}",
                f"{what} {x:.6g} and {y:.6g}",
                "a pair of runs with the same box, redshift and cosmology",
                "give the two twins at one snapshot",
            )
    if hydro.halos.mass_definition != dark.halos.mass_definition:
        raise DomainError(
            "pair of runs",
            f"host masses {hydro.halos.mass_definition} and {dark.halos.mass_definition}",
            "one definition",
            "read both with the same mass definition",
        )
    for snapshot, stars, expected in (
        (a, "stellar_mass" in hydro.halos, True),
        (b, "stellar_mass" in dark.halos, False),
    ):
        if stars != expected:
            raise MissingDatasetError(
                snapshot.name,
                "stellar masses" if stars else "no stellar masses",
                "the hydrodynamic run first, its gravity-only twin second",
                "give the pair in this order",
            )
    if b.particle_mass is None:
        raise MissingDatasetError(
            b.name,
            "no particle mass",
            "a gravity-only particle mass",
            "keep a snapshot beside its catalogue",
        )


def _check_request(edges: Array, luminosity_floor: float, least_particles: int) -> None:
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise UsageError("edges", f"{edges.tolist()}", "two or more numbers that increase")
    if not 0 < luminosity_floor < np.inf or least_particles < 1:
        raise UsageError(
            "luminosity_floor, least_particles",
            f"{luminosity_floor}, {least_particles}",
            "a positive mass in Msun/h, and 1 or more",
        )


def _run(halos: HaloCatalog, edges: Array, limit: float, log_ratio: Any, *, is_hydro: bool) -> _Run:
    with np.errstate(divide="ignore"):
        log_host, log_own = np.log10(halos["host_mass"]), np.log10(halos["mass"])
    known = np.isfinite(log_host)
    shift = np.zeros(len(halos))
    dark_scale = log_host[known]
    if is_hydro:  # the ratio is a function of the gravity-only mass: invert it by iteration
        for _ in range(20):
            dark_scale = log_host[known] - log_ratio(dark_scale)
    shift[known] = log_ratio(dark_scale)
    own_limit = np.log10(limit) + (shift if is_hydro else 0.0)
    resolved = (log_own >= own_limit) & known
    scale = log_host if is_hydro else log_host + shift

    central = halos["is_central"]
    host_rows = np.flatnonzero(central & resolved)
    host_of_row = np.full(len(halos), -1)
    host_of_row[host_rows] = np.arange(len(host_rows))
    host = host_of_row[halos.host_row]
    members = np.flatnonzero(host >= 0)
    bin_of = _bins(scale, edges)
    stellar = halos["stellar_mass"] if "stellar_mass" in halos else np.zeros(len(halos))
    with np.errstate(divide="ignore"):
        log_stellar = np.log10(stellar)
    return _Run(
        host_bin=bin_of[host_rows],
        kind=(~central[members]).astype(int),
        bin=bin_of[members],
        host=host[members],
        log_host_mass=scale[members],
        log_mass=np.where(central, scale, log_own if is_hydro else log_own + shift)[members],
        resolved=resolved[members],
        log_stellar_mass=log_stellar[members],
    )


def _bins(values: Array, edges: Array) -> Array:
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def _rows_of_kind(
    kind: int, bins: int, hydro: _Run, dark: _Run, log_floor: float
) -> list[dict[str, Any]]:
    # Median and residuals are those of all subhalos with stars: the floor enters once, in the draw.
    starry = (hydro.kind == kind) & np.isfinite(hydro.log_stellar_mass)
    luminous = starry & (hydro.log_stellar_mass >= log_floor - 1e-9)
    starry_in = [starry & (hydro.bin == b) for b in range(bins)]
    luminous_in = [luminous & (hydro.bin == b) for b in range(bins)]
    x, y = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        if np.sum(starry_in[b]) >= LEAST_IN_BIN:
            x[b] = np.median(hydro.log_host_mass[starry_in[b]])
            y[b] = np.median(hydro.log_stellar_mass[starry_in[b]])
    anywhere = starry & (hydro.bin >= 0)
    if not np.any(np.isfinite(x)) and np.any(anywhere):  # one node for the whole kind
        b = int(np.bincount(hydro.bin[anywhere], minlength=bins).argmax())
        x[b] = np.median(hydro.log_host_mass[anywhere])
        y[b] = np.median(hydro.log_stellar_mass[anywhere])
    residual = hydro.log_stellar_mass - median_curve(x, y, hydro.log_host_mass)

    rows = []
    for b in range(bins):
        enough = np.sum(starry_in[b]) >= LEAST_IN_BIN
        sample = residual[starry_in[b] if enough else anywhere]
        of_hydro = (hydro.kind == kind) & (hydro.bin == b) & hydro.resolved
        of_dark = (dark.kind == kind) & (dark.bin == b) & dark.resolved
        hosts_hydro, hosts_dark = np.sum(hydro.host_bin == b), np.sum(dark.host_bin == b)
        nodes, probability = _luminous_probability(
            hydro.log_mass[of_hydro], luminous[of_hydro], np.any(luminous_in[b])
        )
        number_hydro = _per_host(hydro, luminous_in[b], b)
        number_dark = _per_host(dark, of_dark, b)
        p = np.interp(dark.log_mass[of_dark], nodes, probability)
        thinning, deficit = _thinning(p, number_hydro[0] * hosts_dark)
        rows.append(
            {
                "hosts_hydro": hosts_hydro,
                "hosts_dark": hosts_dark,
                "subhalos_hydro": np.sum(of_hydro),
                "subhalos_dark": np.sum(of_dark),
                "luminous_hydro": np.sum(luminous_in[b]),
                "number_hydro_mean": number_hydro[0],
                "number_hydro_variance": number_hydro[1],
                "number_dark_mean": number_dark[0],
                "number_dark_variance": number_dark[1],
                "curve_log_host_mass": x[b],
                "curve_log_stellar_mass": y[b],
                "residual_source": "bin" if enough else "pooled",
                "residual_quantiles": (
                    np.quantile(sample, RESIDUAL_PROBABILITY, method="hazen")
                    if len(sample)
                    else np.zeros(len(RESIDUAL_PROBABILITY))
                ),
                "luminous_log_mass": nodes,
                "luminous_probability": probability,
                "thinning": thinning,
                "deficit": deficit,
            }
        )
    return rows


def _luminous_probability(
    log_mass: Array, luminous: Array, any_luminous: np.bool_
) -> tuple[Array, Array]:
    """Luminous share at `NODES` nodes of mass; equal groups of subhalos, then padded."""
    n = len(log_mass)
    groups = min(max(n // LEAST_PER_NODE, 1), NODES) if n else 0
    order = np.argsort(log_mass, kind="stable")
    x: list[float] = []
    p: list[float] = []
    for members in np.array_split(order, groups) if groups else []:
        node = float(np.median(log_mass[members]))
        if not x or node > x[-1]:
            x.append(node)
            p.append(float(np.mean(luminous[members])))
    if not x:  # nothing resolved here: the thinning and its deficit say how many are missing
        x, p = [0.0], [float(any_luminous)]
    while len(x) < NODES:
        x.append(x[-1] + 1.0)
        p.append(p[-1])
    return np.array(x), np.array(p)


def _per_host(run: _Run, chosen: Array, b: int) -> tuple[float, float]:
    """Mean and variance of the number of chosen subhalos per host of bin b."""
    hosts = run.host_bin == b
    if not np.any(hosts):
        return 0.0, 0.0
    number = np.bincount(run.host[chosen], minlength=len(run.host_bin))[hosts]
    return float(np.mean(number)), float(np.var(number))


def _thinning(p: Array, target: float) -> tuple[float, float]:
    """Factor t with sum(min(1, t p)) = target, and the share of the target out of reach."""
    if target == 0:
        return 0.0, 0.0
    most = float(np.sum(p > 0))
    if most == 0:
        return 1.0, 1.0
    ceiling = 1.0 / float(np.min(p[p > 0]))
    if most <= target:
        return ceiling, 1.0 - most / target
    solution = brentq(lambda t: float(np.sum(np.minimum(1.0, t * p))) - target, 0.0, ceiling)
    return float(solution), 0.0

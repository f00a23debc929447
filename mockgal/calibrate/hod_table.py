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

from ..errors import DomainError, HeaderError, MissingDatasetError, UsageError
from ..paint.hod_table import KINDS, HODTable
from ..types import STELLAR_MASS_DEFINITIONS, HaloCatalog, Scene
from .host_mass import host_mass_ratio
from .laws import RESIDUAL_PROBABILITY, bin_of, luminous_share, median_and_residuals, per_host

Array = NDArray[Any]

COARSER = 1.1


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
        "log_mass_low": np.tile(edges[:-1], 2),
        "log_mass_high": np.tile(edges[1:], 2),
        "ratio_log_host_mass": np.append(ratio_x, np.full(bins, np.nan)),
        "log_host_mass_ratio": np.append(ratio_y, np.full(bins, np.nan)),
    }
    cosmology, z = dark.snapshot.cosmology, dark.snapshot.redshift
    domain = domain_around(
        z,
        particle_mass,
        {"omega_m": cosmology.omega_m, "h": cosmology.h},
        redshift_tolerance=redshift_tolerance,
        particle_mass_factor=particle_mass_factor,
        cosmology_tolerance=cosmology_tolerance,
    )
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
    stars = str(hydro.snapshot.record.get("stellar_mass_definition", "bound"))
    return HODTable(
        columns=columns,
        name=name,
        binned_by={"central": "host", "satellite": "host"},
        mass_definition=dark.halos.mass_definition,
        stellar_mass_definition="all bound stars"
        if stars == "bound"
        else STELLAR_MASS_DEFINITIONS.get(stars, stars),
        luminosity_floor=luminosity_floor,
        least_particles=least_particles,
        particle_mass=particle_mass,
        residual_probability=RESIDUAL_PROBABILITY,
        domain=domain,
        provenance=runs
        | {"redshift": z, "box_size_mpc_h": dark.snapshot.box_size, "host_mass_ratio": method}
        | dict(provenance),
    )


def domain_around(
    redshift: float,
    particle_mass: float,
    cosmology: Mapping[str, float],
    *,
    redshift_tolerance: float = 0.05,
    particle_mass_factor: float = 2.0,
    cosmology_tolerance: float = 0.05,
) -> dict[str, list[float]]:
    """The domain of a table made at one redshift, resolution and cosmology; see `measure`."""
    domain = {
        "redshift": [redshift - redshift_tolerance, redshift + redshift_tolerance],
        "particle_mass": [particle_mass / particle_mass_factor, particle_mass * COARSER],
    }
    for key, value in cosmology.items():
        domain[key] = [round(value - cosmology_tolerance, 6), round(value + cosmology_tolerance, 6)]
    return domain


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
    bins = bin_of(scale, edges)
    stellar = halos["stellar_mass"] if "stellar_mass" in halos else np.zeros(len(halos))
    with np.errstate(divide="ignore"):
        log_stellar = np.log10(stellar)
    return _Run(
        host_bin=bins[host_rows],
        kind=(~central[members]).astype(int),
        bin=bins[members],
        host=host[members],
        log_host_mass=scale[members],
        log_mass=np.where(central, scale, log_own if is_hydro else log_own + shift)[members],
        resolved=resolved[members],
        log_stellar_mass=log_stellar[members],
    )


def _rows_of_kind(
    kind: int, bins: int, hydro: _Run, dark: _Run, log_floor: float
) -> list[dict[str, Any]]:
    # Median and residuals are those of all subhalos with stars: the floor enters once, in the draw.
    starry = (hydro.kind == kind) & np.isfinite(hydro.log_stellar_mass)
    luminous = starry & (hydro.log_stellar_mass >= log_floor - 1e-9)
    laws = median_and_residuals(
        hydro.log_host_mass[starry], hydro.log_stellar_mass[starry], hydro.bin[starry], bins
    )
    rows = []
    for b in range(bins):
        luminous_here = luminous & (hydro.bin == b)
        of_hydro = (hydro.kind == kind) & (hydro.bin == b) & hydro.resolved
        of_dark = (dark.kind == kind) & (dark.bin == b) & dark.resolved
        hosts_hydro, hosts_dark = np.sum(hydro.host_bin == b), np.sum(dark.host_bin == b)
        nodes, probability = luminous_share(
            hydro.log_mass[of_hydro], luminous[of_hydro], np.any(luminous_here)
        )
        number_hydro = per_host(hydro.host_bin, hydro.host[luminous_here], b)
        number_dark = per_host(dark.host_bin, dark.host[of_dark], b)
        p = np.interp(dark.log_mass[of_dark], nodes, probability)
        thinning, deficit = _thinning(p, number_hydro[0] * hosts_dark)
        rows.append(
            {
                "hosts_hydro": hosts_hydro,
                "hosts_dark": hosts_dark,
                "subhalos_hydro": np.sum(of_hydro),
                "subhalos_dark": np.sum(of_dark),
                "luminous_hydro": np.sum(luminous_here),
                "number_hydro_mean": number_hydro[0],
                "number_hydro_variance": number_hydro[1],
                "number_dark_mean": number_dark[0],
                "number_dark_variance": number_dark[1],
                **laws[b],
                "luminous_log_mass": nodes,
                "luminous_probability": probability,
                "thinning": thinning,
                "deficit": deficit,
            }
        )
    return rows


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

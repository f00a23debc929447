"""Galaxies that a mock lacks because the input or the law does not reach their hosts.

A catalogue of halos ends somewhere: at its resolution, or where someone has trimmed it. So does a
law. The galaxies of the hosts beyond that edge are counted here as the law, or its trend, predicts
them, with a mass function in place of the missing hosts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...completeness import NO_SATELLITES, TOO_FEW, Completeness
from ...errors import listening, warn
from ...laws.distribution import cdf
from ...layout import DROPPED, EMPTY_REGIONS, MISSING_CHUNKS, SEVERAL_RESOLUTIONS
from ...protocols import Painter
from ...system.columns.on_disk import blocks_of
from ...types import HaloCatalog, Scene
from .. import blocks
from .host_edge import FEW, Hosts, Subhalos, Untold, count_lacking
from .trend import GRID, NEAR, REACH_OF_TREND, SLOPE, STEP, Trend, slope_of_centrals

Array = NDArray[Any]

SHARE = 0.01  # of the galaxies of a stellar mass: a complete catalogue may lack at most this
WARN = 0.1  # share of all galaxies that may be missing without a warning
_TOO_MANY = 0.2  # of a kind: if more are missing, their masses do not follow those present
_LEAST_SHORT = 0.5  # missing galaxies, estimated from few, below which a bin is complete
_SHORT = "_short"  # ending of the names of painters' counts of missing galaxies
_TREND = 0.5  # relative uncertainty of an extrapolated trend
_BIN = round(0.25 / STEP)  # steps in a bin that must be complete as a whole


@dataclass(frozen=True)
class Lacking:
    """Galaxies that are expected but missing.

    Parameters
    ----------
    number : ndarray, shape (m,)
        Missing galaxies in bins of stellar mass.
    hosts : Hosts
    edge : float
        log10 of the mass below which hosts lack galaxies [Msun/h]; the largest, if there are
        several edges.
    because : str
        The reason for that edge.
    by_trend : float
        How many of the galaxies come from no law but from the trend of those of heavier hosts.
    """

    number: Array
    hosts: Hosts
    edge: float
    because: str
    by_trend: float

    @property
    def error(self) -> float:
        """Rough standard error of their total number."""
        hosts = self.hosts.uncertainty if self.hosts.lacking.any() else 0.0
        return math.hypot(hosts * float(self.number.sum()), _TREND * self.by_trend)


def lacking_galaxies(
    scene: Scene,
    painter: Painter | None,
    described: Mapping[str, Any],
    columns: Mapping[str, Array],
    counted: Mapping[str, Any],
) -> Lacking | str | None:
    """Count the galaxies of hosts that the input or the law does not reach.

    Centrals follow the law if it can be evaluated (the painter ``predicts_hosts``). Otherwise, and
    for satellites, each host lacks the galaxies that hosts within half a decade above the edge
    have, with stellar masses lowered by the trend of stellar mass with host mass.

    Parameters
    ----------
    scene : Scene
    painter : Painter or None
        None for a hydrodynamic run's own galaxies.
    described : mapping
        The result of `Painter.describe`.
    columns : mapping of str to ndarray
        Columns of the painted galaxies.
    counted : mapping
        See `count_lacking`.

    Returns
    -------
    Lacking, str or None
        None if no edge is known; the reason, as text, if the number cannot be determined.
    """
    try:
        return _lacking(scene, painter, described, columns, counted)
    except Untold as reason:
        return str(reason)


def _lacking(
    scene: Scene,
    painter: Painter | None,
    described: Mapping[str, Any],
    columns: Mapping[str, Array],
    counted: Mapping[str, Any],
) -> Lacking | None:
    record = scene.snapshot.record
    if record.get(MISSING_CHUNKS) or record.get(SEVERAL_RESOLUTIONS):
        return None  # parts of a box, to which no mass function applies
    hosts = count_lacking(scene, counted)
    floor = float(described.get("luminosity_floor_msun_h") or 0.0)
    mass = blocks_of(columns, "stellar_mass")
    least = floor or min(float(np.min(stars, initial=math.inf)) for (stars,) in mass)
    if not 0 < least < math.inf:
        return None
    log_floor = math.log10(least)
    number, by_trend, edges = np.zeros(len(GRID) - 1), 0.0, []
    for central, law in zip((True, False), _law_edges(described), strict=True):
        beyond = hosts.log_mass < law  # hosts outside the law's range
        lack = hosts.lacking + np.where(beyond, hosts.found, 0.0)
        edge = max(hosts.edge, law)
        if not math.isfinite(edge) or not lack.any():
            continue
        trend = None
        if central and painter is not None and getattr(painter, "predicts_hosts", False):
            asked = ~beyond & (lack > 0)
            number += hosts_by_law(scene, painter, hosts.log_mass[asked]).T @ lack[asked]
            lack = np.where(asked, 0.0, lack)
            if math.isfinite(law):
                ends = law + NEAR / 2 + np.array([0.0, REACH_OF_TREND])
                trend = Trend.of_law(ends, hosts_by_law(scene, painter, ends))
        else:
            slope = slope_of_centrals(columns, edge) if central else SLOPE
            trend = Trend.of_galaxies(columns, hosts, edge, central, slope, steep=not floor)
        if trend is not None:
            more = trend.below(hosts.log_mass, lack, log_floor)
            number += more
            by_trend += float(more.sum())
        edges.append((edge, "the input lacks" if hosts.edge >= law else "the law does not reach"))
    if not edges:
        return None
    edge, why = max(edges)
    return Lacking(number, hosts, edge, f"{why} hosts below {10**edge:.3g} Msun/h", by_trend)


def _law_edges(described: Mapping[str, Any]) -> tuple[float, float]:
    """Return log10 of the host masses from which a law has centrals, and satellites."""
    least = float(described.get("least_subhalo_mass_msun_h") or 0.0)
    central = satellite = math.log10(least) if least else -math.inf
    reach = described.get("log_mass_range")
    if isinstance(reach, Mapping):
        return max(central, reach["central"][0]), max(satellite, reach["satellite"][0])
    if reach is not None:
        return max(central, reach[0]), max(satellite, reach[0])
    return central, satellite


def hosts_by_law(scene: Scene, painter: Painter, log_mass: Array) -> Array:
    """Return the centrals by stellar mass that a painter predicts for a host of each mass.

    Parameters
    ----------
    scene : Scene
    painter : Painter
        A painter that ``predicts_hosts``.
    log_mass : ndarray, shape (n,)
        log10 [Msun/h].

    Returns
    -------
    ndarray, shape (n, m)
        Number of centrals in bins of stellar mass.

    Raises
    ------
    Untold
        The painter fails.
    """
    n, mass = len(log_mass), 10.0**log_mass
    if not n:
        return np.zeros((0, len(GRID) - 1))
    columns = {
        "halo_id": np.arange(n),
        "host_id": np.arange(n),
        "is_central": np.ones(n, dtype=bool),
        "position": np.zeros((n, 3)),
        "velocity": np.zeros((n, 3)),
        "mass": mass,
        "host_mass": mass,
    }
    if "vmax" in scene.halos:  # some painters rank by it
        columns["vmax"] = np.cbrt(mass)
    halos = HaloCatalog(columns, scene.halos.mass_definition)
    try:  # a plug-in can raise anything; the galaxies are painted already
        with listening(quiet=True), np.errstate(all="ignore"):
            painter = getattr(painter, "by_mass_alone", painter)
            law = painter.predict(replace(scene, halos=halos))
            law = replace(law, rank=None, rank_correlation=0.0)  # the law of all subhalos together
            above = np.array([law.p_luminous * (1.0 - cdf(law, np.full(n, m))) for m in GRID])
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise Untold(f"painter {painter.name} does not predict hosts alone: {reason}") from error
    if above.shape != (len(GRID), n) or not np.isfinite(law.p_luminous).all():
        raise Untold(f"painter {painter.name} predicts no numbers for hosts alone")
    # NaN where the law has no mass above its floor
    return np.nan_to_num(-np.diff(above, axis=0).T)


def completeness(
    start: Completeness,
    lacking: Lacking | str | None,
    columns: Mapping[str, Array],
    scene: Scene,
    prediction: Mapping[str, float],
    subhalos: Subhalos | None = None,
) -> tuple[Completeness, dict[str, Any]]:
    """Return where a painted catalogue is complete, and what it lacks.

    Parameters
    ----------
    start : Completeness
        Completeness of the law.
    lacking : Lacking, str or None
        The result of `lacking_galaxies`.
    columns : mapping of str to ndarray
        Columns of the galaxies.
    scene : Scene
    prediction : mapping
        Counts of the prediction.
    subhalos : Subhalos, optional
        By default those of the scene.

    Returns
    -------
    Completeness
    dict
        For the provenance: plain JSON values; empty if nothing is missing.
    """
    complete, subhalos = start, subhalos or Subhalos.of(scene.halos)
    for reason in _partial(scene, prediction, subhalos):
        complete = complete.lacking(reason)
    if isinstance(lacking, str):
        complete, lacking = complete.unknown(lacking), None
    number, error, reasons = np.zeros(len(GRID) - 1), 0.0, []
    elsewhere, least = 0.0, SHARE  # missing galaxies of unknown stellar mass; negligible number
    if lacking is not None:
        number, error, reasons = number + lacking.number, lacking.error, [lacking.because]
    for kind, short in _short(subhalos, prediction).items():
        there = _by_stellar_mass(columns, kind == "central")
        if short.share > _TOO_MANY or not there.any():
            complete = complete.lacking(NO_SATELLITES if short.hosts_only else TOO_FEW[kind])
            elsewhere += short.number
        else:
            number += there * (short.number / there.sum())
            least = _LEAST_SHORT if lacking is None else least
        error = math.hypot(error, math.sqrt(short.of))
        reasons.append(f"{short.number:.4g} of the law's {short.of:.4g} {kind}s are missing")
    total = float(number.sum()) + elsewhere
    if not total:
        return complete, {}
    ones, present = np.ones(_BIN), _by_stellar_mass(columns)
    lack, there = (
        np.convolve(values, ones)[_BIN - 1 :] for values in (number, present)
    )  # from each step up
    short_of = np.flatnonzero((lack > SHARE * (lack + there)) & (lack > least))
    because = "; ".join(reasons)
    if short_of.size:
        complete = complete.raised(float(10 ** GRID[short_of[-1] + 1]), because)
    share = total / (total + len(columns["stellar_mass"]))
    if share < 1e-4:
        return complete, {}
    described = {
        "share": round(share, 4),
        "uncertainty": round(min(share * (1.0 - share) * error / total, 1.0), 4),
        "galaxies": round(total, 1),
        "because": because,
    }
    if lacking is not None:
        described |= {
            "host_mass_edge_msun_h": float(f"{10**lacking.edge:.4g}"),
            "mass_function": lacking.hosts.function,
            "mass_function_scale": round(lacking.hosts.scale, 4),
        }
    return complete, described


def _by_stellar_mass(columns: Mapping[str, Array], central: bool | None = None) -> Array:
    """Return the number of galaxies in each bin of `GRID`: of all, of centrals, or of others."""
    numbers = np.zeros(len(GRID) - 1)
    for kind, masses in blocks_of(columns, "is_central", "stellar_mass"):
        mass = masses if central is None else masses[kind == central]

        def block(part: slice, mass: Array = mass) -> Array:
            with np.errstate(divide="ignore"):
                log_mass = np.log10(mass[part].astype(np.float64))
            return np.asarray(np.histogram(log_mass, GRID)[0])

        numbers += sum(blocks.over_blocks(block, len(mass), of=len(columns["stellar_mass"])), 0.0)
    return numbers


def _partial(scene: Scene, prediction: Mapping[str, float], subhalos: Subhalos) -> list[str]:
    """Return the reasons, from what was read, why a catalogue is complete at no stellar mass."""
    record = {**scene.snapshot.record, **scene.halos.record}
    reasons = []
    if record.get(MISSING_CHUNKS):
        reasons.append(f"chunks {record[MISSING_CHUNKS]} of the input are missing")
    if record.get(SEVERAL_RESOLUTIONS):
        reasons.append("a zoom: particles of several masses are no fair sample of a box")
    if record.get(EMPTY_REGIONS):
        reasons.append("parts of the box are empty in the input (--allow-empty-regions)")
    dropped = sum(int(record.get(name) or 0) for name in DROPPED)
    if dropped > SHARE * (dropped + subhalos.number):
        reasons.append(
            f"more than {SHARE:.0%} of the input's subhalos were left out when it was read "
            "(--drop-bad, --orphans drop)"
        )
    counted = f"satellites{_SHORT}" in prediction
    if not counted and subhalos.number >= FEW and subhalos.hosts_only:
        reasons.append(NO_SATELLITES)
    return reasons


class _Short(NamedTuple):
    """Galaxies that hosts of the input should have, but for which it has no subhalos.

    Parameters
    ----------
    number, of : float
        Number of missing galaxies, and of all that the law has.
    hosts_only : bool
        Whether the input has no satellites at all.
    """

    number: float
    of: float
    hosts_only: bool

    @property
    def share(self) -> float:
        return self.number / self.of


def _short(subhalos: Subhalos, prediction: Mapping[str, float]) -> dict[str, _Short]:
    """Return by kind the galaxies that painters count as missing in existing hosts, if many.

    Many are more than 1% of all galaxies and, since the number of subhalos in a box scatters, more
    than 3 standard deviations of a Poisson number; or all satellites. By chance one in 740 whole
    boxes is reported to lack satellites, and more where they scatter more.
    """
    expected = {kind: float(prediction.get(f"expected_{kind}s", 0.0)) for kind in TOO_FEW}
    missing = {}
    for kind in TOO_FEW:
        short = float(prediction.get(f"{kind}s{_SHORT}", 0.0))
        if short <= SHARE * (sum(expected.values()) + short):
            continue
        none = kind == "satellite" and subhalos.hosts_only
        of = short + expected[kind]
        if none or short > 3.0 * math.sqrt(of):
            missing[kind] = _Short(short, of, none)
    return missing


def warn_of(lacking: Mapping[str, Any], whose: str = "the law") -> None:
    """Warn if many galaxies are missing; ``whose`` says what predicts them."""
    share, error = lacking.get("share", 0.0), lacking.get("uncertainty", 0.0)
    if share - 2.0 * error > WARN:
        how = ""
        if "mass_function" in lacking:
            how = f", estimated with the mass function of {lacking['mass_function']}"
        warn(
            f"about {share:.0%} (+- {error:.0%}) of the galaxies that {whose} has in this box are "
            f"missing: {lacking['because']}{how}; the catalogue says from which stellar mass on it "
            "is complete",
            stacklevel=3,
        )

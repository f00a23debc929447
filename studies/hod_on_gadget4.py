"""Paint the gravity-only twin of a pair of runs, and compare it with the hydrodynamic one.

    python studies/hod_on_gadget4.py DIRECTORY

DIRECTORY holds dark/groups_002, hydro/groups_002 and hydro/snapdir_002 of the Gadget-4 pair (see
catalogs/demo/README.md), with dark/snapdir_002. Prints the tables, puts them
into docs/explanation/hod-on-gadget4.md, which says what is compared and how, and draws
docs/images/hod-gadget4.png.
"""

import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t as student

import mockgal
from mockgal.calibration.laws import bin_of, merge_sparse
from mockgal.calibration.matching.match import match
from mockgal.calibration.rows import is_luminous
from mockgal.painters.halotools.laws import THRESHOLDS
from mockgal.painters.hod.choice import hod_painter
from mockgal.painters.hod.painter import HODPainter, mass_limit
from mockgal.painters.hod.table import HODTable
from mockgal.reports.figures import save_figure
from mockgal.statistics import jackknife
from mockgal.statistics.galaxies.bins import count_by_region, left_out, mean_error, ratio
from mockgal.statistics.result import POWER, SIGNIFICANCE
from mockgal.types import GalaxyCatalog, Scene

Array = NDArray[Any]
Catalogues = Iterable[GalaxyCatalog]  # that together are the box
Pair = tuple[Scene, Scene]

BAR = 0.05
SEEDS = 32
PER_SIDE = 3  # cubes of the jackknife along each side
WIDTH = 0.25  # of bins [dex]
LEAST = 5  # galaxies of the hydrodynamic run in a bin, or hosts of either: sparser ones are joined
CALIBRATED = ("corrected", "paper", "rank vmax 0.6", "rank mass 0.6", "other half", "hosts only")
HERE = Path(__file__).parent
PAGE, FIGURE = "docs/explanation/hod-on-gadget4.md", "docs/images/hod-gadget4.png"


class Galaxies(NamedTuple):
    """Galaxies above the luminosity floor: columns of shape (n,), masses log10 of Msun/h.

    ``log_host_mass`` is on the hydro scale; ``region`` is the cube that the host is in.
    """

    log_stellar_mass: Array
    is_central: Array
    log_host_mass: Array
    region: Array


class Hosts(NamedTuple):
    """Hosts of a run, with a galaxy or without: log10 of mass on the hydro scale, and cube."""

    log_mass: Array
    region: Array


class Counts(NamedTuple):
    """Two numbers whose ratio is a statistic: shape (..., cubes, bins), the last bin being all."""

    above: Array
    below: Array


Count = Callable[[Galaxies, Hosts, Array], Counts]


class Statistic(NamedTuple):
    """What is compared: ``edges`` of its bins, and the `Counts` of galaxies and hosts."""

    name: str
    axis: str
    edges: Array
    count: Count


class Comparison(NamedTuple):
    """Painted over true, less one, for each bin and for all of them: shape (bins + 1,).

    ``true`` is the hydrodynamic run's value; ``error`` and ``detectable`` are relative to it.
    """

    true: Array
    deviation: Array
    error: Array
    detectable: Array

    def verdict(self, bar: float = BAR) -> Array:
        """Against a bar: ``no power`` where a deviation of its size could not be detected.

        One that is beyond the bar and larger than the smallest detectable one is ``beyond`` it,
        whatever could be said of smaller ones.
        """
        size = np.abs(self.deviation)
        near = np.where(size <= bar, "within", "beyond")
        shown = (self.detectable <= bar) | ((size > bar) & (size > self.detectable))
        return np.where(shown, near, "no power")


def _in_bins(values: Array, region: Array, edges: Array, chosen: Array | None = None) -> Array:
    """Numbers in each cube: in the bins, and from the lowest edge on whatever the highest is."""
    keep = values >= edges[0] if chosen is None else chosen & (values >= edges[0])
    values, region, cubes = values[keep], region[keep], PER_SIDE**3
    found = count_by_region(bin_of(values, edges), region, len(edges) - 1, cubes)
    return np.column_stack([found, np.bincount(region, minlength=cubes)])


def count_galaxies(galaxies: Galaxies, _: Hosts, edges: Array) -> Counts:
    """Number of galaxies by stellar mass."""
    found = _in_bins(galaxies.log_stellar_mass, galaxies.region, edges)
    return Counts(found, np.full(found.shape, 1.0 / len(found)))


def count_centrals(galaxies: Galaxies, hosts: Hosts, edges: Array) -> Counts:
    """Number of centrals by stellar mass."""
    return count_galaxies(Galaxies(*(v[galaxies.is_central] for v in galaxies)), hosts, edges)


def count_satellites(galaxies: Galaxies, _: Hosts, edges: Array) -> Counts:
    """Satellites and all galaxies by stellar mass."""
    mass, region, satellite = galaxies.log_stellar_mass, galaxies.region, ~galaxies.is_central
    return Counts(_in_bins(mass, region, edges, satellite), _in_bins(mass, region, edges))


def count_per_host(central: bool, galaxies: Galaxies, hosts: Hosts, edges: Array) -> Counts:
    """Galaxies of a type, and hosts, by host mass."""
    chosen = galaxies.is_central == central
    return Counts(
        _in_bins(galaxies.log_host_mass, galaxies.region, edges, chosen),
        _in_bins(hosts.log_mass, hosts.region, edges),
    )


def statistics(
    true: Galaxies, hosts: tuple[Hosts, Hosts], log_floor: float, log_limit: float
) -> list[Statistic]:
    """The statistics, in bins that hold enough of the hydrodynamic run's galaxies.

    Parameters
    ----------
    true : Galaxies
        Of the hydrodynamic run.
    hosts : tuple of Hosts
        Of both runs.
    log_floor : float
        Where bins of stellar mass begin.
    log_limit : float
        Resolution: bins of host mass begin at the multiple of `WIDTH` above.
    """
    satellite = ~true.is_central
    highest = max(true.log_stellar_mass.max(), log_floor + WIDTH)
    stellar = log_floor + WIDTH * np.arange(np.ceil((highest - log_floor) / WIDTH) + 1)
    stellar[0] -= 1e-6  # single-precision masses at the floor
    first, last = np.ceil(log_limit / WIDTH), max(h.log_mass.max() for h in hosts) / WIDTH
    host = WIDTH * np.arange(first, np.floor(last) + 2)
    by_star, by_host, of_hosts = (
        true.log_stellar_mass,
        true.log_host_mass,
        [h.log_mass for h in hosts],
    )
    wanted: list[tuple[str, Array, list[Array], Count]] = [
        ("Stellar-mass function", stellar, [by_star], count_galaxies),
        ("Stellar-mass function of centrals", stellar, [by_star[~satellite]], count_centrals),
        ("Satellite fraction", stellar, [by_star[satellite]], count_satellites),
        (
            "Centrals per host",
            host,
            [by_host[~satellite], *of_hosts],
            partial(count_per_host, True),
        ),
        (
            "Satellites per host",
            host,
            [by_host[satellite], *of_hosts],
            partial(count_per_host, False),
        ),
    ]
    return [
        Statistic(name, "log M*" if grid is stellar else "log M host",
                  merge_sparse(samples, grid, LEAST), count)
        for name, grid, samples, count in wanted
    ]  # fmt: skip


def compare(true: Counts, painted: Counts) -> Comparison:
    """How far the mean of many paintings is from the hydrodynamic run.

    Parameters
    ----------
    true : Counts, shape (R, bins)
        In R cubes.
    painted : Counts, shape (seeds, R, bins)
        In the same cubes of the twin.

    Returns
    -------
    Comparison
        The error is that of a jackknife of the deviation, a cube being left out of both runs,
        joined in quadrature with that of the mean over seeds; and not below half a galaxy of the
        hydrodynamic run, since a count that is the same by chance is no exact one.
    """
    mean = Counts(*(values.mean(axis=0) for values in painted))

    def relative(hydro: Counts, mock: Counts) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((mock.above / mock.below) / (hydro.above / hydro.below) - 1.0)

    whole, whole_mean = (Counts(*(v.sum(axis=0) for v in c)) for c in (true, mean))
    others, others_mean = (Counts(*(left_out(v) for v in c)) for c in (true, mean))
    deviation = relative(whole, whole_mean)
    moved = jackknife.error(relative(others, others_mean))
    value = ratio(*whole)
    each = Counts(*(v.sum(axis=1) for v in painted))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.std(
            (each.above - ratio(*whole_mean) * each.below) / whole_mean.below, 0, ddof=1
        )
        drawn = spread / value / np.sqrt(len(each.above))
    error = np.maximum(np.hypot(moved, drawn), mean_error(np.zeros(1), whole.above))
    quantiles = student.ppf([1.0 - SIGNIFICANCE / 2.0, POWER], len(true.above) - 1)
    return Comparison(value, deviation, error, quantiles.sum() * error)


def hosts_of(scene: Scene, table: HODTable | None) -> Hosts:
    """The hosts of a run; with a table, gravity-only masses are put on the hydro scale by it."""
    halos = scene.halos
    rows = halos["is_central"] & (halos["host_mass"] > 0)
    log_mass = np.log10(halos["host_mass"][rows])
    if table is not None:
        log_mass = log_mass + table.log_mass_ratio(log_mass)
    place = jackknife.regions(halos["position"][rows], scene.snapshot.box_size, PER_SIDE)
    return Hosts(log_mass, place)


def true_galaxies(hydro: Scene, log_floor: float) -> Galaxies:
    """The galaxies of the hydrodynamic run."""
    halos = hydro.halos
    with np.errstate(divide="ignore"):
        log_stellar, log_host = (np.log10(halos[key]) for key in ("stellar_mass", "host_mass"))
    place = jackknife.regions(halos["position"], hydro.snapshot.box_size, PER_SIDE)
    chosen = is_luminous(log_stellar, log_floor)
    columns = (log_stellar, halos["is_central"], log_host, place[halos.host_row])
    return Galaxies(*(values[chosen] for values in columns))


def painted_galaxies(catalogues: Catalogues, dark: Scene, table: HODTable) -> Galaxies:
    """The galaxies of catalogues painted on a gravity-only run or on parts of it."""
    ids, order = dark.halos["halo_id"], dark.halos["halo_id"].argsort()
    place = jackknife.regions(dark.halos["position"], dark.snapshot.box_size, PER_SIDE)
    parts = []
    for mock in catalogues:
        log_stellar = np.log10(mock["stellar_mass"].astype(np.float64))
        log_host = np.log10(mock["halo_mass"])
        log_host = log_host + table.log_mass_ratio(log_host)
        row = order[np.searchsorted(ids, mock["halo_id"], sorter=order)]
        chosen = is_luminous(log_stellar, np.log10(table.luminosity_floor))
        columns = (log_stellar, mock["is_central"], log_host, place[row])
        parts.append(Galaxies(*(values[chosen] for values in columns)))
    return Galaxies(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def half(scene: Scene, left: bool) -> Scene:
    """The hosts in one half of the box, by their place along x, with their satellites."""
    halos = scene.halos
    is_left = halos["position"][:, 0] < 0.5 * scene.snapshot.box_size
    return replace(scene, halos=halos.take(np.flatnonzero(is_left[halos.host_row] == left)))


def hosts_alone(scene: Scene) -> Scene:
    """The hosts without their satellites."""
    return replace(scene, halos=scene.halos.take(np.flatnonzero(scene.halos["is_central"])))


def calibrate(pair: Pair, luminosity_floor: float | None = None) -> HODTable:
    """The table of a pair, without errors, which nothing here needs."""
    options = {"measure_options": {"jackknife": 0}, "luminosity_floor": luminosity_floor}
    return mockgal.calibrate([pair], name="gadget4", **options)


def populated(hosts: Scene, table: HODTable, seed: int, profile: str) -> GalaxyCatalog:
    """Hosts alone, given satellites and painted."""
    painter = HODPainter(table)
    scene = mockgal.populate(hosts, painter, seed=seed, numbers="poisson", profile=profile)
    return mockgal.paint(scene, painter, seed=seed)


def modes(pair: Pair, table: HODTable) -> dict[str, Callable[[int], Catalogues]]:
    """What paints the gravity-only run with a seed, by name: `CALIBRATED`, then models."""
    hydro, dark = pair
    alone = hosts_alone(dark)
    crosswise = []
    for left in (True, False):
        other = calibrate((half(hydro, not left), half(dark, not left)), table.luminosity_floor)
        crosswise.append((half(dark, left), HODPainter(other, allow_extrapolation=True)))

    def whole(**options: Any) -> Callable[[int], Catalogues]:
        painter = hod_painter(**options)
        return lambda seed: [mockgal.paint(dark, painter, seed=seed)]

    ours, theirs = {"calibration": table}, {"allow_extrapolation": True}
    zheng07 = theirs | {"model": "zheng07", "threshold": max(THRESHOLDS)}
    leauthaud11 = theirs | {"model": "leauthaud11", "luminosity_floor": table.luminosity_floor}
    return {
        "corrected": whole(**ours),
        "paper": whole(**ours, mode="paper"),
        "rank vmax 0.6": whole(**ours, rank_by="vmax", rank_correlation=0.6),
        "rank mass 0.6": whole(**ours, rank_by="mass", rank_correlation=0.6),
        "other half": lambda seed: [mockgal.paint(*part, seed=seed) for part in crosswise],
        "hosts only": lambda seed: [populated(alone, table, seed, "nfw")],
        "zheng07 behroozi10": whole(**zheng07, stellar_mass_law="behroozi10"),
        "zheng07 moster13": whole(**zheng07, stellar_mass_law="moster13"),
        "leauthaud11": whole(**leauthaud11),
    }


class Result(NamedTuple):
    """Everything that was compared: ``comparisons[mode][i]`` is of ``statistics[i]``.

    ``facts`` are numbers for the text, by name.
    """

    table: HODTable
    statistics: list[Statistic]
    comparisons: dict[str, list[Comparison]]
    facts: dict[str, float]


def run(pair: Pair, *, luminosity_floor: float | None = None, seeds: int = SEEDS) -> Result:
    """Calibrate, paint and compare a pair of runs in all modes."""
    hydro, dark = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
        table = calibrate(pair, luminosity_floor)
        log_floor = float(np.log10(table.luminosity_floor))
        limit = mass_limit(table, dark.snapshot.particle_mass)
        true = true_galaxies(hydro, log_floor)
        hosts = hosts_of(hydro, None), hosts_of(dark, table)
        compared = statistics(true, hosts, log_floor, float(np.log10(limit)))
        comparisons = {}
        for name, paint in modes(pair, table).items():
            mocks = [painted_galaxies(paint(seed), dark, table) for seed in range(seeds)]
            comparisons[name] = [
                compare(
                    s.count(true, hosts[0], s.edges),
                    _stack([s.count(mock, hosts[1], s.edges) for mock in mocks]),
                )
                for s in compared
            ]
        return Result(table, compared, comparisons, _facts(pair, table, true, limit, seeds))


def _stack(counts: list[Counts]) -> Counts:
    return Counts(*(np.stack(values) for values in zip(*counts, strict=True)))


def _facts(
    pair: Pair, table: HODTable, true: Galaxies, limit: float, seeds: int
) -> dict[str, float]:
    """What explains the numbers of satellites."""
    hydro, dark = (scene.halos for scene in pair)
    resolved, central = dark["mass"] >= limit, dark["is_central"]
    with np.errstate(divide="ignore"):
        luminous = is_luminous(np.log10(hydro["stellar_mass"]), np.log10(table.luminosity_floor))
    matches = match(*pair)
    partner = np.full(len(hydro), -1)
    partner[matches.hydro_rows] = matches.dark_rows
    partner = partner[luminous & ~hydro["is_central"]]
    found = partner[partner >= 0]
    hosts, painter = hosts_alone(pair[1]), HODPainter(table)
    made = [mockgal.populate(hosts, painter, seed=seed).halos for seed in range(seeds)]
    resolved_made = [np.sum(~h["is_central"] & (h["mass"] >= limit)) for h in made]
    no_bin = table.provenance["luminous_centrals_left_out"]
    return {
        "galaxies of the hydrodynamic run": len(true.is_central),
        "of these, centrals in hosts that no bin of the table holds": no_bin,
        "of these, satellites": np.sum(~true.is_central),
        "satellites without a counterpart in the gravity-only run": np.sum(partner < 0),
        "satellites with one that is not resolved": np.sum(~resolved[found]),
        "satellites with a resolved satellite": np.sum(resolved[found] & ~central[found]),
        "satellites with a resolved central": np.sum(resolved[found] & central[found]),
        "resolved satellite subhalos of the gravity-only run": np.sum(resolved & ~central),
        "satellites made, hosts only (mean)": np.mean([np.sum(~h["is_central"]) for h in made]),
        "of these, resolved (mean)": np.mean(resolved_made),
        "least resolved mass [Msun/h]": limit,
        "luminosity floor [Msun/h]": table.luminosity_floor,
    }


def blocks(result: Result) -> dict[str, str]:
    """The tables of the page, by the name of the place where they go."""
    models = tuple(name for name in result.comparisons if name not in CALIBRATED)
    heads = [s.name.lower() for s in result.statistics]
    everything = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, found in result.comparisons.items():
        everything.append(f"| {name} | {' | '.join(_cell(c, -1) for c in found)} |")
    said = [v for name in CALIBRATED for c in result.comparisons[name] for v in c.verdict()]
    counted = ", ".join(f"{said.count(v)} `{v}`" for v in ("within", "beyond", "no power"))
    everything += [
        "",
        f"All {len(said)} verdicts on the calibrated modes, totals and bins: {counted}.",
    ]
    tables: list[str] = []
    for i, statistic in enumerate(result.statistics):
        tables += [f"### {statistic.name}", *(_table(result, i, k) for k in (CALIBRATED, models))]
    facts = [f"| {name} | {value:.4g} |" for name, value in result.facts.items()]
    return {
        "all": "\n".join(everything),
        "facts": "\n".join(["| | number |", "|---|---|", *facts]),
        "bins": "\n\n".join(tables),
    }


def with_blocks(text: str, tables: dict[str, str]) -> str:
    """The text of the page, the tables in it replaced."""
    for name, table in tables.items():
        start, end = f"<!-- {name}: made by studies/hod_on_gadget4.py -->", "\n<!-- end -->"
        before, rest = text.split(start)
        text = before + start + "\n" + table + rest[rest.index(end) :]
    return text


def _cell(found: Comparison, b: int) -> str:
    """Deviation, error and smallest detectable deviation [per cent], and the verdict."""
    if not np.isfinite(found.deviation[b]):
        return "none painted"
    text = f"{round(100 * found.deviation[b], 1) + 0.0:+.1f}"  # no minus zero
    if not np.isfinite(found.error[b]):
        return f"{text} (error not known) no power"
    if abs(found.deviation[b]) > found.detectable[b]:
        text = f"**{text}**"
    text += f" ± {100 * found.error[b]:.1f} ({100 * found.detectable[b]:.1f})"
    return f"{text} {found.verdict()[b]}"


def _table(result: Result, i: int, names: tuple[str, ...]) -> str:
    statistic = result.statistics[i]
    true = result.comparisons[names[0]][i].true
    edges = [f"{x:.2f}" for x in statistic.edges]
    bins = [f"{a} to {b}" for a, b in pairwise(edges)] + ["all"]
    lines = [f"| {statistic.axis} | hydro | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for b, label in enumerate(bins):
        cells = [_cell(result.comparisons[name][i], b) for name in names]
        lines.append(f"| {label} | {true[b]:.3g} | {' | '.join(cells)} |")
    return "\n".join(lines)


COLOURS = ("black", "#D55E00", "#56B4E9", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#8C6D00",
           "#7F7F7F")  # fmt: skip
MARKERS = "os^vDP<>h"


def draw(result: Result) -> Figure:
    """Mass function over the true one, satellite fraction, and satellites per host."""
    figure = Figure(figsize=(15.0, 5.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, i in zip(panels, (0, 2, 4), strict=True):
        statistic = result.statistics[i]
        edges, middle = statistic.edges, 0.5 * (statistic.edges[1:] + statistic.edges[:-1])
        true = result.comparisons["corrected"][i].true[:-1]
        shown = np.ones(len(true)) if i == 0 else true
        band = [np.append(shown, shown[-1]) * factor for factor in (1 - BAR, 1 + BAR)]
        axes.fill_between(edges, *band, step="post", color="0.8", label=f"hydrodynamic ± {BAR:.0%}")
        axes.stairs(shown, edges, baseline=None, color="0.4", lw=1.0)
        for k, (name, comparisons) in enumerate(result.comparisons.items()):
            found, colour = comparisons[i], COLOURS[k]
            values = shown * (1.0 + found.deviation[:-1])
            place = middle + (k - 4) * 0.08 * np.minimum(np.diff(edges), WIDTH)
            known = np.isfinite(values) & (values > 0)
            axes.errorbar(
                place[known], values[known], (shown * found.error[:-1])[known],
                color=colour, marker=MARKERS[k], ms=4.5, lw=0, elinewidth=1.0,
                mfc=colour if name in CALIBRATED else "white", label=name,
            )  # fmt: skip
        for edge in edges:
            axes.axvline(edge, color="0.9", lw=0.8, zorder=0)
        axes.set_xlabel(
            r"$\log_{10}\ M_*\ [M_\odot/h]$" if i < 3 else r"$\log_{10}\ M_{\rm host}\ [M_\odot/h]$"
        )
    panels[0].set(ylabel="painted / hydrodynamic", title="Stellar-mass function", ylim=(0.0, 2.2))
    panels[1].set(ylabel="satellites / galaxies", title="Satellite fraction", ylim=(0.0, 0.45))
    panels[2].set(ylabel="mean number per host", title="Satellites per host", yscale="log")
    panels[2].set_ylim(4e-3, 10.0)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def main(directory: Path) -> None:
    """Print the tables, and write the page and the figure."""
    hydro, dark = (
        mockgal.read(directory / run / "groups_002", drop_bad=True) for run in ("hydro", "dark")
    )
    result = run((hydro, dark))
    tables = blocks(result)
    print(*tables.values(), sep="\n\n")
    path = HERE.parent / PAGE
    path.write_text(with_blocks(path.read_text(encoding="utf-8"), tables), encoding="utf-8")
    save_figure(draw(result), HERE.parent / FIGURE, overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Predict the satellites of half of the TNG100-1 groups from those of the other half.

    python studies/tng100_halves.py DIRECTORY

DIRECTORY is that of calibrate_tng100.py, which makes the table of one half. From it, the hosts of
the other half are given satellites as if they had come without subhalos, and these are painted.
Prints the comparison for ten random splits, each read in both directions, and draws the first as
docs/images/tng100-halves.png. What is compared is in docs/explanation/tng100-1.md.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from calibrate_tng100 import FLOOR, UNIT, Tables, calibrate, host_log_mass, read
from scipy.stats import f as f_distribution

import mockgal
from mockgal import random
from mockgal.cosmology import Cosmology
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.satellites import mean_luminous_satellites
from mockgal.painters.hod.table import HODTable
from mockgal.satellites.concentration import Concentration
from mockgal.types import HaloCatalog, Scene, Snapshot

PICTURE = Path(__file__).parents[1] / "docs/images/tng100-halves.png"
SPLITS = 10
BLOCKS = 28  # left out one at a time in the jackknife, of each half: three groups each
SEEDS = 64
RADII = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, np.inf])  # over R200c
WITHIN = 4  # of these bins are within R200c


class Satellites(NamedTuple):
    """What is known, or expected, of the luminous satellites of n hosts.

    ``number`` in bins of radius, shape (n, bins); ``square_velocity`` is the sum over satellites of
    the squared velocity (one component, over the circular one), shape (n,); ``variance`` is that of
    the whole number, for hosts of one mass, shape (n,), NaN if not known.
    """

    number: np.ndarray
    square_velocity: np.ndarray
    variance: np.ndarray

    def of(self, rows: np.ndarray) -> "Satellites":
        """The hosts in some rows."""
        return Satellites(*(column[rows] for column in self))


def halves(tables: Tables, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the groups that are complete in their satellites, bool of all groups."""
    complete = host_log_mass(tables) >= bin_edges(tables)[0]
    first = random.uniform(seed, "halves", tables.groups["GroupID"]) < 0.5
    return complete & first, complete & ~first


def bin_edges(tables: Tables) -> np.ndarray:
    """Of the host masses, as in the shipped table."""
    return calibrate(tables).edges(1)


def blocks(tables: Tables, groups: np.ndarray, seed: int) -> np.ndarray:
    """Block of the jackknife of each group, as many in one as in another; -1 for no block."""
    rows = np.flatnonzero(groups)
    shuffled = np.argsort(random.uniform(seed, "blocks", tables.groups["GroupID"][rows]))
    block = np.full(len(groups), -1)
    block[rows[shuffled]] = np.arange(len(rows)) % BLOCKS
    return block


def found(tables: Tables, groups: np.ndarray, *, luminous: bool = True) -> Satellites:
    """The resolved satellites that these groups have: the luminous ones, or all."""
    sub, rows = tables.subhalos, np.flatnonzero(groups)
    chosen = ~sub["central"] & sub["flag"] & groups[sub["host"]]
    chosen &= sub["mass"] >= least_mass(tables)
    if luminous:
        chosen &= sub["stellar_mass"] >= FLOOR
    host = np.searchsorted(rows, sub["host"][chosen])
    return counted(host, sub["radius"][chosen], sub["velocity"][chosen] ** 2, len(rows))


def counted(
    host: np.ndarray, radius: np.ndarray, square_velocity: np.ndarray, hosts: int
) -> Satellites:
    """Satellites with their radii and squared velocities, by the row of their host."""
    number = np.zeros((hosts, len(RADII) - 1))
    np.add.at(number, (host, np.searchsorted(RADII, radius, side="right") - 1), 1.0)
    squares = np.bincount(host, square_velocity, hosts)
    return Satellites(number, squares, np.full(hosts, np.nan))


def least_mass(tables: Tables) -> float:
    """Bound mass of a subhalo that is resolved [Msun/h]."""
    table = calibrate(tables)
    return (table.least_particles - 0.5) * table.particle_mass


def scene(tables: Tables, groups: np.ndarray, particle_mass: float) -> Scene:
    """The groups as hosts alone."""
    sub, central = tables.subhalos, tables.groups["central"][groups]
    header, box = tables.header, tables.header["BoxSize"] / 1000.0
    columns = {
        "halo_id": sub["id"][central],
        "host_id": sub["id"][central],
        "is_central": np.ones(len(central), dtype=bool),
        "position": tables.groups["GroupPos"][groups].astype(float) / 1000.0 % box,
        "velocity": tables.groups["GroupVel"][groups].astype(float),
        "mass": sub["mass"][central],
        "host_mass": tables.groups["Group_M_Crit200"][groups].astype(float) * UNIT,
    }
    model = Cosmology(header["HubbleParam"], header["Omega0"], header["OmegaLambda"])
    snapshot = Snapshot("TNG100-1 groups", box, 0.0, model, particle_mass, "tables")
    return Scene(snapshot, HaloCatalog(columns, "200c"))


def painter_of(table: HODTable) -> HODPainter:
    """A table without a twin; the other half may have the heavier hosts."""
    return HODPainter(table, missing_twin="uncorrected", allow_extrapolation=True)


def expected(
    table: HODTable, hosts: Scene, *, poisson: bool = False, stretch: float = 1.0
) -> Satellites:
    """What populating and painting the hosts gives on average, without drawing.

    A satellite is luminous by its own mass, whatever its place and velocity. ``stretch`` multiplies
    the radii.
    """
    law = painter_of(table).satellites(hosts)
    least = (table.least_particles - 0.5) * table.particle_mass
    mean = mean_luminous_satellites(table, hosts.halos["host_mass"], least)
    p = mean / law.mean
    variance = p**2 * (law.mean if poisson else law.variance) + p * (1.0 - p) * law.mean
    below = [
        np.interp(RADII / stretch, values, law.probability, right=1.0) for values in law.radius
    ]
    squares = mean * law.velocity_dispersion[law.row] ** 2
    return Satellites(mean[:, None] * np.diff(below)[law.row], squares, variance)


def nfw(hosts: Scene, law: Satellites) -> Satellites:
    """The same satellites, placed by the NFW profile within R200c."""
    mass = hosts.halos["host_mass"]
    c, _ = Concentration(hosts, "duffy08", "200c").of(np.arange(len(mass)), mass)
    x = np.minimum(RADII, 1.0) * c[:, None]
    within = np.log1p(x) - x / (1.0 + x)
    number = law.number.sum(axis=1)[:, None] * np.diff(within / within[:, -1:])
    return law._replace(number=number)


def painted(table: HODTable, hosts: Scene, seed: int, **options: str) -> Satellites:
    """The luminous satellites that populating and painting gives to the hosts."""
    populated = mockgal.populate(hosts, painter_of(table), seed=seed, **options)
    mock = mockgal.paint(populated, painter_of(table), seed=seed)
    halos, box = populated.halos, hosts.snapshot.box_size
    order = np.argsort(halos["halo_id"])
    row = order[np.searchsorted(halos["halo_id"], mock["galaxy_id"], sorter=order)]
    row = row[~halos["is_central"][row]]
    host_row = halos.host_row[row]
    apart = halos["position"][row] - halos["position"][host_row]
    apart -= box * np.round(apart / box)
    moving = halos["velocity"][row] - halos["velocity"][host_row]
    scale, circular = hosts.snapshot.cosmology.halo_scale(
        halos["host_mass"][row], "200c", hosts.snapshot.redshift
    )
    host = np.cumsum(halos["is_central"])[host_row] - 1
    radius = np.sqrt(np.sum(apart**2, axis=1)) / scale
    return counted(host, radius, np.mean(moving**2, axis=1) / circular**2, len(hosts.halos))


# Statistics of hosts: of the satellites they have, by those expected, and the bin of each host.
def mean_number(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Luminous satellites per host, in bins of host mass."""
    hosts = np.bincount(host_bin)
    return np.bincount(host_bin, has.number.sum(axis=1), len(hosts)) / hosts


def profile(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Share of the satellites in each bin of radius but the last, which is the rest."""
    total = has.number.sum(axis=0)
    return total[:-1] / total.sum()


def profile_within(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """The same for those within R200c."""
    total = has.number.sum(axis=0)[:WITHIN]
    return total[:-1] / total.sum()


def dispersion(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """One-dimensional velocity dispersion over the circular velocity."""
    return np.sqrt([has.square_velocity.sum() / has.number.sum()])


def dispersion_index(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Variance of the number about its expected mean, over that mean."""
    mean = law.number.sum(axis=1)
    squares = (has.number.sum(axis=1) - mean) ** 2
    return np.array([np.where(np.isnan(has.variance), squares, has.variance).sum() / mean.sum()])


MEASURES = (mean_number, profile, profile_within, dispersion, dispersion_index)


Measure = Callable[[Satellites, Satellites, np.ndarray], np.ndarray]


class Compared(NamedTuple):
    """One statistic of one half: found, predicted from the other half, and the difference's errors.

    ``probability`` is that of a larger ``chi2`` by Hotelling's distribution, since the covariance
    is one of few blocks.
    """

    found: np.ndarray
    predicted: np.ndarray
    covariance: np.ndarray
    chi2: float
    probability: float

    @property
    def error(self) -> np.ndarray:
        """Of the difference, both halves' errors in it."""
        return np.sqrt(np.diag(self.covariance))

    def least(self, change: np.ndarray) -> float:
        """How many times ``change`` of the prediction is detected at 2 sigma."""
        return float(2.0 / np.sqrt(change @ np.linalg.solve(self.covariance, change)))


class Half(NamedTuple):
    """One half predicted from the other.

    ``without`` are the predictions by tables that lack one block of the other half each;
    ``block`` is that of each host of this half.
    """

    table: HODTable
    hosts: Scene
    truth: Satellites
    law: Satellites
    without: list[Satellites]
    block: np.ndarray
    host_bin: np.ndarray

    def compare(
        self, measure: Measure, truth: Satellites | None = None, law: Satellites | None = None
    ) -> Compared:
        """A statistic; of other satellites, or by another prediction that is taken as exact."""
        has, mine, bins = truth or self.truth, law or self.law, self.host_bin
        at, value = measure(has, self.law, bins), measure(mine, self.law, bins)
        differences = []
        for b in range(BLOCKS):
            k = self.block != b
            this = self.law.of(k)
            differences.append(
                measure(has.of(k), this, bins[k]) - measure(mine.of(k), this, bins[k])
            )
        covariance = jackknife(differences)
        if law is None:
            covariance = covariance + jackknife([measure(x, x, bins) for x in self.without])
        d, p = at - value, len(at)
        chi2 = float(d @ np.linalg.solve(covariance, d))
        probability = f_distribution.sf(chi2 * (BLOCKS - p) / (p * (BLOCKS - 1)), p, BLOCKS - p)
        return Compared(at, value, covariance, chi2, float(probability))


def jackknife(values: list[np.ndarray]) -> np.ndarray:
    """Covariance from values without one block each, shape (bins, bins)."""
    apart = np.array(values) - np.mean(values, axis=0)
    return (len(values) - 1) / len(values) * apart.T @ apart


def predict_half(
    tables: Tables, given: np.ndarray, wanted: np.ndarray, seed: int, *, jackknifed: bool = True
) -> Half:
    """What the groups ``given`` say of the groups ``wanted``, with the seed of the blocks."""
    edges = bin_edges(tables)
    table = calibrate(tables, given)
    hosts = scene(tables, wanted, table.particle_mass)
    block = blocks(tables, given, seed)
    without = [
        expected(calibrate(tables, given & (block != b)), hosts)
        for b in range(BLOCKS if jackknifed else 0)
    ]
    host_bin = np.searchsorted(edges, host_log_mass(tables)[wanted], side="right") - 1
    return Half(
        table=table,
        hosts=hosts,
        truth=found(tables, wanted),
        law=expected(table, hosts),
        without=without,
        block=blocks(tables, wanted, seed)[wanted],
        host_bin=host_bin,
    )


def report(half: Half) -> None:
    """Print one half, bin by bin, and the smallest changes that would have been seen."""
    for measure in MEASURES:
        x = half.compare(measure)
        print(f"  {measure.__name__}: chi2 {x.chi2:.1f} of {len(x.found)}, p {x.probability:.3f}")
        for values in zip(x.found, x.predicted, x.error, strict=True):
            print("    found {:.3f}, predicted {:.3f}, error {:.3f}".format(*values))
    number, places = half.compare(mean_number), half.compare(profile)
    share = number.least(number.predicted)
    print(f"  all numbers larger by {share:.1%} would be a difference of 2 sigma", end="; ")
    print("in each bin " + ", ".join(f"{x:.0%}" for x in 2.0 * number.error / number.predicted))
    stretched = profile(expected(half.table, half.hosts, stretch=1.01), half.law, half.host_bin)
    print(f"  radii larger by {places.least(stretched - places.predicted):.1f}% would be, too")


def check_draws(half: Half) -> None:
    """Print how far drawn satellites are from what is expected, in errors of the mean of draws."""
    for numbers in ("measured", "poisson"):
        options = {"numbers": numbers, "profile": "measured", "velocity": "measured"}
        draws = [painted(half.table, half.hosts, seed, **options) for seed in range(SEEDS)]
        law = expected(half.table, half.hosts, poisson=numbers == "poisson")
        for measure in MEASURES:
            values = np.array([measure(x, law, half.host_bin) for x in draws])
            off = values.mean(axis=0) - measure(law, law, half.host_bin)
            sigma = off / values.std(axis=0, ddof=1) * np.sqrt(SEEDS)
            print(f"  {numbers} {measure.__name__}:", np.round(sigma, 1), "of", values.mean(axis=0))


def draw_picture(half: Half) -> None:
    """Numbers and places in one half, found and predicted."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, 2, figsize=(10, 6), sharex="col", height_ratios=[5, 2], layout="constrained"
    )
    (left, right), (left_ratio, right_ratio) = axes
    blue, orange = "#0072B2", "#D55E00"  # Okabe and Ito: told apart by all
    points = {"fmt": "o", "color": "k", "ms": 5, "capsize": 2, "zorder": 5}
    lines = {"color": blue, "lw": 2, "baseline": None}
    number, places = half.compare(mean_number), half.compare(profile)
    hosts = np.bincount(half.host_bin)
    mass = np.bincount(half.host_bin, half.hosts.halos["host_mass"]) / hosts
    width, middle = np.diff(RADII)[:-1], 0.5 * (RADII[:-2] + RADII[1:-1])

    edges = 10.0 ** half.table.edges(1)
    left.errorbar(mass, number.found, number.error, **points, label="found in one half")
    left.stairs(number.predicted, edges, **lines, label="predicted from the other half")
    right.errorbar(middle, places.found / width, places.error / width, **points)
    right.stairs(places.predicted / width, RADII[:-1], **lines)
    within, inner = slice(None, WITHIN), RADII[: WITHIN + 1]
    by_nfw = nfw(half.hosts, half.law).number.sum(axis=0)[within]
    by_nfw *= places.found[within].sum() / by_nfw.sum()
    lines |= {"color": orange, "ls": "--"}
    label = "NFW, Duffy et al. 2008,\nwith as many within $R_{200c}$"
    right.stairs(by_nfw / width[within], inner, **lines, label=label)
    right_ratio.stairs(by_nfw / places.predicted[within], inner, **lines)
    for axis, x, at in ((left_ratio, number, mass), (right_ratio, places, middle)):
        axis.axhline(1.0, color=blue, lw=2)
        axis.errorbar(at, x.found / x.predicted, x.error / x.predicted, **points)
        axis.set(ylabel="over predicted")
        axis.grid(axis="y", alpha=0.3)
    left.set(xscale="log", yscale="log", ylim=(15, 200))
    left.set(ylabel="luminous satellites per host")
    left.set_yticks([20, 50, 100], ["20", "50", "100"])
    left.tick_params(axis="y", which="minor", labelleft=False)
    left_ratio.set(xlabel=r"$M_{200c}$ of the host $[M_\odot/h]$")
    right.set(ylabel=r"share of satellites per unit $r / R_{200c}$", ylim=(0, 1))
    right_ratio.set(xlabel=r"$r / R_{200c}$", xlim=(0, RADII[-2]))
    left.legend(frameon=False, loc="upper left")
    right.legend(frameon=False, loc="upper right")
    counts = f"{half.table.columns['hosts_hydro'][half.table.rows(1)].sum():.0f} groups"
    figure.suptitle(f"TNG100-1: satellites of {hosts.sum()} groups, predicted from {counts}")
    figure.savefig(PICTURE, dpi=110)


def main(directory: Path) -> None:
    """Print the comparison and draw the picture."""
    tables = read(directory)
    warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
    sub = tables.subhalos
    complete = np.logical_or(*halves(tables, 0))
    bright = ~sub["central"] & sub["flag"] & (sub["stellar_mass"] >= FLOOR) & complete[sub["host"]]
    few = bright & (sub["mass"] < least_mass(tables))
    print(f"{few.sum()} of {bright.sum()} luminous satellites are not resolved, and not counted")
    probability: dict[str, list[float]] = {}
    for seed in range(SPLITS):
        for pair in (halves(tables, seed), halves(tables, seed)[::-1]):
            half = predict_half(tables, *pair, seed)
            others = {"all resolved": {"truth": found(tables, pair[1], luminous=False)}}
            others["NFW"] = {"law": nfw(half.hosts, half.law)}
            results = {m.__name__: half.compare(m) for m in MEASURES}
            results["profile of all resolved"] = half.compare(profile, **others["all resolved"])
            results["profile_within by NFW"] = half.compare(profile_within, **others["NFW"])
            for name, x in results.items():
                probability.setdefault(name, []).append(x.probability)
            print(
                f"split {seed}, {pair[0].sum()} groups for {pair[1].sum()}: "
                + ", ".join(f"{name} {x.chi2:.1f}/{len(x.found)}" for name, x in results.items())
            )
            if len(probability["profile"]) == 1:
                report(half)
                check_draws(half)
                draw_picture(half)
    print(f"probabilities of {2 * SPLITS} predictions, sorted:")
    for name, values in probability.items():
        print(f"  {name}:", *(f"{p:.2g}" for p in sorted(values)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Do the satellites of half of the TNG100-1 groups predict those of the other half?

    python catalogs/tng100_halves.py DIRECTORY

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
from scipy.stats import f as f_distribution
from scipy.stats import kstest

import mockgal
from calibrate_tng100 import FLOOR, UNIT, Tables, calibrate, host_log_mass, read
from mockgal import random
from mockgal.cosmology import Cosmology
from mockgal.paint.hod import HODPainter
from mockgal.paint.hod_satellites import mean_luminous_satellites
from mockgal.paint.hod_table import HODTable
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


def expected(table: HODTable, hosts: Scene, *, poisson: bool = False) -> Satellites:
    """What populating and painting the hosts gives on average, without drawing.

    A satellite is luminous by its own mass, whatever its place and velocity.
    """
    law = painter_of(table).satellites(hosts)
    least = (table.least_particles - 0.5) * table.particle_mass
    mean = mean_luminous_satellites(table, hosts.halos["host_mass"], least)
    p = mean / law.mean
    variance = p**2 * (law.mean if poisson else law.variance) + p * (1.0 - p) * law.mean
    below = [np.interp(RADII, values, law.probability, right=1.0) for values in law.radius]
    squares = mean * law.velocity_dispersion[law.row] ** 2
    return Satellites(mean[:, None] * np.diff(below)[law.row], squares, variance)


def painted(table: HODTable, hosts: Scene, seed: int, **options: str) -> Satellites:
    """The luminous satellites that populating and painting gives to the hosts."""
    populated = mockgal.populate(hosts, painter_of(table), seed=seed, **options)
    mock = mockgal.paint(populated, painter_of(table), seed=seed)
    halos, box = populated.halos, hosts.snapshot.box_size
    order = np.argsort(halos["halo_id"])
    row = order[np.searchsorted(halos["halo_id"], mock["halo_id"], sorter=order)]
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


class Measure(NamedTuple):
    """A statistic of hosts: of satellites, the expected ones, and the bin of each host."""

    name: str
    of: Callable[[Satellites, Satellites, np.ndarray], np.ndarray]


def mean_number(has: Satellites, _: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Luminous satellites per host, in bins of host mass."""
    hosts = np.bincount(host_bin)
    return np.bincount(host_bin, has.number.sum(axis=1), len(hosts)) / hosts


def profile(has: Satellites, _: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Share of the satellites in each bin of radius but the last, which is the rest."""
    total = has.number.sum(axis=0)
    return total[:-1] / total.sum()


def profile_within(has: Satellites, _: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """The same for those within R200c."""
    total = has.number.sum(axis=0)[:WITHIN]
    return total[:-1] / total.sum()


def dispersion(has: Satellites, _: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """One-dimensional velocity dispersion over the circular velocity."""
    return np.sqrt([has.square_velocity.sum() / has.number.sum()])


def dispersion_index(has: Satellites, law: Satellites, host_bin: np.ndarray) -> np.ndarray:
    """Variance of the number about its expected mean, over that mean."""
    mean = law.number.sum(axis=1)
    squares = (has.number.sum(axis=1) - mean) ** 2
    return np.array([np.where(np.isnan(has.variance), squares, has.variance).sum() / mean.sum()])


MEASURES = tuple(
    Measure(of.__name__, of)
    for of in (mean_number, profile, profile_within, dispersion, dispersion_index)
)


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


class Half(NamedTuple):
    """One half predicted from the other.

    ``without`` are the predictions by tables that lack one block of the other half each;
    ``block`` is that of each host of this half.
    """

    truth: Satellites
    law: Satellites
    without: list[Satellites]
    block: np.ndarray
    host_bin: np.ndarray

    def compare(
        self, measure: Measure, truth: Satellites | None = None, law: Satellites | None = None
    ) -> Compared:
        """A statistic; of other satellites, or by another prediction that is taken as exact."""
        has, of = truth or self.truth, measure.of
        mine, bins = law or self.law, self.host_bin
        at, value = of(has, self.law, bins), of(mine, self.law, bins)
        differences = []
        for b in range(BLOCKS):
            k = self.block != b
            this = self.law.of(k)
            differences.append(of(has.of(k), this, bins[k]) - of(mine.of(k), this, bins[k]))
        covariance = jackknife(differences)
        if law is None:
            covariance = covariance + jackknife([of(x, x, bins) for x in self.without])
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
        truth=found(tables, wanted),
        law=expected(table, hosts),
        without=without,
        block=blocks(tables, wanted, seed)[wanted],
        host_bin=host_bin,
    )

"""Assembly bias: halotools' numbers, a mean that stays, clustering that changes, and refusals."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import cKDTree

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.errors import BadValueError, MissingDatasetError, UsageError
from mockgal.fields.assign import deposit
from mockgal.painters.draw import paint_scene
from mockgal.painters.halotools.decoration import BALANCED, Split, split_hosts
from mockgal.painters.halotools.laws import halotools_switches
from mockgal.tasks.build import make_painter
from mockgal.testing import painter_contract
from mockgal.types import DensityField, HaloCatalog, Scene, Snapshot

pytestmark = pytest.mark.filterwarnings("ignore:.*too few resolved:mockgal.errors.MockgalWarning")
BOX = 200.0
WIDE = {by: {"environment_radius": "10 Mpc/h"} for by in ("environment", "shear")}  # small grids
OWN = {
    "logMmin": "12.4 log10(Msun/h)",
    "sigma_logM": 0.4,
    "logM0": "11.5 log10(Msun/h)",
    "logM1": "13.2 log10(Msun/h)",
    "alpha": 1.05,
}


def painter(by="concentration", a_cen=1.0, a_sat=1.0, **options):
    bias = {} if by is None else {"A_cen": a_cen, "A_sat": a_sat}
    options |= {} if by is None else {"assembly_bias": by}
    if by in ("environment", "shear"):
        # Within much larger spheres than the clumps, those at their centres have no shear.
        options = {"environment_radius": "6 Mpc/h", **options}
    law = {"model": "zheng07", "stellar_mass_law": "moster13"}
    return make_painter("hod", {**law, "parameters": OWN | bias, **options})


def clumpy(n=6000, seed=1):
    """Hosts, half of them in clumps, where they have a higher concentration at a given mass."""
    generator = np.random.default_rng(seed)
    log_mass = 11.9 + generator.exponential(0.35, n).clip(0, 2.5)
    position = generator.random((n, 3)) * BOX
    clumped = generator.random(n) < 0.5
    centre = generator.random((120, 3))[generator.integers(0, 120, n)] * BOX
    position[clumped] = (centre + generator.normal(0.0, 3.0, (n, 3)))[clumped] % BOX
    concentration = 9.0 * 10 ** (-0.1 * (log_mass - 12) + generator.normal(0.0, 0.1, n))
    concentration *= np.where(clumped, 1.15, 1 / 1.15)
    ids = generator.permutation(n) * 3 + 5
    columns = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": np.ones(n, dtype=bool),
        "position": position,
        "velocity": generator.normal(0.0, 300.0, (n, 3)),
        "mass": 10.0**log_mass,
        "host_mass": 10.0**log_mass,
        "concentration": concentration,
    }
    snapshot = Snapshot("clumpy", BOX, 0.1, Cosmology(0.7, 0.3, 0.7), 1e8, "made up")
    return Scene(snapshot, HaloCatalog(columns, "200m"))


def with_satellites(scene, number=4):
    """The hosts, each with subhalos around it."""
    halos, n = scene.halos, len(scene.halos)
    host = np.concatenate([np.arange(n), np.repeat(np.arange(n), number)])
    central = np.arange(len(host)) < n
    columns = {name: values[host] for name, values in halos.columns.items()}
    columns["is_central"] = central
    columns["mass"] = np.where(central, columns["mass"], columns["mass"] / 20)
    ids = np.where(central, columns["halo_id"], np.arange(len(host)) + 10 * n)
    columns["halo_id"] = ids
    return replace(scene, halos=HaloCatalog(columns, "200m"))


def xi(galaxies, low=2.0, high=10.0):
    """The correlation function in one bin [Mpc/h], by counting pairs."""
    position = np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1)
    tree, n = cKDTree(position, boxsize=BOX), len(position)
    pairs = np.diff(tree.count_neighbors(tree, np.array([low, high])))[0]
    volume = 4 / 3 * np.pi * (high**3 - low**3)
    return pairs / (n * (n - 1) * volume / BOX**3) - 1.0


def upper_half(mine, scene):
    """Which hosts are above the split, by row."""
    split = mine.bias(scene.snapshot.cosmology.h).split_of(scene, 1e10)
    upper = np.zeros(len(scene.halos), dtype=bool)
    upper[split.rows] = split.upper
    return upper


class TestDecoration:
    @pytest.mark.parametrize("strength", [-1.0, -0.4, 0.0, 0.7, 1.0])
    @pytest.mark.parametrize("below", [0.5, 0.3])
    @pytest.mark.parametrize("kind", ["central", "satellite"])
    def test_it_is_that_of_halotools(self, strength, below, kind):
        mass = np.repeat(10.0 ** np.linspace(11.3, 14.5, 25), 2)
        percentile = np.tile([0.1, 0.9], 25)
        with halotools_switches():
            from halotools.empirical_models import AssembiasZheng07Cens, AssembiasZheng07Sats

            one = {"central": AssembiasZheng07Cens, "satellite": AssembiasZheng07Sats}[kind]
            model = one(threshold=-20, split=below, assembias_strength=strength)
            columns = {"prim_haloprop": mass, "sec_haloprop_percentile": percentile}
            expected = model.mean_occupation(**columns)
            mean = model.baseline_mean_occupation(prim_haloprop=mass)
        # Ten hosts of each mass, with the share below the split that halotools is told.
        row = np.repeat(np.arange(0, 50, 2), 10) + (np.tile(np.arange(10), 25) >= 10 * below)
        split = Split(np.arange(250), np.repeat(np.arange(25), 10), percentile[row] > below)
        found = split.decorate(mean[row], strength, 1.0 if kind == "central" else math.inf)
        assert np.allclose(found, expected[row], rtol=1e-12, atol=1e-14)

    def test_hosts_are_split_at_the_rank_whatever_the_trend_with_mass(self):
        generator = np.random.default_rng(3)
        ids, log_mass = generator.permutation(5021), generator.uniform(12, 13, 5021)
        scatter = generator.normal(size=5021)
        split = split_hosts(ids, log_mass, -3.0 * log_mass + 0.1 * scatter, 0.3)
        assert split.upper.mean() == pytest.approx(0.7, abs=0.005)
        for size in BALANCED:
            sets = np.flatnonzero(np.bincount(split.neighbours) == size)
            chosen = np.isin(split.neighbours, sets)
            assert split.upper[chosen].mean() == pytest.approx(0.7, abs=0.7 / len(sets) ** 0.5)
        assert np.all(np.diff(log_mass[split.rows]) >= 0)
        assert np.corrcoef(split.upper, scatter[split.rows])[0, 1] > 0.7
        assert abs(np.corrcoef(split.upper, log_mass[split.rows])[0, 1]) < 0.01
        order = generator.permutation(5021)
        again = split_hosts(
            ids[order], log_mass[order], (-3.0 * log_mass + 0.1 * scatter)[order], 0.3
        )
        assert np.array_equal(again.upper, split.upper)
        assert np.array_equal(order[again.rows], split.rows)

    def test_no_galaxy_is_won_or_lost_however_different_the_neighbours(self):
        generator = np.random.default_rng(5)
        log_mass = generator.uniform(12, 15.5, 300)
        split = split_hosts(np.arange(300), log_mass, generator.normal(size=300), 0.4)
        mean = 10.0 ** (1.1 * (log_mass - 13))
        for strength in (1.0, 0.6, -0.6, -1.0):
            number = split.decorate(mean, strength, math.inf)
            assert number.min() >= 0
            before, after = (np.bincount(split.neighbours, x[split.rows]) for x in (mean, number))
            assert np.allclose(after, before, rtol=1e-12)
            assert np.std(number / mean) > 0.4 * abs(strength)

    def test_few_hosts(self):
        for n in (0, 1, 2, 3):
            split = split_hosts(np.arange(n), np.full(n, 12.0), np.arange(n) * 1.0, 0.5)
            number = split.decorate(np.full(n, 0.3), 1.0, 1.0)
            assert np.sum(number) == pytest.approx(0.3 * n)
            assert list(number) == sorted(number)


@pytest.mark.parametrize(
    ("by", "strength"),
    [("concentration", 1.0), ("concentration", -1.0), ("environment", 1.0), ("shear", -1.0)],
)
class TestMeanAndClustering:
    def test_the_mean_at_a_mass_stays(self, by, strength):
        # Sets of hosts that the bins cut in two leave a few galaxies, of 3000 and more here.
        scene = with_satellites(clumpy(60000))
        mean, biased = (
            p.predict(scene).p_luminous for p in (painter(None), painter(by, strength, strength))
        )
        assert np.std(biased - mean) > 0.05
        central = scene.halos["is_central"]
        for kind in (central, ~central):
            bins = np.digitize(np.log10(scene.halos["host_mass"]), [12.2, 12.6, 13.2, 13.6])
            for k in range(5):  # satellites of the heaviest hosts are limited by their subhalos
                chosen = kind & (bins == k)
                assert biased[chosen].sum() == pytest.approx(mean[chosen].sum(), rel=5e-3)

    def test_clustering_follows_the_sign(self, by, strength):
        scene = clumpy()
        mean, biased = (
            xi(paint_scene(scene, p, seed=1)) for p in (painter(None), painter(by, strength))
        )
        assert strength * (biased - mean) > 0.15 * mean

    def test_satellites_that_are_made(self, by, strength):
        """More of them in the upper half of the hosts, and all of them painted"""
        scene = clumpy()
        mine = painter(by, 0.0, strength, **WIDE.get(by, {}))
        law, plain = (p.satellites(scene) for p in (mine, painter(None)))
        assert law.mean.sum() == pytest.approx(plain.mean.sum(), rel=5e-3)
        changed = np.sign(law.mean - plain.mean)
        upper = upper_half(mine, scene)
        assert np.all((changed == np.where(upper, strength, -strength))[plain.mean > 0])
        made = mockgal.populate(scene, mine, seed=1, concentration=8.0)
        galaxies = paint_scene(made, mine, seed=1)
        assert np.sum(~galaxies["is_central"]) == np.sum(~made.halos["is_central"])


def test_centrals_of_populated_hosts_are_biased_as_the_hosts_alone():
    """The catalogue with satellites has no column concentration any more"""
    scene, mine = clumpy(), painter()
    made = mockgal.populate(scene, mine, seed=1, concentration=8.0)
    alone = mine.predict(scene)
    both = mine.predict(made)
    assert np.array_equal(both.p_luminous[made.halos["is_central"]], alone.p_luminous)


def test_hosts_that_the_input_lacks_have_the_mean_at_their_mass():
    scene = clumpy(3000)
    plain, alone = painter(None), painter("shear", 0.6, -0.8).by_mass_alone
    assert np.array_equal(alone.predict(scene).p_luminous, plain.predict(scene).p_luminous)
    one, other = (paint_scene(scene, p, seed=1).provenance for p in (plain, painter("shear")))
    assert other["lacking"]["galaxies"] == pytest.approx(one["lacking"]["galaxies"], rel=0.1)


@pytest.mark.parametrize("by", ["concentration", "environment", "shear"])
def test_neither_order_nor_blocks_matter(by, monkeypatch):
    from mockgal.painters import blocks

    scene, mine = with_satellites(clumpy(2000)), painter(by, 0.6, -0.8, **WIDE.get(by, {}))
    painter_contract(mine, scene)
    digest = paint_scene(scene, mine, seed=3).digest()
    monkeypatch.setattr(blocks, "LARGE", 10)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 97)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    order = np.random.default_rng(1).permutation(len(scene.halos))
    shuffled = replace(scene, halos=scene.halos.take(order))
    assert paint_scene(shuffled, mine, seed=3).digest() == digest


def test_environment_of_matter():
    """A grid of the hosts' own mass splits them as the hosts do, but for their own share"""
    scene = clumpy()
    size = 150
    mass = deposit(scene.halos["position"], 1.0, grid_size=size, box_size=BOX)
    field = DensityField(size, BOX / size, "mass", "CIC", "corner", lambda a, b: mass[a:b])
    of_matter = painter("environment", environment_from="matter")
    upper = upper_half(of_matter, replace(scene, field=field))
    of_halos = upper_half(painter("environment"), scene)
    assert np.mean(upper == of_halos) > 0.8
    coarse = DensityField(10, 20.0, "mass", "CIC", "corner", lambda a, b: np.ones((b - a, 10, 10)))
    with pytest.raises(UsageError, match="finer"):
        of_matter.predict(replace(scene, field=coarse))
    with pytest.raises(MissingDatasetError, match="--matter"):
        of_matter.predict(scene)


def test_vmax_stands_for_concentration():
    scene = clumpy()
    mass, c = scene.halos["host_mass"], scene.halos["concentration"]
    columns = {k: v for k, v in scene.halos.columns.items() if k != "concentration"}
    factor = np.log(1 + c) - c / (1 + c)
    columns["vmax"] = 150.0 * np.cbrt(mass / 1e12) * np.sqrt(c / factor)
    other = replace(scene, halos=HaloCatalog(columns, "200m"))
    one, two = (upper_half(painter(), s) for s in (scene, other))
    assert np.mean(one == two) > 0.97
    assert painter().describe(other)["assembly_bias"]["computed_from"] == "vmax"


class TestRefused:
    def test_no_concentration(self):
        scene = clumpy(100)
        columns = {k: v for k, v in scene.halos.columns.items() if k != "concentration"}
        with pytest.raises(MissingDatasetError, match="--assembly-bias environment"):
            painter().predict(replace(scene, halos=HaloCatalog(columns, "200m")))

    def test_a_host_without_vmax(self):
        scene = clumpy(100)
        columns = {k: v for k, v in scene.halos.columns.items() if k != "concentration"}
        columns["vmax"] = np.where(np.arange(100) == 3, 0.0, 100.0)
        with pytest.raises(BadValueError, match=str(columns["halo_id"][3])):
            painter().predict(replace(scene, halos=HaloCatalog(columns, "200m")))

    @pytest.mark.parametrize("radius", ["0 Mpc/h", "60 Mpc/h", "80 Mpc"])
    def test_a_radius(self, radius):
        with pytest.raises(UsageError, match='--environment-radius "50 Mpc/h"'):
            painter("environment", environment_radius=radius).predict(clumpy(100))


def test_a_radius_without_h():
    scene = clumpy(1000)
    one, other = (
        upper_half(painter("environment", environment_radius=radius), scene)
        for radius in ("10 Mpc", "7 Mpc/h")
    )
    assert np.array_equal(one, other)


def test_the_environment_of_heavy_hosts_is_that_of_other_halos():
    """By counting, also where their own mass is that of all others around them and more"""
    scene = clumpy(30000)
    halos, radius = scene.halos, 6.0
    tree = cKDTree(halos["position"], boxsize=BOX)
    near = tree.query_ball_point(halos["position"], radius)
    exact = np.array([halos["host_mass"][rows].sum() for rows in near]) - halos["host_mass"]
    mine = painter("environment", environment_radius=f"{radius} Mpc/h").bias(0.7)
    rows = np.flatnonzero(halos["host_mass"] > 10**13.5)
    found = mine._log_values(scene, halos, rows)
    assert len(rows) > 200
    assert stats.spearmanr(found, exact[rows]).statistic > 0.9
    assert np.mean(found == found.min()) < 0.05


def _halotools_catalogue(scene):
    from halotools.sim_manager import UserSuppliedHaloCatalog

    halos, cosmology = scene.halos, scene.snapshot.cosmology
    radius, _ = cosmology.halo_scale(halos["host_mass"], "200m", 0.1)
    return UserSuppliedHaloCatalog(
        redshift=0.1,
        Lbox=BOX,
        particle_mass=1e8,
        **{f"halo_{x}": halos["position"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_v{x}": halos["velocity"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_m{definition}": halos["host_mass"] for definition in ("200m", "vir")},
        **{f"halo_r{definition}": radius for definition in ("200m", "vir")},
        halo_id=halos["halo_id"],
        halo_hostid=halos["halo_id"],
        halo_upid=np.full(len(halos), -1),
        halo_nfw_conc=halos["concentration"],
    )


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.8, -0.8])
def test_clustering_is_that_of_halotools(halotools, strength):
    """xi of mocks by halotools' classes with the same parameters, in bins from 0.3 to 20 Mpc/h"""
    from halotools.empirical_models import (
        AssembiasZheng07Cens,
        AssembiasZheng07Sats,
        HodModelFactory,
        NFWPhaseSpace,
        TrivialPhaseSpace,
    )

    cosmology = clumpy(10).snapshot.cosmology
    place = {"redshift": 0.1, "cosmology": cosmology.as_astropy(), "mdef": "200m"}
    keys = {"prim_haloprop_key": "halo_m200m", "sec_haloprop_key": "halo_nfw_conc"}
    more = keys | {"threshold": -20, "split": 0.5, "assembias_strength": strength}
    model = HodModelFactory(
        centrals_occupation=AssembiasZheng07Cens(**more),
        satellites_occupation=AssembiasZheng07Sats(**more),
        centrals_profile=TrivialPhaseSpace(**place),
        satellites_profile=NFWPhaseSpace(**place),
        redshift=0.1,
    )
    model.param_dict.update(logMmin=12.4, sigma_logM=0.4, logM0=11.5, logM1=13.2, alpha=1.05)
    mine, edges = painter("concentration", strength, strength), np.geomspace(0.3, 20.0, 9)
    ratio = []
    for seed in range(12):
        scene = clumpy(30000, seed=seed)
        made = mockgal.populate(scene, mine, seed=seed, concentration="catalogue")
        own = _xi_of(paint_scene(made, mine, seed=seed), edges)
        model.populate_mock(
            _halotools_catalogue(scene),
            seed=seed,
            Num_ptcl_requirement=0,
            halo_mass_column_key="halo_m200m",
        )
        table = model.mock.galaxy_table
        theirs = _xi_of({f"position_{x}": np.asarray(table[x]) for x in "xyz"}, edges)
        ratio.append(own / theirs)
    ratio, error = np.mean(ratio, axis=0), np.std(ratio, axis=0) / np.sqrt(11)
    # Of an odd number of heavy hosts in a bin of halotools the upper half has one more: there it
    # has 3% more satellites with a positive strength, and 3% fewer with a negative one.
    within = np.where(edges[1:] < 2.0, 0.06, 0.03)
    assert np.all(abs(ratio - 1.0) < within + 3 * error), (ratio, error)


def _xi_of(galaxies, edges):
    return np.array([xi(galaxies, low, high) for low, high in pairwise(edges)])

"""Satellites of hosts that come without any: what they are, and what they do not depend on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from populate_samples import BOX, COSMOLOGY, StandIn, hosts, law, offsets, satellites_of, taken
from scipy import stats

from mockgal.errors import (
    BadValueError,
    InternalError,
    MissingDatasetError,
    UsageError,
)
from mockgal.painters.draw import paint_scene
from mockgal.satellites import kernels, reference
from mockgal.satellites import make as satellites
from mockgal.satellites.concentration import Concentration
from mockgal.satellites.curves import evaluate
from mockgal.satellites.make import populate
from mockgal.satellites.options import SatelliteOptions
from mockgal.satellites.profile import dispersion_curve, enclosed
from mockgal.system.deferred import Joined
from mockgal.types import HaloCatalog, Scene

LEAST_P = 1e-4  # of a Kolmogorov-Smirnov test: one seed in ten thousand is below
CHOICES = {
    "default": SatelliteOptions(),
    "measured": SatelliteOptions(numbers="measured", profile="measured", velocity="measured"),
    "mixed": SatelliteOptions(profile="measured", concentration=7.0, velocity_bias=0.8),
}


@pytest.fixture(scope="module")
def scene():
    return hosts()


@pytest.fixture(scope="module")
def populated(scene):
    return populate(scene, law(scene), seed=4)


@pytest.fixture
def large(monkeypatch):
    """Treat everything as large."""
    monkeypatch.setattr(satellites, "LARGE", 1)


def test_rows_are_a_catalogue(scene, populated):
    halos = populated.halos
    again = HaloCatalog(halos.columns, halos.mass_definition)  # all checks of one
    np.testing.assert_array_equal(again.host_row, halos.host_row)
    assert again.digest() == halos.digest()
    rows, host = satellites_of(populated)
    assert len(rows) == len(halos) - len(scene.halos) > 2000
    np.testing.assert_array_equal(halos["host_mass"][rows], halos["host_mass"][host])
    assert np.all(halos["halo_id"][rows] >= 2**52)
    assert not halos["position"].flags.writeable
    # hosts are as they were, each before its satellites, these by their ids
    for name in ("halo_id", "position", "velocity", "mass", "host_mass"):
        np.testing.assert_array_equal(halos[name][halos["is_central"]], scene.halos[name])
    assert np.all(np.diff(halos.host_row) >= 0)
    same = np.diff(halos.host_row) == 0
    assert np.all(np.diff(halos["halo_id"])[same] > 0)


def test_columns_are_joined_unless_somebody_can_write_to_the_hosts(scene):
    columns = {name: values.copy() for name, values in scene.halos.columns.items()}
    mine = Scene(scene.snapshot, HaloCatalog(columns, "200c"))
    made = populate(mine, law(mine), seed=4).halos
    assert not isinstance(made.columns, Joined)
    digest = made.digest()
    columns["position"] += 1.0  # ours: what was made stays what it was
    columns["mass"] *= 2.0
    assert made.take(np.arange(len(made))).digest() == digest

    settled = replace(scene, halos=scene.halos.take(np.arange(len(scene.halos))))
    lazy = populate(settled, law(settled), seed=4)
    assert isinstance(lazy.halos.columns, Joined)
    galaxies = paint_scene(lazy, StandIn(), seed=1)
    assert not {"position", "velocity", "host_id"} & set(lazy.halos.columns._joined)
    assert lazy.halos.digest() == digest
    eager = replace(lazy, halos=replace(lazy.halos, columns=dict(lazy.halos.columns)))
    again = paint_scene(eager, StandIn(), seed=1)
    assert galaxies.digest() == again.digest()
    assert galaxies.provenance == again.provenance
    assert lazy.halos.hosts is settled.halos
    assert eager.halos.hosts is eager.halos
    counts = galaxies.provenance["simulation"]["hosts"]
    assert sum(counts["counts"]) == len(settled.halos)


def test_positions_are_checked_though_not_joined(scene):
    settled = replace(scene, halos=scene.halos.take(np.arange(len(scene.halos))))
    made = populate(settled, law(settled), seed=4)
    assert "position" not in replace(made).halos.columns._joined
    with pytest.raises(BadValueError, match="wrap positions"):
        replace(made, snapshot=replace(made.snapshot, box_size=BOX / 2))


def test_galaxies_need_no_sorting():
    scene = hosts(300)
    scene = taken(scene, np.argsort(scene.halos["halo_id"]))
    halos = populate(scene, law(scene), seed=1).halos
    order = np.lexsort((halos["halo_id"], halos["host_id"]))
    np.testing.assert_array_equal(order, np.arange(len(halos)))


@pytest.mark.parametrize("choice", sorted(CHOICES))
@pytest.mark.parametrize(("count", "rows"), [("1", 1 << 17), ("2", 333), ("5", 71)])
def test_the_same_satellites(scene, large, monkeypatch, choice, count, rows):
    """Compiled and not, whatever the threads and blocks: equal bit for bit."""
    monkeypatch.setattr(satellites, "LARGE", 1 << 40)
    expected = populate(scene, law(scene), seed=3, options=CHOICES[choice])
    monkeypatch.setattr(satellites, "LARGE", 1)
    monkeypatch.setattr(satellites, "BLOCK_ROWS", rows)
    monkeypatch.setenv("NUMBA_NUM_THREADS", count)
    found = populate(scene, law(scene), seed=3, options=CHOICES[choice])
    assert set(found.halos.columns) == set(expected.halos.columns)
    for name, values in expected.halos.columns.items():
        assert values.dtype == found.halos[name].dtype
        np.testing.assert_array_equal(values, found.halos[name], err_msg=name)
    np.testing.assert_array_equal(expected.halos.host_row, found.halos.host_row)
    assert dict(found.halos.record) == dict(expected.halos.record)


@pytest.mark.parametrize("choice", sorted(CHOICES))
def test_order_of_rows_and_other_hosts_do_not_matter(scene, choice):
    whole = populate(scene, law(scene), seed=3, options=CHOICES[choice]).halos
    order = np.random.default_rng(0).permutation(len(scene.halos))
    shuffled = taken(scene, order)
    again = populate(shuffled, law(shuffled), seed=3, options=CHOICES[choice]).halos
    assert again.digest() == whole.digest()
    assert dict(again.record) == dict(whole.record)
    part = taken(scene, np.flatnonzero(scene.halos["halo_id"] % 3 == 0))
    piece = populate(part, law(part), seed=3, options=CHOICES[choice]).halos
    kept = whole.take(np.flatnonzero(whole["host_id"] % 3 == 0))
    assert piece.digest() == kept.digest()


def test_the_seed_matters(scene, populated):
    other = populate(scene, law(scene), seed=5)
    assert populated.halos.digest() == populate(scene, law(scene), seed=4).halos.digest()
    assert other.halos.digest() != populated.halos.digest()
    ids = (s.halos["halo_id"][~s.halos["is_central"]] for s in (other, populated))
    assert not np.intersect1d(*ids).size


def test_global_random_state_and_scene_are_untouched(scene):
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    digest = scene.halos.take(slice(None)).digest()
    populate(scene, law(scene), seed=1)
    assert repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002
    assert scene.halos.take(slice(None)).digest() == digest


def test_a_shift_of_the_box(scene, populated):
    by = np.array([0.3, 0.5, 0.9]) * BOX
    columns = {**scene.halos.columns, "position": np.mod(scene.halos["position"] + by, BOX)}
    moved = replace(scene, halos=replace(scene.halos, columns=columns))
    shifted = populate(moved, law(moved), seed=4)
    np.testing.assert_array_equal(shifted.halos["halo_id"], populated.halos["halo_id"])
    np.testing.assert_array_equal(shifted.halos["velocity"], populated.halos["velocity"])
    difference = shifted.halos["position"] - populated.halos["position"] - by
    assert np.max(np.abs(difference - BOX * np.round(difference / BOX))) < 1e-12 * BOX
    assert populated.halos.record["populate"]["satellites_wrapped"] > 0


def test_positions_are_in_the_box(monkeypatch):
    at = np.array([[0.0, BOX - 1e-9, 50.0]] * 400)
    scene = hosts(400, position=at)
    for size in (1, 1 << 40):
        monkeypatch.setattr(satellites, "LARGE", size)
        position = populate(scene, law(scene), seed=1).halos["position"]
        assert position.min() >= 0
        assert position.max() < BOX
        assert len(np.unique(position[:, 0] > BOX / 2)) == 2


def test_the_edge_is_wrapped_to_zero():
    moved = np.array([[-1e-18, 0.0, 0.0], [BOX, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    for backend in (reference, kernels):
        position, velocity = np.full((2, 3, 3), np.nan)
        host, of = (np.zeros((1, 3)), np.full((1, 3), 7.0)), np.zeros(3, dtype=np.int64)
        wrapped = backend.place(of, host, (moved, np.eye(3)), BOX, (position, velocity))
        assert wrapped == 3
        np.testing.assert_array_equal(position[:, 0], [0.0, 0.0, BOX - 1.0])
        np.testing.assert_array_equal(velocity, 7.0 + np.eye(3))


def test_satellites_follow_their_host():
    for backend in (reference, kernels):
        host, is_central = np.full(7, -1), np.ones(7, dtype=bool)
        backend.order(np.array([0, 2, 0, 1]), 10, host, is_central)
        np.testing.assert_array_equal(host, [10, 11, 11, 11, 12, 13, 13])
        np.testing.assert_array_equal(is_central, [1, 1, 0, 0, 1, 1, 0])


@pytest.mark.parametrize("numbers", ["poisson", "measured"])
@pytest.mark.parametrize("share", [0.7, 1.0, 1.8])
def test_mean_and_variance_of_the_numbers(numbers, share):
    """Within 4.5 sigma: of the mean by the variance, of the variance by the fourth moment."""
    n, mean = 40_000, 2.5
    scene = hosts(n)
    options = SatelliteOptions(numbers=numbers)
    halos = populate(scene, law(scene, mean=mean, variance=share * mean), seed=2, options=options)
    number = np.bincount(halos.halos.host_row, minlength=1)[
        np.flatnonzero(halos.halos["is_central"])
    ]
    number = number - 1
    variance = mean * (share if numbers == "measured" else 1.0)
    assert len(number) == n
    assert abs(number.mean() - mean) < 4.5 * np.sqrt(variance / n)
    spread = (number - number.mean()) ** 2
    assert abs(spread.mean() - variance) < 4.5 * spread.std() / np.sqrt(n)
    record = halos.halos.record["populate"]
    assert record["satellites"] == number.sum()
    assert record["expected_satellites"] == n * mean
    assert record["hosts_with_satellites"] == np.count_nonzero(number)


def test_unattainable_variances_are_counted(scene):
    options = SatelliteOptions(numbers="measured")
    mean = np.where(scene.halos["halo_id"] % 2 == 0, 1.5, 2.0)
    record = populate(scene, law(scene, mean=mean, variance=0.0), seed=1, options=options)
    counted = record.halos.record["populate"]["hosts_with_unattainable_variance"]
    assert counted == np.count_nonzero(mean == 1.5)  # 2.0 without variance: always two


def test_masses_follow_the_law(scene, populated):
    rows, host = satellites_of(populated)
    halos = populated.halos
    ratio = np.log10(halos["mass"][rows] / halos["host_mass"][host])
    heavy = halos["host_mass"][host] > 1e13
    for chosen, first, length in ((~heavy, -3.0, 2.0), (heavy, -4.0, 3.0)):
        assert stats.kstest((ratio[chosen] - first) / length, "uniform").pvalue > LEAST_P


@pytest.mark.parametrize("definition", ["200c", "500c", "200m", "vir"])
def test_radii_follow_the_profile(definition):
    """Against halotools' cumulative mass, and within a radius of the definition's mean density."""
    halotools = pytest.importorskip("halotools.empirical_models")
    c = 6.0
    scene = hosts(definition=definition)
    populated = populate(scene, law(scene), seed=6, options=SatelliteOptions(concentration=c))
    _, host = satellites_of(populated)
    radius = np.linalg.norm(offsets(populated), axis=1)
    density = COSMOLOGY.halo_density(definition, 0.5)
    scaled = radius / np.cbrt(populated.halos["host_mass"][host] / (4 / 3 * np.pi * density))
    assert scaled.max() < 1 + 1e-9
    share = halotools.NFWProfile().cumulative_mass_PDF(scaled, c)
    assert stats.kstest(share, "uniform").pvalue > LEAST_P


def test_directions_are_isotropic(populated):
    away = offsets(populated)
    away /= np.linalg.norm(away, axis=1)[:, None]
    n = len(away)
    for axis in range(3):
        assert stats.kstest(away[:, axis], "uniform", (-1, 2)).pvalue > LEAST_P
    angle = np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > LEAST_P
    # no correlation between axes: <x y> is 0 with variance 1/15
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.mean(away[:, a] * away[:, b])) < 4.5 / np.sqrt(15 * n)


@pytest.mark.parametrize("bias", [1.0, 0.7])
def test_velocities_follow_jeans(scene, bias):
    options = SatelliteOptions(concentration=5.0, velocity_bias=bias)
    populated = populate(scene, law(scene), seed=8, options=options)
    rows, host = satellites_of(populated)
    halos, z = populated.halos, scene.snapshot.redshift
    radius, circular = COSMOLOGY.halo_scale(halos["host_mass"][host], "200c", z)
    # physical circular velocity at the physical radius, G in Mpc (km/s)^2 / Msun
    physical = np.sqrt(4.300917270e-9 * halos["host_mass"][host] / (radius / (1 + z)))
    np.testing.assert_allclose(circular, physical, rtol=1e-12)
    x = 5.0 * np.linalg.norm(offsets(populated), axis=1) / radius
    sigma = circular * np.sqrt(5.0 / enclosed(5.0) * x * evaluate(dispersion_curve(), np.log(x)))
    kick = (halos["velocity"][rows] - halos["velocity"][host]) / (bias * sigma)[:, None]
    for axis in range(3):
        assert stats.kstest(kick[:, axis], "norm").pvalue > LEAST_P
    assert abs(np.mean(kick[:, 0] * kick[:, 1])) < 4.5 / np.sqrt(len(kick))


def test_measured_radii_and_velocities(scene):
    populated = populate(scene, law(scene), seed=8, options=CHOICES["measured"])
    rows, host = satellites_of(populated)
    halos = populated.halos
    radius, circular = COSMOLOGY.halo_scale(halos["host_mass"][host], "200c", 0.5)
    heavy = halos["host_mass"][host] > 1e13
    scaled = np.linalg.norm(offsets(populated), axis=1) / radius
    known = np.linspace(0, 1, 9)
    u = np.where(
        heavy, np.interp(scaled / 1.2, known**1.5, known), np.interp(scaled, known**1.5, known)
    )
    assert stats.kstest(u, "uniform").pvalue > LEAST_P
    kick = (halos["velocity"][rows] - halos["velocity"][host])[:, 0]
    scaled_kick = kick / (circular * np.where(heavy, 0.7, 0.6))
    assert stats.kstest(scaled_kick, "norm").pvalue > LEAST_P


def test_nothing_is_shared_between_purposes(scene, populated):
    """Mass, radius, direction and velocity of a satellite are independent."""
    rows, host = satellites_of(populated)
    halos, away = populated.halos, offsets(populated)
    radius = np.linalg.norm(away, axis=1)
    heavy = halos["host_mass"][host] > 1e13
    ratio = np.log10(halos["mass"][rows] / halos["host_mass"][host])
    columns = [
        np.where(heavy, (ratio + 4) / 3, (ratio + 3) / 2),
        radius / np.cbrt(halos["host_mass"][host]),
        away[:, 2] / radius,
        *(halos["velocity"][rows] - halos["velocity"][host]).T,
    ]
    found = np.abs(stats.spearmanr(np.column_stack(columns)).statistic - np.eye(6))
    assert found.max() < 4.5 / np.sqrt(len(rows))


def test_no_hosts_and_no_satellites(monkeypatch):
    for size in (0, 1 << 40):
        monkeypatch.setattr(satellites, "LARGE", size)
        none = hosts(0)
        assert len(populate(none, law(none), seed=1).halos) == 0
        scene = hosts(50)
        for choice in CHOICES.values():
            halos = populate(scene, law(scene, mean=0, variance=0), seed=1, options=choice).halos
            assert len(halos) == 50
            assert halos.record["populate"]["satellites"] == 0


@pytest.mark.slow
def test_a_host_of_many(monkeypatch):
    """Means beyond the reach of the recursion; both ways."""
    scene = hosts(30)
    results = []
    for size in (1, 1 << 40):
        monkeypatch.setattr(satellites, "LARGE", size)
        results.append(populate(scene, law(scene, mean=2000.0), seed=1).halos)
    assert results[0].digest() == results[1].digest()
    assert abs(len(results[0]) - 30 - 60_000) < 4.5 * np.sqrt(60_000)


def test_the_record(scene, populated):
    record = populated.halos.record
    json.dumps(dict(record), allow_nan=False)
    assert record["satellites"] == 0  # what was read
    made = record["populate"]
    assert made["law"] == "made up"
    assert made["references"][0] == "someone"
    assert "Duffy" in made["references"][1]
    assert made["radius_definition"] == "200c"
    assert made["columns_left_out"] == ["vmax"]
    assert made["counted_by_law"] == {"counted": 3.0}
    assert "vmax" not in populated.halos


def test_hosts_outside_the_fitted_range_are_counted(scene, populated):
    assert populated.halos.record["populate"]["hosts_outside_concentration_range"] == 0
    heavy = hosts(log_mass=(14.5, 15.5))
    made = populate(heavy, law(heavy), seed=1).halos
    beyond = np.unique(made["host_id"][~made["is_central"] & (made["host_mass"] > 1e15)])
    assert made.record["populate"]["hosts_outside_concentration_range"] == len(beyond) > 100
    early = hosts(redshift=2.5)
    record = populate(early, law(early), seed=1).halos.record["populate"]
    assert record["hosts_outside_concentration_range"] == record["hosts_with_satellites"]


@pytest.mark.parametrize(
    ("name", "definition", "redshift", "expected"),
    [  # colossus 1.4.0, concentration(M, definition, z, model=...)
        ("duffy08", "200c", 0.0, [7.343830218437345, 5.518797291567289, 3.3878379443527376]),
        ("duffy08", "200c", 1.0, [5.301985429681017, 3.984376266732243, 2.4458990587749176]),
        ("duffy08", "vir", 0.0, [10.005829227916383, 7.596372707548164, 4.745184317222047]),
        ("duffy08", "vir", 1.0, [6.116764912879551, 4.643815618304569, 2.9008267356542063]),
        ("duffy08", "200m", 0.0, [12.924727181028299, 9.812384618412533, 6.129448277277906]),
        ("duffy08", "200m", 1.0, [6.41772478452514, 4.8723027634436455, 3.0435545426670787]),
        (
            "dutton_maccio14",
            "200c",
            0.0,
            [10.139113857366794, 7.191355415931174, 3.9994474976109746],
        ),
        ("dutton_maccio14", "200c", 1.0, [6.34937338525966, 4.919792352927937, 3.1822248822249173]),
        ("dutton_maccio14", "vir", 0.0, [13.243415351946643, 9.521804015887678, 5.420008904016237]),
        ("dutton_maccio14", "vir", 1.0, [7.047103443532489, 5.497696929567718, 3.5975815432672382]),
    ],
)
def test_concentrations_of_the_literature(name, definition, redshift, expected):
    mass = np.array([1e11, 3e12, 1e15])
    scene = hosts(3, definition=definition, redshift=redshift, host_mass=mass)
    found, outside = Concentration(scene, name, definition).of(np.arange(3), mass)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert outside == 0


def test_halotools_has_the_same_concentrations():
    relation = pytest.importorskip(
        "halotools.empirical_models.phase_space_models.analytic_models.satellites.nfw.conc_mass"
    )
    mass = np.logspace(11, 15, 9)
    scene = hosts(9, definition="vir", redshift=0.7)
    found, _ = Concentration(scene, "dutton_maccio14", "vir").of(np.arange(9), mass)
    theirs = relation.dutton_maccio14(mass, 0.7)
    np.testing.assert_allclose(found, theirs, rtol=1e-12)


def test_concentrations_of_the_catalogue():
    c = np.random.default_rng(1).uniform(4, 20, 2000)
    scene = hosts(concentration=c)
    populated = populate(
        scene, law(scene), seed=6, options=SatelliteOptions(concentration="catalogue")
    )
    assert populated.halos.record["populate"]["columns_left_out"] == ["vmax", "concentration"]
    _, host = satellites_of(populated)
    ids = populated.halos["halo_id"][host]
    order = np.argsort(scene.halos["halo_id"])
    own = c[order][np.searchsorted(scene.halos["halo_id"][order], ids)]
    radius, _ = COSMOLOGY.halo_scale(populated.halos["host_mass"][host], "200c", 0.5)
    x = own * np.linalg.norm(offsets(populated), axis=1) / radius
    assert stats.kstest(enclosed(x) / enclosed(own), "uniform").pvalue > LEAST_P


def test_fof_masses_need_a_radius():
    scene = hosts(definition="fof")
    with pytest.raises(UsageError, match=r"have no radius.*--radius-definition"):
        populate(scene, law(scene), seed=1)
    options = SatelliteOptions(radius_definition="200m")
    populated = populate(scene, law(scene), seed=1, options=options)
    assert populated.halos.record["populate"]["radius_definition"] == "200m"
    assert populated.halos.mass_definition == "fof"
    other = hosts(definition="200m")
    same = populate(other, law(other), seed=1).halos
    np.testing.assert_array_equal(same["position"], populated.halos["position"])


@pytest.mark.parametrize(
    ("scene", "options", "error", "match"),
    [
        ({"definition": "500c"}, {}, UsageError, "duffy08 for masses that are 500c"),
        (
            {"definition": "200m"},
            {"concentration": "dutton_maccio14"},
            UsageError,
            "200c, vir.*duffy08 or catalogue or a number",
        ),
        ({}, {"radius_definition": "200m"}, UsageError, "radius of their own"),
        ({}, {"concentration": "catalogue"}, MissingDatasetError, "no column concentration"),
        (
            {"concentration": np.full(2000, np.inf)},
            {"concentration": "catalogue"},
            BadValueError,
            "inf for host",
        ),
        ({"host_mass": np.zeros(2000)}, {}, BadValueError, "a positive mass"),
    ],
)
def test_refusals(scene, options, error, match):
    scene = hosts(**scene)
    with pytest.raises(error, match=match):
        populate(scene, law(scene), seed=1, options=SatelliteOptions(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"numbers": "gaussian"},
        {"profile": "isothermal"},
        {"velocity": None},
        {"concentration": "bullock01"},
        {"concentration": 0.0},
        {"concentration": float("nan")},
        {"concentration": True},
        {"velocity_bias": -1.0},
        {"velocity_bias": float("inf")},
        {"velocity_bias": "1"},
        {"radius_definition": "fof"},
    ],
)
def test_options_that_there_are_not(options):
    with pytest.raises(UsageError, match="populate:"):
        SatelliteOptions(**options)


@pytest.mark.parametrize("options", [{"profile": "measured"}, {"velocity": "measured"}])
def test_what_the_law_lacks_is_refused(scene, options):
    with pytest.raises(MissingDatasetError, match="no measured"):
        populate(scene, law(scene, measured=False), seed=1, options=SatelliteOptions(**options))


def test_satellites_already_there(populated):
    with pytest.raises(UsageError, match=r"\d+ satellites"):
        populate(populated, law(populated), seed=1)


def test_a_law_of_other_hosts(scene):
    with pytest.raises(InternalError, match="order of rows"):
        populate(scene, law(hosts(10)), seed=1)
    far = law(scene)
    with pytest.raises(InternalError, match="radii"):
        populate(scene, replace(far, radius=far.radius * 100), seed=1, options=CHOICES["measured"])


def test_the_record_says_which_law_it_was(scene):
    """By a digest, if the law says nothing of where it is from."""
    one, other = law(scene), law(scene, mean=2.0)
    said = [
        populate(scene, given, seed=1).halos.record["populate"]["law_origin"]
        for given in (one, other, replace(one, origin={"table": "t"}))
    ]
    assert len(said[0]["digest"]) == 64
    assert said[0] != said[1]
    assert said[2] == {"table": "t"}


def test_hosts_of_another_mass_definition_go_along(scene):
    made = populate(scene, law(scene), seed=1).halos
    other = made.with_mass_definition("vir")
    assert len(other) == len(made) > len(other.hosts) == len(scene.halos)
    assert other.hosts.mass_definition == "vir"
    assert made.hosts.mass_definition == scene.halos.mass_definition

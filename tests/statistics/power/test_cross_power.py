"""The cross-power spectrum: fields whose answer is known, symmetries, shot noise and errors."""

import numpy as np
import pytest
from power_samples import catalogue, gaussian

from mockgal.cosmology import Cosmology
from mockgal.errors import UsageError
from mockgal.statistics import jackknife
from mockgal.statistics.power.cross import cross_power, cross_power_of_fields
from mockgal.statistics.power.gridded import GriddedField
from mockgal.statistics.power.left_out import left_out_of_pairs
from mockgal.statistics.power.shells import Shells, power_sums
from mockgal.statistics.power.spectrum import power_spectrum
from mockgal.testing import statistic_contract
from mockgal.types import DensityField, HaloCatalog, ParticleChunk, Particles, Scene, Snapshot

L = 100.0
SMALL = {"grid_size": 24}


def points(number, seed, order=None):
    random = np.random.default_rng(seed)
    position = np.round(random.uniform(0, L, (number, 3)), 3) % L
    return catalogue(position, 10.0 ** random.normal(10, 0.3, number), L, order=order)


def field(delta, *, jackknife=0, **options):
    options = {"sum_of_squares": None, "subtract_shot_noise": False, "assignment": None} | options
    return GriddedField(values=1.0 + delta, length=L, jackknife=jackknife, **options)


def same(first, second, names, rtol=1e-9):
    for name in names:
        scale = np.nanmax(np.abs(second[name]))
        np.testing.assert_allclose(first[name], second[name], rtol=rtol, atol=rtol * scale)


@pytest.mark.filterwarnings("ignore:.*images of the grid")  # of CIC
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"jackknife": 0, "weight": "number"},
        {"line_of_sight": "y", "subtract_shot_noise": True},
        {"assignment": "CIC", "interlacing": False},
    ],
)
def test_a_sample_with_itself_gives_its_power(options):
    galaxies = points(500, 1)
    alone = power_spectrum(galaxies, **SMALL, **options)
    cross = cross_power(galaxies, galaxies, **SMALL, **options)
    for own in alone.estimates:
        name = {"power": "cross_power"}.get(own, f"cross_{own}")
        same({name: alone[own]}, cross, [name])
        same({f"{name}_error": alone[f"{own}_error"]}, cross, [f"{name}_error"])
    same({"cross_shot_noise": alone["shot_noise"]}, cross, ["cross_shot_noise"])
    r = cross["correlation_coefficient"]
    known = np.isfinite(r)  # with shot noise subtracted, some powers are not above 0
    assert known.any()
    np.testing.assert_allclose(r[known], 1.0, rtol=1e-12)
    assert cross.settings["shared_objects"] == 500


def test_independent_points_are_not_correlated():
    cross = cross_power(points(2000, 1), points(2000, 2), **SMALL, jackknife=0)
    r, error = cross["correlation_coefficient"], cross["correlation_coefficient_error"]
    chi = np.sum((r / error) ** 2)
    assert abs(chi - len(r)) < 3 * np.sqrt(2 * len(r))
    assert cross.settings["shared_objects"] == cross.settings["cross_shot_noise"] == 0


def test_a_linear_mix_has_the_known_power_and_coefficient():
    """Fields a and b a + noise, with spectra P and N: r = b sqrt(P / (b**2 P + N))."""
    bias, noise = 1.7, 8.0
    a, _ = gaussian(32, L, lambda k, mu: 5.0 / (k + 0.1), 1)
    e, _ = gaussian(32, L, lambda k, mu: noise + 0 * k, 2)
    cross = cross_power_of_fields(field(a / 10), field((bias * a + e) / 10))
    power = 5.0 / (cross["k"] + 0.1)
    expected = bias * power / np.sqrt(power * (bias**2 * power + noise))
    for name, known in (("cross_power", bias * power / 100), ("correlation_coefficient", expected)):
        deviation = (cross[name] - known) / cross[f"{name}_error"]
        assert abs(np.mean(deviation**2) - 1.0) < 3 * np.sqrt(2 / len(power)), name


def test_gaussian_errors_are_the_scatter():
    a = [gaussian(16, L, lambda k, mu: 5.0 + 0 * k, seed)[0] / 10 for seed in range(120)]
    made = [
        cross_power_of_fields(field(one), field(0.5 * one + 0.4 * two))
        for one, two in zip(a[::2], a[1::2], strict=True)
    ]
    for name in ("cross_power", "correlation_coefficient"):
        scatter = np.std([m[name] for m in made], axis=0, ddof=1)
        expected = np.mean([m[f"{name}_error"] for m in made], axis=0)
        assert np.mean(scatter[1:] / expected[1:]) == pytest.approx(1.0, abs=0.12), name


def test_swapped_samples_give_the_same():
    one, two = points(300, 1), points(400, 2)
    cross, swapped = cross_power(one, two, **SMALL), cross_power(two, one, **SMALL)
    same(cross, swapped, [n for e in cross.estimates for n in (e, f"{e}_error")])
    np.testing.assert_array_equal(cross["power_first"], swapped["power_second"])


@pytest.mark.parametrize(
    "move",
    [
        lambda p: (p + np.array([3, 0, 5]) * L / 24 * 8) % L,
        lambda p: np.stack([(L - p[:, 1]) % L, p[:, 0], p[:, 2]], axis=1),
    ],
    ids=["translation", "rotation"],
)
def test_moved_together_samples_give_the_same(move):
    random = np.random.default_rng(5)
    a = random.uniform(0, L, (300, 3))
    b = (a + random.normal(0, 3, a.shape)) % L
    before = cross_power(catalogue(a, np.ones(300)), catalogue(b, np.ones(300)), **SMALL)
    after = cross_power(catalogue(move(a), np.ones(300)), catalogue(move(b), np.ones(300)), **SMALL)
    same(after, before, before.estimates, rtol=1e-7)
    same(after, before, ["cross_power_error"], rtol=1e-6)


def test_shot_noise_is_that_of_shared_objects():
    """Of points without structure, with a third of them in both samples."""
    every = points(3000, 7)
    one, two = every.take(np.arange(2000)), every.take(np.arange(1000, 3000))
    cross = cross_power(one, two, weight="number", jackknife=0, **SMALL)
    assert cross.settings["shared_objects"] == 1000
    assert cross.settings["cross_shot_noise"] == pytest.approx(L**3 * 1000 / 2000**2)
    left = cross_power(one, two, weight="number", jackknife=3, subtract_shot_noise=True, **SMALL)
    same({"cross_power": cross["cross_power"] - cross["cross_shot_noise"]}, left, ["cross_power"])
    chi = np.mean((left["cross_power"] / cross["cross_power_error"]) ** 2)
    assert abs(chi - 1.0) < 3 * np.sqrt(2 / len(left))
    moved = catalogue(
        (np.stack([two[f"position_{x}"] for x in "xyz"], 1) + 1) % L, two["stellar_mass"]
    )
    assert cross_power(one, moved, jackknife=0, **SMALL).settings["shared_objects"] == 0


def test_left_out_sums_of_two_fields_by_definition():
    size, per_side, number = 9, 3, 27
    random = np.random.default_rng(3)
    both = [random.gamma(0.5, size=(size,) * 3) for _ in range(2)]
    shells, across = Shells(size), np.sqrt((number - 1) / (2 * (number - 2)))

    def waves(values):
        return np.fft.rfftn(values) / size**3

    def sums(one, other):
        return power_sums(one, other, shells, np.ones(size))

    whole = [waves(values) for values in both]
    pairs = ((0, 0), (0, 1), (1, 1))
    found = left_out_of_pairs(
        both,
        whole,
        np.array([sums(whole[i], whole[j]) for i, j in pairs]),
        shells,
        [np.ones(size)] * 3,
        per_side,
    )
    for n, block in enumerate(jackknife.blocks(both[0], per_side)):
        outside = np.ones(both[0].shape, bool)
        outside[block.place] = False
        means = [values[outside].mean() for values in both]
        inside = [waves(np.where(outside, 0, v - m)) for v, m in zip(both, means, strict=True)]
        rest = [waves(np.where(outside, v - m, 0)) for v, m in zip(both, means, strict=True)]
        for row, (i, j) in enumerate(pairs):
            cross = sums(rest[i], inside[j]) + sums(inside[i], rest[j])
            left = sums(rest[i], rest[j]) + (1 - across) * cross
            left /= (1 - 1 / number) * means[i] * means[j]
            np.testing.assert_allclose(found[n, row], left, rtol=1e-9, atol=1e-12)


def scene(**contents):
    halos = {
        "halo_id": np.arange(1),
        "host_id": np.arange(1),
        "is_central": np.ones(1, bool),
        "mass": np.full(1, 1e12),
        "host_mass": np.full(1, 1e12),
        "vmax": np.full(1, 200.0),
    }
    halos |= {what: np.ones((1, 3)) for what in ("position", "velocity")}
    snapshot = Snapshot("test", L, 0.5, Cosmology(0.7, 0.3, 0.7), 1e9, "none")
    return Scene(snapshot, HaloCatalog(halos, "200c"), **contents)


@pytest.fixture(scope="module")
def matter():
    """Particles, and galaxies of equal weight in a tenth of their places."""
    place = np.random.default_rng(9).uniform(0, L, (4000, 3))
    place[:2000] = (place[:200].repeat(10, axis=0) + place[:2000] * 0.05) % L
    mass = np.full(4000, Cosmology(0.7, 0.3, 0.7).matter_mass(L) / 4000)

    def stream(rows):
        for start in range(0, len(place), rows):
            yield ParticleChunk(place[start : start + rows], mass[start : start + rows])

    galaxies = catalogue(place[::10], np.ones(400), L)
    as_galaxies = catalogue(place, np.ones(4000), L)
    return scene(particles=Particles(4000, stream)), galaxies, as_galaxies


def test_particles_are_measured_as_galaxies_are(matter):
    sim, galaxies, as_galaxies = matter
    options = {"weight": "number", **SMALL}
    with_matter = cross_power(galaxies, sim, **options)
    expected = cross_power(galaxies, as_galaxies, **options)
    names = [n for e in with_matter.estimates for n in (e, f"{e}_error")]
    same(with_matter, expected, [*names, "power_second", "shot_noise_second"], rtol=1e-7)
    assert with_matter.settings["cross_shot_noise"] == 0
    less = cross_power(galaxies, sim, subtract_shot_noise=True, **options)
    expected = cross_power(galaxies, as_galaxies, subtract_shot_noise=True, **options)
    same(less, expected, ["power_second"], rtol=1e-7)


@pytest.mark.parametrize("origin", ["corner", "centre"])
def test_a_density_grid_is_measured_from_its_own_origin(matter, origin):
    from mockgal.fields.assign import deposit
    from mockgal.fields.origin import on_corners

    _, galaxies, as_galaxies = matter
    size = SMALL["grid_size"]
    place = np.stack([as_galaxies[f"position_{x}"] for x in "xyz"], axis=1)
    place = on_corners(place, origin, L / size, L)
    grid = deposit(place, np.ones(4000), grid_size=size, box_size=L, assignment="PCS")
    options = {"weight": "number", "jackknife": 0}
    delta = grid / grid.mean() - 1

    def read(start, stop):
        return delta[start:stop]

    sim = scene(field=DensityField(size, L / size, "delta", "PCS", origin, read))
    found = cross_power(galaxies, sim, **options)
    expected = cross_power(galaxies, as_galaxies, **options, **SMALL)
    low = slice(0, size // 4)  # the density grid is not interlaced
    np.testing.assert_allclose(
        found["correlation_coefficient"][low], expected["correlation_coefficient"][low], rtol=2e-3
    )
    assert "shot_noise_second" not in found.columns
    with pytest.raises(UsageError, match="density grid"):
        cross_power(galaxies, sim, subtract_shot_noise=True, **options)
    with pytest.raises(UsageError, match="24"):
        cross_power(galaxies, sim, grid_size=32, **options)


def test_an_empty_sample_has_no_overdensity():
    one = points(50, 1)
    cross = cross_power(one, one.take(np.arange(0)), **SMALL)
    assert np.isnan(cross["cross_power"]).all()
    assert np.isnan(cross["correlation_coefficient"]).all()


def test_other_boxes_and_redshifts_are_refused():
    one = points(10, 1)
    other = catalogue(np.ones((3, 3)), np.ones(3), 50.0)
    with pytest.raises(UsageError, match="100 and 50 Mpc/h"):
        cross_power(one, other, **SMALL)
    with pytest.raises(UsageError, match="matter"):
        cross_power(one, scene(), **SMALL)
    with pytest.raises(UsageError, match="velocities"):
        cross_power(one, scene(), line_of_sight="z", **SMALL)


def test_the_contract_of_statistics(tmp_path):
    def of_itself_and_a_part(galaxies):
        """Measure the cross-power of a sample with a part of it."""
        return cross_power(galaxies, galaxies.take(np.arange(0, len(galaxies), 2)), **SMALL)

    galaxies = points(60, 4)

    def of_itself(galaxies):
        """Measure the cross-power of a sample with itself."""
        return cross_power(galaxies, galaxies, **SMALL)

    statistic_contract(of_itself, galaxies, tmp_path)
    assert of_itself_and_a_part(galaxies).settings["shared_objects"] == 30

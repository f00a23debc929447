"""Power of galaxies on the sky: against the box, plane waves, and shot noise; and the window."""

import numpy as np
import pytest
from power_samples import gaussian
from sky_samples import COSMOLOGY, points, survey

import mockgal
from mockgal.errors import BadValueError, UsageError
from mockgal.fields.waves.interlaced import interlaced_deposit
from mockgal.statistics.power.gridded import window_gain
from mockgal.statistics.power.result import multipoles
from mockgal.statistics.power.shells import Shells, power_sums
from mockgal.statistics.power.spectrum import power_of_field
from mockgal.statistics.sky.moments import moment_sums
from mockgal.statistics.sky.power import PADDING, grid_around, power_of
from mockgal.statistics.sky.sample import SkySample
from mockgal.statistics.sky.surveys import Survey, survey_of
from mockgal.statistics.sky.window import normalisation

N, L = 24, 100.0
BINS = {"k_min": None, "k_max": None, "k_width": None, "log_k_width": None}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_box_seen_from_far_away_is_plane_parallel(axis):
    """Of a field at random, wave by wave the same: to the angle that the box covers."""
    field = np.random.default_rng(1).standard_normal((N, N, N))
    waves = np.fft.rfftn(field) / N**3
    shells, gain = Shells(N), window_gain(N, "PCS")
    expected = power_sums(waves, waves, shells, gain, axis=axis, moments=3)
    corner = np.full(3, -L / 2)
    corner[axis] = 1e6 * L
    found = moment_sums(field, shells, gain, corner=corner, voxel=L / N, label="grids")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)


def test_moments_by_the_definition():
    """With lines of sight that differ by more than a right angle."""
    size = 8
    random = np.random.default_rng(2)
    field, corner, voxel = random.standard_normal((size,) * 3), np.array([-3.0, 1.0, -5.0]), 1.1
    shells = Shells(size)
    found = moment_sums(field, shells, np.ones(size), corner=corner, voxel=voxel, label="grids")
    place = np.indices((size,) * 3).reshape(3, -1).T * voxel + voxel / 2 + corner
    unit = place / np.linalg.norm(place, axis=1, keepdims=True)
    sums = np.zeros((3, shells.number))
    n = np.rint(np.fft.fftfreq(size, 1 / size)).astype(int)
    for wave in np.stack(np.meshgrid(n, n, n, indexing="ij"), axis=-1).reshape(-1, 3):
        length = np.linalg.norm(wave)
        row = np.searchsorted(shells.edges, length, side="right") - 1
        if not 0 <= row < shells.number:
            continue
        phase = np.exp(-2j * np.pi * (np.indices((size,) * 3).reshape(3, -1).T @ wave) / size)
        mu = unit @ wave / length
        for k in range(3):
            moment = np.sum(field.ravel() * mu ** (2 * k) * phase) / size**3
            sums[k, row] += 0.5 * (np.sum(field.ravel() * phase) / size**3 * moment.conj()).real
    np.testing.assert_allclose(found, sums, rtol=1e-9, atol=1e-12)


def test_kaiser_multipoles_of_a_linear_field():
    """delta_s = (1 + beta mu^2) delta along one line of sight, whose multipoles are known."""
    beta = 0.5
    delta = gaussian(32, L, lambda k, mu: 1e3 * (1 + beta * mu**2) ** 2 * np.exp(-k), 3, axis=0)[0]
    corner = np.array([1e5 * L, -L / 2, -L / 2])
    shells = Shells(32, given_edges=(3.0, 12.0))
    sums = moment_sums(delta, shells, np.ones(32), corner=corner, voxel=L / 32, label="grids")
    p0, p2, p4 = multipoles(sums, shells.modes)[:, 0]
    assert p2 / p0 == pytest.approx((4 / 3 * beta + 4 / 7 * beta**2) / 1.38333, rel=0.1)
    expected = 8 / 35 * beta**2 / 1.38333
    assert p4 / p0 == pytest.approx(expected, abs=0.75 * expected)


def far_box(number, seed, *, distance=2000.0, field=None):
    """Points in a cube around a place on the x axis, and their places in the cube."""
    place = np.random.default_rng(seed).uniform(0, L, (number, 3))
    weights = np.full(number, 3.0)
    if field is not None:
        weights = 1 + field[tuple((place * (len(field) / L)).astype(int).T)]
    away = place - L / 2 + np.array([distance, 0.0, 0.0])
    far = np.linalg.norm(away, axis=1)
    region = np.zeros(len(place), dtype=np.int64)
    return SkySample(away / far[:, None], far * 0 + 1.0, far, weights, region), place


def test_power_of_a_cube_is_that_of_the_box():
    """A cube cut out of the sky, and the periodic box with the same points: above its extent."""
    field = gaussian(32, L, lambda k, mu: 600.0 * np.exp(-((k / 0.5) ** 2)), 5)[0]
    field = np.exp(field - field.var() / 2) - 1
    (data, place), (randoms, _) = far_box(40_000, 1, field=field), far_box(100_000, 2)
    both = Survey(data, randoms, {"area_deg2": (np.degrees(L / 2000.0)) ** 2})
    grid = grid_around(both, 64)
    bins = {**BINS, "k_min": 0.2, "k_max": 0.9, "k_width": 0.1}
    found = power_of(both, grid, bins, subtract_shot_noise=True)
    weight = data.weight
    mass = interlaced_deposit(place, weight, grid_size=64, box_size=L, assignment="PCS")
    box = power_of_field(
        mass,
        L,
        assignment="PCS",
        interlaced=True,
        sum_of_squares=float((weight**2).sum()),
        subtract_shot_noise=True,
        line_of_sight="x",
        jackknife=0,
        **{key: value for key, value in bins.items() if value is not None},
    )
    norm = weight.sum() ** 2 / L**3
    assert found.settings["normalisation_h3_mpc3"] == pytest.approx(norm, rel=0.02)
    noise = ((weight**2).sum() + weight.sum() ** 2 / 100_000) / norm
    np.testing.assert_allclose(found["shot_noise"][0], noise, rtol=0.02)
    deviation = (found["power"] - box["power"]) / box["power"]
    assert np.abs(deviation).max() < 0.12
    for name in ("quadrupole", "hexadecapole"):
        deviation = (found[name] - box[name]) / (box[f"{name}_error"] + 0.02 * box["power"])
        assert np.sqrt(np.mean(deviation**2)) < 1.5


def width(galaxies, randoms):
    """The fundamental of the survey's extent: for many bins."""
    return 2 * np.pi * PADDING / grid_around(survey_of(galaxies, randoms), 8).length


@pytest.mark.slow
def test_errors_of_points_at_random_are_their_scatter():
    """In bins as wide as the default, over surveys whose density falls by 25, with its mean."""
    deviations = []
    for seed in range(24):
        galaxies, randoms = survey(
            *(800, 8000, seed),
            **{"low": 0.03, "high": 0.15, "steepness": 1},
            weight=lambda n, random: random.uniform(0.5, 1.5, n),
        )
        found = mockgal.measure(galaxies, "sky_power", randoms=randoms, grid_size=48)
        deviations.append((found["power"] - found["shot_noise"]) / found["power_error"])
    squares = np.mean(np.square(deviations), axis=0)
    assert np.all((squares > 0.35) & (squares < 2.0)), squares
    assert np.all(np.abs(np.mean(deviations, axis=0)) < 0.7)


def test_points_at_random_have_shot_noise_alone():
    galaxies, randoms = survey(800, 8000, weight=lambda n, random: random.uniform(0.5, 1.5, n))
    options = {"grid_size": 48, "k_width": width(galaxies, randoms)}
    found = mockgal.measure(galaxies, "sky_power", randoms=randoms, **options)
    noise, power = found["shot_noise"], found["power"]
    alpha = found.settings["alpha"]
    squares = (galaxies["weight"] ** 2).sum() + alpha**2 * (randoms["weight"] ** 2).sum()
    norm = found.settings["normalisation_h3_mpc3"]
    assert noise[0] == pytest.approx(squares / norm, rel=1e-3)
    deviation = (power - noise) / found["power_error"]
    assert np.mean(deviation**2) == pytest.approx(1.0, abs=0.8)
    assert np.mean(deviation[2:]) == pytest.approx(0.0, abs=0.8)
    subtracted = mockgal.measure(
        galaxies, "sky_power", randoms=randoms, **options, subtract_shot_noise=True
    )
    np.testing.assert_allclose(subtracted["power"], power - noise)
    assert "not deconvolved" in found.settings["window_of_the_survey"]
    assert found["modes"].sum() < 0.5 * 48**3 / 8


def test_normalisation_and_window_of_a_known_survey():
    """Of a shell of the whole sky, in which n_w is constant."""
    made = Survey(points(300, 1, regions=0), points(30_000, 2, regions=0))
    far = made.randoms.distance
    volume = 4 / 3 * np.pi * (far.max() ** 3 - far.min() ** 3)
    # z is uniform, so that the density falls outwards: integrate it.
    z = np.linspace(0.1, 0.3, 2001)
    r = SkySample.of(0 * z, 0 * z, z, COSMOLOGY).distance
    slope = np.gradient(z, r) / 0.2
    total = made.data.weight.sum()
    expected = total**2 * np.trapezoid(slope**2 / (4 * np.pi * r**2), r)
    norm, words = normalisation(made)
    assert norm == pytest.approx(expected, rel=0.03)
    assert norm > total**2 / volume
    assert "closer than" in words


def test_window_of_catalogues():
    galaxies, randoms = survey(300, 6000)
    found = mockgal.measure(galaxies, "sky_window", randoms=randoms, r_min=3.0, bins=15)
    near = (found["s_high"] < 30.0) & (found["pairs"] > 100)
    np.testing.assert_allclose(found["window_0"][near], 1.0, atol=0.25)
    assert found["window_0"][-1] < 0.05
    assert np.all(np.diff(found["window_0"][near.sum() :]) < 0.1)
    assert found["pairs"].sum() > 0.9 * 6000 * 5999 / 2


def test_refusals():
    galaxies, randoms = survey(50, 500)
    with pytest.raises(UsageError, match="padding"):
        mockgal.measure(galaxies, "sky_power", randoms=randoms, padding=0.5)
    with pytest.raises(UsageError, match="k_max"):
        mockgal.measure(galaxies, "sky_power", randoms=randoms, grid_size=16, k_max=9.0)
    few = survey(20, 60)
    with pytest.raises(BadValueError, match="give more randoms"):
        mockgal.measure(few[0], "sky_window", randoms=few[1])

"""Jackknife errors of power: against sums by the definition, and against the scatter of boxes."""

import math
from itertools import product

import numpy as np
import pytest
from power_samples import catalogue, gaussian, in_shells

from mockgal.errors import UsageError
from mockgal.fields.assign import deposit
from mockgal.statistics import jackknife
from mockgal.statistics.bispectrum.estimator import bispectrum
from mockgal.statistics.power.gridded import window_gain
from mockgal.statistics.power.left_out import left_out_shot_noise, left_out_sums
from mockgal.statistics.power.shells import Shells, power_sums
from mockgal.statistics.power.spectrum import power_of_field, power_spectrum

L = 40.0


def transformed(field, size):
    padded = np.zeros((size, size, size))
    padded[tuple(slice(n) for n in field.shape)] = field
    return np.fft.fftn(padded) / size**3


def by_definition(field, size, per_side, mean, weight):
    """Left-out powers of full transforms, sub-volume by sub-volume; ``weight`` of each wave."""
    number, result = per_side**3, []
    a = math.sqrt((number - 1) / (2 * (number - 2)))
    edges = [round(len(field) * i / per_side) for i in range(per_side + 1)]
    for cell in product(range(per_side), repeat=3):
        left = np.ones(field.shape, dtype=bool)
        left[tuple(slice(edges[i], edges[i + 1]) for i in cell)] = False
        base = field[left].mean() if mean is None else mean
        delta = field / base - 1
        all_waves = transformed(delta, size)
        waves = transformed(np.where(left, 0.0, delta), size)
        rest = all_waves - waves
        power = np.abs(rest) ** 2 + 2 * (1 - a) * (waves.conj() * rest).real
        result.append(in_shells(power * weight, size) / left.mean())
    return np.array(result)


@pytest.mark.parametrize(("size", "per_side"), [(12, 2), (13, 3), (16, 3)])
def test_left_out_powers_in_a_box(size, per_side):
    field = np.random.default_rng(1).gamma(0.5, size=(size, size, size))
    window = window_gain(size, "CIC")
    weight = window[:, None, None] * window[:, None] * window
    expected = by_definition(field, size, per_side, None, weight)
    result = power_of_field(field, L, assignment="CIC", jackknife=per_side)
    np.testing.assert_allclose(result["power_error"], L**3 * jackknife.error(expected), rtol=1e-9)
    single = power_of_field(field.astype(np.float32), L, assignment="CIC", jackknife=per_side)
    np.testing.assert_allclose(single["power_error"], result["power_error"], rtol=1e-3)


def test_left_out_powers_on_a_larger_grid():
    """Of a cube that is relative to a mean that stays, as sub-cubes are."""
    field, mean = np.random.default_rng(2).gamma(0.5, size=(9, 9, 9)), 0.7
    coefficients = np.ascontiguousarray(transformed(field - mean, 18)[..., :10])
    shells, gain = Shells(18), np.ones(18)
    sums = power_sums(coefficients, coefficients, shells, gain)
    found = left_out_sums(field, coefficients, sums, shells, gain, 3, mean=mean)
    expected = by_definition(field, 18, 3, mean, 1.0)
    np.testing.assert_allclose(found[:, 0] / shells.modes, expected, rtol=1e-9)


def test_errors_of_multipoles_follow_the_axis():
    field = np.random.default_rng(3).gamma(0.5, size=(12, 12, 12))
    first = power_of_field(field, L, assignment=None, line_of_sight="x")
    second = power_of_field(field.transpose(1, 2, 0), L, assignment=None, line_of_sight="z")
    for name in first.estimates:
        np.testing.assert_allclose(first[name + "_error"], second[name + "_error"], rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_one_sub_volume_holds_everything(seed):
    field, generator = np.zeros((9, 9, 9)), np.random.default_rng(seed)
    field[3:6, :3, 6:] = 10.0 ** generator.uniform(8, 12, (3, 3, 3))  # sums of these are rounded
    result = power_of_field(field, L, assignment=None)
    assert np.all(result["power"] > 0)
    assert np.all(np.isnan(result["power_error"]))
    assert np.all(np.isnan(result.smallest_detectable_deviation("power")))


@pytest.mark.filterwarnings("ignore:.*images of the grid")
@pytest.mark.parametrize("interlacing", [True, False])
@pytest.mark.parametrize("subtracted", [True, False])
@pytest.mark.parametrize("per_side", [2, 3])
@pytest.mark.slow_but("2-True-True", "2-False-False", "2-True-False")
def test_one_sub_volume_holds_all_galaxies(per_side, subtracted, interlacing):
    """Interlacing leaves rounding in the others, and PCS reaches into them."""
    generator = np.random.default_rng(7)
    position = generator.uniform(0.0, L / per_side, (300, 3)) % L
    galaxies = catalogue(position, 10.0 ** generator.uniform(8, 11, 300), L)
    options = {"jackknife": per_side, "interlacing": interlacing, "grid_size": 32}
    options["subtract_shot_noise"] = subtracted
    power = power_spectrum(galaxies, **options)
    triangles = bispectrum(galaxies, k1=0.5, k2=0.7, angles=4, **options)
    for result in (power, triangles):
        for name in result.estimates:
            assert np.any(np.isfinite(result[name]))
            assert np.all(np.isnan(result[name + "_error"])), name


def test_one_galaxy_elsewhere_gives_errors():
    generator = np.random.default_rng(7)
    position = generator.uniform(0.0, L / 2, (300, 3))
    position[0] = 0.9 * L
    galaxies = catalogue(position, np.full(300, 1e10), L)
    options = {"jackknife": 2, "grid_size": 32}
    for result in (
        power_spectrum(galaxies, **options),
        bispectrum(galaxies, k1=0.5, k2=0.7, angles=4, **options),
    ):
        for name in result.estimates:
            known = np.isfinite(result[name])
            assert np.all(np.isfinite(result[name + "_error"][known]))


def scatter_and_errors(make, boxes, jackknifed):
    """Scatter of P between boxes, and root mean square of jackknife and Gaussian errors."""
    power, errors, gaussian_errors = [], [], []
    for seed in range(boxes):
        field = make(seed)
        result = power_of_field(field, L, assignment=None, jackknife=0)
        power.append(result["power"])
        gaussian_errors.append(result["power_error"])
        if seed < jackknifed:
            errors.append(power_of_field(field, L, assignment=None)["power_error"])
    mean_square = [np.sqrt(np.mean(np.square(e), axis=0)) for e in (errors, gaussian_errors)]
    return np.std(power, axis=0, ddof=1), *mean_square


def smooth(seed):
    return 1 + gaussian(24, L, lambda k, mu: 0.8 * k**-1.5, seed)[0]


def clustered(seed):
    """Log-normal, as galaxies are: delta has an rms of about 1.8."""
    return np.exp(gaussian(24, L, lambda k, mu: 13 * k**-1.8, seed)[0])


def points(seed):
    """Poisson counts of about 0.1 per voxel on a log-normal field."""
    mean = clustered(seed)
    return np.random.default_rng(seed).poisson(0.1 * mean / mean.mean()).astype(float)


@pytest.mark.slow_but("points")
@pytest.mark.parametrize("make", [smooth, clustered, points])
@pytest.mark.slow
def test_errors_are_the_scatter_of_boxes(make):
    """A little above it; 400 boxes give the scatter to 4% per shell.

    Sub-volumes have different means, which the jackknife takes for scatter, while a periodic box
    is relative to its own. Were the cross terms not weighted, errors would be 1.3 times as large.
    """
    scatter, errors, gaussian_errors = scatter_and_errors(make, 400, 40)
    assert 0.9 < np.mean(errors[3:] / scatter[3:]) < 1.3
    assert np.all(errors > 0.55 * scatter)
    if make is smooth:
        assert np.mean(gaussian_errors / scatter) == pytest.approx(1, abs=0.06)
    else:  # what the jackknife is for
        assert np.mean(gaussian_errors[3:] / scatter[3:]) < 0.75


# ---- with the shot noise subtracted


def galaxies(seed, masses=0.5):
    """Points on a log-normal field, with masses that scatter by so many dex."""
    generator = np.random.default_rng(seed)
    density = clustered(seed)
    counts = generator.poisson(0.1 * density / density.mean())
    voxel = np.repeat(np.argwhere(np.ones_like(counts)), counts.ravel(), axis=0)
    position = (voxel + generator.random(voxel.shape)) * L / 24
    return catalogue(position, 10 ** generator.normal(10, masses, len(position)), L)


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.parametrize("size", [12, 13])
def test_shot_noise_of_what_is_left(size, power):
    """V**(p - 1) sum(m**p) / sum(m)**p of the points outside each sub-volume, in its volume."""
    generator = np.random.default_rng(4)
    position, mass = generator.random((200, 3)) * L, generator.gamma(0.5, size=200)
    field = deposit(position, mass, grid_size=size, box_size=L, assignment="NGP")
    options = {"grid_size": size, "box_size": L}
    sums = jackknife.sums_by_block(position, mass**power, 3, **options)
    found = left_out_shot_noise(field, 3, sums, L**3, power=power)
    edges = np.round(np.arange(4) * size / 3)
    cell = np.searchsorted(edges[1:3], np.floor(position * size / L), side="right")
    for i, place in enumerate(product(range(3), repeat=3)):
        left = np.any(cell != place, axis=1)
        volume = L**3 * (1 - np.prod([np.diff(edges)[p] / size for p in place]))
        expected = volume ** (power - 1) * np.sum(mass[left] ** power) / mass[left].sum() ** power
        assert found[i] == pytest.approx(expected, rel=1e-12)
    order = generator.permutation(200)
    again = jackknife.sums_by_block(position[order], mass[order] ** power, 3, **options)
    assert np.array_equal(sums, again)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_each_left_out_sample_has_its_own_shot_noise_subtracted():
    sample, options = galaxies(1), {"grid_size": 15, "assignment": "CIC", "interlacing": False}
    position = np.stack([sample[f"position_{x}"] for x in "xyz"], axis=1)
    mass = sample["stellar_mass"].astype(float)
    field = deposit(position, mass, grid_size=15, box_size=L, assignment="CIC")
    with pytest.MonkeyPatch.context() as patch:
        kept = []
        patch.setattr(
            jackknife, "error", lambda left: kept.append(left) or np.zeros(left.shape[1:])
        )
        power_spectrum(sample, **options)
        power_spectrum(sample, **options, subtract_shot_noise=True)
    with_noise, without = kept
    result = power_spectrum(sample, **options, jackknife=0)
    level = result["shot_noise"] / result.settings["shot_noise"]
    squares = jackknife.sums_by_block(position, mass**2, 3, grid_size=15, box_size=L)
    noise = left_out_shot_noise(field, 3, squares, L**3)
    np.testing.assert_allclose(
        without[:, 0], with_noise[:, 0] - noise[:, None] * level, rtol=1e-9, atol=1e-9
    )
    assert np.std(noise) > 0.02 * np.mean(noise)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("weight", ["number", "stellar_mass"])
def test_errors_with_the_shot_noise_subtracted_are_the_scatter_of_boxes(weight):
    """For masses they were 1.3 to 2.9 times the scatter, from large scales to small."""
    options = {
        "grid_size": 20,
        "weight": weight,
        "subtract_shot_noise": True,
        "line_of_sight": "z",
    }
    samples = [galaxies(seed) for seed in range(120)]
    power = [power_spectrum(sample, jackknife=0, **options) for sample in samples]
    errors = [power_spectrum(sample, **options) for sample in samples[:25]]
    for name in power[0].estimates:
        scatter = np.std([result[name] for result in power], axis=0, ddof=1)
        error = np.sqrt(np.mean([result[name + "_error"] ** 2 for result in errors], axis=0))
        assert 0.85 < np.mean(error[2:] / scatter[2:]) < 1.35, name
    assert "shot noise subtracted from each" in errors[0].settings["errors"]


@pytest.mark.slow
def test_errors_of_the_bispectrum_with_the_shot_noise_subtracted():
    options = {"k1": 0.5, "k2": 0.6, "angles": 6, "subtract_shot_noise": True}
    samples = [galaxies(seed) for seed in range(40)]
    values = [bispectrum(sample, jackknife=0, **options)["bispectrum"] for sample in samples]
    errors = [bispectrum(sample, **options)["bispectrum_error"] for sample in samples[:8]]
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(values, axis=0, ddof=1)
    assert 0.7 < np.mean(ratio) < 1.4


def test_sums_that_do_not_say_where_cannot_be_subtracted_in_a_jackknife():
    field = smooth(1)
    for squares in (3.0, np.ones(8)):
        with pytest.raises(UsageError, match="sub-volumes"):
            power_of_field(
                field, L, assignment=None, sum_of_squares=squares, subtract_shot_noise=True
            )
    power_of_field(field, L, assignment=None, sum_of_squares=np.ones(27), subtract_shot_noise=True)


@pytest.mark.parametrize("place", [(1.0, 1.0, 1.0), (39.9, 0.1, 20.0)])
def test_galaxies_that_are_all_in_one_sub_volume_have_no_error(place):
    """Though their clouds reach into its neighbours."""
    sample = catalogue(np.array([place, place]), np.array([1e9, 2e9]), L)
    assert np.all(np.isnan(power_spectrum(sample, grid_size=12)["power_error"]))

"""A cube out of a box: its power is the box's, convolved with the cube's window."""

import numpy as np
import pytest
from power_samples import gaussian, in_shells, wavenumbers

from mockgal.errors import BadValueError, UsageError
from mockgal.fields.assign import deposit
from mockgal.statistics.power.spectrum import power_of_field
from mockgal.statistics.power.subvolume import power_of_subcube

SIZE, SIDE, VOXEL = 40, 16, 1.25
BOX = SIZE * VOXEL


def in_wide_shells(values, size):
    """Mean over the waves of each shell [2 i, 2 i + 2) below the Nyquist wavenumber."""
    n = np.sqrt(sum(n**2 for n in wavenumbers(size)))
    return np.array([np.mean(values[(n >= i) & (n < i + 2)]) for i in range(2, size // 2 - 1, 2)])


def convolved(power):
    """Expected power of a cube of a field with these waves, by its correlation function.

    <abs(F)**2> is the transform of xi(r) times the number of pairs of voxels at r in the cube.
    """
    correlation = np.fft.fftn(power / BOX**3).real  # of voxels at r
    r = np.r_[0:SIDE, 0, 1 - SIDE : 0]  # the one in the middle has no pairs
    pairs = SIDE - np.abs(r)
    pairs[SIDE] = 0
    weighted = correlation[np.ix_(r, r, r)] * pairs[:, None, None] * pairs[:, None] * pairs
    return in_wide_shells(np.fft.fftn(weighted).real, 2 * SIDE) * VOXEL**3 / SIDE**3


def cubes(mass, number, generator):
    for start in generator.integers(0, SIZE, (number, 3)):
        yield np.roll(mass, -start, (0, 1, 2))[:SIDE, :SIDE, :SIDE]


@pytest.mark.slow
def test_cubes_of_a_gaussian_box():
    """Against the exact expectation to 3 standard errors, and against the box well within it."""
    generator, found, boxes = np.random.default_rng(1), [], []
    for seed in range(60):
        delta, power = gaussian(SIZE, BOX, lambda k, mu: 10 * k**-1.2, seed)
        boxes.append(power_of_field(1 + delta, BOX, assignment=None, jackknife=0)["power"])
        results = [
            power_of_subcube(5 * cube, VOXEL, 5.0, assignment=None, jackknife=0)
            for cube in cubes(1 + delta, 6, generator)
        ]
        found.append(np.mean([result["power"] for result in results], axis=0))  # of one box
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(error < 0.06 * mean)
    deviation = (mean - convolved(power)) / error
    assert np.all(np.abs(deviation) < 3)
    # Convolution with the window is seen in the first shells, and is small beyond.
    k, of_box = (
        results[0]["k"],
        2 * np.pi / BOX * in_shells(np.sqrt(sum(n**2 for n in wavenumbers(SIZE))), SIZE),
    )
    box = np.exp(np.interp(np.log(k), np.log(of_box), np.log(np.mean(boxes, axis=0))))
    np.testing.assert_allclose(mean[2:], box[2:], rtol=0.1)


def test_white_noise():
    """Has no scale, so that the window leaves its power: V variance / N**3 of the voxels."""
    generator, variance = np.random.default_rng(2), 0.25
    results = [
        power_of_subcube(
            1 + np.sqrt(variance) * generator.standard_normal((SIDE,) * 3),
            VOXEL,
            1.0,
            assignment=None,
            jackknife=0,
        )
        for _ in range(200)
    ]
    power = np.array([result["power"] for result in results])
    expected = variance * VOXEL**3
    scatter = power.std(axis=0, ddof=1)
    np.testing.assert_array_less(abs(power.mean(axis=0) - expected), 4 * scatter / np.sqrt(200))
    # The padded waves over 8 are about the independent ones.
    ratio = scatter / (expected / np.sqrt(results[0]["modes"]))
    assert np.all((ratio > 0.75) & (ratio < 1.15))


def test_shot_noise():
    generator, rows = np.random.default_rng(3), 4000
    position, mass = generator.random((rows, 3)) * 20.0, 10.0 ** generator.normal(10, 0.3, rows)
    grid = deposit(position, mass, grid_size=20, box_size=20.0, assignment="CIC")
    mean = mass.sum() / 20**3
    inside = np.all(position < 10.0, axis=1)
    options = {"assignment": "CIC", "sum_of_squares": np.sum(mass[inside] ** 2), "jackknife": 0}
    cube = grid[:10, :10, :10]
    result = power_of_subcube(cube, 1.0, mean, **options)
    expected = 10**3 * np.sum(mass[inside] ** 2) / (mean * 10**3) ** 2
    assert result.settings["shot_noise"] == pytest.approx(expected, rel=1e-12)
    error = result["shot_noise"] / np.sqrt(result["modes"])
    assert np.all(np.abs(result["power"] - result["shot_noise"]) < 4 * error)
    subtracted = power_of_subcube(cube, 1.0, mean, subtract_shot_noise=True, **options)
    assert np.array_equal(subtracted["power"], result["power"] - result["shot_noise"])


@pytest.mark.slow
def test_jackknife_is_near_the_scatter_of_cubes():
    """Of log-normal fields; their own means are part of both."""
    generator, power, errors = np.random.default_rng(4), [], []
    for seed in range(40):
        field = np.exp(gaussian(SIZE, BOX, lambda k, mu: 12 * k**-1.8, seed)[0])
        for i, cube in enumerate(cubes(field, 4, generator)):
            jackknife = 3 if i == 0 else 0
            result = power_of_subcube(
                cube, VOXEL, field.mean(), assignment=None, jackknife=jackknife
            )
            power.append(result["power"])
            if jackknife:
                errors.append(result["power_error"])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(power, axis=0, ddof=1)
    assert np.all((ratio > 0.5) & (ratio < 1.5))


@pytest.mark.parametrize("side", [7, 8])
def test_what_is_put_down(side):
    cube = np.random.default_rng(5).gamma(1.0, size=(side, side, side))
    result = power_of_subcube(cube, 0.5, 2.0, assignment="TSC")
    noted = result.settings
    assert noted["mean_density"] == pytest.approx(cube.mean() / 0.125)
    assert noted["mean_density_of_box"] == pytest.approx(16.0)
    assert noted["fundamental_h_per_mpc"] == pytest.approx(2 * np.pi / (side * 0.5))
    assert noted["nyquist_h_per_mpc"] == pytest.approx(np.pi / 0.5)
    edges = noted["fundamental_h_per_mpc"] * np.arange(1, len(result) + 2)
    assert np.all((result["k"] > edges[:-1]) & (result["k"] < edges[1:]))
    assert len(result) == side // 2 - 1
    assert edges[-1] <= noted["nyquist_h_per_mpc"] * (1 + 1e-12)
    assert result.error_degrees_of_freedom == 26
    single = power_of_subcube(cube.astype(np.float32), 0.5, 2.0, assignment="TSC")
    for name in result.columns:
        np.testing.assert_allclose(single[name], result[name], rtol=1e-3)


def test_a_cube_may_be_empty_but_not_the_box():
    result = power_of_subcube(np.zeros((6, 6, 6)), 1.0, 2.0, assignment=None)
    assert np.all(np.isfinite(result["power"]))
    assert result.settings["mean_density"] == 0.0
    with pytest.raises(BadValueError, match="mean of 0"):
        power_of_subcube(np.ones((6, 6, 6)), 1.0, 0.0, assignment=None)
    bad = np.ones((6, 6, 6))
    bad[0, 0, 0] = np.nan
    with pytest.raises(BadValueError, match="not numbers"):
        power_of_subcube(bad, 1.0, 1.0, assignment=None)
    with pytest.raises(UsageError, match="a cube"):
        power_of_subcube(np.ones((6, 6, 5)), 1.0, 1.0, assignment=None)
    with pytest.raises(UsageError, match="4 or more"):
        power_of_subcube(np.ones((3, 3, 3)), 1.0, 1.0, assignment=None)

"""Power spectra: the definition, cases that are known, symmetries, and Pylians' numbers."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from power_samples import catalogue, chi_square, gaussian, in_shells, powers, wavenumbers

from mockgal import read_measurement
from mockgal.errors import BadValueError, MockgalWarning, UsageError
from mockgal.fields.assign import deposit
from mockgal.fields.waves.fourier import axis_shot_noise, axis_window
from mockgal.fields.waves.interlaced import interlaced_deposit
from mockgal.statistics.power.spectrum import power_of_field, power_spectrum

REFERENCE = Path(__file__).parents[2] / "reference"
ORDERS = {"power": 0, "quadrupole": 2, "hexadecapole": 4}
L = 50.0


def field(size, seed=1):
    return np.random.default_rng(seed).gamma(2.0, size=(size, size, size))


def quick(mass, assignment=None, box_size=L, **options):
    return power_of_field(mass, box_size, assignment=assignment, jackknife=0, **options)


# ---- the definition


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("assignment", [None, "NGP", "CIC", "TSC", "PCS"])
@pytest.mark.parametrize("size", [15, 16])
def test_direct_sum(size, assignment, axis):
    mass = field(size)
    expected = powers(mass / mass.mean() - 1) * L**3
    if assignment:
        window = axis_window(size, assignment)
        expected /= (window[:, None, None] * window[:, None] * window) ** 2
    result = quick(mass, assignment, line_of_sight="xyz"[axis])
    assert len(result) == 7
    for name, order in ORDERS.items():
        np.testing.assert_allclose(
            result[name], in_shells(expected, size, order, axis), rtol=1e-11, atol=1e-9
        )
    n = np.sqrt(sum(n**2 for n in wavenumbers(size)))
    number = [np.sum((n >= i) & (n < i + 1)) for i in range(1, 8)]
    np.testing.assert_array_equal(2 * result["modes"], number)
    np.testing.assert_allclose(result["k"], 2 * np.pi / L * in_shells(n, size), rtol=1e-14)


@pytest.mark.parametrize("size", [4, 5, 6, 31, 64])
def test_numpy_gives_the_same(size):
    mass = field(size)
    expected = in_shells(np.abs(np.fft.fftn(mass / mass.mean()) / size**3) ** 2, size) * L**3
    result = quick(mass)
    assert len(result) == (size - 1) // 2
    np.testing.assert_allclose(result["power"], expected, rtol=1e-12)


def test_the_monopole_is_the_same_with_and_without_multipoles():
    mass = field(20)
    alone, first = quick(mass, "CIC"), quick(mass, "CIC", line_of_sight="y")
    assert alone.estimates == ("power",)
    assert np.array_equal(alone["power"], first["power"])


def test_single_precision():
    mass = field(24)
    single, double = quick(mass.astype(np.float32), "CIC"), quick(mass, "CIC")
    np.testing.assert_allclose(single["power"], double["power"], rtol=1e-5)
    assert single["power"].dtype == np.float64
    whole = np.random.default_rng(1).integers(0, 5, (12, 12, 12))
    assert np.array_equal(quick(whole)["power"], quick(whole.astype(float))["power"])


# ---- cases that are known


@pytest.mark.parametrize("wave", [(2, 0, 0), (0, 3, 1), (1, -2, 4)])
def test_one_wave(wave):
    """1 + A cos(k x) has abs(delta_k)**2 = A**2 / 4 at k and at -k, half of it for each."""
    size, amplitude = 12, 0.4
    x = 2 * np.pi * (np.indices((size, size, size)) + 0.5) / size
    result = quick(7.0 * (1 + amplitude * np.cos(np.tensordot(wave, x, 1))), line_of_sight="x")
    length = np.linalg.norm(wave)
    shell = int(length) - 1
    expected = np.zeros(5)
    expected[shell] = amplitude**2 / 4 * L**3 / result["modes"][shell]
    np.testing.assert_allclose(result["power"], expected, atol=1e-9)
    mu = wave[0] / length
    np.testing.assert_allclose(
        result["quadrupole"], expected * 5 * (3 * mu**2 - 1) / 2, rtol=1e-10, atol=1e-9
    )


def test_white_noise():
    """P = variance V / N**3, scattered as the mean of so many squares of complex numbers."""
    size, variance = 64, 0.09
    noise = np.random.default_rng(5).standard_normal((size, size, size))
    result = quick(1 + np.sqrt(variance) * noise)
    expected = variance * L**3 / size**3
    error = expected / np.sqrt(result["modes"])
    assert abs(chi_square(result["power"], expected, error)) < 4
    total = np.average(result["power"], weights=result["modes"])
    assert abs(total / expected - 1) < 4 / np.sqrt(result["modes"].sum())


def test_gaussian_field_has_the_spectrum_it_was_made_with():
    size = 64
    delta, power = gaussian(size, L, lambda k, mu: 30 * k**-1.5, seed=6)
    result = quick(1 + delta)
    expected = in_shells(power, size)
    np.testing.assert_allclose(expected[5:], 30 * result["k"][5:] ** -1.5, rtol=0.01)
    assert abs(chi_square(result["power"], expected, expected / np.sqrt(result["modes"]))) < 4
    measured = result["power_error"] / (expected / np.sqrt(result["modes"]))
    assert np.median(measured) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("axis", [0, 2])
def test_multipoles_of_kaiser(axis):
    """Kaiser 1987; Hamilton 1998, arXiv:astro-ph/9708102, section 5."""
    size, beta = 64, 0.6
    delta, power = gaussian(size, L, lambda k, mu: 20 * k**-1.2 * (1 + beta * mu**2) ** 2, 7, axis)
    result = quick(1 + delta, line_of_sight="xyz"[axis])
    ratios = {
        "power": 1 + 2 * beta / 3 + beta**2 / 5,
        "quadrupole": 4 * beta / 3 + 4 * beta**2 / 7,
        "hexadecapole": 8 * beta**2 / 35,
    }
    for name, order in ORDERS.items():
        expected = in_shells(power, size, order, axis)
        assert abs(chi_square(result[name], expected, result[name + "_error"])) < 4
        high = slice(7, None)
        ideal = ratios[name] * 20 * result["k"] ** -1.2
        assert abs(chi_square(result[name][high], ideal[high], result[name + "_error"][high])) < 4


def test_errors_of_multipoles_are_the_scatter():
    """Of Gaussian fields of an anisotropic spectrum: 300 give it to 4% per shell, 2% for five."""
    found = {name: [] for name in ORDERS}
    errors = {name: [] for name in ORDERS}
    for seed in range(300):
        delta, _ = gaussian(16, L, lambda k, mu: 20 / k * (1 + mu**2) ** 2, seed)
        result = quick(1 + delta, line_of_sight="z")
        for name in ORDERS:
            found[name].append(result[name])
            errors[name].append(result[name + "_error"])
    for name in ORDERS:
        scatter = np.std(found[name], axis=0, ddof=1)
        ratio = np.sqrt(np.mean(np.square(errors[name]), axis=0)) / scatter
        assert np.mean(ratio[2:]) == pytest.approx(1, abs=0.06)  # few waves mix multipoles


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("assignment", ["NGP", "CIC", "TSC", "PCS"])
def test_shot_noise_of_masses(assignment):
    """Points at random, with log-normal masses, at all k that the grid has."""
    generator = np.random.default_rng(8)
    rows, size = 20_000, 24
    mass = 10.0 ** generator.normal(10, 0.3, rows)
    galaxies = catalogue(generator.random((rows, 3)) * 100.0, mass)
    mass = galaxies["stellar_mass"].astype(float)
    options = {"grid_size": size, "assignment": assignment, "jackknife": 0, "interlacing": False}
    result = power_spectrum(galaxies, **options)
    shot = 100.0**3 * np.sum(mass**2) / np.sum(mass) ** 2
    assert shot > 1.5 * 100.0**3 / rows
    assert result.settings["shot_noise"] == pytest.approx(shot, rel=1e-12)
    window, images = axis_window(size, assignment), axis_shot_noise(size, assignment)
    of_axis = images / window**2
    product = of_axis[:, None, None] * of_axis[:, None] * of_axis
    expected = shot * in_shells(product, size)
    np.testing.assert_allclose(result["shot_noise"], expected, rtol=1e-12)
    error = expected / np.sqrt(result["modes"])
    assert abs(chi_square(result["power"], expected, error)) < 4
    subtracted = power_spectrum(galaxies, subtract_shot_noise=True, **options)
    assert abs(chi_square(subtracted["power"], 0.0, error)) < 4
    assert np.array_equal(subtracted["power"], result["power"] - result["shot_noise"])
    assert np.array_equal(subtracted["power_error"], result["power_error"])  # no jackknife
    seen = power_spectrum(galaxies, line_of_sight="z", **options)
    subtracted = power_spectrum(galaxies, line_of_sight="z", subtract_shot_noise=True, **options)
    for name in ("quadrupole", "hexadecapole"):
        error = seen[f"{name}_error"]
        assert abs(chi_square(subtracted[name], 0.0, error)) < 4, name
    if assignment == "CIC":  # the grid makes a hexadecapole of points at random
        assert abs(chi_square(seen["hexadecapole"], 0.0, error)) > 4
    number = power_spectrum(galaxies, weight="number", **options)
    assert number.settings["shot_noise"] == pytest.approx(100.0**3 / rows, rel=1e-12)
    assert number.settings["mean_density"] == pytest.approx(rows / 100.0**3, rel=1e-12)


@pytest.mark.parametrize("assignment", ["NGP", "CIC", "TSC", "PCS"])
def test_window_is_divided_out(assignment):
    """A wave carried by a fine lattice of points has the same power on any grid."""
    size, fine, amplitude = 12, 84, 0.5
    x = ((np.indices((fine, fine, fine)) + 0.5) / fine).reshape(3, -1).T
    weight = 1 + amplitude * np.cos(2 * np.pi * x @ [3, 2, 1])
    mass = deposit(x * L, weight, grid_size=size, box_size=L, assignment=assignment)
    result = quick(mass, assignment)
    expected = amplitude**2 / 4 * L**3 / result["modes"][2]
    assert result["power"][2] == pytest.approx(expected, rel=0.03)  # the lattice is not continuous
    assert quick(mass)["power"][2] < 0.8 * expected


def test_galaxies_in_redshift_space():
    """A velocity of (H(z) / (1 + z)) d moves a galaxy by d; the other axes stay."""
    generator = np.random.default_rng(9)
    position = generator.random((500, 3)) * 100.0
    still = catalogue(position, np.ones(500))
    factor = still.snapshot.cosmology.redshift_space_factor(0.5)
    moved = position.copy()
    moved[:, 1] = (moved[:, 1] + 30.0 * position[:, 0] / 100.0) % 100.0
    velocity = generator.standard_normal((500, 3)) * 300.0
    velocity[:, 1] = 30.0 * position[:, 0] / 100.0 / factor
    result = power_spectrum(
        catalogue(position, np.ones(500), velocity=velocity), grid_size=16, line_of_sight="y"
    )
    mass = interlaced_deposit(moved, np.ones(500), grid_size=16, box_size=100.0, assignment="PCS")
    expected = power_of_field(mass, 100.0, assignment="PCS", interlaced=True, line_of_sight="y")
    for name in ORDERS:
        np.testing.assert_allclose(result[name], expected[name], rtol=1e-7, atol=1e-6)
    assert result.settings["space"] == "redshift"
    assert result.settings["line_of_sight"] == "y"
    assert not np.allclose(result["power"], power_spectrum(still, grid_size=16)["power"])


# ---- images of the grid


def direct(position, mass, size, box_size=100.0):
    """P of each shell by sums over the points, without a grid."""
    n = np.rint(np.fft.fftfreq(size) * size)
    phases = [np.exp(-2j * np.pi * np.outer(n, position[:, i] / box_size)) for i in range(3)]
    waves = np.einsum("xp,yp,zp->xyz", phases[0] * mass, *phases[1:], optimize=True)
    return in_shells(np.abs(waves / mass.sum()) ** 2, size) * box_size**3


def samples(name):
    generator = np.random.default_rng(12)
    if name == "one galaxy":
        return generator.random((1, 3)) * 100.0, np.ones(1)
    if name == "in a voxel's middle":  # where all images are in phase
        return np.full((1, 3), 50.0 + 100.0 / 48), np.ones(1)
    position = generator.random((2000, 3)) * 100.0
    if name == "random":
        return position, np.ones(2000)
    if name == "massive":  # a few have all the power
        return position, 10.0 ** generator.normal(0, 1.2, 2000)
    scattered = position + 1.5 * generator.standard_normal((2000, 3))
    return np.concatenate([position, scattered]) % 100.0, np.ones(4000)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize(
    "name", ["one galaxy", "in a voxel's middle", "random", "massive", "pairs"]
)
def test_power_is_that_of_a_sum_over_galaxies_within_the_bounds(name):
    """At every k up to the Nyquist wavenumber, with every scheme."""
    size = 24
    position, mass = samples(name)
    expected = direct(position, mass, size)
    galaxies = catalogue(position, mass)
    off = {}
    for assignment in ("CIC", "TSC", "PCS"):
        for interlacing in (False, True):
            found = power_spectrum(
                galaxies,
                grid_size=size,
                assignment=assignment,
                interlacing=interlacing,
                jackknife=0,
            )
            error = np.abs(found["power"] / expected - 1.0)
            assert np.all(error < found["aliasing_bound"] * (1 + 1e-9) + 1e-7), (
                assignment,
                interlacing,
            )
            off[assignment, interlacing] = error.max()
    assert off["PCS", True] < 0.03 < 0.1 < off["CIC", False]


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.slow
def test_bias_is_bounded_and_the_bound_is_reached_by_white_noise():
    """The mean over places of the grid, of clustered points and of points at random."""
    size, found, expected = 16, {}, []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        position = generator.random((300, 3)) * 100.0
        expected.append(direct(position, np.ones(300), size))
        for key in (("PCS", True), ("CIC", True), ("CIC", False)):
            result = power_spectrum(
                catalogue(position, np.ones(300)),
                grid_size=size,
                assignment=key[0],
                interlacing=key[1],
                jackknife=0,
            )
            found.setdefault(key, []).append(result)
    for (assignment, interlacing), results in found.items():
        ratio = np.mean([r["power"] for r in results], axis=0) / np.mean(expected, axis=0) - 1.0
        bias = np.mean([r["aliasing_bias"] for r in results], axis=0)
        assert np.all(ratio[3:] < bias[3:] * 1.2 + 2e-3), assignment
        shot_noise = results[0]["shot_noise"] / results[0].settings["shot_noise"] - 1.0
        if not interlacing:  # what is known of white noise
            np.testing.assert_allclose(ratio[3:], shot_noise[3:], rtol=0.15, atol=3e-3)
            assert np.all(bias >= shot_noise)
        else:
            np.testing.assert_allclose(ratio, shot_noise, atol=4e-3)


@pytest.mark.parametrize("assignment", ["CIC", "PCS"])
def test_shot_noise_of_an_interlaced_grid_is_subtracted(assignment):
    generator = np.random.default_rng(8)
    galaxies = catalogue(generator.random((20_000, 3)) * 100.0, np.ones(20_000))
    options = {"grid_size": 24, "assignment": assignment, "jackknife": 0, "line_of_sight": "z"}
    found = power_spectrum(galaxies, subtract_shot_noise=True, **options)
    for name in ORDERS:
        assert abs(chi_square(found[name], 0.0, found[name + "_error"])) < 4, name


def test_aliasing_is_said(recwarn):
    position, mass = samples("pairs")
    galaxies = catalogue(position, mass)
    power_spectrum(galaxies, grid_size=16, jackknife=0)
    assert not recwarn.list
    with pytest.warns(MockgalWarning, match="images of the grid .*1%") as told:
        found = power_spectrum(
            galaxies, grid_size=16, assignment="CIC", interlacing=False, jackknife=0
        )
    first = found["k"][np.argmax(found["aliased"])]
    assert found.settings["aliased_from_h_per_mpc"] == first
    assert f"{first:.4g}" in str(told[0].message)
    assert np.array_equal(found["aliased"], found["aliasing_bias"] > 0.01)
    not_deposited = quick(field(12))
    assert "aliasing_bias" not in not_deposited.columns
    assert not_deposited.settings["aliasing"] == "not known"


def test_a_rising_spectrum_has_larger_bounds():
    """Beyond the grid, power may be as large as the largest at k or above."""
    delta, _ = gaussian(24, L, lambda k, mu: k**2, seed=3)
    rising = quick(1 + 0.01 * delta, "CIC")
    flat = quick(1 + 0.01 * gaussian(24, L, lambda k, mu: 1 + 0 * k, seed=3)[0], "CIC")
    ratio = rising["aliasing_bias"][1:6] / flat["aliasing_bias"][1:6]
    assert np.all(ratio > 3)


# ---- bins of the user's own


def test_linear_and_logarithmic_bins():
    mass, size = field(20), 20
    fundamental = 2 * np.pi / L
    delta = np.abs(np.fft.fftn(mass / mass.mean()) / size**3) ** 2 * L**3
    n = np.sqrt(sum(n**2 for n in wavenumbers(size)))
    cases = (
        ({"k_width": 2 * fundamental}, np.arange(1.0, 10.0, 2.0)),
        ({"k_min": 0.2, "k_max": 1.0, "k_width": 0.2}, np.arange(1, 6) * 0.2 / fundamental),
        ({"k_min": 0.3, "log_k_width": 0.1}, 0.3 * 10 ** np.arange(0, 0.7, 0.1) / fundamental),
        ({"k_max": 5 * fundamental}, np.arange(1.0, 5.5)),
    )
    for options, edges in cases:
        edges = np.round(edges, 9)
        result = quick(mass, line_of_sight="z", **options)
        np.testing.assert_allclose(result["k_low"], edges[:-1] * fundamental, rtol=1e-8)
        np.testing.assert_allclose(result["k_high"], edges[1:] * fundamental, rtol=1e-8)
        for i, (low, high) in enumerate(pairwise(edges)):
            inside = (n >= low) & (n < high) & (n > 0)
            assert 2 * result["modes"][i] == inside.sum()
            assert result["power"][i] == pytest.approx(delta[inside].mean(), rel=1e-10)
            assert result["k"][i] == pytest.approx(n[inside].mean() * fundamental, rel=1e-12)


def test_bins_without_waves_are_nan():
    result = quick(field(12), "PCS", k_min=0.01, log_k_width=0.05, sum_of_squares=1.0)
    none = result["modes"] == 0
    assert none.sum() > 10
    for name in ("k", "power", "power_error", "shot_noise"):
        assert np.array_equal(np.isnan(result[name]), none), name
    jackknifed = power_of_field(field(12), L, assignment="PCS", k_min=0.01, log_k_width=0.05)
    assert np.array_equal(np.isnan(jackknifed["power_error"]), none)
    result.to_ecsv()


def test_the_default_bins_can_be_asked_for():
    mass, width = field(16), 2 * np.pi / L
    asked = power_of_field(mass, L, assignment="PCS", k_min=width, k_max=8 * width, k_width=width)
    default = power_of_field(mass, L, assignment="PCS")
    for name in default.columns:
        np.testing.assert_allclose(asked[name], default[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"k_max": 3.0}, "a grid of 48"),
        ({"k_min": 0.5, "k_max": 0.4}, "below the last"),
        ({"k_min": 0.0}, "above 0"),
        ({"k_width": 0.1, "log_k_width": 0.1}, "leave one out"),
        ({"k_width": -0.1}, "positive width"),
        ({"k_width": 100.0}, "1 to 10000"),
        ({"k_width": 1e-9}, "1 to 10000"),
    ],
)
def test_bins_that_are_refused(options, match):
    with pytest.raises(UsageError, match=match):
        quick(field(16), **options)


def test_the_grid_that_is_named_as_the_way_out_is_one():
    quick(field(48), k_max=3.0)


# ---- another code


@pytest.mark.parametrize("case", range(4))
def test_pylians(case, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(REFERENCE), *sys.path])
    from pylians_power import field as reference_field

    stored = json.loads((REFERENCE / "pylians_power.json").read_text())
    numbers = stored["results"][case]
    mass = reference_field(numbers["size"])
    assert mass.sum() == numbers["total_mass"]
    result = quick(
        mass,
        None if numbers["assignment"] == "None" else numbers["assignment"],
        stored["box_size"],
        line_of_sight="xyz"[numbers["axis"]],
    )
    shells = slice(len(result))  # Pylians goes on to the corners of the grid
    np.testing.assert_allclose(result["k"], numbers["k"][shells], rtol=1e-12)
    np.testing.assert_array_equal(result["modes"], numbers["modes"][shells])
    np.testing.assert_allclose(result["power"], numbers["P0"][shells], rtol=1e-5)
    for name in ("quadrupole", "hexadecapole"):
        difference = result[name] - numbers[f"P{ORDERS[name]}"][shells]
        assert np.max(np.abs(difference) / result["power"]) < 1e-5


# ---- symmetries


@settings(max_examples=20)
@given(
    st.integers(4, 12),
    st.floats(1e-12, 1e12),
    st.floats(0.0, 3.0),
    st.tuples(*[st.integers(0, 12)] * 3),
)
def test_scaling_and_shifting(size, factor, amplitude, shift):
    """Scaling the mass changes nothing, scaling the overdensity squares, shifting does nothing."""
    delta = field(size) / 2.0
    delta -= delta.mean()
    first = quick(1 + delta, "CIC", line_of_sight="z")
    second = quick(
        factor * (1 + amplitude * np.roll(delta, shift, (0, 1, 2))), "CIC", line_of_sight="z"
    )
    for name in ORDERS:
        np.testing.assert_allclose(
            second[name],
            amplitude**2 * first[name],
            rtol=1e-9,
            atol=1e-10 * max(first["power"].max(), 1.0),
        )


@pytest.mark.parametrize("size", [14, 15])
def test_axes_can_be_exchanged_and_mirrored(size):
    mass = field(size)
    first = quick(mass, "TSC", line_of_sight="x")
    for other, sight in ((mass.transpose(2, 0, 1), "y"), (mass[::-1, :, ::-1], "x")):
        second = quick(other, "TSC", line_of_sight=sight)
        for name in ORDERS:
            np.testing.assert_allclose(second[name], first[name], rtol=1e-10, atol=1e-8)


def test_units_of_length():
    first, second = quick(field(10), box_size=10.0), quick(field(10), box_size=20.0)
    np.testing.assert_allclose(second["power"], 8 * first["power"], rtol=1e-13)
    np.testing.assert_allclose(second["k"], first["k"] / 2, rtol=1e-14)


def test_order_of_rows_and_number_of_threads_change_no_bit(monkeypatch):
    generator = np.random.default_rng(10)
    position, mass = generator.random((3000, 3)) * 100.0, 10.0 ** generator.normal(10, 0.5, 3000)
    results = []
    for threads, order in (("1", None), ("2", generator.permutation(3000)), ("5", None)):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        galaxies = catalogue(position, mass, order=order)
        results.append(power_spectrum(galaxies, grid_size=20, line_of_sight="z"))
    for result in results[1:]:
        for name in result.columns:
            assert np.array_equal(result[name], results[0][name]), name


# ---- what is refused, and what is put down


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers(value):
    mass = field(8)
    mass[1, 2, 3] = value
    with pytest.raises(BadValueError, match="mean of"):
        quick(mass)


def test_nothing_to_measure():
    with pytest.raises(BadValueError, match="mean of 0 per voxel"):
        quick(np.zeros((8, 8, 8)))
    for mass in (np.zeros(0), np.zeros(5)):
        none = catalogue(np.full((len(mass), 3), 0.5), mass)
        result = power_spectrum(none, grid_size=8, line_of_sight="z", subtract_shot_noise=True)
        for name in result.estimates:
            assert np.isnan(result[name]).all()
            assert np.isnan(result[f"{name}_error"]).all()
        assert result["modes"].min() > 0
        assert result.settings["mean_density"] == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"assignment": "cic"}, "one of NGP, CIC, TSC, PCS"),
        ({"jackknife": 1}, "sub-volumes along each side"),
        ({"jackknife": 9}, "at most one for each voxel"),
        ({"line_of_sight": "w"}, "x, y or z"),
        ({"subtract_shot_noise": True}, "sum of squared masses"),
        ({"box_size": 0.0}, "positive"),
        ({"box_size": np.nan}, "positive"),
        ({"mass_per_voxel": np.ones((8, 8, 7))}, "a cube"),
        ({"mass_per_voxel": np.ones((8, 8))}, "a cube"),
        ({"mass_per_voxel": np.ones((3, 3, 3))}, "4 or more"),
        ({"mass_per_voxel": np.ones((4, 4, 4), dtype=complex)}, "real numbers"),
    ],
)
def test_options_that_are_refused(change, match):
    options = {"mass_per_voxel": field(8), "box_size": L, "assignment": "CIC", **change}
    with pytest.raises(UsageError, match=match):
        power_of_field(**options)


def test_what_is_put_down(tmp_path):
    mass = field(12)
    kept = mass.copy()
    result = power_of_field(mass, L, assignment="CIC", line_of_sight="z", sum_of_squares=3.0)
    assert np.array_equal(mass, kept)
    noted = result.settings
    assert noted["fundamental_h_per_mpc"] == pytest.approx(2 * np.pi / L)
    assert noted["nyquist_h_per_mpc"] == pytest.approx(12 * np.pi / L)
    assert noted["mean_density"] == pytest.approx(mass.sum() / L**3)
    assert noted["errors"].startswith("jackknife over 27")
    assert noted["shot_noise_subtracted"] is False
    assert result.error_degrees_of_freedom == 26
    assert quick(mass).error_degrees_of_freedom == np.inf
    assert quick(mass).settings["shot_noise"] == "not known"
    assert "shot_noise" not in quick(mass).columns
    result.save(tmp_path / "power.ecsv")
    again = read_measurement(tmp_path / "power.ecsv")
    assert dict(again.settings) == dict(noted)
    for name in result.columns:
        np.testing.assert_array_equal(again[name], result[name])
    axes = result.plot()
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["Fundamental", "Nyquist", "Aliased"]


@pytest.mark.slow
def test_defaults_of_galaxies():
    generator = np.random.default_rng(11)
    galaxies = catalogue(generator.random((300, 3)) * 100.0, np.full(300, 1e10))
    result = power_spectrum(galaxies)
    assert {name: result.settings[name] for name in ("grid_size", "assignment", "weight")} == {
        "grid_size": 256,
        "assignment": "PCS",
        "weight": "stellar_mass",
    }
    assert result.settings["interlaced"] is True
    assert result.settings["aliased_from_h_per_mpc"] == "none"
    assert not result["aliased"].any()
    assert result["aliasing_bias"].max() < 1e-4
    assert result["aliasing_bound"].max() < 0.03
    assert result.settings["space"] == "real"
    assert result.settings["mean_density_unit"] == "Msun littleh2 / Mpc3"
    with pytest.raises(UsageError, match="weight"):
        power_spectrum(galaxies, weight="mass")

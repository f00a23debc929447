"""The bispectrum: against direct sums, analytic values, other codes, and its symmetries."""

import json
import math
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from bispectrum_samples import (
    FUNDAMENTAL,
    direct_triangles,
    filtered,
    gaussian_field,
    is_in,
    random_field,
    shell,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal import read_measurement
from mockgal.cosmology import Cosmology
from mockgal.errors import BadValueError, MockgalError, MockgalWarning, UsageError
from mockgal.fields.assign import deposit
from mockgal.fields.waves.fourier import axis_window
from mockgal.fields.waves.interlaced import interlaced_deposit
from mockgal.statistics.bispectrum.estimator import bispectrum, bispectrum_of_field
from mockgal.statistics.bispectrum.triangles import Triangles, grid_size_above
from mockgal.types import GalaxyCatalog, Snapshot

REFERENCE = Path(__file__).parents[2] / "reference"
ESTIMATES = ("bispectrum", "reduced_bispectrum")


def measured(field, k1=2.1, k2=2.8, angles=5, width=1.0, box_size=1.0, **options):
    """Wavenumbers in units of the fundamental; Gaussian errors."""
    unit = 2 * np.pi / box_size
    options = {"assignment": None, "jackknife": 0} | options
    return bispectrum_of_field(
        field,
        box_size,
        k1=k1 * unit,
        k2=k2 * unit,
        angles=angles,
        shell_width=width * unit,
        **options,
    )


def edges(k1, k2, k3, width=1.0):
    return [(round(k - width / 2, 9), round(k + width / 2, 9)) for k in (k1, k2, k3)]


class TestDirectSum:
    @pytest.mark.parametrize("size", [15, 16])
    @pytest.mark.parametrize(
        ("k1", "k2", "width"), [(2.1, 2.8, 1.0), (2.5, 2.5, 1.4), (1.4, 3.9, 1.0)]
    )
    def test_every_triangle_is_counted_once(self, size, k1, k2, width):
        field, box_size = random_field(size), 3.0
        found = measured(field, k1, k2, 5, width, box_size)
        unit = 2 * np.pi / box_size
        volume, delta = box_size**3, field / field.mean() - 1
        waves = np.fft.fftn(delta) / delta.size
        power = {}
        for k in (k1, k2, *found["k3"] / unit):
            some = shell(size, *edges(k, k, k, width)[0])
            power[k] = volume * np.mean(np.abs(waves[tuple(some.T)]) ** 2) if len(some) else np.nan
        assert found.settings["power_k1"] == pytest.approx(power[k1], rel=1e-10)
        assert found.settings["power_k2"] == pytest.approx(power[k2], rel=1e-10)
        filled = 0
        for j, k3 in enumerate(found["k3"] / unit):
            number, total = direct_triangles(delta, edges(k1, k2, k3, width))
            assert found["triangles"][j] == number
            np.testing.assert_allclose(found["power_k3"][j], power[k3], rtol=1e-10)
            if number == 0:
                assert np.isnan([found[name][j] for name in ESTIMATES]).all()
                continue
            value = volume**2 * total.real / number
            assert found["bispectrum"][j] == pytest.approx(value, rel=1e-10)
            below = power[k1] * power[k2] + (power[k1] + power[k2]) * power[k3]
            assert found["reduced_bispectrum"][j] == pytest.approx(value / below, rel=1e-10)
            filled += 1
        assert filled >= 4

    def test_single_precision_is_enough(self):
        field = random_field(24)
        double, single = measured(field), measured(field.astype(np.float32))
        for name in ESTIMATES:
            np.testing.assert_allclose(single[name], double[name], rtol=1e-4)


class TestAnalytic:
    @pytest.mark.parametrize("phase", [0.0, 0.7, 3.0])
    def test_three_waves_with_coupled_phases(self, phase):
        size, box_size, amplitude = 20, 5.0, (0.2, 0.3, 0.1)
        x = 2 * np.pi * np.stack(np.meshgrid(*[np.arange(size) / size] * 3, indexing="ij"), -1)
        first, second = np.array([2, 1, 0]), np.array([0, 2, 3])
        a, b, c = amplitude
        field = 1 + a * np.cos(x @ first) + b * np.cos(x @ second)
        field += c * np.cos(x @ (first + second) + phase)
        k1, k2, k3 = (np.linalg.norm(k) for k in (first, second, first + second))
        cosine = first @ second / (k1 * k2)
        angles = 19
        found = measured(field, k1, k2, angles, 0.4, box_size)
        j = round(math.acos(cosine) / np.pi * (angles - 1))
        assert abs(found["k3"][j] * box_size / (2 * np.pi) - k3) < 0.2  # in this shell
        # delta_k1 = a / 2 and so on: two triangles, (a b c / 8) exp(-i phase) and its conjugate
        expected = box_size**6 * a * b * c * math.cos(phase) / 4 / found["triangles"][j]
        assert found["bispectrum"][j] == pytest.approx(expected, rel=1e-10)
        far = np.abs(found["k3"] * box_size / (2 * np.pi) - k3) > 0.3
        assert np.nanmax(np.abs(found["bispectrum"][far])) < 1e-10 * abs(expected)

    @pytest.mark.slow
    def test_local_non_gaussianity_at_tree_level(self):
        """For delta + f delta**2, B = 2 f (P1 P2 + P2 P3 + P3 P1), so that Q = 2 f."""
        f, values = 0.5, []
        for seed in range(40):
            delta = 0.05 * gaussian_field(30, seed, slope=-2.0)
            # With f and -f the same Gaussian noise: half the difference has none.
            up, down = (measured(1 + delta + s * delta**2, 4, 5, 5) for s in (f, -f))
            values.append((up["reduced_bispectrum"] - down["reduced_bispectrum"]) / 2)
        mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / math.sqrt(40)
        assert error.max() < 0.05 * 2 * f
        assert np.all(np.abs(mean - 2 * f) < 3.5 * error + 0.01)


class TestGaussianFields:
    @pytest.mark.slow_but("3.2")
    @pytest.mark.parametrize(("k1", "k2", "theta"), [(3.2, 4.6, None), (4.2, 4.2, 2 * np.pi / 3)])
    @pytest.mark.slow
    def test_no_bispectrum_and_the_scatter_that_errors_say(self, k1, k2, theta):
        number = 200
        found = [measured(1 + 0.1 * gaussian_field(24, seed), k1, k2, 4) for seed in range(number)]
        if theta is not None:  # an equilateral one among them: all three shells are the same
            third = found[0]["k3"] / FUNDAMENTAL
            assert np.isclose(third, k1).sum() == 1
        for name in ESTIMATES:
            value = np.array([result[name] for result in found])
            error = np.array([result[name + "_error"] for result in found])
            value, error = value[:, found[0]["triangles"] > 0], error[:, found[0]["triangles"] > 0]
            pull = value / np.sqrt(np.mean(error**2, axis=0))
            assert np.abs(pull.mean(axis=0)).max() < 3.5 / math.sqrt(number)
            # The variance of `number` values has a relative scatter of sqrt(2 / number), and more
            # as few waves make no Gaussian of their product.
            assert np.abs(np.mean(pull**2, axis=0) - 1).max() < 4.0 * math.sqrt(2 / number)

    @pytest.mark.parametrize(
        "sides", [(2.0, 2.4, 2.9), (2.4, 2.4, 3.0), (2.4, 2.4, 2.4), (2, 4, 3)]
    )
    def test_ways_to_pair_sides_are_counted(self, sides):
        near = edges(*sides, width=1.1)
        triangles = Triangles(*np.array(near).T)
        first, second = shell(16, *near[0]), shell(16, *near[1])
        pairs = np.stack(np.broadcast_arrays(first[:, None], second), axis=-1)  # (a, b, xyz, 2)
        corners = np.concatenate([pairs, -pairs.sum(axis=-1, keepdims=True)], axis=-1)
        corners = np.moveaxis(corners, -1, 0)
        closed = is_in(corners[2], *near[2])
        inside = [[is_in(corner, *edge) for edge in near] for corner in corners]
        count = sum(
            np.sum(closed & np.all([inside[i][j] for j, i in enumerate(order)], axis=0))
            for order in permutations(range(3))
        )
        assert triangles.number[0] == closed.sum() > 0
        assert triangles.pairings[0] == pytest.approx(count / closed.sum(), rel=1e-12)

    def test_pairings_of_shells_apart_and_alike(self):
        low = np.array([3.0, 3.0, 3.0, 5.0])
        assert Triangles(low, low + 1).pairings.tolist() == [6.0, 2.0]
        low = np.array([3.0, 4.0, 5.0])
        assert Triangles(low, low + 1).pairings.tolist() == [1.0]


class TestGrid:
    """The product of two sides on the smallest grid, against three sides on the whole grid."""

    SIDES = edges(4.0, 5.5, 5.1)

    def product(self, size):
        """The sum over triangles, with products made on a grid of ``size``."""
        from mockgal.fields.waves.modes import low_waves

        triangles = Triangles(*np.array(self.SIDES).T)
        triangles.grid_size = size
        waves = low_waves(random_field(48) - 1, triangles.limit)
        sides = [triangles.side(waves, some) for some in triangles.shells[:2]]
        return triangles.in_third_shells(triangles.powers(triangles.product(*sides), waves))[0]

    def test_the_smallest_grid_is_enough_and_a_smaller_one_is_not(self):
        first, second, third = (filtered(random_field(48), *edge) for edge in self.SIDES)
        expected = np.mean(first * second * third)
        smallest = 4 + 5 + 5 + 1
        chosen = Triangles(*np.array(self.SIDES).T).grid_size
        assert smallest <= chosen <= smallest + 2
        for size in (smallest, smallest + 1, chosen, 48):
            assert self.product(size) == pytest.approx(expected, rel=1e-10), size
        assert self.product(smallest - 3) != pytest.approx(expected, rel=1e-3)

    def test_sizes_are_even_fast_and_above(self):
        assert [grid_size_above(n) for n in (1, 2, 17, 18, 168, 169)] == [2, 4, 18, 20, 180, 180]


class TestSymmetries:
    FIELD = random_field(20)
    FOUND = measured(FIELD)

    def close(self, found, rtol=1e-9):
        for name in (*ESTIMATES, "bispectrum_error", "power_k3"):
            np.testing.assert_allclose(found[name], self.FOUND[name], rtol=rtol)
        assert np.array_equal(found["triangles"], self.FOUND["triangles"])

    def test_sides_can_be_exchanged(self):
        self.close(measured(self.FIELD, 2.8, 2.1))

    @given(st.tuples(*[st.integers(-20, 20)] * 3), st.permutations(range(3)), st.booleans())
    @settings(max_examples=10)
    def test_moving_turning_and_mirroring_the_box(self, by, axes, mirror):
        field = np.roll(self.FIELD, by, axis=(0, 1, 2)).transpose(axes)
        self.close(measured(field[::-1] if mirror else field))

    @given(st.floats(-3, 3).filter(lambda a: abs(a) > 0.01), st.floats(0.1, 1e12))
    @settings(max_examples=10)
    def test_scaling(self, a, mean):
        delta = self.FIELD / self.FIELD.mean() - 1
        found = measured(mean * (1 + a * delta))
        np.testing.assert_allclose(found["bispectrum"], a**3 * self.FOUND["bispectrum"], rtol=1e-7)
        np.testing.assert_allclose(
            found["reduced_bispectrum"], self.FOUND["reduced_bispectrum"] / a, rtol=1e-7
        )

    def test_units_of_length(self):
        found = measured(self.FIELD, box_size=7.0)
        np.testing.assert_allclose(found["bispectrum"], 7.0**6 * self.FOUND["bispectrum"])
        np.testing.assert_allclose(found["k3"], self.FOUND["k3"] / 7.0)

    @pytest.mark.parametrize("jackknife", [0, 2])
    def test_threads_leave_no_trace(self, monkeypatch, jackknife):
        results = []
        for threads in ("1", "2", "5"):
            monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
            results.append(measured(self.FIELD, jackknife=jackknife).to_ecsv())
        assert results[0] == results[1] == results[2]


class TestShotNoise:
    @pytest.mark.slow_but("PCS")
    @pytest.mark.parametrize("assignment", ["CIC", "PCS"])
    def test_points_at_random_with_masses(self, assignment):
        """Points of masses from 1 to 3: the scatter is small enough to see each term."""
        before, after, reduced = [], [], []
        for seed in range(60):
            generator = np.random.default_rng(seed)
            position, mass = generator.random((150, 3)), generator.uniform(1, 3, 150)
            field = deposit(position, mass, grid_size=40, box_size=1.0, assignment=assignment)
            options = {"assignment": assignment, "sums_of_powers": (sum(mass**2), sum(mass**3))}
            results = [
                measured(field, 4, 5, 4, subtract_shot_noise=subtract, **options)
                for subtract in (False, True)
            ]
            before.append(results[0]["bispectrum"])
            after.append(results[1]["bispectrum"])
            reduced.append(results[0]["reduced_bispectrum"])
        settings = results[0].settings
        s2, s3 = settings["shot_noise_s2"], settings["shot_noise_s3"]
        assert s2 == pytest.approx(np.sum(mass**2) / mass.sum() ** 2, rel=1e-12)
        assert s3 == pytest.approx(np.sum(mass**3) / mass.sum() ** 3, rel=1e-12)
        error = np.std(after, axis=0, ddof=1) / math.sqrt(60)
        assert error.max() < 0.1 * s3
        assert np.all(np.abs(np.mean(after, axis=0)) < 3.5 * error + 0.02 * s3)
        assert np.all(np.mean(before, axis=0) > 0.9 * s3)
        # P is s2, so that Q is s3 / (3 s2**2)
        np.testing.assert_allclose(np.mean(reduced, axis=0), s3 / (3 * s2**2), rtol=0.1)

    @pytest.mark.slow
    def test_clustered_points(self):
        """Subtracting leaves the bispectrum of the density that points are drawn from."""
        differences, shot = [], []
        for seed in range(40):
            density = np.exp(gaussian_field(24, seed, slope=-2.0))
            counts = np.random.default_rng(seed + 1000).poisson(3000 * density / density.sum())
            sums = (counts.sum(), counts.sum())
            of_points = measured(counts, 3, 4, 4, sums_of_powers=sums, subtract_shot_noise=True)
            raw = measured(counts, 3, 4, 4)
            differences.append(of_points["bispectrum"] - measured(density, 3, 4, 4)["bispectrum"])
            shot.append(raw["bispectrum"] - of_points["bispectrum"])
        error = np.std(differences, axis=0, ddof=1) / math.sqrt(40)
        assert np.all(np.abs(np.mean(differences, axis=0)) < 3.5 * error)
        assert np.all(np.mean(shot, axis=0) > 5 * error)

    def test_it_has_the_units_of_the_bispectrum(self):
        """The same points in a box twice as wide: all lengths, k and powers of lengths follow."""
        field, sums = random_field(20), (3.0e5, 2.0e7)
        small, large = (
            bispectrum_of_field(
                field,
                size,
                assignment=None,
                k1=3 * 2 * np.pi / size,
                k2=4 * 2 * np.pi / size,
                angles=5,
                sums_of_powers=sums,
                subtract_shot_noise=True,
                jackknife=0,
            )
            for size in (10.0, 20.0)
        )
        assert abs(small.settings["shot_noise_s3"]) > 0
        for name, power in (("bispectrum", 6), ("bispectrum_error", 6), ("power_k3", 3)):
            np.testing.assert_allclose(large[name], small[name] * 2.0**power, rtol=1e-9)
        np.testing.assert_allclose(
            large["reduced_bispectrum"], small["reduced_bispectrum"], rtol=1e-9
        )

    def test_subtracting_what_is_not_known_is_refused(self):
        assert measured(random_field(20)).settings["shot_noise"] == "not known"
        with pytest.raises(UsageError, match="shot noise"):
            measured(random_field(20), subtract_shot_noise=True)


@pytest.mark.parametrize("assignment", ["NGP", "CIC", "TSC", "PCS"])
def test_the_window_is_divided_out(assignment):
    field = random_field(20)
    window = axis_window(20, assignment)
    waves = np.fft.fftn(field) * window[:, None, None] * window[:, None] * window
    found = measured(np.fft.ifftn(waves).real, assignment=assignment)
    for name in ESTIMATES:
        np.testing.assert_allclose(found[name], measured(field)[name], rtol=1e-9)


@pytest.fixture(scope="module")
def pylians():
    """The script that Pylians' numbers are from, and the numbers."""
    sys.path.insert(0, str(REFERENCE))
    try:
        import pylians_bispectrum as script
    finally:
        sys.path.remove(str(REFERENCE))
    return script, json.loads(script.HERE.read_text())


@pytest.mark.parametrize("case", ["scalene", "near isosceles"])
def test_pylians(pylians, case):
    """With its shells, k - k_F to k + k_F. It works in single precision."""
    script, numbers = pylians
    delta, theirs = script.field(), {key: np.array(v) for key, v in numbers[case].items()}
    assert int(delta.view(np.int32).astype(np.int64).sum()) == numbers["checksum"]
    k1, k2, angles = script.CASES[case]
    found = bispectrum_of_field(
        1.0 + delta.astype(float),
        script.BOX_SIZE,
        assignment="CIC",
        k1=k1,
        k2=k2,
        angles=angles,
        shell_width=4 * np.pi / script.BOX_SIZE,
        jackknife=0,
    )
    number, value, power = (found[name] for name in ("triangles", "bispectrum", "power_k3"))
    reduced = found["reduced_bispectrum"]
    if case == "near isosceles":
        # The shell of the last k3 reaches down to n = 0. Pylians counts that wave, whose value is
        # 0, and the triangles that it makes with each wave n1 = -n2.
        unit = 2 * np.pi / script.BOX_SIZE
        (_, high), first, second = ((k / unit - 1, k / unit + 1) for k in (found["k3"][-1], k1, k2))
        third = len(shell(script.SIZE, 0, high))
        number, value, power = number.copy(), value.copy(), power.copy()
        number[-1] += is_in(shell(script.SIZE, *first), *second).sum()
        value[-1] *= found["triangles"][-1] / number[-1]
        power[-1] *= third / (third + 1)
        p1, p2 = found.settings["power_k1"], found.settings["power_k2"]
        reduced = value / (p1 * p2 + (p1 + p2) * power)
    # Its transforms are normalised, so that the number is over the sixth power of the grid size.
    np.testing.assert_allclose(theirs["triangles"] * script.SIZE**6, number, rtol=1e-5)
    np.testing.assert_allclose(theirs["k"][2:], found["k3"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(theirs["Pk"][0], found.settings["power_k1"], rtol=1e-5)
    np.testing.assert_allclose(theirs["Pk"][1], found.settings["power_k2"], rtol=1e-5)
    np.testing.assert_allclose(theirs["Pk"][2:], power, rtol=1e-5)
    np.testing.assert_allclose(theirs["B"], value, rtol=1e-5)
    np.testing.assert_allclose(theirs["Q"], reduced, rtol=1e-5)


def catalogue(box_size=10.0, number=500, order=None):
    generator = np.random.default_rng(3)
    position = generator.random((number, 3)) * box_size
    position[::3] = position[0] + 0.2 * generator.standard_normal((len(position[::3]), 3))
    order = np.arange(number) if order is None else order
    columns = {f"position_{x}": position[order, i] % box_size for i, x in enumerate("xyz")}
    for x in "xyz":
        columns[f"velocity_{x}"] = (300 * generator.standard_normal(number))[order]
    columns["stellar_mass"] = (10 ** generator.uniform(8, 10, number)).astype(np.float32)[order]
    columns["galaxy_id"] = columns["halo_id"] = np.arange(number)  # keeps the order of rows
    columns["is_central"] = np.ones(number, dtype=bool)
    snapshot = Snapshot("made up", box_size, 0.5, Cosmology(0.7, 0.3, 0.7), 1e9, "none")
    return GalaxyCatalog(columns, snapshot, "box", {})


class TestCatalogue:
    def test_it_is_that_of_the_deposited_field(self, tmp_path):
        galaxies = catalogue()
        found = bispectrum(galaxies, jackknife=2)
        assert len(found) == 25
        assert found.settings["nyquist_h_per_mpc"] >= 7.0 / 0.75
        assert found.settings["grid_size"] <= 36
        mass = galaxies["stellar_mass"].astype(float)
        position = np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1)
        field = interlaced_deposit(
            position,
            mass,
            grid_size=found.settings["grid_size"],
            box_size=10.0,
            assignment="PCS",
        )
        same = bispectrum_of_field(field, 10.0, assignment="PCS", interlaced=True, jackknife=2)
        for name in (*ESTIMATES, "bispectrum_error", "reduced_bispectrum_error", "triangles"):
            np.testing.assert_allclose(found[name], same[name], rtol=1e-12)
        assert np.all(found["triangles"] > 0)
        found.save(tmp_path / "b.ecsv")
        assert read_measurement(tmp_path / "b.ecsv").to_ecsv() == found.to_ecsv()

    def test_options_change_what_they_say(self):
        galaxies = catalogue()
        options = {"angles": 4, "jackknife": 0}
        base = bispectrum(galaxies, **options)
        for change in (
            {"weight": "number"},
            {"line_of_sight": "y"},
            {"assignment": "TSC"},
            {"interlacing": False},
            {"grid_size": 28},
            {"subtract_shot_noise": True},
            {"shell_width": 1.0},
        ):
            found = bispectrum(galaxies, **options, **change)
            assert not np.allclose(found["bispectrum"], base["bispectrum"], rtol=1e-6), change
            ((name, value),) = change.items()
            name = {
                "line_of_sight": "line_of_sight",
                "subtract_shot_noise": "shot_noise_subtracted",
                "interlacing": "interlaced",
            }.get(name, "shell_width_h_per_mpc" if name == "shell_width" else name)
            assert found.settings[name] == value

    def test_finer_grids_agree(self):
        galaxies = catalogue()
        base = bispectrum(galaxies, angles=7, jackknife=0)
        fine = bispectrum(galaxies, angles=7, jackknife=0, grid_size=100, assignment="PCS")
        np.testing.assert_allclose(base["bispectrum"], fine["bispectrum"], rtol=3e-3)
        assert np.all(base["aliasing_bias"] < 1e-3)
        assert np.all(fine["aliasing_bound"] < base["aliasing_bound"])

    @pytest.mark.slow
    def test_in_a_large_box_the_sides_are_smaller_and_that_is_said(self):
        galaxies = catalogue(box_size=200.0)
        with pytest.warns(MockgalWarning, match=r"k1 = 1.723 and k2 = 2.298.*128 fundamentals"):
            found = bispectrum(galaxies, angles=2, jackknife=0)
        assert found.settings["k1_h_per_mpc"] == pytest.approx(1.7234, rel=1e-4)
        assert "128 fundamentals" in found.settings["sides"]
        assert (
            bispectrum(catalogue(), angles=2, jackknife=0).settings["sides"].startswith("3 and 4")
        )

    def test_the_order_of_rows_leaves_no_trace(self):
        order = np.random.default_rng(1).permutation(500)
        results = [
            bispectrum(catalogue(order=some), angles=4, jackknife=2) for some in (None, order)
        ]
        assert results[0].to_ecsv() == results[1].to_ecsv()

    def test_an_empty_catalogue_has_triangles_and_no_bispectrum(self):
        whole, none = (bispectrum(g) for g in (catalogue(), catalogue().take(slice(0, 0))))
        np.testing.assert_array_equal(none["triangles"], whole["triangles"])
        for name in none.estimates:
            assert np.isnan(none[name]).all()
            assert np.isnan(none[f"{name}_error"]).all()


def test_degenerate_triangles_and_empty_shells():
    found = measured(random_field(24), 3.0, 3.0, 9, width=0.5)
    assert found["k3"][-1] < 1e-12
    assert found["triangles"][-1] == 0  # a third side shorter than any wave
    assert found["triangles"][0] > 0  # flat, but shells have a width
    for name in (*ESTIMATES, "bispectrum_error", "reduced_bispectrum_error", "power_k3"):
        assert np.isnan(found[name][-1])
        assert np.isfinite(found[name][0])
    assert "NaN" not in json.dumps(dict(found.settings))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": -1.0}, "k1: found"),
        ({"k2": math.nan}, "k2: found nan"),
        ({"k1": 0.9}, "k1: found .* at least 6.283"),
        ({"width": 0.0}, "shell_width: found"),
        ({"k1": 2.1, "width": 0.01}, "no wave has k1"),
        ({"k1": 5.0, "k2": 4.6}, "Nyquist wavenumber of 20 voxels"),
        ({"k1": 1e9}, "Nyquist wavenumber"),
        ({"angles": 1}, "angles: found 1"),
        ({"angles": 10**9}, "angles: found"),
        ({"assignment": "cic"}, "assignment: found 'cic'"),
        ({"jackknife": 1}, "jackknife: found 1"),
        ({"box_size": -1.0}, "a size of -1"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        measured(random_field(20), **options)


def test_sides_up_to_the_nyquist_wavenumber_are_measured():
    found = measured(random_field(20), 4.5, 5.0, 3)  # the longest shell ends at 10
    assert np.all(found["triangles"][:2] > 0)


def test_fields_that_have_no_overdensity_are_refused():
    for field in (np.zeros((20,) * 3), -np.ones((20,) * 3), np.full((20,) * 3, np.nan)):
        with pytest.raises(BadValueError, match="mean"):
            measured(field)
    with pytest.raises(MockgalError, match="cube"):
        measured(np.ones((20, 20, 19)))


def test_a_uniform_field_has_none():
    found = measured(np.full((20,) * 3, 2.5))
    np.testing.assert_allclose(found["bispectrum"], 0.0, atol=1e-30)

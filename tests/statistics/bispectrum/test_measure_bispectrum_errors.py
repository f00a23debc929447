"""Jackknife errors of the bispectrum: what is left out, and the scatter between boxes."""

import numpy as np
import pytest
from bispectrum_samples import FUNDAMENTAL, gaussian_field, left_out_by_masks, random_field

from mockgal.fields.waves.fourier import axis_window
from mockgal.fields.waves.modes import components, low_waves
from mockgal.statistics.bispectrum.estimator import bispectrum_of_field
from mockgal.statistics.bispectrum.left_out import left_out_sums, times_along_axes
from mockgal.statistics.bispectrum.triangles import Triangles

ESTIMATES = ("bispectrum", "reduced_bispectrum")
OPTIONS = {"k1": 5 * FUNDAMENTAL, "k2": 6 * FUNDAMENTAL, "angles": 5}


@pytest.mark.parametrize(("size", "per_side"), [(24, 2), (25, 2), (20, 3)])
def test_what_is_left_is_what_masks_leave(size, per_side):
    edges = [(2.5, 3.5), (3.0, 4.0), (4.2, 5.2)]
    field, triangles = random_field(size), Triangles(*np.array(edges).T)
    waves = low_waves(field, triangles.limit)
    found = left_out_sums(field, waves, triangles, np.ones(len(waves)), per_side)
    expected = left_out_by_masks(field, edges, per_side)
    np.testing.assert_allclose(found.products[:, 0], expected, rtol=1e-9)
    assert np.std(expected) > 0.01 * np.abs(np.mean(expected))


def test_windows_of_sub_volumes_are_divided_out():
    """With a window on all waves, dividing it out changes what a sub-volume has, and the rest."""
    field, triangles = random_field(24), Triangles(np.array([2.5, 3, 4]), np.array([3.5, 4, 5]))
    gain = 1 / axis_window(24, "CIC")[components(triangles.limit)]
    plain = low_waves(field, triangles.limit)
    found = left_out_sums(field, times_along_axes(plain.copy(), [gain] * 3), triangles, gain, 2)
    doubled = left_out_sums(field, 2 * plain, triangles, np.cbrt(2) * np.ones(len(gain)), 2)
    bare = left_out_sums(field, plain, triangles, np.ones(len(gain)), 2)
    np.testing.assert_allclose(doubled.products, 8 * bare.products, rtol=1e-9)
    np.testing.assert_allclose(doubled.powers, 4 * bare.powers, rtol=1e-9)
    assert np.all(found.powers / bare.powers > 1.02)
    assert np.all(found.powers / bare.powers < gain.max() ** 6)


@pytest.fixture(scope="module")
def gaussian_boxes():
    """Gaussian fields, and the scatter of the bispectra of 200 of them, known to 5%."""
    fields = [1 + 0.1 * gaussian_field(28, seed) for seed in range(200)]
    found = [bispectrum_of_field(f, 1.0, assignment=None, jackknife=0, **OPTIONS) for f in fields]
    return fields, {name: np.std([f[name] for f in found], axis=0, ddof=1) for name in ESTIMATES}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("per_side", "boxes"), [(2, 30), pytest.param(3, 15, marks=pytest.mark.slow)]
)
def test_errors_are_the_scatter_between_gaussian_boxes(gaussian_boxes, per_side, boxes):
    """Within 10%, averaged over angles."""
    fields, scatter = gaussian_boxes
    options = OPTIONS | {"assignment": None, "jackknife": per_side}
    found = [bispectrum_of_field(field, 1.0, **options) for field in fields[:boxes]]
    for name in ESTIMATES:
        error = np.sqrt(np.mean([result[name + "_error"] ** 2 for result in found], axis=0))
        assert np.mean(error / scatter[name]) == pytest.approx(1.0, abs=0.1)
    words = f"jackknife over {per_side**3} cubic sub-volumes"
    assert found[0].settings["errors"].startswith(words)
    assert found[0].error_degrees_of_freedom == per_side**3 - 1


@pytest.mark.slow
def test_few_massive_points_make_more_than_gaussian_errors():
    """Of points with a wide range of masses, both errors against the scatter of 60 boxes."""
    value, jackknife, gaussian = [], [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        field = np.zeros((28,) * 3)
        place = tuple(generator.integers(0, 28, (3, 400)))
        np.add.at(field, place, 10 ** generator.normal(0, 0.3, 400))
        found = bispectrum_of_field(field, 1.0, assignment=None, jackknife=0, **OPTIONS)
        value.append(found["bispectrum"])
        gaussian.append(found["bispectrum_error"])
        if seed < 12:
            found = bispectrum_of_field(field, 1.0, assignment=None, **OPTIONS)
            jackknife.append(found["bispectrum_error"])
    scatter = np.std(value, axis=0, ddof=1)
    assert np.all(np.sqrt(np.mean(np.square(gaussian), axis=0)) < scatter / 2)
    ratio = np.sqrt(np.mean(np.square(jackknife), axis=0)) / scatter
    assert np.all((ratio > 0.6) & (ratio < 1.7))


def test_errors_where_one_place_has_all_the_power():
    """Without it, hardly any power is left to divide by."""
    generator = np.random.default_rng(2)
    field = 1 + 0.1 * generator.random((24,) * 3)
    field[3, 4, 5] += 1e4
    found = bispectrum_of_field(field, 1.0, assignment=None, **OPTIONS)
    assert np.all(found["bispectrum_error"] > 0.5 * found["bispectrum"])
    assert np.all(found["reduced_bispectrum_error"] < 2 * found["reduced_bispectrum"])


@pytest.mark.filterwarnings("error")
def test_a_single_point_has_no_jackknife_error():
    field = np.zeros((24,) * 3)
    field[3, 4, 5:7] = 0.1, 0.3
    found = bispectrum_of_field(field, 1.0, assignment=None, **OPTIONS)
    assert np.all(np.isfinite(found["bispectrum"]))
    for name in ESTIMATES:
        assert np.all(np.isnan(found[name + "_error"]))
    found.to_ecsv()

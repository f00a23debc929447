"""Waves of fields: windows against their definitions, transforms against the sum they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import BadValueError
from mockgal.fields.waves.fourier import axis_shot_noise, axis_window, check_mean, transform

SCHEMES = {"NGP": 1, "CIC": 2, "TSC": 3, "PCS": 4}


@pytest.mark.parametrize(("assignment", "power"), SCHEMES.items())
@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_window(assignment, power, size):
    window = axis_window(size, assignment)
    n = np.fft.fftfreq(size) * size
    assert window[0] == 1.0
    for found, wave in zip(window[1:], n[1:], strict=True):
        half = np.pi * wave / size
        assert found == pytest.approx((np.sin(half) / half) ** power, rel=1e-14)


@pytest.mark.parametrize("assignment", SCHEMES)
def test_window_is_the_transform_of_the_cloud(assignment):
    """The cloud, a top hat of one voxel convolved with itself, transformed by the midpoint rule."""
    steps, size = 2001, 8  # steps in a voxel
    cloud = np.ones(steps) / steps
    for _ in range(SCHEMES[assignment] - 1):
        cloud = np.convolve(cloud, np.ones(steps) / steps)
    x = (np.arange(len(cloud)) - (len(cloud) - 1) / 2) / steps
    waves = np.fft.fftfreq(size)
    expected = np.cos(2 * np.pi * waves[:, None] * x) @ cloud
    np.testing.assert_allclose(axis_window(size, assignment), expected, rtol=1e-5)


@pytest.mark.parametrize(("assignment", "power"), SCHEMES.items())
@pytest.mark.parametrize("size", [1, 7, 8])
def test_images_of_shot_noise(assignment, power, size):
    images = np.arange(-200_000 if power == 1 else -2000, 200_001 if power == 1 else 2001)
    expected = [np.sum(np.sinc(f + images) ** (2 * power)) for f in np.fft.fftfreq(size)]
    found = axis_shot_noise(size, assignment)
    np.testing.assert_allclose(found, expected, rtol=2e-6 if power == 1 else 1e-9)


def test_images_of_shot_noise_in_closed_form():
    """Jing 2005, equation 20."""
    s = np.sin(np.pi * np.fft.fftfreq(9)) ** 2
    np.testing.assert_allclose(axis_shot_noise(9, "NGP"), 1.0, rtol=1e-15)
    np.testing.assert_allclose(axis_shot_noise(9, "CIC"), 1 - 2 * s / 3, rtol=1e-14)
    np.testing.assert_allclose(axis_shot_noise(9, "TSC"), 1 - s + 2 * s**2 / 15, rtol=1e-14)


@pytest.mark.parametrize("size", [4, 5])
def test_transform_is_the_sum(size):
    field = np.random.default_rng(1).random((size, size, size))
    n = np.arange(size)
    wave = np.exp(-2j * np.pi * n[:, None] * n / size)
    expected = np.einsum("ia,jb,kc,abc->ijk", wave, wave, wave, field) / size**3
    found = transform(field)
    assert found.shape == (size, size, size // 2 + 1)
    np.testing.assert_allclose(found, expected[..., : size // 2 + 1], atol=1e-15)


def test_transform_keeps_the_precision_and_forgets_the_threads(monkeypatch):
    field = np.random.default_rng(2).random((15, 15, 15))
    results = []
    for threads in ("1", "2", "3", "7"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        results.append(transform(field))
        assert np.array_equal(results[0], results[-1])
    single = transform(field.astype(np.float32))
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, results[0], atol=1e-6)


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_mean_square_is_the_sum_of_powers(size, seed):
    field = np.random.default_rng(seed).standard_normal((size, size, size))
    powers = np.abs(transform(field)) ** 2
    both = np.full(powers.shape[2], 2.0)  # partners that are not in the transform
    both[0] = 1.0
    if size % 2 == 0:
        both[-1] = 1.0
    assert np.sum(powers * both) == pytest.approx(np.mean(field**2), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf])
def test_no_overdensity_without_a_mean(value):
    with pytest.raises(BadValueError, match="mean of"):
        check_mean(value)

"""Transforms without the short waves are those with them, and products are those of fields."""

import numpy as np
import pytest

from mockgal.fields.waves.fourier import transform
from mockgal.fields.waves.modes import along_first, components, low_waves, product_waves


def field(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def kept(waves, limit):
    some = components(limit)
    return waves[np.ix_(some, some, some[:limit])]


@pytest.mark.parametrize(("size", "limit"), [(8, 4), (9, 5), (12, 2), (13, 1), (21, 7)])
def test_low_waves_are_those_of_the_transform(size, limit):
    values = field((size,) * 3)
    waves = low_waves(values, limit)
    assert waves.shape == (2 * limit - 1, 2 * limit - 1, limit)
    np.testing.assert_allclose(waves, kept(transform(values), limit), rtol=0, atol=1e-15)
    single = low_waves(values.astype(np.float32), limit)
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, waves, rtol=0, atol=1e-6)


def test_a_block_lies_on_an_empty_grid():
    block = field((4, 7, 5))
    grid = np.zeros((11,) * 3)
    grid[:4, :7, :5] = block
    found = low_waves(block, 5, 11)
    np.testing.assert_allclose(found, kept(transform(grid), 5), rtol=0, atol=1e-16)


def test_products():
    """Of fields with components below 3 and 4: theirs are below 6, and right below 6 on 11."""
    first, second = (low_waves(field((9,) * 3, seed), limit) for seed, limit in ((1, 3), (2, 4)))

    def on_grid(waves, size):
        full = np.zeros((size, size, size // 2 + 1), dtype=complex)
        some = components(waves.shape[-1])
        full[np.ix_(some, some, some[: waves.shape[-1]])] = waves
        return np.fft.irfftn(full, s=(size,) * 3, axes=(0, 1, 2), norm="forward")

    expected = kept(transform(on_grid(first, 24) * on_grid(second, 24)), 6)
    for size in (11, 12, 30):
        found = product_waves(along_first(first, size), along_first(second, size), 6)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    mixed = product_waves(along_first(first, 10), along_first(second, 10), 5)
    assert np.abs(mixed - kept(expected, 5)).max() < 1e-15  # 4 + 2 + 3 < 10
    mixed = product_waves(along_first(first, 9), along_first(second, 9), 5)
    assert np.abs(mixed - kept(expected, 5)).max() > 1e-4


def test_the_long_waves_do_not_depend_on_threads(monkeypatch):
    values, results = field((24,) * 3).astype(np.float32), []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        waves = low_waves(values, 7)
        side = along_first(waves, 20)
        results.append((waves, product_waves(side, side, 7)))
    for waves, product in results[1:]:
        assert np.array_equal(waves, results[0][0])
        assert np.array_equal(product, results[0][1])

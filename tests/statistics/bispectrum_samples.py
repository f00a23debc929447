"""Fields to measure the bispectrum of, and slow ways to measure it."""

import math
from itertools import product

import numpy as np

FUNDAMENTAL = 2 * np.pi  # of a box of side 1, in which most tests are


def random_field(size, seed=0, skewed=0.4):
    """1 + an overdensity with power on all scales, and a bispectrum."""
    noise = np.random.default_rng(seed).standard_normal((size,) * 3)
    noise = 0.3 * noise + 0.2 * np.roll(noise, 1, 0) + 0.2 * np.roll(noise, 1, 1)
    return 1 + 0.3 * (noise + skewed * (noise**2 - np.mean(noise**2)))


def gaussian_field(size, seed, slope=-1.5):
    """An overdensity with power proportional to k**slope, of unit variance on average."""
    n = np.fft.fftfreq(size, 1 / size)
    length = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + np.fft.rfftfreq(size, 1 / size) ** 2)
    length[0, 0, 0] = np.inf
    waves = np.fft.rfftn(np.random.default_rng(seed).standard_normal((size,) * 3))
    field = np.fft.irfftn(waves * length ** (slope / 2), s=(size,) * 3, axes=(0, 1, 2))
    return field * math.sqrt(size**3 / np.sum(length**slope) / 2)


def shell(size, low, high):
    """All vectors of whole numbers with low <= abs(n) < high but 0, shape (any, 3)."""
    n = np.fft.fftfreq(size, 1 / size).astype(int)
    vectors = np.stack(np.meshgrid(n, n, n, indexing="ij"), axis=-1).reshape(-1, 3)
    length = np.sqrt(np.sum(vectors**2, axis=1))
    return vectors[(length >= low) & (length < high) & (length > 0)]


def is_in(vectors, low, high):
    length = np.sqrt(np.sum(vectors**2, axis=-1))
    return (length >= low) & (length < high) & (length > 0)


def direct_triangles(delta, edges):
    """Number of closed triangles, and the sum of their products, by a look at every pair.

    Parameters
    ----------
    delta : ndarray, shape (N, N, N)
    edges : three pairs, in fundamentals
    """
    size = len(delta)
    waves = np.fft.fftn(delta) / delta.size
    first, second = shell(size, *edges[0]), shell(size, *edges[1])
    third = -(first[:, None] + second)
    closed = is_in(third, *edges[2])
    a, b = waves[tuple(first.T)], waves[tuple(second.T)]
    c = waves[tuple(np.moveaxis(third % size, -1, 0))]
    return int(closed.sum()), complex(np.sum((a[:, None] * b * c)[closed]))


def filtered(delta, low, high):
    """The field of the waves in a shell."""
    n = np.fft.fftfreq(len(delta), 1 / len(delta))
    length = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2)
    inside = (length >= low) & (length < high) & (length > 0)
    return np.fft.ifftn(np.fft.fftn(delta) * inside).real


def left_out_by_masks(field, edges, per_side):
    """What the jackknife measures without each sub-volume, by products of three fields."""
    size, number = len(field), per_side**3
    cuts = [round(i * size / per_side) for i in range(1, per_side)]
    place = np.searchsorted(cuts, np.arange(size), side="right")
    weights = [
        1.0,
        1 - math.sqrt((number - 1) / (3 * (number - 3))),
        1 - math.sqrt(1 - (number - 1) / (3 * (number - 3))),
        0.0,
    ]
    found = []
    for corner in product(range(per_side), repeat=3):
        x, y, z = (place == i for i in corner)
        cut = x[:, None, None] & y[:, None] & z
        mean = field[~cut].mean()
        parts = [np.where(mask, field / mean - 1, 0) for mask in (~cut, cut)]
        sides = [[filtered(part, *edge) for part in parts] for edge in edges]
        total = sum(
            weights[i + j + k] * np.mean(sides[0][i] * sides[1][j] * sides[2][k])
            for i, j, k in product(range(2), repeat=3)
        )
        found.append(total * field.size / np.sum(~cut))
    return np.array(found)

"""Power by the definition, in NumPy alone, and fields of known spectra."""

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.types import GalaxyCatalog, Snapshot

LEGENDRE = {
    0: lambda mu: np.ones_like(mu),
    2: lambda mu: (3 * mu**2 - 1) / 2,
    4: lambda mu: (35 * mu**4 - 30 * mu**2 + 3) / 8,
}


def wavenumbers(size):
    """n of each wave of a full transform: three arrays."""
    n = np.rint(np.fft.fftfreq(size) * size)
    return np.meshgrid(n, n, n, indexing="ij")


def in_shells(values, size, order=0, axis=0):
    """(2 l + 1) <values L_l(mu)> over all waves of each shell [i, i + 1) below the Nyquist one."""
    n = wavenumbers(size)
    length = np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
    result = []
    for i in range(1, (size - 1) // 2 + 1):
        shell = (length >= i) & (length < i + 1)
        mu = n[axis][shell] / length[shell]
        result.append((2 * order + 1) * np.mean(values[shell] * LEGENDRE[order](mu)))
    return np.array(result)


def powers(delta):
    """abs(delta_k)**2 of each wave by explicit sums over voxel centres, shape (N, N, N)."""
    size = len(delta)
    n = np.rint(np.fft.fftfreq(size) * size)
    wave = np.exp(-2j * np.pi * n[:, None] * (np.arange(size) + 0.5) / size)
    return np.abs(np.einsum("ia,jb,kc,abc->ijk", wave, wave, wave, delta, optimize=True)) ** 2 / (
        size**6
    )


def gaussian(size, box_size, spectrum, seed, axis=2):
    """A Gaussian overdensity with power ``spectrum(k, mu)``, and the power of each of its waves."""
    n = wavenumbers(size)
    length = np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
    safe = np.where(length > 0, length, 1.0)
    power = np.where(length > 0, spectrum(2 * np.pi / box_size * safe, n[axis] / safe), 0.0)
    white = np.random.default_rng(seed).standard_normal((size, size, size))
    filtered = np.fft.fftn(white) * np.sqrt(power * size**3 / box_size**3)
    return np.fft.ifftn(filtered).real, power


def chi_square(found, expected, error):
    """Sum of squared deviations, and its deviation from its mean in standard deviations."""
    total = np.sum(((found - expected) / error) ** 2)
    return (total - len(found)) / np.sqrt(2 * len(found))


def catalogue(position, mass, box_size=100.0, velocity=None, order=None):
    """Galaxies at these places."""
    rows = len(position)
    columns = {
        "galaxy_id": np.arange(rows),
        "halo_id": np.arange(rows) // 3,
        "is_central": np.arange(rows) % 3 == 0,
        "stellar_mass": mass,
    }
    velocity = np.zeros((rows, 3)) if velocity is None else velocity
    for i, x in enumerate("xyz"):
        columns[f"position_{x}"] = position[:, i]
        columns[f"velocity_{x}"] = velocity[:, i]
    if order is not None:
        columns = {name: values[order] for name, values in columns.items()}
    snapshot = Snapshot("test", box_size, 0.5, Cosmology(0.7, 0.3, 0.7), 1e9, "none")
    return GalaxyCatalog(columns, snapshot, "box", {})

"""The particle-mesh run against what is known of it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from mockgal.errors import UsageError
from mockgal.fields.assign import deposit
from mockgal.theory.linear import Growth, linear_power
from mockgal.universe.gravity import evolve, potential
from mockgal.universe.initial import (
    Particles,
    displaced_lattice,
    linear_overdensity,
    wavevectors,
)
from mockgal.universe.make import COSMOLOGY


def apart(x, y, box):
    return (x - y + box / 2) % box - box / 2


def some(number, box, seed=1):
    return np.random.default_rng(seed).random((number, 3)) * box


@pytest.mark.parametrize("axis", [0, 2])
def test_plane_wave_before_it_crosses(axis):
    """Zel'dovich 1970 is exact in one dimension: x = q + D s(q), with momentum in proportion."""
    side, box, steepest = 32, 10.0, 0.8  # 1 where shells cross
    k, growth = 2 * np.pi / box, Growth(COSMOLOGY)
    q = np.stack(np.meshgrid(*[(np.arange(side) + 0.5) * box / side] * 3, indexing="ij"), -1)
    q = q.reshape(-1, 3)
    s = np.zeros_like(q)
    s[:, axis] = -steepest / k * np.sin(k * q[:, axis])
    a = 0.1
    start = Particles(
        np.mod(q + growth.factor(a) * s, box), np.ascontiguousarray(growth.momentum(a) * s)
    )
    end = evolve(
        start,
        cosmology=COSMOLOGY,
        redshifts=(1 / a - 1, 0.0),
        steps=10,
        mesh_size=64,
        box_size=box,
    )
    largest = np.abs(s).max()
    assert np.abs(apart(end.position, q + s, box)).max() < 0.01 * largest
    assert np.abs(end.momentum - growth.momentum(1.0) * s).max() < 0.02 * largest


def test_waves_grow_as_linear_theory_says():
    """Mode by mode, of the same phases, where amplitudes are so low that nothing else happens."""
    box, side = 60.0, 32
    cosmology = replace(COSMOLOGY, sigma_8=0.02)
    waves = linear_overdensity(linear_power(cosmology), side=side, box_size=box, seed=1)
    start = displaced_lattice(waves, box_size=box, cosmology=cosmology, redshift=19.0)
    end = evolve(
        start, cosmology=cosmology, redshifts=(19.0, 0.0), steps=5, mesh_size=64, box_size=box
    )
    # Both lattices of voxels begin half a voxel from the origin, which is another phase for each.
    k = wavevectors(64, box)
    field = fft.rfftn(deposit(end.position, 64**3 / side**3, grid_size=64, box_size=box))
    field *= np.exp(-0.5j * sum(k) * box / 64) / 64**3
    low = np.ix_([0, 1, -1], [0, 1, -1], [0, 1])
    wanted = (waves * np.exp(-0.5j * sum(wavevectors(side, box)) * box / side))[low]
    got, power = field[low], np.vdot(wanted, wanted).real
    assert np.vdot(wanted, got) / power == pytest.approx(1.0, abs=0.01)
    assert np.linalg.norm(got.ravel()[1:] - wanted.ravel()[1:]) < 0.02 * np.sqrt(power)


def test_momentum_is_conserved():
    box = 10.0
    start = Particles(some(5000, box), np.zeros((5000, 3)))
    end = evolve(
        start, cosmology=COSMOLOGY, redshifts=(4.0, 0.0), steps=5, mesh_size=32, box_size=box
    )
    assert end.momentum.std() > 0.01
    assert np.abs(end.momentum.sum(axis=0)).max() < 1e-11 * np.abs(end.momentum).sum()


def test_threads_and_order_do_not_matter(monkeypatch):
    from mockgal.universe import gravity

    monkeypatch.setattr(gravity, "_PART_ROWS", 1000)
    box = 10.0
    start = Particles(some(5000, box), some(5000, 0.1, seed=2) - 0.05)
    kwargs = {"cosmology": COSMOLOGY, "redshifts": (4.0, 0.0), "steps": 3, "mesh_size": 32}
    found = []
    for number in ("1", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", number)
        found.append(evolve(start, box_size=box, **kwargs))
    order = np.random.default_rng(3).permutation(5000)
    moved = Particles(start.position[order], start.momentum[order])
    found.append(evolve(moved, box_size=box, **kwargs))
    for name in ("position", "momentum"):
        first = getattr(found[0], name)
        assert np.array_equal(getattr(found[1], name), first)
        assert np.array_equal(getattr(found[2], name), first[order])
    assert not np.array_equal(found[0].position, start.position)


def test_moved_by_whole_voxels():
    box, size = 8.0, 16
    start = Particles(some(2000, box), np.zeros((2000, 3)))
    shift = np.array([3, 0, 11]) * box / size
    other = Particles(np.mod(start.position + shift, box), start.momentum)
    kwargs = {"cosmology": COSMOLOGY, "redshifts": (4.0, 1.0), "steps": 2, "mesh_size": size}
    a, b = evolve(start, box_size=box, **kwargs), evolve(other, box_size=box, **kwargs)
    assert np.abs(apart(b.position, a.position + shift, box)).max() < 1e-10


def test_potential_obeys_the_equation():
    """Its Laplacian, in Fourier space, is 3/2 Omega_m delta; a wave of one voxel more or less."""
    box, size, omega = 5.0, 16, 0.3
    position = some(3000, box)
    field = potential(position, mesh_size=size, box_size=box, omega_m=omega)
    square = sum(k**2 for k in wavevectors(size, box))
    got = fft.irfftn(-square * fft.rfftn(field), s=field.shape)
    delta = deposit(position, size**3 / 3000, grid_size=size, box_size=box) - 1
    assert np.allclose(got, 1.5 * omega * delta, atol=1e-9)


def test_kick_is_the_naive_one():
    from mockgal.universe import gravity_kernels as kernels

    box, size, duration = 5.0, 12, 0.7
    position = np.concatenate([some(500, box), [[0, 0, 0], np.nextafter([box] * 3, 0)]])
    field = np.random.default_rng(2).normal(size=(size,) * 3)
    momentum = np.zeros_like(position)
    kernels.kick(position, momentum, field, box, duration)
    voxel = box / size
    u = position / voxel - 0.5
    first = np.floor(u).astype(int)
    for axis in range(3):

        def step(n, axis=axis):
            return np.roll(field, -n, axis)

        slope = (8 * (step(1) - step(-1)) - (step(2) - step(-2))) / (12 * voxel)
        naive, read = np.zeros(len(position)), np.empty(len(position))
        for corner in np.ndindex(2, 2, 2):
            share = np.prod(np.where(corner, u - first, 1 - (u - first)), axis=1)
            naive += share * slope[tuple(((first + corner) % size).T)]
        assert np.allclose(momentum[:, axis], -duration * naive, atol=1e-10)
        kernels.interpolate(position, slope, box, read)
        assert np.allclose(read, naive, atol=1e-10)


def test_drift_stays_in_the_box():
    from mockgal.universe import gravity_kernels as kernels

    position = np.array([[0.0, 1.0, 9.9], [1e-18, 5.0, 0.2]])
    momentum = np.array([[-1e-17, 0.5, 0.2], [-1e-17, -26.0, 0.0]])
    kernels.drift(position, momentum, 10.0, 1.0)
    assert np.allclose(position, [[0, 1.5, 0.1], [0, 9.0, 0.2]])
    assert position.min() >= 0
    assert position.max() < 10


@pytest.mark.parametrize("changes", [{"redshifts": (0.0, 1.0)}, {"steps": 0}])
def test_impossible_times(changes):
    kwargs = {"redshifts": (1.0, 0.0), "steps": 1, "mesh_size": 8, "cosmology": COSMOLOGY}
    with pytest.raises(UsageError, match="lower redshift"):
        evolve(Particles(*[np.zeros((1, 3))] * 2), box_size=1.0, **(kwargs | changes))

"""Missing pieces of a box are told from the voids of clustered halos."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import mockgal
from mockgal.errors import IncompleteSetError
from mockgal.readers.checks.regions import empty_region

GADGET = Path(__file__).parents[4] / "shared/data/gadget4"
CAMELS = Path(__file__).parents[4] / "shared/data/camels-astrid/astrid_sb7_300.hdf5"
needs = pytest.mark.skipif(not CAMELS.is_file(), reason="the shared simulations are not here")


def uniform(n, seed=1):
    return np.random.default_rng(seed).uniform(size=(n, 3))


def clustered(n, seed=1, per_group=8, width=0.03):
    """Points in groups, in a box of side 1: empty regions are common."""
    rng = np.random.default_rng(seed)
    groups = rng.uniform(size=(n // per_group, 3))
    return (groups[rng.integers(len(groups), size=n)] + width * rng.normal(size=(n, 3))) % 1.0


HOLES = {
    "column along z": lambda x: (x[:, 0] < 0.25) & (x[:, 1] < 0.25),
    "column along y": lambda x: (np.abs(x[:, 0] - 0.5) < 0.15) & (np.abs(x[:, 2] - 0.37) < 0.15),
    "slab along x": lambda x: np.abs(x[:, 0] - 0.31) < 0.06,
    "slab along z": lambda x: x[:, 2] > 0.95,
    "octant": lambda x: (x < 0.5).all(axis=1),
    "cube": lambda x: (np.abs(x - 0.3) < 0.13).all(axis=1),
}


@pytest.mark.fault(45)
@pytest.mark.parametrize("make", [uniform, clustered])
@pytest.mark.parametrize("hole", HOLES)
def test_what_is_missing_is_found(make, hole):
    position = make(8000 if hole != "cube" else 40_000) * 50.0
    assert empty_region(position, 50.0) is None
    found = empty_region(position[~HOLES[hole](position / 50.0)], 50.0)
    assert found is not None
    if hole != "octant":  # of which smaller cubes are as unlikely
        assert found.what.startswith(hole)
    assert 0 < found.number < found.regions


def test_around_the_edge():
    """A slab across the edge of the box: the region that is named goes on at 0."""
    position = uniform(4000)
    gone = (position[:, 1] > 0.93) | (position[:, 1] < 0.07)
    found = empty_region(position[~gone] * 80.0, 80.0)
    assert found is not None
    assert found.what.startswith("slab along y, y from 7")


@pytest.mark.parametrize("n", [0, 1, 5, 30, 100, 400, 1500, 5000])
def test_voids_are_not_refused(n):
    for seed in range(20):
        assert empty_region(uniform(n, seed), 1.0) is None
        for per_group, width in ((3, 0.05), (6, 0.1)):
            if n >= per_group:
                assert empty_region(clustered(n, seed, per_group, width), 1.0) is None


def test_many_halos_at_one_point():
    position = np.concatenate([uniform(400), np.full((300, 3), 0.3)])
    assert empty_region(position, 1.0) is None
    assert empty_region(position[(position[:, 0] > 0.5) | (position[:, 1] > 0.5)], 1.0) is not None


@pytest.mark.real_data
@needs
@pytest.mark.parametrize("run", ["dark/groups_000", "dark/groups_002", "hydro/groups_001"])
def test_pieces_of_a_real_box(run, tmp_path):
    """371 to 624 hosts in 16 Mpc/h, with voids of their own."""
    scene = mockgal.read(GADGET / run)
    hosts = scene.halos["position"][scene.halos["is_central"]]
    for axis in range(3):
        x, y = hosts[:, axis], hosts[:, axis - 1]
        for gone in ((x > 6) & (x < 10), x < 8, (x < 8) & (y < 8), (x > 4) & (x < 12) & (y > 8)):
            assert empty_region(hosts[~gone], 16.0) is not None


@pytest.mark.real_data
@needs
def test_real_boxes_are_whole():
    """CAMELS, 25 Mpc/h: every tenth of 300 cosmologies, thinned down by mass and at random."""
    rng = np.random.default_rng(1)
    with h5py.File(CAMELS) as file:
        for name in list(file)[::10]:
            box = file[name]
            central = box["is_central"][:] > 0
            position = np.stack([box[f"pos_{x}"][:] for x in "xyz"], axis=1)[central] / 1e3 % 25.0
            order = np.argsort(-box["Mt"][:][central])
            for share in (1.0, 0.5, 0.2, 0.05):
                n = int(share * len(order))
                for rows in (order[:n], rng.permutation(len(order))[:n]):
                    assert empty_region(position[rows], 25.0) is None, (name, share)


@pytest.mark.fault(45)
def test_a_missing_column_is_refused_and_may_be_allowed(tmp_path, demo_bundle):
    scene = mockgal.read(demo_bundle)
    side, position = scene.snapshot.box_size, scene.halos["position"]
    host = position[scene.halos.host_row]
    kept = ~((host[:, 0] < side / 2) & (host[:, 1] > side / 2))
    assert kept.sum() > 100
    from halotools_samples import columns, facts, write_table

    path = tmp_path / "t.hdf5"
    write_table(path, {n: v[kept] for n, v in columns(scene).items()}, facts(scene))
    with pytest.raises(IncompleteSetError, match=r"column along z, x from 0 .*missing subvolume"):
        mockgal.read(path)
    read = mockgal.read(path, allow_empty_regions=True)
    assert read.halos.record["empty_regions"] > 0
    assert read.snapshot.record["options_given"] == {"allow_empty_regions": True}

"""A simulation and its bundle are painted the same, to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from cnn_samples import sample_weights

import mockgal
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.readers.particle_stream import rounded
from mockgal.testing.subfind import write_gadget4

GADGET4 = Path(__file__).parents[3] / "shared/data/gadget4/dark/groups_002"
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def places(scene):
    return np.concatenate([chunk.position for chunk in scene.particles.chunks(1000)])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_made_up_files(tmp_path, dtype):
    """Whatever type the files have: a float32 in kpc/h is no float32 in Mpc/h."""
    folder = write_gadget4(tmp_path / "run", groups=120, side=24, dtype=dtype)
    sim = mockgal.read(folder)
    mockgal.pack(folder, tmp_path / "run.hdf5")
    packed = mockgal.read(tmp_path / "run.hdf5")
    assert np.array_equal(places(sim), places(packed))
    domain = {"voxel_size": 1.0, "particle_mass": sim.snapshot.particle_mass}
    cnn = CNNPainter(sample_weights(domain=domain), allow_extrapolation=True, tile_size=32)
    first, second = (cnn.predict(scene) for scene in (sim, packed))
    assert np.ptp(first.location) > 0.1
    assert np.array_equal(first.location, second.location)
    assert sim.halos.digest() == packed.halos.digest()  # all that the HOD sees


def test_places_next_to_the_far_edge_are_at_the_near_one():
    for box_size in (75.0, 16.0, 100.1, 0.1 + 0.2):
        below = np.nextafter(np.float32(box_size), np.float32(0)).astype(np.float64)
        position = np.array([[np.nextafter(box_size, 0), below, 0.0]])
        assert rounded(position, box_size) == 1
        assert position.tolist() == [[0.0, below, 0.0]]


@pytest.mark.real_data
@pytest.mark.parametrize("painter", ["hod", "cnn"])
@pytest.mark.slow_but("hod")
def test_a_real_run(tmp_path, painter):
    if not GADGET4.is_dir():
        pytest.skip("no Gadget-4 run")
    mockgal.pack(GADGET4, tmp_path / "dark.hdf5")
    first, second = (
        mockgal.paint(mockgal.read(path), painter, seed=1)
        for path in (GADGET4, tmp_path / "dark.hdf5")
    )
    assert first.digest() == second.digest()

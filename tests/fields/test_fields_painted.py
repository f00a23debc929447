"""The painted field: made plane by plane, the same bits as the whole."""

from dataclasses import replace

import numpy as np
import pytest

from mockgal.cosmology import Cosmology
from mockgal.errors import BadValueError, UsageError
from mockgal.fields.assign import SUPPORT, deposit
from mockgal.fields.painted import painted_field
from mockgal.types import GalaxyCatalog, Snapshot

BOX = 30.0


def catalogue(n, seed=1, **changes):
    rng = np.random.default_rng(seed)
    columns = {
        "galaxy_id": np.arange(n),
        "halo_id": np.arange(n),
        **{f"position_{axis}": rng.random(n) * BOX for axis in "xyz"},
        "stellar_mass": 10 ** rng.uniform(7, 12, n),
        **changes,
    }
    snapshot = Snapshot("made up", BOX, 0.0, Cosmology(0.7, 0.3, 0.7), None, "none")
    return GalaxyCatalog(columns, snapshot, "box", {})


@pytest.mark.parametrize("assignment", sorted(SUPPORT))
@pytest.mark.parametrize("size", [4, 13, 32])
@pytest.mark.parametrize("weight", ["stellar_mass", "number"])
def test_slabs_are_those_of_the_whole(assignment, size, weight):
    galaxies = catalogue(800)
    field = painted_field(galaxies, grid_size=size, assignment=assignment, weight=weight)
    position = np.stack([galaxies[f"position_{axis}"] for axis in "xyz"], axis=1)
    mass = galaxies["stellar_mass"] if weight == "stellar_mass" else 1.0
    whole = deposit(position, mass, grid_size=size, box_size=BOX, assignment=assignment)
    for step in (1, 3, size):
        for start in range(0, size, step):
            stop = min(start + step, size)
            np.testing.assert_array_equal(field.read_slab(start, stop), whole[start:stop])
    assert (field.grid_size, field.voxel_size) == (size, BOX / size)
    assert (field.assignment, field.origin) == (assignment, "corner")
    assert field.kind == {"stellar_mass": "mass", "number": "counts"}[weight]
    assert whole.sum() == pytest.approx(np.sum(mass * np.ones(800), dtype=float), rel=1e-13)


def test_no_galaxies():
    assert not painted_field(catalogue(0), grid_size=8).read_slab(2, 5).any()


def test_refusals():
    galaxies = catalogue(10)
    with pytest.raises(UsageError, match="frame 'sky'"):
        painted_field(replace(galaxies, frame="sky"), grid_size=8)
    with pytest.raises(UsageError, match=r"'mass'.*stellar_mass, number"):
        painted_field(galaxies, grid_size=8, weight="mass")
    with pytest.raises(UsageError, match=r"at least 2"):
        painted_field(galaxies, grid_size=1)
    outside = catalogue(10, position_y=np.full(10, BOX))
    with pytest.raises(BadValueError, match="10 impossible values"):
        painted_field(outside, grid_size=8)
    with pytest.raises(BadValueError, match="10 that are negative"):
        painted_field(catalogue(10, stellar_mass=np.full(10, -1.0)), grid_size=8)

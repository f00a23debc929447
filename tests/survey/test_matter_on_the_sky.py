"""Matter behind the galaxies that formed in it: on the sky the two agree cell by cell."""

import numpy as np
import pytest

import mockgal
from mockgal.errors import BadValueError
from mockgal.survey.cone.points import points_in_box
from mockgal.survey.footprint import SkyBox
from mockgal.survey.light_cone import light_cone
from mockgal.theory.distances import distances

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
BANDS, AROUND, SHELLS = 6, 12, 3
SKY = SkyBox((0.0, 360.0), (-60.0, 60.0))


@pytest.fixture(scope="module")
def demo(demo_bundle):
    """The demo's simulation, its galaxies, and every fourth of its particles."""
    sim = mockgal.read(demo_bundle)
    place = np.concatenate([chunk.position for chunk in sim.particles.chunks()])[::4]
    return sim, mockgal.paint(sim, "hod", seed=1), place


def counts(points, redshifts):
    """Numbers in cells of equal area on the sky and shells of equal volume."""
    far = distances(points.snapshot.cosmology, redshifts[1]).distances(np.array(redshifts)) ** 3
    places = [np.sin(np.radians(points["dec"])), points["ra"], points["distance"] ** 3]
    ranges = [np.sin(np.radians(SKY.dec)), SKY.ra, far]
    return np.histogramdd(np.stack(places, 1), (BANDS, AROUND, SHELLS), ranges)[0]


@pytest.mark.parametrize(
    ("redshifts", "observer", "copies"),
    [((0.0012, 0.0026), (8.0, 8.0, 8.0), 1), ((0.002, 0.0045), (3.0, 5.0, 11.0), 8)],
)
def test_galaxies_lie_in_their_matter(demo, redshifts, observer, copies):
    sim, mock, place = demo
    how = {"redshifts": redshifts, "observer": observer, "footprint": SKY}
    galaxies = light_cone(mock, **how)
    matter = light_cone(points_in_box(place, sim.snapshot), **how)
    assert len(np.unique(matter["copy"])) >= copies
    one, other = counts(galaxies, redshifts), counts(matter, redshifts)
    assert other.sum() == len(matter)

    def alike(x):
        return np.corrcoef(one.ravel(), x.ravel())[0, 1]

    assert alike(other) > 0.75
    assert abs(alike(np.roll(other, AROUND // 2, axis=1))) < 0.35  # turned by 180 degrees
    assert abs(alike(other[:, ::-1])) < 0.35  # mirrored
    assert alike(other[::-1]) < 0.75 * alike(other)


def test_points_in_chunks_are_those_of_the_whole(demo):
    sim, _, place = demo
    whole = points_in_box(place[:3000], sim.snapshot)
    parts = [points_in_box(place[k : k + 1000], sim.snapshot, first_id=k) for k in (0, 1000, 2000)]
    cones = [light_cone(x, redshifts=(0.002, 0.0045)) for x in (whole, *parts)]
    for name in ("galaxy_id", "copy", "ra", "dec", "redshift"):
        order = np.lexsort((cones[0]["copy"], cones[0]["galaxy_id"]))
        joined = np.concatenate([cone[name] for cone in cones[1:]])
        again = [np.concatenate([cone[x] for cone in cones[1:]]) for x in ("copy", "galaxy_id")]
        np.testing.assert_array_equal(cones[0][name][order], joined[np.lexsort(again)])


def test_places_are_wrapped_and_redshifts_cosmological(demo):
    snapshot = demo[0].snapshot
    size = snapshot.box_size
    made = points_in_box([[-1e-18, size, 1.5 * size], [1, 2, 3]], snapshot, first_id=7)
    assert made["galaxy_id"].tolist() == [7, 8]
    assert [made[f"position_{x}"][0] for x in "xyz"] == [0.0, 0.0, 0.5 * size]
    cone = light_cone(made, redshifts=(0.0, 0.003))
    np.testing.assert_allclose(cone["redshift"], cone["redshift_cosmological"], rtol=1e-11)


@pytest.mark.parametrize(
    ("position", "velocity"),
    [([1.0, 2.0, 3.0], None), ([[1.0, 2.0, np.nan]], None), ([[1.0, 2.0, 3.0]], [[1.0, 2.0]])],
)
def test_refused(demo, position, velocity):
    with pytest.raises(BadValueError, match="points"):
        points_in_box(position, demo[0].snapshot, velocity=velocity)

"""Galaxies that fibres miss, against a loop over galaxies in turn."""

import numpy as np
import pytest
from boxes import poisson
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from mockgal.errors import UsageError
from mockgal.survey.close_pairs import without_close_pairs
from mockgal.survey.footprint import WHOLE_SKY
from mockgal.survey.light_cone import light_cone
from mockgal.survey.measurement import measure_redshifts, measure_stellar_masses
from mockgal.survey.number_density import NumberDensity, in_bins, to_number_density
from mockgal.survey.sky import directions
from mockgal.survey.steps import uniform
from mockgal.survey.weights import with_weights
from mockgal.types import GalaxyCatalog

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def cone():
    return light_cone(poisson(1500, satellites=700), redshifts=(0.02, 0.1))


def naive(galaxies, angle, seed):
    """Ids and copies of those kept, with their weights: one galaxy after the other."""
    place = directions(galaxies["ra"], galaxies["dec"])
    order = np.argsort(uniform(galaxies, seed, "close pairs"))
    reach = 2 * np.sin(np.radians(angle / 3600) / 2)
    kept, weight = [], {}
    for row in order:
        apart = [np.linalg.norm(place[row] - place[other]) for other in kept]
        if not apart or min(apart) > reach:
            kept.append(row)
            weight[row] = 1
    for row in set(order.tolist()) - set(kept):
        weight[kept[int(np.argmin(np.linalg.norm(place[kept] - place[row], axis=1)))]] += 1
    names = zip(galaxies["galaxy_id"].tolist(), galaxies["copy"].tolist(), strict=True)
    names = list(names)
    return {names[row]: weight[row] for row in kept}


@settings(max_examples=20)
@given(st.integers(0, 3), st.sampled_from([60.0, 1000.0, 3600.0]), st.integers(0, 1500))
def test_as_in_turn(cone, seed, angle, first):
    few = cone.take(np.arange(first, first + 80))
    found = without_close_pairs(few, angle=angle, seed=seed)
    names = zip(found["galaxy_id"].tolist(), found["copy"].tolist(), strict=True)
    weights = found["weight_close_pairs"].tolist()
    assert dict(zip(names, weights, strict=True)) == naive(few, angle, seed)


def test_weights_are_conserved_and_no_two_are_close(cone):
    found = without_close_pairs(cone, angle=1000.0, seed=1)
    assert found["weight_close_pairs"].sum() == len(cone)
    tree = cKDTree(directions(found["ra"], found["dec"]))
    assert not tree.query_pairs(2 * np.sin(np.radians(1000 / 3600) / 2))
    step = found.provenance["survey"][-1]
    assert (step["before"], step["after"]) == (len(cone), len(found))
    assert step["lost"] == len(cone) - len(found) > 0
    assert "closer than 1000 arcsec" in found.completeness.lacks[-1]


def test_whatever_the_order_of_rows(cone):
    rows = np.random.default_rng(1).permutation(len(cone))
    found, other = (
        without_close_pairs(one, angle=500.0, seed=1) for one in (cone, cone.take(rows))
    )
    assert found.digest() == other.digest()


def test_without_neighbours_nothing_changes(cone):
    found = without_close_pairs(cone.take(np.array([0])), angle=60.0, seed=1)
    assert found["weight_close_pairs"].tolist() == [1.0]
    none = without_close_pairs(cone.take(np.zeros(0, dtype=int)), angle=60.0, seed=1)
    assert len(none) == 0


def test_they_are_the_weights(cone):
    found = without_close_pairs(cone, angle=1000.0, seed=1)
    density = NumberDensity(np.array([0.0, 0.2]), np.array([1e-3]))
    weighted = with_weights(found, density, power=1e4)
    np.testing.assert_array_equal(weighted["weight"], found["weight_close_pairs"])


@pytest.mark.parametrize("angle", [0.0, -1.0, np.nan, 4000.0])
def test_angles_that_are_none(cone, angle):
    with pytest.raises(UsageError, match="arcsec"):
        without_close_pairs(cone, angle=angle, seed=1)


def test_twice_is_refused(cone):
    with pytest.raises(UsageError, match="weight_close_pairs already"):
        without_close_pairs(without_close_pairs(cone, angle=62.0, seed=1), angle=62.0, seed=1)


def test_steps_that_would_make_weights_wrong_are_refused(cone):
    density = NumberDensity(np.array([0.02, 0.1]), np.array([1e-4]))
    weighted = with_weights(cone, density, power=1e4)
    for step in (
        lambda: without_close_pairs(weighted, angle=62.0, seed=1),
        lambda: to_number_density(weighted, density, area=WHOLE_SKY, by="threshold"),
        lambda: in_bins(weighted, density.edges, area=WHOLE_SKY),
        lambda: measure_redshifts(weighted, seed=1, sigma_v=30.0),
    ):
        with pytest.raises(UsageError, match="weight_fkp already"):
            step()


def test_the_measured_density_counts_whom_galaxies_stand_for(cone):
    edges = np.array([0.02, 0.1])
    before = in_bins(cone, edges, area=WHOLE_SKY)[1].density
    found = without_close_pairs(cone, angle=1000.0, seed=1)
    after = in_bins(found, edges, area=WHOLE_SKY)[1].density
    np.testing.assert_allclose(after, before, rtol=0.01)
    assert len(found) < 0.95 * len(cone)


def test_weights_of_a_file_that_has_only_their_product_go_on(cone):
    density = NumberDensity(np.array([0.0, 0.2]), np.array([1e-3]))
    kept = cone.with_columns(weight=np.full(len(cone), 1.5))
    assert (with_weights(kept, density, power=1e4)["weight"] == 1.5).all()


def test_steps_by_mass_of_galaxies_without_one(cone):
    bare = GalaxyCatalog(
        {name: values for name, values in cone.columns.items() if name != "stellar_mass"},
        cone.snapshot,
        "sky",
        cone.provenance,
    )
    density = NumberDensity(np.array([0.02, 0.1]), np.array([1e-4]))
    with pytest.raises(UsageError, match="without stellar_mass"):
        to_number_density(bare, density, area=WHOLE_SKY, by="threshold")
    with pytest.raises(UsageError, match="without stellar_mass"):
        measure_stellar_masses(bare, seed=1, sigma=0.1)

"""Numbers with a joint covariance, from mocks that have all of them."""

import numpy as np
import pytest

import mockgal
from mockgal.errors import MockgalWarning, UsageError
from mockgal.fitting.blocks import blocks
from mockgal.fitting.data import DensityTarget, structure_factor, target

DENSITY = 0.07
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def mocks():
    """w_p and xi of mocks of one simulation, each with its number density."""
    sim = mockgal.read("catalogs/demo/dark.hdf5")
    made = [mockgal.paint(sim, "hod", seed=seed) for seed in range(1, 13)]
    bins = {"r_min": 0.3, "r_max": 4.0, "bins": 3, "jackknife": 0}
    w_p = [mockgal.measure(one, "wp", pi_max=4.0, **bins) for one in made]
    xi = [mockgal.measure(one, "xi", **bins) for one in made]
    return made, w_p, xi, [len(one) / sim.snapshot.box_size**3 for one in made]


def test_data_of_the_same_mocks_have_the_covariance_of_their_vectors(mocks):
    _, w_p, xi, density = mocks
    targets = [target(some[0], mockgal.combine(some)) for some in (w_p, xi)]
    (one,) = blocks(targets, DensityTarget(DENSITY, None))
    vectors = [[*w["w_p"], *x["xi"], n] for w, x, n in zip(w_p, xi, density, strict=True)]
    assert np.allclose(one.matrix, np.cov(vectors, rowvar=False), rtol=1e-9)
    assert np.allclose(one.value, [*w_p[0]["w_p"], *xi[0]["xi"], DENSITY])
    assert (one.number, one.source, one.members, one.with_density) == (12, "mocks", (0, 1), True)
    of_targets = [np.stack([some[0][name]]) for some, name in ((w_p, "w_p"), (xi, "xi"))]
    assert np.allclose(one.take(of_targets, np.array([DENSITY])), one.value)


def test_data_of_other_mocks_are_independent(mocks):
    _, w_p, xi, _ = mocks
    targets = [target(w_p[0], mockgal.combine(w_p)), target(xi[0], mockgal.combine(xi[1:]))]
    first, second, third = blocks(targets, DensityTarget(DENSITY, 0.01))
    assert (first.members, second.members, third.members) == ((0,), (1,), ())
    assert np.allclose(third.matrix, 1e-4)
    alone = mockgal.combine(w_p).covariance()
    assert np.allclose(first.matrix, alone.matrix, rtol=1e-12)


def test_a_mean_is_fitted_with_the_errors_of_one_mock(mocks):
    _, w_p, _, _ = mocks
    with pytest.warns(MockgalWarning, match="errors of one mock"):
        mean = target(mockgal.combine(w_p))
    vectors = [one["w_p"] for one in w_p]
    assert np.allclose(mean.value, np.mean(vectors, axis=0))
    assert np.allclose(mean.matrix, np.cov(vectors, rowvar=False))


def test_a_density_without_an_error_needs_mocks(mocks):
    _, w_p, _, _ = mocks
    stated = target(w_p[0], mockgal.combine(w_p).covariance())
    with pytest.raises(UsageError, match="number-density-error"):
        blocks([stated], DensityTarget(DENSITY, None))


def test_a_survey_in_a_box_has_the_fluctuations_of_both(mocks):
    """The covariance of a difference is the sum: of unit volumes, 1/V_survey + 1/V_box."""
    _, w_p, _, _ = mocks
    size, survey = 250.0, 7.2e7
    factor = structure_factor(survey, size)
    assert np.isclose(factor / survey, 1 / survey + 1 / size**3)
    alone, scaled = (target(w_p[0], mockgal.combine(w_p), scaled_by=x) for x in (1.0, factor))
    assert np.allclose(scaled.matrix, factor * alone.matrix)
    assert np.allclose(scaled.error, np.sqrt(factor) * alone.error)
    joint = [blocks([one], DensityTarget(DENSITY, None))[0].matrix for one in (alone, scaled)]
    assert np.allclose(joint[1], factor * joint[0])
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="--survey-volume"):
            structure_factor(wrong, size)

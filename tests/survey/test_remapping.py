"""Remapping of the periodic box to a cuboid: places once, neighbours kept, surveys that fit."""

import itertools
import math

import numpy as np
import pytest
from boxes import COSMOLOGY, SIZE, poisson
from hypothesis import given, settings
from hypothesis import strategies as st

import mockgal
from mockgal.errors import MockgalWarning, UsageError
from mockgal.survey.cone.copies import shift_of
from mockgal.survey.cone.extent import extent
from mockgal.survey.cone.remapping import BOX, Remapping, fitting
from mockgal.survey.footprint import SkyBox, SkyCap
from mockgal.survey.light_cone import light_cone
from mockgal.survey.sky import axes_at
from mockgal.theory.distances import distances

SHEARED = ((1, 1, 0), (0, 1, 0), (0, 0, 1))
LONG = ((3, 2, 1), (1, 1, 0), (0, 0, 1))  # 3.74 x 0.46 x 0.58
quiet = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def places(galaxies):
    return np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1)


@st.composite
def cells(draw):
    """Three vectors of determinant 1 or -1: products of shears, with rows in any order."""
    matrix = np.eye(3, dtype=int)
    for i, j, k in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-2, 2)), max_size=4)
    ):
        if i != j:
            matrix[i] += k * matrix[j]
    order = draw(st.permutations([0, 1, 2]))
    return tuple(tuple(int(x) for x in row) for row in matrix[list(order)])


@given(cells(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_each_place_is_once_in_the_cuboid(vectors, seed):
    """Shear by shear, as Carlson & White do, against the periodic universe that is turned."""
    own = Remapping(vectors)
    turn, sides = np.array(own.turn), own.sides
    assert np.prod(sides) == pytest.approx(1)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    corner, place = np.random.default_rng(seed).uniform(size=(2, 3))
    # whole vectors of the cell are taken away until the place is in the cuboid from the corner
    cell, at = np.array(vectors) @ turn.T, turn @ place
    for k in (2, 1, 0):
        side = math.copysign(sides[k], cell[k, k])
        at -= cell[k] * math.floor((at[k] - corner[k]) / side + (side < 0))
    assert (at >= corner - 1e-9).all()
    assert (at <= corner + sides + 1e-9).all()
    away = turn.T @ at - place
    np.testing.assert_allclose(away, np.round(away), atol=1e-9)
    # and no other of its copies is there
    for shift in itertools.product((-1, 0, 1), repeat=3):
        if any(shift):
            other = at + np.array(shift) @ cell
            assert (other <= corner + 1e-9).any() or (other >= corner + sides - 1e-9).any()


@quiet
@pytest.mark.parametrize("vectors", [SHEARED, LONG, ((0, 1, 0), (0, 0, 1), (-1, 0, 0))])
def test_the_cuboid_holds_each_galaxy_once_and_its_neighbours(vectors):
    box = poisson(600, size=SIZE)
    own = Remapping(vectors)
    reach = SIZE * math.sqrt((own.sides**2).sum())
    z = float(distances(COSMOLOGY, 1.0).redshifts(np.array([reach + 1]))[0])
    cone = light_cone(box, redshifts=(0.0, z), remapping=own)
    inside = ((places(cone) >= 0) & (places(cone) < SIZE * own.sides)).all(axis=1)
    held = cone[inside]
    np.testing.assert_array_equal(held["galaxy_id"], box["galaxy_id"])  # each, and once
    back = places(held) @ np.array(own.turn) - SIZE * shift_of(held["copy"])
    np.testing.assert_allclose(back, places(box), atol=1e-9)
    velocity = [np.stack([x[f"velocity_{a}"] for a in "xyz"], axis=1) for x in (held, box)]
    np.testing.assert_allclose(velocity[0], velocity[1] @ np.array(own.turn).T, atol=1e-9)

    # neighbours in the light cone are those of the periodic box, at the same distances
    def nearest(from_, among, periodic):
        away = among - from_
        away -= SIZE * np.round(away / SIZE) if periodic else 0.0
        return np.sort(np.sqrt((away**2).sum(axis=1)))[1:6]

    middle = np.argsort(np.abs(places(held) - SIZE * own.sides / 2).max(axis=1))[:5]
    for row in middle:
        found = nearest(places(held)[row], places(cone), periodic=False)
        np.testing.assert_allclose(found, nearest(places(box)[row], places(box), True), atol=1e-9)


@quiet
def test_the_box_itself_changes_nothing():
    box = poisson(300)
    plain = light_cone(box, redshifts=(0.01, 0.05))
    assert light_cone(box, redshifts=(0.01, 0.05), remapping=BOX).digest() == plain.digest()


@quiet
def test_directions_of_the_sides():
    """Galaxies of the turned universe, about an observer anywhere."""
    box, observer = poisson(300), np.array([20.0, 30.0, 90.0])
    own = Remapping(SHEARED, towards=(120.0, -35.0))
    cone = light_cone(box, redshifts=(0.01, 0.05), observer=observer, remapping=own)
    at = (places(cone) - observer) @ np.array(own.turn) + observer - SIZE * shift_of(cone["copy"])
    row = np.searchsorted(box["galaxy_id"], cone["galaxy_id"])
    np.testing.assert_allclose(at, places(box)[row], atol=1e-9)
    first = np.array(own.turn) @ np.array([1.0, 1.0, 0.0]) / math.sqrt(2)
    np.testing.assert_allclose(first, axes_at(120.0, -35.0)[:, 0], atol=1e-12)
    far = np.sqrt(((places(cone) - observer) ** 2).sum(axis=1))
    speed = sum(
        cone[f"velocity_{x}"] * (cone[f"position_{x}"] - o)
        for x, o in zip("xyz", observer, strict=True)
    )
    z = (1 + cone["redshift_cosmological"]) * (1 + speed / far / 299792.458) - 1
    np.testing.assert_allclose(cone["redshift"], z, rtol=1e-12)


BEAM = SkyCap((90.0, 0.0), 3.0)


@pytest.mark.parametrize("footprint", [BEAM, SkyBox((356.0, 6.0), (-3.0, 2.0))], ids=["cap", "box"])
def test_a_survey_that_fits_sees_nothing_twice(footprint, recwarn):
    box = poisson(20_000)
    deep = {"redshifts": (0.02, 0.11), "footprint": footprint, "observer": (7.0, 77.0, 3.0)}
    cone = light_cone(box, **deep, remapping="fit")
    step = cone.provenance["survey"][0]
    assert step["seen_more_than_once"] == 0 < len(cone) == len(np.unique(cone["galaxy_id"]))
    assert not [w for w in recwarn if "more than once" in str(w.message)]
    low, high = distances(COSMOLOGY, 0.2).distances(np.array(deep["redshifts"]))
    volume = footprint.area * math.radians(1) ** 2 * (high**3 - low**3) / 3
    number = len(box) * volume / SIZE**3
    assert len(cone) == pytest.approx(number, abs=5 * math.sqrt(number))
    with pytest.warns(MockgalWarning, match=r"with remapping: fit none is seen twice"):
        light_cone(box, **deep)
    # what is recorded makes the same again
    made = step["remapping"]
    vectors = tuple(map(tuple, made["vectors"]))
    own = Remapping(vectors, tuple(made["towards_deg"]), tuple(made["order"]))
    assert light_cone(box, **deep, remapping=own).digest() == cone.digest()


def test_a_survey_that_fits_nowhere(recwarn):
    box = poisson(300)
    wide = {"redshifts": (0.02, 0.1), "footprint": SkyCap((0.0, 0.0), 60.0)}
    with pytest.raises(UsageError, match=r"remapping: found a survey of .* fits into a cuboid"):
        light_cone(box, **wide, remapping="fit")
    light_cone(box, **wide)
    (told,) = [str(w.message) for w in recwarn if "more than once" in str(w.message)]
    assert "remapping" not in told


@given(
    st.tuples(*3 * [st.floats(0.01, 4.0)]),
    st.tuples(st.floats(0, 360), st.floats(-90, 90)),
)
@settings(max_examples=60)
def test_what_is_found_holds_what_it_was_asked_for(extents, towards):
    found = fitting(extents, towards)
    if found is None:
        assert np.prod(extents) > 0.1 or max(extents) > 2
    else:
        assert (found.sides >= extents).all()
        assert found.towards == towards


@pytest.mark.parametrize("opening", [0.5, 10.0, 60.0, 120.0, 180.0])
def test_extents_of_a_cone(opening):
    """Analytic: the near and the far cap of a cone, from 200 to 1000 Mpc/h."""
    found = extent(SkyCap((80.0, 60.0), opening), 200.0, 1000.0)
    angle = math.radians(opening)
    behind = math.cos(angle) * (200.0 if opening < 90 else 1000.0)
    across = 2000.0 * (math.sin(angle) if opening < 90 else 1.0)
    np.testing.assert_allclose(found.lengths, [1000.0 - behind, across, across], rtol=0.02)
    assert found.lengths[1] >= across
    assert found.towards == (80.0, 60.0)


@pytest.mark.parametrize(
    "vectors",
    [
        ((1, 0, 0), (0, 1, 0), (0, 0, 2)),
        ((1, 0, 0), (0, 1, 0), (1, 1, 0)),
        ((1, 0, 0), (0, 1, 0)),
        ((1, 0, 0), (0, 1, 0), (0, 0, 1.5)),
        ((1, 0, 0), (0, 1, 0), (0, 0, True)),
        ((1, 10**9, 0), (0, 1, 0), (0, 0, 1)),
        3,
    ],
)
def test_vectors_that_span_no_cell_of_the_box(vectors):
    with pytest.raises(UsageError, match="remapping: found"):
        Remapping(vectors)


def test_other_words_and_directions_are_refused():
    with pytest.raises(UsageError, match="'fit'"):
        light_cone(poisson(9), redshifts=(0.01, 0.02), remapping="best")
    with pytest.raises(UsageError, match="towards"):
        Remapping(SHEARED, towards=(0.0, 91.0))


@quiet
def test_it_is_in_the_file(tmp_path):
    cone = light_cone(poisson(300), redshifts=(0.01, 0.05), remapping=Remapping(SHEARED))
    mockgal.write(cone, tmp_path / "cone.fits", units="h")
    back = mockgal.read_galaxies(tmp_path / "cone.fits")
    assert back.digest() == cone.digest()
    made = back.provenance["survey"][0]["remapping"]
    assert made["vectors"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(made["sides_mpc_h"], [141.4213562, 70.7106781, 100.0])
    np.testing.assert_allclose(made["turn"], Remapping(SHEARED).turn)

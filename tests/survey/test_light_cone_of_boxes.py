"""Light cones from boxes: counts, identity, borders, and independence of the order of rows."""

import numpy as np
import pytest
from boxes import COSMOLOGY, SIZE, poisson
from hypothesis import given
from hypothesis import strategies as st

import mockgal
from mockgal.columns import NEXT_SNAPSHOT
from mockgal.completeness import Completeness
from mockgal.errors import MockgalWarning, ResourceError, UsageError
from mockgal.survey.cone.copies import shift_of
from mockgal.survey.footprint import SkyBox
from mockgal.survey.light_cone import light_cone
from mockgal.survey.redshift_space import redshift_space
from mockgal.survey.steps import uniform
from mockgal.theory.distances import distances
from mockgal.types import GalaxyCatalog
from mockgal.writers.models.ids import keyed_ids

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
Z = (0.02, 0.1)


def shell(low, high):
    far = distances(COSMOLOGY, high).distances(np.array([low, high]))
    return 4 / 3 * np.pi * (far[1] ** 3 - far[0] ** 3)


def places(galaxies):
    return np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1)


def test_as_many_as_the_volume_holds():
    box = poisson(2000)
    cone = light_cone(box, redshifts=Z)
    expected = 2000 / SIZE**3 * shell(*Z)
    # each of the box's 2000 galaxies is there about so many times: the box's own noise counts
    assert len(cone) == pytest.approx(expected, rel=4 / np.sqrt(2000))
    far = np.sqrt((places(cone) ** 2).sum(axis=1))
    edges = distances(COSMOLOGY, Z[1]).distances(np.array(Z))
    assert far.min() >= edges[0]
    assert far.max() < edges[1]
    np.testing.assert_allclose(far, cone["distance"], rtol=1e-12)
    # in octants by sign, alike
    octant = (places(cone) > 0) @ np.array([1, 2, 4])
    counts = np.bincount(octant, minlength=8)
    assert (np.abs(counts - counts.mean()) < 6 * np.sqrt(counts.mean()) + 0.1 * counts.mean()).all()


def test_each_is_a_copy_of_one_of_the_box():
    box = poisson(500)
    cone = light_cone(box, redshifts=Z, observer=(10.0, 20.0, 30.0))
    row = np.searchsorted(box["galaxy_id"], cone["galaxy_id"])
    back = places(cone) - SIZE * shift_of(cone["copy"])
    np.testing.assert_allclose(back, places(box)[row], atol=1e-9)
    np.testing.assert_array_equal(cone["velocity_x"], box["velocity_x"][row])
    pairs = set(zip(cone["galaxy_id"].tolist(), cone["copy"].tolist(), strict=True))
    assert len(pairs) == len(cone)


def test_a_small_cone_within_the_box_repeats_nothing(recwarn):
    cone = light_cone(poisson(3000), redshifts=(0.001, 0.014), observer=(50.0, 50.0, 50.0))
    assert 0 < len(cone) == len(np.unique(cone["galaxy_id"]))
    assert (cone["copy"] == 500_500_500).all()
    assert cone.provenance["survey"][0]["seen_more_than_once"] == 0
    assert not [w for w in recwarn if issubclass(w.category, MockgalWarning)]


@pytest.mark.filterwarnings("default::mockgal.errors.MockgalWarning")
def test_repeats_are_told():
    with pytest.warns(MockgalWarning, match=r"\d+ of \d+ galaxies .* more than once"):
        cone = light_cone(poisson(100), redshifts=Z)
    step = cone.provenance["survey"][0]
    assert step["seen_more_than_once"] == len(cone) - len(np.unique(cone["galaxy_id"])) > 0


@pytest.mark.filterwarnings("default::mockgal.errors.MockgalWarning")
def test_repeats_in_other_snapshots_are_told():
    """Snapshots that are alike give the share of the volume that one of them tells in galaxies."""
    boxes = [poisson(4000, redshift=z) for z in (0.02, 0.05, 0.08)]
    beam = SkyBox((0.0, 20.0), (0.0, 30.0))
    with pytest.warns(MockgalWarning, match=r"% of the volume .* is in it before"):
        cone = light_cone(boxes, redshifts=(0.01, 0.09), footprint=beam)
    alone = light_cone(boxes[0], redshifts=(0.01, 0.09), footprint=beam)
    one, several = (x.provenance["survey"][0] for x in (alone, cone))
    assert several["volume_seen_before"] > 0.01
    assert several["volume_seen_before"] == pytest.approx(
        one["seen_more_than_once"] / len(alone), abs=0.05
    )
    assert "volume_seen_before" not in one
    deep = light_cone(boxes, redshifts=(0.01, 0.2))
    assert 0.99 < deep.provenance["survey"][0]["volume_seen_before"] < 1


def test_no_halo_is_cut_in_two():
    boxes = [poisson(600, satellites=600, redshift=z) for z in (0.02, 0.05, 0.08)]
    cone = light_cone(boxes, redshifts=Z)
    key = list(zip(cone["halo_id"].tolist(), cone["copy"].tolist(), strict=True))
    members = {}
    for k in key:
        members[k] = members.get(k, 0) + 1
    # a halo has two galaxies in each of the snapshots that serve its place, or none
    assert {n % 2 for n in members.values()} == {0}
    whole = np.lexsort((cone["galaxy_id"], cone["copy"], cone["halo_id"]))
    place = places(cone)[whole].reshape(-1, 2, 3)
    assert np.abs(place[:, 0] - place[:, 1]).max() < 3.0


def test_snapshots_serve_the_distances_near_their_own():
    boxes = [poisson(400, redshift=z, seed=k) for k, z in enumerate((0.02, 0.06, 0.09))]
    cone = light_cone(boxes[::-1], redshifts=Z)
    step = cone.provenance["survey"][0]
    own = distances(COSMOLOGY, 0.1).distances(np.array([0.02, 0.06, 0.09]))
    borders = [s["distance_mpc_h"] for s in step["snapshots"]]
    assert [s["redshift"] for s in step["snapshots"]] == [0.02, 0.06, 0.09]
    assert borders[0][1] == borders[1][0] == pytest.approx((own[0] + own[1]) / 2)
    assert borders[1][1] == borders[2][0] == pytest.approx((own[1] + own[2]) / 2)
    assert sum(s["galaxies"] for s in step["snapshots"]) == len(cone)


def test_it_is_as_complete_as_the_least_complete_snapshot():
    near = poisson(200, redshift=0.02).with_completeness(Completeness(1e9, because="floor"))
    far = poisson(200, redshift=0.08).with_completeness(Completeness(3e9, because="another"))
    for boxes in ([near, far], [far, near]):
        whole = light_cone(boxes, redshifts=Z).completeness
        assert (whole.limit, whole.because) == (3e9, "another")
    unknown = poisson(200, redshift=0.05)
    assert light_cone([near, unknown, far], redshifts=Z).completeness.limit is None
    few = far.with_completeness(Completeness(1e9, because="floor", lacks=("rows",)))
    assert light_cone([near, few], redshifts=Z).completeness.lacks == ("rows",)
    # a snapshot that serves no distance says nothing
    assert light_cone([near, poisson(9, redshift=5.0)], redshifts=Z).completeness.limit == 1e9


@pytest.mark.filterwarnings("default::mockgal.errors.MockgalWarning")
def test_a_snapshot_far_from_the_redshifts_that_it_serves():
    with pytest.warns(MockgalWarning, match=r"redshift 0 serves redshifts 0\.02 to 0\.3"):
        light_cone(poisson(5, size=900.0), redshifts=(0.02, 0.3))


@given(st.permutations(range(60)))
def test_the_order_of_rows_changes_nothing(order):
    box = poisson(40, satellites=20)
    columns = {name: values[list(order)] for name, values in box.columns.items()}
    again = GalaxyCatalog(columns, box.snapshot, "box", box.provenance)
    assert light_cone(again, redshifts=Z).digest() == light_cone(box, redshifts=Z).digest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"redshifts": (0.5, 0.2)}, "the least first"),
        ({"snapshots": poisson(9, size=0.5)}, "copies along each axis"),
        ({"observer": (0.0, np.nan, 0.0)}, "three coordinates"),
        ({"snapshots": []}, "no snapshot"),
        ({"snapshots": [poisson(9), poisson(9, size=90.0, redshift=1.0)]}, "one run"),
        ({"snapshots": [poisson(9), poisson(9)]}, "different redshifts"),
    ],
)
def test_refused(change, message):
    given = {"snapshots": poisson(9), "redshifts": Z} | change
    with pytest.raises(UsageError, match=message):
        light_cone(given.pop("snapshots"), **given)


@pytest.mark.parametrize(
    ("number", "size", "footprint", "message"),
    [
        (100, 200.0, None, r"light cone of about 1\.\d+e\+07 galaxies"),
        (1, 20.0, SkyBox((10.0, 10.1), (20.0, 20.1)), r"copies of the box, which reach"),
    ],
)
def test_a_box_too_small_for_the_memory_is_refused_at_once(
    number, size, footprint, message, monkeypatch
):
    monkeypatch.setattr("mockgal.system.memory.available", lambda: 1 << 30)
    with pytest.raises(ResourceError, match=message):
        light_cone(poisson(number, size=size), redshifts=(0.5, 10.0), footprint=footprint)


@pytest.mark.parametrize("axis", "xyz")
def test_redshift_space(axis):
    box = redshift_space(poisson(500, redshift=0.5), axis)
    factor = COSMOLOGY.redshift_space_factor(0.5)
    assert factor == pytest.approx(1.5 / (100 * COSMOLOGY.expansion_rate(0.5)))
    moved = box[f"position_{axis}"] + box[f"velocity_{axis}"] * factor
    np.testing.assert_allclose(
        np.mod(box[f"position_{axis}_rsd"] - moved + SIZE / 2, SIZE), SIZE / 2, atol=1e-9
    )
    assert box[f"position_{axis}_rsd"].min() >= 0
    assert box[f"position_{axis}_rsd"].max() < SIZE
    assert box.provenance["survey"] == [{"step": "redshift space", "line_of_sight": axis}]


def test_ids_that_come_again_in_another_snapshot_are_of_other_galaxies(tmp_path):
    """Both shells are reached by the same copies, and both boxes have the same ids."""
    boxes = [poisson(3000, redshift=z, seed=k) for k, z in enumerate((0.0, 0.05))]
    cone = light_cone(boxes, redshifts=(0.01, 0.06))
    rows = np.stack([cone["galaxy_id"], cone["copy"]], axis=1)
    assert len(np.unique(rows, axis=0)) == len(cone)
    shifts = cone["copy"] % NEXT_SNAPSHOT
    twice = len(cone) - len(np.unique(np.stack([cone["galaxy_id"], shifts], axis=1), axis=0))
    assert twice > 0, "no id is in one copy of both snapshots: no test"
    assert len(np.unique(uniform(cone, 1, "a test"))) == len(cone)
    assert len(np.unique(keyed_ids(cone, "galaxies")[0])) == len(cone)
    per_snapshot = np.stack([cone["galaxy_id"], cone["copy"] // NEXT_SNAPSHOT], axis=1)
    repeated = len(cone) - len(np.unique(per_snapshot, axis=0))
    assert cone.provenance["survey"][0]["seen_more_than_once"] == repeated
    mockgal.write(cone, tmp_path / "cone.fits", units="h")
    assert mockgal.read_galaxies(tmp_path / "cone.fits").digest() == cone.digest()

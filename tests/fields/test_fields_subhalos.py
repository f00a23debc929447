"""The subhalo channel, and planes of any field as mass with their periodic neighbours."""

import warnings

import numpy as np
import pytest
from field_samples import BOX_SIZE, COSMOLOGY, MATTER, particles, rows, snapshot

from mockgal.errors import MissingDatasetError, MockgalWarning, UsageError
from mockgal.fields.assign import reference
from mockgal.fields.matter import matter_field
from mockgal.fields.planes import mass_planes, planes
from mockgal.fields.subhalos import subhalo_field
from mockgal.testing.universes import synthetic_pair
from mockgal.types import DensityField


@pytest.fixture(scope="module")
def halos():
    return synthetic_pair(400, box_size=BOX_SIZE)[1].halos


def grid(values, kind, origin="corner"):
    size = len(values)
    return DensityField(size, BOX_SIZE / size, kind, "CIC", origin, lambda a, b: values[a:b])


# ---- subhalos


@pytest.mark.parametrize("assignment", ["NGP", "CIC", "PCS"])
def test_subhalos_as_the_reference(halos, assignment):
    field, record = subhalo_field(halos, BOX_SIZE, 24, assignment=assignment)
    expected = reference(
        halos["position"], halos["mass"], grid_size=24, box_size=BOX_SIZE, assignment=assignment
    )
    np.testing.assert_allclose(field.read_slab(0, 24), expected, atol=1e-12 * expected.sum())
    assert (field.kind, field.origin, field.assignment) == ("mass", "corner", assignment)
    assert record["mass_msun_h"] == pytest.approx(halos["mass"].sum(), rel=1e-12)
    assert (record["subhalos"], record["subhalos_below_least_mass"]) == (len(halos), 0)


def test_a_subhalo_is_in_its_voxel(halos):
    one = halos.take(np.flatnonzero(halos["is_central"])[:1])
    slab = planes(subhalo_field(one, BOX_SIZE, 16, assignment="NGP").field, 0, 16)
    voxel = tuple((one["position"][0] / (BOX_SIZE / 16)).astype(int))
    assert slab[voxel] == pytest.approx(one["mass"][0], rel=1e-15)
    assert np.count_nonzero(slab) == 1


def test_small_subhalos_are_left_out_and_counted(halos):
    least = float(np.median(halos["mass"]))
    field, record = subhalo_field(halos, BOX_SIZE, 16, least_mass=least)
    kept = halos["mass"] >= least
    assert 0 < kept.sum() < len(halos)
    assert record["subhalos"] == kept.sum()
    assert record["subhalos_below_least_mass"] == (~kept).sum()
    assert record["smallest_mass_msun_h"] == least
    assert field.read_slab(0, 16).sum() == pytest.approx(halos["mass"][kept].sum(), rel=1e-12)
    none, record = subhalo_field(halos, BOX_SIZE, 16, least_mass=1e20)
    assert not none.read_slab(0, 16).any()
    assert (record["subhalos"], record["smallest_mass_msun_h"]) == (0, None)


@pytest.mark.parametrize("least", [-1.0, np.nan, np.inf])
def test_a_least_mass_that_is_none(halos, least):
    with pytest.raises(UsageError, match="least subhalo mass"):
        subhalo_field(halos, BOX_SIZE, 16, least_mass=least)


def test_bits_of_subhalo_planes_do_not_depend_on_cuts_or_order(halos):
    whole = planes(subhalo_field(halos, BOX_SIZE, 20).field, 0, 20)
    order = np.random.default_rng(3).permutation(len(halos))
    shuffled = halos.take(order)
    for start, stop in ((0, 1), (19, 20), (3, 11)):
        np.testing.assert_array_equal(
            planes(subhalo_field(shuffled, BOX_SIZE, 20).field, start, stop), whole[start:stop]
        )
    around = np.arange(-7, 25) % 20
    np.testing.assert_array_equal(
        planes(subhalo_field(halos, BOX_SIZE, 20).field, -7, 25), whole[around]
    )


# ---- planes of a field


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 6), (2, 3), (-2, 3), (4, 9), (-3, 8), (-20, 11), (6, 8), (-6, 0)]
)
def test_planes_wrap(start, stop):
    values = np.random.default_rng(1).random((6, 6, 6))
    found = planes(grid(values, "mass"), start, stop)
    np.testing.assert_array_equal(found, values[np.arange(start, stop) % 6])


def test_no_planes():
    with pytest.raises(UsageError, match="3 to 3"):
        planes(grid(np.ones((6, 6, 6)), "mass"), 3, 3)


def test_every_kind_is_the_same_mass():
    mass = np.random.default_rng(1).random((6, 6, 6))
    mass *= MATTER / mass.sum()
    of_one = 1e10
    kinds = {"mass": mass, "counts": mass / of_one, "delta": mass / mass.mean() - 1.0}
    for kind, values in kinds.items():
        for origin in ("corner", "centre"):
            found = mass_planes(grid(values, kind, origin), snapshot(of_one), -2, 5)
            np.testing.assert_allclose(found, mass[np.arange(-2, 5) % 6], rtol=1e-12)


def test_no_contrast_is_the_mean_of_the_cosmology():
    found = mass_planes(grid(np.zeros((4, 4, 4)), "delta"), snapshot(), 0, 4)
    np.testing.assert_allclose(found, COSMOLOGY.mean_matter_density * (BOX_SIZE / 4) ** 3)


def test_particles_and_their_contrast_agree():
    position, mass = rows(1000)
    with matter_field(particles(position, mass), snapshot(), grid_size=8) as made:
        values = mass_planes(made.field, snapshot(), 0, 8)
    contrast = values / values.mean() - 1.0
    np.testing.assert_allclose(
        mass_planes(grid(contrast, "delta"), snapshot(), -1, 9),
        values[np.arange(-1, 9) % 8],
        rtol=1e-9,
        atol=1e-12 * MATTER,
    )


def test_counts_without_a_particle_mass():
    with pytest.raises(MissingDatasetError, match="no particle mass"):
        mass_planes(grid(np.ones((4, 4, 4)), "counts"), snapshot(), 0, 1)


def test_contrast_below_that_of_nothing_is_told():
    delta = np.zeros((4, 4, 4))
    delta[1, 2, 3], delta[1, 0, 0], delta[2, 0, 0] = -1.0 - 1e-6, -1.0, -0.5
    with pytest.warns(MockgalWarning, match="1 voxels in planes 0 to 4"):
        found = mass_planes(grid(delta, "delta"), snapshot(), 0, 4)
    assert found.min() == found[1, 2, 3] == found[1, 0, 0] == 0.0
    assert found[2, 0, 0] == pytest.approx(MATTER / 64 / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mass_planes(grid(delta, "delta"), snapshot(), 2, 4)

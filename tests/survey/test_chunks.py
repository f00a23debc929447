"""Surveys some rows at a time: the same for each chunk, as the plain way says, in little memory."""

import tracemalloc

import numpy as np
import pytest
from boxes import SIZE, poisson

from mockgal.random import uniform as uniform_numbers
from mockgal.survey import footprint as footprints
from mockgal.survey import light_cone as cones
from mockgal.survey import number_density, redshift_space, sky, steps
from mockgal.survey.cone import gather
from mockgal.survey.cone.remapping import Remapping
from mockgal.survey.footprint import SkyCap, SkyMap, within
from mockgal.survey.light_cone import light_cone
from mockgal.survey.number_density import NumberDensity, to_number_density
from mockgal.theory.distances import Distances, distances

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
EDGES = np.array([0.03, 0.05, 0.07, 0.09])
TARGET = NumberDensity(EDGES, np.array([4e-4, 2e-4, 1e-4]))


def half():
    values = np.zeros(12 * 16**2)
    values[: len(values) // 2] = np.linspace(0, 1, len(values) // 2)
    return SkyMap(values, nested=False, name="half of the north")


def surveyed(boxes, by, remapping=None):
    mask = half()
    boxes = [redshift_space.redshift_space(box, "z") for box in boxes]
    cone = light_cone(
        boxes,
        redshifts=(0.02, 0.1),
        observer=(10.0, 20.0, 30.0),
        footprint=mask,
        remapping=remapping,
    )
    inside = within(cone, mask, seed=3)
    return to_number_density(inside, TARGET, area=mask.area, by=by, seed=3)


@pytest.mark.parametrize("by", ["threshold", "random"])
def test_one_digest_for_each_chunk(by, monkeypatch):
    boxes = [poisson(1000, satellites=200, redshift=z, seed=k) for k, z in enumerate((0.0, 0.07))]
    # equal masses, among which ids decide
    boxes = [x.with_columns(stellar_mass=2.0 ** np.rint(np.log2(x["stellar_mass"]))) for x in boxes]
    remapping = Remapping(((1, 1, 0), (0, 1, 0), (0, 0, 1)), towards=(30.0, 40.0))
    first = surveyed(boxes, by, remapping)
    assert len(first) > 300
    for rows in (250, 10**6) if by == "threshold" else (333,):
        monkeypatch.setattr(gather, "ROWS", rows // 10)
        for module in (cones, footprints, number_density, redshift_space, sky):
            monkeypatch.setattr(module, "BLOCK", rows)
        monkeypatch.setattr(steps, "_BLOCK", rows)
        again = surveyed(boxes, by, remapping)
        assert again.digest() == first.digest()
        assert again.provenance["survey"] == first.provenance["survey"]


def plain(box, low, high, observer, turn):
    """Rows and places of all copies of all galaxies: by the definition."""
    place = np.stack([box[f"position_{x}"] for x in "xyz"], axis=1)
    host = np.searchsorted(box["halo_id"], box["halo_id"])
    central = {h: i for i, h in enumerate(box["halo_id"]) if box["is_central"][i]}
    host = np.array([central.get(h, first) for h, first in zip(box["halo_id"], host, strict=True)])
    rows, found = [], []
    grid = np.arange(-6, 7)
    shifts = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    for i, at in enumerate(place):
        offset = at - place[host[i]]
        offset -= SIZE * np.round(offset / SIZE)
        away = place[host[i]] + SIZE * shifts - observer
        far = np.sqrt((away**2).sum(axis=1))
        own = away[(far >= low) & (far < high)] + offset
        rows += [i] * len(own)
        found.append(own @ np.array(turn).T + observer)
    return np.array(rows), np.concatenate(found)


@pytest.mark.parametrize("vectors", [None, ((2, 1, 0), (1, 1, 0), (0, 0, 1))])
def test_copies_by_the_definition(vectors):
    box = poisson(60, satellites=40)
    box = box[box["galaxy_id"] % 7 > 0]  # some halos have lost their centrals
    remapping = None if vectors is None else Remapping(vectors)
    observer = np.array([10.0, 20.0, 30.0])
    cone = light_cone(box, redshifts=(0.03, 0.06), observer=observer, remapping=remapping)
    low, high = distances(box.snapshot.cosmology, 0.06).distances(np.array([0.03, 0.06]))
    rows, place = plain(box, low, high, observer, np.eye(3) if vectors is None else remapping.turn)
    np.testing.assert_array_equal(cone["galaxy_id"], box["galaxy_id"][rows])
    found = np.stack([cone[f"position_{x}"] for x in "xyz"], axis=1)
    np.testing.assert_allclose(found, place, atol=1e-9)


@pytest.mark.parametrize("number", [5, 300, 4000])
def test_the_most_massive_by_sorting(number):
    """With many equal masses, and masses that are no numbers."""
    cone = light_cone(poisson(2000), redshifts=(0.02, 0.1))
    mass = np.round(np.log2(cone["stellar_mass"]))
    mass[::11] = np.nan
    cone = cone.with_columns(stellar_mass=2.0**mass)
    bins = np.searchsorted(EDGES, cone["redshift"], side="right") - 1
    bins[bins >= 3] = -1
    counts = np.bincount(bins + 1, minlength=4)[1:]
    wanted = np.minimum(counts, [number, 0, 2 * number])
    kept = number_density._most_massive(cone, bins.astype("i4"), counts, wanted)
    for k in range(3):
        rows = np.flatnonzero(bins == k)
        keys = cone["copy"][rows], cone["galaxy_id"][rows], -cone["stellar_mass"][rows]
        expected = np.sort(rows[np.lexsort(keys)[: wanted[k]]])
        np.testing.assert_array_equal(np.flatnonzero(kept & (bins == k)), expected)
    assert not kept[bins < 0].any()


def test_compiled_numbers_are_the_plain_ones():
    ids = np.random.default_rng(1).integers(0, 2**62, 20_000)
    further = np.random.default_rng(2).integers(0, 10**9, 20_000)
    np.testing.assert_array_equal(
        steps.drawn(5, "a test", ids, 2, further),
        uniform_numbers(5, "a test", ids, draw=2, sub_index=further),
    )


@pytest.mark.parametrize("redshift", [0.2, 1.0, 30.0])
def test_compiled_redshifts_are_those_of_scipy(redshift):
    far = Distances(poisson(1).snapshot.cosmology, redshift)
    nodes, rng = far.distance, np.random.default_rng(1)
    near = [nodes, np.nextafter(nodes, 0), np.nextafter(nodes, np.inf)[:-1]]
    distance = np.concatenate([rng.uniform(0, nodes[-1], 20_000), *near, [-1.0, np.nan]])
    np.testing.assert_array_equal(far.redshifts(distance), far._to_redshift(distance))


def peak(work):
    """Most bytes that NumPy held while ``work`` ran, beyond those before, and the result."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        return tracemalloc.get_traced_memory()[1] - before, result
    finally:
        tracemalloc.stop()


def held(galaxies):
    return sum(values.nbytes for values in galaxies.columns.values())


def test_memory_is_that_of_the_output_and_of_a_chunk():
    box = poisson(400_000, size=400.0)
    cap = SkyCap.along((1.0, 1.0, 1.0), 20.0)
    narrow = {"redshifts": (0.02, 0.1), "observer": (1.0, 1.0, 1.0), "footprint": cap}
    light_cone(box, **narrow)  # compiled, and imported
    chunk = 32 << 20
    used, cone = peak(lambda: light_cone(box, **narrow))
    assert 10_000 < len(cone) < 100_000
    assert used < 2 * held(cone) + chunk
    whole = {"redshifts": (0.02, 0.1), "observer": (200.0, 200.0, 200.0)}
    used, cone = peak(lambda: light_cone(box, **whole))
    assert len(cone) > 600_000
    assert used < 1.35 * held(cone) + chunk
    used, inside = peak(lambda: within(cone, half(), seed=1))
    assert used < held(inside) + 20 * len(cone) + chunk
    bins = np.array([0.03, 0.06, 0.09])
    few = NumberDensity(bins, np.array([1e-4, 1e-4]))
    for by in ("threshold", "random"):
        used, sample = peak(
            lambda by=by: to_number_density(inside, few, area=half().area, by=by, seed=1)
        )
        assert used < held(sample) + 24 * len(inside) + chunk

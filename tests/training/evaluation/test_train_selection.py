"""The comparison that chooses weights: exact for the truth, and blind to nothing it should see."""

import json
import math
from dataclasses import replace

import loop_samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import BadValueError, UsageError
from mockgal.painters.cnn.weights.header import WeightsHeader
from mockgal.statistics.power.spectrum import power_of_field
from mockgal.training.data.samples import VALIDATION
from mockgal.training.evaluation.selection import (
    PowerComparison,
    _span,
    best_of,
    kept,
    law_of,
    shares_of,
    stellar_mass,
)

RANGE = (0.0, 10.0)


def header(data, target="subhalo", kind="likelihood"):
    about = loop_samples.given(data, target=target)
    return WeightsHeader(name="x", architecture=loop_samples.network(kind), **about)


def compared(data, power_range=RANGE, **changes):
    rows = np.flatnonzero(data.part == VALIDATION)
    made = PowerComparison(data, rows, header(data, **changes), power_range=power_range)
    return made, rows


@pytest.mark.parametrize("held_out", ["region", "volume"])
@pytest.mark.parametrize("target", ["subhalo", "voxel"])
def test_the_truth_has_no_deviation(held_out, target):
    data = loop_samples.samples(volumes=2, held_out=held_out)
    made, rows = compared(data, target=target)
    score = made.score_of_mass(stellar_mass(data, header(data, target))[rows])
    assert score.score == 0.0
    assert score.mass_ratio == 1.0
    whole = [region["whole_volume"] for region in made.record["regions"]]
    assert whole == ([False, False] if held_out == "region" else [True])
    json.dumps(made.record, allow_nan=False)


@pytest.mark.parametrize("held_out", ["region", "volume"])
def test_a_bias_of_all_masses_is_told_apart(held_out):
    data = loop_samples.samples(held_out=held_out, volumes=2)
    made, rows = compared(data)
    score = made.score_of_mass(1.7 * stellar_mass(data, header(data))[rows])
    assert score.score == pytest.approx(0.0, abs=1e-10)
    assert score.mass_ratio == pytest.approx(1.7)


def test_of_a_whole_volume_it_is_the_spectrum_of_the_box():
    data = loop_samples.samples(held_out="volume", volumes=2)
    made, rows = compared(data, (0.5, 2.0))
    mass = np.random.default_rng(1).random(len(rows))
    true = stellar_mass(data, header(data))[rows]
    factor, size = made.regions[0].cells.factor, loop_samples.GRID
    spectra = []
    for values in (mass, true):
        grid = np.zeros(3 * (size // factor,))
        np.add.at(grid, tuple(data.voxel[rows].T // factor), values)
        spectra.append(power_of_field(grid, size * loop_samples.VOXEL, assignment="NGP"))
    used = (spectra[0]["k"] >= 0.5) & (spectra[0]["k"] <= 2.0)
    modes = spectra[0]["modes"][used]
    logs = np.log(spectra[0]["power"][used] / spectra[1]["power"][used])
    score = made.score_of_mass(mass)
    assert score.score == pytest.approx(math.sqrt(np.sum(modes * logs**2) / modes.sum()))
    assert score.power[0] == pytest.approx(spectra[0]["power"][used].tolist())


def test_the_range_is_kept():
    data = loop_samples.samples()
    made, _ = compared(data, (1.0, 2.5))
    k = made.record["regions"][0]["k_h_per_mpc"]
    assert min(k) >= 1.0
    assert max(k) <= 2.5
    widest = compared(data, (0.0, 1e3))[0].record["regions"][0]["k_h_per_mpc"]
    assert max(widest) <= 0.5 * math.pi / loop_samples.VOXEL
    with pytest.raises(UsageError, match="power_range"):
        compared(data, (1.05, 1.1))


def test_neither_the_order_of_rows_nor_where_the_region_lies_matters():
    data = loop_samples.samples()
    made, rows = compared(data)
    mass = np.random.default_rng(1).random(len(rows))
    shifted = replace(data, voxel=(data.voxel + np.array([25, 3, 38])) % loop_samples.GRID)
    assert compared(shifted)[0].score_of_mass(mass).score == pytest.approx(
        made.score_of_mass(mass).score, rel=1e-12
    )
    order = np.random.default_rng(2).permutation(len(rows))
    mixed = PowerComparison(data, rows[order], header(data), power_range=RANGE)
    assert mixed.score_of_mass(mass[order]) == made.score_of_mass(mass)


def test_what_is_not_held_out_is_not_looked_at():
    data = loop_samples.samples()
    made, rows = compared(data)
    output = np.random.default_rng(1).normal(size=(len(rows), 3))
    before = made.score(output, seed=1)
    assert made.score(output, seed=1) == before
    assert made.score(output, seed=2) != before
    assert made.record["regions"][0]["subhalos"] == len(rows)


def test_a_flat_region_is_measured_in_several_cubes():
    data = loop_samples.samples(2000)
    voxel = np.random.default_rng(1).integers(0, loop_samples.GRID, data.voxel.shape)
    voxel[:, 0] = data.voxel[:, 0]
    region = compared(replace(data, voxel=voxel))[0].record["regions"][0]
    assert region["cells_per_side"] in (18, 19, 20)
    assert region["cubes"] == 4
    assert region["subhalos_in_no_cube"] < 0.2 * region["subhalos"]


def test_what_is_no_galaxys_mass_has_no_score():
    data = loop_samples.samples()
    made, rows = compared(data)
    output = np.zeros((len(rows), 3))
    output[:, 0] = 1e3
    assert made.score(output, seed=1) == (None, None, [])
    output[:, 0], output[:, 2] = 0.0, -800.0  # none is luminous
    assert made.score(output, seed=1) == (None, 0.0, [])


def test_regions_that_cannot_be_measured_are_refused():
    data = loop_samples.samples()
    with pytest.raises(BadValueError, match="span"):
        compared(replace(data, voxel=data.voxel % 5))
    dark = np.where(data.part == VALIDATION, np.nan, data.log_stellar_mass)
    with pytest.raises(BadValueError, match=r"box 0 at redshift 0: .*stellar mass"):
        compared(replace(data, log_stellar_mass=dark))


def test_a_region_without_stellar_mass_is_left_out_and_said():
    """As of the highest of several redshifts."""
    data = loop_samples.samples(volumes=2)
    whole, _ = compared(data)
    first = (data.volume == 0) & (data.part == VALIDATION)
    dark = np.where(first, np.nan, data.log_stellar_mass)
    data = replace(data, log_stellar_mass=dark)
    made, rows = compared(data)
    assert [region.cells.volume for region in made.regions] == [1]
    assert made.record["regions_without_stellar_mass"] == [{"volume": "box 0", "redshift": 0.0}]
    assert whole.record["regions_without_stellar_mass"] == []
    true = stellar_mass(data, header(data))[rows]
    assert made.score_of_mass(true).score == 0.0
    extra = true + np.where(data.volume[rows] == 0, true.sum() / np.sum(data.volume[rows] == 0), 0)
    assert made.score_of_mass(extra).mass_ratio == pytest.approx(2.0)  # it counts in the mass
    assert made.score_of_mass(extra).score == 0.0


def test_boxes_that_number_their_subhalos_alike_are_drawn_apart():
    data = loop_samples.samples(300, volumes=2, held_out="volume")
    about, part = header(data), np.full(len(data), VALIDATION, dtype="i1")
    same = replace(data, part=part, halo_id=np.tile(np.arange(300), 2))
    rows = np.arange(600)
    ids = same.draw_ids(rows)
    assert len(set(ids.tolist())) == 600
    one = replace(same.volumes[1], redshift=1.0)
    assert not set(ids) & set(replace(same, volumes=(same.volumes[0], one)).draw_ids(rows)[300:])
    alone = {
        name: getattr(same, name)[300:]
        for name in ("voxel", "halo_id", "features", "log_stellar_mass", "mass", "part")
    }
    alone = replace(same, volumes=same.volumes[1:], volume=np.zeros(300, int), **alone)
    assert np.array_equal(alone.draw_ids(rows[:300]), ids[300:])  # whatever else there is
    made = PowerComparison(same, rows, about, power_range=RANGE)
    output = np.tile([0.0, 0.0, 0.0], (600, 1))
    mass = made._painted(output, seed=1)
    both = np.flatnonzero((mass[:300] > 0) & (mass[300:] > 0))
    assert 40 < len(both) < 110  # of 300, not half of them
    assert abs(np.corrcoef(np.log(mass[both]), np.log(mass[300 + both]))[0, 1]) < 0.4


def test_mates_share_the_mass_of_their_voxel():
    data = loop_samples.samples(4)
    voxel = np.array([[1, 1, 1], [2, 2, 2], [1, 1, 1], [1, 1, 1]])
    mass = np.array([1.0, 5.0, 2.0, 1.0])
    data = replace(data, voxel=voxel, mass=mass, log_stellar_mass=np.array([9.0, 8.5, 9.0, 9.0]))
    assert shares_of(data).tolist() == [0.25, 1.0, 0.5, 0.25]
    found = stellar_mass(data, header(loop_samples.samples(), "voxel"))
    assert found[[0, 2, 3]].sum() == pytest.approx(1e9 - 1)
    law = law_of(data, np.array([2]), np.zeros((1, 3)), header(loop_samples.samples(), "voxel"))
    mean = header(loop_samples.samples()).normalisation.target[0]
    assert law.location[0] == pytest.approx(np.log10(0.5 * (10**mean - 1)))


def test_the_span_of_voxels_goes_over_the_edge():
    assert _span(np.array([38, 39, 0, 2]), 40) == (38, 5)
    assert _span(np.array([7]), 40) == (7, 1)
    first, length = _span(np.arange(40), 40)
    assert length == 40
    assert first in range(40)


def epochs(*rows):
    return [
        {"validation_loss": loss, "validation_loss_error": 0.1, "score": score}
        for loss, score in rows
    ]


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([(0.9, 0.01), (0.5, 0.3)], 1),  # a lucky spectrum of a network that has not learnt
        ([(0.5, 0.3), (0.55, 0.2)], 1),
        ([(0.5, 0.3), (0.65, 0.2)], 0),  # overfitted
        ([(0.5, 0.3), (0.45, 0.4), (0.39, 0.5)], 2),  # the first is worse than an error by now
        ([(0.5, 0.3), (0.45, 0.4)], 0),
        ([(0.5, None), (0.55, 0.9)], 1),
        ([(0.5, 0.3), (0.49, None)], 0),
        ([(0.5, 0.3), (0.45, 0.3)], 1),
        ([(0.45, 0.3), (0.45, 0.3)], 0),
    ],
)
def test_the_spectrum_chooses_among_the_least_losses(rows, place):
    assert kept(epochs(*rows)) == place


losses = st.floats(0.0, 1.0)
scores = st.none() | st.floats(0.0, 1.0)


@given(st.lists(st.tuples(losses, scores), min_size=1, max_size=12))
def test_what_is_kept_is_within_an_error_of_the_least(given_rows):
    rows = epochs(*given_rows)
    place = kept(rows)
    bar = min(row["validation_loss"] for row in rows) + 0.1
    assert rows[place]["validation_loss"] <= bar
    later = [r for r in rows[place + 1 :] if r["validation_loss"] <= bar and r["score"] is not None]
    assert all(r["score"] >= (rows[place]["score"] or 0.0) for r in later)
    assert kept(rows[: place + 1]) == place  # its weights were at hand


@given(st.lists(st.tuples(losses, scores), min_size=1, max_size=12), st.randoms())
def test_with_all_weights_at_hand_their_order_does_not_matter(given_rows, shuffler):
    rows = epochs(*given_rows)
    best = rows[best_of(rows)]
    bar = min(row["validation_loss"] for row in rows) + 0.1
    known = [r["score"] for r in rows if r["validation_loss"] <= bar and r["score"] is not None]
    assert best["validation_loss"] <= bar
    assert best["score"] == min(known, default=None)
    shuffler.shuffle(rows)
    assert rows[best_of(rows)] == best


@given(st.lists(st.tuples(st.floats(0.0, 0.05), st.floats(0.0, 1.0)), min_size=1, max_size=12))
def test_losses_that_are_not_told_apart_leave_it_to_the_score(given_rows):
    rows = epochs(*given_rows)
    assert rows[kept(rows)]["score"] == min(row["score"] for row in rows)

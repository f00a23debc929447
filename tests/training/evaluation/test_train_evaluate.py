"""The scores of weights: right where the answer is known; verdicts only where there is power."""

import json
import math
import re
from dataclasses import replace

import loop_samples
import numpy as np
import pytest
import torch
from scipy import stats

from mockgal.errors import BadValueError
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.weights.named import Weights
from mockgal.training.data.samples import TEST, VALIDATION
from mockgal.training.evaluation.scores import NO_POWER, _luminous, card, evaluate, verdict
from mockgal.training.evaluation.selection import PowerComparison, Score


def known(data, *, mean=9.0, scatter=0.3, p=0.5, kind="likelihood"):
    """Weights that give one law, whatever the subhalo."""
    shape = loop_samples.network(kind)
    about = loop_samples.given(data)
    about["normalisation"] = replace(about["normalisation"], target=(9.0, 0.5))
    state = seeded_network(shape, 1).state_dict()
    state["output.weight"][:] = 0.0
    numbers = [(mean - 9.0) / 0.5, math.log(scatter / 0.5), math.log(p / (1 - p))]
    state["output.bias"][:] = torch.tensor(numbers[: len(shape.outputs)])
    return Weights(name="known", architecture=shape, state=state, **about)


def truth(data, mean=9.0, scatter=0.3, p=0.5, seed=3):
    """Stellar masses that are drawn from the law."""
    rng = np.random.default_rng(seed)
    n = len(data.halo_id)
    mass = rng.normal(mean, scatter, n)
    mass = np.where((rng.random(n) < p) & (mass > 8.0), mass, np.nan)
    return replace(data, log_stellar_mass=mass)


def with_one_twice(data):
    """The first of three boxes is the second one at another redshift."""
    return replace(data, record={**data.record, "universes": [0, 0, 2]})


def test_of_the_true_law_all_is_well():
    data = truth(loop_samples.samples(3000))
    found = evaluate(known(data), data, seed=1, part=VALIDATION)
    json.dumps(found, allow_nan=False)
    whole = found["residuals"][0]
    n = whole["subhalos"]
    assert n == found["luminous_subhalos"]
    assert whole["bias"]["error"] == pytest.approx(whole["scatter"] / math.sqrt(n))
    assert whole["scatter"] == pytest.approx(0.3, rel=0.1)
    assert abs(whole["bias"]["value"]) < 4 * whole["bias"]["error"]
    assert all(test["p_value"] > 1e-3 for test in found["pit"]["kolmogorov_smirnov"].values())
    (share,) = found["luminous"]
    assert share["probability"] == pytest.approx(0.5)
    assert abs(share["share"]["value"] - 0.5) < 4 * share["share"]["error"]
    for row in [*(r["ratio"] for r in found["power"]), found["mass"]]:
        assert abs(row["value"] - 1.0) < 5 * row["error"]
        assert row["verdict"] in ("within", NO_POWER)
    assert not any("outside the bar" in line for line in card(found).splitlines())


@pytest.mark.parametrize("scatter", [0.2, 0.3])
@pytest.mark.slow
def test_a_law_that_is_cut_off_has_no_bias_where_it_holds(scatter):
    """Its mean is above its median; at the floor by more than the bar."""
    data = loop_samples.samples(3000)
    rng = np.random.default_rng(1)
    above = stats.truncnorm.rvs(0.0, np.inf, 8.0, scatter, len(data), random_state=rng)
    data = replace(data, log_stellar_mass=np.where(rng.random(len(data)) < 0.5, above, np.nan))
    found = evaluate(known(data, mean=8.0, scatter=scatter), data, seed=1, part=VALIDATION)
    bias = found["residuals"][0]["bias"]
    assert abs(bias["value"]) < 4 * bias["error"] < 0.03  # the mean is 0.025 or 0.037 above
    assert bias["verdict"] == "within"


def test_a_mean_alone_is_held_against_what_it_says():
    data = truth(loop_samples.samples(300), mean=9.0, scatter=0.3, p=1.0)
    found = evaluate(known(data, mean=7.0, kind="squared error"), data, seed=1, part=VALIDATION)
    assert found["residuals"][0]["bias"]["value"] == pytest.approx(2.0, abs=0.1)


def test_a_few_that_are_all_luminous_say_nothing_of_a_share_near_one():
    data = truth(loop_samples.samples(60), p=1.0)
    for number, expected in ((3, NO_POWER), (10, NO_POWER), (400, "within")):
        data = truth(loop_samples.samples(3 * number), p=1.0)
        rows = data.rows(VALIDATION)[:number]
        part = np.full(len(data), -1, dtype="i1")
        part[rows] = VALIDATION
        few = replace(data, part=part)
        assert few.luminous[rows].all()
        (row,) = _luminous(np.full(number, 0.999), few, rows, with_law=True)
        assert row["share"]["verdict"] == expected
        error = math.sqrt(0.999 * 0.001 / number)
        assert row["share"]["error"] == pytest.approx(error)


@pytest.mark.slow
def test_boxes_that_number_their_subhalos_alike_are_tested_apart():
    """Random numbers of dark subhalos that are the same in all boxes look like a wrong law."""
    data = loop_samples.samples(250, volumes=8, held_out="volume")
    weights = known(data, p=0.2)
    data = replace(data, part=np.full(2000, VALIDATION, "i1"), halo_id=np.tile(np.arange(250), 8))
    p_values = []
    for seed in range(8):
        scores = evaluate(weights, truth(data, p=0.2, seed=seed), seed=seed, part=VALIDATION)
        p_values.append(scores["pit"]["kolmogorov_smirnov"]["all"]["p_value"])
    assert sum(p < 0.05 for p in p_values) <= 3  # more with a probability of 0.04%


def test_each_bin_has_its_own_structures():
    data = truth(loop_samples.samples(400, volumes=2, held_out="volume"), p=1.0)
    heavy = data.mass > 10**12
    kept = (data.volume == 1) | heavy  # at the other redshift there are the heavy ones alone
    part = np.where(kept, VALIDATION, -1).astype("i1")
    weights = known(data, p=0.9)
    data = replace(data, part=part, record={**data.record, "universes": [0, 0]})
    found = evaluate(weights, data, seed=1, part=VALIDATION)
    for row in found["residuals"][1:]:
        low, high = (10.0**edge for edge in row["log_mass"])
        mine = kept & data.luminous & (data.mass >= low) & (data.mass < high)
        structures = np.bincount(data.volume[mine], minlength=2).max()
        assert row["bias"]["error"] == pytest.approx(row["scatter"] / math.sqrt(structures))


@pytest.mark.slow
def test_structures_at_several_redshifts_count_once():
    data = truth(loop_samples.samples(1000, volumes=3))
    one = evaluate(known(data), data, seed=1, part=VALIDATION)
    other = evaluate(known(data), with_one_twice(data), seed=1, part=VALIDATION)
    rows = data.rows(VALIDATION)
    numbers = np.bincount(data.volume[rows])
    part = (max(numbers[:2]) + numbers[2]) / len(rows)
    assert (one["independent"], other["independent"]) == (1.0, pytest.approx(part))
    for before, after in zip(one["residuals"], other["residuals"], strict=True):
        assert before["scatter"] == after["scatter"]
        assert after["bias"]["error"] > before["bias"]["error"]
    lit = np.bincount(data.volume[rows[data.luminous[rows]]])
    wider = other["residuals"][0]["bias"]["error"] / one["residuals"][0]["bias"]["error"]
    assert wider == pytest.approx(math.sqrt(lit.sum() / (max(lit[:2]) + lit[2])))
    assert other["mass"]["error"] == pytest.approx(one["mass"]["error"] / math.sqrt(part))
    for name, before in one["pit"]["kolmogorov_smirnov"].items():
        after = other["pit"]["kolmogorov_smirnov"][name]
        assert after["statistic"] == before["statistic"]
        assert after["p_value"] > before["p_value"]
        assert after["smallest_detectable_distance"] > before["smallest_detectable_distance"]
    assert f"{part:.0%}" in card(other)
    assert "at one redshift" not in card(one)


@pytest.mark.slow
def test_the_error_of_a_share_is_that_of_so_many_structures():
    data = with_one_twice(truth(loop_samples.samples(1000, volumes=3), p=0.25))
    found = evaluate(known(data, p=0.25), data, seed=1, part=VALIDATION)
    numbers = np.bincount(data.volume[data.rows(VALIDATION)])
    structures = max(numbers[:2]) + numbers[2]
    assert structures < 0.8 * numbers.sum()
    (share,) = found["luminous"]
    expected = stats.binom(structures, 0.25).std() / structures
    assert share["share"]["error"] == pytest.approx(expected, rel=1e-6)


def drawn(monkeypatch, mass, power):
    """Scores of weights whose 16 draws have these masses and powers, over the true ones."""

    def score(comparison, output, *, seed):
        curves = [power[seed - 1] * r.truth["power"][r.used] for r in comparison.regions]
        return Score(0.0, mass[seed - 1], curves)

    monkeypatch.setattr(PowerComparison, "score", score)
    data = truth(loop_samples.samples(600))
    return evaluate(known(data), data, seed=1, part=VALIDATION)


def test_the_truth_is_one_draw_more(monkeypatch):
    found = drawn(monkeypatch, mass=[1.0, 1.4] * 8, power=[0.9, 1.1] * 8)
    # s^2 = 16/15 d^2 for draws at +-d; the truth adds s^2, their mean s^2/16: 17/15 d^2 in all
    expected = [(found["mass"], 1.2, 0.2)] + [(row["ratio"], 1.0, 0.1) for row in found["power"]]
    assert len(expected) > 1
    for row, value, d in expected:
        assert row["value"] == pytest.approx(value)
        assert row["error"] == pytest.approx(d * math.sqrt(17 / 15))


def test_what_can_be_detected_is_found_in_four_of_five_cases(monkeypatch):
    found = drawn(monkeypatch, mass=[1.0, 1.4] * 8, power=[0.9, 1.1] * 8)
    whole, (share,) = found["residuals"][0], found["luminous"]
    rows = [(found["mass"], 16), (found["power"][0]["ratio"], 16)]
    rows += [(whole["bias"], whole["subhalos"]), (share["share"], share["subhalos"])]
    for row, n in rows:
        shift = row["smallest_detectable_deviation"] / row["error"]
        two_sided = stats.t.isf(0.025, n - 1)
        assert stats.nct.sf(two_sided, n - 1, shift) == pytest.approx(0.8, abs=0.01)


def test_a_wrong_law_is_seen():
    data = truth(loop_samples.samples(3000))
    found = evaluate(known(data, mean=8.8, p=0.9), data, seed=1, part=VALIDATION)
    assert found["residuals"][0]["bias"]["value"] == pytest.approx(0.2, abs=0.05)
    assert found["residuals"][0]["bias"]["verdict"] == "outside"
    assert found["luminous"][0]["share"]["verdict"] == "outside"
    tests = found["pit"]["kolmogorov_smirnov"]
    assert {test["verdict"] for test in tests.values()} == {"outside"}
    text = card(found)
    assert re.search("mean stellar mass .*: outside the bar", text)
    assert re.search("distribution of stellar mass: outside the bar .*2 of 2", text)


def test_few_subhalos_give_no_verdict():
    data = truth(loop_samples.samples(80))
    found = evaluate(known(data), data, seed=1, part=VALIDATION)
    assert found["residuals"][0]["bias"]["verdict"] == NO_POWER
    assert NO_POWER in card(found)


def test_of_a_mean_alone_no_distribution_is_claimed():
    data = truth(loop_samples.samples(600), p=1.0)
    found = evaluate(known(data, kind="squared error"), data, seed=1, part=VALIDATION)
    json.dumps(found, allow_nan=False)
    assert found["pit"] is None
    assert found["mass"]["verdict"] == NO_POWER
    assert "gives no distribution" in card(found)


@pytest.mark.slow
def test_the_seed_and_the_order_of_rows():
    data = truth(loop_samples.samples(600))
    weights = known(data)
    one = evaluate(weights, data, seed=1, part=VALIDATION)
    assert evaluate(weights, data, seed=1, part=VALIDATION) == one
    assert evaluate(weights, data, seed=2, part=VALIDATION)["mass"] != one["mass"]


def test_parts_without_galaxies_are_refused():
    data = loop_samples.samples()
    with pytest.raises(BadValueError, match="held-out rows"):
        evaluate(known(data), replace(data, part=np.zeros(len(data), "i1")), seed=1, part=TEST)


@pytest.mark.parametrize(
    ("deviation", "detectable", "expected"),
    [
        (0.01, 0.02, "within"),
        (-0.06, 0.02, "outside"),
        (0.04, 0.06, NO_POWER),
        (0.09, 0.06, NO_POWER),
        (-0.12, 0.06, "outside"),
        (0.0, None, NO_POWER),
        (0.5, None, NO_POWER),
    ],
)
def test_verdicts(deviation, detectable, expected):
    assert verdict(deviation, detectable, 0.05) == expected

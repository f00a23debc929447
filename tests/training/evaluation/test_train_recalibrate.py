"""The constants that are added to outputs: found where they are known, and left out in doubt."""

import math
from dataclasses import replace

import loop_samples
import numpy as np
import pytest
import torch
from test_train_evaluate import known, truth

from mockgal.training.data.samples import VALIDATION
from mockgal.training.evaluation.predict import outputs
from mockgal.training.evaluation.recalibrate import recalibrated
from mockgal.training.losses import Loss

CPU = torch.device("cpu")


def shift_of(weights, data):
    rows = data.rows(VALIDATION)
    batches = loop_samples.validation_batches(data, weights)
    network = weights.network()
    shift, record = recalibrated(network, weights, batches, CPU, data.independent(rows))
    state = dict(weights.state)
    state["output.bias"] = (state["output.bias"].double() + shift).float()
    losses = [
        outputs(w.network(), batches, rows, CPU, Loss(w))[1] * len(rows)
        for w in (weights, replace(weights, state=state))
    ]
    return shift.numpy(), record, losses


def test_wrong_constants_are_found():
    """Mean 0.1 dex too low, scatter too small by half, too few of them luminous."""
    data = truth(loop_samples.samples(3000), mean=9.1, scatter=0.3, p=0.7)
    weights = known(data, mean=9.0, scatter=0.15, p=0.5)
    shift, record, losses = shift_of(weights, data)
    n = np.count_nonzero(data.luminous[data.rows(VALIDATION)])
    assert shift[0] * 0.5 == pytest.approx(0.1, abs=4 * 0.3 / math.sqrt(n))
    assert shift[1] == pytest.approx(math.log(2.0), abs=4 / math.sqrt(2 * n))
    assert shift[2] == pytest.approx(math.log(0.7 / 0.3), abs=0.25)
    assert record["applied"]
    assert record["log_likelihood_gain"] == pytest.approx(losses[0] - losses[1], rel=1e-3)
    assert list(record["shift"]) == list(weights.architecture.outputs)


def test_the_logit_stays_finite_where_all_are_luminous():
    data = truth(loop_samples.samples(300), p=1.0)
    shift, record, _ = shift_of(known(data, p=0.5), data)
    assert record["applied"]
    assert 1.0 < shift[2] < 5.0


@pytest.mark.slow
def test_right_constants_stay():
    """Three constants that are right gain 3/2 on average, and more than 3 in 11% of cases."""
    applied = []
    for seed in range(12):
        data = truth(loop_samples.samples(300), seed=seed)
        shift, record, _ = shift_of(known(data), data)
        applied.append(record["applied"])
        assert record["applied"] == (record["log_likelihood_gain"] > 3)
        assert record["applied"] == bool(np.any(shift))
        assert record["log_likelihood_gain"] >= 0.0
    assert sum(applied) <= 5  # more with a probability of 0.4%


def test_a_box_at_two_redshifts_counts_once():
    """The same subhalos twice tell no more than once: same constants, same gain."""
    once = truth(loop_samples.samples(300), mean=9.06, scatter=0.27)
    columns = ("voxel", "halo_id", "features", "log_stellar_mass", "mass", "part")
    twice = replace(
        once,
        volumes=(once.volumes[0], replace(once.volumes[0], redshift=0.5)),
        volume=np.repeat([0, 1], len(once)),
        record={**once.record, "universes": [0, 0]},
        **{name: np.concatenate([getattr(once, name)] * 2) for name in columns},
    )
    weights = known(once)
    shift, record, _ = shift_of(weights, once)
    again, of_both, _ = shift_of(weights, twice)
    assert (record["independent"], of_both["independent"]) == (1.0, 0.5)
    assert of_both["log_likelihood_gain"] == pytest.approx(record["log_likelihood_gain"], rel=1e-6)
    assert again == pytest.approx(shift, rel=1e-5, abs=1e-9)
    apart = replace(twice, record={**once.record, "universes": [0, 1]})
    assert apart.independent(apart.rows(VALIDATION)) == 1.0


def test_a_mean_alone_stays():
    data = truth(loop_samples.samples(300))
    data = replace(data, part=np.where(data.luminous, data.part, -1).astype("i1"))
    shift, record, _ = shift_of(known(data, mean=8.0, kind="squared error"), data)
    assert not record["applied"]
    assert not np.any(shift)

"""Training: the same whatever happens on the way, stopped by what must stop it, and it learns."""

import os
import random
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import loop_samples
import numpy as np
import pytest
import torch
import train_child

from mockgal.errors import BadValueError, InternalError, MockgalWarning, OutputError, UsageError
from mockgal.painters.cnn.weights.named import read_weights, save_weights
from mockgal.system import progress
from mockgal.training import devices, loop
from mockgal.training.checkpoints import read_checkpoint
from mockgal.training.data.samples import VALIDATION, Samples
from mockgal.training.evaluation.predict import outputs
from mockgal.training.loop import train
from mockgal.training.options import TrainingOptions

OPTIONS = TrainingOptions(seed=1, epochs=2, learning_rate=3e-2, batch_size=16)


def run(folder, data=None, options=OPTIONS, shape=loop_samples.NET, **changes):
    data = loop_samples.samples() if data is None else data
    return train(data, shape, options, folder, **loop_samples.given(data, shape) | changes)


def rows(folder):
    return max(
        (read_checkpoint(p)[1] for p in Path(folder).glob("*.safetensors")), key=lambda s: s.steps
    ).rows


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    weights = train_child.trained(folder)
    torch.set_num_threads(before)
    return weights, rows(folder), (folder / "epochs.csv").read_text()


class Stop(Exception):
    """Raised out of a training."""


@pytest.mark.slow_but("13")
@pytest.mark.parametrize("step", [1, 7, 12, 13, 30])
def test_stopped_anywhere_it_goes_on_the_same(tmp_path, uninterrupted, step):
    def stop(done, total, label):
        if done == step:
            raise Stop

    with progress.shown(stop), pytest.raises(Stop):
        train_child.trained(tmp_path)
    weights = train_child.trained(tmp_path)
    assert rows(tmp_path) == uninterrupted[1]
    assert weights.digest() == uninterrupted[0].digest()
    assert (tmp_path / "epochs.csv").read_text() == uninterrupted[2]


@pytest.mark.slow
@pytest.mark.fault(80)
def test_killed_at_any_moment_it_goes_on_the_same(tmp_path, uninterrupted):
    here = Path(__file__).parent
    environment = dict(os.environ) | {
        "PYTHONPATH": f"{Path(loop.__file__).parents[2]}{os.pathsep}{here}",
        "OMP_NUM_THREADS": "1",
    }
    moment = random.Random(int.from_bytes(os.urandom(4), "little"))
    killed = 0
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, here / "train_child.py", tmp_path],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seen = state_of(tmp_path)
        limit = time.monotonic() + 120
        while child.poll() is None and state_of(tmp_path) == seen and time.monotonic() < limit:
            time.sleep(0.002)
        time.sleep(moment.uniform(0.0, 0.2))
        child.kill()
        killed += child.wait() == -9
    assert killed > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MockgalWarning)  # that it cleaned up
        weights = train_child.trained(tmp_path)
    assert rows(tmp_path) == uninterrupted[1]
    assert weights.digest() == uninterrupted[0].digest()


def state_of(folder):
    return sorted((p.name, p.stat().st_mtime_ns) for p in folder.glob("checkpoint-?.safetensors"))


@pytest.mark.slow
def test_where_checkpoints_are_written_changes_nothing(tmp_path, uninterrupted):
    data = train_child.data()
    often_or_not = replace(train_child.OPTIONS, checkpoint_seconds=1e6)
    weights = run(tmp_path, data, often_or_not)
    assert rows(tmp_path) == uninterrupted[1]
    assert all(torch.equal(v, weights.state[n]) for n, v in uninterrupted[0].state.items())


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing(tmp_path, uninterrupted):
    data = train_child.data()
    order = np.random.default_rng(3).permutation(len(data.halo_id))
    names = ("volume", "voxel", "halo_id", "features", "log_stellar_mass", "mass", "part")
    mixed = Samples(data.volumes, **{n: getattr(data, n)[order] for n in names}, record=data.record)
    about = loop_samples.given(data)
    train(mixed, loop_samples.NET, train_child.OPTIONS, tmp_path, **about)
    assert rows(tmp_path) == uninterrupted[1]


def test_a_finished_training_is_only_read(tmp_path, monkeypatch):
    first = run(tmp_path)
    monkeypatch.setattr(loop._Training, "_train_epoch", None)
    assert run(tmp_path).digest() == first.digest()


@pytest.mark.slow
def test_more_epochs_go_on_from_there(tmp_path):
    run(tmp_path / "a")
    longer = replace(OPTIONS, epochs=3)
    run(tmp_path / "a", options=longer)
    run(tmp_path / "b", options=longer)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert len(rows(tmp_path / "a")) == 3
    with pytest.raises(UsageError, match="3 epochs"):
        run(tmp_path / "a", options=replace(OPTIONS, epochs=2))
    assert len(rows(tmp_path / "a")) == 3


@pytest.mark.slow
def test_a_box_at_two_redshifts_counts_once_in_the_error_of_the_loss(tmp_path):
    data = loop_samples.samples(240, volumes=2)
    run(tmp_path / "a", data, replace(OPTIONS, epochs=1))
    record = {**data.record, "universes": [0, 0]}
    run(tmp_path / "b", replace(data, record=record), replace(OPTIONS, epochs=1))
    (apart,), (same,) = rows(tmp_path / "a"), rows(tmp_path / "b")
    assert apart["validation_loss"] == same["validation_loss"]
    held_out = np.bincount(data.volume[data.rows(VALIDATION)])
    ratio = same["validation_loss_error"] / apart["validation_loss_error"]
    assert ratio == pytest.approx((held_out.sum() / held_out.max()) ** 0.5)


@pytest.mark.slow
def test_seeds_differ_and_the_users_generator_is_left(tmp_path):
    before = torch.get_rng_state()
    run(tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), before)
    run(tmp_path / "b", options=replace(OPTIONS, seed=2))
    assert rows(tmp_path / "a") != rows(tmp_path / "b")


def test_a_folder_of_another_training_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(UsageError, match="another training"):
        run(tmp_path, options=replace(OPTIONS, learning_rate=1e-4))
    with pytest.raises(UsageError, match="another training"):
        run(tmp_path, loop_samples.samples(seed=2))


@pytest.mark.fault(82)
def test_a_loss_that_is_no_number_stops_and_the_last_good_checkpoint_stays(
    tmp_path, monkeypatch, exit_code
):
    options = replace(OPTIONS, checkpoint_seconds=0.0)
    calls = []
    plain = loop.Loss.__call__

    def spoiled(self, output, batch):
        total, weight = plain(self, output, batch)
        calls.append(0)
        return (total * float("nan") if len(calls) == 5 else total), weight

    monkeypatch.setattr(loop.Loss, "__call__", spoiled)
    with pytest.raises(InternalError, match="epoch 1, batch 5") as caught:
        run(tmp_path, options=options)
    assert caught.value.exit_code == exit_code
    kept = [read_checkpoint(p)[1] for p in tmp_path.glob("*.safetensors")]
    assert {state.steps for state in kept} == {3, 4}
    monkeypatch.undo()
    run(tmp_path, options=options)  # from there
    run(tmp_path / "again", options=options)
    assert rows(tmp_path) == rows(tmp_path / "again")


def test_it_learns_the_law(tmp_path):
    data = loop_samples.samples(600, seed=4)
    options = TrainingOptions(seed=1, epochs=12, learning_rate=3e-2, batch_size=16)
    weights = run(tmp_path, data, options)
    found = rows(tmp_path)
    assert found[-1]["validation_loss"] < found[0]["validation_loss"] - 0.3
    best = weights.provenance["training"]
    chosen = found[best["epoch"] - 1]
    assert best["scores"]["score"] == chosen["score"]
    constants = best["recalibration"]
    assert constants["applied"]
    shift = torch.tensor([constants["shift"][name] for name in weights.architecture.outputs])
    before = weights.state | {"output.bias": weights.state["output.bias"] - shift}
    loss = outputs_again(replace(weights, state=before), data)
    assert chosen["validation_loss"] == pytest.approx(loss, rel=1e-6)
    gain = constants["log_likelihood_gain"] / len(data.rows(VALIDATION))
    assert outputs_again(weights, data) == pytest.approx(loss - gain, rel=1e-4)
    least = min(found, key=lambda row: row["validation_loss"])
    bar = least["validation_loss"] + least["validation_loss_error"]
    assert chosen["validation_loss"] <= bar
    assert 0.3 < least["validation_loss_error"] * len(data.rows(VALIDATION)) ** 0.5 < 3.0
    assert chosen["score"] <= found[-1]["score"] or found[-1]["validation_loss"] > bar


def outputs_again(weights, data):
    rows, batches = data.rows(VALIDATION), loop_samples.validation_batches(data, weights)
    return outputs(weights.network(), batches, rows, torch.device("cpu"), loop.Loss(weights))[1]


@pytest.mark.parametrize("kind", ["likelihood", "squared error"])
@pytest.mark.parametrize("target", ["subhalo", "voxel"])
def test_either_loss_and_target(tmp_path, kind, target):
    data = loop_samples.samples(luminous_only=kind == "squared error")
    options = replace(OPTIONS, epochs=1, symmetries="rotations")
    weights = run(tmp_path, data, options, loop_samples.network(kind), target=target)
    assert weights.provenance["training"]["loss"] == kind
    save_weights(weights, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.safetensors").digest() == weights.digest()


def test_the_learning_rate_falls_and_training_ends_early(tmp_path):
    options = replace(OPTIONS, epochs=40, learning_rate=1e-6, patience=2, stop_after=8)
    data = loop_samples.samples(80)
    run(tmp_path, data, options)
    found = rows(tmp_path)
    losses = [row["validation_loss"] for row in found]
    assert len(found) < 40
    assert len(found) - 1 - int(np.argmin(losses)) == 8
    rate, best, waited, rates = 1e-6, np.inf, 0, []
    for loss in losses:
        rates.append(rate)
        waited = 0 if loss < best * (1 - 1e-4) else waited + 1
        best = min(best, loss)
        if waited > 2:
            rate, waited = rate / 10, 0
    assert len(set(rates)) > 1
    np.testing.assert_allclose([row["learning_rate"] for row in found], rates, rtol=1e-12)


@pytest.mark.parametrize("least", [1.0, 0.0, -1.0])
def test_a_loss_that_no_longer_falls_is_seen_whatever_its_sign(least):
    parameter = torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.Adam([parameter], lr=1.0)
    scheduler = loop.plateau(adam, patience=5)
    rates = []
    for epoch in range(13):
        scheduler.step(least + 5e-5 * epoch)
        rates.append(adam.param_groups[0]["lr"])
    assert rates == pytest.approx(6 * [1.0] + 6 * [0.1] + [0.01])


def test_epochs_of_so_many_crops(tmp_path):
    options = replace(OPTIONS, crops_per_epoch=48)
    weights = run(tmp_path, options=options)
    assert weights.provenance["training"]["options"]["crops_per_epoch"] == 48
    (state,) = {read_checkpoint(p)[1].steps for p in tmp_path.glob("checkpoint-1*")}
    assert state == 2 * 48 // 16


@pytest.mark.slow
def test_sampling_and_loss_weights_have_their_effect(tmp_path):
    data = loop_samples.samples()
    options = replace(OPTIONS, epochs=1)
    weight = 1.0 + np.arange(len(data.halo_id)) % 5
    run(tmp_path / "plain", data, options)
    made = run(tmp_path / "drawn", data, options, sampling=weight)
    run(tmp_path / "weighted", data, options, loss_weights=weight)
    found = [rows(tmp_path / name)[0]["training_loss"] for name in ("plain", "drawn", "weighted")]
    assert len(set(found)) == 3
    assert made.provenance["training"]["sampling"] == ["weights"]


def test_what_cannot_be_trained_on_is_refused(tmp_path):
    data = loop_samples.samples()
    n = len(data.halo_id)
    cases = [
        ({"sampling": np.ones(3)}, data, loop_samples.NET, "training weights"),
        ({"loss_weights": np.full(n, np.nan)}, data, loop_samples.NET, "loss_weights"),
        ({}, data, loop_samples.network("squared error"), "without a galaxy"),
        ({}, replace(data, part=np.zeros(n, "i1")), loop_samples.NET, "validation rows"),
        ({}, replace(data, log_stellar_mass=np.full(n, 7.0)), loop_samples.NET, "floor"),
        ({}, replace(data, features=np.ones((n, 2))), loop_samples.NET, "features"),
    ]
    about = loop_samples.given(data)
    for changes, samples, shape, text in cases:
        with pytest.raises(BadValueError, match=text):
            train(samples, shape, OPTIONS, tmp_path / "x", **about | changes)
    assert not (tmp_path / "x").exists()


def test_one_run_at_a_time(tmp_path):
    code = (
        "import sys; from pathlib import Path; from mockgal.system.files.lock import output_lock\n"
        "with output_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    environment = dict(os.environ) | {"PYTHONPATH": str(Path(loop.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "training"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="one run at a time"):
            run(tmp_path)
        other.communicate(b"")


def test_without_lightning_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(UsageError, match=r"mockgal\[train\]") as caught:
        run(tmp_path)
    assert caught.value.exit_code == 2


def test_devices_that_are_not_there_are_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="training devices"):
        run(tmp_path, options=replace(OPTIONS, accelerator="gpu"))
    with pytest.raises(UsageError, match="tf32"):
        run(tmp_path, options=replace(OPTIONS, precision="tf32"))


def test_mixed_precision_runs_and_keeps_weights_in_full(tmp_path):
    weights = run(tmp_path, options=replace(OPTIONS, epochs=1, precision="bfloat16"))
    run(tmp_path / "full", options=replace(OPTIONS, epochs=1))
    kinds = {value.dtype for value in weights.state.values()}
    assert kinds == {torch.float32, torch.int64}
    mixed, full = (rows(f)[0]["training_loss"] for f in (tmp_path, tmp_path / "full"))
    assert mixed != full
    assert mixed == pytest.approx(full, rel=0.05)


@pytest.mark.slow
def test_lightning_is_not_loaded_with_the_room():
    code = "import sys, mockgal.training.loop, mockgal.training.search; "
    code += "print('lightning' in sys.modules)"
    environment = dict(os.environ) | {"PYTHONPATH": str(Path(devices.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -1e-3),
        ("batch_size", 1),
        ("batch_size", 8.0),
        ("epochs", 0),
        ("symmetries", "some"),
        ("precision", "float16"),
        ("power_range", (3.0, 2.0)),
        ("devices", True),
    ],
)
def test_options_that_cannot_be(name, value):
    with pytest.raises(UsageError, match=name):
        TrainingOptions(**{"seed": 1} | {name: value})

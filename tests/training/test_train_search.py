"""The search: killed and resumed it tries the same, and a trial that fails ends no search."""

import csv
import os
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import loop_samples
import numpy as np
import pytest
import train_child

from mockgal.errors import IncompleteError, InternalError, MockgalWarning, UsageError
from mockgal.painters.cnn.architecture import PRESETS, architecture
from mockgal.training import search as module
from mockgal.training.evaluation.selection import best_of
from mockgal.training.options import TrainingOptions
from mockgal.training.request import ranges_of
from mockgal.training.search import Ranges, _layouts, _suggested, search

HERE = Path(__file__).parent


def table(folder):
    with (folder / "search.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_killed_and_resumed_it_tries_the_same(tmp_path):
    environment = dict(os.environ) | {
        "PYTHONPATH": f"{Path(module.__file__).parents[2]}{os.pathsep}{HERE}",
        "OMP_NUM_THREADS": "1",
    }
    folder = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, HERE / "train_child.py", folder, "search"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < limit:
        if list(folder.glob("trial-0001/checkpoint-1.safetensors")):  # in the second trial
            break
        time.sleep(0.005)
    child.kill()
    assert child.wait() == -9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MockgalWarning)  # that it cleaned up
        resumed = train_child.searched(folder)
    whole = train_child.searched(tmp_path / "whole")
    assert resumed.table == whole.table
    assert resumed.weights.digest() == whole.weights.digest()
    assert table(folder) == table(tmp_path / "whole")
    rows = table(folder)
    assert [row["state"] for row in rows] == ["complete"] * 3
    names = ("score", "validation_loss", "validation_loss_error")
    numbers = [{name: float(row[name]) for name in names} for row in rows]
    best = resumed.weights.provenance["training"]["scores"]
    assert {name: best[name] for name in names} == numbers[best_of(numbers)]
    again = train_child.searched(folder)  # all done: read
    assert again.weights.digest() == whole.weights.digest()
    data, rows_drawn = train_child.data(), np.ones(len(train_child.data()))
    others = loop_samples.samples(seed=9)
    for samples, options, changes in (
        (data, replace(train_child.SEARCHED, epochs=9), {}),
        (data, train_child.SEARCHED, {"sampling": rows_drawn}),
        (others, train_child.SEARCHED, {}),
    ):
        about = loop_samples.given(samples) | changes
        with pytest.raises(UsageError, match="another search"):
            search(
                samples, loop_samples.NET, options, folder, 3, ranges=train_child.RANGES, **about
            )
    assert table(folder) == table(tmp_path / "whole")


@pytest.mark.slow
def test_a_failed_trial_is_put_down_and_others_go_on(tmp_path, monkeypatch):
    plain = module.train

    def sometimes(samples, shape, options, folder, **about):
        if folder.name == "trial-0000":
            raise InternalError("training", "a loss that is NaN")
        return plain(samples, shape, options, folder, **about)

    monkeypatch.setattr(module, "train", sometimes)
    with pytest.warns(MockgalWarning, match="trial 0"):
        found = train_child.searched(tmp_path, 2)
    assert [row["state"] for row in found.table] == ["fail", "complete"]
    assert found.table[0]["score"] is None


def test_without_any_score_there_are_no_weights(tmp_path, monkeypatch):
    def never(*args, **about):
        raise InternalError("training", "a loss that is NaN")

    monkeypatch.setattr(module, "train", never)
    with pytest.warns(MockgalWarning), pytest.raises(IncompleteError):
        train_child.searched(tmp_path, 2)


def test_blocks_are_those_of_presets_of_the_crop():
    found = _layouts(architecture("centred"), Ranges())
    same = [p["kernels"] for p in PRESETS.values() if p["crop_size"] == 65]
    assert set(found.values()) == set(same)
    assert next(iter(found)) == "7,5|5,5|5,3"
    assert list(_layouts(loop_samples.NET, Ranges()).values()) == [loop_samples.NET.kernels]


def test_layouts_have_the_names_of_their_presets():
    import optuna

    wide, paper = Ranges(), architecture("paper", width=4)
    layouts = _layouts(paper, wide)
    study = optuna.create_study()
    for name in ("paper", "literal", "centred"):
        kernels = PRESETS[name]["kernels"]
        chosen = next(text for text, found in layouts.items() if found == kernels)
        study.enqueue_trial({"kernels": chosen})
        _, shape = _suggested(study.ask(), train_child.SEARCHED, paper, wide, layouts)
        assert (shape.preset, shape.kernels) == (name, kernels)
        assert shape.outputs == paper.outputs


def test_what_is_given_is_not_searched():
    about = {"seed": 1, "preset": "demo", "training": {"learning_rate": 0.01, "batch_size": 12}}
    chosen = TrainingOptions(seed=1, **about["training"])
    found = ranges_of(architecture("demo", width=5), chosen, "demo", 5, about["training"])
    fixed = {"learning_rate": (0.01, 0.01), "batch_size": (12,), "width": (5,)}
    assert found == Ranges(**fixed)
    assert ranges_of(architecture("demo"), chosen, "demo", None, {}) == Ranges()
    own = ranges_of(loop_samples.NET, chosen, loop_samples.NET, None, {})
    assert (own.width, own.kernels) == ((loop_samples.NET.width,), (loop_samples.NET.kernels,))


def test_nothing_left_to_search(tmp_path):
    data = train_child.data()
    fixed = {"learning_rate": (0.01, 0.01), "weight_decay": (0.0, 0.0)}
    ranges = Ranges(**fixed, width=(1,), batch_size=(8,))
    about = loop_samples.given(data)
    with pytest.raises(UsageError, match="all hyperparameters fixed"):
        search(data, loop_samples.NET, train_child.SEARCHED, tmp_path, 2, ranges=ranges, **about)
    assert not list(tmp_path.iterdir())


def test_without_optuna_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"mockgal\[train\]"):
        train_child.searched(tmp_path)


@pytest.mark.parametrize("trials", [0, 1.5, True])
def test_numbers_of_trials_that_cannot_be(tmp_path, trials):
    with pytest.raises(UsageError, match="trials"):
        train_child.searched(tmp_path, trials)

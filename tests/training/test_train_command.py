"""``mockgal train`` as a user types it: killed, given again, painted with, and evaluated."""

import json
import os
import subprocess
import sys
import time

import pytest
from terminal import mockgal

from mockgal.painters.cnn.weights.named import read_weights
from mockgal.universe import Run, write_universe

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
TWINS, OVER = ("--dark", "a", "--hydro", "b"), "--overwrite"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_universe(folder, 5, run=Run(box_size=16.0, side=64, steps=10))
    return folder / "dark.hdf5", folder / "hydro.hdf5"


def pair_of(runs):
    return "--dark", runs[0], "--hydro", runs[1]


def training(runs, out, *more):
    about = ("--preset", "demo", "--width", 2, "--grid", 128, "--luminosity-floor", "2e8 Msun/h")
    return ("train", *pair_of(runs), "--out", out, *about, "--epochs", 2, *more)


@pytest.mark.slow
def test_from_runs_to_a_mock(mockgal_command, runs, tmp_path):
    (tmp_path / "whole").mkdir()
    on_screen = {"env": ONE_THREAD, "stdout_piped": True}
    whole = mockgal(*training(runs, "w.safetensors"), cwd=tmp_path / "whole", **on_screen)
    assert len([line for line in whole.screen if line.startswith("training, epoch")]) == 1
    for text in (
        "pair        synthetic dark (seed 5, 64^3 particles in 16 Mpc/h) and synthetic hydro (",
        "split       cubes",
        "seed        201200186",
        "wrote       w.safetensors\n            w.safetensors.card.md\n"
        "            w.safetensors.split.png\n",
    ):
        assert text in whole.stdout
    digest = read_weights(tmp_path / "whole" / "w.safetensors").digest()

    child = subprocess.Popen(
        [sys.executable, "-m", "mockgal", *map(str, training(runs, "w.safetensors"))],
        cwd=tmp_path,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = tmp_path / "w.safetensors.training"
    limit = time.monotonic() + 100
    while child.poll() is None and not list(folder.glob("checkpoint-?.safetensors")):
        assert time.monotonic() < limit
        time.sleep(0.005)
    child.kill()
    assert child.wait() == -9
    assert not (tmp_path / "w.safetensors").exists()
    assert len(list(folder.glob("fields-*.safetensors"))) == 1
    again = mockgal_command(*training(runs, "w.safetensors"), **ONE_THREAD)
    assert again.returncode == 0, again.stderr
    assert read_weights(tmp_path / "w.safetensors").digest() == digest
    assert not list(folder.glob("*fields-*"))

    card = (tmp_path / "w.safetensors.card.md").read_text()
    repeated = mockgal(
        "evaluate", "--weights", "w.safetensors", *pair_of(runs), cwd=tmp_path, **on_screen
    )
    assert repeated.stdout == card
    there = sorted(tmp_path.iterdir())
    scratch = ("evaluate", "--weights", "w.safetensors", *pair_of(runs), "--scratch", tmp_path)
    repeated = mockgal_command(*scratch, **ONE_THREAD)
    assert repeated.returncode == 0, repeated.stderr
    assert repeated.stdout == card
    assert sorted(tmp_path.iterdir()) == there
    made = mockgal_command("field", "--sim", runs[0], "--grid", 128, "--out", "matter.hdf5")
    assert made.returncode == 0, made.stderr
    gridded = ("evaluate", "--weights", "w.safetensors", *pair_of(runs), "--matter", "matter.hdf5")
    repeated = mockgal_command(*gridded, **ONE_THREAD)
    assert repeated.returncode == 0, repeated.stderr
    assert repeated.stdout == card
    painted = mockgal_command(
        *("build", "--sim", runs[0], "--painter", "cnn", "--weights", "w.safetensors"),
        *("--out", "mock.fits"),
    )
    assert painted.returncode == 0, painted.stderr
    assert "weights w" in painted.stdout

    written = mockgal_command(
        "evaluate", "--weights", "w.safetensors", *pair_of(runs), "--out", "numbers.json", "--json"
    )
    assert written.returncode == 0, written.stderr
    assert json.loads((tmp_path / "numbers.json").read_text())["weights_digest"] == digest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("train", "--out", "w.safetensors"), 2, "0 --dark and 0 --hydro"),
        (("train", "--dark", "{0}", "--out", "w.safetensors"), 2, "1 --dark and 0 --hydro"),
        (("evaluate", "--weights", "w.safetensors", "--dark", "{0}"), 2, "1 --dark and 0 --hydro"),
        (("evaluate", "--weights", "nowhere", "--dark", "{0}", "--hydro", "{1}"), 2, "nowhere"),
        (
            ("evaluate", "--weights", "gadget4-demo", *TWINS, "--scratch", "nowhere"),
            2,
            "no such folder",
        ),
        (("train", "--dark", "{1}", "--hydro", "{0}", "--out", "w.safetensors"), 3, "stellar mass"),
        (
            ("train", *TWINS, *2 * ("--matter", "c"), "--out", "w.safetensors"),
            2,
            "matter of 2",
        ),
        (
            ("evaluate", "--weights", "w", *TWINS, "--matter", "{0}", "--out", "{0}", OVER),
            2,
            "input",
        ),
    ],
)
@pytest.mark.slow_but(*(f"arguments{k}" for k in (0, 1, 2, 3, 4, 7)))
def test_what_is_refused(mockgal_command, runs, tmp_path, arguments, code, said):
    result = mockgal_command(*(a.format(*runs) for a in arguments))
    assert result.returncode == code, result.stderr
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())

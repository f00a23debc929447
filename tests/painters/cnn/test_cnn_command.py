"""The network through the command: from particles or a grid to a catalogue, stopped and resumed."""

import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.io import fits
from cnn_samples import GRID, sample_weights, scene

from mockgal import read_galaxies
from mockgal.painters.cnn.weights.named import save_weights
from mockgal.writers.bundle import write_bundle


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a bundle and weights that were not trained."""
    folder = tmp_path_factory.mktemp("cnn")
    write_bundle(scene(), folder / "dark.hdf5")
    save_weights(sample_weights(), folder / "net.safetensors")
    return folder


@pytest.fixture
def build(mockgal_command, inputs, tmp_path):
    def run(
        *options,
        sim=inputs / "dark.hdf5",
        weights=inputs / "net.safetensors",
        out="mock.fits",
        **environment,
    ):
        return mockgal_command(
            *("build", "--sim", sim, "--painter", "cnn", "--weights", weights, "--seed", 1),
            *("--allow-empty-regions", "--out", tmp_path / out, *options),
            **environment,
        )

    return run


@pytest.fixture(scope="module")
def in_tiles_of_8(forked, inputs):
    """The digest of a mock that was not stopped."""
    words = ["build", "--sim", "dark.hdf5", "--painter", "cnn", "--weights", "net.safetensors"]
    words += ["--seed", "1", "--allow-empty-regions", "--out", "whole.fits", "--tile-size", "8"]
    return content(forked(words, inputs))


def content(result):
    assert result.returncode == 0, result.stderr
    return re.search(r"^content +([0-9a-f]{64})$", result.stdout, re.M)[1]


def test_a_mock(build, inputs, tmp_path):
    result = build("--cut", "stellar_mass > 1e9 Msun/h", "--tile-size", 16)
    assert content(result)
    assert re.search(r"weights sample, 32\^3 voxels in tiles of 16\^3 on cpu", result.stdout)
    with fits.open(tmp_path / "mock.fits", checksum=True) as file:
        header, rows = file["GALAXIES"].header, file["GALAXIES"].data
    painter = read_galaxies(tmp_path / "mock.fits").provenance["painter"]
    assert header["CALHASH"] == painter["weights_digest"]
    assert painter["network"]["architecture"]["preset"] == "small"
    assert painter["tile_size"] == 16
    assert len(rows) >= 10
    assert any("2012.00186" in value for value in map(str, header.values()))


@pytest.mark.slow
def test_a_grid_in_place_of_particles(build, mockgal_command, inputs, tmp_path):
    """The same galaxies from a grid that was written and the halos alone."""
    expected = content(build("--tile-size", 16))
    grid, halos = tmp_path / "field.hdf5", tmp_path / "halos.hdf5"
    for command in (
        ("field", "--sim", inputs / "dark.hdf5", "--grid", GRID, "--out", grid),
        ("pack", "--sim", inputs / "dark.hdf5", "--no-particles", "--out", halos),
    ):
        made = mockgal_command(*command, "--allow-empty-regions")
        assert made.returncode == 0, made.stderr
    refused = build(sim=halos, out="none.fits")
    assert refused.returncode == 3
    assert "no particles or density grid" in refused.stderr
    found = build("--tile-size", 16, "--matter", grid, sim=halos, out="grid.fits")
    assert content(found) == expected


def check_refused(build, tmp_path, options, code, words):
    result = build(*options)
    assert result.returncode == code
    assert words in result.stderr
    assert not (tmp_path / "mock.fits").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--precision", "tf32", "--device", "cpu"), 2, "tf32 on a CPU"),
        (("--memory", "much"), 2, "MiB"),
        (("--scratch", "nowhere"), 2, "mkdir -p nowhere"),
        (("--average-symmetries", "--calibration", "x"), 2, "calibration"),
    ],
)
def test_refusals(build, tmp_path, options, code, words):
    check_refused(build, tmp_path, options, code, words)


def test_weights_that_nobody_has(build):
    result = build(weights="nobody")
    assert result.returncode == 2
    assert "mockgal weights list" in result.stderr


@pytest.mark.fault(76)
def test_too_little_memory(build, tmp_path, exit_code):
    check_refused(build, tmp_path, ("--memory", "50 MB"), exit_code, "--memory")


@pytest.mark.fault(77)
@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_no_gpu(build, tmp_path, exit_code):
    check_refused(build, tmp_path, ("--device", "cuda"), exit_code, "no GPU")


@pytest.mark.fault(62)
def test_weights_that_are_a_pickle(build, tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("executed",))

    (tmp_path / "trap.safetensors").write_bytes(pickle.dumps(Trap()))
    result = build(weights=tmp_path / "trap.safetensors")
    assert result.returncode == 4
    assert "executed" not in result.stdout


@pytest.mark.slow_but("15")
@pytest.mark.fault(55)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_stopped_goes_on(build, inputs, tmp_path, number, in_tiles_of_8):
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "mockgal", "build", "--sim", inputs / "dark.hdf5"]
    command += ["--painter", "cnn", "--weights", inputs / "net.safetensors", "--seed", "1"]
    command += ["--allow-empty-regions", "--tile-size", "8", "--resume", kept]
    command += ["--out", tmp_path / "stopped.fits"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
    while not len(list(kept.glob("*.tile"))) >= 3 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=60)
    tiles = {path: path.stat().st_mtime_ns for path in kept.glob("*.tile")}
    assert len(tiles) >= 3
    if process.returncode != 0:  # else it was done before the signal came
        assert process.returncode in (128 + number, -number)
        assert not (tmp_path / "stopped.fits").exists()
    result = build("--tile-size", 8, "--resume", kept, out="resumed.fits")
    assert content(result) == in_tiles_of_8
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in tiles.items())
    assert len(list(kept.glob("*.tile"))) >= len(tiles)


def test_row_order_and_threads(build, tmp_path):
    expected = content(build("--tile-size", 16))
    sim = scene()
    order = np.random.default_rng(3).permutation(len(sim.halos))
    write_bundle(replace(sim, halos=sim.halos.take(order)), tmp_path / "other.hdf5")
    one = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    result = build("--tile-size", 16, sim=tmp_path / "other.hdf5", out="other.fits", **one)
    assert content(result) == expected

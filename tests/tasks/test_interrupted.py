"""Signals to a process that has just put a mock in place: its record and the manifest are there."""

import signal
import subprocess
import sys

import pytest

import mockgal
from mockgal.errors import listening
from mockgal.recipe import check
from mockgal.system.files import signals
from mockgal.tasks.ensembles.manifest import read_manifest
from mockgal.tasks.ensembles.mocks import build_ensemble

# The second mock of three gets its name, and then the signal comes; `finishing` gets another.
_CHILD = """
import os, signal, sys
import mockgal.cli
from mockgal.tasks.surveying import outputs

number, sim = int(sys.argv[1]), sys.argv[2]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
write, record, done = outputs.write_model, outputs.write_sidecar, []

def write_then_signal(*galaxies, **how):
    written = write(*galaxies, **how)
    done.append(written)
    if len(done) == 2:
        os.kill(os.getpid(), number)
    return written

def signal_then_record(*facts, **how):
    if len(done) == 2:
        os.kill(os.getpid(), number)
    return record(*facts, **how)

outputs.write_model, outputs.write_sidecar = write_then_signal, signal_then_record
command = ["build", "--sim", sim, "--painter", "hod", "--seed", "1-3", "--out", "m{seed}.fits"]
mockgal.cli.main(command)
"""


@pytest.mark.fault(55)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_mock_in_place_has_its_record_and_the_ensemble_its_manifest(
    number, code, demo_bundle, tmp_path
):
    result = subprocess.run(
        [sys.executable, "-c", _CHILD, str(int(number)), str(demo_bundle)],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=120,
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob(".*.part*"))
    assert (tmp_path / "m2.fits.run.json").exists()
    with listening(quiet=True):
        assert mockgal.verify(tmp_path / "m2.fits").is_right
    (manifest,) = tmp_path.glob("*manifest*")
    assert [one.seed for one in read_manifest(manifest).members] == [1]
    was = {seed: (tmp_path / f"m{seed}.fits").stat().st_ino for seed in (1, 2)}
    recipe = {"sim": str(demo_bundle), "painter": "hod", "out": str(tmp_path / "m{seed}.fits")}
    with listening(quiet=True):
        built = build_ensemble(check(recipe, "a test"), "1-3")
    assert built.kept == 2
    assert {seed: (tmp_path / f"m{seed}.fits").stat().st_ino for seed in (1, 2)} == was
    assert [one.seed for one in read_manifest(manifest).members] == [1, 2, 3]


def test_finishing_sets_signals_aside_and_raises_them_after():
    done = []
    with pytest.raises(SystemExit), signals.ending_command():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            with signals.finishing():
                signals.check()  # would raise
                signal.raise_signal(signal.SIGTERM)
                done.append("written")
            done.append("never")
    assert done == ["written"]
    with pytest.raises(SystemExit), signals.ending_command():  # noqa: PT012
        with signals.finishing():
            done.append("again")
            signal.raise_signal(signal.SIGTERM)
            done.append("still")
        done.append("never")
    assert done == ["written", "again", "still"]
    with signals.ending_command(), signals.finishing():
        pass

"""A build from pieces that is killed again and again: the first pass and merging go on."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mockgal
from mockgal.errors import listening
from mockgal.tasks.parts.status import clean
from mockgal.testing.compaso import write_compaso

KILLS = 6  # of each of both
BUILD = [
    *("build", "--sim", "halos/Made_Up/halos/z0.000", "--painter", "hod", "--seed", "7"),
    *("--model", "zheng07", "--threshold", "-20", "--stellar-mass-law", "moster13"),
    *("--allow-extrapolation", "--populate", "--cut", "stellar_mass > 2e10 Msun"),
    *("--out", "mock.fits", "--quiet"),
]
PARTS = 3
PART, MERGE = [*BUILD, "--part", f"1-{PARTS}/{PARTS}"], ["merge", "mock.fits", "--overwrite"]
# Counts what a phase does to files; at one such moment, or a little after it, there is a SIGKILL.
_CHILD = """
import os, signal, sys, threading, time
from importlib import import_module
from pathlib import Path
import mockgal.cli
from mockgal.tasks.parts import bound

module, name, at, delay, *words = sys.argv[1:]
at, delay, inside, seen = int(at), float(delay), False, 0
of_files = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}

def kill():
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)

def count(event, args):
    global seen
    if not inside or event not in of_files or event == "open" and "mock.fits" not in str(args[0]):
        return
    seen += 1
    if seen == at:
        threading.Thread(target=kill).start() if delay else kill()

def counted(*args, **how):
    global inside
    inside = True
    result = phase(*args, **how)
    inside = False
    Path("seen").write_text(str(seen))
    return result

bound.PIECE_ROWS = 100
module = import_module(module)
phase = getattr(module, name)
setattr(module, name, counted)
sys.addaudithook(count)
mockgal.cli.main(words)
"""
FIRST_PASS = ("mockgal.tasks.parts.streamed", "share_out")
MERGING = ("mockgal.tasks.parts.merge", "merge")


def run(phase, words, at=0, delay=0.0):
    """Run a command, and return its code; it is killed at a moment of a phase, from 1."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *phase, str(at), str(delay), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def moments(phase, words):
    """Run a command, and return how many moments a phase has."""
    assert run(phase, words) == 0
    return int(Path("seen").read_text())


@pytest.mark.slow
def test_killed_at_random_moments_of_the_first_pass_and_of_merging(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_compaso(tmp_path / "halos", count=900, superslabs=3, samples="A")
    of_first, of_merging = moments(FIRST_PASS, PART), moments(MERGING, MERGE)
    assert of_first > 20
    assert of_merging > 10
    unbroken = Path("mock.fits").read_bytes()
    for path in (Path("mock.fits"), Path("mock.fits.run.json")):
        path.unlink()

    chance = random.Random(23)
    for phase, words, most in ((FIRST_PASS, PART, of_first), (MERGING, MERGE, of_merging)):
        ends = []
        for k in range(KILLS):  # half of them within what a moment begins, such as a write
            at = chance.randint(1 + most * k // KILLS, most * (k + 1) // KILLS)
            if phase is MERGING and not list(Path().glob("mock.fits.parts-*")):
                break  # the mock is in place, and its parts are being removed
            ends.append(run(phase, words, at, chance.uniform(0, 0.003) * (k % 2)))
        assert ends.count(-signal.SIGKILL) >= KILLS - 2
        if phase is FIRST_PASS:
            assert run(phase, words) == 0
    assert Path("mock.fits").read_bytes() == unbroken
    assert not list(Path().glob("mock.fits.parts-*"))
    clean(Path(), remove=True)  # of what was being removed at the last
    assert {path.name for path in Path().iterdir()} == {
        *("halos", "seen", "mock.fits", "mock.fits.run.json")
    }
    with listening(quiet=True):
        assert mockgal.verify("mock.fits").is_right

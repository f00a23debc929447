"""Processes of a build from pieces keep within --memory, where one with all halos would not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HOSTS = 1_000_000
MEMORY = 440  # MiB; 40 of them for about 105,000 subhalos of a part
PARTS = 16
BUILD = [
    *("build", "--sim", "Made_Up/halos/z0.000", "--uncleaned", "--painter", "hod", "--seed", "7"),
    *("--model", "zheng07", "--threshold", "-20", "--stellar-mass-law", "moster13"),
    *("--allow-extrapolation", "--populate", "--cut", "stellar_mass > 2e10 Msun", "--quiet"),
]
# Notes the most memory that Linux says this process has had, in a file of its own.
_CHILD = """
import atexit, os, sys
from pathlib import Path

def note(folder=Path.cwd()):
    status = Path("/proc/self/status").read_text()
    peak = status.split("VmHWM:")[1].split()[0]
    (folder / f"peak-{os.getpid()}").write_text(peak)

atexit.register(note)
from mockgal.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def peak(tmp_path, monkeypatch):
    """Run a command in a process of its own, and return its peak memory [MiB]."""
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def run(*words):
        command = [sys.executable, "-c", _CHILD, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        (noted,) = tmp_path.glob("peak-*")
        size = int(noted.read_text()) / 1024
        noted.unlink()
        return size

    return run


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux keeps such peaks")
def test_peaks_stay_below_the_memory_that_all_halos_would_exceed(peak, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from streamed_build import run, write_superslabs

    write_superslabs(tmp_path, HOSTS)
    bound = [*BUILD, "--out", "mock.fits", "--memory", f"{MEMORY} MiB"]
    assert peak(*BUILD, "--out", "whole.fits") > MEMORY
    assert peak(*bound, "--part", f"1/{PARTS}") < MEMORY  # reads all, and paints a part
    assert peak(*bound, "--part", f"2-{PARTS}/{PARTS}") < MEMORY
    assert peak("merge", "mock.fits") < MEMORY
    whole = Path("whole.fits").read_bytes()
    assert Path("mock.fits").read_bytes() == whole

    together = run(tmp_path, *bound, "--overwrite", "--parts", f"{PARTS}", "--workers", "2")
    assert 50 / 1024 < together.peak < MEMORY / 1024
    assert 50 / 1024 < together.workers < MEMORY / 1024
    assert Path("mock.fits").read_bytes() == whole

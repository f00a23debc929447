"""Builds in parts by one command: workers that are killed, parts that fail, runs that end early."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parts_samples import PARTS, halo_of, is_running, recipe, share_out

import mockgal
from mockgal.errors import IncompleteError, OutputError, UsageError, listening
from mockgal.system.executors.processes import Processes
from mockgal.tasks.parts.build import build_in_parts, paint_part
from mockgal.tasks.parts.status import clean, status

# A painter whose parts with some halo do what a file says: its name and, in it, how many times.
TROUBLE = """
import os, signal, time
from pathlib import Path
from mockgal.errors import BadValueError, OutputError
from mockgal.painters.hod.painter import HODPainter

class Painter:
    name, needs, references = "trouble", frozenset({"halos"}), ("nobody",)
    provides = HODPainter.provides

    def predict(self, scene):
        ids = scene.halos["halo_id"]
        for note in Path(os.environ["TROUBLE"]).iterdir() if len(ids) < 200 else ():
            what, _, halo = note.name.partition("-")
            times = int(note.read_text())
            if times == 0 or int(halo or ids[0]) not in ids:
                continue
            if halo:
                note.write_text(str(times - 1))
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "poison":
                raise BadValueError("host_mass", "poison", "a mass", "do without")
            if what == "full":
                raise OutputError("x.fits", "No space left on device", "space", "free some")
            time.sleep(times / 100)
        return HODPainter().predict(scene)

    def describe(self, scene):
        return HODPainter().describe(scene) | {"name": "trouble"}
"""


def test_a_worker_that_is_killed(at_once, note, monkeypatch):
    share_out(monkeypatch)
    note("kill", 2, halo_of(4))
    with listening(quiet=True) as texts:
        painted = build_in_parts(recipe(), PARTS, Processes(2))
    assert painted.report.path.read_bytes() == at_once
    assert (painted.parts, painted.kept, painted.by) == (PARTS, 0, "2 processes")
    assert sum("part 4 is tried again" in text and "SIGKILL" in text for text in texts) == 2
    assert sum("it is for demonstration" in text for text in texts) == 1
    assert clean(Path()) == []


@pytest.mark.slow_but("poison")
@pytest.mark.parametrize(
    ("what", "kind", "code"),
    [("poison", IncompleteError, 7), ("kill", IncompleteError, 7), ("full", OutputError, 5)],
)
def test_a_part_that_fails_each_time(at_once, note, monkeypatch, what, kind, code):
    share_out(monkeypatch)
    note(what, 3, halo_of(4))
    with listening(quiet=True), pytest.raises(kind, match="part 4 of 6") as raised:
        build_in_parts(recipe(), PARTS, Processes(2))
    assert raised.value.exit_code == code
    assert "of 6 parts are finished" in str(raised.value)
    assert "run the same command again" in raised.value.fix
    assert str(raised.value).count("part 4") == 1
    assert not Path("mock.fits").exists()
    (progress,) = status(Path("mock.fits"))
    assert progress.finished
    assert 4 not in progress.finished
    with listening(quiet=True):
        painted = build_in_parts(recipe(), PARTS, Processes(1))  # it fails no more
    assert painted.kept == len(progress.finished)
    assert painted.report.path.read_bytes() == at_once


def test_what_cannot_be_built_so(mockgal_command, monkeypatch):
    for values, number, text in (
        ({"out": "mock-{seed}.fits"}, 2, "seed"),
        ({}, 0, "--parts: found 0, expected 1 to 100,000"),
        ({}, 100_001, "1 to 100,000"),
    ):
        with pytest.raises(UsageError, match=text):
            build_in_parts(recipe(**values), number, Processes(1))
    import trouble

    with monkeypatch.context() as patch:
        patch.setattr(trouble.Painter, "needs", frozenset({"halos", "field"}))
        with pytest.raises(UsageError, match="leave --parts out"):
            build_in_parts(recipe(), 2, Processes(1))
    Path("mock.fits").write_text("mine")
    with pytest.raises(UsageError, match="a file of this name"):
        build_in_parts(recipe(), 2, Processes(1))
    assert not list(Path().glob("*.parts-*"))
    for words, text in (
        (["--workers", "2"], "add --parts 32"),
        (["--workers", "0", "--parts", "2"], "1 or more"),
        (["--part", "1/2", "--parts", "2", "--workers", "1"], "--parts and --workers beside"),
        (["--parts", "2", "--seed", "1-2"], "2 seeds"),
    ):
        result = mockgal_command("build", "--sim", "dark.hdf5", "--painter", "hod", *words)
        assert result.returncode == 2
        assert text in result.stderr


def test_a_worker_that_sees_other_files(folder):
    with pytest.raises(mockgal.errors.InputError, match="no such folder on host"):
        paint_part({"folder": str(folder / "elsewhere"), "part": 1})


OPTIONS = ["build", "--sim", "dark.hdf5", "--painter", "trouble", "--seed", "7", "--drop-bad"]
OPTIONS += ["--out", "mock.fits", "--parts", f"{PARTS}", "--workers", "2", "--json"]


class Running:
    """The command, which paints slowly; its first part is finished."""

    def __init__(self, note):
        note("slow", 100)
        self.job = subprocess.Popen(
            [sys.executable, "-m", "mockgal", *OPTIONS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        late = time.monotonic() + 60
        while not list(Path().glob("mock.fits.parts-*/part-*")):
            assert self.job.poll() is None, self.job.communicate()
            assert time.monotonic() < late
            time.sleep(0.02)
        children = Path(f"/proc/{self.job.pid}/task/{self.job.pid}/children")
        self.workers = [int(pid) for pid in children.read_text().split()]
        assert len(self.workers) == 2

    def end(self):
        out, err = self.job.communicate(timeout=60)
        late = time.monotonic() + 10
        while any(map(is_running, self.workers)) and time.monotonic() < late:
            time.sleep(0.02)
        assert not any(map(is_running, self.workers))
        assert "Traceback" not in err
        return self.job.returncode, out, err


@pytest.mark.slow_but("SIGTERM")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
    ids=["SIGTERM", "SIGINT", "SIGKILL"],
)
def test_a_run_that_is_stopped_goes_on(at_once, note, number, code):
    running = Running(note)
    (found,) = [one for one in clean(Path(), remove=True) if ".parts-" in one.path.name]
    assert found.in_use
    assert not found.removed
    running.job.send_signal(number)
    assert running.end()[0] == code
    assert not Path("mock.fits").exists()
    there = set(Path().glob("*.parts-*/.*"))
    assert number == signal.SIGKILL or not there  # no half-made files, and no locks
    note("slow", 0)
    with listening(quiet=True):
        assert build_in_parts(recipe(), PARTS, Processes(1)).kept >= 1
    assert Path("mock.fits").read_bytes() == at_once
    assert clean(Path()) == []


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside(at_once, note):
    running = Running(note)
    os.kill(running.workers[0], signal.SIGKILL)
    note("slow", 0)
    code, out, err = running.end()
    assert code == 0, err
    assert "is tried again" in err
    facts = json.loads(out)
    assert (facts["parts"], facts["painted_by"]) == (PARTS, "2 processes")
    assert Path("mock.fits").read_bytes() == at_once


@pytest.mark.slow
def test_two_runs_of_one_mock(at_once, note):
    running = Running(note)
    note("slow", 1000)
    result = subprocess.run(
        [sys.executable, "-m", "mockgal", *OPTIONS], capture_output=True, text=True
    )
    assert result.returncode == 5
    assert "which is writing it" in result.stderr
    note("slow", 0)
    assert running.end()[0] == 0
    assert Path("mock.fits").read_bytes() == at_once

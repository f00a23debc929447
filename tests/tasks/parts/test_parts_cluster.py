"""Builds in parts by the workers of a scheduler of Dask, which are processes of their own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parts_samples import PARTS, halo_of, is_running, recipe, share_out

from mockgal.errors import IncompleteError, UsageError, listening
from mockgal.system.executors.cluster import Cluster
from mockgal.tasks.parts.build import build_in_parts
from mockgal.tasks.parts.status import status


def dask(what, *options, environment, folder):
    """Start ``dask scheduler`` or ``dask worker``."""
    with (folder / f"{what}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, "--no-dashboard", *options],
            env=environment | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"},
            cwd=folder,  # not that of the command
            stdout=log,
            stderr=log,
        )


def end(*jobs):
    for job in jobs:
        job.terminate()
    for job in jobs:
        try:
            job.wait(20)
        except subprocess.TimeoutExpired:
            job.kill()
            job.wait()


class Scheduler:
    """A scheduler, which its file describes."""

    def __init__(self, environment, folder):
        self.file, self.how = folder / "scheduler.json", {"environment": environment}
        self.how["folder"] = folder
        options = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file))
        self.jobs = [dask("scheduler", *options, **self.how)]
        late = time.monotonic() + 60
        while not self.file.exists():
            assert self.jobs[0].poll() is None, (folder / "scheduler.log").read_text()
            assert time.monotonic() < late
            time.sleep(0.05)

    def worker(self, *options):
        job = dask("worker", "--scheduler-file", str(self.file), *options, **self.how)
        self.jobs.append(job)
        return job

    def end(self):
        end(*reversed(self.jobs))


@pytest.fixture(scope="module")
def cluster(environment, tmp_path_factory):
    """The file of a scheduler with two workers, which nannies start again if they die."""
    scheduler = Scheduler(environment, tmp_path_factory.mktemp("cluster"))
    scheduler.worker("--nthreads", "1", "--nworkers", "2")
    yield str(scheduler.file)
    scheduler.end()


def test_workers_of_a_cluster(at_once, cluster, note, monkeypatch):
    share_out(monkeypatch)
    note("kill", 1, halo_of(4))
    with listening(quiet=True):
        painted = build_in_parts(recipe(), PARTS, Cluster(cluster))
    assert painted.report.path.read_bytes() == at_once
    assert painted.by == f"the workers of {cluster}"
    assert not list(Path().glob("*.parts-*"))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["poison", "kill"])
def test_a_part_that_fails_each_time(at_once, cluster, note, monkeypatch, what):
    share_out(monkeypatch)
    note(what, 100, halo_of(4))
    with listening(quiet=True), pytest.raises(IncompleteError, match="part 4 of 6") as raised:
        build_in_parts(recipe(), PARTS, Cluster(cluster))
    assert ("poison" if what == "poison" else "workers died with it") in str(raised.value)
    assert "failed 3 times" in str(raised.value)
    note(what, 0, halo_of(4))
    with listening(quiet=True):
        painted = build_in_parts(recipe(), PARTS, Cluster(cluster))
    assert painted.kept >= 1
    assert painted.report.path.read_bytes() == at_once


def test_where_there_is_no_scheduler(monkeypatch, folder):
    monkeypatch.setattr("mockgal.system.executors.cluster._ANSWER", 0.5)
    (folder / "empty.json").write_text("{}")
    (folder / "text.json").write_text("no JSON")
    (folder / "number.json").write_text('{"address": 1}')
    for text in ("none.json", "", "host", "tcp://host", "number.json"):
        with pytest.raises(UsageError, match="no file and no address"):
            Cluster(text)
    for text in ("empty.json", "text.json"):
        with pytest.raises(UsageError, match="does not say where a scheduler is"):
            Cluster(text)
    for text in ("tcp://127.0.0.1:1", "127.0.0.1:1", "x://y:1"):
        with pytest.raises(UsageError, match="no scheduler that answers") as raised:
            Cluster(text).__enter__()
        assert "dask scheduler --scheduler-file" in raised.value.fix


def test_without_the_extra(mockgal_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'mockgal\[cluster\]'"):
        Cluster("tcp://127.0.0.1:1")
    words = ["build", "--sim", "dark.hdf5", "--painter", "hod", "--parts", "2"]
    result = mockgal_command(*words, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert result.returncode == 2
    assert "--workers beside --scheduler" in result.stderr


OPTIONS = ["build", "--sim", "dark.hdf5", "--painter", "trouble", "--seed", "7", "--drop-bad"]
OPTIONS += ["--out", "mock.fits", "--parts", f"{PARTS}", "--quiet"]


def started(scheduler):
    """The command, whose first part is finished."""
    job = subprocess.Popen(
        [sys.executable, "-m", "mockgal", *OPTIONS, "--scheduler", str(scheduler)],
        stderr=subprocess.PIPE,
        text=True,
    )
    late = time.monotonic() + 90
    while not list(Path().glob("mock.fits.parts-*/part-*")):
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < late
        time.sleep(0.02)
    return job


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on(at_once, cluster, note):
    note("slow", 100)
    job = started(cluster)
    job.send_signal(signal.SIGTERM)
    assert "Traceback" not in job.communicate(timeout=60)[1]
    assert job.returncode == 143
    with listening(quiet=True):  # workers may still be at parts: it waits for them
        painted = build_in_parts(recipe(), PARTS, Cluster(cluster))
    assert painted.kept >= 1
    assert painted.report.path.read_bytes() == at_once


@pytest.mark.slow
def test_workers_that_come_late_and_a_scheduler_that_goes(at_once, note, environment, folder):
    note("slow", 100)
    (folder / "cluster").mkdir()
    scheduler = Scheduler(environment, folder / "cluster")
    late = subprocess.Popen(
        [sys.executable, "-m", "mockgal", *OPTIONS, "--scheduler", str(scheduler.file)],
        stderr=subprocess.PIPE,
        text=True,
    )
    before = ""
    while "no worker has come" not in before:
        before = late.stderr.readline()
        assert before, "it ended"
    worker = scheduler.worker("--nthreads", "2", "--no-nanny")
    until = time.monotonic() + 60
    while not list(Path().glob("mock.fits.parts-*/part-*")) and time.monotonic() < until:
        time.sleep(0.02)
    scheduler.jobs[0].kill()
    said = late.communicate(timeout=120)[1]
    end(worker)
    assert late.returncode == 7, said
    assert "the connection to" in said
    assert "Traceback" not in said, said
    assert status(Path("mock.fits"))[0].finished
    assert not is_running(worker.pid)

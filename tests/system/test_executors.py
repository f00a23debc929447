"""Executors: tasks are carried out elsewhere, each once or again, and nothing is left behind."""

import subprocess
import sys
import time
from pathlib import Path

import executor_samples as samples
import pytest

from mockgal.errors import BadValueError, OutputError, listening
from mockgal.system.executors.calls import called, error_of, failure, name_of
from mockgal.system.executors.processes import Processes
from mockgal.system.executors.run import TRIES, FailedTask, results


def carried_out(executor, function, tasks):
    with executor:
        return dict(results(executor, function, dict(enumerate(tasks, start=1)), "task {}".format))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_results_warnings_and_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the working directory')")
    with listening(quiet=True) as texts:
        tasks = [{"n": n} for n in range(7)]
        assert carried_out(Processes(2), samples.doubled, tasks) == {n + 1: 2 * n for n in range(7)}
    assert texts == ["a warning"]  # all say the same
    at = carried_out(Processes(2), samples.where, [{"seconds": 0.3}] * 4).values()
    assert len({one["pid"] for one in at}) == 2
    assert {(one["cwd"], one["threads"]) for one in at} == {(str(tmp_path), "1")}
    assert not any(is_running(one["pid"]) for one in at)


def test_what_a_task_raises_arrives():
    error = error_of(called(name_of(samples.poisoned), {"n": 3}))
    assert isinstance(error, BadValueError)
    assert (error.where, error.found, error.fix) == ("file.hdf5:/mass", "poison", "do without")
    assert error_of(called(name_of(samples.poisoned), {"n": 4})) is None
    assert isinstance(error_of(called(name_of(samples.full), {})), OutputError)
    assert "unforeseen ZeroDivisionError" in str(error_of(called(name_of(samples.broken), {})))

    class OfAPlugin(BadValueError):
        pass

    assert type(error_of(failure(OfAPlugin("x", "y")))) is BadValueError


@pytest.mark.parametrize("workers", [1, 3])
def test_a_task_whose_process_dies_is_carried_out_again(tmp_path, workers):
    calls = tmp_path / "calls"
    tasks = [{"n": n, "calls": str(calls), "times": 2 * (n == 4)} for n in range(1, 7)]
    with listening(quiet=True) as texts:
        assert carried_out(Processes(workers), samples.killed, tasks) == {n: n for n in range(1, 7)}
    assert sorted(calls.read_text().split()) == list("12344456")
    assert len(texts) == 2
    assert all("task 4 is tried again" in text and "SIGKILL" in text for text in texts)


def test_a_task_that_fails_each_time_ends_the_others():
    tasks = [{"n": n} for n in range(1, 41)]
    with listening(quiet=True) as texts, pytest.raises(FailedTask) as raised:
        carried_out(Processes(1), samples.poisoned, tasks)
    assert raised.value.number == 3
    assert isinstance(raised.value.error, BadValueError)
    assert len(texts) == TRIES - 1


def test_processes_end_with_the_one_that_started_them(tmp_path):
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import executor_samples as samples
from mockgal.system.executors.processes import Processes
with Processes(2) as pool:
    for n in range(2):
        pool.start(n, samples.__name__ + ":where", {{"seconds": 0.0}})
    print([pool.finished()[1]["value"]["pid"] for n in range(2)][0], flush=True)
    pool.start(3, samples.__name__ + ":where", {{"seconds": 60.0}})
    pool.finished()
"""
    job = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(job.stdout.readline())
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    assert str(pid) in children
    job.kill()
    job.wait()
    job.stdout.close()
    late = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < late:
        time.sleep(0.05)
    assert not any(map(is_running, children))


def test_an_error_here_ends_those_at_work():
    with Processes(1) as pool:
        pool.start(1, name_of(samples.where), {})
        pid = pool.finished()[1]["value"]["pid"]
    assert not is_running(pid)
    pool, started = Processes(1), time.monotonic()
    pool.start(1, name_of(samples.where), {})
    pid = pool.finished()[1]["value"]["pid"]
    pool.start(2, name_of(samples.where), {"seconds": 60.0})
    pool._hand_out()
    pool.__exit__(KeyboardInterrupt, None, None)
    assert not is_running(pid)
    assert time.monotonic() - started < 30

"""Builds in parts: two workers against one and against at once; what an executor costs a task.

python benchmarks/parts_workers.py [--hosts 300000] [--parts 16] [--tasks 1000] [--seconds 0.05]

Wall-clock of the commands as a user types them, start included, on made-up hosts with --populate;
all mocks must have the same bytes. Then tasks that only sleep, through the pool of processes and
through Dask with as many workers, against the time that sleeping takes; workers have started.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import busy, machine, table
from ensembles import seconds, simulation

WORKERS = 2


def asleep(task: dict[str, Any]) -> int:
    """Sleep, as a task that takes no processor would."""
    time.sleep(task["seconds"])
    return 0


def builds(hosts: int, parts: int, folder: Path) -> list[list[str]]:
    """Rows of the table of builds."""
    simulation(folder / "dark.hdf5", hosts, hosts_only=True)
    options = ["--sim", "dark.hdf5", "--painter", "hod", "--allow-extrapolation", "--populate"]
    options += ["--seed", "1", "--out", "mock.fits", "--overwrite"]
    rows, found, texts = [], [], set()
    for workers in (0, 1, 2):
        more = ["--parts", f"{parts}", "--workers", f"{workers}"] if workers else []
        found.append(seconds([*options, *more], folder))
        texts.add((folder / "mock.fits").read_bytes())
        rows.append([["at once", "one worker", "two workers"][workers]])
    assert len(texts) == 1, "other bytes"
    for row, (wall, cpu) in zip(rows, found, strict=True):
        row += [f"{wall:.1f}", f"{cpu:.1f}", f"{found[1][0] / wall:.2f}"]
    return rows


@contextmanager
def dask(folder: Path) -> Iterator[str]:
    """A scheduler with workers; its file."""
    file = folder / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    here = [["scheduler", "--host", "127.0.0.1", "--port", "0", *where]]
    here.append(["worker", *where, "--nthreads", "1", "--nworkers", f"{WORKERS}"])
    jobs, environment = [], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for words in here:
        command = [sys.executable, "-m", "dask", *words]
        jobs.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment))
        while not file.exists():
            time.sleep(0.1)
    try:
        yield str(file)
    finally:
        for job in reversed(jobs):
            job.terminate()
            job.wait()


def tasks(make: Callable[[], Any], number: int, each: float) -> float:
    """Seconds for a number of tasks, after some that start the workers."""
    from parts_workers import asleep  # where workers find it, and not in __main__

    from mockgal.system.executors.run import results

    with make() as executor:
        for count, wait in ((4 * WORKERS, 0.5), (number, each)):
            started = time.perf_counter()
            every = {n: {"seconds": wait} for n in range(count)}
            assert len(list(results(executor, asleep, every, str))) == count
    return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> None:
    """Print two tables."""
    from mockgal.system.executors.cluster import Cluster
    from mockgal.system.executors.processes import Processes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=lambda text: round(float(text)), default=300_000)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.05)
    options = parser.parse_args(arguments)
    print(busy() + machine(("numpy", "distributed", "mockgal")))
    with tempfile.TemporaryDirectory() as name:
        rows = builds(options.hosts, options.parts, Path(name))
        print(f"\n{options.hosts:,} hosts, --populate, {options.parts} parts")
        print(table(["", "wall [s]", "CPU [s]", "of one worker"], rows))
        least = options.tasks * options.seconds / WORKERS
        found = {"processes": tasks(lambda: Processes(WORKERS), options.tasks, options.seconds)}
        with dask(Path(name)) as file:
            found["Dask"] = tasks(lambda: Cluster(file), options.tasks, options.seconds)
    print(f"\n{options.tasks:,} tasks of {options.seconds} s, {WORKERS} workers")
    rows = [
        [what, f"{wall:.2f}", f"{1e3 * (wall - least) / options.tasks:.2f}", f"{wall / least:.3f}"]
        for what, wall in found.items()
    ]
    print(table(["", "wall [s]", "ms a task more", "of sleeping alone"], rows))


if __name__ == "__main__":
    main()

"""What the benchmarks share: timing, peak memory, facts of the machine, made-up halos, a table.

Needs NumPy alone, so that the interpreter of a peer's environment can load it, too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

PREFIX = "benchmark result: "


def best_of(
    repeats: int, work: Callable[..., Any], prepare: Callable[[], Any] | None = None
) -> float:
    """Least wall-clock seconds of ``work``; what ``prepare`` returns is given to it, untimed."""
    least = float("inf")
    for _ in range(repeats):
        arguments = () if prepare is None else (prepare(),)
        started = time.perf_counter()
        result = work(*arguments)
        least = min(least, time.perf_counter() - started)
        del result, arguments
    return least


def peak_memory(work: Callable[[], Any]) -> tuple[int, int]:
    """Bytes resident before ``work``, and the most while it ran.

    Linux forgets the old peak when asked; elsewhere the peak is that of the process so far.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        result = work()
        return before, _status("VmHWM")
    except OSError:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = work()
        unit = 1 if sys.platform == "darwin" else 1024
        del result
        return before * unit, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def machine(packages: Iterable[str] = ("numpy",)) -> str:
    """Processor, memory, system, and versions, in one line."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except OSError:
        memory = ""
    versions = ["Python " + platform.python_version()]
    for name in packages:
        versions.append(f"{name} {importlib.import_module(name).__version__}")
    return (
        f"{model}, {os.cpu_count()} processors{memory}, {platform.system()}; {', '.join(versions)}"
    )


def busy() -> str:
    """A caution if other processes keep the machine busy, else nothing."""
    load = os.getloadavg()[0]
    return (
        f"caution: load average {load:.1f}, other work disturbs the timing\n" if load > 0.5 else ""
    )


def in_process(script: str, arguments: list[str], python: str = sys.executable) -> dict[str, Any]:
    """What `report` said in a process of its own; ``{"missing": why}`` if it could not run."""
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(PREFIX):
            found: dict[str, Any] = json.loads(line.removeprefix(PREFIX))
            return found
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    if "ModuleNotFoundError" in last:
        return {"missing": "not installed"}
    return {"missing": f"failed: {last}"}


def report(result: dict[str, Any]) -> None:
    """Hand a result to `in_process`."""
    print(PREFIX + json.dumps(result))


def run_parts(
    script: str,
    parts: dict[str, Callable[[argparse.Namespace], dict[str, Any]]],
    arguments: argparse.Namespace,
    given: list[str],
    pythons: dict[str, str],
) -> dict[str, dict[str, Any]]:
    """What each part found, run in a process of its own; the first lines of the report.

    That process comes here as well, with ``--part``: it reports its part, and ends.

    Parameters
    ----------
    script : str
        Its file.
    parts : dict
        Functions of the arguments, by name.
    arguments : Namespace
        With ``part``.
    given : list of str
        Options for the processes.
    pythons : dict of str to str
        Interpreters of parts that live in another environment.
    """
    if arguments.part:
        report(parts[arguments.part](arguments))
        sys.exit()
    print(machine(("numpy", "numba", "mockgal")))
    print(busy(), end="")
    return {
        part: in_process(script, [*given, f"--part={part}"], pythons.get(part, sys.executable))
        for part in parts
    }


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def halos(
    rows: int, *, seed: int = 1, satellites: float = 0.25, box_size: float = 500.0
) -> dict[str, np.ndarray]:
    """Made-up halos in the order of a group catalogue: each host, then its satellites.

    Hosts have 1e11 to 1e14 Msun/h with n(>M) proportional to 1/M, satellites are Poisson with a
    mean proportional to the host's mass and have 3% to 30% of it.

    Parameters
    ----------
    rows : int
        Hosts and satellites together, on average.
    seed : int
    satellites : float
        Share of the rows that are satellites, on average.
    box_size : float
        [Mpc/h]

    Returns
    -------
    dict of str to ndarray, shape (n,) or (n, 3)
        Columns as in `mockgal.columns.HALO_COLUMNS`.
    """
    generator = np.random.default_rng(seed)
    hosts = round(rows * (1.0 - satellites))
    mass = 1e11 / (1.0 - 0.999 * generator.random(hosts))
    number = generator.poisson(mass * (satellites / (1.0 - satellites) / mass.mean()))
    first = np.cumsum(number + 1) - (number + 1)
    n = int(number.sum()) + hosts
    host = np.repeat(np.arange(hosts), number + 1)
    central = np.zeros(n, dtype=bool)
    central[first] = True
    host_mass = mass[host]
    own = host_mass * np.where(central, 0.9, 10.0 ** generator.uniform(-1.5, -0.5, n))
    position = generator.random((hosts, 3))[host] * box_size
    position[~central] += 0.1 * generator.standard_normal((n - hosts, 3))
    return {
        "halo_id": np.arange(n),
        "host_id": first[host],
        "is_central": central,
        "position": np.mod(position, box_size),
        "velocity": 100.0 * generator.standard_normal((n, 3)),
        "mass": own,
        "vmax": 100.0 * np.cbrt(own / 1e12),
        "host_mass": host_mass,
    }

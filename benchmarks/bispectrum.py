"""Bispectrum of a field with mockgal and with Pylians: seconds, ratios, memory, and the difference.

    python benchmarks/bispectrum.py [--grid 256] [--threads 2] [--rounds 3] [--pylians-python PATH]

k = 3 and 4 h/Mpc in a box of 75 Mpc/h, with 13 and with 25 angles, in Pylians' shells, k - k_F to
k + k_F. The field is a skewed one of single precision, made anew in each process; its transform is
part of the time on both sides. Rounds go through both codes in turn, each in a process of its own
that measures twice; the best counts. Pylians gives no errors: mockgal's are the Gaussian ones, and
the jackknife's cost is shown apart. Memory is what the process grows by, at most.

Pylians (0.12) needs NumPy < 2 and Cython < 3: install it in an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import busy, in_process, machine, peak_memory, report, table

BOX_SIZE, K1, K2 = 75.0, 3.0, 4.0
ANGLES = (13, 25)
REPEATS = 2


def overdensity(size: int) -> np.ndarray:
    """Skewed and of zero mean, float32, shape (size, size, size)."""
    noise = np.random.default_rng(1).standard_normal((size,) * 3, dtype=np.float32)
    noise += 0.5 * np.roll(noise, 1, axis=0)
    return 0.2 * (noise + 0.3 * (noise**2 - 1.25))


def mockgal(arguments: argparse.Namespace) -> Callable[[int], list[float]]:
    os.environ["NUMBA_NUM_THREADS"] = str(arguments.threads)
    from mockgal.statistics.bispectrum.estimator import bispectrum_of_field

    field = 1.0 + overdensity(arguments.grid)

    def run(angles: int) -> list[float]:
        result = bispectrum_of_field(
            field,
            BOX_SIZE,
            assignment="CIC",
            k1=K1,
            k2=K2,
            angles=angles,
            shell_width=4.0 * np.pi / BOX_SIZE,
            jackknife=arguments.jackknife,
        )
        return result["bispectrum"].tolist()

    return run


def pylians(arguments: argparse.Namespace) -> Callable[[int], list[float]]:
    import Pk_library

    field = overdensity(arguments.grid)

    def run(angles: int) -> list[float]:
        theta = np.linspace(0.0, np.pi, angles)
        found = Pk_library.Bk(field, BOX_SIZE, K1, K2, theta, "CIC", arguments.threads)
        return found.B.tolist()

    return run


PARTS = {"mockgal": mockgal, "pylians": pylians}


def child(arguments: argparse.Namespace) -> None:
    """Seconds of the best of the repeats, memory, and the bispectrum."""
    run, seconds, found = PARTS[arguments.part](arguments), [], []

    def timed() -> None:
        started = time.perf_counter()
        found[:] = run(arguments.angles)
        seconds.append(time.perf_counter() - started)

    most = 0
    for _ in range(1 if arguments.jackknife else REPEATS):
        before, peak = peak_memory(timed)
        most = max(most, peak - before)
    report({"seconds": min(seconds), "memory": most, "bispectrum": found})


def measure(part: str, angles: int, arguments: argparse.Namespace, jackknife: int = 0) -> Any:
    words = [f"--part={part}", f"--angles={angles}", f"--jackknife={jackknife}"]
    words += [f"--grid={arguments.grid}", f"--threads={arguments.threads}"]
    python = arguments.pylians_python if part == "pylians" else sys.executable
    return in_process(__file__, words, python)


def best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The fastest round, or why there is none."""
    return min(rounds, key=lambda found: found.get("seconds", float("inf")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pylians-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--angles", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--jackknife", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        child(arguments)
        return
    print(machine(("numpy", "scipy", "numba")))
    print(f"{arguments.grid}^3 voxels, {arguments.threads} threads, best of {arguments.rounds}")
    print(busy(), end="")
    lines, notes = [], []
    for angles in ANGLES:
        found = {part: [] for part in PARTS}
        for _ in range(arguments.rounds):
            for part, rounds in found.items():
                rounds.append(measure(part, angles, arguments))
        ours, theirs = best(found["mockgal"]), best(found["pylians"])
        if "missing" in ours:
            notes.append(f"mockgal: {ours['missing']}")
            continue
        ratio = "" if "missing" in theirs else f"{theirs['seconds'] / ours['seconds']:.1f}"
        lines.append(row(f"mockgal, {angles} angles", ours, ratio))
        if "missing" in theirs:
            notes.append(f"Pylians: {theirs['missing']}")
            continue
        lines.append(row(f"Pylians, {angles} angles", theirs, "1"))
        off = np.max(np.abs(np.array(ours["bispectrum"]) / theirs["bispectrum"] - 1.0))
        notes.append(f"{angles} angles: bispectra differ by at most {off:.1e} of their value")
    with_errors = measure("mockgal", ANGLES[-1], arguments, jackknife=3)
    if "missing" not in with_errors:
        lines.append(row(f"mockgal, {ANGLES[-1]} angles, jackknife of 27", with_errors, ""))
    print(table(["", "seconds", "times Pylians", "memory, MB"], lines))
    print("\n".join(["", *dict.fromkeys(notes)]))


def row(what: str, found: dict[str, Any], ratio: str) -> list[str]:
    return [what, f"{found['seconds']:.3f}", ratio, f"{found['memory'] / 1e6:.0f}"]


if __name__ == "__main__":
    main()

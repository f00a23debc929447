"""Counting pairs: the library mockgal uses, Corrfunc, and counting by the definition.

python benchmarks/pair_counting.py [--points 1e5] [--repeats 3] [--corrfunc-python PATH]

Points at random in a periodic box with 0.008 per (Mpc/h)^3, as galaxies of more than about 1e10
Msun/h are, and 15 logarithmic bins from 0.1 to 25 Mpc/h. Each library counts in a process of its
own; Corrfunc may live in another environment, whose interpreter --corrfunc-python names. Counting
by the definition, in compiled code without a tree or a grid, is timed for 1e4 points and no more.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import best_of, busy, in_process, machine, report, table

DENSITY, R_MAX, PI_MAX, MU_BINS = 0.008, 25.0, 40.0, 20
EDGES = np.geomspace(0.1, R_MAX, 16)
MOST_BY_DEFINITION = 10_000
LIBRARIES = {"halotools": "Halotools", "Corrfunc": "Corrfunc"}


def points(number: int) -> tuple[np.ndarray, float]:
    box_size = float(np.cbrt(number / DENSITY))
    return np.random.default_rng(1).random((number, 3)) * box_size, box_size


def library(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each way of counting, and what was counted."""
    sys.path.insert(0, str(Path(__file__).parents[1]))  # where mockgal is not installed
    from mockgal.statistics.pairs import counts as pairs

    try:
        counter = getattr(pairs, LIBRARIES[options.part])()
    except ImportError:
        return {"missing": "not installed"}
    position, box_size = points(options.number)
    pi_max = min(PI_MAX, box_size / 3.5)
    ways = {
        "xi": lambda: counter.spherical(position, None, EDGES, box_size),
        "w_p": lambda: counter.projected(position, None, EDGES, pi_max, box_size),
        "multipoles": lambda: counter.wedges(position, None, EDGES, MU_BINS, box_size),
    }
    seconds = {name: best_of(options.repeats, work) for name, work in ways.items()}
    return {"name": counter.name, "seconds": seconds, "pairs": ways["xi"]().tolist()}


def definition(options: argparse.Namespace) -> dict[str, Any]:
    """Every point with every other."""
    from numba import njit

    @njit
    def count(position, squares, box_size):
        counts = np.zeros(len(squares) - 1, dtype=np.int64)
        for i in range(len(position)):
            for j in range(len(position)):
                square = 0.0
                for k in range(3):
                    away = abs(position[i, k] - position[j, k])
                    away = min(away, box_size - away)
                    square += away * away
                if squares[0] <= square < squares[-1]:
                    counts[np.searchsorted(squares, square, side="right") - 1] += 1
        return counts

    if options.number > MOST_BY_DEFINITION:
        return {"missing": f"not for more than {MOST_BY_DEFINITION:,} points"}
    position, box_size = points(options.number)
    found = count(position, EDGES**2, box_size)
    seconds = best_of(options.repeats, lambda: count(position, EDGES**2, box_size))
    return {"name": "by the definition", "seconds": {"xi": seconds}, "pairs": found.tolist()}


def statistic(options: argparse.Namespace) -> dict[str, Any]:
    """A user's call with its jackknife errors, by whichever library is there."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from mockgal.cosmology import Cosmology
    from mockgal.statistics.pairs import correlation
    from mockgal.types import GalaxyCatalog, Snapshot

    position, box_size = points(options.number)
    n = options.number
    galaxies = GalaxyCatalog(
        {
            "galaxy_id": np.arange(n),
            "halo_id": np.arange(n),
            "is_central": np.ones(n, dtype=bool),
            "stellar_mass": np.ones(n),
            **{f"position_{x}": position[:, i] for i, x in enumerate("xyz")},
            **{f"velocity_{x}": np.zeros(n) for x in "xyz"},
        },
        Snapshot("made up", box_size, 0.0, Cosmology(0.7, 0.3, 0.7), None, "made up"),
        "box",
        {},
    )
    r_max, pi_max = min(R_MAX, box_size / 3.5), min(PI_MAX, box_size / 3.5)
    seconds = {}
    for name, function, more in (
        ("xi", correlation.correlation_function, {}),
        ("w_p", correlation.projected_correlation_function, {"pi_max": pi_max}),
        ("multipoles", correlation.correlation_multipoles, {}),
    ):
        started = time.perf_counter()
        found = function(galaxies, r_max=r_max, **more)
        seconds[name] = time.perf_counter() - started
    return {
        "name": f"mockgal, 27 sub-volumes, {found.settings['pair_counter']}",
        "seconds": seconds,
        "pairs": (
            2 * correlation.correlation_function(galaxies, r_max=r_max, jackknife=0)["pairs"]
        ).tolist(),
    }


PARTS = {**dict.fromkeys(LIBRARIES, library), "mockgal": statistic, "definition": definition}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=float, default=1e5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--corrfunc-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.number = int(options.points)
    if options.part:
        report(PARTS[options.part](options))
        return
    print(machine(("numpy", "halotools")))
    print(
        f"{options.number:,} points, best of {options.repeats} (mockgal: once), seconds\n{busy()}"
    )
    words = [f"--points={options.number}", f"--repeats={options.repeats}"]
    found = {}
    for part in PARTS:
        python = options.corrfunc_python if part == "Corrfunc" else sys.executable
        found[part] = in_process(__file__, [*words, f"--part={part}"], python)
    ways = ("xi", "w_p", "multipoles")
    rows = []
    for part, result in found.items():
        seconds = result.get("seconds", {})
        cells = [f"{seconds[way]:.2f}" if way in seconds else "" for way in ways]
        rows.append([result.get("name", f"{part}: {result.get('missing')}"), *cells])
    print(table(["", *ways], rows))
    counts = {tuple(result["pairs"]) for result in found.values() if "pairs" in result}
    print("All count the same pairs." if len(counts) == 1 else "COUNTS DIFFER.")


if __name__ == "__main__":
    main()

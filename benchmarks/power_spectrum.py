"""Power spectrum of a field with mockgal and its peers: seconds, ratios, peak memory.

    python benchmarks/power_spectrum.py [--grid 256] [--rounds 3] [--pylians-python PYTHON]

Each method runs in a process of its own, with a first call that is not timed. Rounds go through all
methods in turn, so that a busy machine slows all alike; the best of each counts. All are given
the same field of 1 + overdensity, deposited with CIC as it were, and give the monopole in shells
as wide as the fundamental. ``rfftn`` is scipy's, with as many threads: it is the part of mockgal's
time that is not our own. NumPy is the naive way, with arrays for every wave. Pylians always gives
multipoles, so that mockgal's time with them is in the table, too; it transforms in single
precision, mockgal in double. Jackknife errors are beyond what the peers do. What a catalogue of
a galaxy for every 16 voxels takes from its positions on, by CIC on one grid and by PCS on two that
are interlaced (the default), is in a table of its own.

Memory is the most that the process holds while it measures a field on the grid ``--memory-grid``,
the field counted.
"""

import argparse
import os
import time

import numpy as np
from common import best_of, busy, in_process, machine, peak_memory, report, table

BOX_SIZE = 100.0
VOXELS = 16  # for each galaxy of a catalogue
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def field(size):
    generator = np.random.default_rng(1)
    mass = generator.standard_normal((size, size, size), dtype=np.float32).astype(np.float64)
    mass *= 0.5
    mass += 1.0
    return mass


# ---- in the child


def rfftn(mass, threads):
    from scipy import fft

    return lambda: fft.rfftn(mass, workers=threads)


def mockgal(mass, threads, **options):
    from mockgal.statistics.power.spectrum import power_of_field

    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    return lambda: power_of_field(mass, BOX_SIZE, assignment="CIC", **{"jackknife": 0} | options)


def multipoles(mass, threads):
    return mockgal(mass, threads, line_of_sight="z")


def jackknife(mass, threads):
    return mockgal(mass, threads, jackknife=3)


def of_catalogue(mass, threads, **options):
    """From positions on; of the field only the grid is taken."""
    from mockgal.cosmology import Cosmology
    from mockgal.errors import listening
    from mockgal.statistics.power.spectrum import power_spectrum
    from mockgal.types import GalaxyCatalog, Snapshot

    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    number, generator = mass.size // VOXELS, np.random.default_rng(2)
    columns = {f"position_{x}": BOX_SIZE * generator.random(number) for x in "xyz"}
    columns |= {f"velocity_{x}": np.zeros(number) for x in "xyz"}
    columns |= {"galaxy_id": np.arange(number), "halo_id": np.arange(number)}
    columns |= {"is_central": np.ones(number, dtype=bool), "stellar_mass": np.ones(number)}
    snapshot = Snapshot("random", BOX_SIZE, 0.0, Cosmology(0.7, 0.3, 0.7), 1e9, "none")
    galaxies = GalaxyCatalog(columns, snapshot, "box", {})

    def run():
        with listening(quiet=True):  # CIC without interlacing warns of its images
            return power_spectrum(galaxies, grid_size=len(mass), **{"jackknife": 0} | options)

    return run


def cic(mass, threads, **options):
    return of_catalogue(mass, threads, assignment="CIC", interlacing=False, **options)


def numpy(mass, threads):
    """Arrays of wavenumbers and windows, bincount."""
    size = len(mass)

    def run():
        delta = mass / mass.mean() - 1.0
        power = np.abs(np.fft.rfftn(delta)) ** 2 * (BOX_SIZE / size**2) ** 3
        n, half = np.fft.fftfreq(size) * size, np.arange(size // 2 + 1)
        window = np.sinc(n / size) ** 2
        power /= (window[:, None, None] * window[:, None] * np.sinc(half / size) ** 2) ** 2
        length = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + half**2).ravel()
        weight = np.broadcast_to(np.where(half % (size // 2) == 0, 1.0, 2.0), power.shape).ravel()
        shell = length.astype(int)
        modes = np.bincount(shell, weight)
        k = np.bincount(shell, weight * length) / modes * 2 * np.pi / BOX_SIZE
        result = np.bincount(shell, weight * power.ravel()) / modes
        shells = slice(1, size // 2)
        return {"k": k[shells], "power": result[shells], "modes": modes[shells] / 2}

    return run


def pylians(mass, threads):
    import Pk_library

    delta = (mass / mass.mean() - 1.0).astype(np.float32)

    def run():
        found = Pk_library.Pk(delta, BOX_SIZE, 2, "CIC", threads, verbose=False)
        shells = slice(len(mass) // 2 - 1)
        return {"k": found.k3D[shells], "power": found.Pk[shells, 0]}

    return run


CATALOGUE = {
    "CIC": cic,
    "PCS, interlaced": of_catalogue,
    "CIC, jackknife errors": lambda mass, threads: cic(mass, threads, jackknife=3),
    "PCS, interlaced, jackknife errors": lambda mass, threads: of_catalogue(
        mass, threads, jackknife=3
    ),
}
METHODS = {
    "rfftn": rfftn,
    "mockgal": mockgal,
    "mockgal, multipoles": multipoles,
    "mockgal, jackknife errors": jackknife,
    "NumPy": numpy,
    "Pylians": pylians,
}


def child(method, size, threads, memory):
    mass = field(size)
    run = (METHODS | CATALOGUE)[method](mass, threads)
    if memory:
        _, peak = peak_memory(run)
        report({"memory": peak})
        return
    first = run()
    value = 0.0 if method == "rfftn" else float(np.sum(first["power"] * first["k"]))
    seconds = best_of(3, run)
    cpu = time.process_time()
    run()
    report({"seconds": seconds, "cpu": time.process_time() - cpu, "check": value})


# ---- in the parent


def measure(method, size, threads, options, *, memory=False):
    words = ["--child", method, "--grid", str(size), "--threads", str(threads)]
    words += ["--memory"] * memory
    python = (options.pylians_python,) if method == "Pylians" and options.pylians_python else ()
    return in_process(__file__, words, *python)


def shown(rounds, runs):
    """The best round of each run, and whether it gave what mockgal gave."""
    best = {}
    for run in runs:
        results = [r[run] for r in rounds if "seconds" in r[run]]
        if results:
            best[run] = min(results, key=lambda result: result["seconds"])
    lines = []
    for run in runs:
        name = f"{run[0]}, {run[1]} thread" + "s" * (run[1] > 1)
        if run not in best:
            lines.append([name, rounds[0][run].get("missing", "failed"), "", "", "", ""])
            continue
        ours, own = best.get(("mockgal", run[1])), best.get(("rfftn", run[1]))
        seconds, check = best[run]["seconds"], best[run]["check"]
        lines.append(
            [
                name,
                f"{seconds:.3f}",
                f"{best[run]['cpu']:.3f}",
                f"{seconds / own['seconds']:.2f}" if own else "",
                f"{seconds / ours['seconds']:.1f}" if ours else "",
                f"{check / ours['check'] - 1:.0e}" if check and ours else "",
            ]
        )
    header = ["", "s", "CPU s", "times rfftn", "times mockgal", "sum of k P against mockgal's"]
    return table(header, lines)


def of_catalogues(options):
    """The best round of each way to measure a catalogue, over that of CIC."""
    best = dict.fromkeys(CATALOGUE, np.inf)
    for _ in range(options.rounds):
        for method in CATALOGUE:
            found = measure(method, options.grid, options.threads, options)
            best[method] = min(best[method], found["seconds"])
    lines = [[name, f"{s:.3f}", f"{s / best['CIC']:.2f}"] for name, s in best.items()]
    return table(["", "s", "times CIC"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, default=256)
    parser.add_argument("--memory-grid", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--pylians-python", help="interpreter of an environment with Pylians")
    parser.add_argument("--child", choices=METHODS | CATALOGUE, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.grid, options.threads, options.memory)
        return
    threads = sorted({1, options.threads})
    runs = [(method, t) for t in threads for method in METHODS if method != "NumPy" or t == 1]
    print(machine(("numpy", "scipy", "numba")))
    print(f"grid of {options.grid}^3, best of {options.rounds} rounds\n{busy()}")
    rounds = [
        {run: measure(run[0], options.grid, run[1], options) for run in runs}
        for _ in range(options.rounds)
    ]
    print(shown(rounds, runs))
    galaxies = options.grid**3 // VOXELS
    print(f"\nof {galaxies:,} galaxies, {options.threads} threads:\n")
    print(of_catalogues(options))
    print(f"\npeak memory at {options.memory_grid}^3, the field counted:\n")
    lines = []
    for method in METHODS | CATALOGUE:
        found = measure(method, options.memory_grid, options.threads, options, memory=True)
        gib = f"{found['memory'] / 2**30:.2f}" if "memory" in found else found["missing"]
        lines.append([method, gib])
    print(table(["", "GiB"], lines))


if __name__ == "__main__":
    main()

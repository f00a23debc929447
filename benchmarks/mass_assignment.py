"""Mass assignment with mockgal and its peers: particles per second, ratios, memory.

    python benchmarks/mass_assignment.py [--particles 1e7] [--grids 256 512] [--schemes CIC]
                                         [--rounds 3] [--pylians-python PYTHON]

Each method runs in a process of its own, with a first call of few particles that is not timed.
Rounds go through all methods in turn, so that a busy machine slows all alike; the best of each
counts. Particles are equal in mass, at random in the box or clustered, in no order: three quarters
of them in 20,000 Gaussian clumps of 0.1 to 1 Mpc/h. A run is given positions and makes a grid.

mockgal takes positions and masses in double precision, gives a grid in double precision, looks at
every number first, and adds up in whole numbers, so that its bits do not depend on the order.
Pylians takes and gives single precision, has one thread, and is given no masses, which is its
faster way. NumPy is mockgal's own reference, ``np.add.at``, for a tenth of the particles. ``copy``
is the time that the machine takes to copy as many bytes as mockgal must move at least: positions
and masses read once, the grid written, read and written, and read and written again.

All fields are compared by their sum of squares. Memory is what the process grows by, the result
counted.
"""

import argparse
import os
import time

import numpy as np
from common import best_of, busy, in_process, machine, peak_memory, report, table

BOX_SIZE = 1000.0  # Mpc/h
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
CLUMPS = 20_000


def positions(particles, sample):
    """In single precision, which all methods can take."""
    generator = np.random.default_rng(1)
    result = generator.random((particles, 3), dtype=np.float32) * np.float32(BOX_SIZE)
    if sample == "clustered":
        inside = generator.random(particles) < 0.75
        clump = generator.integers(0, CLUMPS, np.count_nonzero(inside))
        size = 10 ** generator.uniform(-1.0, 0.0, CLUMPS)
        offset = size[clump, None] * generator.standard_normal((len(clump), 3))
        result[inside] = result[clump] + offset
    result %= np.float32(BOX_SIZE)
    result[result >= BOX_SIZE] = 0.0
    return result


# ---- in the child


def mockgal(position, options):
    from mockgal.fields.assign import deposit

    os.environ["NUMBA_NUM_THREADS"] = str(options.threads)
    position = position.astype(np.float64)
    mass = np.ones(len(position))
    given = {"grid_size": options.grids[0], "box_size": BOX_SIZE, "assignment": options.schemes[0]}
    deposit(position[:1000], mass[:1000], **given)
    return lambda: deposit(position, mass, **given)


def pylians(position, options):
    import MAS_library

    size, scheme = options.grids[0], options.schemes[0]

    def run(some=slice(None)):
        grid = np.zeros((size, size, size), dtype=np.float32)
        MAS_library.MA(position[some], grid, BOX_SIZE, scheme, verbose=False)
        return grid

    run(slice(1000))
    # The same field as ours: its voxels are centred on whole numbers, but those of NGP.
    position -= np.float32(BOX_SIZE / size / 2)
    position[position < 0] += np.float32(BOX_SIZE)
    position[position >= BOX_SIZE] = 0.0
    return run


def numpy(position, options):
    from mockgal.fields.assign import reference

    position = position.astype(np.float64)
    size, scheme = options.grids[0], options.schemes[0]
    return lambda: reference(position, 1.0, grid_size=size, box_size=BOX_SIZE, assignment=scheme)


def copy(position, options):
    bytes_moved = 32 * len(position) + 40 * options.grids[0] ** 3
    source = np.ones(bytes_moved // 16, dtype=np.uint8)  # read once, written once; in 8 pieces
    target = np.ones_like(source)

    def run():
        for _ in range(8):
            np.copyto(target, source)

    return run


METHODS = {"mockgal": mockgal, "Pylians": pylians, "NumPy": numpy, "copy": copy}


def child(options):
    particles = int(options.particles) // (10 if options.child == "NumPy" else 1)
    run = METHODS[options.child](positions(particles, options.sample), options)
    found = []
    before, peak = peak_memory(lambda: found.append(run()))
    square = 0.0
    if found[0] is not None:
        mean = particles / found[0].size
        square = sum(float(np.sum((plane / mean) ** 2, dtype=float)) for plane in found[0])
    result = {"square": square / options.grids[0] ** 3, "memory": peak - before}
    found.clear()
    cpu = time.process_time()
    run()
    cpu = time.process_time() - cpu
    report({"seconds": best_of(2, run), "cpu": cpu, "particles": particles, **result})


# ---- in the parent


def measure(run, case, options):
    method, threads = run
    grid, scheme, sample = case
    words = ["--child", method, "--threads", str(threads), "--grids", str(grid)]
    words += ["--schemes", scheme, "--sample", sample, "--particles", str(options.particles)]
    python = (options.pylians_python,) if method == "Pylians" and options.pylians_python else ()
    return in_process(__file__, words, *python)


def rows(case, runs, rounds):
    """The lines of one case: the best round of each run, over Pylians'."""
    grid, scheme, sample = case
    rate, best = {}, {}
    for run in runs:
        results = [r[case, run] for r in rounds if "seconds" in r[case, run]]
        if results:
            best[run] = min(results, key=lambda result: result["seconds"])
            rate[run] = best[run]["particles"] / best[run]["seconds"]
    peer, ours = rate.get(("Pylians", 1)), best.get(("mockgal", runs[0][1]))
    for run in runs:
        method, threads = run
        name = f"{scheme}, {grid}^3, {sample}: {method}, {threads} thread" + "s" * (threads > 1)
        if run not in best:
            yield [name, rounds[0][case, run].get("missing", "failed"), "", "", "", "", ""]
            continue
        result = best[run]
        compared = ours and result["square"] and method in ("mockgal", "Pylians")
        yield [
            name,
            f"{result['seconds']:.3f}",
            f"{result['cpu']:.3f}",
            f"{rate[run] / 1e6:.1f}" if method != "copy" else "",
            f"{rate[run] / peer:.2f}" if peer and method != "copy" else "",
            f"{result['memory'] / 1e6:.0f}" if method != "copy" else "",
            f"{abs(result['square'] / ours['square'] - 1):.0e}" if compared else "",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=float, default=1e7)
    parser.add_argument("--grids", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--schemes", nargs="+", default=["CIC"])
    parser.add_argument("--samples", nargs="+", default=["random", "clustered"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pylians-python")
    parser.add_argument("--child", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=THREADS, help=argparse.SUPPRESS)
    parser.add_argument("--sample", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    print(machine(("numpy", "numba", "mockgal")))
    print(f"{int(options.particles):,} particles, best of {options.rounds}\n{busy()}")
    cases = [
        (grid, scheme, sample)
        for scheme in options.schemes
        for grid in options.grids
        for sample in options.samples
    ]
    runs = [("mockgal", options.threads), ("mockgal", 1), ("Pylians", 1), ("NumPy", 1), ("copy", 1)]
    runs = list(dict.fromkeys(runs))
    rounds = [
        {(case, run): measure(run, case, options) for case in cases for run in runs}
        for _ in range(options.rounds)
    ]
    header = ["", "s", "CPU s", "1e6 particles/s", "times Pylians", "memory, MB", "differs by"]
    print(table(header, [row for case in cases for row in rows(case, runs, rounds)]))


if __name__ == "__main__":
    main()

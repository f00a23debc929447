"""Memory, time and disk of a simulation's matter and subhalos on a grid.

    python benchmarks/field_memory.py [--particles 1.3e8] [--halos 1e6] [--grid 512]
                                      [--budgets "4 GiB" "512 MiB"] [--folder FOLDER]

Particles are made up and written to a bundle of ours some at a time: equal in mass, three quarters
of them in 20,000 Gaussian clumps of 0.1 to 1 Mpc/h. ``mockgal.field`` then makes both channels from
it in a process of its own, once for each budget of memory: the first has room for the whole grid,
the second has not, so that particles go by way of the scratch disk. Peak memory is that of the
process, Python and its libraries among it; the files must be the same, byte for byte.

By default, on two processors (AMD EPYC) that other programs used as well: 1.48 GiB and 82 s in one
pass; 0.96 GiB, 147 s and 1.56 GB of scratch files in two. A bundle of 1.32 GB was read, and 0.69 GB
were written.
"""

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
from common import busy, halos, in_process, machine, peak_memory, report, table

BOX_SIZE = 500.0  # Mpc/h
CHUNK = 1 << 20
CLUMPS = 20_000


def scene(particles, rows):
    """A simulation that is never in memory as a whole."""
    from mockgal.cosmology import Cosmology
    from mockgal.types import HaloCatalog, ParticleChunk, Particles, Scene, Snapshot

    cosmology = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    mass = cosmology.matter_mass(BOX_SIZE) / particles
    generator = np.random.default_rng(0)
    centre = generator.random((CLUMPS, 3)) * BOX_SIZE
    size = 10 ** generator.uniform(-1.0, 0.0, CLUMPS)

    def stream(chunk_rows):
        for first in range(0, particles, CHUNK):
            generator = np.random.default_rng(first + 1)
            number = min(CHUNK, particles - first)
            position = generator.random((number, 3)) * BOX_SIZE
            inside = generator.random(number) < 0.75
            clump = generator.integers(0, CLUMPS, np.count_nonzero(inside))
            offset = generator.standard_normal((len(clump), 3)) * size[clump, None]
            position[inside] = centre[clump] + offset
            position %= BOX_SIZE
            position[position >= BOX_SIZE] = 0.0
            yield ParticleChunk(position, np.full(number, mass))

    snapshot = Snapshot("made up", BOX_SIZE, 0.0, cosmology, mass, "made up")
    catalogue = HaloCatalog(halos(rows, box_size=BOX_SIZE), "200c")
    return Scene(snapshot, catalogue, Particles(particles, stream))


# ---- in the child


def child(options):
    import mockgal

    out = Path(options.out)
    made = []
    started = time.perf_counter()
    _, peak = peak_memory(
        lambda: made.append(
            mockgal.field(
                options.sim,
                out,
                grid_size=options.grid,
                memory=options.budgets[0],
                scratch=options.folder,
            )
        )
    )
    seconds = time.perf_counter() - started
    digest = hashlib.sha256()
    with open(out, "rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    report(
        {
            "seconds": seconds,
            "peak": peak,
            "scratch": made[0].scratch_bytes,
            "written": out.stat().st_size,
            "digest": digest.hexdigest(),
        }
    )


# ---- in the parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=float, default=1.3e8)
    parser.add_argument("--halos", type=float, default=1e6)
    parser.add_argument("--grid", type=int, default=512)
    parser.add_argument("--budgets", nargs="+", default=["4 GiB", "512 MiB"])
    parser.add_argument("--folder", help="for the simulation, the grids, and scratch files")
    parser.add_argument("--sim", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sim:
        child(options)
        return
    from mockgal.writers.bundle import write_bundle

    print(machine(("numpy", "h5py", "mockgal")))
    print(busy(), end="")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        sim = Path(folder) / "sim.hdf5"
        write_bundle(scene(int(options.particles), int(options.halos)), sim)
        print(
            f"{int(options.particles):,} particles, {int(options.halos):,} halos, "
            f"{options.grid}^3 voxels; bundle of {sim.stat().st_size / 1e9:.2f} GB\n"
        )
        rows, digests = [], set()
        for k, budget in enumerate(options.budgets):
            words = ["--sim", str(sim), "--out", f"{folder}/{k}.hdf5", "--folder", folder]
            words += ["--grid", str(options.grid), "--budgets", budget]
            found = in_process(__file__, words)
            if "missing" in found:
                raise SystemExit(found["missing"])
            digests.add(found["digest"])
            passes = "two passes" if found["scratch"] else "one pass"
            rows.append(
                [
                    f"{budget}: {passes}",
                    f"{found['peak'] / 2**30:.2f}",
                    f"{found['seconds']:.0f}",
                    f"{found['scratch'] / 1e9:.2f}",
                    f"{found['written'] / 1e9:.2f}",
                ]
            )
        print(table(["", "peak, GiB", "s", "scratch, GB", "written, GB"], rows))
        print("\nthe same bytes" if len(digests) == 1 else "\nNOT the same bytes")


if __name__ == "__main__":
    main()

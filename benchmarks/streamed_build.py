"""Memory, time and disk of a build in parts from superslabs of CompaSO, by the number of hosts.

    python benchmarks/streamed_build.py [--hosts 1e6 3e6 1e7] [--memory "4 GiB"] [--parts 16]
                                        [--folder FOLDER] [--workers 2] [--at-once]

Superslabs are made up: hosts of 35 particles and more of 2.1e9 Msun/h, as many in a volume as
AbacusSummit has, with masses from a power law, at random places. `mockgal build --part` then reads
them, makes satellites with `--populate` and zheng07, and paints; `mockgal merge` cuts and writes
FITS. Each command is a process of its own, whose CPU time and peak memory are measured; the disk is
what the folder of the parts holds before it is removed. ``--memory`` bounds the processes that make
parts; merging has no such option, and its peak is measured as it is. With ``--workers``, one
command does all of it, and its own peak and the largest of its workers are columns of their own.
With ``--at-once``, a plain build does the same in memory. The files must be the same to the byte.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import busy, machine, table

PARTICLE = 2.1e9  # Msun/h, about
DENSITY = 0.05  # hosts in (Mpc/h)^3
LEAST, MOST = 35, 240_000  # particles of a host
SLAB = 3_000_000  # hosts of a superslab
MODEL = ["--model", "zheng07", "--threshold", "-20", "--stellar-mass-law", "moster13"]


def write_superslabs(folder, hosts):
    """Write halo_info of so many hosts below a folder, and return that of the redshift."""
    from mockgal.testing.compaso import COSMOLOGY, header, write_asdf

    side = round((hosts / DENSITY) ** (1 / 3))
    particles = 2 ** round(np.log2((COSMOLOGY.mean_matter_density * side**3 / PARTICLE) ** (1 / 3)))
    mass = COSMOLOGY.mean_matter_density * side**3 / particles**3
    kms = side / COSMOLOGY.redshift_space_factor(0.0)
    facts = header(
        BoxSize=side,
        BoxSizeHMpc=side,
        NP=particles**3,
        ParticleMassHMsun=mass,
        VelZSpace_to_kms=kms,
    )
    place = folder / "Made_Up/halos/z0.000"
    slabs = max(2, -(-hosts // SLAB))
    for k in range(slabs):
        n = hosts * (k + 1) // slabs - hosts * k // slabs
        rng = np.random.default_rng(k)
        position = rng.random((n, 3), dtype=np.float32) - np.float32(0.5)
        position[:, 0] = (position[:, 0] + np.float32(0.5 + k)) / np.float32(slabs) - 0.5
        number = np.minimum(LEAST * PARTICLE / mass * rng.random(n) ** (-1 / 0.9), MOST)
        arrays = {
            "id": np.uint64(k * 10**9) + rng.permutation(n).astype("u8"),
            "N": number.astype("u4"),
            "x_L2com": position,
            "v_L2com": (300 / kms * rng.standard_normal((n, 3), dtype=np.float32)),
        }
        write_asdf(place / f"halo_info/halo_info_{k:03d}.asdf", facts, arrays, packed=False)
    return place


class Run(NamedTuple):
    """What a command took: CPU seconds, with its workers; peak memory [GiB]."""

    cpu: float = 0.0
    peak: float = 0.0
    workers: float = 0.0  # the largest of them


def run(folder, *words):
    """Run a command, and return what it took.

    Peaks are those that Linux keeps for each process while it lives. What `os.wait4` returns is at
    least the memory of this script, which has made superslabs.
    """
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "mockgal", *words, "--quiet"],
            cwd=folder,
            env={**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            stderr=said,
        )
        own, workers, status = 0, 0, None
        while status is None:
            time.sleep(0.01)
            own = max(own, peak_of(child.pid))
            workers = max([workers, *map(peak_of, children_of(child.pid))])
            ended, code, usage = os.wait4(child.pid, os.WNOHANG)
            status = code if ended else None
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            said.seek(0)
            raise SystemExit(said.read()[-2000:])
    return Run(usage.ru_utime + usage.ru_stime, own / 2**20, workers / 2**20)


def peak_of(process):
    """Return the most memory that a process has had [KiB]; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def children_of(process):
    """Return the ids of the processes that a process has started, and those that these have."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += path.read_text().split()
    return found + [below for one in found for below in children_of(one)]


def size(folder):
    """Bytes of the files below a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def digest(path):
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measured(options, folder, hosts):
    """Build a mock of so many hosts, and return the row of the table."""
    sim = write_superslabs(folder, hosts)
    build = ["build", "--sim", str(sim), "--uncleaned", "--painter", "hod", *MODEL]
    build += ["--populate", "--allow-extrapolation", "--cut", "stellar_mass > 2e10 Msun"]
    build += ["--out", "mock.fits", "--overwrite"]
    bound = ["--memory", options.memory] if options.memory else []
    parts = max(1, round(options.parts * hosts / max(options.hosts)))
    first, rest = run(folder, *build, *bound, "--part", f"1/{parts}"), Run()
    if parts > 1:
        rest = run(folder, *build, *bound, "--part", f"2-{parts}/{parts}")
    (place,) = folder.glob("mock.fits.parts-*")
    disk = size(place)
    merged = run(folder, "merge", "mock.fits", "--overwrite")
    ours, catalogue = digest(folder / "mock.fits"), (folder / "mock.fits").stat().st_size
    cpu = first.cpu + rest.cpu + merged.cpu
    row = [f"{hosts:,}", f"{parts}", f"{cpu:.1f}", f"{1e6 * cpu / hosts:.2f}"]
    row += [f"{x.cpu:.1f}" for x in (first, rest, merged)]
    row += [f"{x.peak:.3f}" for x in (first, rest, merged)]
    row += [f"{size(sim) / 1e9:.2f}", f"{disk / 1e9:.2f}", f"{catalogue / 1e9:.3f}"]
    if options.workers:
        how = ["--parts", f"{parts}", "--workers", f"{options.workers}"]
        together = run(folder, *build, *bound, *how)
        assert digest(folder / "mock.fits") == ours, "the files differ"
        row += [f"{together.cpu:.1f}", f"{together.peak:.3f}", f"{together.workers:.3f}"]
    if options.at_once:
        once = run(folder, *build)
        assert digest(folder / "mock.fits") == ours, "the files differ"
        row += [f"{once.cpu:.1f}", f"{once.peak:.3f}"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hosts", type=float, nargs="+", default=[1e6, 3e6, 1e7])
    parser.add_argument(
        "--parts", type=int, default=16, help="of the largest; others in proportion"
    )
    parser.add_argument("--memory", default="")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder")
    parser.add_argument("--at-once", action="store_true")
    options = parser.parse_args()
    options.hosts = [round(n) for n in options.hosts]
    print(machine(("numpy", "h5py")))
    print(busy(), end="")
    head = ["hosts", "parts", "CPU [s]", "us a host", "first", "others", "merge"]
    head += ["first [GiB]", "others", "merge", "in [GB]", "parts [GB]", "mock [GB]"]
    head += ["one command [s]", "its own [GiB]", "worker"] * bool(options.workers)
    head += ["at once [s]", "[GiB]"] * options.at_once
    rows = []
    for hosts in options.hosts:
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        try:
            rows.append(measured(options, folder, hosts))
        finally:
            shutil.rmtree(folder)
        print(table(head, rows), flush=True)


if __name__ == "__main__":
    main()

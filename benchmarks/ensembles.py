"""Mocks of several seeds by one command, against a command for each of them.

python benchmarks/ensembles.py [--hosts 1000000] [--mocks 100] [--alone 3] [--populate] [--folder P]

CPU seconds and wall-clock of the commands as a user types them, start included. Of the commands for
one mock only --alone are run; their mean stands for the others. Mocks are removed after each run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import busy, halos, machine, table

BOX_SIZE = 500.0  # Mpc/h


def simulation(path: Path, rows: int, *, hosts_only: bool) -> None:
    """Write made-up halos as a bundle."""
    from mockgal.cosmology import Cosmology
    from mockgal.painters.hod.store import named
    from mockgal.types import HaloCatalog, Scene, Snapshot
    from mockgal.writers.bundle import write_bundle

    calibration = named("gadget4-z0.00")
    columns = halos(rows, box_size=BOX_SIZE, satellites=0.0 if hosts_only else 0.25)
    if hosts_only:
        columns["mass"] = columns["host_mass"]
    cosmology = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    snapshot = Snapshot("made up", BOX_SIZE, 0.0, cosmology, calibration.particle_mass, "made up")
    write_bundle(Scene(snapshot, HaloCatalog(columns, calibration.mass_definition)), path)


def seconds(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "mockgal", "build", *arguments, "--quiet"]
    subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=lambda text: round(float(text)), default=1_000_000)
    parser.add_argument("--mocks", type=int, default=100)
    parser.add_argument("--alone", type=int, default=3)
    parser.add_argument("--populate", action="store_true", help="hosts alone, with satellites made")
    parser.add_argument("--folder", default=None, help="where the mocks are written")
    arguments = parser.parse_args()
    print(busy() + machine(("numpy", "mockgal")))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        simulation(folder / "dark.hdf5", arguments.hosts, hosts_only=arguments.populate)
        options = ["--sim", "dark.hdf5", "--painter", "hod", "--allow-extrapolation"]
        options += ["--populate"] if arguments.populate else []
        alone = []
        for seed in range(1, arguments.alone + 1):
            alone.append(seconds([*options, "--seed", str(seed), "--out", "one.fits"], folder))
            size = os.path.getsize(folder / "one.fits")
            (folder / "one.fits").unlink()
            (folder / "one.fits.run.json").unlink()
        several = [*options, "--seed", f"1-{arguments.mocks}", "--out", "mock-{seed}.fits"]
        together = seconds(several, folder)
        kept = seconds(several, folder)
    one = np.mean(alone, axis=0)
    rows = [
        ["a command for each mock", f"{one[0]:.3f}", f"{one[1]:.3f}", "1"],
    ]
    for what, found in (("one command", together), ("one command, all mocks there", kept)):
        each = np.array(found) / arguments.mocks
        rows.append([what, f"{each[0]:.3f}", f"{each[1]:.3f}", f"{each[1] / one[1]:.3f}"])
    print(f"{arguments.hosts:,} hosts, {arguments.mocks} mocks of {size / 1e6:.1f} MB")
    print(table(["", "wall [s] a mock", "CPU [s] a mock", "of the CPU alone"], rows))


if __name__ == "__main__":
    main()

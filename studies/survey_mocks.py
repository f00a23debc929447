"""Mocks like those of BOSS and DESI, end to end, and their clustering beside that of their box.

    python studies/survey_mocks.py FOLDER [--only boss] [--cells 200]

makes boxes of 500 Mpc/h with hosts, runs `mockgal build` with catalogs/boss-like.yaml and
catalogs/desi-like.yaml on them, measures the survey's files with `mockgal measure`, and measures
the same galaxies in their box, in redshift space along its three axes. The same is done without
lost fibres and redshift errors, so that it is seen what these change. It prints the time, memory
and files of each command and the comparison, and draws docs/images/survey-mocks.png.

The hosts are made up: a linear density field with the spectrum of the cosmology, smoothed, and
hosts of the mass function of Tinker et al. 2008 in it, as many as exp(b G) in a cell of the field
G, with the bias b of Sheth & Tormen 1999. So they cluster as log-normal fields do, and move with
the linear velocity. Boxes of different redshifts have the same phases.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from astropy.table import Table
from matplotlib.figure import Figure

from mockgal.cosmology import Cosmology
from mockgal.statistics.plotting.palette import picture_style
from mockgal.theory.abundance import halo_abundance
from mockgal.theory.linear import Growth, linear_power, rms_overdensity
from mockgal.types import HaloCatalog, Scene, Snapshot
from mockgal.writers.bundle import write_bundle

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/survey-mocks.png"
COSMOLOGY = Cosmology(0.6774, 0.3089, 0.6911, omega_b=0.0486, sigma_8=0.8159, n_s=0.9667)
LOSSES = ("redshift_error", "close_pairs")  # steps that the ideal survey lacks
SIDE, SMOOTH = 500.0, 2.5  # Mpc/h
LEAST, MOST, STEP = 12.0, 15.3, 0.1  # log10 of host mass [Msun/h, 200m]
RANGES = ["--r-min", "0.5 Mpc/h", "--r-max", "40 Mpc/h", "--bins", "10", "--pi-max", "60 Mpc/h"]


class Mock(NamedTuple):
    """What is made of a recipe: redshifts of its boxes, its files, and its density in the box."""

    redshifts: tuple[float, ...]
    out: str
    randoms: str
    density: str


MOCKS = {
    "boss": Mock((0.55,), "galaxy_CMASS_North.fits", "random0_CMASS_North.fits", "4e-4"),
    "desi": Mock(
        *((0.5, 0.7), "LRG_NGC_clustering.dat.fits", "LRG_NGC_0_clustering.ran.fits", "4.5e-4")
    ),
}


def hosts(redshift: float, cells: int) -> Scene:
    """A box of hosts at a redshift."""
    random = np.random.default_rng(1)
    power, growth = linear_power(COSMOLOGY), Growth(COSMOLOGY).factor(1 / (1 + redshift))
    k = 2 * np.pi * np.fft.fftfreq(cells, SIDE / cells)
    last = 2 * np.pi * np.fft.rfftfreq(cells, SIDE / cells)
    waves = np.meshgrid(k, k, last, indexing="ij", sparse=True)
    square = sum(wave**2 for wave in waves)
    square[0, 0, 0] = 1.0
    linear = np.fft.rfftn(random.standard_normal((cells,) * 3))
    linear *= np.sqrt(power(np.sqrt(square)) * (cells / SIDE) ** 3) * growth
    linear *= np.exp(-square * SMOOTH**2 / 2)
    linear[0, 0, 0] = 0.0
    field = np.fft.irfftn(linear, (cells,) * 3).ravel()
    cell, mass = [], []
    for low in np.arange(LEAST, MOST - STEP / 2, STEP):
        middle = np.array([low + STEP / 2])
        abundance = halo_abundance(COSMOLOGY, middle, mass_definition="200m", redshift=redshift)
        number = random.poisson(abundance[0] * STEP * SIDE**3)
        share = np.cumsum(np.exp(bias(middle[0], growth) * field))
        cell.append(np.searchsorted(share, random.uniform(0, share[-1], number), side="right"))
        mass.append(10 ** (low + STEP * random.uniform(size=number)))
    cell = np.concatenate(cell)
    corner = np.stack(np.unravel_index(cell, (cells,) * 3), axis=1)
    place = (corner + random.uniform(size=corner.shape)) * (SIDE / cells) * (1 - 1e-12)
    rate = 100 * COSMOLOGY.expansion_rate(redshift) / (1 + redshift)
    matter = COSMOLOGY.omega_m * (1 + redshift) ** 3 / COSMOLOGY.expansion_rate(redshift) ** 2
    moved = [
        np.fft.irfftn(1j * wave / square * linear, (cells,) * 3).ravel()[cell] for wave in waves
    ]
    ids = np.arange(len(cell))
    columns = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": ids >= 0,
        "position": place,
        "velocity": matter**0.55 * rate * np.stack(moved, axis=1),
        "mass": np.concatenate(mass),
        "host_mass": np.concatenate(mass),
    }
    name = f"made-up hosts at redshift {redshift}"
    snapshot = Snapshot(name, SIDE, redshift, COSMOLOGY, 1e10, "made up")
    return Scene(snapshot, HaloCatalog(columns, "200m"))


def bias(log_mass: float, growth: float) -> float:
    """The bias of halos by Sheth & Tormen 1999, equation 12."""
    radius = np.cbrt(10**log_mass / (4 / 3 * np.pi * COSMOLOGY.mean_matter_density))
    peak = 0.707 * (1.686 / (growth * rms_overdensity(linear_power(COSMOLOGY), radius))) ** 2
    return float(1 + (peak - 1) / 1.686 + 0.6 / 1.686 / (1 + peak**0.3))


def run(*arguments: Any) -> None:
    """Run mockgal on the same terminal, and print what it cost."""
    began = time.time()
    command = [sys.executable, "-m", "mockgal", *map(str, arguments)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    print(
        f"-- mockgal {arguments[0]}: {time.time() - began:.0f} s, CPU "
        f"{usage.ru_utime + usage.ru_stime:.0f} s, peak memory {usage.ru_maxrss / 2**20:.2f} GiB",
        flush=True,
    )


def make(name: str, folder: Path, cells: int) -> None:
    """Make the boxes and the mock of a recipe."""
    mock, own = MOCKS[name], folder / name
    own.mkdir(parents=True, exist_ok=True)
    boxes = [folder / f"hosts-z{z}.hdf5" for z in mock.redshifts]
    for z, path in zip(mock.redshifts, boxes, strict=True):
        if not path.exists():
            write_bundle(hosts(z, cells), path)
    recipe = ROOT / f"catalogs/{name}-like.yaml"
    sims = [text for path in boxes for text in ("--sim", path)]
    run("build", "--recipe", recipe, *sims, "--out", own / mock.out, "--overwrite")
    for path in sorted(own.iterdir()):
        if path.is_file():
            print(f"-- {path.name}: {path.stat().st_size / 1e6:.1f} MB")
    ideal = yaml.safe_load(recipe.read_text())
    for key in LOSSES:
        ideal["survey"].pop(key)
    (own / "ideal.yaml").write_text(yaml.safe_dump(ideal | {"model_out": "mockgal"}))
    out = ("--out", own / "ideal.fits", "--overwrite")
    run("build", "--recipe", own / "ideal.yaml", *sims, *out)
    for z, path in zip(mock.redshifts, boxes, strict=True):
        painter = ("--painter", "hod", "--model", "leauthaud11", "--luminosity-floor")
        box = own / f"box-z{z}.hdf5"
        run(
            *("build", "--sim", path, *painter, "8e10 Msun/h", "--allow-extrapolation"),
            *("--populate", "--seed", 1, "--number-density", f"{mock.density} h^3/Mpc^3"),
            *("--out", box, "--overwrite"),
        )
        for axis in "xyz":
            run(
                *("measure", box, "--statistic", "wp,xi_multipoles", "--line-of-sight", axis),
                *(*RANGES, "--out", own / f"box-z{z}-{axis}", "--no-plots", "--overwrite"),
            )
    for galaxies, points, folder_of in (
        (mock.out, mock.randoms, "sky"),
        ("ideal.fits", "ideal-randoms.fits", "ideal"),
    ):
        run(
            *("measure", own / galaxies, "--randoms", own / points, *RANGES),
            *("--statistic", "sky_wp,sky_xi_multipoles"),
            *("--out", own / folder_of, "--no-plots", "--overwrite"),
        )


def compare(name: str, folder: Path, axes: Any) -> None:
    """Print w_p and the multipoles beside those of the box, and draw them."""
    mock, own = MOCKS[name], folder / name
    for panel, (statistic, estimates) in zip(
        axes, {"wp": ("w_p",), "xi_multipoles": ("xi_0", "xi_2")}.items(), strict=True
    ):
        sky, ideal = (Table.read(own / f"{x}/sky_{statistic}.ecsv") for x in ("sky", "ideal"))
        tables = [
            Table.read(own / f"box-z{z}-{axis}/{statistic}.ecsv")
            for z in mock.redshifts
            for axis in "xyz"
        ]
        r = np.asarray(sky["r_p" if statistic == "wp" else "s"])
        for estimate in estimates:
            box = np.mean([table[estimate] for table in tables], axis=0)
            error = np.mean([table[f"{estimate}_error"] for table in tables], axis=0)
            print(f"\n| {name}, Mpc/h | {estimate} of the box | error | ideal less box | survey |")
            print("|---|---|---|---|---|")
            for k in range(len(r)):
                shares = [f"{100 * (x[estimate][k] / box[k] - 1):+.1f}%" for x in (ideal, sky)]
                of = f"{100 * error[k] / abs(box[k]):.1f}%"
                print(f"| {r[k]:.2f} | {box[k]:.4g} | {of} | {' | '.join(shares)} |")
            factor = r if statistic == "wp" else r**2
            (line,) = panel.plot(r, factor * box, label=f"{estimate}, box")
            color = line.get_color()
            edges = (factor * (box - error), factor * (box + error))
            panel.fill_between(r, *edges, color=color, alpha=0.25, lw=0)
            panel.plot(r, factor * ideal[estimate], "o", mfc="none", color=color, label="ideal sky")
            style = {"fmt": "o", "ms": 4, "color": color, "label": "survey"}
            own_error = factor * sky[f"{estimate}_error"]
            panel.errorbar(r, factor * sky[estimate], own_error, **style)
        label = "r_p w_p" if statistic == "wp" else "s^2 \\xi_\\ell"
        panel.set(xscale="log", ylabel=rf"${label}$ [(Mpc/$h$)$^2$]", title=f"{name}-like")
        panel.set_xlabel(r"$r_p$ [Mpc/$h$]" if statistic == "wp" else r"$s$ [Mpc/$h$]")
        panel.legend(fontsize=8)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=MOCKS)
    parser.add_argument("--cells", type=int, default=200, help="of the made-up field, along a side")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(MOCKS)
    for name in names:
        make(name, arguments.folder, arguments.cells)
    with picture_style():
        figure = Figure(figsize=(10, 4 * len(names)), layout="constrained")
        panels = figure.subplots(len(names), 2, squeeze=False)
        for name, row in zip(names, panels, strict=True):
            compare(name, arguments.folder, row)
        figure.savefig(arguments.picture, dpi=90)


if __name__ == "__main__":
    main()

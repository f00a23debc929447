"""Draw docs/images/synthetic-universe.png, and print the figures of its page.

python docs/make_universe_picture.py [SIDE]: particles along each side, 192 by default; minutes.
"""

import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy import fft

from mockgal.fields.assign import deposit
from mockgal.theory.abundance import halo_abundance
from mockgal.theory.linear import linear_power
from mockgal.universe import Run, Universe, make_universe
from mockgal.universe.groups import friends_of_friends
from mockgal.universe.halos import LEAST_PARTICLES, LINKING_LENGTH, SHELL
from mockgal.universe.initial import linear_overdensity, wavevectors

IMAGE = Path(__file__).parent / "images/synthetic-universe.png"
SEED = 1
SLICE = 8.0  # Mpc/h
PARTICLES = (30, 60, 120, 250, 500, 1000, 4000, 16000, 1 << 40)


def print_waves(position: np.ndarray, run: Run) -> None:
    """Power of the lowest waves over that of the initial conditions, grown by linear theory."""
    start = linear_overdensity(
        linear_power(run.cosmology), side=run.side, box_size=run.box_size, seed=SEED
    )
    size = run.side
    now = fft.rfftn(deposit(position, 1.0, grid_size=size, box_size=run.box_size), norm="forward")
    now /= now[0, 0, 0].real
    k = np.sqrt(sum(x**2 for x in wavevectors(size, run.box_size)))
    fundamental = 2.0 * np.pi / run.box_size
    for low in (0.5, 1.5, 2.5, 3.5, 5.5, 7.5):
        shell = (k >= low * fundamental) & (k < (low + 1.0) * fundamental)
        power, linear = (np.sum(np.abs(w[shell]) ** 2) for w in (now, start))
        alike = np.sum((now[shell] * start[shell].conj()).real) / np.sqrt(power * linear)
        print(
            f"k = {k[shell].mean():.2f} h/Mpc: P / P_linear {power / linear:.3f}, "
            f"correlation {alike:.3f}, waves {int(shell.sum())}"
        )


def print_groups(position: np.ndarray, run: Run) -> None:
    """Friends-of-friends groups over Sheth and Tormen's number, by their particles."""
    length = LINKING_LENGTH * run.box_size / run.side
    group = friends_of_friends(position, box_size=run.box_size, linking_length=length)
    number = np.bincount(group)
    for low, high in pairwise(PARTICLES):
        fine = np.arange(np.log10(low * run.particle_mass), 16.0, 0.002)
        fine = fine[fine < np.log10(high * run.particle_mass)]
        expected = 0.002 * np.sum(halo_abundance(run.cosmology, fine)) * run.box_size**3
        found = int(np.sum((number >= low) & (number < high)))
        print(
            f"{low} to {high} particles: {found} groups, {found / expected:.2f} of {expected:.0f}"
        )


def print_law(universe: Universe) -> None:
    """What the catalogue holds, and the law in it."""
    halos, found = universe.halos.catalog, universe.galaxies
    central = halos["is_central"]
    print(f"hosts {central.sum()}, satellites {(~central).sum()}, {dict(halos.record)}")
    print({key: found.record[key] for key in list(found.record)[8:]})
    for name, term in (("environment", found.environment), ("scatter", found.scatter)):
        rms = [float(np.sqrt(np.mean(term[rows] ** 2))) for rows in (central, ~central)]
        print(f"rms of {name}: centrals {rms[0]:.4f}, satellites {rms[1]:.4f}")
    for name in ("mass", "host_mass", "vmax"):
        value = np.corrcoef(found.environment[central], np.log10(halos[name][central]))[0, 1]
        print(f"correlation of the term with log {name}, centrals: {value:.3f}")
    features = [np.log10(halos[name][central]) for name in ("mass", "host_mass", "vmax")]
    design = np.stack([np.ones(len(features[0])), *features, *[x**2 for x in features]], axis=1)
    left = found.environment[central]
    left = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
    print(f"rms of the term beyond a quadratic of the three: {left.std():.3f}")


def draw(universe: Universe, position: np.ndarray, run: Run) -> None:
    """Matter with hosts, and stellar against subhalo mass."""
    halos, found = universe.halos.catalog, universe.galaxies
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = position[:, 2] < SLICE
    size = min(512, 2 * run.side)
    image, *_ = np.histogram2d(*position[rows, :2].T, bins=size, range=[[0, run.box_size]] * 2)
    mean = image.mean()
    left.imshow(
        (image.T + 0.1) / mean,
        origin="lower",
        extent=[0, run.box_size] * 2,
        norm=LogNorm(0.1, 100),
        cmap="gray_r",
    )
    shown = halos["is_central"] & (halos["position"][:, 2] < SLICE)
    big = np.flatnonzero(shown & (halos["host_mass"] > 3e11))
    left.scatter(
        *halos["position"][big, :2].T,
        s=10 * np.cbrt(halos["host_mass"][big] / 1e11) ** 2,
        facecolors="none",
        edgecolors="tab:red",
        linewidths=0.8,
    )
    left.set_xlabel("x [Mpc/h]")
    left.set_ylabel("y [Mpc/h]")
    left.set_title(f"matter in {SLICE:g} Mpc/h, hosts above 3e11 Msun/h", fontsize=10)
    stars = np.flatnonzero(found.stellar_mass > 0)
    points = right.scatter(
        halos["mass"][stars],
        found.stellar_mass[stars],
        c=found.environment[stars],
        s=5,
        cmap="coolwarm",
        vmin=-0.7,
        vmax=0.7,
    )
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("subhalo mass [Msun/h]")
    right.set_ylabel("stellar mass [Msun/h]")
    right.set_title("galaxies: a made-up law", fontsize=10)
    figure.colorbar(
        points, ax=right, label=f"term of the matter within {SHELL} Mpc/h outside [dex]"
    )
    figure.savefig(IMAGE, dpi=80)


def main() -> None:
    """Make the universe, print, draw."""
    run = Run()
    if len(sys.argv) > 1:
        side = int(sys.argv[1])
        run = Run(box_size=run.box_size * side / run.side, side=side)
    began = time.perf_counter()
    universe = make_universe(SEED, run=run)
    print(
        f"{run.side}^3 particles of {run.particle_mass:.4g} Msun/h, {run.box_size} Mpc/h", end=": "
    )
    print(f"{time.perf_counter() - began:.0f} s; halos have {LEAST_PARTICLES} particles or more")
    position = next(universe.dark.particles.chunks(run.side**3)).position
    print_waves(position, run)
    print_groups(position, run)
    print_law(universe)
    draw(universe, position, run)


if __name__ == "__main__":
    main()

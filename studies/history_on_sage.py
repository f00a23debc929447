"""What a network learns from the past of subhalos: SAGE's galaxies, one box learnt, one held out.

    python studies/history_on_sage.py SHARED/data/gadget4-sage [--seeds 3] [--fields]

For each choice of features and each seed a network is trained on box1 and predicts box2, whose
initial phases it has not seen. Printed are, for luminous subhalos above `LEAST` in box2: the mean
and the scatter of log10 of stellar mass about the predicted mean, and the mean log-likelihood; and
how each choice differs from the one before, subhalo by subhalo. Quadratic fits to box1 stand beside
them. Without ``--fields`` the networks see features alone; with it, small ones that see matter are
trained on some of the choices, too, and on none.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

import mockgal
from mockgal.painters.cnn.architecture import architecture
from mockgal.painters.cnn.painter import CNNPainter

FLOOR, LEAST = 1e8, 8e10  # Msun/h: of stars, and of bound mass
SETS = {
    "bound mass, central or not": "mass,is_central",
    "and Vmax": "mass,is_central,vmax",
    "and peaks of mass and Vmax": "mass,is_central,vmax,peak_mass,peak_vmax",
    "and scale of half-mass": "mass,is_central,vmax,peak_mass,peak_vmax,half_mass_scale",
}
WITH_FIELDS = {
    "matter alone": "",
    "and Vmax": SETS["and Vmax"],
    "and scale of half-mass": SETS["and scale of half-mass"],
}
HISTORY = (
    "halo_id=subhalo, peak_mass=m_peak [Msun/h], peak_vmax=v_peak [km/s], half_mass_scale=a_half"
)
STARS = "halo_id=subhalo, stellar_mass=stellar_mass [Msun/h]"
EPOCHS = {"features": 60, "fields": 15}
CELLS = 3  # a side of the box: cells that the jackknife leaves out


def boxes(data: Path) -> list[tuple[mockgal.Scene, mockgal.Truth]]:
    """Return both boxes with their histories, and their galaxies."""
    found = []
    for name in ("box1", "box2"):
        table = data / name / "galaxies.csv"
        sim = mockgal.read(data / name / "dark", history=table, history_columns=HISTORY)
        found.append((sim, mockgal.Truth(table, columns=STARS)))
    return found


def judged(sim: mockgal.Scene, stars: np.ndarray) -> np.ndarray:
    """Return the rows of luminous subhalos above `LEAST`."""
    return np.flatnonzero((stars >= FLOOR) & (sim.halos["mass"] >= LEAST))


def scored(log_stars: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return residuals [dex] and log-likelihoods of a normal law, shape (2, n).

    The log-likelihood is without its constant -log(2 pi) / 2, and without the cut at the floor.
    """
    residual = log_stars - mean
    return np.stack([residual, -0.5 * (residual / scale) ** 2 - np.log(scale)])


def quadratic_fit(scenes: list, stars: list, features: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scores in box1, where a quadratic polynomial is fitted, and in box2."""
    tables, values = [], []
    for sim, mass in zip(scenes, stars, strict=True):
        rows = judged(sim, mass)
        columns = [np.asarray(sim.halos[name], float)[rows] for name in features.split(",")]
        x = [
            c if c.max() <= 1 else np.log10(c) for c in columns
        ]  # flags, scale factors as they are
        x = [np.ones(len(rows)), *x]
        pairs = itertools.combinations_with_replacement(x, 2)
        tables.append(np.stack([a * b for a, b in pairs], axis=1))
        values.append(np.log10(mass[rows]))
    fit = np.linalg.lstsq(tables[0], values[0], rcond=None)[0]
    spread = np.std(values[0] - tables[0] @ fit)
    one, other = (scored(v, t @ fit, spread) for v, t in zip(values, tables, strict=True))
    return one, other


def trained(
    kind: str, features: str, seed: int, sim: mockgal.Scene, truth: mockgal.Truth
) -> CNNPainter:
    """Return the painter of a network trained on a box."""
    network = {"preset": "features", "features": features}
    if kind == "fields":
        network = {"preset": "demo", "width": 4, "grid_size": 160, "features": features}
        if not features:
            preset = replace(architecture("demo", width=4), features=())
            network = {"preset": preset, "grid_size": 160}
    with tempfile.TemporaryDirectory() as folder:
        weights = mockgal.train(
            sim,
            truth,
            Path(folder) / "w.safetensors",
            seed=seed,
            luminosity_floor=FLOOR,
            sampling="natural",
            training={"epochs": EPOCHS[kind], "stop_after": 20},
            **network,
        )
        return CNNPainter(weights, allow_extrapolation=True)


def scatter(scores: np.ndarray) -> float:
    """Return the scatter [dex], a mean over seeds, of scores of shape (seeds, 2, n)."""
    return float(scores[:, 0].std(axis=1).mean())


def score(scores: np.ndarray) -> float:
    """Return the mean log-likelihood of scores of shape (seeds, 2, n)."""
    return float(scores[:, 1].mean())


def change(figure: Callable, before: np.ndarray, after: np.ndarray, cell: np.ndarray) -> str:
    """Return how a figure changes on the same subhalos, with its error and what is detectable.

    The error adds those of the jackknife over cells of the box and of the mean over seeds.
    """
    left = [cell != k for k in np.unique(cell)]
    cells = [figure(after[..., rows]) - figure(before[..., rows]) for rows in left]
    variance = (len(cells) - 1) * np.var(cells)
    if len(after) > 1:
        seeds = [figure(x[None]) for x in after], [figure(x[None]) for x in before]
        variance += sum(np.var(x, ddof=1) / len(x) for x in seeds)
    error = np.sqrt(variance)
    detectable = stats.t.ppf([0.975, 0.8], len(cells) - 1).sum() * error
    return f"{figure(after) - figure(before):+.3f} +- {error:.3f} (detectable {detectable:.3f})"


def changes(before: np.ndarray, after: np.ndarray, cell: np.ndarray) -> str:
    """Return how scatter and log-likelihood change."""
    found = [change(figure, before, after, cell) for figure in (scatter, score)]
    return f"scatter {found[0]} dex, log-likelihood {found[1]}"


def line(name: str, scores: np.ndarray) -> str:
    """Return the figures of a choice of features: means over seeds, and spread if there are."""
    figures = scores[:, 0].mean(axis=1), scores[:, 0].std(axis=1), scores[:, 1].mean(axis=1)
    cells = [
        f"{x.mean():+.3f}" + (f" +- {x.std(ddof=1):.3f}" if len(x) > 1 else "") for x in figures
    ]
    return f"{name:38} bias {cells[0]} scatter {cells[1]} dex, log-likelihood {cells[2]}"


def main() -> None:
    """Train, predict the other box, and print what each set of features leaves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fields", action="store_true")
    options = parser.parse_args()
    (one, galaxies), (other, held_out) = boxes(options.data)
    stars = [
        truth.on(sim).halos["stellar_mass"] for sim, truth in ((one, galaxies), (other, held_out))
    ]
    rows = judged(other, stars[1])
    log_stars = np.log10(stars[1][rows])
    place = (other.halos["position"][rows] / other.snapshot.box_size * CELLS).astype(int)
    cell = place @ [CELLS * CELLS, CELLS, 1]
    print(f"box1: {len(judged(one, stars[0]))} subhalos, box2: {len(rows)}")
    fits: dict[str, np.ndarray] = {}
    for name, features in SETS.items():
        for box, scores in zip(
            ("box1", "box2"), quadratic_fit([one, other], stars, features), strict=True
        ):
            print(line(f"quadratic {box} {name}", scores[None]))
            fits[name] = np.stack([scores] * options.seeds)  # the last is of box2
    sets = WITH_FIELDS if options.fields else SETS
    before: dict[str, np.ndarray] = {}
    for name, features in sets.items():
        for kind in ("features", "fields") if options.fields else ("features",):
            if kind == "features" and not features:
                continue
            found = []
            for seed in range(1, options.seeds + 1):
                law = trained(kind, features, seed, one, galaxies).predict(other)
                found.append(scored(log_stars, law.location[rows], law.scale[rows]))
            scores = np.stack(found)
            print(line(f"{kind} {name}", scores), flush=True)
            if name in fits:
                print(f"    than the fit: {changes(fits[name], scores, cell)}", flush=True)
            if kind in before:
                print(f"    than the last: {changes(before[kind], scores, cell)}", flush=True)
            if kind == "fields" and features:
                added = changes(before["features"], scores, cell)
                print(f"    than features alone: {added}", flush=True)
            before[kind] = scores


if __name__ == "__main__":
    sys.exit(main())

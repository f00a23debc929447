"""Does training find the law that was put into synthetic universes? Held out, several seeds.

    python studies/recover_synthetic_law.py FOLDER [--seeds 1,2,3] [--width 16] [--epochs 30]
        [--side 192]

FOLDER gets the universes (minutes each, made once), checkpoints and the trained weights: started
again, it goes on. One universe is held out, another chooses the epoch, the others are trained on.
Compared by the scatter of log10 of true over predicted median stellar mass:

- the network, of a small layout, as the painter evaluates it;
- the same, the mean over the 48 symmetries (``averaged``);
- the same with the fields of other subhalos of the held-out universe (``shuffled``);
- a network of the features alone: trained on shuffled fields, in the smallest layout;
- the central/satellite HOD, calibrated on the universes that are trained on.

Prints the tables of docs/explanation/synthetic-universe.md, and draws its second picture.
"""

import argparse
import itertools
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import ndtri

import mockgal
from mockgal import random
from mockgal.laws.distribution import inverse_cdf
from mockgal.painters.cnn.architecture import FEATURES, Architecture
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights.named import Weights
from mockgal.painters.hod.painter import HODPainter
from mockgal.protocols import Painter
from mockgal.tasks.calibrate import calibrate
from mockgal.tasks.pairs import Pair, domain_of, paired, read_pairs, samples_of, volumes_of
from mockgal.training import loop
from mockgal.training.data.samples import PARTS, TEST, TRAIN, CropBatches, Samples, normalisation_of
from mockgal.training.data.split import split_of
from mockgal.training.evaluation.predict import outputs
from mockgal.training.evaluation.scores import evaluate
from mockgal.training.evaluation.selection import law_of
from mockgal.training.losses import Loss
from mockgal.training.options import TrainingOptions
from mockgal.universe import Law, Run, write_universe

PICTURE = Path(__file__).parents[1] / "docs/images/synthetic-law.png"
UNIVERSES = {"train": (11, 12, 15, 16, 17), "validation": (13,), "test": (14,)}
SPACING, VOXEL = 0.25, 0.125  # Mpc/h, of particles and of the network's voxels
HOSTS = np.arange(11.0, 14.8, 0.25)  # log10 of mass [Msun/h]: bins of the HOD
FLOOR = 1e6  # Msun/h, below all galaxies: the law has no floor
# Sees 1.4 Mpc/h to each side, where the law looks; `demo` sees 2.1, and takes ten times as long.
NEAR = Architecture("near", ((5,), (3,), ()), crop_size=23, features=FEATURES)
# The smallest that layers make a voxel of; it has nothing to see but noise.
BLIND = Architecture("features only", ((), (), ()), crop_size=15, width=1, features=FEATURES)


class Trained(NamedTuple):
    """Medians of log10 stellar mass at held-out galaxies, shape (n,), and the card's numbers."""

    median: np.ndarray
    scores: dict[str, Any]


def universes(folder: Path, side: int) -> list[Pair]:
    """The pairs of runs, made where they are not there yet."""
    run, found = Run(box_size=SPACING * side, side=side), []
    for seed in itertools.chain(*UNIVERSES.values()):
        place = folder / f"universe-{seed}"
        if not (place / "hydro.hdf5").exists():
            write_universe(place, seed, run=run)
        found.append([mockgal.read(place / f"{name}.hdf5") for name in ("dark", "hydro")])
    pairs = read_pairs([dark for dark, _ in found], [hydro for _, hydro in found], {})
    return [paired(*pair, floor=FLOOR, least_mass=0.0, method="position") for pair in pairs]


def prepared(pairs: list[Pair]) -> tuple[Samples, dict[str, Any]]:
    """Samples of all universes, and what the weights say of themselves."""
    domain = {
        "voxel_size": VOXEL,
        "least_subhalo_mass": 0.0,
        "assignment": "CIC",
        "origin": "corner",
    }
    volumes = volumes_of(pairs, domain)
    shape = NEAR
    names = {
        part: [pairs[k].dark.snapshot.name for k in range(len(pairs)) if k in rows]
        for part, rows in _places().items()
    }
    split = split_of(
        volumes, shape.crop_size, "box", validation=names["validation"], test=names["test"]
    )
    samples = samples_of(
        pairs, volumes, target="subhalo", floor=FLOOR, architecture=shape, split=split
    )
    rows = samples.rows(TRAIN)
    about = {
        "domain": domain_of(pairs, volumes, samples, FLOOR),
        "normalisation": normalisation_of(samples, rows, shape),
        "target": "subhalo",
        "provenance": {"summary": "synthetic universes, made up"},
    }
    return samples, about


def _places() -> dict[str, range]:
    """Places of the universes of each part among all."""
    edges = np.cumsum([0, *map(len, UNIVERSES.values())]).tolist()
    return {
        part: range(*edge) for part, edge in zip(UNIVERSES, itertools.pairwise(edges), strict=True)
    }


def shuffled(samples: Samples, part: int, seed: int = 0) -> Samples:
    """Subhalos of a part with the place, and so the fields, of another one in their universe."""
    voxel = samples.voxel.copy()
    for volume in range(len(samples.volumes)):
        rows = samples.rows(part)
        rows = rows[samples.volume[rows] == volume]
        order = np.argsort(random.uniform(seed, "shuffled fields", samples.halo_id[rows]))
        voxel[rows] = samples.voxel[rows[order]]
    return replace(samples, voxel=voxel)


def _without_fields(samples: Samples) -> Samples:
    for part in PARTS:
        samples = shuffled(samples, part)
    return samples


def median(weights: Weights, samples: Samples) -> np.ndarray:
    """Predicted median of log10 stellar mass at the held-out galaxies."""
    rows = samples.rows(TEST)
    batches = CropBatches.unturned(samples, rows, weights, 32)
    found, *_ = outputs(weights.network(), batches, rows, torch.device("cpu"), Loss(weights))
    law = law_of(samples, rows, found, weights)
    return inverse_cdf(law, np.full(len(law), 0.5))[samples.luminous[rows]]


def trained(
    samples: Samples,
    shape: Architecture,
    options: TrainingOptions,
    folder: Path,
    about: dict[str, Any],
) -> Weights:
    """Weights of a training, or of one that was stopped and goes on."""
    return loop.train(samples, shape, options, folder, name=folder.name, **about)


def painted_median(painter: Painter, pairs: list[Pair], samples: Samples) -> np.ndarray:
    """The same as a painter has it; NaN where it paints nothing."""
    dark = pairs[_places()["test"][0]].dark
    law = painter.predict(dark)
    rows = samples.rows(TEST)
    rows = np.searchsorted(dark.halos["halo_id"], samples.halo_id[rows[samples.luminous[rows]]])
    middle = inverse_cdf(law, np.full(len(law), 0.5))
    return np.where(law.p_luminous > 0.0, middle, np.nan)[rows]


def hod(pairs: list[Pair]) -> Painter:
    """The HOD of the universes that are trained on."""
    training = [pairs[k] for k in _places()["train"]]
    table = calibrate(
        [(p.hydro, p.dark) for p in training],
        name="made up",
        luminosity_floor=FLOOR,
        measure_options={"edges": HOSTS},
    )
    return HODPainter(calibration=table, allow_extrapolation=True)


def surroundings(samples: Samples, rows: np.ndarray) -> np.ndarray:
    """The term of the law that the fields tell: what is left without the mean and the scatter."""
    (seed,), law = UNIVERSES["test"], Law()
    key = "synthetic universe: stellar mass"  # as mockgal.universe.galaxies has it
    scatter = law.scatter * ndtri(random.uniform(seed, key, samples.halo_id[rows]))
    return samples.log_stellar_mass[rows] - law.mean(np.log10(samples.mass[rows])) - scatter


def compare(found: dict[str, list[float]], truth: float) -> None:
    """The scatter of each, and how sure the network is ahead."""
    print("| | scatter [dex], each seed | mean | spread | over what was put in |")
    print("|---|---|---|---|---|")
    for name, values in found.items():
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        shown = ", ".join(f"{x:.4f}" for x in values)
        mean = np.mean(values)
        print(f"| {name} | {shown} | {mean:.4f} | {spread:.4f} | {mean / truth:.3f} |")
    ours = found["network"]
    for name, values in found.items():
        if name not in ("network", "averaged") and len(ours) > 1:
            spread = np.hypot(np.std(ours, ddof=1), np.std(values, ddof=1) if values[1:] else 0.0)
            print(f"{name}: {(np.mean(values) - np.mean(ours)) / spread:.1f} seed spreads behind")


def draw(truth: np.ndarray, environment: np.ndarray, medians: dict[str, np.ndarray]) -> None:
    """Residuals of each against the term that only the fields tell."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    for axes, (name, values) in zip(
        figure.subplots(1, len(medians), sharey=True), medians.items(), strict=True
    ):
        residual = truth - values  # NaN where it paints nothing
        axes.scatter(environment, residual, s=3, alpha=0.4, color="tab:blue", linewidths=0)
        axes.axhline(0.0, color="black", linewidth=0.8)
        axes.set_title(f"{name}: {np.nanstd(residual):.3f} dex", fontsize=11)
        axes.set_xlabel("term of the surroundings [dex]")
        axes.set_ylim(-1.3, 1.3)
    figure.axes[0].set_ylabel("log10 (true / predicted median)")
    figure.savefig(PICTURE, dpi=80)


def main() -> None:
    """Make, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--side", type=int, default=192)
    a = parser.parse_args()
    warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
    pairs = universes(a.folder, a.side)
    samples, about = prepared(pairs)
    rows = samples.rows(TEST)
    rows = rows[samples.luminous[rows]]
    true = samples.log_stellar_mass[rows]
    for part, name in PARTS.items():
        print(f"{name}: {np.sum(samples.luminous[samples.part == part])} galaxies")
    shapes = {"network": replace(NEAR, width=a.width), "features only": BLIND}
    data = {"network": samples, "features only": _without_fields(samples)}
    names = ("network", "averaged", "shuffled", "features only")
    found: dict[str, list[float]] = {name: [] for name in names}
    medians: dict[str, np.ndarray] = {}
    for seed in map(int, a.seeds.split(",")):
        options = TrainingOptions(
            seed=seed, epochs=a.epochs, stop_after=a.epochs, patience=3, accelerator="cpu"
        )
        for name, shape in shapes.items():
            place = a.folder / f"{name.split()[0]}-{a.width}-seed-{seed}"
            weights = trained(data[name], shape, options, place, about)
            if name == "network":
                for average, what in enumerate(("network", "averaged")):
                    painter = CNNPainter(weights=weights, average_symmetries=bool(average))
                    values = painted_median(painter, pairs, samples)
                    found[what].append(float(np.std(true - values)))
                    medians.setdefault(what, values)
                others = median(weights, shuffled(samples, TEST, seed))
                found["shuffled"].append(float(np.std(true - others)))
            else:
                values = median(weights, data[name])
                found[name].append(float(np.std(true - values)))
                medians.setdefault(name, values)
            scores = evaluate(weights, data[name], seed=seed)
            (place / "scores.json").write_text(json.dumps(scores, indent=1))
            for what, test in scores["pit"]["kolmogorov_smirnov"].items():
                print(f"seed {seed}, {name}, PIT {what}: {test}")
    medians["HOD"] = painted_median(hod(pairs), pairs, samples)
    del medians["averaged"]
    painted = np.isfinite(medians["HOD"])
    found["HOD"] = [float(np.std((true - medians["HOD"])[painted]))]
    ours = float(np.std((true - medians["network"])[painted]))
    print(f"the HOD paints {painted.sum()} of {len(true)}: at these the network has {ours:.4f}")
    compare(found, Law().scatter)
    n = len(true)
    low, high = Law().scatter * np.sqrt(stats.chi2.ppf([0.025, 0.975], n - 1) / (n - 1))
    print(f"{n} galaxies: what was put in is measured as {low:.4f} to {high:.4f} dex in 95%")
    draw(true, surroundings(samples, rows), medians)


if __name__ == "__main__":
    main()

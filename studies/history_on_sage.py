"""What a network learns from the past of subhalos: SAGE's galaxies, one box learnt, one held out.

    python studies/history_on_sage.py SHARED/data/gadget4-sage [--seeds 3] [--fields]

For each choice of features and each seed a network is trained on box1 and predicts box2, whose
initial phases it has not seen. Printed are the scatter of log10 of stellar mass about the predicted
mean, and the mean log-likelihood, of luminous subhalos above `LEAST` in box2. Without ``--fields``
they are networks of features alone; with it also small networks that see matter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import mockgal
from mockgal.painters.cnn.painter import CNNPainter

FLOOR, LEAST = 1e8, 8e10  # Msun/h: of stars, and of bound mass
SETS = {
    "bound mass, central or not": "mass,is_central",
    "and Vmax": "mass,is_central,vmax",
    "and peaks of mass and Vmax": "mass,is_central,vmax,peak_mass,peak_vmax",
    "and scale of half-mass": "mass,is_central,vmax,peak_mass,peak_vmax,half_mass_scale",
}
HISTORY = (
    "halo_id=subhalo, peak_mass=m_peak [Msun/h], peak_vmax=v_peak [km/s], half_mass_scale=a_half"
)
STARS = "halo_id=subhalo, stellar_mass=stellar_mass [Msun/h]"
NETWORKS = {"features": {}, "demo": {"width": 4, "grid_size": 160}}
EPOCHS = {"features": 60, "demo": 15}


def boxes(data: Path) -> list[tuple[mockgal.Scene, mockgal.Truth]]:
    """Return both boxes with their histories, and their galaxies."""
    found = []
    for name in ("box1", "box2"):
        table = data / name / "galaxies.csv"
        sim = mockgal.read(data / name / "dark", history=table, history_columns=HISTORY)
        found.append((sim, mockgal.Truth(table, columns=STARS)))
    return found


def measured(weights: object, sim: mockgal.Scene, stars: np.ndarray) -> tuple[float, float, int]:
    """Return scatter [dex], log-likelihood and number of luminous subhalos above `LEAST`.

    The log-likelihood is the mean of that of a normal law, without its constant -log(2 pi) / 2.
    """
    law = CNNPainter(weights, allow_extrapolation=True).predict(sim)
    rows = np.flatnonzero((stars >= FLOOR) & (sim.halos["mass"] >= LEAST))
    residual = np.log10(stars[rows]) - law.location[rows]
    score = -0.5 * (residual / law.scale[rows]) ** 2 - np.log(law.scale[rows])
    return float(np.std(residual)), float(np.mean(score)), len(rows)


def main() -> None:
    """Train, predict the other box, and print what each set of features leaves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fields", action="store_true")
    options = parser.parse_args()
    (one, galaxies), (other, held_out) = boxes(options.data)
    stars = held_out.on(other).halos["stellar_mass"]
    for preset in NETWORKS if options.fields else ("features",):
        for name, features in SETS.items():
            found = []
            for seed in range(1, options.seeds + 1):
                with tempfile.TemporaryDirectory() as folder:
                    weights = mockgal.train(
                        one,
                        galaxies,
                        Path(folder) / "w.safetensors",
                        seed=seed,
                        preset=preset,
                        features=features,
                        luminosity_floor=FLOOR,
                        sampling="natural",
                        training={"epochs": EPOCHS[preset], "stop_after": 20},
                        **NETWORKS[preset],
                    )
                found.append(measured(weights, other, stars))
            scatter, score, number = np.transpose(found)
            print(
                f"{preset:9} {name:28} scatter {scatter.mean():.3f} +- {scatter.std(ddof=1):.3f} "
                f"dex, log-likelihood {score.mean():.3f} +- {score.std(ddof=1):.3f} "
                f"({int(number[0])} subhalos)",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())

"""Write one of 16 Quijote halo samples as the group_tab set that Quijote itself gives.

    python studies/quijote_groups.py DIRECTORY NUMBER --out FOLDER

DIRECTORY holds halos_small.npy (16 cosmologies, 5000 most massive groups of each at z = 0.5, with
x, y, z [Mpc/h], vx, vy, vz [km/s] and M [Msun/h]) and cosmology_small.csv, of the repository
smsharma/point-cloud-galaxy-diffusion; they are not part of this project. The masses are those of
whole numbers of particles of a run of 512^3 in 1 Gpc/h, added up in single precision, which is what
makes the conversion possible. At the end the command is shown that reads the set.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from mockgal.testing.quijote import write_groups

BOX_SIZE, SIDE = 1000.0, 512  # Mpc/h; particles
REDSHIFT, OUTPUT = 0.5, 3
# 3 H0^2 / (8 pi G) in Msun/h per (Mpc/h)^3 with Gadget's G, 43007.1 in its internal units.
GADGET_CRITICAL_DENSITY = 3e4 / (8 * np.pi * 4.30071e-9)
ADDED_UP = 1e-4  # largest relative error of a mass added up in single precision


def sample(directory: Path, number: int) -> tuple[np.ndarray, dict[str, float]]:
    """Groups, shape (5000, 7), and the cosmology of one sample."""
    groups = np.load(directory / "halos_small.npy", allow_pickle=False)
    with open(directory / "cosmology_small.csv", newline="") as file:
        cosmologies = list(csv.DictReader(file))
    if not 0 <= number < len(groups):
        raise SystemExit(f"NUMBER: found {number}, expected 0 to {len(groups) - 1}")
    stated = cosmologies[number]
    return groups[number].astype(np.float64), {"h": float(stated["h"])} | {
        "omega_m": round(float(stated["Omega_m"]), 6),
        "omega_lambda": round(1 - float(stated["Omega_m"]), 6),
    }


def particles(mass: np.ndarray, omega_m: float) -> tuple[np.ndarray, float]:
    """Number of particles of each group, and the particle mass [Msun/h]."""
    particle_mass = omega_m * GADGET_CRITICAL_DENSITY * BOX_SIZE**3 / SIDE**3
    number = np.rint(mass / particle_mass).astype(int)
    off = np.abs(mass / (number * particle_mass) - 1).max()
    if off > ADDED_UP:
        raise SystemExit(f"masses are no multiples of the particle mass: off by {off:.2g}")
    return number, particle_mass


def main() -> None:
    """Convert one sample."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--out", type=Path, required=True, help="A folder, made if need be.")
    parser.add_argument("--files", type=int, default=1)
    asked = parser.parse_args()
    groups, cosmology = sample(asked.directory, asked.number)
    number, particle_mass = particles(groups[:, 6], cosmology["omega_m"])
    folder = write_groups(
        asked.out,
        position=groups[:, :3],
        velocity=groups[:, 3:6],
        number=number,
        mass=groups[:, 6],
        particle_mass=particle_mass,
        redshift=REDSHIFT,
        output=OUTPUT,
        files=asked.files,
    )
    flags = {"redshift": REDSHIFT} | cosmology
    words = [f'--box-size "{BOX_SIZE:g} Mpc/h"']
    words += [f"--{name.replace('_', '-')} {value:g}" for name, value in flags.items()]
    print(
        f"wrote {folder}: {len(groups)} groups of {number.min()} to {number.max()} particles of "
        f"{particle_mass:.6g} Msun/h"
    )
    print(f"mockgal inspect {folder} --format quijote " + " ".join(words))


if __name__ == "__main__":
    main()

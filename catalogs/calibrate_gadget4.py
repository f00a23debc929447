"""Make the shipped HOD calibrations from the Gadget-4 pair of runs.

    python catalogs/calibrate_gadget4.py DIRECTORY

DIRECTORY holds dark/groups_NNN and hydro/groups_NNN, described in catalogs/demo/README.md. One
table for each of the three redshifts is written into mockgal/paint/calibrations/.
"""

import sys
from pathlib import Path

import h5py
import numpy as np

import mockgal
from mockgal.calibrate.hod_table import measure
from mockgal.paint.hod_store import SHIPPED, to_ecsv

EDGES = (9.75, 10.5, 10.75, 11.0, 11.25, 11.5, 12.0, 13.0)  # at least 15 hosts in each
LEAST_STARS = 10
LEAST_PARTICLES = 32


def star_particle_mass(directory: Path) -> float:
    """Mass of a star particle [Msun/h]: the median over subhalos with stars."""
    masses = []
    for path in sorted(directory.glob("*.hdf5")):
        with h5py.File(path) as file:
            number = file["Subhalo/SubhaloLenType"][:, 4]
            mass = file["Subhalo/SubhaloMassType"][:, 4] * 1e10
            masses.append(mass[number > 0] / number[number > 0])
    return float(np.median(np.concatenate(masses)))


def main(directory: Path) -> None:
    """Write the tables."""
    for number in ("000", "001", "002"):
        hydro, dark = (
            mockgal.read(directory / run / f"groups_{number}") for run in ("hydro", "dark")
        )
        star = star_particle_mass(directory / "hydro" / f"groups_{number}")
        name = f"gadget4-z{dark.snapshot.redshift:.2f}"
        table = measure(
            hydro,
            dark,
            name=name,
            edges=EDGES,
            luminosity_floor=LEAST_STARS * star // 1e6 * 1e6,
            least_particles=LEAST_PARTICLES,
            provenance={
                "summary": "Gadget-4 pair, 16 Mpc/h box, stars form without feedback",
                "caution": "it is for demonstration and tests, not for science: made from a box of "
                "16 Mpc/h, with galaxies too massive for want of feedback",
                "made_by": "catalogs/calibrate_gadget4.py",
                "luminosity_floor": f"{LEAST_STARS} star particles of {star:.5g} Msun/h",
                "references": [
                    "Springel et al. 2021 (Gadget-4), arXiv:2010.03567",
                    "Springel & Hernquist 2003, arXiv:astro-ph/0206393",
                ],
            },
        )
        path = SHIPPED / f"{name}.ecsv"
        path.write_text(to_ecsv(table), encoding="utf-8")
        c = table.columns
        print(
            f"{path}: {int(c['luminous_hydro'].sum())} luminous subhalos in "
            f"{int(c['hosts_hydro'].sum() / 2)} hosts; {table.provenance['host_mass_ratio']}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

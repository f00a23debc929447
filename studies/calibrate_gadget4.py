"""Make the shipped HOD calibrations from the Gadget-4 pair of runs.

    python studies/calibrate_gadget4.py DIRECTORY

DIRECTORY holds dark/groups_NNN and hydro/groups_NNN, described in catalogs/demo/README.md. One
table for each of the three redshifts is written into mockgal/painters/hod/calibrations/, as
`mockgal calibrate --hydro DIRECTORY/hydro/groups_NNN --dark DIRECTORY/dark/groups_NNN` makes it.
"""

import sys
from pathlib import Path

import mockgal
from mockgal.painters.hod.store import SHIPPED

NAMES = {"000": "gadget4-z1.02", "001": "gadget4-z0.50", "002": "gadget4-z0.00"}
ABOUT = {
    "summary": "Gadget-4 pair, 16 Mpc/h box, stars form without feedback",
    "caution": "it is for demonstration and tests, not for science: made from a box of 16 Mpc/h, "
    "with galaxies too massive for want of feedback",
    "made_by": "studies/calibrate_gadget4.py",
    "references": [
        "Springel et al. 2021 (Gadget-4), arXiv:2010.03567",
        "Springel & Hernquist 2003, arXiv:astro-ph/0206393",
    ],
}


def main(directory: Path) -> None:
    """Write the tables."""
    for number, name in NAMES.items():
        pair = tuple(directory / run / f"groups_{number}" for run in ("hydro", "dark"))
        path = SHIPPED / f"{name}.ecsv"
        table = mockgal.calibrate([pair], path, provenance=ABOUT, overwrite=True)
        c = table.columns
        print(
            f"{path}: {int(c['luminous_hydro'].sum())} luminous subhalos in "
            f"{int(c['hosts_hydro'].sum() / 2)} hosts; {table.provenance['host_mass_ratio']}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

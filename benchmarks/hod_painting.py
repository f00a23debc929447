"""Painting with the HOD against halotools' Zheng07 and AbacusHOD, rows of halos per second.

python benchmarks/hod_painting.py [--subhalos 1000000] [--repeats 5] [--order shuffled]
                                  [--abacus-python PATH]

Each code runs in a process of its own. AbacusHOD (abacusutils) may live in another environment,
whose interpreter --abacus-python names. Codes that are not installed are said to be so.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import Any

import numpy as np
from common import best_of, halos, peak_memory, run_parts, table

CALIBRATION = "gadget4-z0.00"
BOX_SIZE = 500.0  # Mpc/h
THRESHOLDS = (-18.0, -20.0)  # of Zheng07: as many galaxies as it can give, and its default


def mockgal(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a user's call, and of its kernels alone."""
    import mockgal as package
    from mockgal.cosmology import Cosmology
    from mockgal.painters import blocks, draw
    from mockgal.painters.hod.painter import HODPainter
    from mockgal.painters.hod.store import named
    from mockgal.types import HaloCatalog, Scene, Snapshot, settle

    warnings.simplefilter("ignore", package.errors.MockgalWarning)
    if arguments.part == "numpy":
        blocks.LARGE = sys.maxsize
    painter = HODPainter(named(CALIBRATION), allow_extrapolation=True)  # to clusters
    columns = halos(arguments.subhalos, box_size=BOX_SIZE)
    if arguments.order == "shuffled":
        order = np.random.default_rng(2).permutation(len(columns["halo_id"]))
        columns = {name: values[order] for name, values in columns.items()}
    columns = settle(columns)
    snapshot = Snapshot(
        "made up",
        BOX_SIZE,
        0.0,
        Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911),
        painter.calibration.particle_mass,
        "made up",
    )

    def scene() -> Scene:
        return Scene(snapshot, HaloCatalog(columns, painter.calibration.mass_definition))

    def paint(sim: Scene, seed: int = 1) -> Any:
        return package.paint(sim, painter, seed=seed)

    def kernel() -> Any:
        prediction = painter.predict(same)
        return prediction, *draw.draw(prediction, same.halos["halo_id"], seed=1)

    def kernel_and_columns() -> Any:
        prediction, rows, log_mass = kernel()
        return draw.galaxy_columns(same.halos, rows, log_mass, prediction.extrapolated)

    same = scene()
    before, peak = peak_memory(lambda: paint(same))
    galaxies = paint(same)
    found = {
        "rows": len(same.halos),
        "satellites": float(1.0 - same.halos["is_central"].mean()),
        "galaxies": len(galaxies),
        "input_bytes": sum(values.nbytes for values in columns.values()),
        "peak_bytes": peak - before,
        "digest": galaxies.digest(),
    }
    del galaxies
    # Of a fresh catalogue the digest is taken; of one that was painted before it is known.
    found["first"] = best_of(arguments.repeats, paint, scene)
    found["again"] = best_of(arguments.repeats, lambda: paint(same, seed=2))
    found["columns"] = best_of(arguments.repeats, kernel_and_columns)
    found["kernel"] = best_of(arguments.repeats, kernel)
    return found


def halotools(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a first population and of a repopulation with another seed."""
    from halotools.empirical_models import PrebuiltHodModelFactory
    from halotools.sim_manager import UserSuppliedHaloCatalog

    warnings.simplefilter("ignore")
    columns = halos(arguments.subhalos, satellites=0.0, box_size=BOX_SIZE)
    mass, n = columns["host_mass"], len(columns["host_mass"])
    catalogue = UserSuppliedHaloCatalog(
        redshift=0.0,
        Lbox=BOX_SIZE,
        particle_mass=1.3e9,
        **{f"halo_{x}": columns["position"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_v{x}": columns["velocity"][:, i] for i, x in enumerate("xyz")},
        halo_id=columns["halo_id"],
        halo_hostid=columns["halo_id"],
        halo_upid=np.full(n, -1),
        halo_mvir=mass,
        halo_rvir=0.2 * np.cbrt(mass / 1e12),
        halo_nfw_conc=10.0 * (mass / 1e12) ** -0.1,
    )
    found: dict[str, Any] = {"rows": n, "by_threshold": {}}
    for threshold in THRESHOLDS:
        model = PrebuiltHodModelFactory("zheng07", threshold=threshold, redshift=0.0)
        first = best_of(1, lambda model=model: model.populate_mock(catalogue, seed=1))
        again = best_of(arguments.repeats, lambda model=model: model.mock.populate(seed=2))
        galaxies = len(model.mock.galaxy_table)
        found["by_threshold"][f"{threshold:.0f}"] = [first, again, galaxies]
    return found


def abacus(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the kernel of centrals, its random numbers made before."""
    from abacusnbody.hod import GRAND_HOD
    from numba import types
    from numba.typed import Dict

    columns = halos(arguments.subhalos, satellites=0.0, box_size=BOX_SIZE)
    n = len(columns["host_mass"])
    law, none = (Dict.empty(types.unicode_type, types.float64) for _ in range(2))
    parameters = {"logM_cut": 11.0, "sigma": 0.3, "ic": 1.0}
    for key, value in (parameters | dict.fromkeys(("alpha_c", "Acent", "Bcent"), 0.0)).items():
        law[key] = value
    random = np.random.default_rng(3).random(n)
    zeros = np.zeros(n)

    def centrals() -> Any:
        return GRAND_HOD.gen_cent(
            columns["position"],
            columns["velocity"],
            columns["host_mass"],
            columns["halo_id"],
            np.ones(n),
            random,
            columns["velocity"],
            *(zeros, zeros, zeros),
            *(law, none, none),
            *(False, 1.0, BOX_SIZE, True, False, False),
            os.cpu_count() or 1,
            None,
        )

    galaxies = len(centrals()[0]["x"])  # compiles
    return {"rows": n, "galaxies": galaxies, "kernel": best_of(arguments.repeats, centrals)}


PARTS = {"mockgal": mockgal, "numpy": mockgal, "halotools": halotools, "abacus": abacus}


def main() -> None:
    """Run every part in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subhalos", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--order", choices=("catalogue", "shuffled"), default="catalogue")
    parser.add_argument("--abacus-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = [f"--subhalos={arguments.subhalos}", f"--repeats={arguments.repeats}"]
    given.append(f"--order={arguments.order}")
    pythons = {"abacus": arguments.abacus_python}
    found = run_parts(__file__, PARTS, arguments, given, pythons)
    print(render(found))


def render(found: dict[str, dict[str, Any]]) -> str:
    """The tables of what the parts found."""
    lines: list[tuple[str, float, int, int]] = []  # what, seconds, rows, galaxies
    notes = []
    for part, name in (("mockgal", "mockgal"), ("numpy", "mockgal, NumPy reference")):
        ours = found[part]
        if "missing" in ours:
            notes.append(f"{name}: {ours['missing']}")
            continue
        for key, what in (
            ("first", "paint(), first of a simulation"),
            ("again", "paint(), again with another seed"),
            ("columns", "prediction, draw and columns"),
            ("kernel", "prediction and draw"),
        ):
            lines.append((f"{name}: {what}", ours[key], ours["rows"], ours["galaxies"]))
        notes.append(
            f"{name}: {ours['rows']} rows, {ours['satellites']:.0%} satellites; memory beside the "
            f"input's {ours['input_bytes'] / ours['rows']:.0f} bytes per row: at most "
            f"{ours['peak_bytes'] / ours['rows']:.0f}; digest {ours['digest'][:16]}"
        )
    reference = None
    theirs = found["halotools"]
    if "missing" in theirs:
        notes.append(f"halotools: {theirs['missing']}")
    else:
        for threshold, (first, again, galaxies) in theirs["by_threshold"].items():
            name = f"halotools Zheng07 {threshold}"
            lines.append((f"{name}: populate_mock()", first, theirs["rows"], galaxies))
            lines.append((f"{name}: mock.populate() again", again, theirs["rows"], galaxies))
            reference = reference or theirs["rows"] / again
    theirs = found["abacus"]
    if "missing" in theirs:
        notes.append(f"AbacusHOD: {theirs['missing']}")
    else:
        lines.append(
            ("AbacusHOD: kernel of centrals", theirs["kernel"], theirs["rows"], theirs["galaxies"])
        )
    body = [
        [
            what,
            f"{seconds:.4f}",
            f"{rows / seconds / 1e6:.2f}",
            f"{galaxies / seconds / 1e6:.2f}",
            f"{rows / seconds / reference:.2f}" if reference else "",
        ]
        for what, seconds, rows, galaxies in lines
    ]
    header = ["what", "seconds", "1e6 rows/s", "1e6 galaxies/s", "rows/s over halotools again"]
    return table(header, body) + "\n\n" + "\n".join(notes)


if __name__ == "__main__":
    main()

"""Satellites made and all galaxies painted, for hosts that come without subhalos.

python benchmarks/hod_populating.py [--hosts 1000000] [--repeats 5] [--abacus-python PATH]

Against halotools' populate, with the same calibrated model, with Zheng07, and with parameters of
one's own, without assembly bias and with it; and against AbacusHOD's kernels. Each code runs in a
process of its own. AbacusHOD (abacusutils) may live in another environment, whose interpreter
--abacus-python names.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from typing import Any

import numpy as np
from common import best_of, halos, run_parts, table

CALIBRATION = "gadget4-z0.00"
BOX_SIZE = 500.0  # Mpc/h
THRESHOLDS = (-18.0, -20.0)  # of Zheng07: as many galaxies as it can give, and its default
CENTRALS = {"logM_cut": 11.0, "sigma": 0.3, "ic": 1.0}  # of AbacusHOD
SATELLITES = (12.3, 1.0)  # log10 of M1, alpha: about as many satellites as the others make
OWN = {"logM_cut": 11.8, "sigma": 0.3, "kappa": 0.5, "logM1": 12.7, "alpha": 1.0}  # for all codes
BIAS = 0.5  # strength of the assembly bias of centrals and satellites
OWN_NAMES = ("own parameters", "own, biased by concentration", "own, biased by environment")


def scene(columns: dict[str, np.ndarray], definition: str) -> Any:
    """The hosts as a scene; its arrays are settled, so that their digest is taken once."""
    from mockgal.cosmology import Cosmology
    from mockgal.painters.hod.store import named
    from mockgal.types import HaloCatalog, Scene, Snapshot

    cosmology = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    particle_mass = named(CALIBRATION).particle_mass
    snapshot = Snapshot("made up", BOX_SIZE, 0.0, cosmology, particle_mass, "made up")
    return Scene(snapshot, HaloCatalog(columns, definition))


def painters() -> dict[str, tuple[Any, str]]:
    """Painters, and the mass definition that they are for."""
    from mockgal.painters.hod.choice import hod_painter

    extrapolated = {"allow_extrapolation": True}  # to clusters
    found = {"calibrated": (hod_painter(calibration=CALIBRATION, **extrapolated), "200c")}
    for threshold in THRESHOLDS:
        options = {"model": "zheng07", "stellar_mass_law": "moster13", **extrapolated}
        found[f"Zheng07 {threshold:.0f}"] = (hod_painter(threshold=threshold, **options), "200m")
    options = {"model": "abacushod", "stellar_mass_law": "moster13", **extrapolated}
    for name, by in zip(OWN_NAMES, (None, "concentration", "environment"), strict=True):
        bias = {} if by is None else {"A_cen": BIAS, "A_sat": BIAS}
        painter = hod_painter(**options, parameters=OWN | bias, assembly_bias=by)
        found[name] = (painter, "200m")
    return found


def own_models() -> dict[str, Any]:
    """halotools' models with the parameters of `OWN`."""
    from halotools import empirical_models as models

    place = {"redshift": 0.0}
    found = {}
    for name, prefix in zip(OWN_NAMES, ("", "Assembias"), strict=False):
        bias = {"assembias_strength": BIAS, "sec_haloprop_key": "halo_nfw_conc"} if prefix else {}
        centrals = getattr(models, f"{prefix}Zheng07Cens")(threshold=-20, **bias)
        satellites = getattr(models, f"{prefix}Zheng07Sats")(
            threshold=-20, modulate_with_cenocc=True, cenocc_model=centrals, **bias
        )
        model = models.HodModelFactory(
            centrals_occupation=centrals,
            satellites_occupation=satellites,
            centrals_profile=models.TrivialPhaseSpace(**place),
            satellites_profile=models.NFWPhaseSpace(**place),
            redshift=0.0,
        )
        model.param_dict.update(
            logMmin=OWN["logM_cut"],
            sigma_logM=math.sqrt(2.0) * OWN["sigma"],
            logM0=OWN["logM_cut"] + math.log10(OWN["kappa"]),
            logM1=OWN["logM1"],
            alpha=OWN["alpha"],
        )
        found[name] = model
    return found


def mockgal(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a user's two calls, the first and again with another seed."""
    import mockgal as package
    from mockgal.types import settle

    warnings.simplefilter("ignore", package.errors.MockgalWarning)
    columns = settle(halos(arguments.hosts, satellites=0.0, box_size=BOX_SIZE))
    found: dict[str, Any] = {}
    for name, (painter, definition) in painters().items():

        def work(sim: Any, seed: int = 1, painter: Any = painter) -> Any:
            return package.paint(package.populate(sim, painter, seed=seed), painter, seed=seed)

        def fresh(definition: str = definition) -> Any:
            return scene(columns, definition)

        same = fresh()
        galaxies = work(same)
        counts = len(galaxies), int(np.sum(~galaxies["is_central"]))
        del galaxies
        first = best_of(arguments.repeats, work, fresh)
        found[name] = [
            first,
            best_of(arguments.repeats, lambda work=work, same=same: work(same, seed=2)),
            *counts,
        ]
    return found


def halotools(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a first population and of a repopulation with another seed."""
    from halotools.empirical_models import PrebuiltHodModelFactory
    from halotools.sim_manager import UserSuppliedHaloCatalog

    import mockgal as package

    warnings.simplefilter("ignore")
    columns = halos(arguments.hosts, satellites=0.0, box_size=BOX_SIZE)
    mass, n = columns["host_mass"], len(columns["host_mass"])
    radius = 0.2 * np.cbrt(mass / 1e12)
    catalogue = UserSuppliedHaloCatalog(
        redshift=0.0,
        Lbox=BOX_SIZE,
        particle_mass=1.3e8,  # so that none is dropped
        **{f"halo_{x}": columns["position"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_v{x}": columns["velocity"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_m{definition}": mass for definition in ("vir", "200c")},
        **{f"halo_r{definition}": radius for definition in ("vir", "200c")},
        halo_id=columns["halo_id"],
        halo_hostid=columns["halo_id"],
        halo_upid=np.full(n, -1),
        halo_nfw_conc=10.0 * (mass / 1e12) ** -0.1,
    )
    painter, definition = painters()["calibrated"]
    models = {"calibrated": package.to_halotools_model(scene(columns, definition), painter)}
    for threshold in THRESHOLDS:
        models[f"Zheng07 {threshold:.0f}"] = PrebuiltHodModelFactory(
            "zheng07", threshold=threshold, redshift=0.0
        )
    models |= own_models()
    found: dict[str, Any] = {}
    for name, model in models.items():
        first = best_of(1, lambda model=model: model.populate_mock(catalogue, seed=1))
        again = best_of(arguments.repeats, lambda model=model: model.mock.populate(seed=2))
        kind = model.mock.galaxy_table["gal_type"]
        found[name] = [first, again, len(kind), int(np.sum(kind == "satellites"))]
    return found


def abacus(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the kernels of centrals and of NFW satellites, numbers of the latter given."""
    from abacusnbody.hod import GRAND_HOD
    from numba import types
    from numba.typed import Dict

    columns = halos(arguments.hosts, satellites=0.0, box_size=BOX_SIZE)
    n, threads = len(columns["host_mass"]), os.cpu_count() or 1
    none = Dict.empty(types.unicode_type, types.float64)
    generator = np.random.default_rng(3)
    random, zeros, mass = generator.random(n), np.zeros(n), columns["host_mass"]
    cut = 10.0 ** OWN["logM_cut"]
    shape = OWN["logM_cut"], cut, 10.0 ** OWN["logM1"], OWN["sigma"], OWN["alpha"], OWN["kappa"]
    of_own = np.array([GRAND_HOD.n_sat_LRG_modified(one, *shape) for one in mass])
    laws = {
        "kernels of centrals and satellites": (
            CENTRALS,
            generator.poisson((mass / 10.0 ** SATELLITES[0]) ** SATELLITES[1]),
        ),
        "kernels, own parameters": (
            {"logM_cut": OWN["logM_cut"], "sigma": OWN["sigma"], "ic": 1.0},
            generator.poisson(of_own),
        ),
    }
    draws = generator.uniform(0.0, 5.0, 1_000_000)
    place, velocity = (columns[name].T.copy() for name in ("position", "velocity"))

    def centrals(law: Any) -> Any:
        return GRAND_HOD.gen_cent(
            columns["position"],
            columns["velocity"],
            mass,
            columns["halo_id"],
            np.ones(n),
            random,
            columns["velocity"],
            *(zeros, zeros, zeros),
            *(law, none, none),
            *(False, 1.0, BOX_SIZE, True, False, False),
            threads,
            None,
        )

    def satellites(number: Any) -> Any:
        directions = GRAND_HOD.getPointsOnSphere(int(number.sum()), threads)
        return GRAND_HOD.compute_fast_NFW(
            draws,
            columns["halo_id"],
            *place,
            *velocity,
            np.full(n, 200.0),
            np.full(n, 10.0),
            mass,
            0.2 * np.cbrt(mass / 1e12),
            directions,
            number,
            1.0,
            "rd_normal",
            threads,
        )

    found: dict[str, Any] = {}
    for name, (parameters, number) in laws.items():
        law = Dict.empty(types.unicode_type, types.float64)
        for key, value in (parameters | dict.fromkeys(("alpha_c", "Acent", "Bcent"), 0.0)).items():
            law[key] = value
        galaxies = len(centrals(law)[0]["x"])  # compiles
        made = len(satellites(number)[0])
        seconds = (
            best_of(arguments.repeats, lambda law=law: centrals(law)),
            best_of(arguments.repeats, lambda number=number: satellites(number)),
        )
        found[name] = [sum(seconds), sum(seconds), galaxies + made, made]
    return found


PARTS = {"mockgal": mockgal, "halotools": halotools, "AbacusHOD": abacus}


def main() -> None:
    """Run every part in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--abacus-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = [f"--hosts={arguments.hosts}", f"--repeats={arguments.repeats}"]
    pythons = {"AbacusHOD": arguments.abacus_python}
    found = run_parts(__file__, PARTS, arguments, given, pythons)
    print(render(found, arguments.hosts))


def render(found: dict[str, dict[str, Any]], hosts: int) -> str:
    """The table of what the parts found."""
    body, notes = [], []
    for part, models in found.items():
        if "missing" in models:
            notes.append(f"{part}: {models['missing']}")
            continue
        for name, (first, again, galaxies, satellites) in models.items():
            theirs = found["halotools"].get(name) if part == "mockgal" else None
            body.append(
                [
                    f"{part}, {name}",
                    f"{first:.3f}",
                    f"{again:.3f}",
                    f"{hosts / again / 1e6:.2f}",
                    f"{galaxies / 1e6:.2f}",
                    f"{satellites / 1e6:.2f}",
                    f"{theirs[1] / again:.1f}" if theirs else "",
                ]
            )
    header = ["what", "first: s", "again: s", "1e6 hosts/s", "1e6 galaxies", "1e6 satellites"]
    header.append("over halotools")
    return "\n\n".join([table(header, body), *notes])


if __name__ == "__main__":
    main()

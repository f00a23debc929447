"""Make the shipped HOD calibration tng100-1 from tables of the public TNG100-1 catalogue at z = 0.

    python studies/calibrate_tng100.py DIRECTORY

DIRECTORY holds groups_8-300.hdf5 (complete groups with their subhalos) and galaxies_half.csv.gz
(a random half of all galaxies with 1e8 Msun/h of stars or more), both taken from the catalogue of
Nelson et al. 2019. They are not part of this project. What is made of which, and what is not
measured, is in docs/explanation/tng100-1.md.
"""

import csv
import gzip
import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mockgal.calibration.laws import RESIDUAL_PROBABILITY, merge_sparse
from mockgal.calibration.request import domain_around
from mockgal.calibration.without_twin import Sample, measure_without_twin
from mockgal.cosmology import Cosmology
from mockgal.painters.hod.store import SHIPPED, to_ecsv
from mockgal.painters.hod.table import HODTable
from mockgal.types import HaloCatalog, Scene, Snapshot

NAME = "tng100-1"
UNIT = 1e10  # Msun/h, of all masses in the tables
FLOOR = 1e8  # stellar mass at which the random half is cut [Msun/h]
OMEGA_B = 0.0486  # not in the header of the catalogue
CENTRALS_FROM = 11.0  # bound mass below which the cut in stellar mass would bias the centrals
SATELLITES_FROM = 12.85  # host mass (200c) below which the groups, cut in FoF mass, are incomplete
CENTRAL_EDGES = np.append(np.arange(CENTRALS_FROM, 14.25, 0.1).round(2), 14.45)
SATELLITE_EDGES = (SATELLITES_FROM, 13.05, 13.25, 13.5, 13.75, 14.0, 14.15)
LEAST_CENTRALS, LEAST_HOSTS = 25, 10  # in a bin: sparser ones are joined to the next lower
LEAST_PARTICLES = 100  # the groups hold subhalos of 100 dark-matter particles or any star


class Tables(NamedTuple):
    """The two tables: masses in Msun/h, ids those of the full catalogue."""

    header: dict[str, float]
    groups: dict[str, np.ndarray]
    subhalos: dict[str, np.ndarray]
    half: dict[str, np.ndarray]
    digests: dict[str, str]


def read(directory: Path) -> Tables:
    """Read both tables, and check that galaxies in both of them are the same."""
    paths = [directory / name for name in ("groups_8-300.hdf5", "galaxies_half.csv.gz")]
    digests = {
        path.name: hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest() for path in paths
    }
    with h5py.File(paths[0]) as file:
        header = {key: float(value) for key, value in file["Header"].attrs.items()}
        groups = {key: file["Group"][key][()] for key in file["Group"]}
        raw = {key: file["Subhalo"][key][()] for key in file["Subhalo"]}
    first = np.searchsorted(raw["SubfindID"], groups["GroupFirstSub"])
    central = np.zeros(len(raw["SubfindID"]), dtype=bool)
    central[first] = True
    host = np.searchsorted(groups["GroupID"], raw["SubhaloGrNr"])
    if not (
        np.array_equal(raw["SubfindID"][first], groups["GroupFirstSub"])
        and np.array_equal(groups["GroupID"][host], raw["SubhaloGrNr"])
    ):
        raise SystemExit(f"{paths[0]}: groups without their central, or subhalos without a group")
    stellar = raw["SubhaloMassType"][:, 4].astype(float) * UNIT
    radius, velocity = _relative_to_centrals(header, groups, raw, first[host], host)
    subhalos = {
        "id": raw["SubfindID"].astype(np.int64),
        "host": host,
        "central": central,
        "flag": raw["SubhaloFlag"].astype(bool),
        "mass": raw["SubhaloMass"].astype(float) * UNIT,
        "stellar_mass": stellar,
        "radius": radius,
        "velocity": velocity,
    }
    groups["central"] = first
    with gzip.open(paths[1], "rt", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    half = {
        "id": np.array([int(row["SubfindID"]) for row in rows]),
        "central": np.array([row["is_central"] == "True" for row in rows]),
        "mass": np.array([float(row["SubhaloMass"]) for row in rows]) * UNIT,
        "stellar_mass": np.array([float(row["SubhaloMassStellar"]) for row in rows]) * UNIT,
    }
    both, i, j = np.intersect1d(subhalos["id"], half["id"], return_indices=True)
    for key in ("mass", "stellar_mass", "central"):
        if not np.allclose(subhalos[key][i], half[key][j], rtol=1e-4) or not len(both):
            raise SystemExit(f"{directory}: the two tables disagree about {key}")
    return Tables(header, groups, subhalos, half, digests)


def _relative_to_centrals(
    header: dict[str, float],
    groups: dict[str, np.ndarray],
    raw: dict[str, np.ndarray],
    central: np.ndarray,
    host: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Distance over R200c, and velocity (rms of its components) over the circular one there."""
    box = header["BoxSize"]
    apart = raw["SubhaloPos"].astype(float) - raw["SubhaloPos"].astype(float)[central]
    apart -= box * np.round(apart / box)
    relative = raw["SubhaloVel"].astype(float) - raw["SubhaloVel"].astype(float)[central]
    model = Cosmology(header["HubbleParam"], header["Omega0"], header["OmegaLambda"])
    mass = groups["Group_M_Crit200"].astype(float) * UNIT
    scale, circular = model.halo_scale(mass, "200c", header["Redshift"])
    stated = groups["Group_R_Crit200"] / 1000.0
    if not np.allclose(scale, stated, rtol=0.01):
        raise SystemExit("Group_R_Crit200 is not the radius that goes with Group_M_Crit200")
    return (
        np.sqrt(np.sum(apart**2, axis=1)) / 1000.0 / scale[host],
        np.sqrt(np.mean(relative**2, axis=1)) / circular[host],
    )


def centrals(tables: Tables) -> tuple[Sample, dict[str, object]]:
    """Centrals by bound mass: the random half, and all of the groups where these are complete.

    A central is bound to its group, so that one more massive than the least massive group of the
    table is in it (unless its group is one of those left out, whatever the galaxy): there the
    union of both tables is a fair sample, too.
    """
    half, sub = tables.half, tables.subhalos
    complete_from = float(tables.groups["GroupMass"].min()) * UNIT
    from_half = half["central"]
    from_groups = sub["central"] & sub["flag"] & (sub["stellar_mass"] >= FLOOR)
    from_groups &= (sub["mass"] >= complete_from) & ~np.isin(sub["id"], half["id"])
    mass, stellar = (
        np.append(half[key][from_half], sub[key][from_groups]) for key in ("mass", "stellar_mass")
    )
    log_mass = np.log10(mass)
    heavy = ~sub["central"] & sub["flag"] & (sub["mass"] >= 10**CENTRALS_FROM)
    lowest = (log_mass >= CENTRALS_FROM) & (log_mass < CENTRALS_FROM + 0.1)
    known = {
        "centrals_from_half": int(np.sum(np.log10(half["mass"][from_half]) >= CENTRALS_FROM)),
        "centrals_from_groups": int(np.sum(from_groups)),
        "centrals_of_groups_complete_from_msun_h": complete_from,
        "satellites_of_bound_mass_of_centrals": int(np.sum(heavy)),
        "of_these_luminous": int(np.sum(sub["stellar_mass"][heavy] >= FLOOR)),
        "share_of_lowest_bin_within_0.3_dex_of_the_cut": round(
            float(np.mean(stellar[lowest] < FLOOR * 10**0.3)), 5
        ),
    }
    sample = Sample(
        log_mass=log_mass,
        log_own_mass=log_mass,
        log_stellar_mass=np.log10(stellar),
        host=np.arange(len(mass)),
        host_log_mass=log_mass,
        edges=merge_sparse([log_mass], CENTRAL_EDGES, LEAST_CENTRALS),
    )
    return sample, known


def host_log_mass(tables: Tables) -> np.ndarray:
    """log10 of M200c of the groups [Msun/h]."""
    return np.log10(tables.groups["Group_M_Crit200"].astype(float) * UNIT)


def satellites(
    tables: Tables, groups: np.ndarray | None = None
) -> tuple[Sample, dict[str, object]]:
    """Satellites of the complete groups by host mass; those of SubhaloFlag 0 are no galaxies.

    ``groups`` chooses some of the groups (bool), in the bins of all of them.
    """
    sub, log_mass = tables.subhalos, host_log_mass(tables)
    edges = merge_sparse([log_mass], SATELLITE_EDGES, LEAST_HOSTS)
    of_groups = ~sub["central"]
    if groups is not None:
        of_groups = of_groups & groups[sub["host"]]
        log_mass = np.where(groups, log_mass, -np.inf)  # in no bin
    chosen = of_groups & sub["flag"]
    unflagged = of_groups & ~sub["flag"] & (sub["stellar_mass"] >= FLOOR)
    with np.errstate(divide="ignore"):
        sample = Sample(
            log_mass=log_mass[sub["host"]][chosen],
            log_own_mass=np.log10(sub["mass"][chosen]),
            log_stellar_mass=np.log10(sub["stellar_mass"][chosen]),
            host=sub["host"][chosen],
            host_log_mass=log_mass,
            edges=edges,
            radius=sub["radius"][chosen],
            velocity=sub["velocity"][chosen],
        )
    return sample, {"satellites_left_out_for_their_flag": int(np.sum(unflagged))}


def dark_matter_particle_mass(tables: Tables) -> float:
    """Of the hydrodynamic run [Msun/h]."""
    mass, number = (tables.groups[f"Group{what}Type"][:, 1] for what in ("Mass", "Len"))
    return float(mass.sum(dtype=float) / number.sum() * UNIT)


def gravity_only_particle_mass(tables: Tables) -> float:
    """Of a gravity-only run with as many particles, which hold the baryons, too [Msun/h]."""
    omega_m = tables.header["Omega0"]
    return float(f"{dark_matter_particle_mass(tables) * omega_m / (omega_m - OMEGA_B):.4g}")


def calibrate(tables: Tables, groups: np.ndarray | None = None) -> HODTable:
    """The calibration table; with satellites of some of the groups only (bool), if given."""
    central, of_centrals = centrals(tables)
    satellite, of_satellites = satellites(tables, groups)
    header = tables.header
    gravity_only = gravity_only_particle_mass(tables)
    limit = np.log10((LEAST_PARTICLES - 0.5) * gravity_only)
    return measure_without_twin(
        central,
        satellite,
        name=NAME,
        binned_by={"central": "bound", "satellite": "host"},
        mass_definition="200c",
        stellar_mass_definition="all bound stars (SubhaloMassType[:, 4])",
        luminosity_floor=FLOOR,
        least_particles=LEAST_PARTICLES,
        particle_mass=gravity_only,
        probability_edges=[limit, *np.arange(9.0, 11.01, 0.125)],
        residual_probability=RESIDUAL_PROBABILITY,
        domain=domain_around(
            0.0, gravity_only, {"omega_m": header["Omega0"], "h": header["HubbleParam"]}
        ),
        provenance={
            "summary": "IllustrisTNG TNG100-1 at z = 0, without its gravity-only twin",
            "caution": "centrals of less than 1e11 Msun/h bound mass and satellites of hosts of "
            "less than 7e12 Msun/h are outside its range and get no galaxy: about a fifth of all "
            "galaxies at 1e9.5 Msun of stars",
            "made_by": "studies/calibrate_tng100.py",
            "redshift": 0.0,
            "box_size_mpc_h": header["BoxSize"] / 1000.0,
            "dark_matter_particle_mass_msun_h": float(f"{dark_matter_particle_mass(tables):.5g}"),
            "input_digests": tables.digests,
            "sample": "SubhaloFlag = 1 only. Centrals: a random half of all galaxies, and the "
            "centrals of groups 8-300 where these are complete. Satellites: those of groups 8-300 "
            "(0-7, 9, 10 and 12 are left out), which are complete above 7e12 Msun/h",
            "luminous_centrals": "all of them, above 1e11 Msun/h: assumed, since the half holds "
            "luminous galaxies alone; the counts below support it",
            "median_and_residuals": "of galaxies above the luminosity floor",
            "host_mass_ratio": "none: there is no gravity-only twin",
            **of_centrals,
            **of_satellites,
            "references": [
                "Nelson et al. 2019 (data release), arXiv:1812.05609",
                "Pillepich et al. 2018, arXiv:1707.03406",
            ],
        },
    )


def own_halos(tables: Tables) -> tuple[Scene, Scene]:
    """What the table was made from, to be painted by it: a check of the painting, not of nature.

    Returns
    -------
    centrals, satellites : Scene
        The centrals of the random half without satellites (their hosts are unknown: the bound
        mass stands in for the host mass, which centrals do not depend on), and the groups with
        their subhalos of SubhaloFlag 1. Positions are made up.
    """
    half, sub, groups = tables.half, tables.subhalos, tables.groups
    first, second = half["central"], sub["flag"]
    host_mass = groups["Group_M_Crit200"].astype(float)[sub["host"]] * UNIT
    host_id = sub["id"][groups["central"]][sub["host"]]
    return (
        _scene(tables, half["id"][first], half["id"][first], half["mass"][first], None),
        _scene(tables, sub["id"][second], host_id[second], sub["mass"][second], host_mass[second]),
    )


def _scene(
    tables: Tables, ids: np.ndarray, host_id: np.ndarray, mass: np.ndarray, host: np.ndarray | None
) -> Scene:
    header, box = tables.header, tables.header["BoxSize"] / 1000.0
    columns = {
        "halo_id": ids,
        "host_id": host_id,
        "is_central": ids == host_id,
        "position": np.random.default_rng(1).random((len(ids), 3)) * box,
        "velocity": np.zeros((len(ids), 3)),
        "mass": mass,
        "vmax": np.zeros(len(ids)),
        "host_mass": mass if host is None else host,
    }
    model = Cosmology(header["HubbleParam"], header["Omega0"], header["OmegaLambda"])
    snapshot = Snapshot("TNG100-1", box, 0.0, model, gravity_only_particle_mass(tables), "tables")
    return Scene(snapshot, HaloCatalog(columns, "200c"))


def main(directory: Path) -> None:
    """Write the table."""
    table = calibrate(read(directory))
    path = SHIPPED / f"{NAME}.ecsv"
    path.write_text(to_ecsv(table), encoding="utf-8")
    c = table.columns
    for kind in (0, 1):
        rows = table.rows(kind)
        print(f"{c['kind'][rows][0]}s by {table.mass_of(kind)}:")
        for row in range(rows.start, rows.stop):
            low, high = np.interp((0.16, 0.84), RESIDUAL_PROBABILITY, c["residual_quantiles"][row])
            print(
                f"  10^{c['log_mass_low'][row]:.2f} to 10^{c['log_mass_high'][row]:.2f} Msun/h: "
                f"{c['hosts_hydro'][row]:.0f} hosts, {c['luminous_hydro'][row]:.0f} galaxies, "
                f"median 10^{c['curve_log_stellar_mass'][row]:.3f} Msun/h, "
                f"16% and 84% at {low:+.3f} and {high:+.3f} dex"
            )
    print(f"{path}, digest {table.digest}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Fit w_p and the number density of SDSS galaxies brighter than M_r = -20 with `mockgal.fit`.

    python -m mockgal.universe RUN --side 320 --box-size 122 --seed 1
    python studies/fit_sdss.py RUN/dark.hdf5 WP COVARIANCE --out FOLDER

WP and COVARIANCE are the two text tables of w_p of DR7 (z < 0.106, pi_max = 40 Mpc/h, 400 regions
of a jackknife) that come with the paper of nautilus (Lange 2023, arXiv:2306.16923):
github.com/johannesulf/nautilus, paper/benchmarks, wp_dr72_bright0_mr20.0_z0.106_nj400 and
wpcov_dr72_bright0_mr20.0_z0.106_nj400, with the number density (6.37 +- 0.75) 1e-3 h^3/Mpc^3.

The hosts are those of a synthetic run. Its mesh does not resolve them well, and it has too few of a
mass: masses are given by rank, such that there are as many as in the mass function of Tinker et al.
2008 (``--own-masses`` leaves them). The box is small, so that the parameters are no measurement.
They are printed beside those of Zehavi et al. 2011 (arXiv:1005.2413, table 3), found with another
cosmology and an analytic model of halos.

In a run of ``--side 320 --box-size 122 --seed 1`` the best chi-square is 157 for 8 degrees of
freedom (168 with its own masses): w_p is too low on all scales. pi_max is a
third of such a box, whose matter clusters too little: xi is 0.69 at 5 Mpc/h. It takes a larger one.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import mockgal
from mockgal.fitting.data import tabulated
from mockgal.theory.abundance import halo_abundance

DENSITY, ERROR = 6.37e-3, 0.75e-3  # h^3/Mpc^3
PUBLISHED = {  # Zehavi et al. 2011, table 3, M_r < -20.0: value, error
    "logMmin": (12.14, 0.03),
    "sigma_logM": (0.17, 0.15),
    "logM0": (11.62, 0.72),
    "logM1": (13.43, 0.04),
    "alpha": (1.15, 0.03),
}


def with_masses_by_rank(sim: mockgal.types.Scene) -> mockgal.types.Scene:
    """Return hosts in the same order of mass, as many above each as Tinker et al. 2008 have."""
    log_mass = np.linspace(10.5, 16.0, 2201)
    snapshot, definition = sim.snapshot, sim.halos.mass_definition
    density = halo_abundance(
        snapshot.cosmology, log_mass, mass_definition=definition, redshift=snapshot.redshift
    )
    above = np.cumsum((density * np.gradient(log_mass))[::-1])[::-1] * snapshot.box_size**3
    rank = np.empty(len(sim.halos))
    rank[np.argsort(-sim.halos["host_mass"], kind="stable")] = np.arange(len(rank)) + 0.5
    mass = 10 ** np.interp(-np.log(rank), -np.log(above), log_mass)
    columns = {**sim.halos.columns, "mass": mass, "host_mass": mass}
    return replace(sim, halos=replace(sim.halos, columns=columns))


def main() -> None:
    """Fit, and print each parameter beside the published one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("sim", "wp", "covariance"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--own-masses", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    radius, w_p, _ = np.loadtxt(given.wp).T
    edges = np.append(radius * 10**-0.1, radius[-1] * 10**0.1)  # 0.2 dex each
    data, covariance = tabulated(
        "wp", edges, w_p, np.loadtxt(given.covariance), pi_max=40.0, number=400
    )
    data.save(given.out / "wp.ecsv", overwrite=True)
    sim = mockgal.read(given.sim)
    sim = replace(sim, halos=sim.halos.take(np.flatnonzero(sim.halos["is_central"])))
    if not given.own_masses:
        sim = with_masses_by_rank(sim)
    found = mockgal.fit(
        sim,
        data,
        covariance,
        model="zheng07",
        stellar_mass_law="moster13",
        allow_extrapolation=True,
        number_density=DENSITY,
        number_density_error=ERROR,
        populate=True,
        seed=1,
    )
    found.save(given.out / "samples.ecsv", overwrite=True)
    print(found)
    for name, (value, error) in PUBLISHED.items():
        print(f"{name:<11} {found.in_words(name):<40} published {value:.2f} +- {error:.2f}")
    (one,) = found.fitted
    for row in zip(one.abscissa, one.value, one.error, one.best, strict=True):
        print("{:8.3f} {:8.2f} +- {:6.2f}   best {:8.2f}".format(*row))


if __name__ == "__main__":
    main()

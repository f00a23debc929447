"""Fit w_p and the number density of SDSS galaxies brighter than M_r = -20 with `mockgal.fit`.

    python -m mockgal.universe RUN --side 256 --box-size 160 --seed 1
    python studies/fit_sdss.py RUN/dark.hdf5 WP COVARIANCE --out FOLDER

WP and COVARIANCE are the two text tables of w_p of DR7 (z < 0.106, pi_max = 40 Mpc/h, 400 regions
of a jackknife) that come with the paper of nautilus (Lange 2023, arXiv:2306.16923):
github.com/johannesulf/nautilus, paper/benchmarks, wp_dr72_bright0_mr20.0_z0.106_nj400 and
wpcov_dr72_bright0_mr20.0_z0.106_nj400, with the number density (6.37 +- 0.75) 1e-3 h^3/Mpc^3.

The hosts are those of a synthetic run. It is small, and its gravity is approximate, so that the
parameters found are no measurement: they are compared with those of Zehavi et al. 2011
(arXiv:1005.2413, table 3), found with another cosmology and an analytic model of halos.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import mockgal
from mockgal.fitting.data import tabulated

DENSITY, ERROR = 6.37e-3, 0.75e-3  # h^3/Mpc^3
PUBLISHED = {  # Zehavi et al. 2011, table 3, M_r < -20.0: value, error
    "logMmin": (12.14, 0.03),
    "sigma_logM": (0.17, 0.15),
    "logM0": (11.62, 0.72),
    "logM1": (13.43, 0.04),
    "alpha": (1.15, 0.03),
}


def main() -> None:
    """Fit, and print each parameter beside the published one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("sim", "wp", "covariance"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path, required=True)
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

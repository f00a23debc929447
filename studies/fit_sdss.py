"""Fit w_p and the number density of SDSS galaxies with `mockgal.fit`.

    python -m mockgal.universe RUN --side 320 --box-size 250 --seed 1
    python studies/fit_sdss.py RUN/dark.hdf5 WP COVARIANCE --out FOLDER

WP and COVARIANCE are text tables of w_p of DR7 (Guo et al. 2015, arXiv:1505.07861; volume-limited,
pi_max = 40 Mpc/h, 400 regions of a jackknife). Those of galaxies brighter than M_r = -21
(z < 0.159) are in github.com/mjvakili/gambly, data/wpxi_dr72_bright0_mr21.0_z0.159_nj400 and
dat/wpxicov_dr72_bright0_mr21.0_z0.159_nj400, whose first 12 rows and columns are w_p's; number
density, (1.16 +- 0.12) 1e-3 h^3/Mpc^3, and volume, 7.174e7 (Mpc/h)^3, are in its code (Vakili &
Hahn 2019, arXiv:1610.01991). Those of M_r < -20 (z < 0.106; ``--sample -20``) come with the paper
of nautilus (Lange 2023, arXiv:2306.16923): github.com/johannesulf/nautilus, paper/benchmarks.

The hosts are those of a synthetic run. Its mesh does not resolve them well, and it has too few of a
mass: masses are given by rank, such that there are as many as in the mass function of Tinker et al.
2008 (``--own-masses`` leaves them). The parameters are no measurement: box and survey are one draw
of structure each. They are printed beside those that Zheng, Coil & Zehavi 2007
(astro-ph/0703457, table 1) found from an earlier release, with another cosmology.

In a run of ``--side 320 --box-size 250 --seed 1`` the best chi-square for M_r < -21 is 10.2 for 8
degrees of freedom (p = 0.25; 10.5 with its own masses), with covariances times 1 + V_survey / V_box
= 5.6. With the box taken as exact (``--as-exact``) it is 51.6: w_p of the best parameters is 10 to
23% too low beyond 2 Mpc/h, where this box has little structure. Its P(k) of matter is 0.76, 0.69
and 0.81 times the linear one, with errors of 0.33, 0.18 and 0.14, at k = 0.013 to 0.038, to 0.063
and to 0.088 h/Mpc (particles counted in 256^3 voxels; not measured by this script).

For M_r < -20, in ``--side 320 --box-size 122 --seed 1`` (box as exact), it is 157 for 8 degrees of
freedom (168 with its own masses): pi_max is a third of such a box, whose matter clusters too
little, with xi of 0.69 at 5 Mpc/h.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import mockgal
from mockgal.fitting.data import tabulated
from mockgal.theory.abundance import halo_abundance


class Sample(NamedTuple):
    """Number density and its error [h^3 Mpc^-3], and volume [Mpc^3 h^-3]."""

    density: float
    error: float
    volume: float | None


SAMPLES = {
    "-20": Sample(6.37e-3, 0.75e-3, None),
    "-21": Sample(1.16e-3, 0.12e-3, 7.174e7),
}


def published(threshold: str) -> dict[str, float]:
    """Return the parameters of Zheng, Coil & Zehavi 2007, table 1, as halotools has them."""
    from halotools.empirical_models import Zheng07Cens, Zheng07Sats

    models = (Zheng07Cens(threshold=float(threshold)), Zheng07Sats(threshold=float(threshold)))
    return {name: float(x) for model in models for name, x in model.param_dict.items()}


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
    parser.add_argument("--sample", choices=tuple(SAMPLES), default="-21")
    parser.add_argument("--own-masses", action="store_true")
    parser.add_argument("--as-exact", action="store_true", help="The box has no scatter.")
    given = parser.parse_args()
    sample = SAMPLES[given.sample]
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
        number_density=sample.density,
        number_density_error=sample.error,
        survey_volume=None if given.as_exact else sample.volume,
        populate=True,
        seed=1,
    )
    found.save(given.out / "samples.ecsv", overwrite=True)
    print(found)
    for name, value in published(given.sample).items():
        print(f"{name:<11} {found.in_words(name):<40} published {value:.2f}")
    (one,) = found.fitted
    for row in zip(one.abscissa, one.value, one.error, one.best, strict=True):
        print("{:8.3f} {:8.2f} +- {:6.2f}   best {:8.2f}".format(*row))


if __name__ == "__main__":
    main()

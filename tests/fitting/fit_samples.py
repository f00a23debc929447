"""Simulations, measurements and posteriors that are small enough to fit in a test."""

from dataclasses import replace
from functools import cache

import numpy as np

from mockgal.fitting.data import DensityTarget, tabulated, target
from mockgal.fitting.likelihood import Posterior
from mockgal.fitting.priors import priors_of
from mockgal.fitting.tables.hosts import numbers
from mockgal.fitting.tables.pairs import Bins, tabulate
from mockgal.fitting.tables.points import places
from mockgal.painters.choose import make_painter
from mockgal.satellites.options import SatelliteOptions
from mockgal.testing.universes import synthetic_pair
from mockgal.types import HaloCatalog

ZHENG = {"logMmin": 11.9, "sigma_logM": 0.3, "logM0": 11.4, "logM1": 12.6, "alpha": 1.0}
LAW = {"stellar_mass_law": "moster13", "allow_extrapolation": True}
EDGES = tuple(np.geomspace(0.1, 8.0, 7))


def with_subhalos(hosts=400, box_size=40.0):
    return synthetic_pair(hosts, seed=3, box_size=box_size)[1]


def hosts_alone(hosts=400, box_size=40.0):
    sim = with_subhalos(hosts, box_size)
    return replace(sim, halos=sim.halos.take(np.flatnonzero(sim.halos["is_central"])))


def on_a_ladder(sim, step=0.1):
    """The simulation with masses of hosts in the middle of classes, so that a class is one mass."""
    columns = dict(sim.halos.columns)
    log_mass = (np.floor(np.log10(columns["host_mass"]) / step) + 0.55) * step
    columns["host_mass"] = 10**log_mass
    return replace(sim, halos=HaloCatalog(columns, sim.halos.mass_definition))


def painter(model="zheng07", parameters=None, **options):
    options = {"model": model, "parameters": parameters or ZHENG, **LAW, **options}
    return make_painter("hod", options)


def each(values, **more):
    """Parameters, as one set of them."""
    given = {"A_cen": 0.0, "A_sat": 0.0, "f_ic": 1.0, **values, **more}
    return {name: np.array([value]) for name, value in given.items()}


@cache
def tabulated_hosts():
    """The cells of hosts, and their table of w_p."""
    sim = hosts_alone()
    where = places(sim, painter(), SatelliteOptions(), 1000)
    return where.hosts, tabulate(where, Bins("wp", EDGES, 10.0, "z"), sim.snapshot)


def posterior(priors, error=0.05, likelihood="gaussian", number=None, seed=None, density=True):
    """That of w_p which the model itself predicts, with noise if there is a seed."""
    hosts, table = tabulated_hosts()
    found = numbers(hosts, "zheng07", each(ZHENG), modulated=False)
    w_p = table.predict(found)[0]
    errors = error * np.abs(w_p) + 1.0
    if seed is not None:
        w_p = w_p + errors * np.random.default_rng(seed).standard_normal(len(w_p))
    more = {} if number is None else {"number": number}
    data, covariance = tabulated("wp", EDGES, w_p, errors, pi_max=10.0, **more)
    of_box = found.total[0] / table.box_size**3
    fixed = {name: value for name, value in ZHENG.items() if name not in priors}
    return Posterior(
        hosts,
        table.box_size,
        "zheng07",
        False,
        priors_of("zheng07", priors, fixed),
        fixed,
        [(target(data, covariance), table)],
        DensityTarget(of_box, 0.05 * of_box) if density else None,
        likelihood,
    )

"""Numbers of galaxies in cells of hosts are those that the painter predicts host by host."""

import numpy as np
import pytest
from fit_samples import ZHENG, each, hosts_alone, painter, with_subhalos

from mockgal.fitting.tables.hosts import Hosts, numbers
from mockgal.fitting.tables.points import places
from mockgal.satellites.options import SatelliteOptions

BIASED = {"assembly_bias": "concentration"}
ABACUS = {"logM_cut": 11.9, "sigma": 0.2, "kappa": 0.5, "logM1": 12.6, "alpha": 1.1}


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize(
    ("model", "values", "options"),
    [
        ("zheng07", ZHENG, {}),
        ("zheng07", ZHENG | {"f_ic": 0.7}, {"modulated_satellites": True}),
        ("abacushod", ABACUS, {}),
        ("zheng07", ZHENG | {"A_cen": 0.6, "A_sat": -0.5}, BIASED),
        ("zheng07", ZHENG | {"A_cen": -0.6, "A_sat": 0.5}, BIASED | {"assembly_bias_split": 0.3}),
    ],
    ids=["zheng", "modulated", "abacus", "biased", "biased otherwise"],
)
def test_totals_are_those_of_the_painter(model, values, options, halotools):
    sim = hosts_alone(3000, 80.0)
    paints = painter(model, values, **options)
    where = places(sim, paints, SatelliteOptions(), 1000)
    modulated = options.get("modulated_satellites", False)
    found = numbers(where.hosts, model, each(values), modulated=modulated)
    law, prediction = paints.satellites(sim), paints.predict(sim)
    share = values.get("f_ic", 1.0)
    centrals = prediction.p_luminous.sum()
    assert found.total[0] - found.satellites[0] == pytest.approx(centrals, rel=2e-3)
    assert found.satellites[0] == pytest.approx(share * law.mean.sum(), rel=2e-3)
    # Neighbours in mass are in one set of the painter, and in several cells here.
    upper = where.hosts.upper
    of_upper = (found.central[0] * where.hosts.number)[upper].sum()
    bias = paints.bias(sim.snapshot.cosmology.h)
    if bias is None:
        assert not upper.any()
        return
    split = bias.split_of(sim, 1.0)
    expected = prediction.p_luminous[split.rows[split.upper]].sum()
    assert of_upper == pytest.approx(expected, rel=0.02)
    without = numbers(where.hosts, model, each(values, A_cen=0.0, A_sat=0.0), modulated=modulated)
    assert found.total[0] == pytest.approx(without.total[0], rel=1e-9)
    assert abs(of_upper / (without.central[0] * where.hosts.number)[upper].sum() - 1) > 0.1


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_subhalos_are_luminous_once(halotools):
    sim, values = with_subhalos(), ZHENG | {"logM1": 11.8}
    found = numbers(
        places(sim, painter(parameters=values), None).hosts,
        "zheng07",
        each(values),
        modulated=False,
    )
    p = painter(parameters=values).predict(sim).p_luminous
    satellite = ~sim.halos["is_central"]
    assert (p[satellite] == 1).any()
    assert found.satellites[0] == pytest.approx(p[satellite].sum(), rel=5e-3)
    assert found.squares[0] == pytest.approx((p**2).sum(), rel=5e-3)


def test_many_sets_of_parameters_are_computed_as_one():
    hosts = Hosts.of(10 ** np.linspace(11, 14, 50), np.zeros(50, bool), np.full(50, -1))[0]
    sets = {name: np.array([value, value + 0.1]) for name, value in ZHENG.items()}
    sets |= {"A_cen": np.zeros(2), "A_sat": np.zeros(2), "f_ic": np.ones(2)}
    both = numbers(hosts, "zheng07", sets, modulated=False)
    for i in range(2):
        one = {name: value[i : i + 1] for name, value in sets.items()}
        alone = numbers(hosts, "zheng07", one, modulated=False)
        assert np.array_equal(alone.occupation[0], both.occupation[i])
        assert alone.total[0] == both.total[i]

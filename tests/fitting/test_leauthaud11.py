"""Numbers of Leauthaud et al. 2011 for many parameters, and the mass function that follows."""

import numpy as np
import pytest
from fit_samples import each, hosts_alone, with_subhalos

import mockgal
from mockgal.errors import UsageError
from mockgal.fitting.data import tabulated, target
from mockgal.fitting.tables.hosts import numbers
from mockgal.fitting.tables.leauthaud11 import above
from mockgal.fitting.tables.masses import MassTable, StellarMassBins
from mockgal.fitting.tables.points import places
from mockgal.painters.choose import make_painter
from mockgal.painters.halotools.laws import leauthaud11, satellites_above
from mockgal.satellites.options import SatelliteOptions

FLOOR, H = 9.0, 0.7  # log10 of Msun/h
OTHERS = {"smhm_m0_0": 10.7, "smhm_beta_0": 0.5, "alphasat": 1.1, "bsat": 9.0, "bcut": 0.0}
NAMES = (
    *("smhm_m1_0", "smhm_m0_0", "smhm_beta_0", "smhm_delta_0", "smhm_gamma_0"),
    *("scatter_model_param1", "alphasat", "bsat", "betasat", "bcut", "betacut"),
)


def published(**others):
    values = {name: one["value"] for name, one in leauthaud11(9.0).parameters.items()}
    return {name: values[name] for name in NAMES} | others


@pytest.mark.parametrize("others", [{}, OTHERS])
def test_numbers_are_halotools(halotools, others):
    values = published(**others)
    log_mass, thresholds = np.linspace(10.5, 15.3, 60), np.array([8.2, 9.1, 10.4, 11.6, 12.7])
    both = {name: np.array([[2.0 * value], [value]]) for name, value in values.items()}
    central, satellite = (part[1] for part in above(both, log_mass, thresholds))
    given = tuple(values.items())
    for row, threshold in enumerate(thresholds):
        occupation = leauthaud11.__wrapped__(float(threshold), given)
        # a difference of one and an error function: what is left of 1e-16 of one
        assert central[row] == pytest.approx(occupation.centrals(10**log_mass), rel=1e-9, abs=1e-15)
    expected = satellites_above(thresholds, 10**log_mass, given)
    assert satellite == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_a_relation_that_cannot_be_inverted_gives_no_number():
    at = {name: np.array([[value]]) for name, value in published(smhm_gamma_0=-4.0).items()}
    at["smhm_beta_0"] = np.array([[0.01]])
    assert np.isnan(above(at, np.array([12.0]), np.array([9.0]))[0]).all()


def painter(**options):
    more = {"luminosity_floor": f"{10**FLOOR!r} Msun/h", "allow_extrapolation": True}
    return make_painter("hod", {"model": "leauthaud11", **more, **options})


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("populated", [True, False], ids=["populated", "subhalos"])
def test_the_mass_function_is_that_of_mocks(halotools, populated):
    sim = hosts_alone(3000, 80.0) if populated else with_subhalos(1500, 60.0)
    paints, h, volume = painter(), sim.snapshot.cosmology.h, sim.snapshot.box_size**3
    where = places(sim, paints, SatelliteOptions() if populated else None, 1000)
    edges = 10 ** np.array([9.0, 9.4, 9.8, 10.2, 10.6, 11.0])
    masses = np.log10(h * np.array([10**FLOOR, *edges]))
    found = numbers(where.hosts, "leauthaud11", each(published()), log_stellar_mass=masses)
    table = MassTable(StellarMassBins(tuple(edges)), 1, sim.snapshot.box_size)
    predicted = table.predict(found)[0]
    assert found.above[0, 0] == pytest.approx(found.total[0], rel=1e-12)
    seeds = range(12)
    mocks = []
    for seed in seeds:
        scene = mockgal.populate(sim, paints, seed=seed) if populated else sim
        mocks.append(mockgal.paint(scene, paints, seed=seed))
    measured = np.mean([table.bins.measure(mock) for mock in mocks], axis=0)
    width = volume * np.diff(np.log10(edges))
    error = np.sqrt(predicted / width / len(seeds))
    assert np.all(np.abs(measured - predicted) < 4 * error + 0.01 * predicted)
    density = np.mean([len(mock) for mock in mocks])
    assert density == pytest.approx(found.total[0], rel=0.01)


EDGES = 10 ** np.array([8.75, 9.0, 9.5, 10.0])


def test_bins_below_the_floor_are_left_out_and_said():
    data, covariance = tabulated("mass_function", EDGES, [3e-2, 2e-2, 1e-2], [1e-3] * 3)
    with pytest.warns(mockgal.errors.MockgalWarning, match="1 of 3 bins .* below the floor"):
        found = target(data, covariance, floor=1e9)
    assert np.array_equal(found.value, [2e-2, 1e-2])
    assert found.bins.edges == pytest.approx(EDGES[1:])


def test_a_model_without_stellar_masses_is_refused():
    data, covariance = tabulated("mass_function", EDGES, [3e-2, 2e-2, 1e-2], [1e-3] * 3)
    with pytest.raises(UsageError, match="leauthaud11 --luminosity-floor"):
        target(data, covariance)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_a_fit_finds_the_mock_again(halotools, tmp_path):
    sim = with_subhalos(600, 40.0)
    truth = {"smhm_m0_0": 10.6, "smhm_beta_0": 0.45}
    paints = painter(parameters=truth)
    mock = mockgal.paint(sim, paints, seed=1)
    data = mockgal.measure(mock, "mass_function", bin_width=0.25, jackknife=3)
    data.save(tmp_path / "mass_function.ecsv")
    found = mockgal.fit(
        sim,
        data,
        model="leauthaud11",
        luminosity_floor=f"{10**FLOOR!r} Msun/h",
        allow_extrapolation=True,
        priors={"smhm_m0_0": (10.0, 11.5), "smhm_beta_0": (0.3, 0.7)},
        likelihood="gaussian",
        number_density=len(mock) / 40.0**3,
        number_density_error=0.03 * len(mock) / 40.0**3,
        steps=200,
        seed=1,
    )
    for name, value in truth.items():
        median, low, high = found.interval(name)
        assert abs(median - value) < 3 * max(median - low, high - median)
    assert set(found.settings["published_parameters"]) == set(NAMES) - set(truth)
    assert found.recipe["painter_options"]["parameters"]["smhm_m0_0"].endswith("log10(Msun/h^2)")
    assert found.settings["mock"]["chi_square"] > 0

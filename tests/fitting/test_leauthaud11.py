"""Numbers of Leauthaud et al. 2011 for many parameters, and the mass function that follows."""

from dataclasses import replace

import numpy as np
import pytest
from fit_samples import each, hosts_alone, with_subhalos

import mockgal
from mockgal.cli.screen.fit import describe
from mockgal.errors import BadValueError, MockgalError, UsageError
from mockgal.fitting.blocks import blocks
from mockgal.fitting.covariances import Mocks
from mockgal.fitting.data import DensityTarget, tabulated, target
from mockgal.fitting.priors import priors_of
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
        steps=200,
        seed=1,
    )
    for name, value in truth.items():
        median, low, high = found.interval(name)
        assert abs(median - value) < 3 * max(median - low, high - median)
    assert set(found.settings["published_parameters"]) == set(NAMES) - set(truth)
    assert found.recipe["painter_options"]["parameters"]["smhm_m0_0"].endswith("log10(Msun/h^2)")
    assert found.settings["mock"]["chi_square"] > 0
    assert found.recipe["seed"] == found.settings["mock"]["seed"] != 1


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
class TestWhatIsTold:
    """Faults that a reviewer found: fits were wrong by many errors, and nothing was said."""

    def fit(self, sim, data, **more):
        with mockgal.errors.listening(quiet=True) as said:
            options = {
                "model": "leauthaud11",
                "luminosity_floor": "1e10 Msun/h",
                "allow_extrapolation": True,
                "priors": {"smhm_m0_0": (10.0, 11.8)},
                "steps": 10,
                "seed": 1,
                **more,
            }
            found = mockgal.fit(sim, *data, **options)
        return found, "; ".join(said)

    def masses(self, low=10.0, **more):
        edges = 10 ** np.arange(low, low + 1.6, 0.5)
        return tabulated("mass_function", edges, [1e-2, 6e-3, 1e-3], [1e-3, 6e-4, 2e-4], **more)

    def test_bins_that_the_hosts_do_not_reach(self, halotools):
        whole = with_subhalos(600, 40.0)
        heavy = whole.halos["host_mass"] > 10**11.8
        sim = replace(whole, halos=whole.halos.take(np.flatnonzero(heavy)))
        _, said = self.fit(sim, self.masses())
        assert "missing from the prediction" in said
        assert "bins that are fitted begin below" in said
        _, said = self.fit(whole, self.masses(11.0), luminosity_floor="1e11 Msun/h")
        assert "bins that are fitted begin below" not in said

    def test_data_of_another_sample(self, halotools):
        data, covariance = tabulated(
            *("wp", [0.1, 0.5, 1.0, 2.0], [90.0, 50.0, 20.0], [9.0, 5.0, 2.0]), pi_max=8.0
        )
        for limit, told in ((1e11, True), (1e10, False)):
            stated = {**data.settings, "complete_from_msun_h": limit}
            _, said = self.fit(
                with_subhalos(300, 30.0), (replace(data, settings=stated), covariance)
            )
            assert ("different samples" in said) == told

    def test_a_density_beside_the_mass_function(self, halotools):
        more = {"number_density": 2e-2, "number_density_error": 1e-3}
        _, said = self.fit(with_subhalos(300, 30.0), self.masses(), **more)
        assert "independent of each other" in said

    def test_separations_of_a_mass_function(self, halotools):
        _, said = self.fit(with_subhalos(300, 30.0), self.masses(), r_min=1.0)
        assert "leave nothing out" in said

    def test_medians_of_priors_that_are_no_model(self, halotools):
        priors = {"smhm_gamma_0": (-5.0, 1.0), "smhm_beta_0": (0.01, 0.5)}
        found, _ = self.fit(with_subhalos(300, 30.0), self.masses(), priors=priors)
        assert np.isfinite(found.chi_square)
        with pytest.raises(UsageError, match="halo mass falls with stellar mass"):
            self.fit(
                with_subhalos(300, 30.0),
                self.masses(),
                priors={"smhm_gamma_0": (-5.0, -4.5), "smhm_beta_0": (0.01, 0.02)},
            )

    def test_a_mock_that_cannot_be_built_loses_no_fit(self, halotools, monkeypatch):
        def refuse(*given, **more):
            raise UsageError("a mock", "stars", "fewer")

        monkeypatch.setattr("mockgal.tasks.fitting.best.paint_with", refuse)
        found, said = self.fit(with_subhalos(300, 30.0), self.masses())
        assert "cannot be built: a mock: found stars" in said
        assert "cannot be built" in "".join(describe(found))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("others", [{"betasat": -1.0}, {"betacut": -3.0, "bcut": 10.0}])
def test_more_galaxies_above_a_larger_mass_are_no_model(others):
    values = published(**others)
    at = {name: np.array([[value], [published()[name]]]) for name, value in values.items()}
    thresholds = np.array([10.2, 9.1, 11.6, 9.1])
    satellite = above(at, np.linspace(11.0, 15.0, 30), thresholds)[1]
    assert np.isnan(satellite[0]).all()
    assert np.isfinite(satellite[1]).all()


def test_a_mass_function_and_the_density_of_the_same_mocks_are_one_number_too_many():
    counts = np.random.default_rng(1).poisson([600.0, 300.0, 80.0], (40, 3)).astype(float)
    values = counts / np.array([500.0, 500.0, 500.0])
    mocks = Mocks(tuple(map(str, range(40))), values, counts.sum(axis=1) / 1000.0)
    data, covariance = tabulated("mass_function", EDGES, values.mean(axis=0), [1.0] * 3, number=40)
    one = replace(target(data, covariance, floor=1e8), mocks=mocks)
    with pytest.raises(BadValueError, match="add up to the number density") as caught:
        blocks([one], DensityTarget(1.0, None))
    assert "leave out --number-density" in caught.value.fix
    assert blocks([replace(one, matrix=np.cov(values, rowvar=False))], None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": [1e-2, -1e-3, 1e-3]}, "numbers from 0 on"),
        ({"values": [-1.5, -2.0, -3.0]}, "logarithms, give the numbers"),
        ({"errors": [1e-3, -1e-3, 1e-3]}, "errors above 0"),
        ({"errors": [1e-3, 0.0, 1e-3]}, "errors above 0"),
        ({"edges": [9.0, 9.5, 10.0, 10.5]}, "10\\*\\*edges"),
        ({"edges": [1e9, 1e10, 1e11, np.inf]}, "finite numbers that increase"),
        ({"edges": [1e9, 1e11, 1e10, 1e12]}, "finite numbers that increase"),
        ({"edges": "abc"}, "arrays of numbers"),
        ({"values": ["a", "b", "c"]}, "arrays of numbers"),
        ({"errors": -np.eye(3)}, "variances above 0"),
    ],
)
def test_impossible_numbers_are_refused(given, message):
    numbers = {"edges": EDGES, "values": [3e-2, 2e-2, 1e-2], "errors": [1e-3] * 3, **given}
    with pytest.raises(MockgalError, match=message):
        target(*tabulated("mass_function", *numbers.values()), floor=1e8)


@pytest.mark.parametrize("name", ["smhm_m0_0", "smhm_m1_0"])
def test_the_unit_that_a_message_names_is_accepted(name):
    fixed = set(NAMES) - {name}
    with pytest.raises(UsageError, match="a mass without a unit") as caught:
        priors_of("leauthaud11", f"{name}=uniform(9, 12)", fixed)
    (one,) = priors_of("leauthaud11", caught.value.fix.partition('"')[2].rstrip('"'), fixed)
    power = 2 if name == "smhm_m0_0" else 1
    ends = (9.0, 12.0) if name == "smhm_m0_0" else (11.0, 14.0)
    assert (one.low, one.high) == pytest.approx(np.array(ends) - power * np.log10(0.72))
    (same,) = priors_of("leauthaud11", f"{name}={one}", fixed)
    assert (same.low, same.high) == pytest.approx((one.low, one.high), rel=1e-5)

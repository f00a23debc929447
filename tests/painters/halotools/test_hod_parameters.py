"""Parameters of the user: units, what is refused, occupation, velocities, completeness, records."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from scipy.special import erf

import mockgal
from mockgal.cli import cli
from mockgal.cosmology import Cosmology
from mockgal.errors import UsageError
from mockgal.painters.draw import paint_scene
from mockgal.painters.halotools.laws import halotools_switches
from mockgal.painters.halotools.parameters import MODELS, SHARED, Chosen
from mockgal.recipe import check
from mockgal.tasks.build import make_painter
from mockgal.testing import painter_contract, synthetic_pair
from mockgal.types import HaloCatalog, Scene, Snapshot
from mockgal.writers.bundle import write_bundle

few_subhalos = pytest.mark.filterwarnings("ignore:.*too few resolved:mockgal.errors.MockgalWarning")

OWN = {
    "logMmin": "12.1 log10(Msun/h)",
    "sigma_logM": "0.3 dex",
    "logM0": "11.5 log10(Msun/h)",
    "logM1": "13.2 log10(Msun/h)",
    "alpha": 1.05,
}
ZHENG = {"model": "zheng07", "stellar_mass_law": "moster13"}
ABACUS = {
    "logM_cut": "12.1 log10(Msun/h)",
    "sigma": 0.3 / math.sqrt(2),
    "kappa": 0.25,
    "logM1": "13.2 log10(Msun/h)",
    "alpha": 1.05,
}
MASS = 10.0 ** np.linspace(11.0, 14.9, 40)


def hosts(log_mass, *, satellites=0, h=0.7, definition="200m", z=0.1, seed=1):
    """Hosts of these masses that move, each with so many satellites."""
    generator, n = np.random.default_rng(seed), len(log_mass)
    host = np.concatenate([np.arange(n), np.repeat(np.arange(n), satellites)])
    central = np.arange(len(host)) < n
    mass, ids = 10.0 ** np.asarray(log_mass)[host], np.arange(len(host)) * 3 + 7
    columns = {
        "halo_id": ids,
        "host_id": ids[host],
        "is_central": central,
        "position": generator.random((len(host), 3)) * 100.0,
        "velocity": generator.normal(0.0, 300.0, (len(host), 3)),
        "mass": np.where(central, mass, mass / 20),
        "host_mass": mass,
    }
    snapshot = Snapshot("hosts", 100.0, z, Cosmology(h, 0.3, 0.7), 1e8, "made up")
    return Scene(snapshot, HaloCatalog(columns, definition))


def painter(parameters=OWN, **options):
    return make_painter("hod", {**ZHENG, "parameters": parameters, **options})


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("12.3 log10(Msun/h)", 12.3),
            ("2e12 Msun/h", math.log10(2e12)),
            ("12.3 log10(Msun)", 12.3 + math.log10(0.6)),
            ("2e12 Msun", math.log10(2e12 * 0.6)),
            (12.3, 12.3),  # from Python, as halotools has it
        ],
    )
    def test_masses(self, text, expected):
        values = dict(Chosen.of("zheng07", {"logMmin": text}).values(0.6))
        assert values["logMmin"] == pytest.approx(expected, abs=1e-12)

    def test_the_h_of_the_fit_goes_before_that_of_the_simulation(self):
        values = dict(Chosen.of("zheng07", "logMmin=1e12 Msun, h=0.5").values(0.7))
        assert values == {"logMmin": pytest.approx(math.log10(0.5e12))}

    def test_leauthaud11_has_masses_for_h_of_0_72(self):
        """In Msun of such a fit they are halotools' numbers; stellar masses scale with h^-2."""
        fitted = "smhm_m1_0=12.52 log10(Msun), smhm_m0_0=10.916 log10(Msun), h=0.72"
        values = Chosen.of("leauthaud11", fitted).values(0.6)
        assert dict(values) == pytest.approx({"smhm_m1_0": 12.52, "smhm_m0_0": 10.916})
        own = f"smhm_m1_0={10**12.52 * 0.72} Msun/h, smhm_m0_0={10**10.916 * 0.72**2} Msun/h^2"
        assert dict(Chosen.of("leauthaud11", own).values(0.6)) == pytest.approx(dict(values))

    @few_subhalos
    def test_published_numbers_given_by_hand_change_nothing(self):
        scene = hosts(np.linspace(11.1, 14.5, 200), satellites=2, z=0.3)
        options = {"model": "leauthaud11", "luminosity_floor": "2e9 Msun/h"}
        given = "smhm_m1_0=12.52 log10(Msun), smhm_m0_0=10.916 log10(Msun), h=0.72, alphasat=1"
        plain, own = (
            make_painter("hod", {**options, **more}).predict(scene)
            for more in ({}, {"parameters": given})
        )
        assert np.allclose(own.p_luminous, plain.p_luminous, atol=1e-12)
        assert np.allclose(own.residual_quantiles, plain.residual_quantiles, atol=1e-9)

    @pytest.mark.parametrize(
        ("model", "parameters", "says"),
        [
            ("zheng07", "logMmin=12.1", "a mass without a unit"),
            ("zheng07", "logMmin=12.1 Mpc/h", "another kind"),
            ("zheng07", "logMmin=12.1 log10(Msun/h", "unit"),
            ("zheng07", "logMmin=-1e12 Msun/h", "not positive"),
            ("zheng07", "logMmin=12.1e13 log10(Msun/h)", "from 5 to 18 log10(Msun/h)"),
            ("zheng07", "alpha=1 Msun", "a plain number"),
            ("zheng07", "alpha=-1", "from 0 to 5"),
            ("zheng07", "alpha", "a name and a value"),
            ("zheng07", "alpha=1, alpha=2", "alpha twice"),
            ("zheng07", {"alpha": [1]}, "a name and a value"),
            ("zheng07", {"alpha": math.nan}, "a name and a value"),
            ("zheng07", "sigma_logM=0", "from 0.001"),
            ("zheng07", "sigma=0.3", "one of logMmin, sigma_logM, logM0, logM1, alpha, A_cen"),
            ("zheng07", "A_cen=1.5", "from -1 to 1"),
            ("zheng07", "f_ic=1.5", "from 0 to 1"),
            ("zheng07", "ic=0.5, f_ic=0.4", "f_ic twice"),
            ("leauthaud11", "smhm_m1_0=12.5 log10(Msun)", "add h=0.72"),
            ("leauthaud11", "smhm_m0_0=10.9 log10(Msun/h)", "depends on h"),
            ("abacushod", "kappa=-1", "from 0 to 100"),
        ],
    )
    def test_refused(self, model, parameters, says):
        with pytest.raises(UsageError) as caught:
            Chosen.of(model, parameters)
        assert says in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"parameters": "alpha=1"}, "no logMmin, sigma_logM, logM0, logM1"),
            ({"parameters": OWN, "threshold": -20.0}, "leave --threshold out"),
            ({"model": "abacushod", "parameters": OWN}, "logMmin"),
            ({"model": "abacushod", "parameters": {"alpha": 1}}, "no logM_cut, sigma, kappa"),
            ({"model": "abacushod", "parameters": ABACUS, "threshold": -20.0}, "leave --threshold"),
            ({"parameters": {**OWN, "A_cen": 0.5}}, "--assembly-bias"),
            ({"parameters": OWN, "assembly_bias": "concentration"}, "A_cen or A_sat"),
            ({"parameters": OWN, "assembly_bias": "age"}, "concentration, environment, shear"),
            ({"parameters": OWN, "environment_radius": "5 Mpc/h"}, "leave --environment-radius"),
            ({"parameters": 3}, "names and values"),
        ],
    )
    def test_a_choice_that_is_not_whole(self, options, says):
        with pytest.raises(UsageError) as caught:
            make_painter("hod", {**ZHENG, **options})
        assert says in str(caught.value)


class TestOccupation:
    def test_zheng07_is_halotools(self):
        with halotools_switches():
            from halotools.empirical_models import Zheng07Cens, Zheng07Sats

            central = Zheng07Cens(threshold=-20)
            central.param_dict.update(logMmin=12.1, sigma_logM=0.3)
            for modulated in (False, True):
                more = {"cenocc_model": central} if modulated else {}
                satellite = Zheng07Sats(threshold=-20, modulate_with_cenocc=modulated, **more)
                satellite.param_dict.update(logM0=11.5, logM1=13.2, alpha=1.05)
                own = painter(modulated_satellites=modulated).occupation(hosts([12.0]))
                for mine, theirs in ((own.centrals, central), (own.satellites, satellite)):
                    expected = theirs.mean_occupation(prim_haloprop=MASS)
                    assert np.allclose(mine(MASS), expected, rtol=1e-13, atol=0)
        assert own.half_mass == pytest.approx(10**12.1)

    def test_abacushod_by_hand(self):
        own = make_painter("hod", {**ZHENG, "model": "abacushod", "parameters": ABACUS})
        occupation = own.occupation(hosts([12.0]))
        centrals = 0.5 * (1 - erf((12.1 - np.log10(MASS)) / 0.3))  # sqrt(2) sigma = 0.3
        above = np.maximum(MASS - 0.25 * 10**12.1, 0.0)
        assert np.allclose(occupation.centrals(MASS), centrals)
        assert np.allclose(occupation.satellites(MASS), centrals * (above / 10**13.2) ** 1.05)

    def test_leauthaud11_is_halotools(self):
        given = {"alphasat": 1.2, "bsat": 8.0, "scatter_model_param1": "0.25 dex"}
        options = {"model": "leauthaud11", "luminosity_floor": 2e10, "parameters": given}
        own = make_painter("hod", options).occupation(hosts([12.0], z=0.3))
        with halotools_switches():
            from halotools.empirical_models import Leauthaud11Cens, Leauthaud11Sats

            log_floor = math.log10(2e10 * 0.7)
            central = Leauthaud11Cens(threshold=log_floor, redshift=0.0)
            central.param_dict.update(central.get_published_parameters())
            central.param_dict.update(scatter_model_param1=0.25)
            satellite = Leauthaud11Sats(threshold=log_floor, redshift=0.0, cenocc_model=central)
            satellite.param_dict.update(alphasat=1.2, bsat=8.0)
            for mine, theirs in ((own.centrals, central), (own.satellites, satellite)):
                expected = theirs.mean_occupation(prim_haloprop=MASS)
                assert np.allclose(mine(MASS), expected, rtol=1e-10, atol=1e-300)

    def test_numbers_drawn_follow_the_model(self):
        """Of halotools' own classes, within 4 sigma, for subhalos and for satellites made"""
        log_mass = np.repeat([11.9, 12.3, 13.1, 13.9], 2500)
        mine = painter()
        own = mine.occupation(hosts([12.0]))
        in_subhalos = hosts(log_mass, satellites=12)
        made = mockgal.populate(hosts(log_mass), mine, seed=3, concentration=8.0)
        for scene in (in_subhalos, made):
            galaxies = paint_scene(scene, mine, seed=3)
            for one in np.unique(log_mass):
                of_mass = abs(np.log10(galaxies["halo_mass"]) - one) < 1e-6
                for kind, law in ((True, own.centrals), (False, own.satellites)):
                    expected = 2500 * float(law(np.array([10.0**one]))[0])
                    number = np.sum(of_mass & (galaxies["is_central"] == kind))
                    assert abs(number - expected) < 4 * math.sqrt(expected)

    def test_no_published_range_holds_for_parameters_of_the_user(self):
        scene = hosts(np.full(50, 12.5), satellites=3, definition="200c", z=1.0)
        galaxies = paint_scene(scene, painter(), seed=1)
        assert not galaxies["extrapolated"].any()
        described = galaxies.provenance["painter"]
        assert described["mass_definition"] == "200c"
        assert not any("table 1 (SDSS)" in reference for reference in described["references"])
        with pytest.raises(mockgal.errors.DomainError, match="redshift"):
            paint_scene(scene, painter("alpha=1", threshold=-20.0), seed=1)


class TestShared:
    def test_incompleteness_keeps_a_share_of_the_same_galaxies(self):
        scene = hosts(np.full(6000, 13.0), satellites=2)
        whole, part = (
            paint_scene(scene, painter({**OWN, **more}), seed=2) for more in ({}, {"ic": 0.7})
        )
        assert set(part["galaxy_id"]) < set(whole["galaxy_id"])
        for kind in (True, False):
            of, among = (np.sum(one["is_central"] == kind) for one in (part, whole))
            assert abs(of - 0.7 * among) < 4 * math.sqrt(0.21 * among)
        described = part.provenance["painter"]
        assert described["f_ic"] == 0.7
        assert described["prediction"]["expected_centrals"] < 0.71 * 6000

    def test_incompleteness_of_satellites_that_were_made(self):
        mine = painter({**OWN, "f_ic": 0.5})
        made = mockgal.populate(hosts(np.full(3000, 13.5)), mine, seed=1, concentration=8.0)
        satellites = np.sum(~made.halos["is_central"])
        galaxies = paint_scene(made, mine, seed=1)
        number = np.sum(~galaxies["is_central"])
        assert abs(number - satellites / 2) < 4 * math.sqrt(satellites / 4)

    @few_subhalos
    def test_a_floor_does_not_make_an_incomplete_sample_complete(self):
        scene = hosts(np.linspace(11.1, 14.5, 400), satellites=2, z=0.3)
        options = {"model": "leauthaud11", "luminosity_floor": "2e9 Msun/h"}
        mine = make_painter("hod", {**options, "parameters": "f_ic=0.9"})
        assert "f_ic = 0.9" in str(paint_scene(scene, mine, seed=1).completeness)

    @pytest.mark.parametrize("populated", [False, True])
    def test_velocities(self, populated):
        """Centrals scatter about their host; satellites move more about it by the factor"""
        scene = hosts(np.full(5000, 13.0), satellites=0 if populated else 2)
        plain, biased = painter(), painter({**OWN, "alpha_c": 0.4, "alpha_s": 1.5})
        if populated:
            scene = mockgal.populate(scene, plain, seed=1, concentration=8.0)
        before, after = (paint_scene(scene, one, seed=5) for one in (plain, biased))
        assert np.array_equal(before["galaxy_id"], after["galaxy_id"])
        assert np.array_equal(before["position_x"], after["position_x"])
        central = before["is_central"]
        _, circular = scene.snapshot.cosmology.halo_scale(1e13, "200m", 0.1)
        halos = scene.halos.hosts
        order = np.argsort(halos["halo_id"])
        row = order[np.searchsorted(halos["halo_id"][order], before["halo_id"])]
        for axis, x in enumerate("xyz"):
            v, w = before[f"velocity_{x}"], after[f"velocity_{x}"]
            kick, n = (w - v)[central], int(central.sum())
            sigma = 0.4 * circular / math.sqrt(2)
            assert abs(kick.std() / sigma - 1) < 4 / math.sqrt(2 * n)
            assert abs(kick.mean()) < 4 * sigma / math.sqrt(n)
            of_host = halos["velocity"][row, axis]
            assert np.allclose((w - of_host)[~central], 1.5 * (v - of_host)[~central])
        apart = np.corrcoef(
            [(after[f"velocity_{x}"] - before[f"velocity_{x}"])[central] for x in "xyz"]
        )
        assert np.all(abs(apart - np.eye(3)) < 0.07)

    def test_velocities_need_a_radius(self):
        scene = hosts(np.full(10, 13.0), definition="fof")
        mine = painter({**OWN, "alpha_c": 0.4})
        with pytest.raises(UsageError, match="no radius"):
            mine.predict(scene)
        made = mockgal.populate(scene, mine, seed=1, concentration=8.0, radius_definition="200m")
        described = paint_scene(made, mine, seed=1).provenance["painter"]
        assert "200m" in described["velocity_bias"]["host_dispersion"]

    @few_subhalos
    def test_neither_order_nor_blocks_matter(self, monkeypatch):
        from mockgal.painters import blocks

        scene = hosts(np.random.default_rng(4).uniform(11.5, 14, 2000), satellites=2)
        mine = painter({**OWN, "alpha_c": 0.4, "alpha_s": 1.5, "f_ic": 0.8})
        digest = paint_scene(scene, mine, seed=3).digest()
        monkeypatch.setattr(blocks, "LARGE", 10)
        monkeypatch.setattr(blocks, "BLOCK_ROWS", 97)
        order = np.random.default_rng(1).permutation(len(scene.halos))
        shuffled = replace(scene, halos=scene.halos.take(order))
        assert paint_scene(shuffled, mine, seed=3).digest() == digest


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_contract():
    dark = synthetic_pair(800, seed=4, luminous_fraction=0.8)[1]
    painter_contract(painter({**OWN, "alpha_s": 1.2, "f_ic": 0.9}), dark)


def test_halotools_gets_the_same_model():
    scene = hosts(np.full(10, 13.0))
    model = mockgal.to_halotools_model(scene, painter(modulated_satellites=True))
    own = painter(modulated_satellites=True).occupation(scene)
    for theirs, mine in (
        (model.mean_occupation_centrals, own.centrals),
        (model.mean_occupation_satellites, own.satellites),
    ):
        assert np.allclose(theirs(prim_haloprop=MASS), mine(MASS), rtol=1e-12)
    with pytest.raises(UsageError, match="alpha_c"):
        mockgal.to_halotools_model(scene, painter({**OWN, "alpha_c": 0.1}))


def test_every_parameter_has_a_meaning_and_a_range():
    for known in (*MODELS.values(), SHARED):
        for one in known.values():
            assert one.meaning
            assert one.least < one.most


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "dark.hdf5"
    dark = synthetic_pair(800, seed=4, luminous_fraction=0.8)[1]
    write_bundle(replace(dark, particles=None), path, overwrite=False)
    return path


class TestCommand:
    def run(self, *words):
        return CliRunner().invoke(cli, list(map(str, words)))

    def test_flags_and_recipes_are_one(self, bundle, tmp_path):
        flags = ["--model", "zheng07", "--stellar-mass-law", "moster13"]
        for name, text in OWN.items():
            flags += ["--parameters", f"{name}={text}"]
        flags += ["--parameters", "A_cen=0.5, alpha_c=0.2", "--assembly-bias", "concentration"]
        first, second = tmp_path / "flags.hdf5", tmp_path / "recipe.hdf5"
        result = self.run("build", "--sim", bundle, "--painter", "hod", "--out", first, *flags)
        assert result.exit_code == 0, result.output
        assert "parameters  logMmin = 12.1 log10(Msun/h)" in result.output
        options = {**ZHENG, "assembly_bias": "concentration"}
        options["parameters"] = {**OWN, "A_cen": 0.5, "alpha_c": 0.2}
        recipe = {"sim": str(bundle), "painter": "hod", "painter_options": options}
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**recipe, "out": str(second)}))
        result = self.run("build", "--recipe", path)
        assert result.exit_code == 0, result.output
        one, other = (mockgal.read_galaxies(mock) for mock in (first, second))
        assert one.digest() == other.digest()
        assert one.provenance["configuration_digest"] == other.provenance["configuration_digest"]
        described = one.provenance["painter"]
        assert json.loads(json.dumps(described, allow_nan=False)) == described
        assert described["parameters_given"]["logM1"]["given"] == "13.2 log10(Msun/h)"
        shown = self.run("inspect", first)
        assert "logMmin = 12.1 log10(Msun/h), sigma_logM = 0.3 dex" in shown.output
        assert "assembly bias by concentration (from vmax)" in shown.output

    def test_a_plain_number_for_a_mass_is_refused_in_a_recipe(self):
        options = {**ZHENG, "parameters": {**OWN, "logMmin": 12.1}}
        recipe = check({"sim": "a.hdf5", "painter": "hod", "painter_options": options}, "here")
        with pytest.raises(UsageError, match="a mass without a unit"):
            make_painter("hod", recipe.painter_options)

    def test_options_of_a_snapshot_of_a_light_cone(self):
        cone = {"redshifts": [0.1, 0.2]}

        def options_of(own):
            snapshots = [{"sim": "b.hdf5", "painter_options": own}]
            recipe = {"sim": "a.hdf5", "painter": "hod", "painter_options": {**ZHENG}}
            recipe["survey"] = {"light_cone": {**cone, "snapshots": snapshots}}
            checked = check(recipe, "here")
            return checked.options_of(checked.survey.light_cone.snapshots[0])

        assert options_of({"parameters": {"alpha": 1}})["parameters"] == {"alpha": "1.0"}
        with pytest.raises(UsageError, match="with its unit"):
            options_of({"luminosity_floor": 1e9})

    def test_a_wrong_parameter_leaves_no_mock(self, bundle, tmp_path):
        flags = ["--model", "zheng07", "--stellar-mass-law", "moster13", "--parameters", "beta=1"]
        out = tmp_path / "no.fits"
        error = self.run(
            "build", "--sim", bundle, "--painter", "hod", "--out", out, *flags
        ).exception
        assert isinstance(error, UsageError)
        assert "logMmin, sigma_logM" in str(error)
        assert not out.exists()

"""halotools' models as a painter: published numbers, expectation, domain, and refusals."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf

import mockgal
from mockgal.cli import cli
from mockgal.cosmology import Cosmology
from mockgal.errors import BadValueError, DomainError, MockgalWarning, UsageError
from mockgal.laws.distribution import cdf
from mockgal.laws.normal import PROBABILITY
from mockgal.painters import blocks
from mockgal.painters.draw import join, paint_scene
from mockgal.painters.halotools import laws as halotools_laws
from mockgal.painters.halotools.models import ModelPainter
from mockgal.painters.halotools.quantiles import mass_ratio_quantiles
from mockgal.painters.hod.painter import HODPainter
from mockgal.tasks.build import make_painter
from mockgal.testing import painter_contract, synthetic_pair
from mockgal.types import HaloCatalog, Scene, Snapshot
from mockgal.writers.bundle import write_bundle

ZHENG = {"model": "zheng07", "threshold": -19.0, "stellar_mass_law": "behroozi10"}
MOSTER = {**ZHENG, "stellar_mass_law": "moster13"}
QUIJOTE = Path(__file__).parents[4] / "shared/data/quijote/halos_small.npy"
needs_quijote = pytest.mark.skipif(not QUIJOTE.is_file(), reason="the shared halos are not here")
LEAUTHAUD = {"model": "leauthaud11", "luminosity_floor": 2e9}


@pytest.fixture(scope="module")
def dark():
    """A run as zheng07 takes it."""
    scene = synthetic_pair(800, seed=4, luminous_fraction=0.8)[1]
    return replace(scene, halos=replace(scene.halos, mass_definition="200m"))


def at_redshift(scene, z):
    return replace(scene, snapshot=replace(scene.snapshot, redshift=z))


def scene_for(options, dark):
    return dark if options["model"] == "zheng07" else at_redshift(dark, 0.3)


def hosts(log_mass, *, satellites=0, z=0.1, h=0.7, definition="200m"):
    """Hosts of given masses, each with so many satellites of a twentieth of its mass."""
    n = len(log_mass)
    host = np.concatenate([np.arange(n), np.repeat(np.arange(n), satellites)])
    central = np.arange(len(host)) < n
    mass = 10.0 ** np.asarray(log_mass)[host]
    columns = {
        "halo_id": np.arange(len(host)),
        "host_id": host,
        "is_central": central,
        "position": np.full((len(host), 3), 5.0),
        "velocity": np.zeros((len(host), 3)),
        "mass": np.where(central, mass, mass / 20),
        "host_mass": mass,
    }
    snapshot = Snapshot("hosts", 1000.0, z, Cosmology(h, 0.3, 0.7), 1e8, "made up")
    return Scene(snapshot, HaloCatalog(columns, definition))


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("options", [ZHENG, MOSTER, LEAUTHAUD], ids=lambda o: str(list(o.values())))
def test_contract(dark, options):
    painter = make_painter("hod", options)
    assert isinstance(painter, ModelPainter)
    painter_contract(painter, scene_for(options, dark))
    elsewhere = at_redshift(replace(dark, halos=replace(dark.halos, mass_definition="fof")), 2.0)
    painter_contract(replace(painter, allow_extrapolation=True), elsewhere)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("options", [ZHENG, LEAUTHAUD], ids=["zheng07", "leauthaud11"])
def test_neither_blocks_nor_tiles_nor_order_matter(dark, options, monkeypatch):
    painter, scene = ModelPainter(**options), scene_for(options, dark)
    whole = paint_scene(scene, painter, seed=3)
    tiles = [
        replace(scene, halos=scene.halos.take(np.flatnonzero(scene.halos["host_id"] % 3 == k)))
        for k in range(3)
    ]
    assert join([paint_scene(t, painter, seed=3) for t in tiles], scene).digest() == whole.digest()
    monkeypatch.setattr(blocks, "LARGE", 10)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 97)
    order = np.random.default_rng(1).permutation(len(scene.halos))
    shuffled = replace(scene, halos=scene.halos.take(order))
    assert paint_scene(shuffled, painter, seed=3).digest() == whole.digest()


class TestPublishedNumbers:
    def test_zheng07(self):
        # Table 1, M_r < -21: log Mmin 12.79, sigma 0.39, log M0 11.92, log M1' 13.94, alpha 1.15.
        occupation, mass = halotools_laws.zheng07(-21.0), 10.0 ** np.array([12.0, 12.79, 13.5, 15])
        centrals = 0.5 * (1 + erf((np.log10(mass) - 12.79) / 0.39))
        satellites = ((mass - 10**11.92) / 10**13.94) ** 1.15
        assert np.allclose(occupation.centrals(mass), centrals, rtol=1e-12)
        assert np.allclose(occupation.satellites(mass), satellites, rtol=1e-12)
        assert occupation.half_mass == pytest.approx(10**12.79)
        assert occupation.satellites(np.array([10**11.9])) == 0

    @pytest.mark.parametrize("z", [0.1, 0.8])
    def test_behroozi10(self, z):
        # Equation 21 with table 2 (0 < z < 1), for h = 0.7.
        a = 1 / (1 + z)
        m0, m1 = 10 ** (10.72 + 0.59 * (a - 1)), 12.35 + 0.3 * (a - 1)
        beta, delta = 0.43 + 0.18 * (a - 1), 0.56 + 0.18 * (a - 1)
        gamma = 1.54 + 2.52 * (a - 1)

        def log_halo(log_stellar):
            x = 10**log_stellar / m0
            return m1 + beta * np.log10(x) + x**delta / (1 + x**-gamma) - 0.5

        law = halotools_laws.stellar_mass_law("behroozi10", z)
        for log_mass in (11.2, 12.0, 13.0, 14.5):  # Msun
            exact = brentq(lambda x, goal=log_mass: log_halo(x) - goal, 7, 13)
            ours = law.log_mean(np.array([10**log_mass * 0.7]), 0.7)[0] - math.log10(0.7)
            assert ours == pytest.approx(exact, abs=5e-4)  # halotools inverts with a table
        assert law.scatter == 0.2
        assert "default" in law.parameters["scatter_model_param1"]["source"]

    @pytest.mark.parametrize("z", [0.0, 1.0, 3.0])
    def test_moster13(self, z):
        # Equation 2 with equations 11 to 14 and table 1, for h = 0.704.
        evolved = z / (1 + z)
        m1, n = 10 ** (11.590 + 1.195 * evolved), 0.0351 - 0.0247 * evolved
        beta, gamma = 1.376 - 0.826 * evolved, 0.608 + 0.329 * evolved
        mass = 10.0 ** np.array([10.5, 11.59, 13.0, 14.7])  # Msun
        exact = 2 * n * mass / ((mass / m1) ** -beta + (mass / m1) ** gamma)
        law = halotools_laws.stellar_mass_law("moster13", z)
        ours = 10 ** law.log_mean(mass * 0.704, 0.704) / 0.704
        assert np.allclose(ours, exact, rtol=1e-10)

    def test_stellar_masses_scale_as_light(self):
        law, mass = halotools_laws.stellar_mass_law("moster13", 0.0), np.array([1e12, 1e14])
        in_msun = [10 ** law.log_mean(mass, h) / h for h in (0.704, 0.5)]
        assert np.allclose(in_msun[1] / in_msun[0], (0.704 / 0.5) ** 2, rtol=1e-12)

    @pytest.mark.parametrize("floor", [9.0, 10.5])
    def test_leauthaud11(self, floor):
        # arXiv:1104.0928, table 5, SIG_MOD1, lowest redshifts; 1103.2077 equations 8, 11 to 14,
        # for h = 0.72.
        log_m1, log_m0, beta, delta, gamma = 12.520, 10.916, 0.457, 0.566, 1.54
        x = 10 ** (floor - 2 * math.log10(0.72) - log_m0)
        knee = 10 ** (log_m1 + beta * math.log10(x) + x**delta / (1 + x**-gamma) - 0.5)
        occupation, mass = halotools_laws.leauthaud11(floor), 10.0 ** np.array([11.5, 13, 14.5])
        satellites = np.exp(-1e12 * 1.47 * (knee / 1e12) ** -0.13 / (mass / 0.72))
        satellites *= mass / 0.72 / (1e12 * 10.62 * (knee / 1e12) ** 0.859)
        satellites *= occupation.centrals(mass)
        assert np.allclose(occupation.satellites(mass), satellites, rtol=1e-9)
        assert occupation.half_mass == pytest.approx(knee * 0.72, rel=1e-9)
        assert occupation.centrals(np.array([knee * 0.72])) == pytest.approx(0.5, abs=2e-3)
        assert occupation.parameters["scatter_model_param1"]["value"] == 0.206

    def test_the_unevolved_subhalo_mass_function(self):
        grid, log_ratio = mass_ratio_quantiles(12.0)
        row = np.argmin(abs(grid - 14.0))

        def density(x):  # per dex, Jiang & van den Bosch 2016, table A1
            return 10 ** (-0.91 * x) * math.exp(-6.0 * 10 ** (3 * x))

        total = quad(density, -2, 0)[0]
        for x in (-1.9, -1.5, -1.0, -0.5):
            exact = quad(density, -2, x)[0] / total
            assert np.interp(x, log_ratio[row], PROBABILITY) == pytest.approx(exact, abs=1e-3)
        assert log_ratio[row][[0, -1]] == pytest.approx([-2, 0], abs=1e-9)
        assert log_ratio[np.argmin(abs(grid - 12.0))][0] == -1  # down to a tenth at least


class TestOccupation:
    def test_each_host_has_the_mean_number_while_it_has_subhalos(self):
        log_mass = np.linspace(11.5, 14.9, 60)
        scene = hosts(log_mass, satellites=10)
        painter = ModelPainter("zheng07", -19.5, "moster13")
        with pytest.warns(MockgalWarning, match="too few resolved satellites"):
            prediction = painter.predict(scene)
        occupation = halotools_laws.zheng07(-19.5)
        mean = occupation.satellites(10.0**log_mass)
        p, central = prediction.p_luminous, scene.halos["is_central"]
        assert np.allclose(p[central], occupation.centrals(10.0**log_mass))
        made = np.bincount(scene.halos["host_id"][~central], p[~central])
        # A twentieth of the lightest hosts is below the law's range of mass, and is not painted.
        able = np.where(10.0**log_mass / 20 >= 10**10.0, 10, 0)
        assert np.allclose(made, np.minimum(mean, able))
        assert prediction.record["satellites_short"] == pytest.approx(
            np.sum(np.maximum(mean - able, 0)), abs=1e-5
        )
        assert prediction.record["not_painted_satellites_below_range"] == 10 * np.sum(able == 0)

    @pytest.mark.slow
    def test_counts_agree_with_the_expectation(self, dark):
        painter = ModelPainter(**ZHENG)
        p = painter.predict(dark).p_luminous
        counts = np.array([len(paint_scene(dark, painter, seed=s)) for s in range(60)])
        assert abs(counts.mean() - p.sum()) < 4 * math.sqrt(np.sum(p * (1 - p)) / 60)

    def test_a_host_without_subhalos_is_missed_and_counted(self):
        scene = hosts(np.full(50, 14.0))
        with pytest.warns(MockgalWarning, match="too few resolved satellites"):
            record = ModelPainter(**ZHENG).predict(scene).record
        expected = 50 * halotools_laws.zheng07(-19.0).satellites(np.array([1e14]))[0]
        assert record["satellites_short"] == pytest.approx(expected)

    @pytest.mark.parametrize("options", [ZHENG, LEAUTHAUD], ids=["zheng07", "leauthaud11"])
    def test_satellites_made_by_the_model_are_all_luminous(self, options):
        scene = hosts(np.full(400, 13.3), z=0.1 if "threshold" in options else 0.3)
        painter = ModelPainter(**options)
        made = mockgal.populate(scene, painter, seed=7, concentration="duffy08")
        mean = painter.occupation(scene).satellites(np.array([10**13.3]))[0]
        galaxies = paint_scene(made, painter, seed=8)
        number = np.sum(~galaxies["is_central"])
        assert number == np.sum(~made.halos["is_central"])
        assert abs(number - 400 * mean) < 4 * math.sqrt(400 * mean)
        prediction = galaxies.provenance["painter"]["prediction"]
        assert prediction["satellites_short"] == 0.0  # their number is what was drawn
        assert prediction["expected_satellites"] == number

    def test_satellites_made_by_another_law_are_thinned(self):
        scene = hosts(np.full(400, 13.3))
        bright = ModelPainter("zheng07", -20.0, "behroozi10")
        made = mockgal.populate(scene, ModelPainter(**ZHENG), seed=7, concentration="duffy08")
        p = bright.predict(made).p_luminous[~made.halos["is_central"]]
        mean = bright.occupation(scene).satellites(np.array([10**13.3]))[0]
        assert 0.9 * 400 * mean < p.sum() < 400 * mean

    def test_masses_below_the_range_are_counted_not_painted(self):
        scene = hosts(np.array([9.0, 10.0, 12.0]), satellites=1)
        prediction = ModelPainter(**ZHENG).predict(scene)
        assert prediction.record["not_painted_centrals_below_range"] == 2
        assert prediction.record["not_painted_satellites_below_range"] == 3
        assert np.all(prediction.p_luminous[:2] == 0)


class TestStellarMasses:
    @pytest.mark.parametrize("law", ["behroozi10", "moster13"])
    def test_zheng07_takes_hosts_for_centrals_and_subhalos_for_satellites(self, law):
        scene = hosts(np.full(4000, 13.0), satellites=1)
        painter = ModelPainter("zheng07", -20.0, law)
        galaxies = paint_scene(scene, painter, seed=2)
        relation = halotools_laws.stellar_mass_law(law, 0.1)
        for central, mass in ((True, 1e13), (False, 5e11)):
            log_mass = np.log10(galaxies["stellar_mass"][galaxies["is_central"] == central])
            n = len(log_mass)
            assert n > 1000
            expected = relation.log_mean(np.array([mass]), 0.7)[0]
            assert abs(log_mass.mean() - expected) < 4 * 0.2 / math.sqrt(n)
            assert abs(log_mass.std() / 0.2 - 1) < 4 / math.sqrt(2 * n)

    @pytest.mark.parametrize("h", [0.7, 0.6])
    def test_leauthaud11_is_the_ratio_of_its_numbers(self, h):
        """P(> x | M) = <N(> x | M)> / <N(> floor | M)> for both types, off the rows of the table"""
        scene = hosts(np.array([11.23, 12.02, 12.57, 13.33, 14.61]), satellites=1, z=0.3, h=h)
        with pytest.warns(MockgalWarning, match="missing"):
            prediction = ModelPainter(**LEAUTHAUD).predict(scene)
        mass, central = scene.halos["host_mass"], scene.halos["is_central"]
        whole = halotools_laws.leauthaud11(math.log10(2e9 * h))
        for x in (9.4, 9.8, 10.2, 10.6, 11.0):
            above = halotools_laws.leauthaud11(x + math.log10(h))
            expected = 1 - np.where(
                central,
                above.centrals(mass) / whole.centrals(mass),
                above.satellites(mass) / whole.satellites(mass),
            )
            found = cdf(prediction, np.full(len(mass), x))
            assert np.max(abs(found - expected)[central]) < 2e-3
            assert np.max(abs(found - expected)[~central]) < 8e-3
            assert np.max(abs(found - expected)[~central & (mass > 10**12.5)]) < 2e-3

    def test_no_galaxy_is_below_the_floor(self, dark):
        galaxies = paint_scene(at_redshift(dark, 0.3), ModelPainter(**LEAUTHAUD), seed=1)
        assert len(galaxies) > 300
        assert galaxies["stellar_mass"].min() >= np.float32(2e9)


class TestDomain:
    @pytest.mark.parametrize(
        ("z", "definition", "reason"),
        [(0.5, "200m", "redshift"), (0.1, "200c", "--mass-definition 200m"), (0.1, "fof", "fof")],
    )
    def test_elsewhere_is_refused_or_flagged(self, z, definition, reason):
        scene = hosts(np.full(5, 12.5), satellites=3, z=z, definition=definition)
        with pytest.raises(DomainError, match=reason):
            ModelPainter(**ZHENG).predict(scene)
        with pytest.raises(DomainError, match=reason):
            ModelPainter(**ZHENG).satellites(scene)
        painter = ModelPainter(**ZHENG, allow_extrapolation=True)
        assert np.all(painter.predict(scene).extrapolated)
        assert painter.describe(scene)["outside_domain"]

    def test_hosts_above_the_range(self):
        scene = hosts(np.array([14.0, 15.5]), satellites=1)
        with pytest.raises(DomainError, match=r"1 hosts above 10\^15.00"):
            ModelPainter(**ZHENG).predict(scene)
        with pytest.warns(MockgalWarning):
            prediction = ModelPainter(**ZHENG, allow_extrapolation=True).predict(scene)
        assert list(prediction.extrapolated) == [False, True, False, True]
        assert prediction.record["hosts_above_range"] == 1

    def test_hosts_as_quijote_has_them(self):
        """Friends-of-friends masses of 7e13 to 9e15 Msun/h at z = 0.5"""
        scene = hosts(np.linspace(13.85, 15.95, 30), z=0.5, definition="fof")
        for options in (ZHENG, LEAUTHAUD):
            with pytest.raises(DomainError, match="fof"):
                ModelPainter(**options).predict(scene)
            painter = ModelPainter(**options, allow_extrapolation=True)
            with pytest.warns(MockgalWarning):
                galaxies = paint_scene(scene, painter, seed=1)
            assert len(galaxies) > 25
            assert np.all(galaxies["extrapolated"])
            law = painter.satellites(scene)
            assert np.all(np.diff(law.mean) > 0)

    @pytest.mark.parametrize(("z", "found"), [(9.0, "heavier than their halos"), (50.0, "at all")])
    def test_redshifts_at_which_a_relation_says_nothing(self, dark, z, found):
        painter = ModelPainter(**ZHENG, allow_extrapolation=True)
        with pytest.raises(DomainError, match=found):
            paint_scene(at_redshift(dark, z), painter, seed=1)

    @needs_quijote
    def test_quijote(self):
        halo = np.load(QUIJOTE, mmap_mode="r")[0].astype(np.float64)
        scene = hosts(np.log10(halo[:, 6]), z=0.5, h=0.7737, definition="fof")
        with pytest.raises(DomainError, match="redshift"):
            ModelPainter("zheng07", -22.0, "moster13").satellites(scene)
        painter = ModelPainter("zheng07", -22.0, "moster13", allow_extrapolation=True)
        made = mockgal.populate(scene, painter, seed=1, radius_definition="200m")
        galaxies = paint_scene(made, painter, seed=2)
        expected = painter.occupation(scene).centrals(halo[:, 6]).sum()
        assert abs(np.sum(galaxies["is_central"]) - expected) < 4 * math.sqrt(expected)
        assert np.all(galaxies["extrapolated"])
        assert 13.5 < np.log10(halo[:, 6].min()) < np.log10(halo[:, 6].max()) < 16

    def test_a_floor_outside_the_relation_of_halotools(self):
        scene = hosts(np.full(3, 12.5), z=0.3)
        with pytest.raises(DomainError, match="luminosity floor"):
            ModelPainter("leauthaud11", luminosity_floor=1e8).predict(scene)

    def test_a_hydrodynamic_run(self, dark):
        columns = {**dark.halos.columns, "stellar_mass": np.zeros(len(dark.halos))}
        hydro = replace(dark, halos=replace(dark.halos, columns=columns))
        with pytest.raises(DomainError, match="hydrodynamic"):
            ModelPainter(**ZHENG).predict(hydro)

    def test_a_host_without_mass(self):
        scene = hosts(np.full(3, 12.5))
        columns = {**scene.halos.columns, "host_mass": np.array([1e12, 0.0, 1e12])}
        with pytest.raises(BadValueError, match="halo_id 1"):
            ModelPainter(**ZHENG).predict(
                replace(scene, halos=replace(scene.halos, columns=columns))
            )


class TestSatelliteLaw:
    @pytest.mark.parametrize("options", [ZHENG, LEAUTHAUD], ids=["zheng07", "leauthaud11"])
    def test_number_and_masses(self, options):
        log_mass = np.array([10.0, 11.6, 12.83, 14.0])
        scene = hosts(log_mass, z=0.1 if "threshold" in options else 0.3)
        painter = ModelPainter(**options)
        law, occupation = painter.satellites(scene), painter.occupation(scene)
        assert law.mean[0] == 0
        assert law.record["hosts_below_range"] == 1
        assert np.allclose(law.mean[1:], occupation.satellites(10.0 ** log_mass[1:]))
        assert np.array_equal(law.mean, law.variance)
        least = log_mass + law.log_mass_ratio[law.row, 0]
        assert np.allclose(least[2:], math.log10(occupation.half_mass), atol=0.011)
        assert any("1403.6827" in reference for reference in law.references)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"model": "zheng05"}, "one of zheng07, leauthaud11"),
            ({"model": "zheng07"}, "threshold"),
            ({"model": "zheng07", "threshold": -20.0}, "stellar_mass_law"),
            ({**ZHENG, "threshold": -20.25}, "one of -18.0, -18.5"),
            ({**ZHENG, "threshold": "-20"}, "a number"),
            ({**ZHENG, "stellar_mass_law": "behroozi13"}, "one of behroozi10, moster13"),
            ({**ZHENG, "luminosity_floor": 1e9}, "leave --luminosity-floor out"),
            ({"model": "leauthaud11"}, "give --luminosity-floor"),
            ({**LEAUTHAUD, "threshold": -20.0}, "leave --threshold out"),
            ({**LEAUTHAUD, "luminosity_floor": -1.0}, "a stellar mass from"),
            ({**LEAUTHAUD, "luminosity_floor": "1e9"}, "without a unit"),
            ({**LEAUTHAUD, "allow_extrapolation": "yes"}, "true or false"),
            ({**ZHENG, "calibration": "gadget4-z0.00"}, "calibration with model zheng07"),
            ({"threshold": -20.0}, "threshold with a calibration"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_refused(self, options, says):
        with pytest.raises(UsageError) as caught:
            make_painter("hod", options)
        assert says in str(caught.value)
        assert caught.value.exit_code == 2

    def test_the_name_hod_is_both(self):
        assert isinstance(make_painter("hod", {}), HODPainter)
        assert isinstance(make_painter("hod", {"model": None, "mode": "paper"}), HODPainter)
        assert isinstance(make_painter("hod", ZHENG), ModelPainter)

    def test_all_parameters_and_their_sources_are_recorded(self, dark):
        provenance = paint_scene(dark, ModelPainter(**ZHENG), seed=1).provenance["painter"]
        assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
        parameters = {**provenance["parameters"], **provenance["stellar_mass_parameters"]}
        assert {"logMmin", "sigma_logM", "logM0", "logM1", "alpha", "smhm_m0_0"} <= set(parameters)
        assert all(p["source"] and isinstance(p["value"], float) for p in parameters.values())
        assert len(provenance["references"]) == 3


def test_halotools_leaves_nothing_behind():
    """Neither switches of NumPy, nor warnings, nor global random state"""
    code = """if True:
        import numpy as np
        from mockgal.painters.halotools.laws import leauthaud11, stellar_mass_law, zheng07
        np.seterr(all="raise")
        before = np.geterr(), repr(np.random.get_state(legacy=False))
        mass = np.array([1e9, 1e12, 1e15])
        for part in (leauthaud11(9.5), zheng07(-22.0)):
            part.centrals(mass), part.satellites(mass)
        stellar_mass_law("behroozi10", 0.2).log_mean(mass, 0.7)
        assert (np.geterr(), repr(np.random.get_state(legacy=False))) == before
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_command(dark, tmp_path):
    bundle, out = tmp_path / "dark.hdf5", tmp_path / "mock.hdf5"
    write_bundle(replace(dark, particles=None), bundle, overwrite=False)
    flags = ["--model", "zheng07", "--threshold", "-19", "--stellar-mass-law", "moster13"]
    where = ["--sim", str(bundle), "--out", str(out), "--painter", "hod"]
    result = CliRunner().invoke(cli, ["build", *where, *flags], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "model zheng07" in result.output
    provenance = mockgal.read_galaxies(out).provenance
    assert provenance["painter"]["threshold_m_r"] == -19
    assert provenance["configuration"]["painter_options"]["stellar_mass_law"] == "moster13"

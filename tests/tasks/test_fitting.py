"""`mockgal fit`, from files to files: what is written, kept, taken up again and refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from astropy.table import Table

import mockgal
from mockgal.fitting.data import tabulated
from mockgal.testing.universes import synthetic_pair
from mockgal.writers.bundle import write_bundle

LAW = ("--model", "zheng07", "--stellar-mass-law", "moster13", "--allow-extrapolation")
FIXED = "sigma_logM=0.3, logM0=11.4 log10(Msun/h), alpha=1.0"
TRUTH = {"sigma_logM": 0.3, "logM0": 11.4, "alpha": 1.0, "logMmin": 11.9, "logM1": 12.5}
PRIORS = ("logMmin=uniform(11, 13) log10(Msun/h)", "logM1=uniform(11.5, 14) log10(Msun/h)")
EDGES = np.geomspace(0.1, 5.0, 6)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, halotools):
    """A simulation, and w_p that a mock of it has, with errors of a tenth."""
    folder = tmp_path_factory.mktemp("inputs")
    sim = synthetic_pair(300, seed=2, box_size=30.0)[1]
    write_bundle(sim, folder / "dark.hdf5")
    options = {"stellar_mass_law": "moster13", "allow_extrapolation": True}
    with mockgal.errors.listening(quiet=True):
        mock = mockgal.paint(sim, "hod", seed=1, model="zheng07", parameters=TRUTH, **options)
        more = {"r_min": 0.1, "r_max": 5.0, "bins": 5, "pi_max": 8.0, "jackknife": 0}
        w_p = mockgal.measure(mock, "wp", **more)["w_p"]
    data, covariance = tabulated("wp", EDGES, w_p, 0.1 * np.abs(w_p) + 2, number=60, pi_max=8.0)
    data.save(folder / "wp.ecsv")
    covariance.save(folder / "covariance.ecsv")
    replace(covariance, abscissa=2 * covariance.abscissa).save(folder / "other-bins.ecsv")
    singular = np.ones((5, 5))
    replace(covariance, matrix=singular).save(folder / "singular.ecsv")
    columns = {name: data.columns[name] for name in data.columns}
    unit = data.fields["w_p"]._replace(unit="Mpc")
    replace(data, columns=columns, fields={**data.fields, "w_p": unit}).save(folder / "mpc.ecsv")
    return folder


@pytest.fixture
def fit(mockgal_command, inputs):
    def run(*more, data="wp.ecsv", covariance="covariance.ecsv", priors=PRIORS, out="fit"):
        given = [word for one in priors for word in ("--prior", one)]
        return mockgal_command(
            *("fit", "--sim", inputs / "dark.hdf5", *LAW, "--parameters", FIXED, *given),
            *("--data", inputs / data, "--covariance", inputs / covariance),
            *("--out", out, "--steps", "150", "--seed", "3", *more),
        )

    return run


def test_a_fit_is_written_taken_up_again_and_built(fit, mockgal_command, tmp_path, inputs):
    first = fit("--json")
    assert first.returncode == 0, first.stderr
    facts = json.loads(first.stdout)
    wrote = {"samples.ecsv", "fit.ecsv", "best.yaml", "posterior.png", "fit.png"}
    assert {path.rpartition("/")[2] for path in facts["wrote"]} == wrote
    assert {path.name for path in (tmp_path / "fit").iterdir()} == wrote | {"chain.hdf5"}
    assert facts["degrees_of_freedom"] == 3
    assert set(facts["best"]) == set(TRUTH)
    assert facts["priors"]["logM1"] == "uniform(11.5, 14) log10(Msun/h)"
    low, high = (facts["intervals_68_percent"]["logMmin"][end] for end in ("low", "high"))
    assert low - 2 * (high - low) < TRUTH["logMmin"] < high + 2 * (high - low)
    samples = Table.read(tmp_path / "fit/samples.ecsv")
    assert samples.colnames[:2] == ["logMmin", "logM1"]
    assert len(samples) == facts["samples"]
    assert samples.meta["best"] == facts["best"]

    # The table of pairs, and the chain, are found again; what is written is not replaced.
    (table,) = tmp_path.glob("pairs-wp-*.hdf5")
    before = table.stat().st_mtime_ns
    second = fit()
    assert second.returncode == 2
    assert "samples.ecsv" in second.stderr
    for name in wrote:
        (tmp_path / "fit" / name).unlink()
    again = fit("--json", "--no-plots")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["best"] == facts["best"]
    assert np.array_equal(Table.read(tmp_path / "fit/samples.ecsv")["logM1"], samples["logM1"])
    assert table.stat().st_mtime_ns == before

    recipe = yaml.safe_load((tmp_path / "fit/best.yaml").read_text())
    assert recipe["painter_options"]["parameters"]["logMmin"].endswith(" log10(Msun/h)")
    built = mockgal_command("build", "--recipe", "fit/best.yaml", "--out", "best.fits", "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["content_digest"] == facts["settings"]["mock"]["content_digest"]


def test_a_table_that_was_damaged_is_made_again(fit, tmp_path):
    assert fit("--no-plots").returncode == 0
    (table,) = tmp_path.glob("pairs-wp-*.hdf5")
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    result = fit("--no-plots", out="other")
    assert result.returncode == 0
    assert "is made again" in result.stderr
    assert table.stat().st_size == len(whole)
    ours, others = (Table.read(tmp_path / x / "samples.ecsv") for x in ("fit", "other"))
    assert np.array_equal(ours["logM1"], others["logM1"])


def test_the_structure_of_the_box_has_a_scatter_too(fit, tmp_path):
    alone = fit("--no-plots")
    assert "--survey-volume" in alone.stderr
    assert "structure of the box" not in alone.stdout
    volume = ("--survey-volume", "27000 Mpc^3/h^3")
    density = ("--number-density", "3e-3 h^3/Mpc^3", "--number-density-error", "1e-3 h^3/Mpc^3")
    twice = fit("--no-plots", *volume, *density, "--json", out="twice")
    assert twice.returncode == 0, twice.stderr
    assert "--survey-volume" not in twice.stderr
    settings = json.loads(twice.stdout)["settings"]
    assert [one["scaled_by"] for one in settings["covariances"]] == [2.0, 1.0]  # (30 Mpc/h)^3
    assert settings["survey_volume_mpc3_h3"] == 27000.0
    again = mockgal.read_fit(tmp_path / "twice/samples.ecsv")
    assert "2.7e+04 Mpc^3/h^3: covariances of its data times 2" in str(again)
    said = " ".join(fit("--no-plots", *volume, out="other").stdout.split())
    assert said.count("times 2 for the structure of the box") == 1
    widths = [Table.read(tmp_path / x / "samples.ecsv")["logM1"].std() for x in ("fit", "other")]
    assert 1.1 < widths[1] / widths[0] < 1.8  # the square root of two, of a normal posterior
    for wrong in ("27000", "2.7e4 Mpc/h", "0 Mpc^3/h^3"):
        refused = fit("--survey-volume", wrong, out="refused")
        assert refused.returncode == 2, refused.stderr


@pytest.mark.fault(108)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"covariance": "other-bins.ecsv"}, "other bins"),
        ({"covariance": "singular.ecsv"}, "a positive definite matrix"),
        ({"data": "mpc.ecsv"}, "found Mpc, expected Mpc/h"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(fit, exit_codes, changes, message, tmp_path):
    result = fit(**changes)
    assert result.returncode in exit_codes
    assert message in result.stderr
    assert not list(tmp_path.rglob("*.ecsv"))


@pytest.mark.parametrize(
    ("more", "priors", "message"),
    [
        (("--r-max", "0.05 Mpc/h"), PRIORS, "no bin to fit"),
        (("--number-density", "1e-2 h^3/Mpc^3"), PRIORS, "--number-density-error"),
        (("--satellite-profile", "nfw"), PRIORS, "without --populate"),
        (("--populate",), PRIORS, "satellites in the catalogue already"),
        ((), ("alpha=uniform(0, 2)",), "a value as well"),
        ((), ("alpha_c=uniform(0, 2)",), "but not fitted"),
        (("--tracers", "3"), PRIORS, "from 1,000"),
        (("--assembly-bias", "environment"), PRIORS, "A_cen or A_sat among the parameters"),
    ],
)
def test_options_that_do_not_go_together_are_refused(fit, more, priors, message):
    result = fit(*more, priors=priors)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr


def test_data_without_common_mocks_are_said_to_be_independent(fit, inputs):
    result = fit("--data", inputs / "wp.ecsv", "--covariance", inputs / "covariance.ecsv")
    assert result.returncode == 0, result.stderr
    assert "independent of each other" in result.stderr


def test_a_number_density_is_fitted_as_well(halotools, inputs):
    sim = mockgal.read(inputs / "dark.hdf5")
    with mockgal.errors.listening(quiet=True):
        found = mockgal.fit(
            sim,
            mockgal.read_measurement(inputs / "wp.ecsv"),
            mockgal.read_covariance(inputs / "covariance.ecsv"),
            model="zheng07",
            seed=1,
            stellar_mass_law="moster13",
            allow_extrapolation=True,
            parameters={name: TRUTH[name] for name in ("sigma_logM", "logM0", "alpha")},
            priors={"logMmin": (11.0, 13.0), "logM1": (11.5, 14.0)},
            number_density="3e-3 h^3/Mpc^3",
            number_density_error=3e-5,
            steps=300,
        )
    assert found.interval("number_density").median == pytest.approx(3e-3, abs=1e-4)
    assert found.settings["number_density_h3_mpc3"]["error"] == 3e-5


def test_galaxies_for_want_of_hosts_are_told(halotools):
    sim = synthetic_pair(300, seed=2, box_size=30.0)[1]
    options = {"model": "zheng07", "stellar_mass_law": "moster13", "allow_extrapolation": True}
    data, covariance = tabulated("wp", EDGES, [90.0, 60.0, 40.0, 25.0, 15.0], [9.0] * 5, pi_max=8.0)

    def missing(log_mass):
        fixed = {**TRUTH, "logMmin": log_mass}
        del fixed["logM1"]
        priors = {"logM1": (12.0, 13.0)}
        with mockgal.errors.listening(quiet=True) as said:
            found = mockgal.fit(
                sim, data, covariance, parameters=fixed, priors=priors, seed=1, steps=20, **options
            )
        lacking = found.settings["mock"]["lacking"].get("share", 0.0)
        assert list(said) == found.settings["warnings"]
        return lacking, [text for text in said if "missing from the prediction" in text]

    least = np.log10(sim.halos["host_mass"].min())
    share, said = missing(least - 1.0)
    assert share > 0.5
    assert f"about {share:.0%}" in said[0]
    assert missing(least + 1.5) == (pytest.approx(0.0, abs=0.01), [])

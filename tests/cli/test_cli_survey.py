"""``mockgal survey`` and the survey of ``mockgal build``: options, reports, and the screen."""

import json
import re

import numpy as np
import pytest
from terminal import mockgal as on_terminal

import mockgal

RECIPE = """
survey:
  light_cone:
    redshifts: [0.004, 0.012]
  footprint:
    ra: [0 deg, 40 deg]
    dec: [0 deg, 40 deg]
  n_of_z:
    by: measured
    redshifts: [0.005, 0.0115]
  weights:
    fkp_power: 1e3 Mpc^3/h^3
  randoms:
    times: 5
  regions: 6
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_bundle, forked):
    """The demo's mock, a recipe, and the survey of it."""
    path = tmp_path_factory.mktemp("survey")
    (path / "s.yaml").write_text(RECIPE)
    words = ("build", "--sim", demo_bundle, "--painter", "hod", "--out", "mock.fits", "--quiet")
    assert forked(words, path).returncode == 0
    return path


@pytest.fixture(scope="module")
def run(folder, forked):
    def command(*words, code=0):
        result = forked(words, folder)
        assert result.returncode == code, result.stderr
        return result

    return command


@pytest.fixture(scope="module")
def report(run):
    words = ("survey", "mock.fits", "--recipe", "s.yaml", "--out", "cone.fits", "--json")
    return json.loads(run(*words, "--randoms-out", "ran.hdf5").stdout)


def test_the_report_for_programs(report, folder):
    assert report["command"] == "survey"
    assert report["wrote"] == ["cone.fits", "ran.hdf5", "cone.fits.run.json"]
    assert all((folder / path).is_file() for path in report["wrote"])
    galaxies = mockgal.read_galaxies(folder / "cone.fits")
    points = mockgal.read_galaxies(folder / "ran.hdf5")
    assert report["catalogue"]["galaxies"] == len(galaxies)
    assert report["randoms"]["points"] == len(points) == 5 * len(galaxies)
    assert report["randoms"]["content_digest"] == points.provenance["read_from"]["content_digest"]
    steps = [step["step"] for step in report["survey"]]
    assert steps == ["light cone", "footprint", "n(z)", "weights", "regions"]
    assert report["survey_seed"] == report["seed"]
    assert any("seen more than once" in text for text in report["warnings"])


def test_quiet_says_nothing(run):
    words = ("--recipe", "s.yaml", "--out", "q.fits", "--quiet")
    assert run("survey", "mock.fits", *words).stdout == ""


@pytest.mark.parametrize("columns", [40, pytest.param(80, marks=pytest.mark.slow)])
def test_on_a_terminal(report, folder, columns):
    words = f"survey mock.fits --recipe s.yaml --out t{columns}.fits".split()
    shown = on_terminal(*words, columns=columns, cwd=folder)
    assert shown.code == 0
    assert max(map(len, shown.screen)) <= columns
    text = " ".join(shown.text.split())
    cone, sky, n_of_z = report["survey"][:3]
    assert f"-> {cone['galaxies']:,} galaxies in {cone['snapshots'][0]['copies']} copies" in text
    assert f"{cone['seen_more_than_once']:,} of them are repeats" in text
    assert f"footprint {sky['before']:,} -> {sky['after']:,} galaxies" in text
    assert f"n(z) {n_of_z['before']:,} -> {n_of_z['after']:,} galaxies by measured" in text
    assert re.search(r"light cone, [^/]*\b(\d+)/\1\b", text), "the bar was finished"
    assert re.search(r"randoms +(?:━+ )?" + f"{report['randoms']['points']}/", text)
    assert f"content {report['content_digest']}" in text.replace("\n", "")


def test_options_stand_for_keys(run, folder, demo_bundle):
    """In the box, at once with the painting or after it."""
    words = ("--number-density", "5e-2 h^3/Mpc^3", "--redshift-space", "z", "--units", "h")
    run("build", "--sim", demo_bundle, "--painter", "hod", "--out", "one.fits", *words)
    run("survey", "mock.fits", "--out", "two.fits", *words)
    one, two = (mockgal.read_galaxies(folder / name) for name in ("one.fits", "two.fits"))
    assert len(one) == len(two) == round(5e-2 * 16**3)
    np.testing.assert_array_equal(one["galaxy_id"], two["galaxy_id"])
    np.testing.assert_allclose(one["position_z_rsd"], two["position_z_rsd"], rtol=1e-12)
    from mockgal.fields.sample import positions

    np.testing.assert_array_equal(one["position_z_rsd"], positions(one, "z")[:, 2])
    assert one.provenance["configuration"]["survey"] == {
        "number_density": "5e-2 h^3/Mpc^3",
        "redshift_space": "z",
        "cut": [],
    }


TO = ("survey", "mock.fits", "--recipe", "s.yaml", "--out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["survey", "mock.fits", "--out", "x.fits"], "no section survey"),
        (["survey", "mock.fits", "--randoms-out", "r.fits"], "--randoms-out, and no randoms"),
        (["survey", "mock.fits", "--number-density", "3"], '"1e-3 h^3/Mpc^3"'),
        ([*TO, "mock.fits"], "another file"),
        (
            [*TO, "x.fits", "--randoms-out", "x.fits"],
            "one file for galaxies and randoms",
        ),
        (
            ["build", "--sim", "a", "--sim", "b", "--painter", "hod"],
            "several --sim, and no light_cone",
        ),
        (["survey", "none.fits", "--recipe", "s.yaml"], "none.fits"),
    ],
)
def test_refused(run, words, message):
    result = run(*words, code=3 if "none.fits" in words else 2)
    assert message in result.stderr

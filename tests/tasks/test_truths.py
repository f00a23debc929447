"""Galaxies on the gravity-only subhalos themselves, as a user gives them: --truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from terminal import mockgal as run_in_terminal

import mockgal
from mockgal.errors import UsageError, listening
from mockgal.painters.cnn.weights.named import read_weights
from mockgal.painters.hod.store import read

DARK = Path(__file__).parents[2] / "catalogs/demo/dark.hdf5"
MAP = "halo_id=subhalo, stellar_mass=mstar [Msun/h]"
TRUTH = ("--truth", "galaxies.csv", "--truth-columns", MAP)
SLOW = pytest.mark.slow
FLOOR = ("--luminosity-floor", "1e9 Msun/h")


@pytest.fixture(scope="module")
def sim():
    return mockgal.read(DARK)


@pytest.fixture
def galaxies(sim, tmp_path):
    """2% of the mass of each subhalo to 0.2 dex; and one orphan."""
    rng = np.random.default_rng(1)
    ids, mass = sim.halos["halo_id"], sim.halos["mass"]
    stars = 0.02 * mass * 10 ** rng.normal(0.0, 0.2, len(mass))
    lines = ["subhalo,mstar", *(f"{i},{m:.6e}" for i, m in zip(ids, stars, strict=True))]
    path = tmp_path / "galaxies.csv"
    path.write_text("\n".join([*lines, "-1,1e9"]) + "\n")
    return path


def test_calibrate_says_what_was_joined(galaxies, mockgal_command, tmp_path):
    arguments = ("calibrate", "--dark", DARK, *TRUTH, *FLOOR, "--out", "table.ecsv")
    result = run_in_terminal(*arguments, cwd=tmp_path, stdout_piped=True)
    for line in (
        "456 of 457 galaxies are joined to subhalos by halo id",
        "orphans, which have no subhalo and are left out: 1 (0.",
        "subhalos without a galaxy: 0 of 456",
        "host masses: no correction for baryons",
    ):
        assert line in result.stdout, line
    assert "matched" not in result.stdout
    table = read(tmp_path / "table.ecsv")
    assert not table.corrects_masses
    pair = table.provenance["pairs"][0]
    assert "left out: 1 " in pair["hydro"]["reading"]["reading_warnings"][0]
    assert pair["hydro"]["files"][0]["name"] == "galaxies.csv"
    assert pair["twins"]["joined"]["orphans"] == 1
    build = ("build", "--sim", DARK, "--painter", "hod", "--calibration", "table.ecsv")
    built = mockgal_command(*build, "--out", "mock.fits")
    assert built.returncode == 0, built.stderr
    assert mockgal_command(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dark", DARK, *TRUTH, "--hydro", "h"), "1 --hydro beside 1 --truth"),
        (("--dark", DARK, "--dark", DARK, *TRUTH), "2 --dark and 1 --truth"),
        (("--dark", DARK, "--hydro", "h", "--truth-columns", MAP), "--truth-columns without"),
        (("--dark", DARK, *TRUTH, "--match", "position"), "for galaxies on the same subhalos"),
        (("--dark", DARK, *TRUTH, "--stellar-mass-definition", "bound"), "for a table of galaxies"),
    ],
)
def test_what_is_refused(galaxies, mockgal_command, arguments, said):
    result = mockgal_command("calibrate", *arguments, *FLOOR, "--out", "table.ecsv")
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_file_that_is_not_there(mockgal_command):
    result = mockgal_command("calibrate", "--dark", DARK, *TRUTH, *FLOOR, "--out", "table.ecsv")
    assert result.returncode == 3
    assert "galaxies.csv: found no such file, expected a table of galaxies" in result.stderr


def test_a_floor_is_asked_for(galaxies, mockgal_command):
    result = mockgal_command("calibrate", "--dark", DARK, *TRUTH, "--out", "table.ecsv")
    assert result.returncode == 3
    assert "--luminosity-floor" in result.stderr


@pytest.mark.parametrize("baselines", [[], pytest.param(["features-only"], marks=SLOW)])
def test_compare(galaxies, sim, baselines):
    truth = mockgal.Truth(galaxies, MAP)
    with listening(quiet=True):
        table = mockgal.calibrate([(truth, sim)], luminosity_floor="5e8 Msun/h")
        mock = mockgal.paint(sim, "hod", seed=1, calibration=table)
        cuts = ["stellar_mass > 1e9 Msun/h"]
        wanted = {"statistics": ["mass_function", "pit"], "cuts": cuts, "jackknife": 0}
        found = mockgal.compare(
            truth, {"hod": mock}, sim=sim, baselines=baselines, seed=1, **wanted
        )
    assert "matched" not in found.catalogues
    (note,) = (note for note in found.notes if "belong to the subhalos" in note)
    assert "456 of 457 galaxies are joined" in note
    stars = truth_of(galaxies)
    assert len(found.catalogues["truth"]) == np.sum(stars > 1e9)
    for name in baselines:
        assert "pit" in found.measurements[name]
    with pytest.raises(UsageError, match="--sim"):
        mockgal.compare(truth, {"hod": mock}, **wanted)


def truth_of(path):
    ids, stars = np.genfromtxt(path, delimiter=",", skip_header=1).T
    return stars[ids >= 0]


def test_compare_on_the_command_line(galaxies, mockgal_command, sim, tmp_path):
    with listening(quiet=True):
        mockgal.write(mockgal.paint(sim, "hod", seed=1), tmp_path / "mock.fits")
    result = mockgal_command(
        *("compare", *TRUTH, "--sim", DARK, "--mock", "hod=mock.fits", "--out", "page"),
        *("--cut", "stellar_mass > 8e9 Msun/h", "--statistic", "mass_function"),
        "--allow-differences",
    )
    assert result.returncode == 0, result.stderr
    assert "belong to the subhalos of" in result.stdout
    assert (tmp_path / "page/index.html").is_file()


@pytest.mark.slow
def test_train_and_evaluate(galaxies, mockgal_command, tmp_path):
    pair = ("--dark", DARK, *TRUTH)
    few = ("--preset", "demo", "--width", 2, "--epochs", 1, "--grid", 128)
    result = mockgal_command("train", *pair, *FLOOR, *few, "--out", "w.safetensors")
    assert result.returncode == 0, result.stderr
    assert "456 of 457 galaxies are joined" in result.stdout
    weights = read_weights(tmp_path / "w.safetensors")
    assert weights.domain.stellar_mass_definition == "as a table of galaxies states it"
    scored = mockgal_command("evaluate", "--weights", "w.safetensors", *pair, "--json")
    assert scored.returncode == 0, scored.stderr
    (run,) = json.loads(scored.stdout)["runs"]
    assert (run["trained_on"], run["matched_by"]) == (True, "identity of the subhalos")

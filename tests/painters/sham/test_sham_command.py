"""The painters on the command line: what inspect proposes works, what is recorded, exit codes."""

import json
import re
import shlex

import pytest
from sham_samples import made_box

import mockgal
from mockgal.tasks.readiness import Readings, readiness
from mockgal.writers.bundle import write_bundle

pytestmark = pytest.mark.filterwarnings("ignore:.*all values are 0")
OPTIONS = ["--proxy", "vpeak", "--mass-function", "li_white2009", "--scatter", "0.2 dex"]


@pytest.fixture
def box(tmp_path):
    def write(**how):
        write_bundle(made_box(3000, 50.0, **how), tmp_path / "box.hdf5")
        return tmp_path / "box.hdf5"

    return write


def test_the_commands_that_inspect_prints_work(box, tmp_path, mockgal_command):
    path = box()
    readings = Readings(mockgal.read(path), path, None, {})
    for name in ("sham", "smhm"):
        (way,) = readiness(readings, name)["ways"]
        assert way["valid"]
        result = mockgal_command(*shlex.split(way["command"])[1:], "--out", f"{name}.fits")
        assert result.returncode == 0, result.stderr
        assert len(mockgal.read_galaxies(tmp_path / f"{name}.fits")) > 100


def test_the_record_says_what_was_matched(box, tmp_path, mockgal_command):
    path = box(particle_mass=2e9)
    result = mockgal_command(
        *("build", "--sim", path, "--painter", "sham", *OPTIONS, "--seed", 1, "--out", "m.fits")
    )
    assert result.returncode == 0, result.stderr
    assert "sham, vpeak to li_white2009, scatter 0.2 dex" in result.stdout
    assert "of them satellites" in result.stdout
    shown = mockgal_command("inspect", "m.fits").stdout
    assert re.search("^painter +sham, vpeak to li_white2009, scatter 0.2 dex, seed 1$", shown, re.M)
    assert re.search(
        "^matched +proxy vpeak, to the mass function li_white2009, Li & W", shown, re.M
    )
    assert "IMF Chabrier" in shown
    assert json.loads(mockgal_command("inspect", "m.fits", "--json").stdout)["painter"]["proxy"]
    painter = mockgal.read_galaxies(tmp_path / "m.fits").provenance["painter"]
    assert (painter["proxy"], painter["scatter_dex"], painter["redshift"]) == ("vpeak", 0.2, 0.0)
    assert painter["imf"] == "Chabrier"
    assert painter["mass_function"]["h"] == 1.0
    assert "Li & White 2009" in painter["mass_function"]["reference"]
    assert painter["prediction"]["not_painted_incomplete"] > 1000
    assert painter["prediction"]["not_painted_incomplete_satellites"] > 100
    recipe = {
        "sim": "box.hdf5",
        "painter": "sham",
        "painter_options": {
            "proxy": "vpeak",
            "mass_function": "li_white2009",
            "scatter": "0.2 dex",
        },
        "seed": 1,
        "out": "again.fits",
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    assert mockgal_command("build", "--recipe", "r.yaml").returncode == 0
    digests = [mockgal.read_galaxies(tmp_path / f"{name}.fits").digest() for name in ("m", "again")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("how", "arguments", "code", "words"),
    [
        ({"peaks": False}, OPTIONS, 3, "no peak_vmax of subhalos"),
        ({"redshift": 2.0}, OPTIONS, 3, "--mass-function leja2020"),
        ({}, [*OPTIONS[:4], "--scatter", "0.7 dex"], 3, "with so much scatter"),
        ({}, [*OPTIONS, "--floor", "1e7 Msun/h"], 2, "raise --floor"),
        ({}, [*OPTIONS[:3], "none", *OPTIONS[4:]], 2, "one of baldry2012"),
        ({}, [*OPTIONS[:3], "none.txt", *OPTIONS[4:]], 3, "none.txt"),
    ],
)
def test_refusals(box, tmp_path, mockgal_command, how, arguments, code, words):
    path = box(**how)
    result = mockgal_command(
        "build", "--sim", path, "--painter", "sham", *arguments, "--out", "m.fits"
    )
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert not (tmp_path / "m.fits").exists()

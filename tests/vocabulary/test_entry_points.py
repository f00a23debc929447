"""The command uses what other distributions register, and nothing without the registration.

Each test lays out a distribution as pip does, its module beside its *.dist-info, and runs the
command in a process of its own: with entry_points.txt, and without it.
"""

import json
import re

import pytest

import mockgal
from mockgal.registry import built_in

SIMULATION = """
from dataclasses import replace
from pathlib import Path

from mockgal.readers.bundle import BundleReader

class Toy:
    name = "toy"

    def detect(self, path):
        return path.is_file() and path.read_bytes().startswith(b"toy simulation")

    def read(self, path, options):
        scene = BundleReader().read(Path(path.read_text().splitlines()[1]), options)
        return replace(scene, snapshot=replace(scene.snapshot, format="toy"))
"""
MOCK = """
import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.types import GalaxyCatalog, Snapshot

BEGIN = b"toy mock, halo_id position_x position_y position_z stellar_mass"

class Toy:
    name = "toy"

    def detect(self, path):
        return path.is_file() and path.read_bytes().startswith(BEGIN)

    def read(self, path, options):
        halo_id, *place, mass = np.loadtxt(path, skiprows=1, unpack=True)
        columns = {"galaxy_id": np.arange(len(mass)), "halo_id": halo_id.astype("i8")}
        columns |= {f"position_{x}": at.astype("f4") for x, at in zip("xyz", place)}
        columns["stellar_mass"] = mass.astype("f4")
        cosmology = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)
        snapshot = Snapshot("toys", 100.0, 0.0, cosmology, None, "toy")
        return GalaxyCatalog(columns, snapshot, "box", {})
"""
PAINTER = """
from dataclasses import replace

from mockgal.painters.hod.painter import HODPainter

class Toy:
    name, needs, references = "toy", frozenset({"halos"}), ()
    provides = HODPainter.provides

    def predict(self, scene):
        return HODPainter().predict(scene)

    def describe(self, scene):
        return {"name": "toy"}
"""
WRITER = """
class Toy:
    name, extensions = "toy", (".toy",)

    def write(self, galaxies, path, *, units, overwrite, chunk_rows, inputs=()):
        path.write_text(f"{len(galaxies)} galaxies")
"""
STATISTIC = """
from dataclasses import replace

from mockgal.statistics.galaxies.mass_function import stellar_mass_function

def count(galaxies, *, bin_width: float = 0.5):
    '''Galaxies of each kind of toy.'''
    return replace(stellar_mass_function(galaxies, bin_width=bin_width), statistic="mine")
"""


@pytest.fixture
def command(tmp_path, install, forked, monkeypatch):
    """Run ``mockgal`` beside a distribution that has ``source``, and ``points`` if registered."""

    def run(words, points, source, *, registered):
        site = install("toy-tools", points if registered else "", toy_of_a_test=source)
        monkeypatch.setenv("PYTHONPATH", str(site))
        result = forked([*words], tmp_path)
        assert "Traceback" not in result.stderr + result.stdout
        return result

    return run


@pytest.fixture(scope="session")
def mock(tmp_path_factory, demo_bundle, forked):
    """A mock in FITS."""
    folder = tmp_path_factory.mktemp("mock")
    words = ["build", "--sim", demo_bundle, "--painter", "hod", "--out", "mock.fits"]
    assert forked(words, folder).returncode == 0
    return folder / "mock.fits"


registration = pytest.mark.parametrize("registered", [True, False], ids=["registered", "not"])


@registration
def test_a_reader(command, registered, tmp_path, demo_bundle):
    (tmp_path / "sim.dat").write_text(f"toy simulation\n{demo_bundle}\n")
    points = {"readers": {"toy": "toy_of_a_test:Toy"}}
    result = command(["inspect", "sim.dat", "--json"], points, SIMULATION, registered=registered)
    if registered:
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["format"] == "toy"
    else:
        assert result.returncode == 3
        assert "error[E309] sim.dat: " in result.stderr


@registration
def test_a_reader_of_mocks(command, registered, tmp_path):
    rows = [
        f"{i} {i % 90}.5 {7 * i % 100} {13 * i % 100} {10 ** (9 + i / 40):.6g}" for i in range(90)
    ]
    (tmp_path / "mock.dat").write_text(
        "\n".join(["toy mock, halo_id position_x position_y position_z stellar_mass", *rows])
    )
    points = {"mocks": {"toy": "toy_of_a_test:Toy"}}
    words = ["measure", "mock.dat", "--statistic", "mass_function", "--out", ".", "--no-plots"]
    result = command(words, points, MOCK, registered=registered)
    if registered:
        assert result.returncode == 0, result.stderr
        table = mockgal.read_measurement(tmp_path / "mass_function.ecsv")
        assert table[table.count].sum() == 90
    else:
        assert result.returncode == 3
        assert "error[E309] mock.dat: found a text table" in result.stderr
        assert not list(tmp_path.glob("*.ecsv"))


@registration
def test_a_reader_of_mocks_for_inspect(command, registered, tmp_path):
    (tmp_path / "mock.dat").write_text(
        "toy mock, halo_id position_x position_y position_z stellar_mass\n"
        "1 1 2 3 1e10\n2 4 5 6 2e10\n"
    )
    points = {"mocks": {"toy": "toy_of_a_test:Toy"}}
    result = command(["inspect", "mock.dat"], points, MOCK, registered=registered)
    assert result.returncode == (0 if registered else 3), result.stderr
    assert bool(re.search(r"^format +mock, toy", result.stdout, re.M)) == registered
    assert "checksums right" not in result.stdout


@registration
def test_a_painter(command, registered, tmp_path, demo_bundle):
    points = {"painters": {"toy": "toy_of_a_test:Toy"}}
    words = ["build", "--sim", str(demo_bundle), "--painter", "toy", "--out", "toy.fits"]
    result = command(words, points, PAINTER, registered=registered)
    if registered:
        assert result.returncode == 0, result.stderr
        provenance = mockgal.read_galaxies(tmp_path / "toy.fits").provenance
        assert provenance["painter"]["name"] == "toy"
    else:
        assert result.returncode == 2
        assert re.search(r"painter: found 'toy', expected one of hod, ", result.stderr)
        assert not (tmp_path / "toy.fits").exists()


@registration
def test_a_writer(command, registered, tmp_path, demo_bundle):
    points = {"writers": {"toy": "toy_of_a_test:Toy"}}
    words = ["build", "--sim", str(demo_bundle), "--painter", "hod", "--out", "mock.toy"]
    result = command(words, points, WRITER, registered=registered)
    if registered:
        assert result.returncode == 0, result.stderr
        assert re.fullmatch(r"\d+ galaxies", (tmp_path / "mock.toy").read_text())
    else:
        assert result.returncode == 2
        assert "found extension '.toy'" in result.stderr
        assert not (tmp_path / "mock.toy").exists()


@registration
def test_a_statistic(command, registered, tmp_path, mock):
    points = {"statistics": {"mine": "toy_of_a_test:count"}}
    words = ["measure", str(mock), "--statistic", "mine", "--out", ".", "--no-plots"]
    result = command(words, points, STATISTIC, registered=registered)
    if registered:
        assert result.returncode == 0, result.stderr
        assert len(mockgal.read_measurement(tmp_path / "mine.ecsv"))
    else:
        assert result.returncode == 2
        assert "found 'mine', expected one of power" in result.stderr
        assert not list(tmp_path.glob("*.ecsv"))


@registration
def test_help(command, registered):
    """What can be asked for is listed, each statistic with the first line of its docstring."""
    points = {
        "readers": {"toy_reader": "toy_of_a_test:Toy"},
        "painters": {"toy_painter": "toy_of_a_test:Toy"},
        "writers": {"toy": "toy_of_a_test:Toy"},
        "statistics": {"mine": "toy_of_a_test:count", "broken": "toy_of_a_test:absent"},
    }
    texts = {}
    for name in ("build", "measure"):
        result = command([name, "--help"], points, WRITER + STATISTIC, registered=registered)
        assert result.returncode == 0, result.stderr
        texts[name] = " ".join(result.stdout.split())
    for text in (
        f"galaxies: {', '.join(built_in('painters'))} or toy_painter.",
        " or .toy (default",
        f"{', '.join(built_in('readers'))} or toy_reader (default",
    ):
        assert (text in texts["build"]) == registered
    assert ("mine Galaxies of each kind of toy." in texts["measure"]) == registered
    assert ("broken A plug-in that does not work." in texts["measure"]) == registered
    for text in ("galaxies: hod", "write, .fits", "rockstar", "hdf5"):
        assert text in texts["build"]
    assert "xi Measure the correlation function xi(r)." in texts["measure"]

"""What is doubtful is counted, recorded and said: extrapolation, too many stars, warnings."""

import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import mockgal
from mockgal.cli import cli
from mockgal.cosmology import Cosmology
from mockgal.errors import DomainError, MockgalWarning
from mockgal.painters.cnn.weights.named import outside_the_bar
from mockgal.painters.draw import paint_scene
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.validity.caveats import extrapolated, in_words, stars_and_baryons
from mockgal.writers.bundle import write_bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
import halotools_samples

COSMOLOGY = Cosmology(0.7, 0.3, 0.7, omega_b=0.06)  # a fifth of the matter


def columns(stars, host, flagged=None):
    stars = np.asarray(stars, dtype=np.float32)
    flags = np.zeros(len(stars), dtype=bool) if flagged is None else np.asarray(flagged)
    return {"stellar_mass": stars, "halo_mass": np.asarray(host, float), "extrapolated": flags}


def test_more_stars_than_baryons_is_counted_and_more_than_mass_refused():
    host = np.full(100, 1e12)
    stars = np.full(100, 1e10)
    assert stars_and_baryons(columns(stars, host), COSMOLOGY) == 0
    stars[:7] = 3e11
    assert stars_and_baryons(columns(stars, host), COSMOLOGY) == 7
    stars[:9] = 2e12  # nine of a hundred are a poor law, and counted
    assert stars_and_baryons(columns(stars, host), COSMOLOGY) == 9
    stars[:10] = 2e12
    with pytest.raises(DomainError, match=r"10 of 100 galaxies .* 2e\+12") as caught:
        stars_and_baryons(columns(stars, host), COSMOLOGY)
    assert caught.value.exit_code == 3
    host[:3] = 0.0  # not known
    assert stars_and_baryons(columns(stars, host), COSMOLOGY) == 7


def test_extrapolation_is_counted():
    galaxies = columns([1e10, 9.5e12, 1e12], [1e12, 3e15, 4e14], [False, True, True])
    found = extrapolated(galaxies, {"log_mass_range": [10.0, 14.0], "outside_domain": ["z"]})
    assert found["galaxies"] == 2
    assert found["share"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["largest_stellar_mass_msun_h"] == pytest.approx(9.5e12)
    assert found["largest_host_mass_msun_h"] == 3e15
    assert found["law_to_host_mass_msun_h"] == 1e14
    assert extrapolated(columns([1e10], [1e12]), {}) == {}
    (line,) = in_words({"painter": {"log_mass_range": [10.0, 14.0]}}, galaxies)
    for word in ("2 of 3", "66.67%", "9.5e+12", "3e+15", "1e+14"):
        assert word in line
    assert in_words({}, columns([], [])) == ["the catalogue is empty"]


@pytest.fixture
def heavy(demo_bundle):
    """Ten hosts of the demo a hundred times as massive, beyond the calibration's range."""
    scene = mockgal.read(demo_bundle)
    halos = scene.halos
    light = halos["is_central"] & (halos["host_mass"] > 1.2e11) & (halos["mass"] > 1e11)
    chosen = halos.take(np.flatnonzero(light & (halos["host_mass"] < 2e11))[:10])
    changed = {**chosen.columns}
    for name in ("host_mass", "mass", "n_particles"):
        changed[name] = changed[name] * 100
    return replace(scene, halos=replace(chosen, columns=changed), particles=None)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_galaxies_that_are_all_extrapolated_are_said_last(heavy, tmp_path):
    galaxies = paint_scene(heavy, HODPainter(allow_extrapolation=True), seed=1)
    assert galaxies.provenance["extrapolated"]["galaxies"] == galaxies["extrapolated"].sum() > 0
    write_bundle(heavy, tmp_path / "heavy.hdf5", particles=False)
    arguments = ["build", "--sim", str(tmp_path / "heavy.hdf5"), "--painter", "hod"]
    arguments += ["--calibration", "gadget4-z0.00", "--allow-extrapolation"]
    arguments += ["--out", str(tmp_path / "m.fits"), "--allow-empty-regions"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    last = [line for line in result.output.splitlines() if line.startswith("caution")]
    assert galaxies["extrapolated"].all()
    assert any("all 10 galaxies" in line and "Msun/h of stars" in line for line in last)
    assert result.output.splitlines()[-1].startswith("caution")
    again = mockgal.read_galaxies(tmp_path / "m.fits")
    said = again.provenance["extrapolated"]
    assert said["galaxies"] == len(again) == 10
    assert said["largest_stellar_mass_msun_h"] == pytest.approx(again["stellar_mass"].max())


def test_warnings_of_reading_are_in_the_file(demo_bundle, tmp_path):
    """A table of halotools without parents; by way of a bundle, too."""
    scene = mockgal.read(demo_bundle)
    hosts = scene.halos.take(np.flatnonzero(scene.halos["is_central"]))
    scene = replace(scene, halos=hosts)
    none = {"halo_upid": None, "halo_hostid": None}
    table = halotools_samples.columns(scene, **none)
    stated = halotools_samples.facts(scene)
    halotools_samples.write_table(tmp_path / "halos.hdf5", table, stated)
    with pytest.warns(MockgalWarning, match="taken for a host"):
        read = mockgal.read(tmp_path / "halos.hdf5")
    with pytest.warns(MockgalWarning):
        galaxies = mockgal.paint(read, "hod", seed=1)
    assert sum("taken for a host" in text for text in galaxies.provenance["warnings"]) == 1
    with pytest.warns(MockgalWarning, match="taken for a host"):
        mockgal.pack(tmp_path / "halos.hdf5", tmp_path / "bundle.hdf5")
    with pytest.warns(MockgalWarning):
        galaxies = mockgal.paint(mockgal.read(tmp_path / "bundle.hdf5"), "hod", seed=1)
    mockgal.write(galaxies, tmp_path / "mock.hdf5")
    again = mockgal.read_galaxies(tmp_path / "mock.hdf5")
    assert sum("taken for a host" in text for text in again.provenance["warnings"]) == 1
    with h5py.File(tmp_path / "mock.hdf5") as file:
        assert b"taken for a host" in np.bytes_(file.attrs["provenance"])


def test_verdicts_of_a_card():
    card = {
        "residuals": [{"bias": {"verdict": "outside"}}, {"bias": {"verdict": "within"}}],
        "mass": {"verdict": "no power"},
        "pit": {"all": {"verdict": "outside", "p": 0.1}},
        "further": {},
    }
    assert outside_the_bar(card) == (2, 4)
    assert outside_the_bar(None) == (0, 0)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_a_warning_is_in_the_file_once(demo_bundle):
    """Though the law is asked again, of hosts that are not there."""
    warned = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1).provenance["warnings"]
    assert len(warned) == len(set(warned)) == 2


def test_satellites_too_light_for_a_sample_in_luminosity_are_said():
    galaxies = columns([2e10, 3e10, 5e8, 2.5e10], [1e12] * 4)
    galaxies["is_central"] = np.array([True, True, False, False])
    (line,) = in_words({"painter": {"stellar_mass_law": "behroozi10"}}, galaxies)
    assert line.startswith("1 of 2 satellites have less stellar mass than any central")
    assert "5e+08 Msun/h" in line
    assert in_words({"painter": {}}, galaxies) == []

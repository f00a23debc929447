"""Hosts without subhalos from the file to the catalogue; concentrations that readers give."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from populate_samples import StandIn, WithoutSatellites, hosts, law

import mockgal
from mockgal import registry
from mockgal.cli import main
from mockgal.columns import HALO_COLUMNS
from mockgal.digests import content_digest
from mockgal.errors import UsageError, warn
from mockgal.recipe import check
from mockgal.writers.bundle import write_bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
import halotools_samples
import rockstar_samples


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("hosts") / "hosts.hdf5"
    write_bundle(hosts(600), path, overwrite=False, particles=False)
    return path


@pytest.fixture
def standin(monkeypatch):
    """The stand-in painter by name."""
    monkeypatch.setitem(
        registry._BUILT_IN["painters"], "standin", registry.Entry("populate_samples:StandIn")
    )


def build(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["build", "--painter", "standin", *map(str, arguments)])
    return caught.value.code


def test_build(bundle, standin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    choices = ["--populate", "--concentration", "6.5", "--satellite-numbers", "measured"]
    choices += ["--velocity-bias", "0.9", "--seed", "7", "--units", "h"]
    assert build("--sim", bundle, *choices, "--out", "a.hdf5") == 0
    printed = capsys.readouterr().out
    mock = mockgal.read_galaxies("a.hdf5")
    satellites = int(np.sum(~mock["is_central"]))
    assert 300 < satellites < 700
    assert re.search(
        rf"^populated +{satellites} satellites added to \d+ of 600 hosts", printed, re.M
    )
    made = mock.provenance["simulation"]["reading"]["populate"]
    assert made["satellites"] == satellites
    assert (made["concentration"], made["numbers"], made["velocity_bias"]) == (6.5, "measured", 0.9)
    assert made["seed"] == mock.provenance["seed"] == 7
    asked = mock.provenance["configuration"]
    assert asked["populate"] is True
    assert asked["populate_options"]["concentration"] == 6.5

    recipe = {
        "sim": str(bundle),
        "painter": "standin",
        "seed": 7,
        "populate": True,
        "populate_options": {"numbers": "measured", "concentration": 3.0},
    }
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(recipe))
    choices = ["--concentration", "6.5", "--velocity-bias", "0.9"]
    choices += ["--units", "h", "--out", "b.hdf5"]
    assert build("--recipe", "b.yaml", *choices) == 0  # the command line wins
    assert mockgal.read_galaxies("b.hdf5").digest() == mock.digest()

    sim = mockgal.read(bundle)
    options = {"numbers": "measured", "concentration": 6.5, "velocity_bias": 0.9}
    made = mockgal.populate(sim, StandIn(), seed=7, **options)
    assert mockgal.paint(made, StandIn(), seed=7).digest() == mock.digest()
    assert mockgal.populate(sim, "standin", seed=7).halos.digest() == (
        mockgal.populate(sim, StandIn().satellites(sim), seed=7).halos.digest()
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--concentration", "7"], "nothing without --populate"),
        (["--satellite-profile", "nfw"], "nothing without --populate"),
        (["--populate", "--concentration", "bullock01"], "duffy08, dutton_maccio14, catalogue"),
        (["--populate", "--velocity-bias", "-1"], "0 or more"),
    ],
)
def test_options_that_are_refused(bundle, standin, tmp_path, capsys, arguments, text):
    out = tmp_path / "x.fits"
    assert build("--sim", bundle, *arguments, "--out", out) == 2
    assert text in capsys.readouterr().err
    assert not out.exists()


def test_unknown_options_are_refused_before_reading(standin, tmp_path, capsys):
    (tmp_path / "b.yaml").write_text(
        "sim: no.hdf5\npainter: standin\npopulate: true\npopulate_options: {profil: nfw}\n"
    )
    assert build("--recipe", tmp_path / "b.yaml") == 2
    assert "option profil, expected one of numbers, profile" in capsys.readouterr().err
    with pytest.raises(UsageError, match="option profil"):
        mockgal.populate(hosts(3), StandIn(), seed=1, profil="nfw")


def test_recipes_without_it_keep_their_digest():
    without = check({"sim": "a", "painter": "hod"}, "test").configuration()
    assert not {"populate", "populate_options"} & set(without)
    asked = check({"sim": "a", "painter": "hod", "populate": True}, "test").configuration()
    assert asked["populate_options"] == {}


def test_a_painter_that_predicts_none():
    with pytest.raises(UsageError, match=r"no prediction of satellites.*SatelliteLaw"):
        mockgal.populate(hosts(3), WithoutSatellites(), seed=1)


def test_satellites_are_refused_before_the_painter_is_asked():
    sim = hosts(30)
    made = mockgal.populate(sim, law(sim), seed=1)
    with pytest.raises(UsageError, match=r"satellites .*already"):
        mockgal.populate(made, StandIn(), seed=1)


def test_warnings_of_the_law_are_recorded():
    class Warns(StandIn):
        def satellites(self, scene):
            warn("little is known")
            return super().satellites(scene)

    with pytest.warns(mockgal.errors.MockgalWarning, match="little is known"):
        made = mockgal.populate(hosts(30), Warns(), seed=1)
    mock = mockgal.paint(made, StandIn(), seed=1)
    assert "little is known" in mock.provenance["warnings"]


def test_the_column_changes_no_digest_where_it_is_absent():
    halos = hosts(20).halos
    known = {name: column for name, column in HALO_COLUMNS.items() if name != "concentration"}
    assert halos.digest() == content_digest(halos.columns, known, ["halo_id"], "200c")


def test_concentrations_survive_a_bundle(tmp_path):
    sim = hosts(600, concentration=np.linspace(3, 20, 600))
    write_bundle(sim, tmp_path / "a.hdf5", overwrite=False, particles=False)
    assert mockgal.read(tmp_path / "a.hdf5").halos.digest() == sim.halos.digest()


@pytest.mark.parametrize("kind", ["out", "hlist"])
def test_concentrations_of_rockstar(tmp_path, kind):
    table = rockstar_samples.universe()
    table["rs"] = table["rvir"] / np.linspace(4, 20, len(table["id"]))
    path = tmp_path / ("out_0.list" if kind == "out" else "hlist_1.00000.list")
    rockstar_samples.Sample(kind, table).write(path)
    halos = mockgal.read(path, mass_definition="vir").halos
    order = np.argsort(table["id"])
    row = order[np.searchsorted(table["id"][order], halos["host_id"])]
    np.testing.assert_allclose(
        halos["concentration"], np.linspace(4, 20, len(order))[row], rtol=1e-4
    )
    assert "concentration" not in mockgal.read(path, mass_definition="200m").halos


def test_concentrations_of_halotools(tmp_path, demo_bundle):
    sim = mockgal.read(demo_bundle)
    c = np.linspace(4, 20, len(sim.halos))
    table = halotools_samples.columns(sim, halo_nfw_conc=c)
    path = tmp_path / "a.hdf5"
    halotools_samples.write_table(path, table, halotools_samples.facts(sim))
    halos = mockgal.read(path, mass_definition="vir").halos
    np.testing.assert_array_equal(halos["concentration"], c[sim.halos.host_row])
    assert "concentration" not in mockgal.read(path, mass_definition="200c").halos

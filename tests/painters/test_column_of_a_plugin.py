"""A property of galaxies is one `Column` and a painter that provides it: nothing else knows it.

The column is one that mockgal does not have, as a plug-in brings it, or one that it has: then, as
if `mockgal/columns.py` declared it.
"""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import mockgal
from mockgal import columns, registry
from mockgal.columns import GALAXY_COLUMNS, OUR_COLUMNS, Column, declared_with
from mockgal.errors import BadValueError, CutError, HeaderError, InternalError
from mockgal.laws.conditional import ConditionalLaw
from mockgal.painters.draw import paint_scene
from mockgal.painters.hod.painter import HODPainter
from mockgal.tasks.inspect import describe_galaxies
from mockgal.testing import painter_contract, writer_contract

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")

RATE = Column("stars_per_year", "Msun/yr", 0, 0, meaning="stars formed, by a test")
LIGHT = Column("luminosity", "Lsun", -2, 0, "<f8", (), "light in some band, by a test")


class Painter:
    """The demonstration's HOD, with two more properties that follow stellar mass."""

    name, needs, references = "toy", frozenset({"halos"}), ("nobody",)
    provides = (*HODPainter.provides, RATE, LIGHT)

    def predict(self, scene):
        prediction = HODPainter().predict(scene)
        lines = {RATE.name: (-9.5, 1.0, 0.3), LIGHT.name: (0.1, 1.0, 0.0)}
        n = len(prediction)
        laws = {name: ConditionalLaw.of_all(n, *line) for name, line in lines.items()}
        return replace(prediction, further=laws)

    def describe(self, scene):
        return HODPainter().describe(scene) | {"name": "toy"}


@pytest.fixture(params=["of a plug-in", "of mockgal"])
def galaxies(request, demo_bundle, monkeypatch):
    if request.param == "of mockgal":
        for column in (RATE, LIGHT):
            for ours in (columns.GALAXY_COLUMNS, columns.OUR_COLUMNS):
                monkeypatch.setitem(ours, column.name, replace(column, optional=True))
    monkeypatch.setitem(
        registry._BUILT_IN["painters"], "toy", registry.Entry(f"{__name__}:Painter")
    )
    return mockgal.paint(mockgal.read(demo_bundle), "toy", seed=1)


def test_painted_cut_and_converted(galaxies, demo_bundle):
    h = galaxies.snapshot.cosmology.h
    painter_contract(Painter(), mockgal.read(demo_bundle))
    assert galaxies[RATE.name].dtype == np.float32
    expected = 1.0 + np.log10(galaxies["stellar_mass"].astype(float)) - 10.5
    assert abs(np.median(np.log10(galaxies[RATE.name]) - expected)) < 0.1
    chosen = mockgal.select(galaxies, "stars_per_year > 1 Msun/yr")
    assert 0 < len(chosen) < len(galaxies)
    assert chosen[RATE.name].min() > 1
    assert len(mockgal.select(galaxies, "stars_per_year > 1e3 solMass/Gyr")) > len(chosen)
    low = mockgal.select(galaxies, "luminosity < 1e11 Lsun")
    assert np.array_equal(
        low["galaxy_id"], galaxies["galaxy_id"][galaxies["luminosity"] < 1e11 * h**2]
    )
    with pytest.raises(CutError, match=r"Lsun/h\^2"):
        mockgal.select(galaxies, "luminosity < 1e11 Mpc")

    table = mockgal.to_table(chosen)
    assert table[RATE.name].unit == "Msun/yr"
    assert table["luminosity"].to_value("Lsun") == pytest.approx(chosen["luminosity"] / h**2)
    mock = mockgal.to_halotools(chosen)
    assert np.array_equal(mock.galaxy_table[RATE.name], chosen[RATE.name])
    assert "[Msun/yr]" in mock.galaxy_table[RATE.name].description


@pytest.mark.parametrize("name", registry.names("writers"))
def test_written_and_read(galaxies, tmp_path, name):
    chosen = galaxies[:40]
    writer = registry.load("writers", name)()
    (tmp_path / "contract").mkdir()
    writer_contract(writer, chosen, tmp_path / "contract")
    for units, label in (("h", "Lsun/h^2"), ("h-free", "Lsun")):
        path = tmp_path / f"{units}{writer.extensions[0]}"
        mockgal.write(chosen, path, units=units)
        back = mockgal.read_galaxies(path)
        assert set(back.columns) == set(chosen.columns)
        assert back[RATE.name].tobytes() == chosen[RATE.name].tobytes()
        assert back["luminosity"] == pytest.approx(chosen["luminosity"], rel=1e-15)
        assert units == "h-free" or back.digest() == chosen.digest()
        assert back.declared["luminosity"].h_power == -2
        again = tmp_path / f"again-{path.name}"
        mockgal.write(back, again, units=units)
        one = mockgal.read_galaxies(again, ["luminosity"])
        assert one["luminosity"].tobytes() == back["luminosity"].tobytes()
        units_in_file = describe_galaxies(path)["columns"]
        assert (units_in_file[RATE.name], units_in_file["luminosity"]) == ("Msun/yr", label)


def test_changed_by_hand(galaxies, tmp_path):
    mockgal.write(galaxies, tmp_path / "whole.fits")
    table = Table.read(tmp_path / "whole.fits", hdu="GALAXIES")
    assert table[RATE.name].unit == "Msun/yr"
    table.meta["CHANGED"] = "half of it"
    table[::2].write(tmp_path / "half.fits")
    half = mockgal.read_galaxies(tmp_path / "half.fits")
    assert (RATE.name in half) == (RATE.name in GALAXY_COLUMNS)  # nothing says what it means
    reason = "half of it, with its provenance"
    with fits.open(tmp_path / "whole.fits") as file:
        file[1].data = file[1].data[:100]
        file.writeto(tmp_path / "with-provenance.fits")
    half = mockgal.read_galaxies(tmp_path / "with-provenance.fits", changed_by_hand=reason)
    assert half["luminosity"] == pytest.approx(galaxies["luminosity"][:100], rel=1e-15)


def test_the_command_builds_them(galaxies, demo_bundle, tmp_path):
    from click.testing import CliRunner

    from mockgal.cli import cli

    out = tmp_path / "a.hdf5"
    command = ["build", "--sim", demo_bundle, "--painter", "toy", "--seed", "1", "--out", out]
    cuts = ["--cut", "stellar_mass > 1e10 Msun", "--cut", "stars_per_year > 2 Msun/yr"]
    result = CliRunner().invoke(cli, [str(word) for word in [*command, *cuts]])
    assert result.exit_code == 0, result.output
    with h5py.File(out) as file:
        rates = file["galaxies"][RATE.name]
        assert (rates.attrs["unit"], rates.attrs["h_power"]) == ("solMass yr-1", 0)
        assert rates[:].min() > 2
    if RATE.name not in GALAXY_COLUMNS:
        command[4] = "hod"
        result = CliRunner().invoke(cli, [str(word) for word in [*command, *cuts]])
        assert isinstance(result.exception, CutError)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Star Formation"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"name": "stellar_mass"}, "name of its own"),
        ({"unit": "Msun/yr/h"}, "little h"),
        ({"unit": "Msun per year"}, "unit"),
        ({"unit": "Msun^"}, "unit"),
        ({"dtype": "<c16"}, "type"),
        ({"dtype": "O"}, "type"),
        ({"shape": (3,)}, "shape"),
        ({"h_power": 1.5}, "power"),
        ({"h_power": 10}, "power"),
        ({"meaning": "two\nlines"}, "meaning"),
        ({"meaning": "long " * 100}, "meaning"),
    ],
)
def test_columns_that_no_file_could_hold(change, says, demo_bundle):
    with pytest.raises(BadValueError, match=says):
        declared_with([replace(RATE, **change)], "painter toy")
    painter = Painter()
    painter.provides = (replace(RATE, **change),)
    with pytest.raises(BadValueError, match="painter toy"):
        paint_scene(mockgal.read(demo_bundle), painter, seed=1)


def test_a_column_of_ours_is_as_we_have_it():
    mass = GALAXY_COLUMNS["stellar_mass"]
    found = declared_with([replace(mass, meaning="mine"), RATE], "toy")
    assert found["stellar_mass"] is mass
    assert list(found) == [*OUR_COLUMNS, RATE.name]


def test_a_law_of_a_column_that_is_not_provided(demo_bundle):
    painter = Painter()
    painter.provides = HODPainter.provides
    with pytest.raises(InternalError, match=r"stars_per_year.*provides"):
        paint_scene(mockgal.read(demo_bundle), painter, seed=1)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "furlong"},
        {"unit": 3},
        {"unit": "Msun" * 10_000},
        {"h_power": "2"},
        {"h_power": 1 << 40},
        {"h_power": True},
    ],
)
@pytest.mark.parametrize("galaxies", ["of a plug-in"], indirect=True)
def test_what_a_file_says_of_such_a_column_is_checked(galaxies, tmp_path, change):
    path = tmp_path / "a.hdf5"
    mockgal.write(galaxies, path)
    with h5py.File(path, "r+") as file:
        value = json.loads(file.attrs["provenance"])
        definition = value["file"]["columns"][-1]
        assert definition["in_memory"] == {"unit": "Lsun", "h_power": -2}
        definition["in_memory"] |= change
        file.attrs["provenance"] = json.dumps(value)
        del file.attrs["provenance_digest"]
    with pytest.raises(HeaderError):
        mockgal.read_galaxies(path)

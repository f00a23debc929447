"""Tables of merger trees, joined to subhalos: mockgal pack --history."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from terminal import mockgal as run_in_terminal

import mockgal
from mockgal.errors import MockgalError

DARK = Path(__file__).parents[2] / "catalogs/demo/dark.hdf5"
MAP = "halo_id=subhalo, peak_mass=Mp [Msun/h], half_mass_scale=a50"
INFALL = "halo_id=subhalo, peak_mass=Mp [Msun/h], infall_mass=Mi [Msun/h]"


@pytest.fixture(scope="module")
def sim():
    return mockgal.read(DARK)


@pytest.fixture
def table(sim):
    """Peak masses above the present ones, in another order, and one row on no subhalo."""
    rng = np.random.default_rng(1)
    mass = sim.halos["mass"]
    peak = mass * 10 ** np.abs(rng.normal(0.0, 0.1, len(mass)))
    columns = {
        "subhalo": sim.halos["halo_id"],
        "Mp": peak,
        "a50": rng.uniform(0.2, 0.9, len(mass)),
        "Mi": np.where(sim.halos["is_central"], 0.0, peak),
        **{x: sim.halos["position"][:, k] for k, x in enumerate("xyz")},
    }
    made = Table(columns)
    made.add_row([10**12, 1e12, 0.5, 0.0, 1.0, 1.0, 1.0])
    return made[rng.permutation(len(made))]


def joined(table, columns=MAP):
    return mockgal.read(DARK, history=table, history_columns=columns)


def test_every_subhalo_has_its_own_row(sim, table):
    found = joined(table)
    by_id = {row["subhalo"]: row for row in table}
    for name, column in (("peak_mass", "Mp"), ("half_mass_scale", "a50")):
        expected = [by_id[one][column] for one in sim.halos["halo_id"]]
        assert np.array_equal(found.halos[name], expected)
    record = found.snapshot.record["history"]
    assert (record["joined"], record["on_no_subhalo"], record["rows"]) == (456, 1, 457)
    assert set(found.halos.columns) - set(sim.halos.columns) == {"peak_mass", "half_mass_scale"}


def test_centrals_without_an_infall_have_their_own_mass(sim, table):
    found = joined(table, INFALL)
    central = sim.halos["is_central"]
    assert np.array_equal(found.halos["infall_mass"][central], sim.halos["mass"][central])
    satellites = found.halos["infall_mass"][~central]
    assert np.array_equal(satellites, found.halos["peak_mass"][~central])
    record = found.snapshot.record["history"]
    assert record["centrals_with_mass_as_infall_mass"] == central.sum()


def test_positions_join_and_prove(sim, table):
    by_place = "position=x y z [Mpc/h], half_mass_scale=a50"
    without = table[table["subhalo"] != 10**12]
    found = joined(without, by_place)
    assert np.array_equal(found.halos["half_mass_scale"], joined(table).halos["half_mass_scale"])
    moved = without.copy()
    moved["subhalo"] = np.roll(moved["subhalo"], 1)
    with pytest.raises(MockgalError, match="away from the subhalo with their id"):
        joined(moved, "halo_id=subhalo, " + by_place)


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        (lambda t: t[5:], MAP, "no row for [45] of 456 subhalos"),
        (lambda t: t, "halo_id=subhalo, half_mass_scale=a50", "ids that count rows fit any run"),
        (lambda t: t, "halo_id=subhalo", "no column for any of concentration, peak_mass"),
        (lambda t: t, "halo_id=subhalo, peak_mass=Mp", "no unit of peak_mass"),
        (lambda t: t, "halo_id=subhalo, mass=Mp [Msun/h]", "found mass, expected some of halo_id"),
        (lambda t: _with(t, "a50", 3.0), MAP, "1 impossible values, the first 3"),
        (lambda t: _with(t, "a50", np.nan), MAP, "1 impossible values, the first nan"),
        (lambda t: _shuffled(t), MAP, "rank correlation"),
        (lambda t: _twice(t), MAP, "1 rows on a subhalo that another row is on"),
        (lambda t: _of_others(t), MAP, "which no subhalo of"),
    ],
)
def test_what_is_refused(table, change, columns, message):
    with pytest.raises(MockgalError, match=message):
        joined(change(table.copy()), columns)


def _with(table, name, value):
    table[name][np.flatnonzero(table["subhalo"] < 10**12)[0]] = value
    return table


def _shuffled(table):
    table["Mp"] = np.random.default_rng(2).permutation(table["Mp"])
    return table


def _twice(table):
    own = np.flatnonzero(table["subhalo"] < 10**12)
    table["subhalo"][own[0]] = table["subhalo"][own[1]]
    return table


def _of_others(table):
    table["subhalo"] += 10**9
    return table


def test_a_column_that_is_there_already(table, tmp_path):
    table.write(tmp_path / "tree.csv")
    mockgal.pack(DARK, tmp_path / "sim.hdf5", history=tmp_path / "tree.csv", history_columns=MAP)
    again = mockgal.read(tmp_path / "sim.hdf5")
    assert again.halos.digest() == joined(table).halos.digest()
    assert again.snapshot.record["history"]["joined"] == 456
    with pytest.raises(MockgalError, match="half_mass_scale, which"):
        mockgal.read(tmp_path / "sim.hdf5", history=table, history_columns=MAP)
    with pytest.raises(MockgalError, match="columns without --history"):
        mockgal.read(DARK, history_columns=MAP)


def test_pack_says_what_was_joined_and_matching_uses_it(table, tmp_path):
    table.write(tmp_path / "tree.csv")
    more = ("--history", "tree.csv", "--history-columns", MAP, "--out", "sim.hdf5")
    result = run_in_terminal("pack", "--sim", DARK, *more, cwd=tmp_path, stdout_piped=True)
    assert (
        "history: peak_mass, half_mass_scale: 456 of 457 rows are joined to subhalos by halo id; "
        "on no subhalo, and left out: 1" in result.stdout
    )
    mock = mockgal.paint(
        mockgal.read(tmp_path / "sim.hdf5"),
        "sham",
        seed=1,
        proxy="mpeak",
        mass_function="baldry2012",
        scatter="0.2 dex",
    )
    assert len(mock)

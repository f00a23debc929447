"""The shipped table tng100-1: from the public catalogue, by the script that is kept."""

import csv
import gzip
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from mockgal.painters.draw import paint_scene
from mockgal.painters.hod.columns import TWIN
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import META, named

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data"
sys.path.insert(0, str(ROOT / "studies"))
import calibrate_tng100  # noqa: E402

real_data = pytest.mark.real_data
quiet = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
H = 0.6774


@pytest.fixture(scope="module")
def table():
    return named("tng100-1")


@pytest.fixture(scope="module")
def tables():
    folder = DATA / "tng100-1/tables"
    if not folder.is_dir():
        pytest.skip("no TNG100-1 tables")
    return calibrate_tng100.read(folder)


class TestShipped:
    def test_what_it_says(self, table):
        assert not table.has_twin
        assert not set(TWIN) & set(table.columns)
        assert table.binned_by == {"central": "bound", "satellite": "host"}
        assert table.edges(0)[0] == 11.0
        assert 10 ** table.edges(1)[0] == pytest.approx(7e12, rel=0.02)
        assert table.particle_mass == pytest.approx(  # 1820^3 of them hold the matter of the box
            0.3089 * 2.77536627e11 * 75.0**3 / 1820**3, rel=1e-3
        )
        cited = " ".join(table.provenance["references"])
        assert "1812.05609" in cited
        assert "1707.03406" in cited
        assert "SubhaloFlag = 1" in table.provenance["sample"]

    def test_every_bin_stands_on_enough(self, table):
        c = table.columns
        assert np.all(c["hosts_hydro"][table.rows(0)] >= calibrate_tng100.LEAST_CENTRALS)
        assert np.all(c["hosts_hydro"][table.rows(1)] >= calibrate_tng100.LEAST_HOSTS)
        assert np.all(c["residual_source"] == "bin")

    def test_it_is_plausible(self, table):
        """Stellar masses and scatter that observers and simulators would recognise."""
        c = table.columns
        assert table.median_log_stellar_mass(0, np.array([12.0])) == pytest.approx(10.5, abs=0.1)
        error = 0.25 / np.sqrt(c["hosts_hydro"][table.rows(0)])  # of a median
        assert np.all(np.diff(c["curve_log_stellar_mass"][table.rows(0)]) > -error[1:])
        width = [
            0.5 * np.subtract(*np.interp([0.84, 0.16], table.residual_probability, q))
            for q in c["residual_quantiles"][table.rows(0)]
        ]
        assert np.all((np.array(width) > 0.08) & (np.array(width) < 0.28))
        assert np.all(np.diff(c["number_hydro_mean"][table.rows(1)]) > 0)
        assert np.all(c["luminous_probability"][table.rows(0)] == 1)


@real_data
def test_the_script_makes_the_shipped_table(tables, table):
    """To rounding: sums in another order, as of other instruction sets, have other last digits."""
    made = calibrate_tng100.calibrate(tables)
    assert set(made.columns) == set(table.columns)
    for name, values in table.columns.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(
                made.columns[name], values, rtol=1e-12, atol=1e-13, err_msg=name
            )
        else:
            np.testing.assert_array_equal(made.columns[name], values, err_msg=name)
    made.provenance["made_by"] = table.provenance["made_by"]  # where the script was
    for name in META:
        np.testing.assert_equal(getattr(made, name), getattr(table, name), err_msg=name)


@real_data
def test_rows_against_an_independent_reading(tables, table):
    folder = DATA / "tng100-1/tables"
    with gzip.open(folder / "galaxies_half.csv.gz", "rt") as text:
        rows = [row for row in csv.DictReader(text) if row["is_central"] == "True"]
    bound, stellar = (
        np.log10([float(row[key]) * 1e10 for row in rows])
        for key in ("SubhaloMass", "SubhaloMassStellar")
    )
    c = table.columns
    for row in (0, 5, 10):  # below the groups' limit: the random half alone
        chosen = (bound >= c["log_mass_low"][row]) & (bound < c["log_mass_high"][row])
        assert c["luminous_hydro"][row] == chosen.sum()
        trend = table.median_log_stellar_mass(0, bound[chosen])
        trend -= c["curve_log_stellar_mass"][row]
        node = np.median(stellar[chosen] - trend)
        assert c["curve_log_stellar_mass"][row] == pytest.approx(node, abs=0.005)
    with h5py.File(folder / "groups_8-300.hdf5") as file:
        host_mass = dict(
            zip(
                file["Group/GroupID"][()].tolist(),
                (file["Group/Group_M_Crit200"][()] * 1e10).tolist(),
                strict=True,
            )
        )
        central = set(file["Group/GroupFirstSub"][()].tolist())
        luminous = dict.fromkeys(host_mass, 0)
        for identity, group, flag, mass in zip(
            file["Subhalo/SubfindID"][()].tolist(),
            file["Subhalo/SubhaloGrNr"][()].tolist(),
            file["Subhalo/SubhaloFlag"][()].tolist(),
            file["Subhalo/SubhaloMassType"][:, 4].tolist(),
            strict=True,
        ):
            luminous[group] += flag and identity not in central and mass * 1e10 >= 1e8
    for row in range(table.rows(1).start, table.rows(1).stop):
        low, high = 10 ** c["log_mass_low"][row], 10 ** c["log_mass_high"][row]
        number = [luminous[g] for g, mass in host_mass.items() if low <= mass < high]
        assert c["hosts_hydro"][row] == len(number)
        assert c["luminous_hydro"][row] == sum(number)
        assert c["number_hydro_mean"][row] == pytest.approx(np.mean(number))
        assert c["number_hydro_variance"][row] == pytest.approx(np.var(number))


@real_data
def test_the_half_is_the_published_mass_function(tables):
    """Twice the counts, 1e8.3 to 1e11.2 Msun; the published masses are those within 30 kpc."""
    published = np.loadtxt(DATA / "published/Pillepich2018_TNG100.txt")
    log_mass = np.log10(tables.half["stellar_mass"] / H)
    volume = (75.0 / H) ** 3
    compared = 0
    for mass, density in published[:, :2]:
        if 8.3 < np.log10(mass) < 11.2:
            found = 2.0 * np.sum(np.abs(log_mass - np.log10(mass)) < 0.1)
            assert found / (density * volume * 0.2) == pytest.approx(1.0, abs=0.12)
            compared += 1
    assert compared == 15


def painted(scene, table, central, edges, draws=10):
    """Mean number of painted galaxies per bin of log M*."""
    painter = HODPainter(table, missing_twin="uncorrected")
    number = np.zeros(len(edges) - 1)
    for seed in range(draws):
        mock = paint_scene(scene, painter, seed=seed)
        chosen = mock["is_central"] == central
        number += np.histogram(np.log10(mock["stellar_mass"][chosen]), edges)[0]
    return number / draws


@real_data
@quiet
def test_centrals_painted_on_their_own_bound_masses(tables, table):
    """The stellar-mass function that they have, within the errors of counting."""
    edges = np.arange(8.0, 12.7, 0.2)
    half = tables.half
    chosen = half["central"] & (half["mass"] >= 1e11)
    true = np.histogram(np.log10(half["stellar_mass"][chosen]), edges)[0]
    mine = painted(calibrate_tng100.own_halos(tables)[0], table, True, edges)
    assert mine.sum() == pytest.approx(chosen.sum(), abs=1)
    assert np.all(np.abs(mine - true) < 3.0 * np.sqrt(np.maximum(true, 3.0)))
    well_measured = true >= 100
    assert well_measured.sum() >= 9
    np.testing.assert_allclose(mine[well_measured] / true[well_measured], 1.0, atol=0.06)


@real_data
@quiet
@pytest.mark.slow
def test_satellites_painted_on_their_own_subhalos(tables, table):
    edges = np.arange(8.0, 12.1, 0.2)
    sub = tables.subhalos
    host = tables.groups["Group_M_Crit200"][sub["host"]] * 1e10
    chosen = sub["flag"] & ~sub["central"] & (sub["stellar_mass"] >= 1e8)
    chosen &= np.log10(host) >= table.edges(1)[0]
    true = np.histogram(np.log10(sub["stellar_mass"][chosen]), edges)[0]
    scene = calibrate_tng100.own_halos(tables)[1]
    mine = painted(scene, table, False, edges)
    unresolved = table.provenance["luminous_satellites_unresolved"]
    assert mine.sum() == pytest.approx(chosen.sum() - unresolved, rel=0.02)
    scaled = mine * (chosen.sum() / mine.sum())
    assert np.all(np.abs(scaled - true) < 3.0 * np.sqrt(np.maximum(true, 3.0)))
    record = HODPainter(table, missing_twin="uncorrected").predict(scene).record
    assert record["satellites_short"] == pytest.approx(unresolved, rel=0.5)


@real_data
def test_all_subhalos_of_the_mass_of_centrals_are_luminous(tables):
    """What can be measured of the assumption that every central above 1e11 Msun/h is."""
    sub = tables.subhalos
    heavy = sub["flag"] & (sub["mass"] >= 1e11)
    assert heavy.sum() > 1000
    assert np.all(sub["stellar_mass"][heavy] >= calibrate_tng100.FLOOR)
    half = tables.half
    lowest = half["central"] & (np.abs(np.log10(half["mass"]) - 11.05) < 0.05)
    near = half["stellar_mass"][lowest] < 2 * calibrate_tng100.FLOOR
    assert near.mean() < 0.01

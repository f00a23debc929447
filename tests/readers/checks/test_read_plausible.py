"""Values that no halo has: refused with the row, the bound and a way out that works."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from halotools_samples import columns, facts, write_table

import mockgal
from mockgal.cli.screen.left_out import left_out
from mockgal.errors import BadValueError, MockgalWarning, UnitsError
from mockgal.protocols import ReadOptions
from mockgal.readers.checks import plausible
from mockgal.readers.detect import read
from mockgal.testing import synthetic_pair, write_arepo, write_gadget4
from mockgal.types import HaloCatalog

DATA = Path(__file__).parents[4] / "shared/data"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = write_gadget4(tmp_path_factory.mktemp("run"), files=1, groups=60, snapshots=False)
    return read(path)


def _one(name, row, value):
    def change(table):
        table[name] = table[name].astype("f8")
        table[name][row] = value

    return change


CASES = {
    "speed": (_one("halo_vx", 3, 1e30), "velocity"),
    "vmax": (_one("halo_vmax", 3, 1e30), "vmax"),
    "host": (_one("halo_m200c", 0, 1e40), "host_mass"),
    "negative mass": (_one("halo_mvir", 3, -1.0), "mass"),
    "denormal": (_one("halo_mvir", 3, 5e-324), "mass"),
    "more than the box": (_one("halo_mvir", 3, 1e17), "mass_over_matter"),
}


@pytest.mark.fault(31)
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_vmax_in_another_unit(tmp_path, scene, factor):
    """All rows are within the bounds of the column; only with the masses they cannot be."""
    table = columns(scene)
    table["halo_vmax"] = table["halo_vmax"].clip(0, 29.0) if factor > 1 else table["halo_vmax"]
    table["halo_vmax"] = table["halo_vmax"] * factor
    path = write_table(tmp_path / "t.hdf5", table, facts(scene))
    with pytest.raises(UnitsError, match=r"vmax of .* the circular velocity.*km/s") as error:
        read(path)
    assert "halo_vmax" in error.value.where
    changed = dict(scene.halos.columns) | {"vmax": scene.halos["vmax"] * 1e-3}
    halos = HaloCatalog(changed, scene.halos.mass_definition, scene.halos.record)
    with pytest.raises(UnitsError, match="vmax of 0"):
        plausible.check_scene(replace(scene, halos=halos), "plug-in")


@pytest.mark.fault(35)
@pytest.mark.parametrize("case", CASES)
def test_impossible_values(tmp_path, scene, case):
    change, counted = CASES[case]
    table = {k: v for k, v in columns(scene).items() if k not in ("halo_r200c",)}
    change(table)
    path = write_table(tmp_path / "t.hdf5", table, facts(scene))
    with pytest.raises(BadValueError, match="halo_id") as error:
        read(path)
    assert "--drop-bad" in error.value.fix
    assert "row" in error.value.where
    halos = read(path, ReadOptions(drop_bad=True, orphans="drop")).halos
    assert halos.record["dropped_bad"] >= 1
    assert halos.record[f"dropped_for_{counted}"] >= 1


WRONG_COLUMNS = {
    "velocity": lambda table: table | {"halo_vx": table["halo_vx"] * 1e6},
    "mass": lambda table: table | {n: table[n] * 1e5 for n in ("halo_mvir", "halo_m200c")},
    "nothing": lambda table: table | {"halo_mvir": table["halo_mvir"] * 0},
}


@pytest.mark.fault(35)
@pytest.mark.parametrize("wrong", WRONG_COLUMNS)
def test_a_wrong_column_is_refused_and_not_all_rows_dropped(tmp_path, scene, wrong):
    table = {k: v for k, v in columns(scene).items() if k != "halo_r200c"}
    path = write_table(tmp_path / "t.hdf5", WRONG_COLUMNS[wrong](table), facts(scene))
    for options in (ReadOptions(), ReadOptions(drop_bad=True)):
        with pytest.raises((BadValueError, UnitsError)) as error:
            read(path, options)
        assert "unit" in error.value.fix
        assert "--drop-bad" not in error.value.fix


def test_dropping_all_rows_is_refused(tmp_path, scene):
    table = {k: v for k, v in columns(scene).items() if k != "halo_r200c"}
    table["halo_m200c"] = table["halo_m200c"] * 0
    path = write_table(tmp_path / "t.hdf5", table, facts(scene))
    with pytest.raises(BadValueError, match="--drop-bad") as error:
        read(path, ReadOptions(drop_bad=True))
    assert "--mass-definition" in error.value.fix
    read(path, ReadOptions(mass_definition="vir", drop_bad=True))


def test_the_screen_says_why_rows_are_left_out():
    record = {"dropped_bad": 3, "dropped_for_vmax": 2, "dropped_for_velocity": 1}
    (line,) = left_out(record)
    assert line.startswith("3 rows with impossible values")
    assert line.endswith(": 2 by vmax, 1 by velocity")


def _satellite(halos):
    """A satellite's row, and a copy of the columns."""
    changed = {name: values.copy() for name, values in halos.columns.items()}
    return int(np.flatnonzero(~halos["is_central"])[0]), changed


@pytest.mark.fault(35)
@pytest.mark.parametrize("wrong", ["heavy", "far", "massless", "stars"])
def test_columns_that_contradict_each_other(wrong):
    hydro, _ = synthetic_pair(50)
    row, changed = _satellite(hydro.halos)
    if wrong == "heavy":
        changed["mass"][row] = 100 * changed["host_mass"][row]
        changed["stellar_mass"][row] = 0
    elif wrong == "far":
        changed["position"][row] = (changed["position"][row] + 20) % hydro.snapshot.box_size
    elif wrong == "massless":
        changed["mass"][:] = 0
    else:
        changed["stellar_mass"][row] = 5 * changed["mass"][row]
    found = [finding.name for finding in plausible.impossible(changed, hydro.snapshot)]
    name = {
        "heavy": "satellite_over_host",
        "far": "satellite_far_from_host",
        "massless": "mass_all_zero",
        "stars": "stars_over_bound",
    }[wrong]
    assert name in found
    assert not list(plausible.impossible(hydro.halos.columns, hydro.snapshot))


def test_rare_values_are_read_counted_and_told():
    _, dark = synthetic_pair(50)
    row, changed = _satellite(dark.halos)
    changed["velocity"][row, 0] = 2e4
    record = {}
    with pytest.warns(MockgalWarning, match="1 values above 10000 km/s"):
        plausible.tell_rare(changed, dark.snapshot, "{}, row {}".format, record)
    assert record == {"rare_velocity": 1}


def test_no_catalogue_goes_by():
    """Readers of plug-ins make these, too."""
    _, dark = synthetic_pair(20)
    _, changed = _satellite(dark.halos)
    changed["velocity"][0, 0] = 1e30
    with pytest.raises(BadValueError, match="halo column velocity, row 0"):
        HaloCatalog(changed, "200c")


@pytest.mark.fault(35)
@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0])
def test_radii_that_end_the_check(tmp_path, scene, value):
    table = columns(scene)
    table["halo_r200c"] = np.full_like(table["halo_r200c"], value)
    path = write_table(tmp_path / "t.hdf5", table, facts(scene))
    with pytest.raises(BadValueError, match=r"halo_r200c\]: found .* radii"):
        read(path)
    with pytest.warns(MockgalWarning, match="check of units"):
        found = read(path, ReadOptions(drop_bad=True))
    assert found.snapshot.record["radii_left_out_of_check"] > 0


def test_without_radii_it_is_said(tmp_path, scene):
    table = {name: v for name, v in columns(scene).items() if name != "halo_r200c"}
    path = write_table(tmp_path / "t.hdf5", table, facts(scene))
    with pytest.warns(MockgalWarning, match="no column of radii"):
        found = read(path)
    assert "masses_within_radii_not_checked" in found.snapshot.record


@pytest.mark.parametrize("write", [write_gadget4, write_arepo])
def test_what_a_code_writes_is_not_rare(tmp_path, write):
    halos = mockgal.read(write(tmp_path, groups=40, snapshots=False)).halos
    assert not [name for name in halos.record if name.startswith(plausible.RARE)]


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="needs shared/data beside the repository")
@pytest.mark.parametrize("name", ["dark/groups_002", "hydro/groups_000", "hydro/groups_002"])
def test_runs_are_neither_refused_nor_rare(name):
    halos = read(DATA / "gadget4" / name).halos
    assert not [key for key in halos.record if key.startswith((plausible.RARE, "dropped_for"))]

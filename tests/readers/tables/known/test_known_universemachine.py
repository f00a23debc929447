"""UniverseMachine's catalogues; files made from the published layout, no real one was at hand."""

import known_samples
import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, check

import mockgal
from mockgal.errors import CorruptFileError, MissingDatasetError, UnitsError
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.universemachine import RECORD, UniverseMachineReader
from mockgal.testing import reader_contract

GIVEN = {"box_size": BOX, **COSMOLOGY_GIVEN}
COLUMNS = {
    **{name: name for name in ("id", "upid", *"xyz", "vx", "vy", "vz")},
    "m": "mvir",
    "mp": "mvir",
    "r": "rvir",
    "v": "vmax",
    "vmp": "vmax",
}


def halos():
    """Halos whose ids are below those of orphans."""
    table = known_samples.halos()
    first = table["id"].min()
    table["id"] = table["id"] - first
    table["upid"] = np.where(table["central"], -1, table["upid"] - first)
    return table


def records():
    table = halos()
    rows = np.zeros(len(table["id"]), RECORD)
    for name, own in COLUMNS.items():
        rows[name] = table[own]
    rows["descid"] = -1
    return rows


def write_text(path, ignored=()):
    table = halos()
    table["flags"] = np.isin(np.arange(len(table["id"])), ignored) * 16
    names = [
        "ID",
        "DescID",
        "UPID",
        "Flags",
        "Uparent_Dist",
        "X",
        "Y",
        "Z",
        "VX",
        "VY",
        "VZ",
        "M",
        "V",
        "MP",
        "VMP",
        "R",
        "SM",
    ]
    own = {**COLUMNS, "flags": "flags"}
    columns = [table[own.get(n.lower(), "pid")] for n in names]
    rows = zip(*(values.tolist() for values in columns), strict=True)
    lines = ["#" + " ".join(names), *(" ".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_record_is_as_published():
    assert RECORD.itemsize == 128
    assert (RECORD.fields["x"][1], RECORD.fields["m"][1], RECORD.fields["sm"][1]) == (32, 68, 100)


def test_values(tmp_path):
    path = tmp_path / "sfr_catalog_0.500000.bin"
    records().tofile(path)
    assert detect(path) == "universemachine"
    scene = mockgal.read(path, **GIVEN)
    check(scene, halos(), host_mass="mvir", rtol=1e-6)
    assert scene.snapshot.redshift == 1.0  # of the name
    assert scene.halos.mass_definition == "vir"


def test_the_same_as_text(tmp_path):
    path = write_text(tmp_path / "sfr_catalog_0.500000.txt")
    assert detect(path) == "universemachine"
    check(mockgal.read(path, **GIVEN), halos(), host_mass="mvir")


@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_halos_to_ignore_are_left_out(tmp_path, kind):
    path, rows, table = tmp_path / f"sfr_catalog_0.500000.{kind}", records(), halos()
    satellites = np.flatnonzero(~table["central"])[:2]
    rows["flags"] = 32 + 8 + 4  # other bits are UniverseMachine's own
    rows["flags"][satellites] |= 16
    rows.tofile(path)
    if kind == "txt":
        write_text(path, satellites)
    found = mockgal.read(path, **GIVEN).halos
    assert found.record["ignored_dropped"] == 2
    assert not np.isin(table["id"][satellites], found["halo_id"]).any()
    assert len(found) == len(rows) - 2


def test_orphans_are_counted_and_said(tmp_path):
    rows = records()
    satellites = np.flatnonzero(rows["upid"] >= 0)[:3]
    rows["id"][satellites] += 10**15 * np.arange(1, 4)
    rows.tofile(tmp_path / "sfr_catalog_0.500000.bin")
    with pytest.warns(UserWarning, match=f"3 of {len(rows)} rows are orphans"):
        scene = mockgal.read(tmp_path / "sfr_catalog_0.500000.bin", **GIVEN)
    assert scene.snapshot.record["orphans_of_the_model"] == 3
    assert set(rows["id"][satellites]) <= set(scene.halos["halo_id"][~scene.halos["is_central"]])


def test_contract(tmp_path):
    records().tofile(tmp_path / "sfr_catalog_0.500000.bin")
    reader_contract(UniverseMachineReader, tmp_path / "sfr_catalog_0.500000.bin", **GIVEN)


def test_facts_are_asked_for(tmp_path):
    records().tofile(tmp_path / "renamed")
    with pytest.raises(MissingDatasetError, match="box_size, redshift, h"):
        mockgal.read(tmp_path / "renamed")


@pytest.mark.parametrize("name", ["id", "upid", "x", "vx", "m", "v"])
def test_other_bytes_are_not_taken_for_records(tmp_path, name):
    rows = records()
    rows[name] = -5
    if name in ("x", "vx"):
        rows[name] = np.nan
    rows.tofile(tmp_path / "other")
    assert not UniverseMachineReader().detect(tmp_path / "other")
    (tmp_path / "other").write_bytes(np.random.default_rng(1).bytes(128 * 50))
    assert not UniverseMachineReader().detect(tmp_path / "other")
    (tmp_path / "other").write_bytes(bytes(128 * 50))
    assert not UniverseMachineReader().detect(tmp_path / "other")


def test_a_wrong_redshift_in_the_name(tmp_path):
    records().tofile(tmp_path / "sfr_catalog_1.000000.bin")
    with pytest.raises(UnitsError, match="density"):
        mockgal.read(tmp_path / "sfr_catalog_1.000000.bin", **GIVEN)


def test_a_cut_file(tmp_path):
    path = tmp_path / "sfr_catalog_0.500000.bin"
    path.write_bytes(records().tobytes()[:-5])
    assert not UniverseMachineReader().detect(path)
    with pytest.raises(CorruptFileError):
        UniverseMachineReader().table(path)

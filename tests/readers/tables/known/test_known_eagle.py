"""Tables of EAGLE's database; files made from the published layout, no real one was at hand."""

import gzip

import numpy as np
import pytest
from astropy.table import Table
from known_samples import BOX, COSMOLOGY_GIVEN, H, halos

import mockgal
from mockgal.errors import BadValueError, CorruptFileError, HeaderError, MissingDatasetError
from mockgal.readers.detect import detect
from mockgal.readers.tables.formats import text_rows
from mockgal.readers.tables.known.eagle import EagleReader
from mockgal.testing import reader_contract

GIVEN = {"box_size": BOX, **COSMOLOGY_GIVEN}
QUERY = [
    "OK",
    "SQL= SELECT sub.*, fof.Group_M_Crit200, fof.Group_R_Crit200",
    "\t FROM RefL0100N1504_SubHalo AS sub, RefL0100N1504_FOF AS fof",
    "\t WHERE sub.GroupID = fof.GroupID AND sub.SnapNum = 19",
    "MAXROWS UNLIMITED",
    "QUERYTIMEOUT 1800 sec",
    "QUERYTIME 23 millisec",
]


def columns(**changes):
    """As in the database: free of h, and in the order of ids rather than of groups."""
    table = halos()
    rows = np.argsort(table["id"])
    group = np.where(table["central"], np.arange(len(rows)), table["host_row"])
    rank = np.where(table["central"], 0, 1 + np.arange(len(rows)))
    found = {
        "GalaxyID": table["id"],
        "GroupID": 19_000_000_000_001 + group,
        "SubGroupNumber": rank,
        "Redshift": np.full(len(rows), 1.0),
        **{f"CentreOfPotential_{x}": table[x] / H for x in "xyz"},
        **{f"Velocity_{x}": table[f"v{x}"] for x in "xyz"},
        "Mass": table["mvir"] / H,
        "MassType_Star": table["mvir"] / H * 0.02,
        "HalfMassRad_Star": np.full(len(rows), 3.0),
        "Vmax": table["vmax"],
        "Spurious": np.zeros(len(rows), int),
        "Group_M_Crit200": table["m200c"][group] / H,
        "Group_R_Crit200": table["r200c"][group] / H * 1e3 / 2,
    }
    found = {name: values[rows] for name, values in found.items()} | changes
    return {name: values for name, values in found.items() if values is not None}


def write(path, found, end="#OK\n"):
    """As the database sends it."""
    named = [f"COLUMN {k} name={n} JDBC_TYPE=8 JDBC_TYPENAME=float" for k, n in enumerate(found, 1)]
    rows = zip(*(values.tolist() for values in found.values()), strict=True)
    lines = [*(f"#{line}" for line in (*QUERY, *named)), ",".join(found)]
    lines += [",".join(map(repr, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n" + end)
    return path


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "without pyarrow", "votable", "fits"])
def test_values(tmp_path, kind, monkeypatch):
    path = tmp_path / f"eagle.{kind}"
    if kind in ("votable", "fits"):
        Table(columns()).write(path, format=kind)
    else:
        write(path, columns())
    if kind == "csv.gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    if kind == "without pyarrow":
        monkeypatch.setattr(text_rows, "find_spec", lambda name: None)
    assert detect(path) == "eagle"
    scene = mockgal.read(path, **GIVEN)
    order = np.argsort(scene.halos["halo_id"])
    found = scene.halos.take(order)
    table = {name: values[np.argsort(halos()["id"])] for name, values in halos().items()}
    np.testing.assert_array_equal(found["halo_id"], table["id"])
    np.testing.assert_array_equal(found["is_central"], table["central"])
    host = np.where(table["central"], table["id"], table["upid"])
    np.testing.assert_array_equal(found["host_id"], host)
    for name, own in {"position": "position", "velocity": "velocity", "mass": "mvir"}.items():
        np.testing.assert_allclose(found[name], table[own], rtol=1e-9)
    np.testing.assert_allclose(found["stellar_mass"], table["mvir"] * 0.02, rtol=1e-9)
    np.testing.assert_allclose(found["stellar_half_mass_radius"], 3e-3 * H * 2, rtol=1e-9)
    assert scene.snapshot.redshift == 1.0
    assert scene.snapshot.record["density_over_definition"] == pytest.approx(1, rel=1e-3)
    assert scene.snapshot.record["stellar_mass_definition"] == "bound"
    if kind not in ("votable", "fits"):
        assert scene.snapshot.name == "RefL0100N1504"
    assert mockgal.read(path, **GIVEN, stellar_mass_definition="bound").halos.digest()


def test_contract(tmp_path):
    reader_contract(EagleReader, write(tmp_path / "eagle.csv", columns()), **GIVEN)


def test_what_the_table_does_not_state_is_asked_for(tmp_path):
    path = write(tmp_path / "eagle.csv", columns(Redshift=None))
    with pytest.raises(MissingDatasetError, match="no box_size, redshift, h") as caught:
        mockgal.read(path)
    assert "--h " in caught.value.fix


def test_without_host_masses_the_query_is_told(tmp_path):
    path = write(tmp_path / "eagle.csv", columns(Group_M_Crit200=None, Group_R_Crit200=None))
    with pytest.raises(MissingDatasetError, match="no mass of the groups") as caught:
        mockgal.read(path, **GIVEN)
    assert "FROM RefL0100N1504_SubHalo AS sub, RefL0100N1504_FOF AS fof" in caught.value.fix
    scene = mockgal.read(path, **GIVEN, columns="host_mass=Mass [Msun]", mass_definition="vir")
    assert scene.halos.mass_definition == "vir"


def test_satellites_whose_central_is_not_in_the_table(tmp_path):
    found = columns()
    satellites = found["GroupID"][found["SubGroupNumber"] > 0]
    group = satellites[0]
    kept = ~((found["GroupID"] == group) & (found["SubGroupNumber"] == 0))
    path = write(tmp_path / "eagle.csv", {n: v[kept] for n, v in found.items()})
    orphans = np.count_nonzero(satellites == group)
    with pytest.raises(BadValueError, match=f"{orphans} of {len(satellites)} satellites without"):
        mockgal.read(path, **GIVEN)
    scene = mockgal.read(path, **GIVEN, orphans="drop")
    assert scene.halos.record["orphans_dropped"] == orphans
    scene = mockgal.read(path, **GIVEN, orphans="central")
    assert scene.halos.record["orphans_made_central"] == orphans


def test_spurious_subhalos_and_groups_without_a_mass_are_left_out(tmp_path):
    found = columns()
    found["Spurious"][np.flatnonzero(found["SubGroupNumber"] > 0)[0]] = 1
    alone = np.setdiff1d(found["GroupID"], found["GroupID"][found["SubGroupNumber"] > 0])[0]
    found["Group_M_Crit200"][found["GroupID"] == alone] = 0
    path = write(tmp_path / "eagle.csv", found)
    with pytest.warns(UserWarning, match="1 hosts for which the file has no 200c mass"):
        record = mockgal.read(path, **GIVEN).halos.record
    assert record["spurious_dropped"] == 1
    assert record["hosts_without_mass_dropped"] == 1


def test_dark_matter_for_the_bound_mass_is_said(tmp_path):
    found = columns()
    found["MassType_DM"] = found.pop("Mass")
    path = write(tmp_path / "eagle.csv", found)
    with pytest.warns(UserWarning, match="MassType_DM is taken for the bound mass"):
        mockgal.read(path, **GIVEN)
    del found["MassType_Star"], found["HalfMassRad_Star"]  # of a run of dark matter alone
    assert "stellar_mass" not in mockgal.read(write(path, found), **GIVEN).halos


@pytest.mark.parametrize("end", ["", "#TIMEOUT\n"])
@pytest.mark.parametrize("engine", ["pyarrow", "numpy"])
def test_an_answer_that_was_cut(tmp_path, end, engine, monkeypatch):
    if engine == "numpy":
        monkeypatch.setattr(text_rows, "find_spec", lambda name: None)
    path = write(tmp_path / "eagle.csv", columns(), end)
    with pytest.raises(CorruptFileError, match="#OK, as the database ends a whole answer"):
        mockgal.read(path, **GIVEN)


def test_several_times_and_two_centrals(tmp_path):
    found = columns()
    found["Redshift"][3] = 0.5
    with pytest.raises(HeaderError, match=r"several redshifts, from 0\.5 to 1"):
        mockgal.read(write(tmp_path / "eagle.csv", found), **GIVEN)
    found = columns()
    found["SubGroupNumber"][:] = 0
    with pytest.raises(BadValueError, match="groups with two rows whose SubGroupNumber is 0"):
        mockgal.read(write(tmp_path / "eagle.csv", found), **GIVEN)

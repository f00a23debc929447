"""One run as a table in every format, and in memory: the same halos as in a bundle."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from table_samples import (
    FACTS,
    MAP,
    OBJECTS,
    UNITS,
    WRITERS,
    as_object,
    columns,
    text,
    write_fits,
    write_hdf5,
    write_parquet,
)

import mockgal
from mockgal.errors import CorruptFileError, UsageError, listening
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import detect
from mockgal.readers.tables.formats import text_rows
from mockgal.testing import reader_contract
from mockgal.types import HaloCatalog
from mockgal.writers.bundle import write_bundle

# pandas warns of names of columns that PyTables cannot use as attributes.
pytestmark = pytest.mark.filterwarnings("ignore:.*object name is not a valid Python identifier")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The digest of the halos, made without the reader."""
    table = columns()
    central = table["upid"] == -1
    row = {int(i): k for k, i in enumerate(table["id"])}
    host = [
        k if c else row[int(p)] for k, (c, p) in enumerate(zip(central, table["upid"], strict=True))
    ]
    halos = HaloCatalog(
        {
            "halo_id": table["id"],
            "host_id": table["id"][host],
            "is_central": central,
            "position": np.stack([table[x] for x in "xyz"], axis=1),
            "velocity": np.stack([table[f"v{x}"] for x in "xyz"], axis=1),
            "mass": table["mvir"],
            "host_mass": table["m200c"][host],
            "vmax": table["vmax"],
            "n_particles": table["npart"],
        },
        "200c",
        {},
    )
    return halos.digest()


@pytest.mark.parametrize("name", WRITERS)
def test_files(tmp_path, name, expected):
    WRITERS[name](tmp_path / name, columns())
    assert detect(tmp_path / name) == "table"
    scene = mockgal.read(tmp_path / name, columns=MAP, **FACTS)
    assert scene.halos.digest() == expected
    assert scene.halos.record["satellites"] == 27
    assert scene.snapshot.source[0].digest


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects(kind, expected):
    scene = mockgal.read(as_object(kind, columns()), columns=MAP, **FACTS)
    assert scene.halos.digest() == expected
    assert scene.snapshot.source == ()


def test_the_mock_is_that_of_the_bundle(tmp_path):
    (tmp_path / "halos.csv").write_text(text(columns()))
    scene = mockgal.read(tmp_path / "halos.csv", columns=MAP, **FACTS)
    write_bundle(scene, tmp_path / "halos.hdf5")
    with listening(quiet=True):
        mocks = [
            mockgal.paint(sim, "hod", seed=1, allow_extrapolation=True).digest()
            for sim in (scene, mockgal.read(tmp_path / "halos.hdf5"))
        ]
    assert mocks[0] == mocks[1]
    with pytest.raises(UsageError, match="--columns"):
        mockgal.read(tmp_path / "halos.hdf5", columns=MAP)


@pytest.mark.parametrize("name", ["halos.csv", "halos.fits", "halos.hdf5", "halos.npz"])
def test_contract(tmp_path, name):
    WRITERS[name](tmp_path / name, columns())
    reader_contract("table", tmp_path / name, columns=MAP, **FACTS)


@pytest.mark.parametrize("name", ["halos.csv", "halos.tsv", "halos.ecsv", "halos.csv.bz2"])
def test_texts_without_pyarrow(tmp_path, name, expected, monkeypatch):
    monkeypatch.setattr(text_rows, "find_spec", lambda name: None)
    WRITERS[name](tmp_path / name, columns())
    for rows in (13, 1 << 20):
        scene = mockgal.read(tmp_path / name, columns=MAP, chunk_rows=rows, **FACTS)
        assert scene.halos.digest() == expected


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    write_parquet(tmp_path / "halos.parquet", columns())
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    for format in (None, "table"):
        with pytest.raises(UsageError, match=r"pip install 'mockgal\[formats\]'"):
            mockgal.read(tmp_path / "halos.parquet", format=format, columns=MAP, **FACTS)


UNITED = {"halos.fits": write_fits, "halos.parquet": write_parquet, "halos.hdf5": write_hdf5}


@pytest.mark.parametrize("name", UNITED)
def test_units_in_the_file(tmp_path, name, expected):
    """No map is needed where the names and the units tell."""
    UNITED[name](tmp_path / name, columns(), UNITS)
    scene = mockgal.read(tmp_path / name, mass_definition="200c", **FACTS)
    assert scene.halos.digest() == expected
    assert scene.snapshot.record["columns_read"]["position"] == {
        "from": ["x", "y", "z"],
        "found_by": "name",
        "unit": "Mpc/h",
        "unit_from": {
            "halos.fits": "TUNIT3",
            "halos.parquet": "its metadata",
            "halos.hdf5": "the attribute units",
        }[name],
    }


@pytest.mark.parametrize("name", ["halos.ecsv", "halos.vot", "object"])
def test_units_of_quantities(tmp_path, name):
    """Without h, as astropy has them: they are multiplied by h."""
    h, table = FACTS["h"], columns()
    known = {"Mpc/h": u.Mpc, "km/s": u.km / u.s, "Msun/h": u.Msun}
    quantities = QTable(
        {
            n: v * known[UNITS[n]] / (h if "/h" in UNITS[n] else 1) if n in UNITS else v
            for n, v in table.items()
        }
    )
    if name != "object":
        quantities.write(tmp_path / name, format={"ecsv": "ascii.ecsv", "vot": "votable"}[name[6:]])
    sim = quantities if name == "object" else tmp_path / name
    scene = mockgal.read(sim, mass_definition="200c", **FACTS)
    whole = mockgal.read(table, columns=MAP, **FACTS)
    for quantity in ("position", "mass", "host_mass", "velocity"):
        np.testing.assert_allclose(scene.halos[quantity], whole.halos[quantity], rtol=1e-14)
    record = scene.snapshot.record["columns_read"]["host_mass"]
    assert record["unit"] in ("solMass", "Msun")


def test_vectors_and_single_precision(tmp_path):
    table = columns()
    whole = mockgal.read(table, columns=MAP, **FACTS)
    vector = {name: table[name] for name in ("id", "upid", "m200c", "mvir")}
    vector["pos"] = np.stack([table[x] for x in "xyz"], axis=1).astype("f4")
    vector["vel"] = np.asfortranarray(np.stack([table[f"v{x}"] for x in "xyz"], axis=1))
    stated = (
        "position=pos [Mpc/h], velocity=vel [km/s], host_mass=m200c [Msun/h], mass=mvir [Msun/h]"
    )
    write_fits(tmp_path / "a.fits", vector)
    np.savez(tmp_path / "a.npz", **vector)
    write_hdf5(tmp_path / "a.hdf5", vector)
    found = [
        mockgal.read(sim, columns=stated, **FACTS).halos for sim in (*tmp_path.iterdir(), vector)
    ]
    assert len({halos.digest() for halos in found}) == 1
    np.testing.assert_allclose(found[0]["position"], whole.halos["position"], rtol=1e-6)
    np.testing.assert_array_equal(found[0]["velocity"], whole.halos["velocity"])


def test_integers_of_fits_without_a_sign(tmp_path):
    """FITS stores them with an offset, and scaled numbers with a factor."""
    from astropy.io import fits

    table = columns()
    cols = [
        fits.Column("id", "K", bzero=2**63, array=table["id"].astype("u8")),
        fits.Column("upid", "K", array=table["upid"]),
        fits.Column("npart", "J", bzero=2**31, array=table["npart"].astype("u4")),
        *(fits.Column(n, "D", unit=UNITS[n], array=table[n]) for n in UNITS),
    ]
    fits.BinTableHDU.from_columns(cols).writeto(tmp_path / "a.fits")
    scene = mockgal.read(tmp_path / "a.fits", mass_definition="200c", **FACTS)
    np.testing.assert_array_equal(np.sort(scene.halos["halo_id"]), np.sort(table["id"]))
    np.testing.assert_array_equal(scene.halos["n_particles"], table["npart"])


def test_only_the_columns_of_the_map_are_read(tmp_path):
    """Others may hold anything."""
    table = text(columns()).splitlines()
    rows = [f"{row},{'name' if n == 0 else 'NGC 1300'}" for n, row in enumerate(table)]
    (tmp_path / "halos.csv").write_text("\n".join(rows) + "\n")
    assert len(mockgal.read(tmp_path / "halos.csv", columns=MAP, **FACTS).halos) == 107


def test_a_mock_is_no_table(tmp_path, demo_bundle):
    with listening(quiet=True):
        galaxies = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    for name in ("mock.fits", "mock.hdf5"):
        mockgal.write(galaxies, tmp_path / name)
        with pytest.raises(mockgal.errors.FormatError, match="a mock that mockgal wrote"):
            mockgal.read(tmp_path / name)
        assert mockgal.inspect(tmp_path / name)["kind"] == "mock"


@pytest.mark.parametrize("engine", ["pyarrow", "numpy"])
def test_rows_that_are_no_rows(tmp_path, engine, monkeypatch):
    if engine == "numpy":
        monkeypatch.setattr(text_rows, "find_spec", lambda name: None)
    lines = text(columns()).splitlines(keepends=True)
    (tmp_path / "a.csv").write_text("".join([*lines[:50], lines[50][:40] + "\n", *lines[51:]]))
    with pytest.raises(CorruptFileError, match=r"values|columns"):
        mockgal.read(tmp_path / "a.csv", columns=MAP, **FACTS)
    for old, new in ((lines[60].split(",")[0], "1.5"), (lines[60].split(",")[2], "here")):
        bad = lines[60].replace(old, new)
        (tmp_path / "a.csv").write_text("".join([*lines[:60], bad, *lines[61:]]))
        with pytest.raises(mockgal.errors.BadValueError, match=f"a.csv:(id|x).*'{new}'"):
            mockgal.read(tmp_path / "a.csv", columns=MAP, **FACTS)


def test_options_of_the_reader(tmp_path):
    assert ReadOptions().columns is None
    with pytest.raises(UsageError, match="read whole"):
        mockgal.read(columns(), columns=MAP, allow_missing_chunks=True, **FACTS)

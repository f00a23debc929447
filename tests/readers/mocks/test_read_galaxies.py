import json
import tracemalloc
from dataclasses import replace

import astropy.units as u
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from galaxies_samples import BOX, COSMOLOGY, catalogue, columns, same, snapshot, written
from hypothesis import given, settings
from hypothesis import strategies as st

import mockgal
from mockgal import layout
from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology, h_free
from mockgal.errors import FormatError, InputError, UsageError, listening
from mockgal.readers.mocks.reader import read_galaxies
from mockgal.readers.mocks.values import internal
from mockgal.types import GalaxyCatalog

FORMATS = ["fits", "hdf5", "parquet"]


def file_columns(path):
    """The numbers of a file, by other readers."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {name: table[name].to_numpy() for name in table.column_names}
    if ".fits" in path.suffixes:
        with fits.open(path) as hdus:
            return {name: np.array(hdus[1].data[name]) for name in hdus[1].columns.names}
    with h5py.File(path) as file:
        return {name: data[...] for name, data in file["galaxies"].items()}


# ---- files in h units: the very catalogue


@pytest.mark.parametrize("kind", [*FORMATS, "fits.gz"])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_h_units_give_the_very_catalogue(tmp_path, kind, n):
    galaxies = catalogue(n)
    path = written(galaxies, tmp_path / f"a.{kind}")
    back = read_galaxies(path)
    assert same(galaxies, back)
    assert back.digest() == galaxies.digest()
    assert back.snapshot.source[0] == (str(path), path.stat().st_size, "")
    assert not any(values.flags.writeable for values in back.columns.values())
    again = written(back, tmp_path / f"b.{kind}")
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_a_catalogue_lacks_stays_absent(tmp_path, kind):
    full = catalogue(5)
    few = {name: full[name] for name in ("galaxy_id", "halo_id", "vmax")}
    bare = GalaxyCatalog(few, replace(full.snapshot, particle_mass=None, record={}), "sky", {})
    back = read_galaxies(written(bare, tmp_path / f"a.{kind}"))
    assert (set(back.columns), back.frame, dict(back.provenance)) == (set(few), "sky", {})
    assert back.digest() == bare.digest()
    assert (back.snapshot.name, back.snapshot.particle_mass) == ("a run", None)


# ---- h-free files: the numbers to the last place


@pytest.mark.parametrize("kind", FORMATS)
def test_h_free_files_are_within_a_unit_in_the_last_place(tmp_path, kind):
    galaxies = catalogue(5000)
    path = written(galaxies, tmp_path / f"a.{kind}", "h-free")
    back = read_galaxies(path)
    for name, column in GALAXY_COLUMNS.items():
        if column.h_power:
            np.testing.assert_array_max_ulp(back[name], galaxies[name], 1, back[name].dtype)
        else:
            np.testing.assert_array_equal(back[name], galaxies[name])
    assert replace(back.snapshot, source=()) == galaxies.snapshot
    assert back.digest() != galaxies.digest()  # and so the digest is not claimed
    assert back.provenance == {
        **galaxies.provenance,
        "read_from": {
            "content_digest": galaxies.digest(),
            "rows": 5000,
            "units": "h-free",
            "columns_left_out": [],
        },
    }


@pytest.mark.parametrize("kind", [*FORMATS, "fits.gz"])
def test_what_was_read_from_h_free_files_is_written_to_the_same_numbers(tmp_path, kind):
    path = written(catalogue(5000), tmp_path / f"a.{kind}", "h-free")
    back = read_galaxies(path)
    again = written(back, tmp_path / f"b.{kind}", "h-free")
    first, second = file_columns(path), file_columns(again)
    for name in GALAXY_COLUMNS:
        assert first[name].tobytes() == second[name].tobytes(), name
    assert read_galaxies(again).digest() == back.digest()


def test_without_lengths_and_masses_an_h_free_file_is_exact(tmp_path):
    few = {name: values for name, values in columns(9).items() if not GALAXY_COLUMNS[name].h_power}
    galaxies = catalogue(values=few)
    back = read_galaxies(written(galaxies, tmp_path / "a.fits", "h-free"))
    assert same(back, galaxies)


MAGNITUDES = st.floats(1e-30, 1e30)
KINDS = st.sampled_from([np.float64, np.float32])


@settings(max_examples=300)
@given(st.lists(MAGNITUDES, min_size=1), KINDS, st.floats(0.3, 1.5))
def test_the_conversion_is_undone(values, kind, h):
    values = np.array(values).astype(kind)

    def forward(x):  # what the writers do
        return h_free(x.astype(np.float64), -1, h).astype(kind)

    stored = forward(values)
    found = internal(stored, -1, h, np.inf)
    np.testing.assert_array_equal(forward(found), stored)
    np.testing.assert_array_max_ulp(found, values, 2 if h < 0.5 else 1, kind)


@pytest.mark.parametrize("h", [0.3, 0.6774, 0.7, 1.0, 1.4])
def test_positions_stay_below_the_edge(tmp_path, h):
    last = np.nextafter(BOX, 0)
    values = columns(3) | {"position_x": np.array([0.0, last, np.nextafter(last, 0)])}
    galaxies = catalogue(values=values, snap=snapshot(cosmology=replace(COSMOLOGY, h=h)))
    back = read_galaxies(written(galaxies, tmp_path / "a.fits", "h-free"))
    assert back["position_x"].max() < BOX
    np.testing.assert_array_max_ulp(back["position_x"], values["position_x"], 2)


# ---- any catalogue

CEILING = {"<f8": 1e300, "<f4": 2.0**100}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(-1e300, 1e300) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def catalogues(draw):
    n, box = draw(st.integers(0, 12)), draw(st.floats(1e-3, 1e6))
    optional = [name for name in GALAXY_COLUMNS if name not in ("galaxy_id", "halo_id")]
    names = ["galaxy_id", "halo_id", *draw(st.lists(st.sampled_from(optional), unique=True))]
    integers = st.integers(-(2**63), 2**63 - 1)
    values = {}
    for name in names:
        column = GALAXY_COLUMNS[name]
        if name == "galaxy_id":
            one = st.lists(integers, min_size=n, max_size=n, unique=True)
        elif column.dtype == "<i8":
            one = st.lists(integers, min_size=n, max_size=n)
        elif column.dtype == "|b1":
            one = st.lists(st.booleans(), min_size=n, max_size=n)
        else:
            high = CEILING[column.dtype]
            low = -high if column.unit == "km/s" and "vmax" not in name else 0.0
            numbers = st.floats(low, high, width=32 if column.dtype == "<f4" else 64)
            if column.unit == "Mpc":
                numbers = st.floats(0, box, exclude_max=True)
            if column.bounds is not None:  # free of h they are up to h times as large
                ends = np.array([column.bounds.least / 2, column.bounds.most / 2], "f4")
                low, high = ends.tolist()
                numbers = st.floats(low, high, width=32 if column.dtype == "<f4" else 64)
                numbers = numbers.filter(lambda x: x == 0 or abs(x) > 1e-6)
            one = st.lists(numbers, min_size=n, max_size=n)
        values[name] = np.array(draw(one), dtype=column.dtype)
    cosmology = Cosmology(draw(st.floats(0.3, 1.5)), draw(st.floats(0.01, 2.0)), 0.7)
    snap = replace(snapshot(box, cosmology), name=draw(st.text(max_size=100)))
    return catalogue(values=values, snap=snap, notes=draw(JSON_VALUES), cuts=[])


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=10)
@given(galaxies=catalogues(), chunk_rows=st.integers(1, 20))
def test_any_catalogue_comes_back(tmp_path_factory, kind, galaxies, chunk_rows):
    folder = tmp_path_factory.mktemp("any")
    back = read_galaxies(written(galaxies, folder / f"a.{kind}"), chunk_rows=chunk_rows)
    assert {**back.columns}.keys() == {**galaxies.columns}.keys()
    assert back.digest() == galaxies.digest()
    assert back.provenance == galaxies.provenance
    assert back.snapshot.name == galaxies.snapshot.name
    free = written(galaxies, folder / f"b.{kind}", "h-free")
    back = read_galaxies(free, chunk_rows=chunk_rows)
    again = written(back, folder / f"c.{kind}", "h-free")
    first, second = file_columns(free), file_columns(again)
    for name in galaxies.columns:
        assert first[name].tobytes() == second[name].tobytes()


# ---- columns, chunks, memory


@pytest.mark.parametrize("units", ["h", "h-free"])
def test_formats_and_chunks_do_not_show(tmp_path, units):
    galaxies = catalogue(40_000)  # more than two stored chunks of HDF5
    read = [
        read_galaxies(written(galaxies, tmp_path / f"a.{kind}", units), chunk_rows=rows)
        for kind in FORMATS
        for rows in (777, 16384, 10**9)
    ]
    assert all(same(read[0], other) for other in read[1:])


@pytest.mark.parametrize("kind", FORMATS)
def test_only_the_columns_asked_for(tmp_path, kind):
    galaxies = catalogue(50)
    path = written(galaxies, tmp_path / f"a.{kind}")
    back = read_galaxies(path, columns=iter(["position_y", "vmax"]))
    assert list(back.columns) == ["galaxy_id", "halo_id", "position_y", "vmax"]
    for name in back.columns:
        np.testing.assert_array_equal(back[name], galaxies[name])
    assert back.provenance["read_from"]["content_digest"] == galaxies.digest()
    assert "position_x" in back.provenance["read_from"]["columns_left_out"]
    assert list(read_galaxies(path, "vmax").columns) == ["galaxy_id", "halo_id", "vmax"]
    assert list(read_galaxies(path, []).columns) == ["galaxy_id", "halo_id"]
    everything = read_galaxies(path, list(GALAXY_COLUMNS))
    assert same(everything, galaxies)


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_that_are_not_there(tmp_path, kind):
    few = {name: columns(3)[name] for name in ("galaxy_id", "halo_id", "vmax")}
    path = written(catalogue(values=few), tmp_path / f"a.{kind}")
    with pytest.raises(UsageError, match=r"is_central, mass, .*vmax"):
        read_galaxies(path, ["mass", "vmax", "is_central"])
    with pytest.raises(UsageError, match="chunk_rows"):
        read_galaxies(path, chunk_rows=0)


@pytest.mark.parametrize("kind", FORMATS)
def test_memory_is_that_of_the_columns_asked_for(tmp_path, kind):
    n = 200_000
    path = written(catalogue(n), tmp_path / f"a.{kind}", "h-free")
    read_galaxies(path, "vmax")  # what is imported and kept is not memory of the reading
    tracemalloc.start()
    try:
        read_galaxies(path, "position_x", chunk_rows=4096)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    result, ordering = 3 * 8 * n, 4 * 8 * n  # the order of the ids is checked
    assert peak < result + ordering + 3_000_000
    assert peak < n * sum(np.dtype(c.dtype).itemsize for c in GALAXY_COLUMNS.values())


def test_two_galaxies_of_one_id_are_refused(tmp_path):
    values = columns(4)
    values["galaxy_id"][2], values["halo_id"][2] = values["galaxy_id"][1], values["halo_id"][1]
    path = written(catalogue(values=values), tmp_path / "a.fits")
    with pytest.raises(
        InputError, match=f"1 repeated galaxies.*galaxy_id {values['galaxy_id'][1]}"
    ):
        read_galaxies(path)


# ---- names of files, and what is no file of ours


@pytest.mark.fault(72)
@pytest.mark.parametrize("name", ["mock.fits[GALAXIES]", "a|b.fits", "宇宙 mock.fits", "-.fits"])
def test_names_are_literal(tmp_path, name):
    galaxies = catalogue(3)
    path = tmp_path / name
    path.write_bytes(written(galaxies, tmp_path / "plain.fits").read_bytes())
    assert same(read_galaxies(str(path)), galaxies)
    for other in ("plain.fits[1]", "plain.fits|cat"):
        with pytest.raises(InputError, match="no such file or folder"):
            read_galaxies(tmp_path / other)


def test_a_bundle_is_a_simulation(demo_bundle):
    with pytest.raises(FormatError, match=r"a bundle: a simulation.*mockgal\.read"):
        read_galaxies(demo_bundle)


# ---- the package and the command


def test_a_mock_built_is_read_and_selected(demo_bundle, tmp_path):
    with listening(quiet=True):
        mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=3)
    back = mockgal.read_galaxies(written(mock, tmp_path / "a.fits"))
    # its snapshot has the record of the halos, too, as the provenance has
    mock = replace(mock, snapshot=replace(mock.snapshot, record=back.snapshot.record))
    assert same(back, mock)
    cut = "1e10 Msun/h < stellar_mass < 3e10 Msun/h"
    assert same(mockgal.select(back, cut), mockgal.select(mock, cut))


@pytest.mark.parametrize("name", ["mock.fits", "mock.hdf5", "mock.parquet"])
def test_inspect_says_what_a_mock_is(build_demo, mockgal_command, tmp_path, name):
    build_demo("--out", name, "--seed", "5", "--cut", "stellar_mass > 1e10 Msun/h")
    galaxies = mockgal.read_galaxies(tmp_path / name)
    result = mockgal_command("inspect", name)
    assert result.returncode == 0, result.stderr
    lines = {line[:15].strip(): line[16:] for line in reversed(result.stdout.splitlines())}
    assert lines["format"].startswith(f"mock, {name.split('.')[1]}, ")
    assert lines["galaxies"].startswith(f"{len(galaxies)}: {galaxies['is_central'].sum()} centrals")
    assert lines["painter"] == "hod, calibration gadget4-z0.00, mode corrected, seed 5"
    assert lines["box"].startswith("16 Mpc/h comoving = 23.6197 Mpc")
    assert lines["cuts"].startswith("stellar_mass > 1e10 Msun/h: ")
    assert lines["units"] == "h-free in the file"
    assert "position_x [Mpc]" in result.stdout
    assert lines["missing"] == "nothing"
    assert lines["content"] == galaxies.provenance["read_from"]["content_digest"]

    facts = json.loads(mockgal_command("inspect", name, "--json").stdout)
    assert facts["rows"] == len(galaxies)
    assert facts["columns"]["stellar_mass"] == "Msun"
    low, high = facts["stellar_mass_range_msun_h"]
    assert (low, high) == (galaxies["stellar_mass"].min(), galaxies["stellar_mass"].max())
    assert facts["seed"] == 5
    assert facts["halo_digest"] == galaxies.provenance["simulation"]["halo_digest"]


def test_inspect_names_missing_parts(tmp_path, mockgal_command):
    values = {name: values for name, values in columns(0).items() if name != "vmax"}
    snap = replace(snapshot(), record={"missing_chunks": "0, 3-35"})
    written(catalogue(values=values, snap=snap), tmp_path / "a.hdf5")
    result = mockgal_command("inspect", "a.hdf5")
    assert "missing         chunks 0, 3-35 of the simulation; columns vmax" in result.stdout
    assert "stellar mass    none" in result.stdout


@pytest.mark.parametrize("name", ["a.fits", "a.hdf5", "a.parquet", "a.fits.gz"])
def test_a_mock_is_no_simulation(tmp_path, mockgal_command, name):
    written(catalogue(9), tmp_path / name)
    result = mockgal_command("build", "--sim", name, "--painter", "hod", "--out", "b.fits")
    assert result.returncode == 3
    assert "not a simulation" in result.stderr
    assert "give the simulation that it was made from" in result.stderr
    result = mockgal_command("inspect", name, "--drop-bad")
    assert result.returncode == 2
    assert "this is a mock" in result.stderr


def test_inspect_refuses_a_damaged_mock(tmp_path, mockgal_command):
    path = written(catalogue(900), tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:-9000])
    result = mockgal_command("inspect", "a.fits")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("mockgal: error[E302] a.fits:GALAXIES: found a file of ")


# ---- the layout, which writers and readers share


def test_units_are_those_of_the_fits_standard():
    for column in GALAXY_COLUMNS.values():
        assert u.Unit(column.unit).to_string("fits") == column.file_unit
        assert (
            np.dtype(column.dtype).itemsize
            == {"K": 8, "D": 8, "E": 4, "L": 1}[layout.FITS_CODES[column.dtype]]
        )

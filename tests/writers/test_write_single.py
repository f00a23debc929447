"""Columns in single precision: what files hold and say, and what is read back."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import fitsio
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

import mockgal
from mockgal.errors import UsageError
from mockgal.layout import SOFTENING
from mockgal.readers.mocks.reader import facts_of

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
import galaxies_samples as samples

SINGLE = (
    *("position_x", "position_y", "position_z", "velocity_x", "velocity_y", "velocity_z"),
    *("halo_mass", "subhalo_mass", "vmax"),
)
ENDS = ["fits", "fits.gz", "hdf5", "parquet"]


def stored(path):
    """The columns of a file, by programs other than mockgal."""
    if path.suffix == ".hdf5":
        with h5py.File(path) as file:
            return {name: data[:] for name, data in file["galaxies"].items()}
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {name: table[name].to_numpy() for name in table.column_names}
    table = Table.read(path, hdu=1)
    other = fitsio.read(path, ext=1)
    columns = {name: np.asarray(table[name]) for name in table.colnames}
    for name, values in columns.items():
        np.testing.assert_array_equal(values, other[name])
    return columns


@pytest.fixture
def galaxies():
    """Galaxies whose positions round by less than is allowed, one of them just below the side."""
    catalogue = samples.catalogue(1000)
    columns = dict(catalogue.columns)
    side = catalogue.snapshot.box_size
    for axis in "xyz":
        columns[f"position_{axis}"] = columns[f"position_{axis}"].copy()
        columns[f"position_{axis}"][17] = np.nextafter(side, 0)
    return mockgal.types.GalaxyCatalog(columns, catalogue.snapshot, "box", catalogue.provenance)


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("end", ENDS)
def test_numbers_types_and_what_is_said(galaxies, tmp_path, end, units):
    path = tmp_path / f"m.{end}"
    how = {"units": units, "precision": "float32", "position_rounding": "1 kpc/h"}
    mockgal.write(galaxies, path, **how)
    mockgal.write(galaxies, tmp_path / f"wide.{end}", units=units)
    narrow, wide = stored(path), stored(tmp_path / f"wide.{end}")
    said = facts_of(path).file["float32"]
    assert set(said["columns"]) == set(SINGLE)
    assert said["position_rounding"] == "1 kpc/h"
    h = galaxies.snapshot.cosmology.h
    side = galaxies.snapshot.box_size / (h if units == "h-free" else 1)
    for name, values in narrow.items():
        if name not in SINGLE:
            np.testing.assert_array_equal(values, wide[name])
            assert values.dtype.newbyteorder("=") == wide[name].dtype.newbyteorder("=")
            continue
        assert values.dtype.newbyteorder("=") == np.float32
        difference = abs(values.astype("f8") - wide[name])
        if "mass" in name:
            difference /= wide[name]
        assert said["columns"][name]["rounding"] == difference.max() > 0
        if name.startswith("position"):
            assert values.astype("f8").max() < side
            assert said["columns"][name]["unit"] == ("Mpc" if units == "h-free" else "Mpc/h")
    assert path.stat().st_size < (tmp_path / f"wide.{end}").stat().st_size
    if end == "fits":
        header = fitsio.read_header(path, ext=1)
        meanings = [header[f"TCOMM{n}"] for n in range(1, header["TFIELDS"] + 1)]
        assert sum("rounded by at most" in text for text in meanings) == len(SINGLE)


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("end", ENDS)
def test_read_back_within_the_rounding_and_written_again_the_same(galaxies, tmp_path, end, units):
    path, again = tmp_path / f"m.{end}", tmp_path / f"again.{end}"
    how = {"units": units, "precision": "float32", "position_rounding": "1 kpc/h"}
    mockgal.write(galaxies, path, **how)
    read = mockgal.read_galaxies(path)
    for name in SINGLE:
        assert read[name].dtype == np.float64
        np.testing.assert_allclose(read[name], galaxies[name], rtol=2.5e-7)
    assert max(read[f"position_{axis}"].max() for axis in "xyz") < read.snapshot.box_size
    # The content digest is that of what was written, which no file in single precision holds.
    assert read.digest() != galaxies.digest()
    origin = read.provenance["read_from"]
    assert origin["content_digest"] == galaxies.digest()
    assert set(origin["float32"]["columns"]) == set(SINGLE)
    assert mockgal.verify(path).is_right
    mockgal.write(read, again, **how)
    first, second = stored(path), stored(again)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    some = mockgal.read_galaxies(path, ["position_y", "vmax"])
    np.testing.assert_array_equal(some["position_y"], read["position_y"])


@pytest.mark.parametrize("end", ["fits", "hdf5", "parquet"])
def test_numbers_of_single_precision_keep_the_content_digest(tmp_path, end):
    catalogue = samples.catalogue(100)
    columns = {
        name: values.astype("f4") if values.dtype == np.float64 else values
        for name, values in catalogue.columns.items()
    }
    exact = mockgal.types.GalaxyCatalog(columns, catalogue.snapshot, "box", catalogue.provenance)
    mockgal.write(exact, tmp_path / f"m.{end}", units="h", precision="float32")
    read = mockgal.read_galaxies(tmp_path / f"m.{end}")
    assert read.digest() == exact.digest()
    assert "read_from" not in read.provenance


def test_an_empty_mock(tmp_path):
    for end in ENDS:
        mockgal.write(samples.catalogue(0), tmp_path / f"m.{end}", precision="float32")
        assert not len(mockgal.read_galaxies(tmp_path / f"m.{end}"))
        assert stored(tmp_path / f"m.{end}")["position_x"].dtype.itemsize == 4


def test_what_would_be_rounded_too_much_stays_and_is_said(galaxies, tmp_path):
    record = {SOFTENING: 1e-4}
    run = replace(galaxies.snapshot, record=record)
    fine = replace(galaxies, snapshot=run)
    path = tmp_path / "m.hdf5"
    with pytest.warns(UserWarning, match="position_x, position_y, position_z stay in double"):
        mockgal.write(fine, path, precision="float32")
    columns = stored(path)
    assert columns["position_x"].dtype == np.float64
    assert columns["velocity_x"].dtype == np.float32
    kept = facts_of(path).file["float32"]["kept"]["position_x"]
    assert kept["rounding"] > kept["allowed"] > 0
    assert "softening" in kept["because"]


def test_where_it_cannot_be(galaxies, tmp_path):
    for how, match in (
        ({"precision": "float16"}, "one of float64, float32"),
        ({"position_rounding": "1 kpc/h"}, "without --precision-out float32"),
        ({"precision": "float32", "position_rounding": "1 km/s"}, "position_rounding"),
        ({"precision": "float32", "model": "gcr"}, "float32 for the data model gcr"),
    ):
        with pytest.raises(UsageError, match=match):
            mockgal.write(galaxies, tmp_path / "m.hdf5", **how)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["type", "column", "rounding"])
def test_what_contradicts_itself_is_refused(galaxies, tmp_path, change):
    from mockgal.errors import HeaderError
    from mockgal.readers.mocks.facts import parse

    path = tmp_path / "m.fits"
    mockgal.write(galaxies, path, precision="float32", position_rounding="1 kpc/h")
    with fitsio.FITS(path) as file:
        text = file["PROVENANCE"].read()["json"][0]
    text = text.decode() if isinstance(text, bytes) else str(text)
    old, new = {
        "type": ('"schema":3', '"schema":2'),
        "column": ('"vmax":{"allowed"', '"ra":{"allowed"'),
        "rounding": ('"rounding":', '"rounded":'),
    }[change]
    assert old in text
    with pytest.raises(HeaderError):
        parse(text.replace(old, new), "here", path, 1)


def test_a_file_changed_by_hand_is_read_in_double_precision(galaxies, tmp_path):
    path = tmp_path / "m.fits"
    mockgal.write(galaxies, path, precision="float32", position_rounding="1 kpc/h")
    table = Table.read(path, hdu=1)[:10]
    table.write(tmp_path / "ten.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = mockgal.read_galaxies(tmp_path / "ten.fits", changed_by_hand="ten")
    assert read["position_x"].dtype == np.float64
    np.testing.assert_allclose(read["position_x"], galaxies["position_x"][:10], rtol=2.5e-7)

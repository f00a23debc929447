"""Catalogues that are damaged, contradict themselves or mean harm; numbers are those of the faults.

Hostile files here have sums that are right: what is refused is what they say.
"""

import gzip
import json
import os
import tracemalloc
from hashlib import blake2b

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from galaxies_samples import (
    BOX,
    card,
    catalogue,
    columns,
    number,
    put_together,
    same,
    take_apart,
    with_json,
    written,
)

import mockgal
from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import CorruptFileError, FormatError, MockgalError
from mockgal.layout import ESSENTIALS
from mockgal.readers.mocks.reader import describe_galaxies, read_galaxies
from mockgal.system.files import fits_file

NAMES = list(GALAXY_COLUMNS)


@pytest.fixture
def path(tmp_path):
    return written(catalogue(), tmp_path / "a.fits")


@pytest.fixture
def hdf5(tmp_path):
    return written(catalogue(), tmp_path / "a.hdf5")


def refused(path, *words, code=3):
    """The error of reading ``path``, which describing it gives, too."""
    with pytest.raises(MockgalError) as caught:
        read_galaxies(path)
    text = str(caught.value)
    assert caught.value.exit_code == code, text
    assert text.startswith(str(path)), text
    assert all(str(word) in text for word in words), text
    assert ". Fix: " in text
    assert len(text) < 3000
    with pytest.raises(type(caught.value)) as again:
        describe_galaxies(path)
    # which does not compute the content digest
    assert str(again.value) == text
    return caught.value


def starts(path):
    with fits.open(path) as hdus:
        return [(hdu._header_offset, hdu._data_offset) for hdu in hdus]


# ---- group A


def test_surgery_leaves_a_file_as_it_was(path, tmp_path):
    hdus = with_json(take_apart(path), lambda value: value)
    assert same(read_galaxies(put_together(tmp_path / "b.fits", hdus)), read_galaxies(path))


@pytest.mark.fault(6)
@pytest.mark.parametrize("place", [1, 2])
def test_truncated_in_data(path, place):
    raw, (_, start) = path.read_bytes(), starts(path)[place]
    for length in (start, start + 1, start + 2879, start + 2880):
        path.write_bytes(raw[:length])
        error = refused(path, f"a file of {length} bytes")
        assert isinstance(error, CorruptFileError)
        assert ":GALAXIES" in error.where or place == 2
    path.write_bytes(raw[:-1])
    refused(path, f"{len(raw)} bytes")


@pytest.mark.fault(7)
@pytest.mark.parametrize("place", [1, 2])
def test_cut_between_hdus(path, place):
    path.write_bytes(path.read_bytes()[: starts(path)[place][0]])
    error = refused(path, "the HDUs PRIMARY, GALAXIES, PROVENANCE", "ends after the HDU")
    assert isinstance(error, CorruptFileError)


@pytest.mark.fault(7)
def test_cut_in_a_header(path):
    raw = path.read_bytes()
    for (start, data), length in zip(starts(path), (100, 2880, 2000), strict=True):
        path.write_bytes(raw[: min(start + length, data - 1)])
        refused(path, "in a header")


@pytest.mark.fault(7)
def test_surplus(path):
    raw = path.read_bytes()
    for more in (b"x", bytes(2880), raw[:2880]):
        path.write_bytes(raw + more)
        refused(path, "bytes: only the HDUs")


@pytest.mark.fault(8)
@pytest.mark.parametrize("keyword", ["DATASUM", "CHECKSUM"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_sums_that_are_wrong_or_absent(path, place, keyword):
    whole = take_apart(path)
    value = next(c for c in whole[place][0] if c.startswith(keyword))[11:20]
    for text in (f"'{value[::-1]}'", "'x'", "'4294967296'", "''", "12", "T", None):
        hdus = take_apart(path)
        card(hdus[place][0], keyword, text)
        broken = put_together(path.with_name("b.fits"), hdus, sums=False)
        assert isinstance(refused(broken), CorruptFileError)


@pytest.mark.fault(8)
@pytest.mark.parametrize("place", [1, 2])
def test_data_that_do_not_sum_up(path, place):
    hdus = take_apart(path)
    data = bytearray(hdus[place][1])
    data[len(data) // 2] ^= 4
    hdus[place][1] = bytes(data)
    error = refused(put_together(path, hdus, sums=False), "data with checksum", "DATASUM")
    assert isinstance(error, CorruptFileError)


@pytest.mark.fault(8)
def test_an_edited_header_contradicts_the_provenance(path):
    fits.setval(path, "OMEGA_M", value=0.31, ext=1)  # astropy sees to the sums
    refused(path, ":GALAXIES@omega_m", "0.31", "0.3089")


@pytest.mark.fault(8)
def test_padding_belongs_to_the_file(path):
    # the sum of the standard is the same with these
    raw = bytearray(path.read_bytes())
    raw[starts(path)[2][0] - 4 : starts(path)[2][0]] = b"\xff" * 4
    path.write_bytes(raw)
    refused(path, "padding that is not empty")


@pytest.mark.fault(2)
@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>busy" * 300, b"PK\3\4", b"\0" * 9000])
@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.hdf5", "a.h5"])
def test_another_file_of_that_name(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    word = "begin" if content else ""
    assert isinstance(refused(path, word, repr(content[:10])[:-1]), CorruptFileError)


def test_no_file(tmp_path):
    refused(tmp_path / "none.fits", "no such file or folder")
    refused(tmp_path, "a folder", "a mock that mockgal wrote")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "b'hello'", "a FITS, HDF5 or Parquet file")


@pytest.mark.fault(3)
def test_fletcher(hdf5):
    with h5py.File(hdf5) as file:
        at = file["galaxies/vmax"].id.get_chunk_info(0).byte_offset
    raw = bytearray(hdf5.read_bytes())
    raw[at + 5] ^= 0xFF
    hdf5.write_bytes(raw)
    assert isinstance(
        refused(hdf5, "/galaxies/vmax", "Fletcher-32", "chunk (0,)"), CorruptFileError
    )
    read_galaxies(hdf5, "halo_mass")  # which is intact


@pytest.mark.fault(1)
def test_truncated_hdf5(hdf5):
    raw = hdf5.read_bytes()
    for length in range(100, len(raw), len(raw) // 9):
        hdf5.write_bytes(raw[:length])
        assert isinstance(refused(hdf5), CorruptFileError)


# ---- rows and digest


@pytest.mark.fault(8)
@pytest.mark.parametrize("units", ["h", "h-free"])
@pytest.mark.parametrize("kind", ["fits", "hdf5"])
def test_rows_that_were_changed_with_their_checksums_renewed(tmp_path, kind, units):
    path = written(catalogue(), tmp_path / f"a.{kind}", units)
    if kind == "fits":
        hdus = take_apart(path)
        hdus[1][1] = hdus[1][1][:-10] + bytes([hdus[1][1][-10] ^ 1]) + hdus[1][1][-9:]
        put_together(path, hdus)
    else:
        with h5py.File(path, "r+") as file:
            file["galaxies/velocity_x"][7] += 1e-9
    refused(path, "changed since mockgal wrote them")
    read_galaxies(path, ["vmax"] if kind == "hdf5" else ["velocity_y"])  # columns as written


def test_digests_of_stored_rows_are_those_of_the_numbers(tmp_path):
    galaxies = catalogue()
    path = written(galaxies, tmp_path / "a.hdf5")
    with h5py.File(path) as file:
        stated = json.loads(file.attrs["provenance"])["file"]["stored_digests"]
    for name, values in galaxies.columns.items():
        raw = values.astype(GALAXY_COLUMNS[name].dtype).tobytes()
        assert stated[name] == blake2b(raw, digest_size=16).hexdigest()


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("position_x", np.nan, "nan Mpc/h"),
        ("position_y", -1e-9, "-1e-09 Mpc/h"),
        ("position_z", np.nextafter(BOX, 200) + 1e-9, "100.000000001"),
        ("velocity_x", -np.inf, "-inf km/s"),
        ("velocity_y", np.nan, "nan km/s"),
        ("halo_mass", -1.0, "-1.0 Msun/h"),
        ("stellar_mass", np.inf, "inf Msun/h"),
        ("subhalo_mass", np.nan, "nan Msun/h"),
        ("vmax", -1.0, "-1.0 km/s"),
    ],
)
@pytest.mark.parametrize(("kind", "units"), [("fits", "h"), ("fits", "h-free"), ("hdf5", "h")])
def test_values_that_cannot_be(tmp_path, kind, units, name, value, word):
    values = columns(40)
    values[name][31] = value
    path = written(catalogue(values=values), tmp_path / f"a.{kind}", units)
    refused(path, f"{name}, row 31", word)


@pytest.mark.fault(38)
def test_a_position_at_the_edge(tmp_path):
    values = columns(40) | {"position_z": np.linspace(0, BOX, 40)}
    refused(written(catalogue(values=values), tmp_path / "a.fits"), "row 39", "[0, 100.0) Mpc/h")
    # rounding to h-free units takes numbers just below the edge there, so it is one of them
    back = read_galaxies(written(catalogue(values=values), tmp_path / "b.fits", "h-free"))
    assert back["position_z"][39] == np.nextafter(BOX, 0)


def test_zero_masses_are_possible(tmp_path):
    values = columns(4) | {name: np.zeros(4) for name in ("halo_mass", "position_x", "vmax")}
    galaxies = catalogue(values=values)
    assert same(read_galaxies(written(galaxies, tmp_path / "a.fits")), galaxies)


def test_a_logical_is_T_or_F(path):
    hdus = take_apart(path)
    row = number(hdus[1][0], "NAXIS1")
    data = bytearray(hdus[1][1])
    data[5 * row + 16] = 0
    hdus[1][1] = bytes(data)
    put_together(path, hdus)
    refused(path, "is_central, row 5", "byte 0", "T or F")


# ---- headers that lie


def table_says(path, **cards):
    hdus = take_apart(path)
    for keyword, text in cards.items():
        card(hdus[1][0], keyword, text)
    return put_together(path, hdus)


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    ("rows", "code"), [(301, 3), (10**6, 3), (10**10, 4), (10**18, 4), (-1, 3), (299, 3), (0, 3)]
)
def test_sizes_are_compared_before_memory_is_asked_for(path, rows, code):
    table_says(path, NAXIS2=rows)
    tracemalloc.start()
    try:
        refused(path, code=code)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"TFIELDS": "99999999999"}, ["99999999999 columns", "expected 17"]),
        ({"TFIELDS": "13"}, ["a column beyond the 13"]),
        ({"TFIELDS": "-1"}, ["TFIELDS", "a count"]),
        ({"TFIELDS": "'14'"}, ["TFIELDS", "a count"]),
        ({"TFIELDS": None}, ["TFIELDS"]),
        ({"NAXIS": "1000"}, ["NAXIS", "0 to 999"]),
        ({"NAXIS": "3"}, ["NAXIS3"]),
        ({"NAXIS": "2.0"}, ["NAXIS", "an integer"]),
        ({"NAXIS1": "1e400"}, ["NAXIS1", "an integer"]),
        ({"BITPIX": "-64"}, []),
        ({"BITPIX": "'8'"}, ["BITPIX"]),
        ({"PCOUNT": "8"}, []),
        ({"GCOUNT": "0"}, []),
        ({"XTENSION": "'IMAGE'"}, ["XTENSION"]),
        ({"THEAP": "10"}, ["THEAP"]),
        ({"TFORM5": "'1PD(3)'"}, ["TFORM5", "variable length"]),
        ({"TFORM5": "'1QD'"}, ["TFORM5", "variable length"]),
        ({"TFORM5": "'D'"}, ["TFORM5", "1D"]),
        ({"TFORM5": "'1K'"}, ["TFORM5", "position_y"]),
        ({"TFORM5": None}, ["TFORM5"]),
        ({"ZIMAGE": "T"}, ["compressed", "funpack"]),
        ({"ZTABLE": "T"}, ["compressed", "funpack"]),
        ({"TSCAL4": "2.0"}, ["TSCAL4", "changes the meaning of values"]),
        ({"TZERO1": "9223372036854775808"}, ["TZERO1"]),
        ({"TNULL1": "-1"}, ["TNULL1"]),
        ({"TDIM4": "'(1)'"}, ["TDIM4"]),
        ({"TTYPE99": "'x'"}, ["TTYPE99"]),
        ({"BSCALE": "2.0"}, ["BSCALE"]),
        ({"TTYPE4": "'position_y'"}, ["position_x", "as in the provenance"]),
        ({"TTYPE4": "'POSITION_X'"}, ["POSITION_X"]),
        ({"TTYPE4": None}, ["None"]),
        ({"TTYPE14": "'flux'"}, ["flux"]),
        ({"TUNIT7": "'m s-1'"}, ["TUNIT7", "velocity_x", "km s-1"]),
        ({"TUNIT4": "'Mpc'"}, ["TUNIT4", "position_x", "units h"]),
        ({"THPOW4": "1"}, ["TUNIT4", "position_x"]),
        ({"THPOW4": None}, ["TUNIT4", "position_x"]),
        ({"EXTNAME": "'MINE'"}, ["second HDU is MINE", "lacks the tables GALAXIES and PROVENANCE"]),
        ({"EXTNAME": None}, ["second HDU is without a name"]),
        ({"CONTDIG": None, "UNITSYS": None}, ["lacks UNITSYS, CONTDIG", "Table.read"]),
        ({"NGAL": "300."}, ["@rows"]),
        ({"SEED": "'42'"}, ["@seed"]),
        ({"SEED": "43"}, ["@seed", "43", "42"]),
        ({"SIMNAME": "'see PROVENANCE'", "REDSHIFT": "0.50001"}, ["@redshift"]),
        ({"CUT2": "'stellar_mass > 0 Msun'"}, ["@cut_2", "none"]),
        ({"CUT1": None}, ["@cut_1", "none"]),
        ({"REF2": "'another'"}, ["@reference_2"]),
        ({"SIGMA_8": "0.8"}, ["@sigma_8"]),
    ],
    ids=str,
)
def test_header_cards_that_lie(path, cards, words):
    refused(table_says(path, **cards), *words)


@pytest.mark.parametrize("name", ESSENTIALS)
def test_a_fact_that_differs_from_the_provenance(path, name):
    keyword = ESSENTIALS[name]
    hdus = take_apart(path)
    before = [c for c in hdus[1][0] if c.startswith(f"{keyword:8}=")]
    for text in ("'other'", "0.123", None) if before else ("0.9",):
        hdus = take_apart(path)
        card(hdus[1][0], keyword, text)
        refused(put_together(path.with_name("b.fits"), hdus))


@pytest.mark.parametrize("card_text", ["COMMENT a remark", "HISTORY of it", "", "MYNOTE  = 'mine'"])
def test_cards_that_say_nothing_of_the_numbers_are_ignored(path, card_text):
    hdus, galaxies = take_apart(path), read_galaxies(path)
    hdus[1][0].insert(9, card_text)
    assert same(read_galaxies(put_together(path, hdus)), galaxies)


@pytest.mark.parametrize(
    "cards",
    [
        ["SEED    =                   42"],
        ["NAXIS2  =                  300"],
        ["OBJECT  = 'caf\xe9'"],
        ["COMMENT \0\x1b[2J"],
        ["COMMENT \n"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_repeated_keywords_and_odd_characters(path, cards, place):
    hdus = take_apart(path)
    hdus[place][0] += cards + cards  # not there in all HDUs
    error = refused(put_together(path, hdus))
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)


def test_a_header_that_goes_on_after_its_end(path):
    hdus = take_apart(path)
    hdus[1][0] += ["END", "SEED    = 7"]
    refused(put_together(path, hdus), "after the END")


def test_a_string_that_goes_on_wrongly(path):
    hdus = take_apart(path)
    hdus[1][0] += ["NOTE    = 'a&'", "CONTINUE  3.14"]
    refused(put_together(path, hdus), "CONTINUE")


def test_a_header_of_millions_of_cards(path):
    hdus = take_apart(path)
    many = fits_file.MAX_HEADER // 80 + 36
    hdus[1][0] += ["COMMENT"] * many
    refused(put_together(path, hdus, sums=False), "without END", code=4)


def test_a_text_of_many_continued_cards(path):
    hdus = take_apart(path)
    card(hdus[1][0], "SIMNAME", "'a run&'")
    at = next(i for i, c in enumerate(hdus[1][0]) if c.startswith("SIMNAME"))
    hdus[1][0][at + 1 : at + 1] = [f"CONTINUE  '{'x' * 66}&'"] * 50_000
    refused(put_together(path, hdus), "@simulation")


# ---- JSON that lies


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("", ["damaged JSON"], 3),
        ("{", ["damaged JSON"], 3),
        ("[]", ["an object"], 3),
        ("null", ["an object"], 3),
        ("{}", ["no section file"], 3),
        ("[" * 100_000 + "]" * 100_000, ["nested deeper"], 4),
        ("[" * 100_000, ["nested deeper"], 4),
        ('{"a":' * 100 + "1" + "}" * 100, ["nested deeper"], 4),
        ('{"a":NaN}', ["NaN"], 3),
        ('{"a":-Infinity}', ["Infinity"], 3),
        ('{"a":1e999}', ["the number 1e999"], 3),
        ('{"a":1,"a":2}', ["the name 'a' twice"], 3),
        ('{"a":' + "9" * 5000 + "}", ["damaged JSON"], 3),
        ('{"a":"\xe9"}', ["ASCII"], 3),
        ('{"a":"\x7f"}', ["ASCII"], 3),
        ('{"a":\n1}', ["ASCII"], 3),
        ("x" * ((1 << 24) + 1), ["at most"], 4),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["fits", "hdf5"])
def test_json_that_is_none_or_hostile(tmp_path, kind, text, words, code):
    path = written(catalogue(5), tmp_path / f"a.{kind}")
    if kind == "fits":
        put_together(path, with_json(take_apart(path), lambda _: text))
    else:
        if len(text) > 1 << 24:
            words, code = [], 3  # told by the process that reads it
        provenance_is(path, text)
    refused(path, *words, code=code)


def provenance_is(path, text):
    with h5py.File(path, "r+") as file:
        file.attrs["provenance"] = text
        file.attrs.pop("provenance_digest", None)


def change(**entries):
    """A change of the JSON: ``{"file.units": 3}`` sets one entry, ... takes it away."""

    def apply(value):
        for name, new in entries.items():
            *way, last = name.split("__")
            inner = value
            for step in way:
                inner = inner[int(step) if step.isdecimal() else step]
            last = int(last) if last.isdecimal() else last
            if new is ...:
                del inner[last]
            else:
                inner[last] = new
        return value

    return apply


def column(name):
    return f"file__columns__{NAMES.index(name)}"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"file": []}, ["file", "an object"]),
        ({"file__schema": 4}, ["schema", "version 4", "newer one"]),
        ({"file__schema": ...}, ["schema"]),
        ({"file__rows": "300"}, ["rows", "a count"]),
        ({"file__rows": -1}, ["rows", "a count"]),
        ({"file__rows": True}, ["rows", "a count"]),
        ({"file__rows": 2**70}, ["rows", "a count"]),
        ({"file__rows": 299}, ["300"]),
        ({"file__units": "cgs"}, ["units", "h-free or h"]),
        ({"file__units": "h-free"}, ["box_size"]),
        ({"file__frame": "cube"}, ["frame", "box or sky"]),
        ({"file__frame": ...}, ["frame", "no such entry"]),
        ({"file__content_digest": "12"}, ["content_digest", "64 hexadecimal"]),
        ({"file__content_digest": "AB" * 32}, ["content_digest"]),
        ({"file__h": 0.7}, ["file.h", "0.6774"]),
        ({"file__h": None, "simulation__cosmology__h": ...}, ["file.h", "a number"]),
        ({"file__h": "0.6774", "simulation__cosmology__h": "0.6774"}, ["file.h", "a number"]),
        ({"file__h": 5.0, "simulation__cosmology__h": 5.0}, ["cosmology h", "5.0"]),
        ({"file__redshift": -3, "simulation__redshift": -3}, ["redshift -3"]),
        ({"file__redshift": 1e305, "simulation__redshift": 1e305}, ["redshift", "1e+300"]),
        ({"file__redshift": 10**30, "simulation__redshift": 10**30}, ["redshift"]),
        ({"file__box_size": 99.0}, ["box_size", "100.0"]),
        ({"file__box_size": -100, "simulation__box_size_mpc_h": -100}, ["box size -100"]),
        ({"simulation__particle_mass_msun_h": "heavy"}, ["particle_mass_msun_h", "a number"]),
        ({"simulation__particle_mass_msun_h": -1.0}, ["particle mass -1.0"]),
        ({"simulation__redshift": 0.6}, ["redshift", "0.6"]),
        ({"simulation": 3}, ["simulation", "an object"]),
        ({"simulation__reading": [1]}, ["reading", "an object"]),
        ({"simulation__name": "another"}, ["simulation", "another"]),
        ({"simulation__cosmology": "Planck"}, ["cosmology", "an object"]),
        ({"painter": "hod"}, ["painter", "an object"]),
        ({"painter__luminosity_floor_msun_h": "low"}, ["luminosity_floor_msun_h", "a number"]),
        ({"painter__references": "Zheng"}, ["references", "a list"]),
        ({"painter__references": [1]}, ["references", "texts"]),
        ({"painter__name": "cnn"}, ["painter", "cnn"]),
        ({"painter__calibration_digest": "00"}, ["calibration_digest"]),
        ({"cuts": {"cut": "x"}}, ["cuts", "a list"]),
        ({"cuts": ["x"]}, ["cuts", "an object"]),
        ({"cuts__0__cut": "none"}, ["cut_1"]),
        ({"warnings": "none"}, ["warnings", "a list"]),
        ({"seed": 43}, ["file.seed", "43"]),
        ({"file__columns": {}}, ["columns", "a list"]),
        ({"file__columns": [1]}, ["columns", "an object"]),
        ({"file__columns": []}, ["no galaxy_id and no halo_id"]),
        ({"file__columns__0": ...}, ["no galaxy_id"]),
        ({column("vmax"): ...}, ["vmax"]),
        ({column("vmax") + "__name": "flux"}, ["flux", "newer one"]),
        ({column("vmax") + "__name": "halo_id"}, ["halo_id"]),
        ({column("vmax") + "__name": ["x"]}, ["name", "the name of a column"]),
        ({column("vmax") + "__unit": "m s-1"}, ["vmax", "m s-1"]),
        ({column("halo_mass") + "__h_power": 0}, ["halo_mass", "-1"]),
        ({column("halo_mass") + "__h_power": "-1"}, ["halo_mass", "-1"]),
        ({column("position_x") + "__a_power": 0}, ["position_x", "power of a"]),
        ({column("stellar_mass") + "__dtype": "float64"}, ["stellar_mass", "float32"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["fits", "hdf5"])
def test_json_that_contradicts(tmp_path, kind, entries, words):
    path = written(catalogue(), tmp_path / f"a.{kind}")
    if kind == "fits":
        put_together(path, with_json(take_apart(path), change(**entries)))
    else:
        with h5py.File(path) as file:
            text = file.attrs["provenance"]
        provenance_is(path, json.dumps(change(**entries)(json.loads(text))))
    refused(path, *words)


# ---- files of others


def test_a_survey_is_not_ours(tmp_path):
    survey = tmp_path / "survey.fits"
    Table({"RA": [1.0, 2.0], "DEC": [3.0, 4.0]}).write(survey)
    error = refused(survey, "lacks the tables GALAXIES and PROVENANCE", "astropy.table.Table.read")
    assert isinstance(error, FormatError)
    named = fits.BinTableHDU(Table({"RA": [1.0]}), name="GALAXIES")
    fits.HDUList([fits.PrimaryHDU(), named]).writeto(survey, overwrite=True, checksum=True)
    assert isinstance(refused(survey, "a table that lacks UNITSYS, NGAL, CONTDIG"), FormatError)
    fits.PrimaryHDU(np.zeros((9, 9))).writeto(survey, overwrite=True)
    assert isinstance(refused(survey, "an image in its first HDU"), FormatError)
    header = fits.Header([("HIERARCH ESO DET NAME", "x"), ("OBSGEO", 1.5e10), ("NIL", None)])
    header.add_comment("of another observatory")
    image = fits.CompImageHDU(np.zeros((90, 90), "i2"), header=header)
    fits.HDUList([fits.PrimaryHDU(header=header), image]).writeto(survey, overwrite=True)
    assert isinstance(refused(survey, "lacks the tables"), FormatError)
    fits.PrimaryHDU().writeto(survey, overwrite=True)
    refused(survey, "the HDUs PRIMARY, GALAXIES, PROVENANCE")


def test_hdf5_of_others(tmp_path):
    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        file["Subhalo/x"] = [1]
    assert isinstance(refused(path, "no group galaxies", "it holds Subhalo"), FormatError)
    with h5py.File(path, "a") as file:
        file["galaxies/x"] = [1]
    error = refused(path, "a group galaxies but not the attribute provenance")
    assert isinstance(error, FormatError)


def test_compressed_files_are_named(path):
    packed = path.with_name("a.fits.gz")
    packed.write_bytes(gzip.compress(b"halo_id x y z"))
    refused(packed, "a compressed file (gzip)", "gunzip")
    with fits.open(path) as hdus:
        columns = hdus[1].columns
        fits.HDUList(
            [fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((9, 9), "i4"), name="GALAXIES")]
        ).writeto(path.with_name("b.fits"))
        assert columns
    refused(path.with_name("b.fits"), "lacks UNITSYS")


def test_a_file_with_holes(path):
    size = (5 << 30) // 2880 * 2880
    hdus = take_apart(path)
    rows = size // number(hdus[1][0], "NAXIS1")
    card(hdus[1][0], "NAXIS2", rows)
    put_together(path, hdus)
    os.truncate(path, size)
    error = refused(path, "of which", code=4)
    assert "without holes" in str(error)


# ---- HDF5


def attribute(where, name, value):
    def apply(file):
        if value is None:
            del file[where].attrs[name]
        else:
            file[where].attrs[name] = value

    return apply


def replaced(name, make, **options):
    """Replace a column by ``make(values)``, its attributes kept."""

    def apply(file):
        old = file[f"galaxies/{name}"]
        values, attributes = make(old[...]), dict(old.attrs)
        del file[f"galaxies/{name}"]
        keep = {"chunks": (64,), "fletcher32": True, **options}
        new = file.create_dataset(f"galaxies/{name}", data=values, **keep)
        new.attrs.update(attributes)

    return apply


def linked(link):
    def apply(file):
        del file["galaxies/position_x"]
        file["galaxies/position_x"] = link(file)

    return apply


def unchecked(file):
    """A chunk that says it has no checksum."""
    data = file["galaxies/vmax"]
    data.id.write_direct_chunk((0,), data[...].tobytes(), filter_mask=1)


@pytest.mark.parametrize(
    ("damage", "words", "code"),
    [
        (attribute("/", "complete", None), ["complete", "not completely written"], 3),
        (attribute("/", "complete", 0), ["not completely written"], 3),
        (attribute("/", "provenance", None), ["provenance"], 3),
        (attribute("/", "provenance", 5), ["a text"], 3),
        (attribute("/", "provenance", np.array(["a", "b"], dtype=object)), ["a text"], 3),
        (attribute("/", "provenance_digest", "00" * 32), ["digest", "00" * 32], 3),
        (attribute("/", "redshift", 0.6), ["@redshift", "0.6"], 3),
        (attribute("/", "redshift", np.nextafter(0.5, 1)), ["@redshift"], 3),
        (attribute("/", "redshift", None), ["@redshift", "none"], 3),
        (attribute("/", "redshift", [0.5, 0.5]), ["@redshift"], 3),
        (attribute("/", "units", "h-free"), ["@units"], 3),
        (attribute("/", "seed", "42"), ["@seed"], 3),
        (attribute("/", "sigma_8", 0.8), ["@sigma_8", "none"], 3),
        (attribute("/", "cut_9", "x"), ["@cut_9"], 3),
        (attribute("galaxies/vmax", "unit", "m s-1"), ["vmax", "m s-1"], 3),
        (attribute("galaxies/vmax", "unit", None), ["vmax", "None"], 3),
        (attribute("galaxies/halo_mass", "unit", "solMass"), ["halo_mass", "units h"], 3),
        (attribute("galaxies/halo_mass", "h_power", 0), ["halo_mass"], 3),
        (attribute("galaxies/halo_mass", "h_power", [-1, -1]), ["halo_mass"], 3),
        (lambda file: file["galaxies"].pop("vmax"), ["vmax", "as in the provenance"], 3),
        (lambda file: file["galaxies"].create_group("more"), ["more"], 3),
        (lambda file: file.pop("galaxies"), ["no group galaxies"], 3),
        (replaced("vmax", lambda v: v.astype("f4")), ["vmax", "<f4", "<f8"], 3),
        (replaced("vmax", lambda v: v.astype(">f8")), ["vmax", ">f8", "<f8"], 3),
        (replaced("is_central", lambda v: v.astype("u1")), ["is_central", "|b1"], 3),
        (replaced("halo_id", lambda v: v.astype("u8")), ["halo_id", "<u8"], 3),
        (replaced("vmax", lambda v: v[:-1]), ["vmax", "(299,)"], 3),
        (replaced("vmax", lambda v: v[:, None], chunks=(64, 1)), ["vmax", "(300, 1)"], 3),
        (replaced("vmax", lambda v: v, fletcher32=False), ["without checksums", "FLET"], 3),
        (replaced("vmax", lambda v: v, fletcher32=False, chunks=None), ["without checksums"], 3),
        (unchecked, ["vmax", "with a checksum"], 3),
        (linked(lambda file: file["galaxies/position_y"]), ["position", "overlaps one of"], 3),
        (linked(lambda _: h5py.SoftLink("/galaxies/position_y")), ["overlaps one of"], 3),
        (linked(lambda _: h5py.ExternalLink("b.hdf5", "x")), ["link out of the file"], 4),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_hdf5_that_contradicts(hdf5, damage, words, code):
    with h5py.File(hdf5, "r+") as file:
        damage(file)
    refused(hdf5, *words, code=code)


def test_hdf5_repacked_and_compressed_is_read(hdf5):
    galaxies = read_galaxies(hdf5)
    with h5py.File(hdf5, "r+") as file:
        for name in NAMES:
            replaced(name, lambda values: values, compression="gzip", shuffle=True)(file)
    assert same(read_galaxies(hdf5), galaxies)


def test_a_chunk_that_cannot_be_found_is_not_read_as_zeros(tmp_path):
    path = written(catalogue(40_000), tmp_path / "a.hdf5", "h-free")
    with h5py.File(path) as file:
        chunk = file["galaxies/vmax"].id.get_chunk_info(1)
        assert chunk.chunk_offset == (16384,)
    # its key in the index: size, filter mask, offset in rows
    raw = bytearray(path.read_bytes())
    key = chunk.size.to_bytes(4, "little") + bytes(4) + (16384).to_bytes(8, "little")
    address = chunk.byte_offset.to_bytes(8, "little")
    at = next(i for i in places(raw, key) if raw[i + 24 : i + 32] == address)
    raw[at + 8 : at + 16] = (8192).to_bytes(8, "little")
    path.write_bytes(raw)
    assert isinstance(refused(path, "/galaxies/vmax"), CorruptFileError)


def places(raw, pattern):
    at = raw.find(pattern)
    while at >= 0:
        yield at
        at = raw.find(pattern, at + 1)


def test_it_is_the_public_function(path):
    assert same(mockgal.read_galaxies(path), read_galaxies(path))

import json
import os
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import astropy.units as u
import fitsio
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from write_samples import H, catalogue, in_file

from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import (
    CorruptFileError,
    InputError,
    InternalError,
    OutputError,
    UsageError,
)
from mockgal.layout import CATALOGUE_HDUS, FITS_CODES
from mockgal.system.files.fits_checksum import Checksum, encode
from mockgal.types import GalaxyCatalog
from mockgal.writers import fits as module
from mockgal.writers.fits import FITSWriter, verify_fits


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mock.fits"


def write(galaxies, path, **options):
    FITSWriter().write(galaxies, path, **{"overwrite": True, **options})


def astropy_agrees(path):
    """Structure and checksums by astropy, whose warnings are errors here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True, memmap=False) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1
                assert {"CHECKSUM", "DATASUM"} <= set(hdu.header)
                assert hdu.data is None or len(hdu.data) >= 0
            return [hdu.name for hdu in hdus]


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_astropy_reads_back_numbers_and_units(path, units, n):
    galaxies = catalogue(n)
    write(galaxies, path, units=units)
    assert astropy_agrees(path) == ["PRIMARY", "GALAXIES", "PROVENANCE"]
    table = Table.read(path, hdu="GALAXIES")
    assert table.colnames == list(GALAXY_COLUMNS)
    assert len(table) == n
    for name, column in GALAXY_COLUMNS.items():
        np.testing.assert_allclose(table[name], in_file(galaxies, name, units), rtol=1e-7)
        assert table[name].dtype.newbyteorder("=") == np.dtype(column.dtype)
        keeps = units == "h" and column.h_power
        assert table[name].unit == (u.Unit(column.unit) if column.unit and not keeps else None)
        if not column.h_power or units == "h":
            np.testing.assert_array_equal(table[name], galaxies[name])
    if units == "h-free" and n:
        assert QTable.read(path, hdu=1)["position_x"].unit == u.Mpc


def test_columns_with_a_power_of_h_say_so(path):
    write(catalogue(3), path, units="h")
    header = fits.getheader(path, "GALAXIES")
    n = list(GALAXY_COLUMNS).index("halo_mass") + 1
    assert header[f"THPOW{n}"] == -1
    assert header[f"TCOMM{n}"].endswith("[Msun/h]")
    assert f"TUNIT{n}" not in header
    assert header["BOXSIZE"] == 100
    assert "[Mpc/h]" in header.comments["BOXSIZE"]
    write(catalogue(3), path)
    header = fits.getheader(path, "GALAXIES")
    assert header[f"TUNIT{n}"] == "solMass"
    assert not [keyword for keyword in header if keyword.startswith("THPOW")]
    assert header["BOXSIZE"] == pytest.approx(100 / H)
    assert "[Mpc]" in header.comments["BOXSIZE"]


def test_fitsio_reads_it(path):
    galaxies = catalogue(100)
    write(galaxies, path)
    with fitsio.FITS(str(path)) as file:
        data = file["GALAXIES"].read()
        header = file["GALAXIES"].read_header()
        text = file["PROVENANCE"].read()["json"][0]
        for hdu in file:
            assert hdu.verify_checksum() is None
    assert json.loads(text)["seed"] == 42
    assert header["SIMNAME"] == "demo 'dark' run"
    assert header["CONTDIG"] == galaxies.digest()
    assert data["is_central"].dtype == bool
    for name in GALAXY_COLUMNS:
        np.testing.assert_allclose(data[name], in_file(galaxies, name, "h-free"), rtol=1e-7)


def test_the_header_holds_the_essentials(path):
    galaxies = catalogue(10)
    write(galaxies, path)
    header = fits.getheader(path, "GALAXIES")
    expected = {
        "MGVERS": "0.1.0",
        "SIMNAME": "demo 'dark' run",
        "PAINTER": "hod",
        "SEED": 42,
        "CONFHASH": "ef" * 32,
        "CALHASH": "cd" * 32,
        "INHASH": "ab" * 32,
        "MASSDEF": "200c",
        "FRAME": "box",
        "REDSHIFT": 0.5,
        "HUBBLE": H,
        "OMEGA_M": 0.3089,
        "OMEGA_L": 0.6911,
        "OMEGA_B": 0.0486,
        "UNITSYS": "h-free",
        "NGAL": 10,
        "CONTDIG": galaxies.digest(),
        "CUT1": "stellar_mass > 1e10 Msun/h",
        "REF1": "Zheng et al. 2007, ApJ 667, 760",
        "REF2": "a title & more, " * 20 + "end",
    }
    assert {keyword: header[keyword] for keyword in expected} == expected
    assert header.comments["CUT1"] == "20 rows before, 10 after"
    provenance = json.loads(Table.read(path, hdu="PROVENANCE")["json"][0])
    assert provenance["simulation"]["record"] == {"wrapped": 3}
    assert provenance["file"]["rows"] == 10
    assert provenance["file"]["content_digest"] == galaxies.digest()
    mass = next(c for c in provenance["file"]["columns"] if c["name"] == "halo_mass")
    assert (mass["unit"], mass["h_power"], mass["a_power"]) == ("solMass", 0, 0)


def test_facts_that_are_not_known_are_left_out(path):
    full = catalogue(2)
    write(GalaxyCatalog(full.columns, full.snapshot, "box", {}), path)
    header = fits.getheader(path, "GALAXIES")
    assert header["SIMNAME"] == "snap"
    assert not {"PAINTER", "SEED", "CUT1", "REF1", "MGVERS"} & set(header)


def test_a_catalogue_may_lack_columns_and_have_rows_of_odd_length(path):
    columns = {name: catalogue(7)[name] for name in ("galaxy_id", "halo_id", "is_central")}
    write(catalogue(columns=columns), path, chunk_rows=3)
    astropy_agrees(path)
    assert Table.read(path, hdu=1).colnames == ["galaxy_id", "halo_id", "is_central"]


@pytest.mark.parametrize("n", [0, 1, 1001])
def test_the_bytes_depend_on_the_content_alone(tmp_path, n, monkeypatch):
    contents = set()
    for i, chunk_rows in enumerate((65536, 1, 3, 1000)):
        path = tmp_path / f"{i}.fits"
        monkeypatch.setattr(time, "time", lambda i=i: 1e9 + 1e5 * i)
        write(catalogue(n), path, chunk_rows=chunk_rows)
        contents.add(path.read_bytes())
    assert len(contents) == 1


@pytest.mark.fault(70)
def test_a_newline_cannot_add_cards(path):
    name = "x'\nSEED    =                    7\r\0\x7f\x1b[2J" + " " * 80 + "NGAL    = 3"
    write(catalogue(2, name=name), path)
    astropy_agrees(path)
    raw = path.read_bytes()
    header = fits.getheader(path, "GALAXIES")
    assert header["SEED"] == 42
    assert header["NGAL"] == 2
    assert "\\n" in header["SIMNAME"]
    cards = [str(card) for card in header.cards]
    assert not any(ord(c) < 32 or ord(c) > 126 for card in cards for c in card)
    assert not {0x1B, 0x7F} & set(raw[raw.index(b"PROVENANCE") :])
    provenance = json.loads(Table.read(path, hdu="PROVENANCE")["json"][0])
    assert provenance["simulation"]["name"] == name


@pytest.mark.fault(60)
@pytest.mark.parametrize(
    ("name", "in_header"),
    [
        ("Größe 宇宙", "see PROVENANCE"),
        ("demo 'dark' run", "demo 'dark' run"),
        ("a'/b", "see PROVENANCE"),  # astropy takes what follows for the comment
        ("TNG100-1-Dark & more", "TNG100-1-Dark & more"),
        ("y" * 500, "y" * 500),
        ("x" * 67 + "&&&", "see PROVENANCE"),  # astropy takes the last & for a continuation
        ("\udce9", "\\udce9"),
    ],
)
def test_what_a_card_cannot_hold_is_in_the_provenance_and_no_more(path, name, in_header):
    write(catalogue(2, name=name), path)
    astropy_agrees(path)
    assert fits.getheader(path, "GALAXIES")["SIMNAME"] == in_header
    text = Table.read(path, hdu="PROVENANCE")["json"][0]
    assert json.loads(text)["simulation"]["name"] == name


def read_back(value):
    """The value of a card that holds ``value``, as astropy reads it."""
    header = fits.Header.fromstring(
        fits.Header([module._card("SIMNAME", value, "a comment")]).tostring()
    )
    assert list(header) == ["SIMNAME"]
    return header["SIMNAME"]


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=200))
def test_every_text_survives_or_refers(text):
    assert read_back(text) in (module.printable(text).strip(), "see PROVENANCE")


PLAIN = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="&'")


@settings(deadline=None, max_examples=100)
@given(st.text(PLAIN, max_size=200))
def test_plain_text_survives(text):
    assert read_back(text) == text.strip()


@given(st.integers(-(2**63), 2**63 - 1), st.floats(-1e300, 1e300))
def test_numbers_survive(integer, number):
    assert read_back(integer) == integer
    assert read_back(number) == pytest.approx(number, rel=1e-11)  # a card has 20 characters


def test_a_value_beyond_json_is_an_internal_error(path):
    for bad in (float("nan"), np.float32(1), {1, 2}):
        with pytest.raises(InternalError, match="JSON"):
            write(catalogue(1, seed_of_trouble=bad), path)
    assert not path.exists()


def test_unknown_units_are_refused(path):
    with pytest.raises(UsageError, match="h-free, h"):
        write(catalogue(1), path, units="cgs")


def test_big_provenance_is_whole(path):
    notes = ["note " + "é" * 50] * 2000
    write(catalogue(1, notes=notes), path)
    astropy_agrees(path)
    assert json.loads(fitsio.read(str(path), ext="PROVENANCE")["json"][0])["notes"] == notes


def peak(n, path, chunk_rows=4096):
    galaxies = catalogue(n)
    write(galaxies, path)
    tracemalloc.start()
    try:
        write(galaxies, path, chunk_rows=chunk_rows)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_rows(path, monkeypatch):
    # the digest belongs to the catalogue, and sorts: it is not the writer's memory
    monkeypatch.setattr(GalaxyCatalog, "digest", lambda self: "00" * 32)
    small, large = peak(50_000, path), peak(200_000, path)
    assert large < 1.1 * small + 100_000
    assert large < 4_000_000


@pytest.mark.parametrize("chunk_rows", [100, 65536])
def test_data_are_sent_to_the_disk_while_the_digest_is_computed(path, monkeypatch, chunk_rows):
    """The file is the same as if the digest had been there from the start."""
    galaxies, order = catalogue(5000), []
    write(galaxies, path)
    content = path.read_bytes()
    real_sync, real_digest, written = os.fsync, GalaxyCatalog.digest, threading.Event()

    def fsync(handle):
        order.append("fsync")
        written.set()
        real_sync(handle)

    def digest(self):
        assert written.wait(10)
        order.append("digest")
        return real_digest(self)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(GalaxyCatalog, "digest", digest)
    monkeypatch.setattr(module, "_FLUSH", 1000)
    write(galaxies, path, chunk_rows=chunk_rows)
    assert order[:2] == ["fsync", "digest"]
    assert path.read_bytes() == content


def test_a_digest_that_fails_leaves_the_old_file(path, monkeypatch):
    path.write_text("old")

    def fail(self):
        raise MemoryError("in the thread")

    monkeypatch.setattr(GalaxyCatalog, "digest", fail)
    with pytest.raises(MemoryError, match="in the thread"):
        write(catalogue(10), path)
    monkeypatch.setattr(GalaxyCatalog, "digest", lambda self: "0" * 5000)
    with pytest.raises(InternalError, match="header"):
        write(catalogue(10), path)
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == [path.name]


def test_a_writing_that_fails_does_not_wait_for_the_digest(path, monkeypatch):
    waiting = threading.Event()
    monkeypatch.setattr(GalaxyCatalog, "digest", lambda self: waiting.wait(30))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "encoded", fail)
    with pytest.raises(OutputError, match="No space"):
        write(catalogue(10), path)
    assert not waiting.is_set()
    assert [t for t in threading.enumerate() if t.name == "digest"]  # which ends with the process
    waiting.set()


def test_the_benchmark_compares_like_with_like(path, monkeypatch):
    """All that it times write the same data, in the same bytes."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    monkeypatch.setattr(module, "_verify_content", module._verify_content)  # which it wraps
    import fits_writing

    data = {}
    for method, prepare in fits_writing.METHODS.items():
        run, after = prepare(fits_writing.columns(1000), path)
        run()
        if method.startswith("raw"):
            assert abs(path.stat().st_size - 85_000) < 2880
        else:
            with fits.open(path) as hdus:
                start = hdus[1]._data_offset
            data[method] = path.read_bytes()[start : start + 85_000]
        assert set(after()) == ({"verify", "digest, alone"} if "mockgal" in method else set())
        path.unlink()
    in_units = data.pop("mockgal")  # of which the others know nothing
    assert len(data) == 6
    assert set(data.values()) == {data["astropy Table.write"]} != {in_units}


def test_units_are_those_of_the_fits_standard():
    for column in GALAXY_COLUMNS.values():
        assert column.file_unit == u.Unit(column.unit).to_string("fits")
        assert column.dtype in FITS_CODES


# ---- verification


@pytest.mark.fault(6, 7)
def test_every_cut_is_found(path, exit_code):
    write(catalogue(50), path)
    raw = path.read_bytes()
    verify_fits(path)
    with fits.open(path) as hdus:
        starts = [hdu._header_offset for hdu in hdus]
    for length in [0, 10, 2879, *range(2880, len(raw), 2880), len(raw) - 1]:
        path.write_bytes(raw[:length])
        with pytest.raises(CorruptFileError) as caught:
            verify_fits(path)
        expected = CATALOGUE_HDUS[max(i for i, start in enumerate(starts) if length >= start)]
        assert str(caught.value).startswith(f"{path}:{expected}: ")
        assert caught.value.exit_code == exit_code
    path.write_bytes(raw + bytes(2880))
    with pytest.raises(CorruptFileError, match="nothing else"):
        verify_fits(path)


@pytest.mark.fault(8)
def test_every_flipped_bit_is_found(path, exit_code):
    write(catalogue(20), path)
    raw = path.read_bytes()
    positions = np.random.default_rng(0).integers(0, len(raw), 200)
    for position in [*positions, 0, 4, 9, 29, 2880, 2888]:
        bad = bytearray(raw)
        bad[position] ^= 1 << int(position) % 8
        path.write_bytes(bad)
        with pytest.raises(CorruptFileError) as caught:
            verify_fits(path)
        assert caught.value.exit_code == exit_code


def test_other_files_are_not_ours(path):
    path.write_bytes(b"<html>404</html>" * 1000)
    with pytest.raises(CorruptFileError, match="<html>"):
        verify_fits(path)
    Table({"a": [1, 2]}).write(path, overwrite=True)
    with pytest.raises(CorruptFileError, match="DATASUM"):
        verify_fits(path)
    with pytest.raises(InputError):
        verify_fits(Path("/nonexistent/file.fits"))


def test_damage_while_writing_is_an_internal_error(path, monkeypatch):
    path.write_text("old")
    monkeypatch.setattr(module, "encoded", lambda *_: iter([b"x" * 10]))
    with pytest.raises(InternalError, match="verification"):
        write(catalogue(50), path)
    assert path.read_text() == "old"


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_the_sum_does_not_depend_on_the_pieces_and_is_astropys(pieces):
    pieced, whole = Checksum(), b"".join(pieces)
    for piece in pieces:
        pieced.add(piece)
    hdu = fits.ImageHDU()
    padded = np.frombuffer(whole + bytes(-len(whole) % 2880), dtype=np.uint8)
    assert pieced.value == hdu._compute_checksum(padded) if whole else pieced.value == 0


@given(st.integers(0, 2**32 - 1))
def test_the_encoding_is_astropys(value):
    assert encode(value) == fits.ImageHDU()._char_encode(~np.uint32(value))


# ---- any catalogue

finite = {
    "<f8": st.floats(-1e300, 1e300),
    "<f4": st.floats(-(2.0**100), 2.0**100, width=32),
    "<i8": st.integers(-(2**63), 2**63 - 1),
    "|b1": st.booleans(),
}


@st.composite
def catalogues(draw):
    n = draw(st.integers(0, 12))
    optional = [name for name in GALAXY_COLUMNS if name not in ("galaxy_id", "halo_id")]
    names = ["galaxy_id", "halo_id", *draw(st.lists(st.sampled_from(optional), unique=True))]
    columns = {}
    for name in names:
        dtype = GALAXY_COLUMNS[name].dtype
        columns[name] = np.array(draw(st.lists(finite[dtype], min_size=n, max_size=n)), dtype=dtype)
    return catalogue(columns=columns, name=draw(st.text(max_size=100)), cuts=[])


@pytest.mark.parametrize("units", ["h-free", "h"])
@settings(deadline=None, max_examples=25)
@given(galaxies=catalogues(), chunk_rows=st.integers(1, 20))
def test_any_catalogue_comes_back(tmp_path_factory, units, galaxies, chunk_rows):
    path = tmp_path_factory.mktemp("any") / "a.fits"
    write(galaxies, path, units=units, chunk_rows=chunk_rows)
    astropy_agrees(path)
    table = Table.read(path, hdu="GALAXIES")
    assert set(table.colnames) == set(galaxies.columns)
    for name in table.colnames:
        np.testing.assert_allclose(
            table[name], in_file(galaxies, name, units), rtol=1e-6 if units == "h-free" else 0
        )

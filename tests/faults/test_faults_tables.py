"""Faults of groups A to D and G, in tables of halos."""

import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from read_faults import case

sys.path.append(str(Path(__file__).parents[1] / "readers"))
from bomb import Bomb
from table_samples import FACTS, MAP, UNITS, WRITERS, columns, text, write_fits, write_hdf5

import mockgal
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read

OPTIONS = ReadOptions(columns=MAP, **FACTS)
CUT = [
    case(1, "halos.hdf5"),
    case(6, "halos.fits"),
    case(12, "halos.parquet"),
    "halos.npz",
    "halos.npy",
    "halos.fits.gz",
    "halos.csv.gz",
    "halos.csv.xz",
]


@pytest.mark.parametrize("name", CUT)
def test_cut_short(tmp_path, name, refused):
    path = tmp_path / name
    WRITERS[name](path, columns())
    whole = path.read_bytes()
    for share in (0.4, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path, name, options=OPTIONS, format="table")


@pytest.mark.fault(8)
def test_a_checksum_of_fits(tmp_path, refused):
    path = tmp_path / "a.fits"
    write_fits(path, columns())
    data = bytearray(path.read_bytes())
    data[-4000] ^= 1
    path.write_bytes(data)
    refused(path, "DATASUM", options=OPTIONS)


@pytest.mark.fault(2)
@pytest.mark.parametrize("suffix", [".csv", ".fits", ".parquet", ".npz"])
@pytest.mark.parametrize("content", [b"", bytes(100), b"<!DOCTYPE html>\n<html></html>\n"])
def test_no_table_at_all(tmp_path, suffix, content, refused):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    refused(path, path, options=OPTIONS)
    refused(path, path, options=OPTIONS, format="table")


@pytest.mark.fault(5)
def test_a_column_is_missing(tmp_path, refused):
    write_hdf5(tmp_path / "a.hdf5", columns(vx=None), UNITS)
    refused(tmp_path / "a.hdf5", "no column for velocity", "columns: ", "mvir")


@pytest.mark.fault(24)
def test_the_cosmology_is_nowhere(tmp_path, refused):
    (tmp_path / "a.csv").write_text(text(columns()))
    without = OPTIONS._replace(h=None, omega_m=None)
    refused(tmp_path / "a.csv", "--h ", "--omega-m", options=without)


@pytest.mark.fault(28)
def test_kpc_for_mpc(tmp_path, refused):
    (tmp_path / "a.csv").write_text(text(columns(x=columns()["x"] * 1e3)))
    refused(tmp_path / "a.csv", "halos that reach to", "kpc against Mpc", options=OPTIONS)


@pytest.mark.fault(29)
@pytest.mark.parametrize("exit_code", [0])
def test_the_same_run_in_kpc(exit_code):
    table = columns()
    kpc = {name: table[name] * 1e3 for name in "xyz"}
    stated = MAP.replace("x y z [Mpc/h]", "x y z [kpc/h]")
    found = mockgal.read({**table, **kpc}, columns=stated, **FACTS).halos["position"]
    np.testing.assert_allclose(found, mockgal.read(table, columns=MAP, **FACTS).halos["position"])
    assert exit_code == 0


@pytest.mark.fault(32)
def test_masses_without_h(tmp_path, refused):
    table = columns(hosts=400)
    table |= {name: table[name] / FACTS["h"] for name in ("m200c", "mvir")}
    (tmp_path / "a.csv").write_text(text(table))
    refused(tmp_path / "a.csv", "h", options=OPTIONS)


def changed(name, row, value):
    table = columns()
    values = table[name].astype(type(value)) if name != "upid" else table[name]
    values[row] = value
    return {**table, name: values}


VALUES = [
    case(34, "x", 7, np.nan, "positions that are NaN"),
    case(34, "y", 7, np.inf, "positions that are NaN"),
    case(35, "mvir", 7, -1e12, "mvir"),
    case(35, "m200c", 7, np.nan, "m200c"),
    case(35, "vx", 7, 1e30, "vx"),
    case(40, "x", 7, 45.0, "outside the box"),
    case(42, "upid", 90, 5, "without a central"),
]


@pytest.mark.parametrize(("name", "row", "value", "words"), VALUES)
@pytest.mark.parametrize("file", ["halos.csv", "halos.fits"])
def test_values(tmp_path, file, name, row, value, words, refused):
    WRITERS[file](tmp_path / file, changed(name, row, value))
    refused(tmp_path / file, words, f"row {row}", options=OPTIONS)


@pytest.mark.fault(39)
def test_an_origin_at_the_centre(tmp_path, refused):
    table = columns()
    table |= {name: table[name] - 20 for name in "xyz"}
    (tmp_path / "a.csv").write_text(text(table))
    refused(tmp_path / "a.csv", "--centred-origin", options=OPTIONS)
    scene = read(tmp_path / "a.csv", OPTIONS._replace(centred_origin=True))
    assert scene.halos.record["positions_wrapped"] > 0


@pytest.mark.fault(41)
def test_ids_twice(tmp_path, refused):
    (tmp_path / "a.csv").write_text(text(changed("id", 3, columns()["id"][4])))
    refused(tmp_path / "a.csv", "a.csv:id, row 4", "repeated ids", options=OPTIONS)


@pytest.mark.fault(41)
@pytest.mark.parametrize("file", ["halos.fits", "halos.npz"])
def test_ids_that_lost_digits(tmp_path, file, refused):
    WRITERS[file](tmp_path / file, columns(id=columns()["id"].astype(float)))
    refused(tmp_path / file, "drops digits", options=OPTIONS)


@pytest.mark.fault(43)
def test_a_circle_of_parents(tmp_path, refused):
    table = columns()
    table["upid"][[90, 91]] = table["id"][[91, 90]]
    (tmp_path / "a.csv").write_text(text(table))
    refused(tmp_path / "a.csv", "a.csv:upid", options=OPTIONS)


@pytest.mark.fault(45)
def test_an_empty_slab(tmp_path, refused):
    table = columns(hosts=400)
    kept = ~((table["x"] > 5) & (table["x"] < 12)) & (table["upid"] == -1)
    (tmp_path / "a.csv").write_text(text({n: v[kept] for n, v in table.items()}))
    refused(tmp_path / "a.csv", "missing subvolume", "--allow-empty-regions", options=OPTIONS)


# Hostile files


@pytest.fixture
def bomb(tmp_path):
    yield Bomb(tmp_path / "it went off")
    assert not (tmp_path / "it went off").exists()


def _npz(path, bomb):
    with path.open("wb") as file:
        np.savez(file, **{**columns(), "x": np.array([bomb] * 107, dtype=object)})


def _frame(path, bomb):
    import pandas

    frame = pandas.DataFrame({**columns(), "x": [bomb] * 107})
    with pytest.warns(pandas.errors.PerformanceWarning):
        frame.to_hdf(path, key="halos", format="fixed")


@pytest.mark.parametrize("write", [_npz, _frame])
def test_python_objects(tmp_path, bomb, write):
    write(tmp_path / "a", bomb)
    with pytest.raises(mockgal.errors.MockgalError) as caught:
        read(tmp_path / "a", OPTIONS)
    assert caught.value.exit_code in (2, 4)
    assert "x" in str(caught.value)


@pytest.mark.fault(63)
def test_an_array_of_objects(tmp_path, bomb, refused):
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, np.array([bomb, 1.0], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy", "a.npy")
    with pytest.raises(mockgal.errors.UnsafeInputError, match="Python objects"):
        read(tmp_path / "a.npy", OPTIONS)


def test_a_pickled_list_of_names_is_taken_apart(tmp_path, bomb):
    """Frames of pandas in the layout table keep names as pickles; nothing is unpickled."""
    import pickle

    WRITERS["table.hdf5"](tmp_path / "a.hdf5", columns())
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        table = file["halos/table"]
        name = next(n for n in table.attrs if n.endswith("_kind") and n.startswith("values"))
        table.attrs[name] = np.bytes_(pickle.dumps([bomb], 0))
    with pytest.raises(mockgal.errors.UnsafeInputError, match=r"Python objects.*Parquet"):
        read(tmp_path / "a.hdf5", OPTIONS, "table")


@pytest.mark.fault(64)
def test_a_link_out_of_the_file(tmp_path, refused):
    write_hdf5(tmp_path / "a.hdf5", columns(), UNITS)
    with h5py.File(tmp_path / "a.hdf5", "r+") as file, h5py.File(tmp_path / "b.h5", "w") as other:
        other["x"] = file["halos/x"][...]
        del file["halos/x"]
        file["halos/x"] = h5py.ExternalLink("b.h5", "x")
    refused(tmp_path / "a.hdf5", "link out of the file", options=OPTIONS)


@pytest.mark.fault(66)
def test_a_virtual_dataset(tmp_path, refused):
    write_hdf5(tmp_path / "a.hdf5", columns(), UNITS)
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["halos/x"]
        layout = h5py.VirtualLayout((107,), "f8")
        layout[:] = h5py.VirtualSource("/etc/x.h5", "x", (107,))
        file.create_virtual_dataset("halos/x", layout).attrs["units"] = "Mpc/h"
    refused(tmp_path / "a.hdf5", "virtual", options=OPTIONS)


def _huge_hdf5(path):
    with h5py.File(path, "w") as file:
        for name in columns():
            file.create_dataset(f"halos/{name}", (3 << 50,), "f8", chunks=(1 << 20,))


def _huge_fits(path):
    write_fits(path, columns())
    data = path.read_bytes()
    place = data.index(b"NAXIS2  =")
    card = b"NAXIS2  = " + b"1125899906842624".rjust(20)
    path.write_bytes(data[:place] + card + data[place + 30 :])


def _huge_npz(path):
    """The header of an array states more rows than there are bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in columns():
            head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({3 << 50},), }}"
            head = head.ljust(117) + "\n"
            archive.writestr(
                f"{name}.npy",
                b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode(),
            )


def _huge_npy(path):
    kinds = [(name, "<f8") for name in columns()]
    with path.open("wb") as file:
        facts = {"descr": kinds, "fortran_order": False, "shape": (3 << 50,)}
        np.lib.format.write_array_header_1_0(file, facts)


def test_petabytes_of_an_array(tmp_path):
    _huge_npy(tmp_path / "a.npy")
    with pytest.raises(mockgal.errors.CorruptFileError, match="as its header states"):
        read(tmp_path / "a.npy", OPTIONS, "table")


@pytest.mark.fault(67)
@pytest.mark.parametrize("write", [_huge_hdf5, _huge_fits])
def test_petabytes(tmp_path, write, refused):
    write(tmp_path / "a")
    refused(tmp_path / "a", "bytes", options=OPTIONS, format="table")


def test_petabytes_of_an_archive(tmp_path):
    _huge_npz(tmp_path / "a")
    with pytest.raises(mockgal.errors.CorruptFileError, match="as its header states"):
        read(tmp_path / "a", OPTIONS, "table")


@pytest.mark.fault(68)
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_text_that_grows(tmp_path, kind, refused, monkeypatch):
    import bz2
    import gzip
    import lzma

    from mockgal.readers.text import stream

    monkeypatch.setattr(stream, "BOMB_BYTES", 1 << 16)
    packed = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}[kind]
    table = text(columns(hosts=4))
    rows = table + ("0,-1" + ",0.0" * 12 + "\n") * (1 << 15)
    (tmp_path / "a.csv").write_bytes(packed(rows.encode()))
    refused(tmp_path / "a.csv", "that expand to", options=OPTIONS)


@pytest.mark.fault(68)
def test_fits_that_grows(tmp_path, refused, monkeypatch):
    import gzip

    from mockgal.system.files import gzipped

    monkeypatch.setattr(gzipped, "_BOMB_BYTES", 1 << 16)
    write_fits(tmp_path / "a.fits", columns(spin=np.zeros((107, 4000))))
    (tmp_path / "a").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    refused(tmp_path / "a", "that expand to", options=OPTIONS, format="table")


def test_xz_that_asks_for_much_memory(tmp_path, monkeypatch):
    from mockgal.readers.text import engines

    monkeypatch.setattr(engines, "_MOST_MEMORY", 1 << 20)
    WRITERS["halos.csv.xz"](tmp_path / "a.csv", columns())
    with pytest.raises(mockgal.errors.MockgalError, match=r"(?i)memory"):
        read(tmp_path / "a.csv", OPTIONS)


def test_data_of_a_votable_elsewhere(tmp_path):
    table = (
        '<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE><TABLE><FIELD name="x" '
        'datatype="double"/><DATA><BINARY><STREAM href="file:///etc/passwd"/></BINARY></DATA>'
        "</TABLE></RESOURCE></VOTABLE>"
    )
    (tmp_path / "a.vot").write_text(table)
    with pytest.raises(mockgal.errors.UnsafeInputError, match="STREAM href"):
        read(tmp_path / "a.vot", OPTIONS, "table")
    (tmp_path / "a.vot").write_text(table.replace("<VOTABLE", "<!DOCTYPE a []><VOTABLE", 1))
    with pytest.raises(mockgal.errors.UnsafeInputError, match="document type"):
        read(tmp_path / "a.vot", OPTIONS, "table")


@pytest.mark.fault(70)
@pytest.mark.parametrize("exit_code", [0])
def test_names_of_columns_with_control_bytes(tmp_path, exit_code):
    table = columns()
    table["x\x1b[31m\nmockgal: done"] = table.pop("x")
    write_hdf5(tmp_path / "a.hdf5", table)
    with pytest.raises(mockgal.errors.MockgalError) as caught:
        read(tmp_path / "a.hdf5", OPTIONS)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert exit_code == 0


@pytest.mark.fault(73)
def test_a_circle_of_links(tmp_path, refused):
    write_hdf5(tmp_path / "a.hdf5", columns(), UNITS)
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["halos/x"]
        file["halos/x"] = h5py.SoftLink("/halos/other")
        file["halos/other"] = h5py.SoftLink("/halos/x")
    refused(tmp_path / "a.hdf5", "loop of soft links", options=OPTIONS)

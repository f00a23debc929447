"""HDF5 in all its forms: read as HDF5 itself reads it, or refused with a reason and a way out.

What damaged and harmful files must give is in tests/faults; sampled damage in test_fuzz.py.
"""

import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import (
    CorruptFileError,
    HeaderError,
    InputError,
    MissingDatasetError,
    MockgalError,
    ResourceError,
    UnsafeInputError,
    UsageError,
)
from mockgal.readers.hdf5 import guard, guard_child, headers, safe, stored
from mockgal.readers.hdf5.unpack import fletcher32
from mockgal.system import memory
from mockgal.testing import write_gadget4

DEFLATE = {"compression": "gzip"}
CHECKED = {**DEFLATE, "shuffle": True, "fletcher32": True}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


def rows(path, name, *place, records=False, **how):
    with safe.open_hdf5(path) as file:
        return safe.read_rows(safe.dataset(file, name, records=records), *place, **how)


def refusal(path, name, kind, records=False):
    """What the message says, after checking that it names the place and a way out."""
    with pytest.raises(kind) as caught:
        rows(path, name, records=records)
    assert f"{path}:/{name}" in caught.value.where
    assert caught.value.fix
    return str(caught.value)


def make(path, kind, shape=(6,), name="x", layout=None, access=None):
    """A dataset of any type of HDF5, without values."""
    with h5py.File(path, "a") as file:
        space = h5py.h5s.create_simple(shape) if shape is not None else h5py.h5s.create(0)
        return h5py.h5d.create(file.id, name.encode(), kind, space, layout).get_storage_size()


# ---- reading


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
@pytest.mark.parametrize("dtype", ["f4", ">f8", "i8", "<u2", "f2", "?", "i1"])
def test_any_layout_is_read_as_hdf5_reads_it(path, libver, dtype):
    values = np.random.default_rng(0).integers(0, 100, (97, 3)).astype(dtype)
    ways = [
        {},
        {"chunks": (10, 3)},
        {"chunks": (10, 2), "maxshape": (None, None)},
        {"chunks": (200, 7), "maxshape": (None, 9), **DEFLATE},
        {"chunks": (97, 3), "fletcher32": True},
        {"chunks": (25, 3), "maxshape": (None, 3), **CHECKED},
        {"chunks": (25, 1), "shuffle": True},
        {"chunks": (25, 3), "compression": "lzf"},
    ]
    if dtype in ("i8", "<u2"):
        ways.append({"chunks": (25, 3), "scaleoffset": 0})
    with h5py.File(path, "w", libver=libver) as file:
        for number, how in enumerate(ways):
            file.create_dataset(str(number), data=values, **how)
    with safe.open_hdf5(path) as file:
        for number in range(len(ways)):
            data = safe.dataset(file, str(number))
            whole = safe.read_rows(data)
            np.testing.assert_array_equal(whole, values)
            assert whole.dtype == values.dtype
            for start, stop in [(0, 1), (1, 9), (9, 30), (30, 50), (50, 97), (3, 3), (90, 999)]:
                np.testing.assert_array_equal(safe.read_rows(data, start, stop), values[start:stop])
            out = np.empty((40, 3), "f8")
            assert safe.read_rows(data, 7, 47, out=out) is out
            np.testing.assert_array_equal(out, values[7:47])
            out = np.zeros((97, 6), values.dtype)[:, ::2]
            np.testing.assert_array_equal(safe.read_rows(data, out=out), values)


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    chunk=st.lists(st.integers(1, 11), min_size=3, max_size=3),
    step=st.integers(1, 9),
    seed=st.integers(0, 9),
)
def test_any_grid_of_chunks(tmp_path_factory, shape, chunk, step, seed):
    path = tmp_path_factory.getbasetemp() / "grid.h5"
    values = np.random.default_rng(seed).normal(size=shape)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "x", data=values, chunks=tuple(chunk[: len(shape)]), maxshape=(None,) * len(shape)
        )
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, "x")
        pieces = [safe.read_rows(data, k, k + step) for k in range(0, shape[0], step)]
    np.testing.assert_array_equal(np.concatenate(pieces), values)


@pytest.mark.parametrize("how", [{}, {"chunks": (7,), **CHECKED}, {"chunks": (9,)}])
def test_records(path, how):
    table = np.zeros(20, [("id", "i8"), ("x", ">f4"), ("name", "S5"), ("main", "?")])
    table["id"], table["x"], table["main"] = np.arange(20), np.linspace(0, 1, 20), True
    with h5py.File(path, "w") as file:
        file.create_dataset("t", data=table, **how)
    assert (rows(path, "t", records=True) == table).all()
    some = rows(path, "t", 3, 11, records=True, out=np.empty(8, [("x", "f8"), ("id", "i8")]))
    np.testing.assert_array_equal(some["x"], table["x"][3:11])
    np.testing.assert_array_equal(some["id"], table["id"][3:11])
    refusal(path, "t", InputError)


def test_one_value_and_none(path):
    with h5py.File(path, "w") as file:
        file["one"] = 3.5
        file["none"] = np.empty((0, 3))
        file.create_dataset("no rows", (0, 3), "f4", chunks=(5, 3), maxshape=(None, 3))
        file.create_dataset("no columns", (1 << 40, 0), "f4")
        file["empty"] = h5py.Empty("f8")
    assert rows(path, "one") == 3.5
    assert rows(path, "one", out=np.empty(())) == 3.5
    assert rows(path, "none").shape == (0, 3)
    assert rows(path, "no rows").shape == (0, 3)
    assert rows(path, "no columns", 0, 5).shape == (5, 0)
    assert "no values" in refusal(path, "empty", CorruptFileError)


def test_a_header_of_the_users_before_the_file(path):
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["x"] = np.arange(5.0)
        file.create_dataset("y", data=np.arange(50.0), chunks=(10,), **CHECKED)
        file["g/h/z"] = np.arange(3)
    for name, count in [("x", 5), ("y", 50), ("g/h/z", 3)]:
        np.testing.assert_array_equal(rows(path, name), np.arange(count))


@pytest.mark.parametrize(
    "options",
    [
        {"fs_strategy": "page", "fs_page_size": 4096},
        {"fs_strategy": "none"},
        {"libver": ("earliest", "v108")},
        {"track_order": True},
        {"driver": "core"},
    ],
    ids=str,
)
def test_files_of_other_kinds(path, options):
    with h5py.File(path, "w", **options) as file:
        file["a/b/x"] = np.arange(5.0)
        file["a"].attrs["n"] = 3
    np.testing.assert_array_equal(rows(path, "a/b/x"), np.arange(5.0))
    with safe.open_hdf5(path) as file:
        assert headers.attribute(file, "a", "n") == 3
        assert safe.members(file, "a") == ["b"]


@pytest.mark.parametrize("driver", ["family", "split"])
def test_part_of_a_file_in_several(path, driver):
    """Opened alone, as any reader does: refused, or read where all is in this part."""
    name = str(path.with_name("part%d.h5")) if driver == "family" else str(path)
    with h5py.File(name, "w", driver=driver) as file:
        file["x"] = np.arange(5.0)
    for part in path.parent.iterdir():
        with pytest.raises(InputError) as caught:
            rows(part, "x")
        assert caught.value.fix


def test_a_file_that_is_still_written(path):
    with h5py.File(path, "w", libver="latest") as file:
        file["x"] = np.arange(5.0)
    writer = (
        "import h5py, os, sys\n"
        "file = h5py.File(sys.argv[1], 'r+', libver='latest', locking=False)\n"
        "file.swmr_mode = True\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", writer, str(path)], check=True)
    with pytest.raises(CorruptFileError, match="open for writing"):
        rows(path, "x")


# ---- types

ODD = {
    "a 48-bit integer": lambda: sized(h5py.h5t.STD_U64LE, 6),
    "a float with another exponent": lambda: biased(h5py.h5t.IEEE_F32LE, 100),
    "an integer of 17 bits": lambda: precise(h5py.h5t.STD_I32LE, 17),
    "a long double": lambda: h5py.h5t.NATIVE_LDOUBLE.copy(),
    "opaque": lambda: h5py.h5t.create(h5py.h5t.OPAQUE, 8),
    "a bit field": lambda: h5py.h5t.STD_B32LE.copy(),
    "a reference": lambda: h5py.h5t.STD_REF_OBJ.copy(),
    "text": lambda: h5py.h5t.C_S1.copy(),
    "text of variable length": lambda: h5py.h5t.py_create(h5py.string_dtype(), logical=True),
    "lists": lambda: h5py.h5t.vlen_create(h5py.h5t.STD_I32LE),
    "an array": lambda: h5py.h5t.array_create(h5py.h5t.STD_I32LE, (3,)),
    "complex": lambda: h5py.h5t.py_create(np.dtype("c16")),
    "a time": lambda: h5py.h5t.UNIX_D32LE.copy(),
}


def sized(kind, size):
    kind = kind.copy()
    kind.set_size(size)
    kind.set_precision(8 * size)
    return kind


def biased(kind, bias):
    kind = kind.copy()
    kind.set_ebias(bias)
    return kind


def precise(kind, bits):
    kind = kind.copy()
    kind.set_precision(bits)
    return kind


@pytest.mark.parametrize("kind", ODD)
def test_other_types_are_refused_and_their_neighbours_read(path, kind):
    make(path, ODD[kind]())
    with h5py.File(path, "a") as file:
        file["y"] = np.arange(3)
    assert "no plain numbers" in refusal(path, "x", InputError)
    np.testing.assert_array_equal(rows(path, "y"), np.arange(3))
    with safe.open_hdf5(path) as file:
        assert safe.members(file, "/") == ["x", "y"]


@pytest.mark.parametrize("kind", [*ODD, "nested"])
def test_a_table_with_other_types_is_refused(path, kind):
    odd = ODD.get(kind, lambda: h5py.h5t.py_create(np.dtype([("a", "i4")])))()
    table = h5py.h5t.create(h5py.h5t.COMPOUND, 8 + odd.get_size())
    table.insert(b"id", 0, h5py.h5t.STD_I64LE)
    table.insert(b"odd", 8, odd)
    make(path, table)
    with h5py.File(path) as file:
        kind_of_table = file["x"].id.get_type()
    if kind in ("text", "an array"):  # a name of fixed width; several numbers
        assert stored.record_type(kind_of_table) is not None
    else:
        assert "named numbers" in refusal(path, "x", InputError, records=True)


def test_types_that_are_named_or_listed(path):
    with h5py.File(path, "w") as file:
        file["type"] = np.dtype("f8")
        file.create_dataset("x", data=np.arange(3.0), dtype=file["type"])
        colours = h5py.enum_dtype({"red": 0, "green": 1}, basetype="i2")
        file.create_dataset("y", data=np.array([0, 1, 1]), dtype=colours)
        file["x"].make_scale("the scale")
        file["y"].dims[0].attach_scale(file["x"])
    np.testing.assert_array_equal(rows(path, "x"), np.arange(3.0))
    np.testing.assert_array_equal(rows(path, "y"), [0, 1, 1])
    with pytest.raises(MissingDatasetError):
        rows(path, "type")


def test_truth_values_are_true_or_false(path):
    with h5py.File(path, "w") as file:
        file["x"] = np.array([True, False, True])
        place = file["x"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place + 1] = 2
    path.write_bytes(content)
    assert "neither true nor false" in refusal(path, "x", CorruptFileError)


def test_a_gadget4_run_with_48_bit_ids(tmp_path):
    catalogue = write_gadget4(tmp_path, files=1)
    with h5py.File(catalogue) as file:
        ids = file["Subhalo/SubhaloIDMostbound"].id.get_type()
        assert (ids.get_size(), ids.get_precision()) == (6, 48)
    from mockgal.readers.detect import read

    assert len(read(catalogue).halos) > 0


# ---- stored chunks


def checksums_of(sizes):
    """Content, and the checksum that HDF5 puts after it."""
    rng = np.random.default_rng(1)
    for size, fill in product(sizes, ["noise", 0, 255]):
        content = rng.integers(0, 256, size, dtype=np.uint8)
        if fill != "noise":
            content[:] = fill
        with h5py.File("memory", "w", driver="core", backing_store=False) as file:
            data = file.create_dataset("x", data=content, chunks=(size,), fletcher32=True)
            yield content, data.id.read_direct_chunk((0,))[1][size:]


def test_fletcher32_is_that_of_hdf5():
    for content, checksum in checksums_of([1, 2, 3, 720, 721, 65535, 131072, 400_001]):
        assert fletcher32(content) == int.from_bytes(checksum, "little")


def write_chunk(path, packed, *, size=1000, skipped=0, **how):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (2 * size,), "f8", chunks=(size,), **how)
        data[:size] = np.arange(size)
        data.id.write_direct_chunk((size,), packed, skipped)


def test_a_checksum_of_before_hdf5_1_6_3(path):
    values = np.arange(1000.0)
    sums = fletcher32(values.view(np.uint8)).to_bytes(4, "little")
    swapped = bytes([sums[1], sums[0], sums[3], sums[2]])
    for checksum in (sums, swapped):
        write_chunk(path, values.tobytes() + checksum, fletcher32=True)
        np.testing.assert_array_equal(rows(path, "x", 1000), values)
    write_chunk(path, values.tobytes() + bytes(4), fletcher32=True)
    assert "Fletcher-32" in refusal(path, "x", CorruptFileError)


WHOLE = np.arange(1000.0).tobytes()


@pytest.mark.parametrize(
    ("packed", "skipped", "says"),
    [
        (zlib.compress(WHOLE[:-8]), 0, "7992 bytes of values instead of 8000"),
        (zlib.compress(WHOLE + bytes(8)), 0, "more than 8000 bytes"),
        (zlib.compress(WHOLE)[:-6], 0, "ends too early"),
        (zlib.compress(WHOLE, 0)[:-2] + b"ab", 0, "cannot be decompressed"),
        (WHOLE[:5000], 0, "cannot be decompressed"),
        (WHOLE[:5000], 1, "5000 bytes"),
        (b"x", 1, "1 bytes"),
        (bytes(20_000), 0, "20000 bytes"),
    ],
)
def test_a_chunk_that_is_not_its_values(path, packed, skipped, says):
    """HDF5 itself reads the first of these, and gives what was in memory."""
    write_chunk(path, packed, skipped=skipped, **DEFLATE)
    message = refusal(path, "x", CorruptFileError)
    assert says in message
    assert "chunk (1,), from row 1000" in message or "chunk at (1000,)" in message
    np.testing.assert_array_equal(
        rows(path, "x", 0, 1000), np.arange(1000)
    ) if "row" in message else 0


def test_a_chunk_that_was_not_worth_packing(path):
    write_chunk(path, WHOLE, skipped=1, **DEFLATE)
    np.testing.assert_array_equal(rows(path, "x", 1000), np.arange(1000))


def test_a_chunk_that_unpacks_without_end(path):
    """A thousand times the bytes of its values; they are not made."""
    size = 1 << 17
    packed = zlib.compress(bytes(1 << 30), 1)[: size * 8]
    write_chunk(path, packed, size=size, **DEFLATE)
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match="more than 1048576 bytes"):
        rows(path, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


def patched(path, old, new):
    """Replace bytes that are in a file once."""
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def test_chunks_in_one_place(path):
    """A small file that is large when it is read: its chunks are one and the same."""
    noise = zlib.compress(np.random.default_rng(0).bytes(8000))
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (30_000,), "f8", chunks=(1000,), **DEFLATE)
        for k in range(30):
            data.id.write_direct_chunk((1000 * k,), noise if k == 0 else b"xx")
        places = [data.id.get_chunk_info(k).byte_offset for k in range(30)]

    def entry(number, size, place):
        """Of the index: size, filters skipped, offset with one more dimension, place."""
        offset = (1000 * number).to_bytes(8, "little") + bytes(8)
        return size.to_bytes(4, "little") + bytes(4) + offset + place.to_bytes(8, "little")

    for k in range(1, 30):
        patched(path, entry(k, 2, places[k]), entry(k, len(noise), places[0]))
    assert path.stat().st_size < 30 * len(noise)
    assert "must overlap" in refusal(path, "x", UnsafeInputError)


def test_bytes_shuffled_by_another_size(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(1000.0), chunks=(1000,), shuffle=True)
    name = b"shuffle\0"
    patched(path, name + (8).to_bytes(4, "little"), name + (4).to_bytes(4, "little"))
    assert "shuffled by 4" in refusal(path, "x", CorruptFileError)


def test_a_filter_that_a_package_adds(path, monkeypatch):
    code = 32099
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((6,))
    layout.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1,))
    make(path, h5py.h5t.NATIVE_DOUBLE, layout=layout)
    assert 'pip install "mockgal[formats]"' in refusal(path, "x", InputError)
    known = set()
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda c: c in known)
    monkeypatch.setattr(stored.importlib, "import_module", lambda name: known.add(code))
    assert "0 stored chunks" in refusal(path, "x", CorruptFileError)


# ---- names


def test_a_circular_list_of_names_is_not_followed(path):
    """HDF5 follows it for ever."""
    with h5py.File(path, "w") as file:
        for name in ("one", "another", "x"):
            file[f"group/{name}"] = np.arange(3)
        del file["group/another"]  # leaves free space
    np.testing.assert_array_equal(rows(path, "group/x"), np.arange(3))
    content = path.read_bytes()
    heap = content.index(b"HEAP", content.index(b"HEAP") + 1)
    size, free, data = (int.from_bytes(content[heap + k :][:8], "little") for k in (8, 16, 24))
    assert free < size
    looped = bytearray(content)
    looped[data + free : data + free + 8] = free.to_bytes(8, "little")
    path.write_bytes(looped)
    for look in (
        lambda file: safe.dataset(file, "group/x"),
        lambda file: safe.members(file, "group"),
        lambda file: safe.exists(file, "group/none"),
    ):
        with safe.open_hdf5(path) as file, pytest.raises(CorruptFileError, match="never ends"):
            look(file)
    outside = bytearray(content)
    outside[data + free : data + free + 8] = (size + 8).to_bytes(8, "little")
    path.write_bytes(outside)
    with pytest.raises(CorruptFileError, match="leaves the heap"):
        rows(path, "group/x")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_absurdly_many_names(path, libver, monkeypatch):
    monkeypatch.setattr(safe, "MAX_NAMES", 50)
    with h5py.File(path, "w", libver=libver) as file:
        file["x"] = np.arange(3)
        for k in range(60):
            file[f"many/{k}"] = h5py.SoftLink("/x")
            file["x"].attrs[f"a{k}"] = k
    np.testing.assert_array_equal(rows(path, "many/7"), np.arange(3))
    with safe.open_hdf5(path) as file:
        assert headers.attribute(file, "x", "a7") == 7
        for look in (
            lambda: safe.members(file, "many"),
            lambda: safe.dataset(file, "many/none"),
            lambda: headers.attribute(file, "x", "none"),
        ):
            with pytest.raises(UnsafeInputError, match="60 names"):
                look()


def test_names_that_are_no_text(path):
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((1,))
        h5py.h5d.create(file.id, b"caf\xe9", h5py.h5t.STD_I32LE, space).write(
            space, space, np.zeros(1, "i4")
        )
        file["\u65e5\u672c"] = np.arange(3)
        file.attrs["\u65e5\u672c"] = 5
    with safe.open_hdf5(path) as file:
        assert len(safe.members(file, "/")) == 2
        assert headers.attribute(file, "/", "\u65e5\u672c") == 5
        with pytest.raises(MissingDatasetError):
            safe.dataset(file, "none")
        with pytest.raises(MissingDatasetError):
            headers.attribute(file, "/", "none")
    np.testing.assert_array_equal(rows(path, "\u65e5\u672c"), np.arange(3))


def test_groups_that_hold_themselves(path):
    with h5py.File(path, "w") as file:
        file["a/x"] = np.arange(3)
        file["a/b"] = file["a"]
        file["a/root"] = file["/"]
        file["soft"] = h5py.SoftLink("soft/x")
        file["dot"] = h5py.SoftLink("./a/./x")
    np.testing.assert_array_equal(rows(path, "a/b/b/b/root/a/x"), np.arange(3))
    with safe.open_hdf5(path) as file:
        assert safe.members(file, "a/b/b") == ["b", "root", "x"]
        with pytest.raises(UnsafeInputError):
            safe.exists(file, "soft")
        with pytest.raises(UnsafeInputError):
            safe.exists(file, "a/" + "b/" * 40 + "x")


# ---- attributes


def test_attributes_of_any_plain_type(path):
    given_values = {
        "int": (np.int32(3), 3),
        "big": (np.array(3.5, ">f8"), 3.5),
        "half": (np.float16(0.5), 0.5),
        "one": (np.array([7]), 7),
        "true": (True, True),
        "bytes": (np.bytes_(b"abc"), "abc"),
        "padded": (np.array(b"abc", "S9"), "abc"),
        "latin": (np.bytes_(b"caf\xe9"), "caf\ufffd"),
        "text": ("caf\u00e9", "caf\u00e9"),
        "no text": ("", ""),
        "texts": (np.array(["a", "bc"], dtype=object), ["a", "bc"]),
    }
    with h5py.File(path, "w") as file:
        for name, (value, _) in given_values.items():
            file.attrs[name] = value
        file.attrs["numbers"] = np.arange(3)
        file.attrs.create("array", np.arange(3), dtype=np.dtype(("i8", (3,))))
        file.attrs["count"] = "12"
    with safe.open_hdf5(path) as file:
        for name, (_, expected) in given_values.items():
            found = headers.attribute(file, "/", name)
            assert (found, type(found)) == (expected, type(expected)), name
        np.testing.assert_array_equal(headers.attribute(file, "/", "numbers"), np.arange(3))
        np.testing.assert_array_equal(headers.attribute(file, "/", "array"), np.arange(3))
        assert headers.number(file, "/", "count") == 12
        assert headers.attribute(file, "/", "none", 5) == 5
        with pytest.raises(MissingDatasetError, match="present: array, big, bytes"):
            headers.attribute(file, "/", "none")


@pytest.mark.parametrize(
    ("value", "dtype", "kind"),
    [
        (np.zeros(1 << 18), None, UnsafeInputError),
        ("x" * (2 << 20), h5py.string_dtype(), CorruptFileError),
        (np.array([np.arange(3), np.arange(2)], object), h5py.vlen_dtype("i8"), HeaderError),
        (h5py.Empty("f8"), None, HeaderError),
        (h5py.Empty("S3"), None, HeaderError),
        (1 + 2j, None, HeaderError),
        (np.zeros(1, [("a", "i4")]), None, HeaderError),
        (np.void(b"abc"), None, HeaderError),
        ("reference", None, HeaderError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_attributes_that_are_refused(path, value, dtype, kind):
    with h5py.File(path, "w", libver="latest") as file:
        value = file.ref if isinstance(value, str) and value == "reference" else value
        file.attrs.create("a", value, dtype=dtype)
    with safe.open_hdf5(path) as file, pytest.raises(kind) as caught:
        headers.attribute(file, "/", "a")
    assert caught.value.where.endswith("@a")
    assert caught.value.fix


def test_an_attribute_of_48_bits(path):
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5a.create(file.id, b"id", sized(h5py.h5t.STD_U64LE, 6), space)
        file.attrs["n"] = 5
    with safe.open_hdf5(path) as file:
        assert headers.attribute(file, "/", "n") == 5
        with pytest.raises(HeaderError):
            headers.attribute(file, "/", "id")
        with pytest.raises(MissingDatasetError, match="id, n"):
            headers.attribute(file, "/", "none")


# ---- the helper process


@pytest.fixture
def helper(monkeypatch):
    """A helper of this test alone."""
    helper = guard._Helper()
    monkeypatch.setattr(guard, "helper", helper)
    yield helper
    helper.close()


def write_text(path, damage=True):
    """A text in the heap of the file; there, HDF5 follows lengths of 0 for ever."""
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "some text"
        file["x"] = np.arange(3)
    if damage:
        content = bytearray(path.read_bytes())
        first = content.index(b"GCOL") + 16
        content[first : first + 64] = bytes(64)
        path.write_bytes(content)


def text(path):
    with safe.open_hdf5(path) as file:
        return headers.attribute(file, "/", "text")


def test_a_text_that_hdf5_never_finishes(path, helper, monkeypatch):
    monkeypatch.setenv(guard.SECONDS, "0.5")
    write_text(path)
    for _ in range(2):  # the second time at once
        with pytest.raises(CorruptFileError, match=r"within 0.5 s of computing") as caught:
            text(path)
        assert guard.SECONDS in caught.value.fix
        assert caught.value.where == f"{path}:/@text"
        assert helper._process is None
    np.testing.assert_array_equal(rows(path, "x"), np.arange(3))
    write_text(path.with_name("b.h5"), damage=False)
    assert text(path.with_name("b.h5")) == "some text"


def test_the_limit_counts_computing_not_waiting():
    """A disk may take its time."""
    code = (
        "import time, sys; sys.path.insert(0, sys.argv[1]); import guard_child\n"
        "guard_child.limit(0.3, 1 << 30)\n"
        "time.sleep(0.9)\n"
        "print('waited', flush=True)\n"
        "while True: pass\n"
    )
    folder = str(Path(guard_child.__file__).parent)
    result = subprocess.run(
        [sys.executable, "-P", "-c", code, folder], capture_output=True, text=True, timeout=100
    )
    assert result.stdout == "waited\n"
    assert result.returncode == -signal.SIGPROF


@pytest.mark.parametrize("end", ["SIGSEGV", "SIGKILL", "exit code 3"])
def test_a_crash_of_hdf5_is_a_damaged_file(path, helper, monkeypatch, end):
    program = path.with_name("program.py")
    how = "os._exit(3)" if end == "exit code 3" else f"os.kill(os.getpid(), signal.{end})"
    program.write_text(
        "import os, signal, sys\n"
        "sys.stdin.readline(); print('{}', flush=True)\n"
        f"sys.stdin.readline(); {how}\n"
    )
    monkeypatch.setattr(guard, "PROGRAM", program)
    write_text(path, damage=False)
    with pytest.raises(CorruptFileError, match=f"crashes reading it \\({end}\\)"):
        text(path)


@pytest.mark.parametrize("how", ["no program", "ends at once"])
def test_no_helper_to_be_had(path, helper, monkeypatch, how):
    if how == "no program":
        monkeypatch.setattr(sys, "executable", "/no/such/python")
    else:
        (path.with_name("program.py")).write_text("raise SystemExit(7)")
        monkeypatch.setattr(guard, "PROGRAM", path.with_name("program.py"))
    write_text(path, damage=False)
    with pytest.raises(ResourceError, match="helper process") as caught:
        text(path)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("value", ["soon", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_none(path, helper, monkeypatch, value):
    monkeypatch.setenv(guard.SECONDS, value)
    write_text(path, damage=False)
    with pytest.raises(UsageError, match=guard.SECONDS):
        text(path)


def test_an_interrupt_while_waiting_for_the_helper(path, helper, monkeypatch):
    write_text(path, damage=False)
    assert text(path) == "some text"
    process, real = helper._process, guard._exchange

    def interrupted(process, message):
        process.stdin.write("{")  # half a question
        raise KeyboardInterrupt

    monkeypatch.setattr(guard, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        text(path)
    assert process.returncode == -signal.SIGKILL
    monkeypatch.setattr(guard, "_exchange", real)
    assert text(path) == "some text"


def test_the_helper_is_started_once_and_ends_with_its_user(path):
    write_text(path, damage=False)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from mockgal.readers.hdf5 import guard, headers, safe\n"
        "def look():\n"
        "    with safe.open_hdf5(Path(sys.argv[1])) as file:\n"
        "        assert headers.attribute(file, '/', 'text') == 'some text'\n"
        "    return guard.helper._process.pid\n"
        "first = look()\n"
        "assert first == look()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if look() not in (0, first) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert first == look()\n"
        "print(first)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(result.stdout), 0)


def test_modules_beside_the_data_are_not_taken_for_the_library(path, helper, monkeypatch):
    write_text(path, damage=False)
    for name in ("json", "h5py", "resource"):
        (path.with_name(f"{name}.py")).write_text("raise SystemExit('taken')")
    monkeypatch.chdir(path.parent)
    assert text(path) == "some text"


# ---- memory


def test_memory_is_asked_for_only_where_it_is(path, monkeypatch):
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(1 << 24)  # 128 MiB
    monkeypatch.setattr(memory, "available", lambda: 100 << 20)
    with pytest.raises(ResourceError) as caught:
        rows(path, "x")
    assert caught.value.exit_code == 6
    assert f"{128 << 20} bytes" in str(caught.value)
    assert rows(path, "x", 0, 1 << 20).size == 1 << 20


def test_a_stored_chunk_that_is_larger_than_memory(path, monkeypatch):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(10), chunks=(1 << 24,), maxshape=(None,), **DEFLATE)
    monkeypatch.setattr(memory, "available", lambda: 100 << 20)
    with pytest.raises(ResourceError):
        rows(path, "x")


def test_what_is_available(tmp_path, monkeypatch):
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.available() <= total
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("5\n")
    (tmp_path / "a" / "memory.max").write_text("1000\n")
    (tmp_path / "a" / "memory.current").write_text("900\n")
    (tmp_path / "a" / "memory.stat").write_text("anon 7\ninactive_file 300\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_own_group", lambda: "a/b")
    assert memory._left_in_groups() == [400]
    assert memory.available() <= 400


def test_a_limit_on_the_address_space():
    code = (
        "import resource\n"
        "from mockgal.system import memory\n"
        "before = memory.available()\n"
        "used = memory._table(memory.Path('/proc/self/status'))['VmSize'] << 10\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20), resource.RLIM_INFINITY))\n"
        "assert memory.available() <= 50 << 20 < before, (memory.available(), before)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_translated_names_the_place_of_any_error():
    for error in (OSError("x"), IndexError("x"), UnicodeDecodeError("a", b"", 0, 1, "x")):
        with pytest.raises(CorruptFileError, match="here"), safe.translated("here"):
            raise error
    with pytest.raises(MockgalError, match="as it is"), safe.translated("here"):
        raise UsageError("as it is", "x")
    with pytest.raises(KeyboardInterrupt), safe.translated("here"):
        raise KeyboardInterrupt


def test_relative_paths_after_a_change_of_folder(tmp_path, monkeypatch):
    """The helper that looks at damaged files was started elsewhere."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with h5py.File(tmp_path / name / "a.hdf5", "w") as file:
            file.attrs[name] = 1
        monkeypatch.chdir(tmp_path / name)
        assert guard.names("here", "a.hdf5", "/") == [name]

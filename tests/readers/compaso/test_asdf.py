"""ASDF from strangers, and numbers in packed forms."""

import struct

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal.errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    InputError,
    MissingDatasetError,
    UnsafeInputError,
)
from mockgal.readers.compaso import packed
from mockgal.readers.compaso.asdf import is_asdf, open_asdf
from mockgal.testing.compaso import header, pack9, rvint, write_asdf

ROWS = 30_000  # several pieces of Blosc
TREE = b"#ASDF 1.0.0\n--- !core/asdf-1.1.0\n"


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    return {
        "x": rng.normal(size=(ROWS, 3)).astype("f4"),
        "n": rng.integers(0, 1 << 60, ROWS).astype("u8"),
        "none": np.empty((0, 3), "i4"),
    }


@pytest.mark.parametrize("is_packed", [True, False])
def test_arrays(tmp_path, arrays, is_packed):
    file = open_asdf(write_asdf(tmp_path / "a.asdf", header(), arrays, packed=is_packed))
    for name, values in arrays.items():
        found = file.read(name, values.shape[1:])
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)
        pieces = list(file.pieces(name, values.shape[1:]))
        assert len(pieces) > 5 or not is_packed or not len(values)
        joined = np.concatenate([np.empty((0, *values.shape[1:]), values.dtype), *pieces])
        np.testing.assert_array_equal(joined, values)
    assert file.number("BoxSize") == header()["BoxSize"]
    assert file.header["SODensity"] == ["200", "800"]
    assert file.number("NotThere") is None
    with pytest.raises(MissingDatasetError, match="no such array; arrays: x, n"):
        file.read("y")
    with pytest.raises(HeaderError, match="shape"):
        file.read("x")


def test_an_array_that_begins_within_its_block(tmp_path, arrays):
    path = write_asdf(tmp_path / "a.asdf", header(), arrays)
    content = path.read_bytes()
    short = f"shape: [{ROWS - 10}, 3]\n    offset: 120".encode()
    path.write_bytes(content.replace(f"shape: [{ROWS}, 3]".encode(), short))
    file = open_asdf(path)
    np.testing.assert_array_equal(file.read("x", (3,)), arrays["x"][10:])
    joined = np.concatenate(list(file.pieces("x", (3,))))
    np.testing.assert_array_equal(joined, arrays["x"][10:])


TREES = {
    "a reference": (b"data: {}\nheader: &a {b: *a}\n...\n", None, ""),
    "an alias": (b"data: {x: &a {source: 0}, y: *a}\nheader: {}\n...\n", HeaderError, "an array"),
    "python": (b"data: {x: !!python/object/apply:os.system ['true']}\nheader: {}\n...\n", None, ""),
    "levels": (b"data: " + b"[" * 1000 + b"]" * 1000 + b"\n...\n", UnsafeInputError, "32 levels"),
    "no end": (b"data: {}\n", CorruptFileError, "without the end"),
    "no YAML": (b"data: {]\n...\n", CorruptFileError, "no YAML"),
    "a table": (b"data: [1, 2]\nheader: {}\n...\n", FormatError, "header and data"),
    "another file": (
        b"data: {x: {source: ../x.asdf, datatype: int8, byteorder: little, shape: [1]}}\n"
        b"header: {}\n...\n",
        UnsafeInputError,
        "'../x.asdf'",
    ),
    "a number": (b"data: {}\nheader: {NP: 1e999}\n...\n", HeaderError, "header/NP"),
}


@pytest.mark.parametrize("what", TREES)
def test_trees(tmp_path, what):
    tree, error, words = TREES[what]
    (tmp_path / "a.asdf").write_bytes(TREE + tree)
    if error is None:
        assert open_asdf(tmp_path / "a.asdf").columns == {}
        return
    with pytest.raises(error, match=words):
        open_asdf(tmp_path / "a.asdf").number("NP")


@given(
    st.recursive(
        st.integers() | st.text(st.characters(codec="ascii"), max_size=9) | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
        ),
        max_leaves=9,
    )
)
@settings(max_examples=40, deadline=None)
def test_trees_are_read_as_texts(tmp_path_factory, value):
    def texts(one):
        if isinstance(one, dict):
            return {name: texts(inner) for name, inner in one.items()}
        if isinstance(one, list):
            return [texts(inner) for inner in one]
        return one if isinstance(one, str) else str(one).lower()

    path = tmp_path_factory.mktemp("tree") / "a.asdf"
    dumped = yaml.safe_dump({"data": {}, "header": {"a": value}})
    path.write_bytes(b"#ASDF 1.0.0\n---\n" + dumped.encode() + b"...\n")
    assert open_asdf(path).header["a"] == texts(value)


def test_bytes_at_random(tmp_path, arrays):
    path = write_asdf(tmp_path / "a.asdf", {"a": 1}, {"x": arrays["x"][:500]})
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        place = int(rng.integers(len(whole)))
        data[place] = int(rng.integers(256))
        path.write_bytes(data[: place if rng.integers(4) == 0 else None])
        try:
            found = open_asdf(path).read("x", (3,))
        except (InputError, UnsafeInputError) as error:
            refused += bool(error.fix)
        else:
            same = found.view("u4") == arrays["x"][:500].view("u4")
            assert same.all() or found.dtype != np.dtype("<f4")
    assert refused > 200


def test_detection_never_raises(tmp_path):
    assert not is_asdf(tmp_path)
    assert not is_asdf(tmp_path / "absent")


def slowly(records):
    """Positions of pack9, record by record."""
    found, cell = [], None
    for record in records.tolist():
        twelve = []
        for a, b, c in (record[0:3], record[3:6], record[6:9]):
            twelve += [16 * a + b % 16, 256 * (b // 16) + c]
        if record[0] == 255:
            cell = [number - 48 for number in twelve]
            continue
        n, *place = cell[1], *cell[3:]
        inside = zip(place, twelve[:3], strict=True)
        found.append([(c + 0.5 + (u - 2048) / 2000) / n - 0.5 for c, u in inside])
    return np.array(found).reshape(-1, 3)


@given(st.integers(0, 60), st.integers(0, 2**32 - 1), st.integers(0, 80))
@settings(max_examples=50, deadline=None)
def test_pack9(count, seed, cut):
    position = np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 3))
    records = pack9(position).view("u1")
    found, cell = packed.from_pack9(records[:cut])
    rest, _ = packed.from_pack9(records[cut:], cell)
    found = np.concatenate([found, rest])
    np.testing.assert_allclose(found, slowly(records), atol=1e-15)
    assert len(found) == count
    if count:
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(position, axis=0), atol=1e-4)


@pytest.mark.parametrize("changed", ["no cell", "beyond the box", "of no number"])
def test_pack9_that_is_damaged(changed):
    records = pack9(np.zeros((3, 3))).view("u1").copy()
    if changed == "no cell":
        records = records[1:]
    elif changed == "beyond the box":
        records[0, 8] = 48 + 9
    else:
        records[0, 1:3] = 0, 48
    with pytest.raises(ValueError, match="cell"):
        packed.from_pack9(records)


@given(st.lists(st.floats(-0.5, 0.5, width=32), min_size=3, max_size=3))
def test_rvint(place):
    position = np.array([place])
    np.testing.assert_allclose(packed.from_rvint(rvint(position)), position, atol=5.1e-7)


def test_sizes_are_compared_before_memory_is_taken(tmp_path, arrays):
    path = write_asdf(tmp_path / "a.asdf", header(), {"x": arrays["x"]})
    whole = path.read_bytes()
    at = whole.index(b"\xd3BLK") + 6 + 8
    allocated, used, size = struct.unpack(">3Q", whole[at : at + 24])
    for sizes, error in (
        ((allocated, used, 1 << 60), UnsafeInputError),
        ((allocated + 10_000, used, size), CorruptFileError),
        ((allocated, used + 1, size), CorruptFileError),
        ((allocated, used, size - 4), CorruptFileError),
        ((allocated, used, size + 4), CorruptFileError),
    ):
        path.write_bytes(whole[:at] + struct.pack(">3Q", *sizes) + whole[at + 24 :])
        with pytest.raises((error, HeaderError)):
            open_asdf(path).read("x", (3,))
    inner = at + 24 + 16 + 4 + 4  # the number of bytes that the first piece is to be
    path.write_bytes(whole[:inner] + struct.pack("<I", 1 << 31) + whole[inner + 4 :])
    with pytest.raises(CorruptFileError, match="a piece of"):
        open_asdf(path).read("x", (3,))

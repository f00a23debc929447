"""Faults 13, 62, 63, 67 and 78: files of weights that are damaged, hostile, or no network's."""

import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from bomb import Bomb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights_samples import TINY, edit, join, split, weights

from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    InputError,
    MockgalError,
    UnsafeInputError,
)
from mockgal.painters.cnn.architecture import architecture
from mockgal.painters.cnn.weights import named as store
from mockgal.painters.cnn.weights import tensor_file as module
from mockgal.painters.cnn.weights.named import named_weights, read_weights, save_weights
from mockgal.painters.cnn.weights.tensor_file import tensor_file

FIRST, BATCHES = "blocks.0.convolution.weight", "blocks.0.normalisation.num_batches_tracked"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a good file, and a path to write others to."""
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    save_weights(weights(), path)
    return path.read_bytes(), path


@pytest.fixture
def file(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content[0])
    return path


def refused(path, *words, kind=None, code=3):
    with pytest.raises(MockgalError) as caught:
        read_weights(path)
    error = caught.value
    assert error.exit_code == code, error
    assert kind is None or type(error) is kind, error
    assert error.fix
    assert str(path) in error.where
    assert len(str(error)) < 2000
    text = str(error).replace(str(path), "")  # which has the name of the test in it
    for word in words:
        assert word in text, error
    return error


@pytest.mark.fault(13)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # a number
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_short(share, content, exit_code):
    whole, path = content
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, kind=CorruptFileError, code=exit_code)


@pytest.mark.fault(13)
def test_cut_short_says_both_sizes(file, exit_code):
    header, data = split(file)
    join(file, header, data[:-4])
    refused(file, str(len(data) - 4), str(len(data)), code=exit_code)
    file.write_bytes(file.read_bytes()[:1000])
    refused(file, "1000 bytes", code=exit_code)


def test_more_than_the_file(file):
    file.write_bytes(file.read_bytes() + b"x")
    refused(file, kind=CorruptFileError)


@settings(max_examples=150)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bits(where, bit, content):
    """Refused, or without consequence; the digest sees what no other check does."""
    whole, path = content
    flipped = bytearray(whole)
    flipped[int(where * len(whole))] ^= 1 << bit
    path.write_bytes(flipped)
    raised = None
    try:
        found = read_weights(path)
    except MockgalError as error:
        raised = error
    if raised is None:
        assert found.digest() == weights().digest()
    else:
        assert raised.exit_code in (3, 4)
        assert str(path) in raised.where


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, 5000])
@pytest.mark.parametrize("fill", [b"\0", b"<!DOCTYPE html>", b"{}", b"\xff"])
def test_something_else(tmp_path, size, fill):
    path = tmp_path / "a.safetensors"
    path.write_bytes((fill * size)[:size])
    # A brace in the ninth byte is how a safetensors file begins, here after an absurd length.
    refused(path, code=4 if fill == b"{}" and size > 8 else 3)


def _pickles(mark):
    objects = np.array([Bomb(mark)], dtype=object)
    return {
        "pickle": lambda path: path.write_bytes(pickle.dumps(Bomb(mark))),
        "old pickle": lambda path: path.write_bytes(pickle.dumps(Bomb(mark), protocol=2)),
        "torch": lambda path: torch.save({"w": Bomb(mark)}, path),
        "old torch": lambda path: torch.save(
            {"w": Bomb(mark)}, path, _use_new_zipfile_serialization=False
        ),
        "zip": lambda path: zipfile.ZipFile(path, "w").writestr("data.pkl", b"x"),
        "numpy": lambda path: np.save(path.open("wb"), objects, allow_pickle=True),
    }


@pytest.mark.fault(62)
@pytest.mark.parametrize("kind", ["pickle", "old pickle", "torch", "old torch"])
@pytest.mark.parametrize("name", ["a.safetensors", "a.ckpt", "a.pt"])
def test_pickles(tmp_path, kind, name):
    """As weights they are unsafe, for that is what a pickle of weights is; nothing is executed."""
    mark = tmp_path / "it went off"
    _pickles(mark)[kind](tmp_path / name)
    refused(tmp_path / name, "mockgal weights convert", kind=UnsafeInputError, code=4)
    with pytest.raises(UnsafeInputError):
        named_weights(tmp_path / name)
    assert not mark.exists()


@pytest.mark.fault(63)
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("kind", ["numpy", "zip"])
def test_objects_of_numpy(tmp_path, kind):
    mark, path = tmp_path / "it went off", tmp_path / "a.safetensors"
    _pickles(mark)[kind](path)
    refused(path, kind=UnsafeInputError, code=4)
    assert not mark.exists()


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_is_how_a_pickle_begins(tmp_path, length):
    values = np.arange(3, dtype="<f4")
    entry = {"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}
    path = join(tmp_path / "a", entry, values.tobytes(), padding=length)
    assert path.read_bytes()[0] == 0x80
    with tensor_file(path) as file:
        assert file.read("x").tolist() == [0, 1, 2]


def entry(shape, end, dtype="F32", begin=0):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    "tensor",
    [
        entry([3 << 50], 3 << 52),
        entry([3 << 50], 12),
        entry([1 << 40] * 8, 12),
        entry([3], 3 << 52),
        entry([10**20], 4 * 10**20),
    ],
    ids=["all", "shape", "axes", "offsets", "digits"],
)
def test_petabytes(file, tensor, exit_code):
    header, data = split(file)
    join(file, {**header, FIRST: tensor}, data)
    assert file.stat().st_size < 16384
    tracemalloc.start()
    refused(file, FIRST, kind=UnsafeInputError, code=exit_code)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@pytest.mark.fault(67)
@pytest.mark.parametrize("length", [module.MAX_HEADER + 1, 1 << 50, (1 << 64) - 1])
def test_a_header_of_petabytes(tmp_path, length, exit_code):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{" + b" " * 100)
    refused(path, str(length), kind=UnsafeInputError, code=exit_code)


def test_overlapping_tensors(file):
    header, data = split(file)
    names = [name for name in header if header[name].get("shape") == [1]]
    header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
    join(file, header, data)
    refused(file, "another tensor", kind=UnsafeInputError, code=4)


def test_bytes_of_no_tensor(file):
    header, data = split(file)
    for name, value in header.items():
        if name != "__metadata__":
            value["data_offsets"] = [offset + 8 for offset in value["data_offsets"]]
    join(file, header, bytes(8) + data)
    refused(file, "8 bytes before", kind=CorruptFileError)


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"{}}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1, "a": 1}',
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\n"}',
    ],
    ids=lambda text: text[:12].decode("latin1"),
)
def test_json_that_is_none(file, text):
    _, data = split(file)
    refused(join(file, b"{" + text, data))
    refused(join(file, text, data))
    with pytest.raises(CorruptFileError, match="JSON"):
        module.strict_json(text, "x")
    ours = {"__metadata__": {"mockgal": text.decode("latin1")}}
    refused(join(file, ours, b""), kind=None)


@pytest.mark.parametrize(
    "tensor",
    [
        3,
        None,
        [],
        {},
        {"dtype": "F32", "shape": [1]},
        {**entry([1], 4), "more": 1},
        entry([1.0], 4),
        entry([True], 4),
        entry([-1], 4),
        entry("1", 4),
        entry({"1": 1}, 4),
        entry([1], "4"),
        entry([1], -4),
        entry([1], 4, begin=-4),
        entry([1], 0, begin=4),
        entry([1] * 9, 4),
        entry([1], 4, dtype=[]),
        entry([1], 4, dtype="BF16"),
        entry([1], 4, dtype="F64"),
        entry([1], 8),
    ],
    ids=json.dumps,
)
def test_malformed_entries(file, tensor):
    header, data = split(file)
    refused(join(file, {**header, FIRST: tensor}, data), FIRST, kind=CorruptFileError)


@pytest.mark.parametrize("metadata", [None, 3, [], "x", {"mockgal": 3}, {"mockgal": "{}", "a": {}}])
def test_malformed_metadata(file, metadata):
    header, data = split(file)
    refused(join(file, {**header, "__metadata__": metadata}, data), kind=CorruptFileError)


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}])
def test_weights_of_another_program(file, metadata):
    header, data = split(file)
    join(file, {**header, "__metadata__": metadata}, data)
    refused(file, "mockgal weights convert", kind=FormatError)
    del header["__metadata__"]
    refused(join(file, header, data), "mockgal weights convert", kind=FormatError)


def drop(*names):
    def change(ours, tensors):
        at = ours
        for name in names[:-1]:
            at = at[name]
        del at[names[-1]]

    return change


def put(*names, value):
    def change(ours, tensors):
        at = ours
        for name in names[:-1]:
            at = at[name]
        at[names[-1]] = value

    return change


WRONG_HEADERS = {
    "format 2": put("format", value=2),
    "format true": put("format", value=True),
    "no format": drop("format"),
    "no digest": drop("digest"),
    "another digest": put("digest", value="0" * 64),
    "digest of a number": put("digest", value=3),
    "no domain": drop("domain"),
    "more": put("more", value=1),
    "no voxel size": drop("domain", "voxel_size"),
    "a voxel size of text": put("domain", "voxel_size", value="0.1"),
    "a voxel size of 0": put("domain", "voxel_size", value=0),
    "an odd origin": put("domain", "origin", value=["corner"]),
    "an odd assignment": put("domain", "assignment", value={}),
    "a redshift of one number": put("domain", "redshift", value=0.0),
    "more of the domain": put("domain", "more", value=1),
    "no cosmology": put("domain", "cosmology", value=None),
    "an odd cosmology": put("domain", "cosmology", "h", value=70),
    "a domain of a list": put("domain", value=[]),
    "a deviation of 0": put("normalisation", "matter", value=[0, 0]),
    "too few features": put("normalisation", "features", value=[[0, 1]]),
    "features of numbers": put("normalisation", "features", value=7),
    "no architecture": put("architecture", value=None),
    "an odd width": put("architecture", "width", value=1 << 40),
    "kernels of text": put("architecture", "kernels", value="777"),
    "kernels of lists": put("architecture", "kernels", value=[[[1]], [1], [1]]),
    "features of lists": put("architecture", "features", value=[["log_mass"]]),
    "outputs of objects": put("architecture", "outputs", value=[{}]),
    "a name of lines": put("name", value="a\nb"),
    "a name of nothing": put("name", value=None),
    "an odd target": put("target", value="planet"),
    "a target of lists": put("target", value=[]),
    "provenance of text": put("provenance", value="here"),
    "deep provenance": put("provenance", value={"a": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}),
}


@pytest.mark.fault(78)
@pytest.mark.parametrize("wrong", WRONG_HEADERS)
def test_headers_that_cannot_be(file, wrong, exit_code):
    refused(edit(file, WRONG_HEADERS[wrong]), code=exit_code)


@pytest.mark.fault(78)
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (FIRST, np.nan, "NaN"),
        (FIRST, np.inf, "infinite"),
        ("output.bias", -np.inf, "infinite"),
        ("blocks.2.normalisation.running_var", -1e-3, "negative"),
        ("blocks.2.normalisation.running_mean", np.nan, "NaN"),
        (BATCHES, -1, "negative"),
    ],
)
def test_numbers_that_no_network_has(file, name, value, words, exit_code):
    header, data = split(file)
    end = header[name]["data_offsets"][1]
    kind = "<f4" if header[name]["dtype"] == "F32" else "<i8"
    number = np.array([value], kind).tobytes()
    join(file, header, data[: end - len(number)] + number + data[end:])
    refused(file, name, words, kind=BadValueError, code=exit_code)


def rewritten(path, change):
    """The file with other tensors, as the library writes them, under the same header."""
    from safetensors.torch import load_file, save_file

    metadata = split(path)[0]["__metadata__"]
    state = load_file(path)
    change(state)
    save_file(state, path, metadata)


def _set(name, value):
    return lambda state: state.__setitem__(name, value)


@pytest.mark.fault(78)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("hidden.bias"), "no hidden.bias"),
        (_set("more", torch.zeros(1)), "besides more"),
        (_set(FIRST, torch.zeros(1, 3, 1, 1, 1)), "3 channels"),
        (_set(FIRST, torch.zeros(2, 2, 1, 1, 1)), "shape [2, 2, 1, 1, 1]"),
        (_set("hidden.bias", torch.zeros(3, dtype=torch.int64)), "I64 of shape [3]"),
        (_set(BATCHES, torch.zeros(())), "F32"),
        (lambda state: state.clear(), "no blocks"),
    ],
)
def test_tensors_of_another_network(file, change, words, exit_code):
    rewritten(file, change)
    refused(file, words, code=exit_code)


@pytest.mark.fault(78)
def test_a_preset_that_is_not_that_of_the_tensors(file, exit_code):
    """A large architecture over small tensors: no memory is taken for it."""
    huge = architecture("centred", width=1024).to_dict() | {"features": list(TINY.features)}
    edit(file, put("architecture", value=huge))
    tracemalloc.start()
    refused(file, code=exit_code)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_weights(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="ordinary file"):
        read_weights(tmp_path)
    with pytest.raises(InputError, match="ordinary file"):
        read_weights("/dev/zero")
    with pytest.raises(InputError, match="no readable file"):
        read_weights("a\0b")


def test_memory_is_asked_for_before_it_is_taken(file, monkeypatch):
    asked = []
    monkeypatch.setattr(store, "check_memory", lambda *what: asked.append(what))
    read_weights(file)
    ((where, size),) = asked
    assert where == str(file)
    assert size == 2 * len(split(file)[1])

"""Names are no code: the lines of Python and the commands that messages advise hold them quoted."""

import ast
import gzip
import io
import os
import re
import shlex
import subprocess

import h5py
import numpy as np
import pytest

from mockgal.errors import MockgalError, in_python, in_shell, printable
from mockgal.readers.density import read_density
from mockgal.readers.detect import detect

NAMES = [
    'a"); __import__("os").system("id"); ("',
    "a'); __import__('os').system('id'); ('",
    "a'; id; '$(id)`id`",
    "{path}{name}{new}'\\",
]
NUMBERS = io.BytesIO()
np.savez(NUMBERS, a=np.zeros(3))
TABLES = {
    "fits": b"SIMPLE  =                    T",
    "parquet": b"PAR1\x15\x04",
    "feather": b"ARROW1\0\0",
    "npy": b"\x93NUMPY\x01\x00",
    "npz": NUMBERS.getvalue(),
    "ecsv": b"# %ECSV 1.0\n# ---\n",
    "excel": b"PK\x03\x04" + bytes(22) + b"\x13\0\0\0[Content_Types].xml",
    "HACC": b"HACC01L\0",
    "AHF": b"#npart(1)\tnvpart(2)\tXc(3)\tYc(4)\n1\t0\t0\t1e12\n",
    "csv": b"a,b,c\n1,2,3\n4,5,6\n",
}
COMMANDS = {
    "bzip2": b"BZh91AY",
    "zstd": b"\x28\xb5\x2f\xfd",
    "gzip": gzip.compress(gzip.compress(b"a")),
    "mark": b"\xef\xbb\xbf#a b c\n1 2 3\n",
    "zip": b"PK\x03\x04" + bytes(22) + b"\x01\0\0\0a",
}


def advice(path):
    with pytest.raises(MockgalError) as caught:
        detect(path)
    return caught.value.fix


def check_python(fix, *texts):
    """The expression that loads a table calls nothing but that, and has the texts as they are."""
    (load,) = re.findall(r"t = (.*); sim = mockgal", fix)
    tree = ast.parse(load, mode="eval")
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert all("import" not in name and "system" not in name for name in called), called
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for text in texts:
        assert str(text) in found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", TABLES)
def test_paths_in_python(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(TABLES[kind])
    fix = advice(path)
    check_python(fix, path)
    assert ("if you trust its source" in fix) == (kind == "npz")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", COMMANDS)
def test_paths_in_commands(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(COMMANDS[kind])
    fix = advice(path)
    command = fix[fix.index("`") + 1 : fix.rindex("`")]
    words = shlex.split(command)
    assert str(path) in words
    assert "id" not in words


@pytest.mark.parametrize("name", NAMES)
def test_names_in_hdf5(tmp_path, name):
    """Of tables that pandas wrote: reading one unpickles, and the message warns of it."""
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        file.create_group(name).attrs["pandas_type"] = "frame"
    fix = advice(path)
    check_python(fix, path, name)
    assert "if you trust its source" in fix


@pytest.mark.parametrize("name", NAMES)
def test_a_grid_in_a_file_of_any_name(tmp_path, name):
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        file["density"] = np.ones((4, 4, 4), np.float32)
    fix = advice(path)
    assert str(path) in shlex.split(fix[fix.index("`") + 1 : fix.rindex("`")])
    with pytest.raises(MockgalError) as caught:
        read_density(path)
    assert repr(str(path)) in caught.value.fix


@pytest.mark.parametrize("name", NAMES)
def test_blocks_of_bigfile(tmp_path, name):
    folder = tmp_path / name
    (folder / "FOFGroups/Mass").mkdir(parents=True)
    (folder / "FOFGroups/Mass/attr-v2").write_text("")
    words = shlex.split(advice(folder).rpartition("--matter ")[2])
    assert words == [str(folder)]


@pytest.mark.parametrize("quoted", [in_python, in_shell])
def test_long_names_are_left_out(quoted):
    """A message cuts long texts in two, and could let their end out of the quotes."""
    assert len(quoted(NAMES[0] * 100)) < 10
    assert quoted("a b" * 5) == "'" + "a b" * 5 + "'"


def test_no_name_is_an_option():
    assert in_shell("-rf") == "./-rf"


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb's \\ \x1b", "caf\u00e9", "\u2028$(id)"])
def test_odd_names_are_printable_and_the_same_to_a_shell(name):
    """Also bytes that are no text, and what messages escape."""
    quoted = in_shell(name)
    assert printable(quoted) == quoted
    done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert os.fsdecode(done.stdout) == name

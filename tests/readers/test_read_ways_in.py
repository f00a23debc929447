"""The way in that a message names works when it is tried."""

import bz2
import gzip
import lzma
import os
import pickle
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from rockstar_samples import Sample, universe
from table_samples import FACTS, WRITERS, columns

import mockgal
from mockgal.errors import FormatError, MockgalError, UsageError
from mockgal.readers.detect import detect
from mockgal.testing import write_gadget4

MAP = (
    "position=x y z [Mpc/h], velocity=vx vy vz [km/s], host_mass=m200c [Msun/h], mass=mvir [Msun/h]"
)
PAGE = Path(__file__).parents[2] / "docs/how-to/tables.md"


def refusal(path):
    with pytest.raises(FormatError) as caught:
        detect(path)
    return caught.value


def commands(error):
    return re.findall(r"`([^`]+)`", error.fix)


def run(command, folder):
    bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        command, shell=True, cwd=folder, check=True, timeout=60, env={**os.environ, "PATH": bins}
    )


@pytest.mark.parametrize(
    ("ending", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)],
)
@pytest.mark.parametrize("named", [True, False])
def test_compressed_files(tmp_path, ending, compress, named):
    catalogue = write_gadget4(tmp_path / "run", files=1, snapshots=False)
    packed = tmp_path / ("my cat.hdf5" + ending * named)
    packed.write_bytes(compress(catalogue.read_bytes()))
    if not named:
        packed = packed.rename(tmp_path / "my cat")
    (command,) = commands(refusal(packed))
    run(command, tmp_path)
    unpacked = tmp_path / ("my cat.hdf5" if named else "my cat.new")
    assert detect(unpacked) == "gadget4"


def test_archives(tmp_path):
    catalogue = write_gadget4(tmp_path / "run", files=1, snapshots=False)
    for mode, name in (("w", "a.tar"), ("w:gz", "b.tgz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(catalogue, "fof_subhalo_tab_002.hdf5")
        (command,) = commands(refusal(tmp_path / name))
        assert "tar -x" in command
        run(command, tmp_path)
        assert detect(tmp_path / "fof_subhalo_tab_002.hdf5") == "gadget4"
        (tmp_path / "fof_subhalo_tab_002.hdf5").unlink()
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.write(catalogue, "fof_subhalo_tab_002.hdf5")
    (command,) = commands(refusal(tmp_path / "c.zip"))
    run(command.replace("FOLDER", "out"), tmp_path)
    assert detect(tmp_path / "out") == "gadget4"


def test_no_pickle_is_loaded(tmp_path):
    class Touch:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "loaded",))

    for protocol in range(2, 6):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(Touch(), protocol))
        assert "pickle" in refusal(tmp_path / "x.pkl").found
    np.savez(tmp_path / "x.npz", x=np.array([Touch()]))
    assert "npz" in refusal(tmp_path / "x.npz").found
    assert not (tmp_path / "loaded").exists()


def _table():
    columns = universe()
    names = ("id", "upid", "x", "y", "z", "vx", "vy", "vz", "m200c", "mvir")
    return Table({name: columns[name] for name in names})


# A library, how it writes the table, and what the message calls it.
LOADED = {
    "halos.feather": (lambda t, path: t.to_pandas().to_feather(path), "an Arrow .Feather. table"),
}


@pytest.mark.parametrize("name", LOADED)
def test_the_expression_in_the_message_loads_the_table(tmp_path, name):
    """Tables that are not read as they are: what the library gives, mockgal reads."""
    path, table = tmp_path / name, _table()
    write, words = LOADED[name]
    write(table, path)
    error = refusal(path)
    assert re.search(words, error.found)
    expression = re.search(r"t = (.+?\)); sim = ", error.fix)[1]
    import astropy.table  # the names that the expression uses
    import pandas

    loaded = eval(expression, {"astropy": astropy, "numpy": np, "pandas": pandas})
    scene = mockgal.read(loaded, columns=MAP, **FACTS)
    whole = mockgal.read(table, columns=MAP, **FACTS)
    np.testing.assert_allclose(scene.halos["position"], whole.halos["position"], rtol=1e-6)
    assert PAGE.relative_to(PAGE.parents[2]).as_posix() in error.fix


def test_an_array_without_names_gets_those_of_the_message(tmp_path):
    table = _table()
    rows = [np.asarray(table[n]) for n in ("x", "y", "z", "vx", "vy", "vz", "mvir")]
    np.save(tmp_path / "halos.npy", np.stack([np.arange(len(table)), *rows], axis=1))
    error = refusal(tmp_path / "halos.npy")
    assert "a NumPy array without names" in error.found
    loaded = eval(re.search(r"t = (.+?\)); sim = ", error.fix)[1], {"numpy": np})
    names = re.search(r'columns="(.+?)"', error.fix)[1]
    with pytest.warns(UserWarning, match="no column of hosts"):
        scene = mockgal.read(loaded, columns=names, mass_definition="vir", **FACTS)
    np.testing.assert_array_equal(scene.halos["mass"], table["mvir"])


@pytest.mark.parametrize("name", ["halos.npz", "halos.hdf5", "halos.vot"])
def test_other_tables_compressed_as_a_whole_are_to_be_unpacked(tmp_path, name):
    WRITERS[name](tmp_path / name, columns())
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    (tmp_path / name).unlink()
    with pytest.raises(FormatError, match="compressed with gzip") as caught:
        mockgal.read(path, columns=MAP, **FACTS)
    (command,) = commands(caught.value)
    run(command, tmp_path)
    found = mockgal.read(tmp_path / name, columns=MAP, **FACTS).halos
    assert len(found) == len(columns()["id"])


class TestFolders:
    def test_the_catalogue_below_is_named(self, tmp_path):
        (tmp_path / "sim/hlists").mkdir(parents=True)
        Sample().write(tmp_path / "sim/hlists/hlist_1.00000.list")
        (tmp_path / "sim/notes.txt").write_text("of the run")
        error = refusal(tmp_path)
        assert detect(re.search(r"give (\S+)$", error.fix)[1]) == "rockstar"

    def test_several_outputs(self, tmp_path):
        """The root of a run of many outputs."""
        for number in (1, 2):
            write_gadget4(tmp_path / "output", number=number, files=2)
        assert detect(tmp_path / "output") == "gadget4"
        with pytest.raises(UsageError, match="001, 002"):
            mockgal.read(tmp_path / "output")
        error = refusal(tmp_path)
        assert "output (gadget4)" in error.found
        with pytest.raises(UsageError, match="001, 002"):
            mockgal.read(re.search(r"give (\S+)$", error.fix)[1])

    def test_an_empty_folder(self, tmp_path):
        assert refusal(tmp_path).found == "an empty folder"

    def test_a_bigfile(self, tmp_path):
        block = tmp_path / "fastpm_1.0000/FOFGroups/Mass"
        block.mkdir(parents=True)
        (block / "header").write_text("DTYPE: <f4\nNMEMB: 1\nNFILE: 1\n")
        (block / "attr-v2").write_text("")
        assert "BigFile" in refusal(tmp_path / "fastpm_1.0000").found

    def test_a_damaged_file_hides_no_other(self, tmp_path):
        (tmp_path / "a.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
        with pytest.raises(MockgalError, match=r"a\.hdf5"):
            detect(tmp_path)
        (tmp_path / "b.asdf").write_bytes(b"#ASDF 1.0.0\n")
        assert "b.asdf is ASDF" in refusal(tmp_path).found

    def test_endless_folders_end(self, tmp_path):
        folder = tmp_path
        for _ in range(12):
            folder = folder / "down"
            folder.mkdir()
        (tmp_path / "down/up").symlink_to(tmp_path)
        assert "of no known format, holding down" in refusal(tmp_path).found


# Flavours of halo lists


def _first(sample, change):
    return sample.text().replace(sample.first(), change(sample.first()), 1)


@pytest.mark.parametrize("kind", ["hlist", "out"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s.text(end="\r\n"), id="windows"),
        pytest.param(lambda s: _first(s, lambda f: "#  " + f[1:].replace(" ", "   ")), id="blanks"),
        pytest.param(lambda s: _first(s, lambda f: f.replace(" ", "\t")), id="tabs"),
        pytest.param(
            lambda s: _first(s, lambda f: re.sub(r"(?<!500c)\(\d+\)", "", f)), id="unnumbered"
        ),
        pytest.param(lambda s: _first(s, str.upper) if s.kind == "out" else s.text(), id="upper"),
        pytest.param(
            lambda s: re.sub("^([^#].*)$", r"  \1  ", s.text(), flags=re.M), id="indented"
        ),
    ],
)
def test_lists_are_read_whatever_their_blanks(tmp_path, kind, change):
    sample = Sample(kind)
    whole = mockgal.read(sample.write(tmp_path / "a.list"))
    (tmp_path / "b.list").write_bytes(change(sample).encode())
    assert mockgal.read(tmp_path / "b.list").halos.digest() == whole.halos.digest()
    with gzip.open(tmp_path / "c.list.gz", "wb") as file:
        file.write(change(sample).encode())
    assert mockgal.read(tmp_path / "c.list.gz").halos.digest() == whole.halos.digest()


@pytest.mark.parametrize("kind", ["hlist", "out"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text[1:], id="without-mark"),
        pytest.param(lambda text: "\ufeff" + text, id="byte-order"),
        pytest.param(
            lambda text: re.sub(
                "^(#?)(.*)$",
                lambda m: (m[1] + m[2].replace(" ", ",")) if "=" not in m[2] else m[0],
                text,
                flags=re.M,
            ),
            id="commas",
        ),
    ],
)
def test_lists_that_a_command_mends(tmp_path, kind, change):
    sample = Sample(kind)
    whole = mockgal.read(sample.write(tmp_path / "a.list"))
    text = change(sample.text()).encode()
    (tmp_path / "b.list").write_bytes(text)
    (tmp_path / "c.list.gz").write_bytes(gzip.compress(text))
    for name, mended in (("b.list", "b.list.new"), ("c.list.gz", "c.list")):
        (command,) = commands(refusal(tmp_path / name))
        run(command, tmp_path)
        assert (tmp_path / "b.list").read_bytes() == text
        assert mockgal.read(tmp_path / mended).halos.digest() == whole.halos.digest()


def test_halos_of_one_time_are_taken_out_of_trees(tmp_path):
    sample, before = Sample(), Sample(redshift=1.0)
    whole = mockgal.read(sample.write(tmp_path / "a.list"))
    comments = [f"#{c}\n" for c in sample.comments]
    lines = [sample.first() + "\n", *comments, "560\n"]
    for now, then in zip(sample.rows, before.rows, strict=True):
        lines += [f"#tree {now[1]}\n", " ".join(now) + "\n", " ".join(then) + "\n"]
    (tmp_path / "tree_0_0_0.dat").write_text("".join(lines))
    with pytest.raises(FormatError, match="merger trees") as caught:
        mockgal.read(tmp_path / "tree_0_0_0.dat")
    (command,) = commands(caught.value)
    run(command, tmp_path)
    scene = mockgal.read(tmp_path / "hlist_1.00000.list")
    assert scene.halos.digest() == whole.halos.digest()


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("hod/calibrations/tng100-1.ecsv", "--calibration "),
        ("cnn/networks/*.safetensors", "--weights "),
    ],
)
def test_what_mockgal_wrote_and_is_no_simulation_is_named(pattern, says):
    (path,) = (Path(mockgal.__file__).parent / "painters").glob(pattern)
    with pytest.raises(FormatError, match=says + re.escape(str(path))):
        mockgal.read(path)

from pathlib import Path

import h5py
import numpy as np
import pytest

from mockgal import registry
from mockgal.errors import FormatError, InputError
from mockgal.readers.detect import detect, read
from mockgal.testing import write_gadget4

DATA = Path(__file__).parents[3] / "shared/data"


def test_gadget4_by_content_not_name(tmp_path):
    path = write_gadget4(tmp_path, files=1, snapshots=False)
    assert detect(tmp_path) == detect(str(path)) == "gadget4"
    path.rename(tmp_path / "catalogue.bin")
    assert detect(tmp_path / "catalogue.bin") == "gadget4"
    assert len(read(tmp_path / "catalogue.bin").halos) == 462


def test_unknown_content_is_shown(tmp_path):
    (tmp_path / "notes.txt").write_text("hello there")
    with pytest.raises(FormatError, match=r"b'hello there'.*bundle, gadget4") as caught:
        detect(tmp_path / "notes.txt")
    assert "--format" not in str(caught.value)  # it would not help
    with pytest.raises(FormatError, match=r"holding notes\.txt"):
        detect(tmp_path)
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["one"], file["two/three"] = 1, 2
    with pytest.raises(FormatError, match=r"HDF5 .*one, two"):
        detect(tmp_path / "x.hdf5")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"density": [1.0]}, "a density grid.*mockgal pack --sim CATALOGUE --matter .*x.dat"),
        ({"galaxies/galaxy_id": [1]}, "a mock that mockgal wrote.*simulation that it was made"),
        ({"PartType1/Coordinates": [1.0]}, "a snapshot.*give the catalogue, groups_NNN"),
        (b"SIMPLE  =                    T", "a FITS file"),
        (b"#ASDF 1.0.0\n", "no halos of CompaSO.*folder halo_info"),
        (b"#id num_p mvir mbound_vir rvir\n", "one process of Rockstar.*find_parents"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        ({"Subhalo/TreeID": [1], "Subhalo/TreeIndex": [1]}, "merger trees.*fof_subhalo_tab_NNN"),
        ({"TreeHalos/TreeID": [1], "TreeTable/Length": [1]}, "merger trees"),
        ({"Tree0/Descendant": [1]}, "merger trees"),
        ({"Num_of_groups": [1], "File_id": [0], "Group_Size": [9]}, "VELOCIraptor without"),
        ({"halos": np.zeros(3, [("id", "i8"), ("x", "f8")])}, "the fields of /halos.*h5py"),
        (b"PAR1\x15\x04", "a Parquet table.*read_parquet"),
        (b"ARROW1\0\0", "Arrow"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x01\x01\x01\x01\x78\x56\x34\x12", "Rockstar in BGC2.*find_parents"),
        (b"HACC01L\0", "GenericIO"),
        (b"\x08\0\0\0HEAD\x08\x01", "Gadget snapshot in binary, of format 2.*halo finder"),
        (b"\0\x01\0\0" + bytes(256), "Gadget snapshot in binary, of format 1"),
        (b"#TreeRootID FileID Offset Filename\n", "index of merger trees"),
        (b"#npart(1)\tnvpart(2)\tXc(3)\tYc(4)\n1\t0\t0\t1e12\n", "old version of AHF"),
        (b"\x80\x04\x95\x1c", "pickle, which is never loaded"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"<!DOCTYPE html>\n<html>", "a web page.*login"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x28\xb5\x2f\xfd", "zstd -dc .*x.dat > .*x"),
        (b"", "an empty file"),
    ],
)
def test_formats_that_are_known_but_not_read(tmp_path, content, words):
    path = tmp_path / "x.dat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with h5py.File(path, "w") as file:
            for name, values in content.items():
                file[name] = values
    with pytest.raises(FormatError, match=words) as caught:
        detect(path)
    assert caught.value.fix
    with pytest.raises(FormatError, match=rf"in which x\.dat is .*{words}"):
        detect(tmp_path)


def test_a_snapshot_is_not_a_catalogue(tmp_path):
    write_gadget4(tmp_path)
    for path in (tmp_path / "snapdir_002", tmp_path / "snapdir_002/snap_002.0.hdf5"):
        with pytest.raises(FormatError, match=r"a snapshot.*groups_002"):
            read(path)


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("abacus/Mini_N64_L32/halos/z0.000/field_rv_A", "no halos of CompaSO"),
        ("quijote/halos_small.npy", "NumPy"),
        ("gadget4/dark/snapdir_001", "groups_001"),
        ("abacus/Mini_N64_L32", "compaso"),
        ("sage16-mini-millennium/output_schema.json", "begins with"),
    ],
)
def test_real_formats_that_are_known_but_not_read(path, word):
    with pytest.raises(FormatError, match=word):
        detect(DATA / path)


def test_missing_path(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        detect(tmp_path / "none")


def test_several_readers(tmp_path, monkeypatch):
    path = write_gadget4(tmp_path, files=1)
    monkeypatch.setattr(registry, "load", lambda group, name: _Yes)
    with pytest.raises(FormatError, match=r"bundle, gadget4.*--format"):
        detect(path)


class _Yes:
    def detect(self, path):
        return True


def test_wrong_format_named(tmp_path):
    path = write_gadget4(tmp_path, files=1)
    with pytest.raises(InputError, match="mockgal_bundle"):
        read(path, format="bundle")

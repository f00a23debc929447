from pathlib import Path

import h5py
import pytest

from mockgal import registry
from mockgal.errors import FormatError, InputError
from mockgal.read.detect import detect, read
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
    with pytest.raises(FormatError, match="an HDF5 file of no known format, holding one, two"):
        detect(tmp_path / "x.hdf5")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"density": [1.0]}, "a density grid.*mockgal pack CATALOGUE --density x.dat"),
        ({"galaxies/galaxy_id": [1]}, "a mock that mockgal wrote.*simulation that it was made"),
        ({"InputHalos/IsCentral": [1]}, "SOAP"),
        ({"PartType1/Coordinates": [1.0]}, "a snapshot.*give the catalogue, groups_NNN"),
        (b"SIMPLE  =                    T", "a FITS file: a mock or a survey"),
        (b"#ASDF 1.0.0\n", "CompaSO.*cannot read it"),
        (b"#id num_p mvir mbound_vir rvir\n", "one process of Rockstar.*find_parents"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
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
        with pytest.raises(FormatError, match=r"a snapshot.*give the catalogue, groups_002"):
            read(path)


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("abacus/Mini_N64_L32/halos/z0.000/halo_info", "CompaSO"),
        ("quijote/halos_small.npy", "NumPy"),
        ("gadget4/dark/snapdir_001", "groups_001"),
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

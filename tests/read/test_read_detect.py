import h5py
import pytest

from mockgal import registry
from mockgal.errors import FormatError, InputError
from mockgal.read.detect import detect, read
from mockgal.testing import write_gadget4


def test_gadget4_by_content_not_name(tmp_path):
    path = write_gadget4(tmp_path, files=1, snapshots=False)
    assert detect(tmp_path) == detect(str(path)) == "gadget4"
    path.rename(tmp_path / "catalogue.bin")
    assert detect(tmp_path / "catalogue.bin") == "gadget4"
    assert len(read(tmp_path / "catalogue.bin").halos) == 462


def test_unknown_content_is_shown(tmp_path):
    (tmp_path / "notes.txt").write_text("hello there")
    with pytest.raises(FormatError, match=r"b'hello there'.*bundle, gadget4.*--format"):
        detect(tmp_path / "notes.txt")
    with pytest.raises(FormatError, match=r"notes\.txt"):
        detect(tmp_path)


def test_other_hdf5_is_unknown(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["Subhalo/SubhaloGrNr"] = [1]
    with pytest.raises(FormatError, match="begins with"):
        detect(tmp_path / "x.hdf5")


def test_a_snapshot_is_not_a_catalogue(tmp_path):
    write_gadget4(tmp_path)
    with pytest.raises(FormatError, match="not a snapshot"):
        read(tmp_path / "snapdir_002")
    with pytest.raises(FormatError, match="not a snapshot"):
        read(tmp_path / "snapdir_002/snap_002.0.hdf5")


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

"""The fix that a message names works when it is tried: run, mend as told, run again."""

import contextlib
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from rockstar_samples import Sample

import mockgal
from mockgal.errors import MockgalError
from mockgal.readers.hdf5.copying import in_one_file
from mockgal.testing import write_gadget4

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def refusal(path, **options):
    with pytest.raises(MockgalError) as caught:
        mockgal.read(path, **options)
    return caught.value


def change(**words):
    def apply(sample):
        for name, word in words.items():
            sample.set(17, name, word)

    return apply


def shift(sample):
    for name in "xyz":
        place = sample.column(name)
        for row in sample.rows:
            row[place] = f"{float(row[place]) - 20:.5f}"


def empty_slab(sample):
    place = sample.column("x")
    sample.rows = [row for row in sample.rows if not 5 < float(row[place]) < 10]


def orphan(sample):
    child = next(i for i, row in enumerate(sample.rows) if row[sample.column("pid")] != "-1")
    host = sample.rows[child][sample.column("upid")]
    sample.rows = [row for row in sample.rows if row[sample.column("id")] != host]


OPTION = {  # damage of a list, and the option that its message must name
    "negative mass": (change(mvir="-1e12"), {"drop_bad": True}),
    "no velocity": (change(vx="nan"), {"drop_bad": True}),
    "origin": (shift, {"centred_origin": True}),
    "slab": (empty_slab, {"allow_empty_regions": True, "orphans": "drop"}),
    "orphan": (orphan, {"orphans": "drop"}),
    "orphan, kept": (orphan, {"orphans": "central"}),
    "definition": (lambda sample: sample.drop("m200c"), {"mass_definition": "vir"}),
}


@pytest.mark.parametrize("name", OPTION)
def test_the_option_helps(tmp_path, name):
    damage, options = OPTION[name]
    sample = Sample()
    damage(sample)
    path = sample.write(tmp_path / "a.list")
    first = {"mass_definition": "200c"} if name == "definition" else {}
    if name == "slab":
        first["orphans"] = "drop"
    error = refusal(path, **first)
    for option, value in options.items():
        if option in first and name != "definition":
            continue
        flag = "--" + option.replace("_", "-")
        assert flag in str(error)
        assert value is True or str(value) in str(error)
    assert len(mockgal.read(path, **options).halos)


def test_parents_are_added(tmp_path):
    """As `find_parents` of Rockstar does it: a column more."""
    sample = Sample("out")
    whole = mockgal.read(sample.write(tmp_path / "a.list"))
    parents = [row[sample.column("pid")] for row in sample.rows]
    sample.drop("pid")
    error = refusal(sample.write(tmp_path / "out_0.list"))
    assert "find_parents out_N.list BOX_SIZE > NEW" in error.fix
    sample.names.append("PID")
    for row, parent in zip(sample.rows, parents, strict=True):
        row.append(parent)
    mended = mockgal.read(sample.write(tmp_path / "out_0.parents"))
    assert mended.halos.digest() == whole.halos.digest()


def test_missing_chunks_are_allowed(tmp_path):
    path = write_gadget4(tmp_path, files=3, snapshots=False)
    folder = path if path.is_dir() else path.parent
    sorted(folder.glob("*.hdf5"))[2].unlink()
    assert "--allow-missing-chunks" in refusal(folder).fix
    assert len(mockgal.read(folder, allow_missing_chunks=True).halos)


NAME = "Subhalo/SubhaloMass"


def links(path, other):
    with h5py.File(path, "r+") as file:
        file.move(NAME, "Subhalo/Old")
        with h5py.File(other, "w") as data:
            data["mass"] = file["Subhalo/Old"][()]
        del file["Subhalo/Old"]
        file[NAME] = h5py.ExternalLink(str(other), "mass")


def raw(path, other):
    with h5py.File(path, "r+") as file:
        mass = file[NAME][()]
        del file[NAME]
        place = [(str(other), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset(NAME, mass.shape, mass.dtype, external=place)[...] = mass


def virtual(path, other):
    with h5py.File(path, "r+") as file:
        mass = file[NAME][()]
        attributes = dict(file[NAME].attrs)
        with h5py.File(other, "w") as data:
            data["mass"] = mass
        del file[NAME]
        layout = h5py.VirtualLayout(mass.shape, mass.dtype)
        layout[:] = h5py.VirtualSource(str(other), "mass", mass.shape)
        file.create_virtual_dataset(NAME, layout).attrs.update(attributes)


def relative(damage):
    """The data beside the file, under a name without a folder, as the TNG files and xarray do."""

    def apply(path, other):
        beside = path.parent / "other"
        with contextlib.chdir(path.parent):  # where HDF5 puts raw data of a relative name
            damage(path, beside.name)

    return apply


def both(path, other):
    """Two virtual datasets, one of them by way of a link."""
    virtual(path, other)
    with h5py.File(path, "r+") as file, h5py.File(other, "r+") as data:
        position = file["Subhalo/SubhaloPos"][()]
        data["position"] = position
        layout = h5py.VirtualLayout(position.shape, position.dtype)
        layout[:] = h5py.VirtualSource(".", "position", position.shape)
        data.create_virtual_dataset("moved", layout)
        del file["Subhalo/SubhaloPos"]
        file["Subhalo/SubhaloPos"] = h5py.ExternalLink(str(other), "moved")


def command_of(error):
    (command,) = re.findall(r"`(.+)`", error.fix)
    return command.replace("python -c", f"{sys.executable} -c")


@pytest.mark.parametrize("damage", [raw, virtual, both])
def test_relative_sources_are_copied_from_anywhere(tmp_path, damage):
    """HDF5 resolves their names against the folder of the file: a moved file reads as 0."""
    path = write_gadget4(tmp_path / "run", files=1, snapshots=False)
    whole = mockgal.read(path)
    relative(damage)(path, None)
    with h5py.File(path, "r+") as file:
        file[NAME].attrs["note"] = "kept"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = command_of(refusal(path))
    subprocess.run(command, shell=True, check=True, cwd=elsewhere, timeout=60)
    shutil.rmtree(path.parent)
    with h5py.File(elsewhere / "NEW.hdf5") as file:
        assert file[NAME].attrs["note"] == "kept"
    mended = mockgal.read(elsewhere / "NEW.hdf5")
    assert mended.halos.digest() == whole.halos.digest()
    assert mended.halos["mass"].min() > 0


@pytest.mark.parametrize("damage", [raw, virtual])
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_sources_that_are_gone_are_no_zeros(tmp_path, damage, how):
    path = write_gadget4(tmp_path / "run", files=1, snapshots=False)
    relative(damage)(path, None)
    other = path.parent / "other"
    if how == "gone":
        other.unlink()
    else:
        other.write_bytes(other.read_bytes()[:-16])
    with pytest.raises((MockgalError, OSError)):
        in_one_file(path, tmp_path / "NEW.hdf5")
    assert not (tmp_path / "NEW.hdf5").exists()


@pytest.mark.parametrize("damage", [links, raw, virtual])
def test_data_kept_elsewhere_are_copied(tmp_path, damage):
    path = write_gadget4(tmp_path / "it's here", files=1, snapshots=False)
    whole = mockgal.read(path)
    damage(path, tmp_path / "other")
    error = refusal(path)
    assert error.exit_code == 4
    subprocess.run(command_of(error), shell=True, check=True, cwd=tmp_path, timeout=60)
    (tmp_path / "other").unlink()
    shutil.rmtree(path.parent)
    mended = mockgal.read(tmp_path / "NEW.hdf5")
    np.testing.assert_array_equal(mended.halos["mass"], whole.halos["mass"])

"""Uchuu's halo lists; files made from the published layout, no real one was at hand."""

import h5py
import numpy as np
import pytest
from known_samples import BOX, H, Z, check, halos

import mockgal
from mockgal.errors import HeaderError, IncompleteSetError, MissingDatasetError, UnitsError
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.uchuu import UchuuReader
from mockgal.testing import COSMOLOGY, reader_contract

NAMES = {
    **{name: name for name in ("id", "pid", "upid", *"xyz", "vx", "vy", "vz", "vmax")},
    "Mvir": "mvir",
    "Rvir": "rvir",
    "M200b": "m200b",
    "M200c": "m200c",
    "M500c": "m500c",
}
COMMENTS = [
    "scale(0) id(1) desc_scale(2)",
    f"Omega_M = {COSMOLOGY.omega_m}; Omega_L = {COSMOLOGY.omega_lambda}; h0 = {H}",
    f"Full box size = {BOX:.6f} Mpc/h",
    "Units: Masses in Msun / h",
    "Units: Positions in Mpc / h (comoving)",
]


def columns(phantom=()):
    table = halos()
    found = {name: table[own] for name, own in NAMES.items()}
    found["rs"] = table["rvir"] / 7.0
    found["scale"] = np.full(len(table["id"]), 1 / (1 + Z))
    found["desc_scale"] = np.ones(len(table["id"]))
    found["phantom"] = np.isin(np.arange(len(table["id"])), phantom).astype(np.int32)
    return found


def write(path, found, comments=COMMENTS, group="/"):
    with h5py.File(path, "w") as file:
        for name, values in found.items():
            file[f"{group}/{name}"] = values
        if comments:
            text = "".join(f"#{line}\n" for line in comments)
            file.attrs["Consistent Trees_metadata"] = np.array([text.encode()])
    return path


def test_values(tmp_path):
    path = write(tmp_path / "MiniUchuu_halolist_z1p00.h5", columns())
    assert detect(path) == "uchuu"
    scene = mockgal.read(path)
    check(scene, halos())
    assert (scene.snapshot.box_size, scene.snapshot.redshift) == (40.0, 1.0)
    assert scene.snapshot.cosmology.h == 0.6774
    assert scene.halos.mass_definition == "200c"
    virial = mockgal.read(path, mass_definition="vir")
    check(virial, halos(), host_mass="mvir")
    np.testing.assert_allclose(virial.halos["concentration"], 7.0)


def test_contract(tmp_path):
    reader_contract(UchuuReader, write(tmp_path / "list.h5", columns()))


def test_phantoms_are_left_out(tmp_path):
    table = halos()
    satellite = int(np.flatnonzero(~table["central"])[-1])
    scene = mockgal.read(write(tmp_path / "list.h5", columns([1, satellite])))
    assert scene.halos.record["phantoms_dropped"] == 2
    assert not np.isin(table["id"][[1, satellite]], scene.halos["halo_id"]).any()
    assert len(scene.halos) == len(table["id"]) - 2


def test_satellites_of_phantoms_are_orphans(tmp_path):
    path = write(tmp_path / "list.h5", columns([0]))
    scene = mockgal.read(path, orphans="drop")
    satellites = np.count_nonzero(halos()["host_row"] == 0)
    assert scene.halos.record["satellites_of_phantoms"] == satellites > 0
    assert scene.halos.record["orphans_dropped"] == satellites


def test_a_folder_of_files(tmp_path):
    found = columns()
    for n in range(11):  # file 10 is read after file 9
        part = {name: values[n::11] for name, values in found.items()}
        write(tmp_path / f"halolist_z1p00_{n}.h5", part, group="HaloCatalogue")
    assert detect(tmp_path) == "uchuu"
    scene = mockgal.read(tmp_path)
    np.testing.assert_array_equal(
        scene.halos["halo_id"], np.concatenate([found["id"][n::11] for n in range(11)])
    )
    assert len(scene.snapshot.source) == 11
    (tmp_path / "halolist_z1p00_3.h5").unlink()
    with pytest.raises(IncompleteSetError, match="no file 3"):
        mockgal.read(tmp_path)


def test_facts_that_are_missing_are_asked_for(tmp_path):
    path = write(tmp_path / "list.h5", columns(), comments=())
    with pytest.raises(MissingDatasetError, match="box_size, h, omega_m, omega_lambda") as caught:
        mockgal.read(path)
    assert "--redshift" not in caught.value.fix


def test_a_lying_header(tmp_path):
    path = write(tmp_path / "list.h5", columns(), [*COMMENTS, "a = 0.9"])
    with pytest.raises(HeaderError, match=r"a = 0.9.*0.5, as in the rows"):
        mockgal.read(path)
    path = write(tmp_path / "list.h5", columns(), [*COMMENTS, "Units: Masses in Msun"])
    with pytest.raises(UnitsError, match="Msun/h"):
        mockgal.read(path)

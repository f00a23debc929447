"""Rockstar in binary; files made from the published layout, no real one was at hand."""

import numpy as np
import pytest
from known_samples import BOX, H, Z, check, halos

import mockgal
from mockgal.errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    IncompleteSetError,
    MissingDatasetError,
    UnitsError,
)
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.rockstar_binary import HEAD, RockstarBinaryReader, parents
from mockgal.testing import COSMOLOGY, reader_contract

GIVEN = {"mass_definition": "vir"}
FLOATS = [*"xyz", "vx", "vy", "vz", *(f"velocity{n}" for n in range(6))]
FLOATS += ["m", "r", "child_r", "vmax_r", "mgrav", "vmax", "rvmax", "rs", "klypin_rs", "vrms"]
FLOATS += [f"more{n}" for n in range(22)]
RECORD = np.dtype(
    [("id", "<i8"), *((name, "<f4") for name in FLOATS), ("n", "<i8", 6), ("e", "<f4", 3)]
)


def write(folder, files=1, **changes):
    """Halos in slabs along x, one for each process; ids of particles follow them."""
    table = halos()
    for n in range(files):
        low, high = BOX * n / files, BOX * (n + 1) / files
        inside = np.flatnonzero((table["x"] >= low) & (table["x"] < high))
        records = np.zeros(len(inside), RECORD)
        for name, own in {"m": "mvir", "r": "rvir", "vmax": "vmax", "id": "id"}.items():
            records[name] = table[own][inside]
        for name in (*"xyz", "vx", "vy", "vz"):
            records[name] = table[name][inside]
        records["rs"] = records["r"] / 8
        head = np.zeros(1, HEAD)
        head["magic"], head["chunk"], head["scale"] = 0xFADEDACEC0C0D0D0, n, 1 / (1 + Z)
        head["om"], head["ol"], head["h0"] = COSMOLOGY.omega_m, COSMOLOGY.omega_lambda, H
        head["bounds"] = [low, 0, 0, high, BOX, BOX]
        head["num_halos"], head["num_particles"], head["particle_type"] = len(records), 5, 1
        head["box_size"], head["particle_mass"], head["format_revision"] = BOX, 1.33925e9, 1
        for name, value in changes.items():
            head[name] = value
        path = folder / f"halos_7.{n}.bin"
        path.write_bytes(head.tobytes() + records.tobytes() + bytes(8 * 5))
    return folder / "halos_7.0.bin"


def naive(table):
    """The same by two loops, as find_parents has them."""
    above = np.full(len(table["id"]), -1)
    for h1 in np.argsort(-table["vmax"], kind="stable"):
        for h2 in range(len(above)):
            d = np.abs(table["position"][h1] - table["position"][h2])
            d = np.sqrt(np.sum(np.minimum(d, BOX - d) ** 2))
            if d <= table["rvir"][h1] * 1e-3 and table["rvir"][h2] < table["rvir"][h1]:
                above[h2] = h1
    return above


def expected():
    """The halos, with the hosts that their positions give."""
    table = halos()
    above = naive(table)
    table["central"] = above < 0
    row = np.where(above < 0, np.arange(len(above)), above)
    for _ in range(5):
        row = row[row]
    table["host_row"] = row
    return table


def test_parents_are_those_of_two_loops():
    rng = np.random.default_rng(3)
    table = {
        "id": np.arange(300),
        "position": rng.uniform(0, BOX, (300, 3)),
        "vmax": rng.uniform(50, 500, 300),
        "rvir": rng.uniform(100, 9000, 300),
    }
    found = parents(table["position"], table["rvir"] * 1e-3, table["vmax"], BOX)
    np.testing.assert_array_equal(found, naive(table))
    assert np.count_nonzero(found >= 0) > 50


def test_values(tmp_path):
    path = write(tmp_path)
    assert HEAD.itemsize == 256
    assert detect(path) == "rockstar_binary"
    scene = mockgal.read(path, **GIVEN)
    table = expected()
    check(scene, table, host_mass="mvir")
    assert np.count_nonzero(~table["central"]) > 0
    assert scene.snapshot.box_size == 40.0
    assert scene.snapshot.redshift == 1.0
    assert scene.snapshot.cosmology.h == 0.6774
    assert scene.snapshot.particle_mass == pytest.approx(1.33925e9)
    np.testing.assert_allclose(scene.halos["concentration"], 8.0, rtol=1e-6)


def test_the_files_of_several_processes(tmp_path):
    path = write(tmp_path, files=3)
    scene = mockgal.read(path, **GIVEN)
    order, own = np.argsort(scene.halos["halo_id"]), np.argsort(halos()["id"])
    ids = np.where(expected()["central"], halos()["id"], halos()["id"][expected()["host_row"]])
    np.testing.assert_array_equal(scene.halos["host_id"][order], ids[own])
    (tmp_path / "halos_7.1.bin").unlink()
    with pytest.raises(IncompleteSetError, match=r"cover 66\.7% of the box"):
        mockgal.read(path, **GIVEN)


def test_contract(tmp_path):
    reader_contract(RockstarBinaryReader, write(tmp_path), **GIVEN)


def test_the_mass_definition_is_asked_for_and_checked(tmp_path):
    path = write(tmp_path)
    with pytest.raises(MissingDatasetError, match="no definition of the host mass"):
        mockgal.read(path)
    with pytest.raises(UnitsError, match="density"):
        mockgal.read(path, mass_definition="500c")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"num_halos": 10**12}, CorruptFileError, "num_halos"),
        ({"num_particles": -7}, CorruptFileError, "num_halos"),
        ({"format_revision": 9}, FormatError, "format_revision"),
        ({"scale": -1.0}, HeaderError, "scale"),
        ({"h0": np.nan}, HeaderError, "h0"),
    ],
)
def test_a_lying_header(tmp_path, changes, error, words):
    path = write(tmp_path, **changes)
    assert RockstarBinaryReader().detect(path)
    with pytest.raises(error, match=words):
        mockgal.read(path, **GIVEN)

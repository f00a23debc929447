"""Faults of all groups in catalogues of CompaSO, in ASDF."""

import shutil
import struct

import numpy as np
import pytest

import mockgal
from mockgal.testing.compaso import header, made_up_halos, write_asdf, write_compaso

UNCLEANED = {"options": mockgal.protocols.ReadOptions(uncleaned=True)}


@pytest.fixture
def folder(tmp_path):
    """Three superslabs, plain, with halos alone."""
    return write_compaso(tmp_path, samples="", cleaned="", packed=False)


def files(folder):
    return sorted((folder / "halo_info").iterdir())


def whole(folder, changes=(), **entries):
    """One superslab with the whole box, some of whose values are others."""
    halos = made_up_halos()
    for name, row, value in changes:
        if value is None:
            del halos[name]
        else:
            halos[name] = halos[name].copy()
            halos[name][row] = value
    for path in files(folder):
        path.unlink()
    return write_asdf(folder / "halo_info/halo_info_000.asdf", header(**entries), halos)


def block(path, number):
    """Where the head of a block begins, after its magic bytes and the length of the head."""
    content, at = path.read_bytes(), 0
    for _ in range(number + 1):
        at = content.index(b"\xd3BLK", at) + 6
    return at


def patch(path, at, new):
    content = path.read_bytes()
    path.write_bytes(content[:at] + new + content[at + len(new) :])


@pytest.mark.fault(9)
def test_digest(folder, refused):
    path = files(folder)[1]
    patch(path, block(path, 1) + 48 + 9, b"\x7f")
    refused(folder, f"{path}:data/N", "MD5", **UNCLEANED)


@pytest.mark.fault(9)
@pytest.mark.parametrize("packed", [True, False])
def test_length(tmp_path, packed, refused):
    folder = write_compaso(tmp_path, samples="", cleaned="", packed=packed)
    path = files(folder)[0]
    at = block(path, 1) + 24
    (length,) = struct.unpack(">Q", path.read_bytes()[at : at + 8])
    patch(path, at, struct.pack(">Q", length + 4))
    refused(folder, path, "bytes", **UNCLEANED)


@pytest.mark.fault(9)
def test_cut_short(tmp_path, refused):
    folder = write_compaso(tmp_path, cleaned="")
    path = folder / "field_rv_B/field_rv_B_001.asdf"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(folder, f"{path}:block 0", "cut short", **UNCLEANED)


@pytest.mark.fault(9)
def test_digest_of_particles_that_are_streamed(tmp_path, refused):
    folder = write_compaso(tmp_path, cleaned="", packed=False)
    path = folder / "field_rv_B/field_rv_B_001.asdf"
    patch(path, block(path, 0) + 48 + 5001, b"\0\1")
    with pytest.warns(mockgal.errors.MockgalWarning, match="the matter is subsample"):
        refused(folder, f"{path}:data/rvint", "MD5", stream=True, **UNCLEANED)


@pytest.mark.fault(2)
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"#ASDF 1.0.0\n"])
def test_no_asdf(folder, content, refused):
    files(folder)[0].write_bytes(content)
    refused(folder, files(folder)[0], **UNCLEANED)


@pytest.mark.fault(5)
def test_array_missing(folder, refused):
    path = whole(folder, [("x_L2com", 0, None)])
    refused(folder, f"{path}:data/x_L2com", "arrays: id, N", **UNCLEANED)


@pytest.mark.fault(14)
def test_superslab_missing(folder, refused):
    files(folder)[1].unlink()
    refused(folder, "2 of 3 superslabs; missing 1", "--allow-missing-chunks", **UNCLEANED)
    with pytest.warns(mockgal.errors.MockgalWarning, match="chunks 1 of 3 are missing"):
        scene = mockgal.read(folder, uncleaned=True, allow_missing_chunks=True)
    assert scene.snapshot.record["superslabs"] == "0, 2"


@pytest.mark.fault(14)
def test_last_superslab_missing(tmp_path, refused):
    folder = write_compaso(tmp_path, cleaned="")
    files(folder)[2].unlink()
    refused(folder, "2 of 3 superslabs; missing 2", **UNCLEANED)


@pytest.mark.fault(45)
def test_last_superslab_missing_and_nothing_tells(folder, refused):
    files(folder)[2].unlink()
    refused(folder, "missing subvolume", **UNCLEANED)


@pytest.mark.fault(15)
def test_superslab_twice(folder, refused):
    shutil.copy(files(folder)[1], files(folder)[2])
    refused(folder, "the same content", **UNCLEANED)
    shutil.copy(files(folder)[1], folder / "halo_info/halo_info_0001.asdf")
    refused(folder, "halo_info_0001.asdf", "one file for each superslab", **UNCLEANED)


@pytest.mark.fault(16)
def test_twelve_superslabs(tmp_path):
    folder = write_compaso(tmp_path, superslabs=12, samples="")
    halos = mockgal.read(folder).halos
    assert (np.diff(halos["halo_id"]) > 0).all()
    assert halos.record["halos_merged_into_others"] == 12


@pytest.mark.fault(18)
def test_rows_of_another_number(folder, refused):
    path, halos = whole(folder), made_up_halos()
    write_asdf(path, header(), {**halos, "N": halos["N"][1:]})
    refused(folder, path, "599 rows", "600", **UNCLEANED)
    write_asdf(path, header(), {**halos, "x_L2com": halos["x_L2com"][:, :2]})
    refused(folder, f"{path}:data/x_L2com", "shape (600, 2)", **UNCLEANED)
    write_asdf(path, header(), {**halos, "id": halos["id"].astype("f8")})
    refused(folder, f"{path}:data/id", "float64", **UNCLEANED)


@pytest.mark.fault(19)
@pytest.mark.parametrize("name", ["Redshift", "BoxSizeHMpc", "ParticleMassHMsun", "Omega_M"])
def test_files_of_different_runs(folder, name, refused):
    facts = header()
    facts[name] = facts[name] * 1.01 + 0.01
    write_asdf(files(folder)[2], facts, made_up_halos())
    refused(folder, f"{files(folder)[2]}:header/{name}", **UNCLEANED)


@pytest.mark.fault(24)
def test_no_cosmology(folder, refused):
    whole(folder, H0=None, Omega_M=None, Omega_DE=None)
    refused(folder, "--h", "--omega-m", "--omega-lambda", **UNCLEANED)


@pytest.mark.fault(25)
def test_redshift_and_scale(folder, refused):
    whole(folder, ScaleFactor=0.9)
    refused(folder, "Redshift = 1 / Time - 1", **UNCLEANED)


@pytest.mark.fault(28)
def test_a_box_in_kpc(folder, refused):
    whole(folder, BoxSizeHMpc=1e5)
    refused(folder, "Omega_m", "1000^-3", **UNCLEANED)


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("ParticleMassHMsun", 0.6736, "a factor h"),
        ("VelZSpace_to_kms", 1.1, "the Hubble flow"),
        ("SODensityL1", 0.5, "which AbacusSummit has"),
    ],
)
def test_headers_that_contradict_themselves(folder, name, factor, words, refused):
    whole(folder, **{name: header()[name] * factor})
    refused(folder, words, **UNCLEANED)


@pytest.mark.fault(34)
def test_positions_that_are_no_numbers(folder, refused):
    path = whole(folder, [("x_L2com", (7, 1), np.nan)])
    refused(folder, f"{path}:data/x_L2com, row 7", "NaN", **UNCLEANED)


@pytest.mark.fault(35)
@pytest.mark.parametrize("value", [np.inf, 1e9])
def test_velocities_that_cannot_be(folder, value, refused):
    path = whole(folder, [("v_L2com", (7, 1), value)])
    refused(folder, f"{path}:data/v_L2com, row 7", **UNCLEANED)
    assert len(mockgal.read(folder, uncleaned=True, drop_bad=True).halos) == 599


@pytest.mark.fault(37)
@pytest.mark.fault(38)
@pytest.mark.parametrize("value", [-1e-9, 0.5, -0.5, -0.50001])
def test_positions_at_an_edge(folder, value):
    whole(folder, [("x_L2com", (7, 1), value)])
    position = mockgal.read(folder, uncleaned=True).halos["position"][7, 1]
    assert position == pytest.approx(value % 1 * 100, abs=1e-3)


@pytest.mark.fault(40)
@pytest.mark.parametrize("value", [1.3, -0.6])
def test_positions_outside_the_box(folder, value, refused):
    path = whole(folder, [("x_L2com", (7, 1), value)])
    refused(folder, f"{path}:data/x_L2com, row 7", "outside the box", **UNCLEANED)


@pytest.mark.fault(41)
def test_ids_twice(folder, refused):
    path = whole(folder, [("id", 7, 0)])
    refused(folder, f"{path}:data/id, row 7", "repeated", **UNCLEANED)


@pytest.mark.fault(50)
def test_an_empty_superslab(folder):
    halos = made_up_halos()
    whole(folder)
    empty = {name: values[:0] for name, values in halos.items()}
    write_asdf(folder / "halo_info/halo_info_001.asdf", header(), empty)
    assert len(mockgal.read(folder, uncleaned=True).halos) == 600


@pytest.mark.fault(64)
@pytest.mark.parametrize("source", ["other.asdf", "-1", "file:///etc/passwd"])
def test_arrays_in_other_files(folder, source, refused):
    path = files(folder)[0]
    path.write_bytes(path.read_bytes().replace(b"source: 3", f"source: {source}".encode()))
    refused(path, f"{path}:data/x_L2com", "a block of this file", format="compaso")
    refused(folder, path, **UNCLEANED)


@pytest.mark.fault(67)
@pytest.mark.fault(68)
def test_sizes_that_are_declared(folder, refused):
    path = files(folder)[0]
    patch(path, block(path, 3), struct.pack(">I4s", 0, b"blsc"))
    patch(path, block(path, 3) + 24, struct.pack(">Q", 24 << 50))
    refused(path, f"{path}:block 3", "declared by a block", format="compaso")


@pytest.mark.fault(70)
def test_control_bytes_in_a_name(folder):
    whole(folder, SimName="a\nb\x1b[31m")
    name = mockgal.read(folder, uncleaned=True).snapshot.name
    assert name.isprintable()


@pytest.mark.fault(73)
def test_deep_nesting(folder, refused):
    path = files(folder)[0]
    path.write_bytes(path.read_bytes().replace(b"[200, 800]", b"[" * 10**5 + b"]" * 10**5))
    path.write_bytes(path.read_bytes().replace(b"- 200", b"- " * 10**5 + b"1"))
    refused(path, path, "levels", format="compaso")

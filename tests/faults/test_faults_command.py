"""One fault of each kind through the command: exit code, one line, a way out, no output."""

import h5py
import numpy as np
import pytest
from read_faults import catalogue, edit, header, put, snapshot

from mockgal.read.detect import read
from mockgal.write.bundle import write_bundle

POSITION, MASS = "Subhalo/SubhaloPos", "Subhalo/SubhaloMass"


def bundle(run):
    path = run.parent / "bundle.hdf5"
    write_bundle(read(run), path)
    return path


def truncated(run):
    file = catalogue(run)[0]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return run, file


def html(run):
    catalogue(run)[0].write_bytes(b"<!DOCTYPE html>busy")
    return run, catalogue(run)[0]


def fletcher(run):
    file = catalogue(run)[1]
    with h5py.File(file) as opened:
        at = opened[POSITION].id.get_chunk_info(1).byte_offset
    content = bytearray(file.read_bytes())
    content[at + 5] ^= 0xFF
    file.write_bytes(content)
    return run, f"{file}:/{POSITION}"


def dataset_missing(run):
    edit(catalogue(run)[0], POSITION, lambda values: None)
    return run, f"{catalogue(run)[0]}:/{POSITION}"


def chunk_missing(run):
    catalogue(run)[1].unlink()
    return run, run / "groups_002"


def wrong_total(run):
    header(catalogue(run), Nsubhalos_Total=np.uint64(500))
    return run, f"{run / 'groups_002'}:/Header@Nsubhalos_Total"


def first_sub_elsewhere(run):
    edit(catalogue(run)[0], "Group/GroupFirstSub", put(5, 0))
    return run, f"{catalogue(run)[0]}:/Group/GroupFirstSub, row 5"


def no_cosmology(run):
    header(catalogue(run), "Parameters", Omega0=None)
    return run, f"{catalogue(run)[0]}:/Parameters"


def other_box(run):
    header(snapshot(run), BoxSize=32100.0)
    return run, f"{snapshot(run)[0]}:/Header@BoxSize"


def kpc_as_mpc(run):
    files = catalogue(run) + snapshot(run)
    header(files, "Parameters", UnitLength_in_cm=3.085678e24, Hubble=100.0)
    return run, f"{run / 'groups_002'}:/Group"


def nan_position(run):
    edit(catalogue(run)[1], POSITION, put(7, np.nan))
    return run, f"{catalogue(run)[1]}:/{POSITION}, row 7"


def nan_mass(run):
    edit(catalogue(run)[1], MASS, put(7, np.nan))
    return run, f"{catalogue(run)[1]}:/{MASS}, row 7"


def beyond_the_box(run):
    edit(catalogue(run)[0], POSITION, put((4, 1), 32400.0))
    return run, f"{catalogue(run)[0]}:/{POSITION}, row 4"


def duplicate_ids(run):
    path = bundle(run)
    with h5py.File(path, "r+") as file:
        file["halos/halo_id"][9] = 8
    return path, f"{path}:/halos/halo_id, row 9"


def negative_density(run):
    path = run.parent / "density.hdf5"
    with h5py.File(path, "w") as file:
        file["density"] = np.full((4, 4, 4), -2.0)
        file["density"].attrs.update(
            boxsize=32.0, unit="", kind="delta", mas="CIC", redshift=0.0, origin="corner"
        )
    return run, f"{path}:/density"


def external_link(run):
    file = catalogue(run)[0]
    edit(file, POSITION, lambda values: None)
    with h5py.File(file, "r+") as opened:
        opened[POSITION] = h5py.ExternalLink("elsewhere.hdf5", "/x")
    return run, f"{file}:/{POSITION}"


def absurd_size(run):
    file = catalogue(run)[0]
    edit(file, POSITION, lambda values: None)
    with h5py.File(file, "r+") as opened:
        opened.create_dataset(POSITION, (3 << 50, 3), "f8", chunks=(64, 3))
    return run, f"{file}:/{POSITION}"


@pytest.mark.parametrize(
    ("fault", "broken", "command", "code"),
    [
        (1, truncated, "inspect", 3),
        (2, html, "inspect", 3),
        (3, fletcher, "build", 3),
        (5, dataset_missing, "inspect", 3),
        (14, chunk_missing, "pack", 3),
        (17, wrong_total, "inspect", 3),
        (22, first_sub_elsewhere, "inspect", 3),
        (24, no_cosmology, "inspect", 3),
        (26, other_box, "pack", 3),
        (28, kpc_as_mpc, "inspect", 3),
        (34, nan_position, "build", 3),
        (35, nan_mass, "inspect", 3),
        (40, beyond_the_box, "inspect", 3),
        (41, duplicate_ids, "build", 3),
        (46, negative_density, "pack --density density.hdf5", 3),
        (64, external_link, "inspect", 4),
        (67, absurd_size, "inspect", 4),
    ],
)
def test_fault_through_the_command(run, mockgal_command, tmp_path, fault, broken, command, code):
    sim, where = broken(run)
    name, *more = command.split()
    more = [str(tmp_path / word) if word.endswith("hdf5") else word for word in more]
    out = tmp_path / ("out.fits" if name == "build" else "out.hdf5")
    arguments = {
        "inspect": ["inspect", sim],
        "pack": ["pack", sim, "--out", out, *more],
        "build": ["build", "--sim", sim, "--painter", "hod", "--seed", "1", "--out", out],
    }
    result = mockgal_command(*arguments[name])
    assert result.returncode == code
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mockgal: error[E{code}")
    assert str(where) in line
    assert "Fix: " in line
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))

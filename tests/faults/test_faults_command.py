"""Faults through the command: exit code, one line of the known form, the output untouched."""

import re

import h5py
import numpy as np
import pytest
from bomb import Bomb
from read_faults import case, catalogue, edit, header, put, seal, snapshot, write_weights

from mockgal.readers.detect import read
from mockgal.types import GalaxyCatalog
from mockgal.writers.bundle import write_bundle
from mockgal.writers.fits import FITSWriter

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
    seal(path)
    return path, f"{path}:/halos/halo_id, row 9"


def negative_density(run):
    path = run.parent / "density.hdf5"
    with h5py.File(path, "w") as file:
        file["density"] = np.full((4, 4, 4), -2.0)
        file["density"].attrs.update(
            boxsize=32.0, unit="", kind="delta", mas="CIC", redshift=0.0, origin="corner"
        )
    return run, f"{path.name}:/density"


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


def fits_cut_short(run):
    """A mock of ours; its table ends in the middle."""
    path = run.parent / "mock.fits"
    columns = {name: np.arange(500) for name in ("galaxy_id", "halo_id")}
    FITSWriter().write(GalaxyCatalog(columns, read(run).snapshot, "box", {}), path, overwrite=False)
    path.write_bytes(path.read_bytes()[:9000])
    return path, path


def weights(run):
    """A pickle as PyTorch keeps weights; to unpickle it would make a folder."""
    path = run.parent / "weights.pt"
    write_weights(path, Bomb(run.parent / "it went off"))
    return path, path


def yaml_tag(run):
    path = run.parent / "recipe.yaml"
    path.write_text("sim: !!python/object/apply:os.mkdir ['it went off']\npainter: hod\n")
    return path, path


def no_unit(run):
    return run, 'cut "stellar_mass>1e10"'


def whole(run):
    return run, "OUT"


BUILD = "build --painter hod --out OUT --overwrite --sim SIM"
PACK = "pack --sim SIM --out OUT --overwrite"


@pytest.mark.parametrize(
    ("broken", "command"),
    [
        case(1, truncated, "inspect SIM"),
        case(2, html, "inspect SIM"),
        case(3, fletcher, BUILD),
        case(5, dataset_missing, "inspect SIM"),
        case(6, fits_cut_short, "inspect SIM"),
        case(14, chunk_missing, PACK),
        case(17, wrong_total, "inspect SIM"),
        case(22, first_sub_elsewhere, "inspect SIM"),
        case(24, no_cosmology, "inspect SIM"),
        case(26, other_box, PACK),
        case(28, kpc_as_mpc, "inspect SIM"),
        case(33, no_unit, BUILD + " --cut stellar_mass>1e10"),
        case(34, nan_position, BUILD),
        case(35, nan_mass, "inspect SIM"),
        case(40, beyond_the_box, "inspect SIM"),
        case(41, duplicate_ids, BUILD),
        case(46, negative_density, PACK + " --matter density.hdf5"),
        case(46, negative_density, BUILD + " --matter density.hdf5"),
        case(58, whole, "pack --sim SIM --out OUT"),
        case(62, weights, BUILD),
        case(64, external_link, "inspect SIM"),
        case(67, absurd_size, BUILD),
        case(71, yaml_tag, "build --out OUT --overwrite --recipe SIM"),
    ],
)
def test_fault_through_the_command(run, mockgal_command, tmp_path, broken, command, exit_code):
    sim, where = broken(run)
    out = tmp_path / ("out.hdf5" if command.startswith("pack") else "out.fits")
    out.write_text("old")
    names = {"SIM": str(sim), "OUT": str(out)}
    result = mockgal_command(*(names.get(word, word) for word in command.split()))
    assert result.returncode == exit_code
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert re.fullmatch(
        rf"mockgal: error\[E{exit_code}\d\d\] {re.escape(names.get(where, str(where)))}.*: found .+"
        r"\. Fix: .+",
        line,
    )
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".out*"))
    assert not (tmp_path / "it went off").exists()

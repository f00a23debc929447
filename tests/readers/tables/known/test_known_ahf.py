"""AHF's halos; files made from the published layout, no real one was at hand."""

import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, check, halos

import mockgal
from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    HeaderError,
    MissingDatasetError,
    UnitsError,
)
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.ahf import AHFReader
from mockgal.testing import reader_contract

GIVEN = {"box_size": BOX, "mass_definition": "200c", **COSMOLOGY_GIVEN}
NAMES = [
    "ID",
    "hostHalo",
    "numSubStruct",
    "Mhalo",
    "npart",
    "Xc",
    "Yc",
    "Zc",
    "VXc",
    "VYc",
    "VZc",
    "Rhalo",
    "Rmax",
    "r2",
    "mbp_offset",
    "com_offset",
    "Vmax",
    "v_esc",
    "sigV",
    "cNFW",
]


def columns(old=False):
    table = halos()
    n = len(table["id"])
    found = {
        **dict.fromkeys(NAMES, np.ones(n)),
        "ID": np.arange(n) if old else table["id"],
        "hostHalo": table["host_row"] if old else np.where(table["central"], 0, table["upid"]),
        "numSubStruct": np.zeros(n, int),
        "Mhalo": table["m200c"],
        "npart": np.full(n, 50),
        **{f"{x.upper()}c": table[x] * 1e3 for x in "xyz"},
        **{f"V{x.upper()}c": table[f"v{x}"] for x in "xyz"},
        "Rhalo": table["r200c"] * 1e3,
        "Vmax": table["vmax"],
        "cNFW": np.full(n, 9.0),
    }
    if not old:
        return found
    return {{"Mhalo": "Mvir", "Rhalo": "Rvir"}.get(k, k): v for k, v in found.items()}


def write(path, found, head=None):
    """Values between tabs, padded with blanks, and a tab at the end of each line."""
    head = head or "#" + "".join(f"{name}({k})\t" for k, name in enumerate(found, 1))
    rows = zip(*(values.tolist() for values in found.values()), strict=True)
    lines = ["".join(f"{value!r:>12}\t" for value in row) for row in rows]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


@pytest.mark.parametrize("old", [False, True])
def test_values(tmp_path, old):
    path = write(tmp_path / "run.0000.z1.000.AHF_halos", columns(old))
    assert detect(path) == "ahf"
    scene = mockgal.read(path, **GIVEN)
    check(scene, halos(), mass="m200c")
    assert scene.snapshot.redshift == 1.0  # of the name
    assert scene.snapshot.record["redshift_from"] == "name of the file"
    assert scene.halos.mass_definition == "200c"
    assert scene.halos["n_particles"][3] == 50
    assert scene.halos["concentration"][3] == 9.0


def test_contract(tmp_path):
    path = write(tmp_path / "run.z1.000.AHF_halos", columns())
    reader_contract(AHFReader, path, **GIVEN)


def test_what_the_file_does_not_state_is_asked_for(tmp_path):
    path = write(tmp_path / "halos", columns())
    with pytest.raises(MissingDatasetError, match="no definition of the host mass") as caught:
        mockgal.read(path)
    for flag in ("--mass-definition", "--redshift", "--box-size", "--h"):
        assert flag in caught.value.fix


def test_another_definition_is_noticed(tmp_path):
    path = write(tmp_path / "run.z1.000.AHF_halos", columns())
    with pytest.raises(UnitsError, match="density"):
        mockgal.read(path, **GIVEN | {"mass_definition": "500c"})


def test_the_id_0_of_a_halo_may_not_mean_no_host(tmp_path):
    found = columns(old=True)
    found["hostHalo"] = np.where(found["hostHalo"] < 0, 0, found["hostHalo"])
    path = write(tmp_path / "run.z1.000.AHF_halos", found)
    with pytest.raises(BadValueError, match="the id 0, which hosts have in hostHalo"):
        mockgal.read(path, **GIVEN)


def test_a_lying_header(tmp_path):
    path, found = tmp_path / "run.z1.000.AHF_halos", columns()
    write(path, found, "#ID(1)\thostHalo(2)\tnpart(4)\t")
    with pytest.raises(HeaderError, match=r"column 3 called 'npart\(4\)'"):
        mockgal.read(path, **GIVEN)
    names = [*list(found)[:-1], "cNFW", "more"]
    write(path, found, "#" + "\t".join(f"{name}({k})" for k, name in enumerate(names, 1)))
    with pytest.raises((CorruptFileError, HeaderError)):
        mockgal.read(path, **GIVEN)

"""Faults 47 and 50: what is empty for good reason."""

import h5py
import numpy as np
import pytest
from read_faults import both, catalogue, edit, no_snapshot

from mockgal.errors import BadValueError, MockgalWarning
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read
from mockgal.types import HaloCatalog, Scene
from mockgal.writers.bundle import write_bundle


@pytest.mark.fault(47)
@both
def test_group_without_subhalos(run):
    halos = read(run).halos
    assert halos.record["groups"] == 420
    assert halos.record["groups_without_subhalos"] == 10
    assert halos.record["centrals"] == 410


@pytest.mark.fault(50)
@both
def test_empty_chunk(make_run, tmp_path, dialect):
    run = make_run(files=3, empty_last=True)
    dialect.write(tmp_path / "other", files=1)
    assert read(run).halos.digest() == read(tmp_path / "other").halos.digest()
    # Found through its empty file too, which holds no datasets at all.
    assert read(catalogue(run)[-1]).halos.digest() == read(run).halos.digest()


@pytest.mark.fault(50)
@both
def test_first_chunk_empty(make_run):
    run = make_run(files=3, empty_last=True)
    digest = read(run).halos.digest()
    first, second, last = catalogue(run)
    last.rename(first.with_name("spare"))
    second.rename(last)
    first.rename(second)
    first.with_name("spare").rename(first)
    assert read(run).halos.digest() == digest


@both
def test_no_halos_at_all(make_run, tmp_path, dialect):
    """A run before its first halo: an empty catalogue, and a bundle of it."""
    run = no_snapshot(make_run(files=3, empty_last=True))
    for file in catalogue(run)[1:]:
        file.unlink()
    with h5py.File(catalogue(run)[0], "r+") as file:
        for name in ("Ngroups", dialect.subhalos):
            file["Header"].attrs[f"{name}_ThisFile"] = file["Header"].attrs[f"{name}_Total"] = 0
        file["Header"].attrs["NumFiles"] = 1
        del file["Group"], file["Subhalo"]
    scene = read(run)
    assert len(scene.halos) == 0
    write_bundle(scene, tmp_path / "b.hdf5")
    assert read(tmp_path / "b.hdf5").halos.digest() == scene.halos.digest()


def test_no_satellites(run):
    scene = read(run)
    centrals = scene.halos.take(np.flatnonzero(scene.halos["is_central"]))
    assert isinstance(centrals, HaloCatalog)
    assert Scene(scene.snapshot, centrals).halos.host_row.min() >= 0


def test_radii_of_zero_are_no_check_of_units(run):
    for file in catalogue(run):
        edit(file, "Group/Group_R_Crit200", lambda values: values * 0)
    with pytest.raises(BadValueError, match="radii of"):
        read(run)
    with pytest.warns(MockgalWarning, match="420 radii"):
        record = read(run, ReadOptions(drop_bad=True)).snapshot.record
    assert record["overdensity_within_r200c_over_expected"] is None

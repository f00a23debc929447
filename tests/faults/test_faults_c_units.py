"""Faults 28-30 and 32: numbers against the units that the file states."""

import h5py
import numpy as np
import pytest
from read_faults import catalogue, edit, header, no_snapshot, refused, snapshot

from mockgal.cosmology import Cosmology
from mockgal.read.detect import read
from mockgal.read.physics import likely_factors
from mockgal.testing import COSMOLOGY, write_gadget4


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_fault_28_kpc_taken_as_mpc(run, with_snapshot):
    files = catalogue(run) + snapshot(run)
    header(files, "Parameters", UnitLength_in_cm=3.085678e24, Hubble=100.0)
    if not with_snapshot:
        no_snapshot(run)
    refused(run, run, "1000^")


def test_fault_28_only_the_unit_of_length_is_wrong(run):
    header(catalogue(run), "Parameters", UnitLength_in_cm=3.085678e24)
    refused(run, catalogue(run)[0], "Hubble")


@pytest.mark.parametrize(
    "options", [{"length": "Mpc"}, {"h_free": True}, {"h_free": True, "length": "Mpc", "files": 1}]
)
def test_fault_29_and_30_twins(tmp_path, options):
    write_gadget4(tmp_path / "a", dtype="f8", hydro=True)
    write_gadget4(tmp_path / "b", dtype="f8", hydro=True, **options)
    a, b = read(tmp_path / "a"), read(tmp_path / "b")
    assert a.snapshot.cosmology.h == pytest.approx(b.snapshot.cosmology.h, rel=1e-12)
    assert a.snapshot.box_size == pytest.approx(b.snapshot.box_size, rel=1e-12)
    assert a.snapshot.particle_mass == pytest.approx(b.snapshot.particle_mass, rel=1e-12)
    assert b.snapshot.record["h_free_run"] == ("h_free" in options)
    assert set(a.halos.columns) == set(b.halos.columns)
    for name, values in a.halos.columns.items():
        np.testing.assert_allclose(b.halos[name], values, rtol=1e-12, atol=1e-9)
    for x, y in zip(a.particles.chunks(30000), b.particles.chunks(30000), strict=False):
        np.testing.assert_allclose(x.position[:1000], y.position[:1000], atol=1e-9)
        break


def test_units_near_known_ones_are_snapped(run):
    files = catalogue(run) + snapshot(run)
    digest = read(run).halos.digest()
    header(files, "Parameters", UnitLength_in_cm=3.08568e21, UnitMass_in_g=1.98892e43)
    scene = read(run)
    assert scene.halos.digest() == digest
    assert scene.snapshot.record["length_unit"] == "kpc/h"
    assert scene.snapshot.record["stated_UnitMass_in_g"] == 1.98892e43


@pytest.mark.parametrize(("hubble", "param"), [(0.06774, 0.6774), (0.2, 1.0), (0.5, 0.6774)])
def test_fault_30_contradictory_hubble(run, hubble, param):
    header(catalogue(run), "Parameters", Hubble=hubble, HubbleParam=param)
    refused(run, f"{catalogue(run)[0]}:/Parameters@Hubble")


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (COSMOLOGY.h, "h^1"),
        (1 / COSMOLOGY.h, "h^-1"),
        (1e10, "1e10"),
        (1.3, "a factor h"),
    ],
)
def test_fault_32_mean_density(run, factor, words):
    table = np.zeros(6)
    with h5py.File(snapshot(run)[0]) as file:
        table[1] = file["Header"].attrs["MassTable"][1] * factor
    header(snapshot(run), MassTable=table)
    refused(run, run / "snapdir_002", words, "Omega_m")


def test_fault_32_mean_density_within_tolerance(run):
    with h5py.File(snapshot(run)[0]) as file:
        table = file["Header"].attrs["MassTable"] * 1.04
    header(snapshot(run), MassTable=table)
    assert read(run).snapshot.record["mean_density_over_omega_m"] == pytest.approx(1.04)


def test_fault_32_mean_density_of_a_stream(make_run):
    """Masses of their own: only the stream can tell, at its end."""
    run = make_run(hydro=True)
    for file in snapshot(run):
        edit(file, "PartType0/Masses", lambda values: values * 2)
    refused(run, run / "snapdir_002", "Omega_m", stream=True)


@pytest.mark.parametrize(
    ("name", "factor", "word"),
    [
        ("Group_R_Crit200", 1e-3, "1000^3"),
        ("Group_R_Crit200", COSMOLOGY.h, "h^-3"),
        ("Group_R_Crit200", 0.5, "a^-3"),
        ("Group_M_Crit200", 1e10, "1e10"),
    ],
)
def test_fault_32_without_particles(make_run, name, factor, word):
    run = make_run(snapshots=False, redshift=1.0)
    for file in catalogue(run):
        edit(file, f"Group/{name}", lambda values: values * np.float32(factor))
    refused(run, run / "groups_002", "/Group/Group_R_Crit200", word)


@pytest.mark.parametrize("factor", [3.0, 1e-9])
def test_fault_32_mass_in_groups(make_run, factor):
    run = make_run(snapshots=False)
    for file in catalogue(run):
        edit(file, "Group/GroupMass", lambda values: values * np.float32(factor))
    refused(run, "Group/GroupMass", "matter in groups")


def test_likely_factors_are_the_simplest():
    cosmology = Cosmology(0.7, 0.3, 0.7)
    assert likely_factors(1e-9, cosmology, 0.0) == "a factor 1000^-3"
    assert likely_factors(0.7, cosmology, 0.0) == "a factor h^1"
    assert likely_factors(1 / 27, cosmology, 2.0) == "a factor a^3"
    assert likely_factors(1e10 * 0.7, cosmology, 0.0) == "a factor 1e10 * h^1"
    assert "1e10" in likely_factors(1.2345, cosmology, 0.0)
    assert "1e10" in likely_factors(0.0, cosmology, 0.0)

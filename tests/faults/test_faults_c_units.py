"""Faults 28-32: numbers against the units that the file states."""

import warnings

import h5py
import numpy as np
import pytest
from read_faults import both, case, catalogue, edit, header, no_snapshot, seal, snapshot

from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning, UnitsError
from mockgal.readers.checks import physics
from mockgal.readers.checks.physics import likely_factors
from mockgal.readers.detect import read
from mockgal.testing import COSMOLOGY, write_gadget4
from mockgal.writers.bundle import write_bundle


@pytest.mark.fault(28)
@both
@pytest.mark.parametrize("with_snapshot", [True, False])
def test_kpc_taken_as_mpc(run, with_snapshot, refused, dialect):
    files = catalogue(run) + snapshot(run)
    header(files, dialect.parameters, UnitLength_in_cm=3.085678e24, Hubble=100.0)
    if not with_snapshot:
        no_snapshot(run)
    refused(run, run, "1000^")


@pytest.mark.fault(28)
def test_only_the_unit_of_length_is_wrong(run, refused):
    header(catalogue(run), "Parameters", UnitLength_in_cm=3.085678e24)
    refused(run, catalogue(run)[0], "Hubble")


@pytest.mark.parametrize(
    "options",
    [
        case(29, {"length": "Mpc"}),
        case(30, {"h_free": True}),
        case(30, {"h_free": True, "length": "Mpc", "files": 1}),
    ],
)
def test_twins(tmp_path, options):
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


@pytest.mark.fault(30)
@pytest.mark.parametrize(("hubble", "param"), [(0.06774, 0.6774), (0.2, 1.0), (0.5, 0.6774)])
def test_contradictory_hubble(run, hubble, param, refused):
    header(catalogue(run), "Parameters", Hubble=hubble, HubbleParam=param)
    refused(run, f"{catalogue(run)[0]}:/Parameters@Hubble")


@pytest.mark.fault(32)
@both
@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (COSMOLOGY.h, "h^1"),
        (1 / COSMOLOGY.h, "h^-1"),
        (1e10, "1e10"),
        (1.3, "a factor h"),
    ],
)
def test_mean_density(run, factor, words, refused):
    table = np.zeros(6)
    with h5py.File(snapshot(run)[0]) as file:
        table[1] = file["Header"].attrs["MassTable"][1] * factor
    header(snapshot(run), MassTable=table)
    refused(run, run / "snapdir_002", words, "Omega_m")


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("factor", "good"), [(0.96, True), (1.04, True), (1.06, False), (0.995, True)]
)
def test_mean_density_within_tolerance(factor, good):
    total = COSMOLOGY.mean_matter_density * 32.0**3 * factor
    if good:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = physics.check_mean_density(total, 32.0, COSMOLOGY, 0.0, "x")
        assert found == pytest.approx(factor)
        assert len(told) == (abs(factor - 1) > 0.01)
    else:
        with pytest.raises(UnitsError, match=r"1\.06"):
            physics.check_mean_density(total, 32.0, COSMOLOGY, 0.0, "x")


@pytest.mark.fault(32)
@both
def test_bound_masses_of_a_catalogue(make_run, refused):
    """SubhaloMass alone in another unit: neither groups nor particles show it."""
    run = make_run(snapshots=False)
    for file in catalogue(run):
        edit(file, "Subhalo/SubhaloMass", lambda values: values * np.float32(1e10))
    refused(run, "Subhalo/SubhaloMass", "bound to subhalos", "1e10")


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("factor", "word"), [(1e-10, "1e-10"), (COSMOLOGY.h, "h^1"), (1.1, "1e10")]
)
def test_mass_per_particle(make_run, factor, word, refused):
    run = make_run(snapshots=False)
    for file in catalogue(run):
        edit(file, "Subhalo/SubhaloMass", lambda values: values * np.float32(factor))
    refused(run, "Subhalo/SubhaloMass", "mass / n_particles", word)


def test_mass_per_particle_means_nothing_in_a_hydro_run(make_run):
    halos = read(make_run(hydro=True)).halos
    assert 0 < halos.record["bound_mass_over_matter"] < 1


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("mass", 1e10, ("/halos/mass", "bound to subhalos")),
        ("mass", 0.9, ("/halos/mass", "mass / n_particles")),
        ("host_mass", 1e10, ("/halos/host_mass", "1e10")),
        ("host_mass", 1e-10, ("/halos/host_mass", "1e-10")),
    ],
)
def test_in_a_bundle(run, tmp_path, name, factor, words, refused):
    path = tmp_path / "b.hdf5"
    write_bundle(read(run), path)
    with h5py.File(path, "r+") as file:
        file[f"halos/{name}"][...] *= factor
    seal(path)
    refused(path, *words)


@pytest.mark.fault(32)
def test_particles_of_a_bundle(run, tmp_path, refused):
    path = tmp_path / "b.hdf5"
    write_bundle(read(run), path)
    header(path, "header", particle_mass=1e9)
    with h5py.File(path, "r+") as file:
        del file["halos/n_particles"]
    seal(path)
    refused(path, f"{path}:/particles@mass", "1e+09")


def test_h_of_one_is_told(run):
    """HubbleParam 1 beside Hubble 100 in the run's units: more likely forgotten than meant."""
    header(catalogue(run) + snapshot(run), "Parameters", HubbleParam=1.0)
    with pytest.warns(MockgalWarning, match="h = 1 is taken"):
        scene = read(run)
    assert scene.snapshot.cosmology.h == 1
    assert scene.snapshot.record["h_is_one"] is True


@pytest.mark.fault(32)
@both
def test_mean_density_of_a_stream(make_run, refused):
    """Masses of their own: only the stream can tell, at its end."""
    run = make_run(hydro=True)
    for file in snapshot(run):
        edit(file, "PartType0/Masses", lambda values: values * 2)
    refused(run, run / "snapdir_002", "Omega_m", stream=True)


@pytest.mark.fault(32)
@both
@pytest.mark.parametrize(
    ("name", "factor", "word"),
    [
        ("Group_R_Crit200", 1e-3, "1000^3"),
        ("Group_R_Crit200", COSMOLOGY.h, "h^-3"),
        ("Group_R_Crit200", 0.5, "a^-3"),
        ("Group_M_Crit200", 1e10, "1e10"),
    ],
)
def test_without_particles(make_run, name, factor, word, refused):
    run = make_run(snapshots=False, redshift=1.0)
    for file in catalogue(run):
        edit(file, f"Group/{name}", lambda values: values * np.float32(factor))
    where = "/Group/Group_M_Crit200" if factor == 1e10 else "/Group/Group_R_Crit200"
    refused(run, run / "groups_002", where, word)


@pytest.mark.fault(32)
@both
@pytest.mark.parametrize("factor", [3.0, 1e-9])
def test_mass_in_groups(make_run, factor, refused):
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

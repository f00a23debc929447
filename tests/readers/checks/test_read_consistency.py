"""Masses, radii and particles of a catalogue against each other and against its cosmology."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from halotools_samples import columns, facts, write_table
from rockstar_samples import PARTICLE, Sample, universe

from mockgal.cosmology import Cosmology
from mockgal.errors import HeaderError, MockgalWarning, UnitsError, listening
from mockgal.protocols import ReadOptions
from mockgal.readers.checks import particle_mass, physics
from mockgal.readers.checks.particle_mass import cube, is_grid, quantum, rounding
from mockgal.readers.detect import read
from mockgal.testing import COSMOLOGY, write_arepo, write_gadget4
from mockgal.writers.bundle import write_bundle

H = COSMOLOGY.h


def light_halos(count=200, seed=1, scatter=0.0):
    """Masses of halos of 20 particles of 1 Msun/h and more, as text of four digits has them."""
    rng = np.random.default_rng(seed)
    number = (20 * rng.uniform(size=count) ** -0.9).astype(int)
    mass = number * (1 + scatter * rng.normal(size=count))
    return np.array([float(f"{m:.3e}") for m in mass])


@pytest.mark.parametrize("ratio", [0.5, H, 1.35 / 1.55, 1.48 / 1.55, 0.97, 1.05, 1 / H, 2.0, 3.7])
def test_a_particle_mass_that_halos_do_not_consist_of_is_known(ratio):
    strength, other = quantum(light_halos(), ratio)
    assert strength < 0.6 or ratio == 0.5
    assert other == pytest.approx(1.0, rel=2e-4)


def test_the_particle_mass_of_the_halos_is_confirmed():
    for seed in range(20):
        strength, other = quantum(light_halos(60, seed), 1.0)
        assert strength > 0.95
        assert other is None


@pytest.mark.slow
def test_masses_without_a_quantum_contradict_nothing():
    """1 in 10^7 by chance, as the module says; here none in 80."""
    for seed in range(80):
        masses = light_halos(40 + seed, seed, scatter=0.1)
        assert quantum(masses, 1.0 + seed / 100)[1] is None


@pytest.mark.parametrize(
    "masses",
    [np.empty(0), light_halos(20), np.full(100, 30.0), 1000.0 + light_halos(), np.zeros(50)],
)
def test_few_or_heavy_halos_say_nothing(masses):
    assert quantum(masses, 0.9)[1] is None


def test_grids():
    known = [32, 64, 96, 128, 455, 512, 910, 1024, 1504, 1820, 2048, 2160, 2500, 3840, 4320, 6912]
    assert all(is_grid(n) for n in [*known, 10240, 12800])
    assert not any(is_grid(n) for n in (0, 67, 83, 121, 143, 61, 2 * 11 * 13))


@pytest.mark.parametrize("side", [20, 64, 512, 2048, 3840])
@pytest.mark.parametrize("gravity", [1 - 3e-4, 1.0, 1 + 3e-4])
def test_cubes_are_known_whatever_the_gravitational_constant(side, gravity):
    mass = COSMOLOGY.matter_mass(100.0) / side**3 * gravity
    found = cube(mass, 100.0, COSMOLOGY.omega_m, COSMOLOGY)
    assert found.fits
    assert found.has_power
    assert found.side == side


def test_the_chance_of_a_cube_is_what_it_is_said_to_be():
    rng = np.random.default_rng(1)
    for side in (64, 512):
        right = COSMOLOGY.matter_mass(100.0) / side**3
        found = [
            cube(float(m), 100.0, COSMOLOGY.omega_m, COSMOLOGY)
            for m in right * rng.uniform(0.9, 1.1, 1500)
        ]
        expected = np.mean([one.chance for one in found])
        assert np.mean([one.fits for one in found]) == pytest.approx(expected, abs=0.015)


def test_numbers_of_few_digits_have_no_power_where_cubes_are_near():
    """halotools states 1.35e8 for Bolshoi, 2048^3 particles, where 1.3628e8 fill the box."""
    bolshoi = Cosmology(0.7, 0.27, 0.73)
    assert not cube(1.35e8, 250.0, 0.27, bolshoi).has_power
    assert rounding(1.35e8) == pytest.approx(0.005 / 1.35)
    assert rounding(0.3, 3) == pytest.approx(0.0005 / 0.3)
    assert rounding(0.3089) == pytest.approx(0.00005 / 0.3089, rel=1e-6)


@pytest.mark.parametrize("write", [write_gadget4, write_arepo])
@pytest.mark.parametrize("omega_m", [0.2, 0.27, 0.3])
@pytest.mark.parametrize("redshift", [0.0, 1.0])
@pytest.mark.fault(32)
def test_the_omega_m_of_another_run_in_a_header(tmp_path, write, omega_m, redshift):
    path = write(tmp_path, files=1, groups=60, side=20, redshift=redshift, snapshots=False)
    place = "Parameters" if write is write_gadget4 else "Header"
    with h5py.File(path, "r+") as file:
        file[place].attrs.update(Omega0=omega_m, OmegaLambda=1 - omega_m)
    with pytest.raises(UnitsError, match="Group_R_") as caught:
        read(path, ReadOptions(allow_empty_regions=True))
    assert "Omega_m is 0.3089, not" in caught.value.fix


def test_what_was_checked_is_recorded(tmp_path):
    scene = read(write_gadget4(tmp_path, files=1, groups=60, side=20))
    record = dict(scene.snapshot.record) | dict(scene.halos.record)
    for definition in ("200c", "200m", "500c", "vir"):
        name = f"overdensity_within_r{definition}_over_expected"
        assert record[name] == pytest.approx(1, abs=1e-4)
    assert record["mean_density_over_omega_m"] == pytest.approx(1)
    assert record[particle_mass.STRENGTH] == pytest.approx(1, abs=1e-3)
    assert record[particle_mass.SIDE] == 20
    assert record[particle_mass.RATIO] == pytest.approx(1, abs=1e-5)
    assert record[particle_mass.CHANCE] < 0.05


def test_dark_matter_of_a_hydrodynamic_run_is_a_cube_by_itself(tmp_path):
    record = read(write_gadget4(tmp_path, files=1, groups=60, side=20, hydro=True)).halos.record
    assert record[particle_mass.SIDE] == 20
    assert record[particle_mass.RATIO] == pytest.approx(1, abs=1e-5)
    assert particle_mass.STRENGTH not in record


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return read(write_gadget4(folder, files=1, snapshots=False))


def cached(scene, path, stated, **changes):
    table = columns(scene, **changes)
    return write_table(path, table, facts(scene, **stated))


@pytest.mark.fault(32)
@pytest.mark.parametrize("ratio", [1.35 / 1.55, 1.48 / 1.55, 1.1])
def test_a_particle_mass_in_a_table_that_its_halos_do_not_have(tmp_path, scene, ratio):
    right = scene.snapshot.particle_mass
    path = cached(scene, tmp_path / "t.hdf5", {"particle_mass": right * ratio})
    with pytest.raises(UnitsError, match=r"halo_mvir.*multiples of") as caught:
        read(path)
    stated = float(caught.value.fix.split("state the particle mass ")[1].split()[0])
    assert stated == pytest.approx(right, rel=1e-3)
    with h5py.File(path, "r+") as file:  # the way out
        file.attrs["particle_mass"] = stated
    read(path)


def test_a_particle_mass_that_is_off_by_little_is_warned_of(tmp_path, scene):
    right = scene.snapshot.particle_mass
    path = cached(scene, tmp_path / "t.hdf5", {"particle_mass": right * 1.02})
    with listening(quiet=True) as messages:
        found = read(path).halos.record
    assert any("off by 2.0%" in text for text in messages)
    assert any("no particle grid" in text for text in messages)
    assert found[particle_mass.QUANTUM] == pytest.approx(right, rel=1e-3)


def without_h(scene, radii):
    """A table, and its metadata, with all lengths and masses in units without h."""
    table = columns(scene)
    for name, values in table.items():
        if name in ("halo_x", "halo_y", "halo_z", "halo_m200c", "halo_mvir", "halo_r200c"):
            table[name] = values / H
    if not radii:
        del table["halo_r200c"]
    snapshot = scene.snapshot
    stated = {"Lbox": snapshot.box_size / H, "particle_mass": snapshot.particle_mass / H}
    return table, facts(scene, **stated)


@pytest.mark.fault(32)
def test_a_table_all_without_h(tmp_path, scene):
    path = write_table(tmp_path / "a.hdf5", *without_h(scene, radii=True))
    with pytest.raises(UnitsError, match=r"halo_r200c.*h\^2"):
        read(path)
    path = write_table(tmp_path / "b.hdf5", *without_h(scene, radii=False))
    with pytest.warns(MockgalWarning, match=r"a factor h\^2 would make it 32\^3"):
        read(path)
    table, stated = without_h(scene, radii=False)
    path = write_table(tmp_path / "c.hdf5", table, {**stated, "num_ptcl_per_dim": 32})
    with pytest.raises(UnitsError, match=r"32\^3 particles.*h\^2"):
        read(path)


@pytest.mark.fault(32)
@pytest.mark.parametrize("kind", ["out", "hlist"])
def test_a_list_with_the_omega_m_of_another_run(tmp_path, kind):
    sample = Sample(kind)
    begin = "Om" if kind == "out" else "Omega_M"
    path = sample.comment(begin).write(tmp_path / f"{kind}_1.00000.list")
    for omega_m in (0.27, 0.3):
        options = ReadOptions(h=H, omega_m=omega_m, omega_lambda=1 - omega_m)
        with pytest.raises(UnitsError, match=r"rvir.*Omega_m is 0\.30\d+, not"):
            read(path, options)
    read(path, ReadOptions(h=H, omega_m=COSMOLOGY.omega_m, omega_lambda=COSMOLOGY.omega_lambda))


@pytest.mark.fault(32)
def test_a_list_with_the_particle_mass_of_another_run(tmp_path):
    sample = Sample("out", universe(hosts=200))
    sample.comment("Particle mass", f"Particle mass: {1.13 * PARTICLE:.5e} Msun/h")
    with pytest.raises(UnitsError, match=r"multiples of 1\.339"):
        read(sample.write(tmp_path / "out_1.list"))


@pytest.mark.fault(32)
def test_a_bundle_is_checked_as_its_original(tmp_path, scene):
    """Packed by hand from a scene that no reader made."""
    right = scene.snapshot.particle_mass
    snapshot = replace(scene.snapshot, particle_mass=1.13 * right)
    halos = replace(
        scene.halos,
        columns={n: v for n, v in scene.halos.columns.items() if n != "n_particles"},
    )
    write_bundle(replace(scene, snapshot=snapshot, halos=halos), tmp_path / "b.hdf5")
    with pytest.raises(UnitsError, match=r"/halos/mass.*multiples of"):
        read(tmp_path / "b.hdf5")


@pytest.mark.parametrize("definition", ["200m", "vir"])
@pytest.mark.parametrize("flat", [True, False])
def test_the_omega_m_that_densities_imply(definition, flat):
    true = Cosmology(0.7, 0.31, 0.69 if flat else 0.6)
    density = physics.overdensity(definition, true, 0.5) * true.critical_density(0.5)
    stated = replace(true, omega_m=0.2, omega_lambda=0.8 if flat else 0.6)
    found = physics.implied_omega_m(definition, density, stated, 0.5)
    assert found == pytest.approx(0.31, abs=2e-3)


def test_the_critical_density_today_implies_no_omega_m():
    density = 200 * COSMOLOGY.critical_density(0.0)
    assert physics.implied_omega_m("200c", density, COSMOLOGY, 0.0) is None


@pytest.mark.fault(32)
def test_masses_of_which_no_run_has_so_many_particles(tmp_path):
    """Without an end, once: a grid of 10^10 particles a side was looked for."""
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, snapshots=False)
    with h5py.File(path, "r+") as file:
        for name in ("SubhaloMass", "SubhaloMassType"):
            dataset = file[f"Subhalo/{name}"]
            values = dataset[:].astype("f8") * 1e-25
            del file[f"Subhalo/{name}"]
            file[f"Subhalo/{name}"] = values
    with pytest.raises(UnitsError, match=r"SubhaloMass.* fill the box"):
        read(path)


@pytest.mark.parametrize("share", [1 - 1e-13, 1.0, 1 + 1e-8])
def test_a_run_that_is_all_baryons(tmp_path, share):
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, hydro=True, snapshots=False)
    with h5py.File(path, "r+") as file:
        file["Parameters"].attrs["OmegaBaryon"] = COSMOLOGY.omega_m * share
    assert particle_mass.SIDE not in read(path).halos.record


@pytest.mark.parametrize(
    ("name", "value"),
    [("OmegaBaryon", 0.5), ("Sigma8", 80.0), ("Sigma8", 1e-9), ("PrimordialIndex", 96.0)],
)
def test_parameters_that_no_universe_has(tmp_path, name, value):
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, snapshots=False)
    with h5py.File(path, "r+") as file:
        file["Parameters"].attrs[name] = value
    with pytest.raises(HeaderError, match=f"Parameters@{name}.*a value in"):
        read(path)


@pytest.mark.parametrize("heavier", [1.13, 3.0])
def test_halos_of_a_zoom_are_of_several_particles(tmp_path, heavier):
    """Most are of heavier particles, as beside the region that is resolved."""
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, snapshots=False)
    with h5py.File(path, "r+") as file:
        own = file["Subhalo/SubhaloMassType"][:]
        number = file["Subhalo/SubhaloLenType"][:]
        coarse = np.arange(len(own)) % 5 != 0
        own[coarse, 2], own[coarse, 1] = own[coarse, 1] * heavier, 0
        number[coarse, 2], number[coarse, 1] = number[coarse, 1], 0
        file["Subhalo/SubhaloMassType"][...] = own
        file["Subhalo/SubhaloLenType"][...] = number
        file["Subhalo/SubhaloMass"][...] = own.sum(axis=1)
    record = read(path, ReadOptions(drop_bad=True)).halos.record
    assert particle_mass.STRENGTH not in record


def test_radii_that_are_off_by_little(tmp_path, scene):
    """Of an unknown finder a warning; of one that makes them of masses, a refusal."""
    table = columns(scene)
    table["halo_r200c"] = table["halo_r200c"] * 1.01
    path = write_table(tmp_path / "t.hdf5", table, facts(scene, halo_finder="mine"))
    with pytest.warns(MockgalWarning, match="halo_r200c"):
        read(path)
    path = write_table(tmp_path / "u.hdf5", table, facts(scene))
    with pytest.raises(UnitsError, match="within 1%"):
        read(path)

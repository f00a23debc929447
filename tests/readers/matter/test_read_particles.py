"""Particles of other codes beside halos: the same as from the codes whose catalogues are read."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from matter_samples import KINDS, particles_of, write_particles, write_snapshot_hdf5

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.errors import HeaderError, MockgalError, UnitsError, UsageError
from mockgal.readers.density import read_density
from mockgal.testing import write_gadget4


@pytest.fixture(scope="module")
def demo(demo_bundle):
    return mockgal.read(demo_bundle)


@pytest.fixture(scope="module")
def halos(demo_bundle, tmp_path_factory):
    """The demo's halos alone."""
    path = tmp_path_factory.mktemp("halos") / "halos.hdf5"
    mockgal.pack(demo_bundle, path, particles=False)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_particles(kind, demo, halos, tmp_path):
    first = write_particles(kind, tmp_path / "s", demo)
    for path in {first, first if first.is_dir() else tmp_path}:
        sim = mockgal.read(halos, matter=path)
        for found, expected in zip(particles_of(sim), particles_of(demo), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-8 if expected.ndim == 1 else 0)
        record = sim.snapshot.record
        assert record["density_at_hosts"]["fits"]
        assert record["matter"]["particles"] == 64**3
        assert record["matter"]["mean_density_over_omega_m"] == pytest.approx(1, rel=1e-3)
        files = sim.snapshot.source[1:]
        assert len(files) == record["matter"]["files"]
        for file in files:
            with open(file.path, "rb") as opened:
                assert file.digest == sha256(opened.read()).hexdigest()
        parts = list(sim.particles.chunks(10_000))
        assert max(len(part.mass) for part in parts) <= 10_000
        np.testing.assert_array_equal(
            np.concatenate([part.position for part in parts]), particles_of(demo)[0]
        )


def test_a_bundle_and_a_snapshot_in_hdf5(demo, demo_bundle, halos, tmp_path):
    path = write_snapshot_hdf5(tmp_path / "snap_004.hdf5", demo)
    for matter in (demo_bundle, path, tmp_path):
        sim = mockgal.read(halos, matter=matter)
        np.testing.assert_array_equal(particles_of(sim)[0], particles_of(demo)[0])
        assert sim.snapshot.record["matter"]["in_place_of_own"] is False
    assert mockgal.read(demo_bundle, matter=path).snapshot.record["matter"]["in_place_of_own"]


def test_the_field_of_a_gadget4_run(tmp_path):
    """The grid of the same particles, from the run's own snapshot and from one in binary."""
    run = write_gadget4(tmp_path / "run", files=1, length="Mpc")
    scene = mockgal.read(run)
    matter = write_particles("gadget-2", tmp_path / "s" / "snap", scene)
    with pytest.warns(UserWarning, match="cannot show"):  # made-up particles are not clustered
        mockgal.field(run, tmp_path / "b.hdf5", grid_size=8, matter=matter)
    mockgal.field(run, tmp_path / "a.hdf5", grid_size=8)
    fields = [read_density(tmp_path / f"{x}.hdf5").read_slab(0, 8) for x in "ab"]
    np.testing.assert_allclose(fields[1], fields[0], rtol=1e-12)


def test_the_particle_mass_is_taken_from_the_matter(demo, tmp_path):
    """Halos that do not state it, as those of consistent-trees."""
    from mockgal.writers.bundle import write_bundle

    without = replace(demo, snapshot=replace(demo.snapshot, particle_mass=None), particles=None)
    write_bundle(without, tmp_path / "halos.hdf5")
    assert mockgal.read(tmp_path / "halos.hdf5").snapshot.particle_mass is None
    matter = write_particles("gadget-1", tmp_path / "s", demo)
    sim = mockgal.read(tmp_path / "halos.hdf5", matter=matter)
    assert sim.snapshot.particle_mass == pytest.approx(demo.snapshot.particle_mass)
    assert sim.snapshot.record["matter"]["taken_from_matter"] == ["particle_mass"]


OTHER = Cosmology(0.7, 0.3089, 0.6911)


@pytest.mark.fault(26)
@pytest.mark.parametrize("kind", ["gadget-1", "fastpm"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"box_size": 17.0}, "box size: found 17 Mpc/h, expected 16 Mpc/h, as the halos"),
        ({"redshift": 0.5}, "redshift: found 0.5"),
        ({"cosmology": OTHER}, "h: found 0.7, expected 0.6774"),
        ({"mass": 1.4e9}, "particle mass: found 1.4e+09 Msun/h"),
    ],
)
def test_matter_of_another_run(kind, changes, words, demo, halos, tmp_path):
    path = write_particles(kind, tmp_path / "s", demo, **changes)
    with pytest.raises(HeaderError, match=words.replace("+", r"\+")) as caught:
        mockgal.read(halos, matter=path)
    assert caught.value.fix


@pytest.mark.fault(32)
def test_masses_without_h(demo, tmp_path):
    """Of halos whose particle mass nobody states."""
    from mockgal.writers.bundle import write_bundle

    snapshot = replace(demo.snapshot, particle_mass=None)
    write_bundle(replace(demo, snapshot=snapshot, particles=None), tmp_path / "halos.hdf5")
    mass = particles_of(demo)[1][0]
    path = write_particles("gadget-1", tmp_path / "s", demo, mass=float(mass / 0.6774))
    with pytest.raises(UnitsError, match=r"a factor h\^-1"):
        mockgal.read(tmp_path / "halos.hdf5", matter=path)


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: x[:, [2, 1, 0]], "axes in the order z, y, x"),
        (lambda x: np.mod(x + 4.0, 16.0), "not where the matter is"),
    ],
)
def test_particles_that_are_not_where_the_halos_are(spoil, words, demo, halos, tmp_path):
    position, mass = particles_of(demo)
    facts = {n: getattr(demo.snapshot, n) for n in ("box_size", "redshift", "cosmology")}
    path = KINDS["gadget-1"][0](tmp_path / "s", spoil(position), float(mass[0]), **facts)
    with pytest.raises(MockgalError, match=words):
        mockgal.read(halos, matter=path)


@pytest.mark.fault(29)
def test_units_of_length(demo, halos, tmp_path):
    found = {}
    for unit in (1.0, 1e3):
        path = write_particles("gadget-1", tmp_path / f"{unit}", demo, unit=unit, dtype="f8")
        sim = mockgal.read(halos, matter=path)
        found[unit] = particles_of(sim)[0]
        expected = "kpc/h" if unit > 1 else "Mpc/h"
        assert sim.snapshot.record["matter"]["length_unit"] == expected
        assert mockgal.inspect(path)["box_size_mpc_h"] == 16.0  # without halos: by its density
    np.testing.assert_array_equal(*found.values())


def test_options_that_have_no_effect_are_refused(demo, halos, tmp_path):
    path = write_particles("gadget-1", tmp_path / "s", demo)
    with pytest.raises(UsageError, match="--matter-kind: found mass for the particles"):
        mockgal.read(halos, matter=path, matter_kind="mass")
    with pytest.raises(UsageError, match="--matter-kind: found mass without --matter"):
        mockgal.read(halos, matter_kind="mass")


@pytest.mark.parametrize("kind", ["gadget-2", "fastpm", "mp-gadget"])
def test_inspect(kind, demo, mockgal_command, tmp_path):
    path = write_particles(kind, tmp_path / "s", demo)
    facts = mockgal.inspect(path)
    assert facts["kind"] == "matter"
    assert facts["particles"] == 64**3
    assert facts["redshift"] == pytest.approx(0.0, abs=1e-9)
    result = mockgal_command("inspect", path.relative_to(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "262,144" in result.stdout
    assert f"--matter {path.relative_to(tmp_path)}" in result.stdout

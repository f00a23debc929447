"""Halos of FastPM, MP-Gadget and nbodykit, in files made from the published layout."""

import shutil
import subprocess

import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, H, halos
from rockstar_samples import PARTICLE

import mockgal
from mockgal.errors import FormatError, HeaderError, MissingDatasetError, UsageError
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.bigfile import BigFileReader
from mockgal.testing import reader_contract
from mockgal.testing.matter import write_bigfile_block

# Every halo is a host, which a warning says.
pytestmark = pytest.mark.filterwarnings("ignore:.*has no column of hosts")
RUN = {"OmegaM": COSMOLOGY_GIVEN["omega_m"], "OmegaLambda": COSMOLOGY_GIVEN["omega_lambda"]}
RUN |= {"HubbleParam": H, "BoxSize": BOX, "ScalingFactor": 0.5, "Time": 0.5}
CGS = ("Length_in_cm", "Mass_in_g", "Velocity_in_cm_per_s")


def hosts():
    table = halos()
    kept = table["central"]
    number = np.rint(table["mvir"][kept] / PARTICLE).astype("<i4")
    return table["position"][kept], table["velocity"][kept], number


def fastpm(path, below="LL-0.200", files=2, **header):
    """As FastPM writes them, of this version and of older ones."""
    position, velocity, number = hosts()
    mass = {"MassTable": np.array([0, PARTICLE / 1e10, 0, 0, 0, 0])}
    facts = {**RUN, "UnitLength_in_cm": 3.085678e24, "UnitMass_in_g": 1.989e43, **mass, **header}
    facts = {name: value for name, value in facts.items() if value is not None}
    write_bigfile_block(path / "Header", **facts)
    write_bigfile_block(path / below, M0=PARTICLE / 1e10, a__x=0.5)
    write_bigfile_block(path / below / "Position", position.astype("<f4"), files)
    write_bigfile_block(path / below / "Velocity", velocity.astype("<f4"), files)
    write_bigfile_block(path / below / "Length", number, files)
    write_bigfile_block(path / below / "MinID", np.arange(len(number))[::-1] * 7, files)
    return path


def nbodykit(path, **header):
    """As nbodykit saves FOF.find_features; the first row is of the particles in no group."""
    position, velocity, number = hosts()
    facts = {**RUN, "BoxSize": np.full(3, BOX), "linking_length": 0.2, "nmin": 20, **header}
    write_bigfile_block(path / "Header", **{n: v for n, v in facts.items() if v is not None})
    none = np.full((1, 3), np.nan)
    write_bigfile_block(path / "CMPosition", np.concatenate([none, position]).astype("<f4"))
    write_bigfile_block(path / "CMVelocity", np.concatenate([none, velocity]).astype("<f4"))
    write_bigfile_block(path / "Length", np.concatenate([[0], number]).astype("<i4"))
    return path


def mpgadget(path, peculiar=True, **header):
    """As MP-Gadget writes PIG_nnn, a group's number being that of its row."""
    position, velocity, number = hosts()
    facts = {**RUN, "Omega0": RUN["OmegaM"], "BoxSize": BOX * 1e3, "UnitLength_in_cm": 3.085678e21}
    facts |= {"UnitMass_in_g": 1.989e43, "UnitVelocity_in_cm_per_s": 1e5}
    facts |= {"UsePeculiarVelocity": np.int32(peculiar), "MassTable": np.zeros(6)}
    for name in ("OmegaM", "ScalingFactor"):
        del facts[name]
    facts = {name: value for name, value in (facts | header).items() if value is not None}
    write_bigfile_block(path / "Header", **facts)
    groups = path / "FOFGroups"
    speed = velocity if peculiar else velocity * 0.5  # a times the peculiar velocity
    write_bigfile_block(groups / "MassCenterPosition", (position * 1e3).astype("<f8"), 2)
    write_bigfile_block(groups / "MassCenterVelocity", speed.astype("<f4"), 2)
    write_bigfile_block(groups / "Mass", (number * PARTICLE / 1e10).astype("<f4"))
    write_bigfile_block(groups / "GroupID", np.arange(1, len(number) + 1, dtype="<u4"))
    write_bigfile_block(groups / "LengthByType", np.outer(number, [0, 1, 0, 0, 0, 0]).astype("<u4"))
    return path


def check_mpgadget(scene):
    position, velocity, number = hosts()
    found = scene.halos
    np.testing.assert_allclose(found["position"], position, rtol=1e-6)
    np.testing.assert_allclose(found["velocity"], velocity, rtol=1e-6)
    np.testing.assert_allclose(found["host_mass"], number * PARTICLE, rtol=1e-6)
    np.testing.assert_array_equal(found["halo_id"], 1 + np.arange(len(number)))
    assert found.mass_definition == "fof"
    assert (scene.snapshot.box_size, scene.snapshot.redshift) == pytest.approx((BOX, 1.0))


def check(scene, ids=None):
    position, velocity, number = hosts()
    found = scene.halos
    np.testing.assert_allclose(found["position"], position, rtol=1e-6)
    np.testing.assert_allclose(found["velocity"], velocity, rtol=1e-6)
    np.testing.assert_array_equal(found["n_particles"], number)
    for name in ("mass", "host_mass"):
        np.testing.assert_allclose(found[name], number * PARTICLE, rtol=1e-6)
    assert found["is_central"].all()
    assert found.mass_definition == "fof"
    snapshot = scene.snapshot
    assert (snapshot.box_size, snapshot.redshift) == pytest.approx((BOX, 1.0))
    assert snapshot.particle_mass == pytest.approx(PARTICLE)
    assert snapshot.record["linking_length"] == 0.2
    if ids is not None:
        np.testing.assert_array_equal(found["halo_id"], ids)


@pytest.mark.parametrize("at", ["", "LL-0.200"])
def test_fastpm(tmp_path, at):
    path = fastpm(tmp_path / "fof_0.5000") / at
    assert detect(path) == "bigfile"
    scene = mockgal.read(path)
    check(scene, np.arange(len(hosts()[2]))[::-1] * 7)
    assert scene.snapshot.name == "fof_0.5000/LL-0.200"
    assert len(scene.snapshot.source) == 4 + 4 * 3  # texts, and two files of each block


def test_an_older_header(tmp_path):
    """One without h, Omega_Lambda, units and MassTable."""
    older = dict.fromkeys(("HubbleParam", "OmegaLambda", "MassTable", "Time"))
    units = dict.fromkeys(("UnitLength_in_cm", "UnitMass_in_g"))
    path = fastpm(tmp_path / "fof", **older, **units, NC=64)
    with pytest.raises(MissingDatasetError, match="no h, omega_lambda"):
        mockgal.read(path)
    stated = {name: COSMOLOGY_GIVEN[name] for name in ("h", "omega_lambda")}
    check(mockgal.read(path, **stated))


def test_nbodykit(tmp_path):
    path = nbodykit(tmp_path / "groups", MassTable=np.array([0, PARTICLE / 1e10, 0, 0, 0, 0]))
    assert detect(path) == "bigfile"
    scene = mockgal.read(path)
    check(scene, 1 + np.arange(len(hosts()[2])))
    assert scene.halos.record["groups_without_particles_dropped"] == 1


def test_a_particle_mass_of_the_user(tmp_path):
    path = nbodykit(tmp_path / "groups")
    with pytest.raises(MissingDatasetError, match="no mass of a particle") as caught:
        mockgal.read(path)
    assert "--particle-mass" in caught.value.fix
    check(mockgal.read(path, particle_mass=PARTICLE))
    with pytest.raises(UsageError, match="particle-mass"):
        mockgal.read(nbodykit(path, particle_mass=PARTICLE), particle_mass=2 * PARTICLE)


def test_masses_that_nbodykit_saved(tmp_path):
    path = nbodykit(tmp_path / "groups")
    number = np.concatenate([[0], hosts()[2]])
    write_bigfile_block(path / "Mass", number * PARTICLE)
    found = mockgal.read(path).halos
    np.testing.assert_allclose(found["mass"], number[1:] * PARTICLE)


@pytest.mark.parametrize("peculiar", [True, False])
@pytest.mark.parametrize("at", ["", "FOFGroups"])
def test_mpgadget(tmp_path, peculiar, at):
    path = mpgadget(tmp_path / "PIG_004", peculiar) / at
    assert detect(path) == "bigfile"
    scene = mockgal.read(path)
    check_mpgadget(scene)
    assert scene.snapshot.name == f"{tmp_path.name}/PIG_004"
    assert "unit_of_length" not in scene.snapshot.record


def test_an_older_mpgadget_states_its_units_in_the_snapshot(tmp_path):
    nothing = dict.fromkeys(("UnitLength_in_cm", "UnitMass_in_g", "UnitVelocity_in_cm_per_s"))
    path = mpgadget(tmp_path / "PIG_004", False, UsePeculiarVelocity=None, **nothing)
    with pytest.raises(MissingDatasetError, match="UsePeculiarVelocity") as caught:
        mockgal.read(path)
    beside = write_bigfile_block(tmp_path / "PART_004/Header", UsePeculiarVelocity=np.int32(0))
    scene = mockgal.read(path)
    check_mpgadget(scene)
    assert scene.snapshot.record["unit_of_length"].startswith("kpc/h")
    shutil.rmtree(beside.parent)
    command = caught.value.fix.partition("for 0: ")[2]
    subprocess.run(command, shell=True, check=True)
    check_mpgadget(mockgal.read(path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Time", value) for value in (0.0, -1.0)),
        *((f"Unit{name}", value) for name in CGS for value in (0.0, -1.0)),
        ("UsePeculiarVelocity", np.int32(2)),
    ],
)
def test_units_and_times_that_cannot_be(tmp_path, name, value):
    path = mpgadget(tmp_path / "PIG_004", False, **{name: value})
    with pytest.raises(HeaderError, match=name) as caught:
        mockgal.read(path)
    assert "found" in str(caught.value)


def test_mpgadget_contract(tmp_path):
    reader_contract(BigFileReader, mpgadget(tmp_path / "PIG_004"))


def test_kpc(tmp_path):
    path = fastpm(tmp_path / "fof", UnitLength_in_cm=3.085678e21, BoxSize=BOX * 1e3)
    write_bigfile_block(path / "LL-0.200/Position", (hosts()[0] * 1e3).astype("<f4"))
    check(mockgal.read(path))


def test_contract(tmp_path):
    reader_contract(BigFileReader, fastpm(tmp_path / "fof"))


def test_several_linking_lengths(tmp_path):
    path = fastpm(tmp_path / "fof")
    shutil.copytree(path / "LL-0.200", path / "LL-0.150")
    with pytest.raises(UsageError, match=r"LL-0\.150, LL-0\.200"):
        mockgal.read(path)
    check(mockgal.read(path / "LL-0.200"))


def test_a_light_cone(tmp_path):
    path = fastpm(tmp_path / "fof")
    write_bigfile_block(path / "LL-0.200/Aemit", np.linspace(0.3, 0.5, len(hosts()[2])))
    with pytest.raises(FormatError, match="light cone"):
        mockgal.read(path)


def test_blocks_of_different_lengths(tmp_path):
    path = fastpm(tmp_path / "fof")
    write_bigfile_block(path / "LL-0.200/Velocity", np.zeros((5, 3)))
    with pytest.raises(HeaderError, match="5 rows"):
        mockgal.read(path)


def test_velocities_that_are_not_peculiar(tmp_path):
    path = fastpm(tmp_path / "fof", UsePeculiarVelocity=np.int32(0))
    with pytest.raises(HeaderError, match="UsePeculiarVelocity"):
        mockgal.read(path)

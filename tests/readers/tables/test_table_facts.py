"""The file of facts beside a table."""

import hashlib

import pytest
from table_samples import FACTS, MAP, columns, text

import mockgal
from mockgal.errors import UsageError
from mockgal.readers.tables.reader import name_of

BESIDE = """\
columns:
  position: x y z [Mpc/h]
  velocity: vx vy vz [km/s]
  mass: mvir [Msun/h]
  host_mass: m200c [Msun/h]
  vmax: vmax [km/s]
  radius: r200c [Mpc/h]
name: the run
mass_definition: 200c
box_size: 40 Mpc/h
redshift: 0
h: {h}
omega_m: {omega_m}
omega_lambda: {omega_lambda}
particle_mass: {particle_mass} Msun/h
"""


@pytest.fixture
def halos(tmp_path):
    (tmp_path / "halos.csv").write_text(text(columns()))
    (tmp_path / "halos.csv.yaml").write_text(BESIDE.format(**FACTS))
    return tmp_path / "halos.csv"


def test_facts_beside_the_table(halos):
    scene = mockgal.read(halos)
    whole = mockgal.read(columns(), columns=MAP, **FACTS)
    assert scene.halos.digest() == whole.halos.digest()
    assert scene.snapshot.facts() == whole.snapshot.facts()
    assert scene.snapshot.name == "the run"
    beside = halos.with_name("halos.csv.yaml")
    digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    record = scene.snapshot.record["facts_file"]
    assert (record["path"], record["sha256"]) == (str(beside), digest)
    assert [file.path for file in scene.snapshot.source] == [str(halos), str(beside)]
    assert scene.snapshot.source[1].digest == digest


def test_a_map_as_a_text(halos):
    beside = halos.with_name("halos.csv.yaml")
    lines = [line for line in beside.read_text().splitlines() if line[:2] != "  "]
    lines[0] = f'columns: "{MAP}"'
    beside.write_text("\n".join(lines))
    assert len(mockgal.read(halos).halos) == 107


def test_options_add_to_it_and_must_agree(halos):
    beside = halos.with_name("halos.csv.yaml")
    beside.write_text(beside.read_text().replace("redshift: 0\n", ""))
    assert mockgal.read(halos, redshift=0.0, h=FACTS["h"], columns="halo_id=id").halos
    for wrong in ({"h": 0.5}, {"box_size": "50 Mpc/h"}, {"columns": "position=x y z [kpc/h]"}):
        with pytest.raises(UsageError, match=r"as .*halos\.csv\.yaml says"):
            mockgal.read(halos, redshift=0.0, **wrong)


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("redshift: 0", "redshift: zero", "a number"),
        ("box_size: 40 Mpc/h", "box_size: 40", "a number with its unit"),
        ("box_size: 40 Mpc/h", "box_side: 40 Mpc/h", "an unknown key"),
        ("mass_definition: 200c", "mass_definition: 180b", "one of 200c"),
        ("name: the run", "name: !!python/object:os.system x", "the tag"),
        ("name: the run", "name: &a x", "the anchor"),
        ("position: x y z", "positon: x y z", "did you mean position"),
        ("position: x y z", "position: xx y z", "xx"),
        ("columns:", "- columns:", "YAML"),
    ],
)
def test_what_is_wrong_in_it(halos, old, new, words, exit_code):
    beside = halos.with_name("halos.csv.yaml")
    beside.write_text(beside.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=words) as caught:
        mockgal.read(halos)
    assert caught.value.exit_code == exit_code
    assert "halos.csv.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("halos.csv", "halos"),
        ("halos.csv.gz", "halos"),
        ("sfr_catalog_0.500000.bin", "sfr_catalog_0.500000"),
        ("run.0000.z1.000.AHF_halos", "run.0000.z1.000"),
        ("snap_010.properties.0", "snap_010"),
        ("halos_z0.5", "halos_z0.5"),
    ],
)
def test_a_scale_factor_in_the_name_is_no_extension(tmp_path, file, name):
    assert name_of(tmp_path / file) == f"{tmp_path.name}/{name}"

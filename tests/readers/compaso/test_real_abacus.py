"""Values of abacusutils' own reference outputs, of a run of 64^3 particles."""

import struct
from pathlib import Path

import numpy as np
import pytest
import yaml

import mockgal
from mockgal.readers.compaso.asdf import open_asdf
from mockgal.theory.distances import up_to

DATA = Path(__file__).parents[4] / "shared/data/abacus"
SNAPSHOT = DATA / "Mini_N64_L32/halos/z0.000"
BOX = 32.0
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here"),
]


class Loader(yaml.SafeLoader):
    """Reads nodes with tags as plain mappings."""


Loader.add_multi_constructor("tag:", lambda loader, _, node: loader.construct_mapping(node, True))


def table(name):
    """The columns of a table of astropy in ASDF, read without mockgal."""
    import blosc

    content = (DATA / "ref_data" / name).read_bytes()
    end = content.index(b"\n...")
    blocks, at = [], content.index(b"\xd3BLK")
    while content[at : at + 4] == b"\xd3BLK":
        length, _, _, allocated, used = struct.unpack(">HI4sQQ", content[at + 4 : at + 30])
        start = at + 6 + length
        blocks.append(blosc.decompress(content[start + 4 : start + used]))
        at = start + allocated
    found = {}
    for column in yaml.load(content[: end + 1], Loader)["data"]["columns"]:  # noqa: S506
        node = column["data"]
        size = int(np.prod(node["shape"]))
        values = np.frombuffer(blocks[node["source"]], node["datatype"], size)
        found[column["name"]] = values.reshape(node["shape"])
    return found


def apart(one, other):
    """The largest distance of positions in the periodic box."""
    distance = one - other
    return np.abs(distance - BOX * np.round(distance / BOX)).max()


@pytest.mark.parametrize("name", ["clean", "unclean"])
def test_halos(name):
    scene = mockgal.read(SNAPSHOT, uncleaned=name == "unclean")
    theirs, halos = table(f"test_halos_{name}.asdf"), scene.halos
    kept = theirs["N"] > 0
    assert (len(kept), len(halos)) == (381, 380 if name == "clean" else 381)
    np.testing.assert_array_equal(halos["halo_id"], theirs["id"][kept])
    np.testing.assert_array_equal(halos["n_particles"], theirs["N"][kept])
    assert apart(halos["position"], theirs["x_L2com"][kept].astype("f8")) <= 2e-6
    np.testing.assert_allclose(halos["velocity"], theirs["v_L2com"][kept], rtol=2e-7, atol=1e-5)
    np.testing.assert_allclose(halos["vmax"], theirs["vcirc_max_L2com"][kept], rtol=2e-7)
    np.testing.assert_allclose(halos["mass"], theirs["N"][kept] * 1.088239739e10, rtol=1e-12)
    radius = halos["host_mass"] / (4 / 3 * np.pi * 368.638 * 0.313772 * 2.77536627e11)
    peak = 2.16258 * np.cbrt(radius) / theirs["rvcirc_max_L2com"][kept]
    np.testing.assert_allclose(halos["concentration"], peak, rtol=2e-3)


def test_masses_of_the_outputs_for_halo_occupation():
    import h5py

    halos = mockgal.read(SNAPSHOT).halos
    of = dict(zip(halos["halo_id"].tolist(), halos["mass"].tolist(), strict=True))
    compared = 0
    for path in sorted((DATA / "ref_hod/Mini_N64_L32/z0.000").glob("halos_xcom_*.h5")):
        with h5py.File(path) as file:
            rows = file["halos"][...]
        for one, mass in zip(rows["id"].tolist(), rows["N"] * 1.088239739e10, strict=True):
            assert of[one] == pytest.approx(mass, rel=1e-9)
            compared += 1
    assert compared


def test_all_particles():
    scene = mockgal.read(SNAPSHOT)
    assert scene.particles.count == 64**3
    theirs = table("test_pack9.asdf")["pos"].astype("f8")
    chunk = next(scene.particles.chunks(len(theirs)))
    assert apart(chunk.position, theirs) <= 4e-6


def test_particles_of_samples(tmp_path):
    (tmp_path / "sim/halos").mkdir(parents=True)
    linked = tmp_path / "sim/halos/z0.000"  # beside it no slices are found
    linked.mkdir()
    for folder in SNAPSHOT.iterdir():
        (linked / folder.name).symlink_to(folder)
    scene = mockgal.read(linked, uncleaned=True)
    with pytest.warns(mockgal.errors.MockgalWarning, match=r"10\.03% of all"):
        position = np.concatenate([chunk.position for chunk in scene.particles.chunks(999)])
    theirs = np.mod(table("test_subsamples_unclean.asdf")["pos"].astype("f8"), BOX)
    ours = {tuple(row) for row in np.round(position * 1e4).astype(int).tolist()}
    near = np.round(theirs * 1e4).astype(int)
    found = sum(tuple(row) in ours for row in near.tolist())
    assert found > 0.98 * len(near)  # others are at the edge between two numbers


def test_halo_light_cone():
    cone = DATA / "halo_light_cones/AbacusSummit_base_c000_ph001-abridged/z2.250"
    scene = mockgal.read(cone)
    assert len(scene.halos) == 43
    assert scene.halos.record["halos_without_particles"] == 7
    assert scene.snapshot.light_cone.observer == (-990.0, -990.0, -990.0)
    place = scene.halos["position"] - np.array(scene.snapshot.light_cone.observer)
    stated = open_asdf(cone / "lc_halo_info.asdf")
    with_particles = stated.read("N_interp") > 0
    expected = stated.read("redshift_interp")[with_particles]
    found = up_to(scene.snapshot.cosmology, 4000.0).redshifts(np.linalg.norm(place, axis=1))
    np.testing.assert_allclose(found, expected, atol=2e-5)  # theirs is interpolated, single

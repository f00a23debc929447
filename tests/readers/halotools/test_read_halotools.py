"""Halo tables of halotools: what is read is what another reader gave; what cannot be is refused."""

import json
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import astropy.cosmology
import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from halotools_samples import columns, facts, write_table

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.errors import CutError, MockgalError, MockgalWarning, UsageError, listening
from mockgal.painters.hod.painter import HODPainter
from mockgal.readers import detect
from mockgal.readers.checks import physics
from mockgal.readers.checks.nesting import top_hosts
from mockgal.readers.halotools.reader import HalotoolsReader
from mockgal.readers.halotools.table import in_file
from mockgal.system import memory
from mockgal.testing import painter_contract, reader_contract, write_gadget4

HLIST = Path(__file__).parents[4] / "shared/data/rockstar/hlist_0.07812.list"
COSMOLOGY = ("h", "omega_m", "omega_lambda", "omega_b")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """462 subhalos of a Gadget-4 run, without the counts of particles that halotools has not."""
    run = tmp_path_factory.mktemp("run")
    scene = detect.read(write_gadget4(run, files=1, snapshots=False))
    kept = {name: v for name, v in scene.halos.columns.items() if name != "n_particles"}
    return replace(scene, halos=replace(scene.halos, columns=kept))


@pytest.fixture
def cached(tmp_path, scene):
    """A function that writes the file of the scene, with changes."""

    def write(stated=None, how=None, **changes):
        path = tmp_path / "table.hdf5"
        return write_table(
            path, columns(scene, **changes), facts(scene, **(stated or {})), **(how or {})
        )

    return write


def catalogue(scene, stated=None, **changes):
    """An object like those of halotools."""
    table = Table(columns(scene, **changes))
    return SimpleNamespace(halo_table=table, **facts(scene, **(stated or {})))


def refused(thing, *words, code=3, **options):
    """Reading fails with the exit code and a message that has the words and a way out."""
    with pytest.raises(MockgalError) as caught:
        mockgal.read(thing, **options)
    error = caught.value
    assert error.exit_code == code, error
    assert error.fix, error
    assert "\n" not in str(error)
    for word in words:
        assert str(word) in str(error), f"{word!r} not in: {error}"
    return error


def test_contract(cached):
    reader_contract(HalotoolsReader(), cached())


def test_object_cached_file_and_hand_made_file_are_the_original(halotools, tmp_path, scene, cached):
    own = halotools.sim_manager.UserSuppliedHaloCatalog(**columns(scene), **facts(scene))
    path = tmp_path / "cached.hdf5"
    more = {name: str(getattr(scene.snapshot.cosmology, name)) for name in COSMOLOGY}
    own.add_halocat_to_cache(str(path), "made up", "rockstar", "v1", "notes", **more)
    from_cache = halotools.sim_manager.CachedHaloCatalog(fname=str(path))
    for thing in (own, path, cached(), from_cache):
        again = mockgal.read(thing)
        assert again.halos.digest() == scene.halos.digest()
        assert again.snapshot.facts() == scene.snapshot.facts()
        assert again.snapshot.particle_mass == scene.snapshot.particle_mass
        assert again.snapshot.name == "made up"
        assert again.halos.mass_definition == "200c"
        record = again.snapshot.record
        assert record["host_mass_column"] == "halo_m200c"
        assert record["mass_column"] == "halo_mvir"
        assert record["hosts_from"] == "halo_upid"
        assert record["overdensity_within_r200c_over_expected"] == pytest.approx(1, abs=1e-3)
        assert again.halos.record["groups"] == np.sum(scene.halos["is_central"])
    assert mockgal.read(path).snapshot.source[0].path == str(path)
    assert mockgal.read(from_cache).snapshot.source[0].path == str(path)
    assert mockgal.read(own).snapshot.source == ()
    assert detect.detect(path) == "halotools"


def test_pack_and_read(tmp_path, scene, cached):
    path = cached()
    for number, thing in enumerate((path, catalogue(scene))):
        packed = tmp_path / f"{number}.hdf5"
        mockgal.pack(thing, packed)
        again = mockgal.read(packed)
        assert again.halos.digest() == scene.halos.digest()
        assert again.snapshot.record["original_format"] == "halotools"
        assert again.snapshot.record["mass_column"] == "halo_mvir"
    with pytest.raises(UsageError):
        mockgal.pack(path, path, overwrite=True)
    assert mockgal.inspect(catalogue(scene))["path"] == "SimpleNamespace"


def test_painting_is_that_of_the_original(tmp_path, demo_bundle):
    original = mockgal.read(demo_bundle)
    shuffled = np.random.default_rng(3).permutation(len(original.halos))
    scene = replace(original, halos=original.halos.take(shuffled))
    # halotools keeps four digits of the redshift
    snapshot = replace(original.snapshot, redshift=round(original.snapshot.redshift, 4))
    path = write_table(
        tmp_path / "t.hdf5", columns(scene), facts(scene, redshift=snapshot.redshift)
    )
    with listening(quiet=True):
        expected = mockgal.paint(replace(original, snapshot=snapshot), "hod", seed=5)
        for thing in (path, catalogue(scene, {"redshift": snapshot.redshift})):
            galaxies = mockgal.paint(mockgal.read(thing), "hod", seed=5)
            assert len(galaxies) > 100
            assert galaxies.digest() == expected.digest()


@pytest.mark.parametrize(
    ("dtype", "how"),
    [
        (">f4", {"chunks": (100,), "compression": "gzip", "fletcher32": True, "shuffle": True}),
        ("<f8", {"chunks": (7,)}),
    ],
)
def test_other_ways_to_store_the_same(scene, cached, dtype, how):
    changes = {
        name: values.astype(dtype)
        for name, values in columns(scene).items()
        if values.dtype.kind == "f"
    }
    upid = columns(scene)["halo_upid"]
    changes["halo_id"] = scene.halos["halo_id"].astype("<f8")
    changes["halo_upid"] = upid.astype("<u8")  # -1 becomes 2^64 - 1
    changes["halo_tag"] = np.full(len(upid), b"text")
    halos = mockgal.read(cached(how=how, **changes), chunk_rows=50).halos
    assert halos.record["positions_at_box_edge"] == 0
    for name in ("halo_id", "host_id", "is_central"):
        np.testing.assert_array_equal(halos[name], scene.halos[name])
    for name in ("position", "velocity", "mass", "vmax", "host_mass"):
        np.testing.assert_array_equal(halos[name], scene.halos[name].astype(dtype).astype("f8"))


def test_only_the_columns_that_are_needed_are_held(tmp_path):
    rows = np.zeros(20_000, [(f"halo_x{k}", "f8") for k in range(300)])
    rows["halo_x7"], rows["halo_x200"] = np.arange(20_000), -1.0
    with h5py.File(tmp_path / "wide.hdf5", "w") as file:
        file["data"] = rows
    table = in_file(tmp_path / "wide.hdf5", (), 1000)
    tracemalloc.start()
    read = table.read(["halo_x200", "halo_x7"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(read["halo_x7"], np.arange(20_000))
    np.testing.assert_array_equal(read["halo_x200"], -1)
    assert peak < 1e6  # of 48e6 bytes, 320e3 are asked for


def test_an_object_is_copied(scene):
    thing = catalogue(scene)
    read = mockgal.read(thing)
    digest = read.halos.digest()
    thing.halo_table["halo_mvir"][:] = 1.0
    thing.halo_table["halo_id"][:] = 1
    assert read.halos.digest() == digest
    structured = catalogue(scene)
    structured.halo_table = structured.halo_table.as_array()
    assert mockgal.read(structured).halos.digest() == digest


def test_halotools_is_not_needed_and_nothing_global_changes():
    code = """
import sys
import numpy as np
import mockgal
from types import SimpleNamespace
before = repr((np.geterr(), np.random.get_state(legacy=False)))
rng, n = np.random.default_rng(1), 50
table = np.zeros(n, [(f"halo_{k}", "f8") for k in "x y z vx vy vz mvir".split()]
                 + [("halo_id", "i8"), ("halo_upid", "i8")])
table["halo_id"], table["halo_upid"] = np.arange(n), -1
table["halo_mvir"] = 1e12
for k in "xyz":
    table[f"halo_{k}"] = 50 * rng.random(n)
mockgal.read(SimpleNamespace(halo_table=table, Lbox=50.0, redshift=0.0, particle_mass=1e9,
                             h=0.7, omega_m=0.3, omega_lambda=0.7))
assert repr((np.geterr(), np.random.get_state(legacy=False))) == before
print("halotools" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", "default::UserWarning", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "False"


def test_neither_a_path_nor_a_catalogue(scene):
    refused(42, "a int", "halo_table", code=2)
    refused(catalogue(scene), "bundle", code=2, format="bundle")
    refused(catalogue(scene), "bound", code=2, stellar_mass_definition="bound")
    refused(catalogue(scene, {"galaxy_table": Table()}), "halo catalogue", code=2)
    assert mockgal.read(catalogue(scene), format="halotools")
    refused(SimpleNamespace(halo_table=[1, 2], Lbox=1.0), "SimpleNamespace.halo_table", "no table")


def test_a_cached_catalogue_whose_file_is_gone(halotools, tmp_path, scene):
    own = halotools.sim_manager.UserSuppliedHaloCatalog(**columns(scene), **facts(scene))
    path = tmp_path / "cached.hdf5"
    own.add_halocat_to_cache(str(path), "gone", "rockstar", "v1", "notes")
    cached = halotools.sim_manager.CachedHaloCatalog(fname=str(path))
    path.unlink()
    refused(cached, "CachedHaloCatalog.halo_table", "no table")


@pytest.mark.parametrize("kind", ["FakeSim", "FakeSimHalosNearBoundaries"])
def test_halotools_own_fakes_are_no_simulations(halotools, kind):
    module = __import__("halotools.sim_manager.fake_sim", fromlist=[kind])
    fake = getattr(module, kind)()
    given = {} if kind == "FakeSim" else {"h": 0.7, "omega_m": 0.27, "omega_lambda": 0.73}
    refused(fake, kind, **given)


# Cosmology


@pytest.mark.fault(24)
def test_no_cosmology(cached, scene):
    nothing = dict.fromkeys(COSMOLOGY)
    path = cached(nothing)
    for thing in (path, catalogue(scene, nothing)):
        refused(thing, "--h VALUE", "--omega-m VALUE", "--omega-lambda VALUE")
        refused(thing, "no omega_m, omega_lambda", h=0.7)
        own = scene.snapshot.cosmology
        again = mockgal.read(thing, h=own.h, omega_m=own.omega_m, omega_lambda=own.omega_lambda)
        assert again.snapshot.cosmology == replace(own, omega_b=None)
        assert again.snapshot.record["given_by_user"] == ["h", "omega_m", "omega_lambda"]


def test_a_cosmology_that_the_user_contradicts(cached):
    refused(cached(), "--omega-m", "0.3089", code=2, omega_m=0.27)
    refused(cached({"omega_m": 30.9}), "table.hdf5:/@omega_m", "30.9")
    refused(cached({"h": "seventy"}), "table.hdf5:/@h", "'seventy'")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"H0": 67.74, "Om0": 0.3089, "Ode0": 0.6911}, Cosmology(0.6774, 0.3089, 0.6911)),
        (
            {"cosmology": astropy.cosmology.FlatLambdaCDM(67.74, 0.3089, Ob0=0.0486)},
            Cosmology(0.6774, 0.3089, 0.6911, 0.0486),
        ),
        (
            {"cosmology": astropy.cosmology.LambdaCDM(67.74, 0.3089, 0.66, Tcmb0=0)},
            Cosmology(0.6774, 0.3089, 0.66),
        ),
    ],
)
def test_how_a_cosmology_may_be_stated(scene, stated, expected):
    nothing = dict.fromkeys(COSMOLOGY)
    thing = catalogue(scene, {**nothing, **stated}, halo_r200c=None)
    found = mockgal.read(thing).snapshot.cosmology.to_dict()
    assert found == pytest.approx(expected.to_dict(), abs=1e-12)


@pytest.mark.parametrize(
    ("stated", "word"),
    [
        (astropy.cosmology.w0wzCDM(67.74, 0.3089, 0.69, w0=-0.9, wz=0.2), "do not describe"),
        ({"h": 0.7}, "a dict"),
    ],
)
def test_other_cosmologies(scene, stated, word):
    refused(catalogue(scene, {"cosmology": stated}), "SimpleNamespace@cosmology", word)


def test_a_cosmology_in_words_is_recorded(cached):
    record = mockgal.read(cached({"cosmology": "Planck, more\nor less"})).snapshot.record
    assert record["cosmology_in_words"] == "Planck, more\\nor less"


# Metadata


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"Lbox": None}, ["@Lbox", "every halo catalogue"]),
        ({"Lbox": [32.0, 32.0, 64.0]}, ["@Lbox", "cubic"]),
        ({"Lbox": -32.0}, ["@Lbox", "-32"]),
        ({"Lbox": np.nan}, ["@Lbox", "nan"]),
        ({"particle_mass": -1.0}, ["@particle_mass", "-1"]),
        ({"particle_mass": 1.0}, ["@particle_mass", "fill the box"]),
        ({"particle_mass": 5e12}, ["@particle_mass", "median halo"]),
    ],
)
def test_bad_metadata(scene, cached, stated, words):
    refused(cached(stated), *words)
    if stated != {"Lbox": None}:  # which makes an object none of halotools
        refused(catalogue(scene, stated), *words)


@pytest.mark.parametrize("value", [b"0.4880", "0.4880", 0.488, [0.488]])
def test_redshift(scene, cached, value):
    path = cached(halo_r200c=None)
    with h5py.File(path, "r+") as file:
        file.attrs["redshift"] = value
    thing = catalogue(scene, {"redshift": value}, halo_r200c=None)
    assert mockgal.read(path).snapshot.redshift == mockgal.read(thing).snapshot.redshift == 0.488


@pytest.mark.parametrize("value", [b"z=0.5", "", [0.1, 0.2], np.inf, -1.0, 0.5 * u.km])
def test_a_redshift_that_is_none(scene, cached, value):
    refused(catalogue(scene, {"redshift": value}), "SimpleNamespace@redshift")
    if not isinstance(value, u.Quantity):
        path = cached()
        with h5py.File(path, "r+") as file:
            file.attrs["redshift"] = value
        refused(path, f"{path}:/@redshift")


def test_the_number_of_particles(scene):
    right = {"num_ptcl_per_dim": 32}
    record = mockgal.read(catalogue(scene, right)).snapshot.record
    assert record["mean_density_over_omega_m"] == pytest.approx(1, abs=1e-6)
    refused(catalogue(scene, {"num_ptcl_per_dim": 33}), "33^3 particles", "1.09671 times")


def test_names_cannot_forge_lines(cached):
    snapshot = mockgal.read(cached({"simname": b"a\nb", "halo_finder": b"c\x1b[31m"})).snapshot
    assert snapshot.name == "a\\nb"
    assert snapshot.record["halo_finder"] == "c\\x1b[31m"
    path = cached({"simname": b""})
    assert mockgal.read(path).snapshot.name == "table"


# Masses


def test_mass_definitions(scene, cached):
    m = columns(scene)["halo_m200c"]
    path = cached(halo_m200b=1.3 * m, halo_m500c=0.7 * m, halo_m200c=None, halo_r200c=None)
    assert mockgal.read(path).halos.mass_definition == "vir"  # before 200m and 500c
    for definition, column, factor in (("200m", "halo_m200b", 1.3), ("500c", "halo_m500c", 0.7)):
        again = mockgal.read(path, mass_definition=definition)
        assert again.halos.mass_definition == definition
        assert again.snapshot.record["host_mass_column"] == column
        assert again.snapshot.record["mass_definition_chosen_by"] == "user"
        np.testing.assert_array_equal(again.halos["host_mass"], factor * scene.halos["host_mass"])
        np.testing.assert_array_equal(again.halos["mass"], scene.halos["mass"])
    refused(path, "--mass-definition", "'200c'", "vir (halo_mvir)", code=2, mass_definition="200c")
    whole = m / 0.8  # the mass that is all there is consists of particles
    only = cached(halo_m200m=whole, halo_m200c=None, halo_r200c=None, halo_mvir=None)
    again = mockgal.read(only)
    assert again.halos.mass_definition == "200m"
    assert again.snapshot.record["mass_column"] == "halo_m200m"
    none = cached(halo_mass=m, halo_m200c=None, halo_r200c=None, halo_mvir=None)
    refused(none, "no host mass of a known definition", "halo_mass", "halo_m200c")


def test_a_bound_mass_of_its_own_is_taken(scene, cached):
    path = cached(halo_mbound_vir=scene.halos["mass"], halo_mvir=1.5 * scene.halos["mass"])
    again = mockgal.read(path)
    assert again.halos.digest() == scene.halos.digest()
    assert again.snapshot.record["mass_column"] == "halo_mbound_vir"


@pytest.mark.parametrize(
    ("omega_m", "omega_lambda", "redshift", "expected"),
    [  # Delta_c of Bryan & Norman 1998, eq. 6, flat, with Omega(z) worked out by hand
        (0.3, 0.7, 0.0, 101.142),
        (1.0, 0.0, 0.0, 177.653),
        (0.3, 0.7, 1.0, 157.148),
        (0.3, 0.0, 0.0, 101.142),  # as finders have it, curved or not
    ],
)
def test_virial_overdensity(omega_m, omega_lambda, redshift, expected):
    cosmology = Cosmology(0.7, omega_m, omega_lambda)
    found = physics.overdensity("vir", cosmology, redshift)
    assert found == pytest.approx(expected, abs=1e-3)


def test_virial_overdensity_is_that_of_halotools(halotools):
    flat = astropy.cosmology.FlatLambdaCDM(70, 0.3, Tcmb0=0)
    for redshift in (0.0, 0.7, 3.0):
        theirs = halotools.empirical_models.delta_vir(flat, redshift)
        ours = physics.overdensity("vir", Cosmology(0.7, 0.3, 0.7), redshift)
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_overdensities_of_other_definitions():
    cosmology = Cosmology(0.7, 0.3, 0.7)
    assert physics.overdensity("500c", cosmology, 1.0) == pytest.approx(500, rel=1e-14)
    assert physics.overdensity("200m", cosmology, 0.0) == pytest.approx(60)
    assert physics.overdensity("200m", cosmology, 1.0) == pytest.approx(200 * 2.4 / 3.1)


def virial_radius(scene, mass, overdensity):
    return (mass / (overdensity * 2.77536627e11 * 4 / 3 * np.pi)) ** (1 / 3)


@pytest.mark.fault(31)
def test_radii_that_do_not_fit_the_masses(scene, cached):
    mvir = scene.halos["mass"]
    right = virial_radius(scene, mvir, 102.355)  # Omega_m = 0.3089, z = 0
    record = mockgal.read(cached(halo_rvir=right)).snapshot.record
    assert record["overdensity_within_rvir_over_expected"] == pytest.approx(1, abs=1e-4)
    refused(cached(halo_rvir=1000 * right), "data[halo_rvir]", "1000^-3", "kpc/h")
    refused(cached(halo_rvir=right / 1.6), "data[halo_rvir]", "critical one within Rvir")
    r200c = virial_radius(scene, mvir, 200)  # masses within 200 times critical, named virial
    refused(cached(halo_rvir=r200c), "data[halo_rvir]", "200", "state their definition")
    satellites = ~scene.halos["is_central"]
    odd = np.where(satellites, 0.1 * right, right)  # truncated ones mean nothing
    assert mockgal.read(cached(halo_rvir=odd)).halos.digest() == scene.halos.digest()


@pytest.mark.fault(32)
def test_masses_in_other_units(scene, cached):
    small = {f"halo_{name}": columns(scene)[f"halo_{name}"] / 1e10 for name in ("m200c", "mvir")}
    refused(cached(**small, halo_r200c=None), "@particle_mass", "median halo", "1e10")
    large = {name: values * 1e20 for name, values in small.items()}
    refused(cached(**large, halo_r200c=None), "of the box's matter")


# Hosts


def test_parents_nest(scene, cached):
    """A satellite moved into another satellite, by its pid."""
    upid = columns(scene)["halo_upid"]
    host = scene.halos["host_id"]
    satellites = np.flatnonzero(upid >= 0)
    pid = upid.copy()
    moved = 0
    for row in satellites:
        others = satellites[(host[satellites] == host[row]) & (satellites < row)]
        if others.size:
            pid[row] = scene.halos["halo_id"][others[-1]]
            moved += 1
    assert moved > 5
    again = mockgal.read(cached(halo_upid=None, halo_pid=pid))
    assert again.halos.digest() == scene.halos.digest()
    assert again.halos.record["nested_satellites"] == moved
    assert again.snapshot.record["hosts_from"] == "halo_pid"
    again = mockgal.read(cached(halo_upid=None))
    assert again.halos.digest() == scene.halos.digest()
    assert again.snapshot.record["hosts_from"] == "halo_hostid"


def test_long_chains_of_parents():
    n = 1000
    ids = np.random.default_rng(1).permutation(n).astype(np.int64)
    order = np.argsort(ids)
    above = np.empty(n, np.int64)
    above[order] = np.maximum(np.arange(n) - 1, 0)  # each in the one before, to id 0
    host, row, nested = top_hosts(ids, above, ids == 0, str)
    assert (host == 0).all()
    assert (ids[row] == 0).all()
    assert nested == n - 2


@pytest.mark.fault(43)
@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_parents_in_a_circle(scene, cached, length):
    upid, ids = columns(scene)["halo_upid"], scene.halos["halo_id"]
    rows = np.flatnonzero(upid >= 0)[:length]
    upid[rows] = np.roll(ids[rows], 1)
    error = refused(cached(halo_upid=upid), f"{length} satellites", "cycle")
    assert f"data[halo_upid], row {rows[0]}" in str(error)


@pytest.mark.fault(42)
def test_orphans(scene, cached):
    central = np.flatnonzero(scene.halos["is_central"])
    sats = [np.sum(scene.halos["host_id"] == scene.halos["halo_id"][row]) - 1 for row in central]
    row = central[int(np.argmax(sats))]
    keep = np.delete(np.arange(len(scene.halos)), row)
    rows = {name: values[keep] for name, values in columns(scene).items()}
    path = cached(**rows)
    lost = max(sats)
    refused(path, "data[halo_upid]", f"found {lost} of", "satellites without a central")
    dropped = mockgal.read(path, orphans="drop").halos
    assert (len(dropped), dropped.record["orphans_dropped"]) == (len(keep) - lost, lost)
    made = mockgal.read(path, orphans="central").halos
    assert (len(made), made.record["orphans_made_central"]) == (len(keep), lost)


def test_a_satellite_in_an_orphan_is_an_orphan(scene, cached):
    pid, ids = columns(scene)["halo_upid"], scene.halos["halo_id"]
    first, second = np.flatnonzero(pid >= 0)[:2]
    pid[first], pid[second] = 10**9, ids[first]
    path = cached(halo_upid=None, halo_hostid=None, halo_pid=pid)
    refused(path, "found 2 of", "satellites without a central")
    made = mockgal.read(path, orphans="central").halos
    assert made.record["orphans_made_central"] == 2
    np.testing.assert_array_equal(made["host_id"][[first, second]], ids[[first, second]])


def test_host_ids_that_contradict_each_other(scene, cached):
    hostid = scene.halos["host_id"].copy()
    row = int(np.flatnonzero(~scene.halos["is_central"])[3])
    hostid[row] = hostid[row - 5] + 1
    refused(cached(halo_hostid=hostid), f"data[halo_hostid], row {row}", "1 hosts other")
    upid = columns(scene)["halo_upid"]
    upid[7] = -2
    refused(cached(halo_upid=upid, halo_hostid=None), "data[halo_upid], row 7", "-2")


def test_phantoms_are_left_out(scene, cached):
    """Those of consistent-trees: halos that were made up where the finder lost them."""
    upid, n = columns(scene)["halo_upid"], len(scene.halos)
    rows = [*np.flatnonzero(upid >= 0)[[1, 4]], n - 1]
    phantom = np.isin(np.arange(n), rows).astype("i4")
    assert upid[n - 1] == -1
    halos = mockgal.read(cached(halo_phantom=phantom)).halos
    assert halos.record["phantoms_dropped"] == 3
    assert halos.record["groups"] == np.sum(upid == -1) - 1
    assert halos.digest() == scene.halos.take(np.flatnonzero(phantom == 0)).digest()
    host = int(np.flatnonzero(upid == -1)[0])  # with satellites, which are orphans then
    path = cached(halo_phantom=(np.arange(n) == host).astype("i4"))
    refused(path, f"data[halo_upid], row {np.flatnonzero(upid >= 0)[0]}", "without a central")


def test_without_parents_every_row_is_a_host(scene, cached):
    path = cached(halo_upid=None, halo_hostid=None)
    with pytest.warns(MockgalWarning, match="taken for a host"):
        again = mockgal.read(path)
    assert again.halos["is_central"].all()
    assert "every row is a host" in again.snapshot.record["hosts_from"]
    np.testing.assert_array_equal(again.halos["host_mass"], columns(scene)["halo_m200c"])


# Rows


def changed(values, row, value):
    values = values.copy()
    values[row] = value
    return values


@pytest.mark.fault(35)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e12])
def test_bad_masses(scene, cached, value):
    row = int(np.flatnonzero(~scene.halos["is_central"])[2])
    mvir = changed(scene.halos["mass"], row, value)
    refused(cached(halo_mvir=mvir), f"data[halo_mvir], row {row}", "--drop-bad")
    refused(catalogue(scene, halo_mvir=mvir), f"halo_table[halo_mvir], row {row}")
    halos = mockgal.read(cached(halo_mvir=mvir), drop_bad=True).halos
    assert (len(halos), halos.record["dropped_bad"]) == (len(scene.halos) - 1, 1)


@pytest.mark.fault(41)
def test_ids_twice(scene, cached):
    ids = changed(scene.halos["halo_id"], 30, scene.halos["halo_id"][20])
    refused(cached(halo_id=ids), "data[halo_id], row 30", "1 repeated ids")
    refused(cached(halo_id=changed(ids, 30, -5)), "data[halo_id], row 30", "negative")
    whole = scene.halos["halo_id"].astype("f8")
    refused(cached(halo_id=changed(whole, 30, 7.5)), "data[halo_id], row 30", "7.5")
    refused(cached(halo_id=changed(whole, 30, np.nan)), "data[halo_id], row 30")
    huge = changed(scene.halos["halo_id"].astype("u8"), 30, 1 << 63)
    refused(cached(halo_id=huge), "data[halo_id], row 30", "9223372036854775808")


@pytest.mark.fault(42)
@pytest.mark.parametrize("name", ["halo_upid", "halo_pid", "halo_hostid"])
def test_parents_that_a_float_rounds(scene, cached, name):
    """Ids without gaps, as after a sort: a rounded parent is the id of another halo."""
    halos = scene.halos
    ids = 20_000_001 + np.random.default_rng(4).permutation(len(halos))
    host = ids[halos.host_row]
    central = halos["is_central"]
    stated = host if name == "halo_hostid" else np.where(central, -1, host)
    others = dict.fromkeys(("halo_upid", "halo_pid", "halo_hostid"))
    good = mockgal.read(cached(halo_id=ids, **{**others, name: stated})).halos
    np.testing.assert_array_equal(good["host_id"], host)
    rounded = stated.astype("f4")
    assert np.isin(rounded[~central].astype("i8"), ids).all()
    for thing in (cached, partial(catalogue, scene)):
        table = thing(halo_id=ids, **{**others, name: rounded})
        refused(table, f"[{name}], row", "2^24", "float32")
    # what a user may try next
    table = cached(halo_id=ids, **{**others, name: rounded.astype("i8")})
    refused(table, f"data[{name}], row", *["rounded as float32"] * (name != "halo_hostid"))
    table = cached(halo_id=ids.astype("f4"), **{**others, name: stated})
    refused(table, "data[halo_id], row 0", "2^24")


def test_positions(scene, cached):
    x = scene.halos["position"][:, 0]
    refused(cached(halo_x=changed(x, 9, np.nan)), "row 9", "NaN")
    refused(cached(halo_x=x * 1000), "outside the box")
    halos = mockgal.read(cached(halo_x=changed(x, 9, 32.0))).halos
    assert halos["position"][9, 0] == 0
    assert halos.record["positions_at_box_edge"] == 1
    centred = {f"halo_{k}": scene.halos["position"][:, i] - 16 for i, k in enumerate("xyz")}
    refused(cached(**centred), "--centred-origin")


@pytest.mark.parametrize("name", ["halo_id", "halo_y", "halo_vz"])
def test_columns_that_are_missing(scene, cached, name):
    words = [f"no {name}", "halo_spin"]
    path = cached(**{name: None})
    refused(path, f"{path}:/data", *words)
    thing = catalogue(scene)
    thing.halo_table.remove_column(name)
    error = refused(thing, *words, "UserSuppliedHaloCatalog")
    assert ("columns of zeros" in error.fix) == (name == "halo_vz")


def test_without_vmax(tmp_path, demo_bundle):
    """Galaxies then have no vmax, and are otherwise the same."""
    scene = mockgal.read(demo_bundle)
    whole, without = catalogue(scene), catalogue(scene, halo_vmax=None)
    with listening(quiet=True):
        galaxies = [mockgal.paint(mockgal.read(thing), seed=2) for thing in (whole, without)]
        painter_contract(HODPainter(), mockgal.read(without))
    assert "vmax" in galaxies[0]
    assert "vmax" not in galaxies[1]
    for name in galaxies[1].columns:
        np.testing.assert_array_equal(galaxies[0][name], galaxies[1][name])
    assert galaxies[0].digest() != galaxies[1].digest()
    with pytest.raises(CutError, match="no vmax") as caught:
        mockgal.select(galaxies[1], "vmax > 100 km/s")
    assert "vmax," not in caught.value.expected
    for name in ("mock.fits", "mock.hdf5"):
        mockgal.write(galaxies[1], tmp_path / name)
    assert "vmax" not in QTable.read(tmp_path / "mock.fits", hdu="GALAXIES").colnames
    assert "vmax" not in mockgal.to_table(galaxies[1]).colnames
    mockgal.pack(without, tmp_path / "b.hdf5")
    again = mockgal.read(tmp_path / "b.hdf5")
    assert "vmax" not in again.halos
    with listening(quiet=True):
        assert mockgal.paint(again, seed=2).digest() == galaxies[1].digest()


# What halotools makes of columns that are no plain arrays


@pytest.mark.parametrize(
    ("name", "spoil", "word"),
    [
        ("halo_mvir", lambda values: values * u.Msun, "Quantity of shape (462,)"),
        ("halo_upid", lambda values: MaskedColumn(values), "MaskedColumn of shape (462,)"),
        ("halo_upid", lambda values: values[:-1], "ndarray of shape (461,)"),
        ("halo_vmax", lambda values: values.tolist(), "list"),
    ],
)
def test_columns_that_became_attributes(halotools, scene, name, spoil, word):
    table = columns(scene)
    table[name] = spoil(table[name])
    own = halotools.sim_manager.UserSuppliedHaloCatalog(**table, **facts(scene))
    assert name not in own.halo_table.colnames
    refused(own, f"UserSuppliedHaloCatalog.{name}", word, "plain NumPy array")


def test_columns_of_a_table_that_was_changed(scene):
    thing = catalogue(scene)
    thing.halo_table["halo_mvir"] = MaskedColumn(scene.halos["mass"], mask=np.arange(462) == 5)
    refused(thing, "halo_table[halo_mvir], row 5", "1 masked values")
    thing = catalogue(scene)
    thing.halo_table["halo_mvir"] = MaskedColumn(scene.halos["mass"])
    assert mockgal.read(thing).halos.digest() == scene.halos.digest()
    thing.halo_table["halo_x"].unit = u.kpc
    refused(thing, "halo_table[halo_x]", "unit kpc", "Mpc/h")
    thing.halo_table["halo_x"].unit = "Mpc/h"
    thing.halo_table["halo_vx"].unit = "km/s"
    assert mockgal.read(thing).halos.digest() == scene.halos.digest()
    thing = catalogue(scene)
    thing.halo_table["halo_vmax"] = np.ones((462, 2))
    refused(thing, "halo_table[halo_vmax]", "(462, 2)")
    thing.halo_table["halo_vmax"] = np.full(462, "fast")
    refused(thing, "halo_table[halo_vmax]", "<U4")
    thing.halo_table["halo_vmax"] = np.full(462, None)
    refused(thing, "halo_table[halo_vmax]", "object")


# Files from strangers


@pytest.mark.fault(64)
def test_a_table_in_another_file(tmp_path, cached):
    path = cached()
    path.rename(tmp_path / "other.hdf5")
    with h5py.File(path, "w") as file:
        file["data"] = h5py.ExternalLink("other.hdf5", "/data")
        file.attrs["halo_finder"] = b"x"
    refused(path, f"{path}:/data", "a link out of the file", code=4)


@pytest.mark.fault(67)
def test_more_rows_than_bytes(tmp_path):
    path = tmp_path / "bomb.hdf5"
    with h5py.File(path, "w") as file:
        kind = [("halo_id", "i8"), ("halo_x", "f8")]
        file.create_dataset("data", (3 << 50,), kind, chunks=(64,))
        file.attrs["halo_finder"] = b"x"
    assert path.stat().st_size < 10_000
    refused(path, f"{path}:/data", "bytes are stored", code=4)


@pytest.mark.parametrize("kind", [h5py.string_dtype(), h5py.vlen_dtype("f8"), h5py.ref_dtype])
def test_columns_of_variable_length(tmp_path, kind):
    path = tmp_path / "objects.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (3,), [("halo_id", "i8"), ("halo_note", kind)])
        file.attrs["halo_finder"] = b"x"
    refused(path, f"{path}:/data", "rows of named numbers")


def test_tables_of_another_shape(tmp_path, cached):
    with h5py.File(cached(), "r+") as file:
        rows = file["data"][...]
        del file["data"]
        file["data"] = rows.reshape(2, -1)
    refused(tmp_path / "table.hdf5", "(2, 231)")
    wide = {"halo_axes": np.ones((462, 3)), "halo_tag": np.full(462, b"x")}
    assert len(mockgal.read(cached(**wide)).halos) == 462
    refused(cached(halo_vmax=np.ones((462, 3))), "data[halo_vmax]", "(3,)")
    text = cached(halo_vmax=np.full(462, b"fast"))
    refused(text, f"{text}:/data[halo_vmax]", "S4")
    with h5py.File(cached(), "r+") as file:
        del file["data"]
        file["data"] = np.arange(3.0)
    refused(tmp_path / "table.hdf5", "rows of named numbers")


def test_detection(tmp_path, cached, demo_bundle):
    reader = HalotoolsReader()
    assert reader.detect(cached())
    assert not reader.detect(demo_bundle)
    assert not reader.detect(tmp_path)
    (tmp_path / "text.hdf5").write_text("no table")
    assert not reader.detect(tmp_path / "text.hdf5")
    with h5py.File(cached(), "r+") as file:
        del file.attrs["halo_finder"]
    assert not reader.detect(tmp_path / "table.hdf5")
    # and then it can be named
    assert mockgal.read(tmp_path / "table.hdf5", format="halotools").halos


def test_empty(cached, scene):
    nothing = {name: values[:0] for name, values in columns(scene).items()}
    halos = mockgal.read(cached(**nothing)).halos
    assert len(halos) == 0


@pytest.mark.parametrize("seed", range(8))
def test_damage_gives_our_errors_only(cached, seed):
    path = cached(how={"chunks": (50,), "compression": "gzip"})
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    if seed % 2:
        content = content[: rng.integers(1, len(content))]
    content[rng.integers(0, len(content), 40)] = rng.integers(0, 256, 40)
    path.write_bytes(content)
    with suppress(MockgalError):
        mockgal.read(path, format="halotools")


@pytest.mark.real_data
@pytest.mark.skipif(not HLIST.is_file(), reason="the shared data are not here")
def test_real_halos_that_halotools_cached_itself(halotools, tmp_path):
    """Bolshoi-Planck at z = 11.8, by halotools' own reader of hlist files, against the text."""
    where = {"id": 1, "upid": 6, "phantom": 8, "mvir": 10, "rvir": 11, "vmax": 16}
    where |= {name: 17 + i for i, name in enumerate(["x", "y", "z", "vx", "vy", "vz"])}
    whole = ("id", "upid", "phantom")
    kinds = {f"halo_{n}": (k, "i8" if n in whole else "f8") for n, k in where.items()}
    path = str(tmp_path / "cached.hdf5")
    reader = halotools.sim_manager.RockstarHlistReader(
        str(HLIST),
        kinds,
        path,
        simname="bolplanck",
        halo_finder="rockstar",
        version_name="v1",
        redshift=1 / 0.07812 - 1,
        Lbox=250.0,
        particle_mass=1.55e8,
    )
    reader.read_halocat(["halo_rvir"], write_to_disk=True, update_cache_log=False)
    told = {"h": 0.68, "omega_m": 0.307115, "omega_lambda": 0.692885}
    read = mockgal.read(path, orphans="central", allow_empty_regions=True, **told)
    record = read.snapshot.record
    assert record["overdensity_within_rvir_over_expected"] == pytest.approx(1, abs=1e-3)
    text = np.loadtxt(HLIST, usecols=list(where.values()))
    raw = dict(zip(where, text[text[:, 2] == 0].T, strict=True))
    halos = read.halos
    assert halos.record["phantoms_dropped"] == np.sum(text[:, 2] != 0) == 34
    np.testing.assert_array_equal(halos["halo_id"], raw["id"])
    for name in ("mvir", "vmax"):
        np.testing.assert_array_equal(halos[{"mvir": "mass"}.get(name, name)], raw[name])
    for i, x in enumerate("xyz"):
        np.testing.assert_array_equal(halos["position"][:, i], raw[x])
        np.testing.assert_array_equal(halos["velocity"][:, i], raw[f"v{x}"])
    there = np.isin(raw["upid"], raw["id"])  # the host of one is a phantom
    assert halos.record["orphans_made_central"] == np.sum((raw["upid"] >= 0) & ~there) == 1
    np.testing.assert_array_equal(halos["host_id"], np.where(there, raw["upid"], raw["id"]))


def test_command(mockgal_command, cached):
    path = cached(dict.fromkeys(COSMOLOGY))
    result = mockgal_command("inspect", path, "--json")
    assert result.returncode == 3
    assert "--omega-lambda" in result.stderr
    given = ["--h", 0.6774, "--omega-m", 0.3089, "--omega-lambda", 0.6911]
    result = mockgal_command("inspect", path, "--json", *given)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["format"] == "halotools"


def test_memory_while_a_table_is_checked(tmp_path, demo_bundle, monkeypatch):
    """Checks take more than the columns: twice these are not enough."""
    scene = mockgal.read(demo_bundle)
    path = write_table(tmp_path / "t.hdf5", columns(scene), facts(scene))
    table = in_file(path, [], 1000)
    held = sum(column.nbytes for column in table.read(table.columns).values())
    monkeypatch.setattr(memory, "CHECKED_FROM", 0)
    monkeypatch.setattr(memory, "available", lambda: 2 * held)
    with pytest.raises(MockgalError, match="hold in memory") as caught:
        table.read(table.columns)
    assert caught.value.exit_code == 6
    monkeypatch.setattr(memory, "available", lambda: 5 * held)
    table.read(table.columns)

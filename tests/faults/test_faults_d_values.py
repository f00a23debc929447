"""Faults 34-46: rows that cannot be true, in Gadget-4 catalogues and in bundles."""

import h5py
import numpy as np
import pytest
from read_faults import catalogue, edit, header, put, refused, snapshot

from mockgal.errors import MockgalError
from mockgal.protocols import ReadOptions
from mockgal.read.density import read_density
from mockgal.read.detect import read
from mockgal.write.bundle import write_bundle

POSITION, MASS = "Subhalo/SubhaloPos", "Subhalo/SubhaloMass"


@pytest.fixture
def bundle(run, tmp_path):
    """A bundle of the run; edited as any HDF5 file."""
    path = tmp_path / "bundle.hdf5"
    write_bundle(read(run), path)
    return path


def change(path, name, function):
    with h5py.File(path, "r+") as file:
        file[name][...] = function(file[name][...])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_fault_34_position_not_finite(run, value):
    file = catalogue(run)[1]
    edit(file, POSITION, put(slice(7, 10), value))
    refused(run, f"{file}:/{POSITION}, row 7", "3 positions")
    refused(run, "3 positions", options=ReadOptions(drop_bad=True))


def test_fault_34_in_a_bundle(bundle):
    change(bundle, "halos/position", put(7, np.nan))
    refused(bundle, f"{bundle}:/halos/position, row 7", "1 positions")


def test_fault_34_particle(run, bundle):
    change(bundle, "particles/position", put(6000, np.nan))
    refused(bundle, f"{bundle}:/particles/position, row 6000", stream=True)
    edit(snapshot(run)[1], "PartType1/Coordinates", put(6000, np.nan))
    refused(run, f"{snapshot(run)[1]}:/PartType1/Coordinates, row 6000", stream=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", [MASS, "Subhalo/SubhaloVmax"])
def test_fault_35_bad_mass(run, name, value):
    whole = read(run)
    file = catalogue(run)[1]
    with h5py.File(file) as opened:
        satellite = (
            int(np.flatnonzero(opened["Subhalo/SubhaloRankInGr"][:] > 0)[0])
            if (opened["Subhalo/SubhaloRankInGr"][:] > 0).any()
            else None
        )
    edit(file, name, put(230 if satellite is None else satellite, value))
    row = 230 if satellite is None else satellite
    refused(run, f"{file}:/{name}, row {row}", "1 values")
    scene = read(run, ReadOptions(drop_bad=True, orphans="drop"))
    assert scene.halos.record["dropped_bad"] == 1
    assert len(scene.halos) == len(whole.halos) - 1


def test_fault_35_bad_host_mass(run):
    file = catalogue(run)[0]
    edit(file, "Group/Group_M_Crit200", put(0, np.nan))
    whole = read(run, ReadOptions(mass_definition="200m"))
    members = int((whole.halos["host_id"] == 0).sum())
    assert members > 1
    refused(run, f"{file}:/Group/Group_M_Crit200, row 0", f"{members} values")
    assert read(run, ReadOptions(drop_bad=True)).halos.record["dropped_bad"] == members


@pytest.mark.parametrize(
    ("orphans", "code"), [("refuse", 3), ("drop", 0), ("central", 0), ("keep", 2)]
)
def test_fault_35_and_42_dropped_central_leaves_orphans(run, orphans, code):
    whole = read(run).halos
    satellites = int((whole["host_id"] == 0).sum()) - 1
    edit(catalogue(run)[0], MASS, put(0, np.nan))
    options = ReadOptions(drop_bad=True, orphans=orphans)
    if code:
        refused(run, "orphans", code=code, options=options)
        return
    halos = read(run, options).halos
    name = {"drop": "orphans_dropped", "central": "orphans_made_central"}[orphans]
    assert halos.record[name] == satellites > 0
    assert len(halos) == len(whole) - 1 - (satellites if orphans == "drop" else 0)
    if orphans == "central":
        made = np.isin(halos["halo_id"], np.arange(1, 1 + satellites))
        assert halos["is_central"][made].all()
        np.testing.assert_array_equal(halos["host_mass"][made], halos["mass"][made])


def test_fault_36_zero_host_mass_is_counted(run):
    edit(catalogue(run)[0], "Group/Group_M_Crit200", put(slice(0, 3), 0.0))
    assert read(run).halos.record["centrals_with_zero_host_mass"] == 3


def test_fault_36_drop_bad_is_a_way_out(run):
    """The satellites of a central without host mass go with it: no other option is needed."""
    whole = read(run).halos
    members = [int((whole["host_id"] == host).sum()) for host in np.unique(whole["host_id"])[:3]]
    edit(catalogue(run)[0], "Group/Group_M_Crit200", put(slice(0, 3), 0.0))
    halos = read(run, ReadOptions(drop_bad=True)).halos
    assert halos.record["dropped_bad"] == 3
    assert halos.record["dropped_with_their_host"] == sum(members) - 3 > 3
    assert len(halos) == len(whole) - sum(members)
    assert halos.record["centrals_with_zero_host_mass"] == halos.record["orphans_dropped"] == 0


def test_fault_35_host_mass_of_a_central_only(bundle):
    """As other formats have it: satellites keep theirs, and are dropped with their central."""
    whole = read(bundle).halos
    members = int((whole["host_id"] == 0).sum())
    change(bundle, "halos/host_mass", put(0, np.nan))
    refused(bundle, f"{bundle}:/halos/host_mass, row 0", "--drop-bad")
    halos = read(bundle, ReadOptions(drop_bad=True)).halos
    assert halos.record["dropped_bad"] == 1
    assert halos.record["dropped_with_their_host"] == members - 1 > 0


@pytest.mark.parametrize(
    ("dtype", "value", "x", "edge"),
    [
        ("f4", -1e-7, 0.0, 1),
        ("f4", 32000.0, 0.0, 1),
        ("f4", 32001.0, 1e-3, 0),
        ("f4", -1.0, 31.999, 0),
        ("f8", -1e-7, 32 - 1e-10, 0),
        ("f8", -1e-300, 0.0, 1),
        ("f8", 32000.0, 0.0, 1),
    ],
)
def test_faults_37_and_38_edge_of_the_box(make_run, dtype, value, x, edge):
    run = make_run(dtype=dtype)
    before = read(run).halos.record["positions_wrapped"]
    edit(catalogue(run)[0], POSITION, put((4, 1), value))
    halos = read(run).halos
    assert halos["position"][4, 1] == pytest.approx(x, abs=1e-12, rel=1e-12)
    assert halos["position"].max() < 32.0
    assert halos.record["positions_wrapped"] == before + 1
    assert halos.record["positions_at_box_edge"] == edge


@pytest.mark.parametrize(
    ("dtype", "value", "counts"),
    [
        ("f4", 32000.0, (1, 1)),
        ("f4", -1e-7, (1, 1)),
        ("f4", -1.0, (1, 0)),
        ("f8", 32000.0, (1, 1)),
        ("f8", np.nextafter(32000.0, 0), (0, 0)),
    ],
)
def test_faults_37_and_38_in_particles(make_run, tmp_path, dtype, value, counts):
    run = make_run(dtype=dtype)

    def moved(path):
        found = [(c.wrapped, c.at_edge) for c in read(path).particles.chunks(999)]
        return tuple(np.sum(found, axis=0))

    before = moved(run)
    edit(snapshot(run)[0], "PartType1/Coordinates", put((0, 2), value))
    assert tuple(np.subtract(moved(run), before)) == counts
    write_bundle(read(run), tmp_path / "b.hdf5")
    assert moved(tmp_path / "b.hdf5") == (0, 0)
    change(tmp_path / "b.hdf5", "particles/position", put((0, 2), 32.0))
    assert moved(tmp_path / "b.hdf5") == (1, 1)
    for chunk in read(tmp_path / "b.hdf5").particles.chunks(999):
        assert chunk.position.max() < 32


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_fault_35_in_particles(make_run, tmp_path, value):
    run = make_run(hydro=True)
    write_bundle(read(run), tmp_path / "b.hdf5")
    edit(snapshot(run)[1], "PartType0/Masses", put(5000, value))
    refused(run, f"{snapshot(run)[1]}:/PartType0/Masses, row 5000", "1 masses", stream=True)
    change(tmp_path / "b.hdf5", "particles/mass", put(6000, value))
    path = tmp_path / "b.hdf5"
    refused(path, f"{path}:/particles/mass, row 6000", "1 masses", stream=True)


def test_fault_39_centred_origin(run):
    digest = read(run).halos
    for file in catalogue(run) + snapshot(run):
        name = POSITION if "fof" in file.name else "PartType1/Coordinates"
        edit(file, name, lambda x: np.where(x >= 16000, x - np.float32(32000), x))
    refused(run, POSITION, "--centred-origin")
    halos = read(run, ReadOptions(centred_origin=True)).halos
    np.testing.assert_allclose(halos["position"], digest["position"], atol=2e-6)
    assert halos.record["positions_wrapped"] > 0
    scene = read(run, ReadOptions(centred_origin=True))
    assert all(c.position.min() >= 0 for c in scene.particles.chunks(9999))


@pytest.mark.parametrize("value", [32400.0, -400.0, 1e30])
def test_fault_40_beyond_the_box(run, value):
    edit(catalogue(run)[0], POSITION, put((4, 1), value))
    refused(run, f"{catalogue(run)[0]}:/{POSITION}, row 4", "outside the box")


def test_fault_41_duplicate_ids(bundle):
    change(bundle, "halos/halo_id", put(9, 8))
    refused(bundle, f"{bundle}:/halos/halo_id, row 9", "1 repeated ids", "8")


def _orphan_of_an_empty_group(run):
    """A group that says it is empty, but that a subhalo belongs to."""
    for file in catalogue(run):
        with h5py.File(file, "r+") as opened:
            group = opened["Subhalo/SubhaloGroupNr"][:]
            for row in np.flatnonzero(group == 100):
                opened["Subhalo/SubhaloGroupNr"][row] = 100
    edit(catalogue(run)[0], "Group/GroupFirstSub", put(100, -1))
    edit(catalogue(run)[0], "Group/GroupNsubs", put(100, 0))


@pytest.mark.parametrize(("orphans", "code"), [("refuse", 3), ("drop", 0), ("central", 0)])
def test_fault_42_orphans(run, orphans, code):
    whole = read(run).halos
    _orphan_of_an_empty_group(run)
    if code:
        refused(run, "SubhaloGroupNr, row", "1 satellites without a central", "--orphans drop")
        return
    halos = read(run, ReadOptions(orphans=orphans)).halos
    made = {"drop": -1, "central": 0}[orphans]
    assert len(halos) == len(whole) + made
    assert halos.record["centrals"] == whole.record["centrals"] + made


def test_fault_42_in_a_bundle(bundle):
    change(bundle, "halos/host_id", put(-1, 10**6))
    change(bundle, "halos/is_central", put(-1, False))
    refused(bundle, f"{bundle}:/halos/host_id", "--orphans")
    assert read(bundle, ReadOptions(orphans="drop")).halos.record["orphans_dropped"] == 1


@pytest.mark.parametrize("region", ["octant", "slab along y"])
def test_fault_45_empty_region(bundle, region):
    with h5py.File(bundle) as file:
        x = file["halos/position"][:]
    gone = (x < 16).all(axis=1) if region == "octant" else (x[:, 1] // 4 == 3)
    change(bundle, "halos/position", lambda x: np.where(gone[:, None], [20.0, 18.0, 18.0], x))
    refused(
        bundle, f"{bundle}:/halos/position", region, "missing subvolume?", "--allow-empty-regions"
    )
    assert len(read(bundle, ReadOptions(allow_empty_regions=True)).halos) == len(x)


def test_fault_45_few_halos_mean_nothing(make_run):
    run = make_run(groups=20)
    edit(catalogue(run)[0], POSITION, lambda x: x * 0 + 5)
    edit(catalogue(run)[1], POSITION, lambda x: x * 0 + 5)
    assert len(read(run).halos) > 10


def _grid(path, values, **attributes):
    with h5py.File(path, "w") as file:
        file["density"] = values
        for name, value in {
            "boxsize": 32.0,
            "unit": "",
            "kind": "delta",
            "mas": "CIC",
            "redshift": 0.0,
            "origin": "corner",
            **attributes,
        }.items():
            if value is not None:
                file["density"].attrs[name] = value
    return path


def _delta(n=8):
    delta = np.random.default_rng(0).uniform(-1, 1, (n, n, n))
    return delta - delta.mean() * (delta > 0) / (delta > 0).mean()


def test_density_grid_is_read(tmp_path, run):
    delta = _delta()
    field = read_density(_grid(tmp_path / "d.hdf5", delta), read(run).snapshot)
    assert (field.grid_size, field.voxel_size, field.kind) == (8, 4.0, "delta")
    np.testing.assert_array_equal(field.read_slab(2, 5), delta[2:5])
    mean = read(run).snapshot.cosmology.mean_matter_density * 4.0**3
    read_density(
        _grid(tmp_path / "m.hdf5", (1 + delta) * mean, kind="mass", unit="Msun/h"),
        read(run).snapshot,
    )


@pytest.mark.parametrize("chunks", [(8, 8, 8), (3, 8, 8), (5, 2, 4), (1, 8, 8)])
def test_density_grid_in_any_chunks(tmp_path, run, chunks):
    delta = _delta()
    path = _grid(tmp_path / "d.hdf5", delta)
    with h5py.File(path, "r+") as file:
        attributes = dict(file["density"].attrs)
        del file["density"]
        file.create_dataset("density", data=delta, chunks=chunks, compression="gzip")
        file["density"].attrs.update(attributes)
    field = read_density(path, read(run).snapshot)
    for start, stop in [(0, 1), (1, 2), (2, 5), (7, 8), (0, 8), (5, 6), (4, 4)]:
        np.testing.assert_array_equal(field.read_slab(start, stop), delta[start:stop])


@pytest.mark.parametrize(
    ("change", "attributes", "words"),
    [
        (lambda d: d - 0.5, {}, ["delta"]),
        (lambda d: d + 0.01, {}, ["mean delta"]),
        (lambda d: np.where(d == d.max(), np.nan, d), {}, ["NaN"]),
        (lambda d: d[:4], {}, ["cube"]),
        (lambda d: d, {"kind": "overdensity"}, ["@kind"]),
        (lambda d: d, {"kind": None}, ["@kind"]),
        (lambda d: d, {"mas": "SPH"}, ["SPH"]),
        (lambda d: d, {"origin": "left"}, ["left"]),
        (lambda d: d, {"unit": "g"}, ["@unit"]),
        (lambda d: d, {"boxsize": 32000.0}, ["@boxsize"]),
        (lambda d: d, {"redshift": 1.0}, ["@red"]),
        (lambda d: d, {"kind": "counts"}, ["counts"]),
        (lambda d: (d + 1) * 1e8, {"kind": "mass", "unit": "Msun/h"}, ["Omega_m"]),
    ],
)
def test_fault_46_density_grid(tmp_path, run, change, attributes, words):
    path = _grid(tmp_path / "d.hdf5", change(_delta()), **attributes)
    with pytest.raises(MockgalError) as caught:
        read_density(path, read(run).snapshot)
    assert caught.value.exit_code == 3
    assert caught.value.fix
    for word in [f"{path}:/density", *words]:
        assert word in str(caught.value)


def test_fault_46_in_a_bundle(tmp_path, run):
    scene = read(run)
    field = read_density(_grid(tmp_path / "d.hdf5", _delta()), scene.snapshot)
    path = tmp_path / "b.hdf5"
    write_bundle(scene, path, density=field)
    np.testing.assert_array_equal(read(path).field.read_slab(0, 8), field.read_slab(0, 8))
    change(path, "density", put((0, 0, 0), -3.0))
    refused(path, f"{path}:/density", "-3")


def test_bundle_faults(bundle):
    header(bundle, "/", complete=None)
    refused(bundle, bundle, "did not end")
    header(bundle, "/", complete=1)
    header(bundle, "halos/mass", h_power=0)
    refused(bundle, f"{bundle}:/halos/mass", "power")
    header(bundle, "halos/mass", h_power=-1)
    refused(bundle, "200m", code=2, options=ReadOptions(mass_definition="200m"))
    edit(bundle, "halos/vmax", lambda values: None)
    refused(bundle, f"{bundle}:/halos/vmax", "velocity")
    header(bundle, "/", mockgal_bundle=99)
    refused(bundle, "version 99")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("box_size", -32.0),
        ("box_size", 0.0),
        ("redshift", -2.0),
        ("particle_mass", -1.0),
        ("omega_m", -0.3),
        ("h", 67.74),
        ("mass_definition", "200x"),
        ("halos", -1),
    ],
)
def test_bundle_header_is_named(bundle, name, value):
    header(bundle, "header", **{name: value})
    refused(bundle, f"{bundle}:/header@{name}", value)


def test_bundle_central_of_another_host(bundle):
    change(bundle, "halos/host_id", put(8, 0))
    with h5py.File(bundle) as file:
        row = int(np.flatnonzero(file["halos/is_central"][:])[3])
    change(bundle, "halos/host_id", put(row, 0))
    refused(bundle, f"{bundle}:/halos/host_id, row", "centrals with another host")


def test_bundle_column_of_another_type(bundle):
    def as_bytes(values):
        return values.astype("i1")

    with h5py.File(bundle, "r+") as file:
        attributes = dict(file["halos/is_central"].attrs)
    edit(bundle, "halos/is_central", as_bytes)
    header(bundle, "halos/is_central", **attributes)
    refused(bundle, f"{bundle}:/halos/is_central", "type 'i'")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("record", b'{"a": NaN}'),
        ("halo_record", b'{"groups": Infinity}'),
        ("halo_record", b'{"groups": "many"}'),
        ("halo_record", b'{"groups": 3.5}'),
        ("halo_record", b'{"dropped_bad": -1}'),
        ("halo_record", b'{"subhalos": true}'),
        ("halo_record", b'{"positions_wrapped": [1]}'),
        ("halo_record", b"[]"),
        ("record", b'{"options_given": [1]}'),
        ("record", b"[" * 100_000),
        ("source", b'"x"'),
        ("source", b"\xff"),
    ],
)
def test_bundle_json(bundle, name, text):
    edit(bundle, f"header/{name}", lambda values: np.frombuffer(text, np.uint8))
    refused(bundle, f"{bundle}:/header/{name}")

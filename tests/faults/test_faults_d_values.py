"""Faults 34-46: rows that cannot be true, in catalogues of Gadget-4 and AREPO and in bundles."""

import h5py
import numpy as np
import pytest
from read_faults import both, case, catalogue, edit, header, put, seal, snapshot

from mockgal.errors import MockgalError
from mockgal.protocols import ReadOptions
from mockgal.readers.density import read_density
from mockgal.readers.detect import read
from mockgal.writers.bundle import write_bundle

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
    seal(path)


def alone(halos):
    """The first host without satellites, which may be anywhere."""
    hosts, members = np.unique(halos["host_id"], return_counts=True)
    return int(np.flatnonzero(np.isin(halos["halo_id"], hosts[members == 1]))[0])


@pytest.mark.fault(34)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_position_not_finite(run, value, refused):
    file = catalogue(run)[1]
    edit(file, POSITION, put(slice(7, 10), value))
    refused(run, f"{file}:/{POSITION}, row 7", "3 positions")
    refused(run, "3 positions", options=ReadOptions(drop_bad=True))


@pytest.mark.fault(34)
def test_position_in_a_bundle(bundle, refused):
    change(bundle, "halos/position", put(7, np.nan))
    refused(bundle, f"{bundle}:/halos/position, row 7", "1 positions")


@pytest.mark.fault(34)
def test_particle(run, bundle, refused):
    change(bundle, "particles/position", put(6000, np.nan))
    refused(bundle, f"{bundle}:/particles/position, row 6000", stream=True)
    edit(snapshot(run)[1], "PartType1/Coordinates", put(6000, np.nan))
    refused(run, f"{snapshot(run)[1]}:/PartType1/Coordinates, row 6000", stream=True)


@pytest.mark.fault(35)
@both
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", [MASS, "Subhalo/SubhaloVmax"])
def test_bad_mass(run, name, value, refused):
    whole, file = read(run).halos, catalogue(run)[0]
    satellite = int(np.flatnonzero(~whole["is_central"])[0])
    edit(file, name, put(satellite, value))
    refused(run, f"{file}:/{name}, row {satellite}", "1 values", "--drop-bad")
    halos = read(run, ReadOptions(drop_bad=True)).halos
    assert halos.record["dropped_bad"] == 1
    assert halos["halo_id"].tolist() == np.delete(whole["halo_id"], satellite).tolist()


@pytest.mark.fault(35)
@both
def test_bad_host_mass(run, refused):
    file = catalogue(run)[0]
    edit(file, "Group/Group_M_Crit200", put(0, np.nan))
    whole = read(run, ReadOptions(mass_definition="200m"))
    members = int((whole.halos["host_id"] == 0).sum())
    assert members > 1
    refused(run, f"{file}:/Group/Group_M_Crit200, row 0", f"{members} values")
    assert read(run, ReadOptions(drop_bad=True)).halos.record["dropped_bad"] == members


@pytest.mark.fault(35, 42)
@pytest.mark.parametrize(
    ("orphans", "code"), [("refuse", 3), ("drop", 0), ("central", 0), ("keep", 2)]
)
def test_dropped_central_leaves_orphans(run, orphans, code, refused):
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


@pytest.mark.fault(36)
@both
def test_zero_host_mass_is_counted(run):
    edit(catalogue(run)[0], "Group/Group_M_Crit200", put(slice(0, 3), 0.0))
    assert read(run).halos.record["centrals_with_zero_host_mass"] == 3


@pytest.mark.fault(36)
def test_drop_bad_is_a_way_out(run):
    """The satellites of a central without host mass go with it: no other option is needed."""
    whole = read(run).halos
    members = [int((whole["host_id"] == host).sum()) for host in np.unique(whole["host_id"])[:3]]
    edit(catalogue(run)[0], "Group/Group_M_Crit200", put(slice(0, 3), 0.0))
    halos = read(run, ReadOptions(drop_bad=True)).halos
    assert halos.record["dropped_bad"] == 3
    assert halos.record["dropped_with_their_host"] == sum(members) - 3 > 3
    assert len(halos) == len(whole) - sum(members)
    assert halos.record["centrals_with_zero_host_mass"] == halos.record["orphans_dropped"] == 0


@pytest.mark.fault(35)
def test_host_mass_of_a_central_only(bundle, refused):
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
        case(37, "f4", -1e-7, 0.0, 1),
        case(38, "f4", 32000.0, 0.0, 1),
        case(38, "f4", 32001.0, 1e-3, 0),
        case(37, "f4", -1.0, 31.999, 0),
        case(37, "f8", -1e-7, 32 - 1e-10, 0),
        case(37, "f8", -1e-300, 0.0, 1),
        case(38, "f8", 32000.0, 0.0, 1),
    ],
)
def test_edge_of_the_box(make_run, dtype, value, x, edge):
    run = make_run(dtype=dtype)
    whole = read(run).halos
    before = whole.record["positions_wrapped"]
    row = alone(whole)
    edit(catalogue(run)[0], POSITION, put((row, 1), value))
    halos = read(run).halos
    assert halos["position"][row, 1] == pytest.approx(x, abs=1e-12, rel=1e-12)
    assert halos["position"].max() < 32.0
    assert halos.record["positions_wrapped"] == before + 1
    assert halos.record["positions_at_box_edge"] == edge


@pytest.mark.parametrize(
    ("dtype", "value", "counts"),
    [
        case(38, "f4", 32000.0, (1, 1)),
        case(37, "f4", -1e-7, (1, 1)),
        case(37, "f4", -1.0, (1, 0)),
        case(38, "f8", 32000.0, (1, 1)),
        case(38, "f8", np.nextafter(32000.0, 0), (0, 1)),
    ],
)
def test_edge_of_the_box_for_particles(make_run, tmp_path, dtype, value, counts):
    run = make_run(dtype=dtype)

    def moved(path):
        found = [(c.wrapped, c.at_edge) for c in read(path).particles.chunks(4999)]
        return tuple(np.sum(found, axis=0))

    before = moved(run)
    edit(snapshot(run)[0], "PartType1/Coordinates", put((0, 2), value))
    assert tuple(np.subtract(moved(run), before)) == counts
    write_bundle(read(run), tmp_path / "b.hdf5")
    assert moved(tmp_path / "b.hdf5") == (0, 0)
    change(tmp_path / "b.hdf5", "particles/position", put((0, 2), 32.0))
    assert moved(tmp_path / "b.hdf5") == (1, 1)
    for chunk in read(tmp_path / "b.hdf5").particles.chunks(4999):
        assert chunk.position.max() < 32


@pytest.mark.fault(35)
@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf, 1e30])
def test_bad_mass_of_particles(make_run, tmp_path, value, refused):
    run = make_run(hydro=True)
    write_bundle(read(run), tmp_path / "b.hdf5")
    edit(snapshot(run)[1], "PartType0/Masses", put(5000, value))
    refused(run, f"{snapshot(run)[1]}:/PartType0/Masses, row 5000", "1 masses", stream=True)
    change(tmp_path / "b.hdf5", "particles/mass", put(6000, value))
    path = tmp_path / "b.hdf5"
    refused(path, f"{path}:/particles/mass, row 6000", "1 masses", stream=True)


@pytest.mark.fault(39)
@both
def test_centred_origin(run, refused):
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


@pytest.mark.fault(40)
@pytest.mark.parametrize("value", [32400.0, -400.0, 1e30])
def test_beyond_the_box(run, value, refused):
    edit(catalogue(run)[0], POSITION, put((4, 1), value))
    refused(run, f"{catalogue(run)[0]}:/{POSITION}, row 4", "outside the box")


@pytest.mark.fault(41)
def test_duplicate_ids(bundle, refused):
    change(bundle, "halos/halo_id", put(9, 8))
    refused(bundle, f"{bundle}:/halos/halo_id, row 9", "1 repeated ids", "8")


def _orphan_of_an_empty_group(run):
    """A group that says it is empty, but that a subhalo belongs to."""
    edit(catalogue(run)[0], "Group/GroupFirstSub", put(100, -1))
    edit(catalogue(run)[0], "Group/GroupNsubs", put(100, 0))


@pytest.mark.fault(42)
@both
@pytest.mark.parametrize(("orphans", "code"), [("refuse", 3), ("drop", 0), ("central", 0)])
def test_orphans(run, orphans, code, refused, dialect):
    whole = read(run).halos
    _orphan_of_an_empty_group(run)
    if code:
        refused(run, f"{dialect.group_number}, row", "found 1 of", "--orphans drop")
        return
    halos = read(run, ReadOptions(orphans=orphans)).halos
    made = {"drop": -1, "central": 0}[orphans]
    assert len(halos) == len(whole) + made
    assert halos.record["centrals"] == whole.record["centrals"] + made


@pytest.mark.fault(42)
def test_orphans_in_a_bundle(bundle, refused):
    change(bundle, "halos/host_id", put(-1, 10**6))
    change(bundle, "halos/is_central", put(-1, False))
    refused(bundle, f"{bundle}:/halos/host_id", "--orphans")
    assert read(bundle, ReadOptions(orphans="drop")).halos.record["orphans_dropped"] == 1


@pytest.mark.fault(45)
@pytest.mark.parametrize("region", ["octant", "slab along y"])
def test_empty_region(bundle, region, refused):
    halos = read(bundle).halos
    x = halos["position"][halos.host_row]  # satellites go with their host
    gone = (x < 16).all(axis=1) if region == "octant" else (x[:, 1] // 4 == 3)
    change(bundle, "halos/position", lambda x: np.where(gone[:, None], [20.0, 18.0, 18.0], x))
    refused(
        bundle, f"{bundle}:/halos/position", region, "missing subvolume?", "--allow-empty-regions"
    )
    assert len(read(bundle, ReadOptions(allow_empty_regions=True)).halos) == len(x)


@pytest.mark.fault(45)
def test_few_halos_mean_nothing(make_run):
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


def _with(delta, *values):
    """Some voxels with these values, in the order of the file."""
    places = [(3, 2, 1), (7, 0, 5)][: len(values)]
    delta = delta.copy()
    for place, value in zip(places, values, strict=True):
        delta[place] = value
    return delta


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


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    ("change", "attributes", "words"),
    [
        (lambda d: d - 0.5, {}, ["delta"]),
        (lambda d: d + 0.01, {}, ["mean delta"]),
        (lambda d: np.where(d == d.max(), np.nan, d), {}, ["NaN"]),
        (lambda d: _with(d, np.inf, -np.inf), {}, ["2 of 8^3", "NaN, infinite", "[3, 2, 1]: inf"]),
        (lambda d: _with(d, -3.0, -2.0), {}, ["2 of 8^3", "[3, 2, 1]: -3", "-1.00001 to 1e+15"]),
        (lambda d: _with(1 + d, 1e40), {"kind": "counts"}, ["1 of 8^3", "1e+40", "1e13 particles"]),
        (lambda d: 0 * d, {"kind": "counts"}, ["all 0"]),
        (
            lambda d: _with(1 + d, 1e40),
            {"kind": "mass", "unit": "Msun/h"},
            ["1 of 8^3", "1e+40", "0 to 1e+26 Msun/h", "100 Gpc/h"],
        ),
        (lambda d: d[:4], {}, ["cube"]),
        (lambda d: d, {"kind": "overdensity"}, ["@kind"]),
        (lambda d: d, {"kind": None}, ["no kind", "--matter-kind"]),
        (lambda d: d, {"mas": "SPH"}, ["SPH"]),
        (lambda d: d, {"origin": "left"}, ["left"]),
        (lambda d: d, {"unit": "g"}, ["@unit"]),
        (lambda d: d, {"boxsize": 32000.0}, ["@boxsize"]),
        (lambda d: d, {"redshift": 1.0}, ["@red"]),
        (lambda d: d, {"kind": "counts"}, ["counts"]),
        (lambda d: (d + 1) * 1e8, {"kind": "mass", "unit": "Msun/h"}, ["Omega_m"]),
    ],
)
def test_density_grid(tmp_path, run, change, attributes, words):
    path = _grid(tmp_path / "d.hdf5", change(_delta()), **attributes)
    with pytest.raises(MockgalError) as caught:
        read_density(path, read(run).snapshot)
    assert caught.value.exit_code == 3
    assert caught.value.fix
    for word in [f"{path}:/density", *words]:
        assert word in str(caught.value)


@pytest.mark.fault(46)
def test_density_grid_in_a_bundle(tmp_path, run, refused):
    scene = read(run)
    field = read_density(_grid(tmp_path / "d.hdf5", _delta()), scene.snapshot)
    path = tmp_path / "b.hdf5"
    write_bundle(scene, path, density=field)
    np.testing.assert_array_equal(read(path).field.read_slab(0, 8), field.read_slab(0, 8))
    change(path, "density", put((0, 0, 0), -3.0))
    refused(path, f"{path}:/density", "-3")


def test_bundle_faults(bundle, refused):
    header(bundle, "/", complete=None)
    refused(bundle, bundle, "not completely written")
    header(bundle, "/", complete=1)
    header(bundle, "halos/mass", h_power=0)
    refused(bundle, f"{bundle}:/halos/mass", "power")
    header(bundle, "halos/mass", h_power=-1)
    refused(bundle, "200m", code=2, options=ReadOptions(mass_definition="200m"))
    edit(bundle, "halos/host_mass", lambda values: None)
    refused(bundle, f"{bundle}:/halos/host_mass", "velocity")
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
def test_bundle_header_is_named(bundle, name, value, refused):
    header(bundle, "header", **{name: value})
    refused(bundle, f"{bundle}:/header@{name}", str(value).removesuffix(".0"))


def test_bundle_central_of_another_host(bundle, refused):
    change(bundle, "halos/host_id", put(8, 0))
    with h5py.File(bundle) as file:
        row = int(np.flatnonzero(file["halos/is_central"][:])[3])
    change(bundle, "halos/host_id", put(row, 0))
    refused(bundle, f"{bundle}:/halos/host_id, row", "centrals with another host")


def test_bundle_column_of_another_type(bundle, refused):
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
def test_bundle_json(bundle, name, text, refused):
    edit(bundle, f"header/{name}", lambda values: np.frombuffer(text, np.uint8))
    refused(bundle, f"{bundle}:/header/{name}")

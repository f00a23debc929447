"""Halo lists of Rockstar and consistent-trees: rows, hosts, heads, and what is refused."""

import gzip
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rockstar_samples import FIRST_ID, HLIST, PARTICLE, Sample, universe

import mockgal
from mockgal.errors import DomainError, MockgalError, MockgalWarning, ResourceError
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import detect, read
from mockgal.readers.rockstar.reader import RockstarReader
from mockgal.system import memory
from mockgal.testing import COSMOLOGY, reader_contract

DATA = Path(__file__).parents[4] / "shared/data/rockstar/hlist_0.07812.list"
real_data = pytest.mark.real_data
needs_data = pytest.mark.skipif(not DATA.is_file(), reason="the shared halo list is not here")
both = pytest.mark.parametrize("kind", ["hlist", "out"])
# The real list is a part of a box, with a satellite in a phantom.
REAL = ReadOptions(orphans="drop", allow_empty_regions=True)


def refused(path, *words, code=3, **options):
    with pytest.raises(MockgalError) as caught:
        read(path, ReadOptions(**options))
    error = caught.value
    assert error.exit_code == code, error
    assert error.fix, error
    assert "\n" not in str(error)
    for word in words:
        assert str(word) in str(error), f"{word!r} not in: {error}"
    return error


def words(path):
    """All values of a list, shape (rows, columns)."""
    lines = path.read_text().split("\n")
    return np.array([line.split() for line in lines if line and not line.startswith("#")])


# Reading


@both
def test_contract(tmp_path, kind):
    reader_contract(RockstarReader(), Sample(kind, redshift=0.5).write(tmp_path / "halos.list"))


@both
def test_rows_in_internal_units(tmp_path, kind):
    sample = Sample(kind, redshift=1.0)
    path = sample.write(tmp_path / "halos.list")
    scene, raw = read(path), words(path)
    halos, snapshot = scene.halos, scene.snapshot

    def column(name, dtype=float):
        return np.array([dtype(word) for word in raw[:, sample.column(name)]])

    ids, pid = column("id", int), column("pid", int)
    assert ids.min() == FIRST_ID
    np.testing.assert_array_equal(halos["halo_id"], ids)
    np.testing.assert_array_equal(halos["is_central"], pid == -1)
    parent, host = dict(zip(ids, pid, strict=True)), ids.copy()
    while (climb := np.array([parent[i] for i in host]) != -1).any():
        host[climb] = [parent[i] for i in host[climb]]
    np.testing.assert_array_equal(halos["host_id"], host)
    for i, name in enumerate("xyz"):
        np.testing.assert_array_equal(halos["position"][:, i], column(name))
        np.testing.assert_array_equal(halos["velocity"][:, i], column(f"v{name}"))
    np.testing.assert_array_equal(halos["mass"], column("mvir"))
    np.testing.assert_array_equal(halos["vmax"], column("vmax"))
    row = {i: place for place, i in enumerate(ids)}
    top = [row[i] for i in host]
    np.testing.assert_array_equal(halos["host_mass"], column("m200c")[top])
    assert (snapshot.box_size, snapshot.redshift) == (40.0, 1.0)
    assert snapshot.cosmology.to_dict() == {
        name: pytest.approx(getattr(COSMOLOGY, name)) for name in ("h", "omega_m", "omega_lambda")
    }
    assert snapshot.record["density_over_definition"] == pytest.approx(1, abs=1e-3)
    assert snapshot.record["hosts_from"] == ("upid" if kind == "hlist" else "pid")
    assert halos.record["groups"] == 420
    # 105 satellites of hosts and 35 of satellites; upid is the host's id already
    assert halos.record["satellites"] == 140
    assert halos.record["nested_satellites"] == (0 if kind == "hlist" else 35)


def test_particles_are_counted_by_mass(tmp_path):
    """Np of Rockstar is no count of bound particles."""
    scene = read(Sample("out").write(tmp_path / "out_9.list"))
    assert scene.snapshot.particle_mass == PARTICLE
    np.testing.assert_array_equal(
        scene.halos["n_particles"], np.rint(scene.halos["mass"] / PARTICLE)
    )
    np.testing.assert_array_equal(scene.halos["n_particles"], universe()["np"] // 2)
    sample = Sample("hlist")
    scene = read(sample.write(tmp_path / "hlist.list"))
    assert scene.snapshot.particle_mass is None
    assert "n_particles" not in scene.halos
    sample.comments.append(f"Particle mass: {PARTICLE:.5e} Msun/h")
    assert "n_particles" in read(sample.write(tmp_path / "hlist.list")).halos


@pytest.mark.parametrize(
    ("definition", "column"),
    [("vir", "mvir"), ("200m", "m200b"), ("200c", "m200c"), ("500c", "m500c")],
)
@both
def test_mass_definitions(tmp_path, kind, definition, column):
    path = Sample(kind).write(tmp_path / "halos.list")
    scene = read(path, ReadOptions(mass_definition=definition))
    central = scene.halos["is_central"]
    expected = universe()[column][central]
    np.testing.assert_allclose(scene.halos["host_mass"][central], expected, rtol=1e-5)
    assert scene.halos.mass_definition == definition
    assert scene.snapshot.record["host_mass_column"] == column
    assert scene.snapshot.record["mass_definition_chosen_by"] == "user"


def test_default_mass_definition(tmp_path):
    sample = Sample("out")
    scene = read(sample.write(tmp_path / "a.list"))
    assert (scene.halos.mass_definition, scene.snapshot.record["mass_column"]) == ("200c", "mvir")
    assert scene.snapshot.record["mass_definition_chosen_by"] == "default"
    path = sample.drop("m200c").write(tmp_path / "b.list")
    assert read(path).halos.mass_definition == "vir"
    refused(path, "--mass-definition", "200c", "vir, 200m, 500c", code=2, mass_definition="200c")
    refused(path, "fof", "vir, 200m, 500c", code=2, mass_definition="fof")


def as_200b(sample, named):
    """A run with MASS_DEFINITION 200b: M, R and M_all follow it, and M200b is there again."""
    radius = (sample.table["mvir"] / (4 / 3 * np.pi * 200 * COSMOLOGY.mean_matter_density)) ** (
        1 / 3
    )
    for row, value in enumerate(radius):
        sample.set(row, "rvir", f"{1e3 * value:.3f}")
    for old, new in {
        "mvir_all": "M200b_all",
        **({"mvir": "M200b", "rvir": "R200b"} if named else {}),
    }.items():
        sample.names[sample.column(old)] = new
    return sample


@pytest.mark.parametrize(("kind", "named"), [("out", True), ("hlist", True), ("hlist", False)])
def test_a_run_of_another_mass_definition(tmp_path, kind, named):
    """consistent-trees may say mvir and rvir for whatever it was given."""
    path = as_200b(Sample(kind), named).write(tmp_path / "halos.list")
    scene = read(path, ReadOptions(mass_definition="200m"))
    np.testing.assert_allclose(scene.halos["mass"], universe()["mvir"], rtol=1e-5)
    central = scene.halos["is_central"]
    np.testing.assert_array_equal(scene.halos["host_mass"][central], scene.halos["mass"][central])
    assert scene.snapshot.record["mass_column_definition"] == "200m"
    refused(path, "200c, 200m, 500c", code=2, mass_definition="vir")


@both
def test_order_of_rows_and_columns_does_not_matter(tmp_path, kind):
    sample = Sample(kind)
    digest = read(sample.write(tmp_path / "a.list")).halos.digest()
    order = np.random.default_rng(1).permutation(len(sample.rows))
    sample.rows = [sample.rows[i] for i in order]
    assert read(sample.write(tmp_path / "b.list")).halos.digest() == digest
    if kind == "out":  # the first three columns stay
        columns = [0, 1, 2, *range(len(sample.names) - 1, 2, -1)]
        sample.names = [sample.names[i].upper() for i in columns]
        sample.rows = [[row[i] for i in columns] for row in sample.rows]
        assert read(sample.write(tmp_path / "c.list")).halos.digest() == digest
    assert read(sample.write(tmp_path / "d.list", end="\r\n")).halos.digest() == digest


def test_phantoms_are_dropped_and_counted(tmp_path):
    sample = Sample().set(1, "phantom", 1).set(7, "phantom", 2)
    halos = read(sample.write(tmp_path / "a.list")).halos
    assert halos.record["phantoms_dropped"] == 2
    assert halos.record["groups"] == 418
    assert not np.isin(halos["halo_id"], FIRST_ID + 2 * np.array([1, 7])).any()
    # a host, of a satellite with a satellite; row 420 is the former
    sample.set(0, "phantom", 1)
    path = sample.write(tmp_path / "b.list")
    line = path.read_text().split("\n").index(" ".join(sample.rows[420])) + 1
    refused(path, f"upid, row 420 (line {line}), in a phantom", "found 2 of", "--orphans")
    halos = read(path, ReadOptions(orphans="drop")).halos
    assert halos.record["satellites_of_phantoms"] == halos.record["orphans_dropped"] == 2
    # a satellite that is a phantom does not hide the host of its own satellite
    sample.set(0, "phantom", 0).set(420, "phantom", 1)
    halos = read(sample.write(tmp_path / "c.list")).halos
    (row,) = np.flatnonzero(halos["halo_id"] == FIRST_ID + 2 * 525)
    assert halos["host_id"][row] == FIRST_ID


@pytest.mark.parametrize("name", ["Phantom", "phantom"])
def test_phantoms_of_really_consistent_lists_are_dropped(tmp_path, mockgal_command, name):
    hlist = Sample().set(1, "phantom", 1).set(7, "phantom", 2)
    sample = Sample("out")
    sample.names.insert(-1, name)
    for row, (theirs, other) in enumerate(zip(sample.rows, hlist.rows, strict=True)):
        theirs.insert(-1, other[hlist.column("phantom")])
        sample.rows[row] = theirs
    path = sample.write(tmp_path / "really_consistent_2.list")
    halos = read(path).halos
    assert halos.record["phantoms_dropped"] == 2
    expected = read(hlist.write(tmp_path / "hlist.list")).halos
    np.testing.assert_array_equal(halos["halo_id"], expected["halo_id"])
    packed = mockgal_command("pack", path, "--out", tmp_path / "packed.hdf5")
    assert "2 phantoms" in packed.stdout


@pytest.mark.fault(42)
@both
def test_ids_written_as_floats(tmp_path, kind):
    """As `numpy.savetxt` writes a table, from double precision, and from what was single."""
    table = universe()
    row = {number: place for place, number in enumerate(table["id"].tolist())}
    ids = 20_000_001 + np.random.default_rng(4).permutation(len(row))
    parents = {
        name: np.array([-1 if p < 0 else ids[row[p]] for p in table[name].tolist()])
        for name in ("pid", "upid")
    }

    def sample(form, **changes):
        numbers = {"id": ids, **parents, **changes}
        lines = Sample(kind, {**table, "id": ids, **parents})
        for name in set(numbers) & {name.lower() for name in lines.names}:
            for place, number in enumerate(numbers[name].tolist()):
                lines.set(place, name, form % number)
        return lines.write(tmp_path / "halos.list")

    plain = read(sample("%d")).halos
    for form in ("%.1f", "%.7e", "%.18e", "%.18E"):
        assert read(sample(form)).halos.digest() == plain.digest()
    single = {name: values.astype("f4").astype("i8") for name, values in parents.items()}
    name = "PID" if kind == "out" else "upid"
    refused(sample("%.18e", **single), f"{name.lower()}, row 420 (line", "float32")
    refused(sample("%d", **single), f"{name.lower()}, row", "rounded as float32")
    refused(sample("%.6e"), "id, row 0 (line", "last digits are not written")
    refused(sample("%g"), "id, row 0 (line", "last digits are not written")


def test_upid_that_is_a_satellite_is_followed(tmp_path):
    sample = Sample().set(525, "upid", FIRST_ID + 2 * 420)
    halos = read(sample.write(tmp_path / "a.list")).halos
    assert halos["host_id"][525] == FIRST_ID
    assert halos.record["nested_satellites"] == 1
    sample.drop("upid")
    sample.write(tmp_path / "b.list")
    again = read(tmp_path / "b.list")
    assert again.halos.digest() == halos.digest()
    assert again.snapshot.record["hosts_from"] == "pid"


@both
def test_gzip(tmp_path, kind):
    sample = Sample(kind)
    plain = read(sample.write(tmp_path / "a.list"))
    (tmp_path / "b.list.gz").write_bytes(gzip.compress(sample.text().encode()))
    packed = read(tmp_path / "b.list.gz")
    assert packed.halos.digest() == plain.halos.digest()
    assert packed.snapshot.record["compressed"]
    assert not plain.snapshot.record["compressed"]
    assert packed.snapshot.name.endswith("/b")


def test_without_rows(tmp_path):
    empty = {name: values[:0] for name, values in universe().items()}
    scene = read(Sample("out", empty, redshift=0.25).write(tmp_path / "out_1.list"))
    assert (len(scene.halos), scene.snapshot.redshift) == (0, 0.25)
    assert scene.halos.record["groups"] == 0
    sample = Sample("hlist", empty)
    scene = read(sample.write(tmp_path / "hlist_0.50000.list"))
    assert (len(scene.halos), scene.snapshot.redshift) == (0, 1.0)
    assert scene.snapshot.record["scale_factor_from"] == "name of the file"
    path = sample.write(tmp_path / "other.list")
    refused(path, "no redshift", "lines like #a = 0.5", "--redshift VALUE")
    scene = read(path, ReadOptions(redshift=1.5))
    assert (scene.snapshot.redshift, scene.snapshot.record["scale_factor_from"]) == (1.5, "user")
    sample.comments.append("a = 0.8")
    assert read(sample.write(tmp_path / "other.list")).snapshot.redshift == 0.25


positions = st.floats(0, 250, exclude_max=True)
speeds = st.floats(-2000, 2000)


@st.composite
def catalogues(draw):
    """Columns of a small list: parents come before their satellites, or not at all."""
    ids = draw(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=12, unique=True))
    parent = [draw(st.sampled_from([None, *range(row)])) for row in range(len(ids))]
    order = draw(st.permutations(range(len(ids))))
    number = len(ids)
    table = {name: draw(st.lists(positions, min_size=number, max_size=number)) for name in "xyz"}
    for row, above in enumerate(parent):  # satellites are near their host
        for name in "xyz" if above is not None else "":
            table[name][row] = (table[name][above] + draw(st.floats(0, 0.1))) % 250
    for name in ("vx", "vy", "vz"):
        table[name] = draw(st.lists(speeds, min_size=number, max_size=number))
    for name in ("mvir", "m200c"):
        table[name] = draw(st.lists(st.floats(1e11, 1e12), min_size=number, max_size=number))
    table["vmax"] = draw(st.lists(st.floats(1, 2000), min_size=number, max_size=number))
    return ids, parent, order, table


@pytest.mark.filterwarnings("ignore:.* satellites much heavier than their host")
@given(catalogues(), st.booleans(), st.booleans())
def test_any_catalogue_is_read_as_it_was_written(tmp_path_factory, catalogue, hlist, packed):
    ids, parent, order, table = catalogue
    names = ["ID", "DescID", "Mvir", *"XYZ", "VX", "VY", "VZ", "M200c", "Vmax", "PID"]
    if hlist:
        names = ["scale", "id", "pid", "phantom", "sam_mvir", "mvir", *list(names[3:-1])]
    words = {
        "id": [str(i) for i in ids],
        "pid": ["-1" if p is None else str(ids[p]) for p in parent],
        **{name: list(map(repr, values)) for name, values in table.items()},
    }
    words |= {"phantom": ["0"] * len(ids), "scale": ["0.5"] * len(ids)}
    words |= {name: ["7"] * len(ids) for name in ("descid", "sam_mvir")}
    lines = [
        "#" + " ".join(f"{name}({i})" if hlist else name for i, name in enumerate(names)),
        "#a = 0.5",
        "#Om = 0.3; Ol = 0.7; h = 0.7",
        "#Box size: 250.0 Mpc/h",
        *(" ".join(words[name.lower()][row] for name in names) for row in order),
    ]
    content = "".join(line + "\n" for line in lines).encode()
    path = tmp_path_factory.mktemp("any") / "halos.list"
    path.write_bytes(gzip.compress(content) if packed else content)
    halos = read(path).halos

    def top(row):
        return row if parent[row] is None else top(parent[row])

    order = list(order)
    assert halos["halo_id"].tolist() == [ids[row] for row in order]
    assert halos["host_id"].tolist() == [ids[top(row)] for row in order]
    assert halos["is_central"].tolist() == [parent[row] is None for row in order]
    assert halos["mass"].tolist() == [table["mvir"][row] for row in order]
    assert halos["vmax"].tolist() == [table["vmax"][row] for row in order]
    assert halos["host_mass"].tolist() == [table["m200c"][top(row)] for row in order]
    for name, prefix in (("position", ""), ("velocity", "v")):
        expected = [[table[f"{prefix}{x}"][row] for x in "xyz"] for row in order]
        assert halos[name].tolist() == expected


# Where a list is


def test_detected_by_content(tmp_path):
    path = Sample("out").write(tmp_path / "halos.hdf5")
    assert detect(path) == "rockstar"
    path.unlink()
    path = Sample("hlist").write(tmp_path / "list")
    assert detect(path) == detect(tmp_path) == "rockstar"
    assert read(tmp_path).halos.digest() == read(path).halos.digest()
    (tmp_path / "rockstar.cfg").write_text("FILE_FORMAT = GADGET2\n")
    assert detect(tmp_path) == "rockstar"
    shutil.copy(path, tmp_path / "other")
    refused(tmp_path, "several halo lists, list, other", code=2)


def test_what_is_no_list(tmp_path):
    path = tmp_path / "x.list"
    for content, words in {
        b"#id x y z\n1 2 3 4\n": ["a file that begins with b'#id x y z"],
        b"": ["begins with b''"],
        b"\x1f\x8b12": ["begins with"],
    }.items():
        path.write_bytes(content)
        assert not RockstarReader().detect(path)
        with pytest.raises(MockgalError) as caught:
            read(path, format="rockstar")
        assert all(word in str(caught.value) for word in words)
    path.unlink()
    with pytest.raises(MockgalError, match="no halo list"):
        read(tmp_path, format="rockstar")


def test_merger_trees_are_told_from_lists(tmp_path):
    sample = Sample()
    sample.rows = [["2"], ["#tree", "7"], *sample.rows[:2]]
    refused(sample.write(tmp_path / "tree_0_0_0.dat"), "merger trees", "hlist_A.list")


def test_a_list_too_large_for_memory(tmp_path, monkeypatch):
    path = Sample().write(tmp_path / "a.list")
    monkeypatch.setattr(memory, "CHECKED_FROM", 0)
    monkeypatch.setattr(memory, "available", lambda: 50_000)
    with pytest.raises(ResourceError) as caught:
        read(path)
    assert caught.value.exit_code == 6


# Heads


def test_without_parents(tmp_path):
    path = Sample("out").drop("pid").write(tmp_path / "out_3.list")
    refused(path, ":PID: found no column of parents", "find_parents", "hlist of consistent-trees")


@both
@pytest.mark.parametrize("name", ["x", "vy", "vmax", "id"])
def test_missing_columns(tmp_path, kind, name):
    sample = Sample(kind)
    sample.names[sample.column(name)] = "other"
    path = sample.write(tmp_path / "a.list")
    if name == "id":  # it is not one of these lists
        with pytest.raises(MockgalError, match="no halo list"):
            read(path, format="rockstar")
    else:
        refused(path, f"line 1: found no column {name}; columns: ")


def test_columns_twice(tmp_path):
    sample = Sample("out")
    sample.names[sample.column("jx")] = "x"
    refused(sample.write(tmp_path / "a.list"), "2 columns called x", "rename")
    sample = Sample("out")
    sample.names[sample.column("jx")] = "JY"  # which nobody reads
    assert len(read(sample.write(tmp_path / "a.list")).halos) == 560


def test_names_that_are_not_those_of_the_columns(tmp_path):
    sample = Sample("out")
    sample.names.append("Extra")
    refused(sample.write(tmp_path / "a.list"), "names of 29 columns", "28 values")
    sample = Sample()
    first = sample.first()
    path = sample.write(tmp_path / "b.list")
    for old, new, found in [
        ("x(17)", "x(18)", "column 17 called 'x(18)'"),
        ("x(17)", "x", "column 17 called 'x'"),
        (" x(17)", "", "column 17 called 'y(18)'"),
    ]:
        path.write_text(sample.text().replace(first, first.replace(old, new)))
        refused(path, found, "NAME(17)")
    sample = Sample("out")
    sample.names[2] = "M2500c"
    refused(sample.write(tmp_path / "c.list"), "found m2500c", "MASS_DEFINITION vir")
    assert HLIST[31] == "b_to_a(500c)"  # of which only the last number is taken off


@pytest.mark.fault(24)
@both
def test_cosmology_nowhere(tmp_path, kind):
    sample = Sample(kind).comment("Om")
    path = sample.write(tmp_path / "a.list")
    given = {"h": 0.6774, "omega_m": 0.3089, "omega_lambda": 0.6911}
    refused(
        path, "no h, omega_m, omega_lambda", "give --h VALUE --omega-m VALUE --omega-lambda VALUE"
    )
    refused(path, "no omega_lambda", "give --omega-lambda VALUE", h=0.6774, omega_m=0.3089)
    scene = read(path, ReadOptions(**given))
    assert scene.snapshot.record["given_by_user"] == list(given)
    assert scene.snapshot.cosmology.to_dict() == given
    path = Sample(kind).write(tmp_path / "b.list")
    assert read(path, ReadOptions(**given)).snapshot.record["given_by_user"] == []
    refused(path, "--h", "0.6774", code=2, h=0.7)


@pytest.mark.parametrize(
    ("begin", "line", "words"),
    [
        (
            "Box",
            None,
            ["no box_size", "lines like #Box size: 250.0 Mpc/h", '--box-size "1000 Mpc/h"'],
        ),
        ("Box", "Box size: 40.0 Mpc", ["#Box size: found the unit 'Mpc'", "Mpc/h"]),
        ("Box", "Box size: 40.0", ["found the unit ''"]),
        ("Box", "Box size: 0.000000 Mpc/h", ["'0.000000'", "a positive number"]),
        ("Box", "Box size: nan Mpc/h", ["'nan'"]),
        ("Box", "Box size: 1e999 Mpc/h", ["'1e999'"]),
        ("Box", "Box size: ten Mpc/h", ["'ten'"]),
        ("Particle", "Particle mass: 1.3e9 Msun", ["the unit 'Msun'", "Msun/h"]),
        ("Particle", "Particle mass: 0.133 Msun/h", ["#Particle mass", "fill the box", "1e10"]),
        (
            "Particle",
            "Particle mass: 5e13 Msun/h",
            ["of which 110 fill the box, expected 500 to 1e+15 particles"],
        ),
        ("Particle", "Particle mass: 9e11 Msun/h", ["a median halo of"]),
        ("a =", None, ["no redshift", "lines like #a = 0.5", "--redshift VALUE"]),
        ("a =", "a = 0", [":#a: found '0'"]),
        ("a =", "a = -1.0", ["'-1.0'"]),
        ("Om", "Om = x; Ol = 0.7; h = 0.7", [":#Om: found 'x'"]),
        ("Om", "Om = 30; Ol = 0.7; h = 0.7", ["omega_m", "found 30.0"]),
        ("Om", "Om = 0.3; Ol = 0.7", ["no h", "--h VALUE"]),
        ("Force", "Om = 0.4", ["found 0.3089 and 0.4", "one value"]),
        ("Force", "Box size: 41 Mpc/h", ["found 40 and 41"]),
        ("Units: Masses", "Units: Masses in Msun", ["#Units: Masses in Msun", "expected Msun/h"]),
        ("Units: Pos", "Units: Positions in kpc / h", ["expected Mpc/h"]),
        ("Units: Vel", "Units: Velocities in Mpc / Gyr", ["expected km/s"]),
        ("Units: Halo", "Units: Radii in Mpc / h", ["expected kpc/h"]),
    ],
)
def test_comments_that_cannot_be(tmp_path, begin, line, words):
    refused(Sample("out").comment(begin, line).write(tmp_path / "out_0.list"), *words)


def test_comments_of_blanks_are_read_at_once(tmp_path):
    line = "Box size: 40.0 Mpc" + " " * 16_000 + "/h"
    path = Sample("out").comment("Box", "\n#".join([line] * 8)).write(tmp_path / "out_0.list")
    start = time.process_time()
    read(path)
    assert time.process_time() - start < 2


def test_descriptions_with_other_units(tmp_path):
    sample = Sample().comment("Rvir", "Rvir: Halo radius (Mpc/h comoving).")
    refused(sample.write(tmp_path / "a.list"), "Rvir: Halo radius (Mpc/h", "expected kpc/h")
    sample.comment("Rvir", "Rvir: Halo radius")
    assert len(read(sample.write(tmp_path / "a.list")).halos) == 560


@pytest.mark.fault(25)
def test_times_that_differ(tmp_path):
    sample = Sample(redshift=1.0)
    sample.comments.append("a = 0.4")
    refused(sample.write(tmp_path / "a.list"), ":#a: found 0.4, expected 0.5")
    sample = Sample(redshift=1.0).set(300, "scale", "0.50010")
    path = sample.write(tmp_path / "b.list")
    for chunk_rows in (7, 1 << 20):
        refused(path, "scale, row 300 (line 313)", "factor 0.5001", chunk_rows=chunk_rows)
    sample = Sample()
    for row in range(len(sample.rows)):
        sample.set(row, "scale", "0")
    refused(sample.write(tmp_path / "c.list"), ":scale: found 0, expected a positive number")


# Rows


@pytest.mark.fault(10)
@both
def test_a_last_line_that_is_short(tmp_path, kind, exit_code):
    path = Sample(kind).write(tmp_path / "a.list")
    content = path.read_bytes()
    lines = content.count(b"\n")
    last = len(content) - content[:-1].rfind(b"\n") - 1
    for cut in (1, 2, 5, 30, last - 1):
        path.write_bytes(content[:-cut])
        if cut == 1 and kind == "hlist":
            read(path)  # whole, and the last column is not used: nothing of it can be missing
            continue
        if kind == "hlist" and cut == 2:
            continue  # 0.5 became 0., of the same column
        words = f"line {lines}: found", "newline", "copy or download the file again"
        refused(path, *words, code=exit_code)
    path.write_bytes(content[:-last])
    read(path)  # a line less, which no list can tell


@both
def test_damaged_rows(tmp_path, kind):
    for name, word, words in [
        ("x", "nan", ["positions that are NaN"]),  # 34
        ("y", "1e4", ["outside the box of 40 Mpc/h"]),  # 40
        ("mvir", "nan", [":mvir, row 17 (line", "--drop-bad"]),  # 35
        ("mvir", "-1e12", [":mvir, row 17 (line", "--drop-bad"]),
        ("vx", "inf", [":vx, row 17", "--drop-bad"]),
        ("mvir", "********", [":mvir, line", "'********'", "ran into each other"]),
        ("x", "1.25-3.4", [":x, line", "'1.25-3.4'"]),
        ("x", "1 2", ["values, expected", "as in the first row"]),
        ("id", "1.5", [":id, line", "an integer"]),
        ("id", "-7", [":id, row 17 (line", "ids from 0 on"]),
        ("pid" if kind == "out" else "upid", "-2", ["row 17 (line", "or -1 for hosts"]),
        ("id", FIRST_ID, ["repeated ids", f"{FIRST_ID}"]),  # 41
    ]:
        sample = Sample(kind).set(17, name, word)
        path = sample.write(tmp_path / "a.list")
        error = refused(path, *words)
        if "line" in str(error.where):
            line = 2 + len(sample.comments) + 17
            assert f"line {line}" in str(error.where)


def test_drop_bad(tmp_path):
    sample = Sample("out").set(17, "mvir", "nan").set(18, "mvir", "-1e12").set(19, "vx", "nan")
    halos = read(sample.write(tmp_path / "a.list"), ReadOptions(drop_bad=True)).halos
    assert halos.record["dropped_bad"] == 3
    assert len(halos) == 557


def test_zero_mass_of_a_central_is_allowed_until_it_is_painted(tmp_path):  # 36
    sample = Sample("out").set(1, "m200c", "0.0000e+00")
    scene = read(sample.write(tmp_path / "a.list"))
    assert scene.halos.record["centrals_with_zero_host_mass"] == 1
    with pytest.raises(MockgalError, match="--drop-bad"), pytest.warns(MockgalWarning):
        mockgal.paint(scene, "hod", seed=1, calibration="gadget4-z0.00")


@pytest.mark.fault(31)
@both
def test_radii_in_mpc(tmp_path, kind, exit_code):
    path = Sample(kind).scale("rvir", 1e-3).write(tmp_path / "a.list")
    refused(path, ":rvir: found a density of", "look for a factor 1000^3", code=exit_code)
    path = Sample(kind).scale("rvir", COSMOLOGY.h**-1).write(tmp_path / "a.list")
    refused(path, ":rvir: found a density of", "look for a factor h^3")
    path = Sample(kind).drop("rvir").write(tmp_path / "a.list")
    assert "density_over_definition" not in read(path).snapshot.record


@pytest.mark.fault(32)
def test_masses_in_another_unit(tmp_path):
    sample = Sample("out").drop("rvir").comment("Particle")
    for name in ("mvir", "m200c"):
        sample.scale(name, 1e10)
    refused(sample.write(tmp_path / "a.list"), "of the box's matter bound to subhalos")


@pytest.mark.fault(42)
@both
def test_orphans(tmp_path, kind):
    sample = Sample(kind).set(430, "pid" if kind == "out" else "upid", 5)
    path = sample.write(tmp_path / "a.list")
    refused(path, "row 430 (line", "found 1 of", "--orphans drop or")
    dropped = read(path, ReadOptions(orphans="drop")).halos
    assert (dropped.record["orphans_dropped"], len(dropped)) == (1, 559)
    central = read(path, ReadOptions(orphans="central")).halos
    assert central.record["orphans_made_central"] == 1
    assert central["is_central"][430]
    assert central["host_mass"][430] == central["mass"][430]


def test_a_host_that_is_not_here_of_a_satellite_of_a_satellite(tmp_path):
    sample = Sample("out").set(420, "pid", 5)
    halos = read(sample.write(tmp_path / "a.list"), ReadOptions(orphans="drop")).halos
    assert halos.record["orphans_dropped"] == 2  # with the satellite of row 420
    assert halos.record["nested_satellites"] == 35


@pytest.mark.fault(43)
@pytest.mark.parametrize("length", [1, 2, 3, 5])
@both
def test_parents_in_a_circle(tmp_path, kind, length, exit_code):
    sample = Sample(kind)
    rows = [430 + i for i in range(length)]
    for row, above in zip(rows, [*rows[1:], rows[0]], strict=True):
        sample.set(row, "pid" if kind == "out" else "upid", FIRST_ID + 2 * above)
    name = "pid" if kind == "out" else "upid"
    path = sample.write(tmp_path / "a.list")
    refused(path, f":{name}, row 430 (line", "form a cycle", code=exit_code)


@pytest.mark.fault(45)
def test_an_empty_part_of_the_box(tmp_path):
    sample = Sample(box_size=40.0)
    sample.comment("Full box size", "Full box size = 80.000000 Mpc/h")
    path = sample.write(tmp_path / "a.list")
    refused(path, "a missing subvolume?", "--allow-empty-regions")
    assert len(read(path, ReadOptions(allow_empty_regions=True)).halos) == 560


def test_positions_at_the_edge(tmp_path):  # 37, 38
    table = universe()
    for row, axis in enumerate("xyz", 3):  # their satellites go with them
        members = np.isin(table["pid"], table["id"][row])
        table[axis] = np.where(members, 0.1, table[axis])
    sample = Sample("out", table)
    sample.set(3, "x", "40.00000").set(4, "y", "-0.00001").set(5, "z", "40.00002")
    halos = read(sample.write(tmp_path / "a.list")).halos
    assert halos["position"][3, 0] == 0
    assert halos["position"][4, 1] == 40.0 - 0.00001
    assert halos["position"][5, 2] == pytest.approx(0.00002, abs=1e-12)
    assert halos.record["positions_wrapped"] == 3
    assert halos.record["positions_at_box_edge"] == 1


def test_two_lists_in_one_file(tmp_path):
    text = Sample("out").text()
    (tmp_path / "a.list").write_text(text + text)
    refused(tmp_path / "a.list", "another head, 'ID DescID'", "the file contains several")


def test_stars_are_refused(tmp_path):
    sample = Sample("out")
    sample.names[sample.column("xoff")] = "SM"
    refused(sample.write(tmp_path / "a.list"), ":SM: found stars", "gravity-only")
    for row in range(len(sample.rows)):
        sample.set(row, "sm", "0.0000e+00")
    assert len(read(sample.write(tmp_path / "a.list")).halos) == 560


@both
@pytest.mark.filterwarnings("ignore:.* they are kept unchanged")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.slow_but("True-hlist")
def test_flipped_bytes_and_cuts_never_end_in_a_traceback(tmp_path, kind, packed):
    """Of plain text a flipped digit cannot be told from the right one; of gzip every one is."""
    content = Sample(kind, universe(hosts=40)).text().encode()
    content = gzip.compress(content, mtime=0) if packed else content
    path = tmp_path / "a.list"
    path.write_bytes(content)
    right = read(path).halos.digest()
    rng = np.random.default_rng(5)
    places = np.r_[
        np.arange(40), rng.integers(0, len(content), 40), len(content) - np.arange(1, 20)
    ]
    outcomes = {"same": 0, "other": 0, "refused": 0}
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << int(rng.integers(8))
        for changed in (bytes(broken), content[:place]):
            path.write_bytes(changed)
            try:
                same = read(path, format="rockstar").halos.digest() == right
                outcomes["same" if same else "other"] += 1
            except MockgalError as error:
                outcomes["refused"] += error.exit_code in (3, 4)
    assert sum(outcomes.values()) == 2 * len(places)
    assert outcomes["refused"] > len(places)
    if packed:
        assert outcomes["other"] == 0


# Painting, and the command


def test_painted(tmp_path):
    scene = mockgal.read(Sample("out").write(tmp_path / "out_7.list"))
    with pytest.warns(MockgalWarning, match="for demonstration and tests"):
        galaxies = mockgal.paint(scene, "hod", seed=1, calibration="gadget4-z0.00")
    assert len(galaxies) > 50
    assert galaxies.provenance["simulation"]["format"] == "rockstar"
    bundle = tmp_path / "packed.hdf5"
    mockgal.pack(tmp_path / "out_7.list", bundle)
    assert mockgal.read(bundle).halos.digest() == scene.halos.digest()


def test_command(tmp_path, mockgal_command):
    path = Sample("out").write(tmp_path / "out_7.list")
    shown = mockgal_command("inspect", path)
    assert shown.returncode == 0, shown.stderr
    assert "rockstar, 1 file(s)" in shown.stdout
    assert "420 groups" in shown.stdout
    path.write_bytes(path.read_bytes()[:-20])
    broken = mockgal_command("inspect", path)
    assert broken.returncode == 3
    assert "line 575: found" in broken.stderr


@real_data
@needs_data
def test_real_list():
    names = DATA.read_text().split("\n", 1)[0][1:].split()
    place = {name.rsplit("(", 1)[0].lower(): i for i, name in enumerate(names)}
    raw = words(DATA)
    assert raw.shape == (436, 79)

    def column(name, dtype=float):
        return np.array([dtype(word) for word in raw[:, place[name]]])

    phantom, upid = column("phantom", int) != 0, column("upid", int)
    ids = column("id", int)
    keep = ~phantom & ((upid == -1) | np.isin(upid, ids[~phantom]))
    scene = read(DATA, REAL)
    halos, snapshot = scene.halos, scene.snapshot
    assert detect(DATA) == detect(DATA.parent) == "rockstar"
    assert halos.record["phantoms_dropped"] == phantom.sum() == 34
    assert halos.record["orphans_dropped"] == (~phantom & ~keep).sum() == 1
    assert len(halos) == keep.sum() == 401
    np.testing.assert_array_equal(halos["halo_id"], ids[keep])
    np.testing.assert_array_equal(halos["host_id"], np.where(upid == -1, ids, upid)[keep])
    np.testing.assert_array_equal(halos["is_central"], (upid == -1)[keep])
    np.testing.assert_array_equal(halos["mass"], column("mvir")[keep])
    np.testing.assert_array_equal(halos["vmax"], column("vmax")[keep])
    for i, x in enumerate("xyz"):
        np.testing.assert_array_equal(halos["position"][:, i], column(x)[keep])
        np.testing.assert_array_equal(halos["velocity"][:, i], column(f"v{x}")[keep])
    row = {i: k for k, i in enumerate(ids)}
    host = [row[i] for i in halos["host_id"]]
    np.testing.assert_array_equal(halos["host_mass"], column("m200c")[host])
    assert snapshot.box_size == 250.0
    assert snapshot.redshift == 1 / 0.07812 - 1
    assert snapshot.cosmology.to_dict() == {
        "h": 0.68,
        "omega_m": 0.307115,
        "omega_lambda": 0.692885,
    }
    assert snapshot.record["density_over_definition"] == pytest.approx(1, abs=1e-3)
    assert len(halos.columns["halo_id"]) == len(np.unique(halos["halo_id"]))


@real_data
@needs_data
def test_real_list_as_it_is_and_painted():
    refused(DATA, "upid, row 301 (line 366), in a phantom", "--orphans")
    refused(DATA, "--allow-empty-regions", orphans="drop")
    for chunk_rows in (7, 1 << 20):
        assert read(DATA, REAL._replace(chunk_rows=chunk_rows)).halos.digest() == (
            read(DATA, REAL).halos.digest()
        )
    scene = read(DATA, REAL)
    with pytest.raises(DomainError, match=r"redshift 11\.8"):
        mockgal.paint(scene, "hod", seed=1, calibration="gadget4-z0.00")
    central = read(DATA, REAL._replace(orphans="central")).halos
    assert central.record["orphans_made_central"] == 1

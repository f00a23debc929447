"""Density grids of other codes: their facts are asked for, and they give the same field as ours."""

import re
import shlex

import h5py
import numpy as np
import pytest
from matter_samples import write_grid

import mockgal
from mockgal.errors import BadValueError, HeaderError, MissingDatasetError, UsageError
from mockgal.fields.planes import mass_planes
from mockgal.testing.matter import write_bigfile_block

SIZE = 32
FACTS = {"matter_kind": "mass", "matter_assignment": "CIC", "matter_origin": "corner"}


@pytest.fixture(scope="module")
def mass(demo_bundle, tmp_path_factory):
    """The mass of the demo's matter in each voxel [Msun/h]."""
    path = tmp_path_factory.mktemp("grid") / "matter.hdf5"
    mockgal.field(demo_bundle, path, grid_size=SIZE)
    with h5py.File(path) as file:
        return file["density"][:]


@pytest.mark.parametrize("name", ["npy", "hdf5", "bigfile"])
@pytest.mark.parametrize("kind", ["mass", "counts", "delta", "1+delta"])
def test_the_same_field(name, kind, mass, demo_bundle, tmp_path):
    particle = mockgal.read(demo_bundle).snapshot.particle_mass
    relative = mass / mass.mean()
    values = {"mass": mass, "counts": mass / particle, "delta": relative - 1, "1+delta": relative}
    path = write_grid(name, tmp_path / "g", values[kind].astype("f4"), 16.0)
    sim = mockgal.read(demo_bundle, matter=path, **(FACTS | {"matter_kind": kind}))
    found = mass_planes(sim.field, sim.snapshot, 3, 7)
    np.testing.assert_allclose(found, mass[3:7], rtol=1e-3, atol=2e-7 * mass.max())
    record = sim.snapshot.record
    assert record["density_at_hosts"]["fits"]
    assert record["matter"]["given_by_user"] == ["kind", "assignment", "origin"]
    assert record["options_given"]["matter_kind"] == kind
    assert len(sim.snapshot.source) == 1 + record["matter"]["files"]


@pytest.mark.parametrize("name", ["npy", "hdf5", "bigfile"])
def test_one_refusal_asks_for_all_facts(name, mass, demo_bundle, mockgal_command, tmp_path):
    path = write_grid(name, tmp_path / "g", mass, 16.0).relative_to(tmp_path)
    build = ("build", "--sim", demo_bundle, "--painter", "hod", "--matter", path, "--out", "m.fits")
    result = mockgal_command(*build)
    assert result.returncode == 3
    assert re.search(r"no kind, mas, origin.*counts, mass, delta", result.stderr)
    options = re.findall(r"(--matter-\w+) (\w+)", result.stderr)
    assert len(options) == 3
    result = mockgal_command(*build, *(word for option in options for word in option))
    assert result.returncode == 0, result.stderr


def test_what_the_file_says_is_not_overridden(mass, demo_bundle, tmp_path):
    shape = np.array(mass.shape)
    attributes = {"ndarray__shape": shape, "BoxSize": 16.0, "resampler": "tsc"}
    write_bigfile_block(tmp_path / "g" / "Field", mass.ravel(), **attributes)
    with pytest.raises(UsageError, match="--matter-assignment: found CIC, expected TSC"):
        mockgal.read(demo_bundle, matter=tmp_path / "g", **FACTS)
    facts = {name: FACTS[name] for name in ("matter_kind", "matter_origin")}
    assert mockgal.read(demo_bundle, matter=tmp_path / "g", **facts).field.assignment == "TSC"
    write_bigfile_block(tmp_path / "g" / "Field", mass.ravel(), **(attributes | {"BoxSize": 17.0}))
    with pytest.raises(HeaderError, match="boxsize: found 17"):
        mockgal.read(demo_bundle, matter=tmp_path / "g", **facts)


def test_one_of_several_datasets(mass, demo_bundle, tmp_path):
    path = tmp_path / "g.hdf5"
    with h5py.File(path, "w") as file:
        file["cdm"], file["gas"], file["k"] = mass, 0 * mass, np.arange(5.0)
    with pytest.raises(MissingDatasetError, match=r"several cubes.*cdm, gas.*--matter-dataset"):
        mockgal.read(demo_bundle, matter=path, **FACTS)
    assert (
        mockgal.read(demo_bundle, matter=path, matter_dataset="cdm", **FACTS).field.kind == "mass"
    )


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    ("spoil", "facts", "words"),
    [
        (
            lambda m: m / m.mean(),
            {"matter_kind": "delta"},
            r"mean delta of 1\b.*--matter-kind 1\+de",
        ),
        (lambda m: m / 1e10, {}, r"a factor 1e-10"),
        (lambda m: m.transpose(2, 1, 0).copy(), {}, r"grid\.transpose\(2, 1, 0\)"),
        (lambda m: np.full_like(m, np.nan), {}, "NaN"),
    ],
)
def test_grids_that_cannot_be(spoil, facts, words, mass, demo_bundle, tmp_path):
    path = write_grid("npy", tmp_path / "g.npy", spoil(mass), 16.0)
    with pytest.raises(Exception, match=words) as caught:
        mockgal.read(demo_bundle, matter=path, **(FACTS | facts))
    assert isinstance(caught.value, BadValueError) or caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda m: m[:4], "shape .* expected a cube"),
        (lambda m: np.stack([m, m]), r"take one of the 2.*\[0\]"),
        (lambda m: m.astype("c8"), "numbers of type <c8.*real space"),
        (lambda m: np.asfortranarray(m), "Fortran's order.*ascontiguousarray"),
        (lambda m: m.astype(">f4"), None),
    ],
)
def test_arrays_of_other_shapes(values, words, mass, demo_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("g.npy", values(mass))
    if words is None:
        assert mockgal.read(demo_bundle, matter="g.npy", **FACTS).field.grid_size == SIZE
        return
    with pytest.raises(HeaderError, match=words) as caught:
        mockgal.read(demo_bundle, matter="g.npy", **FACTS)
    if "np.save" in caught.value.fix:  # the way out, tried
        exec(caught.value.fix.partition(": ")[2], {"np": np})
        assert mockgal.read(demo_bundle, matter="grid.npy", **FACTS).field.grid_size == SIZE


@pytest.mark.parametrize("name", ["npy", "hdf5", "bigfile"])
def test_inspect(name, mass, mockgal_command, tmp_path):
    path = write_grid(name, tmp_path / "g", mass / mass.mean(), 16.0).relative_to(tmp_path)
    result = mockgal_command("inspect", path)
    assert result.returncode == 0, result.stderr
    assert "32^3 voxels, mean 1" in result.stdout
    words = shlex.split(result.stdout.splitlines()[-1])
    assert words[words.index("--matter-kind") + 1] == "1+delta"
    assert words[words.index("--matter") + 1] == str(path)

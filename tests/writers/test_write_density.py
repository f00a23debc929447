"""Density grids: what is written is what is read, whatever the slabs."""

import json

import h5py
import numpy as np
import pytest
from write_samples import PROVENANCE, catalogue

from mockgal.errors import HeaderError, InternalError, OutputExistsError
from mockgal.fields.painted import painted_field
from mockgal.fields.sample import WEIGHTS
from mockgal.layout import COMPLETE, DENSITY, GRID_ATTRIBUTES
from mockgal.readers.density import read_density
from mockgal.writers import density as module
from mockgal.writers.density import write_density


@pytest.fixture
def path(tmp_path):
    return tmp_path / "field.hdf5"


@pytest.fixture(scope="module")
def galaxies():
    return catalogue(500)


def write(galaxies, path, weight="stellar_mass", size=12, **options):
    field = painted_field(galaxies, grid_size=size, weight=weight)
    given = {"quantity": WEIGHTS[weight], "provenance": {"galaxies": PROVENANCE}, **options}
    write_density(field, galaxies.snapshot, path, **given)
    return field


@pytest.mark.parametrize("weight", sorted(WEIGHTS))
def test_what_is_written_is_read(galaxies, path, weight):
    field = write(galaxies, path, weight)
    found = read_density(path)
    assert (found.grid_size, found.kind, found.assignment, found.origin) == (
        *(field.grid_size, field.kind, field.assignment, field.origin),
    )
    assert found.voxel_size == pytest.approx(field.voxel_size, rel=1e-15)
    np.testing.assert_array_equal(found.read_slab(0, 12), field.read_slab(0, 12))


def test_the_facts(galaxies, path):
    write(galaxies, path)
    with h5py.File(path) as file:
        facts = dict(file[DENSITY].attrs)
        assert set(facts) == {*GRID_ATTRIBUTES, "quantity"}
        assert (facts["quantity"], facts["unit"]) == (b"stellar mass", b"Msun/h")
        assert (facts["boxsize"], facts["redshift"]) == (100.0, 0.5)
        assert file[DENSITY].fletcher32
        assert file[DENSITY].dtype == "<f8"
        assert file.attrs[COMPLETE] == 1
        provenance = json.loads(file["provenance"][:].tobytes())
    assert provenance["galaxies"] == PROVENANCE
    assert provenance["grid"]["quantity"] == "stellar mass"
    assert provenance["grid"]["grid_size"] == 12
    assert provenance["snapshot"]["cosmology"] == galaxies.snapshot.cosmology.to_dict()


def test_the_bytes_do_not_depend_on_the_slabs_or_the_order(galaxies, path, monkeypatch):
    write(galaxies, path)
    first = path.read_bytes()
    monkeypatch.setattr(module, "SLAB_BYTES", 5 * 8 * 12**2)
    told = []
    write(galaxies, path, overwrite=True, progress=lambda *a: told.append(a))
    assert path.read_bytes() == first
    assert told == [(i + 1, 12, "density") for i in range(12)]


def test_another_field_than_the_matter_is_no_field_of_a_simulation(galaxies, path):
    write(galaxies, path)
    with pytest.raises(HeaderError, match="'stellar mass', expected 'matter'"):
        read_density(path, galaxies.snapshot)
    field = painted_field(galaxies, grid_size=12, weight="number")
    write_density(field, galaxies.snapshot, path, quantity="matter", provenance={}, overwrite=True)
    assert read_density(path, galaxies.snapshot).kind == "counts"


def test_nothing_is_replaced_unasked(galaxies, path):
    path.write_text("old")
    with pytest.raises(OutputExistsError):
        write(galaxies, path)
    assert path.read_text() == "old"


def test_damage_is_seen(galaxies, path, monkeypatch):
    real = module.verify

    def verify(written, sums):
        with h5py.File(written, "r+") as file:
            file[DENSITY][3, 4, 5] += 1.0
        real(written, sums)

    monkeypatch.setattr(module, "verify", verify)
    with pytest.raises(InternalError, match="density"):
        write(galaxies, path)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(("rows", "size"), [(0, 256), (300, 256), (20_000, 64)])
def test_the_room_asked_for_is_enough_and_not_that_of_an_empty_grid(path, rows, size, monkeypatch):
    from mockgal.system.files import atomic
    from mockgal.writers import density

    asked = []

    def watched(*arguments, **options):
        asked.append(options["expected_bytes"])
        return atomic.atomic_output(*arguments, **options)

    monkeypatch.setattr(density, "atomic_output", watched)
    write(catalogue(rows), path, size=size, most_filled=8 * rows)
    assert path.stat().st_size <= asked[0]
    assert asked[0] <= 8 * size**3 * 13 // 12 + (1 << 18)
    if rows < 1000:
        assert asked[0] < size**3 / 10


def test_room_is_asked_for_both_channels(galaxies, path, monkeypatch):
    from mockgal.system.files import atomic

    asked = []
    real = atomic.check_output

    def watched(path, overwrite, inputs=(), expected_bytes=0):
        asked.append(expected_bytes)
        real(path, overwrite, inputs, expected_bytes)

    monkeypatch.setattr(atomic, "check_output", watched)
    field = painted_field(galaxies, grid_size=32)
    write(galaxies, path, size=32, subhalos=field, most_filled_by_subhalos=100)
    assert max(asked) == module.grid_bytes(32) + module.grid_bytes(32, 100)
    assert path.stat().st_size <= max(asked)
    found = read_density(path, dataset="subhalo_mass")
    np.testing.assert_array_equal(found.read_slab(0, 32), field.read_slab(0, 32))

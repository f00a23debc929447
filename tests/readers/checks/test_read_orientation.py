"""A density grid is that of its halos, or refused with what makes it right."""

import h5py
import numpy as np
import pytest

import mockgal
from mockgal.errors import BadValueError, MockgalWarning
from mockgal.readers.checks.orientation import AS_IT_IS, VIEWS, View

SIZE = 32


def put(path, like, values, **changes):
    """A grid like that of another file, with other numbers."""
    with h5py.File(like) as file:
        attributes = dict(file["density"].attrs)
    with h5py.File(path, "w") as file:
        file["density"] = values
        file["density"].attrs.update({**attributes, **changes})
    return path


def grid_of(path):
    with h5py.File(path) as file:
        return file["density"][:]


@pytest.fixture(scope="module")
def matter(demo_bundle, tmp_path_factory):
    """The matter of the demo on grids of both origins, by origin."""
    folder = tmp_path_factory.mktemp("matter")
    paths = {}
    for origin in ("corner", "centre"):
        paths[origin] = folder / f"{origin}.hdf5"
        mockgal.field(demo_bundle, paths[origin], grid_size=SIZE, origin=origin)
    return paths


def test_views():
    assert len(set(VIEWS)) == len(VIEWS) == 6 * 8 * 8
    grid = np.arange(6**3).reshape(6, 6, 6)
    voxel = np.stack(np.unravel_index(np.arange(6**3), (6, 6, 6)), axis=1)
    for origin in ("corner", "centre"):
        for view in VIEWS:
            right = eval(view.remedy(6, origin), {"np": np, "grid": grid})
            np.testing.assert_array_equal(
                right.ravel(), grid[tuple(view.places(voxel, 6, origin).T)], err_msg=str(view)
            )
    np.testing.assert_array_equal(AS_IT_IS.places(voxel, 6, "corner"), voxel)
    assert View((2, 1, 0), (False,) * 3, (False,) * 3).remedy(6, "corner") == (
        "grid.transpose(2, 1, 0)"
    )


@pytest.mark.fault(46)
@pytest.mark.parametrize("origin", ["corner", "centre"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda g: g.transpose(2, 1, 0),
        lambda g: g.transpose(1, 2, 0),
        lambda g: np.flip(g, 1),
        lambda g: np.roll(g, SIZE // 2, (0, 2)),
        lambda g: np.roll(np.flip(g, 0).transpose(0, 2, 1), SIZE // 2, 1),
    ],
)
def test_a_grid_in_another_orientation(demo_bundle, matter, tmp_path, spoil, origin):
    good = matter[origin]
    fit = mockgal.read(demo_bundle, matter=good).snapshot.record["density_at_hosts"]
    assert fit["fits"]
    assert fit["sigma"] > 3 * fit["sigma_of_best_other_view"]
    wrong = spoil(grid_of(good))
    path = put(tmp_path / "wrong.hdf5", good, wrong)
    for call in (
        lambda: mockgal.read(demo_bundle, matter=path),
        lambda: mockgal.pack(demo_bundle, tmp_path / "b.hdf5", matter=path),
    ):
        with pytest.raises(BadValueError, match="standard deviations") as caught:
            call()
        assert "wrong.hdf5:/density" in str(caught.value)
    # The way out that the message names, tried.
    code = caught.value.fix.removeprefix("write it again as ").removesuffix(" with NumPy as np")
    again = put(tmp_path / "again.hdf5", good, eval(code, {"np": np, "grid": wrong}))
    found = mockgal.read(demo_bundle, matter=again).snapshot.record["density_at_hosts"]
    assert found["sigma"] == pytest.approx(fit["sigma"], rel=0.5)


@pytest.mark.fault(46)
def test_a_grid_that_fits_in_no_orientation(demo_bundle, matter, tmp_path):
    grid = grid_of(matter["corner"])
    other = np.random.default_rng(1).permutation(grid.ravel()).reshape(grid.shape)
    for name, values in (("shifted", np.roll(grid, SIZE // 4, 0)), ("other", other)):
        path = put(tmp_path / f"{name}.hdf5", matter["corner"], values)
        with pytest.raises(BadValueError, match="where the matter is"):
            mockgal.read(demo_bundle, matter=path)


def test_what_cannot_be_told_is_said(demo_bundle, matter, tmp_path):
    """A grid so coarse that all halos are in a few voxels; it is read."""
    coarse = grid_of(matter["corner"]).reshape(2, 16, 2, 16, 2, 16).sum(axis=(1, 3, 5))
    path = put(tmp_path / "coarse.hdf5", matter["corner"], coarse)
    with pytest.warns(MockgalWarning, match="cannot show"):
        sim = mockgal.read(demo_bundle, matter=path)
    assert sim.snapshot.record["density_at_hosts"]["fits"] is None


@pytest.mark.fault(46)
def test_bundles_carry_the_fit_and_are_looked_at(demo_bundle, matter, tmp_path):
    path = tmp_path / "packed.hdf5"
    mockgal.pack(demo_bundle, path, matter=matter["corner"], particles=False)
    assert mockgal.read(path).snapshot.record["density_at_hosts"]["fits"]
    with h5py.File(path, "r+") as file:
        file["density"][...] = file["density"][:].transpose(2, 1, 0)
    with pytest.raises(BadValueError, match=r"/density: .*z, y, x"):
        mockgal.read(path)

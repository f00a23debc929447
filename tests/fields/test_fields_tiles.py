"""Tiles against naive periodic crops of the whole grid; which planes are read; what is held."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal.fields import tiles as module
from mockgal.fields.tiles import held_bytes, tile_rows, tiles


class Channel:
    """Planes of a grid, and which were asked for."""

    def __init__(self, grid):
        self.grid, self.asked = grid, []

    def __call__(self, start, stop):
        assert 0 <= start < stop <= len(self.grid)
        self.asked.append((start, stop))
        return self.grid[start:stop]

    @property
    def planes(self):
        """Each plane that was read, in order."""
        return [plane for start, stop in self.asked for plane in range(start, stop)]


def grids(size, channels=2):
    """Values that float32 holds, all different."""
    return np.arange(channels * size**3, dtype=float).reshape(channels, size, size, size)


def every_tile(size, tile_size):
    along = range(-(-size // tile_size))
    return np.array(list(product(along, along, along)))


def naive(whole, first, tile_size, reach):
    """A tile with its margin, voxel by voxel."""
    size = whole.shape[1]
    along = [
        [v % size for v in range(start + reach[0], min(start + tile_size, size) + reach[1])]
        for start in first
    ]
    return whole[:, along[0]][:, :, along[1]][:, :, :, along[2]]


def compare(size, tile_size, reach, occupied, step):
    whole = grids(size)
    channels = [Channel(grid) for grid in whole]
    options = {"grid_size": size, "tile_size": tile_size, "reach": reach, "occupied": occupied}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BYTES", step * 8 * size**2)
        number = 0
        for index, tile in zip(occupied, tiles(channels, **options), strict=True):
            assert np.array_equal(tile.first, index * tile_size)
            assert tile.values.dtype == np.float32
            expected = naive(whole, index * tile_size, tile_size, reach)
            assert np.array_equal(tile.values, expected)
            number += 1
    assert number == len(occupied)
    return channels


@settings(max_examples=150)
@given(data=st.data())
def test_as_naive(data):
    size = data.draw(st.integers(1, 9), "grid_size")
    tile_size = data.draw(st.integers(1, 11), "tile_size")
    reach = data.draw(st.tuples(st.integers(-12, 0), st.integers(0, 12)), "reach")
    every = every_tile(size, tile_size)
    wanted = data.draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every)), "wanted")
    step = data.draw(st.integers(0, 4), "planes at a time")
    channels = compare(size, tile_size, reach, every[np.array(wanted)], step)
    assert channels[0].asked == channels[1].asked
    assert all(stop - start <= max(1, step) for start, stop in channels[0].asked)


@pytest.mark.parametrize("reach", [(-3, 3), (-4, 2), (0, 0), (0, 5)])
@pytest.mark.parametrize("tile_size", [4, 5, 7])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_each_plane_is_read_once_while_rolling(reach, tile_size, step):
    """From the first tile's margin to the last's; those of both are the periodic edge's."""
    size = 20
    channels = compare(size, tile_size, reach, every_tile(size, tile_size), step)
    expected = [plane % size for plane in range(reach[0], size + reach[1])]
    for channel in channels:
        assert channel.planes == expected
    if step == 100:  # one call for what a row of tiles adds, two where the edge is in it
        assert len(channels[0].asked) <= -(-size // tile_size) + 2


@pytest.mark.parametrize("size", [3, 6, 9])
def test_a_grid_that_tiles_cover_is_read_once(size):
    channels = compare(size, 4, (-4, 4), every_tile(size, 4), 2)
    assert sorted(channels[0].planes) == list(range(size))


def test_planes_that_no_tile_needs_are_not_read():
    occupied = np.array([[1, 0, 3], [1, 2, 0], [4, 4, 4]])
    channels = compare(40, 4, (-2, 3), occupied, 3)
    assert channels[0].planes == [*range(2, 11), *range(14, 23)]


def test_tiles_that_share_planes_leave_out_those_between():
    occupied = np.array([[1, 0, 0], [3, 0, 0]])  # planes 2 to 10, and 10 to 18
    channels = compare(40, 4, (-2, 3), occupied, 3)
    assert channels[0].planes == [*range(2, 19)]


def test_nothing_wanted():
    channels = compare(8, 4, (-2, 2), np.empty((0, 3), dtype=int), 1)
    assert channels[0].asked == []


def test_tiles_do_not_change_afterwards():
    """What was yielded stays as it was while later ones are made."""
    occupied = every_tile(9, 3)
    channels = [Channel(grids(9, 1)[0])]
    made = list(tiles(channels, grid_size=9, tile_size=3, reach=(-1, 2), occupied=occupied))
    for tile, index in zip(made, occupied, strict=True):
        assert np.array_equal(tile.values, naive(grids(9, 1), index * 3, 3, (-1, 2)))


def test_the_tile_of_a_voxel():
    voxel = np.array([[0, 4, 5], [9, 10, 14]])
    assert np.array_equal(tile_rows(voxel, 5), [[0, 0, 1], [1, 2, 2]])


@pytest.mark.parametrize(
    ("size", "tile_size", "reach"),
    [
        (96, 32, (-16, 16)),
        (96, 40, (-8, 8)),  # the last is smaller
        (90, 64, (-8, 8)),  # two, of very different sizes
        (48, 32, (-32, 32)),  # more than the grid
        (48, 8, (-2, 2)),  # planes above all
        (24, 24, (-40, 40)),  # a tile above all
    ],
)
@pytest.mark.parametrize("step", [1, 10])
def test_memory_is_bounded(size, tile_size, reach, step, monkeypatch):
    """By tracing allocations; the planes are made when they are asked for."""
    monkeypatch.setattr(module, "_BYTES", step * 8 * size**2)

    def planes(start, stop):
        return np.ones((stop - start, size, size))

    occupied = every_tile(size, tile_size)
    bound = held_bytes(size, tile_size, reach, 2)
    tracemalloc.start()
    try:
        for tile in tiles(
            [planes, planes], grid_size=size, tile_size=tile_size, reach=reach, occupied=occupied
        ):
            assert tile.values.shape[0] == 2
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= bound + (256 << 10)  # of NumPy's indexing, whatever the size
    assert bound <= 3 * peak  # and no more than there need be

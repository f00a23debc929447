"""Mass assignment: analytic cases, totals, refusals, and what its bits do not depend on."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import BadValueError, ResourceError, UsageError
from mockgal.fields import assign
from mockgal.fields.assign import SUPPORT, Deposit, deposit, reference, total_mass
from mockgal.fields.waves.fourier import axis_window

SCHEMES = sorted(SUPPORT)
# Shares of a particle in the middle of a voxel, and of one on the border to the next.
MIDDLE = {
    "NGP": [0, 0, 1, 0, 0],
    "CIC": [0, 0, 1, 0, 0],
    "TSC": [0, 1 / 8, 3 / 4, 1 / 8, 0],
    "PCS": [0, 1 / 6, 2 / 3, 1 / 6, 0],
}
BORDER = {
    "NGP": [0, 0, 0, 1, 0],
    "CIC": [0, 0, 1 / 2, 1 / 2, 0],
    "TSC": [0, 0, 1 / 2, 1 / 2, 0],
    "PCS": [0, 1 / 48, 23 / 48, 23 / 48, 1 / 48],
}


def particles(n, box_size, seed=1):
    """Positions at random, some at voxel borders and centres of small grids, and masses."""
    rng = np.random.default_rng(seed)
    position = rng.random((n, 3)) * box_size
    special = rng.random((n, 3)) < 0.3
    position[special] = rng.integers(0, 240, special.sum()) * (box_size / 240)
    position[rng.random((n, 3)) < 0.05] = np.nextafter(box_size, 0)
    position = np.minimum(position, np.nextafter(box_size, 0))
    return position, 10 ** rng.uniform(6, 15, n)


# ---- analytic cases


@pytest.mark.parametrize("assignment", SCHEMES)
@pytest.mark.parametrize("size", [5, 8, 16])
def test_one_particle(assignment, size):
    for place, shares in ((0.5, MIDDLE), (1.0, BORDER)):
        voxel = np.array([2, size - 1, 0])  # across the sides of the box, too
        position = (voxel + place) % size
        field = deposit(
            position[None] * 3.0, 7.0, grid_size=size, box_size=size * 3.0, assignment=assignment
        )
        axis = np.zeros(size)
        axis[:5] = shares[assignment]
        x, y, z = (np.roll(axis, i - 2) for i in voxel)
        expected = 7.0 * x[:, None, None] * y[:, None] * z
        np.testing.assert_allclose(field, expected, rtol=0, atol=1e-14)


def test_cic_by_hand():
    field = deposit([[1.25, 2.5, 0.6]], 8.0, grid_size=4, box_size=4.0)
    expected = np.zeros((4, 4, 4))
    expected[0, 2, 0], expected[1, 2, 0] = 8 * 0.25 * 0.9, 8 * 0.75 * 0.9
    expected[0, 2, 1], expected[1, 2, 1] = 8 * 0.25 * 0.1, 8 * 0.75 * 0.1
    np.testing.assert_allclose(field, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("assignment", SCHEMES)
def test_a_lattice_finer_than_the_grid_is_even(assignment):
    """Partition of unity: however a lattice lies, all voxels get the same of it."""
    x = (np.arange(24) + 0.3) / 24
    position = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    field = deposit(position, 1.0, grid_size=8, box_size=1.0, assignment=assignment)
    np.testing.assert_allclose(field, 27.0, rtol=1e-13)


@pytest.mark.parametrize("assignment", SCHEMES)
def test_the_cloud_has_its_window(assignment):
    """Averaged over places within a voxel, the waves of a particle are those of its cloud."""
    size, fine = 6, 32
    x = (np.arange(fine) + 0.5) / fine + 2.0
    wave = np.zeros(size, dtype=complex)
    frequency = np.fft.fftfreq(size)
    for place in x:
        field = deposit(
            [[place, 0.5, 0.5]], 1.0, grid_size=size, box_size=size, assignment=assignment
        )
        phase = np.exp(2j * np.pi * frequency * (place - 0.5))
        wave += np.fft.fft(field.sum(axis=(1, 2))) * phase / fine
    np.testing.assert_allclose(wave.imag, 0, atol=1e-12)
    np.testing.assert_allclose(wave.real, axis_window(size, assignment), atol=2e-3)


# ---- against the reference


MASSES = st.just(0.0) | st.floats(1e-200, 1)  # units of mass are 2^-1000 at least


@pytest.mark.parametrize("assignment", SCHEMES)
@pytest.mark.parametrize("box_size", [1.0, 75.0, 100.3])
def test_as_the_reference(assignment, box_size):
    position, mass = particles(400, box_size)
    for size in (1, 2, 3, 4, 5, 8, 15, 16, 17, 33):
        if size < SUPPORT[assignment]:
            continue
        options = {"grid_size": size, "box_size": box_size, "assignment": assignment}
        found = deposit(position, mass, **options)
        expected = reference(position, mass, **options)
        assert found.min() >= 0
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15 * mass.sum())


@given(
    st.sampled_from(SCHEMES),
    st.integers(1, 12),
    st.lists(st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3, MASSES), max_size=12),
    st.sampled_from([1.0, 0.3, 100.0]),
)
def test_any_particles(assignment, size, rows, box_size):
    size = max(size, SUPPORT[assignment])
    rows = np.array(rows).reshape(-1, 4)
    position = np.minimum(rows[:, :3] * box_size, np.nextafter(box_size, 0))
    options = {"grid_size": size, "box_size": box_size, "assignment": assignment}
    found = deposit(position, rows[:, 3], **options)
    expected = reference(position, rows[:, 3], **options)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert found.min() >= 0


@pytest.mark.slow
def test_many_particles_on_a_larger_grid(monkeypatch):
    """Several blocks, parts, slabs and tiles, some of which are fetched and some not."""
    monkeypatch.setattr(assign, "_BLOCK_ROWS", 90_000)
    monkeypatch.setattr(assign, "_TILE_BYTES", 1 << 14)
    rng = np.random.default_rng(3)
    position = rng.random((200_000, 3)) * 50.0
    position[:50_000] = np.mod(rng.normal(49.0, 2.0, (50_000, 3)), 50.0)
    mass = rng.random(200_000)
    for assignment in ("CIC", "PCS"):
        options = {"grid_size": 60, "box_size": 50.0, "assignment": assignment}
        found = deposit(position, mass, **options)
        np.testing.assert_allclose(found, reference(position, mass, **options), atol=1e-10)


# ---- totals


@pytest.mark.parametrize("assignment", SCHEMES)
def test_mass_is_conserved(assignment):
    position, mass = particles(3000, 10.0)
    field = deposit(position, mass, grid_size=16, box_size=10.0, assignment=assignment)
    assert field.sum() == pytest.approx(mass.sum(), rel=1e-14)
    # Whole masses are conserved exactly, however odd the places.
    whole = np.random.default_rng(2).integers(1, 1000, 3000)
    field = Deposit(16, 10.0, assignment, mass_bound=float(whole.sum()))
    field.add(position, whole)
    units = field._grid.sum()
    assert units == int(whole.sum()) * int(field._scale)
    assert field.finish().sum() == pytest.approx(whole.sum(), rel=1e-15)


@pytest.mark.parametrize("assignment", SCHEMES)
def test_masses_of_all_sizes_together(assignment):
    """A dwarf keeps its mass beside clusters."""
    rng = np.random.default_rng(4)
    position = rng.random((1001, 3)) * [4.0, 10.0, 10.0] + [5.0, 0.0, 0.0]
    position[0] = [1.3, 4.7, 9.9]
    mass = np.full(1001, 1e15)
    mass[0] = 1e6
    field = deposit(position, mass, grid_size=20, box_size=10.0, assignment=assignment)
    assert field[:7].sum() == pytest.approx(1e6, abs=64 * 2.0**-61 * 1e18)
    assert field.sum() == pytest.approx(1e18 + 1e6, rel=1e-15)


def test_masses_beyond_what_a_float_resolves_are_still_divided_exactly():
    """One particle has all the mass, so that its whole mass has more bits than a float."""
    rng = np.random.default_rng(5)
    for assignment in SCHEMES:
        for place in (rng.random(3), np.nextafter(0.5, [0, 1, 1]), np.full(3, 1 - 2.0**-53)):
            bound = 1.0 + rng.random()
            field = Deposit(4, 1.0, assignment, mass_bound=bound)
            field.add(place[None], bound)
            assert field._grid.sum() == int(bound * field._scale)
            assert field._grid.min() >= 0


@pytest.mark.parametrize("assignment", SCHEMES)
def test_no_particles_and_no_mass(assignment):
    options = {"grid_size": 4, "box_size": 1.0, "assignment": assignment}
    assert not deposit(np.empty((0, 3)), np.empty(0), **options).any()
    assert not deposit(np.empty((0, 3)), 1.0, **options).any()
    field = deposit(np.full((5, 3), 0.3), 0.0, **options)
    assert field.shape == (4, 4, 4)
    assert field.dtype == np.float64
    assert not field.any()


def test_total_mass():
    rng = np.random.default_rng(6)
    mass = 10 ** rng.uniform(6, 15, 100_000)
    bound = total_mass(mass)
    assert mass.sum() <= bound * (1 + 1e-15)
    assert bound == pytest.approx(mass.sum(), rel=1e-10)
    assert total_mass(rng.permutation(mass)) == bound
    assert total_mass(np.full(3, 0.1)) == pytest.approx(0.3)
    assert total_mass(np.empty(0)) == total_mass(np.zeros(3)) == 0


# ---- symmetries, and what the bits do not depend on


@pytest.mark.parametrize("assignment", SCHEMES)
def test_a_shift_by_whole_voxels_rolls_the_field(assignment):
    rng = np.random.default_rng(7)
    position = rng.integers(0, 1 << 20, (500, 3)) / 2.0**16  # sums are exact
    mass = rng.random(500)
    options = {"grid_size": 16, "box_size": 16.0, "assignment": assignment}
    field = deposit(position, mass, **options)
    shift = np.array([3, 15, 8])
    moved = deposit((position + shift) % 16.0, mass, **options)
    np.testing.assert_array_equal(moved, np.roll(field, shift, axis=(0, 1, 2)))


@pytest.mark.parametrize("assignment", SCHEMES)
def test_axes_are_alike(assignment):
    position, mass = particles(500, 10.0)
    options = {"grid_size": 9, "box_size": 10.0, "assignment": assignment}
    field = deposit(position, mass, **options)
    for axes in itertools.permutations(range(3)):
        turned = deposit(position[:, axes], mass, **options)
        np.testing.assert_allclose(turned, field.transpose(axes), rtol=1e-12, atol=1)


@pytest.mark.parametrize("assignment", SCHEMES)
def test_the_bits_do_not_depend_on_order_pieces_or_threads(assignment, monkeypatch):
    rng = np.random.default_rng(8)
    position, mass = particles(150_000, 10.0)
    options = {"grid_size": 24, "box_size": 10.0, "assignment": assignment}
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    field = deposit(position, mass, **options)
    order = rng.permutation(len(mass))
    for threads, block in ((1, 1 << 22), (2, 1 << 22), (5, 100_000)):
        monkeypatch.setenv("NUMBA_NUM_THREADS", str(threads))
        monkeypatch.setattr(assign, "_BLOCK_ROWS", block)
        np.testing.assert_array_equal(deposit(position[order], mass[order], **options), field)
        pieces = Deposit(24, 10.0, assignment, mass_bound=total_mass(mass))
        for rows in np.array_split(order, 7):
            pieces.add(position[rows], mass[rows])
        np.testing.assert_array_equal(pieces.finish(), field)


@pytest.mark.parametrize("assignment", SCHEMES)
@pytest.mark.parametrize("size", [5, 16, 21])
def test_planes_are_those_of_the_whole(assignment, size):
    position, mass = particles(3000, 10.0)
    bound = total_mass(mass)
    whole = deposit(position, mass, grid_size=size, box_size=10.0, assignment=assignment)
    for planes in ((0, 1), (size - 1, size), (1, 3), (0, size - 1), (3, size)):
        some = Deposit(size, 10.0, assignment, mass_bound=bound, planes=planes)
        some.add(position, mass)
        found = some.finish()
        assert found.shape == (planes[1] - planes[0], size, size)
        np.testing.assert_array_equal(found, whole[slice(*planes)])


@pytest.mark.parametrize("assignment", SCHEMES)
def test_slabs_deposited_at_a_time_share_no_plane(assignment):
    support = SUPPORT[assignment]
    for size in range(support, 60):
        field = Deposit(size, 1.0, assignment, mass_bound=1.0)
        edges = field._edges
        assert (edges[0], edges[-1]) == (0, size)
        assert len(edges) == 2 or len(edges) % 2 == 1
        slab = field._tile_of_plane // field._tiles
        for i, (first, stop) in enumerate(itertools.pairwise(edges)):
            assert (slab[first:stop] == i).all()
        for some in (range(0, len(edges) - 1, 2), range(1, len(edges) - 1, 2)):
            planes = []
            for i in some:
                reached = range(edges[i] - (support - 1) // 2, edges[i + 1] + support // 2)
                planes += [plane % size for plane in reached] if len(edges) > 2 else []
            assert len(planes) == len(set(planes))


def test_any_form_of_the_same_numbers():
    position, mass = particles(1000, 8.0)
    position = np.minimum(position.astype(np.float32), np.nextafter(np.float32(8), 0))
    mass = mass.astype(np.float32)
    options = {"grid_size": 10, "box_size": 8.0}
    field = deposit(position.astype(np.float64), mass.astype(np.float64), **options)
    wide = np.zeros((1000, 7))
    wide[:, 1:6:2] = position
    swapped = mass.astype(">f8")
    for same in (position, np.asfortranarray(position), wide[:, 1:6:2], position.tolist()):
        np.testing.assert_array_equal(deposit(same, mass, **options), field)
    np.testing.assert_array_equal(deposit(position.astype(">f4"), swapped, **options), field)
    frozen = position.astype(np.float64)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(deposit(frozen, mass[:], **options), field)
    ones = deposit(frozen, np.ones(1000, dtype=np.int32), **options)
    np.testing.assert_array_equal(deposit(frozen, 1, **options), ones)


# ---- refusals


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-300, 10.0, -np.inf])
@pytest.mark.parametrize("axis", range(3))
def test_positions_outside_the_box(bad, axis):
    position = np.full((9, 3), 5.0)
    position[[4, 7], axis] = bad
    with pytest.raises(BadValueError, match=r"2 positions.*row 4.*\[0, 10\).*wrap"):
        deposit(position, 1.0, grid_size=8, box_size=10.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-3])
def test_weights_that_are_no_masses(bad):
    mass = np.ones(9)
    mass[[3, 8]] = bad
    for give in (
        lambda: deposit(np.ones((9, 3)), mass, grid_size=8, box_size=10.0),
        lambda: Deposit(8, 10.0, "CIC", mass_bound=100.0).add(np.ones((9, 3)), mass),
    ):
        with pytest.raises(BadValueError, match=r"\b2 .*negative.*row 3"):
            give()


def test_more_mass_than_the_bound():
    field = Deposit(8, 10.0, "CIC", mass_bound=10.0)
    field.add(np.ones((9, 3)), 1.0)
    with pytest.raises(BadValueError, match=r"above 10.*total mass"):
        field.add(np.ones((2, 3)), 1.0)
    with pytest.raises(UsageError, match="failed with an error"):  # not a field of some particles
        field.finish()
    with pytest.raises(BadValueError, match="a sum above 10"):
        Deposit(8, 10.0, "CIC", mass_bound=10.0).add(np.ones((1, 3)), 1e300)
    with pytest.raises(BadValueError, match="a sum above 0"):
        Deposit(8, 10.0, "CIC", mass_bound=0.0).add(np.ones((1, 3)), 1.0)
    exact = Deposit(8, 10.0, "CIC", mass_bound=0.3)
    for _ in range(3):  # 0.1 + 0.1 + 0.1 > 0.3
        exact.add(np.ones((1, 3)), 0.1)
    assert exact.finish().sum() == pytest.approx(0.3, rel=1e-15)


def test_a_finished_field():
    field = Deposit(8, 10.0, "CIC", mass_bound=10.0)
    field.finish()
    for use in (field.finish, lambda: field.add(np.ones((1, 3)), 1.0)):
        with pytest.raises(UsageError, match="one that is finished"):
            use()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"assignment": "cic"}, "'cic'.*NGP, CIC, TSC, PCS"),
        ({"grid_size": 3}, "3, expected at least 4"),
        ({"box_size": 0.0}, "0.0, expected a positive"),
        ({"box_size": np.nan}, "nan, expected a positive"),
        ({"mass_bound": -1.0}, "mass bound"),
        ({"mass_bound": np.inf}, "mass bound"),
        ({"planes": (3, 3)}, "3 to 3"),
        ({"planes": (5, 9)}, "5 to 9, expected some of 0 to 8"),
    ],
)
def test_what_makes_no_grid(options, words):
    given_ = {"grid_size": 8, "box_size": 1.0, "assignment": "PCS", "mass_bound": 1.0, **options}
    with pytest.raises(UsageError, match=words):
        Deposit(**given_)


def test_shapes():
    for position, weight in (
        (np.ones((4, 2)), 1.0),
        (np.ones(3), 1.0),
        (np.ones((4, 3)), np.ones(3)),
        (np.ones((4, 3)), np.ones((4, 1))),
    ):
        with pytest.raises(BadValueError, match="shape"):
            deposit(position, weight, grid_size=8, box_size=10.0)


def test_a_grid_larger_than_memory():
    with pytest.raises(ResourceError, match="64000000000000000 bytes"):
        Deposit(200_000, 1.0, "CIC", mass_bound=1.0)

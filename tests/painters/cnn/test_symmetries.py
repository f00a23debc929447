"""The symmetries of the cube are a group, and turn fields and vectors alike."""

from itertools import permutations, product

import numpy as np
import pytest
import torch

from mockgal.painters.cnn.symmetries import Symmetry, rotations, symmetries

ALL = symmetries()


def matrix(symmetry):
    """On column vectors."""
    return symmetry.turn_vectors(np.eye(3, dtype=int)).T


def with_matrix(wanted):
    """The symmetry that a matrix is."""
    (found,) = (symmetry for symmetry in ALL if np.array_equal(matrix(symmetry), wanted))
    return found


def labels(*shape):
    """A field whose values are all different."""
    return torch.arange(int(np.prod(shape))).reshape(shape)


def test_all_signed_permutations_once():
    expected = {
        tuple((np.eye(3, dtype=int)[list(axes)] * signs).ravel())
        for axes in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    }
    found = [tuple(matrix(symmetry).ravel()) for symmetry in ALL]
    assert len(found) == 48
    assert set(found) == expected


def test_the_first_leaves_all_as_it_is():
    field = labels(2, 4, 5, 6)
    assert torch.equal(ALL[0].turn(field), field)
    assert np.array_equal(matrix(ALL[0]), np.eye(3))


def test_a_group_of_fields():
    """What two turns make of a field is what the turn of the product of their matrices does."""
    field = labels(3, 3, 3)
    for first, second in product(ALL, ALL):
        both = with_matrix(matrix(second) @ matrix(first))
        assert torch.equal(second.turn(first.turn(field)), both.turn(field))


def test_each_has_an_inverse():
    field = labels(2, 3, 4, 5)
    for symmetry in ALL:
        inverse = with_matrix(matrix(symmetry).T)
        assert torch.equal(symmetry.undo(field), inverse.turn(field))
        assert torch.equal(symmetry.undo(symmetry.turn(field)), field)
        assert torch.equal(symmetry.turn(symmetry.undo(field)), field)


def test_rotations():
    found = rotations()
    assert len(found) == 24
    for symmetry in ALL:
        assert round(np.linalg.det(matrix(symmetry))) == (1 if symmetry in found else -1)
        assert symmetry.is_rotation == (symmetry in found)


@pytest.mark.parametrize("symmetry", ALL, ids=str)
def test_fields_and_vectors_turn_alike(symmetry):
    """A function of position, put on a grid about the origin, turns as its positions do."""
    sides = np.array([4, 5, 7])
    index = np.stack(np.meshgrid(*map(np.arange, sides), indexing="ij"), axis=-1).reshape(-1, 3)
    position = index - (sides - 1) / 2
    field = labels(*sides.tolist())
    turned = symmetry.turn(field)
    middle = (np.array(turned.shape) - 1) / 2
    place = symmetry.turn_vectors(position) + middle
    assert np.array_equal(place, np.rint(place))
    assert np.array_equal(turned[tuple(place.astype(int).T)], field[tuple(index.T)])


@pytest.mark.parametrize("symmetry", ALL, ids=str)
def test_leading_axes_stay(symmetry):
    field = labels(2, 3, 4, 5, 6)
    turned = symmetry.turn(field)
    assert sorted(turned.shape[2:]) == [4, 5, 6]
    for i, j in product(range(2), range(3)):
        assert torch.equal(turned[i, j], symmetry.turn(field[i, j]))
        assert torch.equal(symmetry.undo(field)[i, j], symmetry.undo(field[i, j]))


def test_one_by_hand():
    """A quarter about the third axis takes the first axis to the second."""
    quarter = Symmetry((1, 0, 2), (-1, 1, 1))
    assert quarter.is_rotation
    assert np.array_equal(quarter.turn_vectors(np.array([[1, 2, 3]])), [[-2, 1, 3]])
    field = torch.zeros(3, 3, 3)
    field[2, 1, 1] = 1  # one to the right along the first axis
    assert torch.nonzero(quarter.turn(field)).tolist() == [[1, 2, 1]]
    assert torch.equal(quarter.turn(field), torch.rot90(field, 1, (0, 1)))


def test_no_vectors():
    assert ALL[7].turn_vectors(np.empty((0, 3))).shape == (0, 3)

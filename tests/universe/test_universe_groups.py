"""Friends of friends against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from mockgal.errors import UsageError
from mockgal.universe.groups import friends_of_friends


def naive(position, box_size, linking_length):
    apart = np.abs(position[:, None] - position)
    apart = np.minimum(apart, box_size - apart)
    _, label = connected_components((apart**2).sum(-1) <= linking_length**2)
    lowest = np.full(label.max() + 1, len(position))
    np.minimum.at(lowest, label, np.arange(len(position)))
    return lowest[label]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 300),
    st.sampled_from([0.01, 0.05, 0.2, 1.0 / 3.0]),
    st.sampled_from([1.0, 7.5]),
)
def test_as_defined(seed, number, length, box):
    random = np.random.default_rng(seed)
    centre = random.random((5, 3))
    position = centre[random.integers(0, 5, number)] + 0.1 * random.normal(size=(number, 3))
    position = np.mod(position, 1.0) * box
    position[position >= box] = 0.0
    got = friends_of_friends(position, box_size=box, linking_length=length * box)
    assert np.array_equal(got, naive(position, box, length * box))


def test_a_chain_across_the_edge():
    x = np.array([9.5, 9.9, 0.3, 0.7, 2.0])
    position = np.stack([x, np.full(5, 9.99), np.zeros(5)], 1)
    got = friends_of_friends(position, box_size=10.0, linking_length=0.41)
    assert got.tolist() == [0, 0, 0, 0, 4]
    broken = friends_of_friends(position, box_size=10.0, linking_length=0.39)
    assert broken.tolist() == [0, 1, 2, 3, 4]


def test_rows_in_another_order():
    random = np.random.default_rng(1)
    position = np.mod(0.2 * random.normal(size=(2000, 3)), 1.0)
    order = random.permutation(2000)
    a = friends_of_friends(position, box_size=1.0, linking_length=0.03)
    b = friends_of_friends(position[order], box_size=1.0, linking_length=0.03)
    pairs = np.unique(np.stack([a[order], b]), axis=1)
    assert len(np.unique(a)) == len(np.unique(b)) == pairs.shape[1]
    assert 1 < len(np.unique(a)) < 2000


@pytest.mark.parametrize("length", [0.0, -1.0, 4.0, float("nan")])
def test_impossible_lengths(length):
    with pytest.raises(UsageError, match="linking length"):
        friends_of_friends(np.zeros((2, 3)), box_size=10.0, linking_length=length)

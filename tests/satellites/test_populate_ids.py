"""Ids of made satellites: unique, exact as doubles, and the same whatever the order of hosts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from populate_samples import hosts, law

from mockgal.errors import ResourceError
from mockgal.satellites import reference
from mockgal.satellites.ids import END, SATELLITE_BIT, first_ids
from mockgal.satellites.make import populate

LEAST = 1 << SATELLITE_BIT


def drawn(bits):
    """A draw of few bits, so that runs meet all the time."""
    return lambda ids, attempt: reference.id_hash(5, ids, attempt) >> (SATELLITE_BIT - bits)


def all_ids(first, number):
    return np.concatenate([np.arange(f, f + n) for f, n in zip(first, number, strict=True)])


@given(
    st.sets(st.integers(0, 2**63 - 1), min_size=1, max_size=60).map(sorted),
    st.integers(1, 5),
    st.randoms(),
)
def test_ids_are_unique_and_go_by_the_hosts_alone(host_ids, most, random):
    hosts = np.array(host_ids, dtype=np.int64)
    number = 1 + hosts % most
    first, again = first_ids(hosts, number, drawn(11), hosts)
    made = all_ids(first, number)
    assert len(np.unique(made.astype(np.float64))) == number.sum()
    assert made.min() >= LEAST
    assert made.max() < END
    assert not set(made) & set(hosts)
    order = np.array(random.sample(range(len(hosts)), len(hosts)))
    shuffled, same = first_ids(hosts[order], number[order], drawn(11), hosts[order])
    np.testing.assert_array_equal(shuffled, first[order])
    assert same == again


def test_of_two_that_meet_the_larger_host_draws_again():
    place = {0: [100, 101], 1: [0, 500]}
    hosts = np.array([7, 9])
    first, again = first_ids(
        hosts,
        np.array([2, 2]),
        lambda ids, attempt: np.array([place[attempt][list(hosts).index(i)] for i in ids]),
        hosts,
    )
    assert list(first - LEAST) == [100, 500]
    assert again == 1


def test_a_host_may_have_an_id_of_the_range():
    hosts = np.array([3, LEAST + 41])
    first, again = first_ids(
        hosts[:1], np.array([5]), lambda ids, attempt: np.array([40 + 10 * attempt]), hosts
    )
    assert list(first - LEAST) == [50]
    assert again == 1


def test_ids_do_not_run_over_the_end():
    first, again = first_ids(
        np.array([1]), np.array([5]), lambda ids, attempt: np.array([[LEAST - 3, 8][attempt]]), ids0
    )
    assert (first[0] - LEAST, again) == (8, 1)


ids0 = np.array([1])


def test_no_room_at_all_is_said():
    hosts = np.array([1, 2])
    with pytest.raises(ResourceError, match="not unique after"):
        first_ids(hosts, np.array([1, 1]), lambda ids, attempt: np.zeros(len(ids), int), hosts)


@pytest.mark.parametrize("n", [300, 60_000])
def test_satellites_are_told_apart_as_doubles(n):
    """60,000 hosts take the compiled path."""
    scene = hosts(n)
    halos = populate(scene, law(scene), seed=1).halos
    made = halos["halo_id"][~halos["is_central"]]
    assert len(made) > n
    assert made.min() >= LEAST
    assert len(np.unique(halos["halo_id"].astype(np.float64))) == len(halos)
    assert halos.record["populate"]["satellite_ids_drawn_again"] == 0


def test_hosts_may_have_large_ids():
    ids = 2**62 + np.arange(100)
    scene = hosts(100, halo_id=ids, host_id=ids)
    assert len(populate(scene, law(scene), seed=1).halos) > 100

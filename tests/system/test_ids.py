"""Ids in every type: kept exactly, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import BadValueError
from mockgal.system.ids import check_digits, check_text, exact_up_to, whole
from mockgal.types import HaloCatalog

BEYOND = {"f2": 2**11, "f4": 2**24, "f8": 2**53}


def at(row):
    return f"file, row {row}"


@pytest.mark.parametrize(("kind", "limit"), BEYOND.items())
def test_floats_up_to_the_last_integer_that_they_hold(kind, limit):
    assert exact_up_to(np.dtype(kind)) == limit
    good = np.array([-1, 0, 7, limit - 1])
    np.testing.assert_array_equal(whole(good.astype(kind), at), good)
    for bad in (limit, limit + 2, -limit):
        with pytest.raises(BadValueError, match=rf"file, row 2: found 1 ids .* first {bad}"):
            whole(np.array([1, 2, bad, 4]).astype(kind), at)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -np.inf, -1.5])
def test_floats_that_are_no_ids(value):
    with pytest.raises(BadValueError, match=f"row 1: found 1 .* first {value}"):
        whole(np.array([3.0, value]), at)


def test_types_without_a_sign():
    for kind in ("u1", "u2", "u4", "u8"):
        largest = np.iinfo(kind).max
        stored = np.array([0, largest, 5], kind)
        assert whole(stored, at, none=np.arange(9)).tolist() == [0, -1, 5]
        if largest < 2**63:
            assert whole(stored, at).tolist() == [0, largest, 5]
            with pytest.raises(BadValueError, match="or the id"):
                whole(stored, at, none=np.array([largest]))
    for large in (2**63, 2**64 - 1):
        with pytest.raises(BadValueError, match=f"row 1: .* first {large}"):
            whole(np.array([0, large], "u8"), at)


def test_neither_truths_nor_objects():
    for values in (np.array([True]), np.array([1], object), np.array(["1"])):
        with pytest.raises(BadValueError, match="values of type"):
            whole(values, at)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.sampled_from(["i1", "i2", "i4", "i8", ">i8"]))
def test_integers_are_kept(values, kind):
    info = np.iinfo(kind)
    kept = np.array([v for v in values if info.min <= v <= info.max], kind)
    assert whole(kept, at).dtype == np.int64
    assert whole(kept, at).tolist() == kept.tolist()


def test_catalogues_made_in_python_take_no_rounded_ids():
    ids = 20_000_001 + np.arange(4)
    columns = {
        "halo_id": ids,
        "host_id": np.array([ids[0], ids[0], ids[2], ids[2]]),
        "is_central": np.array([True, False, True, False]),
        "position": np.ones((4, 3)),
        "velocity": np.zeros((4, 3)),
        **dict.fromkeys(("mass", "host_mass", "vmax"), np.ones(4)),
    }
    assert len(HaloCatalog(columns, "200c")) == 4
    for name in ("halo_id", "host_id"):
        with pytest.raises(BadValueError, match=rf"halo column {name}.*2\^24"):
            HaloCatalog({**columns, name: columns[name].astype("f4")}, "200c")
    assert len(HaloCatalog({**columns, "host_id": columns["host_id"].astype("f8")}, "200c")) == 4


def test_text_in_the_form_of_floats():
    ids = 20_000_001 + np.arange(50)
    check_text(ids, at)  # no single precision holds the odd ones
    for bad in (ids // 2 * 2, ids + 2**53):
        with pytest.raises(BadValueError, match="row 0: found 50 ids"):
            check_text(bad, at)
    check_text(np.array([-1, 2, 2**24 - 1]), at)


def catalogue(rng, ids, satellites):
    """Ids, hosts and centrals of halos of which ``satellites`` are satellites of random others."""
    ids = rng.permutation(ids)
    central = np.arange(len(ids)) >= satellites
    host = ids.copy()
    host[~central] = rng.choice(ids[central], satellites)
    return ids, host, central


@pytest.mark.parametrize(("kind", "limit"), [("f4", 2**24), ("f8", 2**53)])
def test_hosts_that_went_through_a_float(kind, limit):
    ids, host, central = catalogue(np.random.default_rng(1), limit + 5 + np.arange(300), 60)
    check_digits(ids, host, central, at)
    rounded = np.where(central, host, host.astype(kind).astype(np.int64))
    assert np.isin(rounded, ids[central]).sum() > 270  # nothing else would tell
    with pytest.raises(BadValueError, match="rounded as"):
        check_digits(ids, rounded, central, at)


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(400),
        2**25 + 2 * np.arange(400),  # which single precision may hold, all of them
        2**24 * (1 + np.arange(400)),
        10**15 + np.arange(400),
        2**62 + 7 * np.arange(400),
        (np.arange(400) << 40) + 2**50,
    ],
    ids=str,
)
def test_hosts_that_are_as_they_were(ids):
    for seed in range(20):
        for satellites in (0, 1, 3, 30, 200):
            check_digits(*catalogue(np.random.default_rng(seed), ids, satellites), at)


def test_hosts_with_ids_of_a_pattern_of_their_own():
    """A host's id ends in zeros, its satellites' in their ranks."""
    host = (3 + np.repeat(np.arange(100), 4)) << 24
    rank = np.tile(np.arange(4), 100)
    check_digits(host + rank, host, rank == 0, at)

"""Random numbers: known answers, keys, and independence of everything but the key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mockgal.errors import UsageError
from mockgal.random import philox4x32, stream_key, uniform

# kat_vectors of the Random123 distribution (D. E. Shaw Research), philox4x32 10.
KNOWN_ANSWERS = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_random123_known_answers(counter, key, answer):
    result = philox4x32(np.array([words(counter)], dtype=np.uint32), tuple(words(key)))
    assert result[0].tolist() == words(answer)


def test_keys_are_pinned():
    # A change of these numbers changes every mock: raise SCHEMA_VERSION and say so.
    assert stream_key(1, "luminous") == (2799331982, 302210726)
    assert uniform(1, "luminous", [0, 7, 2**40])[1] == 0.3433403949042312


def test_values_depend_on_each_part_of_the_key():
    base = uniform(1, "luminous", [5])
    others = [
        uniform(2, "luminous", [5]),
        uniform(1, "stellar_mass", [5]),
        uniform(1, "luminous", [6]),
        uniform(1, "luminous", [5 + 2**32]),
        uniform(1, "luminous", [5], draw=1),
        uniform(1, "luminous", [5], sub_index=1),
    ]
    assert len({float(x[0]) for x in [base, *others]}) == 7


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50), st.integers(0, 2**63 - 1), st.randoms()
)
def test_order_and_company_do_not_matter(ids, seed, shuffler):
    together = dict(zip(ids, uniform(seed, "s", np.array(ids, dtype=np.int64)), strict=True))
    shuffler.shuffle(ids)
    for identity in ids:
        value = uniform(seed, "s", [identity])[0]
        assert together[identity] == value
        assert 0 < value < 1


def test_blocks_do_not_show():
    ids = np.arange(200_000)
    assert np.array_equal(uniform(3, "s", ids)[70_000:70_100], uniform(3, "s", ids[70_000:70_100]))


def test_uniform_and_uncorrelated():
    a, b = uniform(1, "a", np.arange(100_000)), uniform(1, "b", np.arange(100_000))
    assert stats.kstest(a, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(100_000)
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 4 / np.sqrt(100_000)


def test_global_state_is_untouched():
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002 - what is tested
    uniform(1, "s", np.arange(10))
    assert repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002


@pytest.mark.parametrize("seed", [1.7, 1.0, True, "1", None, -1, 2**63, np.float64(3)])
def test_seeds_that_are_no_seeds(seed):
    with pytest.raises(UsageError, match="whole number"):
        uniform(seed, "s", [1])


def test_seeds_of_any_integer_type():
    assert uniform(np.int64(3), "s", [1]) == uniform(3, "s", [1])

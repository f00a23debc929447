"""What files state: one number, count or text, and nothing else; and how it looks in a message."""

import h5py
import numpy as np
import pytest
from astropy import units

from mockgal.errors import HeaderError, MockgalWarning, listed, listening, shown, warn
from mockgal.system import scalars

ONE = [5, 5.0, np.float32(5), np.array(5), np.array([[5.0]]), "5", "5e0", b"5.", np.bytes_(b" 5 ")]
NO_NUMBER = [
    *(None, True, np.bool_(False), 1j, "five", "", "1_0", "0x5", "\u0665", "nan", "inf", "5 kpc"),
    *(np.nan, np.inf, -np.inf, 1e308, 5e-324, 10**4000, "9" * 500, [], [1, 2], {}, {"a": 1}),
    *(np.empty(0), np.arange(3), np.array([True]), np.array([object()]), h5py.Empty("f8")),
    *(np.void(b"abc"), np.array((1, 2), "i4,i4"), 5 * units.Mpc, np.ma.masked_array([5], [True])),
]


@pytest.mark.parametrize("value", ONE, ids=repr)
def test_one_number_however_it_is_stored(value):
    found = scalars.number("x", value)
    assert (type(found), found) == (float, 5.0)
    assert scalars.count("x", value) == 5
    assert scalars.numbers("x", value).tolist() == [5.0]


@pytest.mark.parametrize("value", NO_NUMBER, ids=lambda value: shown(value, 20))
def test_what_is_no_number_is_refused(value):
    for read in (scalars.number, scalars.count):
        with pytest.raises(HeaderError, match="f:/g@n") as caught:
            read("f:/g@n", value)
        assert caught.value.fix
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [0.5, -1, 2**62 + 1, 1e30, "0.5", np.uint64(2**64 - 1)])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(HeaderError, match="one count"):
        scalars.count("x", value)
    with pytest.raises(HeaderError, match=r"x\[1\]"):
        scalars.counts("x", [1, value])


def test_bounds_are_told():
    assert scalars.number("x", 2, above=1, most=3) == 2.0
    for bounds, words in (({"above": 2}, "above 2"), ({"least": 3}, "from 3 on")):
        with pytest.raises(HeaderError, match=words):
            scalars.number("x", 2, **bounds)
    with pytest.raises(HeaderError, match="-9 to 9"):
        scalars.count("x", 10, least=-9, most=9)
    with pytest.raises(HeaderError, match="finite numbers"):
        scalars.numbers("x", np.empty(0))


def test_text():
    for value in ("a", b"a", np.array([b"a"]), np.str_("a"), np.array("a")):
        assert scalars.text("x", value) == "a"
    for value in (1, None, ["a", "b"], np.array([b"a", b"b"]), np.empty(0, "S1")):
        with pytest.raises(HeaderError, match="one text"):
            scalars.text("x", value)
    with pytest.raises(HeaderError, match="'b'"):
        scalars.text("x", "a", ("b", "c"))


HUGE = [
    *(
        np.arange(5000.0),
        list(range(10**5)),
        "x" * 10**6,
        b"x" * 10**6,
        10**5000,
        {"a": [0] * 10**5},
    ),
    dict.fromkeys(range(10**5), 1),
]


@pytest.mark.parametrize("value", HUGE, ids=lambda value: type(value).__name__)
def test_what_is_shown_of_a_value_has_a_bound(value):
    assert len(shown(value)) <= 130
    assert len(str(HeaderError("x", shown(value), "a number", "correct it"))) < 250


def test_what_is_shown_says_what_it_is():
    assert shown(np.float64(2.5)) == "2.5"
    assert shown(np.array([2.5])) == "[2.5]"
    assert shown(np.arange(3)) == "an array of shape (3,): [0, 1, 2]"
    assert shown("a" * 10, 5) == "'aaaa..."
    deep = []
    for _ in range(10**5):
        deep = [deep]
    assert shown(deep) == "a value of type list"


def test_lists_of_names_have_a_bound():
    assert listed([]) == "none"
    assert listed("abc") == "a, b, c"
    many = listed((f"Dataset{k:05d}" for k in range(10_000)), 3)
    assert many == "Dataset00000, Dataset00001, Dataset00002 and 9,997 more"
    assert len(listed(["x" * 10**6] * 5)) < 500


def test_every_part_of_a_message_has_a_bound():
    long = "\x00" * 10**6
    error = HeaderError(*[long] * 4)
    assert len(str(error)) < 60_000
    assert "\0" not in str(error)
    assert "q" * 1999 in str(HeaderError("f", "q" * 1999, "y", "z"))
    with pytest.warns(MockgalWarning), listening() as messages:
        warn("x" * 10**6)
    assert len(messages[0]) < 20_000

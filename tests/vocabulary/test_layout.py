"""What one room writes into our files and another reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.layout import HOST_BIN, host_bin


@given(st.integers(60, 170), st.floats(0.4, 1.0))
def test_a_host_on_an_edge_is_in_the_bin_above_it_in_any_units(k, h):
    edge = 10.0 ** (k * HOST_BIN)
    in_other_units_and_back = edge / h * h
    below, above = np.nextafter(edge, 0.0), np.nextafter(edge, np.inf)
    masses = np.array([edge, in_other_units_and_back, below, above])
    np.testing.assert_array_equal(host_bin(masses), k)


@pytest.mark.parametrize(("log_mass", "expected"), [(12.05, 120), (11.999, 119), (12.0999, 120)])
def test_bins_between_multiples_of_a_tenth(log_mass, expected):
    assert host_bin(np.array([10.0**log_mass]))[0] == expected

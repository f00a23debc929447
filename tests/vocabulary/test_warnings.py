"""Warnings name the line of the user, not that of the function in mockgal that found the reason."""

import pytest

import mockgal
from mockgal.errors import MockgalWarning, warn


def test_a_warning_names_the_line_of_the_user(demo_bundle):
    sim = mockgal.read(demo_bundle)
    with pytest.warns(MockgalWarning) as told:
        mockgal.paint(sim, "hod", seed=1)
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("stacklevel", [1, 10_000])
def test_a_warning_of_a_plug_in(stacklevel):
    with pytest.warns(MockgalWarning) as told:
        warn("no weights", stacklevel)
    assert told[0].filename == (__file__ if stacklevel == 1 else "sys")

"""Some forged checkpoints of each kind; the module run as a program makes thousands."""

import random

import pytest
from checkpoints import KINDS, outcome


@pytest.mark.fault(62)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, of what it will not have for ever
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[1:])
def test_forged_checkpoints_are_converted_or_refused(kind):
    rng = random.Random(kind.__name__)
    found = {outcome(kind(rng)) for _ in range(4)}
    assert found <= {"ok", "refused 3", "refused 4"}

"""Changed numbers of every format: refused, told, or within all bounds; `values.py` has more."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from values import COLUMNS, Mutation, mutations, outcome


@pytest.mark.fault(35)
@pytest.mark.parametrize("format", COLUMNS)
def test_changed_numbers(format):
    some = mutations(np.random.default_rng(1), 12, (format,))
    found = Counter(outcome(mutation).split()[0] for mutation in some)
    assert found["refused"] > 2, found


@pytest.mark.fault(35)
@pytest.mark.parametrize("format", COLUMNS)
def test_a_speed_in_every_format(format):
    (name,) = [name for name in COLUMNS[format] if "vx" in name or "vel" in name.lower()]
    assert outcome(Mutation(format, name, "1e30", "one", 1)) == "refused E307"
    assert outcome(Mutation(format, name, "NaN", "one", 1)) == "refused E307"

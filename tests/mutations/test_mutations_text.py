"""Mutated texts are taken or refused with one message; benchmarks run many more of them."""

import pytest
from text import KINDS, campaign

COUNTS = {"cuts": 400, "quantities": 400, "recipes": 150, "tables": 40, "maps": 400, "beside": 150}
AT_LENGTH = {"cuts": 20_000, "quantities": 20_000, "recipes": 5000, "tables": 2000}
AT_LENGTH |= {"maps": 20_000, "beside": 5000}


def check(found, capsys):
    assert not found["unforeseen"] + found["slow"], capsys.readouterr().err
    assert 0 < found["ok"] < found.total() / 2


@pytest.mark.parametrize("kind", KINDS)
def test_mutations(kind, capsys):
    check(campaign(kind, COUNTS[kind], seed=1), capsys)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_mutations_at_length(kind, capsys):
    check(campaign(kind, AT_LENGTH[kind], seed=2), capsys)

"""Synthetic runs of `mockgal.testing`: their options are checked before anything is written."""

import pytest

from mockgal.errors import UsageError
from mockgal.testing import write_gadget4


@pytest.mark.parametrize("options", [{"length": "pc"}, {"dtype": "f2"}], ids=str)
def test_a_value_that_cannot_be(tmp_path, options):
    (name,) = options
    with pytest.raises(UsageError, match=f"synthetic run:{name}"):
        write_gadget4(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_option_that_is_not_there(tmp_path):
    with pytest.raises(TypeError, match="grops"):
        write_gadget4(tmp_path / "run", grops=60)
    assert not (tmp_path / "run").exists()

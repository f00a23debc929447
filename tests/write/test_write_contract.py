"""Every registered writer passes the shared contract."""

import pytest
from write_samples import catalogue

from mockgal import registry
from mockgal.testing import writer_contract


@pytest.mark.parametrize("name", registry.names("writers"))
def test_contract(name, tmp_path):
    writer_contract(registry.load("writers", name)(), catalogue(100), tmp_path)

import pytest
from read_faults import fresh


@pytest.fixture
def make_run(tmp_path_factory, tmp_path):
    """A function that gives a fresh copy of a synthetic Gadget-4 run."""
    return lambda **options: fresh(tmp_path_factory, tmp_path, **options)


@pytest.fixture
def run(make_run):
    return make_run()

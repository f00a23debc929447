"""Every built-in of every group passes the shared contract, and what breaks it is told."""

import re
import unittest
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal import registry
from mockgal.errors import MockgalWarning
from mockgal.painters.hod.painter import HODPainter
from mockgal.readers.bundle import BundleReader
from mockgal.readers.mocks.hdf5 import HDF5Mocks
from mockgal.statistics.galaxies.mass_function import stellar_mass_function
from mockgal.tasks.measure import all_statistics
from mockgal.testing import (
    mock_reader_contract,
    painter_contract,
    reader_contract,
    statistic_contract,
    write_arepo,
    write_gadget4,
    writer_contract,
)
from mockgal.testing.quijote import options as quijote_options
from mockgal.testing.quijote import write_quijote

# Options with which a statistic of the demonstration run takes a fraction of a second.
CHEAP = {
    "power": {"grid_size": 32, "jackknife": 2},
    "bispectrum": {"grid_size": 32, "k1": 2.0, "k2": 2.0, "angles": 4, "jackknife": 0},
    "pdf": {"grid_size": 16, "jackknife": 2},
    "xi": {"r_max": 3.0, "bins": 4, "jackknife": 2},
    "wp": {"r_max": 3.0, "bins": 4, "pi_max": 4.0, "jackknife": 2},
    "xi_multipoles": {"r_max": 3.0, "bins": 4, "mu_bins": 10, "jackknife": 2},
}


@pytest.fixture(scope="module")
def sim(demo_bundle):
    return mockgal.read(demo_bundle)


@pytest.fixture(scope="module")
def mock(sim):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MockgalWarning)
        return mockgal.paint(sim, "hod", seed=1)


@pytest.fixture(scope="module")
def mock_file(mock, tmp_path_factory):
    path = tmp_path_factory.mktemp("mock") / "mock.hdf5"
    mockgal.write(mock[:200], path, units="h")
    return path


@pytest.mark.parametrize("name", all_statistics())
def test_statistics(name, mock, tmp_path):
    statistic_contract(name, mock, tmp_path, **CHEAP.get(name, {}))


def test_a_statistic_of_hosts(mock, sim, tmp_path):
    statistic_contract("occupation", mock, tmp_path, hosts=sim.halos)


@pytest.mark.parametrize("units", ["h", "h-free"])
@pytest.mark.parametrize("name", sorted({*registry.names("mocks")} & {*registry.names("writers")}))
def test_readers_of_mocks(name, units, mock, tmp_path):
    mockgal.write(mock[:200], tmp_path / f"mock.{name}", units=units)
    mock_reader_contract(name, tmp_path / f"mock.{name}")


# The others are tried in tests of their own.
READERS = {
    "bundle": lambda folder, demo: (demo, {}),
    "gadget4": lambda folder, demo: (write_gadget4(folder), {"mass_definition": "500c"}),
    "arepo": lambda folder, demo: (write_arepo(folder, hydro=True), {"mass_definition": "200m"}),
    "quijote": lambda folder, demo: (
        write_quijote(folder),
        {"detected": False, **quijote_options()._asdict()},
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_readers(name, tmp_path, demo_bundle):
    path, options = READERS[name](tmp_path, demo_bundle)
    reader_contract(name, path, **options)


def test_no_reader_is_forgotten():
    tests = (Path(__file__).parents[1] / "readers").rglob("test_*.py")
    texts = [test.read_text(encoding="utf-8") for test in tests]
    for name in set(registry.names("readers")) - READERS.keys():
        made_by = registry.load("readers", name).__name__
        tried = re.compile(rf'\breader_contract\(\s*("{name}"|{made_by}\b)')
        assert any(map(tried.search, texts)), f"no test tries the contract of {name}"


@pytest.mark.parametrize("name", registry.names("writers"))
def test_writers(name, mock, tmp_path):
    writer_contract(name, mock[:100], tmp_path)


@pytest.mark.filterwarnings("ignore:calibration", "ignore:model zheng07")
@pytest.mark.parametrize(
    "options", [{}, {"mode": "paper"}, {"model": "zheng07"}], ids=["", "paper", "model"]
)
def test_the_painter_hod_with_options(options, sim, halotools):
    if "model" in options:
        options = {**options, "threshold": -18, "stellar_mass_law": "behroozi10"}
        options["allow_extrapolation"] = True
    painter_contract("hod", sim, **options)


def test_an_object_takes_no_options(sim):
    with pytest.raises(AssertionError, match="takes no options"):
        painter_contract(HODPainter(), sim, mode="paper")


def test_a_library_that_is_missing():
    """Unittest's exception, which pytest, too, reports as a skipped test."""
    for contract in (mock_reader_contract, reader_contract):
        with pytest.raises(unittest.SkipTest, match="no_such_library not installed"):
            contract("fits", None, requires=("numpy", "no_such_library"))
    for contract in (statistic_contract, writer_contract):
        with pytest.raises(unittest.SkipTest):
            contract("fits", None, None, requires=["no_such_library"])
    with pytest.raises(unittest.SkipTest):
        painter_contract("hod", None, requires=["no_such_library"])


def test_a_reader_without_the_mass_that_was_asked_for(demo_bundle):
    class Deaf(BundleReader):
        def read(self, path, options):
            return super().read(path, options._replace(mass_definition=None))

    with pytest.raises(AssertionError, match="have the requested definition"):
        reader_contract(Deaf, demo_bundle, mass_definition="500c")


def by_order(galaxies):
    """The mass function of those that come first."""
    return stellar_mass_function(galaxies.take(np.arange(len(galaxies) // 2)))


def random(galaxies):
    """The mass function of galaxies that are drawn."""
    np.random.seed(len(galaxies))  # noqa: NPY002
    return stellar_mass_function(galaxies)


def unitless(galaxies):
    """The mass function in a unit that there is not."""
    result = stellar_mass_function(galaxies)
    field = result.fields["mass_function"]._replace(unit="per bin")
    return replace(result, fields={**result.fields, "mass_function": field})


def silent(galaxies):
    """The mass function, without a word on its errors."""
    result = stellar_mass_function(galaxies)
    return replace(result, settings={**result.settings, "errors": None})


def of_something(galaxies):
    """The mass function, and a division by nothing without galaxies."""
    return stellar_mass_function(galaxies) if len(galaxies) else 1 // len(galaxies)


def touching(galaxies):
    """The mass function of masses that it changes."""
    mass = galaxies["stellar_mass"]
    mass.setflags(write=True)
    mass[0] *= 2
    return stellar_mass_function(galaxies)


@pytest.mark.parametrize(
    ("statistic", "says"),
    [
        (by_order, "the order of rows does not matter"),
        (random, "the global random state is not touched"),
        (unitless, "the unit of mass_function"),
        (silent, "settings say what the errors are"),
        (len, "it returns a Measurement"),
        (of_something, ZeroDivisionError),
        (touching, "the same catalogue gives the same result|not touched"),
    ],
)
def test_statistics_that_break_it(statistic, says, mock, tmp_path):
    columns = {name: values.copy() for name, values in mock.columns.items()}
    own = replace(mock, columns=columns)
    state = np.random.get_state()  # noqa: NPY002
    expected = AssertionError if isinstance(says, str) else says
    with pytest.raises(expected, match=says if isinstance(says, str) else None):
        statistic_contract(statistic, own, tmp_path)
    np.random.set_state(state)  # noqa: NPY002


class Greedy(HDF5Mocks):
    def detect(self, path):
        return True


class Chunky(HDF5Mocks):
    def read(self, path, options):
        mock = super().read(path, options)
        return mock if options.chunk_rows > 7 else mock.take(np.arange(7))


class Sourceless(HDF5Mocks):
    def read(self, path, options):
        mock = super().read(path, options)
        return replace(mock, snapshot=replace(mock.snapshot, source=()))


class Touching(HDF5Mocks):
    def read(self, path, options):
        mock = super().read(path, options)
        path.touch()
        return mock


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        (Greedy, "another format is not detected"),
        (Chunky, "do not depend on chunk_rows"),
        (Sourceless, "the snapshot names the files read"),
        (Touching, "the input is not touched"),
        (object, "the methods of a MockReader"),
    ],
)
def test_readers_of_mocks_that_break_it(reader, says, mock_file):
    with pytest.raises(AssertionError, match=says):
        mock_reader_contract(reader, mock_file)
    mock_reader_contract(partial(HDF5Mocks), mock_file)

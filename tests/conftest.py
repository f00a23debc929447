"""Shared paths and the command as a subprocess."""

import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from fault_table import FAULTS
from forked import Forked
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# The same cases in each run, so that a run that fails does so again. By hand, others:
# pytest --hypothesis-profile search.
settings.register_profile("mockgal", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("mockgal")


def _fault_numbers(node):
    return sorted({number for mark in node.iter_markers("fault") for number in mark.args})


def pytest_generate_tests(metafunc):
    """The id of a test begins with the numbers of its faults."""
    if numbers := _fault_numbers(metafunc.definition):
        metafunc.fixturenames.append("fault_numbers")
        metafunc.parametrize("fault_numbers", ["+".join(map(str, numbers))])


@pytest.hookimpl(tryfirst=True)  # before markers leave any out
def pytest_collection_modifyitems(session, items):
    """Keep what the tests that claim a fault say of themselves: see test_fault_table.py.

    Mark the cases slow that ``slow_but`` does not name.
    """
    for item in items:
        quick = [name for mark in item.iter_markers("slow_but") for name in mark.args]
        if quick and not any(name in item.callspec.id for name in quick):
            item.add_marker("slow")
    session.claims = [
        {
            "numbers": numbers,
            "file": item.path.relative_to(ROOT / "tests").as_posix(),
            "name": item.name,
            "fixtures": item.fixturenames,
            "skipped": any(True for _ in item.iter_markers("skip"))
            or any(mark.args[0] for mark in item.iter_markers("skipif")),
        }
        for item in items
        if (numbers := _fault_numbers(item))
    ]


@pytest.fixture
def exit_codes(request):
    """What a command ends with by the fault of the test, from the table of faults."""
    (codes,) = {FAULTS[number].exit_codes for number in _fault_numbers(request.node)}
    return codes


@pytest.fixture
def exit_code(exit_codes):
    """The only one of ``exit_codes``."""
    (code,) = exit_codes
    return code


@pytest.fixture(scope="session")
def demo_bundle():
    return ROOT / "catalogs" / "demo" / "dark.hdf5"


@pytest.fixture(scope="session")
def forked():
    """Run ``mockgal`` with the words given in the folder ``cwd``; see `forked.Forked`."""
    processes = Forked()
    yield processes.run
    processes.close()


@pytest.fixture
def mockgal_command(tmp_path, forked):
    """Run ``mockgal`` in an empty directory; returns the completed process.

    Variables of the environment are those of a fresh interpreter.
    """

    def run(*arguments, cwd=tmp_path, **environment):
        if environment:
            result = subprocess.run(
                [sys.executable, "-m", "mockgal", *map(str, arguments)],
                cwd=cwd,
                text=True,
                capture_output=True,
                env={**os.environ, **environment},
                timeout=120,
            )
        else:
            result = forked(arguments, cwd)
        assert "Traceback" not in result.stderr + result.stdout
        return result

    return run


@pytest.fixture
def build_demo(mockgal_command, demo_bundle):
    """Run ``mockgal build`` on the demo bundle with the HOD and further options."""

    def run(*options, **keywords):
        return mockgal_command(
            "build", "--sim", demo_bundle, "--painter", "hod", *options, **keywords
        )

    return run


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with entry points and modules, as pip lays it out."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    modules = []

    def make(name, points, **sources):
        site = tmp_path / "site"
        info = site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        if not isinstance(points, str):
            points = "\n".join(
                f"[mockgal.{group}]\n" + "\n".join(f"{n} = {value}" for n, value in own.items())
                for group, own in points.items()
            )
        (info / "entry_points.txt").write_text(points + "\n")
        for module, source in sources.items():
            (site / f"{module}.py").write_text(source)
            modules.append(module)
        importlib.invalidate_caches()  # the folder may be one that was looked at before
        return site

    yield make
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture(scope="session")
def halotools(tmp_path_factory):
    """The package, its cache in a temporary folder.

    At import it makes a folder in the home directory and changes NumPy's error state.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, np.errstate(), warnings.catch_warnings():
        patch.setenv("HOME", str(home))
        warnings.simplefilter("ignore")
        import halotools
        import halotools.empirical_models
        import halotools.mock_observables
        import halotools.sim_manager

        cache = str(home / "cache")
        patch.setattr("halotools.sim_manager.halo_table_cache.halotools_cache_dirname", cache)
        (home / "cache").mkdir()
        yield halotools

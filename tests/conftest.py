"""Shared paths and the command as a subprocess."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

settings.register_profile("mockgal", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("mockgal")


@pytest.fixture(scope="session")
def demo_bundle():
    return ROOT / "catalogs" / "demo" / "dark.hdf5"


@pytest.fixture
def mockgal_command(tmp_path):
    """Run ``mockgal`` in an empty directory; returns the completed process."""

    def run(*arguments, cwd=tmp_path, **environment):
        result = subprocess.run(
            [sys.executable, "-m", "mockgal", *map(str, arguments)],
            cwd=cwd,
            text=True,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=120,
        )
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

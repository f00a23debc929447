"""A folder with the demo, and a painter that makes trouble, installed as a plug-in."""

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from parts_samples import TROUBLE, recipe

import mockgal
from mockgal.errors import listening

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the painter is installed; beside it, a folder with notes for it."""
    site = tmp_path_factory.mktemp("plugin") / "site"
    info = site / "trouble-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trouble\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mockgal.painters]\ntrouble = trouble:Painter\n")
    (site / "trouble.py").write_text(TROUBLE)
    (site.parent / "notes").mkdir()
    yield site
    sys.modules.pop("trouble", None)


@pytest.fixture(scope="module")
def environment(site):
    """The environment of processes that have the painter."""
    paths = f"{site}{os.pathsep}{ROOT}"
    return {**os.environ, "TROUBLE": str(site.parent / "notes"), "PYTHONPATH": paths}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, demo_bundle, site, environment):
    """Work in a folder of its own with the demo."""
    for note in (site.parent / "notes").iterdir():
        note.unlink()
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    for name in ("TROUBLE", "PYTHONPATH"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo_bundle, "dark.hdf5")
    return tmp_path


@pytest.fixture
def note(site):
    """Write what the painter does with parts that hold a halo, or with all."""

    def make(what, times, halo=None):
        name = what if halo is None else f"{what}-{halo}"
        (site.parent / "notes" / name).write_text(str(times))

    return make


@pytest.fixture
def at_once():
    """The bytes of the mock that is built at once, of which no trace is left."""
    with listening(quiet=True):
        report = mockgal.build(recipe())
    text = report.path.read_bytes()
    report.path.unlink()
    Path(f"{report.path}.run.json").unlink()
    return text

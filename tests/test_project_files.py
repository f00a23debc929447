"""Facts that the project's own files repeat: its version, and the versions of its tools."""

import configparser
import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import mockgal

ROOT = Path(__file__).parents[1]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def hooks():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    return {hook["id"]: hook for hook in repository["hooks"]}


def test_the_version_is_that_of_the_package():
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg")
    assert read["metadata"]["version"] == "attr: mockgal.__version__"
    setuptools = pytest.importorskip("setuptools.config.expand")
    found = setuptools.read_attr("mockgal.__version__", root_dir=ROOT)
    assert found == mockgal.__version__
    # With a literal it is read without importing the package and what it needs.
    assert re.search(
        r'^__version__ = "\d+\.\d+\.\d+"$', (ROOT / "mockgal/__init__.py").read_text(), re.M
    )


def test_the_citation_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == mockgal.__version__


def test_the_changelog_begins_with_the_version():
    titles = re.findall(r"^## (\S+) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert titles[0][0] == mockgal.__version__
    assert all(re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", date) for _, date in titles)
    assert "unreleased" not in [date for _, date in titles[1:]]


def test_the_page_on_tests_is_complete():
    """It names every folder and helper, every marker, and only what there is."""
    text = (ROOT / "tests/README.md").read_text()
    tests = ROOT / "tests"
    for path in tests.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/" in text, path
        elif path.suffix == ".py" and not path.name.startswith("test_"):
            assert f"`{path.name}`" in text, path
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert list(tests.rglob(name)), name
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for marker in setup["tool:pytest"]["markers"].split("\n"):
        assert not marker or f"| `{marker.partition(':')[0]}` |" in text


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_tools_have_the_pinned_version(tool):
    """Findings differ with the version: a hook, `make lint` and CI agree."""
    assert version(tool) == pins()[tool]


def test_hooks_run_the_tools_of_the_project():
    lint = re.search(r"^lint: install\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    entries = {name: hook["entry"] for name, hook in hooks().items()}
    assert entries == {
        "ruff-check": "ruff check --force-exclude",
        "ruff-format": "ruff format --force-exclude",
        "mypy": ".venv/bin/mypy",
    }
    assert re.findall(r"/(ruff \w+|mypy)", lint) == ["ruff check", "ruff format", "mypy"]
    for name in ("ruff-check", "ruff-format"):
        assert hooks()[name]["additional_dependencies"] == [f"ruff=={pins()['ruff']}"]

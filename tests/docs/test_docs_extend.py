"""The package of docs/how-to/extend.md: its files, its tests and its commands, from the page."""

import ast
import importlib
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from docs_blocks import blocks_of

import mockgal
from mockgal.protocols import ReadOptions
from mockgal.registry import built_in

ROOT = Path(__file__).parents[2]
BLOCKS = blocks_of(ROOT / "docs/how-to/extend.md")
FILES = {block.file: block.text for block in BLOCKS if block.file}
COMMANDS = [
    shlex.split(line)
    for block in BLOCKS
    if block.language == "sh" and not block.reason
    for line in block.text.replace("\\\n", " ").splitlines()
]
TESTS = [
    (path, line.split()[1].partition("(")[0])
    for path, text in FILES.items()
    for line in text.splitlines()
    if line.startswith("def test_")
]

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def write_halos(path, sim):
    """A file of the halo finder, as the page describes the format."""
    halos, snapshot = sim.halos, sim.snapshot
    cosmology = snapshot.cosmology
    header = (
        f'halolist {{"simulation": "run7", "box_kpc_h": {1e3 * snapshot.box_size}, "redshift": '
        f'{snapshot.redshift}, "h": {cosmology.h}, "omega_m": {cosmology.omega_m}, '
        f'"omega_lambda": {cosmology.omega_lambda}}}\nid host x y z vx vy vz m_bound m200c'
    )
    ids = halos["halo_id"], halos["host_id"]
    masses = halos["mass"] / 1e10, halos["host_mass"] / 1e10
    rows = [*ids, *(1e3 * halos["position"].T), *halos["velocity"].T, *masses]
    np.savetxt(path, np.stack(rows, axis=1), ["%d", "%d", *["%.9g"] * 8], header=header)


@pytest.fixture(scope="module")
def package(tmp_path_factory, demo_bundle):
    """The files of the page, installed as its pyproject.toml says."""
    folder = tmp_path_factory.mktemp("survey-tools")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text + "\n")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    shutil.copy(demo_bundle, folder / "dark.hdf5")
    write_halos(folder / "tests/run7.halos", mockgal.read(demo_bundle))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder))
        importlib.invalidate_caches()
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "survey_tools"]:
        del sys.modules[name]


def test_each_file_and_group_is_on_the_page():
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    groups = {group.removeprefix("mockgal."): own for group, own in project["entry-points"].items()}
    assert set(groups) == {"readers", "mocks", "painters", "writers", "statistics"}
    for group, points in groups.items():
        for name, target in points.items():
            module, _, attribute = target.partition(":")
            text = FILES[module.replace(".", "/") + ".py"]
            assert any(f"{word} {attribute}" in text for word in ("class", "def"))
            assert name not in built_in(group)
            assert any(f'"{name}"' in text for file, text in FILES.items() if "test_" in file)


def test_what_the_package_imports_is_public():
    public = (ROOT / "docs/explanation/public-interface.md").read_text(encoding="utf-8")
    for path, text in FILES.items():
        for node in ast.walk(ast.parse(text)) if path.endswith(".py") else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mockgal."):
                for word in (node.module, *(name.name for name in node.names)):
                    assert f"`{word}`" in public, f"{path} imports {word}"


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_contracts(package, path, name, tmp_path):
    namespace = {"__file__": str(package / path)}
    exec(compile(FILES[path], path, "exec"), namespace)
    test = namespace[name]
    test(*[tmp_path] * test.__code__.co_argcount)


def test_commands(package, forked):
    """In processes of their own, one after the other; then what they wrote."""
    for words in COMMANDS:
        assert words[0] == "mockgal"
        result = forked(words[1:], package)
        assert result.returncode == 0, (words, result.stderr)
        assert "RuntimeWarning" not in result.stderr, (words, result.stderr)
    mock = mockgal.read_galaxies(package / "mock.ecsv")
    assert len(mock)
    assert mock["stellar_mass"].min() >= 1e8 * (1 - 1e-6)
    assert mock.provenance["painter"]["options"]["scatter"] == "0.2 dex"
    assert mock.completeness.limit >= 1e8
    forming = mockgal.read_galaxies(package / "forming.fits")
    assert 0 < len(forming) < len(mock)
    rate = forming["star_formation_rate"]
    assert rate.min() > 0.5
    own = mockgal.read_galaxies(package / "run7.hdf5")
    assert len(own) == pytest.approx(len(mock), rel=0.1)
    voids = mockgal.read_measurement(package / "measured/void_probability.ecsv")
    assert voids["radius"][-1] == 4.0
    assert np.all(np.diff(voids["void_probability"]) <= 0)


def test_what_the_reader_gives(package, demo_bundle):
    """The halos of the demo, to the digits of its text."""
    from survey_tools.halolist import HaloList

    sim = HaloList().read(package / "tests/run7.halos", ReadOptions())
    halos = mockgal.read(demo_bundle).halos
    assert sim.halos["halo_id"].tolist() == halos["halo_id"].tolist()
    for name in ("position", "velocity", "mass", "host_mass"):
        assert sim.halos[name] == pytest.approx(halos[name], rel=1e-8, abs=1e-8)


def test_the_relation_is_that_of_the_paper(package):
    """Moster et al. 2013, table 1: 0.0351 at 10^11.590 Msun, and the slopes on both sides."""
    from survey_tools.painter import stellar_mass

    mass = 10.0 ** np.array([7.0, 7.1, 11.590, 17.0, 17.1])
    log_mass = np.log10(stellar_mass(mass, 0.0))
    assert stellar_mass(np.zeros(1), 1.0) == 0
    assert log_mass[2] == pytest.approx(11.590 + np.log10(0.0351))
    assert np.diff(log_mass)[[0, 3]] / 0.1 == pytest.approx([1 + 1.376, 1 - 0.608], abs=1e-3)

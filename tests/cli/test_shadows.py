"""What happens to lie in the working directory changes nothing: names, modules and settings."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import mockgal
from mockgal.errors import MockgalError, MockgalWarning
from mockgal.painters.cnn.weights.named import find_weights, shipped_weights
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import SHIPPED, named, to_ecsv
from mockgal.recipe import check, read_yaml

CATALOGS = Path(__file__).parents[2] / "catalogs"
EXPECTED = yaml.safe_load((CATALOGS / "demo.expected.yaml").read_text())
NAME, OTHER = "gadget4-z0.00", SHIPPED / "gadget4-z0.50.ecsv"


def test_a_file_does_not_replace_a_shipped_calibration(build_demo, tmp_path):
    shutil.copy(OTHER, tmp_path / NAME)
    cut = "stellar_mass > 3e9 Msun/h"
    result = build_demo("--calibration", NAME, "--seed", 1, "--cut", cut, "--out", "mock.fits")
    assert result.returncode == 0, result.stderr
    assert f"To take the file: --calibration ./{NAME}" in result.stderr
    assert f"content     {EXPECTED['content_digest']}" in result.stdout.splitlines()
    digest = named(NAME).digest[:16]
    law = f"law         calibration {NAME}, which comes with mockgal, digest {digest}"
    assert law in result.stdout.splitlines()


def test_a_mock_says_whose_numbers_it_has(demo_bundle, tmp_path):
    table = replace(named(NAME), provenance={"summary": "of my own"})
    (tmp_path / "own").write_text(to_ecsv(table))
    scene = mockgal.read(demo_bundle)
    for calibration, ours in ((NAME, True), (tmp_path / "own", False)):
        about = HODPainter(calibration).describe(scene)
        assert about["calibration"] == NAME
        assert about["comes_with_mockgal"] is ours


def test_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (found,) = shipped_weights()
    for name, find in ((found.header.name, find_weights), (NAME, named)):
        Path(name).write_text("no table, and no weights")
        with pytest.warns(MockgalWarning, match=f"To take the file: --[a-z]+ ./{name}$"):
            assert find(name) is not None
        for path in (f"./{name}", Path(name), str(tmp_path / name)):
            if find is find_weights:
                assert find(path) == Path(path)
            else:
                with pytest.raises(MockgalError, match=name):
                    find(path)
    shutil.copy(OTHER, "mine")  # no name of ours: a file
    assert named("mine").name == "gadget4-z0.50"
    with pytest.raises(MockgalError) as caught:
        named("nothing")
    assert caught.value.exit_code == 2


def test_a_recipe_names_a_file_beside_it(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    recipe = tmp_path / "folder/a.yaml"
    monkeypatch.chdir(tmp_path)
    text = "sim: dark.hdf5\npainter: hod\npainter_options: {{calibration: {}}}\n"
    for value, expected in ((f"./{NAME}", f"folder/{NAME}"), (NAME, NAME)):
        recipe.write_text(text.format(value))
        for path in (Path("folder/a.yaml"), recipe):
            options = check(read_yaml(path), "a.yaml").painter_options
            where = tmp_path if path.is_absolute() and "/" in value else Path()
            assert options["calibration"] == str(where / expected)
    recipe.write_text(text.format(f"./{NAME}"))
    monkeypatch.chdir(recipe.parent)
    options = check(read_yaml(Path("a.yaml")), "a.yaml")
    assert options.painter_options["calibration"] == f"./{NAME}"
    assert options.configuration()["painter_options"] == {"calibration": NAME}
    options = check(
        {"sim": "a", "painter": "hod", "painter_options": {"calibration": Path(NAME)}}, "here"
    )
    assert options.painter_options["calibration"] == f"./{NAME}"


def test_modules_in_the_working_directory_are_not_executed(mockgal_command, tmp_path):
    for name in ("numpy", "yaml", "torch", "click", "json", "typing", "h5py", "hdf5plugin"):
        (tmp_path / f"{name}.py").write_text("open('it-went-off', 'w')\n")
    result = mockgal_command("calibrations")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "it-went-off").exists()


def test_other_programs_keep_their_search_path(tmp_path):
    """Also those whose package imports mockgal before its module is found."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("import mockgal")
    (tmp_path / "mine/run.py").write_text("import beside")
    (tmp_path / "beside.py").write_text("print('found')")
    done = subprocess.run(
        [sys.executable, "-m", "mine.run", "mockgal"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "found\n", done.stderr


@pytest.mark.parametrize("where", ["matplotlibrc", "elsewhere"])
def test_settings_of_matplotlib_that_cannot_be_read(tmp_path, where):
    (tmp_path / where).write_bytes(b"\xff\xfe\nfigure.dpi: 31\n")  # no UTF-8
    code = (
        "from mockgal.statistics.plotting.palette import picture_style\nwith picture_style():\n"
        "  from matplotlib.figure import Figure; Figure().savefig('a.png')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MATPLOTLIBRC": str(tmp_path / where)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").is_file()

"""Recipes: checked keys and values, files, and the digest of what matters."""

from pathlib import Path

import pytest

from mockgal.errors import UsageError
from mockgal.recipe import DEFAULT_SEED, check, read_yaml

GOOD = {"sim": "dark.hdf5", "painter": "hod"}


def test_defaults_are_stated():
    recipe = check(GOOD, "test")
    assert recipe.seed == DEFAULT_SEED
    assert recipe.output == Path("dark-hod.fits")
    assert recipe.configuration()["seed"] == DEFAULT_SEED


@pytest.mark.parametrize(
    ("sim", "name"),
    [
        ("/data/groups_002", "groups_002-hod.fits"),
        ("a.b/run.1.hdf5", "run.1-hod.fits"),
    ],
)
def test_output_name(sim, name):
    assert check({"sim": sim, "painter": "hod"}, "test").output == Path(name)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sede", 3, "did you mean seed"),
        ("seed", -1, "whole number"),
        ("seed", "x", "whole number"),
        ("seed", True, "whole number"),
        ("seed", 1.0, "whole number"),
        ("sim", "", "path"),
        ("out", "a\0b.fits", "path"),
        ("units", "cgs", "h-free"),
        ("mass_definition", "201c", "200c"),
        ("orphans", "keep", "drop"),
        ("box_size", 100, '"100 Mpc/h"'),
        ("particle_mass", 1e9, '"1e9 Msun/h"'),
        ("cut", None, "a list of cuts"),
        ("cut", [1], "a list of cuts"),
        ("painter_options", None, "name: value"),
        ("sim", 3, "expected a path"),
        ("overwrite", "x", "true or false"),
        ("h", "x", "a finite number"),
        ("format", 3, "a text"),
        ("cut", 3, "a list of cuts"),
        ("h", True, "a number"),
        ("h", float("nan"), "finite number"),
        ("redshift", "inf", "finite number"),
    ],
)
def test_refused(key, value, says):
    with pytest.raises(UsageError, match=says) as caught:
        check({**GOOD, key: value}, "recipe.yaml")
    assert "recipe.yaml:" in str(caught.value)
    assert key in str(caught.value)


def test_missing_key():
    with pytest.raises(UsageError, match="painter"):
        check({"sim": "x"}, "test")


def test_digest_is_of_what_matters():
    digest = check(GOOD, "test").configuration_digest()
    for same in ({"out": "x.fits"}, {"overwrite": True}, {"sim": "y"}, {"units": "h"}):
        assert check({**GOOD, **same}, "test").configuration_digest() == digest
    for other in (
        {"seed": 2},
        {"cut": ["vmax > 3 km/s"]},
        {"mass_definition": "200m"},
        {"painter_options": {"allow_extrapolation": True}},
    ):
        assert check({**GOOD, **other}, "test").configuration_digest() != digest


def test_paths_are_relative_to_the_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("sim: x/dark.hdf5\npainter: hod\ncut: vmax > 3 km/s\n")
    recipe = check(read_yaml(path), str(path))
    assert recipe.sim == tmp_path / "x/dark.hdf5"
    assert recipe.cut == ("vmax > 3 km/s",)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "sim: !!python/object/apply:os.system ['touch owned']",
            marks=pytest.mark.fault(71),
            id="71-python object",
        ),
        "- a\n- b",
        "seed: 3\nseed: 4",
        "out: 2020-13-45",
        pytest.param("a: &x [1]\nb: [*x, *x]", marks=pytest.mark.fault(71), id="71-aliases"),
        "seed: " + "9" * 5000,
        "3",
        "",
        "a: [",
        "1: 2",
        "sim: &a [*a]\n: :",
    ],
)
def test_bad_files(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_yaml(path)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "owned").exists()


def test_unreadable(tmp_path):
    with pytest.raises(UsageError):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_text("a: 1\n" * 300_000)
    with pytest.raises(UsageError, match="bytes"):
        read_yaml(tmp_path / "big.yaml")


def test_calibration_files_are_relative_too_and_their_folders_not_recorded(tmp_path):
    path = tmp_path / "a.yaml"
    text = "sim: dark.hdf5\npainter: hod\npainter_options: {{calibration: {}}}\n"
    path.write_text(text.format("sub/my.ecsv"))
    recipe = check(read_yaml(path), str(path))
    assert recipe.painter_options == {"calibration": str(tmp_path / "sub/my.ecsv")}
    assert recipe.configuration()["painter_options"] == {"calibration": "my.ecsv"}
    path.write_text(text.format("gadget4-z0.00"))
    assert check(read_yaml(path), str(path)).painter_options == {"calibration": "gadget4-z0.00"}


def test_output_names_of_folders_are_whole(tmp_path):
    (tmp_path / "simz0.5").mkdir()
    recipe = check({"sim": tmp_path / "simz0.5", "painter": "hod"}, "test")
    assert recipe.output == Path("simz0.5-hod.fits")

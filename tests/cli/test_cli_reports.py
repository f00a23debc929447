"""Reports for programs (--json), none at all (--quiet), and completion by a shell."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from astropy.table import Table
from terminal import mockgal as on_terminal

import mockgal
from mockgal import registry
from mockgal.cli import cli
from mockgal.cli.command import plain

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_bundle):
    path = tmp_path_factory.mktemp("reports")
    shutil.copy(demo_bundle, path / "dark.hdf5")
    return path


@pytest.fixture(scope="module")
def run(folder, forked):
    """Run a command in the folder, and return what it printed."""

    def command(*words):
        result = forked(words, folder, timeout=300)
        assert result.returncode == 0, result.stderr
        return result

    return command


@pytest.fixture(scope="module")
def report(run):
    """The document of a command, and its warnings on the screen."""

    def command(*words):
        result = run(*words, "--json")
        document = json.loads(result.stdout, parse_constant=pytest.fail)
        shown = [
            line.removeprefix("mockgal: warning: ") for line in result.stderr.strip().splitlines()
        ]
        assert set(shown) <= set(document["warnings"])
        assert document["mockgal_version"] == mockgal.__version__
        return document

    return command


@pytest.fixture(scope="module")
def mock(report):
    """The document on a mock that is built first."""
    cut = "stellar_mass > 5e9 Msun/h"
    return report(
        "build", "--sim", "dark.hdf5", "--painter", "hod", "--cut", cut, "--out", "m.fits"
    )


def test_build(mock, folder):
    table = Table.read(folder / "m.fits", hdu="GALAXIES")
    assert mock["command"] == "build"
    assert mock["catalogue"]["galaxies"] == len(table)
    assert mock["catalogue"]["centrals"] == int(table["is_central"].sum())
    assert mock["catalogue"]["satellites"] == int((~table["is_central"]).sum())
    masses = mock["catalogue"]["stellar_mass_range_msun"]
    assert masses == pytest.approx([table["stellar_mass"].min(), table["stellar_mass"].max()])
    (cut,) = mock["cuts"]
    assert cut["after"] == len(table) < cut["before"] == mock["painted"]
    assert mock["simulation"]["box_size_mpc_h"] == 16.0
    assert mock["painter"]["calibration"] == "gadget4-z0.00"
    assert mock["seed_is_default"] is True
    (source,) = mock["read"]
    assert Path(source["path"]).name == "dark.hdf5"
    assert source["bytes"] == (folder / "dark.hdf5").stat().st_size
    assert mock["wrote"] == ["m.fits", "m.fits.run.json"]
    assert all((folder / path).is_file() for path in mock["wrote"])
    assert any("not for science" in warning for warning in mock["warnings"])
    assert mockgal.read_galaxies(folder / "m.fits").digest() == mock["content_digest"] or (
        mockgal.read_galaxies(folder / "m.fits").provenance["read_from"]["content_digest"]
        == mock["content_digest"]
    )


def test_measure(mock, report, folder):
    document = report("measure", "m.fits", "--statistic", "mass_function,xi", "--out", "tables")
    assert list(document["tables"]) == ["mass_function", "xi"]
    for name, told in document["tables"].items():
        stored = mockgal.read_measurement(folder / "tables" / f"{name}.ecsv")
        for column, values in stored.columns.items():
            numbers = [math.nan if x is None else x for x in told["columns"][column]["values"]]
            np.testing.assert_allclose(np.array(numbers, values.dtype), values, rtol=1e-6)
        assert told["settings"]["errors"] == stored.settings["errors"]
        assert told["wrote"] == [f"tables/{name}.ecsv", f"tables/{name}.png"]
    unit = document["tables"]["mass_function"]["columns"]["mass_function"]["unit"]
    assert unit == "h3 / (Mpc3 dex)"
    assert all((folder / path).is_file() for path in document["wrote"])


def test_statistics_may_be_given_one_by_one(mock, report):
    more = ("--statistic", "xi", "--out", "one-by-one", "--no-plots")
    document = report("measure", "m.fits", "--statistic", "mass_function", *more)
    assert list(document["tables"]) == ["mass_function", "xi"]
    assert document["wrote"] == ["one-by-one/mass_function.ecsv", "one-by-one/xi.ecsv"]


@pytest.mark.slow
def test_other_commands(mock, report):
    inspected = report("inspect", "m.fits")
    assert inspected["rows"] == mock["catalogue"]["galaxies"]
    assert set(mock["warnings"]) <= set(inspected["warnings"])
    assert report("inspect", "dark.hdf5")["subhalos"] == 456
    packed = report("pack", "--sim", "dark.hdf5", "--out", "packed.hdf5", "--no-particles")
    assert packed["simulation"]["subhalos"] == 456
    assert packed["particles"] == 0
    assert packed["halo_digest"] == mock["simulation"]["halo_digest"]
    matter = report("field", "--sim", "dark.hdf5", "--grid", "16", "--out", "matter.hdf5")
    assert matter["voxel_size_mpc_h"] == 1.0
    assert matter["matter"]["particles"] == 262144
    stars = report("field", "--galaxies", "m.fits", "--grid", "16", "--out", "stars.hdf5")
    assert stars["kind"] == "mass"
    (drawn,) = report("plot", "m.fits", "--out", "p.png")["catalogues"].values()
    assert drawn["galaxies"] == mock["catalogue"]["galaxies"]
    tables = report("calibrations")["calibrations"]
    assert {"gadget4-z0.00", "tng100-1"} <= {table["name"] for table in tables}
    listed = report("weights", "list")
    assert listed["command"] == "weights list"
    (weights,) = [each for each in listed["weights"] if each["name"] == "gadget4-demo"]
    assert report("weights", "show", "gadget4-demo")["digest"] == weights["digest"]


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--sim", "dark.hdf5", "--painter", "hod", "--out", "quiet.fits"),
        ("inspect", "dark.hdf5"),
        ("calibrations",),
        ("weights", "list"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.slow_but("build", "calibrations")
def test_quiet(run, words):
    loud = run(*words)
    overwrite = ["--overwrite"] if "--out" in words else []
    quiet = run(*words, "--quiet", *overwrite)
    assert loud.stdout
    assert quiet.stdout == ""
    assert quiet.stderr == loud.stderr  # warnings are still there
    both = run(*words, "--quiet", "--json", *overwrite)
    assert json.loads(both.stdout)["command"] == " ".join(words[: 1 + (words[0] == "weights")])


@pytest.mark.slow
def test_quiet_draws_no_bar(folder):
    words = ("pack", "--sim", "dark.hdf5", "--out", "bar.hdf5", "--overwrite")
    assert "\x1b[?25l" in on_terminal(*words, cwd=folder).raw
    assert on_terminal(*words, "--quiet", cwd=folder).raw == ""


def test_a_failure_prints_no_document(mockgal_command):
    result = mockgal_command("inspect", "nowhere", "--json")
    assert result.returncode == 3
    assert result.stdout == ""
    assert "nowhere" in result.stderr


def test_every_command_reports():
    def leaves(command):
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                yield from leaves(inner)
        else:
            yield command

    for command in leaves(cli):
        options = {name for parameter in command.params for name in parameter.opts}
        assert {"--quiet", "--json"} <= options, command.name


def test_values_of_all_kinds_are_json():
    value = {
        "array": np.array([1.0, np.nan, np.inf], np.float32),
        "number": np.int64(3),
        "flag": np.bool_(True),
        "path": Path("a/b"),
        "set": {1},
        2: (None, "text", float("-inf")),
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "array": [1.0, None, None],
        "number": 3,
        "flag": True,
        "path": "a/b",
        "set": [1],
        "2": [None, "text", None],
    }


COMPLETION = """
eval "$(_MOCKGAL_COMPLETE=bash_source mockgal)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_mockgal_completion mockgal "${COMP_WORDS[COMP_CWORD]}" 2> /dev/null
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("build", "--painter", ""), set(registry.names("painters"))),
        (("build", "--calibration", "gadget4-z0"), {"gadget4-z0.00", "gadget4-z0.50"}),
        (("build", "--weights", "gad"), {"gadget4-demo"}),
        (("inspect", "--format", "qui"), {"quijote"}),
        (("measure", "m.fits", "--statistic", "power,xi,x"), {"power,xi,xi_multipoles"}),
        (("weights", ""), {"list", "show", "convert"}),
        (("field", "--ga"), {"--galaxies"}),
        (("field", "--fro"), set()),  # an earlier name is not offered
    ],
)
@pytest.mark.slow_but("words0", "words5", "words6")
def test_bash_completes(words, found, tmp_path):
    program = tmp_path / "mockgal"
    program.write_text(f"#!{sys.executable}\nfrom mockgal.cli import main\nmain()\n")
    program.chmod(0o755)
    result = subprocess.run(
        ["bash", "-c", COMPLETION, "bash", "mockgal", *words],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert set(result.stdout.split()) == found, result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_exist(mockgal_command, shell):
    code = "import sys; sys.argv[0] = 'mockgal'; from mockgal.cli import main; main([])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "_MOCKGAL_COMPLETE": f"{shell}_source",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "_MOCKGAL_COMPLETE" in result.stdout

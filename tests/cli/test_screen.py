"""Commands on a real terminal, as a person sees them: rich renders, nothing is replaced."""

import re
import shutil
from pathlib import Path

import pytest
from terminal import mockgal

from mockgal.cli import cli

ROOT = Path(__file__).parents[2]
CATALOGS = ROOT / "catalogs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_bundle):
    """A folder with the demo's simulation and two mocks, which the tests build."""
    path = tmp_path_factory.mktemp("terminal")
    shutil.copy(demo_bundle, path / "dark.hdf5")
    return path


# The commands of make demo, which CI runs whole on a terminal, and every other command that draws a
# bar, in the order in which one needs the files of another.
COMMANDS = {
    "inspect": ["inspect", "dark.hdf5"],
    "build-hod": ["build", "--recipe", CATALOGS / "demo.yaml", "--out", "hod.fits"],
    "build-cnn": ["build", "--recipe", CATALOGS / "demo-cnn.yaml", "--out", "cnn.fits"],
    "build-part": [
        *("build", "--recipe", CATALOGS / "demo.yaml", "--out", "parts.fits", "--part", "1-2/2"),
    ],
    "build-parts": [
        *("build", "--recipe", CATALOGS / "demo.yaml", "--out", "workers.fits"),
        *("--parts", "3", "--workers", "2"),
    ],
    "status": ["status"],
    "clean": ["clean"],
    "merge": ["merge", "parts.fits"],
    "plot": ["plot", "hod.fits", "--out", "hod.png"],
    "weights": ["weights", "show", "gadget4-demo"],
    "pack": ["pack", "--sim", "dark.hdf5", "--out", "again.hdf5"],
    "field": ["field", "--sim", "dark.hdf5", "--grid", "32", "--out", "field.hdf5"],
    "measure": [
        *("measure", "hod.fits", "--statistic", "power,mass_function,wp", "--out", "tables"),
        *("--grid", "32"),
    ],
    "fit": [
        *("fit", "--sim", "dark.hdf5", "--data", "tables/wp.ecsv", "--model", "zheng07"),
        *("--stellar-mass-law", "moster13", "--prior", "alpha=normal(1, 0.2)", "--out", "fit"),
        *("--drop-bad", "--prior", "logM1=uniform(11, 13) log10(Msun/h)", "--steps", "50"),
        *("--parameters", "logMmin=10.8 log10(Msun/h), sigma_logM=0.2, logM0=10.3 log10(Msun/h)"),
    ],
    "verify": ["verify", "hod.fits", "tables/power.ecsv"],
    "reproduce": ["reproduce", "hod.fits", "--out", "again.fits"],
    "calibrations": ["calibrations"],
    "compare": [
        *("compare", "--truth", CATALOGS / "demo/hydro.hdf5", "--mock", "hod=hod.fits"),
        *("--statistic", "mass_function", "--cut", "stellar_mass > 8e9 Msun/h", "--out", "report"),
    ],
}
BARS = {"build-cnn", "build-parts", "pack", "field", "measure", "fit", "compare"}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_a_terminal(folder, name):
    shown = mockgal(*COMMANDS[name], cwd=folder)
    assert shown.screen  # what it says is tested elsewhere: here, that it can be said
    if name in BARS:
        assert "\x1b[?25l" in shown.raw, "no bar was drawn"
        assert re.search(r"\d+/\d+", shown.text)


def test_no_command_runs_only_where_its_libraries_are_imported():
    """Here, or in test_calibrating, test_train_command and test_cli_survey: see tests/forked.py."""
    here = {words[0] for words in COMMANDS.values()}
    assert here | {"calibrate", "train", "evaluate", "survey"} == set(cli.commands)


def pack(name, *options, **settings):
    return mockgal("pack", "--sim", "dark.hdf5", "--out", f"{name}.hdf5", *options, **settings)


@pytest.mark.slow
def test_warnings_stand_above_the_bar(folder):
    """The caution of the weights comes while the bar is drawn, and is whole, on its own lines."""
    shown = mockgal(*COMMANDS["build-cnn"], "--overwrite", cwd=folder)
    (warning,) = [line for line in shown.text.splitlines() if "not for science" in line]
    assert warning.startswith("mockgal: warning: weights gadget4-demo")
    assert warning.endswith("for want of feedback")


def test_forty_columns(folder):
    shown = pack("narrow", columns=40, cwd=folder)
    bars = [line for line in shown.screen if re.search(r"\d/\d", line)]
    assert bars, shown.screen
    assert all(len(line) <= 40 for line in bars)
    assert any(line.startswith("particles") for line in bars)


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.slow
def test_reports_are_broken_between_words(folder, columns):
    shown = mockgal(*COMMANDS["build-hod"], "--overwrite", columns=columns, cwd=folder)
    piped = mockgal(*COMMANDS["build-hod"], "--overwrite", stdout_piped=True, cwd=folder)
    assert piped.stdout.split() == shown.text[shown.text.index("simulation ") :].split()
    caution = shown.screen.index(next(line for line in shown.screen if "caution" in line))
    assert shown.screen[caution + 1].startswith(12 * " ")


def test_a_terminal_that_cannot_move_its_cursor(folder):
    shown = pack("dumb", env={"TERM": "dumb"}, cwd=folder)
    assert "\x1b[" not in shown.raw
    assert "wrote" in shown.text


def test_no_color(folder):
    shown = pack("plain", env={"NO_COLOR": "1"}, cwd=folder)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown.raw)
    assert "262144/262144" in shown.text


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
@pytest.mark.slow_but("environment0")
def test_ascii_only(folder, environment):
    name = "großer Würfel.hdf5"
    shutil.copy(folder / "dark.hdf5", folder / name)
    arguments = ("pack", name, "--out", "ascii.hdf5", "--overwrite")
    shown = mockgal(*arguments, env=environment, cwd=folder)
    assert "262144/262144" in shown.text
    refused = mockgal("inspect", "Würfel", env=environment, cwd=folder, code=3)
    assert "error[" in refused.text


def test_the_report_can_be_piped_away(folder):
    shown = pack("piped", stdout_piped=True, cwd=folder)
    assert shown.stdout.startswith("wrote")
    assert "\x1b" not in shown.stdout
    assert "262144/262144" in shown.text
    assert "wrote" not in shown.text


def test_ctrl_c_while_a_bar_is_drawn(folder):
    pressed = []

    def react(text):
        if "painting" in text and not pressed:
            pressed.append(True)
            return "\x03"
        return None

    before = sorted(path.name for path in folder.iterdir())
    command = ("build", "--recipe", CATALOGS / "demo-cnn.yaml", "--out", "never.fits")
    shown = mockgal(*command, code=130, react=react, cwd=folder)
    assert pressed
    assert shown.text.splitlines()[-1].startswith("mockgal: interrupted")
    after = sorted(path.name for path in folder.iterdir())
    assert [name for name in after if name not in before] == []


@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (10, 5), (500, 100)])
@pytest.mark.slow_but("10-5")
def test_terminals_of_odd_sizes(folder, columns, rows):
    assert "wrote" in pack("odd", "--overwrite", columns=columns, rows=rows, cwd=folder).raw


def test_errors_on_a_terminal(folder):
    command = ("build", "--sim", "dark.hdf5", "--painter", "hod", "--cut", "mass")
    assert "mockgal: error[E202]" in mockgal(*command, code=2, cwd=folder).text

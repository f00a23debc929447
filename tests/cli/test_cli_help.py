"""The help of every command: grouped, complete, and readable on narrow and wide terminals."""

import json
import re

import click
import pytest

import mockgal
from mockgal.cli import cli
from mockgal.cli.command import Command
from mockgal.errors import UsageError
from mockgal.painters.cnn.architecture import PRESETS


def commands(command=cli, name="mockgal", parent=None):
    """Contexts of all commands, those of groups too."""
    settings = command.context_settings
    context = command.context_class(command, info_name=name, parent=parent, **settings)
    yield context
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, inner_name, context)


COMMANDS = list(commands())
OPTIONS = [
    pytest.param(context, option, id=f"{context.command_path} {option.opts[0]}")
    for context in COMMANDS
    for option in context.command.get_params(context)
    if isinstance(option, click.Option)
]


def sections(text):
    """Headings of a help, and the options below each."""
    found = {}
    for line in text.splitlines():
        if line and line[0] not in " U" and line.endswith(":"):
            found[line[:-1]] = options = []
        elif line.startswith("  -"):
            options.append(line.split()[0])
    return found


def help_of(*words, width=100):
    (context,) = (c for c in COMMANDS if c.command_path == " ".join(("mockgal", *words)))
    context.terminal_width, context.max_content_width = width, width
    return context.get_help()


def test_painters_have_groups_of_their_own():
    groups = sections(help_of("build"))
    titles = list(groups)
    assert titles[:2] == ["Simulation", "Painter"]
    assert titles[-1] == "Other options"
    assert {"Selection", "Output", "Reading the input", "What the input does not state"} < set(
        titles
    )
    of = {option: title for title, options in groups.items() for option in options}
    assert of["--calibration"] == of["--rank-correlation"] == "Painter hod, with a calibration"
    assert of["--threshold"] == of["--luminosity-floor"] == "Painter hod, with a model of halotools"
    assert of["--weights"] == of["--tile-size"] == "Painter cnn"
    assert of["--populate"] == of["--velocity-bias"]
    assert max(map(len, groups.values())) <= 13


@pytest.mark.parametrize("context", COMMANDS, ids=lambda c: c.command_path)
def test_long_lists_are_grouped(context):
    groups = sections(context.get_help())
    assert len(groups) > 1 or len(next(iter(groups.values()))) < 8


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("context", COMMANDS, ids=lambda c: c.command_path)
def test_help_fits_the_terminal(context, width):
    context.terminal_width, context.max_content_width = width, width
    text = context.get_help()
    names = [o.opts[0] for o in context.command.get_params(context) if isinstance(o, click.Option)]
    for name in names:
        assert any(
            line.strip().startswith(name) or f", {name}" in line for line in text.splitlines()
        )
    for line in text.splitlines():
        # A name with its choices is never broken.
        assert len(line) <= width or line.startswith("  --") or line.startswith("Usage:"), line
        assert not line.rstrip().endswith("-"), line
    assert "\ue000" not in text
    assert "\ue001" not in text


@pytest.mark.parametrize(("context", "option"), OPTIONS)
def test_every_option_says_what_it_is(context, option):
    text = option.help or ""
    assert text[:1].isupper()
    assert text.endswith(".")
    assert not text.startswith(("Of ", "For checkpoints", "At most so"))
    assert len(text) > 20, text
    if isinstance(option.type, click.types.StringParamType):  # what a text is, is said
        assert option.metavar or option.name in (
            "name",
            "summary",
            "caution",
            "references",
            "target",
        )


def test_one_name_is_one_thing():
    kinds = {}
    for parameter in OPTIONS:
        _, option = parameter.values
        kinds.setdefault(option.opts[0], set()).add((option.type.name, option.metavar))
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {
        "--out": {("file", None), ("folder", None)},  # a folder of tables, of measure
        "--seed": {("integer", None), ("seed", None)},  # of build, which takes several
        # Luminosity floor and the like are one thing everywhere.
    }


def test_presets_are_those_of_the_network():
    (preset,) = (p.values[1] for p in OPTIONS if p.values[1].opts[0] == "--preset")
    assert set(preset.type.choices) == set(PRESETS)


EVALUATE = ["--dark", "x", "--hydro", "y"]
TRAIN = ["train", *EVALUATE, "--out", "w.safetensors"]


@pytest.mark.parametrize(
    ("old", "new", "form", "replacement"),
    [
        (
            ["pack", "x.hdf5", "--out", "y.hdf5"],
            ["pack", "--sim", "x.hdf5", "--out", "y.hdf5"],
            *("the argument x.hdf5", "write --sim x.hdf5"),
        ),
        (
            ["field", "--from", "x", "--grid", "8"],
            ["field", "--galaxies", "x", "--grid", "8"],
            *("--from", "use --galaxies"),
        ),
        (
            ["field", "--from=x", "--grid", "8"],
            ["field", "--galaxies", "x", "--grid", "8"],
            *("--from", "use --galaxies"),
        ),
        (
            ["evaluate", "gadget4-demo", *EVALUATE],
            ["evaluate", "--weights", "gadget4-demo", *EVALUATE],
            *("the argument gadget4-demo", "write --weights gadget4-demo"),
        ),
        (
            ["build", "--painter", "hod", "--sim", "x", "--density", "d"],
            ["build", "--painter", "hod", "--sim", "x", "--matter", "d"],
            *("--density", "use --matter"),
        ),
        (
            [*TRAIN, "--folder", "f"],
            [*TRAIN, "--resume", "f"],
            *("--folder", "use --resume"),
        ),
        (
            [*TRAIN, "--citation", "a", "--citation", "b"],
            [*TRAIN, "--reference", "a", "--reference", "b"],
            *("--citation", "use --reference"),
        ),
        (
            [*TRAIN, "--accelerator", "cpu"],
            [*TRAIN, "--device", "cpu"],
            *("--accelerator", "use --device"),
        ),
    ],
    ids=lambda words: words if isinstance(words, str) else words[0],
)
@pytest.mark.slow_but("build", "evaluate", "field")
def test_earlier_forms_work_with_a_warning(mockgal_command, old, new, form, replacement):
    before, now = mockgal_command(*old), mockgal_command(*new)
    assert before.returncode == now.returncode == 3
    first, rest = before.stderr.split("\n", 1)
    assert first == f"mockgal: warning: {form} is deprecated and ends in mockgal 0.4: {replacement}"
    assert rest == now.stderr
    assert "x" in now.stderr


@pytest.mark.slow
def test_an_earlier_name_takes_its_earlier_values(mockgal_command):
    before = mockgal_command(*TRAIN, "--accelerator", "gpu")
    now = mockgal_command(*TRAIN, "--device", "cuda")
    assert before.returncode == now.returncode
    assert before.stderr.split("\n", 1)[1] == now.stderr
    assert mockgal_command(*TRAIN, "--device", "gpu").returncode == 2


def test_the_warning_of_an_earlier_form_is_in_the_report(mockgal_command, demo_bundle):
    result = mockgal_command("pack", demo_bundle, "--out", "y.hdf5", "--json")
    (warning,) = json.loads(result.stdout)["warnings"]
    assert result.stderr == f"mockgal: warning: {warning}\n"
    assert "deprecated" in warning


def test_an_earlier_form_ends_after_two_minor_versions(mockgal_command):
    major, minor = map(int, mockgal.__version__.split(".")[:2])
    stderr = mockgal_command("field", "--from", "x", "--grid", "8").stderr
    ends = re.search(r"ends in mockgal (\d+)\.(\d+)", stderr)
    assert (major, minor) < (int(ends[1]), int(ends[2])), "the old forms can go"


def test_the_same_thing_twice_is_refused(mockgal_command):
    result = mockgal_command("pack", "a", "--sim", "b", "--out", "y.hdf5")
    assert result.returncode == 2
    assert "a beside --sim b" in result.stderr
    result = mockgal_command("pack", "--out", "y.hdf5")
    assert result.returncode == 2
    assert "no --sim" in result.stderr


@pytest.mark.parametrize(("context", "option"), OPTIONS)
def test_an_option_of_one_value_is_taken_once(context, option):
    """Click takes the last; flags without a contrary may be repeated, and so may `multiple`."""
    harmless = option.is_flag and not option.secondary_opts
    if option.multiple or harmless or not isinstance(context.command, Command):
        return
    value = () if option.is_flag else ("1",)
    for other in (*option.opts, *option.secondary_opts):
        with pytest.raises(UsageError, match=f"{option.opts[0]}.* twice"):
            context.command.make_context("x", [option.opts[0], *value, other, *value])


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--sim", "a", "--seed", "1", "--seed=2"),
        ("measure", "a.fits", "--statistic", "wp", "--randoms", "a", "--randoms", "b"),
        ("field", "--sim", "a", "--subhalos", "--no-subhalos"),
    ],
)
def test_twice_says_which_option_it_is(mockgal_command, words):
    result = mockgal_command(*words)
    assert result.returncode == 2
    assert "twice, expected one at most. Fix: leave one out" in result.stderr


def test_help_is_given_beside_any_mistake(mockgal_command):
    assert mockgal_command("build", "--seed", "1", "--seed", "2", "--help").returncode == 0
    assert mockgal_command("build", "--overwrite", "--overwrite", "--help").returncode == 0

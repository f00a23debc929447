"""Options that a painter declares in its class: everywhere from that one place."""

import subprocess
import sys
from dataclasses import MISSING, dataclass, make_dataclass
from pathlib import Path
from typing import ClassVar

import click
import pytest
from click.testing import CliRunner

import mockgal
from mockgal import options, registry
from mockgal.cli import cli
from mockgal.cli.build import build
from mockgal.errors import MockgalWarning, UsageError
from mockgal.painters.hod.painter import HODPainter
from mockgal.recipe import check, read_yaml
from mockgal.testing.contracts import options_contract

pytestmark = pytest.mark.filterwarnings("ignore:(calibration|about)")

# A painter with an option of each kind, which says what reached it.
SOURCE = """
from dataclasses import asdict, dataclass
from typing import ClassVar

from mockgal import options as o
from mockgal.painters.hod.painter import HODPainter


@dataclass(frozen=True)
class Mine:
    my_option: int = o.whole("Number of neighbours that count.", 2, least=1, most=9)
    my_number: float = o.number("Steepness of the law.", 0.5, least=0)
    my_height: str | float = o.name_or_number("Height.", ("low", "high"), "low", least=0, most=9)
    my_flag: bool = o.flag("Whether neighbours count.")
    no_less: bool = o.flag("Whether more is more.", True)
    my_choice: str = o.choice("Law that is taken.", ("steep", "flat"), "flat")
    my_text: str = o.text("Words for the record.", "")
    my_mass: str = o.quantity("Least mass.", "Msun / littleh", example="1e9 Msun/h")
    my_memory: str = o.size("Most memory to use.")
    my_file: str = o.file("Table of the law.")
    my_folder: str = o.folder("Folder for notes.", exists=False, changes_result=False)
    my_law: str = o.name_or_file("Law with a name, or in a file.", extension=".law")
    device: str = o.choice("Place where it runs.", ("near", "far"), "near", changes_result=False)
    allow_extrapolation: bool = o.allow_extrapolation()
    seed: int = o.whole("Seed of its own.", 1)

    name: ClassVar[str] = "mine"
    needs: ClassVar[frozenset] = frozenset({"halos"})
    provides: ClassVar[tuple] = HODPainter.provides
    references: ClassVar[tuple] = ("me",)

    def predict(self, scene):
        return HODPainter().predict(scene)

    def describe(self, scene):
        return {"name": "mine", "options": asdict(self), "references": ["me"]}
"""
POINTS = {"painters": {"mine": "mine_of_test:Mine"}}


@pytest.fixture
def mine(install):
    """The installed plug-in."""
    install("mine", POINTS, mine_of_test=SOURCE)


def run(*arguments):
    return CliRunner().invoke(cli, ["build", *map(str, arguments)])


def recipe_of(path, more, painter="mine"):
    path.write_text(f"sim: x\npainter: {painter}\npainter_options: {{{more}}}\n")
    return check(read_yaml(path), str(path))


@pytest.mark.usefixtures("mine")
def test_from_the_command_line(demo_bundle, tmp_path):
    (tmp_path / "a.txt").write_text("3")
    flags = ["--my-option", 3, "--my-number", "1e-1", "--my-height", "2.5"]
    flags += ["--my-flag", "--no-no-less"]
    flags += ["--my-choice", "steep", "--my-text", "x y", "--my-mass", "1e9 Msun", "--my-memory"]
    flags += ["1 GiB", "--my-file", tmp_path / "a.txt", "--my-folder", "b", "--my-law", "c"]
    flags += ["--device", "far"]  # a flag of painter cnn
    out = tmp_path / "mock.hdf5"
    result = run("--sim", demo_bundle, "--painter", "mine", "--out", out, *flags)
    assert result.exit_code == 0, result.output
    provenance = mockgal.read_galaxies(out).provenance
    assert provenance["painter"]["options"] == {
        "my_option": 3,
        "my_number": 0.1,
        "my_height": 2.5,
        "my_flag": True,
        "no_less": False,
        "my_choice": "steep",
        "my_text": "x y",
        "my_mass": "1e9 Msun",
        "my_memory": "1 GiB",
        "my_file": str(tmp_path / "a.txt"),
        "my_folder": "b",
        "my_law": "c",
        "device": "far",
        "allow_extrapolation": False,
        "seed": 1,
    }
    recorded = provenance["configuration"]["painter_options"]
    assert recorded["my_file"] == "a.txt"
    assert not {"device", "my_folder", "my_memory"} & set(recorded)


@pytest.mark.usefixtures("mine")
def test_from_python(demo_bundle):
    sim = mockgal.read(demo_bundle)
    mock = mockgal.paint(sim, "mine", seed=1, my_option=4, my_mass=1e9)
    assert mock.provenance["painter"]["options"]["my_option"] == 4
    with pytest.raises(UsageError, match=r"my_optoin.*my_option, my_number"):
        mockgal.paint(sim, "mine", seed=1, my_optoin=4)


WRONG = [
    ("my_option", 0, "a whole number from 1 to 9"),
    ("my_option", 2.5, "a whole number"),
    ("my_option", True, "a whole number"),
    ("my_option", "3", "a whole number"),
    ("my_number", -1, "a number, 0 or more"),
    ("my_number", float("nan"), "a number"),
    ("my_height", 10, "low, high, or a number from 0 to 9"),
    ("my_height", "tall", "low, high, or a number from 0 to 9"),
    ("my_height", True, "low, high, or a number from 0 to 9"),
    ("my_flag", "yes", "true or false"),
    ("my_flag", 1, "true or false"),
    ("my_choice", "round", "one of steep, flat"),
    ("my_choice", ["flat"], "one of steep, flat"),
    ("my_text", 3, "a text"),
    ("my_mass", "1e9", "without a unit"),
    ("my_mass", "3 km", "of another kind"),
    ("my_mass", True, 'with its unit, such as "1e9 Msun/h"'),
    ("my_memory", 4, 'a size with its unit, such as "4 GiB"'),
    ("my_memory", "4", "GiB"),
    ("my_file", "nowhere/a", "which is no file"),
    ("my_file", "a\0b", "a file"),
    ("my_folder", 3, "a folder"),
    ("my_folder", " ", "a folder"),
    ("my_law", 3, "a name or a file"),
    ("device", "cpu", "one of near, far"),
]


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_values_that_are_not_allowed(name, value, says):
    with pytest.raises(UsageError, match=says) as caught:
        mockgal.tasks.build.make_painter("mine", {name: value})
    assert name.replace("_", "-" if value == "4" else "_") in caught.value.where


@pytest.mark.usefixtures("mine")
def test_recipes_give_quantities_their_unit(tmp_path):
    for number in ("3", "1e9", "true"):
        with pytest.raises(UsageError, match='my_mass with its unit, such as "1e9 Msun/h"'):
            recipe_of(tmp_path / "a.yaml", f"my_mass: {number}")
    assert recipe_of(tmp_path / "a.yaml", "my_mass: 3 Msun").painter_options["my_mass"] == "3 Msun"


@pytest.mark.usefixtures("mine")
def test_paths_in_a_recipe_are_those_that_are_declared(tmp_path):
    given = "my_file: a, my_folder: b, my_law: {}, my_text: ./x, my_choice: c.law"
    found = recipe_of(tmp_path / "a.yaml", given.format("sub/law")).painter_options
    names = {"my_file": "a", "my_folder": "b", "my_law": "sub/law"}
    assert found == {key: str(tmp_path / value) for key, value in names.items()} | {
        "my_text": "./x",
        "my_choice": "c.law",
    }
    for law, path in {"steep": "steep", "x.law": str(tmp_path / "x.law"), "/a": "/a"}.items():
        found = recipe_of(tmp_path / "a.yaml", given.format(law)).painter_options
        assert found["my_law"] == path
    # The painter of the command line decides, where there is one.
    (tmp_path / "a.yaml").write_text("painter: hod\npainter_options: {my_file: a}\n")
    assert read_yaml(tmp_path / "a.yaml")["painter_options"]["my_file"] == "a"
    found = read_yaml(tmp_path / "a.yaml", "mine")["painter_options"]
    assert found["my_file"] == str(tmp_path / "a")


@pytest.mark.usefixtures("mine")
def test_what_changes_no_galaxy_is_not_in_the_digest():
    def digest(**more):
        recipe = check({"sim": "x", "painter": "mine", "painter_options": more}, "test")
        return recipe.configuration_digest()

    for same in ({"my_folder": "x"}, {"my_memory": "1 GiB"}, {"device": "far"}):
        assert digest(**same) == digest()
    others = [{"my_option": 3}, {"my_flag": True}, {"my_file": "x"}, {"my_text": "x"}, {"seed": 2}]
    assert len({digest(**other) for other in [*others, {}]}) == len(others) + 1
    assert digest(my_file="a/x") == digest(my_file="b/x")


def test_digests_of_configurations_are_those_of_earlier_versions():
    """Of the demo's recipes, and of one with options of all kinds."""
    expected = {
        "demo": "7cbdf8e10a4ae36c60170b7101601d85d905e1648dac0bb0fe8b96d97a985d22",
        "demo-cnn": "5d0837ed8d83633c6910553c28d91deea12a75e6a3b3e904bfc76c6110fe4792",
    }
    for name, digest in expected.items():
        path = Path(__file__).parents[2] / f"catalogs/{name}.yaml"
        assert check(read_yaml(path), name).configuration_digest() == digest
    more = {"weights": "./a/b.safetensors", "tile_size": 32, "memory": "4 GiB", "device": "cpu"}
    recipe = {"sim": "x", "painter": "cnn", "painter_options": more, "seed": 3}
    assert (
        check(recipe, "test").configuration_digest()
        == "df8f0c96a55e1f456f76f0606ba0dd2e2052fc6eb1487267fda6f46b254d433b"
    )


@pytest.mark.usefixtures("mine")
def test_the_help_has_a_group_of_its_own():
    text = run("--help").output
    titles = [line[:-1] for line in text.splitlines() if line[:7] == "Painter"]
    first = ["hod, with a calibration", "hod, with a model of halotools", "cnn"]
    assert titles[:4] == ["Painter", *(f"Painter {title}" for title in first)]
    assert titles[-1] == "Painter mine"
    group = text[text.index("Painter mine:") : text.index("Satellites, for")]
    assert "Only in recipes and from Python: seed." in group  # --seed is of the command
    for words in (
        "--my-option INTEGER",
        "--my-flag ",
        "--no-less / --no-no-less",
        "--my-choice [steep|flat]",
        "--my-height NAME|NUMBER",
        "--my-mass MASS",
        "--my-memory SIZE",
        "--my-file FILE",
        "--my-folder FOLDER",
        "--my-law NAME|FILE",
        "--device [near|far]",
        "--allow-extrapolation",
    ):
        assert words in group
    assert "--device [auto|cpu|cuda]" in text


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["mine", "--my-option", "x"], "'x' is not a whole number"),
        (["mine", "--threshold", "x"], "option threshold, expected one of my_option"),
        (["mine", "--device", "cpu"], "one of near, far"),
        (["cnn", "--device", "near"], "one of auto, cpu, cuda"),
        (["hod", "--my-option", "3"], "option my_option, expected one of calibration, "),
        (["hod", "--threshold", "x"], "'x' is not a number"),
        (["cnn", "--tile-size", "2.5"], "'2.5' is not a whole number"),
        (["hod", "--my-optoin", "3"], "--my-option"),
    ],
)
def test_the_declaration_of_the_chosen_painter_counts(demo_bundle, flags, says):
    result = run("--sim", demo_bundle, "--painter", *flags)
    assert says in f"{result.exception} {result.output}"
    assert result.exit_code


def test_plug_ins_are_imported_only_where_they_may_be_meant(install):
    install("mine", {"painters": {"mine": "mine_of_test:Mine"}}, mine_of_test="1 / 0")
    build.make_context("build", ["--painter", "hod", "--mode", "paper", "--device", "cpu"])
    for words in (["--help"], ["-h"], ["--my-option", "3"], ["--my-option=3"]):
        with (
            pytest.warns(MockgalWarning, match=r"left out: painter mine .*ZeroDivisionError"),
            pytest.raises((click.exceptions.Exit, click.NoSuchOption)),
        ):
            build.make_context("build", words)


def test_one_whose_options_are_odd_is_left_out(install):
    """The others keep theirs."""
    odd = SOURCE.replace('"Number of neighbours that count."', "3j")
    points = {"odd": "odd_of_test:Mine", "mine": "mine_of_test:Mine"}
    install("mine", {"painters": points}, odd_of_test=odd, mine_of_test=SOURCE)
    with pytest.warns(MockgalWarning, match="left out: painter odd"):
        text = run("--help").output
    assert "Painter mine:" in text
    assert "Painter odd:" not in text


def test_the_help_needs_no_painter():
    code = """if True:
        import sys
        from mockgal.cli import main
        try:
            main(["build", "--help"])
        except SystemExit:
            pass
        heavy = ("torch", "halotools", "numba", "astropy", "scipy")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Painter cnn:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", registry.built_in("painters"))
def test_built_in_painters_have_the_options_that_are_found_without_them(name):
    made_by = registry.load("painters", name)
    options_contract(made_by)
    assert registry.painter_options(name) == options.option_groups(made_by)


def test_help_of_python_describes_the_options():
    for name, option in options.options_of(HODPainter).items():
        assert f"\n{name} : " in HODPainter.__doc__
        assert option.help[:40] in HODPainter.__doc__


def undeclared():
    class Plain:
        def __init__(self, size=3): ...

    return Plain


@pytest.mark.parametrize(
    ("made_by", "says"),
    [
        (undeclared(), "option size is a field of a dataclass"),
        (make_dataclass("Half", [("size", int, 3)]), "option size is a field of a dataclass"),
        (make_dataclass("Dumb", [("size", int, options.whole("", 3))]), "a sentence"),
        (make_dataclass("Curt", [("size", int, options.whole("its size", 3))]), "a sentence"),
        (
            make_dataclass("Wrong", [("size", int, options.whole("Its size.", 0, least=1))]),
            "the default of option size is allowed",
        ),
        (
            make_dataclass("Vague", [("x", int, options.flag("Of it.", changes_result=None))]),
            "whether it changes the result",
        ),
    ],
)
def test_the_contract_sees_what_is_not_declared(made_by, says):
    with pytest.raises(AssertionError, match=says):
        options_contract(made_by)


def test_options_that_one_must_give_and_checks_of_a_class_itself():
    @dataclass(frozen=True)
    class Toy:
        law: str = options.choice("Law that is taken.", ("steep", "flat"), MISSING)
        size: int | None = options.whole("Number of halos.", most=4)
        name: ClassVar[str] = "toy"

        def __post_init__(self):
            options.check_options(self)

    options_contract(Toy)
    assert Toy("flat").size is None
    with pytest.raises(TypeError):
        Toy()
    with pytest.raises(UsageError, match=r"painter toy:size.*4 or less"):
        Toy("flat", size=5)
    with pytest.raises(UsageError, match=r"painter toy:law.*steep, flat"):
        Toy(None)

"""Plug-ins of other distributions: used where they work, and never in the way where they do not."""

import os
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

import mockgal
from mockgal import registry
from mockgal.errors import FormatError, MockgalError, MockgalWarning, UsageError
from mockgal.recipe import check
from mockgal.tasks.measure import all_statistics

GROUPS = ("readers", "mocks", "painters", "writers", "statistics")
PAINTER = """
from dataclasses import dataclass
from mockgal.options import folder, text
from mockgal.painters.hod.painter import HODPainter

class Toy:
    name, needs, references = "toy", frozenset({"halos"}), ()
    provides = HODPainter.provides

    def __init__(self, device="near", scratch=None):
        if device == "none":
            raise ValueError("no such device")
        self.device = device

    def predict(self, scene):
        prediction = HODPainter().predict(scene)
        if self.device == "far":
            return prediction.take([*range(len(prediction))])
        return prediction

    def describe(self, scene):
        return HODPainter().describe(scene)

@dataclass(frozen=True)
class Careful(Toy):
    device: str = text("Where it is.", "near")
    scratch: str | None = folder("Scratch files.", exists=False, changes_result=False)
"""
STATISTIC = """
from mockgal.statistics.galaxies.mass_function import stellar_mass_function

def count(galaxies, *, bin_width: float = 0.5):
    return stellar_mass_function(galaxies, bin_width=bin_width)

def nothing(galaxies):
    return len(galaxies)
"""
WRITER = """
class Toy:
    name, extensions = "toy", (".toy",)

    def write(self, galaxies, path, **how):
        raise RuntimeError("no such licence")
"""
BROKEN = {
    "raises": "raise RuntimeError('no licence\\nfound')",
    "exits": "raise SystemExit(3)",
    "unparsable": "def f(:\n",
    "wants": "import nothing_of_this_name",
    "ours": "from mockgal.errors import InputError\nraise InputError('x', 'y')",
    "asserts": "assert False",
}


def told(call):
    """The texts that mockgal warns of while ``call`` runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MockgalWarning)
        call()
    return [str(w.message) for w in caught if w.category is MockgalWarning]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("how", BROKEN)
def test_one_that_cannot_be_imported_is_warned_of_and_left_out(install, group, how):
    install("toy-tools", {group: {"toy": f"bad_{how}:Toy"}}, **{f"bad_{how}": BROKEN[how]})
    found = []
    messages = told(lambda: found.extend(name for name, _ in registry.working(group)))
    assert found == list(registry._BUILT_IN[group])
    assert len(messages) == 1
    with pytest.raises(UsageError) as caught:
        registry.load(group, "toy")
    for text in (messages[0], str(caught.value)):
        assert "toy-tools 1.0" in text
        assert f"toy (bad_{how}:Toy" in text
        assert "importing" in text
        assert "pip uninstall toy-tools" in text
        assert "\n" not in text
    kinds = {"raises": "RuntimeError: no licence found", "exits": "SystemExit: 3"}
    kinds |= {"unparsable": "SyntaxError", "wants": "ModuleNotFoundError: No module named"}
    assert kinds.get(how, "") in messages[0]


def test_a_command_that_is_told_to_end_ends(install):
    """SIGTERM comes as a SystemExit, maybe in the middle of an import."""
    install("toy", {"readers": {"toy": "bad:Toy"}}, bad="raise SystemExit(128 + 15)")
    with pytest.raises(SystemExit):
        list(registry.working("readers"))


@pytest.mark.parametrize(
    ("value", "source", "says"),
    [
        ("odd:Missing", "", "AttributeError"),
        ("odd:number", "number = 3", "a int"),
        ("odd:nothing", "nothing = None", "a NoneType"),
        ("odd", "", "a module"),
        ("odd:make", "def make():\n    return 3", "detect"),
        ("odd:Half", "class Half:\n    name = 'half'\n    def detect(self, path): ...", "read"),
        ("odd:Needy", "class Needy:\n    def __init__(self, x): ...", "TypeError"),
        ("odd:f()", "", "AttributeError"),
    ],
)
def test_what_is_no_reader(install, demo_bundle, value, source, says):
    install("toy", {"readers": {"toy": value}}, odd=source)
    sims = []
    messages = told(lambda: sims.append(mockgal.read(demo_bundle)))
    assert len(sims) == len(messages) == 1
    assert says in messages[0]
    with pytest.raises(UsageError, match=says):
        mockgal.read(demo_bundle, format="toy")


def test_a_reader_that_fails_where_it_looks(install, demo_bundle):
    source = """
class Toy:
    name = "toy"
    def detect(self, path):
        raise KeyError("a header")
    def read(self, path, options):
        return {}["x"]
"""
    install("toy", {"readers": {"toy": "looking:Toy"}}, looking=source)
    (message,) = told(lambda: mockgal.read(demo_bundle))
    assert "KeyError: 'a header', while looking at" in message
    with pytest.raises(UsageError, match="KeyError: 'x', while reading"):
        mockgal.read(demo_bundle, format="toy")


MOCKS = """
class Toy:
    name = "toy"
    def detect(self, path):
        return path.suffix == ".toy"
    def read(self, path, options):
        return {}["x"]

class Looking(Toy):
    def detect(self, path):
        raise KeyError("a header")

class Forgets(Toy):
    def read(self, path, options):
        return None

class Same(Toy):
    def read(self, path, options):
        import mockgal
        return mockgal.read_galaxies(path.with_suffix(".hdf5"))

class Wrong(Same):
    def read(self, path, options):
        mock = super().read(path, options)
        mass = mock["stellar_mass"].copy()
        mass[3] = 1e30
        from dataclasses import replace
        return replace(mock, columns={**mock.columns, "stellar_mass": mass})
"""


@pytest.fixture
def toy_mock(tmp_path, demo_bundle):
    """A mock beside a file of the same name that only a plug-in reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    mockgal.write(mock, tmp_path / "mock.hdf5", units="h")
    (tmp_path / "mock.toy").write_text("toy\n")
    return tmp_path / "mock.toy"


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        ("Toy", "KeyError: 'x', while reading"),
        ("Forgets", "TypeError: it returns a NoneType, not a GalaxyCatalog, while reading"),
        ("Wrong", "mock.toy:stellar_mass, row 3: found 1.0000000150474662e.30"),
    ],
)
def test_a_reader_of_mocks_that_fails(install, toy_mock, reader, says):
    install("toy", {"mocks": {"toy": f"mocking:{reader}"}}, mocking=MOCKS)
    with pytest.raises(MockgalError, match=says):
        mockgal.read_galaxies(toy_mock)
    with pytest.raises(MockgalError, match=says):
        mockgal.inspect(toy_mock)


def test_a_reader_of_mocks(install, toy_mock, demo_bundle):
    install("toy", {"mocks": {"toy": "mocking:Same"}}, mocking=MOCKS)
    ours = mockgal.read_galaxies(toy_mock.with_suffix(".hdf5"))
    mock = mockgal.read_galaxies(toy_mock)
    assert mock.digest() == ours.digest()
    assert mock.provenance["read_from"] == {"format": "toy"}
    assert set(mockgal.read_galaxies(toy_mock, "stellar_mass").columns) == {
        *("galaxy_id", "halo_id", "stellar_mass")
    }
    with pytest.raises(UsageError, match="no column nothing"):
        mockgal.read_galaxies(toy_mock, ["nothing"])
    with pytest.raises(UsageError, match="of format toy"):
        mockgal.read_galaxies(toy_mock, changed_by_hand="brightest only")
    with pytest.raises(FormatError, match="a mock, not a simulation"):
        mockgal.read(toy_mock)
    facts = mockgal.inspect(toy_mock)
    assert (facts["kind"], facts["format"], facts["rows"]) == ("mock", "toy", len(ours))
    assert mockgal.inspect(demo_bundle)["kind"] == "gravity-only"


def test_a_reader_of_mocks_that_fails_where_it_looks(install, toy_mock, demo_bundle):
    install("toy", {"mocks": {"toy": "mocking:Looking"}}, mocking=MOCKS)
    (message,) = told(lambda: mockgal.inspect(demo_bundle))
    assert "reader of mocks toy" in message
    assert "KeyError: 'a header', while looking at" in message
    assert not told(lambda: mockgal.read_galaxies(toy_mock.with_suffix(".hdf5")))


def test_two_readers_of_mocks_that_know_a_file(install, toy_mock):
    install("toy", {"mocks": {"toy": "mocking:Toy", "same": "mocking:Same"}}, mocking=MOCKS)
    with pytest.raises(FormatError, match=r"several .*: toy, same"):
        mockgal.read_galaxies(toy_mock)


def test_what_is_no_painter(install, demo_bundle):
    source = "class Half:\n    name = 'half'\nclass Fails(Half):\n    def __init__(self): 1 / 0"
    install("toy", {"painters": {"half": "few:Half", "fails": "few:Fails"}}, few=source)
    sim = mockgal.read(demo_bundle)
    with pytest.raises(UsageError, match=r"Half .*needs, provides, references"):
        mockgal.paint(sim, "half", seed=1)
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        mockgal.paint(sim, "fails", seed=1)
    states = mockgal.inspect(demo_bundle)["painters"]
    assert states["hod"]["ready"]
    assert not states["half"]["ready"]
    assert "ZeroDivisionError" in states["fails"]["missing"]


FAILING = """
from good_module import Toy

class Raises(Toy):
    def predict(self, scene):
        return {}["a halo"]

class Forgets(Toy):
    def predict(self, scene):
        return None

class Silent(Toy):
    def describe(self, scene):
        raise OSError("no disk")

class Lawless(Toy):
    def satellites(self, scene):
        return 1 / 0
"""


@pytest.mark.filterwarnings("ignore:calibration")
@pytest.mark.parametrize(
    ("painter", "says"),
    [
        ("Raises", "KeyError: 'a halo', while painting"),
        ("Forgets", "AttributeError"),
        ("Silent", "OSError: no disk"),
    ],
)
@pytest.mark.slow_but("Raises")
def test_a_painter_that_fails_where_it_paints(install, mockgal_command, demo_bundle, painter, says):
    site = install(
        "toy-tools",
        {"painters": {"toy": f"failing:{painter}"}},
        failing=FAILING,
        good_module=PAINTER,
    )
    with pytest.raises(UsageError) as caught:
        mockgal.paint(mockgal.read(demo_bundle), "toy", seed=1)
    result = mockgal_command(
        *("build", "--sim", demo_bundle, "--painter", "toy", "--out", "toy.hdf5"),
        PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]),
    )
    assert result.returncode == 2
    assert "report" not in result.stderr
    for text in (str(caught.value), result.stderr):
        for word in (says, "painter toy", f"failing:{painter}", "toy-tools 1.0", "pip uninstall"):
            assert word in text


def test_satellites_of_a_painter_that_fails(install, demo_bundle):
    install("toy", {"painters": {"toy": "failing:Lawless"}}, failing=FAILING, good_module=PAINTER)
    sim = mockgal.read(demo_bundle)
    hosts = replace(sim, halos=sim.halos.take(np.flatnonzero(sim.halos["is_central"])))
    with pytest.raises(UsageError, match=r"ZeroDivisionError.*while painting"):
        mockgal.populate(hosts, "toy", seed=1)


@pytest.mark.filterwarnings("ignore:calibration")
def test_errors_of_a_painter_of_the_users_own_are_left_as_they_are(install, demo_bundle):
    install("toy", {}, failing=FAILING, good_module=PAINTER)
    from failing import Raises

    with pytest.raises(KeyError):
        mockgal.paint(mockgal.read(demo_bundle), Raises(), seed=1)


@pytest.mark.filterwarnings("ignore:calibration")
@pytest.mark.slow
def test_a_writer_that_fails_where_it_writes(install, build_demo, demo_bundle, tmp_path):
    site = install("toy", {"writers": {"toy": "writing:Toy"}}, writing=WRITER)
    says = "writer toy .*: found RuntimeError: no such licence, while writing "
    mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    with pytest.raises(UsageError, match=says):
        mockgal.write(mock, tmp_path / "a.toy")
    result = build_demo(
        "--out", "a.toy", PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    )
    assert result.returncode == 2
    assert re.search(says, result.stderr)
    assert not list(tmp_path.glob("*.toy*"))


@pytest.mark.filterwarnings("ignore:calibration")
def test_statistics(install, demo_bundle):
    points = {"statistics": {"count": "counting:count", "nothing": "counting:nothing"}}
    install("toy", points, counting=STATISTIC)
    mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    assert len(mockgal.measure(mock, "count", bin_width="0.5 dex"))
    assert {"count", "power"} <= set(all_statistics())
    with pytest.raises(UsageError, match="int, not a Measurement"):
        mockgal.measure(mock, "nothing")
    with pytest.raises(UsageError, match="option bin_with"):
        mockgal.measure(mock, "count", bin_with=1)


def test_built_in_names_are_taken(install, demo_bundle):
    """What a name means does not depend on what else is installed."""
    points = {group: {next(iter(registry._BUILT_IN[group])): "bad:x"} for group in GROUPS}
    install("toy", points, bad="raise RuntimeError")
    for group in GROUPS:
        (message,) = told(lambda group=group: list(registry.working(group)))
        assert "toy 1.0" in message
        name = next(iter(registry._BUILT_IN[group]))
        assert registry.names(group).count(name) == 1
        registry.load(group, name)


def test_two_distributions_with_one_name(install):
    for one in ("one", "two"):
        install(one, {"painters": {"toy": f"{one}_module:Toy"}}, **{f"{one}_module": PAINTER})
    with pytest.raises(UsageError, match=r"one 1.0.*two 1.0|two 1.0.*one 1.0"):
        registry.load("painters", "toy")
    (message,) = told(lambda: list(registry.working("painters")))
    assert "several plug-ins of that name" in message


@pytest.mark.filterwarnings("ignore:calibration")
def test_a_list_of_entry_points_that_cannot_be_read(install, demo_bundle):
    install("toy", "[mockgal.readers]\nno sign of equality\n")
    install("good", {"painters": {"good": "good_module:Toy"}}, good_module=PAINTER)
    sim = []
    (message,) = told(lambda: sim.append(mockgal.read(demo_bundle)))
    assert "toy" in message
    assert len(mockgal.paint(sim[0], "good", seed=1))


def test_an_option_called_device_may_change_the_result(install):
    points = {"painters": {"toy": "careful:Toy", "careful": "careful:Careful"}}
    install("toy", points, careful=PAINTER)

    def digest(painter, **options):
        recipe = {"sim": "x", "painter": painter, "painter_options": options}
        return check(recipe, "test").configuration_digest()

    assert digest("toy", device="far") != digest("toy", device="near")
    assert digest("toy", scratch="a") != digest("toy", scratch="b")
    assert digest("careful", device="far") != digest("careful", device="near")
    assert digest("careful", scratch="a") == digest("careful", scratch="b")
    assert digest("cnn", device="cpu") == digest("cnn", device="auto")
    assert digest("hod", mode="paper") != digest("hod")


@pytest.mark.slow
def test_commands_go_on_beside_broken_ones(install, mockgal_command, demo_bundle, tmp_path):
    points = {group: {"broken": "bad:x"} for group in GROUPS}
    points["painters"]["toy"] = "fine:Toy"
    site = install("toy", points, bad="raise SystemExit('bye')", fine=PAINTER)
    paths = {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    looked = mockgal_command("inspect", demo_bundle, **paths)
    assert looked.returncode == 0, looked.stderr
    assert re.findall(r"a plug-in is left out: (.*) broken", looked.stderr) == [
        "reader of mocks",
        "reader",
        "painter",
    ]
    assert "painter toy     can paint this" in looked.stdout
    built = mockgal_command(
        "build", "--sim", demo_bundle, "--painter", "toy", "--out", "toy.hdf5", **paths
    )
    assert built.returncode == 0, built.stderr
    mock = mockgal.read_galaxies(tmp_path / "toy.hdf5")
    assert not [text for text in mock.provenance["warnings"] if "plug-in" in text]
    asked = mockgal_command("build", "--sim", demo_bundle, "--painter", "broken", **paths)
    assert asked.returncode == 2
    assert "SystemExit: bye, while importing it" in asked.stderr

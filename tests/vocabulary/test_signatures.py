"""What functions say that they take is what they take: signatures against the lists of options."""

import dataclasses
import inspect
import pydoc
import re

import pytest

import mockgal
from mockgal import registry
from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import UsageError
from mockgal.protocols import ReadOptions, spelled_out
from mockgal.satellites.options import SatelliteOptions
from mockgal.statistics.names import UNITS, options_of
from mockgal.tasks.one_statistic import STATISTIC_OPTIONS

READING = [mockgal.read, mockgal.pack, mockgal.inspect, mockgal.field]
READING += [mockgal.calibrate, mockgal.evaluate, mockgal.train]


def keywords(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("function", READING, ids=lambda f: f.__name__)
def test_options_of_reading(function):
    own = keywords(function)
    for name, default in ReadOptions._field_defaults.items():
        assert own[name].default == default
        allowed = {str(ReadOptions.__annotations__[name])}
        allowed |= {"float | str | None"} if name in ("box_size", "particle_mass") else set()
        assert str(own[name].annotation) in allowed | {
            getattr(ReadOptions.__annotations__[name], "__forward_arg__", "")
        }
        assert name in pydoc.render_doc(function)
    assert not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def test_read_describes_each_option():
    """And so do the options that readers get, which are the same."""
    for documented in (mockgal.read.__doc__, ReadOptions.__doc__):
        for name in ReadOptions._fields:
            assert re.search(rf"(^ *|, ){name}\b", documented, re.M), name


def test_options_of_satellites():
    own = keywords(mockgal.populate)
    for field in dataclasses.fields(SatelliteOptions):
        assert (own[field.name].default, own[field.name].annotation) == (field.default, field.type)
    assert set(own) - {field.name for field in dataclasses.fields(SatelliteOptions)} == {"seed"}


def test_options_of_statistics():
    builtin = {name: options_of(name) for name in registry._BUILT_IN["statistics"]}
    own = keywords(mockgal.measure)
    assert set(STATISTIC_OPTIONS) == {option for options in builtin.values() for option in options}
    assert all(own[name].default is None for name in STATISTIC_OPTIONS)
    for name in STATISTIC_OPTIONS:
        assert ("str" in own[name].annotation) >= (name in UNITS)
    for name in builtin:
        assert name in mockgal.measure.__doc__


@pytest.mark.parametrize("name", mockgal.__all__)
def test_every_parameter_is_documented(name):
    function = getattr(mockgal, name)
    section = inspect.getdoc(function).split("Parameters\n----------")[-1]
    section = section.split("\nReturns\n")[0].split("\nRaises\n")[0]
    described = section.replace(",", " ").replace("*", " ").split()
    parameters = inspect.signature(function).parameters
    assert [p for p in parameters if p not in described] == []


def test_what_is_not_there():
    with pytest.raises(TypeError, match="mass_def"):
        mockgal.read("x", mass_def="200m")
    with pytest.raises(TypeError, match="options"):
        spelled_out(lambda x: x)


def test_options_of_the_painter_for_satellites(demo_bundle):
    sim = mockgal.read(demo_bundle)
    alone = dataclasses.replace(sim, halos=sim.halos.take(sim.halos["is_central"].nonzero()[0]))
    with mockgal.errors.listening(quiet=True):
        made = mockgal.populate(
            alone, "hod", seed=1, model="leauthaud11", luminosity_floor=1e10,
            allow_extrapolation=True, concentration=5.0,
        )  # fmt: skip
        painted = mockgal.paint(
            made, "hod", seed=1, model="leauthaud11", luminosity_floor=1e10,
            allow_extrapolation=True,
        )  # fmt: skip
    record = made.halos.record["populate"]
    assert record["satellites"] > 0
    assert record["concentration"] == 5.0
    assert "leauthaud11" in record["law"]
    assert set(painted.columns) <= set(GALAXY_COLUMNS)
    with pytest.raises(UsageError, match=r"concentratoin.*velocity_bias.*calibration"):
        mockgal.populate(alone, "hod", seed=1, concentratoin=5.0)
    from mockgal.painters.hod.painter import HODPainter

    with pytest.raises(UsageError, match="mode"):
        mockgal.populate(alone, HODPainter(), seed=1, mode="paper")


FIRST = {
    "a simulation.*mockgal.read": (
        lambda path: mockgal.paint(path, "hod", seed=1),
        lambda path: mockgal.populate(sim=path, seed=1),
        lambda path: mockgal.to_halotools_model(path),
    ),
    "a catalogue of galaxies.*mockgal.read_galaxies": (
        lambda path: mockgal.select(path, "stellar_mass > 1e9 Msun/h"),
        lambda path: mockgal.most_massive(path, 3),
        lambda path: mockgal.measure(path, "power"),
        lambda path: mockgal.write(path, "b.fits"),
        mockgal.to_table,
        mockgal.to_halotools,
    ),
}


@pytest.mark.parametrize(
    ("says", "call"), [(says, call) for says, calls in FIRST.items() for call in calls]
)
def test_a_path_in_place_of_an_object(says, call):
    with pytest.raises(UsageError, match=f"found a str, expected {says}"):
        call("a.fits")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (mockgal.read, {"path": "none"}),
        (mockgal.pack, {"path": "none", "out": "a.hdf5"}),
        (mockgal.train, {"dark": "none", "hydro": "none", "out": "a.safetensors", "seed": 1}),
        (mockgal.evaluate, {"weights": "none", "dark": "none", "hydro": "none"}),
    ],
    ids=["read", "pack", "train", "evaluate"],
)
def test_the_earlier_name_of_matter_warns_and_works(function, words):
    """Until 0.4. The other files are not there, which ends the call."""
    assert "density" not in inspect.signature(function).parameters
    warned = pytest.warns(mockgal.errors.MockgalWarning, match=r"ends in mockgal 0.4: use matter")
    with warned, pytest.raises(mockgal.errors.MockgalError):
        function(**words, density="none")

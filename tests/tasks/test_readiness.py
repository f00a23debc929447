"""What `inspect` advises works: each command that it names is run."""

import json
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))

from rockstar_samples import PARTICLE, Sample

import mockgal
from mockgal.errors import DomainError, InputError
from mockgal.tasks.inspect import as_text
from mockgal.tasks.readiness import Readings, readiness
from mockgal.testing.quijote import options as quijote_options
from mockgal.testing.quijote import write_quijote
from mockgal.types import HaloCatalog

# of the calibrations from small boxes
pytestmark = pytest.mark.filterwarnings("ignore:calibration:mockgal.errors.MockgalWarning")
FACTS = {"particle_mass": f"{PARTICLE!r} Msun/h"}


def hlist(folder, redshift=0.0, drop=()):
    sample = Sample(redshift=redshift)
    for name in drop:
        sample.drop(name)
    return sample.write(folder / "hlist.list")


def ways(state):
    return [(w["options"].get("model", w["options"].get("calibration")), w) for w in state["ways"]]


@pytest.mark.parametrize(
    ("make", "options", "ready", "works"),
    [
        # The calibration, and the one model of this redshift, with its own mass.
        (hlist, FACTS, True, {None: "200c", "zheng07": "200m"}),
        (lambda f: hlist(f, 0.3), FACTS, True, {"leauthaud11": "200m"}),
        # Without a particle mass only the models.
        (hlist, {}, True, {"zheng07": "200m"}),
        # Nothing is valid for virial masses.
        (lambda f: hlist(f, 0.0, ["m200c", "m200b"]), FACTS, False, {"leauthaud11": "vir"}),
    ],
)
def test_every_command_works(tmp_path, make, options, ready, works, mockgal_command):
    path = make(tmp_path)
    facts = mockgal.inspect(path, **options)
    state = facts["painters"]["hod"]
    assert state["ready"] is ready
    assert {name: way["mass_definition"] for name, way in ways(state) if way["valid"]} == (
        works if ready else {}
    )
    assert works.items() <= {name: w["mass_definition"] for name, w in ways(state)}.items()
    assert ("missing" in state) is (None not in works)
    text = as_text(facts)
    for number, (_, way) in enumerate(ways(state)):
        assert way["command"] in text
        assert ("--allow-extrapolation" in way["command"]) is not way["valid"]
        arguments = shlex.split(way["command"])[1:]
        result = mockgal_command(*arguments, "--out", f"{number}.fits")
        assert result.returncode == 0, result.stderr
        made = json.loads((tmp_path / f"{number}.fits.run.json").read_text())
        assert made
    json.dumps(facts)


def test_what_is_refused_names_a_way_that_works(tmp_path):
    path = hlist(tmp_path)
    sim = mockgal.read(path)
    with pytest.raises(DomainError, match=r'--particle-mass "1e9 Msun/h"'):
        mockgal.paint(sim, "hod", seed=1)
    stated = mockgal.read(path, particle_mass="1.339e9 Msun/h")
    assert len(mockgal.paint(stated, "hod", seed=1))
    with pytest.raises(DomainError, match=r"read .*--mass-definition 200m"):
        mockgal.paint(stated, "hod", seed=1, model="leauthaud11", luminosity_floor="1e9 Msun/h")


def test_masses_that_the_file_lacks_are_not_advised(tmp_path):
    path = hlist(tmp_path, 0.3, ["m200c", "m200b"])
    sim = mockgal.read(path, particle_mass=PARTICLE)
    for options in ({}, {"model": "leauthaud11", "luminosity_floor": "1e9 Msun/h"}):
        with pytest.raises(DomainError) as caught:
            mockgal.paint(sim, "hod", seed=1, **options)
        assert "--mass-definition" not in caught.value.fix
        assert "mockgal inspect" in caught.value.fix
    bundle = tmp_path / "b.hdf5"
    mockgal.pack(hlist(tmp_path, 0.3), bundle, **FACTS)
    sim = mockgal.read(bundle)
    with pytest.raises(DomainError, match=r"pack .*--mass-definition 200m"):
        mockgal.paint(sim, "hod", seed=1, model="leauthaud11", luminosity_floor="1e9 Msun/h")


def test_groups_that_have_one_mass(tmp_path):
    """The options that the input was read with are in the command."""
    stated = quijote_options()
    asked = ("box_size", "redshift", "h", "omega_m", "omega_lambda")
    facts = mockgal.inspect(
        write_quijote(tmp_path), format="quijote", **{name: getattr(stated, name) for name in asked}
    )
    state = facts["painters"]["hod"]
    assert not state["ready"]
    (way,) = state["ways"]
    words = shlex.split(way["command"])
    for word in ("--format", "quijote", "--box-size", "1000.0 Mpc/h", "--allow-extrapolation"):
        assert word in words


@pytest.mark.parametrize(("redshift", "options"), [(0.0, FACTS), (0.0, {}), (0.3, {})])
def test_rows_are_checked_once_for_each_reading(tmp_path, monkeypatch, redshift, options):
    """Trying masses of other definitions neither checks all rows again nor reads twice."""
    path, made, check = hlist(tmp_path, redshift), [], HaloCatalog.__post_init__

    def counted(self):
        made.append(self.mass_definition)
        check(self)

    monkeypatch.setattr(HaloCatalog, "__post_init__", counted)
    state = mockgal.inspect(path, **options)["painters"]["hod"]
    assert {way["mass_definition"] for way in state["ways"]} <= set(made)
    # As it is by default, for halotools' models, and for relations to the virial mass.
    assert sorted(made) == ["200c", "200m", "vir"]


def test_a_definition_that_cannot_be_read_is_tried_once(tmp_path, monkeypatch):
    sim, asked = mockgal.read(hlist(tmp_path), **FACTS), []

    def refuse(path, *, format, mass_definition, **options):
        asked.append(mass_definition)
        raise InputError(path, "no such masses")

    monkeypatch.setattr("mockgal.tasks.readiness.read", refuse)
    readings = Readings(sim, tmp_path / "hlist.list", None, FACTS)
    state = readiness(readings, "hod")
    assert state["ways"]
    assert asked
    assert len(asked) == len(set(asked))

"""Facts that the user states: taken where a file lacks them, held against those that it has."""

import inspect
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from halotools_samples import columns, facts, write_table
from rockstar_samples import PARTICLE, Sample

import mockgal
from mockgal.errors import MissingDatasetError, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers import given
from mockgal.readers.detect import read
from mockgal.readers.quijote import reader as quijote
from mockgal.readers.tables.declared import Declared
from mockgal.recipe import check
from mockgal.testing import COSMOLOGY, write_arepo, write_gadget4
from mockgal.testing.compaso import write_compaso
from mockgal.testing.quijote import PARTICLE as QUIJOTE_PARTICLE
from mockgal.testing.quijote import options as quijote_options
from mockgal.testing.quijote import write_quijote
from mockgal.types import MASS_DEFINITIONS
from mockgal.writers.bundle import write_bundle

PAGE = Path(__file__).parents[2] / "docs/how-to/read-your-simulation.md"


def table(title):
    """The cells of the table below a title of the page."""
    below = PAGE.read_text().split(f"## {title}")[1].split("\n## ")[0].split("\n")
    lines = [line for line in below if line.startswith("|") and "---" not in line]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


ROWS = table("What you may state yourself")
CHOICES = {row[0]: row[1:] for row in table("What you may choose")[1:]}
FACTS = [flag.removeprefix("--").replace("-", "_") for flag in ROWS[0][1:]]
TABLE = {row[0]: dict(zip(FACTS, row[1:], strict=True)) for row in ROWS[1:]}
CELLS = [(name, fact) for name, row in TABLE.items() for fact in row]
CASES = pytest.mark.parametrize(("name", "fact"), CELLS, ids=map("-".join, CELLS))
FLAG = {fact: "--" + fact.replace("_", "-") for fact in FACTS}


def _subfind(write, statement):
    def make(folder, lacks):
        folder.mkdir()
        names = {
            "box_size": ("Header", ["BoxSize"]),
            "redshift": ("Header", ["Redshift", "Time"]),
            "h": (statement, ["HubbleParam"]),
            "omega_m": (statement, ["Omega0"]),
            "omega_lambda": (statement, ["OmegaLambda"]),
        }
        path = write(folder, files=1, snapshots=False)
        with h5py.File(path, "r+") as file:
            if lacks == "particle_mass":
                del file["Subhalo/SubhaloLenType"]
            elif lacks:
                group, attributes = names[lacks]
                for attribute in attributes:
                    del file[group].attrs[attribute]
        return path

    return make


def _rockstar(folder, lacks):
    folder.mkdir()
    sample = Sample("out")
    begins = {"box_size": "Box", "redshift": "a =", "particle_mass": "Particle"}
    if lacks in begins:
        sample.comment(begins[lacks])
    elif lacks:
        c = COSMOLOGY
        parts = {"omega_m": f"Om = {c.omega_m}", "omega_lambda": f"Ol = {c.omega_lambda}"}
        parts["h"] = f"h = {c.h}"
        del parts[lacks]
        sample.comment("Om", "; ".join(parts.values()))
    return sample.write(folder / "out_0.list")


def _halotools(folder, lacks):
    folder.mkdir()
    scene = read(_subfind(write_gadget4, "Parameters")(folder / "from", ""))
    stated = facts(scene)
    stated.pop({"box_size": "Lbox"}.get(lacks, lacks), None)
    return write_table(folder / "table.hdf5", columns(scene), stated)


def _bundle(folder, lacks):
    folder.mkdir()
    scene = read(_rockstar(folder / "from", lacks if lacks == "particle_mass" else ""))
    write_bundle(scene, folder / "dark.hdf5")
    return folder / "dark.hdf5"


def _quijote(folder, lacks):
    return write_quijote(folder)


def _compaso(folder, lacks):
    native = {
        "box_size": ("BoxSize", "BoxSizeHMpc"),
        "redshift": ("Redshift",),
        "h": ("H0",),
        "omega_m": ("Omega_M",),
        "omega_lambda": ("Omega_DE",),
        "particle_mass": ("ParticleMassHMsun",),
    }
    return write_compaso(folder, samples="", **dict.fromkeys(native.get(lacks, ())))


MAKE = {
    "gadget4": _subfind(write_gadget4, "Parameters"),
    "arepo": _subfind(write_arepo, "Header"),
    "rockstar": _rockstar,
    "halotools": _halotools,
    "bundle": _bundle,
    "compaso": _compaso,
    "quijote": _quijote,
}


def load(name, path, **stated):
    if name == "quijote":
        stated = {**quijote_options()._asdict(), **stated}
    return read(path, ReadOptions(**stated), name)


def value(scene, fact):
    return getattr(scene.snapshot.cosmology if fact in given.COSMOLOGY else scene.snapshot, fact)


def test_the_table_has_all_formats_and_facts():
    names = set(mockgal.registry.names("readers"))
    assert set(TABLE) <= names
    for name in names - set(TABLE):  # what test_scene.py tries is of all that use it
        reader = mockgal.registry.load("readers", name)
        if not issubclass(reader, Declared):
            assert "make_scene(" in inspect.getsource(inspect.getmodule(reader)), name
    assert list(given.FACTS) == FACTS


@CASES
def test_a_fact_is_taken_where_the_file_lacks_it(tmp_path, name, fact):
    whole = load(name, MAKE[name](tmp_path / "whole", ""))
    if TABLE[name][fact] == "never missing":
        return
    path = MAKE[name](tmp_path / "lacking", fact)
    stated = value(whole, fact)
    scene = load(name, path, **{fact: stated})
    assert value(scene, fact) == pytest.approx(stated, rel=1e-12)
    assert fact in scene.snapshot.record["given_by_user"]
    assert fact not in whole.snapshot.record["given_by_user"] or name == "quijote"
    np.testing.assert_allclose(scene.halos["mass"], whole.halos["mass"], rtol=1e-9)
    if fact == "particle_mass" and name != "compaso":  # its masses are numbers of particles
        assert load(name, path).snapshot.particle_mass is None
        return
    with pytest.raises(MissingDatasetError) as caught:
        load(name, path, **{fact: None})
    assert f"{FLAG[fact]} {given.FACTS[fact].example}" in caught.value.fix


@CASES
def test_a_fact_that_the_file_contradicts_is_refused(tmp_path, name, fact):
    path = MAKE[name](tmp_path / "whole", "")
    own = value(load(name, path), fact)
    if TABLE[name][fact] != "always":
        other = own + 0.01 if fact == "redshift" else own * 1.01
        with pytest.raises(UsageError) as caught:
            load(name, path, **{fact: other})
        assert caught.value.where == FLAG[fact]
        assert float(caught.value.found.split()[0]) == pytest.approx(other, rel=1e-4)
        assert float(re.match(r"[\d.e+-]+", caught.value.expected)[0].rstrip(".")) == pytest.approx(
            own, rel=1e-4
        )
    again = load(name, path, **{fact: own})
    assert value(again, fact) == own


@pytest.mark.parametrize(("fact", "wrong"), [("box_size", -5.0), ("particle_mass", np.nan)])
def test_values_that_cannot_be(tmp_path, fact, wrong):
    path = _rockstar(tmp_path / "list", fact)
    with pytest.raises(UsageError, match=f"{FLAG[fact]}: found {wrong}.* above 0"):
        read(path, ReadOptions(**{fact: wrong}))


def test_a_reader_that_ignores_a_fact_is_noticed(tmp_path):
    scene = read(_rockstar(tmp_path / "list", "particle_mass"))
    with pytest.raises(UsageError, match="--particle-mass: found 1e\\+09 Msun/h"):
        given.check(scene.snapshot, ReadOptions(particle_mass=1e9), "x")
    given.check(replace(scene.snapshot, particle_mass=1.0005e9), ReadOptions(particle_mass=1e9), "")


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.2, 1000.0])
def test_a_box_that_its_halos_do_not_fill(tmp_path, factor):
    path = _rockstar(tmp_path / "list", "box_size")
    with pytest.raises(mockgal.errors.InputError, match=r"box.*--box-size|outside the box of"):
        read(path, ReadOptions(box_size=40.0 * factor))


def moved(position, box_size, seed):
    """The same periodic box with its origin elsewhere."""
    return (position + np.random.default_rng(seed).uniform(0, box_size, size=3)) % box_size


@pytest.mark.parametrize("most_massive", [30, 60, 120, 160, 200, 400])
def test_boxes_stated_rightly_are_not_refused(demo_bundle, most_massive):
    """Voids at the far edges of a small box are natural: here none in 500."""
    scene = read(demo_bundle)
    central, side = scene.halos["is_central"], scene.snapshot.box_size
    rows = np.argsort(-scene.halos["host_mass"][central])[:most_massive]
    position = scene.halos["position"][central][rows]
    for seed in range(500):
        given.check_box(moved(position, side, seed), side, ReadOptions(), "x")


@pytest.mark.parametrize(("factor", "hosts"), [(1.05, 320), (1.2, 120), (2, 30), (1e3, 10)])
def test_boxes_stated_too_large_are_refused(demo_bundle, factor, hosts):
    scene = read(demo_bundle)
    side, central = scene.snapshot.box_size, scene.halos["is_central"]
    for seed in range(20):
        position = moved(scene.halos["position"][central], side, seed)[:hosts]
        with pytest.raises(mockgal.errors.UnitsError, match="--box-size"):
            given.check_box(position, side * factor, ReadOptions(), "x")
        given.check_box(position, side * factor, ReadOptions(allow_empty_regions=True), "x")
        centred = position - side / 2
        with pytest.raises(mockgal.errors.UnitsError, match="--box-size"):
            given.check_box(centred, side * factor, ReadOptions(centred_origin=True), "x")
        given.check_box(centred, side, ReadOptions(), "x")  # which `wrap` refuses


@pytest.mark.parametrize(("mass", "words"), [(0.13, "fill the box"), (9e11, "a median halo")])
def test_particles_that_no_run_has(tmp_path, mass, words):
    path = _rockstar(tmp_path / "list", "particle_mass")
    with pytest.raises(mockgal.errors.UnitsError, match=f"--particle-mass: found .*{words}"):
        read(path, ReadOptions(particle_mass=mass))


def test_a_list_without_any_comment(tmp_path, mockgal_command):
    """What `find_parents` of older versions of Rockstar writes."""
    sample = Sample("out")
    sample.comments = []
    path = sample.write(tmp_path / "out_2.parents")
    result = mockgal_command("inspect", path)
    assert result.returncode == 3
    wanted = FACTS[:-1]
    assert all(FLAG[fact] in result.stderr for fact in wanted)
    stated = quijote_options(box_size="40 Mpc/h")
    flags = [w for fact in wanted for w in (FLAG[fact], getattr(stated, fact))]
    result = mockgal_command("inspect", path, *flags, "--particle-mass", f"{PARTICLE} Msun/h")
    assert result.returncode == 0, result.stderr
    whole = mockgal.read(Sample("out").write(tmp_path / "out_3.list"))
    scene = mockgal.read(
        path, **{fact: getattr(stated, fact) for fact in wanted}, particle_mass="1.33925e9 Msun/h"
    )
    assert scene.snapshot.particle_mass == whole.snapshot.particle_mass == PARTICLE
    for column in ("position", "host_mass", "n_particles"):
        if column in scene.halos and column != "host_mass":
            np.testing.assert_array_equal(scene.halos[column], whole.halos[column])


def test_a_particle_mass_in_a_recipe(tmp_path):
    """A mass free of h takes the h that is stated with it."""
    values = {"sim": "x", "painter": "hod", "particle_mass": "2e9 Msun", "h": 0.7}
    recipe = check(values, "test")
    assert recipe.read_options.particle_mass == pytest.approx(1.4e9)
    assert recipe.configuration()["particle_mass"] == "2e9 Msun"
    with pytest.raises(UsageError, match="--particle-mass: found 2e9 Msun, and no --h"):
        check({**values, "h": None}, "test").read_options  # noqa: B018
    with pytest.raises(UsageError, match="a number without a unit"):
        check({**values, "particle_mass": "2e9"}, "test").read_options  # noqa: B018


def test_quijote_knows_its_particles(tmp_path):
    assert _quijote(tmp_path / "q", "")
    scene = load("quijote", tmp_path / "q" / "groups_004", particle_mass=QUIJOTE_PARTICLE)
    assert scene.snapshot.record["given_by_user"] == list(quijote.ASKED)


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_followed_or_refused(tmp_path, name):
    assert set(CHOICES) == set(TABLE)
    path = MAKE[name](tmp_path / "whole", "")
    definitions, stars, parts = CHOICES[name]
    whole = load(name, path)
    own = whole.halos.mass_definition
    for definition in MASS_DEFINITIONS:
        allowed = definition == own if "packed" in definitions else definition in definitions
        present = whole.snapshot.record["mass_definitions_in_file"]
        assert set(present) <= set(definitions.replace(",", "").split()) or present == [own]
        if definition in present:
            assert load(name, path, mass_definition=definition).halos.mass_definition == definition
            assert allowed
            continue
        with pytest.raises(UsageError, match=r"^--mass-definition"):
            load(name, path, mass_definition=definition)
    with pytest.raises(UsageError, match="--stellar-mass-definition"):  # no run here has stars
        load(name, path, stellar_mass_definition="2rhalf" if "2rhalf" in stars else "bound")
    if parts == "taken":
        assert len(load(name, path, allow_missing_chunks=True).halos)
    else:
        with pytest.raises(UsageError, match=r"--allow-missing-chunks.*leave it out"):
            load(name, path, allow_missing_chunks=True)
    permitted = {"drop_bad": True, "orphans": "central", "allow_empty_regions": True}
    assert load(name, path, **permitted).halos.digest() == load(name, path).halos.digest()


def test_a_reader_that_ignores_a_choice_is_noticed(tmp_path):
    scene = read(_rockstar(tmp_path / "list", ""))
    with pytest.raises(UsageError, match="--mass-definition: found 'vir', expected 200c, as in x"):
        given.check_choices(scene, ReadOptions(mass_definition="vir"), "x")

"""Catalogues that are not alike are told, and those that are alike are not."""

from dataclasses import replace

import numpy as np
import pytest
from mass_samples import catalogue

from mockgal import select
from mockgal.completeness import TOO_FEW, Completeness
from mockgal.reports.differences import differences, stellar_mass_definition

MASS = [1e9, 3e9, 1e10, 3e10]


def made(mass=MASS, *, low=1e8, painter=None, simulation=None, seed=1, **changes):
    provenance = {"painter": {"name": "hod", **(painter or {})}, "simulation": simulation or {}}
    one = catalogue(mass, provenance=provenance, seed=seed).with_completeness(Completeness(low))
    return replace(one, snapshot=replace(one.snapshot, **changes))


def told(*catalogues):
    return differences(dict(zip("abcdefgh", catalogues, strict=False)))


def test_nothing_is_told_of_catalogues_that_are_alike():
    assert told(made()) == []
    assert told(made(), made([2e9, 4e9])) == []
    assert told(made(redshift=0.5), made(redshift=0.50001)) == []
    assert told(made(redshift=2.2e-16), made()) == []
    assert told(made(box_size=30.0), made(box_size=30.0001)) == []
    assert told(made([]), made()) == []
    stars = ({"stellar_mass_definition": "all bound stars"}, {"stellar_mass_definition": "bound"})
    assert told(made(painter=stars[0]), made(simulation={"reading": stars[1]})) == []
    assert told(made(painter=stars[0]), made()) == []  # not stated is not different
    # a floor that leaves nothing out
    assert told(made(low=5e8), made()) == []
    assert told(made(low=None), made()) == []  # nor is what is not known


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"name": "x"}, {"name": "y", "seed": 2}, ["simulations", "x (a)", "y (b)"]),
        ({"redshift": 0.0}, {"redshift": 0.5}, ["redshifts", "z = 0 (a)", "z = 0.5 (b)"]),
        ({"box_size": 30.0}, {"box_size": 40.0}, ["boxes", "= 30 (a)", "= 40 (b)"]),
        (
            {"simulation": {"mass_definition": "200c"}},
            {"simulation": {"mass_definition": "200m"}},
            ["host mass", "200c (a)", "200m (b)"],
        ),
        (
            {"painter": {"stellar_mass_definition": "all bound stars (SubhaloMassType)"}},
            {"simulation": {"reading": {"stellar_mass_definition": "2rhalf"}}},
            ["stellar mass", "all bound stars (a)", "2rhalf (b)"],
        ),
        ({"low": 2e9}, {}, ["1 of 4 galaxies of b", ">= 2e+09"]),
    ],
)
def test_what_is_different_is_told(one, other, words):
    (said,) = told(made(**one), made(**other))
    for word in words:
        assert word in said


def hosts(*, seed=1, name="x", shift=0.0, number=40):
    mass = 10.0 ** np.random.default_rng(5).uniform(12.0, 14.0, number)
    one = catalogue(np.full(number, 1e10), seed=seed, halo_mass=mass)
    columns = {**one.columns, "position_x": (one["position_x"] + shift) % one.snapshot.box_size}
    return replace(one, columns=columns, snapshot=replace(one.snapshot, name=name))


def test_twins_have_other_names_and_the_same_structures():
    assert told(hosts(), hosts(name="y", shift=0.2), hosts(name="z")) == []
    assert told(hosts(number=10), hosts(name="y", number=10)) == []
    (said,) = told(hosts(), hosts(name="y", seed=2))
    assert "different simulations" in said
    assert len(told(hosts(), hosts(name="y", shift=1.0))) == 1
    assert len(told(hosts(number=3), hosts(name="y", number=3))) == 1  # too few to tell


def test_gaps_that_no_cut_mends_are_told():
    poor = made()
    poor = poor.with_completeness(poor.completeness.lacking(TOO_FEW["satellite"]))
    (said,) = told(made(), poor)
    assert "none known (a), many satellites of the law" in said
    assert told(poor, poor) == []


def test_cosmologies_are_told_by_the_numbers_that_differ():
    one = made()
    other = made(cosmology=replace(one.snapshot.cosmology, omega_m=0.31, omega_lambda=0.69))
    (said,) = told(one, other, one)
    assert "omega_m = 0.31, omega_lambda = 0.69 (b)" in said
    assert "(a, c)" in said


def test_cuts():
    mock = made()
    bright = select(mock, "stellar_mass > 2e9 Msun/h")
    (said,) = told(mock, bright)
    assert "1 of 4 galaxies of a" in said
    assert told(select(mock, "stellar_mass >= 2e9 Msun/h"), bright) == []
    ranged = select(mock, "stellar_mass < 2e10 Msun/h")
    (said,) = told(bright, ranged)
    assert "1 of 3 galaxies of a, 1 of 3 galaxies of b" in said
    assert "2e+09 Msun/h <= stellar_mass <= 2e+10 Msun/h" in said
    (said,) = told(select(mock, "stellar_mass > 2e10 Msun/h"), ranged)
    assert "no range in common" in said
    (said,) = told(mock, mock[:2])
    assert "selected by rows" in said
    assert "none (a)" in said


def test_laws_do_not_differ_in_selection():
    """What two laws make of the same hosts, and of the same choice."""
    one, other = made(), made([*MASS, 2e9])
    reason = [g[:2].completeness.lacks for g in (one, other)]
    assert reason[0] == reason[1]


def test_the_definition_of_a_network(demo_bundle):
    network = {"network": {"domain": {"stellar_mass_definition": "2rhalf"}}}
    assert stellar_mass_definition(made(painter=network)) == "2rhalf"
    assert stellar_mass_definition(made()) == "not stated"

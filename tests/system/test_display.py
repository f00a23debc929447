"""What objects look like on the screen, and in a notebook."""

import html
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.system.deferred import Joined
from mockgal.types import GalaxyCatalog

sys.path.insert(0, str(Path(__file__).parents[1] / "satellites"))
sys.path.insert(0, str(Path(__file__).parents[1] / "writers"))
from populate_samples import hosts, law
from write_samples import catalogue

HOSTILE = "<script>alert('x')</script>&\n\x1b[31m\"</td>" + "x" * 10_000


@pytest.fixture(scope="module")
def shown(demo_bundle):
    sim = mockgal.read(demo_bundle)
    with mockgal.errors.listening(quiet=True):
        mock = mockgal.select(mockgal.paint(sim, "hod", seed=1), "stellar_mass > 1e9 Msun/h")
    power = mockgal.measure(mock, "mass_function")
    return {"Scene": sim, "GalaxyCatalog": mock, "Measurement": power} | {
        "HaloCatalog": sim.halos,
        "Snapshot": sim.snapshot,
    }


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("Scene", ["456 subhalos: 370 centrals, 86 satellites", "262,144 particles", "200c"]),
        ("HaloCatalog", ["456 subhalos", "host_mass", "200c"]),
        ("Snapshot", ["16 Mpc/h", "redshift 0", "h = 0.6774", "Msun/h"]),
        ("GalaxyCatalog", ["hod", "gadget4-z0.00", "seed 1", "> 1e9 Msun/h", "stellar_mass"]),
        ("Measurement", ["mass_function", "bins", "littleh", "galaxies of out_dm64"]),
    ],
)
def test_a_few_lines_with_the_facts(shown, name, facts):
    text, table = repr(shown[name]), shown[name]._repr_html_()
    assert text.startswith(name)
    assert len(text.splitlines()) <= 8
    assert max(map(len, text.splitlines())) < 200
    assert "array" not in text
    for fact in facts:
        assert fact in text
        assert html.escape(fact) in table


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.open = set(), []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_names_from_files_cannot_inject_anything():
    galaxies = catalogue(5, name=HOSTILE)
    told = {"painter": {"name": HOSTILE}, "cuts": [{"cut": HOSTILE}], "seed": HOSTILE}
    galaxies = replace(galaxies, provenance=told)
    tags = Tags()
    tags.feed(galaxies._repr_html_())
    assert tags.seen == {"div", "strong", "table", "tr", "th", "td"}
    assert not tags.open
    for text in (repr(galaxies), repr(galaxies.snapshot)):
        assert "\x1b" not in text
        assert len(text) < 1500


@pytest.mark.parametrize(
    "provenance",
    [{}, {"painter": "hod", "cuts": "x", "warnings": 3}, {"cuts": ["x", None, {}], "seed": None}],
)
def test_whatever_the_provenance_holds(provenance):
    assert "5 galaxies" in repr(replace(catalogue(5), provenance=provenance))


def test_columns_that_are_not_there():
    columns = {name: catalogue(3).columns[name] for name in ("galaxy_id", "halo_id")}
    few = GalaxyCatalog(columns, catalogue(3).snapshot, "box", {})
    assert repr(few).splitlines()[0] == "GalaxyCatalog of 3 galaxies"


def test_nothing_is_joined_to_be_shown():
    """Columns of a populated scene stay as they are until somebody asks for them."""
    alone = hosts(500)
    alone = replace(alone, halos=alone.halos.take(np.arange(500)))  # which nobody can write to
    scene = mockgal.populate(alone, law(alone), seed=1)
    columns = scene.halos.columns
    assert isinstance(columns, Joined)
    before = set(columns._joined)
    assert "halo_id" not in before
    for shown_ in (scene, scene.halos):
        assert "500 centrals" in repr(shown_)
        shown_._repr_html_()
    assert set(columns._joined) == before

"""Light cones beside each other on a page: what is drawn and measured, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np
import pytest
from astropy.table import Table

import mockgal
from mockgal.errors import UsageError, listening

CATALOGS = Path(__file__).parents[2] / "catalogs"
HTML = "{http://www.w3.org/1999/xhtml}"
SHORT = {"statistics": ["n_of_z", "sky_wp"], "jackknife": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, forked):
    """Two surveys of the demo, of other seeds, and the randoms of the first."""
    path = tmp_path_factory.mktemp("cones")
    for seed, name in ((1, "a"), (2, "b")):
        words = ("--recipe", CATALOGS / "demo-survey.yaml", "--seed", seed, "--out", f"{name}.fits")
        done = forked(["build", *words], path)
        assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def report(folder, forked):
    """What the command says, with the page in its folder."""
    words = ("--truth", "a.fits", "--mock", "b=b.fits", "--randoms", "a-randoms.fits")
    more = ("--statistic", "n_of_z,sky_wp", "--jackknife", "0", "--out", "page", "--json")
    done = forked(["compare", *words, *more], folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cones(folder):
    return [mockgal.read_galaxies(folder / f"{name}.fits") for name in "ab"]


def test_the_page_has_the_pictures_of_each_and_their_captions(folder, report):
    text = (folder / "page/index.html").read_text(encoding="utf-8")
    root = html5lib.HTMLParser(strict=True).parse(text)
    figures = {one.get("id"): one for one in root.iter(HTML + "figure")}
    kinds = [f"{kind}-of-{name}" for kind in ("sky", "wedge", "weights") for name in ("truth", "b")]
    assert list(figures) == [*kinds, "n-of-z", "sky-wp"]
    said = {name: "".join(one.itertext()) for name, one in figures.items()}
    assert "outline of the 5,140 randoms" in said["sky-of-truth"]
    assert "galaxies drawn" in said["wedge-of-b"]
    for name, one in figures.items():
        (image,) = one.iter(HTML + "img")
        assert len(image.get("alt")) > 40
        assert (folder / f"page/figures/{name}.pdf").exists()
    words = " ".join("".join(root.itertext()).split())
    assert "a light cone of redshifts 0.004 to 0.013" in words
    assert "Verdicts" not in words
    assert report["verdicts"] == []
    assert report["region"] is None


def test_the_numbers_are_in_the_same_bins(folder, report):
    one, other = (
        Table.read(folder / f"page/tables/{name}-n_of_z.ecsv", format="ascii.ecsv")
        for name in ("truth", "b")
    )
    assert np.array_equal(one["redshift_low"], other["redshift_low"])
    assert one["galaxies"].sum() == other["galaxies"].sum() == 257
    table = Table.read(folder / "page/tables/catalogues.ecsv", format="ascii.ecsv")
    volume = np.degrees(np.sin(np.radians(50.0))) * 60.0 * np.radians(1) ** 2 / 3
    volume *= 35.89**3 - 14.98**3  # of comoving distances [Mpc/h] to redshifts 0.012 and 0.005
    assert table["volume"] == pytest.approx([volume, volume], rel=5e-3)
    assert np.isfinite(Table.read(folder / "page/tables/b-sky_wp.ecsv")["w_p"]).any()


def test_regions_are_those_of_the_randoms_for_all(folder, cones):
    points = mockgal.read_galaxies(folder / "a-randoms.fits")
    with listening(quiet=True):
        found = mockgal.compare(cones[0], {"b": cones[1]}, randoms=points, statistics=["w_theta"])
    truth, mock = (found.measurements[name]["w_theta"] for name in ("truth", "b"))
    assert truth.settings["regions"] == mock.settings["regions"] == 20
    assert len(truth.left_out["w"]) == len(mock.left_out["w"]) == 20
    assert not found.not_measured


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistics": ["power"]}, "expected one of n_of_z"),
        ({"statistics": ["sky_wp"]}, "--randoms PATH"),
        ({"region": "8 8 8 2 Mpc/h"}, "--region"),
        ({"sim": CATALOGS / "demo/dark.hdf5"}, "--sim"),
    ],
)
def test_what_light_cones_do_not_have_is_refused(cones, options, message):
    with pytest.raises(UsageError, match=message):
        mockgal.compare(cones[0], {"b": cones[1]}, **options)


def test_boxes_and_light_cones_are_not_compared(cones):
    with listening(quiet=True):
        box = mockgal.paint(mockgal.read(CATALOGS / "demo/dark.hdf5"), "hod", seed=1)
    with pytest.raises(UsageError, match="b in a periodic box"):
        mockgal.compare(cones[0], {"b": box})
    with pytest.raises(UsageError, match="with periodic boxes"):
        mockgal.compare(box, {"b": box}, randoms=cones[0], statistics=["mass_function"])
    with pytest.raises(UsageError, match="or compare light cones"):
        mockgal.compare(box, {"b": box}, statistics=["n_of_z"])


def test_other_footprints_are_refused_or_the_difference_stated(cones):
    steps = [dict(step) for step in cones[1].provenance["survey"]]
    (own,) = [step for step in steps if step["step"] == "footprint"]
    own["footprint"] = {**own["footprint"], "dec_deg": [0.0, 40.0]}
    other = replace(cones[1], provenance={**cones[1].provenance, "survey": steps})
    with pytest.raises(UsageError, match="different footprints"):
        mockgal.compare(cones[0], {"b": other})
    with listening(quiet=True):
        found = mockgal.compare(cones[0], {"b": other}, allow_differences=True)
    assert any("different footprints" in note for note in found.notes)
    assert list(found.measurements["b"]) == ["n_of_z"]

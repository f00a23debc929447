"""Pictures of a survey, on files that mockgal wrote: what they draw, by other ways of counting."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from PIL import Image

import mockgal
from mockgal.errors import UsageError, listening
from mockgal.reports.sky import wedge
from mockgal.reports.sky.pictures import PICTURES, draw_pictures, survey_picture
from mockgal.reports.sky.projection import Extent, Projection, extent_of
from mockgal.reports.sky.view import View
from mockgal.statistics.sky.number_density import number_density
from mockgal.survey.footprint import SkyBox
from mockgal.survey.light_cone import light_cone
from mockgal.survey.number_density import NumberDensity
from mockgal.survey.randoms import randoms
from mockgal.tasks.plotting.surveys import _density_of

CATALOGS = Path(__file__).parents[2] / "catalogs"
AREA = np.degrees(np.sin(np.radians(50.0))) * 60.0  # deg^2, of catalogs/demo-survey.yaml


@pytest.fixture(scope="module")
def folder(tmp_path_factory, forked):
    """A folder with survey.fits and survey-randoms.fits, as the recipe of the demo makes them."""
    path = tmp_path_factory.mktemp("survey")
    done = forked(
        ["build", "--recipe", CATALOGS / "demo-survey.yaml", "--out", "survey.fits"], path
    )
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def galaxies(folder):
    return mockgal.read_galaxies(folder / "survey.fits")


@pytest.fixture(scope="module")
def points(folder):
    return mockgal.read_galaxies(folder / "survey-randoms.fits")


@pytest.fixture(scope="module")
def cone():
    with listening(quiet=True):
        mock = mockgal.paint(mockgal.read(CATALOGS / "demo/dark.hdf5"), "hod", seed=1)
        return light_cone(mock, redshifts=(0.002, 0.004))


def named(figure, name):
    """The artists of all panels that bear a name."""
    return [one for axes in figure.axes for one in axes.get_children() if one.get_gid() == name]


def test_the_command_draws_all_that_applies(folder, forked):
    survey = ("survey.fits", "--randoms", "survey-randoms.fits")
    done = forked(["plot", *survey, "--out", "all.png", "--json"], folder)
    assert done.returncode == 0, done.stderr
    captions = json.loads(done.stdout)["pictures"]
    assert tuple(captions) == PICTURES
    assert "2633.47 deg^2" in captions["n_of_z"]
    assert "outline of the 5,140 randoms" in captions["sky"]
    with Image.open(folder / "all.png") as picture:
        assert captions["wedge"] in picture.text["Description"]
    one = ("--picture", "sky,wedge", "--declinations", "0 20 deg", "--out", "two.pdf")
    done = forked(["plot", "survey.fits", *one, "--json"], folder)
    assert list(json.loads(done.stdout)["pictures"]) == ["sky", "wedge"]
    assert (folder / "two.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("with_randoms", [True, False])
def test_the_map_holds_every_galaxy(galaxies, points, with_randoms):
    figure = survey_picture(galaxies, "sky", randoms=points if with_randoms else None)
    axes, bar = figure.axes
    (mesh,) = [
        one for one in axes.collections if one.get_array() is not None and one.get_array().size > 20
    ]
    width, height = np.diff(mesh.get_coordinates()[:2, :2].reshape(-1, 2)[[0, 3]], axis=0)[0]
    surface = mesh.get_array()
    assert surface.sum() * width * height == pytest.approx(len(galaxies))
    # The footprint is known: pixels without galaxies are 0 and not missing, and fill it all.
    assert surface.count() * width * height == pytest.approx(AREA, rel=1e-6)
    (drawn,) = named(figure, "galaxies")
    assert len(drawn.get_xdata()) == len(galaxies)
    assert bar.get_ylabel() == "surface density of galaxies [deg$^{-2}$]"
    assert axes.get_xlabel() == "right ascension [deg]"
    assert axes.get_ylabel() == "declination [deg]"
    left, right = axes.get_xlim()
    assert left > right  # east is to the left
    (outline,) = named(figure, "footprint")
    box = outline.get_datalim(axes.transData) if with_randoms else outline.get_path().get_extents()
    assert box.width * box.height == pytest.approx(AREA, rel=1e-6)


def test_the_wedge_has_the_galaxies_of_its_slice_at_their_distances(galaxies):
    figure = survey_picture(galaxies, "wedge", declinations="10 30 deg")
    (drawn,) = named(figure, "galaxies")
    chosen = (galaxies["dec"] >= 10) & (galaxies["dec"] < 30)
    own = galaxies.snapshot.cosmology
    cosmology = FlatLambdaCDM(100.0, own.omega_m, Tcmb0=0.0)
    distance = cosmology.comoving_distance(galaxies["redshift_measured"][chosen]).value
    radius = np.hypot(*drawn.get_data())
    assert 20 < len(radius) == np.count_nonzero(chosen)
    assert radius == pytest.approx(distance, rel=1e-4)
    east = np.degrees(np.arctan2(-drawn.get_xdata(), drawn.get_ydata()))
    assert east == pytest.approx(galaxies["ra"][chosen] - 30.0, abs=1e-6)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"redshift", "comoving distance [Mpc/$h$]", "right ascension [deg]", "0.008"} <= {*texts}
    assert len(named(figure, "redshift")) >= 3
    figure = survey_picture(galaxies, "wedge", declinations=(10, 30), radial="redshift")
    (drawn,) = named(figure, "galaxies")
    assert np.hypot(*drawn.get_data()) == pytest.approx(galaxies["redshift_measured"][chosen])


def test_a_wedge_of_too_many_draws_the_same_ones_and_says_so(galaxies, monkeypatch):
    monkeypatch.setattr(wedge, "MOST", 25)
    view = View(galaxies, declinations=(0.0, 50.0))
    figure, captions = draw_pictures(view, ["wedge"])
    (drawn,) = named(figure, "galaxies")
    assert len(drawn.get_xdata()) == 25
    assert "25 of the 257 galaxies drawn" in captions["wedge"]
    (again,) = named(draw_pictures(view, ["wedge"])[0], "galaxies")
    assert np.array_equal(drawn.get_data(), again.get_data())


def test_n_of_z_is_counts_over_volumes(galaxies, points):
    found = number_density(galaxies, randoms=points)
    own = galaxies.snapshot.cosmology
    distance = FlatLambdaCDM(100.0, own.omega_m, Tcmb0=0.0).comoving_distance
    edges = np.append(found["redshift_low"], found["redshift_high"][-1])
    volume = AREA * np.radians(1) ** 2 / 3 * np.diff(distance(edges).value ** 3)
    counts, _ = np.histogram(galaxies["redshift_measured"], edges)
    assert counts.sum() == len(galaxies)
    assert found["n_of_z"] == pytest.approx(counts / volume, rel=1e-3)
    assert found["n_of_z_error"] == pytest.approx(np.sqrt(counts) / volume, rel=1e-3)
    asked = np.where(edges[:-1] < 0.0079, 3e-2, 2e-2)
    assert found["n_of_z_asked_for"] == pytest.approx(asked, rel=1e-6)
    of_randoms, _ = np.histogram(points["redshift"], edges)
    assert found["n_of_z_of_randoms"] == pytest.approx(
        of_randoms * len(galaxies) / of_randoms.sum() / volume, rel=1e-3
    )
    per_area = number_density(galaxies, per="area")
    assert per_area["n_of_z"] == pytest.approx(counts / AREA / np.diff(edges))
    assert per_area.fields["n_of_z"].unit == "1 / deg2"


def test_the_picture_of_n_of_z(galaxies, points):
    (axes,) = survey_picture(galaxies, "n_of_z", randoms=points).axes
    assert axes.get_xlabel() == "redshift (redshift_measured)"
    assert axes.get_ylabel() == r"$n(z)$ [$h^3\,{\rm Mpc}^{-3}$]"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["asked for", "randoms (5,140), scaled", "galaxies (257)"]
    asked = axes.patches[0].get_data()
    assert asked.values.tolist() == [3e-2, 2e-2]
    other = NumberDensity([0.005, 0.012], [1e-2])
    (axes,) = survey_picture(galaxies, "n_of_z", asked=other, per="area").axes
    assert axes.get_ylabel().endswith("[deg$^{-2}$]")
    far = FlatLambdaCDM(100.0, 0.3089, Tcmb0=0.0).comoving_distance
    asked = axes.patches[0].get_data()
    number = 1e-2 * np.radians(1) ** 2 / 3 * (far(0.012).value ** 3 - far(0.005).value ** 3)
    assert np.sum(asked.values * np.diff(asked.edges)) == pytest.approx(number, rel=1e-3)


def test_weights_are_counted_and_averaged(galaxies):
    left, right = survey_picture(galaxies, "weights").axes
    (fkp,) = [one for one in left.patches if one.get_gid() == "weight_fkp"]
    assert fkp.get_data().values.sum() == len(galaxies)
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert "weight = 1 for all 257" in labels
    assert left.get_xlabel() == right.get_ylabel() == "weight"
    assert right.get_xlabel() == "redshift (redshift_measured)"
    mean = right.lines[1].get_ydata()
    near = galaxies["redshift_measured"] < 0.006
    assert mean[0] == pytest.approx(galaxies["weight_fkp"][near].mean())


@pytest.mark.parametrize("dpi", [72, 150])  # glyphs are of whole pixels, so that widths differ
def test_captions_fit_at_any_resolution(galaxies, points, dpi):
    figure = survey_picture(galaxies, ("sky", "n_of_z"), randoms=points)
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    for part in figure.subfigs:
        box = part._supxlabel.get_window_extent()
        assert part.bbox.x0 <= box.x0
        assert box.x1 <= part.bbox.x1


@pytest.mark.slow_but("whole", "octant")
@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ((0, 360), (-90, 90)),
        ((0, 90), (0, 90)),
        ((340, 30), (-10, 5)),
        ((0, 360), (-90, -60)),
        ((10, 200), (20, 70)),
        ((40.0, 40.4), (-0.2, 0.2)),
    ],
    ids=["whole", "octant", "through 0 h", "cap", "wide", "tiny"],
)
def test_any_footprint_fits_and_is_filled(cone, ra, dec):
    sky, density = SkyBox(ra, dec), NumberDensity([0.0025, 0.0035], [1e-2])
    sample = randoms(cone, sky, density, number=3000, seed=1)
    more = randoms(cone, sky, density, number=20_000, seed=2)
    figure = survey_picture(sample, ("sky", "wedge"), randoms=more, label="a$b_" + "long " * 40)
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in (*axes.texts, axes.title, axes.xaxis.label)]
    texts += [part._supxlabel for part in figure.subfigs]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert all(box.x0 >= -1 and box.y0 >= -1 for box in boxes)
    assert all(box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1 for box in boxes)
    mesh = max((one for one in figure.axes[0].collections), key=lambda one: one.get_zorder() == 1)
    corners = mesh.get_coordinates()
    pixel = np.prod(np.ptp(corners[:2, :2].reshape(-1, 2), axis=0))
    area = mesh.get_array().count() * pixel
    assert area == pytest.approx(sky.area, rel=0.15)  # pixels across the border count whole
    assert np.ma.sum(mesh.get_array()) * pixel == pytest.approx(3000)


@pytest.mark.parametrize("declination", [None, 20.0])
def test_maps_are_of_equal_area(declination):
    projection = Projection(120.0, declination)
    ra, dec = np.array([120.0, 60.0, 200.0, 290.0]), np.array([-50.0, 0.0, 30.0, 62.0])
    step = 1e-2
    x = [
        projection.forward(ra + a, dec + b)
        for a, b in ((step, 0), (-step, 0), (0, step), (0, -step))
    ]
    (x_ra, y_ra), (x_dec, y_dec) = (
        [(one - other) / (2 * step) for one, other in zip(x[k], x[k + 1], strict=True)]
        for k in (0, 2)
    )
    area = x_ra * y_dec - y_ra * x_dec
    assert area == pytest.approx(np.cos(np.radians(dec)), rel=2e-3)


def test_the_extent_of_points_goes_through_0_h(cone):
    density = NumberDensity([0.0025, 0.0035], [1e-2])
    sample = randoms(cone, SkyBox((350, 20), (-5, 40)), density, number=4000, seed=1)
    found = extent_of([sample])
    assert found == pytest.approx((350, 30, -5, 40), abs=0.2)
    assert found.centre == pytest.approx(5.0, abs=0.1)
    whole = randoms(cone, SkyBox((0, 360), (-90, 90)), density, number=4000, seed=1)
    assert extent_of([whole]).width == 360.0
    assert Extent(350, 30, 0, 1).east_of_west(np.array([10.0])) == pytest.approx([20.0])


def test_after_a_cut_on_the_sky_the_footprint_is_not_the_recorded_one(galaxies):
    half = mockgal.select(galaxies, "ra < 30 deg")
    _, captions = draw_pictures(View(half), ["sky", "n_of_z"])
    assert "the footprint is not known" in captions["sky"]
    assert "cells on the sky that hold galaxies" in captions["n_of_z"]


def test_no_galaxies_are_no_error(galaxies, points):
    with listening(quiet=True):
        none = mockgal.select(galaxies, "redshift > 0.9")
    figure = survey_picture(none, randoms=points)
    figure.draw_without_rendering()
    titles = [axes.get_title() for axes in figure.axes]
    assert "Sky map: 0 galaxies" in titles


def test_galaxies_without_a_distance_are_counted(galaxies):
    moved = np.array(galaxies["redshift"])
    moved[:7] = -1e-4
    changed = galaxies.with_columns(redshift=moved)
    view = View(changed, redshifts="redshift", declinations=(0.0, 50.0))
    figure, captions = draw_pictures(view, ["wedge", "n_of_z", "weights"])
    assert "7 galaxies without a redshift above 0" in captions["wedge"]
    assert "7 galaxies without a redshift above 0" in captions["n_of_z"]
    (drawn,) = named(figure, "galaxies")
    assert len(drawn.get_xdata()) == len(galaxies) - 7


def test_a_wedge_says_how_many_galaxies_it_leaves_out(galaxies):
    _, captions = draw_pictures(View(galaxies, declinations=(10.0, 20.0)), ["wedge"])
    inside = np.count_nonzero((galaxies["dec"] >= 10.0) & (galaxies["dec"] < 20.0))
    assert f"left out: {len(galaxies) - inside} galaxies at other declinations" in captions["wedge"]
    _, captions = draw_pictures(View(galaxies, declinations=(-90.0, 90.0)), ["wedge"])
    assert "left out" not in captions["wedge"]


def test_a_table_of_n_of_z(folder, forked):
    (folder / "nz.txt").write_text("# zlow zhigh n(z)\n0.005 0.012 1e-2\n")
    unit = ("--n-of-z-unit", "h^3/Mpc^3")
    words = ("--picture", "n_of_z", "--n-of-z", "nz.txt", *unit, "--out", "nz.png")
    assert forked(["plot", "survey.fits", *words], folder).returncode == 0
    assert forked(["plot", "survey.fits", *words[:-1], "nz.txt"], folder).returncode != 0


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("h^3/Mpc^3", 1e-2), ("1/Mpc^3", 1e-2 / 0.6774**3), ("1/deg^2", None)],
)
def test_the_unit_of_a_table(galaxies, folder, unit, expected):
    cosmology = galaxies.snapshot.cosmology
    (folder / "table.txt").write_text("# zlow zhigh n(z)\n0.005 0.012 1e-2\n")
    found = _density_of(folder / "table.txt", unit, cosmology)
    if expected is None:  # 0.01 for each deg^2 and unit of redshift, over the volume of the shell
        far = FlatLambdaCDM(100 * cosmology.h, cosmology.omega_m).comoving_distance([0.005, 0.012])
        shell = 4 / 3 * np.pi * np.diff((far.value * cosmology.h) ** 3)[0] / 41252.96
        expected = 1e-2 * 0.007 / shell
    assert found.density[0] == pytest.approx(expected, rel=1e-3)
    assert "table.txt" in found.origin


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("survey.fits", "--picture", "cone"), "one of sky, wedge, n_of_z, weights"),
        (("survey.fits", "--declinations", "3"), '"-2.5 2.5 deg"'),
        (("survey.fits", "--n-of-z", "nz.txt"), '--n-of-z-unit "h^3/Mpc^3"'),
        (("survey.fits", "--n-of-z", "nz.txt", "--n-of-z-unit", "km"), '"1/deg^2" for each unit'),
        (("survey.fits", "--n-of-z-unit", "1/Mpc^3"), "leave it out"),
        (("survey.fits", "--redshifts", "dec"), "redshift_cosmological"),
        (("survey.fits", "survey-randoms.fits"), "mockgal compare --truth"),
        (("survey.fits", "--sim", CATALOGS / "demo/dark.hdf5"), "leave it out"),
        ((CATALOGS / "demo/hydro.hdf5", "--randoms", "survey-randoms.fits"), "mockgal survey"),
    ],
)
def test_what_cannot_be_drawn_is_refused(folder, forked, words, message):
    done = forked(["plot", *words, "--out", "none.png"], folder)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (folder / "none.png").exists()


def test_weights_that_are_not_there(cone):
    with pytest.raises(UsageError, match="without weights"):
        survey_picture(cone, "weights")
    assert list(draw_pictures(View(cone), ())[1]) == ["sky", "wedge", "n_of_z"]

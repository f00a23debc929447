"""Footprints from coverage maps, mangle polygons and randoms."""

import gzip

import numpy as np
import pytest

from mockgal.errors import BadValueError, InputError, UsageError
from mockgal.survey.footprint import WHOLE_SKY, SkyBox
from mockgal.survey.masks.moc import SkyCoverage
from mockgal.survey.masks.polygons import SkyPolygons
from mockgal.survey.masks.randoms import footprint_of_randoms
from mockgal.survey.sky import angles, directions

mocpy = pytest.importorskip("mocpy")


def sky(number, seed=1):
    """Places at random on the sphere [deg]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))


def separation(ra, dec, centre):
    away = directions(ra, dec) @ directions(*np.atleast_2d(centre).T)[0]
    return np.degrees(np.arccos(np.clip(away, -1, 1)))


@pytest.fixture
def cone_map():
    from astropy import units

    return mocpy.MOC.from_cone(
        lon=30 * units.deg, lat=-20 * units.deg, radius=10 * units.deg, max_depth=10
    )


@pytest.mark.parametrize("kind", ["fits", "json", "ascii"])
def test_a_coverage_map_covers_what_it_was_made_of(cone_map, tmp_path, kind):
    path = tmp_path / f"cone.{kind}"
    cone_map.save(path, format=kind)
    coverage = SkyCoverage(path)
    ra, dec = sky(20_000)
    inside = coverage.completeness(ra, dec) == 1
    away = separation(ra, dec, (30, -20))
    assert inside[away < 9.9].all()
    assert not inside[away > 10.1].any()
    assert coverage.area == pytest.approx(WHOLE_SKY * (1 - np.cos(np.radians(10))) / 2, rel=0.01)
    assert coverage.describe()["order"] == 10


@pytest.mark.parametrize("data", [b"", b"SIMPLE", b"{", b"5/ x", b'{"1": [99999]}', b"\xff" * 9])
def test_what_is_no_coverage_map_is_refused(tmp_path, data):
    path = tmp_path / "a.moc"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.moc"):
        SkyCoverage(path)


def cap(ra, dec, radius, outside=False):
    height = 1 - np.cos(np.radians(radius))
    x, y, z = directions(np.array([ra]), np.array([dec]))[0]
    return f" {x:.17g} {y:.17g} {z:.17g} {-height if outside else height:.17g}"


def octant(weight=1.0):
    """The part of the sky of x, y, z above 0."""
    rows = [" 1 0 0 1", " 0 1 0 1", " 0 0 1 1"]
    return [f"polygon 3 ( 3 caps, {weight} weight, 0 pixel, {np.pi / 2:.16g} str):", *rows]


def ring():
    """A cap of 20 deg without one of 10 deg in it."""
    area = 2 * np.pi * (np.cos(np.radians(10)) - np.cos(np.radians(20)))
    rows = [cap(200, -40, 20), cap(200, -40, 10, outside=True)]
    return [f"polygon 0 ( 2 caps, 0.25 weight, {area:.16g} str):", *rows]


def written(path, *polygons):
    lines = [f"{len(polygons)} polygons", "unit d", *(line for one in polygons for line in one)]
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["mask.ply", "mask.ply.gz"])
def test_polygons(tmp_path, name):
    mask = SkyPolygons(written(tmp_path / name, octant(0.5), ring()))
    ra, dec = sky(20_000)
    expected = np.where((ra < 90) & (dec > 0), 0.5, 0.0)
    away = separation(ra, dec, (200, -40))
    expected[(away > 10) & (away < 20)] = 0.25
    np.testing.assert_array_equal(mask.completeness(ra, dec), expected)
    assert mask.completeness(ra, dec).mean() * WHOLE_SKY == pytest.approx(mask.area, rel=0.1)
    share = (np.cos(np.radians(10)) - np.cos(np.radians(20))) / 2
    assert mask.area == pytest.approx(WHOLE_SKY * (0.5 / 8 + 0.25 * share))
    assert mask.completeness(np.zeros(0), np.zeros(0)).shape == (0,)


def test_a_box_in_caps_is_that_box(tmp_path):
    """Right ascensions 10 to 40, declinations -5 to 25 deg, as mangle writes rectangles."""
    box = SkyBox((10.0, 40.0), (-5.0, 25.0))
    west, east = np.radians(box.ra)
    rows = [
        f" {-np.sin(west):.17g} {np.cos(west):.17g} 0 1",
        f" {np.sin(east):.17g} {-np.cos(east):.17g} 0 1",
        f" 0 0 1 {-(1 - np.sin(np.radians(25))):.17g}",  # all that is beyond 65 deg of the pole
        f" 0 0 1 {1 - np.sin(np.radians(-5)):.17g}",
    ]
    area = box.area / WHOLE_SKY * 4 * np.pi
    mask = SkyPolygons(
        written(tmp_path / "a.ply", [f"polygon 0 ( 4 caps, 1 weight, {area:.16g} str):", *rows])
    )
    ra, dec = sky(20_000)
    np.testing.assert_array_equal(mask.completeness(ra, dec), box.completeness(ra, dec))
    assert mask.area == pytest.approx(box.area)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0].replace(" str", " sr"), *lines[1:]], "str"),
        (lambda lines: [lines[0].replace("1.0 weight", "2 weight"), *lines[1:]], "weight of 2"),
        (lambda lines: [lines[0].replace("3 caps", "4000000000 caps"), *lines[1:]], "caps"),
        (lambda lines: [lines[0], " 1 0 0", *lines[2:]], "caps that cannot be read"),
        (lambda lines: [lines[0], " 2 0 0 1", *lines[2:]], "unit vector"),
        (lambda lines: [lines[0], " nan 0 0 1", *lines[2:]], "finite"),
        (lambda lines: [], "no polygon"),
    ],
)
def test_wrong_polygons_are_refused(tmp_path, change, said):
    path = written(tmp_path / "a.ply", change(octant()))
    with pytest.raises(InputError, match=said) as caught:
        SkyPolygons(path)
    assert str(path) in caught.value.where
    assert caught.value.fix


def test_a_damaged_gzip_is_refused(tmp_path):
    path = written(tmp_path / "a.ply.gz", octant())
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match="gzip"):
        SkyPolygons(path)


def test_the_footprint_of_randoms():
    ra, dec = sky(400_000)
    box = SkyBox((20.0, 80.0), (-10.0, 30.0))
    inside = box.completeness(ra, dec) == 1
    found = footprint_of_randoms(ra[inside], dec[inside], nside=16)
    assert (found.completeness(ra, dec)[inside] == 1).all()
    beyond = SkyBox((15.0, 85.0), (-15.0, 35.0)).completeness(ra, dec) == 0
    assert not found.completeness(ra, dec)[beyond].any()
    assert box.area < found.area < 1.3 * box.area
    with pytest.raises(UsageError, match="nside") as caught:
        footprint_of_randoms(ra[inside], dec[inside], nside=256)
    nside = int(caught.value.fix.split()[2].strip(","))
    assert footprint_of_randoms(ra[inside], dec[inside], nside=nside).nside == nside
    with pytest.raises(BadValueError):
        footprint_of_randoms([], [], nside=4)


def test_directions_are_those_of_angles():
    ra, dec = sky(100)
    found = angles(directions(ra, dec))
    np.testing.assert_allclose(found[:2], (ra, dec))


def test_polygons_that_overlap_are_refused(tmp_path):
    north = [f"polygon 1 ( 1 caps, 1 weight, 0 pixel, {2 * np.pi:.16g} str):", " 0 0 1 1"]
    mask = SkyPolygons(written(tmp_path / "a.ply", octant(), north))
    with pytest.raises(InputError, match="overlap"):
        mask.completeness(*sky(1000))

"""Caps of the sky, and the caps around other footprints."""

import math

import numpy as np
import pytest
from boxes import poisson
from hypothesis import example, given
from hypothesis import strategies as st

from mockgal.errors import UsageError
from mockgal.survey.cone.remapping import Remapping
from mockgal.survey.footprint import WHOLE_SKY, SkyBox, SkyCap, SkyMap, cap_of, within
from mockgal.survey.light_cone import light_cone
from mockgal.survey.masks.pixels import around, pixels
from mockgal.survey.number_density import NumberDensity
from mockgal.survey.randoms import randoms
from mockgal.survey.sky import directions

TURNED = Remapping(((2, 1, 0), (1, 1, 0), (0, 0, 1)), towards=(310.0, -20.0))
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def sky(number, seed=1):
    """Places at random on the sphere [deg]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))


def separation(ra, dec, cap):
    return np.degrees(np.arccos(np.clip(directions(ra, dec) @ np.array(cap.axis), -1, 1)))


@pytest.mark.parametrize("opening", [1e-3, 1.0, 20.0, 90.0, 150.0, 180.0])
def test_area_and_places(opening):
    cap = SkyCap((350.0, 40.0), opening)
    steradian = 2 * math.pi * (1 - math.cos(math.radians(opening)))
    assert cap.area == pytest.approx(steradian * math.degrees(1) ** 2, rel=1e-5)
    ra, dec = sky(100_000)
    inside = cap.completeness(ra, dec)
    np.testing.assert_array_equal(inside, separation(ra, dec, cap) <= opening)
    share = cap.area / WHOLE_SKY
    assert inside.mean() == pytest.approx(share, abs=5 * math.sqrt(share / 100_000) + 1e-9)
    assert cap.completeness(np.array([350.0]), np.array([40.0])) == 1


def test_small_openings_are_exact():
    cap = SkyCap((10.0, 0.0), 1e-3)
    east = np.array([0.999e-3, 1.001e-3])
    assert cap.completeness(10 + east, np.zeros(2)).tolist() == [1, 0]


@given(st.tuples(*3 * [st.floats(-1e6, 1e6)]))
@example((0.0, 5e-324, 5e-324))
def test_a_vector_as_direction(vector):
    if not any(vector):
        return
    cap = SkyCap.along(vector, 5.0)
    unit = np.array(vector) / np.abs(vector).max()  # the square of a tiny one would be 0
    np.testing.assert_allclose(cap.axis, unit / math.hypot(*unit), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SkyCap((0.0, 0.0), 0.0), "opening"),
        (lambda: SkyCap((0.0, 0.0), 181.0), "opening"),
        (lambda: SkyCap((0.0, 0.0), math.nan), "opening"),
        (lambda: SkyCap((-1.0, 0.0), 9.0), "direction"),
        (lambda: SkyCap((0.0, 91.0), 9.0), "direction"),
        (lambda: SkyCap.along((0.0, 0.0, 0.0), 9.0), "not all 0"),
        (lambda: SkyCap.along((0.0, math.inf, 0.0), 9.0), "not all 0"),
        (lambda: SkyCap.along((1.0, 0.0), 9.0), "three"),
    ],
)
def test_refused(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_galaxies_and_randoms_alike():
    cap = SkyCap.along((1.0, -1.0, 0.5), 25.0)
    cone = light_cone(poisson(4000), redshifts=(0.02, 0.09), footprint=cap)
    galaxies = within(cone, cap, seed=1)
    assert len(galaxies) == len(cone) > 300
    points = randoms(
        galaxies,
        cap,
        NumberDensity(np.array([0.02, 0.09]), np.array([1e-3])),
        number=40_000,
        seed=1,
    )
    assert len(points) == 40_000
    away = separation(points["ra"], points["dec"], cap)
    assert away.max() <= 25
    # evenly: as many in each part of the cap's height, and around it
    height = (1 - np.cos(np.radians(away))) / (1 - math.cos(math.radians(25)))
    counts, _ = np.histogram(height, np.linspace(0, 1, 11))
    assert np.abs(counts - 4000).max() < 5 * math.sqrt(4000)
    assert galaxies.provenance["survey"][-1]["area_deg2"] == cap.area


def test_the_cap_of_a_footprint_changes_nothing():
    """A footprint that states no cap has the same galaxies."""

    class Plain:
        def __init__(self, of):
            self.area, self.completeness, self.describe = of.area, of.completeness, of.describe

    values = np.zeros(12 * 16**2)
    values[400:700] = 0.5
    box = poisson(2000, satellites=300)
    for footprint in (
        SkyCap((300.0, -30.0), 12.0),
        SkyBox((340.0, 30.0), (10.0, 70.0)),
        SkyMap(values, nested=True),
        SkyMap(values, nested=True, coordinates="galactic"),
    ):
        assert cap_of(footprint).opening < 100
        for remapping in (None, TURNED):
            how = {"redshifts": (0.03, 0.07), "remapping": remapping}
            seen = light_cone(box, footprint=footprint, **how)
            assert light_cone(box, footprint=Plain(footprint), **how).digest() == seen.digest()
            assert len(seen)


@given(
    st.tuples(st.floats(0, 360), st.floats(0, 360)),
    st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
)
def test_the_cap_of_a_box_holds_it(ra, dec):
    if ra[0] == ra[1] or dec[0] == dec[1]:
        return
    box = SkyBox(ra, (min(dec), max(dec)))
    places = sky(2000)
    inside = box.completeness(*places) > 0
    assert (separation(*places, box.cap)[inside] <= box.cap.opening + 1e-9).all()


@given(st.sampled_from([1, 2, 8, 64]), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_cap_of_a_map_holds_it(nside, nested, galactic, seed):
    values = np.zeros(12 * nside**2)
    values[np.random.default_rng(seed).integers(0, len(values), 3)] = 1.0
    mask = SkyMap(values, nested, coordinates="galactic" if galactic else "equatorial")
    if mask.cap is not None:
        places = sky(5000)
        inside = mask.completeness(*places) > 0
        assert (separation(*places, mask.cap)[inside] <= mask.cap.opening + 1e-9).all()


def test_a_map_all_around_has_no_cap():
    assert SkyMap(np.ones(48), nested=False).cap is None
    assert SkyMap(np.zeros(48), nested=False).cap is None


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("nside", [1, 2, 8, 512, 8192])
def test_pixels_of_astropy_healpix(nside, nested):
    library = pytest.importorskip("astropy_healpix").HEALPix(nside, "nested" if nested else "ring")
    from astropy import units

    ra, dec = sky(20_000, seed=nside)
    dec[:4], ra[4:8] = [90, -90, 41.81, -41.82], [0.0, 360.0, 45.0, 271.0]
    found = np.empty(len(ra), dtype=np.int64)
    pixels(ra, dec, nside, nested, False, np.eye(3), found)
    np.testing.assert_array_equal(found, library.lonlat_to_healpix(ra * units.deg, dec * units.deg))
    if nside > 8:
        return
    for pixel in range(0, 12 * nside**2, max(nside, 2) // 2):
        values = np.zeros(12 * nside**2)
        values[pixel] = 1.0
        longitude, latitude = library.healpix_to_lonlat(pixel)
        expected = directions(np.array(longitude.deg), np.array(latitude.deg))
        found = around(values, nside, nested, tuple(expected))
        np.testing.assert_allclose(found, [*expected, 1.0], atol=1e-14)


def test_galactic_pixels_of_astropy():
    from astropy.coordinates import SkyCoord

    ra, dec = sky(20_000)
    place = SkyCoord(ra, dec, unit="deg", frame="icrs").galactic
    values = np.random.default_rng(1).uniform(size=12 * 32**2)
    galactic = SkyMap(values, nested=False, coordinates="galactic")
    expected = SkyMap(values, nested=False).completeness(place.l.deg, place.b.deg)
    np.testing.assert_array_equal(galactic.completeness(ra, dec), expected)

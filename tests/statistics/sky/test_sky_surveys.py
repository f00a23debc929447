"""Galaxies and randoms of one survey: weights, regions, area, redshifts; and those that are not."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from sky_samples import COSMOLOGY, on_the_sky, survey

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.errors import BadValueError, MockgalError, UsageError
from mockgal.statistics.sky.geometry import Radial, alike
from mockgal.statistics.sky.sample import SkySample
from mockgal.statistics.sky.surveys import Survey, fiducial, survey_of
from mockgal.survey.footprint import WHOLE_SKY


def ones(rows, random):
    return np.ones(rows)


def fkp(rows, random):
    return random.uniform(0.3, 0.9, rows)


def halves(rows, random):
    return random.integers(0, 5, rows)


@pytest.fixture
def refused(exit_codes):
    """Check the text of a refusal, and its exit code against the table of faults."""

    @contextmanager
    def check(match):
        with pytest.raises(MockgalError, match=match) as caught:
            yield
        assert caught.value.exit_code in exit_codes

    return check


@pytest.fixture(scope="module")
def plain():
    return survey(500, 5000)


def test_weights():
    both = survey(100, 1000, weight=ones, weight_fkp=fkp)
    for stated, columns in ((None, ("weight", "weight_fkp")), ("weight_fkp", ("weight_fkp",))):
        made = survey_of(*both, weigh_by=stated)
        product = np.prod([both[0][name] for name in columns], axis=0)
        np.testing.assert_allclose(made.data.weight, product)
        assert made.settings["weights"] == " * ".join(columns)
    made = survey_of(*both, weigh_by="none")
    assert made.alpha == pytest.approx(0.1)
    assert made.settings["weights"] == "none"


def test_galaxies_that_stand_for_close_pairs(plain):
    weight = 1.0 + np.arange(500) % 3
    galaxies = plain[0].with_columns(weight_close_pairs=weight)
    for stated in (None, "weight_close_pairs"):
        made = survey_of(galaxies, plain[1], weigh_by=stated)
        np.testing.assert_array_equal(made.data.weight, weight)
        assert (made.randoms.weight == 1).all()
        assert made.settings["weights"] == "weight_close_pairs"
    both = survey(500, 5000, weight=ones)
    again = survey_of(both[0].with_columns(weight_close_pairs=weight), both[1])
    assert again.settings["weights"] == "weight"


@pytest.mark.fault(100)
def test_weights_of_the_galaxies_alone(plain, refused):
    weighted = plain[0].with_columns(weight_fkp=np.ones(500))
    with refused("no column 'weight_fkp' of the randoms.*--weigh-by"):
        survey_of(weighted, plain[1])
    with refused("weight_fkp"):
        survey_of(*plain, weigh_by="weight_fkp")


@pytest.mark.fault(100)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_weights_that_are_none(plain, bad, refused):
    weight = np.ones(500)
    weight[7] = bad
    weighted = [one.with_columns(weight=np.ones(len(one))) for one in plain]
    weighted[0] = weighted[0].with_columns(weight=weight)
    with refused("galaxies, column weight.*row 7"):
        survey_of(*weighted)


@pytest.mark.fault(100)
def test_weights_of_zero(plain, refused):
    weighted = [one.with_columns(weight=np.zeros(len(one))) for one in plain]
    with refused("weights of 0"):
        survey_of(*weighted)


def test_regions_of_the_columns(plain):
    both = survey(100, 1000, region=halves)
    made = survey_of(*both)
    assert (made.data.regions, made.settings["regions_from"]) == (5, "column region")
    np.testing.assert_array_equal(made.data.region, both[0]["region"])
    assert survey_of(*both, jackknife=8).data.regions == 8
    assert survey_of(*both, jackknife=0).data.regions == 0
    assert survey_of(*plain).settings["regions"] == 32


def test_regions_are_renumbered_without_gaps():
    both = [one.with_columns(region=one["region"] * 10 + 3) for one in survey(region=halves)]
    made = survey_of(*both)
    assert made.randoms.regions == 5
    np.testing.assert_array_equal(made.data.region, (both[0]["region"] - 3) // 10)


@pytest.mark.fault(101)
def test_regions_that_do_not_match(plain, refused):
    both = survey(100, 1000, region=halves)
    other = both[0].with_columns(region=both[0]["region"] + 5)
    with refused("100 galaxies in regions without randoms"):
        survey_of(other, both[1])
    with refused("regions of the galaxies alone.*--jackknife"):
        survey_of(both[0], plain[1])
    planes = [{"step": "regions", "planes": [k]} for k in (1, 2)]
    galaxies = both[0].with_provenance(survey=planes[:1])
    randoms = both[1].with_provenance(survey=[{"step": "randoms"}, planes[1]])
    with refused("other regions"):
        survey_of(galaxies, randoms)


@pytest.mark.fault(99)
def test_randoms_of_another_cosmology(plain, refused):
    other = Cosmology(0.7, 0.25, 0.75)
    columns = (plain[1][name] for name in ("ra", "dec", "redshift"))
    with refused(r"randoms.*0\.25.*0\.3"):
        survey_of(plain[0], on_the_sky(*columns, cosmology=other))


@pytest.mark.fault(99)
def test_randoms_of_another_footprint(plain, refused):
    steps = [{"step": "footprint", "area_deg2": 100.0}, {"step": "randoms", "area_deg2": 90.0}]
    both = [one.with_provenance(survey=[s]) for one, s in zip(plain, steps, strict=True)]
    with refused("area_deg2 90"):
        survey_of(*both)


@pytest.mark.fault(99)
def test_randoms_of_other_places(plain, refused):
    galaxies, randoms = plain
    east = randoms.with_columns(ra=(randoms["ra"] + 20) % 360)
    with refused("of the galaxies where there are no randoms"):
        survey_of(galaxies, east)
    far = randoms.with_columns(redshift=randoms["redshift"] + 0.03)
    with refused("in redshift"):
        survey_of(galaxies, far)
    near = galaxies.take(np.flatnonzero(galaxies["redshift"] < 0.12))
    with refused("of the randoms where there are no galaxies"):
        survey_of(near, randoms)


@pytest.mark.fault(98)
def test_without_randoms(plain, refused):
    with refused("no randoms.*--randoms"):
        mockgal.measure(plain[0], "sky_wp")
    with refused("a str"):
        mockgal.measure(plain[0], "sky_wp", randoms="randoms.fits")
    with refused("which have no effect"):
        mockgal.measure(plain[0], "mass_function", randoms=plain[1])
    with refused("against randoms"):
        mockgal.measure(plain[0], "wp")
    with refused("no row"):
        survey_of(plain[0], plain[1].take(np.arange(0)))


@pytest.mark.parametrize(
    "text", ["omega_m", "omega_m=x", "h=0.7", "omega_m=0.3,omega_m=0.4", "w0=-1", "omega_m=nan"]
)
def test_fiducial_cosmology(text):
    with pytest.raises(UsageError, match="fiducial cosmology"):
        fiducial(COSMOLOGY, text)
    assert fiducial(COSMOLOGY, None) is COSMOLOGY
    found = fiducial(COSMOLOGY, "omega_m=0.25 w0=-0.9")
    assert (found.h, found.omega_lambda, found.w0) == (0.7, 0.75, -0.9)


def test_columns_of_redshifts(plain):
    galaxies, randoms = plain
    moved = galaxies.with_columns(redshift_measured=galaxies["redshift"] * 1.001)
    made = survey_of(moved, randoms)
    assert made.settings["redshift_column"] == "redshift_measured"
    np.testing.assert_array_equal(made.data.redshift, moved["redshift_measured"])
    np.testing.assert_array_equal(made.randoms.redshift, randoms["redshift"])
    assert made.settings["space"] == "redshift"
    with pytest.raises(UsageError, match="no column 'redshift_cosmological'"):
        survey_of(moved, randoms, redshifts="redshift_cosmological")


def test_area_volume_and_redshifts(plain):
    """Of a known part of the sky; the effective redshift is that of close pairs."""
    made = survey_of(*plain)
    area = 40 / 360 * 0.25 * WHOLE_SKY
    assert made.settings["area_deg2"] == pytest.approx(area, rel=0.3)  # whole cells
    assert made.settings["area_from"] == "cells on the sky that hold randoms"
    stated = plain[0].with_provenance(survey=[{"step": "footprint", "area_deg2": area}])
    made = survey_of(stated, plain[1])
    assert made.settings["area_deg2"] == area
    low, high = (made.randoms.distance.min(), made.randoms.distance.max())
    volume = 4 / 3 * np.pi * (high**3 - low**3) * area / WHOLE_SKY
    assert made.settings["volume_mpc3_h3"] == pytest.approx(volume)
    density = 500 / volume
    share = density * 1e4 / (1 + density * 1e4)
    assert made.settings["effective_volume_mpc3_h3"] == pytest.approx(share**2 * volume, rel=0.05)
    i, j = np.triu_indices(5000, 1)
    place = made.randoms.position
    close = ((place[i] - place[j]) ** 2).sum(axis=1) < 10.0**2
    expected = (made.randoms.redshift[i] + made.randoms.redshift[j])[close].mean() / 2
    assert made.settings["effective_redshift"] == pytest.approx(expected, abs=2e-3)
    shells = Radial.of(made.data, made.randoms, area)
    norm = density**2 * volume
    (clustered,) = shells.independent_volume(norm, np.array([1e9]), 1 / density)
    assert clustered == pytest.approx(volume, rel=0.1)
    # Half of the places have a completeness of 1/2, the others of 1: n_w^2 is 10/9 of the mean's.
    assert shells.independent_volume(norm * 10 / 9, np.array([1e9]), 1 / density)[0] < volume


def test_volume_in_which_power_scatters():
    """Of a density that falls by a hundred, by the integrals of Feldman, Kaiser & Peacock."""
    galaxies, randoms = survey(2000, 200_000, low=0.02, high=0.2, steepness=1)
    made = survey_of(galaxies, randoms, jackknife=0)
    edges = np.linspace(made.randoms.distance.min(), made.randoms.distance.max(), 1001)
    middle = (edges[1:] + edges[:-1]) / 2
    volume = 40 / 360 * np.pi * 2 * middle**2 * np.diff(edges) * 0.5
    density = 2000 * np.histogram(made.randoms.distance, edges)[0] / 200_000 / volume
    norm = (density**2 * volume).sum()
    power, noise = np.array([-1.0, np.nan, 2e4, 1e12]), 2000 / norm
    cubes, quartics = (density**3 * volume).sum(), (density**4 * volume).sum()
    some = (norm * (2e4 + noise)) ** 2 / (quartics * 2e4**2 + 2 * cubes * 2e4 + norm)
    expected = [2000**2 / norm, 2000**2 / norm, some, norm**2 / quartics]
    shells = Radial.of(made.data, made.randoms, 1.0)
    found = shells.independent_volume(norm, power, noise)
    np.testing.assert_allclose(found, expected, rtol=0.05)
    assert found[0] > 5 * found[-1]


def test_likeness_of_lines_of_sight():
    """The means over all pairs; 1 for a point of the sky, 0 for all of it."""
    from sky_samples import points

    made = points(300, 1, whole=False, regions=0)
    mu = made.direction @ made.direction.T
    weight = np.outer(made.weight, made.weight)
    two, four = alike(made)
    assert two == pytest.approx(np.average(1.5 * mu**2 - 0.5, weights=weight))
    assert four == pytest.approx(np.average((35 * mu**4 - 30 * mu**2 + 3) / 8, weights=weight))
    assert alike(points(20_000, 1, regions=0)) == pytest.approx((0, 0), abs=0.01)


def test_a_cut_on_the_sky_makes_the_area_unknown(plain):
    stated = plain[0].with_provenance(
        survey=[{"step": "footprint", "area_deg2": 5.0}],
        cuts=[{"cut": "ra < 20 deg", "before": 2, "after": 1}],
    )
    assert survey_of(stated, plain[1]).settings["area_deg2"] > 100
    for cut, known in (("ra<20 deg", False), ("extrapolated == 0", True)):
        other = stated.with_provenance(cuts=[{"cut": cut, "before": 2, "after": 1}])
        assert (survey_of(other, plain[1]).settings["area_deg2"] == 5.0) == known


def test_points_of_weight_0_are_left_out_and_told():
    galaxies, randoms = survey(400, 4000, weight=ones)
    none = np.arange(400) % 4 == 0
    some = galaxies.with_columns(weight=np.where(none, 0.0, 1.0))
    with pytest.warns(mockgal.errors.MockgalWarning, match="100 galaxies have a weight of 0"):
        made = survey_of(some, randoms)
    assert made.settings["left_out_for_a_weight_of_0"] == {"galaxies": 100}
    expected = survey_of(galaxies.take(np.flatnonzero(~none)), randoms)
    np.testing.assert_array_equal(made.data.redshift, expected.data.redshift)
    assert made.settings["galaxies"] == 300


def test_randoms_of_another_n_of_z_are_told():
    galaxies, randoms = survey(1000, 10_000)
    assert survey_of(galaxies, randoms).settings["distance_of_redshift_distributions"] < 0.06
    kept = np.random.default_rng(1).random(len(randoms)) < (randoms["redshift"] - 0.09) / 0.07
    other = randoms.take(np.flatnonzero(kept | (np.arange(len(kept)) % 20 == 0)))
    with pytest.warns(mockgal.errors.MockgalWarning, match="distributed differently"):
        made = survey_of(galaxies, other)
    assert made.settings["distance_of_redshift_distributions"] > 0.1


def test_arrays_whose_regions_differ_are_made_alike_or_refused():
    """No galaxy in the last region: once that wrote beyond the ends of arrays."""
    ra, dec = np.linspace(0, 20, 50), np.linspace(0, 5, 50)
    z, region = np.full(50, 0.1), np.arange(50) % 20
    randoms = SkySample.of(ra, dec, z, COSMOLOGY, region=region)
    few = np.flatnonzero(region < 19)
    data = SkySample.of(ra[few], dec[few], z[few], COSMOLOGY, region=region[few])
    assert (data.regions, Survey(data, randoms).data.regions) == (19, 20)
    for other in (replace(data, regions=0, region=data.region * 0), randoms):
        lacking = randoms if other is not randoms else data
        with pytest.raises(BadValueError, match="the same regions"):
            Survey(randoms, lacking) if lacking is data else Survey(other, randoms)


@pytest.mark.parametrize("region", [[-1, 0], [0], [0.5, 1.0], [[0, 1]]])
def test_regions_that_are_none(region):
    with pytest.raises(BadValueError, match="region"):
        SkySample.of([1.0, 2.0], [0.0, 0.0], [0.1, 0.1], COSMOLOGY, region=region)


def test_the_cosmology_of_the_run_by_its_name_is_its_own():
    own = replace(COSMOLOGY, sigma_8=0.8, n_s=0.96, w0=-0.9)
    galaxies, randoms = (
        on_the_sky(one["ra"], one["dec"], one["redshift"], cosmology=own)
        for one in survey(100, 1000)
    )
    made = survey_of(galaxies, randoms, fiducial_cosmology="omega_m=0.3")
    assert made.settings["fiducial_cosmology_is"] == "that of the simulation"
    assert made.settings["fiducial_cosmology"]["w0"] == -0.9
    other = survey_of(galaxies, randoms, fiducial_cosmology="omega_m=0.3,w0=-1")
    assert "Alcock" in other.settings["fiducial_cosmology_is"]


def test_what_is_no_redshift_is_refused(plain):
    with pytest.raises(UsageError, match=r"no column|'ra'"):
        survey_of(*plain, redshifts="ra")


@pytest.mark.fault(98)
def test_a_catalogue_in_a_box(plain, refused):
    from power_samples import catalogue

    box = catalogue(np.full((4, 3), 5.0), np.ones(4))
    with refused("light cone"):
        mockgal.measure(box, "sky_wp", randoms=plain[1])

"""Footprints, number densities, randoms, weights and regions."""

import re
from itertools import pairwise

import numpy as np
import pytest
from boxes import poisson

import mockgal
from mockgal.errors import BadValueError, ResourceError, UsageError, listening
from mockgal.survey.close_pairs import without_close_pairs
from mockgal.survey.footprint import WHOLE_SKY, SkyBox, SkyMap, within
from mockgal.survey.light_cone import light_cone
from mockgal.survey.measurement import measure_redshifts, measure_stellar_masses
from mockgal.survey.number_density import (
    NumberDensity,
    in_bins,
    measured,
    to_number_density,
    volumes,
)
from mockgal.survey.randoms import randoms
from mockgal.survey.regions import Regions, with_regions
from mockgal.survey.weights import with_weights
from mockgal.tasks.inspect import as_text, describe_galaxies
from mockgal.theory.distances import SPEED_OF_LIGHT

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
EDGES = np.array([0.03, 0.05, 0.07, 0.09])
BOX = SkyBox((350.0, 80.0), (-20.0, 50.0))


@pytest.fixture(scope="module")
def cone():
    return light_cone(poisson(6000, satellites=500), redshifts=(0.02, 0.1))


def half():
    values = np.zeros(12 * 16**2)
    values[: len(values) // 2] = 0.5
    return SkyMap(values, nested=False, name="half of the north")


def test_areas():
    assert SkyBox((0.0, 360.0), (-90.0, 90.0)).area == pytest.approx(WHOLE_SKY)
    assert SkyBox((0.0, 90.0), (0.0, 90.0)).area == pytest.approx(WHOLE_SKY / 8)
    assert SkyBox((350.0, 10.0), (0.0, 90.0)).area == pytest.approx(WHOLE_SKY / 36)
    assert half().area == pytest.approx(WHOLE_SKY / 4)


def test_within_a_box(cone):
    inside = within(cone, BOX, seed=1)
    east = np.mod(inside["ra"] - 350, 360)
    assert east.max() < 90
    assert inside["dec"].min() >= -20
    assert inside["dec"].max() < 50
    assert (inside["completeness"] == 1).all()
    share = len(inside) / len(cone)
    assert share == pytest.approx(BOX.area / WHOLE_SKY, rel=0.1)
    assert inside.completeness.lacks == cone.completeness.lacks
    assert inside.provenance["survey"][-1]["thinned"] == 0


@pytest.mark.parametrize("nested", [False, True])
def test_within_a_map_as_healpix_counts_pixels(cone, nested):
    import astropy_healpix
    from astropy import units

    values = np.zeros(12 * 8**2)
    values[100:160] = 1.0
    inside = within(cone, SkyMap(values, nested=nested), seed=1)
    order = "nested" if nested else "ring"
    pixel = astropy_healpix.HEALPix(8, order).lonlat_to_healpix(
        inside["ra"] * units.deg, inside["dec"] * units.deg
    )
    assert len(inside)
    assert ((pixel >= 100) & (pixel < 160)).all()


def test_thinning_is_keyed(cone):
    inside = within(cone, half(), seed=1)
    north = np.count_nonzero(cone["dec"] > 0)
    assert len(inside) == pytest.approx(north / 2, abs=5 * np.sqrt(north) / 2)
    assert "thinned" in str(inside.completeness)
    again = within(cone[np.arange(len(cone))[::-1]], half(), seed=1)
    assert again.digest() == inside.digest()
    assert within(cone, half(), seed=2).digest() != inside.digest()
    # the copies of one galaxy are thinned apart
    ids, counts = np.unique(cone["galaxy_id"][cone["dec"] > 0], return_counts=True)
    left = np.array([np.count_nonzero(inside["galaxy_id"] == i) for i in ids[counts > 5][:40]])
    assert ((left > 0) & (left < counts[counts > 5][:40])).sum() > 10


@pytest.mark.parametrize("by", ["threshold", "random"])
def test_the_number_density_is_reached(cone, by):
    inside = within(cone, BOX, seed=1)
    target = NumberDensity(EDGES, np.array([2e-3, 1e-3, 5e-4]))
    sample = to_number_density(inside, target, area=BOX.area, by=by, seed=3)
    volume = volumes(cone, EDGES, BOX.area)
    number = target.density * volume
    found, _ = np.histogram(sample["redshift"], EDGES)
    if by == "threshold":
        assert (np.abs(found - number) <= 0.5 + 1e-9).all()
        for low, high in pairwise(EDGES):
            there = (inside["redshift"] >= low) & (inside["redshift"] < high)
            kept = (sample["redshift"] >= low) & (sample["redshift"] < high)
            least, best = sample["stellar_mass"][kept].min(), np.sort(inside["stellar_mass"][there])
            assert least == best[-np.count_nonzero(kept)]
    else:
        assert (np.abs(found - number) < 5 * np.sqrt(number)).all()
    step = sample.provenance["survey"][-1]
    np.testing.assert_allclose(step["reached_h3_mpc3"], found / volume)
    np.testing.assert_allclose(measured(sample, EDGES, BOX.area).density, found / volume)
    assert sample.completeness.lacks


def test_the_redshift_is_the_one_that_the_survey_sees(cone):
    noisy = measure_redshifts(cone, seed=1, sigma_z=0.01)
    target = NumberDensity(EDGES, np.array([2e-3, 1e-3, 5e-4]))
    sample = to_number_density(noisy, target, area=WHOLE_SKY, by="threshold")
    found, _ = np.histogram(sample["redshift_measured"], EDGES)
    number = target.density * volumes(cone, EDGES, WHOLE_SKY)
    assert (np.abs(found - number) <= 0.5 + 1e-9).all()
    assert not np.array_equal(found, np.histogram(sample["redshift"], EDGES)[0])
    assert sample.provenance["survey"][-1]["redshifts"] == "redshift_measured"
    np.testing.assert_allclose(
        measured(sample, EDGES, WHOLE_SKY).density, found / volumes(cone, EDGES, WHOLE_SKY)
    )


def test_too_few_galaxies_are_listed(cone):
    target = NumberDensity(EDGES, np.array([1e-3, 5.0, 1e-3]))
    with pytest.raises(BadValueError, match=r"1 of 3 bins of redshift: 0\.05 to 0\.07"):
        to_number_density(cone, target, area=WHOLE_SKY, by="threshold")


@pytest.mark.parametrize("footprint", [BOX, half()])
def test_randoms(cone, footprint):
    target = NumberDensity(EDGES, np.array([2e-3, 0.0, 5e-4]))
    points = randoms(cone, footprint, target, number=40_000, seed=5)
    assert len(points) == 40_000
    share = footprint.completeness(points["ra"], points["dec"])
    assert (share > 0).all()
    expected = target.density * volumes(cone, EDGES, 1.0)
    found, _ = np.histogram(points["redshift"], EDGES)
    np.testing.assert_allclose(found / 40_000, expected / expected.sum(), atol=0.012)
    # uniform in solid angle and, within a bin, in volume
    first = points["redshift"] < EDGES[1]
    low, high = (points["distance"][first] ** 3).min(), (points["distance"][first] ** 3).max()
    part = (points["distance"][first] ** 3 - low) / (high - low)
    assert np.histogram(part, 10)[0] == pytest.approx(first.sum() / 10, rel=0.06)
    if footprint is BOX:  # the other is cut along pixels
        south, north = np.sin(np.radians([points["dec"].min(), points["dec"].max()]))
        part = (np.sin(np.radians(points["dec"])) - south) / (north - south)
        assert np.histogram(part, 10)[0] == pytest.approx(4000, rel=0.08)
    fewer = randoms(cone, footprint, target, number=100, seed=5)
    rows = np.searchsorted(points["galaxy_id"], fewer["galaxy_id"])
    np.testing.assert_array_equal(points["ra"][rows], fewer["ra"])


def test_randoms_are_written_and_read(tmp_path, cone):
    points = randoms(cone, BOX, NumberDensity(EDGES, np.ones(3)), number=500, seed=5)
    for end in ("fits", "hdf5", "parquet"):
        mockgal.write(points, tmp_path / f"randoms.{end}")
        again = mockgal.read_galaxies(tmp_path / f"randoms.{end}")
        np.testing.assert_array_equal(again["ra"], points["ra"])
        assert again.provenance["survey"][0]["area_deg2"] == pytest.approx(BOX.area)


def test_weights(cone):
    target = NumberDensity(EDGES, np.array([2e-3, 1e-3, 5e-4]))
    weighted = with_weights(cone, target, power=1e4)
    inside = (cone["redshift"] >= 0.05) & (cone["redshift"] < 0.07)
    np.testing.assert_allclose(weighted["number_density"][inside], 1e-3)
    np.testing.assert_allclose(weighted["weight_fkp"][inside], 1 / 11)
    assert (weighted["weight"] == 1).all()
    assert (weighted["weight_fkp"][cone["redshift"] > 0.09] == 1).all()


@pytest.mark.parametrize("number", [2, 7, 50])
def test_regions_hold_equal_numbers_of_randoms(cone, number):
    points = randoms(cone, BOX, NumberDensity(EDGES, np.ones(3)), number=5000, seed=5)
    regions = Regions.of(points["ra"], points["dec"], number)
    counts = np.bincount(regions.at(points["ra"], points["dec"]), minlength=number)
    assert counts.sum() == 5000
    assert counts.max() - counts.min() <= np.ceil(np.log2(number)) + 1
    data = with_regions(within(cone, BOX, seed=1), regions)
    assert set(np.unique(data["region"])) <= set(range(number))
    # a region is in one piece: its points are nearer to each other than to others
    turned = Regions.of(points["ra"][::-1], points["dec"][::-1], number)
    assert turned == regions


def test_redshift_errors(cone):
    found = measure_redshifts(cone, seed=1, sigma_v=300.0, sigma_z=0.001)
    error = (found["redshift_measured"] - cone["redshift"]) / (1 + cone["redshift"])
    sigma = np.hypot(300 / SPEED_OF_LIGHT, 0.001)
    assert error.std() == pytest.approx(sigma, rel=0.03)
    assert abs(error.mean()) < 4 * sigma / np.sqrt(len(error))
    lost = measure_redshifts(cone, seed=1, catastrophic=0.05, catastrophic_range=(0.5, 1.0))
    away = lost["redshift_measured"] > 0.4
    assert away.mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 / len(cone)))
    assert lost.provenance["survey"][-1]["catastrophic"] == away.sum()
    np.testing.assert_array_equal(lost["redshift_measured"][~away], cone["redshift"][~away])


def test_stellar_mass_errors(cone):
    found = measure_stellar_masses(cone, seed=1, sigma=0.2)
    error = np.log10(found["stellar_mass_measured"] / cone["stellar_mass"])
    assert error.std() == pytest.approx(0.2, rel=0.03)
    np.testing.assert_array_equal(found["stellar_mass"], cone["stellar_mass"])


def test_refused(cone):
    box = poisson(9)
    for work in (
        lambda: within(box, BOX, seed=1),
        lambda: randoms(box, BOX, NumberDensity(EDGES, np.ones(3)), number=9, seed=1),
        lambda: measure_redshifts(box, seed=1),
    ):
        with pytest.raises(UsageError, match="make a light cone first"):
            work()
    for work in (
        lambda: SkyBox((0.0, 10.0), (20.0, 10.0)),
        lambda: SkyBox((0.0, 400.0), (20.0, 30.0)),
        lambda: SkyMap(np.ones(13), nested=False),
        lambda: SkyMap(np.full(12, 2.0), nested=False),
        lambda: NumberDensity(EDGES, np.ones(4)),
        lambda: NumberDensity(EDGES[::-1], np.ones(3)),
        lambda: NumberDensity(EDGES, -np.ones(3)),
        lambda: within(cone, SkyMap(np.zeros(12), nested=False), seed=1),
        lambda: measure_redshifts(cone, seed=1, sigma_z=-1.0),
        lambda: measure_redshifts(cone, seed=1, catastrophic=0.1),
        lambda: measure_stellar_masses(cone, seed=1, sigma=9.0),
        lambda: with_weights(cone, NumberDensity(EDGES, np.ones(3)), power=-1.0),
        lambda: Regions.of(np.zeros(3), np.zeros(3), 2),
    ):
        with pytest.raises((UsageError, BadValueError)):
            work()


@pytest.mark.parametrize("end", ["fits", "hdf5", "parquet"])
@pytest.mark.parametrize("units", ["h", "h-free"])
def test_files_keep_all_columns(tmp_path, cone, end, units):
    target = NumberDensity(EDGES, np.array([2e-3, 1e-3, 5e-4]))
    galaxies = with_weights(
        measure_redshifts(within(cone, half(), seed=1), seed=1), target, power=1e4
    )
    galaxies = with_regions(galaxies, Regions.of(galaxies["ra"], galaxies["dec"], 8))
    mockgal.write(galaxies, tmp_path / f"a.{end}", units=units)
    again = mockgal.read_galaxies(tmp_path / f"a.{end}")
    assert set(again.columns) == set(galaxies.columns)
    for name, values in galaxies.columns.items():
        np.testing.assert_allclose(
            again[name], values, rtol=1e-6 if name == "stellar_mass" else 1e-14
        )
    assert again.provenance["survey"] == galaxies.provenance["survey"]
    some = mockgal.read_galaxies(tmp_path / f"a.{end}", columns=["ra"])
    assert set(some.columns) == {"ra", "copy", "galaxy_id", "halo_id"}
    if units == "h":
        assert again.digest() == galaxies.digest()


def test_inspect_names_the_steps(tmp_path, cone):
    mockgal.write(within(cone, BOX, seed=1), tmp_path / "a.fits")
    text = as_text(describe_galaxies(tmp_path / "a.fits"))
    assert re.search(rf"footprint: {len(cone):,} -> [0-9,]+ galaxies in {BOX.area:.6g} deg", text)
    assert re.search(r"survey +light cone: 6,500 -> .* observer at \(0, 0, 0\) Mpc/h", text)
    assert re.search(r" +light cone: [0-9,]+ of them are repeats", text)


def test_bins_near_the_ends_of_the_light_cone_are_told(cone):
    """Errors of 0.004 move galaxies out of the last 0.008."""
    seen = measure_redshifts(cone, seed=1, sigma_z=0.004)
    for edges, told in (([0.03, 0.09], 0), ([0.03, 0.095], 1), ([0.025, 0.09], 1)):
        with listening(quiet=True) as texts:
            in_bins(seen, np.array(edges), area=WHOLE_SKY)
        assert len(texts) == told, texts
        assert all("0.00" in text and "ends of the light cone" in text for text in texts)


def test_close_pairs_are_lost_after_n_of_z(cone):
    lost = without_close_pairs(cone, angle=600.0, seed=1)
    with pytest.raises(UsageError, match="weight_close_pairs"):
        to_number_density(lost, NumberDensity(EDGES, [1e-4] * 3), area=WHOLE_SKY, by="threshold")


@pytest.mark.parametrize("ra", [(360.0, 0.0), (0.0, 0.0), (360.0, 360.0)])
def test_a_box_without_width(ra):
    with pytest.raises(UsageError, match="right ascensions"):
        SkyBox(ra, (0.0, 10.0))


def test_randoms_that_no_memory_holds(cone):
    n_of_z = NumberDensity(EDGES, [1e-4] * 3)
    with pytest.raises(ResourceError, match="ask for fewer"):
        randoms(cone, BOX, n_of_z, number=10**13, seed=1)

"""Half of the TNG100-1 groups predict the satellites of the other half, within jackknife errors."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TABLES = ROOT.parent / "shared/data/tng100-1/tables"
sys.path.insert(0, str(ROOT / "studies"))
import calibrate_tng100  # noqa: E402
import tng100_halves  # noqa: E402
from tng100_halves import (  # noqa: E402
    RADII,
    dispersion,
    dispersion_index,
    expected,
    found,
    halves,
    jackknife,
    mean_number,
    nfw,
    painted,
    predict_half,
    profile,
    profile_within,
)

real_data = pytest.mark.real_data
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning"),
]
MEASURED = {"numbers": "measured", "profile": "measured", "velocity": "measured"}
SEEDS = 2


@pytest.fixture(scope="module")
def tables():
    if not TABLES.is_dir():
        pytest.skip("no TNG100-1 tables")
    return calibrate_tng100.read(TABLES)


@pytest.fixture(scope="module")
def predicted(tables):
    """The first split, in both directions."""
    one, other = halves(tables, 0)
    return [predict_half(tables, one, other, 0), predict_half(tables, other, one, 0)]


def probabilities(predicted, measure):
    return [half.compare(measure).probability for half in predicted]


def test_jackknife_is_the_error_of_a_mean():
    values = np.random.default_rng(1).normal(size=(30, 2))
    left_out = [np.delete(values, k, axis=0).mean(axis=0) for k in range(30)]
    np.testing.assert_allclose(jackknife(left_out), np.cov(values.T) / 30)


@real_data
def test_halves_share_no_group(tables):
    one, other = halves(tables, 0)
    assert not np.any(one & other)
    assert np.sum(one | other) == 169
    table = calibrate_tng100.calibrate(tables, one)
    satellites = table.rows(1)
    assert np.sum(table.columns["hosts_hydro"][satellites]) == one.sum()
    resolved = found(tables, one, luminous=False).number.sum()
    assert np.sum(table.columns["subhalos_hydro"][satellites]) == resolved
    np.testing.assert_array_equal(table.edges(1), calibrate_tng100.calibrate(tables).edges(1))


@real_data
@pytest.mark.slow
def test_numbers(predicted):
    """By host mass, and their variance; each probability would be less once in a hundred times."""
    for measure in (mean_number, dispersion_index):
        assert min(probabilities(predicted, measure)) > 0.01, measure.__name__


@real_data
@pytest.mark.slow
def test_places(predicted):
    for measure in (profile, profile_within):
        assert min(probabilities(predicted, measure)) > 0.01, measure.__name__


@real_data
def test_velocities(predicted):
    assert min(probabilities(predicted, dispersion)) > 0.01


@real_data
def test_what_would_be_seen(predicted):
    """A third more satellites, or places as much farther out, or NFW ones, would not pass."""
    for half in predicted:
        more = half.law._replace(number=1.33 * half.law.number)
        assert half.compare(mean_number, law=more).probability < 0.01
        farther = expected(half.table, half.hosts, stretch=1.33)
        assert half.compare(profile, law=farther).probability < 0.01
        by_nfw = nfw(half.hosts, half.law)
        assert half.compare(profile_within, law=by_nfw).probability < 0.01


@real_data
def test_the_heaviest_hosts(tables):
    """The eight above 10^13.8 Msun/h in a bin from 10^13.5: 3.5 sigma of numbers good to 10%."""
    table = calibrate_tng100.calibrate(tables)
    heavy = calibrate_tng100.host_log_mass(tables) > 13.8
    hosts = tng100_halves.scene(tables, heavy, table.particle_mass)
    assert heavy.sum() == 8
    ratio = found(tables, heavy).number.sum() / expected(table, hosts).number.sum()
    assert ratio == pytest.approx(1.0, abs=0.35)


@pytest.mark.slow
@real_data
def test_drawn_as_expected(predicted):
    """Populating and painting gives the numbers, places and velocities of the law: 4 sigma."""
    half = predicted[0]
    mocks = [painted(half.table, half.hosts, seed, **MEASURED) for seed in range(SEEDS)]
    number = sum(mock.number.sum() for mock in mocks) / SEEDS
    error = np.sqrt(half.law.variance.sum() / SEEDS)
    assert number == pytest.approx(half.law.number.sum(), abs=4.0 * error)
    share = sum(mock.number.sum(axis=0) for mock in mocks) / (SEEDS * number)
    law = half.law.number.sum(axis=0) / half.law.number.sum()
    # Heavier hosts, whose numbers vary most, have other profiles: errors beyond those of counting.
    error = 1.5 * np.sqrt(law * (1.0 - law) / (SEEDS * number))
    assert len(share) == len(RADII) - 1
    assert np.all(np.abs(share - law) < 4.0 * error)
    speed = np.mean([dispersion(mock, half.law, half.host_bin) for mock in mocks])
    assert speed == pytest.approx(dispersion(half.law, half.law, half.host_bin)[0], rel=0.02)

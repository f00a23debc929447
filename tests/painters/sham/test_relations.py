"""Published relations of stellar to halo mass, and the painter that follows them."""

from pathlib import Path

import numpy as np
import pytest
from sham_samples import H, made_box

import mockgal
from mockgal.errors import DomainError, MockgalWarning, UsageError
from mockgal.painters.sham.relations import LAWS
from mockgal.testing import painter_contract

SHARED = Path(__file__).parents[4] / "shared/data/published"


@pytest.mark.parametrize("relation", ["behroozi2013", "behroozi2019", "moster2018"])
def test_contract(relation):
    painter_contract("smhm", made_box(500, 40.0), relation=relation, floor="1e9 Msun/h")


@pytest.mark.parametrize("redshift", [0.0, 0.5, 1.0, 4.0])
def test_moster_agrees_with_halotools(redshift):
    from mockgal.painters.halotools.laws import stellar_mass_law

    mass = np.linspace(11.0, 15.0, 9)
    theirs = stellar_mass_law("moster13", redshift).log_mean(10.0**mass * H, H) - np.log10(H)
    ours = LAWS["moster2013"].log_stellar_mass(mass, redshift)
    # halotools' masses are in Msun/h^2 for the h of the paper, 0.704.
    assert ours - theirs == pytest.approx((ours - theirs)[0], abs=0.03)


@pytest.mark.real_data
def test_behroozi_2013_agrees_with_the_published_table():
    if not SHARED.is_dir():
        pytest.skip("no published tables beside the repository")
    rows = np.loadtxt(SHARED / "Behroozi_2013_z0p1.txt")
    chosen = (rows[:, 0] > 10.5) & (rows[:, 0] < 15.0)
    mass, ratio = rows[chosen, 0], rows[chosen, 1]
    ours = LAWS["behroozi2013"].log_stellar_mass(mass, 0.1) - mass
    assert np.abs(ours - ratio).max() < 0.06  # the table has the fit at z = 0.1 itself


@pytest.mark.parametrize("name", list(LAWS))
def test_relations_rise_and_hold_at_all_their_redshifts(name):
    law = LAWS[name]
    for redshift in np.linspace(*law.redshift, 5):
        mass = np.linspace(law.log_mass[0], law.highest(redshift), 100)
        stars = law.log_stellar_mass(mass, redshift)
        assert np.all(np.diff(stars) > 0)
        assert np.all(stars < mass - 0.8)


def test_the_scatter_is_of_stellar_mass_at_a_given_halo_mass():
    sim = made_box(30_000, 150.0)
    mock = mockgal.paint(sim, "smhm", seed=1, relation="behroozi2013", floor="1e6 Msun/h")
    central = mock["is_central"]
    log_mass = np.log10(mock["halo_mass"][central]) - np.log10(H)
    expected = LAWS["behroozi2013"].log_stellar_mass(log_mass, 0.0) + np.log10(H)
    apart = np.log10(mock["stellar_mass"][central]) - expected
    assert np.std(apart) == pytest.approx(0.218, abs=0.005)
    assert np.mean(apart) == pytest.approx(0.0, abs=0.005)


def test_satellites_have_the_mass_that_they_had():
    sim = made_box(5000, 80.0)
    options = {"relation": "moster2018", "floor": "1e6 Msun/h", "scatter": "0 dex"}
    mock = mockgal.paint(sim, "smhm", seed=1, **options)
    peak = dict(zip(sim.halos["halo_id"].tolist(), sim.halos["peak_mass"].tolist(), strict=True))
    own = np.array([peak[k] for k in mock["galaxy_id"].tolist()])
    expected = LAWS["moster2018"].log_stellar_mass(np.log10(own / H), 0.0) + np.log10(H)
    assert np.log10(mock["stellar_mass"]) == pytest.approx(expected, abs=1e-4)


def test_beyond_the_relation_galaxies_are_flagged_and_counted():
    sim = made_box(5000, 80.0, redshift=4.0)
    mock = mockgal.paint(sim, "smhm", seed=1, relation="behroozi2019")
    top = LAWS["behroozi2019"].highest(4.0)
    assert 12.5 < top < 13.0  # where the fit no longer rises
    beyond = np.log10(sim.halos["peak_mass"] / H) > top
    assert 0 < beyond.sum() < 500
    flagged = set(mock["galaxy_id"][mock["extrapolated"]].tolist())
    assert flagged == set(sim.halos["halo_id"][beyond].tolist())
    painter = mock.provenance["painter"]
    assert painter["prediction"]["above_the_relation"] == beyond.sum()
    assert painter["redshift"] == 4.0


def test_the_floor_is_the_mass_at_the_least_halo():
    mock = mockgal.paint(made_box(500, 40.0), "smhm", seed=1, relation="behroozi2013")
    floor = LAWS["behroozi2013"].log_stellar_mass(np.log10([1e11 / H]), 0.0) + np.log10(H)
    assert mock.provenance["painter"]["luminosity_floor_msun_h"] == pytest.approx(10.0 ** floor[0])


def test_without_peaks_satellites_are_too_light():
    sim = made_box(500, 40.0, peaks=False)
    with pytest.warns(MockgalWarning, match="after stripping, as the input has no peak_mass"):
        mock = mockgal.paint(sim, "smhm", seed=1, relation="behroozi2013")
    assert mock.provenance["painter"]["mass_of_satellites"] == "bound mass, after stripping"


@pytest.mark.parametrize(
    ("sim", "options", "error", "words"),
    [
        ({}, {"relation": "moster2013"}, DomainError, "host mass is vir, not 200c"),
        ({"redshift": 9.0}, {}, DomainError, "redshift 9 outside 0 to 8"),
        ({"particle_mass": None}, {}, UsageError, "give --floor .* or --particle-mass"),
        ({}, {"relation": None}, UsageError, "give --relation"),
    ],
)
def test_what_is_refused(sim, options, error, words):
    with pytest.raises(error, match=words):
        mockgal.paint(
            made_box(500, 40.0, **sim), "smhm", seed=1, **{"relation": "behroozi2013", **options}
        )

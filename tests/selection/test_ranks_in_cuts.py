"""Cuts on the order of a column, and samples of given number densities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockgal
from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.errors import CutError, MockgalWarning, UsageError
from mockgal.selection.cuts import parse, select
from mockgal.selection.ranks import ranks, to_densities, to_density
from mockgal.survey.light_cone import light_cone
from mockgal.types import GalaxyCatalog, Snapshot

BOX = 10.0
masses = st.lists(st.sampled_from([1e9, 2e9, 3e9, 5e10, 7e11]), min_size=1, max_size=30)


def galaxies(mass):
    n = len(mass)
    columns = {name: np.zeros(n, dtype=c.dtype) for name, c in GALAXY_COLUMNS.items()}
    columns["galaxy_id"] = columns["halo_id"] = np.arange(n)
    columns["stellar_mass"] = np.asarray(mass)
    columns["position_x"] = np.linspace(0, BOX, n, endpoint=False)
    snapshot = Snapshot("test", BOX, 0.0, Cosmology(0.7, 0.3, 0.7), 1e8, "test")
    return GalaxyCatalog(columns, snapshot, "box", {"painter": {"luminosity_floor_msun_h": 1.0}})


@given(mass=masses, number=st.integers(1, 40))
def test_ranks_by_their_definition(mass, number):
    sample = galaxies(mass)
    value, own = sample["stellar_mass"].tolist(), sample["galaxy_id"].tolist()
    expected = sorted(range(len(value)), key=lambda i: (-value[i], own[i]))
    assert np.argsort(ranks(sample, "stellar_mass")).tolist() == expected
    with mockgal.errors.listening(quiet=True) as texts:
        chosen = select(sample, f"rank(stellar_mass) <= {number}")
    assert sorted(chosen["galaxy_id"].tolist()) == sorted(own[i] for i in expected[:number])
    assert bool(texts) == (number > len(mass))


@given(mass=masses, number=st.integers(1, 30))
def test_the_highest_masses_are_those_of_most_massive(mass, number):
    sample = galaxies(mass)
    number = min(number, len(sample))
    one = select(sample, f"rank(stellar_mass) <= {number}")
    other = mockgal.most_massive(sample, number)
    assert one.digest() == other.digest()
    assert one.completeness == other.completeness


def test_a_density_is_a_rank_over_the_volume():
    sample = galaxies(np.arange(1.0, 41.0) * 1e9)
    h = sample.snapshot.cosmology.h
    assert len(select(sample, "density(stellar_mass) <= 0.02 h^3/Mpc^3")) == 20
    assert len(select(sample, f"density(stellar_mass) < {0.02 * h**3:.12f} Mpc^-3")) in (19, 20)
    assert len(select(sample, "10 < rank(stellar_mass) <= 15")) == 5
    with pytest.warns(MockgalWarning, match="asks for 500 galaxies: there are 40"):
        assert len(select(sample, "density(stellar_mass) <= 0.5 h^3/Mpc^3")) == 40


def test_another_columns_ranks_are_no_complete_sample():
    sample = galaxies(np.arange(1.0, 41.0) * 1e9)
    assert select(sample, "rank(position_x) <= 10").completeness.limit is None
    assert select(sample, "rank(stellar_mass) > 10").completeness.limit is None


def test_ranks_are_those_that_earlier_cuts_left():
    sample = galaxies(np.arange(1.0, 41.0) * 1e9)
    chosen = select(sample, "stellar_mass < 1e10 Msun/h", "rank(stellar_mass) <= 3")
    assert sorted(chosen["stellar_mass"].tolist()) == pytest.approx([7e9, 8e9, 9e9])


@pytest.mark.parametrize(
    "text",
    [
        "rank(stellar_mass) <= 10 Msun/h",
        "rank(stellar_mass) <= 5.5",
        "rank(nothing) <= 10",
        "density(vmax) <= 3",
        "density(vmax) <= 3 Mpc",
        "density(vmax) <= 3 h Mpc^-3",
        "sum(vmax) <= 3",
        "rank(rank(vmax)) <= 3",
    ],
)
def test_what_is_no_cut(text):
    with pytest.raises(CutError):
        parse(text)


def test_samples_within_each_other():
    random = np.random.default_rng(1)
    sample = galaxies(10.0 ** random.uniform(9, 11, 300))
    densities = [0.01, 0.2, 0.0504]
    with mockgal.errors.listening(quiet=True):
        chosen = to_densities(sample, densities)
    (entry,) = chosen.provenance["cuts"]
    assert [one["density_h3_mpc3"] for one in entry["samples"]] == [0.2, 0.0504, 0.01]
    for one in entry["samples"]:
        density = one["density_h3_mpc3"]
        with mockgal.errors.listening(quiet=True):
            alone = to_density(sample, density)
        part = select(chosen, f"cumulative_number_density <= {density} h^3/Mpc^3")
        assert sorted(part["galaxy_id"]) == sorted(alone["galaxy_id"])
        assert one["galaxies"] == len(alone)
        assert one["from_msun_h"] == pytest.approx(alone["stellar_mass"].min())


def test_by_the_command(mockgal_command, build_demo, demo_bundle, tmp_path):
    assert build_demo("--top", 50, "--out", "top.fits").returncode == 0
    top = mockgal.read_galaxies(tmp_path / "top.fits")
    assert (len(top), top.provenance["cuts"][0]["cut"]) == (50, "rank(stellar_mass) <= 50")
    same = build_demo("--match-density", "top.fits", "--out", "same.fits")
    assert same.returncode == 0, same.stderr
    assert "the density of 50 galaxies of out_dm64" in same.stdout
    chosen = mockgal.read_galaxies(tmp_path / "same.fits")
    assert chosen["galaxy_id"].tolist() == top["galaxy_id"].tolist()
    two = ("--number-density", "1e-2 h^3/Mpc^3", "--number-density", "3e-2 h^3/Mpc^3")
    result = build_demo(*two, "--out", "two.fits")
    assert "0.01 h^3/Mpc^3: 41 galaxies, from" in result.stdout
    assert "not complete" in result.stdout  # the demo lacks satellites
    assert "cumulative_number_density" in mockgal.read_galaxies(tmp_path / "two.fits")
    both = build_demo("--match-density", "top.fits", *two, "--out", "both.fits")
    assert both.returncode == 2
    assert "match_density" in both.stderr
    assert build_demo("--top", 0, "--out", "none.fits").returncode == 2
    deeper = mockgal_command(
        *("build", "--sim", demo_bundle, "--painter", "hod", "--out", "x.fits"),
        *("--number-density", "1 h^3/Mpc^3"),
    )
    assert deeper.returncode == 2
    assert not (tmp_path / "x.fits").exists()


def test_density_of_galaxies_on_the_sky(demo_bundle):
    with mockgal.errors.listening(quiet=True):
        mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
        cone = light_cone(mock, redshifts=(0.001, 0.002))
        with pytest.raises(UsageError, match="n_of_z"):
            select(cone, "density(redshift) <= 1e-3 h^3/Mpc^3")
        assert len(select(cone, "rank(redshift) <= 7")) == 7


def test_a_strict_bound_asks_for_one_less():
    sample = galaxies(np.arange(1.0, 41.0) * 1e9)
    with mockgal.errors.listening(quiet=True) as texts:
        assert len(select(sample, "rank(stellar_mass) < 41")) == 40
    assert not texts


def test_ids_are_ranked_exactly():
    sample = galaxies(np.ones(3) * 1e9)
    ids = np.array([2**60, 2**60 + 1, 2**60 + 2])
    sample = sample.with_columns(galaxy_id=ids)
    assert ranks(sample, "galaxy_id").tolist() == [3, 2, 1]
    assert ranks(sample, "is_central").tolist() == [1, 2, 3]


def test_the_top_comes_after_the_cuts_of_the_recipe(mockgal_command, demo_bundle, tmp_path):
    recipe = f"sim: {demo_bundle}\npainter: hod\ncut: is_central == 0\nout: t.fits\n"
    (tmp_path / "r.yaml").write_text(recipe)
    assert mockgal_command("build", "--recipe", "r.yaml", "--top", 20).returncode == 0
    mock = mockgal.read_galaxies(tmp_path / "t.fits")
    assert len(mock) == 20
    assert not mock["is_central"].any()


def test_ranks_of_galaxies_are_not_those_of_randoms():
    from mockgal.tasks.one_statistic import cut_randoms

    sample = galaxies(np.ones(3) * 1e9).with_columns(redshift=np.ones(3))
    with pytest.raises(UsageError, match="beside randoms"):
        cut_randoms(sample, ["rank(redshift) <= 2"])

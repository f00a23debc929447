"""Completeness travels with a catalogue: cuts, selections, files, and what the screen says."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockgal
from mockgal.completeness import Completeness, is_all
from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning, UsageError
from mockgal.types import GalaxyCatalog, Snapshot

H = 0.7


def catalogue(mass, low=1e8, **more):
    n = len(mass)
    columns = {
        "galaxy_id": np.arange(n),
        "halo_id": np.arange(n),
        "is_central": np.ones(n, dtype=bool),
        **{f"{what}_{x}": np.linspace(0, 9, n) for what in ("position", "velocity") for x in "xyz"},
        "stellar_mass": np.asarray(mass, dtype=np.float32),
        "halo_mass": np.full(n, 1e12),
        "subhalo_mass": np.linspace(1e10, 1e12, n),
        "extrapolated": np.zeros(n, dtype=bool),
    }
    stated = {} if low is None else {"completeness": Completeness(low, because="floor").record()}
    snapshot = Snapshot("test", 10.0, 0.0, Cosmology(H, 0.3, 0.7), 1e8, "test")
    return GalaxyCatalog(columns, snapshot, "box", {"cuts": [], **stated, **more})


MASSES = 10.0 ** np.linspace(8.0, 11.0, 31)
BOUNDS = st.floats(1e7, 1e12)


@given(BOUNDS, st.sampled_from((">", ">=", "<", "<=")), BOUNDS)
def test_no_cut_lowers_the_limit_or_raises_the_upper_one(value, operator, low):
    before = catalogue(MASSES, low)
    with warnings.catch_warnings(action="ignore", category=MockgalWarning):
        after = mockgal.select(before, f"stellar_mass {operator} {value!r} Msun/h")
    was, now = before.completeness, after.completeness
    assert now.low >= was.low
    assert now.high <= was.high
    assert now.low == max(low, value if operator[0] == ">" else 0.0)
    assert now.high == (value if operator[0] == "<" else math.inf)
    assert not now.lacks


@given(st.lists(st.integers(0, 9), max_size=12), st.randoms())
def test_only_all_rows_keep_completeness(rows, shuffle):
    galaxies = catalogue(MASSES[:10])
    everything = list(range(10))
    shuffle.shuffle(everything)
    assert galaxies.take(np.array(everything)).completeness == galaxies.completeness
    assert is_all(np.array(rows, dtype=int), 10) == (sorted(rows) == list(range(10)))
    if len(set(rows)) == len(rows) < 10:
        chosen = galaxies.take(np.array(rows, dtype=int))
        assert chosen.completeness.limit is None
        assert chosen.completeness.lacks


def test_masks_and_slices_of_everything():
    galaxies = catalogue(MASSES)
    for rows in (np.ones(31, dtype=bool), slice(None), slice(None, None, -1)):
        assert galaxies.take(rows).completeness.limit == 1e8
    assert galaxies.take(slice(30)).completeness.limit is None


def test_a_choice_of_all_rows_is_no_cut():
    galaxies = catalogue(MASSES)
    for rows in (slice(None), np.ones(31, dtype=bool), np.arange(31)[::-1]):
        assert galaxies[rows].provenance["cuts"] == []
        assert galaxies[rows].completeness.limit == 1e8
    assert galaxies[:9].provenance["cuts"][0]["after"] == 9


@pytest.mark.parametrize("statistic", ["mass_function", "xi", "satellite_fraction"])
def test_part_of_a_box_by_index_is_warned_of(statistic):
    galaxies = catalogue(MASSES)
    options = {"jackknife": 0}
    part = galaxies[galaxies["position_x"] < 5]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MockgalWarning)
        found = mockgal.measure(part, statistic, **options)
        whole = mockgal.measure(galaxies, statistic, **options)
    said = [str(one.message) for one in caught if "volume is that of the whole" in str(one.message)]
    assert len(said) == (statistic != "satellite_fraction")
    assert found.settings.get("warnings", []) == said
    assert "warnings" not in whole.settings


def test_a_cut_on_another_column_is_a_selection_unless_all_pass():
    galaxies = catalogue(MASSES)
    assert mockgal.select(galaxies, "subhalo_mass > 1e9 Msun/h").completeness.limit == 1e8
    chosen = mockgal.select(galaxies, "subhalo_mass > 1e11 Msun/h", "stellar_mass > 1e9 Msun/h")
    assert chosen.completeness.limit is None
    assert "subhalo_mass > 1e11" in str(chosen.completeness)
    assert mockgal.select(galaxies, "stellar_mass != 1e8 Msun/h").completeness.limit is None


def test_the_most_massive():
    galaxies = catalogue(MASSES)
    chosen = mockgal.most_massive(galaxies, 5)
    np.testing.assert_allclose(np.sort(chosen["stellar_mass"]), MASSES[-5:], rtol=1e-6)
    assert chosen.completeness.limit == chosen["stellar_mass"].min()
    assert chosen.provenance["cuts"][-1]["after"] == 5
    assert mockgal.most_massive(galaxies, 31).completeness == galaxies.completeness
    tied = mockgal.most_massive(catalogue([1e9, 1e9, 1e9, 1e10]), 2)
    assert list(tied["galaxy_id"]) == [0, 3]
    assert 1e9 < tied.completeness.limit < 1.000001e9
    assert mockgal.most_massive(galaxies, 0).completeness.limit is None
    for wrong in (-1, 32, 2.0, True):
        with pytest.raises(UsageError, match="0 to 31"):
            mockgal.most_massive(galaxies, wrong)
    # what was incomplete stays so
    assert mockgal.most_massive(galaxies.take(slice(20)), 5).completeness.limit is None
    assert mockgal.most_massive(catalogue(MASSES, 5e10), 20).completeness.limit == 5e10


@pytest.mark.parametrize("ending", [".fits", ".hdf5"])
@pytest.mark.parametrize("units", ["h", "h-free"])
def test_it_survives_files(tmp_path, ending, units):
    made = mockgal.select(catalogue(MASSES), "3e8 Msun/h < stellar_mass < 5e10 Msun/h")
    chosen = made.take(slice(0, 9))
    for number, galaxies in enumerate((made, chosen, catalogue(MASSES, None))):
        path = tmp_path / f"{number}{ending}"
        mockgal.write(galaxies, path, units=units)
        again = mockgal.read_galaxies(path)
        assert again.completeness == galaxies.completeness
        assert str(galaxies.completeness) == mockgal.inspect(path)["completeness"]
    assert again.completeness == Completeness()
    assert str(again.completeness) == "not stated"
    made_header = mockgal.to_table(made, units).meta
    assert made_header["complete_from"] == pytest.approx(3e8 / (1 if units == "h" else H))
    mock = mockgal.to_halotools(made)
    assert mock.galaxy_table.meta["COMPLMIN"] == pytest.approx(3e8)
    assert mock.provenance["completeness"]["to_msun_h"] == 5e10


def test_what_is_not_known_does_not_become_known_by_a_cut():
    chosen = mockgal.select(catalogue(MASSES, None), "stellar_mass > 1e10 Msun/h")
    assert not chosen.completeness.is_stated


def test_limits_that_leave_nothing():
    galaxies = mockgal.select(catalogue(MASSES, 1e10), "stellar_mass < 1e9 Msun/h")
    assert galaxies.completeness.limit is None
    assert "at no stellar mass" in str(galaxies.completeness)

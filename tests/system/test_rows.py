"""Rows of a catalogue by index: slices, masks and numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.errors import UsageError

sys.path.insert(0, str(Path(__file__).parents[1] / "writers"))
from write_samples import catalogue

N = 20


def same(found, galaxies, rows):
    assert type(found) is type(galaxies)
    rows = np.sort(np.asarray(rows, dtype=int))
    for name in galaxies.columns:
        np.testing.assert_array_equal(found[name], galaxies[name][rows])
    assert found.snapshot is galaxies.snapshot


@pytest.mark.parametrize(
    "index",
    [
        slice(5),
        slice(None, None, -2),
        slice(30, 40),
        [],
        [3, 1, 2],
        (np.array([0, -1])),
        np.array([19, 0], dtype=np.uint8),
        np.arange(N) % 3 == 0,
        [True, False] * 10,
    ],
    ids=str,
)
def test_rows(index):
    galaxies = catalogue(N)
    numbers = np.arange(N)[index] if len(np.shape(index)) != 1 or len(index) else []
    same(galaxies[index], galaxies, numbers)


def test_a_column_as_before():
    galaxies = catalogue(N)
    assert galaxies["stellar_mass"] is galaxies.columns["stellar_mass"]
    with pytest.raises(KeyError):
        galaxies["no_column"]


def test_masks_of_columns_read_well():
    galaxies = catalogue(N)
    heavy = galaxies[galaxies["stellar_mass"] > np.median(galaxies["stellar_mass"])]
    assert len(heavy) == N // 2


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ([True] * (N - 1), f"a mask of {N - 1} values, expected one of {N}"),
        (np.ones(N + 1, dtype=bool), "mask"),
        ([N], f"row number {N}, expected from -{N} to {N - 1}"),
        ([0, -N - 1], f"row number -{N + 1}"),
        ([1, 1], "row 1 more than once"),
        ([1, 1 - N], "row 1 more than once"),
        (np.arange(N) % 2, "not of 0 and 1"),
        (3, r"\[\[3\]\] gives"),
        (np.int64(-1), r"\[\[-1\]\] gives"),
        (True, "shape"),
        (None, "shape"),
        (..., "shape"),
        (1.5, "shape"),
        ([0.0, 1.0], "float64"),
        (["a"], "<U1"),
        ((slice(3), 1), "a tuple"),
        (np.ones((N, 1), dtype=bool), "shape"),
        (np.ma.array([True] * N, mask=[True] + [False] * (N - 1)), "masked"),
        (slice(0.5), "whole numbers"),
        ([[1], [1, 2]], "not an array"),
        (np.array([2**63], dtype=np.uint64), "row number"),
    ],
    ids=str,
)
def test_refused(index, says):
    with pytest.raises(UsageError, match=says) as caught:
        catalogue(N)[index]
    assert "GalaxyCatalog" in str(caught.value)


def test_a_catalogue_is_not_looped_over_by_number():
    with pytest.raises(UsageError, match=r"\[\[0\]\]"):
        list(catalogue(N))


def test_the_choice_is_recorded_and_kept_in_files(tmp_path):
    galaxies = catalogue(N)
    mockgal.write(galaxies[:5][[0, 2]], tmp_path / "few.fits")
    again = mockgal.read_galaxies(tmp_path / "few.fits")
    own = again.provenance["cuts"][-2:]
    assert [(cut["before"], cut["after"]) for cut in own] == [(N, 5), (5, 2)]
    assert "index" in own[0]["cut"]
    assert "chosen by index" in repr(again)

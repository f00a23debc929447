"""Cuts: grammar, units, counts, and what is refused."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.errors import CutError, MockgalWarning
from mockgal.selection.cuts import parse, select
from mockgal.types import GalaxyCatalog, Snapshot

H = 0.7


def catalog(stellar_mass, floor=1e8):
    n = len(stellar_mass)
    columns = {name: np.zeros(n, dtype=c.dtype) for name, c in GALAXY_COLUMNS.items()}
    columns["galaxy_id"] = np.arange(n)
    columns["halo_id"] = np.arange(n)
    columns["stellar_mass"] = np.asarray(stellar_mass)
    columns["position_x"] = np.linspace(0, 10, n, endpoint=False)
    columns["velocity_x"] = np.linspace(-100, 100, n)
    columns["is_central"] = np.arange(n) % 2 == 0
    snapshot = Snapshot("test", 10.0, 0.0, Cosmology(H, 0.3, 0.7), 1e8, "test")
    return GalaxyCatalog(
        columns, snapshot, "box", {"painter": {"luminosity_floor_msun_h": floor}, "cuts": []}
    )


MASSES = [2e8, 9e8, 1e9, 1.3e9, 1.5e9, 9e9, 2e10]


@pytest.mark.parametrize(
    ("cut", "passed"),
    [
        ("stellar_mass > 1e9 Msun/h", [1.3e9, 1.5e9, 9e9, 2e10]),
        ("stellar_mass >= 1e9 Msun/h", [1e9, 1.3e9, 1.5e9, 9e9, 2e10]),
        ("1e9 Msun/h < stellar_mass", [1.3e9, 1.5e9, 9e9, 2e10]),
        ("stellar_mass>1e9Msun/h", [1.3e9, 1.5e9, 9e9, 2e10]),
        ("stellar_mass > 1e9 Msun h^-1", [1.3e9, 1.5e9, 9e9, 2e10]),
        ("stellar_mass > 1e9 Msun / h", [1.3e9, 1.5e9, 9e9, 2e10]),
        # 2e9 Msun = 1.4e9 Msun/h
        ("stellar_mass > 2e9 Msun", [1.5e9, 9e9, 2e10]),
        ("stellar_mass > 2e9 solMass", [1.5e9, 9e9, 2e10]),
        ("2e9 Msun <= stellar_mass < 1e10 Msun/h", [1.5e9, 9e9]),
        ("1e10 Msun/h > stellar_mass >= 2e9 Msun", [1.5e9, 9e9]),
        ("stellar_mass < 1e9 Msun/h", [2e8, 9e8]),
        ("stellar_mass != 1e9 Msun/h", [2e8, 9e8, 1.3e9, 1.5e9, 9e9, 2e10]),
        ("stellar_mass == 1e9 Msun/h", [1e9]),
    ],
)
def test_masses(cut, passed):
    result = select(catalog(MASSES), cut)
    np.testing.assert_allclose(result["stellar_mass"], passed, rtol=1e-6)


def test_other_columns_and_units():
    galaxies = catalog(MASSES)
    assert len(select(galaxies, "position_x < 2000 kpc/h")) == 2
    assert len(select(galaxies, "position_x < 2 Mpc/h")) == 2
    assert len(select(galaxies, "position_x < 2 Mpc")) == 1  # 1.4 Mpc/h
    assert len(select(galaxies, "velocity_x > 0.05 Mm/s")) == 2
    assert len(select(galaxies, "is_central == 1")) == 4
    assert len(select(galaxies, "galaxy_id >= 3")) == 4


def test_several_are_applied_in_order_and_counted():
    result = select(catalog(MASSES), "stellar_mass > 1e9 Msun/h", "is_central == 1")
    assert [tuple(c.values()) for c in result.provenance["cuts"]] == [
        ("stellar_mass > 1e9 Msun/h", 7, 4),
        ("is_central == 1", 4, 2),
    ]
    again = select(result, "stellar_mass < 1e10 Msun/h")
    assert [c["after"] for c in again.provenance["cuts"]] == [4, 2, 1]


def test_float32_is_compared_with_the_number_asked_for():
    below = np.nextafter(np.float32(1e9), np.float32(0))
    assert len(select(catalog([below, 1e9]), "stellar_mass >= 999999999 Msun/h")) == 1


@pytest.mark.parametrize(
    "cut",
    [
        "stellar_mass",
        "stellar_mass > ",
        "> 1e9 Msun/h",
        "stellar_mass > 1e9",
        "stellar_mass > 1e9 h",
        "stellar_mass > 1e9 km/s",
        "stellar_mass > 1e9 Msun/h/h",
        "stellar_mass > 1e9 Msun h",
        "stellar_mass > 10^9 Msun",
        "stellar_mass = 1e9 Msun",
        "mass > 1e9 Msun",
        "stellar_mass > halo_mass",
        "1e9 Msun < stellar_mass > 1e8 Msun",
        "1e9 Msun < 1e10 Msun",
        "1e8 Msun < stellar_mass < 1e9 Msun < 1e10 Msun",
        "is_central == 1 Msun",
        "velocity_x > 3 km/h",
        "velocity_x > 3 km/s/h",
        "stellar_mass > nan Msun",
        "stellar_mass > 1e9 __import__('os')",
        "",
        "stellar_mass > 1e9 dex(Msun)",
        "vmax > 3 mag",
    ],
)
def test_refused(cut):
    with pytest.raises(CutError) as caught:
        parse(cut)
    assert caught.value.exit_code == 2
    assert cut.strip() in str(caught.value)


@pytest.mark.fault(33)
def test_missing_unit_says_what_to_write():  # fault 33
    with pytest.raises(CutError, match=r'write "stellar_mass > 1e9 Msun/h"'):
        parse("stellar_mass > 1e9")


def test_below_the_floor_warns():
    with pytest.warns(MockgalWarning, match="below the luminosity floor"):
        select(catalog(MASSES, floor=1e9), "stellar_mass > 1e9 Msun")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        select(catalog(MASSES, floor=1e9), "stellar_mass > 1e9 Msun/h")
        select(catalog(MASSES, floor=1e9), "stellar_mass < 1e10 Msun/h")


@pytest.mark.fault(49)
def test_nothing_passes_is_an_empty_catalogue_and_a_warning():
    with pytest.warns(MockgalWarning, match="no galaxy passes"):
        assert len(select(catalog(MASSES), "stellar_mass > 1e15 Msun")) == 0


@given(st.floats(1e6, 1e13), st.floats(0.5, 1.0))
def test_units_are_the_same_cut(value, h):
    in_h = parse(f"stellar_mass > {value * h!r} Msun/h").lower_limit(h)
    h_free = parse(f"stellar_mass > {value!r} Msun").lower_limit(h)
    assert in_h == pytest.approx(h_free, rel=1e-12)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(CutError):
        parse(text)


def test_ids_are_compared_exactly():
    galaxies = catalog(MASSES)
    columns = {**galaxies.columns, "galaxy_id": 2**53 + np.arange(7)}
    galaxies = GalaxyCatalog(columns, galaxies.snapshot, "box", galaxies.provenance)
    assert select(galaxies, f"galaxy_id == {2**53 + 1}")["galaxy_id"].tolist() == [2**53 + 1]
    assert len(select(galaxies, f"galaxy_id > {2**53}")) == 6
    assert len(select(galaxies, "galaxy_id > 1.5")) == 7


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_numbers_beyond_range_are_refused(number):
    with pytest.raises(CutError, match="finite"):
        parse(f"stellar_mass > {number} Msun")

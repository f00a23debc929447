import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology.units import littleh, with_H0
from write_samples import H, catalogue, in_file

from mockgal.columns import GALAXY_COLUMNS
from mockgal.writers.table import to_table


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("n", [0, 100])
def test_numbers_units_and_descriptions(units, n):
    galaxies = catalogue(n)
    table = to_table(galaxies, units)
    assert table.colnames == list(GALAXY_COLUMNS)
    for name, column in GALAXY_COLUMNS.items():
        assert table[name].dtype == column.dtype
        assert table[name].info.description == column.meaning
        unit = u.Unit(column.unit) if column.unit else None
        if unit is not None and units == "h":
            unit = unit * littleh**column.h_power
        assert getattr(table[name], "unit", None) == unit
        values = getattr(table[name], "value", table[name])
        np.testing.assert_allclose(values, in_file(galaxies, name, units), rtol=1e-7)


def test_both_forms_are_the_same_quantity():
    galaxies = catalogue(10)
    free, kept = to_table(galaxies), to_table(galaxies, "h")
    mass = kept["halo_mass"].to(u.Msun, with_H0(100 * H * u.km / u.s / u.Mpc))
    np.testing.assert_allclose(mass.value, free["halo_mass"].value, rtol=1e-12)


def test_the_provenance_comes_along():
    meta = to_table(catalogue(3)).meta
    assert meta["painter"] == "hod"
    assert meta["provenance"]["file"]["rows"] == 3


def test_a_table_does_not_change_the_catalogue():
    galaxies = catalogue(3)
    table = to_table(galaxies, "h")
    table["position_x"][0] = -1 * table["position_x"].unit
    table["halo_id"][0] = -1
    assert galaxies["position_x"][0] >= 0
    assert galaxies["halo_id"][0] >= 0

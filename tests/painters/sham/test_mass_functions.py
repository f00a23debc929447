"""Stellar-mass functions: units, h, published values, and tables of one's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sham_samples import made_box

import mockgal
from mockgal.errors import BadValueError, FormatError, InputError, UsageError
from mockgal.laws.mass_functions import PUBLISHED, mass_function, schechter
from mockgal.painters.hydro import own_galaxies

SHARED = Path(__file__).parents[4] / "shared/data/published"
FACTS = ["# stellar mass: log10 Msun", "# density: 1/Mpc^3/dex", "# h: 0.7"]
FACTS += ["# redshift: 0 to 0.1", "# IMF: Chabrier"]
ROWS = ["9.0 1e-2", "10.0 5e-3", "11.0 1e-3", "11.5 1e-5"]


def table(tmp_path, facts=FACTS, rows=ROWS):
    path = tmp_path / "mine.txt"
    path.write_text("\n".join([*facts, *rows]) + "\n")
    return path


def test_a_schechter_function_by_hand():
    assert schechter(np.array([10.0]), 10.0, (1e-3, -1.0))[0] == pytest.approx(
        np.log10(np.log(10.0) * 1e-3 / np.e)
    )


def test_masses_times_h_squared_and_densities_over_h_cubed_do_not_depend_on_h():
    function = PUBLISHED["baldry2012"]
    in_survey = 10.0 ** function.log_density(np.array([10.0]), 0.0)
    log_mass = 10.0 + 2 * np.log10(0.7) - np.log10(0.68)  # Msun/h of a run with h = 0.68
    assert function.in_run(np.array([log_mass]), 0.0, 0.68) == pytest.approx(in_survey / 0.7**3)


@pytest.mark.parametrize(
    ("mass", "density", "shift", "factor"),
    [
        ("log10 Msun", "1/Mpc^3/dex", 0, 0),
        ("log10 Msun/h", "h^3/Mpc^3/dex", 1, 3),
        ("log10 Msun/h^2", "h^3/Mpc^3/dex", 2, 3),
    ],
)
def test_units_of_a_table(tmp_path, mass, density, shift, factor):
    facts = [f"# stellar mass: {mass}", f"# density: {density}", *FACTS[2:]]
    function = mass_function(table(tmp_path, facts))
    at = np.array([10.0 - shift * np.log10(0.7)])
    assert 10.0 ** function.log_density(at, 0.0) == pytest.approx(5e-3 * 0.7**factor)


def test_columns_by_name_and_plain_numbers(tmp_path):
    facts = ["# stellar mass: Msun", *FACTS[1:], "# columns: - density stellar_mass"]
    rows = ["1 1e-2 1e9", "2 1e-3 1e10", "3 1e-4 1e11"]
    function = mass_function(table(tmp_path, facts, rows))
    assert function.log_mass == pytest.approx((9.0, 11.0))
    assert function.log_density(np.array([10.5, 11.5]), 0.0) == pytest.approx([-3.5, -5.0])
    assert len(function.digest) == 64


@pytest.mark.parametrize(
    ("facts", "rows", "error", "words"),
    [
        (FACTS[1:], ROWS, FormatError, "no line that states stellar mass"),
        ([*FACTS[:2], *FACTS[3:]], ROWS, FormatError, "no h"),
        ([*FACTS[:3], "# redshift: now", FACTS[4]], ROWS, FormatError, "a range such as"),
        (["# stellar mass: kg", *FACTS[1:]], ROWS, FormatError, "Msun/h"),
        ([*FACTS, "# columns: mass"], ROWS, FormatError, "stellar_mass and density"),
        (FACTS, ["9 1", "10 x", "11 1"], FormatError, "line 7"),
        (FACTS, [*ROWS[::-1]], BadValueError, "not all increasing"),
        (FACTS, ["9 1", "10 0", "11 1"], BadValueError, "a density of 0"),
        (FACTS, ROWS[:2], BadValueError, "3 or more"),
    ],
)
def test_tables_that_are_refused(tmp_path, facts, rows, error, words):
    with pytest.raises(error, match=words):
        mass_function(table(tmp_path, facts, rows))


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(UsageError, match="baldry2012, li_white2009, leja2020"):
        mass_function("baldri")


def test_shares_of_satellites_are_below_1(tmp_path):
    facts = [*FACTS, "# columns: stellar_mass density satellite_fraction"]
    rows = ["9 1e-2 0.3", "10 1e-3 0.2", "11 1e-4 0"]
    fraction = mass_function(table(tmp_path, facts, rows)).satellite_fraction
    assert fraction(np.array([8.0, 9.5, 12.0])) == pytest.approx([0.3, 0.25, 0.0])
    with pytest.raises(BadValueError, match="a share of satellites of 1,"):
        mass_function(table(tmp_path, facts, [*rows[:2], "11 1e-4 1"]))


@pytest.mark.real_data
def test_a_published_table_with_shares_of_satellites(tmp_path):
    """UniverseMachine's function as it is published, with facts above it."""
    if not SHARED.is_dir():
        pytest.skip("no published tables beside the repository")
    facts = ["# stellar mass: log10 Msun", "# density: 1/Mpc^3/dex", "# h: 0.678"]
    facts += ["# redshift: 0", "# IMF: Chabrier"]
    facts += ["# columns: stellar_mass density - - satellite_fraction"]
    published = (SHARED / "Behroozi2019_smf_a1.002310.dat").read_text().splitlines()
    rows = [row for row in published if row[0] == "#" or float(row.split()[1]) > 0]
    path = table(tmp_path, facts, rows)
    options = {"proxy": "vpeak", "scatter": "0.2 dex", "mass_function": path}
    mock = mockgal.paint(made_box(300_000, 200.0), "sham", seed=1, **options)
    log_mass, central = np.log10(mock["stellar_mass"]), mock["is_central"]
    for low, share in ((10.2, 0.318), (10.6, 0.297), (10.8, 0.269)):
        chosen = np.abs(log_mass + np.log10(0.7) - 2 * np.log10(0.678) - low - 0.1) < 0.1
        assert 1 - np.mean(central[chosen]) == pytest.approx(share, abs=0.015)
    assert mock.provenance["painter"]["satellite_fraction"] == "from the table"


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "file", "logs", "low", "high"),
    [
        ("baldry2012", "Baldry2012.txt", False, 8.0, 11.3),
        ("li_white2009", "LiWhite2009.txt", True, 8.2, 11.5),
    ],
)
def test_published_parameters_give_the_published_points(name, file, logs, low, high):
    if not SHARED.is_dir():
        pytest.skip("no published tables beside the repository")
    rows = np.loadtxt(SHARED / file)
    x, y = rows[:, 0], rows[:, 2 if not logs else 1]
    chosen = (x > low) & (x < high)
    apart = PUBLISHED[name].log_density(x, 0.0) - (y if logs else np.log10(y))
    assert np.median(np.abs(apart[chosen])) < 0.03


@pytest.fixture(scope="module")
def measured(demo_bundle, tmp_path_factory):
    with mockgal.errors.listening(quiet=True):
        galaxies = own_galaxies(mockgal.read(demo_bundle.with_name("hydro.hdf5")))
        found = mockgal.measure(galaxies, "mass_function", bin_width="0.25 dex", jackknife=0)
    path = tmp_path_factory.mktemp("measured") / "mass_function.ecsv"
    found.save(path)
    return path, found


class TestMeasured:
    """Tables of `mockgal measure`."""

    def test_it_is_what_was_measured(self, measured):
        path, found = measured
        function = mass_function(str(path))
        h = found.settings["catalogue"]["cosmology"]["h"]
        x = np.log10(found["stellar_mass"])
        inside = (x >= function.log_mass[0] + np.log10(h)) & (found["complete"] > 0)
        inside &= x <= function.log_mass[1] + np.log10(h) + 1e-9
        assert inside.sum() >= 3
        np.testing.assert_allclose(
            function.in_run(x[inside], 0.0, h), found["mass_function"][inside], rtol=1e-9
        )
        assert function.h == h
        assert "measured of" in function.describe()["reference"]

    def test_what_is_none_is_refused(self, measured, tmp_path):
        path, found = measured
        other = tmp_path / "other.ecsv"
        other.write_text(path.read_text().replace("statistic: mass_function", "statistic: wp"))
        with pytest.raises(FormatError, match="mass_function"):
            mass_function(str(other))
        columns = {**found.columns, "complete": np.zeros(len(found), dtype=bool)}
        replace(found, columns=columns).save(other, overwrite=True)
        with pytest.raises(BadValueError, match="a complete sample"):
            mass_function(str(other))
        other.write_text("half")
        with pytest.raises(InputError):
            mass_function(str(other))

"""Maps and tables of number densities from files of others."""

import gzip
import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from mockgal.errors import (
    BadValueError,
    FormatError,
    HeaderError,
    MockgalError,
    UnitsError,
    UsageError,
)
from mockgal.survey.masks.healpix import read_map
from mockgal.survey.table_file import read_table

NSIDE = 8
PIXELS = 12 * NSIDE**2
VALUES = np.linspace(0.0, 1.0, PIXELS)
STATED = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": NSIDE, "COORDSYS": "C"}


def write(path, columns, **cards):
    """A map as healpy writes it: its columns, and its header."""
    table = fits.BinTableHDU.from_columns(columns)
    for key, value in {**STATED, **cards}.items():
        if value is not None:
            table.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return path


def whole(values=VALUES, kind="D"):
    return [fits.Column("COMPLETENESS", kind, array=values)]


def in_rows(values=VALUES):
    """Of 16 pixels each, as healpy writes 1024 at once."""
    return [fits.Column("COMPLETENESS", "16E", array=values.reshape(-1, 16))]


def some(pixels, values):
    columns = [fits.Column("PIXEL", "K", array=pixels), fits.Column("C", "E", array=values)]
    return columns


@pytest.mark.parametrize(
    ("columns", "cards", "expected"),
    [
        (whole(), {}, VALUES),
        (in_rows(), {"ORDERING": "NESTED"}, VALUES.astype("f4")),
        (whole(VALUES > 0.5, "L"), {}, VALUES > 0.5),
        (whole(np.where(VALUES > 0.5, VALUES, -1.6375e30)), {}, np.where(VALUES > 0.5, VALUES, 0)),
        (some([3, 700, 5], [0.5, 1, 0.25]), {"INDXSCHM": "EXPLICIT"}, {3: 0.5, 700: 1, 5: 0.25}),
        (whole(VALUES[:99]), {"FIRSTPIX": 600, "LASTPIX": 698}, dict(enumerate(VALUES[:99], 600))),
    ],
)
def test_maps(tmp_path, columns, cards, expected):
    path = write(tmp_path / "mask.fits", columns, **cards)
    found = read_map(path)
    if isinstance(expected, dict):
        values = np.zeros(PIXELS)
        values[list(expected)] = list(expected.values())
        expected = values
    np.testing.assert_array_equal(found.values, expected)
    assert found.nested == (cards.get("ORDERING") == "NESTED")
    (tmp_path / "mask.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    again = read_map(tmp_path / "mask.fits.gz")
    assert again.describe() == {**found.describe(), "map": "mask.fits.gz"}


def test_galactic_maps(tmp_path):
    values = np.zeros(PIXELS)
    values[: PIXELS // 2] = 1.0  # the north of the Galaxy, but for the equator
    found = read_map(write(tmp_path / "m.fits", whole(values), COORDSYS="G"))
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    b = SkyCoord(ra, dec, unit="deg").galactic.b.deg
    clear = np.abs(b) > 8
    np.testing.assert_array_equal(found.completeness(ra, dec)[clear], b[clear] > 0)
    assert found.describe()["coordinates"] == "galactic"


def test_what_the_header_does_not_state_may_be_given(tmp_path):
    path = write(tmp_path / "m.fits", whole(), COORDSYS=None, ORDERING=None)
    found = read_map(path, order="nested", coordinates="galactic")
    assert (found.nested, found.coordinates) == (True, "galactic")
    path = write(tmp_path / "m.fits", whole())
    with pytest.raises(UsageError, match=r"found galactic, expected equatorial, as .*COORDSYS"):
        read_map(path, coordinates="galactic")


@pytest.mark.parametrize(
    ("columns", "cards", "error", "message"),
    [
        (whole(), {"PIXTYPE": None}, FormatError, "no PIXTYPE"),
        (whole(), {"COORDSYS": "E"}, UnitsError, "'E'"),
        (whole(), {"NSIDE": 16}, HeaderError, "768 pixels, expected 3072"),
        (whole(), {"NSIDE": 1 << 20}, HeaderError, "a power of 2"),
        (whole(VALUES * 2), {}, BadValueError, "a completeness from 0 to 1"),
        (whole(np.full(PIXELS, np.nan)), {}, BadValueError, "a completeness from 0 to 1"),
        (some([3, 3], [1, 1]), {"INDXSCHM": "EXPLICIT"}, BadValueError, "repeated"),
        (some([3, 768], [1, 1]), {"INDXSCHM": "EXPLICIT"}, BadValueError, "do not exist"),
        ([fits.Column("C", "8A", array=["x"])], {}, HeaderError, "a column of numbers"),
    ],
)
def test_maps_that_are_refused(tmp_path, columns, cards, error, message):
    path = write(tmp_path / "m.fits", columns, **cards)
    with pytest.raises(error, match=re.escape(message)):
        read_map(path)


def test_files_that_are_no_maps(tmp_path):
    path = write(tmp_path / "m.fits", whole())
    (tmp_path / "short.fits").write_bytes(path.read_bytes()[:9000])
    (tmp_path / "page.fits").write_text("<html>not found</html>" * 300)
    for name in ("short.fits", "page.fits", "none.fits", "."):
        with pytest.raises(MockgalError) as caught:
            read_map(tmp_path / name)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "text",
    [
        "0.1 0.2 1e-3\n0.2 0.4 5e-4\n",
        "# edges and n\n0.2,0.4,5e-4\n0.1,0.2,1e-3  # the first\n\n",
        "# zmid zlow zhigh n(z)[h3/Mpc3] Number\n0.15 0.1 0.2 1e-3 9\n0.3 0.2 0.4 5e-4 9\n",
        "nbar zmin zmax\n1e-3 0.1 0.2\n5e-4 0.2000000001 0.4\n",
    ],
)
def test_tables(tmp_path, text):
    (tmp_path / "nz.txt").write_text(text)
    edges, density = read_table(tmp_path / "nz.txt")
    np.testing.assert_allclose(edges, [0.1, 0.2, 0.4], rtol=1e-8)
    np.testing.assert_array_equal(density, [1e-3, 5e-4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line of numbers"),
        ("0.1 0.2 1e-3\n0.3 0.4 1\n", "ends at 0.2 and one that begins at 0.3"),
        ("0.15 0.1 0.2 1e-3\n", "4 columns without names"),
        ("0.1 0.2 many\n", "line 1"),
        ("0.1 0.2 nan\n", "finite numbers"),
        ("0.1 0.2 1\n0.2 0.3\n", "line 2"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    (tmp_path / "nz.txt").write_text(text)
    with pytest.raises((FormatError, BadValueError), match=re.escape(message)):
        read_table(tmp_path / "nz.txt")

"""FITS compressed with gzip: what astropy and fitsio read, and the plain file inside."""

import gzip

import fitsio
import numpy as np
import pytest
from astropy.table import Table
from write_samples import catalogue, in_file

from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import CorruptFileError, InternalError
from mockgal.writers.fits import FITSWriter, verify_fits
from mockgal.writers.fits_gz import GzippedFITSWriter


@pytest.mark.parametrize("n", [0, 1, 5000])
def test_the_plain_file_is_inside(tmp_path, n):
    galaxies = catalogue(n)
    FITSWriter().write(galaxies, tmp_path / "a.fits")
    for at, chunk_rows in enumerate((65536, 7)):
        path = tmp_path / f"{at}.fits.gz"
        GzippedFITSWriter().write(galaxies, path, chunk_rows=chunk_rows)
        raw = path.read_bytes()
        assert gzip.decompress(raw) == (tmp_path / "a.fits").read_bytes()
        assert raw[4:8] == bytes(4)  # no time
    assert raw == (tmp_path / "0.fits.gz").read_bytes()
    assert len(verify_fits(path)) == 3


def test_other_programs_read_it(tmp_path):
    galaxies, path = catalogue(500), tmp_path / "a.fits.gz"
    GzippedFITSWriter().write(galaxies, path)
    table, rows = Table.read(path, hdu="GALAXIES"), fitsio.read(str(path), ext="GALAXIES")
    for name in GALAXY_COLUMNS:
        expected = in_file(galaxies, name, "h-free")
        np.testing.assert_allclose(table[name], expected, rtol=1e-7)
        np.testing.assert_allclose(rows[name], expected, rtol=1e-7)
    assert table["position_x"].unit == "Mpc"


def test_damage_is_found(tmp_path):
    path = tmp_path / "a.fits.gz"
    GzippedFITSWriter().write(catalogue(500), path)
    raw = path.read_bytes()
    for at in (2, 100, len(raw) // 2, len(raw) - 6, len(raw) - 2):
        bad = bytearray(raw)
        bad[at] ^= 1
        path.write_bytes(bad)
        with pytest.raises(CorruptFileError):
            verify_fits(path)
    for length in (2, 15, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(CorruptFileError):
            verify_fits(path)


def test_a_file_that_is_not_what_was_written_is_an_internal_error(tmp_path, monkeypatch):
    from mockgal.writers import fits_gz as module

    path = tmp_path / "a.fits.gz"
    path.write_text("old")
    monkeypatch.setattr(module, "padded", lambda size: size)
    with pytest.raises(InternalError, match="verification"):
        GzippedFITSWriter().write(catalogue(50), path, overwrite=True)
    assert path.read_text() == "old"

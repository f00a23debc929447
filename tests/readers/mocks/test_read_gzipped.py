"""FITS mocks compressed with gzip: read like plain ones, refused where damaged or bombs."""

import gzip

import numpy as np
import pytest
from astropy.table import Table
from galaxies_samples import catalogue, same, take_apart, written

from mockgal.errors import CorruptFileError, MockgalError, MockgalWarning, UnsafeInputError
from mockgal.readers.mocks.reader import is_ours, read_galaxies
from mockgal.system.files import gzipped


@pytest.fixture
def path(tmp_path):
    return written(catalogue(), tmp_path / "a.fits.gz")


def test_files_of_other_programs(path, tmp_path):
    """With a name and a time in the header, in several parts, and padded."""
    whole = gzip.decompress(path.read_bytes())
    for content in (
        gzip.compress(whole, 9),
        gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]),
        gzip.compress(whole) + bytes(100),
    ):
        other = tmp_path / "b.fits.gz"
        other.write_bytes(content)
        assert is_ours(other)
        assert same(read_galaxies(other), read_galaxies(path))


def test_damage(path):
    raw = path.read_bytes()
    for length in (5, 20, len(raw) // 2, len(raw) - 4):
        path.write_bytes(raw[:length])
        with pytest.raises(CorruptFileError):
            read_galaxies(path)
    for at in (20, len(raw) // 2, len(raw) - 6):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :])
        with pytest.raises(CorruptFileError):
            read_galaxies(path)


@pytest.mark.fault(68)
def test_a_bomb(path, monkeypatch, exit_code):
    """Zeros after the last HDU, in which no header is: their size alone is the reason."""
    monkeypatch.setattr(gzipped, "_BOMB_BYTES", 1 << 20)
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole + bytes(200 * len(whole))))
    with pytest.raises(UnsafeInputError, match="that expand to") as caught:
        read_galaxies(path)
    assert caught.value.exit_code == exit_code


@pytest.mark.fault(67)
def test_a_table_larger_than_the_content(path, tmp_path):
    hdus = take_apart(written(catalogue(), tmp_path / "plain.fits"))
    rows = next(c for c in hdus[1][0] if c.startswith("NAXIS2"))
    whole = gzip.decompress(path.read_bytes())
    more = whole.replace(rows.encode(), rows.replace("    300", "3000000").encode())
    assert more != whole
    path.write_bytes(gzip.compress(more))
    with pytest.raises(MockgalError, match="cut off"):
        read_galaxies(path)


def test_changed_by_hand(path, tmp_path):
    table = Table.read(path, hdu="GALAXIES")[:20]
    table.meta["CHANGED"] = "the first 20"
    table.write(tmp_path / "b.fits.gz")
    with pytest.warns(MockgalWarning, match="cannot be verified"):
        found = read_galaxies(tmp_path / "b.fits.gz")
    np.testing.assert_array_equal(found["galaxy_id"], catalogue()["galaxy_id"][:20])
    assert found.provenance["changed_by_hand"]["reason"] == "the first 20"

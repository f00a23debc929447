"""Files of data models in the readers of those who use them, where these are installed."""

import sys

import h5py
import numpy as np
import pytest
from surveyed import SKY, box, survey

import mockgal
from mockgal.errors import (
    CorruptFileError,
    InternalError,
    MissingDatasetError,
    OutputExistsError,
    UsageError,
)
from mockgal.tasks.write import write_model
from mockgal.writers.models import hats as module

# of dask, pandas and their like
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def made():
    return survey()


@pytest.mark.parametrize("model", ["desi", "boss"])
def test_treecorr_takes_places_weights_and_regions(tmp_path, made, model):
    treecorr = pytest.importorskip("treecorr")
    files = write_model(made[0], tmp_path / "a.fits", model, randoms=made[1])
    how = {"ra_col": "RA", "dec_col": "DEC", "ra_units": "deg", "dec_units": "deg"}
    how |= {"w_col": "WEIGHT_FKP", "patch_col": "JACKKNIFE", "ext": "LSS" if model == "desi" else 1}
    galaxies, randoms = (treecorr.Catalog(str(path), **how) for path in files[:2])
    np.testing.assert_allclose(np.degrees(galaxies.ra), made[0]["ra"], rtol=1e-15)
    np.testing.assert_array_equal(galaxies.w, made[0]["weight_fkp"])
    np.testing.assert_array_equal(randoms.patch, made[1]["region"])
    pairs = [
        treecorr.NNCorrelation(min_sep=0.5, max_sep=20, nbins=4, sep_units="deg") for _ in range(3)
    ]
    for count, others in zip(pairs, [(galaxies,), (randoms,), (galaxies, randoms)], strict=True):
        count.process(*others)
    xi, _ = pairs[0].calculateXi(rr=pairs[1], dr=pairs[2])
    assert np.isfinite(xi).all()
    assert np.abs(xi).max() < 1


def test_pixels_of_healpy_are_in_the_footprint(tmp_path, made):
    healpy = pytest.importorskip("healpy")
    import astropy_healpix
    import fitsio
    from astropy import units

    mockgal.write(made[0], tmp_path / "a.fits", model="boss")
    rows = fitsio.read(tmp_path / "a.fits", ext=1)
    pixel = healpy.ang2pix(64, rows["RA"], rows["DEC"], lonlat=True)
    ours = astropy_healpix.lonlat_to_healpix(
        made[0]["ra"] * units.deg, made[0]["dec"] * units.deg, 64, order="ring"
    )
    np.testing.assert_array_equal(pixel, ours)
    ra, dec = healpy.pix2ang(64, np.unique(pixel), lonlat=True)
    assert (np.abs(dec - np.mean(SKY.dec)) < 31).all()
    assert (np.abs(ra - np.mean(SKY.ra)) < 36).all()


def test_the_reader_of_lsst_desc(tmp_path, made):
    gcr = pytest.importorskip("GCR")

    class Catalog(gcr.BaseGenericCatalog):
        def _subclass_init(self, path):
            self._file = h5py.File(path)
            self._quantity_modifiers = {name: name for name in self._file["galaxies"]}

        def _generate_native_quantity_list(self):
            return list(self._file["galaxies"])

        def _iter_native_dataset(self, native_filters=None):
            yield lambda name: self._file["galaxies"][name][:]

    mockgal.write(made[0], tmp_path / "a.hdf5", model="gcr")
    catalog = Catalog(path=tmp_path / "a.hdf5")
    assert catalog.has_quantities(["galaxy_id", "ra_true", "redshift_true", "halo_mass"])
    found = catalog.get_quantities(["redshift", "ra"], filters=["redshift > 0.03"])
    np.testing.assert_array_equal(
        np.sort(found["ra"]), np.sort(made[0]["ra"][made[0]["redshift"] > 0.03])
    )


def test_hats_needs_its_library(tmp_path, made, monkeypatch):
    monkeypatch.setitem(sys.modules, "hats_import", None)
    with pytest.raises(UsageError, match=r"pip install 'mockgal\[hats\]'"):
        mockgal.write(made[0], tmp_path / "a", model="hats")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, made):
    """A catalogue in HATS, in several partitions."""
    pytest.importorskip("hats_import")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PARTITION_ROWS", 200)
        path = tmp_path_factory.mktemp("hats") / "my mock"
        mockgal.write(made[0], path, model="hats")
    return path


@pytest.mark.slow
def test_hats(folder, made):
    import hats

    catalogue = hats.read_hats(folder)
    assert catalogue.catalog_info.total_rows == len(made[0])
    assert len(catalogue.get_healpix_pixels()) > 3
    assert {path.name for path in folder.iterdir()} >= {"dataset", "hats.properties"}
    back = mockgal.read_galaxies(folder)
    assert back.provenance["read_from"]["content_digest"] == made[0].digest()
    for name in made[0].columns:
        kind = made[0][name].dtype
        np.testing.assert_allclose(
            back[name], made[0][name], rtol=2e-7 if kind == "f4" else 1e-14, atol=1e-12
        )
    assert mockgal.inspect(folder)["format"] == "hats"
    few = mockgal.read_galaxies(folder, columns=["ra"], chunk_rows=7)
    np.testing.assert_array_equal(few["ra"], made[0]["ra"])


@pytest.mark.slow
def test_hats_finds_nothing_wrong(folder, made, tmp_path):
    from hats.io.validation import is_valid_catalog

    from mockgal.survey.masks.moc import SkyCoverage

    assert is_valid_catalog(folder, strict=True, fail_fast=False)
    catalogue = pytest.importorskip("hats").read_hats(folder)
    catalogue.moc.save(tmp_path / "moc.fits", format="fits")  # of mocpy
    coverage = SkyCoverage(tmp_path / "moc.fits")
    assert (coverage.completeness(made[0]["ra"], made[0]["dec"]) == 1).all()
    assert 0 < coverage.area < 1.01 * SKY.area


@pytest.mark.slow
def test_lsdb_opens_it(folder, made):
    lsdb = pytest.importorskip("lsdb")
    every = lsdb.open_catalog(folder, columns=["galaxy_id", "redshift"]).compute()
    assert sorted(every["galaxy_id"]) == sorted(made[0]["galaxy_id"])
    opened = lsdb.open_catalog(folder, columns=["galaxy_id", "ra", "dec", "weight_fkp"])
    ra, dec = float(made[0]["ra"][0]), float(made[0]["dec"][0])
    near = opened.cone_search(ra, dec, radius_arcsec=3600 * 5).compute()
    away = np.radians(made[0]["ra"] - ra), np.radians(made[0]["dec"]), np.radians(dec)
    cosine = np.sin(away[1]) * np.sin(away[2])
    cosine += np.cos(away[1]) * np.cos(away[2]) * np.cos(away[0])
    within = np.degrees(np.arccos(np.clip(cosine, -1, 1))) < 5
    assert sorted(near["galaxy_id"]) == sorted(made[0]["galaxy_id"][within])


@pytest.mark.slow
def test_partitions_that_are_lost_or_changed(folder, made, tmp_path):
    import shutil

    import pyarrow.parquet as pq

    own = shutil.copytree(folder, tmp_path / "copy")
    first, second = sorted(own.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"))[:2]
    table = pq.read_table(first, partitioning=None)
    at = table.column_names.index("weight")
    other = table.column("weight").to_numpy() * 2
    pq.write_table(table.set_column(at, table.field(at), [other]), first)
    with pytest.raises(CorruptFileError, match="weight"):
        mockgal.read_galaxies(own)
    second.unlink()
    with pytest.raises(MissingDatasetError, match="rows in"):
        mockgal.read_galaxies(own)


@pytest.mark.slow
def test_what_is_no_catalogue_of_hats(folder, made, tmp_path):
    with pytest.raises(OutputExistsError):
        mockgal.write(made[0], folder, model="hats")
    mockgal.write(made[0], folder, model="hats", overwrite=True)
    with pytest.raises(UsageError, match="light cone"):
        mockgal.write(box(), tmp_path / "b", model="hats")
    with pytest.raises(UsageError, match="no galaxies"):
        mockgal.write(made[0][:0], tmp_path / "b", model="hats")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_rows_that_hats_import_loses_are_an_internal_error(made, tmp_path, monkeypatch):
    pytest.importorskip("hats_import")
    real = module._divide

    def lose(whole, work, name, rows, path):
        real(whole, work, name, rows, path)
        next((work / name).glob("dataset/Norder=*/Dir=*/Npix=*.parquet")).unlink()

    monkeypatch.setattr(module, "_divide", lose)
    with pytest.raises(InternalError, match="partitions"):
        mockgal.write(made[0], tmp_path / "a", model="hats")
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == []

"""Data models: columns, units and ids as other programs read them; files beside; reading back."""

import json
import re
import resource
from pathlib import Path

import fitsio
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from surveyed import EDGES, P0, SKY, H, box, survey, without

import mockgal
from mockgal.errors import (
    CorruptFileError,
    InputError,
    OutputError,
    OutputExistsError,
    ResourceError,
    UsageError,
)
from mockgal.layout import DATA_MODELS
from mockgal.readers.mocks import facts
from mockgal.survey.measurement import measure_redshifts
from mockgal.survey.number_density import measured
from mockgal.survey.steps import check_sky
from mockgal.tasks.write import FileWriter, write_model
from mockgal.writers.models import companions, ids
from mockgal.writers.models.hats import HATSWriter

ROOT = Path(__file__).parents[3]
# Of LSSTDESC/gcr-catalogs, GCRCatalogs/SCHEMA.md.
GCR_SCHEMA = [
    *("galaxy_id", "ra", "ra_true", "dec", "dec_true", "redshift_true", "redshift", "halo_id"),
    *("halo_mass", "stellar_mass", "is_central", "position_x", "position_y", "position_z"),
    *("velocity_x", "velocity_y", "velocity_z"),
]
NAMES = {"desi": "m.fits", "boss": "m.fits.gz", "gcr": "m.hdf5", "parquet": "m.parquet"}


@pytest.fixture(scope="module")
def made():
    return survey()


@pytest.fixture
def written(tmp_path, made):
    """Writes a data model, with randoms if it has some; returns its path."""

    def write(model, name=None, **options):
        path = tmp_path / (name or NAMES[model])
        randoms = None if model == "gcr" else made[1]
        mockgal.write(made[0], path, model=model, randoms=randoms, **options)
        return path

    return write


@pytest.mark.parametrize("which", [0, 1], ids=["galaxies", "randoms"])
@pytest.mark.parametrize("end", [".fits", ".h5"])
def test_desi(written, made, which, end):
    path, galaxies = written("desi", f"m{end}"), made[which]
    path = path if which == 0 else path.with_name(f"m_ran{end}")
    if end == ".fits":
        with fitsio.FITS(path) as file:
            rows, header = file["LSS"].read(), file["LSS"].read_header()
        assert header["TUNIT2"].strip() == "deg"
        at = list(rows.dtype.names).index("NX") + 1
        assert header[f"THPOW{at}"] == 3
        assert f"TUNIT{at}" not in header
        assert "[h^3 Mpc-3]" in header[f"TCOMM{at}"]
        assert header["CONTDIG"] == galaxies.digest()
        names = rows.dtype.names
    else:
        with h5py.File(path) as file:
            rows = {name: data[:] for name, data in file["LSS"].items()}
        names = tuple(rows)
    expected = {
        "RA": galaxies["ra"],
        "DEC": galaxies["dec"],
        "Z": galaxies["redshift"],
        "Z_COSMO": galaxies["redshift_cosmological"],
        "NX": galaxies["number_density"],
        "WEIGHT": galaxies["weight"],
        "WEIGHT_COMP": galaxies["weight"],
        "WEIGHT_SYS": np.ones(len(galaxies)),
        "WEIGHT_ZFAIL": np.ones(len(galaxies)),
        "WEIGHT_FKP": 1 / (1 + P0 * galaxies["number_density"]),
        "STATUS": np.full(len(galaxies), 1 + 2 + 8),
        "JACKKNIFE": galaxies["region"],
        "GALAXY_ID": galaxies["galaxy_id"],
        "HALO_ID": galaxies["halo_id"],
    }
    for name, values in expected.items():
        assert rows[name].dtype.newbyteorder("=") == values.dtype
        np.testing.assert_array_equal(rows[name], values)
    assert set(names) - set(expected) == {"TARGETID", *(["COPY"] if which == 0 else ())}
    target = rows["TARGETID"]
    assert len(np.unique(target)) == len(target) < len(made[0]) * (which * 9 + 1) + 1
    assert target.min() > 0
    assert (target >> 58 == 1).all()  # of the bits above OBJID, BRICKID and RELEASE only MOCK


def test_desi_of_the_early_release_and_measured_redshifts(tmp_path, made):
    galaxies = made[0].with_columns(redshift_measured=made[0]["redshift"] + 0.001)
    mockgal.write(galaxies, tmp_path / "a.fits", model="desi", desi_release="edr")
    rows = fitsio.read(tmp_path / "a.fits")
    assert "NX" not in rows.dtype.names
    np.testing.assert_array_equal(rows["NZ"], galaxies["number_density"])
    np.testing.assert_array_equal(rows["Z"], galaxies["redshift_measured"])
    back = mockgal.read_galaxies(tmp_path / "a.fits")
    np.testing.assert_array_equal(back["redshift_measured"], galaxies["redshift_measured"])


def test_boss(written, made):
    galaxies = made[0]
    rows = Table.read(written("boss"), hdu=1)
    assert rows["RA"].unit == rows["DEC"].unit == "deg"
    assert rows.colnames[:8] == [
        *("RA", "DEC", "Z", "NZ", "WEIGHT_FKP", "WEIGHT_CP", "WEIGHT_NOZ", "WEIGHT_SYSTOT")
    ]
    np.testing.assert_array_equal(rows["NZ"], galaxies["number_density"])
    total = rows["WEIGHT_SYSTOT"] * (rows["WEIGHT_CP"] + rows["WEIGHT_NOZ"] - 1)
    np.testing.assert_array_equal(total, galaxies["weight"])


@pytest.mark.parametrize("end", [".hdf5", ".parquet"])
def test_gcr(written, made, end):
    galaxies, path = made[0], written("gcr", f"m{end}")
    if end == ".hdf5":
        with h5py.File(path) as file:
            rows = {name: data[:] for name, data in file["galaxies"].items()}
            units = {name: data.attrs["unit"] for name, data in file["galaxies"].items()}
    else:
        table = pq.read_table(path)
        rows = {name: table[name].to_numpy() for name in table.column_names}
        units = {field.name: field.metadata[b"unit"].decode() for field in table.schema}
    native = {"mockgal_galaxy_id", "mockgal_halo_id", "copy"}
    assert set(rows) == {*GCR_SCHEMA, *native}
    assert (units["position_x"], units["halo_mass"], units["velocity_x"]) == (
        *("Mpc", "solMass"),
        "km s-1",
    )
    np.testing.assert_allclose(rows["stellar_mass"], galaxies["stellar_mass"] / H, rtol=1e-6)
    np.testing.assert_allclose(rows["halo_mass"], galaxies["halo_mass"] / H, rtol=1e-14)
    place = np.stack([rows[f"position_{x}"] for x in "xyz"])
    distance = np.sqrt((place**2).sum(axis=0))
    np.testing.assert_allclose(distance, galaxies["distance"] / H, rtol=1e-12)
    np.testing.assert_allclose(
        np.degrees(np.arctan2(place[1], place[0])), rows["ra"], rtol=0, atol=1e-10
    )
    for name in ("ra", "dec"):
        np.testing.assert_array_equal(rows[name], galaxies[name])
        np.testing.assert_array_equal(rows[f"{name}_true"], galaxies[name])
    np.testing.assert_array_equal(rows["redshift_true"], galaxies["redshift_cosmological"])
    # one id for each galaxy and each halo of each copy, and centrals have that of their halo
    assert len(np.unique(rows["galaxy_id"])) == len(galaxies)
    halos = {*zip(galaxies["halo_id"].tolist(), galaxies["copy"].tolist(), strict=True)}
    assert len(np.unique(rows["halo_id"])) == len(halos) > len(np.unique(galaxies["halo_id"]))
    central = galaxies["is_central"]
    np.testing.assert_array_equal(rows["galaxy_id"] == rows["halo_id"], central)


def test_gcr_without_copies_has_the_ids_of_the_simulation(tmp_path, made):
    galaxies = without(made[0], "copy")
    mockgal.write(galaxies, tmp_path / "a.hdf5", model="gcr")
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert set(file["galaxies"]) == set(GCR_SCHEMA)
        np.testing.assert_array_equal(file["galaxies/galaxy_id"][:], galaxies["galaxy_id"])


@pytest.mark.parametrize("model", ["desi", "boss", "gcr", "parquet"])
def test_read_back(written, made, model):
    path, galaxies = written(model), made[0]
    back = mockgal.read_galaxies(path)
    assert {"galaxy_id", "halo_id", "copy", "ra", "dec", "redshift"} <= set(back.columns)
    for name in back.columns:
        exact = galaxies.declared[name].h_power == 0 or model in ("desi", "boss")
        tolerance = 0 if exact else {"f4": 2e-7}.get(galaxies[name].dtype.str[1:], 1e-12)
        np.testing.assert_allclose(
            back[name], galaxies[name], rtol=tolerance, atol=1e-10 * (not exact)
        )
    source = back.provenance["read_from"]
    assert source["content_digest"] == galaxies.digest()
    left_out = source["columns_left_out"]
    assert sorted([*back.columns, *left_out]) == sorted(galaxies.columns)
    few = mockgal.read_galaxies(path, columns=["ra"])
    assert set(few.columns) == {"galaxy_id", "halo_id", "copy", "ra"}
    described = mockgal.inspect(path)
    assert described["data_model"] == (None if model == "parquet" else model)
    assert described["content_digest"] == galaxies.digest()
    assert back.provenance["survey"] == galaxies.provenance["survey"]
    with pytest.raises(UsageError, match="no column velocity"):
        mockgal.read_galaxies(path, columns=["velocity"])


@pytest.mark.fault(105)
@pytest.mark.parametrize("model", ["desi", "boss", "gcr"])
def test_changed_rows_are_noticed(written, model, exit_codes):
    path = written(model, {"boss": "m.fits"}.get(model))
    if model == "gcr":
        with h5py.File(path, "r+") as file:
            file["galaxies/ra"][0] += 1e-9
    else:
        with fitsio.FITS(path, "rw") as file:
            rows = file[1].read()
            rows["RA"][0] += 1e-9
            file[1].write(rows)
    with pytest.raises(CorruptFileError) as corrupt:
        mockgal.read_galaxies(path)
    with pytest.raises(UsageError, match="data model") as usage:
        mockgal.read_galaxies(path, changed_by_hand="another place")
    assert (usage.value.exit_code, corrupt.value.exit_code) == exit_codes


@pytest.mark.fault(105)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.update(model=3), "model"),
        (lambda file: file["columns"][1].update({"from": "colour"}), "colour"),
        (lambda file: file["columns"][1].update({"from": ["ra"]}), "from"),
        (lambda file: file["columns"][1].update({"from": "number_density"}), "unit"),
        (lambda file: file["columns"][1].update({"from": None}), "unit"),
        (lambda file: file["columns"][0].update({"from": "weight"}), "type"),
        (lambda file: file["columns"][1].update(origin="here"), "origin"),
        (lambda file: file["columns"][1].update(name="R A"), "name"),
        (lambda file: file["columns"][1].update(name="DEC"), "twice"),
        (lambda file: file["columns"][-3].update({"from": None}), "galaxy_id"),
        (lambda file: file.pop("model"), "a column"),
    ],
)
def test_statements_about_columns_are_checked(written, change, message):
    with fitsio.FITS(written("desi")) as file:
        provenance = json.loads(file["PROVENANCE"].read()["json"][0])
    facts.parse(json.dumps(provenance), "m.fits", Path("m.fits"), 1)
    change(provenance["file"])
    with pytest.raises(InputError, match=message):
        facts.parse(json.dumps(provenance), "m.fits", Path("m.fits"), 1)


def test_number_density_beside_desi(tmp_path, made):
    galaxies = made[0]
    path = tmp_path / "LRG_NGC_clustering.dat.fits"
    wrote = write_model(galaxies, path, "desi", randoms=made[1])
    assert [one.name for one in wrote] == [
        *("LRG_NGC_clustering.dat.fits", "LRG_NGC_0_clustering.ran.fits", "LRG_NGC_nz.txt")
    ]
    lines = wrote[2].read_text().splitlines()
    assert float(re.fullmatch("#area is (.*)square degrees", lines[0])[1]) == SKY.area
    assert lines[1] == "#zmid zlow zhigh n(z) Nbin Vol_bin"
    middle, low, high, density, number, volume = np.loadtxt(wrote[2]).T
    np.testing.assert_allclose(middle, (low + high) / 2)
    astropy = galaxies.snapshot.cosmology.as_astropy()
    shell = [astropy.comoving_volume(z).value * H**3 for z in (low, high)]
    np.testing.assert_allclose(volume, (shell[1] - shell[0]) * SKY.area / 41252.96125, rtol=1e-6)
    z = galaxies["redshift"]
    counted = [np.count_nonzero((z >= a) & (z < b)) for a, b in zip(low, high, strict=True)]
    np.testing.assert_array_equal(number, counted)
    np.testing.assert_allclose(density, number / volume)
    assert galaxies.digest() in lines[-1]


def test_number_density_beside_boss(tmp_path, made):
    wrote = write_model(made[0], tmp_path / "galaxy_X_North.fits", "boss", randoms=made[1])
    assert [one.name for one in wrote[1:]] == ["random0_X_North.fits", "nbar_X_North.dat"]
    # as its users read it
    rows = np.loadtxt(wrote[2], skiprows=2, unpack=True)
    np.testing.assert_allclose(rows[4], 1 / (1 + P0 * rows[3]))
    np.testing.assert_allclose(rows[6], rows[3] * rows[5])
    area, volume = map(float, wrote[2].read_text().splitlines()[0].partition(": ")[2].split())
    assert area == SKY.area
    weighted = P0 * rows[3] * rows[4]
    assert volume == pytest.approx(np.sum(weighted**2 * rows[5]))


@pytest.mark.parametrize(
    ("model", "name", "randoms", "density"),
    [
        ("desi", "a.fits", "a_ran.fits", "a_nz.txt"),
        ("desi", "a.b.fits.gz", "a.b_ran.fits.gz", "a.b_nz.txt"),
        ("desi", "QSO_clustering.dat.h5", "QSO_0_clustering.ran.h5", "QSO_nz.txt"),
        ("boss", "a.fits", "a_ran.fits", "nbar_a.dat"),
        ("hats", "a", "a-randoms", "a_nz.txt"),
    ],
)
def test_names_of_files_beside(tmp_path, model, name, randoms, density):
    assert companions.randoms_path(tmp_path / name, model) == tmp_path / randoms
    assert companions.density_path(tmp_path / name, model) == tmp_path / density


def test_no_number_density_is_made_up(tmp_path, made):
    bare = made[0].with_provenance(survey=[])
    assert write_model(bare, tmp_path / "a.fits", "desi") == (tmp_path / "a.fits",)
    assert (fitsio.read(tmp_path / "a.fits")["STATUS"] == 0).all()


@pytest.mark.fault(102)
@pytest.mark.parametrize(
    ("model", "lacks", "column", "step"),
    [
        ("desi", "number_density", "NX", "survey.weights"),
        ("desi", "weight_fkp", "WEIGHT_FKP", "survey.weights"),
        ("desi", "redshift", "Z", "survey.light_cone"),
        ("boss", "ra", "RA", "survey.light_cone"),
        ("gcr", "redshift_cosmological", "redshift_true", "survey.light_cone"),
        ("gcr", "halo_mass", "halo_mass", "keep the column"),
    ],
)
def test_what_is_missing_names_the_step(tmp_path, made, model, lacks, column, step, exit_code):
    path, words = tmp_path / NAMES[model], f"without {lacks}.*{column} .*{model}.*{step}"
    with pytest.raises(UsageError, match=words) as caught:
        mockgal.write(without(made[0], lacks), path, model=model)
    assert caught.value.exit_code == exit_code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.hdf5", {"model": "boss"}, r"ends in \.fits"),
        ("a.fits", {"model": "gcr"}, r"ends in \.hdf5 or \.h5 or \.parquet"),
        ("a.fits", {"model": "parquet"}, r"ends in \.parquet"),
        ("a.fits", {"model": "hats"}, "a folder"),
        ("a.fits", {"model": "sdss"}, ", ".join(DATA_MODELS)),
        ("a.fits", {"model": "desi", "desi_release": "dr9"}, "dr1, edr"),
        ("a.hdf5", {"model": "gcr", "units": "h"}, "h-free"),
    ],
)
def test_refused_options(tmp_path, made, name, options, message):
    with pytest.raises(UsageError, match=message):
        mockgal.write(made[0], tmp_path / name, **options)


def test_refused_catalogues(tmp_path, made):
    with pytest.raises(UsageError, match="without ra"):
        mockgal.write(box(), tmp_path / "a.fits", model="desi")
    with pytest.raises(UsageError, match="randoms in the data model gcr"):
        mockgal.write(made[1], tmp_path / "a.hdf5", model="gcr")


def test_ids_do_not_depend_on_what_else_is_there(made):
    galaxies = made[0]
    (whole,) = ids.keyed_ids(galaxies, "galaxies")
    some = np.arange(0, len(galaxies), 3)
    np.testing.assert_array_equal(ids.keyed_ids(galaxies[some], "galaxies")[0], whole[some])
    assert not np.isin(ids.keyed_ids(galaxies, "randoms")[0], whole).any()


def test_randoms_of_several_seeds_can_be_joined(made):
    points = made[1]
    other = points.with_provenance(seed=points.provenance["seed"] + 1)
    first, again, second = (ids.keyed_ids(one, "randoms")[0] for one in (points, points, other))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, second).any()


def test_galaxies_in_place_of_randoms_are_refused(tmp_path, made):
    with pytest.raises(UsageError, match="points at random"):
        mockgal.write(made[0], tmp_path / "a.fits", model="desi", randoms=made[0])
    with pytest.raises(UsageError, match="points at random"):
        mockgal.measure(made[0], "w_theta", randoms=made[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.fault(103)
def test_shared_ids_are_drawn_again_or_refused(made, monkeypatch, exit_code):
    few = made[0][:40]
    monkeypatch.setattr(ids, "BITS", 11)
    (drawn,) = ids.keyed_ids(few, "galaxies")
    assert len(np.unique(drawn)) == len(few)
    monkeypatch.setattr(ids, "BITS", 5)
    with pytest.raises(ResourceError, match="ids of their own") as caught:
        ids.keyed_ids(few, "galaxies")
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("there", ["LRG.fits", "LRG_ran.fits", "LRG_nz.txt"])
def test_nothing_is_written_where_one_of_the_files_exists(tmp_path, made, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(OutputExistsError, match=there):
        write_model(made[0], tmp_path / "LRG.fits", "desi", randoms=made[1])
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == [there]
    assert (tmp_path / there).read_text() == "mine"
    write_model(made[0], tmp_path / "LRG.fits", "desi", randoms=made[1], overwrite=True)
    assert (tmp_path / there).read_text(errors="replace") != "mine"


@pytest.mark.fault(97)
@pytest.mark.parametrize("there", [False, True])
def test_all_files_or_none(tmp_path, made, exit_code, there):
    """No file may grow beyond a size that the randoms exceed."""
    names = ["a.fits", "a_nz.txt", "a_ran.fits"] if there else []
    for name in names:
        (tmp_path / name).write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, hard))
    try:
        with pytest.raises(OutputError) as caught:
            write_model(made[0], tmp_path / "a.fits", "desi", randoms=made[1], overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == exit_code
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert {(tmp_path / name).read_text() for name in names} <= {"old"}


@pytest.mark.fault(104)
def test_folders_of_others_are_never_replaced(tmp_path, exit_codes):
    check = FileWriter("parquet", HATSWriter()).check_output
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "hats.properties").write_text("")
    check(tmp_path / "a", True)
    with pytest.raises(OutputExistsError) as exists:
        check(tmp_path / "a", False)
    (tmp_path / "a" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="other files") as others:
        check(tmp_path / "a", True)
    assert (exists.value.exit_code, others.value.exit_code) == exit_codes


def test_measured_redshifts_alone_are_those_of_a_survey(tmp_path, made):
    """As in a file of DESI of a mock with redshift errors."""
    galaxies = made[0].with_columns(redshift_measured=made[0]["redshift"] + 0.001)
    mockgal.write(galaxies, tmp_path / "a.fits", model="desi")
    back = mockgal.read_galaxies(tmp_path / "a.fits")
    check_sky(back, "galaxies")
    found = measured(back, EDGES, SKY.area)
    np.testing.assert_array_equal(found.density, measured(galaxies, EDGES, SKY.area).density)
    with pytest.raises(UsageError, match="without redshift"):
        measure_redshifts(back, seed=1, sigma_v=30.0)


def test_the_command(tmp_path, mockgal_command):
    recipe = ROOT / "catalogs/demo-survey.yaml"
    out = tmp_path / "LRG_NGC_clustering.dat.fits"
    desi = ["--model-out", "desi", "--desi-release", "edr", "--out", out]
    done = mockgal_command("build", "--json", "--recipe", recipe, *desi)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    names = ["LRG_NGC_clustering.dat.fits", "LRG_NGC_0_clustering.ran.fits", "LRG_NGC_nz.txt"]
    assert [Path(path).name for path in report["wrote"]] == [*names, names[0] + ".run.json"]
    rows, points = (fitsio.read(tmp_path / name, ext="LSS") for name in names[:2])
    assert len(points) == 20 * len(rows) == report["randoms"]["points"]
    assert "NZ" in points.dtype.names
    assert mockgal.read_galaxies(out).provenance["read_from"]["release"] == "edr"
    # galaxies in a box are refused before they are painted
    box = ["build", "--sim", ROOT / "catalogs/demo/dark.hdf5", "--painter", "hod"]
    done = mockgal_command(*box, "--model-out", "desi", "--out", "a.fits")
    assert done.returncode == 2
    assert "survey.light_cone" in done.stderr
    done = mockgal_command(*box, "--out", "mock.hdf5")
    survey = ["survey", "mock.hdf5", "--recipe", tmp_path / "survey.yaml"]
    (tmp_path / "survey.yaml").write_text("survey: {light_cone: {redshifts: [0.004, 0.013]}}")
    done = mockgal_command(*survey, "--model-out", "gcr")
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "mock-survey.hdf5") as file:
        assert set(file["galaxies"]) > set(GCR_SCHEMA)


def test_no_file_of_n_of_z_if_galaxies_left_after_that_step(made):
    galaxies = made[0]
    assert companions.density_text(galaxies, "desi")
    fewer = mockgal.select(galaxies, "redshift < 0.03")
    inside = mockgal.select(galaxies, "dec < 20 deg")
    for one in (fewer, inside):
        with pytest.warns(mockgal.errors.MockgalWarning, match="after the step n"):
            assert companions.density_text(one, "desi") == ""

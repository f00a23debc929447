"""Catalogues that went through astropy: read where they say so, and never without a word."""

import json

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, Table
from galaxies_samples import BOX, catalogue, written

from mockgal.errors import MockgalError, MockgalWarning
from mockgal.readers.mocks.facts import IDS
from mockgal.readers.mocks.reader import describe_galaxies, is_catalogue, read_galaxies

WHY = "red galaxies only"


@pytest.fixture(params=["h-free", "h"])
def original(request, tmp_path):
    galaxies = catalogue()
    return galaxies, written(galaxies, tmp_path / "a.fits", request.param)


def read_changed(path, **options):
    with pytest.warns(MockgalWarning, match="cannot be verified"):
        return read_galaxies(path, **options)


def filtered(path, out, **meta):
    """What a user does: read, filter, add a column, write."""
    table = Table.read(path, hdu="GALAXIES")
    table = table[np.asarray(table["stellar_mass"]) > np.median(table["stellar_mass"])]
    table["colour"] = np.arange(len(table)) * 0.1
    table.meta.update(meta)
    table.write(out)
    return out


def test_filtered_and_extended_with_astropy(original, tmp_path):
    galaxies, path = original
    changed = filtered(path, tmp_path / "b.fits", CHANGED=WHY)
    assert is_catalogue(changed)
    found = read_changed(changed)
    mass = galaxies["stellar_mass"]
    expected = galaxies.take(np.flatnonzero(mass > np.median(mass)))
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found["galaxy_id"], expected["galaxy_id"])
    for name in expected.columns:
        if expected[name].dtype.kind == "f":
            eps = np.finfo(expected[name].dtype).eps
            np.testing.assert_allclose(found[name], expected[name], rtol=2 * eps)
    assert found.snapshot.box_size == pytest.approx(BOX, rel=1e-10)
    change = found.provenance["changed_by_hand"]
    assert change["reason"] == WHY
    assert (change["rows_before"], change["rows"]) == (len(galaxies), len(expected))
    assert change["columns_left_out"] == ["colour"]
    assert change["content_digest_before"] == galaxies.digest()
    assert WHY in found.provenance["cuts"][-1]["cut"]
    assert found.completeness.limit is None
    assert WHY in str(found.completeness)


def test_it_has_to_say_so(original, tmp_path):
    """Without a reason it is refused, and what the message advises works."""
    changed = filtered(original[1], tmp_path / "b.fits")
    with pytest.raises(MockgalError, match="--changed-by-hand") as caught:
        read_galaxies(changed)
    assert caught.value.exit_code == 3
    read_changed(changed, changed_by_hand=WHY)


def test_what_is_written_again_is_checked_again(original, tmp_path):
    found = read_changed(filtered(original[1], tmp_path / "b.fits", CHANGED=WHY))
    again = read_galaxies(written(found, tmp_path / "c.fits", "h"))
    assert again.digest() == found.digest()
    assert again.provenance["changed_by_hand"]["reason"] == WHY
    again = read_galaxies(written(found, tmp_path / "d.hdf5", "h"))
    assert again.provenance["changed_by_hand"]["reason"] == WHY


def test_the_provenance_is_kept_where_it_is(original, tmp_path):
    """Rows replaced in the open file, the other HDUs as they were."""
    galaxies, path = original
    with fits.open(path) as file:
        file["GALAXIES"].data = file["GALAXIES"].data[np.arange(300) % 2 == 0]
        file.writeto(tmp_path / "b.fits")
    found = read_changed(tmp_path / "b.fits", changed_by_hand=WHY)
    assert found.snapshot.box_size == galaxies.snapshot.box_size
    assert found.provenance["painter"]["calibration"] == "demo"
    assert found.provenance["changed_by_hand"]["provenance_kept"]
    assert len(found) == len(galaxies) / 2


def test_columns_and_description(original, tmp_path):
    changed = filtered(original[1], tmp_path / "b.fits", CHANGED=WHY)
    assert set(read_changed(changed, columns=["vmax"]).columns) == {"galaxy_id", "halo_id", "vmax"}
    with pytest.warns(MockgalWarning):
        facts = describe_galaxies(changed)
    assert facts["changed_by_hand"]["reason"] == WHY
    json.dumps(facts)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.remove_column("halo_id"), ["no column halo_id"]),
        (lambda t: t["stellar_mass"].__setitem__(3, np.nan), ["stellar_mass", "NaN"]),
        (lambda t: t["position_x"].__setitem__(3, 1e4), ["position_x"]),
        (lambda t: t.replace_column("galaxy_id", t["galaxy_id"] * 1.0), ["galaxy_id", "integers"]),
        (lambda t: t["galaxy_id"].__setitem__(slice(0, 2), 7), ["repeated galaxies"]),
        (lambda t: t.meta.pop("BOXSIZE"), ["BOXSIZE"]),
        (lambda t: t.meta.update(BOXSIZE="large"), ["BOXSIZE", "a number"]),
        (lambda t: t.meta.update(UNITSYS="cgs"), ["UNITSYS"]),
        (lambda t: t.replace_column("vmax", Column(["fast"] * len(t))), ["vmax"]),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, spoil, words):
    table = Table.read(written(catalogue(), tmp_path / "a.fits", "h-free"), hdu="GALAXIES")
    table["halo_id"][:2] = 5
    spoil(table)
    table.meta["CHANGED"] = WHY
    table.write(tmp_path / "b.fits")
    with pytest.raises(MockgalError) as caught:
        read_galaxies(tmp_path / "b.fits")
    assert caught.value.exit_code in (2, 3)
    for word in words:
        assert word in str(caught.value)


def test_units_of_the_table_count(tmp_path):
    galaxies = catalogue()
    table = Table.read(written(galaxies, tmp_path / "a.fits", "h-free"), hdu="GALAXIES")
    for axis in "xyz":
        table[f"position_{axis}"] = table[f"position_{axis}"].to(u.kpc)
    table.meta["CHANGED"] = WHY
    table.write(tmp_path / "b.fits")
    found = read_changed(tmp_path / "b.fits")
    np.testing.assert_allclose(found["position_x"], galaxies["position_x"], rtol=1e-14)
    table["position_x"].unit = None
    table.write(tmp_path / "c.fits")
    with pytest.raises(MockgalError, match="no unit"):
        read_galaxies(tmp_path / "c.fits")


@pytest.fixture(params=["h-free", "h"])
def doubled(request, tmp_path):
    """An HDF5 mock whose masses were doubled with h5py, which renews the checksums."""
    path = written(catalogue(), tmp_path / "a.hdf5", request.param)
    with h5py.File(path, "r+") as file:
        file["galaxies/stellar_mass"][...] *= 2
    return path


def test_numbers_changed_with_h5py(doubled):
    galaxies = catalogue()
    with pytest.raises(MockgalError, match="--changed-by-hand"):
        read_galaxies(doubled)
    found = read_changed(doubled, changed_by_hand=WHY)
    np.testing.assert_allclose(found["stellar_mass"], 2 * galaxies["stellar_mass"], rtol=3e-7)
    np.testing.assert_array_equal(found["galaxy_id"], galaxies["galaxy_id"])
    change = found.provenance["changed_by_hand"]
    assert change["reason"] == WHY
    assert change["rows_before"] == change["rows"] == len(galaxies)
    assert change["content_digest_before"] == galaxies.digest()
    assert change["columns_changed"] == ["stellar_mass"]
    assert change["provenance_kept"]
    assert WHY in found.provenance["cuts"][-1]["cut"]
    assert found.completeness.limit is None
    assert WHY in str(found.completeness)
    with pytest.warns(MockgalWarning, match="cannot be verified"):
        facts = describe_galaxies(doubled, changed_by_hand=WHY)
    assert facts["format"] == "hdf5"
    assert facts["changed_by_hand"]["reason"] == WHY


def test_hdf5_that_nobody_changed(doubled, tmp_path):
    """Nothing differs, in the file or in the columns that are read."""
    path = written(catalogue(), tmp_path / "b.hdf5")
    whole = read_galaxies(path)
    with pytest.warns(MockgalWarning, match="those that mockgal wrote"):
        found = read_galaxies(path, changed_by_hand=WHY)
    assert found.digest() == whole.digest()
    assert found.provenance == whole.provenance
    with pytest.warns(MockgalWarning, match="those that mockgal wrote"):
        part = read_galaxies(doubled, columns=["vmax"], changed_by_hand=WHY)
    assert "changed_by_hand" not in part.provenance


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f["galaxies/stellar_mass"].__setitem__(3, np.nan), ["stellar_mass", "nan"]),
        (lambda f: f["galaxies/position_x"].__setitem__(3, 1e4), ["position_x"]),
        (
            lambda f: [f[f"galaxies/{n}"].__setitem__(1, f[f"galaxies/{n}"][0]) for n in IDS],
            ["repeated galaxies"],
        ),
        (lambda f: f.attrs.__setitem__("redshift", 3.0), ["redshift"]),
        (lambda f: f.__delitem__("galaxies/vmax"), ["vmax"]),
    ],
)
def test_a_reason_is_no_pass_for_hdf5(tmp_path, spoil, words):
    path = written(catalogue(), tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(MockgalError) as caught:
        read_galaxies(path, changed_by_hand=WHY)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(MockgalError, match="1 to"):
        read_galaxies(path, changed_by_hand=" ")


def test_commands_take_the_reason_for_hdf5(mockgal_command, doubled):
    arguments = ("measure", "a.hdf5", "--statistic", "mass_function", "--no-plots", "--out", "t")
    refused = mockgal_command(*arguments)
    assert refused.returncode == 3
    assert "--changed-by-hand" in refused.stderr
    measured = mockgal_command(*arguments, "--changed-by-hand", WHY)
    assert measured.returncode == 0, measured.stderr
    assert "cannot be verified" in measured.stderr
    assert "not a complete sample" in measured.stdout


def test_commands_take_the_reason(mockgal_command, tmp_path):
    filtered(written(catalogue(), tmp_path / "a.fits", "h-free"), tmp_path / "b.fits")
    why = ("--changed-by-hand", WHY)
    refused = mockgal_command("measure", "b.fits", "--statistic", "mass_function", "--out", "t")
    assert refused.returncode == 3
    assert "--changed-by-hand" in refused.stderr
    arguments = ("measure", "b.fits", "--statistic", "mass_function", "--no-plots", "--out", "t")
    measured = mockgal_command(*arguments, *why)
    assert measured.returncode == 0, measured.stderr
    assert "cannot be verified" in measured.stderr
    assert "not a complete sample" in measured.stdout
    described = mockgal_command("inspect", "b.fits", "--json", *why)
    assert json.loads(described.stdout)["changed_by_hand"]["reason"] == WHY


def test_no_yaml_in_comments_makes_objects(original, tmp_path):
    """What astropy serializes in comments is not looked at: aliases of it would fill the memory."""
    changed = filtered(original[1], tmp_path / "b.fits", CHANGED=WHY)
    expected = read_changed(changed).digest()
    lines = ["- _a: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"- _b{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    mark = "--{}-ASTROPY-SERIALIZED-COLUMNS--"
    with fits.open(changed, mode="update") as file:
        columns = [f"- {{name: {name}, datatype: float64}}" for name in file[1].columns.names]
        body = ["datatype:", *columns, "meta: !!omap", *lines]
        for line in [mark.format("BEGIN"), *body, mark.format("END")]:
            file[1].header["COMMENT"] = line
    assert read_changed(changed).digest() == expected

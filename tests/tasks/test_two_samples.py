"""Statistics of two samples, and pictures of several results, as a user types them."""

import json

import numpy as np
import pytest

import mockgal
from mockgal.errors import UsageError


@pytest.fixture(scope="module")
def mocks(tmp_path_factory, demo_bundle):
    """A folder with two mocks of the demo simulation, all galaxies and the bright ones."""
    folder = tmp_path_factory.mktemp("mocks")
    with pytest.warns(mockgal.errors.MockgalWarning):
        mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    mockgal.write(mock, folder / "all.fits")
    mockgal.write(mockgal.select(mock, "stellar_mass > 1e10 Msun/h"), folder / "bright.fits")
    return folder


@pytest.fixture(scope="module")
def measured(forked, mocks, tmp_path_factory):
    """What the command prints for two samples, and the folder that it was run in."""
    folder = tmp_path_factory.mktemp("measured")
    result = forked(
        [
            *("measure", mocks / "all.fits", "--cross", mocks / "bright.fits"),
            *("--statistic", "all", "--grid", 32, "--out", "two"),
        ],
        folder,
    )
    assert result.returncode == 0, result.stderr
    return result, folder / "two"


def test_two_samples(measured, mocks):
    result, folder = measured
    names = ("cross_power", "cross_xi", "cross_wp")
    assert {path.name for path in folder.iterdir()} == {
        name + end for name in names for end in (".ecsv", ".png")
    }
    bright = mockgal.read_galaxies(mocks / "bright.fits")
    for name in names:
        table = mockgal.read_measurement(folder / f"{name}.ecsv")
        settings = table.settings
        assert settings["shared_objects"] == settings["cross_catalogue"]["galaxies"] == len(bright)
        assert settings["catalogue"]["galaxies"] > len(bright)
        assert settings["cross_catalogue"]["content_digest"] == bright.digest()
        assert "complete_from_msun_h" in settings
        assert "cross_complete_from_msun_h" in settings
        assert f"{name:<11}" in result.stdout


def test_python_gives_the_same_numbers(measured, mocks):
    every, bright = (mockgal.read_galaxies(mocks / f"{name}.fits") for name in ("all", "bright"))
    power = mockgal.measure(every, "cross_power", cross=bright, grid_size=32)
    stored = mockgal.read_measurement(measured[1] / "cross_power.ecsv")
    for name in stored.columns:
        np.testing.assert_array_equal(stored[name], power[name])


def test_galaxies_with_the_matter_of_their_simulation(
    mockgal_command, mocks, demo_bundle, tmp_path
):
    result = mockgal_command(
        *("measure", mocks / "all.fits", "--cross-matter", demo_bundle, "--statistic", "all"),
        *("--grid", 32, "--jackknife", 0, "--no-plots", "--out", "m", "--json"),
    )
    assert result.returncode == 0, result.stderr
    table = mockgal.read_measurement(tmp_path / "m/cross_power.ecsv")
    assert table.settings["cross_catalogue"]["contents"] == "matter"
    assert np.all(table["correlation_coefficient"][:4] > 0.3)  # galaxies are where matter is
    facts = json.loads(result.stdout)["tables"]["cross_power"]
    assert facts["settings"]["shared_objects"] == 0


@pytest.mark.slow
def test_matter_in_a_file_that_does_not_say_what_it_is(
    mockgal_command, mocks, demo_bundle, tmp_path
):
    mockgal.field(demo_bundle, tmp_path / "field.hdf5", grid_size=32, subhalos=False)
    values = mockgal.read(demo_bundle, matter=tmp_path / "field.hdf5").field.read_slab(0, 32)
    np.save(tmp_path / "delta.npy", values / values.mean() - 1)
    arguments = (
        *("measure", mocks / "all.fits", "--sim", demo_bundle, "--statistic", "cross_power"),
        *("--jackknife", 0, "--no-plots"),
    )
    facts = ("--matter-kind", "delta", "--matter-assignment", "CIC", "--matter-origin", "corner")
    for name, own, out in (("field.hdf5", (), "one"), ("delta.npy", facts, "two")):
        result = mockgal_command(*arguments, "--cross-matter", name, *own, "--out", out)
        assert result.returncode == 0, result.stderr
    one, two = (
        mockgal.read_measurement(tmp_path / f"{n}/cross_power.ecsv") for n in ("one", "two")
    )
    assert two["cross_power"] == pytest.approx(one["cross_power"], rel=1e-5)
    result = mockgal_command(*arguments, *facts, "--out", "three")
    assert result.returncode == 2
    assert "--cross-matter FILE" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--statistic", "cross_xi"), "--cross PATH"),
        (("--statistic", "power", "--cross", "bright.fits"), "no effect"),
        (("--statistic", "cross_xi", "--cross-matter", "dark.hdf5"), "galaxies"),
        (
            ("--statistic", "all", "--cross", "bright.fits", "--cross-matter", "dark.hdf5"),
            "one of them",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    mockgal_command, mocks, demo_bundle, tmp_path, options, message
):
    (tmp_path / "bright.fits").symlink_to(mocks / "bright.fits")
    (tmp_path / "dark.hdf5").symlink_to(demo_bundle)
    result = mockgal_command("measure", mocks / "all.fits", *options, "--out", "m")
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert not (tmp_path / "m").exists()


def test_a_second_sample_in_python(mocks, demo_bundle):
    mock, sim = mockgal.read_galaxies(mocks / "all.fits"), mockgal.read(demo_bundle)
    for statistic, cross in (("cross_wp", None), ("xi", mock), ("cross_wp", sim)):
        with pytest.raises(UsageError, match="statistic"):
            mockgal.measure(mock, statistic, cross=cross)
    with pytest.raises(UsageError, match="read_galaxies"):
        mockgal.measure(mock, "cross_wp", cross="mock.fits")


def test_tables_are_plotted_together(mockgal_command, measured, mocks, tmp_path):
    folder = measured[1]
    for name in ("all", "bright"):
        galaxies = mockgal.read_galaxies(mocks / f"{name}.fits")
        mockgal.measure(galaxies, "mass_function").save(tmp_path / f"{name}.ecsv")
    result = mockgal_command("plot", "all.ecsv", "bright.ecsv", "--out", "both.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    assert "all.ecsv: mass_function" in result.stdout
    for others, message in (
        ([folder / "cross_xi.ecsv"], "different statistics"),
        ([mocks / "all.fits"], "plot them apart"),
        (["bright.ecsv", "--cut", "stellar_mass > 1e10 Msun/h"], "results already"),
    ):
        result = mockgal_command("plot", "all.ecsv", *others, "--out", "not.png")
        assert result.returncode == 2, result.stderr
        assert message in result.stderr
        assert not (tmp_path / "not.png").exists()

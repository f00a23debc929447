"""The commands that look at galaxies, end to end, as a user types them."""

import json
import re
from dataclasses import replace
from functools import partial

import h5py
import numpy as np
import pytest
from astropy import units
from astropy.cosmology import units as cosmology_units
from astropy.table import Table
from PIL import Image

import mockgal
from mockgal import registry
from mockgal.errors import UsageError
from mockgal.readers.density import read_density
from mockgal.reports import figures
from mockgal.statistics.names import UNITS, options_of
from mockgal.statistics.power.spectrum import power_spectrum
from mockgal.tasks.measure import all_statistics, measure_files
from mockgal.tasks.plotting.plot import plot_files
from mockgal.testing import write_gadget4

CHEAP = "mass_function,stellar_to_halo,occupation,satellite_fraction"


@pytest.fixture(scope="module")
def mock_file(tmp_path_factory, demo_bundle):
    path = tmp_path_factory.mktemp("mock") / "mock.fits"
    sim = mockgal.read(demo_bundle)
    with pytest.warns(mockgal.errors.MockgalWarning):
        mock = mockgal.paint(sim, "hod", seed=1)
    mockgal.write(mock, path)
    return path


def files(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


def test_all_statistics_of_a_mock(mockgal_command, mock_file, tmp_path):
    result = mockgal_command(
        "measure", mock_file, "--statistic", "all", "--out", "measured", "--grid", 64
    )
    assert result.returncode == 0, result.stderr
    names = all_statistics()
    assert files(tmp_path / "measured") == sorted(
        name + extension for name in names for extension in (".ecsv", ".png")
    )
    for name in names:
        measured = mockgal.read_measurement(tmp_path / "measured" / f"{name}.ecsv")
        assert measured.statistic == name
        catalogue = measured.settings["catalogue"]
        assert catalogue["simulation"] == "out_dm64"
        assert (catalogue["painter"], catalogue["seed"]) == ("hod", 1)
        assert len(catalogue["content_digest"]) == 64
        assert measured.settings["errors"]
        assert np.isfinite(measured[measured.estimates[0]]).any(), name
        assert f"wrote       measured/{name}.ecsv" in result.stdout
        png = (tmp_path / "measured" / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_same_mock_gives_the_same_files(mockgal_command, mock_file, tmp_path):
    for folder, threads in (("a", "1"), ("b", "2")):
        result = mockgal_command(
            *("measure", mock_file, "--statistic", "mass_function,power", "--out", folder),
            *("--grid", 32),
            NUMBA_NUM_THREADS=threads,
        )
        assert result.returncode == 0, result.stderr
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_options_are_passed_on_with_their_units(mockgal_command, mock_file, tmp_path):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "bispectrum", "--out", "m", "--no-plots"),
        *("--k1", "1.3548 1/Mpc", "--k2", "2.5 h/Mpc", "--angles", 5, "--weight", "number"),
    )
    assert result.returncode == 0, result.stderr
    assert files(tmp_path / "m") == ["bispectrum.ecsv"]
    with units.add_enabled_units(cosmology_units):
        table = Table.read(tmp_path / "m/bispectrum.ecsv")
    assert len(table) == 5
    settings = table.meta["settings"]
    assert settings["k1_h_per_mpc"] == pytest.approx(2.0)  # h = 0.6774
    assert settings["k2_h_per_mpc"] == 2.5
    assert settings["weight"] == "number"


def test_cuts_are_applied_and_recorded(mockgal_command, mock_file, tmp_path):
    cut = "stellar_mass > 1e10 Msun/h"
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "mass_function", "--out", "m", "--cut", cut)
    )
    assert result.returncode == 0, result.stderr
    measured = mockgal.read_measurement(tmp_path / "m/mass_function.ecsv")
    mock = mockgal.read_galaxies(mock_file)
    assert measured.settings["catalogue"]["cuts"] == [cut]
    assert measured["galaxies"].sum() == np.sum(mock["stellar_mass"] > 1e10)


def test_occupation_with_and_without_the_simulation(
    mockgal_command, mock_file, demo_bundle, tmp_path
):
    for folder, options in (("without", ()), ("with", ("--sim", demo_bundle))):
        result = mockgal_command(
            *("measure", mock_file, "--statistic", "occupation", "--out", folder, *options)
        )
        assert result.returncode == 0, result.stderr
    without, using = (
        mockgal.read_measurement(tmp_path / folder / "occupation.ecsv")
        for folder in ("without", "with")
    )
    for name in ("hosts", *without.estimates):
        np.testing.assert_array_equal(without[name], using[name])
    assert "jackknife" in using.settings["errors"]
    assert "jackknife" not in without.settings["errors"]


@pytest.mark.slow
def test_a_hydrodynamic_run_is_measured_as_a_mock_is(mockgal_command, tmp_path):
    write_gadget4(tmp_path / "run", hydro=True)
    result = mockgal_command(
        "measure", "run", "--statistic", CHEAP, "--out", "m", "--allow-empty-regions"
    )
    assert result.returncode == 0, result.stderr
    measured = mockgal.read_measurement(tmp_path / "m/mass_function.ecsv")
    halos = mockgal.read(tmp_path / "run", allow_empty_regions=True).halos
    assert measured["galaxies"].sum() == np.sum(halos["stellar_mass"] > 0)
    assert measured.settings["catalogue"]["painter"] == "hydrodynamic run"


def test_a_run_with_holes_is_measured_with_a_warning(mockgal_command, tmp_path):
    write_gadget4(tmp_path / "run", hydro=True, files=3)
    sorted((tmp_path / "run").rglob("fof_subhalo_tab_*"))[-1].unlink()
    result = mockgal_command(
        *("measure", "run", "--statistic", "mass_function", "--out", "m"),
        *("--allow-empty-regions", "--allow-missing-chunks"),
    )
    assert result.returncode == 0, result.stderr
    assert "without its chunks 2" in result.stderr
    measured = mockgal.read_measurement(tmp_path / "m/mass_function.ecsv")
    assert measured.settings["catalogue"]["reading"]["missing_chunks"] == "2"


def test_options_that_some_statistics_do_not_have_are_told(mockgal_command, mock_file):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "power,mass_function", "--out", "m"),
        *("--grid", 32, "--weight", "number", "--jackknife", 2, "--no-plots"),
    )
    assert result.returncode == 0, result.stderr
    warned = zip(result.stderr.splitlines(), ("grid_size", "weight"), strict=True)
    assert all(option in line and "mass_function" in line for line, option in warned)


def test_a_gravity_only_run_has_no_galaxies_to_measure(mockgal_command, demo_bundle, tmp_path):
    result = mockgal_command("measure", demo_bundle, "--statistic", "power", "--out", "m")
    assert result.returncode == 3
    assert "no stellar masses" in result.stderr
    assert "mockgal build" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--statistic", "powr"), 2, "'powr', expected one of power"),
        (("--statistic", ","), 2, "--statistic all"),
        (("--statistic", "power", "--k1", "3 h/Mpc"), 2, "option k1"),
        (("--statistic", "bispectrum", "--k1", "3"), 2, "without a unit"),
        (("--statistic", "bispectrum", "--k1", "3 Mpc"), 2, "h/Mpc"),
        (("--statistic", "power", "--grid", "100000"), 6, "memory"),
        (("--statistic", "power", "--grid", "0"), 2, "grid"),
        (("--statistic", "power", "--jackknife", "1"), 2, "2 to 16"),
        (("--statistic", "xi", "--r-max", "100 Mpc/h"), 2, "Mpc/h"),
        (("--statistic", "power", "--mass-definition", "200c"), 2, "this is a mock"),
        (("--statistic", "power", "--sim", "no.hdf5"), 3, "no.hdf5"),
        (("--statistic", "power", "--cut", "stellar_mass > 1"), 2, "without a unit"),
        (("--statistic", "xi", "--cut", "position_x < 8 Mpc/h"), 2, "whole periodic box"),
        (("--statistic", "bispectrum", "--grid", "16"), 2, "Nyquist"),
        (("--statistic", "mass_function,bispectrum", "--k1", "3 m"), 2, "one like h/Mpc"),
        (("--statistic", "occupation", "--bin-width", "0.25 dex"), 2, "multiple of 0.1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    mockgal_command, mock_file, tmp_path, options, code, words
):
    result = mockgal_command("measure", mock_file, "--out", "m", *options)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_each_statistic_stands_alone(mockgal_command, mock_file, tmp_path):
    """Those that can be measured are written, the others refused with a way out that works."""
    command = ("measure", mock_file, "--out", "m", "--no-plots")
    result = mockgal_command(
        *(*command, "--statistic", "bispectrum,mass_function,power,pdf,satellite_fraction"),
        *("--grid", 16, "--k-max", "5 h/Mpc"),
    )
    assert result.returncode == 7, result.stderr
    assert files(tmp_path / "m") == ["mass_function.ecsv", "pdf.ecsv", "satellite_fraction.ecsv"]
    assert result.stdout.count("wrote ") == 3
    *warnings, error = result.stderr.strip().splitlines()
    for name in ("bispectrum", "power"):
        assert any(f"{name} was not measured" in line and "Nyquist" in line for line in warnings)
    assert "E701" in error
    assert "--statistic bispectrum,power" in error
    grid = re.search(r"k_max.*a grid of (\d+)", result.stderr)[1]
    alone = (*command, "--statistic", "power", "--k-max", "5 h/Mpc", "--grid", grid)
    assert mockgal_command(*alone).returncode == 0


def test_too_little_memory_for_one_statistic_leaves_the_others(
    mockgal_command, mock_file, tmp_path
):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "power,bispectrum,mass_function", "--out", "m"),
        *("--k1", "500 h/Mpc", "--k2", "600 h/Mpc", "--angles", 3, "--no-plots"),
    )
    assert result.returncode == 7, result.stderr
    assert files(tmp_path / "m") == ["mass_function.ecsv", "power.ecsv"]
    assert "--k1, --k2" in result.stderr
    assert "free" in result.stderr
    alone = mockgal_command(
        *("measure", mock_file, "--statistic", "bispectrum", "--out", "n"),
        *("--k1", "500 h/Mpc", "--k2", "600 h/Mpc"),
    )
    assert alone.returncode == 6
    assert not (tmp_path / "n").exists()


def test_files_that_exist_are_kept(mockgal_command, mock_file, tmp_path):
    command = ("measure", mock_file, "--statistic", "mass_function", "--out", "m")
    assert mockgal_command(*command).returncode == 0
    (tmp_path / "m/mass_function.ecsv").write_text("mine")
    result = mockgal_command(*command)
    assert result.returncode == 2
    assert "--overwrite" in result.stderr
    assert (tmp_path / "m/mass_function.ecsv").read_text() == "mine"
    assert mockgal_command(*command, "--overwrite").returncode == 0
    assert (tmp_path / "m/mass_function.ecsv").read_text() != "mine"


@pytest.mark.fault(49)
def test_a_mock_without_galaxies(mockgal_command, mock_file, tmp_path, exit_codes):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "all", "--out", "m", "--grid", 64),
        *("--cut", "stellar_mass > 1e14 Msun/h"),
    )
    assert result.returncode in exit_codes, result.stderr
    assert "no galaxy passes" in result.stderr
    for name in all_statistics():
        measured = mockgal.read_measurement(tmp_path / f"m/{name}.ecsv")
        for estimate in measured.estimates:
            if name == "occupation":  # hosts there are, and none has a galaxy
                assert not measured[estimate][measured["hosts"] > 0].any()
            else:
                assert np.isnan(measured[estimate]).all(), name


@pytest.mark.fault(51)
def test_bins_without_anything_have_a_count_of_zero(
    mockgal_command, mock_file, tmp_path, exit_code
):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "xi,bispectrum,pdf", "--out", "m"),
        *("--r-min", "0.0001 Mpc/h", "--r-max", "1 Mpc/h", "--jackknife", 0),
        *("--k1", "1 h/Mpc", "--k2", "1 h/Mpc"),  # k3 = 0 at an angle of pi
    )
    assert result.returncode == exit_code, result.stderr
    for name, value in (("xi", -1.0), ("bispectrum", np.nan), ("pdf", 0.0)):
        measured = mockgal.read_measurement(tmp_path / f"m/{name}.ecsv")
        empty = measured[measured.count] == 0
        assert empty.any(), name
        for estimate in measured.estimates:
            np.testing.assert_array_equal(measured[estimate][empty], value)
            assert np.isfinite(measured[estimate][~empty]).all(), name


class TestPlot:
    def test_the_literal_command(self, mockgal_command, mock_file, tmp_path):
        result = mockgal_command("plot", mock_file)
        assert result.returncode == 0, result.stderr
        assert files(tmp_path) == ["mock.png"]
        assert "333 galaxies" in result.stdout
        first = (tmp_path / "mock.png").read_bytes()
        assert mockgal_command("plot", mock_file, "--overwrite").returncode == 0
        assert (tmp_path / "mock.png").read_bytes() == first

    @pytest.mark.slow
    def test_other_formats_and_no_format(self, mockgal_command, mock_file, tmp_path):
        assert mockgal_command("plot", mock_file, "--out", "a.pdf").returncode == 0
        result = mockgal_command("plot", mock_file, "--out", "a.txt")
        assert result.returncode == 2
        assert ".png" in result.stderr
        assert files(tmp_path) == ["a.pdf"]

    def test_a_mock_that_counts_no_hosts_is_drawn_without_their_occupation(self, mock_file):
        from mockgal.reports.figures import overview

        mock = mockgal.read_galaxies(mock_file)
        simulation = {k: v for k, v in mock.provenance["simulation"].items() if k != "hosts"}
        figure = overview(mock.with_provenance(simulation=simulation))
        assert "--sim" in figure.axes[2].texts[0].get_text()
        assert not overview(mock).axes[2].texts


class TestField:
    def test_the_literal_command(self, mockgal_command, mock_file, tmp_path):
        result = mockgal_command(
            "field", "--galaxies", mock_file, "--grid", 48, "--out", "stellar.hdf5"
        )
        assert result.returncode == 0, result.stderr
        mock = mockgal.read_galaxies(mock_file)
        grid = read_density(tmp_path / "stellar.hdf5")
        assert (grid.grid_size, grid.kind, grid.assignment) == (48, "mass", "CIC")
        assert grid.voxel_size == pytest.approx(16.0 / 48)
        mass = grid.read_slab(0, 48)
        assert mass.sum() == pytest.approx(mock["stellar_mass"].sum(dtype=float), rel=1e-9)
        with h5py.File(tmp_path / "stellar.hdf5") as file:
            attributes = file["density"].attrs
            assert bytes(attributes["quantity"]).decode() == "stellar mass"
            assert bytes(attributes["unit"]).decode() == "Msun/h"
            provenance = json.loads(bytes(file["provenance"][()]))
        assert provenance["painter"]["name"] == "hod"

    def test_the_output_has_a_default_name(self, mockgal_command, mock_file, tmp_path):
        result = mockgal_command("field", "--galaxies", mock_file, "--grid", 16)
        assert result.returncode == 0, result.stderr
        assert files(tmp_path) == ["mock-field.hdf5"]

    def test_galaxies_can_be_counted(self, mockgal_command, mock_file, tmp_path):
        result = mockgal_command(
            *("field", "--galaxies", mock_file, "--grid", 8, "--out", "n.hdf5"),
            *("--weight", "number", "--assignment", "NGP"),
        )
        assert result.returncode == 0, result.stderr
        grid = read_density(tmp_path / "n.hdf5")
        assert grid.kind == "counts"
        counts = grid.read_slab(0, 8)
        assert counts.sum() == 333
        np.testing.assert_array_equal(counts, np.rint(counts))

    def test_the_output_is_never_the_input(self, mockgal_command, mock_file):
        before = mock_file.read_bytes()
        result = mockgal_command(
            *("field", "--galaxies", mock_file, "--grid", 8, "--out", mock_file, "--overwrite")
        )
        assert result.returncode == 2
        assert mock_file.read_bytes() == before


def test_python_gives_what_the_command_writes(mockgal_command, mock_file, tmp_path):
    result = mockgal_command(
        *("measure", mock_file, "--statistic", "power", "--out", "m", "--grid", 32)
    )
    assert result.returncode == 0, result.stderr
    mock = mockgal.read_galaxies(mock_file)
    mockgal.measure(mock, "power", grid_size=32).save(tmp_path / "power.ecsv")
    assert (tmp_path / "power.ecsv").read_bytes() == (tmp_path / "m/power.ecsv").read_bytes()


@pytest.mark.filterwarnings("ignore:.*has no effect on")
def test_long_work_is_told_beside_the_statistics(mock_file, tmp_path):
    told = []
    names = ["xi", "wp", "xi_multipoles"]
    measure_files(
        mock_file,
        [*names, "bispectrum"],
        tmp_path / "t",
        plots=False,
        progress=lambda *step: told.append(step),
        angles=4,
        k1=1.0,
        k2=1.0,
    )
    steps = {}
    for done, total, label in told:
        steps.setdefault(label, []).append((done, total))
    pairs = {f"pairs of {name}" for name in names}
    assert set(steps) == {"statistics", *pairs, "sub-volumes of bispectrum"}
    for label, reported in steps.items():
        done, total = zip(*reported, strict=True)
        assert done[0] == 0, label
        assert list(done) == sorted(set(done)), label
        assert {done[-1]} == set(total), label


def test_every_option_with_a_unit_is_one_of_a_statistic():
    known = {option for name in registry.names("statistics") for option in options_of(name)}
    assert set(UNITS) <= known


def test_statistics_without_such_an_option_refuse_it(mock_file):
    mock = mockgal.read_galaxies(mock_file)
    with pytest.raises(UsageError, match="option k1"):
        mockgal.measure(mock, "power", k1=3.0)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("power", "jackknife", 2.5),
        ("power", "grid_size", 64.0),
        ("power", "subtract_shot_noise", 1),
        ("xi", "bins", "15"),
        ("mass_function", "bin_width", [0.1]),
        ("power", "line_of_sight", 2),
    ],
)
def test_options_of_another_type_are_refused(mock_file, name, option, value):
    mock = mockgal.read_galaxies(mock_file)
    with pytest.raises(UsageError, match=option):
        mockgal.measure(mock, name, **{option: value})


def test_every_option_of_a_statistic_is_one_of_the_command():
    from mockgal.cli.measure import measure

    flags = {parameter.name for parameter in measure.params}
    for name in registry.names("statistics"):
        assert set(options_of(name)) <= flags, name


@pytest.fixture(scope="module")
def files_of_two(mock_file, tmp_path_factory):
    mock = mockgal.read_galaxies(mock_file)
    bright = mockgal.select(mock, "stellar_mass > 2e10 Msun/h")
    path = tmp_path_factory.mktemp("two") / "bright.hdf5"
    mockgal.write(bright, path)
    return mock_file, path, mock, bright


@pytest.fixture(scope="module")
def plotted(forked, files_of_two, tmp_path_factory):
    """What the command prints for two catalogues, and the folder that it was run in."""
    folder = tmp_path_factory.mktemp("plotted")
    result = forked(["plot", *files_of_two[:2]], folder)
    assert result.returncode == 0, result.stderr
    return result, folder


@pytest.fixture
def coarse(monkeypatch):
    """Power spectra of a coarse grid, for tests of what is drawn around them."""
    monkeypatch.setattr(figures, "power_spectrum", partial(power_spectrum, grid_size=64))


class TestComparison:
    """`mockgal plot` of several catalogues."""

    @pytest.mark.usefixtures("coarse")
    @pytest.mark.slow
    def test_dollars_and_no_painter(self, mock_file, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        mock = mockgal.read_galaxies(mock_file)
        name = "x$_$.hdf5"
        mockgal.write(replace(mock, provenance={}), name)
        plot_files([mock_file, name], out="a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.slow
    def test_table_and_picture(self, plotted, files_of_two):
        (result, folder), catalogues = plotted, files_of_two[2:]
        assert (folder / "mock-bright.png").read_bytes().startswith(b"\x89PNG")
        head, *rows, last = result.stdout.splitlines()
        assert head.split() == ["mock.fits", "bright.hdf5"]
        assert last == "wrote mock-bright.png"
        table = {row[:30].strip(): row[30:].replace(",", "").split() for row in rows}
        assert table["painter"] == ["hod", "hod"]
        assert list(map(int, table["galaxies"])) == [len(mock) for mock in catalogues]
        centrals = [int(mock["is_central"].sum()) for mock in catalogues]
        assert list(map(int, table["centrals"])) == centrals
        for name, of in (("in all", np.sum), ("median", np.median), ("largest", np.max)):
            values = [of(mock["stellar_mass"].astype(float)) for mock in catalogues]
            found = list(map(float, table[f"stellar mass, {name} [Msun/h]"]))
            assert found == pytest.approx(values, rel=1e-3)

    @pytest.mark.usefixtures("coarse")
    def test_the_curves_are_those_of_the_statistics(self, files_of_two):
        mocks = dict(zip(("all", "bright"), files_of_two[2:], strict=True))
        figure = figures.comparison(mocks)
        assert "out_dm64, box 16 Mpc/h, redshift 0" in figure.get_suptitle()
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names == ["all", "bright"]
        statistics = ("mass_function", "stellar_to_halo", "power")
        estimates = ("mass_function", "central_stellar_mass", "power")
        for axes, statistic, estimate in zip(figure.axes, statistics, estimates, strict=True):
            assert axes.get_xlabel()
            assert axes.get_ylabel()
            for handle, mock in zip(figure.legends[0].legend_handles, mocks.values(), strict=True):
                of_mock = [
                    line
                    for line in axes.lines
                    if line.get_color() == handle.get_color() and len(line.get_xdata())
                ]
                drawn = np.concatenate([np.transpose(line.get_data()) for line in of_mock])
                drawn = drawn[np.isfinite(drawn[:, 1])]
                options = {"grid_size": 64} if statistic == "power" else {}
                result = mockgal.measure(mock, statistic, **options)
                there = np.isin(result[result.axis], drawn[:, 0])
                assert len(drawn) == there.sum() > 3
                expected = np.transpose([result[result.axis][there], result[estimate][there]])
                np.testing.assert_array_equal(drawn[np.argsort(drawn[:, 0])], expected)

    @pytest.mark.slow
    def test_with_the_truth(self, mockgal_command, mock_file, tmp_path):
        """A run's own galaxies beside a mock; options for reading are for the run."""
        write_gadget4(tmp_path / "run", hydro=True)
        result = mockgal_command(
            *("plot", mock_file, tmp_path / "run", "--out", "a.png", "--mass-definition", "200m"),
            "--allow-empty-regions",
        )
        assert result.returncode == 0, result.stderr
        head, painters, *_ = result.stdout.splitlines()
        assert head.split() == ["mock.fits", "run"]
        assert painters.split("  ")[-1].strip() == "hydrodynamic run"
        assert "different simulations" in result.stderr

    @pytest.mark.slow
    def test_an_uncut_catalogue_beside_a_cut_one_is_told(
        self, plotted, mockgal_command, files_of_two, tmp_path
    ):
        """The advised cut makes them alike; labels name them."""
        (result, folder), (first, second, mock, bright) = plotted, files_of_two
        outside = len(mock) - len(bright)
        assert f"{outside} of {len(mock)} galaxies of mock.fits" in result.stderr
        with Image.open(folder / "mock-bright.png") as picture:
            assert f"{outside} of {len(mock)}" in picture.text["Description"]
        (cut,) = re.findall('--cut "([^"]*)"', result.stderr)
        alike = mockgal_command(
            *("plot", first, second, "--out", "b.png", "--cut", cut),
            *("--label", "all of them", "--label", "$M_*$ > 2%"),
        )
        assert alike.returncode == 0, alike.stderr
        assert not alike.stderr
        assert alike.stdout.splitlines()[0].split("  ")[-2:] == ["all of them", "$M_*$ > 2%"]
        with Image.open(tmp_path / "b.png") as picture:
            assert "Description" not in picture.text

    @pytest.mark.slow
    def test_none_left(self, mockgal_command, files_of_two):
        result = mockgal_command("plot", *files_of_two[:2], "--cut", "stellar_mass > 1e14 Msun/h")
        assert result.returncode == 0
        assert re.search(r"^galaxies +0 +0$", result.stdout, re.M)

    @pytest.mark.parametrize(
        ("paths", "more", "said"),
        [
            (("{0}", "{0}"), (), "a path twice"),
            (("{0}", "{1}"), ("--sim", "{0}"), "beside several catalogues"),
            (("{0}", "{1}"), ("--h", "0.7"), "for reading a simulation"),
            ((), (), "PATH"),
            (("{0}", "{1}"), ("--label", "a"), "1 labels for 2 paths"),
            (("{0}", "{1}"), ("--label", "a", "--label", "a"), "'a' twice"),
            (("{0}",), ("--label", ""), "''"),
        ],
    )
    def test_what_is_refused(self, mockgal_command, files_of_two, paths, more, said):
        arguments = [text.format(*files_of_two[:2]) for text in (*paths, *more)]
        result = mockgal_command("plot", *arguments)
        assert result.returncode == 2
        assert said in result.stderr

"""Fits that were saved: read, inspected, verified, and drawn alone and together."""

from contextlib import suppress

import numpy as np
import pytest
from fit_samples import posterior
from hypothesis import given
from hypothesis import strategies as st

import mockgal
from mockgal.errors import InputError, MockgalError
from mockgal.fitting.result import Fit, result
from mockgal.fitting.sampler import Samples
from mockgal.fitting.stored import is_fit
from mockgal.reports.posterior import corner, together

PRIORS = {"logMmin": (11.0, 13.0), "logM1": (11.5, 14.0)}
OTHERS = {"logMmin": "normal(12, 0.3) log10(Msun/h)", "alpha": (0.5, 1.5)}
SETTINGS = {
    "seed": 4,
    "likelihood": "matched",
    "published_parameters": {},
    "mock": {"chi_square": 3.5, "galaxies": 17, "seed": 4},
}


def made(priors=PRIORS, centre=(11.9, 12.6)):
    """A fit whose samples are numbers at random."""
    draws = np.random.default_rng(1).normal(centre, (0.05, 0.1), (400, 2))
    found = Samples(draws, np.linspace(-9, -1, 400), np.array([8.5, np.inf]), 500, 8, True)
    recipe = {"sim": "/a b/dark.hdf5", "painter": "hod", "parameters": {"logMmin": "11.9"}}
    return result(posterior(priors), draws[0], found, recipe, SETTINGS)


@pytest.fixture(scope="module")
def fits():
    pytest.importorskip("halotools")
    return {"first": made(), "second": made(OTHERS, (12.0, 1.0))}


def same(a, b):
    """Whether two results have the same numbers and names, to the last bit."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, tuple) and not isinstance(a, str):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "items"):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


class TestReading:
    def test_it_is_the_fit_that_was_saved(self, fits, tmp_path):
        for name, fit in fits.items():
            path = tmp_path / f"{name}.ecsv"
            fit.save(path)
            back = mockgal.read_fit(path)
            for field in Fit.__dataclass_fields__:
                assert same(getattr(fit, field), getattr(back, field)), field
            assert back.interval("logMmin") == fit.interval("logMmin")
            assert repr(back) == repr(fit)

    def test_other_tables_are_none(self, fits, tmp_path):
        fits["first"].save_data(tmp_path / "fit.ecsv")
        assert not is_fit(tmp_path / "fit.ecsv")
        assert not is_fit(tmp_path / "none.ecsv")
        assert not is_fit(tmp_path)
        with pytest.raises(MockgalError, match=r"format 'mockgal fit \d+, data'"):
            mockgal.read_fit(tmp_path / "fit.ecsv")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("low: 11.5", "low: .nan"),
            ("low: 11.5", "low: none"),
            ("degrees_of_freedom:", "degrees:"),
            ("name: logM1", "name: logM2"),
            ("mockgal fit 2", "mockgal fit 1"),
            ("first: 11.5", "first: !!python/object:os.system 1"),
        ],
    )
    def test_damaged_files_are_refused(self, fits, tmp_path, old, new):
        path = tmp_path / "samples.ecsv"
        fits["first"].save(path)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert is_fit(path)
        with pytest.raises(MockgalError) as caught:
            mockgal.read_fit(path)
        assert caught.value.exit_code == 3
        assert "fit again with this version" in caught.value.fix

    @given(place=st.floats(0, 1, exclude_max=True), letter=st.sampled_from("9x\n:{ #"))
    def test_any_change_is_read_or_refused(self, fits, tmp_path_factory, place, letter):
        path = tmp_path_factory.getbasetemp() / "changed-fit.ecsv"
        text = fits["first"].to_ecsv()
        at = int(place * len(text))
        path.write_text(text[:at] + letter + text[at + 1 :])
        with suppress(InputError):  # anything else is a fault
            mockgal.read_fit(path)


class TestCommands:
    @pytest.fixture
    def folder(self, fits, tmp_path):
        for name, fit in fits.items():
            (tmp_path / name).mkdir()
            fit.save(tmp_path / name / "samples.ecsv")
        fits["first"].save_data(tmp_path / "first" / "fit.ecsv")
        return tmp_path

    def test_inspect_says_what_fit_says(self, folder, fits, mockgal_command):
        found = mockgal_command("inspect", "first/samples.ecsv")
        assert found.returncode == 0, found.stderr
        assert f"logM1 = {fits['first'].in_words('logM1')}; best" in found.stdout
        assert "uniform(11.5, 14) log10(Msun/h)" in found.stdout
        assert mockgal.inspect(folder / "first/samples.ecsv") == fits["first"].facts()

    def test_options_for_simulations_are_refused(self, folder, mockgal_command):
        found = mockgal_command("inspect", "first/samples.ecsv", "--format", "table")
        assert found.returncode == 2
        assert "this is a fit" in found.stderr
        found = mockgal_command("plot", "first/samples.ecsv", "--cut", "stellar_mass > 1e9 Msun/h")
        assert found.returncode == 2
        assert "results already" in found.stderr

    def test_verify_finds_a_change(self, folder, mockgal_command):
        for name in ("samples.ecsv", "fit.ecsv"):
            path = folder / "first" / name
            assert mockgal_command("verify", f"first/{name}").returncode == 0
            text = path.read_text()
            path.write_text(text[:-3] + ("1" if text[-3] != "1" else "2") + text[-2:])
            assert mockgal_command("verify", f"first/{name}").returncode != 0

    def test_posteriors_are_drawn(self, folder, mockgal_command):
        found = mockgal_command(
            "plot", "first/samples.ecsv", "second/samples.ecsv", "--out", "both.png"
        )
        assert found.returncode == 0, found.stderr
        assert "wrote both.png" in found.stdout
        assert (folder / "both.png").stat().st_size > 10_000
        found = mockgal_command(
            "plot", "first/samples.ecsv", "first/fit.ecsv", "--out", "mixed.png"
        )
        assert found.returncode == 2
        assert "beside tables of `mockgal fit`" in found.stderr


class TestPictures:
    def test_what_all_have_is_drawn(self, fits):
        figure = together(fits)
        labels = {panel.get_xlabel() for panel in figure.axes if panel.get_xlabel()}
        assert labels == {
            "logMmin [log10(Msun/h)]",
            "number_density [h^3/Mpc^3]",
            "satellite_fraction",
        }
        texts = [text.get_text() for text in figure.texts]
        assert any("not in all fits: logM1, alpha" in text for text in texts)

    def test_axes_of_a_column_are_the_same(self, fits):
        figure = corner(fits["first"])
        ends = {}
        for panel in figure.axes:
            if panel.axison:
                ends.setdefault(panel.get_subplotspec().colspan.start, set()).add(panel.get_xlim())
        assert [len(own) for own in ends.values()] == [1] * 4

    def test_without_a_common_parameter_it_is_refused(self, fits):
        with pytest.raises(MockgalError, match="fits that share one"):
            together(
                {
                    "a": fits["first"],
                    "b": made({"alpha": (0.5, 1.5), "sigma_logM": (0.1, 1)}, (1.0, 0.5)),
                }
            )

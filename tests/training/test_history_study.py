"""The figures of studies/history_on_sage.py, on numbers whose answers are known."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "studies"))
import history_on_sage


def test_a_quadratic_law_is_found_and_its_scatter_is_that_of_the_other_box():
    rng = np.random.default_rng(1)
    scenes, stars = [], []
    for _ in range(2):
        mass = 10 ** rng.uniform(11, 14, 4000)
        central = rng.random(4000) < 0.7
        x = np.log10(mass)
        mean = 10 + 1.5 * (x - 12) - 0.2 * (x - 12) ** 2 + 0.1 * central * x
        scenes.append(SimpleNamespace(halos={"mass": mass, "is_central": central}))
        stars.append(10 ** rng.normal(mean, 0.2))
    for scores in history_on_sage.quadratic_fit(scenes, stars, "mass,is_central"):
        assert scores[0].std() == pytest.approx(0.2, abs=0.008)
        assert scores[1].mean() == pytest.approx(-0.5 - np.log(0.2), abs=0.05)


def test_a_change_has_the_error_of_a_mean_over_cells_and_of_the_seeds():
    rng = np.random.default_rng(2)
    cell = np.arange(2700) % 27
    before = np.zeros((3, 2, 2700))
    after = before.copy()
    after[:, 1] = rng.normal(0.5, 1.0, 2700) + np.array([[-0.1], [0.0], [0.1]])
    text = history_on_sage.change(history_on_sage.score, before, after, cell)
    value, error, detectable = (float(text.split()[k].strip("()")) for k in (0, 2, 4))
    assert value == pytest.approx(0.5, abs=0.06)
    assert error == pytest.approx(np.hypot(2700**-0.5, 0.1 / 3**0.5), rel=0.1)
    assert detectable == pytest.approx(2.91 * error, abs=0.003)

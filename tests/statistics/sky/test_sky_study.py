"""Known correlation functions come back from the sky: the study, with few seeds of its hundred."""

import sys
from pathlib import Path

import numpy as np
import pytest

import mockgal

sys.path.insert(0, str(Path(__file__).parents[3] / "studies"))
import clustering_on_the_sky as study

SEEDS = 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("case", study.AMPLITUDE)
def test_what_is_known_comes_back(case):
    """Through mask, completeness, n(z) and weights, within errors of the mean over seeds."""
    found = {}
    for seed in range(1, SEEDS + 1):
        galaxies, points, _ = study.on_the_sky(case, seed)
        for name in ("w_theta", "sky_wp", "sky_xi_multipoles"):
            result = mockgal.measure(galaxies, name, randoms=points, **study.OPTIONS[name])
            for estimate, truth in study.known(case, name, result, {}).items():
                pull = (result[estimate] - truth) / result[f"{estimate}_error"]
                found.setdefault(estimate, []).append(pull)
    assert set(found) == {"w", "w_p", "xi_0", "xi_2", "xi_4"}
    for estimate, pulls in found.items():
        assert np.mean(np.square(pulls)) == pytest.approx(1.0, abs=0.45), estimate
        assert abs(np.mean(pulls)) < 1.5 / np.sqrt(SEEDS), estimate

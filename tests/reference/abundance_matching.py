"""Numbers of AbundanceMatching (Mao; Behroozi, Conroy & Wechsler 2010) on a box of the tests.

Needs AbundanceMatching 0.3: python tests/reference/abundance_matching.py
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "painters"))
import sham_samples  # noqa: E402

REPEATS = 20


def law():
    """Return the mass function of the tests as the public code takes it, deconvolved."""
    from AbundanceMatching import AbundanceFunction

    from mockgal.laws.mass_functions import PUBLISHED

    x = np.arange(7.0, 12.5, 0.05)
    density = PUBLISHED[sham_samples.FUNCTION].in_run(x, 0.0, sham_samples.H)
    function = AbundanceFunction(x, density, (6.0, 13.0), faint_end_first=True)
    function.deconvolute(sham_samples.SCATTER, repeat=20)
    return function


def main():
    """Match a box several times, and write means and standard deviations of what is counted."""
    function = law()
    halos = sham_samples.compared().halos
    order = np.argsort(-halos["peak_vmax"], kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    density = ranks / sham_samples.SIDE**3
    counted = []
    for seed in range(REPEATS):
        np.random.seed(seed)  # noqa: NPY002 (the public code draws from the global state)
        log_mass = function.match(density, sham_samples.SCATTER)
        counted.append(sham_samples.count(log_mass, halos["is_central"], halos["position"]))
    result = {
        "repeats": REPEATS,
        "density": sham_samples.DENSITIES.tolist(),
        "median": function.match(sham_samples.DENSITIES, sham_samples.SCATTER, False).tolist(),
        "without_scatter": function.match(sham_samples.DENSITIES).tolist(),
        **{
            name: {
                "mean": np.mean([one[name] for one in counted], axis=0).tolist(),
                "deviation": np.std([one[name] for one in counted], axis=0, ddof=1).tolist(),
            }
            for name in counted[0]
        },
    }
    path = HERE / "abundance_matching.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Whether `mockgal.fit` finds the parameters that mocks were painted with, over many seeds.

    python -m mockgal.universe RUN --side 256 --box-size 160 --seed 1
    python studies/fit_recovery.py RUN/dark.hdf5 --seeds 40 --out FOLDER

The hosts of the run get satellites and galaxies of zheng07 with known parameters. w_p and the
number density of each mock are fitted, with the joint covariance of other mocks. Printed is, for
each parameter, how often the truth is in the 68% and in the 95% interval, the mean distance of the
median from the truth in its widths, and the mean chi-square. Each fit is kept in FOLDER, where a
stopped study goes on.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

import mockgal

TRUTH = {"logMmin": 12.4, "sigma_logM": 0.3, "logM0": 12.0, "logM1": 13.2, "alpha": 1.0}
PRIORS = {
    "logMmin": (11.8, 13.4),
    "logM1": (12.4, 14.2),
    "alpha": (0.4, 1.8),
    "sigma_logM": (0.05, 1.0),
    "logM0": (10.0, 13.4),
}
LAW = {"model": "zheng07", "stellar_mass_law": "moster13", "allow_extrapolation": True}
BINS = {"r_min": 0.1, "r_max": 20.0, "bins": 10, "pi_max": 40.0, "jackknife": 0}
OTHERS = range(1000, 1200)  # seeds of the mocks that the covariance is from


def main() -> None:
    """Fit the mocks, and print how often the truth is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sim", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--free", type=int, default=3, help="free parameters, of the five")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
    sim = mockgal.read(given.sim)
    sim = replace(sim, halos=sim.halos.take(np.flatnonzero(sim.halos["is_central"])))
    others = mockgal.combine([measured(sim, seed)[0] for seed in OTHERS])
    priors = dict(list(PRIORS.items())[: given.free])
    found = []
    for seed in range(1, given.seeds + 1):
        path = given.out / f"{seed}.json"
        if not path.exists():
            data, density = measured(sim, seed)
            fit = mockgal.fit(
                sim,
                data,
                others,
                seed=seed,
                priors=priors,
                parameters={name: x for name, x in TRUTH.items() if name not in priors},
                number_density=density,
                populate=True,
                folder=given.out,
                **LAW,
            )
            about = {
                name: [float(np.mean(fit.samples[name] < TRUTH[name])), *fit.interval(name)]
                for name in priors
            }
            about |= {"chi_square": fit.chi_square, "freedom": fit.degrees_of_freedom}
            about |= {"p": fit.p_value, "converged": fit.settings["sampler"]["converged"]}
            about |= {"mock": fit.settings["mock"]["chi_square"]}
            path.write_text(json.dumps(about))
        found.append(json.loads(path.read_text()))
        print(seed, found[-1], flush=True)
    report(found, list(priors))


def measured(
    sim: mockgal.types.Scene, seed: int
) -> tuple[mockgal.statistics.result.Measurement, float]:
    """Return w_p of a mock, and its number density."""
    full = mockgal.populate(sim, "hod", seed=seed, parameters=TRUTH, **LAW)
    mock = mockgal.paint(full, "hod", seed=seed, parameters=TRUTH, **LAW)
    return mockgal.measure(mock, "wp", **BINS), len(mock) / sim.snapshot.box_size**3


def report(found: list[dict], names: list[str]) -> None:
    """Print a table of all seeds."""
    print("\n| parameter | truth | in 68% | in 95% | mean distance [widths] | scatter of it |")
    print("|---|---|---|---|---|---|")
    for name in names:
        below, median, low, high = np.array([one[name] for one in found]).T
        distance = (median - TRUTH[name]) / (0.5 * (high - low))
        inside = [np.sum(np.abs(below - 0.5) < share / 2) for share in (0.68, 0.95)]
        print(
            f"| {name} | {TRUTH[name]} | {inside[0]} | {inside[1]} | "
            f"{distance.mean():+.2f} +- {distance.std(ddof=1) / len(found) ** 0.5:.2f} | "
            f"{distance.std(ddof=1):.2f} |"
        )
    square = [one["chi_square"] for one in found]
    print(
        f"\nchi-square {np.mean(square):.2f} on average for {found[0]['freedom']} degrees of "
        f"freedom; p from {min(one['p'] for one in found):.3f} to "
        f"{max(one['p'] for one in found):.3f}; "
        f"{sum(one['converged'] for one in found)} of {len(found)} chains long enough"
    )


if __name__ == "__main__":
    main()
